#include "eigenstream/layer/exponential_norm.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::ExponentialNorm;
using es::Index;
using es::Weights;
using support::error_of;

TEMPLATE_TEST_CASE("ExponentialNorm: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  const Index channels = GENERATE(1, 3, 17), batch = GENERATE(1, 2);
  const bool center = GENERATE(true, false), scale = GENERATE(true, false);
  if (!center && !scale) return;
  support::check_contract(ExponentialNorm<T>({.factor = 0.97, .center = center, .scale = scale}), batch,
                          {.channels = channels, .light = !scale});
  const std::vector<T> ones(static_cast<std::size_t>(channels), T(1));
  support::check_contract(
      ExponentialNorm<T>(
          {.factor = 0.97, .center = center, .scale = scale, .mean = {{channels}, ones}, .variance = {{channels}, ones}}),
      batch, {.light = true});
}

TEMPLATE_TEST_CASE("ExponentialNorm: the weighted mean and variance of all that has been", "[layer]", float, double) {
  using T = TestType;
  support::Random random(2);
  const auto x = support::random_tensor<T>(random, 2, 2, 60);
  constexpr double factor = 0.8, eps = 1e-3;
  const Weights<T> mean({2}, {T(0.5), T(-1)}), variance({2}, {T(2), T(0.25)});
  const bool center = GENERATE(true, false), scale = GENERATE(true, false);
  if (!center && !scale) return;
  const auto y = support::offline(
      ExponentialNorm<T>({.factor = factor, .center = center, .scale = scale, .eps = eps, .mean = mean, .variance = variance}), x);
  support::Signal<double> expected(2, 2, 60);
  for (Index c = 0; c < 2; ++c)
    for (Index b = 0; b < 2; ++b)
      for (Index t = 0; t < 60; ++t) {
        // What was before weighs factor^(t+1), frame s weighs (1 - factor) factor^(t-s).
        const double before = std::pow(factor, static_cast<double>(t + 1)), first = static_cast<double>(mean(c));
        double m = before * first;
        for (Index s = 0; s <= t; ++s)
          m += (1 - factor) * std::pow(factor, static_cast<double>(t - s)) * static_cast<double>(x(c, b, s));
        double v = before * (static_cast<double>(variance(c)) + (first - m) * (first - m));
        for (Index s = 0; s <= t; ++s)
          v += (1 - factor) * std::pow(factor, static_cast<double>(t - s)) * std::pow(static_cast<double>(x(c, b, s)) - m, 2);
        const double rest = static_cast<double>(x(c, b, t)) - (center ? m : 0);
        expected(c, b, t) = scale ? rest / std::sqrt(v + eps) : rest;
      }
  CHECK(support::difference(y, expected) < support::tolerance<T>);
}

TEST_CASE("ExponentialNorm: what is impossible is refused", "[layer][errors]") {
  using Options = es::ExponentialNormOptions<float>;
  const auto made = [](const Options& options) { return error_of([&] { ExponentialNorm<float>{options}; }); };
  CHECK_THAT(made({.factor = -0.1}), Contains("ExponentialNorm: factor = -0.1, must be from 0 to 1"));
  CHECK_THAT(made({.eps = -1}), Contains("ExponentialNorm: eps = -1"));
  CHECK_THAT(made({.center = false, .scale = false}), Contains("nothing to do"));
  CHECK_THAT(made({.mean = {{1, 1}, {0}}}), Contains("has shape (1,1), expected (channels)"));
  CHECK_THAT(made({.mean = {{2}, {0, 0}}, .variance = {{1}, {0}}}), Contains("2 means and 1 variances"));
  CHECK_THAT(made({.variance = {{1}, {-1}}}), Contains("variance holds -1"));
  CHECK_THAT(made({.mean = {{1}, {std::numeric_limits<float>::quiet_NaN()}}}), Contains("not finite"));
  CHECK_THAT(error_of([] {
               ExponentialNorm<float>({.mean = {{2}, {0, 0}}}).facts({.channels = 3});
             }),
             Contains("ExponentialNorm: takes 2 channels, not 3"));
}
