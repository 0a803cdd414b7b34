#ifndef EIGENSTREAM_AUDIO_SPECTROGRAM_HPP
#define EIGENSTREAM_AUDIO_SPECTROGRAM_HPP

#include "eigenstream/audio/stft.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What of a complex number a spectrogram has: its absolute value, or the square of that.
enum class SpectrumPower { magnitude = 1, power = 2 };

namespace detail {

/// y[k] = |re[k] + i im[k]|, or its square, for n numbers; y may be re.
template <class T>
void take_power(SpectrumPower power, const T* re, const T* im, T* y, Index n) noexcept {
  if (power == SpectrumPower::power)
    kernel::map_two(re, im, y, n, [](auto a, auto b) { return multiply_add(a, a, b * b); });
  else
    kernel::map_two(re, im, y, n, [](auto a, auto b) { return sqrt(multiply_add(a, a, b * b)); });
}
inline void check_power(const char* who, SpectrumPower power) {
  check(power == SpectrumPower::magnitude || power == SpectrumPower::power, who, ": power = ", static_cast<int>(power),
        ", must be 1 or 2 (an Stft gives complex spectra)");
}

}  // namespace detail

/// Magnitude or power spectra of overlapping windows.
///   y[c, k, j] = |X[c, k, j]|^power with X as of Stft
/// Shapes   x (C,T) or (C,B,T) -> y (C, bins, T') or (C, bins, B, T'), bins = n_fft / 2 + 1; T' as of Stft
/// Timing   as Stft
/// Errors   constructor: Error on any impossible size, naming it. steps/flush: noexcept, no allocation
/// Source   torchaudio.transforms.Spectrogram
template <class T>
class Spectrogram : public detail::SpectralFrames<T> {
  using Base = detail::SpectralFrames<T>;

 public:
  explicit Spectrogram(Index n_fft, const StftOptions& options = {}, SpectrumPower power = SpectrumPower::power)
      : Base("Spectrogram", n_fft, options), power_(power) {
    detail::check_power("Spectrogram", power);
    fingerprint_ = Fingerprint("Spectrogram").add(static_cast<int>(power));
    this->add_to(fingerprint_);
  }

  Facts facts(const FrameShape& in) const {
    return this->facts_for("Spectrogram", in, {in.channels, this->bins(), 1, in.batch}, this->bins());
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept { return this->advance(state, x, writer(state, y)); }
  Index flush(StateRef state, Frames<T> y) const noexcept { return this->finish(state, writer(state, y)); }

 private:
  auto writer(StateRef state, Frames<T> y) const noexcept {
    return [this, y, place = this->more_scratch(state)](Index b, Index c, const T* re, const T* im, Index number) {
      const Index bins = this->bins(), step = y.channels;
      T* const to = y.frame(number) + b * bins * step + c;
      if (step == 1) return detail::take_power(power_, re, im, to, bins);
      detail::take_power(power_, re, im, place, bins);
      for (Index k = 0; k < bins; ++k) to[k * step] = place[k];
    };
  }

  SpectrumPower power_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Spectrogram<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_SPECTROGRAM_HPP
