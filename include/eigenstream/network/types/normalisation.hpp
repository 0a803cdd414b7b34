#ifndef EIGENSTREAM_NETWORK_TYPES_NORMALISATION_HPP
#define EIGENSTREAM_NETWORK_TYPES_NORMALISATION_HPP

#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/layer/norm.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_batch_norm1d(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("num_features");
  const float eps = r.number("eps", 1e-5);
  const bool affine = r.boolean("affine", true);
  const Weights<float> mean = r.weight("running_mean", {channels});
  const Weights<float> var = r.weight("running_var", {channels});
  return BatchNorm1d<float>(mean, var, r.weight_if(affine, "weight", {channels}),
                            r.weight_if(affine, "bias", {channels}), eps);
}

inline Built build_layer_norm(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("normalized_shape");
  const float eps = r.number("eps", 1e-5);
  const bool affine = r.boolean("elementwise_affine", true);
  return LayerNorm<float>(channels, r.weight_if(affine, "weight", {channels}),
                          r.weight_if(affine, "bias", {channels}), eps);
}

inline Built build_group_norm(ModuleReader& r, Index groups, Index channels, bool affine) {
  const double eps = r.number_in_double("eps", 1e-5);
  const Weights<float> weight = r.weight_if(affine, "weight", {channels});
  return GroupNorm<float>(groups, channels, weight, r.weight_if(affine, "bias", {channels}), eps);
}

/// Norms: the types that model files may hold.
inline void add_normalisation_types(Registry& registry) {
  registry.add("BatchNorm1d", build_batch_norm1d);
  registry.add("LayerNorm", build_layer_norm);
  registry.add("GroupNorm", [](ModuleReader& r, const FrameShape&) {
    const Index groups = r.integer("num_groups");
    return build_group_norm(r, groups, r.integer("num_channels"), r.boolean("affine", true));
  }, Space::needed);
  registry.add("InstanceNorm1d", [](ModuleReader& r, const FrameShape&) {
    const Index channels = r.integer("num_features");
    return build_group_norm(r, channels, channels, r.boolean("affine", false));
  }, Space::needed);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_NORMALISATION_HPP
