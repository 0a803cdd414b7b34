#ifndef EIGENSTREAM_NETWORK_TYPES_CONVOLUTION_HPP
#define EIGENSTREAM_NETWORK_TYPES_CONVOLUTION_HPP

#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/conv_transpose.hpp"
#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/reflection_pad.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_conv1d(ModuleReader& r, const FrameShape&) {
  const Index in = r.integer("in_channels"), out = r.integer("out_channels"), taps = r.integer("kernel_size");
  Conv1dOptions options;
  options.stride = r.integer("stride", 1);
  options.padding = r.padding("padding");
  options.padding_mode = r.padding_mode("padding_mode", PaddingMode::zeros);
  if (options.padding_mode == PaddingMode::constant) options.padding_value = r.number("padding_value", 0);
  options.dilation = r.integer("dilation", 1);
  options.groups = r.integer("groups", 1);
  r.check(in % options.groups == 0 && out % options.groups == 0, "groups = ", options.groups, " does not divide ", in,
          " and ", out, " channels");
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  const Weights<float> weight = r.weight("weight", {out, in / options.groups, taps});
  return Conv1d<float>(weight, r.weight_if(r.boolean("bias", true), "bias", {out}), options);
}

inline Built build_conv_transpose1d(ModuleReader& r, const FrameShape&) {
  const Index in = r.integer("in_channels"), out = r.integer("out_channels"), taps = r.integer("kernel_size");
  ConvTranspose1dOptions options;
  options.stride = r.integer("stride", 1);
  options.padding = r.padding("padding");
  options.output_padding = r.integer("output_padding", 0, 0);
  options.dilation = r.integer("dilation", 1);
  options.groups = r.integer("groups", 1);
  r.check(in % options.groups == 0 && out % options.groups == 0, "groups = ", options.groups, " does not divide ", in,
          " and ", out, " channels");
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  const Weights<float> weight = r.weight("weight", {in, out / options.groups, taps});
  // Each input completes a block of `stride` frames, so that many columns of weights are kept for each distinct lag.
  r.check(static_cast<double>(options.stride) * static_cast<double>(weight.size()) <=
              static_cast<double>(max_packed_weights),
          "stride = ", options.stride, " with ", weight.size(), " weights is more than can be kept");
  return ConvTranspose1d<float>(weight, r.weight_if(r.boolean("bias", true), "bias", {out}), options);
}

inline Built build_pad(ModuleReader& r, const FrameShape&) {
  const Index left = r.integer("left", 0, -max_extent), right = r.integer("right", 0, -max_extent);
  const Index multiple = r.integer("multiple", 1), offset = r.integer("offset", 0, -(Index{1} << 30), Index{1} << 30);
  const std::string mode = r.text("mode", "constant");
  if (mode == "reflect") return ReflectionPad<float>(left, right, multiple, offset);
  r.check(mode == "constant" || mode == "zeros" || mode == "replicate", "mode = \"", mode,
          "\", must be \"constant\", \"zeros\", \"replicate\" or \"reflect\"");
  PadOptions options{.mode = r.padding_mode("mode", PaddingMode::constant), .multiple = multiple, .offset = offset};
  if (options.mode == PaddingMode::constant) options.value = r.number("value", 0);
  return Pad<float>(left, right, options);
}

inline Built build_delay(ModuleReader& r, const FrameShape&) { return Delay<float>(r.integer("frames", {}, 0)); }

inline Built build_linear(ModuleReader& r, const FrameShape&) {
  const Index in = r.integer("in_features"), out = r.integer("out_features");
  const Weights<float> weight = r.weight("weight", {out, in});
  return Linear<float>(weight, r.weight_if(r.boolean("bias", true), "bias", {out}));
}

/// Convolutions, padding and matrices: the types that model files may hold.
inline void add_convolution_types(Registry& registry) {
  registry.add("Conv1d", build_conv1d);
  registry.add("ConvTranspose1d", build_conv_transpose1d);
  registry.add("Delay", build_delay);
  registry.add("Pad", build_pad);
  registry.add("Linear", build_linear);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_CONVOLUTION_HPP
