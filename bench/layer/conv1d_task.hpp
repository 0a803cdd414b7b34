#ifndef EIGENSTREAM_BENCH_LAYER_CONV1D_TASK_HPP
#define EIGENSTREAM_BENCH_LAYER_CONV1D_TASK_HPP

#include <cmath>  // sqrt

#include "support/run.hpp"

namespace bench {

/// A causal convolution of three taps with as many outputs as inputs; frames before the first are zero.
struct Conv1dTask : Task {
  static constexpr Index taps = 3;
  std::vector<Signal> weight;  ///< (out, in) of each tap, the oldest frame's first
  Eigen::VectorXf bias;

  explicit Conv1dTask(Index channels, Index frames) {
    Noise noise(static_cast<std::uint32_t>(channels));
    const float scale = 1.0f / std::sqrt(static_cast<float>(taps * channels));
    for (Index k = 0; k < taps; ++k) weight.push_back(noise.signal(channels, channels, scale));
    bias = noise.signal(channels, 1, scale);
    input = noise.signal(channels, 2 * frames + 700);
    Eigen::MatrixXd all = bias.cast<double>().replicate(1, input.cols());
    for (Index k = 0; k < taps; ++k) {
      const Index n = input.cols() - (taps - 1 - k);
      all.rightCols(n) += weight[static_cast<std::size_t>(k)].cast<double>() * input.leftCols(n).cast<double>();
    }
    expected = all.cast<float>();
    flops_per_frame = 2.0 * static_cast<double>(taps * channels * channels);
  }
  Index channels() const { return bias.size(); }
};

/// Registers Conv1d/<variant>/<channels>/<frames>; Way is constructed from (task, frames).
template <class Way>
void register_conv1d(const std::string& variant, Index channels) {
  for (const Index frames : chunk_lengths)
    benchmark::RegisterBenchmark(name("Conv1d", variant, {channels, frames}).c_str(),
                                 [=](benchmark::State& state) {
                                   const Conv1dTask task(channels, frames);
                                   Way way(task, frames);
                                   run(state, way, task, frames);
                                 });
}

}  // namespace bench

#endif  // EIGENSTREAM_BENCH_LAYER_CONV1D_TASK_HPP
