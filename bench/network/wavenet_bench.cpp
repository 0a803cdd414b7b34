#include <array>   // sizes
#include <cmath>   // sqrt
#include <vector>  // layers

#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/eigen_history.hpp"

// A WaveNet as guitar amplifiers are modelled with: two arrays of ten dilated layers, 16 and 8 channels, each layer conditioned
// by the input, with a sum of skips. One number in, one out.

namespace bench {
namespace {

namespace es = eigenstream;

constexpr Index taps = 3, layers = 10;

struct LayerWeights {
  Signal conv[taps];  // (channels, channels), the oldest frame's first
  Signal bias, mixin, out, out_bias;
  Index dilation;
};
struct ArrayWeights {
  Index channels, in;
  Signal first, head;  // (channels, in), (outputs, channels)
  std::vector<LayerWeights> layers;
};

struct WavenetTask : Task {
  std::vector<ArrayWeights> arrays;

  explicit WavenetTask(Index frames) {
    Noise noise(3);
    for (const auto& [channels, in, outputs] : {std::array<Index, 3>{16, 1, 8}, std::array<Index, 3>{8, 16, 1}}) {
      const float scale = 1.0f / std::sqrt(static_cast<float>(channels));
      ArrayWeights& array = arrays.emplace_back(ArrayWeights{channels, in, noise.signal(channels, in, 0.5f), noise.signal(outputs, channels, scale), {}});
      for (Index l = 0; l < layers; ++l) {
        LayerWeights& layer = array.layers.emplace_back();
        for (Signal& weight : layer.conv) weight = noise.signal(channels, channels, 0.6f * scale);
        layer.bias = noise.signal(channels, 1, 0.1f), layer.mixin = noise.signal(channels, 1, 0.5f);
        layer.out = noise.signal(channels, channels, scale), layer.out_bias = noise.signal(channels, 1, 0.1f);
        layer.dilation = Index{1} << l;
        flops_per_frame += 2.0 * static_cast<double>(channels * channels * (taps + 1) + channels);
      }
      flops_per_frame += 2.0 * static_cast<double>(channels * (in + outputs));
    }
    input = noise.signal(1, 2 * frames + 600);
    const Eigen::MatrixXd x = input.cast<double>();
    Eigen::MatrixXd y = x, skips;
    for (const ArrayWeights& array : arrays) {
      y = (array.first.cast<double>() * y).eval();
      for (const LayerWeights& layer : array.layers) {
        Eigen::MatrixXd z = layer.bias.cast<double>().replicate(1, x.cols());
        for (Index k = 0; k < taps; ++k) {
          const Index n = x.cols() - (taps - 1 - k) * layer.dilation;
          if (n > 0) z.rightCols(n) += layer.conv[k].cast<double>() * y.leftCols(n);
        }
        z = (z + layer.mixin.cast<double>() * x).array().tanh().matrix().eval();
        skips = skips.size() == 0 ? z : Eigen::MatrixXd(skips + z);
        y += layer.out.cast<double>() * z + layer.out_bias.cast<double>().replicate(1, x.cols());
      }
      skips = (array.head.cast<double>() * skips).eval();
    }
    expected = skips.cast<float>();
  }
};

es::Conv1d<float> conv(std::initializer_list<const Signal*> weight, const Signal* bias, Index dilation = 1) {
  const Signal& one = **weight.begin();
  es::Weights<float> all({one.rows(), one.cols(), static_cast<Index>(weight.size())},
                         std::vector<float>(static_cast<std::size_t>(one.size()) * weight.size()));
  std::size_t at = 0;
  for (Index o = 0; o < one.rows(); ++o)
    for (Index i = 0; i < one.cols(); ++i)
      for (const Signal* tap : weight) all.values[at++] = (*tap)(o, i);
  return es::Conv1d<float>(all, bias == nullptr ? es::Weights<float>() : es::Weights<float>({bias->rows()}, {bias->data(), bias->data() + bias->size()}),
                           {.padding = es::Padding::causal(static_cast<Index>(weight.size()), dilation), .dilation = dilation});
}

// Layers and sums one by one, as a file or a recorded forward has them.
struct Ours {
  es::Stream<es::AnyGraph<float>> stream;
  Index operator()(In x, Out y) { return stream.process(x, y); }
};
Ours make_graph(const WavenetTask& task, Index) {
  es::GraphBuilder<float> graph(1);
  const auto x = graph.input();
  auto y = x, skips = x;
  bool skipped = false;
  for (const ArrayWeights& array : task.arrays) {
    y = graph.add(conv({&array.first}, nullptr), y);
    for (const LayerWeights& layer : array.layers) {
      const auto z = graph.add(conv({&layer.conv[0], &layer.conv[1], &layer.conv[2]}, &layer.bias, layer.dilation), y);
      const auto act = graph.add(es::Tanh<float>(), graph.reduce(es::Reduce::sum, {z, graph.add(conv({&layer.mixin}, nullptr), x)}));
      skips = skipped ? graph.reduce(es::Reduce::sum, {skips, act}) : act;
      skipped = true;
      if (&array != &task.arrays.back() || &layer != &array.layers.back())
        y = graph.reduce(es::Reduce::sum, {graph.add(conv({&layer.out}, &layer.out_bias), act), y});
    }
    skips = graph.add(conv({&array.head}, nullptr), skips);
  }
  return {es::Stream(graph.build(skips))};
}

// What a careful Eigen user writes, the channels fixed: a history for each layer, a product for each tap, tiles of 64 frames.
template <int Channels, int Inputs, int Outputs>
class EigenArray {
  using Square = Eigen::Matrix<float, Channels, Channels>;
  using Column = Eigen::Matrix<float, Channels, 1>;
  using Frames = typename EigenHistory<Channels>::Frames;
  struct Layer {
    Square conv[taps], out;
    Column bias, mixin, out_bias;
    EigenHistory<Channels> history;
    Index dilation;
  };

