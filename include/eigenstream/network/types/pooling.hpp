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
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_POOLING_HPP
