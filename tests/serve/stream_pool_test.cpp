#include "eigenstream/serve/stream_pool.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "eigenstream/compose/conditional.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "serve/traffic.hpp"
#include "support/reference.hpp"
#include "support/small_stream.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using support::random_conv;
using support::Traffic;

TEST_CASE("StreamPool: streams give what they give alone", "[serve]") {
  const auto run = [](const auto& net, Index channels) {
    Traffic<std::remove_cvref_t<decltype(net)>> traffic(net, channels, 12, 3, {.columns = 4, .groups = 1});
    traffic.run(support::cases(80), false);
  };
  run(support::small_net(), 2);
  run(es::residual(random_conv<Conv1d<float>>(3, 3, 5, {.dilation = 2})), 3);
  run(es::sequential(random_conv<Conv1d<float, 1, 4, 3>>(1, 4, 3), es::Tanh<float>{}, random_conv<Conv1d<float, 4, 1, 3>>(4, 1, 3)), 1);
  run(es::Tanh<double>{}, 5);  // nothing is remembered
}

TEST_CASE("StreamPool: streams of random sequences and graphs give what they give alone", "[serve][property]") {
  for (std::uint64_t seed = 101; seed <= 100 + support::cases<std::uint64_t>(60); ++seed) {
    const support::RandomNetwork sequence = support::random_network(seed);
    INFO(sequence.text);
    Traffic<es::AnySequential<float>>(sequence.net, sequence.channels, 6, seed, {.columns = 4, .groups = 1}).run(40, false);
    const support::RandomGraph graph = support::random_graph(seed);
    INFO(graph.text);
    Traffic<es::AnyGraph<float>>(graph.net, graph.channels, 6, seed, {.columns = 4, .groups = 1}).run(40, false);
  }
}

TEST_CASE("StreamPool: a stream costs what it remembers, and less than a cache line or two more", "[serve]") {
  std::vector<es::AnyLayer<float>> layers;
  for (int i = 0; i < 5; ++i) {
    layers.emplace_back(random_conv<Conv1d<float>>(8, 8, 3, {.padding = es::Padding::causal(3)}));
    layers.emplace_back(es::Tanh<float>{});
  }
  const es::AnySequential<float> net(std::move(layers));
  es::StreamPool<es::AnySequential<float>> pool(net, {.streams = 100});
  CHECK(pool.state_bytes() == es::Stream(net).state_bytes());
  CHECK(pool.bytes_per_stream() <= pool.state_bytes() + 128);
  CHECK(pool.bytes_per_stream() % es::memory_alignment == 0);
  CHECK(pool.worker().bytes() >= es::Stream(net).memory_bytes());
}

TEST_CASE("StreamPool: tensors and all that a Stream can do", "[serve]") {
  es::StreamPool pool(support::small_net(), {.streams = 2});
  auto worker = pool.worker();
  const es::StreamHandle stream = pool.open();
  es::Stream alone(support::small_net());
  const auto x = support::signal(2, 21);
  const Eigen::Tensor<float, 2> first = pool.with(worker, stream, [&](auto& one) { return one(x); });
  CHECK(support::same(first, alone(x)));
  CHECK(pool.frames_seen(stream) == 21);
  const Eigen::Tensor<float, 2> rest = pool.with(worker, stream, [&](auto& one) { return one(x, es::final); });
  CHECK(support::same(rest, alone(x, es::final)));
  CHECK(pool.frames_seen(stream) == 0);
  pool.with(worker, stream, [](auto& one) { one.warm_up(); });
  alone.warm_up();
  CHECK(pool.get_state(worker, stream) == alone.get_state());
}

TEST_CASE("StreamPool: knobs, and a network that decides by itself", "[serve]") {
  const auto branch = [](std::uint64_t seed) {
    return random_conv<Conv1d<float>>(1, 1, 3, {.padding = es::Padding::causal(3)}, true, seed);
  };
  const auto net = es::Conditional(branch(1), branch(2));
  es::StreamPool pool(net, {.streams = 2});
  auto worker = pool.worker();
  std::array<es::StreamHandle, 2> streams{pool.open(), pool.open()};
  std::array<es::Stream<std::remove_cvref_t<decltype(net)>>, 2> alone{es::Stream(net), es::Stream(net)};
  for (int round = 0; round < 12; ++round)
    for (std::size_t i = 0; i < 2; ++i) {
      const auto x = support::signal(1, 3, static_cast<std::uint64_t>(round));
      const float choice = static_cast<float>((round / (static_cast<int>(i) + 2)) % 2);
      const Eigen::Tensor<float, 2> y = pool.with(worker, streams[i], [&](auto& one) {
        one.set_control(0, {choice});
        return one(x);
      });
      alone[i].set_control(0, {choice});
      CHECK(support::same(y, alone[i](x)));
    }
}

