#include "eigenstream/names/continual_module.hpp"

#include <thread>

#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/layer/space_conv.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
namespace co = eigenstream::continual;
using co::CallMode;
using es::FrameShape;
using es::Index;
using support::error_of;

namespace {

using Tensor1 = Eigen::Tensor<float, 1>;
using Tensor2 = Eigen::Tensor<float, 2>;
using Tensor3 = Eigen::Tensor<float, 3>;

co::Module conv(Index taps, es::Conv1dOptions options = {}, Index channels = 2) {
  return support::random_conv<es::Conv1d<float>>(channels, channels, taps, options);
}
template <int Rank>
bool same(const Eigen::Tensor<float, Rank>& a, const Eigen::Tensor<float, Rank>& b) {
  return a.dimensions() == b.dimensions() && std::memcmp(a.data(), b.data(), sizeof(float) * static_cast<std::size_t>(a.size())) == 0;
}
Tensor3 part(const Tensor3& x, Index begin, Index n) {
  return x.slice(Eigen::array<Index, 3>{0, 0, begin}, Eigen::array<Index, 3>{x.dimension(0), x.dimension(1), n});
}

}  // namespace

TEST_CASE("continual::Module: steps, runs of steps and the whole signal", "[names]") {
  support::Random random(1);
  const Tensor3 x = support::random_tensor<float>(random, 2, 3, 20);
  co::Module net = conv(5, {.stride = 2, .padding = 2});
  const Tensor3 whole = net.forward(x);
  CHECK(net.clean());
  CHECK(same<3>(*net.forward_steps(x, true), whole));
  net.clean_state();
  Index given = 0;
  for (Index t = 0; t < 20; ++t) {
    const Tensor2 frame = x.chip<2>(t);
    const auto y = net.forward_step(frame);
    CHECK(y.has_value() == (t >= net.first_output() && (t - net.first_output()) % net.stride() == 0));
    if (!y) continue;
    const Tensor2 expected = whole.chip<2>(given++);
    CHECK(same<2>(*y, expected));
  }
  CHECK(given == 9);
  CHECK(!net.forward_steps(part(x, 0, 0)));  // a chunk without frames
  CHECK(net.forward_steps(part(x, 0, 0), true)->dimension(2) == 1);
}

TEST_CASE("continual::Module: tensors with and without a batch and space", "[names]") {
  support::Random random(2);
  co::Module net = conv(3, {.padding = 1});
  const Tensor2 x = support::random_tensor<float>(random, 2, 10);
  const Tensor2 y = net.forward(x);
  CHECK(y.dimension(0) == 2);
  net.forward_steps(x);
  const Tensor1 frame = x.chip<1>(3);
  CHECK(net.forward_step(frame)->dimension(0) == 2);  // the same stream: a batch of one
  const Tensor2 batched = frame.reshape(Eigen::array<Index, 2>{2, 1});
  CHECK(net.forward_step(batched)->dimension(1) == 1);

  co::Module wide = es::Conv2d<float>(support::random_weights<float>({4, 2, 3, 3}, random), {}, {.padding = {1, 0}});
  Eigen::Tensor<float, 4> video(2, 6, 5, 10);  // (C,W,B,T)
  video.setRandom();
  const Eigen::Tensor<float, 4> whole = wide.forward(video);
  CHECK(whole.dimensions() == Eigen::array<Index, 4>{4, 4, 5, 10});
  Eigen::Tensor<float, 3> picture = video.chip<3>(0);
  CHECK(!wide.forward_step(picture));
  picture = video.chip<3>(1);
  const auto first = wide.forward_step(picture);
  REQUIRE(first);
  const Eigen::Tensor<float, 3> expected = whole.chip<3>(0);
  CHECK(same<3>(*first, expected));
}

TEST_CASE("continual::Module: the state is a value of its own", "[names]") {
  support::Random random(3);
  const Tensor3 x = support::random_tensor<float>(random, 2, 2, 12);
  co::Module net = conv(4, {.padding = 1});
  CHECK(!net.get_state());
  net.forward_steps(part(x, 0, 5));
  const auto saved = net.get_state();
  REQUIRE(saved);
  const Tensor3 next = *net.forward_steps(part(x, 5, 7));
  CHECK(!(net.get_state() == saved));
  net.set_state(saved);
  CHECK(net.get_state() == saved);
  CHECK(same<3>(*net.forward_steps(part(x, 5, 7)), next));
  co::Module fresh = conv(4, {.padding = 1});
  fresh.set_state(saved);  // which says of which shape the frames are
  CHECK(same<3>(*fresh.forward_steps(part(x, 5, 7)), next));
  fresh.set_state(std::nullopt);
  CHECK(!fresh.get_state());
  co::Module copy = net;
  copy.clean_state();
  CHECK(net.get_state());
  CHECK(error_of([&] { conv(3).set_state(saved); }) == "Stream: this state belongs to another network");
}

