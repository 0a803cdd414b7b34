#include "eigenstream/layer/magnitude.hpp"

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Magnitude;
using support::error_of;

TEMPLATE_TEST_CASE("Magnitude: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index power = GENERATE(1, 2), channels = GENERATE(2, 6, 34), batch = GENERATE(1, 2);
  support::check_contract(Magnitude<TestType>(power), batch, {.channels = channels});
  support::check_contract(Magnitude<TestType>(power), batch, {.channels = channels, .light = true, .width = 5, .height = 3});
}

TEMPLATE_TEST_CASE("Magnitude: the absolute values of pairs", "[layer]", float, double) {
  using T = TestType;
  support::Random random(2);
  const Index power = GENERATE(1, 2);
  for (const Index frames : {1, 2, 7, 40}) {
    const auto x = support::random_tensor<T>(random, 6, 2, frames);
    const auto y = support::offline(Magnitude<T>(power), x);
    support::Signal<double> expected(3, 2, frames);
    for (Index t = 0; t < frames; ++t)
      for (Index b = 0; b < 2; ++b)
        for (Index c = 0; c < 3; ++c) {
          const double re = static_cast<double>(x(2 * c, b, t)), im = static_cast<double>(x(2 * c + 1, b, t));
          expected(c, b, t) = power == 2 ? re * re + im * im : std::hypot(re, im);
        }
    CHECK(support::difference(y, expected) < support::tolerance<T>);
  }
}

TEST_CASE("Magnitude: what is impossible is refused", "[layer][errors]") {
  CHECK_THAT(error_of([] { Magnitude<float>(3); }), Contains("Magnitude: power = 3, must be 1 or 2"));
  CHECK_THAT(error_of([] { Magnitude<float>().facts({.channels = 3}); }),
             Contains("Magnitude: takes pairs of real and imaginary parts, not 3"));
}
