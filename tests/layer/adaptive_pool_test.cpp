#include "eigenstream/layer/adaptive_pool.hpp"

#include <limits>

#include "eigenstream/compose/each_frame.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using support::error_of;

TEMPLATE_TEST_CASE("AdaptiveAvgPool1d, AdaptiveMaxPool1d: the definition", "[layer]", float, double) {
  using T = TestType;
  const Index channels = GENERATE(1, 3, 16, 21), frames = GENERATE(1, 2, 7, 64, 1000), size = GENERATE(1, 2, 5, 16, 70);
  INFO(channels << " channels, " << frames << " frames to " << size);
  support::Random random(2);
  const auto x = support::random_tensor<T>(random, channels, frames);
  Eigen::Tensor<double, 2> mean(channels, size), most(channels, size);
  for (Index i = 0; i < size; ++i) {
    const Index begin = static_cast<Index>(std::floor(static_cast<double>(i * frames) / static_cast<double>(size)));
    const Index end = static_cast<Index>(std::ceil(static_cast<double>((i + 1) * frames) / static_cast<double>(size)));
    for (Index c = 0; c < channels; ++c) {
      mean(c, i) = 0, most(c, i) = -std::numeric_limits<double>::infinity();
      for (Index t = begin; t < end; ++t) {
        mean(c, i) += static_cast<double>(x(c, t)) / static_cast<double>(end - begin);
        most(c, i) = std::max(most(c, i), static_cast<double>(x(c, t)));
      }
    }
  }
  support::check_window(es::AdaptiveAvgPool1d<T>(size), x, mean, support::tolerance<T>);
  support::check_window(es::AdaptiveMaxPool1d<T>(size), x, most, 1e-30);
}

TEST_CASE("AdaptiveMaxPool1d: NaN gives NaN", "[layer]") {
  Eigen::Tensor<float, 2> x(1, 4);
  x.setValues({{1, std::numeric_limits<float>::quiet_NaN(), 3, 2}});
  Eigen::Tensor<double, 2> y(1, 2);
  y.setValues({{std::numeric_limits<double>::quiet_NaN(), 3}});
  support::check_window(es::AdaptiveMaxPool1d<float>(2), x, y, 1e-30);
}

TEST_CASE("AdaptiveAvgPool1d: any chunking of a stream of windows gives the offline output", "[layer][property]") {
  support::check_contract(es::Windowed(es::AdaptiveAvgPool1d<float>(3), 11, 4, {.channels = 5}), 2);
  support::check_contract(es::Windowed(es::AdaptiveMaxPool1d<double>(1), 8, 8, {.channels = 2}), 1,
                          {.exact = false});
  support::check_contract(es::each_frame(es::AdaptiveAvgPool1d<float>(2)), 2, {.channels = 3, .width = 5, .height = 2});
  support::check_contract(es::each_frame(es::AdaptiveMaxPool1d<float>(7)), 1,
                          {.channels = 3, .exact = false, .width = 5, .height = 2});
}

TEST_CASE("AdaptiveAvgPool1d: no output is an error", "[layer]") {
  CHECK_THAT(error_of([] { es::AdaptiveAvgPool1d<float>(0); }), Contains("AdaptiveAvgPool1d: output_size = 0"));
  CHECK_THAT(error_of([] { es::AdaptiveMaxPool1d<float>(-1); }), Contains("AdaptiveMaxPool1d: output_size = -1"));
}
