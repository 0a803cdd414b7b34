#include "eigenstream/network/any_graph.hpp"

#include <array>
#include <span>

#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/facts.hpp"
#include "support/outputs.hpp"
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

TEST_CASE("AnyGraph: containers are taken apart, and states go from network to network", "[network]") {
  const auto block = [](std::uint64_t seed) { return conv(3, 3, 3, {.padding = es::Padding::causal(3)}, seed); };
  const auto known = es::sequential(es::residual(es::sequential(block(1), es::Tanh<float>())), es::residual(block(2)), block(3));
  const es::AnySequential<float> chain({es::residual(es::AnySequential<float>({block(1), es::Tanh<float>()})),
                                        es::Residual<es::AnyLayer<float>>(block(2)), block(3)});
  const es::AnyLayer<float> planned = es::AnyGraph<float>::of(chain);
  REQUIRE(planned.as<es::AnyGraph<float>>() != nullptr);
  CHECK(planned.as<es::AnyGraph<float>>()->plan().size() == 3);
  CHECK(planned.fingerprint() == chain.fingerprint());
  CHECK(planned.fingerprint() == known.fingerprint());
  CHECK(planned.wanted() == chain.wanted());
  support::check_contract(planned, 2);

  es::Stream one(known);
  es::Stream<es::AnyLayer<float>> other(planned);
  support::Random random(5);
  const auto x = support::random_tensor<float>(random, 3, 40);
  const Eigen::Tensor<float, 2> before = x.slice(Eigen::array<Index, 2>{0, 0}, Eigen::array<Index, 2>{3, 17});
  const Eigen::Tensor<float, 2> after = x.slice(Eigen::array<Index, 2>{0, 17}, Eigen::array<Index, 2>{3, 23});
  one(before);
  other.set_state(es::State::from_bytes(one.get_state().bytes()));
  const Eigen::Tensor<float, 2> y = one(after), z = other(after);
  REQUIRE(y.size() == z.size());
  CHECK(std::memcmp(y.data(), z.data(), sizeof(float) * static_cast<std::size_t>(y.size())) == 0);

  // One that waits for its input keeps its own queue, and an empty one is no graph.
  CHECK(es::AnyGraph<float>::of(es::Residual<es::AnyLayer<float>>(conv(3, 3, 3))).as<es::AnyGraph<float>>() == nullptr);
  CHECK(es::AnyGraph<float>::of(es::AnySequential<float>()).as<es::AnyGraph<float>>() == nullptr);
  CHECK(es::AnyGraph<float>::of(es::Tanh<float>()).as<es::Tanh<float>>() != nullptr);
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

namespace {

// A filter of x, conditioned by c, which comes once for every four frames: (x * w) * up(c), then its past.
struct Conditioned {
  es::Conv1d<float> filter = conv(2, 3, 5, {.padding = 2}), past = conv(6, 2, 3, {.padding = es::Padding::causal(3)}, 4);
  es::ConvTranspose1d<float> up = support::random_conv_transpose<float>(5, 3, 4, {.stride = 4});
  es::AnyGraph<float> net = [this] {
    es::GraphBuilder<float> graph(2, {{.shape = {5}, .rate = {1, 4}}, {.shape = {3}}});
    const auto a = graph.add(filter, graph.input()), b = graph.add(up, graph.input(1));
    const auto product = graph.reduce(Reduce::product, {a, b});
    return graph.build(graph.add(past, graph.reduce(Reduce::concat, {product, graph.input(2)})));
  }();
};

struct Signals {
  explicit Signals(Index frames, Index batch) : n(frames) {
    support::Random random(static_cast<std::uint64_t>(frames));
    x = support::random_tensor<float>(random, 2, batch, frames);
    c = support::random_tensor<float>(random, 5, batch, (frames + 3) / 4);
    d = support::random_tensor<float>(random, 3, batch, frames);
  }
  Index n;
  support::Signal<float> x, c, d;
};

using Frames3 = std::array<es::Frames<const float>, 3>;

// The next n frames of all of them.
Frames3 part(const es::Stream<es::AnyGraph<float>>& stream, const Signals& all, Index n) {
  const Index at = stream.frames_seen();
  return {es::Frames<const float>(all.x).slice(at, n),
          es::Frames<const float>(all.c).slice((at + 3) / 4, stream.frames_with(1, n)),
          es::Frames<const float>(all.d).slice(at, n)};
}

}  // namespace

TEST_CASE("AnyGraph: several inputs, one of them at another rate, in any chunks", "[network][property]") {
  const Conditioned model;
  const Index batch = GENERATE(1, 3), frames = GENERATE(1, 2, 9, 40, 163, 700);
  INFO(frames << " frames, batch " << batch);
  const Signals all(frames, batch);
  es::Stream stream(model.net, {.batch = batch});
  CHECK(stream.inputs() == 3);
  CHECK(stream.in_shape(1) == es::FrameShape{.channels = 5, .batch = batch});
  CHECK(stream.frames_with(1, frames) == (frames + 3) / 4);
  std::vector<float> whole(static_cast<std::size_t>(frames * stream.out_shape().size()));
  const es::Frames<float> room(whole.data(), stream.out_shape(), frames);
  REQUIRE(stream.process(part(stream, all, frames), room, es::final) == frames);

  // What its parts give, one after the other, by hand.
  const auto a = support::offline(model.filter, all.x), b = support::offline(model.up, all.c);
  support::Signal<float> joined(6, batch, frames);
  for (Index t = 0; t < frames; ++t)
    for (Index e = 0; e < batch; ++e)
      for (Index k = 0; k < 3; ++k) {
        joined(k, e, t) = a(k, e, t) * b(k, e, t);
        joined(3 + k, e, t) = all.d(k, e, t);
      }
  const auto expected = support::offline(model.past, joined);
  REQUIRE(expected.size() == static_cast<Index>(whole.size()));
  CHECK(std::memcmp(expected.data(), whole.data(), sizeof(float) * whole.size()) == 0);

  for (const Index chunk : {Index{1}, Index{3}, Index{4}, Index{7}, Index{64}}) {
    std::vector<float> y(whole.size() + 64);
    es::Frames<float> rest(y.data(), stream.out_shape(), frames + 1);
    const support::NoAllocation guard;
    while (stream.frames_seen() + chunk < frames) rest = rest.from(stream.process(part(stream, all, chunk), rest));
    rest = rest.from(stream.process(part(stream, all, frames - stream.frames_seen()), rest, es::final));
    CHECK(guard.count() == 0);
    CHECK(rest.count == 1);
    CHECK(std::memcmp(y.data(), whole.data(), sizeof(float) * whole.size()) == 0);
  }
}

TEST_CASE("AnyGraph: several inputs, saved, restored and forked in the middle", "[network]") {
  const Conditioned model;
  const Signals all(50, 1);
  es::Stream stream(model.net), other(model.net);
  std::vector<float> y(200), z(200);
  const es::Frames<float> to(y.data(), stream.out_shape(), 60), again(z.data(), stream.out_shape(), 60);
  for (const Index cut : {5, 6, 7, 8}) {
    stream.reset();
    stream.process(part(stream, all, cut), to);
    other.set_state(es::State::from_bytes(stream.get_state().bytes()));
    es::Stream fork = stream;
    const Index n = stream.process(part(stream, all, 50 - cut), to, es::final);
    REQUIRE(other.process(part(other, all, 50 - cut), again, es::final) == n);
    CHECK(std::equal(y.begin(), y.begin() + 2 * n, z.begin()));
    REQUIRE(fork.process(part(fork, all, 50 - cut), again, es::final) == n);
    CHECK(std::equal(y.begin(), y.begin() + 2 * n, z.begin()));
  }
}

TEST_CASE("AnyGraph: what does not come together is refused before anything changes", "[network][error]") {
  const Conditioned model;
  const Signals all(50, 1);
  es::Stream stream(model.net);
  std::vector<float> y(200);
  const es::Frames<float> to(y.data(), stream.out_shape(), 60);
  stream.process(part(stream, all, 6), to);
  const es::State before = stream.get_state();
  Frames3 given = part(stream, all, 3);
  const auto refused = [&](std::span<const es::Frames<const float>> x) {
    const std::string message = support::error_of([&] { stream.process(x, to); });
    CHECK(stream.get_state() == before);
    return message;
  };
  CHECK(refused(std::span(given).first(2)) == "Stream: 2 signals for a network of 3 inputs");
  given[1].count = 0;
  CHECK(refused(given) == "Stream: input 1 of 0 frames, but 1 belong to the next 3 of input 0");
  given = part(stream, all, 3);
  given[2] = es::Frames<const float>(all.c).slice(0, 3);
  CHECK(refused(given) == "Stream: input 2 of 5 channels and a batch of 1, this stream has 3 channels and a batch of 1");
  CHECK(support::error_of([&] { stream.process(given[0], to); }) ==
        "Stream: one signal for a network of 3 inputs; process() takes frames of each");
  CHECK(support::error_of([&] { stream(all.x); }).starts_with("Stream: one signal for a network of 3 inputs"));
  CHECK(support::error_of([&] { es::AnySequential<float>({es::AnyLayer<float>(model.net)}); }).starts_with("Sequential: a layer of 3 inputs"));
  es::GraphBuilder<float> graph(2);
  const auto x = graph.input();
  CHECK(support::error_of([&] { graph.add(model.net, x); }) == "Graph: 1 values for a layer of 3 inputs");
  CHECK(support::error_of([&] { graph.input(1); }) == "Graph: no input 1; there are 1");
  const auto out = graph.join(model.net, {x, graph.add(conv(2, 5, 1), x), graph.add(conv(2, 3, 1), x)});
  CHECK(support::error_of([&] { graph.build(out); }) == "Graph: input 1 comes at another rate; only a stream can bring that");
}

TEST_CASE("AnyGraph: a network of several inputs is a layer with several inputs", "[network][property]") {
  es::GraphBuilder<float> inner(2, {{.shape = {3}}});
  const auto mixed = inner.reduce(Reduce::concat, {inner.add(conv(2, 2, 3, {.padding = 1}), inner.input()), inner.input(1)});
  const es::AnyGraph<float> mix = inner.build(inner.add(conv(5, 4, 2), mixed));
  es::GraphBuilder<float> graph;
  const auto x = graph.input();
  const auto late = graph.add(conv(2, 3, 5, {.padding = 2}), x);
  const es::AnyGraph<float> net = graph.build(graph.join(mix, {graph.add(conv(2, 2, 1), x), late}));
  // A layer has one timing for all of its inputs, so the second is said to reach as far as the first.
  for (const Index batch : {1, 2}) support::check_contract(net, batch, {.exact = false, .carries = false, .columns = false});
}

TEST_CASE("AnyGraph: several outputs, one of them used further on", "[network][property]") {
  const auto down = conv(2, 4, 4, {.stride = 2, .padding = 1}), side = conv(4, 3, 3, {.padding = 2}, 5), last = conv(4, 1, 5, {}, 7);
  const es::Tanh<float> tanh;
  const auto only = [&](int which) {
    es::GraphBuilder<float> graph;
    const auto deep = graph.add(down, graph.input());
    if (which == 2) return graph.build(graph.add(side, deep));
    const auto bent = graph.add(tanh, deep);
    return which == 1 ? graph.build({bent}, {"bent"}) : graph.build(graph.add(last, bent));
  };
  es::GraphBuilder<float> graph;
  const auto deep = graph.add(down, graph.input()), bent = graph.add(tanh, deep);
  const auto a = graph.add(last, bent), b = graph.add(side, deep);
  const auto net = graph.build({a, bent, b, bent}, {"a", "bent", "b", "again"});
  for (const Index batch : {1, 3}) support::check_outputs(net, {.batch = batch}, {only(0), only(1), only(2), only(1)});
  support::check_outputs(net.without_padding(), {}, {only(0).without_padding(), only(1).without_padding()});
  es::Stream stream(net);
  CHECK(stream.outputs() == 4);
  CHECK(stream.output_name(1) == "bent");
  CHECK(stream.out_shape(2).channels == 3);
  CHECK((stream.rate(0) == es::Rate{1, 2} && stream.delay(1) < stream.delay(0)));
  CHECK((stream.receptive_field(1) == 4 && stream.stride(1) == 2 && stream.padding(1) == 1));
  CHECK(stream.max_flush(2) > 0);
  support::check_contract(net, 2, {.exact = false});  // its main output
}

TEST_CASE("AnyGraph: the input is an output, and values of different shape and rate are", "[network][property]") {
  es::GraphBuilder<float> graph;
  const auto x = graph.input();
  const auto up = graph.add(support::random_conv_transpose<float>(2, 3, 4, {.stride = 2}), x);
  const auto net = graph.build({x, up, x});
  support::check_outputs(net, {});
  CHECK(net.all_outputs()[1].name == "1");
  CHECK(net.out_shapes({2})[1].channels == 3);
  es::GraphBuilder<float> plain(3);
  support::check_outputs(plain.build({plain.input(), plain.input()}), {});
}

TEST_CASE("AnyGraph: several inputs and several outputs", "[network][property]") {
  es::GraphBuilder<float> graph(1, {{.shape = {3}, .rate = {1, 4}}});
  const auto sound = graph.add(conv(1, 2, 3, {.padding = es::Padding::causal(3)}), graph.input());
  const auto control = graph.add(support::random_conv_transpose<float>(3, 2, 4, {.stride = 4}), graph.input(1));
  const auto both = graph.reduce(Reduce::product, {sound, control});
  support::check_outputs(graph.build({both, control, graph.input(1), sound}), {.batch = 2});
}

TEST_CASE("AnyGraph: values kept from many a random graph", "[network][property]") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const support::RandomGraph made = support::random_graph(seed);
    support::Random random(seed);
    const Index values = static_cast<Index>(made.nodes.size()) + 1;
    es::GraphBuilder<float> graph(made.channels);
    std::vector<es::GraphBuilder<float>::Value> all{graph.input()}, chosen;
    for (const auto& node : made.nodes) {
      std::vector<es::GraphBuilder<float>::Value> from;
      for (const std::size_t v : node.from) from.push_back(all[v]);
      all.push_back(node.layer.empty() ? graph.reduce(node.op, from) : graph.add(node.layer.front(), from.front()));
    }
    std::vector<es::AnyGraph<float>> singles;
    const Index place = random.integer(0, 3);  // of the value made last
    for (Index k = 0; k < 4; ++k) {
      const Index v = k == place ? values - 1 : random.integer(0, values - 1);
      chosen.push_back(all[static_cast<std::size_t>(v)]);
      singles.push_back(support::network_up_to(made, static_cast<std::size_t>(v)));
    }
    INFO("seed " << seed << made.text);
    support::check_outputs(graph.build(chosen), {.channels = made.channels, .batch = 1 + static_cast<Index>(seed % 2)}, singles, seed);
  }
}

