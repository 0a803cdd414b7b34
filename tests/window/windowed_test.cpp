#include "eigenstream/window/windowed.hpp"

#include <utility>

#include "eigenstream/compose/along.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/adaptive_pool.hpp"
#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/rearrange.hpp"
#include "eigenstream/layer/reflection_pad.hpp"
#include "eigenstream/layer/softmax.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "eigenstream/window/unfold_windows.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/facts.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Padding;
using es::Windowed;
using support::error_of;

namespace {

template <class T>
auto conv(Index in, Index out, Index taps, es::Conv1dOptions options = {}) {
  return support::random_conv<es::Conv1d<T>>(in, out, taps, options, true, static_cast<std::uint64_t>(out));
}

// A small classifier with everything that needs the whole window.
template <class T>
auto classifier(Index channels) {
  return es::sequential(es::along(conv<T>(channels, 6, 3, {.padding = 1})), es::GroupNorm<T>(2, 6), es::Tanh<T>(),
                        es::residual(es::along(conv<T>(6, 6, 3, {.padding = 1})), es::Tanh<T>()),
                        es::AdaptiveAvgPool1d<T>(1), support::random_linear<T>(6, 4), es::Softmax<T>());
}

}  // namespace

TEMPLATE_TEST_CASE("Windowed: any chunking gives the offline output", "[window][property]", float, double) {
  using T = TestType;
  const auto sizes = GENERATE(table<Index, Index>({{1, 1}, {4, 1}, {5, 2}, {8, 8}, {6, 9}, {40, 3}}));
  const Index size = std::get<0>(sizes), stride = std::get<1>(sizes);
  const Padding padding = GENERATE_COPY(Padding{0}, Padding{size - 1, 0}, Padding{size / 2, size - 1});
  const Index batch = GENERATE(1, 3);
  INFO("size " << size << ", stride " << stride << ", padding " << padding.left << " and " << padding.right);
  support::check_contract(Windowed(es::Identity<T>(), size, stride, {.padding = padding, .channels = 2}), batch,
                          {.light = batch > 1});
  support::check_contract(Windowed(classifier<T>(2), size, stride, {.padding = padding}), batch,
                          {.exact = false, .light = batch > 1});
}

TEST_CASE("Windowed: each output is the network's for that window", "[window]") {
  const auto sizes = GENERATE(table<Index, Index>({{20, 7}, {16, 16}, {10, 30}}));
  const Index size = std::get<0>(sizes), stride = std::get<1>(sizes);
  support::Random random(6);
  const auto x = support::random_tensor<float>(random, 2, 100);
  const auto net = classifier<float>(2);
  const Windowed layer(net, size, stride);
  CHECK(layer.in_window() == es::FrameShape{2, size});
  CHECK(layer.out_window() == es::FrameShape{4});
  es::Stream stream(layer);
  const Eigen::Tensor<float, 2> y = stream.forward(x);
  const auto [windows, rest] = es::unfold_windows(x, size, stride);
  REQUIRE(y.dimension(1) == windows.dimension(2));
  for (Index w = 0; w < y.dimension(1); ++w) {
    const Eigen::Tensor<float, 2> one = windows.chip(w, 2), expected = support::run_window(net, one);
    REQUIRE(expected.size() == 4);
    CHECK(std::equal(expected.data(), expected.data() + 4, &y(0, w)));
  }
}

TEST_CASE("Windowed: a window has an end, so that it can be mirrored there", "[window]") {
  // As voice detectors take spectra: 576 samples, of which the last 64 come once more in reverse order.
  constexpr Index size = 576, stride = 512, more = 64, frames = 1500;
  const Windowed layer(es::along(es::ReflectionPad<float>(0, more)), size, stride, {.padding = {size - stride, 0}, .channels = 2});
  support::check_contract(Windowed(es::sequential(es::along(es::ReflectionPad<float>(0, 4)), es::along(conv<float>(2, 3, 8, {.stride = 4}))),
                                   36, 32, {.padding = {4, 0}}), 2, {.exact = false});
  support::Random random(8);
  const auto x = support::random_tensor<float>(random, 2, 1, frames);
  es::Stream stream(layer, {.channels = 2});
  const es::FrameShape out = stream.out_shape();
  REQUIRE((out.channels == 2 && out.width == size + more));
  std::vector<float> y(static_cast<std::size_t>(3 * out.size()));
  REQUIRE(stream.process(es::Frames<const float>(x), es::Frames<float>(y.data(), out, 3), es::final) == 2);
  for (Index w = 0; w < 2; ++w)
    for (Index p = 0; p < size + more; ++p)
      for (Index c = 0; c < 2; ++c) {
        const Index t = w * stride - (size - stride) + (p < size ? p : 2 * (size - 1) - p);
        REQUIRE(y[static_cast<std::size_t>((w * out.width + p) * 2 + c)] == (t < 0 ? 0.0f : x(c, 0, t)));
      }
}

TEST_CASE("Windowed: over the windows of a snapshotter", "[window]") {
  const es::Snapshotter<float> snapshotter(3, 12, 5, 4);
  const es::Windowed layer(classifier<float>(3), snapshotter);
  CHECK(layer.padding().left == 7);
  support::Random random(6);
  const auto x = support::random_tensor<float>(random, 3, 20);
  const auto [snapshots, state] = snapshotter(x);
  es::Stream stream(layer);
  const Eigen::Tensor<float, 2> y = stream(x);
  REQUIRE(y.dimension(1) == 4);
  for (Index w = 0; w < 4; ++w) {
    const Eigen::Tensor<float, 2> one = snapshots.chip(w, 2), expected = support::run_window(layer.net(), one);
    REQUIRE(expected.size() == 4);
    CHECK(std::equal(expected.data(), expected.data() + 4, &y(0, w)));
  }
  // Without a network it is the snapshotter itself.
  es::Stream plain(snapshotter);
  es::Stream empty(es::Windowed(es::Identity<float>(), snapshotter));
  const Eigen::Tensor<float, 2> a = plain(x), b = empty(x);
  CHECK(std::equal(a.data(), a.data() + a.size(), b.data(), b.data() + b.size()));
}

TEST_CASE("Windowed: numbers for reports", "[window]") {
  const Windowed layer(classifier<float>(2), 20, 5, {.padding = {15, 4}});
  const auto one = conv<float>(2, 6, 3, {.padding = 1});
  CHECK(support::facts_of(layer).parameters > support::facts_of(one).parameters);
  CHECK(layer.facts({2}).macs * 5 > one.facts({2}).macs * 20);
  const es::Timing timing = layer.timing();
  CHECK(timing.receptive_field() == 20);
  CHECK(timing.delay() == 4);
  CHECK(timing.padding() == 15);
  CHECK(timing.rate() == es::Rate{1, 5});
  CHECK(layer.without_padding().timing().padding() == 0);
  CHECK(Windowed(classifier<float>(2), 20, 5).fingerprint() != Windowed(classifier<float>(2), 20, 4).fingerprint());
  CHECK(Windowed(classifier<float>(2), 20, 5).fingerprint() == Windowed(classifier<float>(2), 20, 5).fingerprint());
}

TEST_CASE("Windowed: what does not add up is an error that names it", "[window]") {
  const auto net = es::along(conv<float>(2, 6, 3));
  using W = Windowed<std::remove_const_t<decltype(net)>>;
  CHECK_THAT(error_of([&] { W(net, 0, 1); }), Contains("size = 0"));
  CHECK_THAT(error_of([&] { W(net, 5, 0); }), Contains("stride = 0"));
  CHECK_THAT(error_of([&] {
               W(net, 5, 1, {.padding = {5, 0}});
             }),
             Contains("padding = 5, must be from 0 to size - 1 = 4"));
  CHECK_THAT(error_of([&] { W(net, 5, 1, {.padding = {0, -1}}); }), Contains("padding = -1"));
  CHECK_THAT(error_of([&] { W(net, 2, 1); }), Contains("a window of 2 frames is too short"));
  CHECK_THAT(error_of([&] { Windowed(es::Identity<float>(), 2, 1); }), Contains("say how many"));
  CHECK_THAT(error_of([&] { Windowed(conv<float>(2, 6, 3), 5, 1); }), Contains("es::along(layer)"));
  CHECK_THAT(error_of([&] { es::Stream(W(net, 5, 1), {.width = 2}); }), Contains("takes frames without space"));
  CHECK_THAT(error_of([&] { W(net, 5, 1, {.channels = 3}); }), Contains("channels = 3, but the network takes 2"));
  CHECK_THAT(error_of([&] { es::Stream(W(net, 5, 1), {.channels = 3}); }), Contains("takes 2 channels, not 3"));
}

TEST_CASE("Windowed: frames of several columns, as a tensor with that axis", "[window]") {
  support::Random random(6);
  const auto x = support::random_tensor<float>(random, 2, 30);
  const es::Windowed layer(es::along(conv<float>(2, 3, 3)), 6, 4);
  es::Stream stream(layer);
  CHECK(stream.out_shape() == es::FrameShape{3, 4});
  const Eigen::Tensor<float, 2> y = stream.forward(x);
  const auto frames = es::with_axes<3>(y, stream.out_shape());
  REQUIRE((frames.dimension(0) == 3 && frames.dimension(1) == 4 && frames.dimension(2) == 7));
  const auto [windows, rest] = es::unfold_windows(x, 6, 4);
  for (Index w = 0; w < 7; ++w) {
    const Eigen::Tensor<float, 2> one = windows.chip(w, 2), expected = support::run_window(layer.net(), one);
    for (Index t = 0; t < 4; ++t)
      for (Index c = 0; c < 3; ++c) CHECK(frames(c, t, w) == expected(c, t));
  }
  const auto merged = es::sequential(layer, es::Merge<float>());
  es::Stream flat(merged);
  CHECK(flat.out_shape() == es::FrameShape{12});
  const Eigen::Tensor<float, 2> z = flat.forward(x);
  CHECK(std::equal(y.data(), y.data() + y.size(), z.data(), z.data() + z.size()));
  support::check_contract(layer, 2);
  support::check_contract(merged, 2);
}
