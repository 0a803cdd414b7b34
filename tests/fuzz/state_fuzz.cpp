// Any bytes as a saved state, as a file and, with a digest that fits, as the state of a network with a history, a recurrence,
// queues and silence before the signal. A state that is taken must not let a call write beyond its room: the sanitizers watch.
#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/prewarmed.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/io/state_file.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/conv_transpose.hpp"
#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "fuzz.hpp"

namespace es = fuzz::es;
using es::Index;

namespace {

es::Weights<float> weights(std::vector<Index> shape) {
  es::Weights<float> all;
  Index count = 1;
  for (const Index extent : shape) count *= extent;
  all.shape = std::move(shape);
  all.values.assign(static_cast<std::size_t>(count), 0.125f);
  return all;
}
auto conv(Index taps, Index dilation) {
  return es::Conv1d<float>(weights({2, 2, taps}), weights({2}), {.padding = es::Padding::causal(taps, dilation), .dilation = dilation});
}
const auto& network() {
  static const auto net = es::sequential(
      es::prewarmed(es::sequential(conv(3, 4), es::Gru<float>({weights({6, 2}), weights({6, 2})})), 5),
      es::parallel(es::Reduce::sum, es::Delay<float>(3), es::Identity<float>()),
      es::AvgPool1d<float>(3, {.stride = 2, .padding = 1}),
      es::ConvTranspose1d<float>(weights({2, 2, 4}), weights({2}), {.stride = 2, .padding = 1}));
  return net;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = fuzz::bytes_of(data, size);
  fuzz::allow_errors([&] { es::parse_state_file(bytes); });
  fuzz::allow_errors([&] { es::State::from_bytes(bytes); });
  if (size < 8) return 0;
  fuzz::allow_errors([&] {
    es::Stream stream(network(), {.channels = 2});
    es::Time seen = 0;
    std::memcpy(&seen, data, sizeof seen);
    es::State state;
    // As many bytes as the stream has, with those that came and then zeros.
    const std::size_t payload = static_cast<std::size_t>(stream.state_bytes());
    state.assign(network().fingerprint(), stream.in_shape(), seen, payload, [&](std::span<std::byte> out) {
      std::copy_n(bytes.begin() + 8, std::min(payload, size - 8), out.begin());
    });
    stream.set_state(es::State::from_bytes(state.bytes()));
    for (const Index frames : {1, 5, 40}) {
      const std::vector<float> x(static_cast<std::size_t>(frames * 2), 0.25f);
      std::vector<float> y(static_cast<std::size_t>(stream.max_outputs(frames) * stream.out_shape().size()));
      stream.process(es::Frames<const float>(x.data(), stream.in_shape(), frames),
                     es::Frames<float>(y.data(), stream.out_shape(), stream.max_outputs(frames)));
    }
  });
  return 0;
}
