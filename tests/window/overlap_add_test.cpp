#include "eigenstream/window/overlap_add.hpp"

#include <limits>

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "eigenstream/window/windowed.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::OverlapAdd;
using es::OverlapAddOptions;
using support::error_of;

namespace {

std::vector<double> ramp(Index size) {
  std::vector<double> window;
  for (Index p = 0; p < size; ++p) window.push_back(0.25 + 0.5 * static_cast<double>(p));
  return window;
}

}  // namespace

TEMPLATE_TEST_CASE("OverlapAdd: any chunking gives the offline output", "[window][property]", float, double) {
  const auto sizes =
      GENERATE(table<Index, Index, Index>({{1, 1, 1}, {1, 5, 2}, {3, 6, 2}, {2, 7, 7}, {1, 40, 1}, {2, 33, 20}}));
  const Index channels = std::get<0>(sizes), size = std::get<1>(sizes), stride = std::get<2>(sizes);
  const bool normalise = GENERATE(false, true);
  const Index left = GENERATE_COPY(Index{0}, (size - stride) / 2, size - stride),
              right = GENERATE_COPY(Index{0}, size - stride);
  INFO(channels << " channels, size " << size << ", stride " << stride << ", left " << left << ", right " << right);
  const OverlapAddOptions plain{.normalise = normalise, .left = left, .right = right};
  OverlapAddOptions weighted = plain;
  weighted.window = ramp(size);
  support::check_contract(OverlapAdd<TestType>(channels, size, stride, plain), 1, {.light = left > 0, .columns = false});
  support::check_contract(OverlapAdd<TestType>(channels, size, stride, weighted), 3, {.light = true});
}

TEMPLATE_TEST_CASE("OverlapAdd: the definition", "[window]", float, double) {
  using T = TestType;
  const auto sizes = GENERATE(table<Index, Index>({{1, 1}, {5, 2}, {8, 8}, {12, 3}, {40, 7}}));
  const Index size = std::get<0>(sizes), stride = std::get<1>(sizes);
  const bool normalise = GENERATE(false, true), weighted = GENERATE(false, true);
  INFO("size " << size << ", stride " << stride << ", normalise " << normalise);
  constexpr Index channels = 3, batch = 2;
  for (const Index windows : {1, 2, 9}) {
    const Index left = (size - stride + 1) / 2, right = (size - stride) / 2;
    OverlapAddOptions options{.normalise = normalise, .left = left, .right = right};
    if (weighted) options.window = ramp(size);
    support::Random random(2);
    const auto x = support::random_tensor<T>(random, channels * size, batch, windows);
    const auto y = support::offline(OverlapAdd<T>(channels, size, stride, options), x);
    support::Signal<double> expected(channels, batch, std::max<Index>(0, (windows - 1) * stride + size - left - right));
    REQUIRE(y.dimension(2) == expected.dimension(2));
    for (Index t = 0; t < expected.dimension(2); ++t)
      for (Index b = 0; b < batch; ++b)
        for (Index c = 0; c < channels; ++c) {
          double sum = 0, weights = 0;
          for (Index w = 0; w < windows; ++w) {
            const Index p = t + left - w * stride;
            if (p < 0 || p >= size) continue;
            const double g = weighted ? options.window[static_cast<std::size_t>(p)] : 1;
            sum += g * static_cast<double>(x(p * channels + c, b, w));
            weights += g;
          }
          expected(c, b, t) = normalise ? sum / weights : sum;
        }
    CHECK(support::difference(y, expected) < support::tolerance<T>);
  }
}

TEST_CASE("OverlapAdd: windows that are cut and put back give the signal", "[window]") {
  const auto sizes = GENERATE(table<Index, Index>({{4, 4}, {8, 4}, {15, 3}, {64, 16}}));
  const Index size = std::get<0>(sizes), stride = std::get<1>(sizes);
  INFO("size " << size << ", stride " << stride);
  const es::Windowed cut(es::Identity<float>(), size, stride, {.padding = {size - stride, size - stride}, .channels = 2});
  const OverlapAdd<float> back(2, size, stride, {.normalise = true, .left = size - stride, .right = size - stride});
  es::Stream stream(es::sequential(cut, back));
  support::Random random(2);
  for (const Index n : {stride, 10 * stride, 40 * stride}) {
    const auto x = support::random_tensor<float>(random, 2, n);
    const Eigen::Tensor<float, 2> y = stream(x, es::final);
    REQUIRE(y.dimension(1) == n);
    float most = 0;
    for (Index i = 0; i < x.size(); ++i) most = std::max(most, std::abs(x.data()[i] - y.data()[i]));
    CHECK(most < 1e-6f);
  }
  CHECK(stream.rate() == es::Rate{1, 1});
}

TEST_CASE("OverlapAdd: where all weights are zero, so is the mean", "[window]") {
  const OverlapAdd<float> layer(1, 4, 2, {.window = {0, 1, 1, 0}, .normalise = true});
  es::Stream stream(layer);
  Eigen::Tensor<float, 2> x(4, 2);
  x.setConstant(3);
  const Eigen::Tensor<float, 2> y = stream(x, es::final);
  const float expected[] = {0, 3, 3, 3, 3, 0};
  REQUIRE(y.size() == 6);
  CHECK(std::equal(expected, expected + 6, y.data()));
}

TEST_CASE("OverlapAdd: what does not add up is an error that names it", "[window]") {
  using O = OverlapAdd<float>;
  CHECK_THAT(error_of([] { O(0, 4, 2); }), Contains("channels = 0"));
  CHECK_THAT(error_of([] { O(1, 4, 0); }), Contains("stride = 0"));
  CHECK_THAT(error_of([] { O(1, 4, 5); }), Contains("size = 4, must not be less than the stride of 5"));
  CHECK_THAT(error_of([] { O(1, 4, 2, {.left = 3}); }), Contains("left = 3, must be from 0 to size - stride = 2"));
  CHECK_THAT(error_of([] { O(1, 4, 2, {.right = -1}); }), Contains("right = -1"));
  CHECK_THAT(error_of([] {
               O(1, 4, 2, {.window = {1, 2}});
             }),
             Contains("a window of 2 weights for windows of 4 frames"));
  CHECK_THAT(error_of([] { O(1, 1, 1, {.window = {std::numeric_limits<double>::infinity()}}); }),
             Contains("not finite"));
  CHECK_THAT(error_of([] { es::Stream(O(3, 4, 2), {.channels = 13}); }),
             Contains("takes windows of 4 frames of 3 channels, 12 numbers, not 13"));
}
