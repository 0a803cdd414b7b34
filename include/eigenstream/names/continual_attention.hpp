#ifndef EIGENSTREAM_NAMES_CONTINUAL_ATTENTION_HPP
#define EIGENSTREAM_NAMES_CONTINUAL_ATTENTION_HPP

// Attention by the names of continual-inference, put together of ordinary layers: names/continual.hpp has the others.

#include <cmath>        // the static table
#include <numbers>      // pi
#include <string_view>  // names of activations

#include "eigenstream/compose/along.hpp"
#include "eigenstream/layer/attention.hpp"
#include "eigenstream/layer/join.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/norm.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/positional_encoding.hpp"
#include "eigenstream/layer/retroactive_attention.hpp"
#include "eigenstream/names/continual_module.hpp"
#include "eigenstream/window/windowed.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace continual {

/// What the constructors of attention and encoders take beside the weights.
struct TransformerOptions {
  Index num_heads = 1;
  Index sequence_len = 1;  ///< frames that a step sees, `n`
  Index query_index = -1;  ///< of those, the one whose query a single output is; from -n to n - 1
  bool single_output_forward = false;  ///< whether a signal as a whole gives the output of that query only
  bool norm_first = false;
  std::string_view activation = "relu";  ///< or gelu
  double layer_norm_eps = 1e-5;

  /// Frames by which the query lies before the newest one.
  Index lag() const noexcept { return query_index < 0 ? -query_index - 1 : sequence_len - query_index - 1; }
};

namespace detail {

inline Reach whole_windows(Index n, Index lag) { return {n, 1, 0, lag, n - 1}; }

// The parameters of a module, by torch's names behind a prefix.
class Parameters {
 public:
  Parameters(const char* type, const WeightMap& all, std::string prefix = "")
      : type_(type), all_(&all), prefix_(std::move(prefix)) {}

  Parameters inside(const std::string& name) const { return {type_, *all_, prefix_ + name + "."}; }
  const char* type() const noexcept { return type_; }
  bool has(const std::string& name) const { return all_->contains(prefix_ + name); }
  Weights<float> operator()(const std::string& name) const {
    const auto found = all_->find(prefix_ + name);
    check(found != all_->end(), type_, ": tensor \"", prefix_, name, "\" is missing");
    return found->second;
  }
  Weights<float> if_any(const std::string& name) const { return has(name) ? (*this)(name) : Weights<float>(); }
  AnyLayer<float> linear(const std::string& name) const {
    return Linear<float>((*this)(name + ".weight"), if_any(name + ".bias"));
  }
  AnyLayer<float> layer_norm(const std::string& name, double eps) const {
    return LayerNorm<float>((*this)(name + ".weight"), if_any(name + ".bias"), eps);
  }

