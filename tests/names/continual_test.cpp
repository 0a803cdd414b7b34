#include "eigenstream/names/continual.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "eigenstream/compose/bidirectional.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
namespace co = eigenstream::continual;
using co::Shrink;
using co::TemporalFill;
using es::Index;
using support::error_of;
using support::refuses;
using Values = std::vector<float>;

namespace {

using Tensor1 = Eigen::Tensor<float, 1>;
using Tensor2 = Eigen::Tensor<float, 2>;
using Tensor3 = Eigen::Tensor<float, 3>;

constexpr float o = std::numeric_limits<float>::quiet_NaN();  // no output
const Values x8 = support::count_to(8);

Tensor2 row(const Values& values) {
  Tensor2 x(1, static_cast<Index>(values.size()));
  std::copy(values.begin(), values.end(), x.data());
  return x;
}
template <int Rank>
Values values(const Eigen::Tensor<float, Rank>& y) {
  return {y.data(), y.data() + y.size()};
}
template <int Rank>
Values values(const std::optional<Eigen::Tensor<float, Rank>>& y) {
  return y ? values(*y) : Values();
}
std::optional<Tensor1> step(co::Module& net, float value, bool update_state = true) {
  Tensor1 frame(1);
  frame(0) = value;
  return net.forward_step(frame, update_state);
}
// What each step gives; o for nothing.
Values steps(co::Module net, const Values& x) {
  Values all;
  for (const float value : x) {
    const auto y = step(net, value);
    all.push_back(y ? (*y)(0) : o);
  }
  return all;
}
bool same(const Values& a, const Values& b) {
  bool all = a.size() == b.size();
  for (std::size_t i = 0; all && i < a.size(); ++i) all = std::isnan(b[i]) ? std::isnan(a[i]) : std::abs(a[i] - b[i]) < 1e-5f;
  if (!all)
    for (const float v : a) UNSCOPED_INFO("got " << v);
  return all;
}
Values whole(const co::Module& net, const Values& x) { return values<2>(net.forward(row(x))); }
Values ended(co::Module net, const Values& x) { return values<2>(net.forward_steps(row(x), true)); }

co::Module ones(Index taps, Index padding = 0, Index stride = 1) {
  return co::Conv1d({{1, 1, taps}, Values(static_cast<std::size_t>(taps), 1.0f)}, {}, {.stride = stride, .padding = padding});
}

}  // namespace

TEST_CASE("continual: lists of streams become edges of one network", "[names]") {
  const auto times = [](double n) { return co::Multiply(n); };
  // Broadcast takes its number from what follows.
  CHECK(same(steps(co::Sequential({co::Broadcast(), co::Parallel({times(2), co::Delay(2)}), co::Reduce("sum")}), x8),
             steps(co::BroadcastReduce({times(2), co::Delay(2)}), x8)));
  CHECK(whole(co::Sequential({co::Broadcast(2), co::Reduce("mul")}), {1, 2, 3}) == Values{1, 4, 9});
  const co::Module dispatched = co::Sequential({co::Broadcast(3), co::Parallel({times(1), times(10), times(100)}),
                                                co::ParallelDispatch({2, {0, 1}, 2}),
                                                co::Parallel({co::Identity(), co::Reduce("sum"), times(2)}), co::Reduce("concat")});
  CHECK(whole(dispatched, {1, 2}) == Values{100, 11, 200, 200, 22, 400});
  // What no one takes is left out, with its condition.
  const auto never = [](const co::Module&, const auto&) { return false; };
  const co::Module dropped = co::Sequential({co::Broadcast(2), co::Parallel({co::Conditional(never, ones(5), ones(7)), times(2)}),
                                             co::ParallelDispatch({1, 1}), co::Reduce("sum")});
  CHECK(steps(dropped, {1, 2}) == Values{4, 8});
  CHECK(dropped.first_output() == 0);
  // A list all the way to the end of a sequence inside another.
  const co::Module fan = co::Sequential({times(3), co::Broadcast(2)});
  CHECK(fan.shape() == co::Module::Shape::splits);
  CHECK(whole(co::Sequential({fan, co::Parallel({times(1), times(2)}), co::Sequential({co::Reduce("sum"), times(10)})}), {1}) == Values{90});
  CHECK(whole(co::Sequential({{"a", times(2)}, {"b", co::Add(1)}}), {3}) == Values{7});
  CHECK(whole(co::append(co::Sequential({times(2)}), times(5)), {1}) == Values{10});
  CHECK(whole(co::Sequential(std::vector<co::Module>()), {1, 2}) == Values{1, 2});
  // A layer of several inputs joins, too.
  CHECK(whole(co::BroadcastReduce({times(5), times(3)}, es::Reduce::difference), {1, 2}) == Values{2, 4});
  CHECK(whole(co::BroadcastReduce({times(5), times(3)}, es::AnyLayer<float>(es::Join<float>(es::Reduce::max, 2))), {1}) == Values{5});
}

