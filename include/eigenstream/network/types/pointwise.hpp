#ifndef EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP
#define EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP

#include <algorithm>  // find

#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/arg_max.hpp"
#include "eigenstream/layer/channel_pointwise.hpp"
#include "eigenstream/layer/channel_select.hpp"
#include "eigenstream/layer/channel_slice.hpp"
#include "eigenstream/layer/constant.hpp"
#include "eigenstream/layer/embedding.hpp"
#include "eigenstream/layer/glu.hpp"
#include "eigenstream/layer/magnitude.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/softmax.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_channel_slice(ModuleReader& r, const FrameShape&) {
  const Index start = r.integer("start");
  return ChannelSlice<float>(start, r.integer("channels"));
}

inline Built build_affine(ModuleReader& r, const FrameShape&) {
  if (r.integer("channels") == Dynamic) {
    const float scale = r.number("scale");
    return Affine<float>(scale, r.number("offset"));
  }
  const Weights<float> scale = r.weight("weight");
  return Affine<float>(scale, r.weight("bias"));
}

inline constexpr std::string_view gelu_names[] = {"none", "tanh"};
inline Built build_gelu(ModuleReader& r, const FrameShape&) {
  if (r.text("approximate") == "tanh") return GeluTanh<float>();
  return Gelu<float>();
}

inline Built build_compare(ModuleReader& r, const FrameShape&) {
  const std::string op = r.text("op");
  const auto named = std::find(std::begin(comparison_names), std::end(comparison_names), op);
  return Compare<float>(static_cast<Comparison>(named - std::begin(comparison_names)), r.number("value"));
}

inline Built build_channel_select(ModuleReader& r, const FrameShape&) {
  const std::vector<Index> indices = r.values("indices");
  r.check(!indices.empty(), "indices is empty");
  return ChannelSelect<float>(indices);
}

inline Built build_prelu(ModuleReader& r, const FrameShape&) { return Prelu<float>(r.weight("weight")); }
inline Built build_snake(ModuleReader& r, const FrameShape&) { return Snake<float>(r.weight("alpha")); }

// A function under its own name.
template <Function f>
ModuleType elementary_type(std::string_view torch, std::string_view y) {
  return {.name = function_names[static_cast<int>(f)],
          .torch = torch,
          .group = "Activations",
          .summary = y,
          .build = build_plain<Elementary<float, f>>};
}

