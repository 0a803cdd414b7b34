#include "eigenstream/kernel/reduce.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;
using es::Reduce;

// As % in Python: of the sign of the divisor.
template <class T>
T python_remainder(T p, T q) {
  const T rest = std::fmod(p, q);
  return rest != 0 && (rest < 0) != (q < 0) ? rest + q : rest;
}

TEMPLATE_TEST_CASE("reduce_pair: every operation, for every width, one channel for all included", "[kernel]", float,
                   double) {
  using T = TestType;
  const T mark = T(-77);
  support::Random random(1);
  for (Index channels = 1; channels <= 37; ++channels)
    for (const Index columns : {1, 2, 7})
      for (const auto& [left, right] : {std::pair(channels, channels), std::pair(Index{1}, channels), std::pair(channels, Index{1})})
        for (int op = 0; op < static_cast<int>(std::size(es::reduce_names)); ++op) {
          if (static_cast<Reduce>(op) == Reduce::concat) continue;
          const std::vector<T> a = support::random_values<T>(left * columns, random);
          const std::vector<T> b = support::random_values<T>(right * columns, random);
          std::vector<T> y(static_cast<std::size_t>(channels * columns + 20), mark);
          es::kernel::reduce_pair(static_cast<Reduce>(op), a.data(), left, b.data(), right, y.data(), channels, columns);
          std::vector<T> in_place(y.size(), mark);
          std::copy(a.begin(), a.end(), in_place.begin());
          es::kernel::reduce_pair(static_cast<Reduce>(op), in_place.data(), left, b.data(), right, in_place.data(), channels, columns);
          for (Index i = 0; i < static_cast<Index>(y.size()); ++i) {
            INFO(es::name_of(static_cast<Reduce>(op)) << ", " << left << " and " << right << " channels, number " << i);
            T expected = mark;
            if (i < channels * columns) {
              const Index c = i % channels, t = i / channels;
              const T p = a[static_cast<std::size_t>(t * left + (left == 1 ? 0 : c))];
              const T q = b[static_cast<std::size_t>(t * right + (right == 1 ? 0 : c))];
              switch (static_cast<Reduce>(op)) {
                case Reduce::product: expected = p * q; break;
                case Reduce::max: expected = std::max(p, q); break;
                case Reduce::min: expected = std::min(p, q); break;
                case Reduce::difference: expected = p - q; break;
                case Reduce::quotient: expected = p / q; break;
                case Reduce::greater: expected = T(p > q); break;
                case Reduce::greater_equal: expected = T(p >= q); break;
                case Reduce::equal: expected = T(p == q); break;
                case Reduce::where: expected = q != 0 ? p : T(0); break;
                case Reduce::where_not: expected = q != 0 ? T(0) : p; break;
                case Reduce::atan2: expected = std::atan2(p, q); break;
                case Reduce::remainder: expected = python_remainder(p, q); break;
                case Reduce::power:
                  expected = std::pow(p, q);
                  if (std::isnan(expected)) {  // of a negative number
                    REQUIRE(std::isnan(y[static_cast<std::size_t>(i)]));
                    continue;
                  }
                  break;
                default: expected = p + q;
              }
              REQUIRE(in_place[static_cast<std::size_t>(i)] == expected);
            }
            REQUIRE(y[static_cast<std::size_t>(i)] == expected);
          }
        }
}

TEST_CASE("reduce_pair: max and min of NaN are NaN, from either side", "[kernel]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Reduce op : {Reduce::max, Reduce::min})
    for (Index n = 1; n <= 20; ++n) {
      std::vector<float> a(static_cast<std::size_t>(n), 1.0f), b = a, y = a;
      a.front() = nan, b.back() = nan;
      es::kernel::reduce_pair(op, a.data(), n, b.data(), n, y.data(), n, Index{1});
      CHECK(std::isnan(y.front()));
      CHECK(std::isnan(y.back()));
    }
}

TEST_CASE("reduce_pair: a choice lets nothing through of what is not chosen", "[kernel]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> a = {nan, inf, 2, nan, 3}, b = {0, 0, 0, 1, nan};
  std::vector<float> y(5);
  es::kernel::reduce_pair(Reduce::where, a.data(), Index{5}, b.data(), Index{5}, y.data(), Index{5}, Index{1});
  CHECK((y[0] == 0 && y[1] == 0 && y[2] == 0 && std::isnan(y[3]) && y[4] == 3));
  es::kernel::reduce_pair(Reduce::where_not, a.data(), Index{5}, b.data(), Index{5}, y.data(), Index{5}, Index{1});
  CHECK((std::isnan(y[0]) && y[1] == inf && y[2] == 2 && y[3] == 0 && y[4] == 0));
  es::kernel::reduce_pair(Reduce::equal, a.data(), Index{5}, a.data(), Index{5}, y.data(), Index{5}, Index{1});
  CHECK(y == std::vector<float>{0, 1, 1, 0, 1});
}

TEST_CASE("copy_columns and divide_all touch what they should", "[kernel]") {
  support::Random random(2);
  for (Index n = 1; n <= 40; ++n) {
    const std::vector<float> x = support::random_values<float>(3 * n, random);
    std::vector<float> y(static_cast<std::size_t>(3 * (n + 2)), 9.0f);
    es::kernel::copy_columns(x.data(), n, y.data() + 1, n + 2, Index{3});
    for (Index c = 0; c < 3; ++c) {
      REQUIRE(y[static_cast<std::size_t>(c * (n + 2))] == 9.0f);
      REQUIRE(y[static_cast<std::size_t>(c * (n + 2) + n + 1)] == 9.0f);
      for (Index i = 0; i < n; ++i)
        REQUIRE(y[static_cast<std::size_t>(c * (n + 2) + 1 + i)] == x[static_cast<std::size_t>(c * n + i)]);
    }
    std::vector<float> z = y;
    es::kernel::divide_all(z.data(), n, 3.0f);
    for (Index i = 0; i < static_cast<Index>(z.size()); ++i)
      REQUIRE(z[static_cast<std::size_t>(i)] == (i < n ? y[static_cast<std::size_t>(i)] / 3.0f : y[static_cast<std::size_t>(i)]));
  }
}
