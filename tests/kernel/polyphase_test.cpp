#include "eigenstream/kernel/polyphase.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("Polyphase: each output by itself, the same alone and among others", "[kernel][property]", float,
                   double) {
  using T = TestType;
  support::Random random(1);
  const T mark = T(-1e9), poison = std::numeric_limits<T>::quiet_NaN();
  for (const Index up : {1, 2, 3, 5, 7, 8, 16, 17, 33, 40})
    for (const Index down : {1, 2, 3, 7, 12, 41}) {
      if (std::gcd(up, down) > 1) continue;
      for (const Index reach : {up, 3 * up + 1, 9 * up + 4}) {
        const std::vector<T> w = support::random_values<T>(2 * reach + 1, random);
        const es::kernel::Polyphase<T> kernel(up, down, reach, [&](Index d) { return w[static_cast<std::size_t>(d + reach)]; });
        for (const Index channels : {1, 2, 7}) {
          const Index first = random.integer(0, up - 1);
          for (const Index count : {Index{1}, Index{2}, up, 3 * up + 1, Index{67}, 20 * up, 20 * up + 5}) {
            INFO("up " << up << ", down " << down << ", reach " << reach << ", channels " << channels << ", first "
                       << first << ", count " << count);
            // Just the inputs that are needed, between what nobody may use.
            const Index begin =
                static_cast<Index>(std::ceil(static_cast<double>(first * down - reach) / static_cast<double>(up)));
            const Index end = ((first + count - 1) * down + reach) / up + 1;
            constexpr Index margin = 40;
            std::vector<T> x(static_cast<std::size_t>((end - begin) * channels + 2 * margin), poison);
            for (std::size_t i = margin; i + margin < x.size(); ++i) x[i] = static_cast<T>(random.real());
            const auto at = [&](Index i, Index c) {
              return x[static_cast<std::size_t>(margin + (i - begin) * channels + c)];
            };
            std::vector<T> y(static_cast<std::size_t>(count * channels + 2 * margin), mark), one = y;
            kernel(x.data() + margin, -begin, channels, first, count, y.data() + margin);
            for (Index j = 0; j < count; ++j) {
              const Index block = (first + j) / up;
              kernel(x.data() + margin, block * down - begin, channels, (first + j) % up, 1,
                     one.data() + margin + j * channels);
            }
            REQUIRE(std::memcmp(y.data(), one.data(), sizeof(T) * y.size()) == 0);
            for (Index k = 0; k < static_cast<Index>(y.size()); ++k) {
              const Index j = (k - margin) / channels, c = (k - margin) % channels;
              if (k < margin || j >= count) {
                REQUIRE(y[static_cast<std::size_t>(k)] == mark);
                continue;
              }
              double sum = 0;
              for (Index i = begin; i < end; ++i)
                if (const Index d = i * up - (first + j) * down; std::abs(d) <= reach)
                  sum += static_cast<double>(w[static_cast<std::size_t>(d + reach)]) * static_cast<double>(at(i, c));
              const double apart = std::abs(static_cast<double>(y[static_cast<std::size_t>(k)]) - sum);
              REQUIRE(apart < (sizeof(T) == 4 ? 1e-5 : 1e-13));
            }
          }
        }
      }
    }
}

TEST_CASE("Polyphase: the size is known before it is built, and bounded where it overflows", "[kernel]") {
  CHECK(es::kernel::Polyphase<float>::size_of(160, 147, 969) < 1e5);
  CHECK(es::kernel::Polyphase<float>::size_of(1, 3, 18) < 1e5);
  CHECK(es::kernel::Polyphase<float>::size_of(9e18, 9e18 - 1, 5e19) > 1e18);
  CHECK(es::kernel::Polyphase<float>::size_of(1, 9e18, 5e19) > 1e18);
}

TEST_CASE("Polyphase: the size that limits go by is the same in every build", "[kernel]") {
  CHECK(es::kernel::Polyphase<float>::size_of(160, 147, 969) == 160 * ((2 * 969 + 15 * 147) / 160.0 + 4));
  CHECK(es::kernel::Polyphase<float>::size_of(1, 3, 18) == 32 * (2 * 18 + 15 * 3 + 4));
  CHECK(es::kernel::Polyphase<float>::size_of(3, 1, 18) == 96 * ((2 * 18 + 15) / 3.0 + 4));
  CHECK(es::kernel::Polyphase<double>::size_of(3, 1, 18) == 96 * ((2 * 18 + 15) / 3.0 + 4));
}