TEST_CASE("AnyGraph: tensors of every output", "[network]") {
  es::GraphBuilder<float> graph;
  const auto a = graph.add(conv(2, 3, 3), graph.input()), b = graph.add(conv(3, 1, 2, {.stride = 2}), a);
  const auto net = graph.build({b, a}, {"b", "a"});
  es::Stream stream(net);
  support::Random random(1);
  const auto x = support::random_tensor<float>(random, 2, 20);
  const auto first = stream.all(x), rest = stream.all(x, es::final);
  REQUIRE(first.size() == 2);
  CHECK((first[0].dimension(0) == 1 && first[0].dimension(1) == 9));
  CHECK((first[1].dimension(0) == 3 && first[1].dimension(1) == 18));
  CHECK((rest[0].dimension(1) == 10 && rest[1].dimension(1) == 20));
  es::Stream again(net);
  const Eigen::Tensor<float, 2> main = again(x);
  CHECK(std::memcmp(main.data(), first[0].data(), sizeof(float) * 9) == 0);
  es::Stream plain(conv(2, 3, 3));
  CHECK((plain.outputs() == 1 && plain.output_name(0) == "0" && plain.all(x).size() == 1));
  CHECK((plain.max_outputs(5, 0) == 5 && plain.max_flush(0) == 0 && plain.out_shape(0).channels == 3));
}

