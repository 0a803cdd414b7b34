#ifndef EIGENSTREAM_NETWORK_TYPES_AUDIO_HPP
#define EIGENSTREAM_NETWORK_TYPES_AUDIO_HPP

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_resample(ModuleReader& r, const FrameShape&) {
  const Index source = r.integer("orig_freq"), target = r.integer("new_freq");
  ResampleOptions options;
  options.method = resample_method(r.text("resampling_method"));
  options.lowpass_filter_width = r.integer("lowpass_filter_width");
  options.rolloff = r.number_in_double("rolloff");
  options.beta = r.number_in_double("beta");
  options.low_delay = r.boolean("low_delay");
  return Resample<float>(source, target, options);
}

// torchaudio's names, old and new, and short ones.
inline constexpr std::string_view resample_methods[] = {"sinc_interp_hann", "sinc_interp_kaiser", "hann", "kaiser",
                                                        "sinc_interpolation", "kaiser_window"};

/// Resampling: the types that model files may hold.
inline void add_audio_types(Registry& registry) {
  using F = ModuleField;
  constexpr ResampleOptions usual;
  constexpr Index highest = Index{1} << 30;
  registry.add(
      {.name = "Resample",
       .torch = "torchaudio.transforms.Resample",
       .group = "Layers over time",
       .summary = "Another sample rate",
       .formula = "as torchaudio.functional.resample with these arguments\n"
                  "frames   ceil(n new_freq / orig_freq)",
       .fields = {F::integer("orig_freq", required, "the rate of what comes", 1, highest),
                  F::integer("new_freq", required, "the rate of what is given", 1, highest),
                  F::text("resampling_method", name_of(usual.method), "what the sinc is multiplied by", resample_methods),
                  F::integer("lowpass_filter_width", usual.lowpass_filter_width, "zero crossings of the sinc on either side"),
                  F::number("rolloff", usual.rolloff, "cutoff, of half the narrower rate; above 0", 0, 1),
                  F::number("beta", usual.beta, "of the Kaiser window", 0, 500),
                  F::boolean("low_delay", usual.low_delay,
                             "an output comes as soon as its last input, not with the others of its block")},
       .build = build_resample});
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_AUDIO_HPP
