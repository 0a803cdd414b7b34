#include "eigenstream/layer/cumulative_norm.hpp"

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::CumulativeNorm;
using es::Index;
using es::Weights;
using support::error_of;

TEMPLATE_TEST_CASE("CumulativeNorm: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  const Index channels = GENERATE(2, 3, 17), batch = GENERATE(1, 2);
  support::check_contract(CumulativeNorm<T>(channels), batch, {.channels = channels});
  support::check_contract(CumulativeNorm<T>(channels), batch,
                          {.channels = channels, .light = true, .width = 3, .height = 2, .columns = false});
}

TEMPLATE_TEST_CASE("CumulativeNorm: the statistics of all numbers so far", "[layer]", float, double) {
  using T = TestType;
  support::Random random(2);
  const auto x = support::random_tensor<T>(random, 5, 2, 40);
  const Weights<T> weight({5}, {T(1), T(2), T(-1), T(0.5), T(3)}), bias({5}, {T(0), T(1), T(2), T(-1), T(0.25)});
  const auto y = support::offline(CumulativeNorm<T>(weight, bias, 1e-3), x);
  support::Signal<double> expected(5, 2, 40);
  for (Index b = 0; b < 2; ++b)
    for (Index t = 0; t < 40; ++t) {
      const double count = 5.0 * static_cast<double>(t + 1);
      double mean = 0, variance = 0;
      for (Index s = 0; s <= t; ++s)
        for (Index c = 0; c < 5; ++c) mean += static_cast<double>(x(c, b, s)) / count;
      for (Index s = 0; s <= t; ++s)
        for (Index c = 0; c < 5; ++c) variance += std::pow(static_cast<double>(x(c, b, s)) - mean, 2) / count;
      for (Index c = 0; c < 5; ++c)
        expected(c, b, t) = (static_cast<double>(x(c, b, t)) - mean) / std::sqrt(variance + 1e-3) * static_cast<double>(weight(c)) +
                            static_cast<double>(bias(c));
    }
  CHECK(support::difference(y, expected) < support::tolerance<T>);
}

TEST_CASE("CumulativeNorm: a long signal that never varies gives the bias", "[layer]") {
  const auto y = support::offline(CumulativeNorm<float>(Weights<float>({1}, {2}), Weights<float>({1}, {0.5f})), [] {
    support::Signal<float> x(1, 1, 5000);
    x.setConstant(0.1f);
    return x;
  }());
  for (Index t = 0; t < 5000; ++t) REQUIRE(y(0, 0, t) == Approx(0.5).margin(1e-2));
}

TEST_CASE("CumulativeNorm: what is impossible is refused", "[layer][errors]") {
  CHECK_THAT(error_of([] { CumulativeNorm<float>(0); }), Contains("CumulativeNorm: channels = 0"));
  CHECK_THAT(error_of([] { CumulativeNorm<float>(2, -1.0); }), Contains("CumulativeNorm: eps = -1"));
  CHECK_THAT(error_of([] { CumulativeNorm<float>(Weights<float>({2}, {1, 1}), {}); }), Contains("come together or not at all"));
  CHECK_THAT(error_of([] {
               CumulativeNorm<float>(Weights<float>({2}, {1, 1}), Weights<float>({1}, {1}));
             }),
             Contains("bias has shape (1), expected (2)"));
  CHECK_THAT(error_of([] { CumulativeNorm<float>(2).facts({.channels = 3}); }),
             Contains("CumulativeNorm: takes 2 channels, not 3"));
}
