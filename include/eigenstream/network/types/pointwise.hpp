#ifndef EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP
#define EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP

#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/arg_max.hpp"
#include "eigenstream/layer/channel_pointwise.hpp"
#include "eigenstream/layer/channel_slice.hpp"
#include "eigenstream/layer/embedding.hpp"
#include "eigenstream/layer/glu.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/softmax.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_channel_slice(ModuleReader& r, const FrameShape&) {
  const Index start = r.integer("start", {}, 0);
  return ChannelSlice<float>(start, r.integer("channels"));
}

inline Built build_affine(ModuleReader& r, const FrameShape&) {
  if (!r.spec().fields.contains("channels")) {
    const float scale = r.number("scale", 1);
    return Affine<float>(scale, r.number("offset", 0));
  }
  const Index channels = r.integer("channels");
  const Weights<float> scale = r.weight("weight", {channels});
  return Affine<float>(scale, r.weight("bias", {channels}));
}

inline Built build_gelu(ModuleReader& r, const FrameShape&) {
  const std::string approximate = r.text("approximate", "none");
  r.check(approximate == "none" || approximate == "tanh", "approximate = \"", approximate,
          "\", must be \"none\" or \"tanh\"");
  if (approximate == "tanh") return GeluTanh<float>();
  return Gelu<float>();
}

inline Built build_compare(ModuleReader& r, const FrameShape&) {
  const std::string op = r.text("op", "");
  std::string all;
  for (const char* const& known : comparison_names) {
    if (op == known) return Compare<float>(static_cast<Comparison>(&known - comparison_names), r.number("value", 0));
    all.append(all.empty() ? "" : ", ").append(known);
  }
  r.fail("op = \"", op, "\", must be one of ", all);
}

inline Built build_embedding(ModuleReader& r, const FrameShape&) {
  const Index rows = r.integer("num_embeddings");
  return Embedding<float>(r.weight("weight", {rows, r.integer("embedding_dim")}));
}

// Each function under its own name.
template <int... Each>
void add_functions(Registry& registry, std::integer_sequence<int, Each...>) {
  (add_plain<Elementary<float, static_cast<Function>(Each)>>(registry, function_names[Each]), ...);
}

/// What treats every frame, or every number, by itself: the types that model files may hold.
inline void add_pointwise_types(Registry& registry) {
  add_plain<Relu<float>>(registry, "ReLU");
  registry.add("LeakyReLU",
               [](ModuleReader& r, const FrameShape&) { return Built(LeakyRelu<float>(r.number("negative_slope", 0.01))); });
  registry.add("PReLU", [](ModuleReader& r, const FrameShape&) {
    return Built(Prelu<float>(r.weight("weight", {r.integer("num_parameters", 1)})));
  });
  registry.add("ELU", [](ModuleReader& r, const FrameShape&) { return Built(Elu<float>(r.number("alpha", 1))); });
  add_plain<Selu<float>>(registry, "SELU");
  add_plain<Silu<float>>(registry, "SiLU");
  registry.add("GELU", build_gelu);
  add_plain<Sigmoid<float>>(registry, "Sigmoid");
  add_plain<Tanh<float>>(registry, "Tanh");
  registry.add("Softplus", [](ModuleReader& r, const FrameShape&) {
    return Built(Softplus<float>(r.number("beta", 1), r.number("threshold", 20)));
  });
  add_plain<Softsign<float>>(registry, "Softsign");
  registry.add("Hardtanh", [](ModuleReader& r, const FrameShape&) {
    return Built(Hardtanh<float>(r.number("min_val", -1), r.number("max_val", 1)));
  });
  add_plain<Hardsigmoid<float>>(registry, "Hardsigmoid");
  add_plain<Hardswish<float>>(registry, "Hardswish");
  registry.add("CELU", [](ModuleReader& r, const FrameShape&) { return Built(Celu<float>(r.number("alpha", 1))); });
  add_plain<Mish<float>>(registry, "Mish");
  add_plain<LogSigmoid<float>>(registry, "LogSigmoid");
  add_plain<Tanhshrink<float>>(registry, "Tanhshrink");
  registry.add("Softshrink", [](ModuleReader& r, const FrameShape&) { return Built(Softshrink<float>(r.number("lambd", 0.5))); });
  registry.add("Hardshrink", [](ModuleReader& r, const FrameShape&) { return Built(Hardshrink<float>(r.number("lambd", 0.5))); });
  registry.add("Threshold", [](ModuleReader& r, const FrameShape&) {
    const float threshold = r.number("threshold");
    return Built(Threshold<float>(threshold, r.number("value")));
  });
  add_plain<Abs<float>>(registry, "Abs");
  add_plain<Exp<float>>(registry, "Exp");
  add_plain<Log<float>>(registry, "Log");
  add_plain<Sqrt<float>>(registry, "Sqrt");
  add_plain<Square<float>>(registry, "Square");
  add_plain<Sin<float>>(registry, "Sin");
  add_plain<Cos<float>>(registry, "Cos");
  add_plain<Reciprocal<float>>(registry, "Reciprocal");
  add_functions(registry, std::make_integer_sequence<int, static_cast<int>(std::size(function_names))>());
  registry.add("Power", [](ModuleReader& r, const FrameShape&) { return Built(Power<float>(r.number("exponent"))); });
  registry.add("Compare", build_compare);
  registry.add("Embedding", build_embedding);
  registry.add("ArgMax", [](ModuleReader&, const FrameShape&) { return Built(ArgMax<float>()); });
  registry.add("ArgMin", [](ModuleReader&, const FrameShape&) { return Built(ArgMax<float>(true)); });
  add_plain<LogSoftmax<float>>(registry, "LogSoftmax");
  registry.add("ChannelSlice", build_channel_slice);
  registry.add("Affine", build_affine);
  add_plain<Glu<float>>(registry, "GLU");
  add_plain<Softmax<float>>(registry, "Softmax");
  registry.add("Snake",
               [](ModuleReader& r, const FrameShape&) { return Built(Snake<float>(r.weight("alpha", {r.integer("channels")}))); });
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP
