#include "eigenstream/compose/each_frame.hpp"

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/network/any_layer.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Space;
using support::error_of;

TEST_CASE("EachFrame: a stream of spectra is normalised spectrum by spectrum", "[compose]") {
  const es::GroupNorm<float> norm(2, 4);
  const auto net = es::sequential(support::random_conv<es::Conv1d<float>>(3, 4, 2), es::each_frame(norm));
  support::check_contract(net, 2, {.exact = false, .width = 5});
  es::Stream stream(es::each_frame(norm), {.width = 5});
  support::Random random(1);
  const Eigen::Tensor<float, 3> x = support::random_tensor<float>(random, 4, 5, 3);  // (C,W,T)
  const Eigen::Tensor<float, 3> all = stream.forward(x);
  for (Index t = 0; t < 3; ++t) {
    const Eigen::Tensor<float, 3> one = x.slice(Eigen::array<Index, 3>{0, 0, t}, Eigen::array<Index, 3>{4, 5, 1});
    const Eigen::Tensor<float, 3> y = stream.forward(one);
    CHECK(std::equal(y.data(), y.data() + y.size(), all.data() + t * y.size()));
  }
}

TEST_CASE("Space: what needs whole windows is known through every container", "[compose]") {
  const es::GroupNorm<float> norm(1, 3);
  const auto conv = support::random_conv<es::Conv1d<float>>(3, 3, 1);
  const es::Snapshotter<float> cut(3, 4, 2);
  static_assert(es::space_of_type<es::GroupNorm<float>> == Space::needed);
  static_assert(es::space_of_type<decltype(es::sequential(conv, norm))> == Space::needed);
  static_assert(es::space_of_type<decltype(es::sequential(cut, norm))> == Space::made);
  static_assert(es::space_of_type<decltype(es::sequential(conv, es::each_frame(norm)))> == Space::none);
  using Any = es::AnyLayer<float>;
  CHECK(es::space_of(es::AnySequential<float>({conv, norm})) == Space::needed);
  CHECK(es::space_of(es::AnySequential<float>({Any(cut), norm})) == Space::made);
  CHECK(es::space_of(Any(es::each_frame(norm))) == Space::none);
  CHECK_THAT(error_of([&] { es::Stream<Any>(Any(norm)); }), Contains("it cannot run over a stream"));
  CHECK_THAT(error_of([&] { es::Stream<Any>(Any(norm)); }), Contains("Windowed(net, size, stride)"));
  es::Stream<Any> windows(Any(es::AnySequential<float>({Any(cut), norm})));
  CHECK(windows.out_shape() == es::FrameShape{3, 4});
}
