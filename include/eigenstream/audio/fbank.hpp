#ifndef EIGENSTREAM_AUDIO_FBANK_HPP
#define EIGENSTREAM_AUDIO_FBANK_HPP

#include <algorithm>  // fill_n, max
#include <cmath>      // log
#include <limits>     // epsilon

#include "eigenstream/audio/frame_cutter.hpp"
#include "eigenstream/audio/mel_filters.hpp"
#include "eigenstream/audio/spectrogram.hpp"
#include "eigenstream/audio/stft.hpp"
#include "eigenstream/audio/window_function.hpp"
#include "eigenstream/kernel/fft.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// As torchaudio.compliance.kaldi.fbank has them. What it has beside these a stream cannot do or need not: dither adds noise (0 there),
/// snip_edges=false mirrors both ends, subtract_mean is of the whole signal.
struct FbankOptions {
  double sample_frequency = 16000;  ///< in Hz
  double frame_length_ms = 25, frame_shift_ms = 10;
  Index num_mel_bins = 23;
  double low_freq = 20;  ///< where the filters begin, in Hz
  double high_freq = 0;  ///< where they end; 0 or less: so much from half the sample frequency
  double preemphasis_coefficient = 0.97;
  WindowFunction window_type = WindowFunction::povey;  ///< symmetric
  bool remove_dc_offset = true;
  bool round_to_power_of_two = true;  ///< the transform's length
  bool use_power = true;              ///< else magnitudes
  bool use_log_fbank = true;          ///< the logarithm, of at least the smallest step of a float
  bool use_energy = false;            ///< the logarithm of a window's energy in front of its filters
  bool raw_energy = true;             ///< before pre-emphasis and window
  bool htk_compat = false;            ///< the energy comes last
  double energy_floor = 1;            ///< least energy; 0: none
};

/// Filter-bank features as speech recognisers have them from Kaldi: of each window the mean is taken away, then a sample's
/// predecessor times a coefficient, then it is weighted, transformed and summed up on the mel scale.
/// Shapes   x (C,T) or (C,B,T) -> y (C, num_mel_bins, T') or (C, num_mel_bins, B, T'), one more with use_energy. With windows of
///          N = sample_frequency * frame_length_ms / 1000 samples (rounded down) every S: T' = floor((T - N) / S) + 1
/// Timing   receptive field N, delay N - 1, rate 1/S; nothing is padded (snip_edges)
/// Errors   constructor: Error on any impossible option, naming it. steps/flush: noexcept, no allocation
/// Source   torchaudio.compliance.kaldi.fbank(dither=0, snip_edges=True); Kaldi's feature-window.cc, mel-computations.cc
template <class T>
class Fbank {
 public:
  using Scalar = T;
  static constexpr Space space_of_type = Space::made;

  explicit Fbank(const FbankOptions& options = {})
      : options_(options),
        cutter_("Fbank", samples(options, options.frame_length_ms, "frame_length_ms"),
                samples(options, options.frame_shift_ms, "frame_shift_ms"), 0, 0, SignalPadding::zeros) {
    check(options.preemphasis_coefficient >= 0 && options.preemphasis_coefficient <= 1,
          "Fbank: preemphasis_coefficient = ", options.preemphasis_coefficient, ", must be from 0 to 1");
    check(options.num_mel_bins >= 1 && options.num_mel_bins <= 4096, "Fbank: num_mel_bins = ", options.num_mel_bins,
          ", must be from 1 to 4096");
    check(options.energy_floor >= 0 && options.energy_floor < 1e30, "Fbank: energy_floor = ", options.energy_floor,
          ", must be 0 or above");
    Index n_fft = cutter_.size();
    if (options.round_to_power_of_two)
      for (n_fft = 1; n_fft < cutter_.size();) n_fft *= 2;
    check(n_fft >= 2 && n_fft % 2 == 0, "Fbank: windows of ", cutter_.size(), " samples; the transform must have an even length");
    fft_ = kernel::RealFft<T>(n_fft);
    const MelOptions mel{.n_mels = options.num_mel_bins,
                         .sample_rate = options.sample_frequency,
                         .f_min = options.low_freq,
                         .f_max = options.high_freq,
                         .scale = MelScale::kaldi};
    filters_ = detail::BandMatrix<T>(mel.n_mels, fft_.bins(), mel_weights("Fbank", n_fft, mel));
    for (const double value : window_values(options.window_type, cutter_.size(), false)) window_.push_back(static_cast<T>(value));
    fingerprint_ = Fingerprint("Fbank").add(options.preemphasis_coefficient).add(options.energy_floor).add(n_fft);
    for (const bool flag : {options.remove_dc_offset, options.use_power, options.use_log_fbank, options.use_energy,
                            options.raw_energy, options.htk_compat})
      fingerprint_.add(flag);
    cutter_.add_to(fingerprint_), filters_.add_to(fingerprint_);
    fingerprint_.add(std::span<const T>(window_));
  }

