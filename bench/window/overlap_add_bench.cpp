#include "eigenstream/window/overlap_add.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "eigenstream/window/online_averager.hpp"
#include "support/run.hpp"

// One item is one window; parameters: channels, frames of a window, stride. The plain way keeps the open sums in a
// matrix, adds, and moves it on.

namespace bench {
namespace {

namespace es = eigenstream;

struct Sizes {
  Index channels, size, stride;
};

class Plain {
 public:
  Plain(const Sizes& s, float scale, Signal window)
      : s_(s), scale_(scale), window_(std::move(window)), sums_(Signal::Zero(s.channels, s.size)) {}
  Index operator()(In x, Out y) {
    const In prediction(x.data(), s_.channels, s_.size);
    if (window_.size() > 0)
      sums_.array() += prediction.array().rowwise() * window_.row(0).array();
    else
      sums_ += prediction / scale_;
    Out(y.data(), s_.channels, s_.stride) = sums_.leftCols(s_.stride);
    sums_.leftCols(s_.size - s_.stride) = sums_.rightCols(s_.size - s_.stride).eval();
    sums_.rightCols(s_.stride).setZero();
    return s_.stride;
  }

 private:
  Sizes s_;
  float scale_;
  Signal window_, sums_;
};

template <class Layer>
class Ours {
 public:
  Ours(const Layer& layer, Index channels) : stream_(layer, {.channels = channels}) {}
  Index operator()(In x, Out y) {
    return stream_.process(x, es::Frames<float>(y.data(), stream_.out_shape(), y.cols()));
  }

 private:
  es::Stream<Layer> stream_;
};

template <class Way>
void run_windows(benchmark::State& state, const Sizes& s, Way ours, Plain plain, bool time_ours) {
  const Signal windows = Noise(1).signal(s.channels * s.size, 40);
  Signal a(s.channels, s.stride), b(s.channels, s.stride);
  for (Index w = 0; w < windows.cols(); ++w) {
    const In x(windows.col(w).data(), windows.rows(), 1);
    ours(x, Out(a.data(), s.channels, s.stride));
    plain(x, Out(b.data(), s.channels, s.stride));
    if ((a - b).cwiseAbs().maxCoeff() > 1e-4f) return state.SkipWithError("the two ways differ");
  }
  const In x(windows.data(), windows.rows(), 1);
  for (auto _ : state) {
    if (time_ours)
      ours(x, Out(a.data(), s.channels, s.stride));
    else
      plain(x, Out(a.data(), s.channels, s.stride));
    benchmark::DoNotOptimize(a.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

const bool registered = [] {
  for (const Sizes s : {Sizes{1, 16, 2}, Sizes{1, 512, 128}, Sizes{2, 2048, 128}, Sizes{16, 256, 64}})
    for (const bool ours : {true, false}) {
      const char* variant = ours ? "ours" : "plain_Eigen";
      benchmark::RegisterBenchmark(
          name("OverlapAdd", variant, {s.channels, s.size, s.stride}).c_str(), [=](benchmark::State& state) {
            const Signal window = Noise(2).signal(1, s.size);
            const std::vector<double> weights(window.data(), window.data() + window.size());
            const es::OverlapAdd<float> layer(s.channels, s.size, s.stride, {.window = weights});
            run_windows(state, s, Ours(layer, layer.wanted().channels), Plain(s, 1, window), ours);
          });
      const Index updates = s.size / s.stride;
      benchmark::RegisterBenchmark(
          name("OnlineAverager", variant, {s.channels, s.size, s.stride}).c_str(), [=](benchmark::State& state) {
            const es::OnlineAverager<float> layer(s.stride, 1, updates, s.channels);
            run_windows(state, s, Ours(layer, s.channels * s.size), Plain(s, static_cast<float>(updates), {}), ours);
          });
    }
  return true;
}();

}  // namespace
}  // namespace bench
