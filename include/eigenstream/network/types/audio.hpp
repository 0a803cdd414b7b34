#ifndef EIGENSTREAM_NETWORK_TYPES_AUDIO_HPP
#define EIGENSTREAM_NETWORK_TYPES_AUDIO_HPP

#include <algorithm>  // find

#include "eigenstream/audio/fbank.hpp"
#include "eigenstream/audio/istft.hpp"
#include "eigenstream/audio/mel.hpp"
#include "eigenstream/audio/resample.hpp"
#include "eigenstream/audio/spectrogram.hpp"
#include "eigenstream/audio/stft.hpp"
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

// Which of these texts a field holds.
template <class Choice>
Choice chosen(ModuleReader& r, const char* name, std::span<const std::string_view> choices) {
  return static_cast<Choice>(std::find(choices.begin(), choices.end(), r.text(name)) - choices.begin());
}

// The window that a module names, or its tensor.
inline std::vector<double> window_of(ModuleReader& r, Index length) {
  const auto function = chosen<WindowFunction>(r, "window", window_function_names);
  const bool periodic = r.boolean("periodic_window");
  const bool custom = r.boolean("custom_window");
  const Weights<float> own = r.weight("window");
  if (custom) return {own.values.begin(), own.values.end()};
  return window_values(function, length, periodic);
}
inline StftOptions stft_options(ModuleReader& r) {
  StftOptions options;
  options.hop_length = r.integer("hop_length");
  options.window = window_of(r, r.integer("win_length"));
  options.center = r.boolean("center");
  options.pad_mode = chosen<SignalPadding>(r, "pad_mode", signal_padding_names);
  options.scale = chosen<SpectrumScale>(r, "scale", spectrum_scale_names);
  return options;
}
inline MelOptions mel_options(ModuleReader& r) {
  MelOptions options;
  options.n_mels = r.integer("n_mels");
  options.sample_rate = r.number_in_double("sample_rate");
  options.f_min = r.number_in_double("f_min");
  options.f_max = r.number_in_double("f_max");
  options.norm = chosen<MelNorm>(r, "norm", mel_norm_names);
  options.scale = chosen<MelScale>(r, "mel_scale", std::span(mel_scale_names).first(2));
  return options;
}

inline Built build_stft(ModuleReader& r, const FrameShape&) { return Stft<float>(r.integer("n_fft"), stft_options(r)); }
inline Built build_istft(ModuleReader& r, const FrameShape&) {
  const Index n_fft = r.integer("n_fft");
  const StftOptions same = stft_options(r);
  return Istft<float>(n_fft, {.hop_length = same.hop_length,
                              .window = same.window,
                              .center = same.center,
                              .right = r.integer("right"),
                              .scale = same.scale});
}
inline Built build_spectrogram(ModuleReader& r, const FrameShape&) {
  const Index n_fft = r.integer("n_fft");
  const StftOptions options = stft_options(r);
  return Spectrogram<float>(n_fft, options, static_cast<SpectrumPower>(r.integer("power")));
}
inline Built build_mel_spectrogram(ModuleReader& r, const FrameShape&) {
  const Index n_fft = r.integer("n_fft");
  const StftOptions options = stft_options(r);
  const MelOptions mel = mel_options(r);
  return MelSpectrogram<float>(n_fft, options, mel, static_cast<SpectrumPower>(r.integer("power")));
}
inline Built build_mfcc(ModuleReader& r, const FrameShape&) {
  const Index n_fft = r.integer("n_fft");
  const StftOptions options = stft_options(r);
  const MelOptions mel = mel_options(r);
  MfccOptions mfcc;
  mfcc.n_mfcc = r.integer("n_mfcc");
  mfcc.ortho = r.boolean("ortho");
  mfcc.log_mels = r.boolean("log_mels");
  return Mfcc<float>(n_fft, options, mel, mfcc);
}
// Those of Kaldi's windows that there are.
inline constexpr std::string_view kaldi_windows[] = {"povey", "hanning", "hamming", "rectangular", "blackman"};
inline Built build_fbank(ModuleReader& r, const FrameShape&) {
  constexpr WindowFunction functions[] = {WindowFunction::povey, WindowFunction::hann, WindowFunction::hamming,
                                          WindowFunction::rectangular, WindowFunction::blackman};
  FbankOptions options;
  options.sample_frequency = r.number_in_double("sample_frequency");
  options.frame_length_ms = r.number_in_double("frame_length");
  options.frame_shift_ms = r.number_in_double("frame_shift");
  options.num_mel_bins = r.integer("num_mel_bins");
  options.low_freq = r.number_in_double("low_freq");
  options.high_freq = r.number_in_double("high_freq");
  options.preemphasis_coefficient = r.number_in_double("preemphasis_coefficient");
  options.window_type = functions[chosen<Index>(r, "window_type", kaldi_windows)];
  options.remove_dc_offset = r.boolean("remove_dc_offset");
  options.round_to_power_of_two = r.boolean("round_to_power_of_two");
  options.use_power = r.boolean("use_power");
  options.use_log_fbank = r.boolean("use_log_fbank");
  options.use_energy = r.boolean("use_energy");
  options.raw_energy = r.boolean("raw_energy");
  options.htk_compat = r.boolean("htk_compat");
  options.energy_floor = r.number_in_double("energy_floor");
  return Fbank<float>(options);
}

