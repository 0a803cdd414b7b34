#ifndef EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP
#define EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP

#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/channel_pointwise.hpp"
#include "eigenstream/layer/channel_slice.hpp"
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

/// What treats every frame, or every number, by itself: the types that model files may hold.
inline void add_pointwise_types(Registry& registry) {
  registry.add("ReLU", plain_factory<Relu<float>>());
  registry.add("LeakyReLU",
               [](ModuleReader& r, const FrameShape&) { return Built(LeakyRelu<float>(r.number("negative_slope", 0.01))); });
  registry.add("PReLU", [](ModuleReader& r, const FrameShape&) {
    return Built(Prelu<float>(r.weight("weight", {r.integer("num_parameters", 1)})));
  });
  registry.add("ELU", [](ModuleReader& r, const FrameShape&) { return Built(Elu<float>(r.number("alpha", 1))); });
  registry.add("SELU", plain_factory<Selu<float>>());
  registry.add("SiLU", plain_factory<Silu<float>>());
  registry.add("GELU", build_gelu);
  registry.add("Sigmoid", plain_factory<Sigmoid<float>>());
  registry.add("Tanh", plain_factory<Tanh<float>>());
  registry.add("Softplus", [](ModuleReader& r, const FrameShape&) {
    return Built(Softplus<float>(r.number("beta", 1), r.number("threshold", 20)));
  });
  registry.add("Softsign", plain_factory<Softsign<float>>());
  registry.add("Hardtanh", [](ModuleReader& r, const FrameShape&) {
    return Built(Hardtanh<float>(r.number("min_val", -1), r.number("max_val", 1)));
  });
  registry.add("Hardsigmoid", plain_factory<Hardsigmoid<float>>());
  registry.add("Hardswish", plain_factory<Hardswish<float>>());
  registry.add("CELU", [](ModuleReader& r, const FrameShape&) { return Built(Celu<float>(r.number("alpha", 1))); });
  registry.add("Mish", plain_factory<Mish<float>>());
  registry.add("LogSigmoid", plain_factory<LogSigmoid<float>>());
  registry.add("Tanhshrink", plain_factory<Tanhshrink<float>>());
  registry.add("Softshrink", [](ModuleReader& r, const FrameShape&) { return Built(Softshrink<float>(r.number("lambd", 0.5))); });
  registry.add("Hardshrink", [](ModuleReader& r, const FrameShape&) { return Built(Hardshrink<float>(r.number("lambd", 0.5))); });
  registry.add("Threshold", [](ModuleReader& r, const FrameShape&) {
    const float threshold = r.number("threshold");
    return Built(Threshold<float>(threshold, r.number("value")));
  });
  registry.add("Abs", plain_factory<Abs<float>>());
  registry.add("Exp", plain_factory<Exp<float>>());
  registry.add("Log", plain_factory<Log<float>>());
  registry.add("Sqrt", plain_factory<Sqrt<float>>());
  registry.add("Square", plain_factory<Square<float>>());
  registry.add("Sin", plain_factory<Sin<float>>());
  registry.add("Cos", plain_factory<Cos<float>>());
  registry.add("Reciprocal", plain_factory<Reciprocal<float>>());
  registry.add("LogSoftmax", plain_factory<LogSoftmax<float>>());
  registry.add("ChannelSlice", build_channel_slice);
  registry.add("Affine", build_affine);
  registry.add("GLU", plain_factory<Glu<float>>());
  registry.add("Softmax", plain_factory<Softmax<float>>());
  registry.add("Snake",
               [](ModuleReader& r, const FrameShape&) { return Built(Snake<float>(r.weight("alpha", {r.integer("channels")}))); });
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_POINTWISE_HPP
