#ifndef EIGENSTREAM_BENCH_SUPPORT_RUN_HPP
#define EIGENSTREAM_BENCH_SUPPORT_RUN_HPP

#include <benchmark/benchmark.h>

#include <Eigen/Core>  // signals are matrices, one column per frame
#include <algorithm>   // min, max
#include <chrono>      // single calls
#include <cstddef>     // size_t
#include <cstdint>     // uint32_t
#include <limits>      // infinity
#include <string>      // names, messages
#include <vector>      // single calls

namespace bench {

using Index = Eigen::Index;
using Signal = Eigen::MatrixXf;  // (channels, frames), as the library lays frames out
using In = Eigen::Map<const Signal>;
using Out = Eigen::Map<Signal>;

// Frames a call: one, and what audio hosts hand over.
inline constexpr Index chunk_lengths[] = {1, 16, 64, 512};

/// Numbers in [-1, 1), the same on every machine.
class Noise {
 public:
  explicit Noise(std::uint32_t seed) : state_(seed * 2654435761u + 1u) {}
  float operator()() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(state_ >> 8) * 0x1p-23f - 1.0f;
  }
  Signal signal(Index rows, Index cols, float scale = 1.0f) {
    return Signal::NullaryExpr(rows, cols, [&](Index, Index) { return scale * (*this)(); });
  }

 private:
  std::uint32_t state_;
};

/// What a benchmark works on: a signal, and what must come out of a stream that is fresh.
struct Task {
  Signal input;
  Signal expected;
  double flops_per_frame = 0;  ///< 0: not counted
};

/// "" if `way` turns the signal, given in chunks of `frames`, into what is expected. way(x, y) returns the frames of y
/// that it wrote; `rate` is an upper bound of outputs per input.
template <class Way>
std::string disagreement(Way& way, const Task& task, Index frames, Index rate) {
  Signal output = Signal::Constant(task.expected.rows(), task.input.cols() * rate, 99.0f);
  Index written = 0;
  for (Index at = 0; at < task.input.cols(); at += frames) {
    const Index n = std::min(frames, task.input.cols() - at);
    written += way(In(task.input.col(at).data(), task.input.rows(), n),
                   Out(output.data() + written * output.rows(), output.rows(), n * rate));
  }
  if (written > task.expected.cols()) return std::string("gives ").append(std::to_string(written)).append(" frames");
  const float error = (output.leftCols(written) - task.expected.leftCols(written)).cwiseAbs().maxCoeff();
  if (error <= 1e-4f) return "";
  return std::string("differs by ").append(std::to_string(error)).append(" from what is expected");
}

/// Times way(x, y) on chunks of `frames` frames, once it is known to be right.
template <class Way>
void run(benchmark::State& state, Way& way, const Task& task, Index frames, Index rate = 1) {
  const std::string wrong = disagreement(way, task, frames, rate);
  if (!wrong.empty()) return state.SkipWithError(wrong.c_str());
  const Signal x = task.input.leftCols(frames);
  Signal y(task.expected.rows(), frames * rate);
  for (auto _ : state) {
    way(In(x.data(), x.rows(), frames), Out(y.data(), y.rows(), y.cols()));
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  const double processed = static_cast<double>(state.iterations()) * static_cast<double>(frames);
  state.SetItemsProcessed(state.iterations() * frames);
  if (task.flops_per_frame > 0)
    state.counters["GFLOP/s"] =
        benchmark::Counter(1e-9 * task.flops_per_frame * processed, benchmark::Counter::kIsRate);
}

/// The slowest single call, what an audio thread feels. Several fresh ways make the same calls; each call counts with
/// the fastest of its times, so that what else the machine does is left out, and the slowest call is the answer.
template <class Make>
double slowest_ns(Make&& make, const Task& task, Index frames, Index rate = 1) {
  using Clock = std::chrono::steady_clock;
  const Index calls = std::max<Index>(64, 4096 / frames);
  const Signal x = task.input.leftCols(frames);
  Signal y(task.expected.rows(), frames * rate);
  std::vector<double> fastest(static_cast<std::size_t>(calls), std::numeric_limits<double>::infinity());
  for (int pass = 0; pass < 8; ++pass) {
    auto way = make();
    for (double& time : fastest) {
      const auto begin = Clock::now();
      way(In(x.data(), x.rows(), frames), Out(y.data(), y.rows(), y.cols()));
      benchmark::ClobberMemory();
      time = std::min(time, std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
    }
  }
  return *std::max_element(fastest.begin(), fastest.end());
}

/// "Family/variant/a/b"
inline std::string name(std::string all, const std::string& variant,
                        std::initializer_list<Index> parameters) {
  all.append("/").append(variant);
  for (Index parameter : parameters) all.append("/").append(std::to_string(parameter));
  return all;
}

}  // namespace bench

#endif  // EIGENSTREAM_BENCH_SUPPORT_RUN_HPP