TEST_CASE("continual::Module: frames of another shape are refused, and nothing is lost", "[names][error]") {
  support::Random random(4);
  const Tensor3 x = support::random_tensor<float>(random, 2, 3, 8), narrow = support::random_tensor<float>(random, 2, 2, 8);
  co::Module net = es::Identity<float>();
  co::Module memory = conv(3);
  for (co::Module* each : {&net, &memory}) {
    each->forward_steps(x);
    const auto before = each->get_state();
    CHECK(error_of([&] { each->forward_steps(narrow); }) ==
          "continual: frames of 2 channels and a batch of 2, but those before were of 2 channels and a batch of 3; clean_state() begins "
          "another signal");
    CHECK(error_of([&] { each->forward_step(Tensor2(narrow.chip<2>(0)), false); }) != "");
    CHECK(error_of([&] { each->warm_up({.channels = 2, .batch = 4}); }) != "");
    CHECK(each->get_state() == before);
    each->clean_state();
    CHECK(each->forward_steps(narrow));
  }
  CHECK(error_of([&] { conv(3).forward_steps(support::random_tensor<float>(random, 3, 2, 8)); }) == "Conv1d: takes 2 channels, not 3");
  CHECK(error_of([&] { conv(5, {.padding = 1}).forward(part(x, 0, 2)); }) ==
        "continual: a signal of 2 frames is too short for a layer, which reaches over 5 with a padding of 1");
}

TEST_CASE("continual::Module: a look ahead changes nothing, and allocates nothing after the first", "[names]") {
  co::Module net = conv(5, {.padding = 2});
  support::Random random(5);
  const std::vector<float> values = support::random_values<float>(2 * 64, random);
  std::vector<float> room(2 * 70), again(room);
  const FrameShape shape{.channels = 2};
  const auto call = [&](Index n, bool pad_end, bool update_state, std::vector<float>& to) {
    return net.process({values.data(), shape, n}, {to.data(), shape, 70}, pad_end, update_state);
  };
  call(7, false, true, room);
  call(7, true, false, room);
  const auto before = net.get_state();
  std::int64_t allocations = 0;
  Index first = 0, second = 0, padded = 0;
  {
    const support::NoAllocation none;
    first = call(9, true, false, room);
    call(9, false, false, room);
    call(0, true, true, room);  // what the end would give, worked out on a copy
    second = call(9, true, false, again);
    allocations = none.count();
  }
  CHECK(allocations == 0);
  CHECK(first == 11);
  CHECK(second == 11);
  CHECK(net.get_state() == before);
  CHECK(call(9, true, false, room) == 11);
  CHECK(std::equal(room.begin(), room.begin() + 22, again.begin()));
  padded = call(9, true, true, room);  // gives the same, and goes on
  CHECK(padded == 11);
  CHECK(std::equal(room.begin(), room.begin() + 22, again.begin()));
  CHECK(call(1, false, true, room) == 1);
  CHECK(error_of([&] { net.process({values.data(), shape, 4}, {room.data(), shape, 3}); }) ==
        "continual: room for 3 outputs of 2 channels and a batch of 1 where 4 of 2 channels and a batch of 1 will come");
}

TEST_CASE("continual::Module: warmed up, the next frame yields an output", "[names]") {
  for (const Index stride : {1, 2, 3}) {
    co::Module net = conv(7, {.stride = stride, .padding = 1});
    net.warm_up({.channels = 2, .batch = 3});
    Tensor2 frame(2, 3);
    frame.setZero();
    CHECK(net.forward_step(frame));
  }
  co::Module none = conv(1);
  none.warm_up({.channels = 2});
  CHECK(!none.get_state());
}

TEST_CASE("continual::call_mode: what operator() does, nested, in this thread, while it lives", "[names]") {
  co::Module net = conv(3, {.padding = 1}, 1);
  Tensor2 x(1, 1);
  x.setConstant(2.0f);
  CHECK(net(x)->dimension(1) == 1);  // forward: the state is not touched
  CHECK(net.clean());
  {
    const co::call_mode steps(CallMode::forward_steps);
    CHECK(!net(x));
    {
      const co::call_mode step(CallMode::forward_step);
      CHECK(net(x));  // (1,1) is a frame now
      std::thread([&] {
        co::Module other = conv(3, {.padding = 1}, 1);
        CHECK(other(x));
        CHECK(other.clean());
      }).join();
    }
    CHECK(net(x));
    CHECK(net.get_state()->frames_seen() == 3);
  }
  CHECK(net(x));
  CHECK(net.get_state()->frames_seen() == 3);
  CHECK(error_of([&] { net(Tensor1(1)); }) == "continual: a tensor of 1 axes is no signal");
  net.call_mode(CallMode::forward_steps);
  net(x);
  CHECK(net.get_state()->frames_seen() == 4);
  {
    const co::call_mode whole(CallMode::forward);  // overrides that of the module
    net(x);
    CHECK(net.get_state()->frames_seen() == 4);
  }
}

TEST_CASE("continual::Module: what cannot be stepped is an error", "[names][error]") {
  CHECK(error_of([] { conv(3, {.padding = 3}); }) ==
        "continual: a layer with a padding of 3 gives an output before the first frame: it reaches over 3, so that the padding must be "
        "at most 2");
  CHECK(error_of([] { conv(1, {.padding = 1}); }) != "");
  CHECK(support::refuses([] { co::Module(es::GroupNorm<float>(1, 2)); }, {"needs the whole signal", "forward_stepping"}));
  CHECK(error_of([] { co::Module(es::Join<float>(es::Reduce::sum, 2)); }) ==
        "continual: a layer of 2 inputs, must be one; Reduce joins streams");
  // A frame that gives several.
  Tensor2 frame(2, 1);
  frame.setZero();
  co::Module up = support::random_conv_transpose<float>(2, 2, 4, {.stride = 2});
  CHECK(error_of([&] { up.forward_step(frame); }) == "continual: a frame gives 2 at once; forward_steps gives them all");
  CHECK(up.clean());
}
