#include "eigenstream/window/window_net.hpp"

#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/window/adaptive_pool1d.hpp"
#include "eigenstream/window/group_norm.hpp"
#include "eigenstream/window/rearrange.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Reduce;
using es::WindowShape;
using Net = es::WindowNet<float>;
using Tensor = Eigen::Tensor<float, 2>;
using support::error_of;

namespace {

Tensor run(const Net& net, const Tensor& x) { return support::run_window(net, x); }

bool equal(const Tensor& a, const Tensor& b) {
  return a.dimensions() == b.dimensions() && std::equal(a.data(), a.data() + a.size(), b.data());
}

Tensor window(Index channels, Index frames, std::uint64_t seed = 1) {
  support::Random random(seed);
  return support::random_tensor<float>(random, channels, frames);
}

auto conv(Index in, Index out, Index taps, es::Conv1dOptions options = {}) {
  return support::random_conv<es::Conv1d<float>>(in, out, taps, options, true, static_cast<std::uint64_t>(out));
}

// y = op(a, b) by the rule for joins, number by number.
Tensor naive_join(Reduce op, const Tensor& a, const Tensor& b) {
  const bool concat = op == Reduce::concat;
  const Index frames = a.dimension(1) == 1   ? b.dimension(1)
                       : b.dimension(1) == 1 ? a.dimension(1)
                                             : std::min(a.dimension(1), b.dimension(1));
  const auto at = [&](const Tensor& x, Index c, Index t) {
    return x(x.dimension(0) == 1 ? 0 : c, x.dimension(1) == 1 && frames > 1 ? 0 : t + (x.dimension(1) - frames) / 2);
  };
  Tensor y(concat ? a.dimension(0) + b.dimension(0) : std::max(a.dimension(0), b.dimension(0)), frames);
  for (Index t = 0; t < frames; ++t)
    for (Index c = 0; c < y.dimension(0); ++c) {
      if (concat) {
        y(c, t) = c < a.dimension(0) ? at(a, c, t) : at(b, c - a.dimension(0), t);
        continue;
      }
      const float p = at(a, c, t), q = at(b, c, t);
      switch (op) {
        case Reduce::sum:
          y(c, t) = p + q;
          break;
        case Reduce::mean:
          y(c, t) = (p + q) / 2;
          break;
        case Reduce::product:
          y(c, t) = p * q;
          break;
        case Reduce::max:
          y(c, t) = std::max(p, q);
          break;
        case Reduce::min:
          y(c, t) = std::min(p, q);
          break;
        case Reduce::difference:
          y(c, t) = p - q;
          break;
        case Reduce::quotient:
          y(c, t) = p / q;
          break;
        case Reduce::concat:
          break;
      }
    }
  return y;
}

}  // namespace

TEST_CASE("WindowNet: layers one after the other", "[window]") {
  const auto first = conv(3, 8, 3, {.padding = 1}), second = conv(8, 4, 4, {.stride = 2});
  const es::GroupNorm<float> norm(2, 8);
  const Net net{first, norm, es::Relu<float>(), second, es::AdaptiveAvgPool1d<float>(2)};
  CHECK(net.in_channels() == 3);
  CHECK(net.parameters() == first.parameters() + second.parameters());
  const Tensor x = window(3, 50);
  Tensor y = x;
  for (const Net& step :
       {Net(first), Net(norm), Net(es::Relu<float>()), Net(second), Net(es::AdaptiveAvgPool1d<float>(2))})
    y = run(step, y);
  CHECK(equal(run(net, x), y));
  CHECK(y.dimensions() == Eigen::DSizes<Index, 2>(4, 2));
  // Nested and flat are the same network.
  const Net nested{first, Net{norm, es::Relu<float>()}, Net{}, Net{Net{second}, es::AdaptiveAvgPool1d<float>(2)}};
  CHECK(nested.fingerprint() == net.fingerprint());
  CHECK(equal(run(nested, x), y));
}

TEST_CASE("WindowNet: an empty network gives back its input", "[window]") {
  const Tensor x = window(2, 5);
  CHECK(equal(run({}, x), x));
  CHECK(Net().in_channels() == es::Dynamic);
}

