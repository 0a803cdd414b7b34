#ifndef EIGENSTREAM_NETWORK_TYPES_NORMALISATION_HPP
#define EIGENSTREAM_NETWORK_TYPES_NORMALISATION_HPP

#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/layer/norm.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_batch_norm1d(ModuleReader& r, const FrameShape&) {
  const float eps = r.number("eps");
  const Weights<float> mean = r.weight("running_mean"), var = r.weight("running_var"), weight = r.weight("weight");
  return BatchNorm1d<float>(mean, var, weight, r.weight("bias"), eps);
}

inline Built build_layer_norm(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("normalized_shape");
  const float eps = r.number("eps");
  const Weights<float> weight = r.weight("weight");
  return LayerNorm<float>(channels, weight, r.weight("bias"), eps);
}

inline Built read_group_norm(ModuleReader& r, Index groups, Index channels) {
  const double eps = r.number_in_double("eps");
  const Weights<float> weight = r.weight("weight");
  return GroupNorm<float>(groups, channels, weight, r.weight("bias"), eps);
}
inline Built build_group_norm(ModuleReader& r, const FrameShape&) {
  const Index groups = r.integer("num_groups");
  return read_group_norm(r, groups, r.integer("num_channels"));
}
inline Built build_instance_norm1d(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("num_features");
  return read_group_norm(r, channels, channels);
}

inline Built build_space_norm(ModuleReader& r, const FrameShape&) {
  const FrameShape shape{r.integer("channels"), r.integer("width"), r.integer("height"), 1};
  const bool over_channels = r.boolean("over_channels");
  const double eps = r.number_in_double("eps");
  r.check(static_cast<double>(shape.channels) * static_cast<double>(shape.width) * static_cast<double>(shape.height) <=
              static_cast<double>(max_window), "frames of ", shape, " have more than ", max_window, " numbers");
  const Weights<float> weight = r.weight("weight");
  return SpaceNorm<float>(shape, over_channels, weight, r.weight("bias"), eps);
}

/// Norms: the types that model files may hold.
inline void add_normalisation_types(Registry& registry) {
  using F = ModuleField;
  const F eps = F::number("eps", 1e-5, "added to the variance", 0), features = F::integer("num_features", required, "channels");
  const auto affine = [](bool usual) { return F::boolean("affine", usual, "whether there are `weight` and `bias`"); };
  struct BatchNorm {
    const char *name, *torch, *summary;
  };
  for (const auto& [name, torch, summary] :
       {BatchNorm{"BatchNorm1d", "torch.nn.BatchNorm1d", "Batch norm with running statistics"},
        BatchNorm{"BatchNorm2d", "torch.nn.BatchNorm2d", "Batch norm with running statistics, of frames with a width"},
        BatchNorm{"BatchNorm3d", "torch.nn.BatchNorm3d", "Batch norm with running statistics, of frames with a width and height"}})
    registry.add({.name = name,
                  .torch = torch,
                  .group = "Layers over channels",
                  .summary = summary,
                  .formula = "y[c,t] = (x[c,t] - running_mean[c]) / sqrt(running_var[c] + eps) * weight[c] + bias[c]",
                  .notes = "`running_var + eps` is positive.",
                  .fields = {features, F::number("eps", 1e-5, "added to the variance"), affine(true)},
                  .tensors = {{"weight", "num_features", "affine"},
                              {"bias", "num_features", "affine"},
                              {"running_mean", "num_features", ""},
                              {"running_var", "num_features", ""}},
                  .build = build_batch_norm1d});
  registry.add(
      {.name = "LayerNorm",
       .torch = "torch.nn.LayerNorm",
       .group = "Layers over channels",
       .summary = "Layer norm over the channels of each frame",
       .formula = "y[c,t] = (x[c,t] - mean[t]) / sqrt(var[t] + eps) * weight[c] + bias[c]",
       .notes = "`var` is the population variance.",
       .fields = {F::integer("normalized_shape", required, "channels"), eps,
                  F::boolean("elementwise_affine", true, "whether there are `weight` and `bias`")},
       .tensors = {{"weight", "normalized_shape", "elementwise_affine"}, {"bias", "normalized_shape", "elementwise_affine"}},
       .build = build_layer_norm});
  registry.add({.name = "SpaceNorm",
                .torch = "torch.nn.LayerNorm",
                .group = "Layers over time and space",
                .summary = "Layer norm over the space of each frame",
                .formula = "y[c,w,h,t] = (x[c,w,h,t] - mean) / sqrt(var + eps) * weight[c,h,w] + bias[c,h,w]",
                .notes = "`mean` and the population variance `var` are those of a channel's numbers in a frame or, with "
                         "`over_channels`, of all of the frame's. torch's weight for (W) or (H, W) is the same for each channel.",
                .fields = {F::integer("channels", required, "channels of x"), F::integer("width", required, "columns of a frame"),
                           F::integer("height", 1, "rows of a frame"),
                           F::boolean("over_channels", false, "whether all channels have one mean and variance"), eps,
                           F::boolean("elementwise_affine", true, "whether there are `weight` and `bias`")},
                .tensors = {{"weight", "channels, height, width", "elementwise_affine"},
                            {"bias", "channels, height, width", "elementwise_affine"}},
                .space = Space::used,
                .build = build_space_norm});
  registry.add({.name = "GroupNorm",
                .torch = "torch.nn.GroupNorm",
                .group = "Layers over windows",
                .summary = "Group norm over the channels of a group and all frames of a window",
                .formula = "y[c,t] = (x[c,t] - mean) / sqrt(var + eps) * weight[c] + bias[c]",
                .notes = "`mean` and the population variance `var` are those of the group.",
                .fields = {F::integer("num_groups", required, "groups; `num_channels` is a multiple of it"),
                           F::integer("num_channels", required, "channels"), eps, affine(true)},
                .tensors = {{"weight", "num_channels", "affine"}, {"bias", "num_channels", "affine"}},
                .space = Space::needed,
                .build = build_group_norm});
  registry.add({.name = "InstanceNorm1d",
                .torch = "torch.nn.InstanceNorm1d",
                .group = "Layers over windows",
                .summary = "GroupNorm with a group for each channel",
                .fields = {features, eps, affine(false)},
                .tensors = {{"weight", "num_features", "affine"}, {"bias", "num_features", "affine"}},
                .space = Space::needed,
                .build = build_instance_norm1d});
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_NORMALISATION_HPP
