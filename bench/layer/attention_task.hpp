#ifndef EIGENSTREAM_BENCH_LAYER_ATTENTION_TASK_HPP
#define EIGENSTREAM_BENCH_LAYER_ATTENTION_TASK_HPP

#include <cmath>  // sqrt

#include "support/run.hpp"

namespace bench {

/// Attention of a frame to the last `window` ones, its own among them, with projections of all that goes in and out; outputs
/// from the first whole window on. `all`: of all frames of the window, oldest first, instead of the newest one.
struct AttentionTask : Task {
  Index window, heads;
  bool all;
  Signal in, out;  ///< (3 E, E), the rows of q, k, v, and (E, E)

  AttentionTask(Index embed, Index heads_, Index window_, bool all_, Index frames) : window(window_), heads(heads_), all(all_) {
    Noise noise(static_cast<std::uint32_t>(embed));
    const float scale = 2.0f / std::sqrt(static_cast<float>(embed));
    in = noise.signal(3 * embed, embed, scale), out = noise.signal(embed, embed, scale);
    input = noise.signal(embed, window + std::max<Index>(2 * frames, 40));
    const Index size = embed / heads, outputs = input.cols() - window + 1;
    const Signal x = in * input;
    expected.resize(all ? embed * window : embed, outputs);
    for (Index t = 0; t < outputs; ++t) {
      const auto last = x.middleCols(t, window);
      Signal y(embed, window);
      for (Index h = 0; h < heads; ++h) {
        const auto q = last.middleRows(h * size, size), k = last.middleRows(embed + h * size, size);
        Signal w = k.transpose() * q / std::sqrt(static_cast<float>(size));  // (keys, queries)
        for (Index j = 0; j < window; ++j) w.col(j) = (w.col(j).array() - w.col(j).maxCoeff()).exp();
        y.middleRows(h * size, size) = last.middleRows(2 * embed + h * size, size) * w * w.colwise().sum().cwiseInverse().asDiagonal();
      }
      const Signal z = out * y;
      if (all)
        expected.col(t) = Eigen::Map<const Eigen::VectorXf>(z.data(), z.size());
      else
        expected.col(t) = z.col(window - 1);
    }
  }
  Index embed() const { return input.rows(); }
};

/// Registers Attention/<variant>/<embed>/<frames a call>, or Retroactive.
template <class Way>
void register_attention(const std::string& variant, Index embed, bool all) {
  for (const Index frames : {1, 16})
    benchmark::RegisterBenchmark(name(all ? "RetroactiveAttention" : "Attention", variant, {embed, frames}).c_str(),
                                 [=](benchmark::State& state) {
                                   const AttentionTask task(embed, embed == 64 ? 4 : 8, 64, all, frames);
                                   Way way(task);
                                   run(state, way, task, frames);
                                 });
}

}  // namespace bench

#endif  // EIGENSTREAM_BENCH_LAYER_ATTENTION_TASK_HPP