// torchaudio's names, old and new, and short ones.
inline constexpr std::string_view resample_methods[] = {"sinc_interp_hann", "sinc_interp_kaiser", "hann",
                                                        "kaiser",           "sinc_interpolation", "kaiser_window"};

/// Spectra and features.
inline void add_spectral_types(Registry& registry) {
  using F = ModuleField;
  const auto add = [&](ModuleType type) {
    type.group = "Spectra";
    registry.add(std::move(type));
  };
  constexpr Index highest = Index{1} << 18;
  const auto framing = [&](std::initializer_list<ModuleField> others) {
    std::vector<ModuleField> fields = {
        F::integer("n_fft", required, "samples of a window, and of its transform", 1, highest),
        F::integer("hop_length", required, "from window to window", 1, highest),
        F::integer("win_length", "n_fft", "samples of a window that count, in the middle of `n_fft`", 1, highest),
        F::text("window", window_function_names[1], "what they are multiplied by", window_function_names),
        F::boolean("periodic_window", true, "whether it is the first part of one that has a sample more"),
        F::boolean("custom_window", false, "whether it is the tensor `window` instead"),
        F::boolean("center", true, "whether window j lies around sample `j hop_length`: `left` = floor(n_fft / 2), else 0"),
        F::text("pad_mode", signal_padding_names[1], "what is before the signal and behind it, if `center`", signal_padding_names),
        F::text("scale", spectrum_scale_names[0], "divides by the root of `n_fft`, or of the sum of the window's squares",
                spectrum_scale_names)};
    fields.insert(fields.end(), others);
    return fields;
  };
  const std::vector<ModuleTensor> window = {{"window", "win_length", "custom_window"}};
  const F power = F::integer("power", Index{2}, "1: magnitudes, 2: their squares", 1, 2);
  const auto mel = [&](std::initializer_list<ModuleField> others) {
    std::vector<ModuleField> fields = framing({});
    fields.insert(fields.end(),
                  {F::number("sample_rate", Index{16000}, "of the signal, in Hz", 1, 1e9),
                   F::integer("n_mels", Index{128}, "filters", 1, 4096), F::number("f_min", Index{0}, "where they begin, in Hz", 0),
                   F::number("f_max", Index{0}, "where they end, in Hz; 0: half of `sample_rate`", 0),
                   F::text("norm", mel_norm_names[0], "whether each is divided by half its width", mel_norm_names),
                   F::text("mel_scale", mel_scale_names[0], "of frequencies", std::span(mel_scale_names).first(2))});
    fields.insert(fields.end(), others);
    return fields;
  };
  add({.name = "Stft",
       .torch = "torch.stft",
       .summary = "Complex spectra of overlapping windows",
       .formula =
           "y[2c,k,j] + i y[2c + 1,k,j] = scale sum over p of window[p] x[c, j hop_length + p - left] e^(-2 pi i k p / n_fft)\n"
           "frames   floor((n + 2 left - n_fft) / hop_length) + 1",
       .notes =
           "A spectrum is a frame with a column for each bin, 0 to n_fft / 2, and the real and the imaginary part of each channel. "
           "With \"reflect\", a signal of `left` samples or fewer gives nothing.",
       .fields = framing({}),
       .tensors = window,
       .build = build_stft});
  add({.name = "Istft",
       .torch = "torch.istft",
       .summary = "The signal of complex spectra",
       .formula = "y[c,m] = sum over j of window[p] X[c,p,j] / sum over j of window[p]^2,  p = m + left - j hop_length\n"
                  "frames   (n - 1) hop_length + n_fft - left - right",
       .notes =
           "X are the inverse transforms of the spectra, as an Stft of the same fields gives them. `pad_mode` changes nothing.",
       .fields =
           framing({F::integer("right", Index{-1}, "samples to leave out at the end; -1: as many as at the start", -1, highest)}),
       .tensors = window,
       .space = Space::used,
       .build = build_istft});
  add({.name = "Spectrogram",
       .torch = "torchaudio.transforms.Spectrogram",
       .summary = "Magnitudes of overlapping windows' spectra, or their squares",
       .formula = "y[c,k,j] = |X[c,k,j]|^power with X of an Stft of the same fields\nframes   floor((n + 2 left - n_fft) / "
                  "hop_length) + 1",
       .fields = framing({power}),
       .tensors = window,
       .build = build_spectrogram});
  add({.name = "MelSpectrogram",
       .torch = "torchaudio.transforms.MelSpectrogram",
       .summary = "Spectra on the mel scale",
       .formula = "y[c,m,j] = sum over k of filter[m,k] |X[c,k,j]|^power with X of an Stft of the same fields\n"
                  "frames   floor((n + 2 left - n_fft) / hop_length) + 1",
       .fields = mel({power}),
       .tensors = window,
       .build = build_mel_spectrogram});
  add({.name = "MFCC",
       .torch = "torchaudio.transforms.MFCC",
       .summary = "The cosine transform of a mel spectrum's logarithms",
       .formula = "y[c,i,j] = sum over m of dct[i,m] 10 log10(max(mel[c,m,j], 1e-10))\n"
                  "frames   floor((n + 2 left - n_fft) / hop_length) + 1",
       .notes = "Without torchaudio's `top_db`, which is of the whole signal.",
       .fields = mel({F::integer("n_mfcc", Index{40}, "coefficients; at most `n_mels`", 1, 4096),
                      F::boolean("ortho", true, "whether the cosine transform is orthonormal"),
                      F::boolean("log_mels", false, "ln(mel + 1e-6) instead of decibels")}),
       .tensors = window,
       .build = build_mfcc});
  constexpr FbankOptions usual;
  add({.name = "Fbank",
       .torch = "torchaudio.compliance.kaldi.fbank",
       .summary = "Logarithms of mel spectra, as Kaldi computes them",
       .formula = "as torchaudio.compliance.kaldi.fbank with these arguments, dither 0 and snip_edges\n"
                  "frames   floor((n - N) / S) + 1, N and S the samples of `frame_length` and `frame_shift`",
       .fields = {F::number("sample_frequency", usual.sample_frequency, "of the signal, in Hz", 1, 1e9),
                  F::number("frame_length", usual.frame_length_ms, "of a window, in ms", 0, 1e6),
                  F::number("frame_shift", usual.frame_shift_ms, "from window to window, in ms", 0, 1e6),
                  F::integer("num_mel_bins", usual.num_mel_bins, "filters", 1, 4096),
                  F::number("low_freq", usual.low_freq, "where they begin, in Hz", 0),
                  F::number("high_freq", usual.high_freq, "where they end, in Hz; 0 or less: so much from half the rate"),
                  F::number("preemphasis_coefficient", usual.preemphasis_coefficient, "how much of the sample before is taken away",
                            0, 1),
                  F::text("window_type", kaldi_windows[0], "what is multiplied by", kaldi_windows),
                  F::boolean("remove_dc_offset", usual.remove_dc_offset, "whether a window's mean is taken away"),
                  F::boolean("round_to_power_of_two", usual.round_to_power_of_two, "of the transform's length"),
                  F::boolean("use_power", usual.use_power, "whether magnitudes are squared"),
                  F::boolean("use_log_fbank", usual.use_log_fbank, "whether logarithms are taken"),
                  F::boolean("use_energy", usual.use_energy, "whether the logarithm of a window's energy is there, too"),
                  F::boolean("raw_energy", usual.raw_energy, "before pre-emphasis and window"),
                  F::boolean("htk_compat", usual.htk_compat, "whether the energy comes last, not first"),
                  F::number("energy_floor", usual.energy_floor, "least energy; 0: none", 0)},
       .build = build_fbank});
}

/// Resampling and spectra: the types that model files may hold.
inline void add_audio_types(Registry& registry) {
  add_spectral_types(registry);
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
