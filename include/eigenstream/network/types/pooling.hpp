#ifndef EIGENSTREAM_NETWORK_TYPES_POOLING_HPP
#define EIGENSTREAM_NETWORK_TYPES_POOLING_HPP

#include "eigenstream/layer/adaptive_pool.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_avg_pool1d(ModuleReader& r, const FrameShape&) {
  const Index taps = r.integer("kernel_size");
  AvgPool1dOptions options;
  options.stride = r.integer("stride");
  options.padding = r.integer("padding");
  options.ceil_mode = r.boolean("ceil_mode");
  options.count_include_pad = r.boolean("count_include_pad");
  return AvgPool1d<float>(taps, options);
}

inline Built build_max_pool1d(ModuleReader& r, const FrameShape&) {
  const Index taps = r.integer("kernel_size");
  MaxPool1dOptions options;
  options.stride = r.integer("stride");
  options.padding = r.integer("padding");
  options.dilation = r.integer("dilation");
  options.ceil_mode = r.boolean("ceil_mode");
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  return MaxPool1d<float>(taps, options);
}

template <class L>
Built build_adaptive_pool(ModuleReader& r, const FrameShape&) {
  return L(r.integer("output_size"));
}

template <int Axes>
Built build_space_avg_pool(ModuleReader& r, const FrameShape&) {
  SpaceAvgPoolOptions<Axes> options;
  options.stride = r.per_axis<Axes>("stride");
  options.padding = r.per_axis<Axes>("padding");
  options.ceil_mode = r.boolean("ceil_mode");
  options.count_include_pad = r.boolean("count_include_pad");
  options.divisor_override = std::max<Index>(0, r.integer("divisor_override"));
  return SpaceAvgPool<float, Axes>(r.per_axis<Axes>("kernel_size"), options);
}

template <int Axes>
Built build_space_max_pool(ModuleReader& r, const FrameShape&) {
  SpaceMaxPoolOptions<Axes> options;
  options.stride = r.per_axis<Axes>("stride");
  options.padding = r.per_axis<Axes>("padding");
  options.dilation = r.per_axis<Axes>("dilation");
  options.ceil_mode = r.boolean("ceil_mode");
  const PerAxis<Index, Axes> taps = r.per_axis<Axes>("kernel_size");
  for (int axis = 0; axis < Axes; ++axis)
    r.check((taps[axis] - 1) * options.dilation[axis] < max_reach, "its taps reach over more than ", max_reach, " positions");
  return SpaceMaxPool<float, Axes>(taps, options);
}

template <class Pool, int Axes>
Built build_space_adaptive_pool(ModuleReader& r, const FrameShape&) {
  const PerAxis<Index, Axes> size = r.per_axis<Axes>("output_size");
  r.check(size[0] == 1, "output_size begins with ", size[0], "; of a window of frames one comes out");
  PerAxis<Index, Axes - 1> space = size[1];
  space[Axes - 2] = size[Axes - 1];
  const Index window = r.integer("kernel_size");
  AdaptivePoolOptions options;
  options.stride = r.integer("stride");
  options.padding = r.integer("padding");
  options.dilation = r.integer("dilation");
  r.check((window - 1) * options.dilation < max_reach, "its window reaches over more than ", max_reach, " frames");
  return Pool(space, window, options);
}

