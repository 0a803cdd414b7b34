#include "eigenstream/kernel/depthwise.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("Depthwise: each channel by itself, the same for one column and for many", "[kernel][property]",
                   float, double) {
  using T = TestType;
  support::Random random(1);
  const T mark = T(-1e9);
  for (const Index channels : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65})
    for (const Index taps : {1, 2, 3, 5})
      for (const Index columns : {0, 1, 2, 7, 8, 9, 19}) {
        INFO("channels " << channels << ", taps " << taps << ", columns " << columns);
        const std::vector<T> w = support::random_values<T>(channels * taps, random);
        const std::vector<T> bias = support::random_values<T>(channels, random);
        const es::kernel::Depthwise<T> kernel(
            channels, taps, [&](Index c, Index t) { return w[static_cast<std::size_t>(c * taps + t)]; },
            [&](Index c) { return bias[static_cast<std::size_t>(c)]; });
        std::vector<Index> lags;
        for (Index t = 0; t < taps; ++t) lags.push_back(3 * t);
        const es::kernel::TapOffsets offsets{lags.data(), channels};
        // The kernel may read, but not use, up to one packet behind the last frame.
        const std::vector<T> x = support::random_values<T>((columns + lags.back()) * channels + 16, random);
        const Index y_step = channels + 3;
        std::vector<T> y(static_cast<std::size_t>(columns * y_step + 40), mark), one = y;
        kernel(x.data(), channels, offsets, columns, y.data(), y_step);
        for (Index m = 0; m < columns; ++m)
          kernel(x.data() + m * channels, channels, offsets, 1, one.data() + m * y_step, y_step);
        REQUIRE(std::memcmp(y.data(), one.data(), sizeof(T) * y.size()) == 0);
        for (Index i = 0; i < static_cast<Index>(y.size()); ++i) {
          const Index m = i / y_step, c = i % y_step;
          if (m >= columns || c >= channels) {
            REQUIRE(y[static_cast<std::size_t>(i)] == mark);
            continue;
          }
          double sum = static_cast<double>(bias[static_cast<std::size_t>(c)]);
          for (Index t = 0; t < taps; ++t)
            sum += static_cast<double>(w[static_cast<std::size_t>(c * taps + t)]) *
                   static_cast<double>(x[static_cast<std::size_t>((m + lags[static_cast<std::size_t>(t)]) * channels + c)]);
          REQUIRE(std::abs(static_cast<double>(y[static_cast<std::size_t>(i)]) - sum) < (sizeof(T) == 4 ? 1e-6 : 1e-14));
        }
      }
}
