#include "eigenstream/layer/pool.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/eigen_history.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

/// Windows of four frames, one for each frame (stride 1) or without overlap (stride 4).
struct PoolTask : Task {
  static constexpr Index taps = 4;
  PoolTask(Index channels, Index frames, Index stride, bool greatest) {
    // Every chunk is a whole number of strides, so that the plain ways need not count.
    input = Noise(static_cast<std::uint32_t>(channels)).signal(channels, 4 * (frames + 200));
    expected.resize(channels, (input.cols() - taps) / stride + 1);
    for (Index m = 0; m < expected.cols(); ++m) {
      const auto window = input.middleCols(m * stride, taps);
      if (greatest)
        expected.col(m) = window.rowwise().maxCoeff();
      else
        expected.col(m) = window.rowwise().mean();
    }
  }
};

template <class Pool>
class Ours {
 public:
  Ours(const PoolTask& task, Index, Index stride)
      : stream_(Pool(PoolTask::taps, {.stride = stride}), {.channels = task.input.rows()}) {}
  Index operator()(In x, Out y) { return stream_.process(x, y); }

 private:
  es::Stream<Pool> stream_;
};

/// A reduction over the columns of each window.
template <bool Greatest>
class Plain {
 public:
  Plain(const PoolTask& task, Index frames, Index stride)
      : history_(task.input.rows(), PoolTask::taps - 1, frames), stride_(stride) {}
  Index operator()(In x, Out y) {
    const Index first = history_.append(x);
    Index written = 0;
    for (; due_ < x.cols(); due_ += stride_, ++written) {
      const auto window = history_.frames().middleCols(first + due_, PoolTask::taps);
      if constexpr (Greatest)
        y.col(written) = window.rowwise().maxCoeff();
      else
        y.col(written) = window.rowwise().mean();
    }
    due_ -= x.cols();
    return written;
  }

 private:
  EigenHistory<Eigen::Dynamic> history_;
  Index stride_;
  Index due_ = PoolTask::taps - 1;  // new frames before the one that completes a window
};

template <class Way>
void register_pool(const std::string& family, const std::string& variant, bool greatest) {
  for (const Index stride : {1, 4})
    for (const Index channels : {4, 16, 64})
      for (const Index frames : chunk_lengths)
        benchmark::RegisterBenchmark(
            name(family + "/stride" + std::to_string(stride), variant, {channels, frames}).c_str(),
            [=](benchmark::State& state) {
              const PoolTask task(channels, frames, stride, greatest);
              Way way(task, frames, stride);
              run(state, way, task, frames);
            });
}

const bool registered = [] {
  register_pool<Ours<es::AvgPool1d<float>>>("AvgPool1d", "ours", false);
  register_pool<Plain<false>>("AvgPool1d", "eigen", false);
  register_pool<Ours<es::MaxPool1d<float>>>("MaxPool1d", "ours", true);
  register_pool<Plain<true>>("MaxPool1d", "eigen", true);
  return true;
}();

}  // namespace
}  // namespace bench