 private:
  const char* type_;
  const WeightMap* all_;
  std::string prefix_;
};

// The parts of torch.nn.MultiheadAttention: projections, and attention that takes q, k and v as channels of one signal.
struct AttentionParts {
  AttentionParts(const Parameters& p, const TransformerOptions& o) : out(p.linear("out_proj")) {
    const Index n = o.sequence_len, qi = o.query_index;
    check(n >= 1, p.type(), ": sequence_len = ", n, ", must be at least 1");
    check(qi >= -n && qi < n, p.type(), ": query_index = ", qi, ", must be from ", -n, " to ", n - 1);
    check(!p.has("bias_k") && !p.has("bias_v"), p.type(), ": keys and values of their own (bias_k, bias_v) are not possible");
    embed = p("out_proj.weight").shape[0];
    check(o.num_heads >= 1 && embed % o.num_heads == 0, p.type(), ": embed_dim = ", embed, " is no multiple of num_heads = ",
          o.num_heads);
    const Weights<float> bias = p.if_any("in_proj_bias");
    if (!bias.empty()) bias.expect(p.type(), "in_proj_bias", {3 * embed});
    if (p.has("in_proj_weight")) {
      packed = p("in_proj_weight");
      packed.expect(p.type(), "in_proj_weight", {3 * embed, embed});
      packed_bias = bias;
    }
    for (Index k = 0; k < 3; ++k) {
      constexpr const char* names[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
      const auto rows = [&](const Weights<float>& all, std::vector<Index> shape) {
        const Index size = all.size() / 3;
        return Weights<float>(std::move(shape), {all.values.begin() + k * size, all.values.begin() + (k + 1) * size});
      };
      const Weights<float> weight = packed.empty() ? p(names[k]) : rows(packed, {embed, embed});
      check(weight.shape.size() == 2 && weight.shape[0] == embed, p.type(), ": ", names[k], " has shape ", weight.shape_text(),
            ", expected (", embed, ",channels)");
      in.push_back(Linear<float>(weight, bias.empty() ? bias : rows(bias, {embed})));
    }
    heads = o.num_heads;
  }

  // q, k and v of one signal, or of three, as channels of one.
  Signal project(Weaver& weaver, const Streams& x) const {
    if (!x.is_list && !packed.empty()) return weaver.add(Linear<float>(packed, packed_bias), x.signal, {});
    check(!x.is_list || x.list.size() == 3, "MultiheadAttention: ", x.list.size(), " streams, must be 1 or 3");
    std::vector<Signal> all;
    for (std::size_t k = 0; k < 3; ++k) {
      check(!x.is_list || !x.list[k].is_list, "MultiheadAttention: one of the streams is a list");
      all.push_back(weaver.add(in[k], x.is_list ? x.list[k].signal : x.signal, {}));
    }
    return weaver.join(Join<float>(Reduce::concat, 3), all);
  }
  // Each frame attends to `past` ones before and `ahead` ones behind.
  CausalAttention<float> attention(Time past, Time ahead) const {
    return {embed / heads, static_cast<Index>(past) + 1, {.lookahead = static_cast<Index>(ahead), .heads = heads}};
  }
  CausalAttention<float> full(Time frames) const { return attention(frames - 1, frames - 1); }
  // All of the last n frames to all of them, as tokens.
  RetroactiveAttention<float> retroactive(Index n) const { return {embed / heads, n, heads}; }

  Index embed = 0, heads = 1;
  std::vector<AnyLayer<float>> in;  // of q, k, v
  AnyLayer<float> out;
  Weights<float> packed, packed_bias;
};

// The last n frames as the columns of a frame.
inline AnyLayer<float> tokens(Index channels, Index n, AnyLayer<float> inside = Identity<float>()) {
  return Windowed<AnyLayer<float>>(std::move(inside), n, 1, {.channels = channels});
}
// Only the frame of a signal, or of tokens, that lies so far before the last one.
inline AnyLayer<float> only(Time frames, Time lag) {
  return Pad<float>(-static_cast<Index>(frames - 1 - lag), -static_cast<Index>(lag));
}

// A layer of torch.nn.TransformerEncoder: attend(weaver, x) and keep(weaver, x) give what its attention makes of x, and which
// part of x that is added to.
struct EncoderParts {
  EncoderParts(const Parameters& p, const TransformerOptions& o)
      : attention(p.inside("self_attn"), o), norm_first(o.norm_first), norm1(p.layer_norm("norm1", o.layer_norm_eps)),
        norm2(p.layer_norm("norm2", o.layer_norm_eps)), forward({p.linear("linear1"), activation(p, o), p.linear("linear2")}) {}

