#ifndef EIGENSTREAM_NETWORK_TYPES_CONVOLUTION_HPP
#define EIGENSTREAM_NETWORK_TYPES_CONVOLUTION_HPP

#include "eigenstream/layer/circular_pad.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/conv_transpose.hpp"
#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/input.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/rearrange.hpp"
#include "eigenstream/layer/reflection_pad.hpp"
#include "eigenstream/layer/space_conv.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_conv1d(ModuleReader& r, const FrameShape&) {
  const Index in = r.integer("in_channels"), out = r.integer("out_channels"), taps = r.integer("kernel_size");
  Conv1dOptions options;
  options.stride = r.integer("stride");
  options.padding = r.padding("padding");
  options.padding_mode = r.padding_mode("padding_mode");
  if (options.padding_mode == PaddingMode::constant) options.padding_value = r.number("padding_value");
  options.dilation = r.integer("dilation");
  options.groups = r.integer("groups");
  r.check(in % options.groups == 0 && out % options.groups == 0, "groups = ", options.groups, " does not divide ", in,
          " and ", out, " channels");
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  const Weights<float> weight = r.weight("weight");
  return Conv1d<float>(weight, r.weight("bias"), options);
}

template <int Axes>
Built build_space_conv(ModuleReader& r, const FrameShape&) {
  SpaceConvOptions<Axes> options;
  options.stride = r.per_axis<Axes>("stride");
  options.padding = r.paddings<Axes>("padding");
  options.padding_mode = r.padding_mode("padding_mode");
  if (options.padding_mode == PaddingMode::constant) options.padding_value = r.number("padding_value");
  options.dilation = r.per_axis<Axes>("dilation");
  options.groups = r.integer("groups");
  const Index in = r.integer("in_channels"), out = r.integer("out_channels");
  r.check(in % options.groups == 0 && out % options.groups == 0, "groups = ", options.groups, " does not divide ", in,
          " and ", out, " channels");
  const PerAxis<Index, Axes> taps = r.per_axis<Axes>("kernel_size");
  for (int axis = 0; axis < Axes; ++axis)
    r.check((taps[axis] - 1) * options.dilation[axis] < max_reach, "its taps reach over more than ", max_reach, " positions");
  const Weights<float> weight = r.weight("weight");
  return SpaceConv<float, Axes>(weight, r.weight("bias"), options);
}

template <int Axes>
Built build_space_conv_transpose(ModuleReader& r, const FrameShape&) {
  SpaceConvTransposeOptions<Axes> options;
  options.stride = r.per_axis<Axes>("stride");
  options.padding = r.paddings<Axes>("padding");
  options.output_padding = r.per_axis<Axes>("output_padding");
  options.dilation = r.per_axis<Axes>("dilation");
  options.groups = r.integer("groups");
  const Index in = r.integer("in_channels"), out = r.integer("out_channels");
  r.check(in % options.groups == 0 && out % options.groups == 0, "groups = ", options.groups, " does not divide ", in,
          " and ", out, " channels");
  const PerAxis<Index, Axes> taps = r.per_axis<Axes>("kernel_size");
  double phases = 1;
  for (int axis = 0; axis < Axes; ++axis) {
    r.check((taps[axis] - 1) * options.dilation[axis] < max_reach, "its taps reach over more than ", max_reach, " positions");
    phases *= static_cast<double>(options.stride[axis]);
  }
  r.check(phases <= 4096, "the strides multiply to ", phases, ", more than 4096");  // a kernel for each phase
  const Weights<float> weight = r.weight("weight");
  return SpaceConvTranspose<float, Axes>(weight, r.weight("bias"), options);
}

inline Built build_input(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("channels"), width = r.integer("width");
  return Input<float>({channels, width, r.integer("height")});
}

inline Built build_reshape(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("channels"), width = r.integer("width"), height = r.integer("height");
  r.check(static_cast<double>(channels) * static_cast<double>(width) * static_cast<double>(height) <= static_cast<double>(max_window),
          "frames of more than ", max_window, " numbers");
  return Reshape<float>({channels, width, height});
}

