#include "eigenstream/compose/along.hpp"

#include "eigenstream/compose/each_frame.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/network/any_layer.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;

namespace {

template <class L>
void check_whole(const L& layer, Index channels, Index frames) {
  using T = typename L::Scalar;
  support::Random random(4);
  const auto x = support::random_tensor<T>(random, channels, 1, frames);
  const auto y = support::offline(layer, x);
  Eigen::Tensor<T, 2> window(channels, frames);
  std::copy_n(x.data(), x.size(), window.data());
  Eigen::Tensor<double, 2> expected(y.dimension(0), y.dimension(2));
  for (Index i = 0; i < y.size(); ++i) expected.data()[i] = static_cast<double>(y.data()[i]);
  support::check_window(es::along(layer), window, expected, 1e-30);
  support::check_window(es::AnyLayer<T>(es::along(layer)), window, expected, 1e-30);
}

}  // namespace

TEST_CASE("Along: a window is a signal of its own, whatever came before", "[compose]") {
  const Index frames = GENERATE(1, 5, 40, 1000);
  using Conv = es::Conv1d<float>;
  check_whole(support::random_conv<Conv>(3, 5, 3, {.padding = 1}), 3, frames);
  check_whole(support::random_conv<Conv>(3, 5, 4, {.stride = 2, .padding = 3, .dilation = 2}), 3, frames);
  check_whole(support::random_conv_transpose<float>(3, 2, 4, {.stride = 3}), 3, frames);
  check_whole(es::Elu<float>(), 7, frames);
  check_whole(es::Identity<double>(), 2, frames);
  check_whole(es::residual(support::random_conv<Conv>(3, 3, 3, {.padding = 1}), es::Relu<float>()), 3, frames);
  check_whole(es::AnyLayer<float>(support::random_conv<Conv>(2, 5, 3, {.padding = 1})), 2, frames);
}

TEST_CASE("Along: random networks", "[compose]") {
  const std::uint64_t seed = static_cast<std::uint64_t>(GENERATE(range(0, 20)));
  const support::RandomNetwork network = support::random_network(seed);
  INFO(network.text);
  check_whole(network.net, network.channels, 200);
}

TEST_CASE("Along: its numbers are the layer's", "[compose]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(3, 5, 4, {.stride = 2});
  const es::Along along(conv);
  CHECK(along.wanted().channels == 3);
  const es::Facts facts = along.facts({3, 10, 2, 4});
  CHECK(facts.out == es::FrameShape{5, 4, 2, 4});
  CHECK(facts.parameters == conv.facts({3}).parameters);
  CHECK(facts.macs == conv.facts({3}).macs * 80);
  CHECK(facts.state_bytes == 0);
  CHECK(along.fingerprint() != conv.fingerprint());
  CHECK(!along.in_place());
  CHECK(es::Along(es::Relu<float>()).in_place());
  CHECK_THAT(support::error_of([&] { return along.facts({3, 3}); }),
             Contains("a window of 3 frames is too short for a receptive field of 4"));
  CHECK_THAT(support::error_of([&] { return along.facts({4, 10}); }), Contains("3 channels"));
  CHECK_THAT(support::error_of([&] { return es::along(es::along(conv)); }), Contains("works over space itself"));
}

TEST_CASE("Along: rows and batch entries are signals of their own, and any chunking gives the offline output",
          "[compose][property]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 3, 3, {.padding = 1});
  const auto layer = es::each_frame(es::along(conv));
  support::check_contract(layer, 2, {.width = 6, .height = 2});
  support::Random random(4);
  const auto values = support::random_tensor<float>(random, 2, 6 * 2 * 2 * 3);
  const Eigen::TensorMap<const Eigen::Tensor<float, 5>> x(values.data(), 2, 6, 2, 2, 3);  // (C,W,H,B,T)
  const Eigen::Tensor<float, 5> y =
      es::Stream(layer, {.channels = 2, .batch = 2, .width = 6, .height = 2}).forward(x);
  es::Stream plain(conv);
  for (Index t = 0; t < 3; ++t)
    for (Index b = 0; b < 2; ++b)
      for (Index h = 0; h < 2; ++h) {
        const Eigen::Tensor<float, 2> row = x.chip(t, 4).chip(b, 3).chip(h, 2), expected = plain.forward(row);
        for (Index w = 0; w < 6; ++w)
          for (Index c = 0; c < 3; ++c) CHECK(y(c, w, h, b, t) == expected(c, w));
      }
}
