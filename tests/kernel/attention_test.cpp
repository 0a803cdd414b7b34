#include "eigenstream/kernel/attention.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("attend: rows together give what each gives alone, and NaN outside counts for nothing", "[kernel]", float, double) {
  using T = TestType;
  constexpr Index block = es::kernel::attention_block, most = es::kernel::attention_rows<T>, blocks = 7;
  support::Random random(1);
  for (const auto& [size, values] : {std::pair<Index, Index>(1, 1), {3, 20}, {16, 16}, {20, 37}}) {
    const auto queries = support::random_values<T>(most * size, random);
    std::vector<T> memory = support::random_values<T>(blocks * block * (size + values) + 64, random);
    std::vector<const T*> k, v;
    for (Index b = 0; b < blocks; ++b) {
      k.push_back(memory.data() + b * block * (size + values));
      v.push_back(k.back() + block * size);
    }
    // Frame 3 of block 6, and of the sinks, is seen by none.
    for (const Index b : {Index{0}, Index{6}})
      for (Index c = 0; c < values; ++c) const_cast<T*>(v[static_cast<std::size_t>(b)])[3 * values + c] = std::numeric_limits<T>::quiet_NaN();
    for (const Index b : {Index{0}, Index{6}}) const_cast<T*>(k[static_cast<std::size_t>(b)])[3] = std::numeric_limits<T>::infinity();
    const auto run = [&](Index first, Index count, std::vector<T>& y) {
      std::vector<T> weights(static_cast<std::size_t>(most * blocks * block));
      es::kernel::AttentionRow<T> rows[most];
      for (Index r = 0; r < count; ++r)
        rows[r] = {.query = queries.data() + (first + r) * size, .weights = weights.data() + r * blocks * block, .bias = nullptr,
                   .sinks = 2, .first = 18 + first + r, .end = 6 * block + 2, .out = y.data() + (first + r) * values};
      es::kernel::attend(rows, static_cast<int>(count), k.data(), v.data(), blocks, size, values, values);
    };
    std::vector<T> together(static_cast<std::size_t>(most * values)), alone = together;
    run(0, most, together);
    for (Index r = 0; r < most; ++r) run(r, 1, alone);
    CHECK(together == alone);
    for (Index r = 0; r < most; ++r)
      for (Index c = 0; c < values; ++c) {
        double sum = 0, total = 0;
        for (Index lane = 0; lane < blocks * block; ++lane) {
          if (!(lane < 2 || (lane >= 18 + r && lane < 6 * block + 2))) continue;
          const std::size_t b = static_cast<std::size_t>(lane / block);
          double logit = 0;
          for (Index i = 0; i < size; ++i)
            logit += static_cast<double>(queries[static_cast<std::size_t>(r * size + i)]) * static_cast<double>(k[b][i * block + lane % block]);
          sum += std::exp(logit);
          total += std::exp(logit) * static_cast<double>(v[b][lane % block * values + c]);
        }
        CHECK(std::abs(total / sum - static_cast<double>(together[static_cast<std::size_t>(r * values + c)])) < 1e-5);
      }
  }
}

TEST_CASE("turn_pairs: turns", "[kernel]") {
  for (const Index n : {1, 5, 16, 19}) {
    support::Random random(2);
    const auto x = support::random_values<double>(2 * n, random), c = support::random_values<double>(n, random),
               s = support::random_values<double>(n, random);
    auto y = x;
    es::kernel::turn_pairs(y.data(), c.data(), s.data(), n);
    for (std::size_t i = 0, m = static_cast<std::size_t>(n); i < m; ++i) {
      CHECK(y[i] == Approx(x[i] * c[i] - x[m + i] * s[i]).margin(1e-12));
      CHECK(y[m + i] == Approx(x[m + i] * c[i] + x[i] * s[i]).margin(1e-12));
    }
  }
}