TEST_CASE("continual: beside what skips frames at the start, the others go without theirs", "[names]") {
  const co::Module net = co::BroadcastReduce({ones(3, 1), co::Skip(3)});
  CHECK(net.reach() == co::Reach{3, 1, 1, 1, 4});
  CHECK(same(steps(net, x8), {o, o, o, o, 16, 20, 24, 28}));
  CHECK(ended(net, x8) == whole(net, x8));
  CHECK(same(steps(co::Residual(co::Skip(2)), x8), {o, o, 6, 8, 10, 12, 14, 16}));
  // One that is in the middle of what another reaches over loses nothing.
  const co::Module centred = co::BroadcastReduce({ones(5), co::Delay(2, Shrink::centered)});
  CHECK(same(steps(centred, x8), {o, o, o, o, 18, 24, 30, 36}));
  CHECK(whole(centred, x8) == ended(centred, x8));
}

TEST_CASE("continual: what does not fit together is an error", "[names][error]") {
  const auto sequence = [](std::vector<co::Module> modules) { return error_of([&] { co::Sequential(std::move(modules)); }); };
  CHECK(sequence({co::Broadcast(2), co::Parallel({ones(3, 1), ones(3, 1, 2)}), co::Reduce("sum")}) ==
        "Parallel: a branch of stride 2 beside one of stride 1; their outputs do not come equally often");
  CHECK(sequence({co::Broadcast(3), co::Parallel({ones(3), ones(3)}), co::Reduce("sum")}) == "Parallel: 2 branches for 3 streams");
  CHECK(sequence({ones(3), co::Broadcast(2), ones(3)}) == "continual: Conv1d takes one stream, not a list");
  CHECK(sequence({ones(3), co::Reduce("sum"), ones(3)}) == "continual: Reduce takes a list of streams, not one");
  CHECK(sequence({co::Broadcast(2), co::ParallelDispatch({0, 2}), co::Reduce("sum")}) == "ParallelDispatch: no stream 2 of 2");
  CHECK(refuses([] { step(*std::make_unique<co::Module>(co::Broadcast(2)), 1); }, {"Broadcast has lists of streams at its ends"}));
  CHECK(error_of([] { co::Reduce("avg"); }) == "Reduce: \"avg\", must be sum, mul, max or concat");
  CHECK(error_of([] { co::BroadcastReduce({ones(3)}); }) == "BroadcastReduce: 1 branches, must be at least 2");
  CHECK(error_of([] { co::BroadcastReduce({ones(3, 1, 2), ones(2, 0, 2)}, "sum", false); }) == "");  // both first with frame 1
  CHECK(refuses([] { co::BroadcastReduce({ones(3, 1, 2), ones(3, 0, 2)}, "sum", false); }, {"1 frames apart with a stride of 2"}));
  CHECK(error_of([] { co::Residual(ones(3, 1, 2)); }) == "Residual: the module has stride 2, must be 1");
  CHECK(error_of([] { co::Residual(ones(3, 2)); }) == "Residual: the module's output is 2 frames longer than its input");
  CHECK(refuses([] { co::Residual(ones(4), "sum", Shrink::centered); }, {"3 frames shorter", "centered"}));
  CHECK(refuses([] { whole(co::Residual(ones(3)), x8); }, {"the module makes 6 frames of a signal of 8", "shrink"}));
  CHECK(same(steps(co::Residual(ones(3)), x8), steps(co::Residual(ones(3), "sum", Shrink::lagging), x8)));
  CHECK(refuses([] { co::Conditional(nullptr, ones(3, 1), ones(3, 1, 2)); }, {"a branch of stride 1 beside one of stride 2"}));
  CHECK(error_of([] { co::Delay(-1); }) == "Delay: -1 frames, must not be negative");
  CHECK(error_of([] { co::Skip(-1); }) == "Skip: -1 frames, must not be negative");
  CHECK(refuses([] { co::MaxPool1d(3, {.stride = 2, .padding = 1, .ceil_mode = true}, TemporalFill::zeros); }, {"ceil_mode"}));
  CHECK(refuses([] { co::Conv1d(support::counting({1, 1, 3}), {}, {.padding = 1}, TemporalFill::neg_inf); }, {"neg_inf is for pools"}));
  CHECK(co::same_padding(5, 3) == 6);
  CHECK(refuses([] { co::same_padding(4); }, {"needs 3 frames"}));
}

