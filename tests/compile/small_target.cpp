// For a 32-bit target without exceptions and run-time type information: sizes have 32 bits there, positions in time 64.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <eigenstream.hpp>
#include <vector>

#if EIGENSTREAM_EXCEPTIONS
#error "exceptions are on: this test tests nothing"
#endif

namespace es = eigenstream;
using es::Index;
using es::Time;

namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::printf("wrong: %s\n", what);
  std::exit(1);
}

es::Weights<float> weights(std::vector<Index> shape) {
  es::Weights<float> w;
  Index size = 1;
  for (const Index extent : shape) size *= extent;
  w.shape = std::move(shape);
  for (Index i = 0; i < size; ++i) w.values.push_back(0.25f * static_cast<float>(i % 7 - 3));
  return w;
}

// Half a day at 48 kHz, and much more: every count that a stream keeps.
constexpr Time long_ago = Time{3} << 32;

// Whether a stream in pieces gives what one call gives.
template <class Net>
void check_law(const Net& net) {
  std::vector<float> x(600);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  es::Stream whole(net), pieces(net);
  const Index channels = whole.in_shape().channels, n = 600 / channels;
  std::vector<float> a(4000), b(4000);
  const es::Frames<const float> in(x.data(), whole.in_shape(), n);
  const es::Frames<float> to_a(a.data(), whole.out_shape(), 1000), to_b(b.data(), whole.out_shape(), 1000);
  const Index count = whole.process(in, to_a, es::final);
  Index written = 0;
  for (Index at = 0, size = 0; at < n; at += size) {
    size = std::min<Index>(at % 5 + 1, n - at);
    written += pieces.process(in.slice(at, size), to_b.from(written));
  }
  written += pieces.flush(to_b.from(written));
  require(written == count && count > 0 && a == b, "a stream in pieces");
}

}  // namespace

int main() {
  static_assert(sizeof(Time) == 8);
  const es::Conv1d<float> causal(weights({3, 2, 3}), weights({3}), {.padding = es::Padding::causal(3)});
  check_law(causal);
  check_law(es::sequential(es::Conv1d<float>(weights({4, 2, 4}), {}, {.stride = 2, .padding = 1}), es::Tanh<float>(),
                           es::ConvTranspose1d<float>(weights({4, 2, 4}), {}, {.stride = 2, .padding = 1})));
  check_law(es::Gru<float>({weights({9, 2}), weights({9, 3})}));
  check_law(es::residual(es::Conv1d<float>(weights({2, 2, 3}), {}, {.padding = 1})));

  // Exact for signals of any length.
  const es::Timing timing = es::sequential(causal, es::Conv1d<float>(weights({1, 3, 4}), {}, {.stride = 3})).timing();
  require(timing.outputs_after(long_ago) == (long_ago - 4) / 3 + 1, "outputs after so many frames");

  // A stream that has run for so long goes on: two counters of the state, and what is kept.
  es::Stream stream(causal);
  std::vector<float> x(20, 0.5f), y(60);
  const es::Frames<const float> in(x.data(), stream.in_shape(), 10);
  const es::Frames<float> out(y.data(), stream.out_shape(), 20);
  stream.process(in, out);
  const es::State now = stream.get_state();
  es::State later;
  later.assign(now.fingerprint(), now.shape(), now.frames_seen() + long_ago, now.payload().size(), [&](auto bytes) {
    std::memcpy(bytes.data(), now.payload().data(), now.payload().size());
    std::int64_t seen;
    std::memcpy(&seen, bytes.data() + sizeof seen, sizeof seen);
    seen += long_ago;
    std::memcpy(bytes.data() + sizeof seen, &seen, sizeof seen);
  });
  stream.set_state(later);
  require(stream.frames_seen() == long_ago + 10, "frames seen");
  require(stream.process(in, out) == 10 && stream.frames_seen() == long_ago + 20, "going on");
  require(stream.get_state().frames_seen() == long_ago + 20, "the state");
  std::puts("all right");
  return 0;
}