/// What treats every frame, or every number, by itself: the types that model files may hold.
inline void add_pointwise_types(Registry& registry) {
  using F = ModuleField;
  const auto over_channels = [&](ModuleType type) {
    type.group = "Layers over channels";
    registry.add(std::move(type));
  };
  over_channels({.name = "ChannelSlice",
                 .summary = "Some of the channels",
                 .formula = "y[c,t] = x[start + c, t]",
                 .notes = "The input has at least `start + channels` channels.",
                 .fields = {F::integer("start", required, "the first one", 0), F::integer("channels", required, "how many")},
                 .build = build_channel_slice});
  over_channels({.name = "ChannelSelect",
                 .torch = "torch.index_select",
                 .summary = "Channels in any order, each as often as it is named",
                 .formula = "y[i,t] = x[indices[i], t]",
                 .notes = "The input has more channels than the greatest of `indices`, of which there is at least one.",
                 .fields = {F::per_axis("indices", 0, required, "the channels", 0)},
                 .build = build_channel_select});
  over_channels({.name = "Magnitude",
                 .torch = "torch.abs",
                 .summary = "Absolute values of complex numbers, whose parts are two channels each",
                 .formula = "y[c,t] = (x[2c,t]^2 + x[2c + 1,t]^2)^(power / 2)",
                 .fields = {F::integer("power", Index{1}, "1: absolute values, 2: their squares", 1, 2)},
                 .build = [](ModuleReader& r, const FrameShape&) { return Built(Magnitude<float>(r.integer("power"))); }});
  over_channels({.name = "Affine",
                 .summary = "A factor and an offset, the same for all or for each channel its own",
                 .formula = "y[c,t] = x[c,t] * scale + offset\n"
                            "y[c,t] = x[c,t] * weight[c] + bias[c]    with channels",
                 .notes = "With `channels`, neither `scale` nor `offset` is allowed.",
                 .fields = {F::number("scale", 1, "the factor"), F::number("offset", 0, "what is added"),
                            F::integer("channels", absent, "with it, each channel has its own")},
                 .tensors = {{"weight", "channels", "channels"}, {"bias", "channels", "channels"}},
                 .build = build_affine});
  over_channels({.name = "Embedding",
                 .torch = "torch.nn.Embedding",
                 .summary = "The rows of a table, by their numbers",
                 .formula = "y[c embedding_dim + e, t] = weight[x[c,t], e]",
                 .notes = "The channels hold whole numbers, and each becomes `embedding_dim` channels. A number that is no row's gives "
                          "the nearest row.",
                 .fields = {F::integer("num_embeddings", required, "rows"),
                            F::integer("embedding_dim", required, "numbers in each")},
                 .tensors = {{"weight", "num_embeddings, embedding_dim", ""}},
                 .build = [](ModuleReader& r, const FrameShape&) { return Built(Embedding<float>(r.weight("weight"))); }});
  over_channels({.name = "ArgMax",
                 .torch = "torch.argmax",
                 .summary = "The number of the greatest channel of each frame, the first of several",
                 .build = [](ModuleReader&, const FrameShape&) { return Built(ArgMax<float>()); }});
  over_channels({.name = "ArgMin",
                 .torch = "torch.argmin",
                 .summary = "The number of the least channel of each frame, the first of several",
                 .build = [](ModuleReader&, const FrameShape&) { return Built(ArgMax<float>(true)); }});
  over_channels({.name = "GLU",
                 .torch = "torch.nn.GLU",
                 .summary = "The first half of the channels, an even number, gated by the second",
                 .formula = "y[c,t] = x[c,t] * sigmoid(x[c + C/2, t])",
                 .build = build_plain<Glu<float>>});
  over_channels({.name = "Softmax",
                 .torch = "torch.nn.Softmax",
                 .summary = "Softmax over the channels of each frame",
                 .formula = "y[c,t] = exp(x[c,t]) / sum over i of exp(x[i,t])",
                 .build = build_plain<Softmax<float>>});
  over_channels({.name = "LogSoftmax",
                 .torch = "torch.nn.LogSoftmax",
                 .summary = "The logarithm of Softmax",
                 .build = build_plain<LogSoftmax<float>>});

  using Fields = std::vector<ModuleField>;
  const auto add = [&](const char* name, const char* torch, const char* y, ModuleType::Factory build, Fields fields = {}) {
    registry.add({.name = name,
                  .torch = torch,
                  .group = "Activations",
                  .summary = y,
                  .fields = std::move(fields),
                  .build = std::move(build)});
  };
  const F alpha = F::number("alpha", 1, "where it levels off");
  add("ReLU", "torch.nn.ReLU", "max(x, 0)", build_plain<Relu<float>>);
  add("LeakyReLU", "torch.nn.LeakyReLU", "x if x > 0, else negative_slope x",
      [](ModuleReader& r, const FrameShape&) { return Built(LeakyRelu<float>(r.number("negative_slope"))); },
      {F::number("negative_slope", 0.01, "the slope below 0")});
  registry.add({.name = "PReLU",
                .torch = "torch.nn.PReLU",
                .group = "Activations",
                .summary = "x if x > 0, else weight[0] x or weight[c] x",
                .fields = {F::integer("num_parameters", 1, "1, or the number of channels")},
                .tensors = {{"weight", "num_parameters", ""}},
                .build = build_prelu});
  add("ELU", "torch.nn.ELU", "x if x > 0, else alpha (exp(x) - 1)",
      [](ModuleReader& r, const FrameShape&) { return Built(Elu<float>(r.number("alpha"))); }, {alpha});
  add("SELU", "torch.nn.SELU", "1.0507009873554805 times ELU with alpha 1.6732632423543772", build_plain<Selu<float>>);
  add("SiLU", "torch.nn.SiLU", "x sigmoid(x)", build_plain<Silu<float>>);
  add("GELU", "torch.nn.GELU", "x/2 (1 + erf(x / sqrt(2))), or x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", build_gelu,
      {F::text("approximate", "none", "tanh: the second of them", gelu_names)});
  add("Sigmoid", "torch.nn.Sigmoid", "1 / (1 + exp(-x))", build_plain<Sigmoid<float>>);
  add("Tanh", "torch.nn.Tanh", "tanh(x)", build_plain<Tanh<float>>);
  add("Softplus", "torch.nn.Softplus", "x if beta x > threshold, else log(1 + exp(beta x)) / beta",
      [](ModuleReader& r, const FrameShape&) {
        const float beta = r.number("beta");
        return Built(Softplus<float>(beta, r.number("threshold")));
      },
      {F::number("beta", 1, "how sharp it bends; not 0"), F::number("threshold", 20, "above it, y is x")});
  add("Softsign", "torch.nn.Softsign", "x / (1 + abs(x))", build_plain<Softsign<float>>);
  add("Hardtanh", "torch.nn.Hardtanh", "min(max(x, min_val), max_val); ReLU6 is 0 and 6",
      [](ModuleReader& r, const FrameShape&) {
        const float least = r.number("min_val");
        return Built(Hardtanh<float>(least, r.number("max_val")));
      },
      {F::number("min_val", -1, "the least"), F::number("max_val", 1, "the greatest")});
  add("LeakyHardtanh", "", "x from min_val to max_val, and lines of min_slope and max_slope beyond",
      [](ModuleReader& r, const FrameShape&) {
        const float least = r.number("min_val"), most = r.number("max_val"), least_slope = r.number("min_slope");
        return Built(LeakyHardtanh<float>(least, most, least_slope, r.number("max_slope")));
      },
      {F::number("min_val", -1, "where the lower line begins"), F::number("max_val", 1, "where the upper one does"),
       F::number("min_slope", 0.01, "of the lower line"), F::number("max_slope", 0.01, "of the upper one")});
  add("Fasttanh", "", "x (a + a s + (b + c s) x x) / (d + (d + x x) abs(x + e x s)), near tanh(x); s = abs(x), a = 2.45550750702956, "
      "b = 0.893229853513558, c = 0.821226666969744, d = 2.44506634652299, e = 0.814642734961073", build_plain<FastTanh<float>>);
  add("Hardsigmoid", "torch.nn.Hardsigmoid", "min(max(x/6 + 1/2, 0), 1)", build_plain<Hardsigmoid<float>>);
  add("Hardswish", "torch.nn.Hardswish", "x times Hardsigmoid", build_plain<Hardswish<float>>);
  add("CELU", "torch.nn.CELU", "x if x > 0, else alpha (exp(x / alpha) - 1)",
      [](ModuleReader& r, const FrameShape&) { return Built(Celu<float>(r.number("alpha"))); },
      {F::number("alpha", 1, "where it levels off; not 0")});
  add("Mish", "torch.nn.Mish", "x tanh(log(1 + exp(x)))", build_plain<Mish<float>>);
  add("LogSigmoid", "torch.nn.LogSigmoid", "-log(1 + exp(-x))", build_plain<LogSigmoid<float>>);
  add("Tanhshrink", "torch.nn.Tanhshrink", "x - tanh(x)", build_plain<Tanhshrink<float>>);
  add("Softshrink", "torch.nn.Softshrink", "x - min(max(x, -lambd), lambd)",
      [](ModuleReader& r, const FrameShape&) { return Built(Softshrink<float>(r.number("lambd"))); },
      {F::number("lambd", 0.5, "what becomes 0", 0)});
  add("Hardshrink", "torch.nn.Hardshrink", "x if abs(x) > lambd, else 0",
      [](ModuleReader& r, const FrameShape&) { return Built(Hardshrink<float>(r.number("lambd"))); },
      {F::number("lambd", 0.5, "what becomes 0")});
  add("Threshold", "torch.nn.Threshold", "x if x > threshold, else value",
      [](ModuleReader& r, const FrameShape&) {
        const float threshold = r.number("threshold");
        return Built(Threshold<float>(threshold, r.number("value")));
      },
      {F::number("threshold", required, "the bound"), F::number("value", required, "what stands for what is not above it")});
  add("Constant", "torch.full_like", "value, whatever x is",
      [](ModuleReader& r, const FrameShape&) { return Built(Constant<float>(r.number("value"))); },
      {F::number("value", required, "the number that stands everywhere")});
  add("Abs", "torch.abs", "abs(x)", build_plain<Abs<float>>);
  add("Exp", "torch.exp", "exp(x)", build_plain<Exp<float>>);
  add("Log", "torch.log", "log(x), the natural logarithm", build_plain<Log<float>>);
  add("Sqrt", "torch.sqrt", "sqrt(x)", build_plain<Sqrt<float>>);
  add("Square", "torch.square", "x x", build_plain<Square<float>>);
  add("Sin", "torch.sin", "sin(x), of radians", build_plain<Sin<float>>);
  add("Cos", "torch.cos", "cos(x), of radians", build_plain<Cos<float>>);
  add("Reciprocal", "torch.reciprocal", "1 / x", build_plain<Reciprocal<float>>);
  registry.add(elementary_type<Function::expm1>("torch.expm1", "exp(x) - 1"));
  registry.add(elementary_type<Function::log1p>("torch.log1p", "log(1 + x)"));
  registry.add(elementary_type<Function::erf>("torch.erf", "the error function"));
  registry.add(elementary_type<Function::tan>("torch.tan", "tan(x), of radians"));
  registry.add(elementary_type<Function::asin>("torch.asin", "its angle, from -pi/2 to pi/2"));
  registry.add(elementary_type<Function::acos>("torch.acos", "its angle, from 0 to pi"));
  registry.add(elementary_type<Function::atan>("torch.atan", "its angle, from -pi/2 to pi/2"));
  registry.add(elementary_type<Function::sinh>("torch.sinh", "(exp(x) - exp(-x)) / 2"));
  registry.add(elementary_type<Function::cosh>("torch.cosh", "(exp(x) + exp(-x)) / 2"));
  registry.add(elementary_type<Function::asinh>("torch.asinh", "what Sinh gives x of"));
  registry.add(elementary_type<Function::acosh>("torch.acosh", "what Cosh gives x of, not negative"));
  registry.add(elementary_type<Function::atanh>("torch.atanh", "what Tanh gives x of"));
  registry.add(elementary_type<Function::sign>("torch.sign", "-1, 0 or 1"));
  registry.add(elementary_type<Function::floor>("torch.floor", "the next whole number below"));
  registry.add(elementary_type<Function::ceil>("torch.ceil", "the next whole number above"));
  registry.add(elementary_type<Function::round>("torch.round", "the nearest whole number, the even one of two"));
  registry.add(elementary_type<Function::trunc>("torch.trunc", "the next whole number towards 0"));
  add("Power", "torch.pow", "x to the power of exponent",
      [](ModuleReader& r, const FrameShape&) { return Built(Power<float>(r.number("exponent"))); },
      {F::number("exponent", required, "any number")});
  add("Compare", "", "1 where x compares so with value, else 0; also for NaN, which is not_equal to all", build_compare,
      {F::text("op", required, "how", comparison_names), F::number("value", 0, "with what")});
  registry.add({.name = "Snake",
                .group = "Activations",
                .summary = "x + sin(alpha[c] x)^2 / alpha[c]",
                .notes = "No `alpha` is 0.",
                .fields = {F::integer("channels", required, "each with its own alpha")},
                .tensors = {{"alpha", "channels", ""}},
                .build = build_snake});
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP
