#include "eigenstream/layer/input.hpp"

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/space_conv.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Input;
using support::counting;
using support::error_of;

TEST_CASE("Input: any chunking gives the frames as they came", "[layer][property]") {
  support::check_contract(Input<float>({3}), 2, {.columns = false});
  support::check_contract(Input<double>({0, 4, 3}), 1, {.channels = 2, .width = 4, .height = 3});
}

TEST_CASE("Input: a stream has the width and height that it says", "[layer]") {
  const es::Conv2d<float> conv(counting({2, 1, 1, 3}));
  const auto net = es::sequential(Input<float>({1, 7}), conv);
  CHECK(net.wanted() == es::FrameShape{1, 7, 1, 0});
  const es::Stream stream(net);
  CHECK(stream.in_shape() == es::FrameShape{1, 7});
  CHECK(stream.out_shape() == es::FrameShape{2, 5});
  // What does not fit shows when the network is built, as it does in a graph.
  CHECK_THAT(error_of([&] { es::sequential(Input<float>({1, 2}), conv); }), Contains("Conv2d: the kernel reaches over 3"));
  CHECK_THAT(error_of([&] { es::sequential(Input<float>({1, 7}), conv, conv); }), Contains("takes 1 channels, not 2"));
  CHECK_THAT(error_of([&] { es::sequential(conv, Input<float>({1, 5})).facts({1, 7}); }), Contains("takes 1 channels, not 2"));
  es::GraphBuilder<float> graph(1);
  const auto in = graph.add(Input<float>({1, 7}), graph.input());
  CHECK(es::Stream(graph.build(graph.add(conv, in))).out_shape() == es::FrameShape{2, 5});
}

TEST_CASE("Input: other frames are refused", "[layer][error]") {
  CHECK_THAT(error_of([] { Input<float>({1, 0}); }), Contains("Input: frames of"));
  CHECK_THAT(error_of([] { return Input<float>({2, 4}).facts({3, 4}); }), Contains("Input: takes 2 channels, not 3"));
  CHECK_THAT(error_of([] { return Input<float>({2, 4, 3}).facts({2, 4}); }),
             Contains("Input: takes frames of width 4 and height 3, not 4 and 1"));
}
