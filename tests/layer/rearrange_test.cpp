#include "eigenstream/layer/rearrange.hpp"

#include "eigenstream/compose/each_frame.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/softmax.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("Transpose, Flatten, Reverse: every number goes where it should", "[layer]", float, double) {
  using T = TestType;
  const Index channels = GENERATE(1, 2, 15, 16, 33), frames = GENERATE(1, 3, 16, 50);
  support::Random random(2);
  const auto x = support::random_tensor<T>(random, channels, frames);
  Eigen::Tensor<double, 2> transposed(frames, channels), flat(channels * frames, 1), merged(channels * frames, 1),
      reversed(channels, frames);
  for (Index c = 0; c < channels; ++c)
    for (Index t = 0; t < frames; ++t) {
      transposed(t, c) = static_cast<double>(x(c, t));
      flat(c * frames + t, 0) = static_cast<double>(x(c, t));
      merged(t * channels + c, 0) = static_cast<double>(x(c, t));
      reversed(c, frames - 1 - t) = static_cast<double>(x(c, t));
    }
  support::check_window(es::Transpose<T>(), x, transposed, 1e-30);
  support::check_window(es::Flatten<T>(), x, flat, 1e-30);
  support::check_window(es::Merge<T>(), x, merged, 1e-30);
  support::check_window(es::Reverse<T>(), x, reversed, 1e-30);
}

TEST_CASE("Transpose: softmax over a window", "[layer]") {
  const auto softmax = es::sequential(es::Transpose<float>(), es::Softmax<float>(), es::Transpose<float>());
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

TEST_CASE("Reverse: any chunking of a stream of windows gives the offline output", "[layer][property]") {
  support::check_contract(es::Windowed(es::Reverse<float>(), 5, 2, {.padding = {2, 1}, .channels = 3}), 2);
}

TEST_CASE("Transpose, Flatten, Merge, Reverse: frames with two axes of space, in a batch", "[layer]") {
  Eigen::Tensor<float, 5> x(2, 3, 4, 2, 2);  // (C,W,H,B,T)
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i);
  const auto run = [&](const auto& layer) {
    return es::Stream(es::each_frame(layer), {.channels = 2, .batch = 2, .width = 3, .height = 4}).forward(x);
  };
  const Eigen::Tensor<float, 5> transposed = run(es::Transpose<float>()), reversed = run(es::Reverse<float>()),
                                flat = run(es::Flatten<float>()), merged = run(es::Merge<float>());
  REQUIRE((transposed.dimension(0) == 3 && transposed.dimension(1) == 2 && transposed.dimension(2) == 4));
  REQUIRE((flat.dimension(0) == 24 && flat.dimension(1) == 1 && flat.dimension(2) == 1 && flat.dimension(3) == 2));
  for (Index t = 0; t < 2; ++t)
    for (Index b = 0; b < 2; ++b)
      for (Index h = 0; h < 4; ++h)
        for (Index w = 0; w < 3; ++w)
          for (Index c = 0; c < 2; ++c) {
            CHECK(transposed(w, c, h, b, t) == x(c, w, h, b, t));
            CHECK(reversed(c, 2 - w, h, b, t) == x(c, w, h, b, t));
            CHECK(flat((c * 4 + h) * 3 + w, 0, 0, b, t) == x(c, w, h, b, t));  // torch: (C,H,W)
            CHECK(merged((h * 3 + w) * 2 + c, 0, 0, b, t) == x(c, w, h, b, t));
          }
}

TEST_CASE("Reshape: the numbers as they lie, as frames of another shape", "[layer]") {
  Eigen::Tensor<float, 5> x(2, 3, 4, 2, 3);  // (C,W,H,B,T)
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i);
  es::Stream stream(es::Reshape<float>({.channels = 6, .width = 2, .height = 2}), {.channels = 2, .batch = 2, .width = 3, .height = 4});
  const Eigen::Tensor<float, 5> y = stream.forward(x);
  REQUIRE((y.dimension(0) == 6 && y.dimension(1) == 2 && y.dimension(2) == 2 && y.dimension(3) == 2 && y.dimension(4) == 3));
  for (Index i = 0; i < x.size(); ++i) REQUIRE(y.data()[i] == x.data()[i]);
}

TEST_CASE("Reshape: a plain signal gets space, and what goes over it", "[layer][property]") {
  const es::Reshape<float> apart({.channels = 2, .width = 3}), flat({.channels = 6});
  CHECK(apart.space() == es::Space::made);
  CHECK(flat.space() == es::Space::none);
  CHECK(!es::keeps_channels(flat));
  support::check_contract(es::Reshape<double>({.channels = 4, .width = 3}), 2, {.channels = 2, .width = 3, .height = 2});
  const auto net = es::sequential(apart, es::Transpose<float>(), es::Relu<float>(), flat);
  CHECK(net.wanted().width == 0);
  support::check_contract(net, 2, {.channels = 6, .columns = false});
}

TEST_CASE("Reshape: fingerprints and errors", "[layer][error]") {
  using support::refuses;
  const es::Reshape<float> layer({.channels = 2, .width = 3});
  CHECK(layer.fingerprint() == es::Reshape<float>({2, 3}).fingerprint());
  CHECK(layer.fingerprint() != es::Reshape<float>({3, 2}).fingerprint());
  CHECK(refuses([&] { layer.facts({5}); }, {"Reshape", "5 numbers", "has 6"}));
  CHECK(refuses([] { es::Reshape<float>({0, 3}); }, {"Reshape", "at least 1"}));
  CHECK(refuses([] { es::Reshape<float>({2, 3, 0}); }, {"Reshape", "at least 1"}));
}

TEST_CASE("Transpose, Flatten, Merge, Reverse: any chunking gives the offline output", "[layer][property]") {
  const support::ContractOptions space{.channels = 3, .width = 4, .height = 2};
  support::check_contract(es::each_frame(es::Transpose<float>()), 2, space);
  support::check_contract(es::each_frame(es::Flatten<float>()), 2, space);
  support::check_contract(es::each_frame(es::Merge<float>()), 2, space);
  support::check_contract(es::each_frame(es::Reverse<double>()), 2, space);
}
