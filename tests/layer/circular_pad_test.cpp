#include "eigenstream/layer/circular_pad.hpp"

#include <vector>

#include "eigenstream/compose/along.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "eigenstream/window/windowed.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::CircularPad;
using es::Index;
using support::error_of;

TEMPLATE_TEST_CASE("CircularPad: any chunking of the signal gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  const auto conv = support::random_conv<es::Conv1d<T>>(2, 3, 3, {}, true, 1);
  support::check_contract(es::Windowed(es::sequential(CircularPad<T>(1, 1), es::along(conv)), 6, 2, {.padding = {4, 0}}), 2,
                          {.exact = false});
}

TEST_CASE("CircularPad: columns from the other end of each window", "[layer]") {
  for (const auto& [left, right] : {std::pair<Index, Index>{0, 0}, {1, 0}, {0, 5}, {2, 3}, {5, 5}}) {
    constexpr Index size = 5, channels = 2, batch = 2;
    es::Stream stream(es::Windowed(CircularPad<float>(left, right), size, size, {.channels = channels}), {.batch = batch});
    const es::FrameShape out = stream.out_shape();
    REQUIRE((out.width == size + left + right && out.channels == channels));
    support::Random random(3);
    const auto x = support::random_tensor<float>(random, channels, batch, 2 * size);
    std::vector<float> y(static_cast<std::size_t>(2 * out.size()));
    REQUIRE(stream.process(es::Frames<const float>(x), es::Frames<float>(y.data(), out, 2)) == 2);
    for (Index w = 0; w < 2; ++w)
      for (Index b = 0; b < batch; ++b)
        for (Index m = 0; m < out.width; ++m)
          for (Index c = 0; c < channels; ++c)
            REQUIRE(y[static_cast<std::size_t>(((w * batch + b) * out.width + m) * channels + c)] ==
                    x(c, b, w * size + (m - left + size) % size));
  }
}

TEST_CASE("CircularPad: what is impossible is refused", "[layer][errors]") {
  CHECK_THAT(error_of([] { CircularPad<float>(-1, 0); }), Contains("CircularPad: left = -1, right = 0"));
  CHECK_THAT(error_of([] { CircularPad<float>(0, 6).facts({.channels = 1, .width = 5}); }),
             Contains("right = 6 of only 5 columns"));
}