TEST_CASE("continual: conversion of layers, functions and descriptions", "[names]") {
  const es::Conv1d<float> layer = support::counting_conv(3, {.padding = 1});
  CHECK(whole(co::continual(layer), x8) == whole(co::Conv1d(support::counting({1, 1, 3}), {}, {.padding = 1}), x8));
  CHECK(whole(co::continual(es::lambda<float>([](float v) { return v * v; })), {1, 2, 3}) == Values{1, 4, 9});
  // A layer that replicates does so in steps.
  CHECK(same(steps(co::continual(support::counting_conv(3, {.padding = 1, .padding_mode = es::PaddingMode::replicate})), {1, 2, 3}),
             steps(co::Conv1d(support::counting({1, 1, 3}), {}, {.padding = 1}, TemporalFill::replicate), {1, 2, 3})));

  es::ModuleSpec spec{"Conv1d", "conv", {}, {}};
  spec.fields = {{"in_channels", 1}, {"out_channels", 1}, {"kernel_size", 3}, {"bias", false}};
  const es::WeightMap weights{{"conv.weight", support::counting({1, 1, 3})}};
  CHECK(whole(co::continual(spec, weights), x8) == Values{14, 20, 26, 32, 38, 44});
  CHECK(whole(co::build_from(spec, weights, {{"padding", 1}}), x8) == Values{8, 14, 20, 26, 32, 38, 44, 23});
  CHECK(spec.fields.size() == 4);
  es::ModuleSpec two{"Sequential", "", {}, {}};
  two.children["layers"] = {spec, {"ReLU", "act", {}, {}}};
  CHECK(whole(co::continual(two, weights), x8).size() == 6);

  Tensor3 frame(2, 3, 1);
  frame.setRandom();
  co::Module norm = co::forward_stepping(es::GroupNorm<float>(1, 2));
  const auto y = norm.forward_step(frame);
  REQUIRE(y);
  float sum = 0;
  for (const float v : values<3>(*y)) sum += v;
  CHECK(std::abs(sum) < 1e-5f);
  CHECK(refuses([&] { co::forward_stepping(layer); }, {"looks at more than the frame"}));
}

TEST_CASE("continual: Reshape goes through the numbers in torch's order", "[names]") {
  co::Module net = co::Reshape({.channels = 3, .width = 2, .height = 2});
  Tensor3 frame(2, 6, 1);  // (C,W,B); in torch (1,2,6), the last axis the fastest
  for (Index c = 0; c < 2; ++c)
    for (Index w = 0; w < 6; ++w) frame(c, w, 0) = static_cast<float>(c * 6 + w);
  const auto y = net.forward_step(frame);
  REQUIRE(y.has_value());
  for (Index c = 0; c < 3; ++c)
    for (Index h = 0; h < 2; ++h)
      for (Index w = 0; w < 2; ++w) CHECK(y->data()[(h * 2 + w) * 3 + c] == static_cast<float>((c * 2 + h) * 2 + w));
  CHECK(refuses([] { (void)co::Reshape({.channels = 0}); }, {"Reshape", "at least 1"}));
}

TEST_CASE("continual: children have names, and get the call mode", "[names]") {
  co::Module net = co::Sequential({{"stem", ones(3, 1)}, {"body", co::Residual(ones(3, 1))}});
  CHECK(net.children()[0].name == "stem");
  CHECK(net.children()[1].module.children()[0].name == "1");
  CHECK(co::BroadcastReduce({ones(3, 1), ones(1)}).children()[1].name == "1");
  net.call_mode(co::CallMode::forward_step);
  CHECK(net.children()[1].module.children()[0].module.call_mode() == co::CallMode::forward_step);
}

