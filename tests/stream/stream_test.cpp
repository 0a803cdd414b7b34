#include "eigenstream/stream/stream.hpp"

#include <array>

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"
#include "support/small_stream.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using Signal = Eigen::Tensor<float, 2>;
using support::same;
using support::signal;
using support::small_net;

TEST_CASE("Stream: the names of the field", "[stream]") {
  const es::Stream stream(small_net());
  CHECK(stream.in_shape() == es::FrameShape{2});
  CHECK(stream.out_shape() == es::FrameShape{3});
  CHECK(stream.receptive_field() == 4);
  CHECK(stream.delay() == 2);
  CHECK(stream.padding() == 1);
  CHECK(stream.stride() == 2);
  CHECK(stream.rate() == es::Rate{1, 2});
  CHECK(stream.outputs_after(10) == 4);
  CHECK(stream.outputs_after(10, true) == 5);
}

TEST_CASE("Stream: after warm_up the next frame gives an output", "[stream]") {
  es::Stream stream(es::residual(support::random_conv<Conv1d<float>>(2, 2, 5)));
  stream.warm_up();
  CHECK(stream.forward_step(Eigen::Vector2f(1, 2)).has_value());
  CHECK(stream.forward_step(Eigen::Vector2f(3, 4)).has_value());
  stream.clean_state();
  CHECK_FALSE(stream.forward_step(Eigen::Vector2f(1, 2)).has_value());
}

TEST_CASE("Stream: warm_up of a warm stream feeds nothing, of another one up to the next output", "[stream]") {
  es::Stream strided(support::random_conv<Conv1d<float>>(1, 1, 5, {.stride = 3}));
  for (int time = 0; time < 3; ++time) {
    strided.warm_up();
    CHECK(strided.frames_seen() == 4);
  }
  (void)strided(signal(1, 1));
  strided.warm_up();
  CHECK(strided.frames_seen() == 7);
  CHECK(strided.forward_step(Eigen::VectorXf(Eigen::VectorXf::Ones(1))).has_value());
}

TEST_CASE("Stream: negative counts of frames are refused", "[stream][error]") {
  es::Stream stream(small_net());
  const Signal x = signal(2, 12);
  (void)stream(x);
  const es::State before = stream.get_state();
  std::array<float, 300> memory{};
  const es::Frames<float> y(memory.data(), {3}, 100);
  const es::Frames<const float> negative(x.data(), {2}, -3);
  CHECK(support::refuses([&] { stream.process(negative, y); }, {"input of -3 frames"}));
  CHECK(support::refuses([&] { stream.process(negative, y, es::final); }, {"-3 frames"}));
  CHECK(support::refuses([&] { (void)stream(negative); }, {"-3 frames"}));
  CHECK(support::refuses([&] { (void)stream(negative, es::final); }, {"-3 frames"}));
  CHECK(support::refuses([&] { (void)stream.forward(negative); }, {"-3 frames"}));
  for (const bool pad_end : {false, true})
    for (const bool update : {false, true})
      CHECK(support::refuses([&] { (void)stream.forward_steps(negative, pad_end, update); }, {"-3 frames"}));
  CHECK(support::refuses([&] { stream.process(x, y.first(-1)); }, {"room for -1"}));
  CHECK(support::refuses([&] { stream.flush(y.first(-1)); }, {"room for -1"}));
  CHECK(stream.get_state() == before);
  CHECK(stream.outputs_after(-3) == 0);
  es::Stream windows(es::Snapshotter<float>(2, 8, 4));
  CHECK(support::refuses([&] { windows.visit(negative, [](es::Frames<const float>) {}); }, {"-3 frames"}));
  CHECK(windows.frames_seen() == 0);
}

TEST_CASE("Stream: states that say that other frames came are refused", "[stream][error]") {
  es::Stream stream(support::random_conv<Conv1d<float>>(1, 1, 1001));
  (void)stream(signal(1, 2000));
  const es::State good = stream.get_state();
  const auto says = [&](Index seen) {
    es::State state;
    state.assign(good.fingerprint(), good.shape(), seen, good.payload().size(), [&](std::span<std::byte> out) {
      std::copy(good.payload().begin(), good.payload().end(), out.begin());
    });
    return state;
  };
  constexpr Index most = std::numeric_limits<Index>::max();
  for (const Index seen : {Index{0}, Index{1999}, Index{2001}, Index{1} << 60, Index{1} << 61, most, Index{-1}, -most})
    CHECK(support::refuses([&] { stream.set_state(says(seen)); }, {"state is damaged", std::to_string(seen).c_str()}));
  CHECK(stream.get_state() == good);
  stream.set_state(says(2000));

  // Where nothing counts frames, nothing depends on how many came, but there is an end to what can be counted.
  es::Stream pointwise(es::Tanh<float>{}, {.channels = 1});
  const auto pointwise_says = [&](Index seen) {
    es::State state;
    state.assign(pointwise.net().fingerprint(), {1}, seen, 0, [](std::span<std::byte>) {});
    return state;
  };
  pointwise.set_state(pointwise_says(Index{1} << 60));
  CHECK(pointwise(signal(1, 5)).dimension(1) == 5);
  CHECK(support::refuses([&] { pointwise.set_state(pointwise_says(most)); }, {"damaged", "of at most"}));
}