TEST_CASE("StreamPool: networks of several inputs", "[serve]") {
  es::GraphBuilder<float> builder(1, {{.shape = {1}}});
  const auto late = builder.add(random_conv<Conv1d<float>>(1, 1, 3), builder.input());
  const auto net = builder.build(builder.reduce(es::Reduce::sum, {late, builder.input(1)}));
  es::StreamPool pool(net, {.streams = 2});
  auto worker = pool.worker();
  const std::array streams{pool.open(), pool.open()};
  es::Stream<es::AnyGraph<float>> alone(net);
  const std::array<float, 8> a{1, 2, 3, 4, 5, 6, 7, 8}, b{8, 6, 4, 2, 1, 3, 5, 7};
  for (Index at = 0; at < 8; at += 2) {
    const std::array<es::Frames<const float>, 2> in{es::Frames<const float>(a.data() + at, {1}, 2), {b.data() + at, {1}, 2}};
    std::array<float, 4> expected{}, y{};
    const Index n = alone.process(std::span<const es::Frames<const float>>(in), es::Frames<float>(expected.data(), {1}, 4));
    for (const es::StreamHandle stream : streams) {
      const Index written = pool.with(worker, stream, [&](auto& one) {
        return one.process(std::span<const es::Frames<const float>>(in), es::Frames<float>(y.data(), {1}, 4));
      });
      CHECK(written == n);
      CHECK(y == expected);
    }
  }
  CHECK(support::refuses([&] { pool.process(worker, streams[0], {a.data(), {1}, 1}, {nullptr, {1}, 1}); }, {"one signal"}));
}

TEST_CASE("StreamPool: handles of closed streams stay invalid", "[serve][error]") {
  es::StreamPool pool(support::small_net(), {.streams = 2});
  auto worker = pool.worker();
  const es::StreamHandle first = pool.open(), second = pool.open();
  CHECK(pool.size() == 2);
  CHECK(support::refuses([&] { pool.open(); }, {"all 2 streams are open", "reserve()"}));
  pool.close(first);
  CHECK(pool.size() == 1);
  const es::StreamHandle third = pool.open();
  CHECK(third.number == first.number);
  CHECK_FALSE(third == first);
  CHECK_FALSE(pool.is_open(first));
  CHECK(pool.is_open(second));
  CHECK_FALSE(pool.is_open({}));
  CHECK_FALSE(pool.is_open({.number = 7, .generation = 1}));
  std::array<float, 40> memory{};
  const es::Frames<const float> x(memory.data(), {2}, 2);
  const es::Frames<float> y(memory.data() + 8, {3}, 8);
  const auto refuses_everywhere = [&](es::StreamHandle handle, const char* text) {
    CHECK(support::refuses([&] { pool.process(worker, handle, x, y); }, {text}));
    CHECK(support::refuses([&] { pool.process(worker, handle, x, y, es::final); }, {text}));
    CHECK(support::refuses([&] { pool.flush(worker, handle, y); }, {text}));
    CHECK(support::refuses([&] { pool.reset(handle); }, {text}));
    CHECK(support::refuses([&] { pool.copy(handle, second); }, {text}));
    CHECK(support::refuses([&] { pool.copy(second, handle); }, {text}));
    CHECK(support::refuses([&] { pool.fork(handle); }, {text}));
    CHECK(support::refuses([&] { pool.close(handle); }, {text}));
    CHECK(support::refuses([&] { (void)pool.frames_seen(handle); }, {text}));
    CHECK(support::refuses([&] { (void)pool.get_state(worker, handle); }, {text}));
  };
  refuses_everywhere(first, "stream 0 was closed");
  refuses_everywhere({}, "no stream's");
  refuses_everywhere({.number = 7, .generation = 1}, "no stream 7");
  CHECK(pool.size() == 2);
}

TEST_CASE("StreamPool: what is refused changes nothing", "[serve][error]") {
  es::StreamPool pool(support::small_net(), {.streams = 2});
  es::StreamPool other(support::small_net(), {.streams = 2});
  auto worker = pool.worker(), strange = other.worker();
  const es::StreamHandle stream = pool.open();
  std::array<float, 64> memory{};
  std::fill(memory.begin(), memory.end(), 0.5f);
  const es::Frames<const float> x(memory.data(), {2}, 5);
  pool.process(worker, stream, x, {memory.data() + 16, {3}, 8});
  const es::State before = pool.get_state(worker, stream);
  CHECK(support::refuses([&] { pool.process(worker, stream, x, {memory.data(), {3}, 0}); }, {"room for 0 frames"}));
  CHECK(support::refuses([&] { pool.process(worker, stream, {memory.data(), {4}, 1}, {memory.data(), {3}, 8}); }, {"4 channels"}));
  CHECK(support::refuses([&] { pool.process(worker, stream, {memory.data(), {2}, -1}, {memory.data(), {3}, 8}); }, {"-1 frames"}));
  CHECK(support::refuses([&] { pool.process(strange, stream, x, {memory.data(), {3}, 8}); }, {"another pool's"}));
  es::Stream foreign(es::Tanh<float>{}, {.channels = 2});
  CHECK(support::refuses([&] { pool.set_state(worker, stream, foreign.get_state()); }, {"another network"}));
  CHECK(pool.get_state(worker, stream) == before);
#if EIGENSTREAM_EXCEPTIONS
  CHECK_THROWS_AS(pool.with(worker, stream,
                            [&](auto& one) {
                              one.process(x, {memory.data() + 16, {3}, 8});
                              throw es::Error("in the middle");
                            }),
                  es::Error);
  CHECK(pool.get_state(worker, stream) == before);
#endif
  CHECK(support::refuses([] { es::StreamPool refused(support::small_net(), {.streams = -1}); }, {"room for -1 streams"}));
  CHECK(support::refuses([] { es::StreamPool refused(es::Tanh<float>{}, {.streams = 1}); }, {"any number of channels"}));
  CHECK(support::refuses([&] { pool.reserve(std::numeric_limits<Index>::max()); }, {"StreamPool", "streams"}));
}