TEST_CASE("continual::Conditional: asked once a call, of what comes in, before anything changes", "[names]") {
  bool answer = true;
  int asked = 0;
  const auto ask = [&](const co::Module&, const es::Frames<const float>&) { return ++asked, answer; };
  co::Module net = co::Conditional(ask, ones(3, 1));
  CHECK(net.reach() == co::Reach{3, 1, 1, 1, 1});
  CHECK(whole(net, {1, 2, 3}) == Values{3, 6, 5});
  CHECK(asked == 1);
  CHECK(ended(net, {1, 2, 3}) == Values{3, 6, 5});
  CHECK(asked == 2);
  answer = false;  // what comes in, as late as the outputs
  CHECK(whole(net, {1, 2, 3}) == Values{1, 2, 3});
  CHECK(same(steps(net, {1, 2, 3}), {o, 1, 2}));
  CHECK(ended(net, {1, 2, 3}) == Values{1, 2, 3});

  // By what comes in, and in the middle of others.
  const auto large = [](const co::Module& module, const es::Frames<const float>& x) {
    es::check(module.type() == "Sequential", "not the outermost");
    return x.data[0] > 4;
  };
  const co::Module inside = co::Sequential({co::Add(0), co::Conditional(large, co::Multiply(10), co::Multiply(-1)), ones(2)});
  CHECK(same(steps(inside, {1, 5, 6, 2}), {o, 49, 110, 58}));
  CHECK(whole(inside, {1, 5, 6}) == Values{-6, -11});
  // Both advance: what was missed is there.
  const auto late = [](const co::Module&, const es::Frames<const float>& x) { return x.data[0] > 4; };
  for (const bool both : {false, true}) {
    co::Module switched = co::Conditional(late, ones(3), {}, both);
    CHECK(same(steps(switched, {1, 2, 3, 4, 5, 6, 7}), {o, o, 1, 2, both ? 12.0f : 5.0f, both ? 15.0f : 11.0f, 18}));
  }

  // A predicate that throws.
  bool broken = false;
  co::Module risky = co::Conditional([&](const co::Module&, const auto&) { return broken ? throw std::runtime_error("no") : true; }, ones(3, 1));
  step(risky, 1);
  const auto before = risky.get_state();
  broken = true;
  CHECK_THROWS_AS(step(risky, 2), std::runtime_error);
  CHECK_THROWS_AS(risky.forward_steps(row(x8), true), std::runtime_error);
  CHECK_THROWS_AS(risky.forward(row(x8)), std::runtime_error);
  CHECK(risky.get_state() == before);
  broken = false;
  CHECK(values<1>(step(risky, 2)) == Values{3});
}

// What the original does wrong, by the numbers of the specification's list.

TEST_CASE("continual C1: a convolution of one tap keeps its phase from step to step", "[names]") {
  CHECK(same(steps(ones(1, 0, 2), x8), {1, o, 3, o, 5, o, 7, o}));
}

TEST_CASE("continual C2: more padding than the kernel reaches is refused, dilation is not", "[names]") {
  CHECK(error_of([] { ones(3, 3); }) != "");
  CHECK(error_of([] { ones(1, 1); }) != "");
  const co::Module dilated = co::Conv1d(support::counting({1, 1, 2}), {}, {.padding = 1, .dilation = 3});
  CHECK(dilated.receptive_field() == 4);
  CHECK(same(steps(dilated, {1, 2, 3, 4}), {o, o, 6, 1 + 8}));
}

TEST_CASE("continual C3: a state that was taken stays what it was", "[names]") {
  for (co::Module net : {ones(3), co::MaxPool1d(3), co::Delay(2)}) {
    step(net, 1), step(net, 2);
    const auto state = net.get_state();
    const auto kept = *state;
    const Values next = values<1>(step(net, 3));
    step(net, 4);
    CHECK(*state == kept);
    net.set_state(state);
    CHECK(values<1>(step(net, 3)) == next);
  }
}

TEST_CASE("continual C4: the end of a running stream, without changing it, is that behind the chunk", "[names]") {
  co::Module net = ones(3, 1);
  net.forward_steps(row({1, 2}));
  CHECK(values<2>(net.forward_steps(row({3, 4}), true, false)) == Values{6, 9, 7});
  CHECK(values<2>(net.forward_steps(row({3, 4}), true)) == Values{6, 9, 7});
}

