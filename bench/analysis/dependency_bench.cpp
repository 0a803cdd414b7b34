#include "eigenstream/analysis/dependency.hpp"

#include <benchmark/benchmark.h>

#include <vector>

#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/network/any_layer.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/run.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

// Ten convolutions of three taps, dilation 1, 2, ... 512, each with a tanh: 20 layers that reach over 2047 frames.
es::AnySequential<float> network() {
  constexpr Index channels = 4, taps = 3;
  Noise noise(3);
  std::vector<es::AnyLayer<float>> layers;
  for (Index b = 0; b < 10; ++b) {
    std::vector<float> values(static_cast<std::size_t>(channels * channels * taps));
    for (float& value : values) value = 0.3f * noise();
    const es::Weights<float> weight({channels, channels, taps}, std::move(values));
    const Index dilation = Index{1} << b;
    const es::Padding padding = es::Padding::causal(taps, dilation);
    layers.emplace_back(es::Conv1d<float>(weight, {}, {.padding = padding, .dilation = dilation}));
    layers.emplace_back(es::Tanh<float>());
  }
  return es::AnySequential<float>(std::move(layers));
}
constexpr Index frames = 2000;

// The exact matrix from the structure, and the same by replacing frames: all of them, or every 20th.
void structure(benchmark::State& state) {
  const es::Timing timing = network().timing();
  for (auto _ : state) benchmark::DoNotOptimize(es::dependency_matrix(timing, frames, state.range(0)));
}
void inferred(benchmark::State& state) {
  const es::AnySequential<float> net = network();
  const Index in_stride = state.range(0);
  // What NaN reaches is what the structure says.
  const es::SignalShape shape{.channels = 4, .frames = frames};
  const es::InferOptions options{.nan = true};
  if (!(es::infer_dependency_matrix(net, shape, in_stride, options) == es::dependency_matrix(net, frames, in_stride)))
    return state.SkipWithError("the two matrices differ");
  for (auto _ : state) benchmark::DoNotOptimize(es::infer_dependency_matrix(net, shape, in_stride, options));
}

const bool registered = [] {
  for (const Index in_stride : {1, 20}) {
    for (void (*run)(benchmark::State&) : {structure, inferred}) {
      const char* const name = run == structure ? "DependencyMatrix/structure" : "DependencyMatrix/inferred";
      benchmark::RegisterBenchmark(name, run)->Arg(in_stride)->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace bench
