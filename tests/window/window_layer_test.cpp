#include "eigenstream/window/window_layer.hpp"

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "support/catch.hpp"
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
  support::check_window(es::Whole(layer), window, expected, 1e-30);
  support::check_window(es::AnyWindowLayer<T>(layer), window, expected, 1e-30);
}

}  // namespace

TEST_CASE("Whole: a window is a signal of its own, whatever came before", "[window]") {
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

TEST_CASE("Whole: random networks", "[window]") {
  const std::uint64_t seed = static_cast<std::uint64_t>(GENERATE(range(0, 20)));
  const support::RandomNetwork network = support::random_network(seed);
  INFO(network.text);
  check_whole(network.net, network.channels, 200);
}

TEST_CASE("Whole: its numbers are the layer's", "[window]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(3, 5, 4, {.stride = 2});
  const es::Whole whole(conv);
  CHECK(whole.in_channels() == 3);
  CHECK(whole.parameters() == conv.parameters());
  CHECK(whole.fingerprint() == conv.fingerprint());
  CHECK(whole.macs({3, 10}) == conv.macs(3) * 10);
  CHECK(!whole.in_place());
  CHECK(es::Whole(es::Relu<float>()).in_place());
  CHECK(whole.out_window({3, 10}) == es::WindowShape{5, 4});
  CHECK_THAT(support::error_of([&] {
               return whole.out_window({3, 3});
             }),
             Contains("a window of 3 frames is too short for a receptive field of 4"));
  CHECK_THAT(support::error_of([&] { return whole.out_window({4, 10}); }), Contains("3 channels"));
}
