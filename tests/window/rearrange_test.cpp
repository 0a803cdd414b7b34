#include "eigenstream/window/rearrange.hpp"

#include "eigenstream/layer/softmax.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("Transpose, Flatten, Reverse: every number goes where it should", "[window]", float, double) {
  using T = TestType;
  const Index channels = GENERATE(1, 2, 15, 16, 33), frames = GENERATE(1, 3, 16, 50);
  support::Random random(2);
  const auto x = support::random_tensor<T>(random, channels, frames);
  Eigen::Tensor<double, 2> transposed(frames, channels), flat(channels * frames, 1), reversed(channels, frames);
  for (Index c = 0; c < channels; ++c)
    for (Index t = 0; t < frames; ++t) {
      transposed(t, c) = static_cast<double>(x(c, t));
      flat(c * frames + t, 0) = static_cast<double>(x(c, t));
      reversed(c, frames - 1 - t) = static_cast<double>(x(c, t));
    }
  support::check_window(es::Transpose<T>(), x, transposed, 1e-30);
  support::check_window(es::Flatten<T>(), x, flat, 1e-30);
  support::check_window(es::Reverse<T>(), x, reversed, 1e-30);
}

TEST_CASE("Transpose: softmax over time", "[window]") {
  const es::WindowNet<float> softmax{es::Transpose<float>(), es::Softmax<float>(), es::Transpose<float>()};
  support::Random random(2);
  const auto x = support::random_tensor<float>(random, 3, 20);
  const auto y = support::run_window(softmax, x);
  REQUIRE(y.dimensions() == x.dimensions());
  for (Index c = 0; c < 3; ++c) {
    double sum = 0;
    for (Index t = 0; t < 20; ++t) sum += std::exp(static_cast<double>(x(c, t)));
    for (Index t = 0; t < 20; ++t)
      CHECK(std::abs(static_cast<double>(y(c, t)) - std::exp(static_cast<double>(x(c, t))) / sum) < 1e-6);
  }
}

TEST_CASE("Reverse: any chunking of a stream of windows gives the offline output", "[window][property]") {
  support::check_contract(es::Windowed<float>(es::Reverse<float>(), 5, 2, {.padding = {2, 1}, .channels = 3}), 2);
}
