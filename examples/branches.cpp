// Networks with branches: a U-Net with a skip, its types known at compile time; a WaveNet whose layers are all summed and
// which a second signal conditions, put together at run time. Nobody inserts a delay: branches are aligned where they
// join, and branches that cannot be are refused.
#include <algorithm>
#include <cstdio>
#include <eigenstream.hpp>
#include <eigenstream/network.hpp>
#include <string>
#include <vector>

namespace es = eigenstream;
using es::Index;

Eigen::Tensor<float, 3> weight(Index out, Index in, Index taps) {
  return Eigen::Tensor<float, 3>(out, in, taps).setRandom() * 0.3f;
}

// True if the signal in one call and the signal in chunks of 1, 2, 3, ... frames give the same bits.
template <class Net>
bool same_in_chunks(const Net& net) {
  es::Stream stream(net);
  Eigen::Tensor<float, 2> x(stream.in_shape().channels, 400);
  x.setRandom();
  const Eigen::Tensor<float, 2> whole = stream.forward(x);
  const es::Frames<const float> signal(x);
  std::vector<float> y(static_cast<std::size_t>(whole.size()));
  es::Frames<float> rest(y.data(), stream.out_shape(), whole.dimension(1));
  for (Index at = 0, n = 1; at < signal.count; at += n, n = std::min<Index>(n + 1, signal.count - at))
    rest = rest.from(stream.process(signal.slice(at, n), rest));
  return stream.flush(rest) == rest.count && std::equal(y.begin(), y.end(), whole.data());
}

int main() {
  using Conv = es::Conv1d<float>;

  // Down by two and up again, beside the way that stays: their channels are put one after the other.
  const auto down = Conv(weight(16, 8, 4), {}, {.stride = 2, .padding = 1});
  const auto up = es::ConvTranspose1d<float>(weight(16, 8, 4), {}, {.stride = 2, .padding = 1});
  const auto unet = es::sequential(Conv(weight(8, 1, 5), {}, {.padding = 2}), es::Relu<float>{},
                                   es::parallel(es::Reduce::concat, es::Identity<float>{},
                                                es::sequential(down, es::residual(es::Tanh<float>{}), up)),
                                   Conv(weight(1, 16, 5), {}, {.padding = 2}));
  es::check(same_in_chunks(unet), "the U-Net differs in chunks");

  // Channel 0 is the sound, channels 1 to 3 condition it: every layer takes them.
  es::GraphBuilder<float> graph(4);
  auto x = graph.add(Conv(weight(8, 1, 1)), graph.input(0, 1));
  const auto condition = graph.input(1, 3);
  std::vector<es::GraphBuilder<float>::Value> skips;
  for (const Index dilation : {1, 2, 4, 8}) {
    const auto filtered =
        graph.add(Conv(weight(16, 8, 3), {}, {.padding = es::Padding::causal(3, dilation), .dilation = dilation}), x);
    const auto shift = graph.add(Conv(weight(16, 3, 1)), condition);
    const auto gated = graph.add(es::Glu<float>{}, graph.reduce(es::Reduce::sum, {filtered, shift}));
    skips.push_back(graph.add(Conv(weight(4, 8, 1)), gated));
    x = graph.reduce(es::Reduce::sum, {x, gated});
  }
  skips.push_back(graph.add(Conv(weight(4, 8, 1)), x));
  const auto wavenet = graph.build(graph.add(Conv(weight(1, 4, 1)), graph.reduce(es::Reduce::sum, skips)));
  es::check(same_in_chunks(wavenet), "the WaveNet differs in chunks");

  std::printf("U-Net: receptive field %td, delay %td frames\n", unet.timing().receptive_field(), unet.timing().delay());
  std::printf("WaveNet: receptive field %td, delay %td frames\n", wavenet.timing().receptive_field(),
              wavenet.timing().delay());

  // A branch at half the rate cannot meet one at the full rate.
  std::string message = "none";
  try {
    es::parallel(es::Reduce::sum, Conv(weight(16, 8, 1)), down);
  } catch (const es::Error& error) {
    message = error.what();
  }
  std::printf("refused: %s\n", message.c_str());
  es::check(message.find("one has rate 1/1 and delay 0, another rate 1/2 and delay 2") != std::string::npos,
            "unexpected message");
}
