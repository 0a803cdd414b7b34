#include "eigenstream/compose/plan_step.hpp"

#include <cstring>
#include <string>
#include <vector>

#include "eigenstream/layer/affine.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/stream/stream.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

// A layer of which nothing is known but that it is one: networks of these run layer by layer.
struct Opaque : es::AnyLayer<float> {
  Opaque(es::AnyLayer<float> layer) : es::AnyLayer<float>(std::move(layer)) {}
  void operations() const = delete;
};
using OneByOne = es::Wired<float, es::detail::VectorStages<Opaque>>;

// Layers with branches of all that a plan fuses and some that it does not, and how they are wired.
struct Drawn {
  std::vector<es::AnyLayer<float>> layers;
  es::Wiring wiring;
  Index channels = 1;
};

// `sums_only`: no join in which one input may hide what the other does.
Drawn draw(std::uint64_t seed, bool sums_only = false) {
  support::Random random(seed);
  Drawn all;
  const Index c = all.channels = random.pick({1, 2, 3, 4, 7, 8, 16, 17, 33});
  const auto seed_of = [&] { return static_cast<std::uint64_t>(random.integer(1, 1 << 20)); };
  const auto add = [&](es::AnyLayer<float> layer, std::vector<Index> from) {
    const Index value = all.wiring.add(layer.timing(), from);
    all.layers.push_back(std::move(layer));
    return value;
  };
  const bool longer = random.chance(0.3);  // and with some that give more at the end
  const auto conv = [&](Index taps, Index dilation, bool causal, bool bias) {
    es::Padding padding = causal ? es::Padding::causal(taps, dilation) : es::Padding{};
    if (longer) padding.right = random.integer(0, 2);
    const es::Conv1dOptions options{.padding = padding, .dilation = dilation};
    return support::random_conv<es::Conv1d<float>>(c, c, taps, options, bias, seed_of());
  };
  std::vector<Index> values{0}, uses{0};
  const bool lags = random.chance(0.3);  // with convolutions whose branches have to wait
  const auto any_value = [&] {
    const Index n = static_cast<Index>(values.size());
    return static_cast<std::size_t>(std::max(random.integer(0, n - 1), random.integer(0, n - 1)));
  };
  const auto keep = [&](Index value, std::initializer_list<std::size_t> taken) {
    for (const std::size_t k : taken) ++uses[k];
    values.push_back(value), uses.push_back(0);
  };
  for (Index n = random.integer(3, 24); n > 0; --n) {
    const std::size_t one = any_value(), other = any_value();
    const Index x = values[one];
    switch (random.integer(0, 9)) {
      case 0: keep(add(conv(random.integer(1, 4), random.integer(1, 5), !lags, random.chance(0.7)), {x}), {one}); break;
      case 1: keep(add(conv(1, 1, true, random.chance(0.7)), {x}), {one}); break;
      case 2: keep(add(es::Tanh<float>(), {x}), {one}); break;
      case 3: keep(add(es::LeakyRelu<float>(0.1f), {x}), {one}); break;
      case 4: keep(add(es::Affine<float>(support::random_weights<float>({c}, random), support::random_weights<float>({c}, random)), {x}), {one}); break;
      case 5: keep(add(support::random_batch_norm<float>(c, true, seed_of()), {x}), {one}); break;
      case 6: keep(add(support::random_linear<float>(c, c, random.chance(0.5), seed_of()), {x}), {one}); break;
      case 7:
        if (c > 1) {
          const es::Conv1dOptions options{.padding = es::Padding::causal(3), .groups = c};
          keep(add(support::random_conv<es::Conv1d<float>>(c, c, 3, options, true, seed_of()), {x}), {one});
          break;
        }
        [[fallthrough]];
      default: {
        const es::Reduce op = sums_only || random.chance(0.8) ? es::Reduce::sum : random.chance(0.5) ? es::Reduce::difference : es::Reduce::product;
        keep(add(es::Join<float>(op, 2), {x, values[other]}), {one, other});
      }
    }
  }
  Index last = values.back();
  for (std::size_t k = 0; k + 1 < values.size(); ++k)
    if (uses[k] == 0) last = add(es::Join<float>(es::Reduce::sum, 2), {last, values[k]});
  return all;
}

