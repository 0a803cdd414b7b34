#include "eigenstream/network/any_graph.hpp"

#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using es::Reduce;

namespace {

Conv1d<float> conv(Index in, Index out, Index taps, es::Conv1dOptions options = {}, std::uint64_t seed = 1) {
  return support::random_conv<Conv1d<float>>(in, out, taps, options, true, seed);
}

}  // namespace

TEST_CASE("AnyGraph: the same network as the one with known types", "[network][property]") {
  const auto down = conv(2, 4, 4, {.stride = 2, .padding = 1});
  const auto up = support::random_conv_transpose<float>(4, 2, 4, {.stride = 2, .padding = 1});
  const auto known = es::parallel(Reduce::concat, es::Identity<float>(), es::sequential(down, es::Tanh<float>(), up));
  es::GraphBuilder<float> graph;
  const auto x = graph.input();
  const auto deep = graph.add(up, graph.add(es::Tanh<float>(), graph.add(down, x)));
  const es::AnyGraph<float> any = graph.build(graph.reduce(Reduce::concat, {x, deep}));
  support::Random random(1);
  const auto signal = support::random_tensor<float>(random, 2, 3, 60);
  const auto one = support::offline(known, signal), other = support::offline(any, signal);
  REQUIRE(one.size() == other.size());
  CHECK(std::memcmp(one.data(), other.data(), sizeof(float) * static_cast<std::size_t>(one.size())) == 0);
  CHECK(support::facts_of(any).parameters == support::facts_of(known).parameters);
  CHECK(any.facts({2}).macs == known.facts({2}).macs);
  CHECK(any.wanted().channels == 2);
  CHECK(any.facts({2}).out.channels == 4);
}

TEST_CASE("AnyGraph: a WaveNet with sums of skips", "[network][property]") {
  for (const Index batch : {1, 2}) {
    es::GraphBuilder<float> graph;
    auto x = graph.add(conv(1, 4, 1), graph.input());
    std::vector<es::GraphBuilder<float>::Value> skips;
    for (Index layer = 0; layer < 4; ++layer) {
      const Index dilation = Index{1} << layer;
      const auto both = graph.add(conv(4, 8, 3, {.padding = es::Padding::causal(3, dilation), .dilation = dilation}), x);
      const auto gated = graph.add(es::Glu<float>(), both);
      skips.push_back(graph.add(conv(4, 3, 1), gated));
      if (layer < 3) x = graph.reduce(Reduce::sum, {x, graph.add(conv(4, 4, 1), gated)});
    }
    const auto net = graph.build(graph.add(es::Relu<float>(), graph.reduce(Reduce::sum, skips)));
    CHECK(net.timing().delay() == 0);
    CHECK(net.timing().receptive_field() == 31);
    support::check_contract(net, batch, {.exact = false});
  }
}

TEST_CASE("AnyGraph: one layer is conditioned by further channels of the input", "[network][property]") {
  for (const Index batch : {1, 2}) {
    es::GraphBuilder<float> graph(5);
    const auto sound = graph.input(0, 2), condition = graph.input(2, 3);
    const auto filtered = graph.add(conv(2, 8, 3, {.padding = es::Padding::causal(3)}), sound);
    const auto shift = graph.add(conv(3, 8, 1, {}, 2), condition);
    const auto net =
        graph.build(graph.add(conv(4, 1, 1), graph.add(es::Glu<float>(), graph.reduce(Reduce::sum, {filtered, shift}))));
    CHECK(net.wanted().channels == 5);
    support::check_contract(net, batch, {.exact = false});
  }
}

TEST_CASE("AnyGraph: a value may go to many, and twice to the same", "[network][property]") {
  es::GraphBuilder<float> graph;
  const auto x = graph.input();
  const auto a = graph.add(es::Tanh<float>(), x);
  const auto square = graph.reduce(Reduce::product, {a, a});
  const auto late = graph.add(conv(3, 3, 5, {.padding = 2}), a);
  const auto again = graph.reduce(Reduce::sum, {late, a, a, square});
  const auto b = graph.add(es::Elu<float>(), again), c = graph.add(es::Relu<float>(), again);
  const auto net = graph.build(graph.reduce(Reduce::concat, {b, c, b, x}));
  for (const Index batch : {1, 3}) support::check_contract(net, batch, {.exact = false});
}

TEST_CASE("AnyGraph: the empty one is the identity, and one with a layer is the layer", "[network][property]") {
  es::GraphBuilder<float> empty;
  support::check_contract(empty.build(empty.input()), 2, {.channels = 3});
  es::GraphBuilder<float> one;
  support::check_contract(one.build(one.add(conv(2, 3, 4, {.stride = 3, .padding = 2}), one.input())), 2);
  es::GraphBuilder<float> pointwise;
  support::check_contract(pointwise.build(pointwise.add(es::Tanh<float>(), pointwise.input())), 2, {.channels = 3, .exact = false});
}

TEST_CASE("GraphBuilder: refuses what cannot be built", "[network][error]") {
  es::GraphBuilder<float> graph;
  const auto x = graph.input();
  const auto half = graph.add(conv(2, 2, 3, {.stride = 2}), x);
  CHECK(support::error_of([&] { graph.reduce(Reduce::sum, {x, half}); }) ==
        "the branches cannot be aligned: one has rate 1/1 and delay 0, another rate 1/2 and delay 2 (outputs per input, "
        "input frames)");
  CHECK(support::error_of([&] { (void)graph.build(x); }) == "Graph: value 0 is the output, but 1 was made last");
  const auto wide = graph.add(conv(2, 3, 1), half);
  const auto sum = graph.reduce(Reduce::sum, {half, wide});
  CHECK(support::error_of([&] { (void)graph.build(sum); }) == "Reduce: sum of 2 and 3 channels");
}
