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
