#include "eigenstream/layer/attention.hpp"

#include <cmath>

#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::AttentionOptions;
using es::Index;
using support::error_of;

namespace {

// The definition, frame by frame, of a packed signal.
template <class T>
support::Signal<double> naive(const support::Signal<T>& x, Index size, es::detail::AttentionSpan span, const AttentionOptions& o,
                              const es::AttentionWeights<T>& places = {}) {
  const Index kv = o.kv_heads == 0 ? o.heads : o.kv_heads, value = o.value_size == 0 ? size : o.value_size;
  const Index n = x.dimension(2), keys = o.heads * size, values = keys + kv * size;
  const double scale = o.scale == 0 ? 1 / std::sqrt(static_cast<double>(size)) : o.scale;
  const auto turned = [&](Index from, Index b, Index t) {  // a head's channels, rotated
    std::vector<double> y(static_cast<std::size_t>(size));
    for (Index i = 0; i < size; ++i) y[static_cast<std::size_t>(i)] = static_cast<double>(x(from + i, b, t));
    for (Index p = 0; p < o.rotary_size / 2; ++p) {
      const double angle = static_cast<double>(t) * std::pow(o.rotary_base, -2.0 * static_cast<double>(p) / static_cast<double>(o.rotary_size));
      const std::size_t first = static_cast<std::size_t>(o.rotary_interleaved ? 2 * p : p),
                        second = static_cast<std::size_t>(o.rotary_interleaved ? 2 * p + 1 : p + o.rotary_size / 2);
      const double a = y[first], c = y[second];
      y[first] = a * std::cos(angle) - c * std::sin(angle);
      y[second] = c * std::cos(angle) + a * std::sin(angle);
    }
    return y;
  };
  support::Signal<double> y(o.heads * value, x.dimension(1), n);
  for (Index b = 0; b < x.dimension(1); ++b)
    for (Index h = 0; h < o.heads; ++h)
      for (Index i = 0; i < n; ++i) {
        const Index own = h / (o.heads / kv);
        const std::vector<double> q = turned(h * size, b, i);
        std::vector<double> weights(static_cast<std::size_t>(n), -std::numeric_limits<double>::infinity());
        double most = weights.empty() ? 0 : weights[0], sum = 0;
        for (Index j = 0; j < n; ++j) {
          if ((j < span.first(i) && j >= o.sinks) || j > span.last(i)) continue;
          const std::vector<double> k = turned(keys + own * size, b, j);
          const Index place = j - i + span.past + span.chunk - 1;
          double dot = 0;
          for (Index c = 0; c < size; ++c) {
            const std::size_t at = static_cast<std::size_t>(c);
            dot += (q[at] + (places.content_bias.empty() ? 0 : static_cast<double>(places.content_bias(h, c)))) * k[at];
            if (!places.keys.empty())
              dot += (q[at] + (places.position_bias.empty() ? 0 : static_cast<double>(places.position_bias(h, c)))) *
                     static_cast<double>(places.keys(place, h, c));
          }
          dot *= scale;
          if (!places.bias.empty()) dot += static_cast<double>(places.bias(h, place));
          if (o.alibi) dot -= std::exp2(-8.0 * static_cast<double>(h + 1) / static_cast<double>(o.heads)) * std::abs(static_cast<double>(j - i));
          weights[static_cast<std::size_t>(j)] = dot;
          most = std::max(most, dot);
        }
        for (double& weight : weights) sum += weight = std::exp(weight - most);
        for (Index c = 0; c < value; ++c) {
          double total = 0;
          for (Index j = 0; j < n; ++j)
            if (weights[static_cast<std::size_t>(j)] != 0)
              total += weights[static_cast<std::size_t>(j)] * static_cast<double>(x(values + own * value + c, b, j));
          y(h * value + c, b, i) = total / sum;
        }
      }
  return y;
}

template <class T>
support::Signal<T> signal(const es::Attention<T>& layer, Index batch, Index n, double scale = 1) {
  support::Random random(5);
  support::Signal<T> x = support::random_tensor<T>(random, Index{layer.wanted().channels}, batch, n);
  return x * static_cast<T>(scale);
}

template <class T>
void check_definition(const es::Attention<T>& layer, Index size, const AttentionOptions& options,
                      const es::AttentionWeights<T>& places = {}) {
  for (const Index n : {0, 1, 2, 40, 150}) {
    const auto x = signal(layer, 2, n, 2);
    CHECK(support::difference(support::offline(layer, x), naive(x, size, layer.span(), options, places)) < 4 * support::tolerance<T>);
  }
}

template <class T>
es::AttentionWeights<T> random_places(Index heads, Index size, Index places) {
  support::Random random(2);
  return {.bias = support::random_weights<T>({heads, places}, random),
          .keys = support::random_weights<T>({places, heads, size}, random),
          .content_bias = support::random_weights<T>({heads, size}, random),
          .position_bias = support::random_weights<T>({heads, size}, random)};
}

}  // namespace

