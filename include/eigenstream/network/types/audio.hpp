#ifndef EIGENSTREAM_NETWORK_TYPES_AUDIO_HPP
#define EIGENSTREAM_NETWORK_TYPES_AUDIO_HPP

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_resample(ModuleReader& r, const FrameShape&) {
  constexpr Index highest = Index{1} << 30;
  const Index source = r.integer("orig_freq", {}, 1, highest), target = r.integer("new_freq", {}, 1, highest);
  ResampleOptions options;
  options.method = resample_method(r.text("resampling_method", name_of(options.method)));
  options.lowpass_filter_width = r.integer("lowpass_filter_width", options.lowpass_filter_width);
  options.rolloff = r.number_in_double("rolloff", options.rolloff);
  options.beta = r.number_in_double("beta", options.beta);
  options.low_delay = r.boolean("low_delay", options.low_delay);
  return Resample<float>(source, target, options);
}

/// Resampling: the types that model files may hold.
inline void add_audio_types(Registry& registry) {
  registry.add("Resample", build_resample);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_AUDIO_HPP
