#include "eigenstream/layer/join.hpp"

#include "eigenstream/compose/along.hpp"
#include "eigenstream/compose/each_frame.hpp"
#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/adaptive_pool.hpp"
#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::FrameShape;
using es::Index;
using es::Reduce;
using Net = es::AnyLayer<float>;
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

auto small_conv(Index in, Index out, Index taps, es::Conv1dOptions options = {}) {
  return es::along(
      support::random_conv<es::Conv1d<float>>(in, out, taps, options, true, static_cast<std::uint64_t>(out)));
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
        case Reduce::greater:
          y(c, t) = p > q ? 1.0f : 0.0f;
          break;
        case Reduce::where:
          y(c, t) = q != 0 ? p : 0.0f;
          break;
        default:
          break;
      }
    }
  return y;
}

}  // namespace

TEST_CASE("joined_shape: an extent of 1 serves for all, the shortest decides otherwise", "[layer]") {
  const auto both = [](Reduce op, FrameShape a, FrameShape b) {
    return es::joined_shape(op, es::joined_shape(op, FrameShape::any(), a), b);
  };
  CHECK(both(Reduce::sum, {3, 5, 4, 2}, {3, 7, 1, 2}) == FrameShape{3, 5, 4, 2});
  CHECK(both(Reduce::product, {1, 1, 6, 2}, {4, 3, 2, 2}) == FrameShape{4, 3, 2, 2});
  CHECK(both(Reduce::concat, {3, 5, 1, 1}, {4, 1, 1, 1}) == FrameShape{7, 5, 1, 1});
  CHECK_THAT(error_of([&] { both(Reduce::sum, {2}, {3}); }), Contains("sum of 2 and 3 channels"));
  CHECK_THAT(error_of([&] { both(Reduce::sum, {2, 1, 1, 1}, {2, 1, 1, 3}); }), Contains("batches of 1 and 3"));
}

TEST_CASE("joins: every operation, every kind of operand over a window", "[layer]") {
  const Reduce op = GENERATE(Reduce::sum, Reduce::mean, Reduce::product, Reduce::max, Reduce::min, Reduce::difference,
                             Reduce::quotient, Reduce::concat, Reduce::greater, Reduce::where);
  INFO(es::name_of(op));
  const Tensor x = window(5, 20);
  const Net full = small_conv(5, 5, 3, {.padding = 1}), shorter = small_conv(5, 5, 4), one_channel = small_conv(5, 1, 1),
            one_frame = es::sequential(small_conv(5, 5, 1), es::AdaptiveAvgPool1d<float>(1)),
            single = es::sequential(small_conv(5, 1, 1), es::AdaptiveMaxPool1d<float>(1));
  for (const Net& a : {full, shorter, one_channel, one_frame, single})
    for (const Net& b : {full, shorter, one_channel, one_frame, single})
      CHECK(equal(run(es::parallel(op, a, b), x), naive_join(op, run(a, x), run(b, x))));
}

TEST_CASE("joins: three operands of different extents, and both axes of space", "[layer]") {
  const Reduce op = GENERATE(Reduce::sum, Reduce::mean, Reduce::max, Reduce::concat);
  const Net narrow = es::each_frame(es::AdaptiveAvgPool1d<float>(1)), wide = es::each_frame(es::AdaptiveMaxPool1d<float>(7));
  support::check_contract(es::parallel(op, es::Identity<float>(), Net(narrow), Net(wide)), 2,
                          {.channels = 3, .exact = false, .light = true, .width = 5, .height = 2});
}

TEST_CASE("joins: a residual, a gate over all channels, and values that are used again", "[layer]") {
  const Tensor x = window(6, 30);
  const auto body = es::sequential(small_conv(6, 6, 3, {.padding = 1}), es::GroupNorm<float>(3, 6), es::Silu<float>());
  CHECK(equal(run(es::residual(body), x), naive_join(Reduce::sum, run(body, x), x)));

  // Squeeze and excitation: each channel times what the whole window says of it.
  const auto squeeze = es::sequential(es::AdaptiveAvgPool1d<float>(1), support::random_linear<float>(6, 2),
                                      es::Relu<float>(), support::random_linear<float>(2, 6), es::Sigmoid<float>());
  es::GraphBuilder<float> graph;
  const auto inside = graph.add(body, graph.input());
  const auto gated = graph.reduce(Reduce::product, {inside, graph.add(squeeze, inside)});
  const Net net = graph.build(graph.reduce(Reduce::sum, {gated, graph.input(), inside}));
  const Tensor y = run(body, x);
  const Tensor z = naive_join(Reduce::product, y, run(squeeze, y));
  CHECK(equal(run(net, x), naive_join(Reduce::sum, naive_join(Reduce::sum, z, x), y)));
  // The whole twice.
  CHECK(equal(run(es::sequential(net, net), x), run(net, run(net, x))));
}

TEST_CASE("Residual: what is not of its input's shape is an error with both", "[layer]") {
  const auto message = error_of([] { return es::residual(small_conv(6, 6, 3)).facts({6, 30}); });
  CHECK_THAT(message, Contains("frames of 6 channels, width 30 and a batch of 1"));
  CHECK_THAT(message, Contains("into 6 channels, width 28 and a batch of 1"));
}

TEST_CASE("Join: too few operands, or too many, are errors", "[layer][error]") {
  CHECK(error_of([] { es::Join<float>(Reduce::sum, 1); }) == "Reduce: 1 operands, must be at least 2");
  CHECK(error_of([] { es::Join<float>(Reduce::difference, 3); }) == "Reduce: 3 operands for a difference, must be 2");
  CHECK(error_of([] { es::Stream(es::AnyLayer<float>(es::Join<float>(Reduce::sum, 2)), {.channels = 3}); }) ==
        "a layer of 2 inputs is given 1");
  CHECK_THAT(error_of([] { es::AnySequential<float>({es::Join<float>(Reduce::sum, 2)}); }),
             Contains("Sequential: a layer of 2 inputs"));
}