TEMPLATE_TEST_CASE("Attention: the definition", "[layer]", float, double) {
  using T = TestType;
  const auto [size, context, lookahead] = GENERATE(table<Index, Index, Index>(
      {{1, 1, 0}, {2, 5, 0}, {4, 3, 2}, {5, 16, 0}, {8, 17, 17}, {20, 64, 1}, {33, 50, 0}}));
  if (support::small_target && size > 8) return;
  for (const AttentionOptions& options :
       {AttentionOptions{.lookahead = lookahead}, AttentionOptions{.lookahead = lookahead, .heads = 4, .kv_heads = 2, .value_size = 3},
        AttentionOptions{.lookahead = lookahead, .heads = 6, .kv_heads = 1, .scale = 0.3, .sinks = 3},
        AttentionOptions{.lookahead = lookahead, .heads = 2, .sinks = 20},
        AttentionOptions{.lookahead = lookahead, .heads = 2, .rotary_size = size / 2 * 2},
        AttentionOptions{.lookahead = lookahead, .heads = 4, .rotary_size = size / 4 * 2, .rotary_base = 50, .rotary_interleaved = true},
        AttentionOptions{.lookahead = lookahead, .heads = 8, .kv_heads = 4, .alibi = true}}) {
    INFO("size " << size << " context " << context << " lookahead " << lookahead << " heads " << options.heads);
    check_definition(es::CausalAttention<T>(size, context, options), size, options);
  }
  const AttentionOptions options{.lookahead = lookahead, .heads = 2, .kv_heads = 1};
  const auto places = random_places<T>(2, size, context + lookahead);
  check_definition(es::CausalAttention<T>(size, context, options, places), size, options, places);
  check_definition(es::CausalAttention<T>(size, context, options, {.bias = places.bias}), size, options, {.bias = places.bias});
  check_definition(es::CausalAttention<T>(size, context, options, {.keys = places.keys}), size, options, {.keys = places.keys});
}

TEMPLATE_TEST_CASE("Attention: the definition, in chunks", "[layer]", float, double) {
  using T = TestType;
  for (const auto& [size, chunk, before] : {std::tuple<Index, Index, Index>(1, 1, 3), {3, 2, 0}, {4, 7, 1}, {8, 16, 2}, {5, 37, 1}}) {
    const AttentionOptions options{.heads = 4, .kv_heads = 2, .rotary_size = size / 2 * 2};
    check_definition(es::ChunkAttention<T>(size, chunk, before, options), size, options);
    const auto places = random_places<T>(2, size, (before + 2) * chunk - 1);
    check_definition(es::ChunkAttention<T>(size, chunk, before, {.heads = 2}, places), size, {.heads = 2}, places);
  }
}

TEMPLATE_TEST_CASE("Attention: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  support::check_contract(es::CausalAttention<T>(2, 1));
  support::check_contract(es::CausalAttention<T>(3, 5, {.heads = 2}), 2);
  support::check_contract(es::CausalAttention<T>(4, 19, {.lookahead = 3, .heads = 4, .kv_heads = 2, .rotary_size = 4}), 1);
  support::check_contract(es::CausalAttention<T>(2, 6, {.lookahead = 8, .heads = 2, .alibi = true}), 3);
  support::check_contract(es::CausalAttention<T>(3, 4, {.lookahead = 1, .heads = 2}, random_places<T>(2, 3, 5)));
  support::check_contract(es::CausalAttention<T>(2, 4, {.heads = 2, .sinks = 2, .rotary_size = 2, .rotary_interleaved = true}), 2,
                          {.exact = false, .carries = false});
  support::check_contract(es::CausalAttention<T>(2, 5, {.lookahead = 1}).without_padding());
  support::check_contract(es::CausalAttention<T>(2, 1, {.lookahead = 3}).without_padding());
  support::check_contract(es::ChunkAttention<T>(3, 4, 1, {.heads = 2}), 2);
  support::check_contract(es::ChunkAttention<T>(2, 18, 0));
  support::check_contract(es::ChunkAttention<T>(2, 3, 2, {.heads = 2}, random_places<T>(2, 2, 11)).without_padding());
}