TEST_CASE("StreamPool: reserve keeps what is open", "[serve]") {
  es::StreamPool pool(support::small_net());
  auto worker = pool.worker();
  CHECK(pool.capacity() == 0);
  CHECK(support::refuses([&] { pool.open(); }, {"all 0 streams"}));
  std::vector<es::StreamHandle> streams;
  std::vector<es::State> states;
  std::vector<float> x(2 * 200, 0.5f), y(3 * 200);
  for (const Index room : {1, 2, 9, 40, 30}) {
    pool.reserve(room);
    CHECK(pool.capacity() == std::max<Index>(room, static_cast<Index>(streams.size())));
    while (pool.size() < pool.capacity()) {
      streams.push_back(pool.open());
      pool.process(worker, streams.back(), {x.data(), {2}, pool.size()}, {y.data(), {3}, 200});
      states.push_back(pool.get_state(worker, streams.back()));
    }
  }
  REQUIRE(streams.size() == 40);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    CHECK(pool.frames_seen(streams[i]) == static_cast<Index>(i) + 1);
    CHECK(pool.get_state(worker, streams[i]) == states[i]);
  }
}

TEST_CASE("StreamPool: nothing allocates but what makes room", "[serve]") {
  es::StreamPool pool(support::small_net(), {.streams = 3});
  auto worker = pool.worker();
  std::array<float, 256> in{}, out{};
  const support::NoAllocation guard;
  const es::StreamHandle one = pool.open(), two = pool.fork(one);
  pool.process(worker, one, {in.data(), {2}, 100}, {out.data(), {3}, 80});
  pool.copy(one, two);
  pool.flush(worker, two, {out.data(), {3}, 80});
  pool.reset(one);
  pool.process(worker, one, {in.data(), {2}, 10}, {out.data(), {3}, 80}, es::final);
  pool.close(one);
  pool.close(two);
  CHECK(guard.count() == 0);
}

TEST_CASE("StreamPool: threads serve different streams, open and close them", "[serve]") {
  using Net = es::AnySequential<float>;
  const support::RandomNetwork random = support::random_network(7);
  es::StreamPool<Net> pool(random.net, {.streams = 12, .channels = random.channels});
  const Index frames = 60;
  support::Random numbers(3);
  const std::vector<float> x = support::random_values<float>(frames * random.channels, numbers);
  es::Stream<Net> alone(random.net, {.channels = random.channels});
  const Index room = pool.max_outputs(frames) + pool.max_flush();
  std::vector<float> expected(static_cast<std::size_t>(room * pool.out_shape().size()));
  const Index count = alone.process({x.data(), alone.in_shape(), frames}, {expected.data(), alone.out_shape(), room}, es::final);
  constexpr int threads = 4;
  std::array<int, threads> wrong{};
  std::vector<std::thread> running;
  for (int id = 0; id < threads; ++id)
    running.emplace_back([&, id] {  // no assertions in here: Catch2 wants them in one thread
      auto worker = pool.worker();
      std::vector<float> y(expected.size());
      for (int round = 0; round < support::cases(200); ++round) {
        const std::array streams{pool.open(), pool.open(), pool.open()};
        for (const es::StreamHandle stream : streams) {
          Index written = 0;
          for (Index at = 0; at < frames; at += 12)
            written += pool.process(worker, stream, {x.data() + at * random.channels, pool.in_shape(), 12},
                                    {y.data() + written * pool.out_shape().size(), pool.out_shape(), room - written});
          written += pool.flush(worker, stream, {y.data() + written * pool.out_shape().size(), pool.out_shape(), room - written});
          wrong[static_cast<std::size_t>(id)] +=
              written != count ||
              !std::equal(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(written * pool.out_shape().size()), expected.begin());
        }
        for (const es::StreamHandle stream : streams) pool.close(stream);
      }
    });
  for (std::thread& thread : running) thread.join();
  for (const int each : wrong) CHECK(each == 0);
  CHECK(pool.size() == 0);
}
