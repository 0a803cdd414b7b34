#ifndef EIGENSTREAM_BENCH_SERVE_SMALL_NETS_HPP
#define EIGENSTREAM_BENCH_SERVE_SMALL_NETS_HPP

#include <cmath>    // sqrt
#include <utility>  // move
#include <vector>   // layers

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "support/run.hpp"

namespace bench {

// Networks as small as those of which one machine serves thousands of streams: 8 channels in and out.
inline constexpr Index small_channels = 8;

inline eigenstream::Weights<float> small_weights(std::vector<Index> shape, Noise& noise) {
  eigenstream::Weights<float> weights;
  weights.shape = std::move(shape);
  Index n = 1;
  for (const Index extent : weights.shape) n *= extent;
  for (Index i = 0; i < n; ++i) weights.values.push_back(noise() / std::sqrt(3.0f * small_channels));
  return weights;
}
template <class Conv>
Conv small_conv(Noise& noise, Index dilation = 1) {
  return Conv(small_weights({small_channels, small_channels, 3}, noise), small_weights({small_channels}, noise),
              {.padding = eigenstream::Padding::causal(3, dilation), .dilation = dilation});
}

/// Five convolutions of three taps, tanh between them, all known at compile time.
inline auto small_static_net() {
  namespace es = eigenstream;
  using Conv = es::Conv1d<float, small_channels, small_channels, 3>;
  using Tanh = es::Tanh<float>;
  Noise noise(3);
  const auto conv = [&] { return small_conv<Conv>(noise); };
  return es::sequential(conv(), Tanh{}, conv(), Tanh{}, conv(), Tanh{}, conv(), Tanh{}, conv());
}
/// The same, put together at run time.
inline auto small_any_net() {
  namespace es = eigenstream;
  Noise noise(3);
  std::vector<es::AnyLayer<float>> layers;
  for (int i = 0; i < 5; ++i) {
    if (i > 0) layers.emplace_back(es::Tanh<float>{});
    layers.emplace_back(small_conv<es::Conv1d<float>>(noise));
  }
  return es::AnySequential<float>(std::move(layers));
}
/// Four residual blocks, dilations 1 to 8, as a graph.
inline auto small_graph_net() {
  namespace es = eigenstream;
  Noise noise(5);
  es::GraphBuilder<float> graph;
  auto x = graph.input();
  for (Index dilation = 1; dilation <= 8; dilation *= 2) {
    const auto y = graph.add(es::Tanh<float>{}, graph.add(small_conv<es::Conv1d<float>>(noise, dilation), x));
    x = graph.reduce(es::Reduce::sum, {x, y});
  }
  return graph.build(x);
}
/// A GRU of 8 units and a dense layer.
inline auto small_gru_net() {
  namespace es = eigenstream;
  Noise noise(9);
  constexpr Index c = small_channels;
  return es::sequential(es::Gru<float>({.input = small_weights({3 * c, c}, noise),
                                        .hidden = small_weights({3 * c, c}, noise),
                                        .input_bias = small_weights({3 * c}, noise),
                                        .hidden_bias = small_weights({3 * c}, noise)}),
                        es::Conv1d<float>(small_weights({c, c, 1}, noise)));
}

/// Calls f(name, net) for each of them.
template <class F>
void for_each_small_net(F&& f) {
  f("conv5-static", small_static_net());
  f("conv5-any", small_any_net());
  f("residual4-graph", small_graph_net());
  f("gru8-static", small_gru_net());
}

}  // namespace bench

#endif  // EIGENSTREAM_BENCH_SERVE_SMALL_NETS_HPP