TEST_CASE("WindowNet: every join, every kind of operand", "[window]") {
  const Reduce op = GENERATE(Reduce::sum, Reduce::mean, Reduce::product, Reduce::max, Reduce::min, Reduce::difference,
                             Reduce::quotient, Reduce::concat);
  INFO(es::name_of(op));
  const Tensor x = window(5, 20);
  const Net full = conv(5, 5, 3, {.padding = 1}), shorter = conv(5, 5, 4), one_channel = conv(5, 1, 1),
            one_frame{conv(5, 5, 1), es::AdaptiveAvgPool1d<float>(1)},
            single{conv(5, 1, 1), es::AdaptiveMaxPool1d<float>(1)};
  for (const Net& a : {full, shorter, one_channel, one_frame, single})
    for (const Net& b : {full, shorter, one_channel, one_frame, single})
      CHECK(equal(run(Net::parallel(op, {a, b}), x), naive_join(op, run(a, x), run(b, x))));
}

TEST_CASE("WindowNet: a residual, a gate over all channels, and values that are used again", "[window]") {
  const Tensor x = window(6, 30);
  const Net body{conv(6, 6, 3, {.padding = 1}), es::GroupNorm<float>(3, 6), es::Silu<float>()};
  CHECK(equal(run(Net::residual(body), x), naive_join(Reduce::sum, run(body, x), x)));

  // Squeeze and excitation: each channel times what the whole window says of it.
  const Net squeeze{es::AdaptiveAvgPool1d<float>(1), support::random_linear<float>(6, 2), es::Relu<float>(),
                    support::random_linear<float>(2, 6), es::Sigmoid<float>()};
  Net net;
  const auto inside = net.add(body, net.input());
  const auto gated = net.reduce(Reduce::product, {inside, net.add(squeeze, inside)});
  net.reduce(Reduce::sum, {gated, net.input(), inside});
  const Tensor y = run(body, x);
  const Tensor z = naive_join(Reduce::product, y, run(squeeze, y));
  CHECK(equal(run(net, x), naive_join(Reduce::sum, naive_join(Reduce::sum, z, x), y)));
  // The whole once more, as a part of another network, twice.
  const Net twice{net, net};
  CHECK(equal(run(twice, x), run(net, run(net, x))));
  Net own = net;
  own.add(own, own.output());
  CHECK(equal(run(own, x), run(twice, x)));
}

TEST_CASE("WindowNet: scratch memory is used again", "[window]") {
  Net deep;
  for (int i = 0; i < 50; ++i) deep.add(conv(4, 4, 3, {.padding = 1}), deep.output());
  const Net::Plan plan(deep, {4, 1000});
  CHECK(plan.scratch_bytes() < 4 * 4 * 1000 * static_cast<Index>(sizeof(float)));
  // Elementwise layers work where the numbers are.
  const Net::Plan one(Net{conv(4, 4, 3), es::Relu<float>(), conv(4, 4, 1)}, {4, 1000});
  const Net::Plan two(Net{conv(4, 4, 3), conv(4, 4, 1)}, {4, 1000});
  CHECK(one.scratch_bytes() == two.scratch_bytes());
}

TEST_CASE("WindowNet: what does not fit is an error that says so", "[window]") {
  const auto plan = [](const Net& net, WindowShape in) { return error_of([&] { Net::Plan(net, in); }); };
  CHECK_THAT(plan(conv(3, 8, 3), {4, 10}), Contains("takes 3 channels, not 4"));
  CHECK_THAT(plan(conv(3, 8, 3), {3, 2}), Contains("a window of 2 frames is too short"));
  CHECK_THAT(plan(Net::parallel(Reduce::sum, {conv(6, 2, 1), conv(6, 3, 1)}), {6, 5}),
             Contains("sum of windows with 2 and 3 channels"));
  CHECK_THAT(error_of([] { Net::parallel(Reduce::sum, {}); }), Contains("nothing to join"));
  Net unused;
  unused.add(es::Relu<float>(), unused.input());
  unused.add(es::Relu<float>(), unused.input());
  CHECK_THAT(plan(unused, {1, 1}), Contains("value 1 is used by none"));
  CHECK_THAT(error_of([&] { unused.add(es::Relu<float>(), {7}); }), Contains("there is no value 7"));
}
