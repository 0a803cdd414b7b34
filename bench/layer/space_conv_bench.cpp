#include "eigenstream/layer/space_conv.hpp"

#include <cmath>  // sqrt

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/eigen_history.hpp"
#include "support/run.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

/// Pictures of 16 x 16 positions, three by three taps in space and some in time, with zeros around them and before the first.
struct SpaceConvTask : Task {
  static constexpr Index side = 16, taps = 3, positions = side * side;
  Index channels, times;
  es::Weights<float> weight, bias;

  SpaceConvTask(Index channels_, Index times_, Index frames) : channels(channels_), times(times_) {
    Noise noise(static_cast<std::uint32_t>(channels));
    const Index inputs = times * taps * taps * channels;
    const float scale = 1.0f / std::sqrt(static_cast<float>(inputs));
    const auto random = [&](Index n) {
      std::vector<float> values;
      for (Index i = 0; i < n; ++i) values.push_back(scale * noise());
      return values;
    };
    weight = {{channels, channels, times, taps, taps}, random(inputs * channels)};
    bias = {{channels}, random(channels)};
    input = noise.signal(channels * positions, 2 * frames + 6);
    flops_per_frame = 2.0 * static_cast<double>(inputs * channels * positions);
    expected.resize(input.rows(), input.cols());
    for (Index m = 0; m < expected.cols(); ++m)
      for (Index p = 0; p < positions; ++p) {
        Eigen::VectorXd sum(channels);
        for (Index o = 0; o < channels; ++o) sum(o) = static_cast<double>(bias(o));
        for_taps(m, p, [&](Index k, Index t, Index from) {
          for (Index i = 0; i < channels; ++i) {
            const double x = static_cast<double>(input(from * channels + i, t));
            for (Index o = 0; o < channels; ++o) sum(o) += x * static_cast<double>(weight_of(o, i, k));
          }
        });
        expected.block(p * channels, m, channels, 1) = sum.cast<float>();
      }
  }
  float weight_of(Index o, Index i, Index k) const { return weight((o * channels + i) * times * taps * taps + k); }
  /// Calls f(tap, frame, position) for the taps of a window that are within the signal and the picture.
  template <class F>
  void for_taps(Index m, Index p, F&& f) const {
    for (Index k = 0; k < times * taps * taps; ++k) {
      const Index t = m + k / (taps * taps) - times + 1, h = p / side + k / taps % taps - 1, w = p % side + k % taps - 1;
      if (t >= 0 && h >= 0 && h < side && w >= 0 && w < side) f(k, t, h * side + w);
    }
  }
};

// Through Stream, as a user calls it.
class Ours {
 public:
  explicit Ours(const SpaceConvTask& task)
      : shape_{task.channels, SpaceConvTask::side, SpaceConvTask::side},
        stream_(es::Conv3d<float>(task.weight, task.bias, {.padding = {es::Padding::causal(task.times), 1, 1}}),
                {.channels = task.channels, .width = shape_.width, .height = shape_.height}) {}
  Index operator()(In x, Out y) {
    return stream_.process(es::Frames<const float>(x.data(), shape_, x.cols()), es::Frames<float>(y.data(), shape_, y.cols()));
  }

 private:
  es::FrameShape shape_;
  es::Stream<es::Conv3d<float>> stream_;
};

/// All inputs of each output side by side in a matrix, and a product.
class Im2col {
 public:
  explicit Im2col(const SpaceConvTask& task)
      : task_(task),
        history_(task.input.rows(), task.times - 1, 64),
        weight_(task.channels, task.times * SpaceConvTask::taps * SpaceConvTask::taps * task.channels),
        bias_(Eigen::Map<const Eigen::VectorXf>(task.bias.values.data(), task.channels)),
        inputs_(Signal::Zero(weight_.cols(), SpaceConvTask::positions)) {
    for (Index k = 0; k < weight_.cols(); ++k)
      for (Index o = 0; o < task.channels; ++o) weight_(o, k) = task.weight_of(o, k % task.channels, k / task.channels);
  }
  Index operator()(In x, Out y) {
    const Index first = history_.append(x), channels = task_.channels;
    for (Index m = 0; m < x.cols(); ++m) {
      for (Index p = 0; p < SpaceConvTask::positions; ++p)
        task_.for_taps(task_.times - 1, p, [&](Index k, Index t, Index from) {
          inputs_.col(p).segment(k * channels, channels) = history_.frames().col(first + m + t).segment(from * channels, channels);
        });
      Out columns(y.col(m).data(), channels, SpaceConvTask::positions);
      columns.noalias() = weight_ * inputs_;
      columns.colwise() += bias_;
    }
    return x.cols();
  }

 private:
  const SpaceConvTask& task_;
  EigenHistory<Eigen::Dynamic> history_;
  Signal weight_;
  Eigen::VectorXf bias_;
  Signal inputs_;
};

template <class Way>
void register_way(const std::string& variant) {
  for (const Index times : {1, 3})
    for (const Index channels : {8, 16, 32, 64})
      for (const Index frames : {1, 16}) {
        if (frames > 1 && channels != 16) continue;
        benchmark::RegisterBenchmark(name(times == 1 ? "Conv3d-1x3x3" : "Conv3d-3x3x3", variant, {channels, frames}).c_str(),
                                     [=](benchmark::State& state) {
                                       const SpaceConvTask task(channels, times, frames);
                                       Way way(task);
                                       run(state, way, task, frames);
                                     });
      }
}

const bool registered = (register_way<Ours>("ours"), register_way<Im2col>("eigen-im2col"), true);

}  // namespace
}  // namespace bench
