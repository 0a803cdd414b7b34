#ifndef EIGENSTREAM_NETWORK_TYPES_ATTENTION_HPP
#define EIGENSTREAM_NETWORK_TYPES_ATTENTION_HPP

#include "eigenstream/layer/attention.hpp"
#include "eigenstream/layer/positional_encoding.hpp"
#include "eigenstream/layer/retroactive_attention.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

struct AttentionFields {
  AttentionOptions options;
  AttentionWeights<float> places;
};
inline AttentionFields read_attention(ModuleReader& r, Index context) {
  AttentionFields all;
  AttentionOptions& o = all.options;
  const Index head_size = r.integer("head_size");
  o.heads = r.integer("heads"), o.kv_heads = r.integer("kv_heads"), o.value_size = r.integer("value_size");
  o.inputs = r.integer("inputs"), o.scale = r.number_in_double("scale");
  o.rotary_size = r.integer("rotary_size"), o.rotary_base = r.number_in_double("rotary_base");
  o.rotary_interleaved = r.boolean("rotary_interleaved"), o.alibi = r.boolean("alibi");
  const double most = static_cast<double>(max_window);
  r.check(static_cast<double>(o.kv_heads) * static_cast<double>(head_size + o.value_size) * static_cast<double>(context) <= most &&
              static_cast<double>(o.heads) * static_cast<double>(head_size) <= static_cast<double>(max_extent) &&
              static_cast<double>(o.heads) * static_cast<double>(head_size + 2) * static_cast<double>(r.integer("places")) <= most,
          "keys and values of ", context, " frames are more than can be kept");
  all.places.bias = r.weight("bias");
  all.places.keys = r.weight("keys");
  all.places.content_bias = r.weight("content_bias");
  all.places.position_bias = r.weight("position_bias");
  return all;
}

inline Built build_causal_attention(ModuleReader& r, const FrameShape&) {
  const Index context = r.integer("context"), lookahead = r.integer("lookahead"), sinks = r.integer("sinks");
  AttentionFields all = read_attention(r, context + lookahead + sinks);
  all.options.lookahead = lookahead, all.options.sinks = sinks;
  const CausalAttention<float> layer(r.integer("head_size"), context, all.options, all.places);
  if (r.boolean("padded")) return layer;
  return layer.without_padding();
}

inline Built build_chunk_attention(ModuleReader& r, const FrameShape&) {
  const Index chunk = r.integer("chunk"), before = r.integer("before");
  r.check(before <= max_extent / chunk, "chunks before of ", before * chunk, " frames are more than can be kept");
  const AttentionFields all = read_attention(r, (before + 1) * chunk);
  return ChunkAttention<float>(r.integer("head_size"), chunk, before, all.options, all.places);
}