template <class Net>
std::vector<float> run(const Net& net, const Drawn& drawn, Index batch, Index frames, Index chunk, std::uint64_t seed) {
  support::Random random(seed);
  es::Stream<Net> stream(net, {.channels = drawn.channels, .batch = batch});
  const std::vector<float> x = support::random_values<float>(drawn.channels * batch * frames, random);
  std::vector<float> y(static_cast<std::size_t>(stream.max_outputs(frames) + stream.max_flush() + 1) * static_cast<std::size_t>(drawn.channels * batch));
  Index written = 0;
  const Index frame = drawn.channels * batch;
  const auto room = [&](Index n) { return es::Frames<float>(y.data() + written * frame, stream.out_shape(), n); };
  for (Index at = 0; at < frames; at += chunk) {
    const Index n = std::min(chunk, frames - at);
    written += stream.process(es::Frames<const float>(x.data() + at * frame, stream.in_shape(), n), room(stream.max_outputs(n)));
  }
  written += stream.flush(room(stream.max_flush()));
  y.resize(static_cast<std::size_t>(written * frame));
  return y;
}

}  // namespace

TEST_CASE("PlanSteps: fused layers give bit for bit what they give one by one", "[compose][property]") {
  std::size_t fewer = 0;
  for (std::uint64_t seed = 1; seed <= support::cases<std::uint64_t>(400); ++seed) {
    const Drawn drawn = draw(seed);
    const es::AnyGraph<float> planned(drawn.layers, drawn.wiring, drawn.channels);
    std::vector<Opaque> opaque(drawn.layers.begin(), drawn.layers.end());
    const OneByOne plain(es::detail::VectorStages<Opaque>{opaque}, drawn.wiring, drawn.channels);
    REQUIRE(planned.fingerprint() == plain.fingerprint());
    if (planned.plan().size() < drawn.layers.size()) ++fewer;
    const Index batch = seed % 5 == 0 ? 2 : 1;
    for (const Index chunk : {1, 3, 64, 300}) {
      INFO("seed " << seed << ", batch " << batch << ", chunks of " << chunk);
      const auto one = run(planned, drawn, batch, 200, chunk, seed), other = run(plain, drawn, batch, 200, chunk, seed);
      REQUIRE(one.size() == other.size());
      REQUIRE((one.empty() || std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0));
    }
  }
  CHECK(fewer > support::cases<std::size_t>(300));
}

TEST_CASE("PlanSteps: random networks keep the contract", "[compose][property]") {
  for (std::uint64_t seed = 1001; seed <= 1000 + support::cases<std::uint64_t>(24); ++seed) {
    const Drawn drawn = draw(seed, true);
    INFO("seed " << seed);
    support::check_contract(es::AnyGraph<float>(drawn.layers, drawn.wiring, drawn.channels), seed % 3 == 0 ? 2 : 1);
  }
}

TEST_CASE("PlanSteps: a WaveNet's layer is three steps", "[compose]") {
  const auto conv = [](Index in, Index out, Index taps) {
    return es::AnyLayer<float>(support::random_conv<es::Conv1d<float>>(in, out, taps, {.padding = es::Padding::causal(taps)}));
  };
  es::GraphBuilder<float> graph;
  const auto x = graph.add(conv(1, 4, 1).named("in"), graph.input());
  const auto z = graph.add(conv(4, 4, 3).named("conv"), x), m = graph.add(conv(1, 4, 1).named("mixin"), graph.input());
  const auto act = graph.add(es::AnyLayer<float>(es::Tanh<float>()).named("tanh"), graph.reduce(es::Reduce::sum, {z, m}));
  const auto y = graph.reduce(es::Reduce::sum, {graph.add(conv(4, 4, 1).named("out"), act), x});
  const es::AnyGraph<float> net = graph.build(graph.reduce(es::Reduce::sum, {graph.add(conv(4, 4, 2).named("next"), y), act}));
  const auto plan = net.plan();
  REQUIRE(plan.size() == 5);
  using Names = std::vector<std::string>;
  using Values = std::vector<Index>;
  CHECK(plan[0].layers == Names{"in"});
  CHECK(plan[1].layers == Names{"conv"});
  CHECK(plan[2].layers == Names{"mixin", "", "tanh"});
  CHECK(plan[2].takes == Values{0, 2});
  CHECK(plan[2].gives == 5);
  CHECK(plan[3].layers == Names{"out", ""});
  CHECK(plan[3].takes == Values{5, 1});
  CHECK(plan[4].layers == Names{"next", ""});
}
