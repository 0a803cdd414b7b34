#ifndef EIGENSTREAM_BENCH_LAYER_RECURRENT_TASK_HPP
#define EIGENSTREAM_BENCH_LAYER_RECURRENT_TASK_HPP

#include <cmath>  // exp, tanh, sqrt

#include "support/run.hpp"

namespace bench {

enum class Cell { rnn, gru, lstm, fast_lstm };
constexpr Index gates_of(Cell cell) { return cell == Cell::lstm || cell == Cell::fast_lstm ? 4 : cell == Cell::gru ? 3 : 1; }

/// A recurrent layer of as many units as inputs; the gates of the weights one after the other as PyTorch has them (r,
/// z, n and i, f, g, o).
struct RecurrentTask : Task {
  Cell cell;
  Signal weight, recurrent;  ///< (gates * units, units)
  Eigen::VectorXf bias, recurrent_bias;

  RecurrentTask(Cell cell_, Index units, Index frames) : cell(cell_) {
    Noise noise(static_cast<std::uint32_t>(units));
    const float scale = 1.0f / std::sqrt(static_cast<float>(units));
    const Index rows = gates_of(cell) * units;
    weight = noise.signal(rows, units, scale), recurrent = noise.signal(rows, units, scale);
    bias = noise.signal(rows, 1, scale), recurrent_bias = noise.signal(rows, 1, scale);
    input = noise.signal(units, 2 * frames + 100);
    flops_per_frame = 4.0 * static_cast<double>(rows * units);

    const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    expected.resize(units, input.cols());
    std::vector<double> h(static_cast<std::size_t>(units), 0.0), kept(h), next(h);
    for (Index t = 0; t < input.cols(); ++t) {
      for (Index u = 0; u < units; ++u) {
        double a[4] = {}, b[4] = {};
        for (Index g = 0; g < gates_of(cell); ++g) {
          const Index row = g * units + u;
          a[g] = static_cast<double>(bias(row)), b[g] = static_cast<double>(recurrent_bias(row));
          for (Index i = 0; i < units; ++i) {
            a[g] += static_cast<double>(weight(row, i)) * static_cast<double>(input(i, t));
            b[g] += static_cast<double>(recurrent(row, i)) * h[static_cast<std::size_t>(i)];
          }
        }
        const std::size_t own = static_cast<std::size_t>(u);
        if (cell == Cell::rnn) next[own] = std::tanh(a[0] + b[0]);
        if (cell == Cell::gru) {
          const double z = sigmoid(a[1] + b[1]), fresh = std::tanh(a[2] + sigmoid(a[0] + b[0]) * b[2]);
          next[own] = (1 - z) * fresh + z * h[own];
        }
        if (cell == Cell::lstm) {
          kept[own] = sigmoid(a[1] + b[1]) * kept[own] + sigmoid(a[0] + b[0]) * std::tanh(a[2] + b[2]);
          next[own] = sigmoid(a[3] + b[3]) * std::tanh(kept[own]);
        }
        if (cell == Cell::fast_lstm) {
          const auto opened = [](double v) { return (fast_tanh(v / 2) + 1) / 2; };
          kept[own] = opened(a[1] + b[1]) * kept[own] + opened(a[0] + b[0]) * fast_tanh(a[2] + b[2]);
          next[own] = opened(a[3] + b[3]) * fast_tanh(kept[own]);
        }
        expected(u, t) = static_cast<float>(next[own]);
      }
      h = next;
    }
  }
  // What players of amplifier models have for tanh.
  static double fast_tanh(double x) {
    const double s = std::abs(x), square = x * x;
    return x * (2.45550750702956 + 2.45550750702956 * s + (0.893229853513558 + 0.821226666969744 * s) * square) /
           (2.44506634652299 + (2.44506634652299 + square) * std::abs(x + 0.814642734961073 * x * s));
  }
  Index units() const { return input.rows(); }
};

/// Registers GRU/<variant>/<units>/<steps a call> or the like; Way is constructed from a task.
template <class Way>
void register_recurrent(Cell cell, const std::string& variant, Index units) {
  const char* family = cell == Cell::rnn ? "RNN" : cell == Cell::gru ? "GRU" : cell == Cell::lstm ? "LSTM" : "FastLSTM";
  for (const Index frames : {1, 64})
    benchmark::RegisterBenchmark(name(family, variant, {units, frames}).c_str(), [=](benchmark::State& state) {
      const RecurrentTask task(cell, units, frames);
      Way way(task);
      run(state, way, task, frames);
    });
}

}  // namespace bench

#endif  // EIGENSTREAM_BENCH_LAYER_RECURRENT_TASK_HPP