/// Pools over time and the space of frames.
template <int Axes>
void add_space_pooling_types(Registry& registry) {
  using F = ModuleField;
  constexpr bool two = Axes == 2;
  const auto add = [&](ModuleType type) {
    type.group = "Layers over time and space";
    type.space = Space::used;
    registry.add(std::move(type));
  };
  constexpr std::string_view notes = "Options have a number for each axis, time first, or one for all; along each axis it is as "
                                     "with the pool over time.";
  const F taps = F::per_axis("kernel_size", Axes, required, "positions of a pool"),
          stride = F::per_axis("stride", Axes, "kernel_size", "from pool to pool"),
          padding = F::per_axis("padding", Axes, Index{0}, "at both ends; at most half of `kernel_size`", 0);
  const F ceil_mode = F::boolean("ceil_mode", false, "whether a pool may go beyond the end");
  add({.name = two ? "AvgPool2d" : "AvgPool3d",
       .torch = two ? "torch.nn.AvgPool2d" : "torch.nn.AvgPool3d",
       .summary = two ? "The mean over time and the width of frames: (B, C, T, W) in torch"
                      : "The mean over time, height and width of frames: (B, C, T, H, W) in torch",
       .notes = notes,
       .fields = {taps, stride, padding, ceil_mode, F::boolean("count_include_pad", true, "whether padding counts"),
                  F::integer("divisor_override", absent, "what sums are divided by, whatever counts")},
       .build = build_space_avg_pool<Axes>});
  add({.name = two ? "MaxPool2d" : "MaxPool3d",
       .torch = two ? "torch.nn.MaxPool2d" : "torch.nn.MaxPool3d",
       .summary = two ? "The maximum over time and the width of frames: (B, C, T, W) in torch"
                      : "The maximum over time, height and width of frames: (B, C, T, H, W) in torch",
       .notes = notes,
       .fields = {taps, stride, padding, F::per_axis("dilation", Axes, Index{1}, "from one of a pool to the next"), ceil_mode},
       .build = build_space_max_pool<Axes>});
  const std::vector<ModuleField> adaptive{
      F::per_axis("output_size", Axes, required, "parts of each axis, of time 1; 0: as many as there are", 0),
      F::integer("kernel_size", required, "frames of a window"), F::integer("stride", 1, "from window to window"),
      F::integer("padding", 0, "frames at both ends; at most half of `kernel_size`", 0),
      F::integer("dilation", 1, "frames from one of a window to the next")};
  constexpr std::string_view adaptive_notes = "torch pools a whole signal; here it is a window of frames. Part i of p positions of n "
                                              "reaches from floor(i n / p) to ceil((i + 1) n / p) - 1.";
  add({.name = two ? "AdaptiveAvgPool2d" : "AdaptiveAvgPool3d",
       .torch = two ? "torch.nn.AdaptiveAvgPool2d" : "torch.nn.AdaptiveAvgPool3d",
       .summary = two ? "The means of parts of the width of frames, and of a window of frames"
                      : "The means of parts of height and width of frames, and of a window of frames",
       .notes = adaptive_notes,
       .fields = adaptive,
       .build = build_space_adaptive_pool<SpaceAdaptivePool<float, Axes, AvgPool1d<float>>, Axes>});
  add({.name = two ? "AdaptiveMaxPool2d" : "AdaptiveMaxPool3d",
       .torch = two ? "torch.nn.AdaptiveMaxPool2d" : "torch.nn.AdaptiveMaxPool3d",
       .summary = two ? "The maxima of parts of the width of frames, and of a window of frames"
                      : "The maxima of parts of height and width of frames, and of a window of frames",
       .notes = adaptive_notes,
       .fields = adaptive,
       .build = build_space_adaptive_pool<SpaceAdaptivePool<float, Axes, MaxPool1d<float>>, Axes>});
}

/// Pools: the types that model files may hold.
inline void add_pooling_types(Registry& registry) {
  using F = ModuleField;
  const F taps = F::integer("kernel_size", required, "frames of a pool"),
          stride = F::integer("stride", "kernel_size", "from pool to pool");
  const F padding = F::integer("padding", 0, "at both ends; at most half of `kernel_size`", 0);
  const F ceil_mode = F::boolean("ceil_mode", false, "whether a pool may go beyond the end");
  constexpr std::string_view length =
      "output m pools the frames m stride - padding + k dilation that exist\n"
      "frames   L = floor((n + 2 padding - f) / stride) + 1    f = dilation (kernel_size - 1) + 1\n"
      "         with ceil_mode L = ceil((n + 2 padding - f) / stride) + 1, one less if (L - 1) stride >= n + padding";
  registry.add({.name = "AvgPool1d",
                .torch = "torch.nn.AvgPool1d",
                .group = "Layers over time",
                .summary = "The mean of frames",
                .formula = length,
                .notes =
                    "Their sum is divided by how many they are or, with `count_include_pad`, by the number of positions within "
                    "signal and padding: `min(kernel_size, n + 2 padding - m stride)`. Its dilation is 1.",
                .fields = {taps, stride, padding, ceil_mode, F::boolean("count_include_pad", true, "whether padding counts")},
                .build = build_avg_pool1d});
  registry.add(
      {.name = "MaxPool1d",
       .torch = "torch.nn.MaxPool1d",
       .group = "Layers over time",
       .summary = "The maximum of frames",
       .formula = length,
       .fields = {taps, stride, padding, F::integer("dilation", 1, "frames from one of a pool to the next"), ceil_mode},
       .build = build_max_pool1d});
  const F size = F::integer("output_size", required, "`p`, the frames that come out");
  registry.add({.name = "AdaptiveAvgPool1d",
                .torch = "torch.nn.AdaptiveAvgPool1d",
                .group = "Layers over windows",
                .summary = "The means of p parts of a window: (C, n) to (C, p)",
                .formula = "y[c,i] = mean of the frames floor(i n / p) to ceil((i + 1) n / p) - 1",
                .fields = {size},
                .space = Space::needed,
                .build = build_adaptive_pool<AdaptiveAvgPool1d<float>>});
  registry.add({.name = "AdaptiveMaxPool1d",
                .torch = "torch.nn.AdaptiveMaxPool1d",
                .group = "Layers over windows",
                .summary = "The maxima of p parts of a window: (C, n) to (C, p)",
                .formula = "y[c,i] = maximum of the frames floor(i n / p) to ceil((i + 1) n / p) - 1",
                .fields = {size},
                .space = Space::needed,
                .build = build_adaptive_pool<AdaptiveMaxPool1d<float>>});
  add_space_pooling_types<2>(registry);
  add_space_pooling_types<3>(registry);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_POOLING_HPP