/// Attention: the types that model files may hold.
inline void add_attention_types(Registry& registry) {
  using F = ModuleField;
  const auto add = [&](ModuleType type, std::vector<F> own, std::string_view places) {
    type.group = "Attention";
    type.formula =
        "y[h e .. h e + e - 1, i] = sum over the frames j that i sees of w[h,i,j] v[g,j],  g = floor(h kv_heads / heads)\n"
        "w[h,i,.] = softmax of (q[h,i] + content_bias[h]) . k[g,j] * scale + bias[h, j-i]\n"
        "                      + (q[h,i] + position_bias[h]) . keys[j-i, h] * scale - (alibi) slope[h] |j - i|";
    type.fields = {F::integer("head_size", required, "channels of a head's queries and keys")};
    type.fields.insert(type.fields.end(), own.begin(), own.end());
    const std::vector<F> common{
        F::integer("heads", 1, "of the queries, of which each has `kv_heads / heads` heads of keys and values"),
        F::integer("kv_heads", "heads", "of keys and values; `heads` is a multiple of it"),
        F::integer("value_size", "head_size", "`e`, channels of a head's values"),
        F::integer("inputs", 1, "1: queries, keys and values are the channels of one signal, one after the other; 3: three signals", 1, 3),
        F::number("scale", 0, "of the products; 0: 1 / sqrt(head_size)"),
        F::integer("rotary_size", 0, "channels of each head that are rotated by the frame's number; 0: none", 0),
        F::number("rotary_base", 10000, "pair p turns by rotary_base^(-2 p / rotary_size) with every frame"),
        F::boolean("rotary_interleaved", false, "whether pairs are channels 2 p and 2 p + 1, else p and p + rotary_size / 2"),
        F::boolean("alibi", false, "whether far frames count for less, by the usual slopes of 2^(-8 (h + 1) / heads)"),
        F::integer("places", 0, places, 0),
        F::boolean("relative_bias", false, "whether there is `bias`"), F::boolean("relative_keys", false, "whether there are `keys`"),
        F::boolean("with_content_bias", false, "whether there is `content_bias`"),
        F::boolean("with_position_bias", false, "whether there is `position_bias`, which needs `keys`")};
    type.fields.insert(type.fields.end(), common.begin(), common.end());
    type.tensors = {{"bias", "heads, places", "relative_bias", "that of the frame furthest back first"},
                    {"keys", "places, heads, head_size", "relative_keys", "the same; Transformer-XL's positions behind their matrix"},
                    {"content_bias", "heads, head_size", "with_content_bias", "u of Transformer-XL"},
                    {"position_bias", "heads, head_size", "with_position_bias", "v of Transformer-XL"}};
    registry.add(std::move(type));
  };
  add({.name = "CausalAttention",
       .summary = "Attention of each frame to the last ones and to a few later ones",
       .notes = "Frame i sees frames i - context + 1 to i + lookahead, as far as there are such, and the first `sinks` ones. With `sinks` "
                "there is nothing relative, but for rotations.",
       .build = build_causal_attention},
      {F::integer("context", required, "frames that are seen, up to the own one"),
       F::integer("lookahead", 0, "later frames that are seen, for which outputs wait", 0),
       F::integer("sinks", 0, "frames at the signal's start that are seen for ever", 0),
       F::boolean("padded", true, "whether the first and last frames see what is there; else only whole contexts give outputs")},
      "relative places of which the tensors tell: context + lookahead");
  add({.name = "ChunkAttention",
       .summary = "Attention of each frame to its chunk and to chunks before",
       .notes = "Frame i sees chunks floor(i / chunk) - before to floor(i / chunk), as far as there are such.",
       .build = build_chunk_attention},
      {F::integer("chunk", required, "frames of a chunk, whose outputs come with the last of them"),
       F::integer("before", 0, "chunks before that are seen", 0)},
      "relative places of which the tensors tell: (before + 2) chunk - 1");
  registry.add({.name = "RetroactiveAttention",
                .group = "Attention",
                .summary = "Attention of all of the last frames to all of them, with every frame",
                .formula = "y[h d .. h d + d - 1, k, t] = sum_j softmax_j(q[h,i] . k[h,j] / sqrt(d)) v[h,j],  i = t - window + 1 + k\n"
                           "frames   n - window + 1, of width `window`",
                .notes = "The channels of x are those of queries, keys and values, one after the other; the sum is over the last `window` "
                         "frames.",
                .fields = {F::integer("head_size", required, "`d`, channels of a head"),
                           F::integer("window", required, "frames that attend and are attended to", 1, 4096),
                           F::integer("heads", 1, "heads")},
                .build = [](ModuleReader& r, const FrameShape&) {
                  const Index size = r.integer("head_size"), window = r.integer("window"), heads = r.integer("heads");
                  r.check(static_cast<double>(size) * static_cast<double>(heads) <= static_cast<double>(max_extent), heads,
                          " heads of ", size, " channels are more than can be kept");
                  return Built(RetroactiveAttention<float>(size, window, heads));
                }});
  registry.add({.name = "RecyclingPositionalEncoding",
                .group = "Attention",
                .summary = "A row of a table added to each frame, from the first one again after the last",
                .formula = "y[c,t] = x[c,t] + weight[t mod num_embeds, c]",
                .fields = {F::integer("embed_dim", required, "channels of x"), F::integer("num_embeds", required, "rows")},
                .tensors = {{"weight", "num_embeds, embed_dim", ""}},
                .build = [](ModuleReader& r, const FrameShape&) {
                  return Built(RecyclingPositionalEncoding<float>(r.weight("weight")));
                }});
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_ATTENTION_HPP