TEST_CASE("Attention: says when outputs come, and what is kept", "[layer]") {
  const es::CausalAttention<float> causal(4, 10, {.lookahead = 3, .heads = 2});
  CHECK(causal.timing().receptive_field() == 13);
  CHECK(causal.timing().delay() == 3);
  CHECK(causal.timing().padding() == 9);
  CHECK(causal.timing().outputs_after(5) == 2);
  CHECK(causal.timing().outputs_after(5, true) == 5);
  CHECK(causal.without_padding().timing().first_output() == 12);
  const es::CausalAttention<float> ahead(4, 1, {.lookahead = 3});  // of which only the last frames see less
  CHECK(ahead.timing().outputs_after(5, true) == 5);
  CHECK(ahead.without_padding().timing().outputs_after(5, true) == 2);
  CHECK(ahead.without_padding().facts({12}).max_flush == 0);
  const es::ChunkAttention<float> chunks(4, 6, 2);
  CHECK(chunks.timing().receptive_field() == 18);
  CHECK(chunks.timing().delay() == 5);
  CHECK(chunks.timing().outputs_after(11) == 6);
  CHECK(chunks.timing().outputs_after(11, true) == 11);
  CHECK(es::CausalAttention<float>(4, 10, {.sinks = 1}).timing().recursive());
  // The ring is that of the context, in whole blocks, and one more.
  const es::CausalAttention<float> plain(16, 64, {.heads = 4});
  CHECK(plain.facts({192}).state_bytes < 2 * 80 * 64 * 4 + 3 * 64);
}

TEMPLATE_TEST_CASE("Attention: great logits are as exact as small ones, and NaN stays where it is seen", "[layer]", float, double) {
  using T = TestType;
  const AttentionOptions options{.heads = 2, .scale = 1};
  const es::CausalAttention<T> layer(4, 9, options);
  for (const double scale : {5.0, 8.0, 50.0}) {  // logits of some 50, some 100, thousands
    auto x = signal(layer, 1, 60, scale);
    const auto y = support::offline(layer, x);
    for (Index i = 0; i < y.size(); ++i) CHECK(std::isfinite(y.data()[i]));
    if (scale < 40) CHECK(support::difference(y, naive(x, 4, layer.span(), options)) < 100 * support::tolerance<T>);
  }
  auto x = signal(layer, 1, 60);
  for (Index c = 0; c < x.dimension(0); ++c) x(c, 0, 20) = std::numeric_limits<T>::quiet_NaN();
  const auto y = support::offline(layer, x);
  for (Index t = 0; t < 60; ++t) CHECK(std::isnan(y(0, 0, t)) == (t >= 20 && t < 29));
}

TEST_CASE("Attention: three signals give what one does", "[layer]") {
  const AttentionOptions packed{.lookahead = 2, .heads = 4, .kv_heads = 2, .value_size = 5, .rotary_size = 2};
  AttentionOptions apart = packed;
  apart.inputs = 3;
  const es::CausalAttention<float> one(3, 20, packed), three(3, 20, apart);
  CHECK(three.inputs() == 3);
  const auto x = signal(one, 2, 50);
  const auto part = [&](Index from, Index n) {
    return support::Signal<float>(x.slice(Eigen::array<Index, 3>{from, 0, 0}, Eigen::array<Index, 3>{n, 2, 50}));
  };
  const support::Signal<float> q = part(0, 12), k = part(12, 6), v = part(18, 10), expected = support::offline(one, x);
  const es::FrameShape shapes[] = {{12, 1, 1, 2}, {6, 1, 1, 2}, {10, 1, 1, 2}};
  const es::Facts facts = three.facts(shapes);
  es::StateBlock block(facts.state_bytes, shapes[0], facts.scratch_bytes);
  three.reset(block.ref());
  support::Signal<float> y(20, 2, 50);
  const es::Frames<const float> inputs[] = {q, k, v};
  const Index n = three.steps(block.ref(), inputs, es::Frames<float>(y));
  CHECK(n == 48);
  CHECK(three.flush(block.ref(), es::Frames<float>(y).from(n)) == 2);
  for (Index i = 0; i < y.size(); ++i) CHECK(y.data()[i] == expected.data()[i]);
  CHECK_THAT(error_of([&] { three.facts(std::array{shapes[0], shapes[0], shapes[2]}); }), Contains("takes keys of 6 channels, not 12"));
  CHECK_THAT(error_of([&] { three.facts(std::array{shapes[0], shapes[1], shapes[2].with_batch(3)}); }), Contains("values of"));
}

