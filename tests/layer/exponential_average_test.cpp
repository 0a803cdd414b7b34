#include "eigenstream/layer/exponential_average.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::ExponentialAverage;
using es::Index;
using es::Weights;
using support::error_of;

TEMPLATE_TEST_CASE("ExponentialAverage: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  const Index channels = GENERATE(1, 3, 17), batch = GENERATE(1, 2);
  support::check_contract(ExponentialAverage<T>(0.97), batch, {.channels = channels});
  std::vector<T> initial(static_cast<std::size_t>(channels), T(0.5));
  support::check_contract(ExponentialAverage<T>(0.97, Weights<T>({channels}, initial)), batch, {.light = true});
  support::check_contract(ExponentialAverage<T>(0.97), batch, {.channels = channels, .light = true, .width = 3, .height = 2});
}

TEMPLATE_TEST_CASE("ExponentialAverage: frame by frame", "[layer]", float, double) {
  using T = TestType;
  support::Random random(2);
  const auto x = support::random_tensor<T>(random, 3, 2, 200);
  const auto factor = GENERATE(0.0, 0.3, 0.99, 1.0);
  const Weights<T> initial({3}, {T(1), T(-2), T(0.5)});
  const auto y = support::offline(ExponentialAverage<T>(factor, initial), x);
  support::Signal<double> expected(3, 2, 200);
  for (Index c = 0; c < 3; ++c)
    for (Index b = 0; b < 2; ++b) {
      double last = static_cast<double>(initial(c));
      for (Index t = 0; t < 200; ++t) expected(c, b, t) = last = factor * last + (1 - factor) * static_cast<double>(x(c, b, t));
    }
  CHECK(support::difference(y, expected) < support::tolerance<T>);
}

TEST_CASE("ExponentialAverage: what is impossible is refused", "[layer][errors]") {
  CHECK_THAT(error_of([] { ExponentialAverage<float>(1.5); }), Contains("ExponentialAverage: factor = 1.5, must be from 0 to 1"));
  CHECK_THAT(error_of([] { ExponentialAverage<float>(std::numeric_limits<double>::quiet_NaN()); }), Contains("factor"));
  CHECK_THAT(error_of([] { ExponentialAverage<float>(0.5, Weights<float>({1, 1}, {0})); }), Contains("initial has shape (1,1)"));
  CHECK_THAT(error_of([] { ExponentialAverage<float>(0.5, Weights<float>({1}, {std::numeric_limits<float>::infinity()})); }),
             Contains("not finite"));
  CHECK_THAT(error_of([] {
               ExponentialAverage<float>(0.5, Weights<float>({2}, {0, 0})).facts({.channels = 3});
             }),
             Contains("ExponentialAverage: takes 2 channels, not 3"));
}
