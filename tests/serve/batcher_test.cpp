#include "eigenstream/serve/batcher.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/compose/conditional.hpp"
#include "eigenstream/compose/control.hpp"
#include "eigenstream/compose/prewarmed.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/layer/attention.hpp"
#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/layer/positional_encoding.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "serve/traffic.hpp"
#include "support/reference.hpp"
#include "support/small_stream.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using support::random_conv;
using support::random_weights;
using support::Traffic;

namespace {

template <class Net>
Index run_traffic(const Net& net, Index channels, std::uint64_t seed, int rounds = 80) {
  Traffic<Net> traffic(net, channels, 24, seed, {.columns = 8, .groups = 4, .frames = 3});
  traffic.run(support::cases(rounds), true);
  return traffic.most_batched();
}

es::RecurrentWeights<float> plain_recurrent(Index gates, Index in, Index hidden) {
  support::Random random(5);
  return {.input = random_weights<float>({gates * hidden, in}, random, in),
          .hidden = random_weights<float>({gates * hidden, hidden}, random, hidden),
          .input_bias = random_weights<float>({gates * hidden}, random, hidden),
          .hidden_bias = random_weights<float>({gates * hidden}, random, hidden)};
}

// Streams with one frame a time, all of them each time.
template <class Net>
struct Ticks {
  es::StreamPool<Net> pool;
  es::Batcher<Net> batcher;
  std::vector<es::StreamHandle> streams;
  std::vector<float> x, y;
  std::vector<es::BatchJob<float>> jobs;

  Ticks(const Net& net, Index count, es::BatcherOptions options) : pool(net, {.streams = count}), batcher(pool, options) {
    for (Index i = 0; i < count; ++i) batcher.join(streams.emplace_back(pool.open()));
    x.assign(static_cast<std::size_t>(pool.in_shape().size()), 0.5f);
    y.resize(static_cast<std::size_t>(pool.out_shape().size() * (pool.max_outputs(1) + 1)));
  }
  // A frame for streams begin ... end - 1.
  void tick(std::size_t begin, std::size_t end) {
    jobs.clear();
    for (std::size_t i = begin; i < end; ++i)
      jobs.push_back({streams[i], {x.data(), pool.in_shape(), 1}, {y.data(), pool.out_shape(), pool.max_outputs(1)}});
    batcher.process(jobs);
  }
};

}  // namespace

TEST_CASE("Batcher: streams of static networks give what they give alone", "[serve]") {
  CHECK(run_traffic(es::sequential(random_conv<Conv1d<float, 2, 4, 3>>(2, 4, 3, {.padding = es::Padding::causal(3)}), es::Tanh<float>{},
                                   random_conv<Conv1d<float, 4, 3, 3>>(4, 3, 3, {.padding = es::Padding::causal(3)})),
                    2, 1) >= 16);
  CHECK(run_traffic(support::small_net(), 2, 2) > 0);
  CHECK(run_traffic(es::residual(random_conv<Conv1d<float>>(3, 3, 5, {.dilation = 2})), 3, 3) > 0);
  CHECK(run_traffic(es::sequential(random_conv<Conv1d<double>>(1, 4, 7, {.stride = 3, .padding = 3}), es::AvgPool1d<double>(2)), 1, 4) > 0);
  CHECK(run_traffic(random_conv<Conv1d<float>>(2, 2, 4, {.padding = 3, .padding_mode = es::PaddingMode::replicate}), 2, 5) > 0);
}

TEST_CASE("Batcher: streams of recurrent layers, attention and resampling give what they give alone", "[serve]") {
  CHECK(run_traffic(es::sequential(es::Gru<float>(plain_recurrent(3, 2, 5)), random_conv<Conv1d<float>>(5, 2, 1)), 2, 1) >= 16);
  CHECK(run_traffic(es::Lstm<float>(plain_recurrent(4, 3, 40)), 3, 2) >= 16);
  CHECK(run_traffic(es::CausalAttention<float>(4, 10), 12, 3) > 0);
  CHECK(run_traffic(es::CausalAttention<float>(4, 10, {.rotary_size = 4}), 12, 4) > 0);
  support::Random random(3);
  const es::RecyclingPositionalEncoding<float> places(random_weights<float>({7, 2}, random));
  CHECK(run_traffic(es::sequential(places, es::Delay<float>(3)), 2, 5) > 0);
  CHECK(run_traffic(es::Resample<float>(3, 2), 2, 6) > 0);
}