TEST_CASE("Stream: a state goes to another stream of the same network, and to no other", "[stream]") {
  es::Stream stream(small_net());
  (void)stream(signal(2, 33));
  const es::State state = stream.get_state();
  CHECK(state.frames_seen() == 33);

  es::Stream other(small_net());
  other.set_state(es::State::from_bytes(state.bytes()));
  const Signal more = signal(2, 20, 5);
  CHECK(same(other(more, es::final), stream(more, es::final)));
  CHECK(other.get_state() == es::Stream(small_net()).get_state());

  // One network with sizes fixed at compile time, one without: the same.
  es::Stream fixed(support::random_conv<Conv1d<float, 2, 3, 4>>(2, 3, 4));
  es::Stream open(support::random_conv<Conv1d<float>>(2, 3, 4));
  (void)fixed(signal(2, 9));
  open.set_state(fixed.get_state());
  CHECK(same(open(more), fixed(more)));

  const es::State before = open.get_state();
  CHECK(support::refuses([&] { open.set_state(state); }, {"another network"}));
  CHECK(support::refuses([&] { open.set_state(es::State()); }, {"empty"}));
  es::Stream batch(support::random_conv<Conv1d<float>>(2, 3, 4), {.batch = 2});
  CHECK(support::refuses([&] { open.set_state(batch.get_state()); }, {"batch of 2", "batch of 1"}));
  CHECK(open.get_state() == before);
}

TEST_CASE("Stream: a copy is a fork that goes on by itself", "[stream]") {
  es::Stream stream(small_net());
  (void)stream(signal(2, 17));
  es::Stream fork = stream;
  CHECK(&fork.net() == &stream.net());
  (void)fork(signal(2, 5, 9));
  es::Stream moved = std::move(fork);
  const Signal more = signal(2, 8, 3);
  es::Stream reference(small_net());
  (void)reference(signal(2, 17));
  CHECK(same(stream(more), reference(more)));
  (void)reference;
  CHECK(moved.frames_seen() == 22);
}

TEST_CASE("Stream: wrong shapes and too little room are refused before anything changes", "[stream][error]") {
  es::Stream stream(small_net());
  (void)stream(signal(2, 12));
  const es::State before = stream.get_state();
  std::array<float, 300> memory{};
  const auto room = [&](Index channels, Index frames) {
    return es::Frames<float>(memory.data(), {channels}, frames);
  };
  const Signal x = signal(2, 20);
  CHECK(support::refuses([&] { (void)stream(signal(3, 4)); }, {"input", "3 channels", "2 channels"}));
  CHECK(support::refuses([&] { (void)stream(Eigen::Tensor<float, 3>(2, 2, 4)); }, {"input", "batch of 2"}));
  CHECK(support::refuses([&] { (void)stream.process(x, room(2, 100)); }, {"output", "2 channels", "3 channels"}));
  CHECK(support::refuses([&] { (void)stream.process(x, room(3, 9)); }, {"room for 9 frames", "10 will come"}));
  CHECK(support::refuses([&] { (void)stream.process(x, room(3, 10), es::final); }, {"room for 10", "11 will come"}));
  CHECK(support::refuses([&] { (void)stream.flush(room(3, 0)); }, {"room for 0", "1 will come"}));
  CHECK(support::refuses([&] { (void)stream.forward_step(Eigen::Vector3f(1, 2, 3)); }, {"frame of 3"}));
  CHECK(stream.get_state() == before);
  CHECK(stream.process(x, room(3, 10)) == 10);

  CHECK(support::refuses([] { es::Stream(es::Relu<float>{}); }, {"any number of channels", ".channels"}));
  CHECK(support::refuses([] { es::Stream(small_net(), {.channels = 3}); }, {"takes 2 channels", "not 3"}));
  CHECK(support::refuses([] { es::Stream(small_net(), {.batch = 0}); }, {"batch of 0"}));
  CHECK(support::refuses([] { es::Stream(es::Relu<float>{}, {.channels = 0}); }, {"0 channels"}));
  CHECK(support::refuses([] { es::Stream(std::shared_ptr<const es::Relu<float>>()); }, {"no network"}));
}

TEST_CASE("Stream: many streams of one thread share their scratch memory", "[stream]") {
  const auto net = std::make_shared<const decltype(support::small_net())>(support::small_net());
  const auto scratch = std::make_shared<es::Scratch>();
  std::vector<es::Stream<decltype(support::small_net())>> shared, alone;
  for (int i = 0; i < 20; ++i) {
    shared.emplace_back(net, es::StreamOptions{.scratch = scratch});
    alone.emplace_back(net);
  }
  CHECK(scratch->bytes() >= shared.front().scratch_bytes());
  CHECK(shared.front().memory_bytes() + shared.front().scratch_bytes() == alone.front().memory_bytes());
  for (const Index n : {1, 7, 300, 2}) {
    for (std::size_t i = 0; i < shared.size(); ++i) {
      const auto x = support::signal(2, n + static_cast<Index>(i), i);
      std::memset(scratch->reserve(0), 0xff, static_cast<std::size_t>(shared[i].scratch_bytes()));
      CHECK(support::same(shared[i](x), alone[i](x)));
    }
  }
  es::Stream fork = shared[3];
  const auto x = support::signal(2, 50);
  CHECK(support::same(fork(x, es::final), alone[3](x, es::final)));
  shared[4].set_state(shared[5].get_state());
  CHECK(support::same(shared[4](x, es::final), alone[5](x, es::final)));
}

TEST_CASE("Stream: frames with space may lie in one row", "[stream]") {
  es::Stream stream(es::Snapshotter<float>(2, 4, 2));
  const auto x = support::signal(2, 10);
  Eigen::MatrixXf row(8, 5);
  Eigen::Tensor<float, 3> columns(2, 4, 5), wrong(4, 2, 5);
  REQUIRE(stream.process(x, row, es::final) == 5);
  REQUIRE(stream.process(x, columns, es::final) == 5);
  CHECK(std::equal(row.data(), row.data() + row.size(), columns.data()));
  CHECK_THROWS_AS(stream.process(x, wrong, es::final), es::Error);
}
