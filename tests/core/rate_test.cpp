#include "eigenstream/core/rate.hpp"

#include <cmath>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;
using es::Rate;

TEST_CASE("floor_div and ceil_div round as they say", "[core]") {
  for (Index a = -20; a <= 20; ++a)
    for (Index b = 1; b <= 7; ++b) {
      CHECK(es::floor_div(a, b) == static_cast<Index>(std::floor(static_cast<double>(a) / static_cast<double>(b))));
      CHECK(es::ceil_div(a, b) == static_cast<Index>(std::ceil(static_cast<double>(a) / static_cast<double>(b))));
    }
}

TEST_CASE("Rate: in lowest terms", "[core]") {
  CHECK(Rate::of(4, 6) == Rate{2, 3});
  CHECK(Rate::of(4, 6) * Rate::of(3, 2) == Rate{1, 1});
  CHECK(Rate::of(3, 2).value() == 1.5);
}
