#include "eigenstream/serve/stream_pool.hpp"

#include <memory>
#include <string>
#include <vector>

#include "serve/small_nets.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

constexpr Index many = 1000;

// Streams in turn, `frames` for each; the time of one call, by the state that the streams occupy.
template <class Call>
void in_turn(benchmark::State& state, Index streams, Index frames, Index bytes_per_stream, Call&& call) {
  Noise noise(11);
  const Signal x = noise.signal(small_channels, 16 * frames);
  Signal y(small_channels, frames);
  std::size_t i = 0;
  Index at = 0;
  for (auto _ : state) {
    call(i, es::Frames<const float>(x.data() + at * small_channels, {.channels = small_channels}, frames), es::Frames<float>(y));
    if (++i == static_cast<std::size_t>(streams)) i = 0, at = (at + frames) % (15 * frames + 1);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * frames);
  state.counters["bytes_per_stream"] = static_cast<double>(bytes_per_stream);
}

template <class Net>
void register_net(const char* net_name, const Net& net) {
  const auto shared = std::make_shared<const Net>(net);
  for (const Index frames : chunk_lengths) {
    const auto add = [&](const char* variant, auto run) {
      benchmark::RegisterBenchmark(name("StreamPool", std::string(variant) + "/" + net_name, {frames}).c_str(), run);
    };
    // One stream alone; many that share their scratch memory; many in a pool.
    add("one-stream", [=](benchmark::State& state) {
      es::Stream<Net> stream(shared);
      in_turn(state, 1, frames, stream.memory_bytes(),
              [&](std::size_t, es::Frames<const float> x, es::Frames<float> y) { stream.process(x, y); });
    });
    add("many-streams", [=](benchmark::State& state) {
      const auto scratch = std::make_shared<es::Scratch>();
      std::vector<es::Stream<Net>> streams(many, es::Stream<Net>(shared, {.scratch = scratch}));
      in_turn(state, many, frames, streams.front().memory_bytes(),
              [&](std::size_t i, es::Frames<const float> x, es::Frames<float> y) { streams[i].process(x, y); });
    });
    add("pool", [=](benchmark::State& state) {
      es::StreamPool<Net> pool(shared, {.streams = many});
      auto worker = pool.worker();
      std::vector<es::StreamHandle> streams;
      for (Index i = 0; i < many; ++i) streams.push_back(pool.open());
      state.counters["state_bytes"] = static_cast<double>(pool.state_bytes());
      in_turn(state, many, frames, pool.bytes_per_stream(),
              [&](std::size_t i, es::Frames<const float> x, es::Frames<float> y) { pool.process(worker, streams[i], x, y); });
    });
  }

  // Each thread serves streams of its own.
  struct Shared {
    es::StreamPool<Net> pool;
    std::vector<es::StreamHandle> streams;
    explicit Shared(std::shared_ptr<const Net> net) : pool(net, {.streams = many}) {
      for (Index i = 0; i < many; ++i) streams.push_back(pool.open());
    }
  };
  const auto both = std::make_shared<Shared>(shared);
  benchmark::RegisterBenchmark(name("StreamPool", std::string("threads/") + net_name, {64}).c_str(), [=](benchmark::State& state) {
    auto worker = both->pool.worker();
    const Index share = many / state.threads();
    in_turn(state, share, 64, both->pool.bytes_per_stream(), [&](std::size_t i, es::Frames<const float> x, es::Frames<float> y) {
      both->pool.process(worker, both->streams[static_cast<std::size_t>(share * state.thread_index()) + i], x, y);
    });
  })->Threads(1)->Threads(2)->UseRealTime();
}

const bool registered = [] {
  for_each_small_net([](const char* name, const auto& net) { register_net(name, net); });
  return true;
}();

}  // namespace
}  // namespace bench