TEST_CASE("Batcher: streams that begin after silence give what they give alone", "[serve]") {
  const auto conv = random_conv<Conv1d<float>>(2, 3, 3, {.padding = es::Padding::causal(3, 4), .dilation = 4});
  CHECK(run_traffic(es::prewarmed(es::sequential(conv, es::Gru<float>(plain_recurrent(3, 3, 5))), 30), 2, 7) >= 8);
}

TEST_CASE("Batcher: streams of random sequences and graphs give what they give alone", "[serve][property]") {
  Index batched = 0;
  for (std::uint64_t seed = 1; seed <= support::cases<std::uint64_t>(60); ++seed) {
    const support::RandomNetwork sequence = support::random_network(seed);
    INFO(sequence.text);
    batched += run_traffic(sequence.net, sequence.channels, seed, 40);
    const support::RandomGraph graph = support::random_graph(seed);
    INFO(graph.text);
    batched += run_traffic(graph.net, graph.channels, seed, 40);
  }
  CHECK(batched > 0);
}

TEST_CASE("Batcher: streams that come in turns live in groups of their own", "[serve]") {
  Ticks ticks(support::small_net(), 16, {.columns = 8, .groups = 4});
  for (int i = 0; i < 40; ++i) {
    const std::size_t begin = i % 2 == 0 ? 0 : 8;
    ticks.tick(begin, begin + 8);
  }
  CHECK(ticks.batcher.batched() == 16);  // all of them, though half were absent each time
  for (const es::StreamHandle stream : ticks.streams) CHECK(ticks.batcher.frames_seen(stream) == 20);
}

TEST_CASE("Batcher: a stream that began later joins the others once it goes on as they do", "[serve]") {
  // Without padding the first outputs come after four frames; then all frames are alike.
  Ticks ticks(random_conv<Conv1d<float>>(1, 1, 5), 16, {.columns = 16, .groups = 2});
  for (int i = 0; i < 20; ++i) ticks.tick(0, 15);
  CHECK(ticks.batcher.batched() == 15);
  ticks.tick(0, 16);
  CHECK(ticks.batcher.batched() == 15);
  for (int i = 0; i < 4; ++i) ticks.tick(0, 16);
  CHECK(ticks.batcher.batched() == 16);
  CHECK(ticks.batcher.frames_seen(ticks.streams[15]) == 5);
}

TEST_CASE("Batcher: groups that fit into one become one", "[serve]") {
  Ticks ticks(support::small_net(), 16, {.columns = 8, .groups = 3});
  for (int i = 0; i < 7; ++i) ticks.tick(0, 16);
  CHECK(ticks.batcher.groups() == 2);
  for (const std::size_t i : {13, 10, 9, 8, 6, 4, 3, 0}) {  // four of each
    ticks.batcher.leave(ticks.streams[i]);
    ticks.streams.erase(ticks.streams.begin() + static_cast<std::ptrdiff_t>(i));
  }
  CHECK(ticks.batcher.groups() == 2);
  ticks.tick(0, 8);
  CHECK(ticks.batcher.batched() == 8);
  CHECK(ticks.batcher.groups() == 1);
  for (const es::StreamHandle stream : ticks.streams) CHECK(ticks.batcher.frames_seen(stream) == 8);
}

TEST_CASE("Batcher: few streams run one by one", "[serve]") {
  Ticks ticks(support::small_net(), 8, {.columns = 16, .groups = 2});
  for (int i = 0; i < 9; ++i) ticks.tick(0, 3);
  CHECK(ticks.batcher.batched() == 0);
  for (int i = 0; i < 9; ++i) ticks.tick(3, 8);
  CHECK(ticks.batcher.batched() == 5);
}

