#include "eigenstream/kernel/window_reduce.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("window_reduce: combines the taps in order, for every size of frame", "[kernel]", float, double) {
  using T = TestType;
  const T mark = T(-5);
  support::Random random(1);
  for (Index n = 1; n <= 40; ++n)
    for (const Index taps : {1, 2, 5}) {
      const Index step = n + 2;
      const std::vector<T> x = support::random_values<T>(taps * step + 16, random);
      std::vector<T> sum(static_cast<std::size_t>(n + 20), mark), most = sum;
      es::kernel::window_reduce(
          x.data(), step, taps, n, sum.data(), [](auto a, auto b) { return a + b; },
          [](auto v) { return v / decltype(v)::broadcast(T(4)); });
      es::kernel::window_reduce(
          x.data(), step, taps, n, most.data(), [](auto a, auto b) { return max(a, b); }, [](auto v) { return v; });
      for (Index i = 0; i < n + 20; ++i) {
        INFO("n " << n << ", taps " << taps << ", i " << i);
        T total = x[static_cast<std::size_t>(i < n ? i : 0)], greatest = total;
        for (Index t = 1; t < taps && i < n; ++t) {
          total += x[static_cast<std::size_t>(t * step + i)];
          greatest = std::max(greatest, x[static_cast<std::size_t>(t * step + i)]);
        }
        REQUIRE(sum[static_cast<std::size_t>(i)] == (i < n ? total / 4 : mark));
        REQUIRE(most[static_cast<std::size_t>(i)] == (i < n ? greatest : mark));
      }
    }
}

TEMPLATE_TEST_CASE("block_reduce: rows by themselves, then all of them, reading nothing else", "[kernel]", float, double) {
  using T = TestType;
  const T mark = T(-5);
  support::Random random(1);
  for (Index n = 1; n <= 40; ++n)
    for (const auto& [rows, columns] : {std::pair<Index, Index>(1, 1), {1, 4}, {3, 1}, {2, 3}}) {
      const Index apart = n + 3, row = columns * apart + 2;
      // What lies between and behind the columns is NaN.
      std::vector<T> x(static_cast<std::size_t>(rows * row + 16), std::numeric_limits<T>::quiet_NaN());
      std::vector<T> total(static_cast<std::size_t>(n), T(0)), y(static_cast<std::size_t>(n + 20), mark);
      for (Index r = 0; r < rows; ++r)
        for (Index i = 0; i < n; ++i) {
          T sum = 0;
          for (Index c = 0; c < columns; ++c) {
            T& value = x[static_cast<std::size_t>(r * row + c * apart + i)];
            value = static_cast<T>(random.real());
            sum = c == 0 ? value : sum + value;
          }
          total[static_cast<std::size_t>(i)] = r == 0 ? sum : total[static_cast<std::size_t>(i)] + sum;
        }
      es::kernel::block_reduce(
          x.data(), row, rows, apart, columns, n, y.data(), [](auto a, auto b) { return a + b; },
          [](auto v) { return v / decltype(v)::broadcast(T(4)); });
      for (Index i = 0; i < n + 20; ++i)
        REQUIRE(y[static_cast<std::size_t>(i)] == (i < n ? total[static_cast<std::size_t>(i)] / 4 : mark));
    }
}
