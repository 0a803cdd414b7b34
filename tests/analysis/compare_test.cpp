#include "eigenstream/analysis/compare.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"

namespace es = eigenstream;

TEST_CASE("first_difference: compares bits, not numbers", "[analysis]") {
  const float nan = std::nanf(""), zero[] = {0, nan}, negative[] = {-0.0f, nan};
  CHECK(es::first_difference(zero, negative, 2) == 0);
  CHECK(es::first_difference(zero, zero, 2) == 2);
  CHECK(es::first_difference(zero, negative, 0) == 0);
}

TEST_CASE("first_difference: with a tolerance, compares numbers", "[analysis]") {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const auto close = [](double a, double b, es::Tolerance tolerance) {
    return es::first_difference(&a, &b, 1, tolerance) == 1;
  };
  const es::Tolerance relative{.relative = 0.01}, absolute{.absolute = 0.5};
  CHECK(close(101, 100, relative));
  CHECK(!close(101.1, 100, relative));
  CHECK(!close(0.1, 0, relative));
  CHECK(close(0.5, 0, absolute));
  CHECK(!close(0.51, 0, absolute));
  CHECK(close(0.0, -0.0, relative));
  CHECK(close(inf, inf, absolute));
  CHECK(!close(inf, -inf, absolute));
  CHECK(!close(1, inf, relative));
  CHECK(!close(inf, 1, relative));
  CHECK(close(nan, -nan, absolute));
  CHECK(!close(nan, 1, absolute));
  CHECK(!close(1, nan, absolute));
}

TEST_CASE("distance: between numbers, infinities and NaN", "[analysis]") {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(es::detail::distance(1.0f, 3.0f) == 2);
  CHECK(es::detail::distance(inf, inf) == 0);
  CHECK(es::detail::distance(nan, nan) == 0);
  CHECK(std::isinf(es::detail::distance(nan, 1.0f)));
  CHECK(std::isinf(es::detail::distance(inf, 1.0f)));
}