TEST_CASE("Attention: queries, keys and values of a graph, one of which comes late", "[layer][property]") {
  es::GraphBuilder<float> graph;
  const auto x = graph.input();
  const auto branch = [&](Index channels, std::uint64_t seed, Index late) {
    const auto y = graph.join(es::AnyLayer<float>(support::random_linear<float>(3, channels, true, seed)), {x});
    return graph.join(es::AnyLayer<float>(es::Delay<float>(late)), {y});
  };
  const auto q = branch(8, 1, 0), k = branch(4, 2, 3), v = branch(4, 3, 1);
  const es::CausalAttention<float> layer(4, 6, {.lookahead = 2, .heads = 2, .kv_heads = 1, .inputs = 3});
  support::check_contract(graph.build(graph.join(es::AnyLayer<float>(layer), {q, k, v})), 2, {.exact = false});
}

TEST_CASE("Attention: rotations are as exact after years", "[layer]") {
  // What a frame sees depends on how far it is away, however far both are from the start.
  const es::CausalAttention<float> layer(4, 8, {.rotary_size = 4});
  const auto x = signal(layer, 1, 30);
  const auto early = support::offline(layer, x);
  const es::FrameShape one{12};
  const es::Facts facts = layer.facts(one);
  es::StateBlock block(facts.state_bytes, one, facts.scratch_bytes);
  layer.reset(block.ref());
  *reinterpret_cast<es::Time*>(block.ref().data) = es::Time{1} << 40;  // as if so many frames of zeros had come
  support::Signal<float> late(4, 1, 30);
  layer.steps(block.ref(), es::Frames<const float>(x), es::Frames<float>(late));
  for (Index t = 8; t < 30; ++t)
    for (Index c = 0; c < 4; ++c) CHECK(std::abs(late(c, 0, t) - early(c, 0, t)) < 1e-5f);
}

TEST_CASE("Attention: what does not add up is an error that names it", "[layer][error]") {
  using Causal = es::CausalAttention<float>;
  const auto error = [](Index size, Index context, AttentionOptions options, es::AttentionWeights<float> weights = {}) {
    return error_of([&] { Causal(size, context, options, weights); });
  };
  CHECK_THAT(error(4, 0, {}), Contains("CausalAttention: context = 0, must be from 1"));
  CHECK_THAT(error(4, 3, {.lookahead = -1}), Contains("lookahead = -1"));
  CHECK_THAT(error(0, 3, {}), Contains("heads of 0 channels"));
  CHECK_THAT(error(4, 3, {.heads = 0}), Contains("heads = 0"));
  CHECK_THAT(error(4, 3, {.heads = 4, .kv_heads = 3}), Contains("4 heads cannot share 3 heads of keys and values"));
  CHECK_THAT(error(4, 3, {.inputs = 2}), Contains("inputs = 2, must be 1 or 3"));
  CHECK_THAT(error(4, 3, {.rotary_size = 3}), Contains("rotary_size = 3, must be even and at most the 4"));
  CHECK_THAT(error(4, 3, {.rotary_size = 6}), Contains("rotary_size = 6"));
  CHECK_THAT(error(4, 3, {.rotary_size = 2, .rotary_base = 1}), Contains("rotary_base = 1"));
  CHECK_THAT(error(4, 3, {.sinks = 2, .alibi = true}), Contains("sinks"));
  CHECK_THAT(error(4, 3, {.heads = 2}, {.bias = support::counting({2, 4})}), Contains("bias has shape (2,4), expected (2,3)"));
  CHECK_THAT(error(4, 3, {.heads = 2}, {.keys = support::counting({3, 2, 3})}), Contains("keys has shape (3,2,3), expected (3,2,4)"));
  CHECK_THAT(error(4, 3, {.heads = 2}, {.position_bias = support::counting({2, 4})}), Contains("position_bias is for keys"));
  CHECK_THAT(error(4, 3, {.heads = 2, .alibi = true}, {.bias = support::counting({2, 3})}), Contains("either alibi or a bias"));
  CHECK_THAT(error(512, 1 << 20, {.heads = 8}), Contains("more than can be kept"));
  CHECK_THAT(error_of([] { es::ChunkAttention<float>(4, 0, 1); }), Contains("ChunkAttention: chunk = 0"));
  CHECK_THAT(error_of([] { es::ChunkAttention<float>(4, 2, -1); }), Contains("chunks before = -1"));
  CHECK_THAT(error_of([] { es::ChunkAttention<float>(4, 2, 1, {.lookahead = 1}); }), Contains("no lookahead"));
  CHECK_THAT(error_of([] { Causal(4, 3, {.heads = 2}).facts({23}); }), Contains("CausalAttention: takes 24 channels, not 23"));
}
