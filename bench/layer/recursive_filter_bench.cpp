#include "eigenstream/layer/recursive_filter.hpp"

#include "eigenstream/audio/biquad.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/run.hpp"

// One item is one frame; parameters: channels, biquads, frames a call. Beside it the loop that one would write for one channel after
// the other, in single precision.

namespace bench {
namespace {

namespace es = eigenstream;

std::vector<es::Biquad> sections(Index count) {
  std::vector<es::Biquad> all;
  for (Index s = 0; s < count; ++s)
    all.push_back(es::biquad(es::BiquadKind::equalizer, 48000, 100.0 * static_cast<double>(1 + s * s), 1, 2));
  return all;
}

void ours(benchmark::State& state, Index channels, Index count, Index frames) {
  const es::BiquadCascade cascade = es::biquad_cascade(sections(count));
  es::Stream stream(es::RecursiveFilter<float>(cascade.b, cascade.a), {.channels = channels});
  const Signal x = Noise(1).signal(channels, frames);
  Signal y(channels, frames);
  for (auto _ : state) {
    stream.process(In(x.data(), channels, frames), Out(y.data(), channels, frames));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * frames);
}

void plain(benchmark::State& state, Index channels, Index count, Index frames) {
  struct Memory {
    float one = 0, two = 0;
  };
  std::vector<Memory> memory(static_cast<std::size_t>(channels * count));
  const std::vector<es::Biquad> all = sections(count);
  const Signal x = Noise(1).signal(channels, frames);
  Signal y(channels, frames);
  for (auto _ : state) {
    benchmark::DoNotOptimize(x.data());
    for (Index c = 0; c < channels; ++c)
      for (Index s = 0; s < count; ++s) {
        const es::Biquad& f = all[static_cast<std::size_t>(s)];
        const float b0 = static_cast<float>(f.b0 / f.a0), b1 = static_cast<float>(f.b1 / f.a0),
                    b2 = static_cast<float>(f.b2 / f.a0);
        const float a1 = static_cast<float>(f.a1 / f.a0), a2 = static_cast<float>(f.a2 / f.a0);
        Memory kept = memory[static_cast<std::size_t>(c * count + s)];
        for (Index t = 0; t < frames; ++t) {
          const float in = s == 0 ? x(c, t) : y(c, t), out = b0 * in + kept.one;
          kept = {b1 * in - a1 * out + kept.two, b2 * in - a2 * out};
          y(c, t) = out;
        }
        memory[static_cast<std::size_t>(c * count + s)] = kept;
      }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * frames);
}

const bool registered = [] {
  for (const Index channels : {1, 2, 16})
    for (const Index count : {1, 4})
      for (const Index frames : {1, 64}) {
        benchmark::RegisterBenchmark(name("RecursiveFilter", "ours", {channels, count, frames}).c_str(), ours, channels, count,
                                     frames);
        benchmark::RegisterBenchmark(name("RecursiveFilter", "plain", {channels, count, frames}).c_str(), plain, channels, count,
                                     frames);
      }
  return true;
}();

}  // namespace
}  // namespace bench
