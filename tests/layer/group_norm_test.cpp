#include "eigenstream/layer/group_norm.hpp"

#include "eigenstream/compose/each_frame.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/space.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::GroupNorm;
using es::Index;
using support::error_of;

namespace {

template <class T>
Eigen::Tensor<double, 2> naive(const Eigen::Tensor<T, 2>& x, Index groups, const es::Weights<T>& weight,
                               const es::Weights<T>& bias, double eps) {
  const Index channels = x.dimension(0), frames = x.dimension(1), members = channels / groups;
  Eigen::Tensor<double, 2> y(channels, frames);
  for (Index g = 0; g < groups; ++g) {
    double mean = 0, var = 0;
    const double n = static_cast<double>(members * frames);
    for (Index c = g * members; c < (g + 1) * members; ++c)
      for (Index t = 0; t < frames; ++t) mean += static_cast<double>(x(c, t)) / n;
    for (Index c = g * members; c < (g + 1) * members; ++c)
      for (Index t = 0; t < frames; ++t) var += std::pow(static_cast<double>(x(c, t)) - mean, 2) / n;
    for (Index c = g * members; c < (g + 1) * members; ++c)
      for (Index t = 0; t < frames; ++t)
        y(c, t) = (static_cast<double>(x(c, t)) - mean) / std::sqrt(var + eps) *
                      (weight.empty() ? 1 : static_cast<double>(weight(c))) +
                  (bias.empty() ? 0 : static_cast<double>(bias(c)));
  }
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("GroupNorm: the definition", "[layer]", float, double) {
  using T = TestType;
  const auto [groups, channels] =
      GENERATE(table<Index, Index>({{1, 1}, {1, 3}, {3, 3}, {2, 6}, {4, 16}, {16, 16}, {1, 40}, {5, 35}, {3, 48}}));
  const bool affine = GENERATE(false, true);
  INFO(groups << " groups of " << channels << " channels");
  support::Random random(3);
  const auto weight = affine ? support::random_weights<T>({channels}, random) : es::Weights<T>();
  const auto bias = affine ? support::random_weights<T>({channels}, random) : es::Weights<T>();
  const GroupNorm<T> layer(groups, channels, weight, bias, 1e-5);
  for (const Index frames : {1, 2, 3, 7, 16, 100, 1000}) {
    if (channels / groups * frames == 1) continue;  // nothing but rounding is left
    auto x = support::random_tensor<T>(random, channels, frames);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] += T(3);  // a mean to be taken away
    support::check_window(layer, x, naive(x, groups, weight, bias, 1e-5), 3 * support::tolerance<T>);
  }
}

TEST_CASE("GroupNorm: long windows with a large mean lose nothing", "[layer]") {
  const GroupNorm<float> layer(2, 4);
  support::Random random(3);
  auto x = support::random_tensor<float>(random, 4, 100000);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] += 100.0f;
  support::check_window(layer, x, naive(x, 2, {}, {}, 1e-5), 2e-5);  // a step of float at 100 is 7.6e-6
}

TEST_CASE("GroupNorm: instance_norm is a group for each channel", "[layer]") {
  support::Random random(3);
  const auto x = support::random_tensor<float>(random, 5, 30);
  support::check_window(es::instance_norm<float>(5), x, naive(x, 5, {}, {}, 1e-5), 1e-5);
  const auto weight = support::random_weights<float>({5}, random), bias = support::random_weights<float>({5}, random);
  support::check_window(es::instance_norm(weight, bias), x, naive(x, 5, weight, bias, 1e-5), 1e-5);
}

TEST_CASE("GroupNorm: a window of equal numbers becomes the bias", "[layer]") {
  const GroupNorm<float> layer(1, 2);
  Eigen::Tensor<float, 2> x(2, 9);
  x.setConstant(0.3f);
  Eigen::Tensor<double, 2> zero(2, 9);
  zero.setZero();
  support::check_window(layer, x, zero, 1e-4);
}

TEST_CASE("GroupNorm: any chunking of a stream of windows gives the offline output", "[layer][property]") {
  support::Random random(3);
  const auto weight = support::random_weights<float>({6}, random), bias = support::random_weights<float>({6}, random);
  const GroupNorm<float> norm(3, weight, bias);
  support::check_contract(es::Windowed(norm, 12, 5), 2);
  support::check_contract(es::each_frame(norm), 2, {.width = 5, .height = 3});
}