 public:
  EigenArray(const ArrayWeights& array, Index most) : first_(array.first), head_(array.head), y_(Channels, most), z_(Channels, most), skips_(Channels, most) {
    for (const LayerWeights& own : array.layers)
      layers_.push_back({{own.conv[0], own.conv[1], own.conv[2]}, own.out, own.bias, own.mixin, own.out_bias,
                         EigenHistory<Channels>(Channels, (taps - 1) * own.dilation, most), own.dilation});
  }
  // x: what conditions; in: what the array is given; skips: those of the array before, or none. Returns its skips, through the head.
  template <class X, class From, class To>
  void run(const X& x, const From& in, const Frames* skips, To&& to) {
    const Index n = x.cols();
    y_.leftCols(n).noalias() = first_ * in;
    if (skips == nullptr)
      skips_.leftCols(n).setZero();
    else
      skips_.leftCols(n) = skips->leftCols(n);
    for (Layer& layer : layers_) {
      const Index at = layer.history.append(In(y_.data(), Channels, n)), dilation = layer.dilation;
      auto z = z_.leftCols(n);
      z.noalias() = layer.mixin * x;
      z.colwise() += layer.bias;
      for (Index k = 0; k < taps; ++k) {
        if (n == 1)
          z.col(0).noalias() += layer.conv[k] * layer.history.frames().col(at + k * dilation);
        else
          z.noalias() += layer.conv[k] * layer.history.frames().middleCols(at + k * dilation, n);
      }
      z = z.array().tanh().matrix();
      skips_.leftCols(n) += z;
      y_.leftCols(n).noalias() += layer.out * z;
      y_.leftCols(n).colwise() += layer.out_bias;
    }
    to.noalias() = head_ * skips_.leftCols(n);
  }
  const Frames& y() const { return y_; }

 private:
  Eigen::Matrix<float, Channels, Inputs> first_;
  Eigen::Matrix<float, Outputs, Channels> head_;
  Frames y_, z_, skips_;
  std::vector<Layer> layers_;
};

class Eigens {
 public:
  Eigens(const WavenetTask& task, Index frames)
      : one_(task.arrays[0], std::min(frames, tile)), two_(task.arrays[1], std::min(frames, tile)), between_(8, std::min(frames, tile)) {}
  Index operator()(In x, Out y) {
    for (Index at = 0; at < x.cols(); at += tile) {
      const Index n = std::min(tile, x.cols() - at);
      const Eigen::Map<const Eigen::RowVectorXf> in(x.data() + at, n);
      one_.run(in, in, nullptr, between_.leftCols(n));
      two_.run(in, one_.y().leftCols(n), &between_, Eigen::Map<Eigen::RowVectorXf>(y.data() + at, n));
    }
    return x.cols();
  }

 private:
  static constexpr Index tile = 64;
  EigenArray<16, 1, 8> one_;
  EigenArray<8, 16, 1> two_;
  EigenHistory<8>::Frames between_;
};

template <class Make>
void register_wavenet(const char* variant, Make make) {
  for (const Index frames : {1, 4, 16, 64, 512})
    benchmark::RegisterBenchmark(name("Wavenet", variant, {frames}).c_str(), [=](benchmark::State& state) {
      const WavenetTask task(frames);
      auto way = make(task, frames);
      run(state, way, task, frames);
      state.counters["slowest_ns"] = slowest_ns([&] { return make(task, frames); }, task, frames);
    });
}

const bool registered = [] {
  register_wavenet("ours-graph", make_graph);
  register_wavenet("eigen-static", [](const WavenetTask& task, Index frames) { return Eigens(task, frames); });
  return true;
}();

}  // namespace
}  // namespace bench
