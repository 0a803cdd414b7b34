#include "eigenstream/compose/control.hpp"

#include <array>

#include "eigenstream/compose/along.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/window/windowed.hpp"
#include "support/allocation.hpp"
#include "support/contract.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/outputs.hpp"

namespace es = eigenstream;
using es::Index;
using es::Reduce;
using support::error_of;

namespace {

using Knobs = std::vector<es::NetworkControl>;

// x * gain + conv(x) scaled and shifted by what a small network makes of gain and tone (FiLM), at half the rate.
es::AnyGraph<float> film() {
  es::GraphBuilder<float> graph(2);
  const auto gained = graph.reduce(
      Reduce::product, {graph.input(), graph.add(es::Control(Knobs{{"gain", {0.5, -1}}}, es::Identity<float>()), graph.input())});
  const auto deep = graph.add(support::random_conv<es::Conv1d<float>>(2, 3, 5, {.stride = 2, .padding = 2}), gained);
  const auto net = es::sequential(support::random_linear<float>(3, 6), es::Tanh<float>());
  const auto both = graph.add(es::Control(Knobs{{"tone", {0.25}}, {"gain", {0.5, -1}}}, net), deep);
  const auto scale = graph.add(es::ChannelSlice<float>(0, 3), both), shift = graph.add(es::ChannelSlice<float>(3, 3), both);
  return graph.build(graph.reduce(Reduce::sum, {graph.reduce(Reduce::product, {deep, scale}), shift}));
}

struct Turn {
  Index at;
  const char* name;
  std::vector<float> values;
};

}  // namespace

TEST_CASE("Control: a network with knobs that nobody turns keeps every promise", "[compose][property]") {
  for (const Index batch : {1, 3}) support::check_contract(film(), batch, {.exact = false, .carries = false});
  support::check_outputs(film(), {.batch = 2});
}

TEST_CASE("Control: a knob is turned from one frame to the next, whatever the chunks", "[compose][property]") {
  support::Random random(3);
  const auto net = std::make_shared<const es::AnyGraph<float>>(film());
  for (const Index batch : {1, 2}) {
    const std::vector<Turn> turns{{0, "gain", {1, 2}}, {13, "tone", {0.75}}, {13, "gain", {-1, 0.5}}, {40, "tone", {-3}}};
    const Index length = 71, size = 2 * batch;
    const std::vector<float> x = support::random_values<float>(length * size, random);
    const auto run = [&](auto&& chunk, bool reload, int end) {
      es::Stream<es::AnyGraph<float>> stream(net, {.batch = batch});
      std::vector<float> y;
      std::size_t next = 0;
      for (Index at = 0; at < length;) {
        for (; next < turns.size() && turns[next].at == at; ++next) {
          const support::NoAllocation guard;
          stream.set_control(turns[next].name, turns[next].values);
          CHECK(guard.count() == 0);
        }
        if (reload) {
          es::Stream<es::AnyGraph<float>> other(net, {.batch = batch});
          other.set_control("tone", {99});
          other.set_state(es::State::from_bytes(stream.get_state().bytes()));
          CHECK(other.get_state() == stream.get_state());
          stream = other;
        }
        const Index stop = next < turns.size() ? turns[next].at : length, n = std::min(stop - at, static_cast<Index>(chunk()));
        std::vector<float> some(static_cast<std::size_t>((stream.max_outputs(n) + stream.max_flush()) * stream.out_shape().size()));
        const es::Frames<const float> in(x.data() + at * size, stream.in_shape(), n);
        const es::Frames<float> out(some.data(), stream.out_shape(), stream.max_outputs(n) + stream.max_flush());
        at += n;
        const Index written = end == 0 && at == length ? stream.process(in, out, es::final) : stream.process(in, out);
        y.insert(y.end(), some.begin(), some.begin() + written * out.size());
      }
      if (end == 1) {
        std::vector<float> some(static_cast<std::size_t>(stream.max_flush() * stream.out_shape().size()));
        const Index written = stream.flush(es::Frames<float>(some.data(), stream.out_shape(), stream.max_flush()));
        y.insert(y.end(), some.begin(), some.begin() + written * stream.out_shape().size());
      }
      CHECK(stream.control("tone")[0] == 0.25f);  // as every signal begins
      CHECK(stream.get_state() == es::Stream<es::AnyGraph<float>>(net, {.batch = batch}).get_state());
      return y;
    };
    const std::vector<float> expected = run([&] { return length; }, false, 0);
    CHECK(run([] { return 1; }, false, 0) == expected);
    CHECK(run([] { return 1; }, true, 1) == expected);
    for (int i = 0; i < 5; ++i) CHECK(run([&] { return random.integer(0, 9); }, i % 2 == 0, i % 2) == expected);
  }
}