TEST_CASE("GroupNorm: what does not add up is an error that names it", "[layer]") {
  using G = GroupNorm<float>;
  CHECK_THAT(error_of([] { G(0, 4); }), Contains("num_groups = 0"));
  CHECK_THAT(error_of([] { G(3, 4); }), Contains("num_groups = 3 does not divide 4"));
  CHECK_THAT(error_of([] { G(1, 0); }), Contains("num_channels = 0"));
  CHECK_THAT(error_of([] { G(1, 4, -1); }), Contains("eps = -1"));
  support::Random random(3);
  const auto weight = support::random_weights<float>({4}, random), bias = support::random_weights<float>({3}, random);
  CHECK_THAT(error_of([&] { G(2, weight, bias); }), Contains("bias has shape (3), expected (4)"));
  CHECK_THAT(error_of([] { return G(2, 4).facts({3, 10}); }), Contains("takes 4 channels, not 3"));
}

TEMPLATE_TEST_CASE("SpaceNorm: the definition", "[layer]", float, double) {
  using T = TestType;
  const es::FrameShape shape = GENERATE(es::FrameShape{1, 5}, es::FrameShape{3, 7, 2}, es::FrameShape{16, 4, 4}, es::FrameShape{5, 33, 1, 2},
                                        es::FrameShape{17, 3, 2, 3});
  const bool over_channels = GENERATE(false, true), affine = GENERATE(false, true);
  INFO(shape.text());
  support::Random random(3);
  const Index c = shape.channels, w = shape.width, h = shape.height;
  const auto weight = affine ? support::random_weights<T>({c, h, w}, random) : es::Weights<T>();
  const auto bias = affine ? support::random_weights<T>({c, h, w}, random) : es::Weights<T>();
  const es::SpaceNorm<T> norm(shape, over_channels, weight, bias, 1e-3);
  support::Video<T> x(shape, 3, random);
  for (T& value : x.values) value += T(2);  // a mean to be taken away
  const support::Video<T> y = support::offline(norm, x);
  CHECK(support::difference(y, [&](Index o, Index column, Index row, Index b, Index t) {
    double n = 0, mean = 0, var = 0;
    const auto each = [&](auto&& f) {
      for (Index i = over_channels ? 0 : o; i < (over_channels ? c : o + 1); ++i)
        for (Index q = 0; q < h; ++q)
          for (Index p = 0; p < w; ++p) f(static_cast<double>(x(i, p, q, b, t)));
    };
    each([&](double value) { mean += value, n += 1; });
    mean /= n;
    each([&](double value) { var += (value - mean) * (value - mean) / n; });
    const double plain = (static_cast<double>(x(o, column, row, b, t)) - mean) / std::sqrt(var + 1e-3);
    return affine ? plain * static_cast<double>(weight(o, row, column)) + static_cast<double>(bias(o, row, column)) : plain;
  }) < 5 * support::tolerance<T>);
}

TEST_CASE("SpaceNorm: any chunking gives the offline output", "[layer][property]") {
  support::Random random(3);
  const auto weight = support::random_weights<float>({3, 2, 5}, random), bias = support::random_weights<float>({3, 2, 5}, random);
  support::check_contract(es::SpaceNorm<float>({3, 5, 2}, false, weight, bias), 2, {.width = 5, .height = 2});
  support::check_contract(es::SpaceNorm<float>({3, 5, 2}, true), 1, {.width = 5, .height = 2});
  CHECK(es::SpaceNorm<float>({3, 5, 2}).wanted() == es::FrameShape{3, 5, 2, 0});
}

TEST_CASE("SpaceNorm: what does not add up is an error that names it", "[layer]") {
  using N = es::SpaceNorm<float>;
  support::Random random(3);
  const auto weight = support::random_weights<float>({3, 5, 2}, random);
  CHECK_THAT(error_of([] { N({3, 0}); }), Contains("SpaceNorm: frames of"));
  CHECK_THAT(error_of([&] { N({3, 5, 2}, false, weight); }), Contains("weight has shape (3,5,2), expected (3,2,5)"));
  CHECK_THAT(error_of([] { return N({3, 5}).facts({2, 5}); }), Contains("takes 3 channels, not 2"));
  CHECK_THAT(error_of([] { return N({3, 5}).facts({3, 4}); }), Contains("width 5 and height 1, not 4 and 1"));
}
