#include "eigenstream/stream/tensor_calls.hpp"

#include <cmath>    // sqrt
#include <utility>  // index_sequence

#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "support/eigen_history.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

// A small network: eight residual blocks of 16 channels, y = x + tanh(conv(x)), three taps, dilation 1, 2, ... 128.
constexpr Index channels = 16, taps = 3, blocks = 8;

struct Block {
  Signal weight[taps];  // (out, in), the oldest frame's first
  Eigen::VectorXf bias;
  Index dilation;
};

struct NetworkTask : Task {
  std::vector<Block> network;

  explicit NetworkTask(Index frames) {
    Noise noise(7);
    const float scale = 1.0f / std::sqrt(static_cast<float>(taps * channels));
    for (Index b = 0; b < blocks; ++b) {
      Block& block = network.emplace_back();
      for (Signal& weight : block.weight) weight = noise.signal(channels, channels, scale);
      block.bias = noise.signal(channels, 1, scale);
      block.dilation = Index{1} << b;
    }
    input = noise.signal(channels, 2 * frames + 700);
    Eigen::MatrixXd x = input.cast<double>();
    for (const Block& block : network) {
      Eigen::MatrixXd y = block.bias.cast<double>().replicate(1, x.cols());
      for (Index k = 0; k < taps; ++k) {
        const Index n = x.cols() - (taps - 1 - k) * block.dilation;
        y.rightCols(n) += block.weight[k].cast<double>() * x.leftCols(n);
      }
      x += y.array().tanh().matrix();
    }
    expected = x.cast<float>();
    flops_per_frame = 2.0 * static_cast<double>(blocks * taps * channels * channels);
  }
};

// Through Stream, as a user calls it.
template <class Net>
struct Ours {
  es::Stream<Net> stream;
  Index operator()(In x, Out y) { return stream.process(x, y); }
};

template <class Conv>
Conv conv(const Block& block) {
  es::Weights<float> weight({channels, channels, taps}, std::vector<float>(channels * channels * taps));
  for (Index o = 0, at = 0; o < channels; ++o)
    for (Index i = 0; i < channels; ++i)
      for (Index k = 0; k < taps; ++k, ++at) weight.values[static_cast<std::size_t>(at)] = block.weight[k](o, i);
  return Conv(weight, es::Weights<float>(block.bias),
              {.padding = es::Padding::causal(taps, block.dilation), .dilation = block.dilation});
}

// Everything known at compile time.
auto make_static(const NetworkTask& task, Index) {
  using Conv = es::Conv1d<float, channels, channels, taps>;
  auto net = [&]<std::size_t... B>(std::index_sequence<B...>) {
    return es::sequential(es::residual(es::sequential(conv<Conv>(task.network[B]), es::Tanh<float>{}))...);
  }(std::make_index_sequence<blocks>());
  return Ours<decltype(net)>{es::Stream(std::move(net))};
}

// Everything known at run time, as if read from a file.
auto make_any(const NetworkTask& task, Index) {
  std::vector<es::AnyLayer<float>> layers;
  for (const Block& block : task.network) {
    std::vector<es::AnyLayer<float>> inner{conv<es::Conv1d<float>>(block), es::Tanh<float>{}};
    layers.emplace_back(es::residual(es::AnySequential<float>(std::move(inner))));
  }
  return Ours<es::AnyLayer<float>>{es::Stream(es::AnyGraph<float>::of(es::AnySequential<float>(std::move(layers))))};
}

// As a graph whose joins the blocks' sums are, as a traced forward gives it.
auto make_graph(const NetworkTask& task, Index) {
  es::GraphBuilder<float> graph;
  auto x = graph.input();
  for (const Block& block : task.network) {
    const auto branch = graph.add(es::Tanh<float>{}, graph.add(conv<es::Conv1d<float>>(block), x));
    x = graph.reduce(es::Reduce::sum, {x, branch});
  }
  return Ours<es::AnyGraph<float>>{es::Stream(graph.build(x))};
}

// The types known at compile time, the sums joins of parallel branches.
auto make_parallel(const NetworkTask& task, Index) {
  using Conv = es::Conv1d<float, channels, channels, taps>;
  auto net = [&]<std::size_t... B>(std::index_sequence<B...>) {
    return es::sequential(es::parallel(es::Reduce::sum, es::Identity<float>{},
                                       es::sequential(conv<Conv>(task.network[B]), es::Tanh<float>{}))...);
  }(std::make_index_sequence<blocks>());
  return Ours<decltype(net)>{es::Stream(std::move(net))};
}

// What a careful Eigen user writes: a history for each block, a product for each tap, the activation as an array
// expression, tiles of 64 frames so that what lies between the blocks stays in the cache.
template <int Channels>
class Eigens {
 public:
  Eigens(const NetworkTask& task, Index frames) {
    for (const Block& block : task.network) stages_.emplace_back(block, std::min(frames, tile));
    for (auto& buffer : buffers_) buffer.resize(channels, std::min(frames, tile));
  }
  Index operator()(In x, Out y) {
    for (Index at = 0; at < x.cols(); at += tile) {
      const Index n = std::min(tile, x.cols() - at);
      const float* from = x.data() + at * channels;
      for (std::size_t b = 0; b < stages_.size(); ++b) {
        float* to = b + 1 == stages_.size() ? y.data() + at * channels : buffers_[b % 2].data();
        stages_[b].run(from, n, to);
        from = to;
      }
    }
    return x.cols();
  }

 private:
  static constexpr Index tile = 64;
  using Frames = typename EigenHistory<Channels>::Frames;
  struct Stage {
    Stage(const Block& block, Index most)
        : weight{block.weight[0], block.weight[1], block.weight[2]},
          bias(block.bias),
          history(channels, (taps - 1) * block.dilation, most),
          dilation(block.dilation) {}
    void run(const float* from, Index n, float* to) {
      const Index first = history.append(In(from, channels, n));
      Eigen::Map<Frames> y(to, channels, n);
      y.colwise() = bias;
      for (Index k = 0; k < taps; ++k) {
        if (n == 1)
          y.col(0).noalias() += weight[k] * history.frames().col(first + k * dilation);
        else
          y.noalias() += weight[k] * history.frames().middleCols(first + k * dilation, n);
      }
      y.array() = y.array().tanh() + history.frames().middleCols(first + (taps - 1) * dilation, n).array();
    }
    Eigen::Matrix<float, Channels, Channels> weight[taps];
    Eigen::Matrix<float, Channels, 1> bias;
    EigenHistory<Channels> history;
    Index dilation;
  };
  std::vector<Stage> stages_;
  Frames buffers_[2];
};

template <class Make>
void register_stream(const char* variant, Make make) {
  for (const Index frames : chunk_lengths)
    benchmark::RegisterBenchmark(name("Stream", variant, {frames}).c_str(), [=](benchmark::State& state) {
      const NetworkTask task(frames);
      auto way = make(task, frames);
      run(state, way, task, frames);
      state.counters["slowest_ns"] = slowest_ns([&] { return make(task, frames); }, task, frames);
    });
}

const bool registered = [] {
  register_stream("ours-static", make_static);
  register_stream("ours-any", make_any);
  register_stream("ours-graph", make_graph);
  register_stream("ours-parallel", make_parallel);
  register_stream("eigen-taps", [](const NetworkTask& task, Index frames) {
    return Eigens<Eigen::Dynamic>(task, frames);
  });
  register_stream("eigen-taps-static", [](const NetworkTask& task, Index frames) {
    return Eigens<channels>(task, frames);
  });
  return true;
}();

}  // namespace
}  // namespace bench
