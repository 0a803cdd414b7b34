#include "eigenstream/serve/batcher.hpp"

#include <memory>
#include <string>
#include <vector>

#include "serve/small_nets.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

// Some streams, each with `frames` new frames: the time until all of them have their outputs.
template <class Tick>
void tick(benchmark::State& state, Index streams, Index frames, Tick&& all) {
  Noise noise(13);
  const Signal x = noise.signal(small_channels, streams * frames);
  Signal y(small_channels, streams * frames);
  for (auto _ : state) {
    all([&](Index i) {
      return es::Frames<const float>(x.data() + i * frames * small_channels, {.channels = small_channels}, frames);
    }, [&](Index i) { return es::Frames<float>(y.data() + i * frames * small_channels, {.channels = small_channels}, frames); });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * frames * streams);
}

template <class Net>
void register_net(const char* net_name, const Net& net) {
  const auto shared = std::make_shared<const Net>(net);
  constexpr Index streams = 64;
  for (const Index frames : {1, 4, 16, 64}) {
    const auto add = [&](const std::string& variant, auto run) {
      benchmark::RegisterBenchmark(name("Batcher", variant + "/" + net_name, {frames}).c_str(), run);
    };
    add("single-calls", [=](benchmark::State& state) {
      const auto scratch = std::make_shared<es::Scratch>();
      std::vector<es::Stream<Net>> all(streams, es::Stream<Net>(shared, {.scratch = scratch}));
      tick(state, streams, frames, [&](auto x, auto y) {
        for (Index i = 0; i < streams; ++i) all[static_cast<std::size_t>(i)].process(x(i), y(i));
      });
    });
    // `part` of the streams come at a time, in turns.
    const auto batched = [=](benchmark::State& state, Index columns, Index part) {
      es::StreamPool<Net> pool(shared, {.streams = streams});
      es::Batcher<Net> batcher(pool, {.columns = columns, .groups = 2 * streams / columns});
      std::vector<es::BatchJob<float>> jobs(static_cast<std::size_t>(part));
      std::vector<es::StreamHandle> all;
      for (Index i = 0; i < streams; ++i) batcher.join(all.emplace_back(pool.open()));
      for (Index i = 0; i < part; ++i) jobs[static_cast<std::size_t>(i)].stream = all[static_cast<std::size_t>(i)];
      Index first = 0;
      tick(state, part, frames, [&](auto x, auto y) {
        for (Index i = 0; i < part; ++i)
          jobs[static_cast<std::size_t>(i)].x = x(i), jobs[static_cast<std::size_t>(i)].y = y(i);
        for (Index i = 0; i < part && part < streams; ++i)
          jobs[static_cast<std::size_t>(i)].stream = all[static_cast<std::size_t>((first + i) % streams)];
        first = (first + part) % streams;
        batcher.process(jobs);
      });
    };
    for (const Index columns : {16, 32, 64})
      add("batched-" + std::to_string(columns), [=](benchmark::State& state) { batched(state, columns, streams); });
    add("batched-16-half", [=](benchmark::State& state) { batched(state, 16, streams / 2); });
    // A stream more each time is left out: columns change with every call.
    add("batched-16-changing", [=](benchmark::State& state) { batched(state, 16, streams - 1); });
  }
}

const bool registered = [] {
  for_each_small_net([](const char* name, const auto& net) { register_net(name, net); });
  return true;
}();

}  // namespace
}  // namespace bench
