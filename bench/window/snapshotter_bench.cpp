#include "eigenstream/window/snapshotter.hpp"

#include <cstring>  // memcpy

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/run.hpp"

// One item is one snapshot; parameters: channels, samples of a snapshot, stride, snapshots a call.

namespace bench {
namespace {

namespace es = eigenstream;

struct Sizes {
  Index channels, size, stride, batch;
  Index update() const { return batch * stride; }
  Index snapshot() const { return channels * size; }
};

/// An update again and again; `way(update, snapshots)` writes the snapshots, whose first is checked after a few calls.
template <class Way>
void run_updates(benchmark::State& state, const Sizes& sizes, Way&& way) {
  const Signal update = Noise(1).signal(sizes.channels, sizes.update());
  Signal snapshots = Signal::Zero(sizes.snapshot(), sizes.batch);
  for (Index seen = 0; seen < 2 * sizes.size + sizes.update(); seen += sizes.update())
    way(In(update.data(), update.rows(), update.cols()), Out(snapshots.data(), snapshots.rows(), snapshots.cols()));
  const auto newest = snapshots.rightCols(1).bottomRows(sizes.channels);
  if (newest != update.rightCols(1)) return state.SkipWithError("the newest sample is missing");
  for (auto _ : state) {
    way(In(update.data(), update.rows(), update.cols()), Out(snapshots.data(), snapshots.rows(), snapshots.cols()));
    benchmark::DoNotOptimize(snapshots.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * sizes.batch);
}

void ours(benchmark::State& state, const Sizes& s) {
  es::Stream stream(es::Snapshotter<float>(s.channels, s.size, s.stride, s.batch));
  run_updates(state, s, [&](In x, Out y) { stream.process(x, y); });
}
void ours_views(benchmark::State& state, const Sizes& s) {
  es::Stream stream(es::Snapshotter<float>(s.channels, s.size, s.stride, s.batch));
  run_updates(state, s, [&](In x, Out y) {
    // Looks at the newest sample only.
    stream.visit(x, [&](es::Frames<const float> view) {
      std::memcpy(y.data() + y.size() - s.channels, view.frame(view.count - 1),
                  static_cast<std::size_t>(s.channels) * sizeof(float));
    });
  });
}
void ours_function(benchmark::State& state, const Sizes& s) {
  const es::Snapshotter<float> snapshotter(s.channels, s.size, s.stride, s.batch);
  auto remembered = snapshotter.get_initial_state();
  Eigen::Tensor<float, 3> snapshots;
  run_updates(state, s, [&](In x, Out y) {
    std::tie(snapshots, remembered) = snapshotter(es::Frames<const float>(x), remembered);
    // Its result is a tensor of its own.
    y.bottomRightCorner(s.channels, 1) = In(snapshots.data() + snapshots.size() - s.channels, s.channels, 1);
  });
}
/// The output copied once, from memory that is as large.
void plain_memcpy(benchmark::State& state, const Sizes& s) {
  Signal from = Noise(1).signal(s.snapshot(), s.batch);
  run_updates(state, s, [&](In x, Out y) {
    from.bottomRightCorner(s.channels, 1) = x.rightCols(1);
    std::memcpy(y.data(), from.data(), static_cast<std::size_t>(y.size()) * sizeof(float));
  });
}
/// As the original does it: the state and the update become one, the windows are copied out of it, its end is kept.
void plain_concat(benchmark::State& state, const Sizes& s) {
  Signal remembered = Signal::Zero(s.channels, s.size - s.stride);
  Signal all(s.channels, s.size - s.stride + s.update());
  run_updates(state, s, [&](In x, Out y) {
    all << remembered, x;
    for (Index i = 0; i < s.batch; ++i) Out(y.col(i).data(), s.channels, s.size) = all.middleCols(i * s.stride, s.size);
    remembered = all.rightCols(remembered.cols());
  });
}

const bool registered = [] {
  for (const Sizes s : {Sizes{2, 2048, 128, 1}, Sizes{2, 2048, 128, 16}, Sizes{2, 2048, 1024, 4},
                        Sizes{21, 4096, 512, 4}, Sizes{1, 256, 64, 8}}) {
    const auto add = [&](const char* variant, void (*f)(benchmark::State&, const Sizes&)) {
      benchmark::RegisterBenchmark(name("Snapshotter", variant, {s.channels, s.size, s.stride, s.batch}).c_str(),
                                   [s, f](benchmark::State& state) { f(state, s); });
    };
    add("ours", ours);
    add("ours_views", ours_views);
    add("ours_function", ours_function);
    add("memcpy_of_the_output", plain_memcpy);
    add("plain_Eigen", plain_concat);
  }
  return true;
}();

}  // namespace
}  // namespace bench