  template <class Attend, class Keep>
  Signal operator()(Weaver& weaver, const Signal& x, Attend&& attend, Keep&& keep) const {
    const Join<float> sum(Reduce::sum, 2);
    const auto norm = [&](const AnyLayer<float>& by, const Signal& of) { return weaver.add(by, of, {}); };
    Signal y = weaver.join(sum, {keep(x), attend(norm_first ? norm(norm1, x) : x)});
    if (!norm_first) y = norm(norm1, y);
    y = weaver.join(sum, {y, norm(AnySequential<float>(forward), norm_first ? norm(norm2, y) : y)});
    return norm_first ? y : norm(norm2, y);
  }
  // Of all frames of a signal as a whole.
  Signal whole(Weaver& weaver, const Signal& x) const {
    const auto attend = [&](const Signal& of) {
      return weaver.add(attention.out, weaver.add(attention.full(of.frames), attention.project(weaver, of), {}), {});
    };
    return (*this)(weaver, x, attend, [](const Signal& of) { return of; });
  }
  // Of one frame of the last n.
  Signal single(Weaver& weaver, const Signal& x, Index n, Index lag) const {
    const auto attend = [&](const Signal& of) {
      const Signal y = weaver.add(attention.attention(n - 1 - lag, lag).without_padding(), attention.project(weaver, of),
                                  whole_windows(n, n - 1));
      Signal z = weaver.add(attention.out, y, {});
      z.reach.delay = of.reach.delay + lag;  // what it is added to lags as much
      return z;
    };
    return (*this)(weaver, x, attend, [](const Signal& of) { return of; });
  }
  // Of all of the last n frames, which become tokens.
  Signal retroactive(Weaver& weaver, const Signal& x, Index n) const {
    const auto attend = [&](const Signal& of) {
      const Signal y = weaver.add(attention.retroactive(n), attention.project(weaver, of),
                                  whole_windows(n, n - 1));
      return weaver.add(attention.out, y, {});
    };
    return (*this)(weaver, x, attend, [&](const Signal& of) {
      return weaver.add(tokens(attention.embed, n), of, whole_windows(n, n - 1));
    });
  }
  // Of n tokens: all of them, or the last one.
  Signal regular(Weaver& weaver, const Signal& x, Index n, bool last) const {
    const auto attend = [&](const Signal& of) {
      const Signal all = attention.project(weaver, of);
      const Signal y = last ? weaver.add(along(attention.attention(n - 1, 0).without_padding()), all, {})
                            : weaver.add(along(attention.full(n)), all, {});
      return weaver.add(attention.out, y, {});
    };
    return (*this)(weaver, x, attend, [&](const Signal& of) { return last ? weaver.add(along(only(n, 0)), of, {}) : of; });
  }

  AttentionParts attention;
  bool norm_first;
  AnyLayer<float> norm1, norm2;
  std::vector<AnyLayer<float>> forward;