TEST_CASE("Batcher: knobs are each stream's own", "[serve]") {
  // x times a gain that is a knob.
  es::GraphBuilder<float> builder(1);
  const auto x = builder.input();
  const auto gain = builder.add(es::Control(std::vector<es::NetworkControl>{{"gain", {1}}}, es::Identity<float>{}), x);
  const auto net = builder.build(builder.reduce(es::Reduce::product, {x, gain}));
  es::StreamPool<es::AnyGraph<float>> pool(net, {.streams = 8, .channels = 1});
  es::Batcher batcher(pool, {.columns = 8, .groups = 1});
  std::vector<es::BatchJob<float>> jobs;
  std::array<float, 8> in{}, out{};
  for (std::size_t i = 0; i < 8; ++i) {
    const es::StreamHandle stream = pool.open();
    batcher.join(stream);
    batcher.with(stream, [&](auto& one) { one.set_control("gain", {static_cast<float>(i)}); });
    in[i] = 2;
    jobs.push_back({stream, {&in[i], {1}, 1}, {&out[i], {1}, 1}});
  }
  for (int round = 0; round < 3; ++round) {
    batcher.process(jobs);
    CHECK(batcher.batched() == 8);
    for (std::size_t i = 0; i < 8; ++i) CHECK(out[i] == 2 * static_cast<float>(i));
    batcher.with(jobs[3].stream, [&](auto& one) { one.set_control("gain", {3.0f}); });
  }
}

TEST_CASE("Batcher: what cannot be in a batch is refused", "[serve][error]") {
  const auto branch = [] { return random_conv<Conv1d<float>>(1, 1, 3, {.padding = es::Padding::causal(3)}); };
  es::StreamPool pool(es::Conditional(branch(), branch()), {.streams = 1});
  CHECK(support::refuses([&] { es::Batcher batcher(pool); }, {"Batcher", "one by one"}));
  es::GraphBuilder<float> builder(1, {{.shape = {1}}});
  es::StreamPool several(builder.build(builder.reduce(es::Reduce::sum, {builder.input(), builder.input(1)})));
  CHECK(support::refuses([&] { es::Batcher batcher(several); }, {"2 inputs", "StreamPool::with"}));
  es::StreamPool good(support::small_net(), {.streams = 1});
  for (const es::BatcherOptions& options : {es::BatcherOptions{.columns = 1}, es::BatcherOptions{.columns = 5000}})
    CHECK(support::refuses([&] { es::Batcher batcher(good, options); }, {"columns, must be from 2 to 4096"}));
  CHECK(support::refuses([&] { es::Batcher batcher(good, {.groups = 0}); }, {"0 groups"}));
  CHECK(support::refuses([&] { es::Batcher batcher(good, {.frames = 0}); }, {"0 frames at a time"}));
}

TEST_CASE("Batcher: wrong jobs are refused, and nothing has changed", "[serve][error]") {
  es::StreamPool pool(support::small_net(), {.streams = 10});
  es::Batcher batcher(pool, {.columns = 4, .groups = 2});
  std::array<float, 64> in{}, out{};
  std::fill(in.begin(), in.end(), 0.25f);
  std::vector<es::StreamHandle> streams;
  for (int i = 0; i < 8; ++i) batcher.join(streams.emplace_back(pool.open()));
  const auto jobs_for = [&](Index n) {
    std::vector<es::BatchJob<float>> jobs;
    for (const es::StreamHandle stream : streams) jobs.push_back({stream, {in.data(), {2}, n}, {out.data(), {3}, pool.max_outputs(n)}});
    return jobs;
  };
  auto good = jobs_for(3);
  batcher.process(good);
  REQUIRE(batcher.batched() == 8);
  std::vector<es::State> before;
  for (const es::StreamHandle stream : streams) before.push_back(batcher.get_state(stream));
  batcher.process(good);
  for (std::size_t i = 0; i < streams.size(); ++i) batcher.set_state(streams[i], before[i]);
  auto again = jobs_for(2);
  batcher.process(again);
  before.clear();
  for (const es::StreamHandle stream : streams) before.push_back(batcher.get_state(stream));

  const es::StreamHandle free = pool.open(), closed = pool.open();
  pool.close(closed);
  const auto refused = [&](auto change, std::initializer_list<const char*> texts) {
    auto jobs = jobs_for(3);
    change(jobs[5]);
    INFO(support::error_of([&] { batcher.process(jobs); }));
    CHECK(support::refuses([&] { batcher.process(jobs); }, texts));
    for (std::size_t i = 0; i < streams.size(); ++i) CHECK(batcher.frames_seen(streams[i]) == before[i].frames_seen());
  };
  using Job = es::BatchJob<float>;
  refused([&](Job& job) { job.stream = streams[0]; }, {"stream 0 is there twice"});
  refused([&](Job& job) { job.stream = free; }, {"has not joined"});
  refused([&](Job& job) { job.stream = closed; }, {"stream 9 was closed"});
  refused([&](Job& job) { job.stream = {}; }, {"no stream's"});
  refused([&](Job& job) { job.x = {in.data(), {3}, 3}; }, {"input of 3 channels", "stream 5", "2 channels"});
  refused([&](Job& job) { job.y = {out.data(), {2}, 3}; }, {"output of 2 channels", "3 channels"});
  refused([&](Job& job) { job.x.count = -1; }, {"-1 frames"});
  refused([&](Job& job) { job.y.count = 0; }, {"room for 0 frames of stream 5"});
  for (std::size_t i = 0; i < streams.size(); ++i) CHECK(batcher.get_state(streams[i]) == before[i]);
  auto after = jobs_for(1);
  batcher.process(after);
  CHECK(batcher.frames_seen(streams[7]) == 6);
}