inline Built build_conv_transpose1d(ModuleReader& r, const FrameShape&) {
  const Index in = r.integer("in_channels"), out = r.integer("out_channels"), taps = r.integer("kernel_size");
  ConvTranspose1dOptions options;
  options.stride = r.integer("stride");
  options.padding = r.padding("padding");
  options.output_padding = r.integer("output_padding");
  options.dilation = r.integer("dilation");
  options.groups = r.integer("groups");
  r.check(in % options.groups == 0 && out % options.groups == 0, "groups = ", options.groups, " does not divide ", in,
          " and ", out, " channels");
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  const Weights<float> weight = r.weight("weight");
  // Each input completes a block of `stride` frames, so that many columns of weights are kept for each distinct lag.
  r.check(static_cast<double>(options.stride) * static_cast<double>(weight.size()) <=
              static_cast<double>(max_packed_weights),
          "stride = ", options.stride, " with ", weight.size(), " weights is more than can be kept");
  return ConvTranspose1d<float>(weight, r.weight("bias"), options);
}

inline constexpr std::string_view pad_mode_names[] = {"zeros", "replicate", "constant", "reflect", "circular"};
inline Built build_pad(ModuleReader& r, const FrameShape&) {
  const Index left = r.integer("left"), right = r.integer("right");
  const Index multiple = r.integer("multiple"), offset = r.integer("offset");
  if (r.text("mode") == "circular") {
    r.check(r.in_window(), "mode \"circular\" puts the signal's end before its start, which is not there yet; inside a Windowed it can, or "
                           "use \"zeros\", \"replicate\" or \"reflect\"");
    r.check(multiple == 1, "mode \"circular\" has no multiple");
    return CircularPad<float>(left, right);
  }
  if (r.text("mode") == "reflect") return ReflectionPad<float>(left, right, multiple, offset);
  PadOptions options{.mode = r.padding_mode("mode"), .multiple = multiple, .offset = offset};
  if (options.mode == PaddingMode::constant) options.value = r.number("value");
  return Pad<float>(left, right, options);
}

inline Built build_delay(ModuleReader& r, const FrameShape&) { return Delay<float>(r.integer("frames")); }

inline Built build_linear(ModuleReader& r, const FrameShape&) {
  const Weights<float> weight = r.weight("weight");
  return Linear<float>(weight, r.weight("bias"));
}