 private:
  static AnyLayer<float> activation(const Parameters& p, const TransformerOptions& o) {
    check(o.activation == "relu" || o.activation == "gelu", p.type(), ": activation ", o.activation, ", must be relu or gelu");
    if (o.activation == "relu") return Relu<float>();
    return Gelu<float>();
  }
};

}  // namespace detail

/// One output for each frame once there are n: attention of one query among the last n frames to all of them. Of one signal,
/// or with `streams` = 3 of a list of q, k and v. Weights by the names of torch.nn.MultiheadAttention, kdim and vdim included.
/// A signal as a whole is attended to by all of its frames.
/// Errors   Error on what does not fit, or what a stream cannot do
inline Module SingleOutputMultiheadAttention(const WeightMap& weights, TransformerOptions o, Index streams = 1) {
  const detail::AttentionParts parts(detail::Parameters("MultiheadAttention", weights), o);
  check(streams == 1 || streams == 3, "MultiheadAttention: streams = ", streams, ", must be 1 or 3");
  const auto wire = [parts, o](Weaver& weaver, const Streams& x) -> Streams {
    const Index n = o.sequence_len, lag = o.lag();
    weaver.differs = true;
    Signal y = parts.project(weaver, x);
    const Time delay = y.reach.delay;
    if (weaver.whole()) {
      y = weaver.add(parts.full(y.frames), y, {});
      if (o.single_output_forward) y = weaver.add(detail::only(y.frames, lag), y, {});
    } else {
      y = weaver.add(parts.attention(n - 1 - lag, lag).without_padding(), y, detail::whole_windows(n, n - 1));
    }
    y = weaver.add(parts.out, y, {});
    y.reach.delay = delay + lag;
    return y;
  };
  return {"MultiheadAttention", streams == 1 ? Module::Shape::one : Module::Shape::joins, wire};
}
/// All outputs for each frame once there are n: those of the last n frames, oldest first, as the width of one.
inline Module RetroactiveMultiheadAttention(const WeightMap& weights, TransformerOptions o, Index streams = 1) {
  const detail::AttentionParts parts(detail::Parameters("MultiheadAttention", weights), o);
  check(streams == 1 || streams == 3, "MultiheadAttention: streams = ", streams, ", must be 1 or 3");
  const auto wire = [parts, o](Weaver& weaver, const Streams& x) -> Streams {
    const Index n = o.sequence_len;
    weaver.differs = true;
    const Signal y = parts.project(weaver, x);
    const Signal z = weaver.whole() ? weaver.add(parts.full(y.frames), y, {})
                                    : weaver.add(parts.retroactive(n), y,
                                                 detail::whole_windows(n, n - 1));
    return weaver.add(parts.out, z, {});
  };
  return {"MultiheadAttention", streams == 1 ? Module::Shape::one : Module::Shape::joins, wire};
}

/// One layer of an encoder, for the query among the last n frames; weights by the names of torch.nn.TransformerEncoderLayer.
inline Module SingleOutputTransformerEncoderLayer(const WeightMap& weights, TransformerOptions o) {
  const detail::EncoderParts parts(detail::Parameters("TransformerEncoderLayer", weights), o);
  return {"TransformerEncoderLayer", Module::Shape::one, [parts, o](Weaver& weaver, const Streams& x) -> Streams {
            weaver.differs = true;
            if (!weaver.whole()) return parts.single(weaver, x.signal, o.sequence_len, o.lag());
            const Signal y = parts.whole(weaver, x.signal);
            return o.single_output_forward ? weaver.add(detail::only(y.frames, o.lag()), y, {}) : y;
          }};
}
/// The same for all of them, as the width of a frame.
inline Module RetroactiveTransformerEncoderLayer(const WeightMap& weights, TransformerOptions o) {
  const detail::EncoderParts parts(detail::Parameters("TransformerEncoderLayer", weights), o);
  return {"TransformerEncoderLayer", Module::Shape::one, [parts, o](Weaver& weaver, const Streams& x) -> Streams {
            weaver.differs = true;
            return weaver.whole() ? parts.whole(weaver, x.signal) : parts.retroactive(weaver, x.signal, o.sequence_len);
          }};
}
/// A layer of an encoder among n tokens, which are the width of a frame; a signal as a whole is attended to by all of its frames.
inline Module RegularTransformerEncoderLayer(const WeightMap& weights, TransformerOptions o) {
  const detail::EncoderParts parts(detail::Parameters("TransformerEncoderLayer", weights), o);
  return {"TransformerEncoderLayer", Module::Shape::one, [parts, o](Weaver& weaver, const Streams& x) -> Streams {
            weaver.differs = true;
            return weaver.whole() ? parts.whole(weaver, x.signal) : parts.regular(weaver, x.signal, o.sequence_len, false);
          }};
}

/// The options of layers said once, and each kind of layer by them.
struct TransformerEncoderLayerFactory {
  TransformerOptions options;

