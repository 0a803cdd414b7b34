#include "eigenstream/kernel/elementary.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "eigenstream/kernel/map.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
namespace simd = eigenstream::simd;
using es::Index;

namespace {

/// Largest error of f against `exact` over a sweep, relative to 1 or to the exact value if that is greater.
template <class T, class F, class Exact>
double worst_error(double least, double most, F&& f, Exact&& exact) {
  double worst = 0;
  constexpr Index n = 4001;
  std::vector<T> x, y(n);
  for (Index i = 0; i < n; ++i) x.push_back(static_cast<T>(least + (most - least) * static_cast<double>(i) / (n - 1)));
  es::kernel::map_pointwise(x.data(), y.data(), n, f);
  for (Index i = 0; i < n; ++i) {
    const double expected = exact(static_cast<double>(x[static_cast<std::size_t>(i)]));
    const double error = std::abs(static_cast<double>(y[static_cast<std::size_t>(i)]) - expected);
    worst = std::max(worst, error / std::max(1.0, std::abs(expected)));
  }
  return worst;
}

template <class T, class F>
T at(T x, F&& f) {
  T y;
  es::kernel::map_pointwise(&x, &y, 1, f);
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("Packet functions: close to the standard library's in double", "[kernel]", float, double) {
  using T = TestType;
  const double few = 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
  CHECK(worst_error<T>(-20, 10, [](auto v) { return simd::exp(v); }, [](double v) { return std::exp(v); }) < few);
  CHECK(worst_error<T>(-20, 10, [](auto v) { return simd::expm1(v); }, [](double v) { return std::expm1(v); }) < few);
  CHECK(worst_error<T>(-0.9, 9, [](auto v) { return simd::log1p(v); }, [](double v) { return std::log1p(v); }) < few);
  CHECK(worst_error<T>(-12, 12, [](auto v) { return simd::tanh(v); }, [](double v) { return std::tanh(v); }) < few);
  CHECK(worst_error<T>(-6, 6, [](auto v) { return simd::erf(v); }, [](double v) { return std::erf(v); }) < few);
  CHECK(worst_error<T>(-30, 30, [](auto v) { return simd::sin(v); }, [](double v) { return std::sin(v); }) < few);
  CHECK(worst_error<T>(-30, 30, [](auto v) { return simd::cos(v); }, [](double v) { return std::cos(v); }) < few);
  CHECK(worst_error<T>(-90, 88.72, [](auto v) { return simd::exp_whole_range(v); }, [](double v) { return std::exp(v); }) < few);
  CHECK(worst_error<T>(1e-3, 50, [](auto v) { return simd::log(v); }, [](double v) { return std::log(v); }) < few);
  CHECK(worst_error<T>(0, 50, [](auto v) { return simd::sqrt(v); }, [](double v) { return std::sqrt(v); }) < few);
}

TEMPLATE_TEST_CASE("Packet functions: NaN stays NaN, limits are reached", "[kernel]", float, double) {
  using T = TestType;
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  const auto exp = [](auto v) { return simd::exp(v); };
  const auto expm1 = [](auto v) { return simd::expm1(v); };
  const auto log1p = [](auto v) { return simd::log1p(v); };
  const auto tanh = [](auto v) { return simd::tanh(v); };
  const auto erf = [](auto v) { return simd::erf(v); };
  const auto sin = [](auto v) { return simd::sin(v); };
  const auto sigmoid = [](auto v) { return simd::sigmoid(v); };
  CHECK(std::isnan(at(nan, exp)));
  CHECK(std::isnan(at(nan, expm1)));
  CHECK(std::isnan(at(nan, log1p)));
  CHECK(std::isnan(at(nan, tanh)));
  CHECK(std::isnan(at(nan, erf)));
  CHECK(std::isnan(at(nan, sin)));
  CHECK(std::isnan(at(nan, sigmoid)));
  for (const T big : {T(100), T(1e10), inf}) {
    INFO("at " << big);
    CHECK(std::abs(at(-big, exp)) < T(1e-30));
    CHECK(at(big, tanh) == T(1));
    CHECK(at(-big, tanh) == T(-1));
    CHECK(at(big, erf) == T(1));
    CHECK(at(-big, erf) == T(-1));
    CHECK(at(-big, expm1) == T(-1));
    CHECK(at(big, sigmoid) == T(1));
    if (big > T(1000)) CHECK(at(-big, sigmoid) == T(0));
  }
  CHECK(std::isinf(at(inf, exp)));
  const auto exp_whole_range = [](auto v) { return simd::exp_whole_range(v); };
  const auto log = [](auto v) { return simd::log(v); };
  const auto sqrt = [](auto v) { return simd::sqrt(v); };
  const auto cos = [](auto v) { return simd::cos(v); };
  for (const T big : {T(800), T(1e30), inf}) CHECK(at(-big, exp_whole_range) == T(0));
  CHECK(at(inf, exp_whole_range) == inf);
  CHECK(at(inf, log) == inf);
  CHECK(at(T(0), log) == -inf);
  CHECK(at(inf, sqrt) == inf);
  CHECK(at(T(0), cos) == T(1));
  for (const auto& x : {nan, T(-1), -inf}) {
    CHECK(std::isnan(at(x, log)));
    CHECK(std::isnan(at(x, sqrt)));
  }
  CHECK(std::isnan(at(nan, exp_whole_range)));
  CHECK(std::isnan(at(nan, cos)));
  // Numbers so small that they have lost digits.
  for (const T small : {std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::min() / 8, std::numeric_limits<T>::min()}) {
    CHECK(std::abs(at(small, log) - std::log(small)) < T(1e-4));
    CHECK(at(small, sqrt) == std::sqrt(small));
  }
  for (const T exact : {T(4), T(2), T(1e10), T(0.1)}) CHECK(at(exact, sqrt) == std::sqrt(exact));
  CHECK(at(T(0), exp) == T(1));
  CHECK(at(T(0), tanh) == T(0));
  CHECK(at(T(0), erf) == T(0));
  CHECK(at(T(0), sin) == T(0));
  CHECK(at(T(0), sigmoid) == T(0.5));
}

TEMPLATE_TEST_CASE("sigmoid: right to a few units in the last place, down to the smallest number and to 0", "[kernel]", float,
                   double) {
  using T = TestType;
  using Limits = std::numeric_limits<T>;
  const auto sigmoid = [](auto v) { return simd::sigmoid(v); };
  const double end = sizeof(T) == 4 ? 104 : 746;
  // In each part of the range 20000 numbers: evenly spread, and in the middle towards 0 by powers.
  const auto sweep = [&](double least, double most, bool powers) {
    std::vector<T> x, y(20000);
    for (int i = 0; i < 20000; ++i) {
      const double at = (i + 0.5) / 20000;
      x.push_back(static_cast<T>(powers ? std::copysign(std::exp2(-60 * std::abs(2 * at - 1)), at - 0.5) : least + (most - least) * at));
    }
    es::kernel::map_pointwise(x.data(), y.data(), 20000, sigmoid);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double exact = 1 / (1 + std::exp(-static_cast<long double>(x[i])));
      const long double unit = std::max(std::ldexp(exact, 1 - Limits::digits), static_cast<long double>(Limits::denorm_min()));
      worst = std::max(worst, static_cast<double>(std::abs(static_cast<long double>(y[i]) - exact) / unit));
      REQUIRE((y[i] >= T(0) && y[i] <= T(1)));
    }
    return worst;
  };
  CHECK(sweep(0, 0, true) < 4);
  CHECK(sweep(-20, 40, false) < 5);
  CHECK(sweep(-60, -20, false) < 6);
  CHECK(sweep(-end, -60, false) < 7);
  CHECK(at(T(-end + 2), sigmoid) > T(0));  // below the smallest normal number
  CHECK(at(T(-end + 2), sigmoid) < Limits::min());
  CHECK(at(T(-end - 1), sigmoid) == T(0));
  for (const T big : {T(end), T(2 * end), Limits::max(), Limits::infinity()}) CHECK(at(big, sigmoid) == T(1));
  CHECK((at(T(0), sigmoid) == T(0.5) && at(T(-0.0), sigmoid) == T(0.5)));
  for (const T nan : {Limits::quiet_NaN(), -Limits::quiet_NaN()})
    CHECK(std::isnan(at(nan, sigmoid)));
}