TEST_CASE("continual C5: the end leaves no trace in inner modules, and none is left out", "[names]") {
  co::Module net = co::Sequential({ones(3, 1), ones(3, 1)}), other = net;
  net.forward_steps(row({1, 2, 3, 4}), true);
  other.forward_steps(row({1, 2, 3, 4}));
  CHECK(values<2>(net.forward_steps(row({5, 6}))) == values<2>(other.forward_steps(row({5, 6}))));
  // The first layer has nothing new, the second one has a tail.
  co::Module pooled = co::Sequential({co::MaxPool1d(2), ones(3, 1)});
  pooled.forward_steps(row({1, 2, 3, 4}));
  CHECK(values<2>(pooled.forward_steps(row({}), true)) == Values{6});
}

TEST_CASE("continual C6: containers have a state, and clean it", "[names]") {
  const auto yes = [](const co::Module&, const auto&) { return true; };
  for (co::Module net : {co::Sequential({ones(3), ones(3)}), co::BroadcastReduce({ones(3, 1), ones(1)}), co::Residual(ones(3, 1)),
                         co::Conditional(yes, ones(3, 1))}) {
    const Values first = steps(net, x8);
    for (const float value : x8) step(net, value);
    const auto state = net.get_state();
    REQUIRE(state.has_value());
    const Values next = values<1>(step(net, 9));
    net.set_state(state);
    CHECK(values<1>(step(net, 9)) == next);
    net.clean_state();
    CHECK(!net.get_state());
    CHECK(same(steps(net, x8), first));
  }
}

TEST_CASE("continual C7, C8: dilated pools, divisors, ends that hang over: alike in steps and as a whole", "[names]") {
  const co::Module dilated = co::AvgPool1d(2, {.stride = 1, .dilation = 3});
  CHECK(dilated.receptive_field() == 4);
  CHECK(same(steps(dilated, x8), {o, o, o, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f}));
  CHECK(whole(dilated, x8) == ended(dilated, x8));
  for (const bool include : {false, true})
    for (const bool ceil : {false, true})
      for (const Index divisor : {0, 5}) {
        const co::Module pool = co::AvgPool1d(3, {.stride = 2, .padding = 1, .ceil_mode = ceil, .count_include_pad = include, .divisor_override = divisor});
        CHECK(whole(pool, x8) == ended(pool, x8));
      }
  // The divisor stands for time and space together.
  co::Module space = co::AvgPool2d({2, 2}, {.stride = 1, .divisor_override = 5});
  Eigen::Tensor<float, 4> video(1, 2, 1, 2);
  video.setConstant(5);
  CHECK(values<4>(space.forward(video)) == Values{4});
  CHECK(values<4>(space.forward_steps(video)) == Values{4});
}

TEST_CASE("continual C9, C25: virtual frames of maxima are minus infinity, of warming up zeros", "[names]") {
  const Values negative{-3, -1, -4};
  CHECK(same(steps(co::MaxPool1d(3, {.stride = 1, .padding = 1}), negative), {o, -1, -1}));
  CHECK(ended(co::MaxPool1d(3, {.stride = 1, .padding = 1}), negative) == Values{-1, -1, -1});
  CHECK(ended(co::MaxPool1d(3, {.stride = 1, .padding = 1}, TemporalFill::zeros), negative) == Values{0, -1, 0});
  CHECK(whole(co::MaxPool1d(3, {.stride = 1, .padding = 1}, TemporalFill::zeros), negative) == Values{-1, -1, -1});
  co::Module space = co::MaxPool2d({2, 2}, {.stride = 1, .padding = {1, 1}});
  Eigen::Tensor<float, 3> picture(1, 1, 1);
  picture.setConstant(-2);
  space.forward_step(picture);
  CHECK(values<3>(space.forward_step(picture)) == Values{-2, -2});
  co::Module warm = co::MaxPool1d(3, {.stride = 1});
  warm.warm_up({});
  CHECK(values<1>(step(warm, -1)) == Values{0});
  CHECK(values<1>(step(warm, -1)) == Values{0});
  CHECK(values<1>(step(warm, -1)) == Values{-1});
}