TEST_CASE("Control: what it computes", "[compose]") {
  es::GraphBuilder<float> graph;
  const auto gain = graph.add(es::Control(Knobs{{"gain", {2}}}, es::Identity<float>()), graph.input());
  es::Stream stream(graph.build(graph.reduce(Reduce::product, {graph.input(), gain})), {.channels = 1, .batch = 2});
  const std::array<float, 4> x{1, 10, 2, 20};  // two frames of a batch of two
  std::array<float, 4> y{};
  const es::Frames<const float> in(x.data(), stream.in_shape(), 2);
  const es::Frames<float> out(y.data(), stream.out_shape(), 2);
  stream.process(in, out);
  CHECK(y == std::array<float, 4>{2, 20, 4, 40});
  stream.set_control("gain", {3});
  stream.process(in, out);
  CHECK(y == std::array<float, 4>{3, 30, 6, 60});
  stream.set_control(0, {1, -1});  // of each batch entry
  es::Stream fork = stream;
  stream.process(in, out);
  CHECK(y == std::array<float, 4>{1, -10, 2, -20});
  CHECK((stream.control(0)[0] == 1 && stream.control("gain")[1] == -1 && stream.control(0).size() == 2));
  stream.reset();
  CHECK(stream.control(0)[1] == 2);
  CHECK(fork.control(0)[1] == -1);
  CHECK((stream.controls() == 1 && stream.control_info(0).name == "gain" && stream.control_info(0).initial == std::vector<double>{2}));
}

TEST_CASE("Control: knobs of a graph within a graph", "[compose]") {
  es::GraphBuilder<float> inner(1);
  const auto held = inner.add(es::Control(Knobs{{"gain", {2}}}, es::Identity<float>()), inner.input());
  const auto scaled = inner.build(inner.reduce(Reduce::product, {inner.input(), held}));
  es::GraphBuilder<float> graph(1);
  es::Stream stream(graph.build(graph.add(scaled, graph.add(scaled, graph.input()))));
  CHECK(stream.controls() == 1);
  stream.set_control("gain", {3});
  const float x = 1;
  float y = 0;
  stream.process(es::Frames<const float>(&x, {1}, 1), es::Frames<float>(&y, {1}, 1));
  CHECK(y == 9);
}

TEST_CASE("Control: what cannot be is refused", "[compose][error]") {
  const es::Identity<float> same;
  const es::Control knob(Knobs{{"gain", {2}}}, same);
  CHECK(error_of([&] { es::Control(Knobs{}, same); }) == "Control: no knob");
  CHECK(error_of([&] { es::Control(Knobs{{"", {1}}}, same); }) == "Control: a knob without a name or without numbers");
  CHECK(error_of([&] { es::Control(Knobs{{"a", {}}}, same); }) == "Control: a knob without a name or without numbers");
  CHECK(error_of([&] { es::Control(Knobs{{"a", {1}}, {"a", {1}}}, same); }) == "Control: two knobs are called a");
  CHECK(error_of([&] { es::Control(Knobs{{"a", {1}}}, support::random_linear<float>(2, 1)); }).find("channels") != std::string::npos);
  CHECK(error_of([&] { es::Control(Knobs{{"a", {1}}}, support::random_conv<es::Conv1d<float>>(1, 1, 2)); }) ==
        "Control: the network of a knob makes one frame of one, by itself; this one looks at others");
  const std::string why = ": a layer with a knob, \"gain\"; only a graph hands on what it is set to";
  CHECK(error_of([&] { es::sequential(same, knob); }) == "Sequential" + why);
  CHECK(error_of([&] { es::residual(knob); }) == "Residual" + why);
  CHECK(error_of([&] { es::along(knob); }) == "Along" + why);
  CHECK(error_of([&] { es::Windowed(knob, 4, 2); }) == "Windowed" + why);
  es::GraphBuilder<float> graph(1);
  const auto a = graph.add(knob, graph.input()), b = graph.add(es::Control(Knobs{{"gain", {3}}}, same), graph.input());
  CHECK(error_of([&] { graph.build(graph.reduce(Reduce::sum, {a, b})); }) ==
        "Graph: two knobs are called gain, but have not the same values to begin with");

  es::Stream stream(film());
  CHECK(error_of([&] { stream.set_control("none", {1}); }) == "Stream: no knob is called \"none\"");
  CHECK(error_of([&] { stream.set_control(2, {1}); }) == "Stream: no knob 2; there are 2");
  CHECK(error_of([&] { stream.set_control("gain", {1}); }) == "Stream: 1 values for the knob \"gain\" of 2");
  CHECK(error_of([&] { (void)stream.control(-1); }) == "Stream: no knob -1; there are 2");
  es::Stream plain(support::random_linear<float>(1, 1));
  CHECK(error_of([&] { plain.set_control("gain", {1}); }) == "Stream: no knob is called \"gain\"");
  es::Stream other(support::random_linear<float>(1, 1));
  CHECK(other.controls() == 0);
}