TEST_CASE("AnyGraph: what cannot be an output is refused", "[network][error]") {
  using support::error_of;
  const auto build = [](const std::vector<Index>& outputs, const std::vector<std::string>& names = {}) {
    return error_of([&] {
      es::GraphBuilder<float> graph;
      graph.add(conv(2, 3, 3), graph.add(es::Tanh<float>(), graph.input()));
      std::vector<es::GraphBuilder<float>::Value> values;
      for (const Index v : outputs) values.push_back({v});
      graph.build(values, names);
    });
  };
  CHECK(build({}) == "Graph: no output is chosen");
  CHECK(build({2, 5}) == "no value 5 yet; there are 3");
  CHECK(build({1}) == "Graph: value 2 is not used");
  CHECK(build({2, 1}, {"a"}) == "Graph: 1 names for 2 outputs");
  CHECK(build({2, 1}, {"a", "a"}) == "Graph: two outputs are called a");
  CHECK(build({2, 1}, {"1", ""}) == "Graph: two outputs are called 1");

  es::GraphBuilder<float> graph;
  const auto a = graph.add(conv(2, 2, 3, {.padding = 1}), graph.input());
  const auto two = graph.build({graph.add(es::Tanh<float>(), a), a});
  const std::string why = ": a network of 2 outputs, of which only one would be used; a stream has them all, in another network "
                          "build it with the one that is wanted";
  CHECK(error_of([&] { es::AnySequential<float>({two}); }) == "Sequential" + why);
  CHECK(error_of([&] { es::sequential(es::Tanh<float>(), two); }) == "Sequential" + why);
  CHECK(error_of([&] { es::residual(two); }) == "Residual" + why);
  CHECK(error_of([&] { es::parallel(Reduce::sum, two, es::Tanh<float>()); }) == "Graph" + why);
  CHECK(error_of([&] {
          es::GraphBuilder<float> outer;
          outer.build(outer.add(two, outer.input()));
        }) == "Graph" + why);

  es::Stream stream(two);
  std::vector<float> x(20), y(40);
  std::vector<Index> written(2);
  const es::Frames<float> room(y.data(), {2}, 10), small(y.data(), {2}, 8), wide(y.data(), {4}, 10);
  const es::Frames<const float> in(x.data(), {2}, 10);
  const auto process = [&](std::vector<es::Frames<float>> to) {
    return error_of([&] { stream.process(in, to, written); });
  };
  CHECK(process({room}) == "Stream: room for 1 outputs and 2 counts, for a network of 2 outputs");
  CHECK(process({room, small}) == "Stream: room for 8 frames of output 1 where 9 will come");
  CHECK(process({room, wide}).starts_with("Stream: output 1 of "));
  CHECK(stream.frames_seen() == 0);
  CHECK(error_of([&] { (void)stream.delay(2); }) == "Stream: no output 2; there are 2");
  CHECK(error_of([&] { (void)stream.out_shape(-1); }) == "Stream: no output -1; there are 2");
}
