#include "eigenstream/kernel/grouped_tap_sum.hpp"

#include <cmath>
#include <vector>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

float weight_of(Index o, Index t, Index i) { return static_cast<float>(std::sin(static_cast<double>(o * 31 + t * 7 + i * 3))); }
float bias_of(Index o) { return static_cast<float>(o) * 0.25f; }

}  // namespace

TEST_CASE("GroupedTapSum: the sum of the definition, group by group", "[kernel]") {
  const auto [in, out, groups] = GENERATE(table<Index, Index, Index>(
      {{1, 1, 1}, {3, 5, 1}, {4, 6, 2}, {6, 6, 6}, {33, 33, 33}, {3, 9, 3}, {16, 32, 4}}));
  const Index taps = 3, columns = 7, own = in / groups;
  const es::kernel::GroupedTapSum<float> sum(in, out, taps, groups, weight_of, bias_of);
  CHECK(sum.is_depthwise() == (groups > 1 && groups == in && groups == out));
  const std::vector<Index> lags{0, 2, 5};
  std::vector<float> x(static_cast<std::size_t>((columns + 6) * in + 16));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(std::cos(static_cast<double>(i)));
  std::vector<float> y(static_cast<std::size_t>(columns * out));
  sum(x.data(), in, {lags.data(), in}, columns, y.data());
  for (Index m = 0; m < columns; ++m)
    for (Index o = 0; o < out; ++o) {
      double expected = static_cast<double>(bias_of(o));
      for (Index t = 0; t < taps; ++t)
        for (Index i = 0; i < own; ++i)
          expected += static_cast<double>(weight_of(o, t, i)) *
                      static_cast<double>(x[static_cast<std::size_t>((m + lags[static_cast<std::size_t>(t)]) * in + o / (out / groups) * own + i)]);
      CHECK(std::abs(static_cast<double>(y[static_cast<std::size_t>(m * out + o)]) - expected) < 1e-5);
    }
  for (Index o = 0; o < out; ++o) {
    CHECK(sum.bias(o) == bias_of(o));
    for (Index t = 0; t < taps; ++t)
      for (Index i = 0; i < own; ++i) CHECK(sum.weight(o, t, i) == weight_of(o, t, i));
  }
}