TEST_CASE("continual C10: adaptive pools have a window for steps, and take a whole signal", "[names]") {
  co::Module pool = co::AdaptiveAvgPool2d(1, 2);
  CHECK(same(steps(pool, {1, 2, 3, 4}), {o, 1.5f, 2.5f, 3.5f}));
  CHECK(whole(pool, {1, 2, 3, 4}) == Values{2.5f});
  CHECK(whole(pool, {1, 2}) == ended(pool, {1, 2}));
  CHECK(whole(co::Sequential({ones(2), co::AdaptiveMaxPool2d(1, 2), co::Multiply(10)}), {1, 2, 3, 4}) == Values{70});
  CHECK(error_of([] { co::AdaptiveAvgPool2d(1, 0); }) == "AdaptiveAvgPool2d: kernel_size = 0 in time, must be at least 1");
  // Squeeze and excitation: the one frame of a signal serves for all, in steps the window does.
  const co::Module squeezed = co::Residual(pool, "mul");
  CHECK(whole(squeezed, {1, 2, 3}) == Values{2, 4, 6});
  CHECK(same(steps(squeezed, {1, 2, 3}), {o, 1.5f, 5}));
}

TEST_CASE("continual C11: Linear goes over the channels, in steps and as a whole", "[names]") {
  co::Module net = co::Linear(support::counting({1, 2}));
  Tensor2 x(2, 3);
  x.setConstant(1.0f);
  CHECK(values<2>(net.forward(x)) == Values{3, 3, 3});
  CHECK(values<2>(net.forward_steps(x)) == Values{3, 3, 3});
  CHECK(refuses([] { co::Linear(support::counting({1, 2}), {}, -1); }, {"channel_dim = -1", "over time"}));
}

TEST_CASE("continual C12, C13: shrinking by what is missing, for any padding", "[names]") {
  CHECK(same(steps(co::Delay(2, Shrink::centered), x8), {o, o, o, o, 3, 4, 5, 6}));
  CHECK(ended(co::Delay(2, Shrink::lagging), x8) == Values{1, 2, 3, 4, 5, 6});
  // Of a kernel of 5 with a padding of 1, two frames are missing.
  const auto residual = [](Shrink shrink) { return co::Residual(ones(5, 1), "sum", shrink); };
  const Values conv{10, 15, 20, 25, 30, 26};
  for (const auto& [shrink, skip] : {std::pair(Shrink::lagging, 0), {Shrink::centered, 1}, {Shrink::leading, 2}}) {
    Values expected;
    for (std::size_t m = 0; m < 6; ++m) expected.push_back(conv[m] + x8[m + static_cast<std::size_t>(skip)]);
    CHECK(whole(residual(shrink), x8) == expected);
    CHECK(ended(residual(shrink), x8) == expected);
    CHECK(same(steps(residual(shrink), x8), {o, o, o, expected[0], expected[1], expected[2], expected[3], expected[4]}));
  }
}

TEST_CASE("continual C14: branches behind branches run in steps, and on short chunks", "[names]") {
  const auto both = [](co::Module net) { return co::BroadcastReduce({std::move(net), co::Identity()}); };
  const co::Module net = co::Sequential({both(ones(3, 1)), both(ones(5, 2))});
  Values expected = whole(net, x8);
  CHECK(expected == ended(net, x8));
  expected.resize(5);
  expected.insert(expected.begin(), 3, o);
  CHECK(same(steps(net, x8), expected));
}

TEST_CASE("continual C15: branches with strides meet", "[names]") {
  const co::Module net = co::BroadcastReduce({ones(3, 1, 2), ones(5, 2, 2)});
  CHECK(net.reach() == co::Reach{5, 2, 2, 2, 2});
  CHECK(same(steps(net, x8), {o, o, 9, o, 24, o, 40, o}));
}

TEST_CASE("continual C16: branches of layers, and without alignment, alike in steps and runs of them", "[names]") {
  const co::Module net = co::BroadcastReduce({es::Relu<float>(), ones(3, 1)}, "sum", false);
  const Values expected{3 + 2, 6 + 3, 9 + 4};
  CHECK(same(steps(net, {1, 2, 3, 4}), {o, expected[0], expected[1], expected[2]}));
  co::Module other = net;
  CHECK(values<2>(other.forward_steps(row({1, 2, 3, 4}))) == expected);
  CHECK(whole(net, {1, 2, 3}) == Values{4, 8, 8});
}

