#include "eigenstream/layer/conv.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/eigen_history.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

/// A causal convolution of each channel by itself; frames before the first are zero.
struct DepthwiseTask : Task {
  Signal weight;  ///< (channels, taps), the oldest frame's first
  Eigen::VectorXf bias;

  DepthwiseTask(Index channels, Index taps, Index frames) {
    Noise noise(static_cast<std::uint32_t>(channels));
    weight = noise.signal(channels, taps, 0.5f);
    bias = noise.signal(channels, 1);
    input = noise.signal(channels, 2 * frames + 700);
    Eigen::MatrixXd all = bias.cast<double>().replicate(1, input.cols());
    for (Index k = 0; k < taps; ++k) {
      const Index n = input.cols() - (taps - 1 - k);
      all.rightCols(n) += weight.col(k).cast<double>().asDiagonal() * input.leftCols(n).cast<double>();
    }
    expected = all.cast<float>();
    flops_per_frame = 2.0 * static_cast<double>(taps * channels);
  }
};

// Through Stream, as a user calls it.
template <class Net>
class Ours {
 public:
  Ours(const DepthwiseTask& task, Index) : stream_(net(task)) {}
  Index operator()(In x, Out y) { return stream_.process(x, y); }

 private:
  static Net net(const DepthwiseTask& task) {
    const Index channels = task.weight.rows(), taps = task.weight.cols();
    es::Weights<float> weight({channels, 1, taps}, std::vector<float>(static_cast<std::size_t>(channels * taps)));
    for (Index c = 0, at = 0; c < channels; ++c)
      for (Index k = 0; k < taps; ++k, ++at) weight.values[static_cast<std::size_t>(at)] = task.weight(c, k);
    return Net(weight, es::Weights<float>(task.bias), {.padding = es::Padding::causal(taps), .groups = channels});
  }
  es::Stream<Net> stream_;
};

/// What a careful user of Eigen writes: arrays of fixed size, frame by frame. In blocks from copies of the weights that nothing
/// written can change, so that they may stay in registers, where they find room there.
template <int Channels, int Taps>
class Plain {
 public:
  using Frame = Eigen::Array<float, Channels, 1>;

  Plain(const DepthwiseTask& task, Index frames) : bias_(task.bias), history_(Channels, Taps - 1, frames) {
    for (int k = 0; k < Taps; ++k) weight_[k] = task.weight.col(k);
  }
  Index operator()(In x, Out y) {
    const Index first = history_.append(x);
    if (x.cols() == 1 || Channels * Taps > 16 * 12) {
      for (Index t = 0; t < x.cols(); ++t) column(history_.frame(first + t), weight_, bias_, &y(0, t));
    } else {
      Frame weight[Taps];
      for (int k = 0; k < Taps; ++k) weight[k] = weight_[k];
      const Frame bias = bias_;
      for (Index t = 0; t < x.cols(); ++t) column(history_.frame(first + t), weight, bias, &y(0, t));
    }
    return x.cols();
  }

 private:
  static EIGEN_STRONG_INLINE void column(const float* x, const Frame (&weight)[Taps], const Frame& bias, float* y) {
    Frame sum = bias;
    for (int k = 0; k < Taps; ++k) sum += weight[k] * Eigen::Map<const Frame>(x + k * Channels);
    Eigen::Map<Frame> out(y);
    out = sum;
  }

  Frame weight_[Taps];
  Frame bias_;
  EigenHistory<Channels> history_;
};

template <class Way>
void register_way(const std::string& variant, Index channels, Index taps) {
  for (const Index frames : chunk_lengths)
    benchmark::RegisterBenchmark(name("Depthwise", variant, {channels, taps, frames}).c_str(), [=](benchmark::State& state) {
      const DepthwiseTask task(channels, taps, frames);
      Way way(task, frames);
      run(state, way, task, frames);
    });
}

template <int Channels, int Taps>
void register_taps() {
  register_way<Ours<es::Conv1d<float, Channels, Channels, Taps, Channels>>>("ours-static", Channels, Taps);
  register_way<Ours<es::Conv1d<float>>>("ours-dynamic", Channels, Taps);
  register_way<Plain<Channels, Taps>>("eigen-static", Channels, Taps);
}

template <int Channels>
void register_channels() {
  register_taps<Channels, 3>(), register_taps<Channels, 5>(), register_taps<Channels, 9>();
}

const bool registered = (register_channels<4>(), register_channels<8>(), register_channels<16>(), register_channels<32>(),
                         register_channels<64>(), register_channels<128>(), true);

}  // namespace
}  // namespace bench
