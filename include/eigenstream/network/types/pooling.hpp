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
  options.stride = r.integer("stride", taps);
  options.padding = r.integer("padding", 0, 0);
  options.ceil_mode = r.boolean("ceil_mode", false);
  options.count_include_pad = r.boolean("count_include_pad", true);
  return AvgPool1d<float>(taps, options);
}

inline Built build_max_pool1d(ModuleReader& r, const FrameShape&) {
  const Index taps = r.integer("kernel_size");
  MaxPool1dOptions options;
  options.stride = r.integer("stride", taps);
  options.padding = r.integer("padding", 0, 0);
  options.dilation = r.integer("dilation", 1);
  options.ceil_mode = r.boolean("ceil_mode", false);
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  return MaxPool1d<float>(taps, options);
}

/// Pools: the types that model files may hold.
inline void add_pooling_types(Registry& registry) {
  registry.add("AvgPool1d", build_avg_pool1d);
  registry.add("MaxPool1d", build_max_pool1d);
  registry.add("AdaptiveAvgPool1d", [](ModuleReader& r, const FrameShape&) {
    return Built(AdaptiveAvgPool1d<float>(r.integer("output_size")));
  }, Space::needed);
  registry.add("AdaptiveMaxPool1d", [](ModuleReader& r, const FrameShape&) {
    return Built(AdaptiveMaxPool1d<float>(r.integer("output_size")));
  }, Space::needed);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_POOLING_HPP
