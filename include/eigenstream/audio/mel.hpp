#ifndef EIGENSTREAM_AUDIO_MEL_HPP
#define EIGENSTREAM_AUDIO_MEL_HPP

#include <cmath>    // cos, log, log10, sqrt
#include <numbers>  // pi

#include "eigenstream/audio/mel_filters.hpp"
#include "eigenstream/audio/spectrogram.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Spectra on the mel scale: sums of a spectrogram's bins, weighted by triangles.
///   y[c, m, j] = sum over k of filter[m, k] |X[c, k, j]|^power with X as of Stft
/// Shapes   x (C,T) or (C,B,T) -> y (C, n_mels, T') or (C, n_mels, B, T'); T' as of Stft
/// Timing   as Stft
/// Errors   constructor: Error on any impossible size, naming it. steps/flush: noexcept, no allocation
/// Source   torchaudio.transforms.MelSpectrogram; melscale_fbanks for the filters
template <class T>
class MelSpectrogram : public detail::SpectralFrames<T> {
  using Base = detail::SpectralFrames<T>;

 public:
  MelSpectrogram(Index n_fft, const StftOptions& options, const MelOptions& mel = {}, SpectrumPower power = SpectrumPower::power)
      : Base("MelSpectrogram", n_fft, options),
        power_(power),
        filters_(mel.n_mels, this->bins(), mel_weights("MelSpectrogram", n_fft, mel)) {
    detail::check_power("MelSpectrogram", power);
    fingerprint_ = Fingerprint("MelSpectrogram").add(static_cast<int>(power));
    this->add_to(fingerprint_);
    filters_.add_to(fingerprint_);
  }

  Facts facts(const FrameShape& in) const {
    return this->facts_for("MelSpectrogram", in, {in.channels, filters_.rows(), 1, in.batch}, this->bins());
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept { return this->advance(state, x, writer(state, y)); }
  Index flush(StateRef state, Frames<T> y) const noexcept { return this->finish(state, writer(state, y)); }

 private:
  auto writer(StateRef state, Frames<T> y) const noexcept {
    return [this, y, place = this->more_scratch(state)](Index b, Index c, const T* re, const T* im, Index number) {
      detail::take_power(power_, re, im, place, this->bins());
      filters_(place, y.frame(number) + b * filters_.rows() * y.channels + c, y.channels, [](T sum) { return sum; });
    };
  }

  SpectrumPower power_;
  detail::BandMatrix<T> filters_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<MelSpectrogram<float>>);

struct MfccOptions {
  Index n_mfcc = 40;      ///< coefficients
  bool ortho = true;      ///< whether the cosine transform is orthonormal
  bool log_mels = false;  ///< ln(mel + 1e-6) instead of decibels
};

/// Mel-frequency cepstral coefficients: the cosine transform of a mel spectrum's logarithms.
///   y[c, i, j] = sum over m of dct[i, m] L(mel[c, m, j]),  dct[i, m] = 2 cos(pi / M (m + 1/2) i), times sqrt(1/(4M)) for i = 0 and
///   sqrt(1/(2M)) for the others if orthonormal;  L(v) = 10 log10(max(v, 1e-10)), or ln(v + 1e-6)
/// Shapes   x (C,T) or (C,B,T) -> y (C, n_mfcc, T') or (C, n_mfcc, B, T'); T' as of Stft
/// Timing   as Stft. torchaudio's transform raises what is 80 dB below the loudest of the whole signal, which no stream can know: what
///          is as faint differs
/// Errors   constructor: Error on any impossible size, naming it. steps/flush: noexcept, no allocation
/// Source   torchaudio.transforms.MFCC without its top_db; torchaudio.functional.create_dct
template <class T>
class Mfcc : public detail::SpectralFrames<T> {
  using Base = detail::SpectralFrames<T>;

 public:
  Mfcc(Index n_fft, const StftOptions& options, const MelOptions& mel = {}, const MfccOptions& mfcc = {})
      : Base("Mfcc", n_fft, options),
        filters_(mel.n_mels, this->bins(), mel_weights("Mfcc", n_fft, mel)),
        log_mels_(mfcc.log_mels) {
    check(mfcc.n_mfcc >= 1 && mfcc.n_mfcc <= mel.n_mels, "Mfcc: n_mfcc = ", mfcc.n_mfcc,
          ", must be from 1 to n_mels = ", mel.n_mels);
    const double mels = static_cast<double>(mel.n_mels);
    std::vector<double> dct;
    for (Index i = 0; i < mfcc.n_mfcc; ++i)
      for (Index m = 0; m < mel.n_mels; ++m) {
        const double scale = !mfcc.ortho ? 2 : std::sqrt((i == 0 ? 1 : 2) / mels);
        dct.push_back(scale * std::cos(std::numbers::pi / mels * (static_cast<double>(m) + 0.5) * static_cast<double>(i)));
      }
    cosines_ = detail::BandMatrix<T>(mfcc.n_mfcc, mel.n_mels, dct);
    fingerprint_ = Fingerprint("Mfcc").add(log_mels_);
    this->add_to(fingerprint_);
    filters_.add_to(fingerprint_), cosines_.add_to(fingerprint_);
  }

  Facts facts(const FrameShape& in) const {
    return this->facts_for("Mfcc", in, {in.channels, cosines_.rows(), 1, in.batch}, this->bins() + filters_.rows());
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept { return this->advance(state, x, writer(state, y)); }
  Index flush(StateRef state, Frames<T> y) const noexcept { return this->finish(state, writer(state, y)); }

 private:
  auto writer(StateRef state, Frames<T> y) const noexcept {
    return [this, y, place = this->more_scratch(state)](Index b, Index c, const T* re, const T* im, Index number) {
      T* const mels = place + this->bins();
      detail::take_power(SpectrumPower::power, re, im, place, this->bins());
      if (log_mels_)
        filters_(place, mels, 1, [](T sum) { return std::log(sum + T(1e-6)); });
      else
        filters_(place, mels, 1, [](T sum) { return T(10) * std::log10(std::max(sum, T(1e-10))); });
      cosines_(mels, y.frame(number) + b * cosines_.rows() * y.channels + c, y.channels, [](T sum) { return sum; });
    };
  }

  detail::BandMatrix<T> filters_, cosines_;
  bool log_mels_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Mfcc<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_MEL_HPP