  const FbankOptions& options() const noexcept { return options_; }
  FrameShape wanted() const noexcept { return {0, 1, 1, 0}; }
  Facts facts(const FrameShape& in) const {
    check(!in.has_space(), "Fbank: takes a plain signal, not frames with space (", in.text(), ")");
    return {.out = {in.channels, features(), 1, in.batch},
            .state_bytes = cutter_.state_bytes(in),
            .scratch_bytes = (3 * buffer() + fft_.scratch()) * static_cast<Index>(sizeof(T)),
            .macs = static_cast<double>(in.size()) * (detail::transform_macs(fft_.size()) + static_cast<double>(filters_.weights())) /
                    static_cast<double>(cutter_.hop())};
  }
  Timing timing() const { return cutter_.timing(); }
  Index max_outputs(Index n) const noexcept { return cutter_.max_windows(n); }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  void reset(StateRef state) const noexcept { cutter_.reset(state); }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    return cutter_.advance(state, x, [&](const T* window, Index number) {
      for (Index b = 0; b < x.batch; ++b)
        for (Index c = 0; c < x.channels; ++c)
          analyse(state, window + b * x.channels + c, x.size(), y.frame(number) + b * features() * x.channels + c, x.channels);
    });
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const { cutter_.exchange(state, codec); }
  T* input_room(StateRef state, Index n) const noexcept { return cutter_.input_room(state, n); }
  static constexpr bool in_place() noexcept { return false; }

 private:
  // So many milliseconds, in whole samples.
  static Index samples(const FbankOptions& options, double milliseconds, const char* name) {
    const double count = options.sample_frequency * milliseconds * 0.001;
    check(options.sample_frequency > 0 && count >= 1 && count <= 4194304.0, "Fbank: ", name, " = ", milliseconds,
          " at a sample_frequency of ", options.sample_frequency, " Hz is not from 1 to 2^22 samples");
    return static_cast<Index>(count);
  }
  Index features() const noexcept { return filters_.rows() + (options_.use_energy ? 1 : 0); }
  Index buffer() const noexcept { return (fft_.size() + 15) / 16 * 16; }

  // One window, of samples that lie `step` apart, to features that lie `to_step` apart.
  void analyse(StateRef state, const T* x, Index step, T* y, Index to_step) const noexcept {
    const Index n = cutter_.size();
    T* const cut = reinterpret_cast<T*>(state.scratch);
    T *const re = cut + buffer(), *const im = re + buffer();
    for (Index j = 0; j < n; ++j) cut[j] = x[j * step];
    if (options_.remove_dc_offset) {
      const T mean = kernel::column_sum(cut, n, [](auto v) { return v; }) / static_cast<T>(n);
      kernel::map_pointwise(cut, cut, n, [&](auto v) { return v - decltype(v)::broadcast(mean); });
    }
    const auto energy = [&] {
      const T floor = static_cast<T>(options_.energy_floor), least = std::numeric_limits<float>::epsilon();
      const T sum = std::max(kernel::dot(cut, cut, n), least);
      return std::log(floor > T(0) ? std::max(sum, floor) : sum);
    };
    T log_energy = options_.use_energy && options_.raw_energy ? energy() : T(0);
    if (options_.preemphasis_coefficient != 0) {
      const T factor = static_cast<T>(options_.preemphasis_coefficient);
      for (Index j = n - 1; j > 0; --j) cut[j] -= factor * cut[j - 1];
      cut[0] -= factor * cut[0];
    }
    kernel::multiply_pointwise(cut, window_.data(), cut, n);
    if (options_.use_energy && !options_.raw_energy) log_energy = energy();
    std::fill_n(cut + n, fft_.size() - n, T(0));
    fft_.forward(cut, re, im, im + buffer());
    detail::take_power(options_.use_power ? SpectrumPower::power : SpectrumPower::magnitude, re, im, re, fft_.bins());
    const bool first = options_.use_energy && !options_.htk_compat;
    filters_(re, first ? y + to_step : y, to_step, [&](T sum) {
      return options_.use_log_fbank ? std::log(std::max(sum, static_cast<T>(std::numeric_limits<float>::epsilon()))) : sum;
    });
    if (options_.use_energy) y[first ? 0 : filters_.rows() * to_step] = log_energy;
  }

  FbankOptions options_;
  detail::FrameCutter<T> cutter_;
  kernel::RealFft<T> fft_;
  detail::BandMatrix<T> filters_;
  kernel::AlignedVector<T> window_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Fbank<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_FBANK_HPP
