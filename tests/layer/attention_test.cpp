#include "eigenstream/layer/attention.hpp"

#include <cmath>

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
support::Signal<double> naive(const support::Signal<T>& x, Index size, es::AttentionSpan span, const AttentionOptions& o,
                              const es::AttentionPlaces<T>& places = {}) {
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
                      const es::AttentionPlaces<T>& places = {}) {
  for (const Index n : {0, 1, 2, 40, 150}) {
    const auto x = signal(layer, 2, n, 2);
    CHECK(support::difference(support::offline(layer, x), naive(x, size, layer.span(), options, places)) < 4 * support::tolerance<T>);
  }
}

template <class T>
es::AttentionPlaces<T> random_places(Index heads, Index size, Index places) {
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
  support::check_contract(es::ChunkAttention<T>(3, 4, 1, {.heads = 2}), 2);
  support::check_contract(es::ChunkAttention<T>(2, 18, 0));
  support::check_contract(es::ChunkAttention<T>(2, 3, 2, {.heads = 2}, random_places<T>(2, 2, 11)).without_padding());
}