/// Convolutions, padding and matrices: the types that model files may hold.
inline void add_convolution_types(Registry& registry) {
  using F = ModuleField;
  const auto add = [&](ModuleType type) {
    type.group = "Layers over time";
    registry.add(std::move(type));
  };
  const F in = F::integer("in_channels", required, "channels of x"),
          out = F::integer("out_channels", required, "channels of y");
  const F taps = F::integer("kernel_size", required, "taps"), dilation = F::integer("dilation", 1, "frames from tap to tap");
  const F groups = F::integer("groups", 1, "both numbers of channels are multiples of it; each group sees its own inputs only");
  const F bias = F::boolean("bias", true, "whether there is one");
  add({.name = "Conv1d",
       .torch = "torch.nn.Conv1d",
       .summary = "Convolution",
       .formula = "y[o,m] = bias[o] + sum over k, i of weight[o,i,k] x[i, m stride - left + k dilation]\n"
                  "frames   floor((n + left + right - f) / stride) + 1    f = dilation (kernel_size - 1) + 1",
       .notes = "`padding` are frames before the first one and after the last; what they hold says `padding_mode`. "
                "`padding_value` is allowed with \"constant\" only.",
       .fields = {in, out, taps, F::integer("stride", 1, "frames from one output to the next"),
                  F::padding("padding", "frames before and after the signal"),
                  F::text("padding_mode", "zeros", "zeros, the nearest frame, or `padding_value`", padding_mode_names),
                  F::number("padding_value", 0, "what they hold"), dilation, groups, bias},
       .tensors = {{"weight", "out_channels, in_channels / groups, kernel_size", ""}, {"bias", "out_channels", "bias"}},
       .build = build_conv1d});
  for (const int axes : {2, 3}) {
    const bool two = axes == 2;
    registry.add(
        {.name = two ? "Conv2d" : "Conv3d",
         .torch = two ? "torch.nn.Conv2d" : "torch.nn.Conv3d",
         .group = "Layers over time and space",
         .summary = two ? "Convolution over time and the width of frames: (B, C, T, W) in torch"
                        : "Convolution over time, height and width of frames: (B, C, T, H, W) in torch",
         .formula = two ? "y[o,w,m] = bias[o] + sum over i, k, l of weight[o,i,k,l] x[i, w', m']\n"
                          "m' = m stride[0] - left[0] + k dilation[0], w' the same with the second numbers and l"
                        : "y[o,w,h,m] = bias[o] + sum over i, k, j, l of weight[o,i,k,j,l] x[i, w', h', m']\n"
                          "m' = m stride[0] - left[0] + k dilation[0], h' and w' the same with the next numbers, j and l",
         .notes = "Options have a number for each axis, time first, or one for all; a `padding` may have both sides of each. What "
                  "padding holds says `padding_mode`. `padding_value` is allowed with \"constant\" only.",
         .fields = {in, out, F::per_axis("kernel_size", axes, required, "taps"),
                    F::per_axis("stride", axes, Index{1}, "from one output to the next"),
                    F::per_axis("padding", axes, Index{0}, "around signal and frames; [left, right, left, right] and so on for "
                                                           "different sides", 0),
                    F::text("padding_mode", "zeros", "zeros, the nearest number, or `padding_value`", padding_mode_names),
                    F::number("padding_value", 0, "what it holds"),
                    F::per_axis("dilation", axes, Index{1}, "from tap to tap"), groups, bias},
         .tensors = {{"weight", two ? "out_channels, in_channels / groups, kernel_size[0], kernel_size[1]"
                                    : "out_channels, in_channels / groups, kernel_size[0], kernel_size[1], kernel_size[2]", ""},
                     {"bias", "out_channels", "bias"}},
         .space = Space::used,
         .build = two ? build_space_conv<2> : build_space_conv<3>});
    registry.add(
        {.name = two ? "ConvTranspose2d" : "ConvTranspose3d",
         .torch = two ? "torch.nn.ConvTranspose2d" : "torch.nn.ConvTranspose3d",
         .group = "Layers over time and space",
         .summary = two ? "Transposed convolution over time and the width of frames: (B, C, T, W) in torch"
                        : "Transposed convolution over time, height and width of frames: (B, C, T, H, W) in torch",
         .formula = "an input at t reaches t stride - left + k dilation along each axis\n"
                    "positions   (n - 1) stride + f - left - right + output_padding    f = dilation (kernel_size - 1) + 1",
         .notes = "Options have a number for each axis, time first, or one for all; a `padding`, which takes positions away, may have "
                  "both sides of each. In time, `stride` is 1, `output_padding` 0, and `padding` less than f.",
         .fields = {in, out, F::per_axis("kernel_size", axes, required, "taps"),
                    F::per_axis("stride", axes, Index{1}, "positions out for each one in; together at most 4096"),
                    F::per_axis("padding", axes, Index{0}, "positions to leave out; [left, right, left, right] and so on for "
                                                           "different sides", 0),
                    F::per_axis("output_padding", axes, Index{0}, "positions more at the right end", 0),
                    F::per_axis("dilation", axes, Index{1}, "from tap to tap"), groups, bias},
         .tensors = {{"weight", two ? "in_channels, out_channels / groups, kernel_size[0], kernel_size[1]"
                                    : "in_channels, out_channels / groups, kernel_size[0], kernel_size[1], kernel_size[2]", ""},
                     {"bias", "out_channels", "bias"}},
         .space = Space::used,
         .build = two ? build_space_conv_transpose<2> : build_space_conv_transpose<3>});
  }
  registry.add({.name = "Input",
                .group = "Layers over time and space",
                .summary = "Which frames the network takes: in front of one whose frames have space",
                .formula = "y = x",
                .fields = {F::integer("channels", required, "channels of x"),
                           F::integer("width", 1, "columns of a frame: bins of a spectrum, or of a picture"),
                           F::integer("height", 1, "rows of a picture")},
                .build = build_input});
  registry.add({.name = "Reshape",
                .group = "Layers over time and space",
                .summary = "The numbers of each frame, in the order in which they lie, as a frame of another shape",
                .formula = "y[c,w,h,t] = x[c',w',h',t]    (h width + w) channels + c = (h' W + w') C + c' of frames (C, W, H)",
                .fields = {F::integer("channels", required, "channels of y"), F::integer("width", 1, "columns of a frame"),
                           F::integer("height", 1, "rows of a frame")},
                .build = build_reshape});
  add({.name = "ConvTranspose1d",
       .torch = "torch.nn.ConvTranspose1d",
       .summary = "Transposed convolution",
       .formula = "y[o,m] = bias[o] + sum over all i, t, k with t stride + k dilation - left = m of weight[i,o,k] x[i,t]\n"
                  "frames   (n - 1) stride + f - left - right + output_padding    f = dilation (kernel_size - 1) + 1",
       .notes =
           "`padding` takes frames away, `output_padding` adds some at the right end: fewer than the larger one of `stride` "
           "and `dilation`.",
       .fields = {in, out, taps, F::integer("stride", 1, "frames out for each one in"),
                  F::padding("padding", "frames to leave out at the ends"),
                  F::integer("output_padding", 0, "frames more at the right end", 0), dilation, groups, bias},
       .tensors = {{"weight", "in_channels, out_channels / groups, kernel_size", ""}, {"bias", "out_channels", "bias"}},
       .build = build_conv_transpose1d});
  add({.name = "Delay",
       .summary = "The signal, held back on purpose",
       .formula = "y[c,t] = x[c,t]    with x[c, t + frames] at hand",
       .notes = "Each frame comes out with the one that comes `frames` later, the last ones with the signal's end.",
       .fields = {F::integer("frames", required, "by how many", 0)},
       .build = build_delay});
  add({.name = "Pad",
       .torch = "torch.nn.ConstantPad1d, torch.nn.ReplicationPad1d, torch.nn.ReflectionPad1d",
       .summary = "Frames before the first one and after the last",
       .formula = "y[c,m] = x[c, m - left] within the signal; with \"reflect\" x[c, left - m] before it and\n"
                  "         x[c, 2 (n - 1) - (m - left)] behind it\n"
                  "frames   n + left + right, and as many more at the end as make them `offset` and a multiple of `multiple`",
       .notes = "A negative number takes frames away, but not with \"reflect\" or \"circular\". `value` is allowed with \"constant\" only. If nothing "
                "is left of the signal, nothing comes out, nor if it has no more frames than are to be mirrored at one end, `left` or "
                "`right + multiple - 1`.",
       .fields = {F::integer("left", 0, "frames before", -max_extent), F::integer("right", 0, "frames after", -max_extent),
                  F::text("mode", "constant",
                          "zeros, the nearest frame of those that are left, `value`, the signal in reverse, without its outermost "
                          "frame, or, inside a Windowed, what is at the other end",
                          pad_mode_names),
                  F::number("value", 0, "what they hold"), F::integer("multiple", 1, "more frames at the end, up to a multiple of it"),
                  F::integer("offset", 0, "what there is beyond a multiple", -(Index{1} << 30), Index{1} << 30)},
       .build = build_pad});
  registry.add({.name = "Linear",
                .torch = "torch.nn.Linear",
                .group = "Layers over channels",
                .summary = "A matrix",
                .formula = "y[o,t] = bias[o] + sum over i of weight[o,i] x[i,t]",
                .fields = {F::integer("in_features", required, "channels of x"),
                           F::integer("out_features", required, "channels of y"), bias},
                .tensors = {{"weight", "out_features, in_features", ""}, {"bias", "out_features", "bias"}},
                .build = build_linear});
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_CONVOLUTION_HPP
