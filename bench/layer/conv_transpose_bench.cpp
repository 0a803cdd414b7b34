#include "eigenstream/layer/conv_transpose.hpp"

#include <cmath>  // sqrt

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/run.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

/// Four taps and a stride of two, as decoders have: every input frame adds to four positions and completes two.
struct TransposeTask : Task {
  static constexpr Index taps = 4, stride = 2;
  std::vector<Signal> weight;  ///< (out, in) of each tap
  Eigen::VectorXf bias;

  TransposeTask(Index channels, Index frames) {
    Noise noise(static_cast<std::uint32_t>(channels));
    const float scale = 1.0f / std::sqrt(static_cast<float>(2 * channels));
    for (Index k = 0; k < taps; ++k) weight.push_back(noise.signal(channels, channels, scale));
    bias = noise.signal(channels, 1, scale);
    input = noise.signal(channels, 2 * frames + 700);
    Eigen::MatrixXd all = bias.cast<double>().replicate(1, stride * input.cols() + taps);
    for (Index t = 0; t < input.cols(); ++t)
      for (Index k = 0; k < taps; ++k)
        all.col(t * stride + k) += weight[static_cast<std::size_t>(k)].cast<double>() * input.col(t).cast<double>();
    expected = all.leftCols(stride * input.cols()).cast<float>();
    flops_per_frame = 2.0 * static_cast<double>(taps * channels * channels);
  }
  Index channels() const { return bias.size(); }
};

class Ours {
 public:
  explicit Ours(const TransposeTask& task, Index) : stream_(net(task)) {}
  Index operator()(In x, Out y) { return stream_.process(x, y); }

 private:
  static es::ConvTranspose1d<float> net(const TransposeTask& task) {
    es::Weights<float> weight;
    weight.shape = {task.channels(), task.channels(), TransposeTask::taps};
    for (Index i = 0; i < task.channels(); ++i)
      for (Index o = 0; o < task.channels(); ++o)
        for (Index k = 0; k < TransposeTask::taps; ++k)
          weight.values.push_back(task.weight[static_cast<std::size_t>(k)](o, i));
    return es::ConvTranspose1d<float>(weight, es::Weights<float>(task.bias), {.stride = TransposeTask::stride});
  }
  es::Stream<es::ConvTranspose1d<float>> stream_;
};

/// What a careful Eigen user writes: one product of all taps with all frames, its blocks added where they overlap; what
/// reaches beyond the chunk is carried over.
class OverlapAdd {
 public:
  OverlapAdd(const TransposeTask& task, Index frames)
      : bias_(task.bias),
        weight_(TransposeTask::taps * task.channels(), task.channels()),
        blocks_(weight_.rows(), frames),
        carry_(Signal::Zero(task.channels(), TransposeTask::stride)) {
    for (Index k = 0; k < TransposeTask::taps; ++k)
      weight_.middleRows(k * task.channels(), task.channels()) = task.weight[static_cast<std::size_t>(k)];
  }
  Index operator()(In x, Out y) {
    constexpr Index stride = TransposeTask::stride;
    const Index channels = x.rows(), n = x.cols(), half = stride * channels;
    if (n == 0) return 0;
    auto blocks = blocks_.leftCols(n);
    if (n == 1)
      blocks.col(0).noalias() = weight_ * x.col(0);
    else
      blocks.noalias() = weight_ * x;
    // Two frames of output are one column of twice the height.
    Eigen::Map<Signal> pairs(y.data(), half, n);
    pairs = blocks.topRows(half);
    pairs.col(0) += Eigen::Map<const Eigen::VectorXf>(carry_.data(), half);
    pairs.rightCols(n - 1) += blocks.bottomRows(half).leftCols(n - 1);
    Eigen::Map<Signal>(y.data(), channels, stride * n).colwise() += bias_;
    Eigen::Map<Eigen::VectorXf>(carry_.data(), half) = blocks.bottomRows(half).col(n - 1);
    return stride * n;
  }

 private:
  Eigen::VectorXf bias_;
  Signal weight_, blocks_, carry_;
};

template <class Way>
void register_transpose(const std::string& variant) {
  for (const Index channels : {4, 16, 64})
    for (const Index frames : chunk_lengths)
      benchmark::RegisterBenchmark(name("ConvTranspose1d", variant, {channels, frames}).c_str(),
                                   [=](benchmark::State& state) {
                                     const TransposeTask task(channels, frames);
                                     Way way(task, frames);
                                     run(state, way, task, frames, TransposeTask::stride);
                                   });
}

const bool registered =
    (register_transpose<Ours>("ours"), register_transpose<OverlapAdd>("eigen-overlap-add"), true);

}  // namespace
}  // namespace bench