TEST_CASE("Batcher: a stream is one batcher's, and the pool's again when that is gone", "[serve][error]") {
  es::StreamPool pool(support::small_net(), {.streams = 4});
  auto worker = pool.worker();
  const es::StreamHandle stream = pool.open();
  {
    es::Batcher one(pool), other(pool);
    one.join(stream);
    one.join(stream);
    CHECK(one.has(stream));
    CHECK_FALSE(other.has(stream));
    CHECK(support::refuses([&] { other.join(stream); }, {"is a Batcher's"}));
    CHECK(support::refuses([&] { other.leave(stream); }, {"has not joined"}));
    CHECK(support::refuses([&] { pool.reset(stream); }, {"is a Batcher's"}));
    CHECK(support::refuses([&] { pool.close(stream); }, {"is a Batcher's"}));
    CHECK(support::refuses([&] { pool.get_state(worker, stream); }, {"is a Batcher's"}));
    one.leave(stream);
    other.join(stream);
    CHECK(one.memory_bytes() > 0);
  }
  CHECK(pool.get_state(worker, stream) == pool.fresh().get_state());
}

TEST_CASE("Batcher: threads each have one, of the same pool", "[serve]") {
  using Net = es::AnySequential<float>;
  const support::RandomNetwork random = support::random_network(7);
  constexpr Index threads = 3, streams = 8, frames = 40;
  es::StreamPool<Net> pool(random.net, {.streams = threads * streams, .channels = random.channels});
  support::Random numbers(3);
  const std::vector<float> x = support::random_values<float>(frames * random.channels, numbers);
  const Index size = pool.out_shape().size(), room = pool.max_outputs(frames);
  es::Stream<Net> alone(random.net, {.channels = random.channels});
  std::vector<float> expected(static_cast<std::size_t>(room * size));
  const Index count = alone.process({x.data(), alone.in_shape(), frames}, {expected.data(), alone.out_shape(), room});
  std::array<int, threads> wrong{};
  std::vector<std::thread> running;
  for (std::size_t id = 0; id < threads; ++id)
    running.emplace_back([&, id] {  // no assertions in here: Catch2 wants them in one thread
      for (int round = 0; round < support::cases(40); ++round) {
        es::Batcher<Net> batcher(pool, {.columns = 8, .groups = 2});
        std::vector<std::vector<float>> y(streams, std::vector<float>(expected.size()));
        std::vector<es::BatchJob<float>> jobs(streams);
        std::vector<Index> written(streams, 0);
        for (es::BatchJob<float>& job : jobs) batcher.join(job.stream = pool.open());
        for (Index at = 0; at < frames; ++at) {
          for (std::size_t i = 0; i < jobs.size(); ++i) {
            jobs[i].x = {x.data() + at * random.channels, pool.in_shape(), 1};
            jobs[i].y = {y[i].data() + written[i] * size, pool.out_shape(), room - written[i]};
          }
          batcher.process(jobs);
          for (std::size_t i = 0; i < jobs.size(); ++i) written[i] += jobs[i].written;
        }
        for (std::size_t i = 0; i < jobs.size(); ++i) {
          const auto end = expected.begin() + static_cast<std::ptrdiff_t>(count * size);
          wrong[id] += written[i] != count || !std::equal(expected.begin(), end, y[i].begin());
          batcher.leave(jobs[i].stream);
          pool.close(jobs[i].stream);
        }
      }
    });
  for (std::thread& thread : running) thread.join();
  for (const int each : wrong) CHECK(each == 0);
  CHECK(pool.size() == 0);
}