  Module single_output(const WeightMap& weights) const { return SingleOutputTransformerEncoderLayer(weights, options); }
  Module single_output_forward(const WeightMap& weights) const {
    TransformerOptions own = options;
    own.single_output_forward = true;
    return SingleOutputTransformerEncoderLayer(weights, own);
  }
  Module retroactive(const WeightMap& weights) const { return RetroactiveTransformerEncoderLayer(weights, options); }
  Module regular(const WeightMap& weights) const { return RegularTransformerEncoderLayer(weights, options); }
};

/// Layers one behind the other, of the weights layers.0.self_attn.in_proj_weight and so on of torch.nn.TransformerEncoder, and
/// of a norm if there is one: a step gives what the ordinary encoder makes of the newest of the last n frames, once there are n.
/// Errors   Error if a tensor is missing, or does not fit
inline Module TransformerEncoder(const WeightMap& weights, TransformerOptions o) {
  check(o.lag() == 0, "TransformerEncoder: query_index = ", o.query_index, ", must be that of the newest frame");
  const detail::Parameters all("TransformerEncoder", weights);
  std::vector<detail::EncoderParts> layers;
  while (all.has("layers." + std::to_string(layers.size()) + ".self_attn.out_proj.weight"))
    layers.emplace_back(all.inside("layers." + std::to_string(layers.size())), o);
  check(!layers.empty(), "TransformerEncoder: tensor \"layers.0.self_attn.out_proj.weight\" is missing");
  std::vector<AnyLayer<float>> norm;
  if (all.has("norm.weight")) norm.push_back(all.layer_norm("norm", o.layer_norm_eps));
  const auto wire = [layers, norm, o](Weaver& weaver, const Streams& x) -> Streams {
    const Index n = o.sequence_len;
    weaver.differs = true;
    Signal y = x.signal;
    if (weaver.whole()) {
      for (const detail::EncoderParts& layer : layers) y = layer.whole(weaver, y);
      if (layers.size() > 1) y = weaver.add(detail::only(y.frames, 0), y, {});
    } else if (layers.size() == 1) {
      y = layers.front().single(weaver, y, n, 0);
    } else {
      y = layers.front().retroactive(weaver, y, n);
      for (std::size_t k = 1; k < layers.size(); ++k) y = layers[k].regular(weaver, y, n, k + 1 == layers.size());
    }
    return norm.empty() ? y : weaver.add(norm.front(), y, {});
  };
  return {"TransformerEncoder", Module::Shape::one, wire};
}

inline Module TransformerEncoder(const WeightMap& weights, const TransformerEncoderLayerFactory& layers) {
  return TransformerEncoder(weights, layers.options);
}

/// Rows (num_embeds,embed_dim) added to the frames, from the first one again after the last. A signal as a whole begins with the
/// first row, and must not be longer than the table.
inline Module RecyclingPositionalEncoding(const Weights<float>& weight) {
  const eigenstream::RecyclingPositionalEncoding<float> layer(weight);
  return Module::of_layers("RecyclingPositionalEncoding", layer, [layer, rows = weight.shape[0]](Time frames) {
    check(frames <= rows, "RecyclingPositionalEncoding: ", frames, " frames, more than its ", rows, " rows");
    return layer;
  });
}
/// The same with a table of waves that fit into it, so that it goes on smoothly where it begins anew.
inline Module RecyclingPositionalEncoding(Index embed_dim, Index num_embeds) {
  check(embed_dim >= 2 && num_embeds >= 1, "RecyclingPositionalEncoding: embed_dim = ", embed_dim, ", num_embeds = ", num_embeds,
        ", must be at least 2 and 1");
  const Index d = embed_dim, rows = num_embeds, half = d / 2;
  const double n = static_cast<double>(rows), base = std::pow(n, 1.0 / static_cast<double>(half));
  const auto period = [&](Index m) {
    if (m >= half - 1) return half > 1 ? n : std::floor(base);
    return std::floor(base + static_cast<double>(m) * (n - base) / static_cast<double>(half - 1));
  };
  std::vector<double> table(static_cast<std::size_t>(rows * d));
  for (Index i = 0; i < d; ++i) {
    const Index m = 3 * (i / 3) + 1;
    double s = period(std::min(m, half - 1)), most = s;
    if (n > s)
      most = s * std::ceil(n / s);
    else
      s = most = n;
    const double grid = std::ceil((most + 0.01) / 0.01);
    const double phase = i <= half ? 0 : 2 * std::numbers::pi * static_cast<double>(half - i) / static_cast<double>(half);
    for (Index j = 0; j < rows; ++j) {
      const double u = 0.01 * std::floor(static_cast<double>(j) * ((grid - 1) / n));
      const double z = std::abs(std::fmod(u, 2 * s) - s), at = 2 * std::numbers::pi * z / s + phase;
      table[static_cast<std::size_t>(j * d + i)] = i % 2 == 1 ? std::cos(at) : std::sin(at);
    }
  }
  Weights<float> weight;
  weight.shape = {rows, d};
  for (Index j = 0; j < rows; ++j)
    for (Index i = 0; i < d; ++i) {
      double around = 0, mean = 0;
      for (Index k = -2; k <= 2; ++k) around += table[static_cast<std::size_t>((((j + k) % rows + rows) % rows) * d + i)];
      for (Index k = 0; k < rows; ++k) mean += table[static_cast<std::size_t>(k * d + i)];
      weight.values.push_back(static_cast<float>(around / 5 - mean / n));
    }
  return RecyclingPositionalEncoding(weight);
}

}  // namespace continual

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NAMES_CONTINUAL_ATTENTION_HPP
