#ifndef EIGENSTREAM_NETWORK_TYPES_RUNNING_HPP
#define EIGENSTREAM_NETWORK_TYPES_RUNNING_HPP

#include "eigenstream/layer/cumulative_norm.hpp"
#include "eigenstream/layer/exponential_average.hpp"
#include "eigenstream/layer/exponential_norm.hpp"
#include "eigenstream/layer/recursive_filter.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_exponential_average(ModuleReader& r, const FrameShape&) {
  r.integer("channels"), r.boolean("initial_state");
  return ExponentialAverage<float>(r.number_in_double("factor"), r.weight("initial"));
}
inline Built build_exponential_norm(ModuleReader& r, const FrameShape&) {
  r.integer("channels"), r.boolean("initial_state");
  return ExponentialNorm<float>({.factor = r.number_in_double("factor"),
                                 .center = r.boolean("center"),
                                 .scale = r.boolean("scale"),
                                 .eps = r.number_in_double("eps"),
                                 .mean = r.weight("initial_mean"),
                                 .variance = r.weight("initial_var")});
}
inline Built build_cumulative_norm(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("channels");
  r.boolean("affine");
  const Weights<float> weight = r.weight("weight"), bias = r.weight("bias");
  return CumulativeNorm<float>(channels, weight, bias, r.number_in_double("eps"));
}
inline Built build_recursive_filter(ModuleReader& r, const FrameShape&) {
  r.integer("sections"), r.integer("rows"), r.integer("taps");
  const Weights<float> b = r.weight("b"), a = r.weight("a");
  return RecursiveFilter<float>(b, a, {.clamp = r.boolean("clamp")});
}

/// Running statistics and filters with feedback: the types that model files may hold.
inline void add_running_types(Registry& registry) {
  using F = ModuleField;
  const auto add = [&](ModuleType type) {
    type.group = "Layers that remember";
    registry.add(std::move(type));
  };
  const F channels = F::integer("channels", required, "channels of x");
  const F factor = F::number("factor", required, "how much of what was stays with each frame", 0, 1);
  const F initial = F::boolean("initial_state", false, "whether tensors say what was before the signal");
  add({.name = "ExponentialAverage",
       .summary = "The running mean of what has been, which forgets exponentially",
       .formula = "y[c,t] = factor y[c,t-1] + (1 - factor) x[c,t],  y[c,-1] = initial[c] or 0",
       .fields = {channels, factor, initial},
       .tensors = {{"initial", "channels", "initial_state"}},
       .build = build_exponential_average});
  add({.name = "ExponentialNorm",
       .summary = "Without its running mean, and divided by its running deviation, which forget exponentially",
       .formula = "m[t] = m[t-1] + (1 - factor) (x[t] - m[t-1]),  v[t] = factor (v[t-1] + (1 - factor) (x[t] - m[t-1])^2)\n"
                  "y[t] = (x[t] - m[t]) / sqrt(v[t] + eps)",
       .notes = "Of each number of a frame by itself. Before the signal the mean is 0 and the variance 1, or as tensors say for "
                "each channel.",
       .fields = {channels, factor, F::boolean("center", true, "whether the mean is taken away"),
                  F::boolean("scale", true, "whether it is divided by the deviation"),
                  F::number("eps", 1e-5, "added to the variance", 0), initial},
       .tensors = {{"initial_mean", "channels", "initial_state"}, {"initial_var", "channels", "initial_state"}},
       .build = build_exponential_norm});
  add({.name = "CumulativeNorm",
       .summary = "Layer norm with the statistics of all frames so far (cLN)",
       .formula = "y[c,t] = (x[c,t] - mean[t]) / sqrt(var[t] + eps) * weight[c] + bias[c]",
       .notes = "`mean` and the population variance `var` are those of all numbers of frames 0 ... t.",
       .fields = {channels, F::number("eps", 1e-8, "added to the variance", 0),
                  F::boolean("affine", true, "whether there are `weight` and `bias`")},
       .tensors = {{"weight", "channels", "affine"}, {"bias", "channels", "affine"}},
       .build = build_cumulative_norm});
  add({.name = "RecursiveFilter",
       .torch = "torchaudio.functional.lfilter",
       .summary = "Linear filters with feedback, such as biquads, one behind the other",
       .formula = "y[c,t] = (sum over k of b[s,r,k] x[c,t-k] - sum over k > 0 of a[s,r,k] y[c,t-k]) / a[s,r,0]",
       .notes =
           "For sections s = 0, 1, ... in turn, each with what the one before gave; r is the channel, or 0 if there is one row.",
       .fields = {F::integer("sections", Index{1}, "filters one behind the other"),
                  F::integer("rows", Index{1}, "1: the same filter for all channels; else channels, each with its own"),
                  F::integer("taps", required, "numbers of `b` and of `a`; 3 for biquads"),
                  F::boolean("clamp", false, "whether what comes out is held within -1 and 1")},
       .tensors = {{"b", "sections, rows, taps", ""}, {"a", "sections, rows, taps", ""}},
       .build = build_recursive_filter});
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_RUNNING_HPP
