#include "eigenstream/layer/retroactive_attention.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;

TEMPLATE_TEST_CASE("RetroactiveAttention: the definition, also of great logits", "[layer]", float, double) {
  using T = TestType;
  const auto [size, window, heads] = GENERATE(table<Index, Index, Index>({{1, 1, 1}, {3, 2, 2}, {4, 5, 3}, {8, 16, 1}, {20, 17, 2}, {5, 40, 2}}));
  const double scale = GENERATE(1.0, 12.0);
  const es::RetroactiveAttention<T> layer(size, window, heads);
  support::Random random(1);
  const Index channels = size * heads, n = window + 40;
  const support::Signal<T> x = support::random_tensor<T>(random, 3 * channels, Index{2}, n) * static_cast<T>(scale);
  es::Stream stream(layer, {.batch = 2});
  const auto y = stream(es::Frames<const T>(x), es::final);
  REQUIRE(y.size() == channels * window * 2 * (n - window + 1));
  double worst = 0;
  for (Index t = 0; t + window <= n; ++t)
    for (Index b = 0; b < 2; ++b)
      for (Index k = 0; k < window; ++k)
        for (Index h = 0; h < heads; ++h) {
          std::vector<double> w(static_cast<std::size_t>(window));
          double sum = 0, most = -1e300;
          for (Index j = 0; j < window; ++j) {
            double dot = 0;
            for (Index c = 0; c < size; ++c)
              dot += static_cast<double>(x(h * size + c, b, t + k)) * static_cast<double>(x(channels + h * size + c, b, t + j));
            most = std::max(most, w[static_cast<std::size_t>(j)] = dot / std::sqrt(static_cast<double>(size)));
          }
          for (double& each : w) sum += each = std::exp(each - most);
          for (Index c = 0; c < size; ++c) {
            double total = 0;
            for (Index j = 0; j < window; ++j)
              total += w[static_cast<std::size_t>(j)] * static_cast<double>(x(2 * channels + h * size + c, b, t + j));
            const T got = y.data()[((t * 2 + b) * window + k) * channels + h * size + c];
            worst = std::max(worst, std::abs(static_cast<double>(got) - total / sum) / scale);
          }
        }
  CHECK(worst < (scale > 1 ? 20 : 1) * support::tolerance<T>);
}

TEMPLATE_TEST_CASE("RetroactiveAttention: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  support::check_contract(es::RetroactiveAttention<T>(2, 1), 2, {.columns = false});
  support::check_contract(es::RetroactiveAttention<T>(3, 5, 2), 2, {.columns = false});
  support::check_contract(es::RetroactiveAttention<T>(2, 18, 1), 1, {.columns = false});
}

TEST_CASE("RetroactiveAttention: what does not add up is an error that names it", "[layer][error]") {
  using Layer = es::RetroactiveAttention<float>;
  CHECK_THAT(support::error_of([] { Layer(0, 3); }), Contains("heads of 0 channels"));
  CHECK_THAT(support::error_of([] { Layer(2, 0); }), Contains("window = 0, must be from 1 to 4096"));
  CHECK_THAT(support::error_of([] { Layer(2, 3, 0); }), Contains("heads = 0"));
  CHECK_THAT(support::error_of([] { Layer(512, 4096, 8); }), Contains("more than can be kept"));
  CHECK_THAT(support::error_of([] { Layer(2, 3, 2).facts({11}); }), Contains("takes 12 channels, not 11"));
  CHECK_THAT(support::error_of([] { Layer(2, 3, 2).facts({12, 2}); }), Contains("without space"));
}