TEST_CASE("continual C17: a condition passes the end and looking ahead on, and says what it is", "[names]") {
  const auto yes = [](const co::Module&, const auto&) { return true; };
  co::Module net = co::Conditional(yes, ones(5, 2), ones(3, 1));
  CHECK(net.reach() == co::Reach{5, 1, 2, 2, 2});
  CHECK(ended(net, x8) == whole(ones(5, 2), x8));
  net.forward_steps(row({1, 2, 3}));
  const auto state = net.get_state();
  CHECK(values<2>(net.forward_steps(row({4}), true, false)) == Values{10, 10, 9});
  CHECK(net.get_state() == state);
  CHECK(co::Conditional(yes, ones(3, 0, 2), ones(1, 0, 2)).reach() == co::Reach{3, 2, 0, 2, 2});
}

TEST_CASE("continual C18: call modes nest", "[names]") {
  co::Module net = co::Sequential({ones(1)});
  const co::call_mode steps_mode(co::CallMode::forward_steps);
  { const co::call_mode inner(co::CallMode::forward); }
  net(row({1, 2}));
  CHECK(net.get_state()->frames_seen() == 2);
}

TEST_CASE("continual C24: norms over time are refused, over frames the same everywhere", "[names]") {
  CHECK(error_of([] { co::continual(es::GroupNorm<float>(1, 2)); }) != "");
  es::ModuleSpec norm{"GroupNorm", "", {{"num_groups", 1}, {"num_channels", 2}, {"affine", false}}, {}};
  CHECK(refuses([&] { co::continual(norm, {}); }, {"runs over whole windows only"}));
  const es::Weights<float> one({2}, {1, 1}), zero({2}, {0, 0});
  Tensor3 x(2, 3, 4);
  x.setRandom();
  for (co::Module net : {co::GroupNorm(1, one, zero), co::LayerNorm(one, zero), co::BatchNorm1d(zero, one), co::BatchNorm3d(zero, one, one, one)})
    CHECK(values<3>(net.forward_steps(x)) == values<3>(net.forward(x)));
}

TEST_CASE("continual C27: what is converted stays what it was, and both directions are refused", "[names]") {
  const es::Conv1d<float> layer = support::counting_conv(3);
  const std::uint64_t before = layer.fingerprint();
  co::Module net = co::continual(layer);
  steps(net, x8);
  CHECK(layer.fingerprint() == before);
  const es::WeightMap weights{{"weight_ih_l0", support::counting({3, 1})}, {"weight_hh_l0", support::counting({3, 1})}};
  es::WeightMap both = weights;
  both["weight_ih_l0_reverse"] = weights.at("weight_ih_l0");
  both["weight_hh_l0_reverse"] = weights.at("weight_hh_l0");
  CHECK(refuses([&] { co::GRU(both); }, {"GRU: \"weight_hh_l0_reverse\" runs backwards"}));
  const es::ModuleSpec spec{"GRU", "", {{"input_size", 1}, {"hidden_size", 1}, {"bias", false}, {"bidirectional", true}}, {}};
  CHECK(refuses([&] { co::continual(spec, both); }, {"both directions"}));
  CHECK(whole(co::build_from(spec, weights, {{"bidirectional", false}}), {1, 2}) == whole(co::GRU(weights), {1, 2}));
  CHECK(refuses([&] { co::LSTM(weights); }, {"LSTM: weight_hh has shape (3,1)"}));
  CHECK(refuses([&] { co::RNN({{"weight_ih_l1", {{1, 1}, {1}}}}); }, {"RNN: of 1 tensors, 0 belong to 0 layers"}));
  CHECK(whole(co::RNN({{"weight_ih_l0", {{1, 1}, {1}}}, {"weight_hh_l0", {{1, 1}, {0}}}}, "relu"), {-1, 2}) == Values{0, 2});
}

TEST_CASE("continual C28: a smaller batch is not spread over a larger one", "[names]") {
  for (co::Module net : {ones(3), co::AvgPool1d(2)}) {
    net.forward_step(Tensor2(Tensor2(1, 4).setConstant(1.0f)));
    CHECK(error_of([&] { net.forward_step(Tensor2(Tensor2(1, 2).setConstant(1.0f))); }).find("batch of 4") != std::string::npos);
  }
}
