#ifndef EIGENSTREAM_AUDIO_RESAMPLE_FILTER_HPP
#define EIGENSTREAM_AUDIO_RESAMPLE_FILTER_HPP

#include <algorithm>    // min, max
#include <cmath>        // sin, cos, sqrt, ceil
#include <numbers>      // pi
#include <string_view>  // names

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What the sinc of a resampling filter is multiplied by.
enum class ResampleMethod { hann, kaiser };

/// How good a resampling filter is. Frequencies are fractions of half the narrower rate, `taps` and the filter's own
/// delay frames of the narrower rate; measured in single precision from 48 to 16 kHz and from 44.1 to 48 kHz, and the
/// worse of the two (bench/audio/resample_quality.cpp).
///               pass band to        stop band     gain in the pass band   rejected in the
///               -0.1 dB   -3 dB     begins at     (to 0.6 of its edge)    stop band   taps   delay
///   standard      0.742   0.918       none           +-0.013 dB               -         13     6.1
///   low           0.707   0.793       1.0            +-0.0001 dB            106 dB      39    19.4
///   medium        0.839   0.886       1.0            +-0.0001 dB            106 dB      71    35.4
///   high          0.901   0.929       1.0            +-0.0001 dB            126 dB     137    68.2
///   very_high     0.923   0.943       1.0            +-0.0001 dB            136 dB     203   101.1
/// `standard` is torchaudio's default: what is just above half the narrower rate folds back, and where that lies in the
/// pass band it is 44 dB down. The others reject as much as the filters LQ, MQ, HQ and VHQ of the soxr library, as far
/// as single precision goes; in double precision very_high reaches 150 dB.
enum class ResampleQuality { standard, low, medium, high, very_high };

struct ResampleOptions {
  ResampleMethod method = ResampleMethod::hann;
  Index lowpass_filter_width = 6;     ///< zero crossings of the sinc on either side
  double rolloff = 0.99;              ///< cutoff frequency, as a fraction of the narrower rate's half
  double beta = 14.769656459379492;   ///< of the Kaiser window
  bool low_delay = false;             ///< outputs come as soon as their inputs, not target/gcd at a time
};

/// The method of a name, as torchaudio writes it: sinc_interp_hann, sinc_interp_kaiser, the older sinc_interpolation
/// and kaiser_window; or hann, kaiser.
/// Errors   Error if there is none of that name
inline ResampleMethod resample_method(std::string_view name) {
  for (const char* const known : {"hann", "sinc_interp_hann", "sinc_interpolation"})
    if (name == known) return ResampleMethod::hann;
  for (const char* const known : {"kaiser", "sinc_interp_kaiser", "kaiser_window"})
    if (name == known) return ResampleMethod::kaiser;
  fail("Resample: there is no method \"", name, "\"; known are sinc_interp_hann (hann, sinc_interpolation) and ",
       "sinc_interp_kaiser (kaiser, kaiser_window)");
}
constexpr const char* name_of(ResampleMethod method) noexcept {
  return method == ResampleMethod::hann ? "sinc_interp_hann" : "sinc_interp_kaiser";
}

/// The quality of a name: standard, low, medium, high or very_high.
/// Errors   Error if there is none of that name
inline ResampleQuality resample_quality(std::string_view name) {
  if (name == "standard") return ResampleQuality::standard;
  if (name == "low") return ResampleQuality::low;
  if (name == "medium") return ResampleQuality::medium;
  if (name == "high") return ResampleQuality::high;
  if (name == "very_high") return ResampleQuality::very_high;
  fail("Resample: there is no quality \"", name, "\"; known are standard, low, medium, high and very_high");
}
constexpr const char* name_of(ResampleQuality quality) noexcept {
  constexpr const char* names[] = {"standard", "low", "medium", "high", "very_high"};
  return names[static_cast<int>(quality)];
}

/// The filter of a quality, for Resample's constructor.
constexpr ResampleOptions resample_options(ResampleQuality quality) noexcept {
  constexpr ResampleMethod kaiser = ResampleMethod::kaiser;
  switch (quality) {
    case ResampleQuality::standard:
      break;
    case ResampleQuality::low:
      return {.method = kaiser, .lowpass_filter_width = 16, .rolloff = 0.823, .beta = 10.75};
    case ResampleQuality::medium:
      return {.method = kaiser, .lowpass_filter_width = 32, .rolloff = 0.9025, .beta = 10.75};
    case ResampleQuality::high:
      return {.method = kaiser, .lowpass_filter_width = 64, .rolloff = 0.938, .beta = 13.0};
    case ResampleQuality::very_high:
      return {.method = kaiser, .lowpass_filter_width = 96, .rolloff = 0.95, .beta = 15.6};
  }
  return {};
}

/// The windowed sinc of a resampling filter from source to target (in lowest terms), evaluated in double precision.
///   K(d) = base/source * window(t) * sin(pi t)/(pi t)
///   t = base * d / (source*target),  base = min(source,target) * rolloff
/// d is the distance from an output to an input in units of 1/(source*target) of the common period; K(d) = 0 where
/// |t| >= Z, the filter's width. Hann: window = cos(pi t / (2Z))^2. Kaiser: I0(beta sqrt(1 - (t/Z)^2)) / I0(beta).
/// Shapes   a number d -> a number K(d)
/// Timing   `reach` is the greatest |d| with a weight
/// Errors   none: Resample checks the options
/// Source   torchaudio.functional.resample
class ResampleFilter {
 public:
  ResampleFilter(Index source, Index target, const ResampleOptions& options)
      : options_(options), source_(static_cast<double>(source)), target_(static_cast<double>(target)) {
    base_ = std::min(source_, target_) * options.rolloff;
    width_ = static_cast<double>(options.lowpass_filter_width);
    bessel_ = bessel_i0(options.beta);
  }

  double operator()(Index d) const {
    const double t = base_ * static_cast<double>(d) / (source_ * target_);
    if (!(std::abs(t) < width_)) return 0;
    const double angle = std::numbers::pi * t;
    return base_ / source_ * window(t) * (d == 0 ? 1 : std::sin(angle) / angle);
  }
  /// Inputs before an output's block, and behind it, that the reference counts for its filter.
  double padding() const { return std::ceil(width_ * source_ / base_); }
  /// Greatest |d| with |t| < Z.
  double reach() const { return std::ceil(width_ * std::max(source_, target_) / options_.rolloff) - 1; }

  /// The modified Bessel function of the first kind, of order 0: its power series, all of whose terms are positive.
  static double bessel_i0(double x) {
    double sum = 1, term = 1;
    for (double k = 1; term > sum * 1e-17; ++k) {
      term *= x / (2 * k) * (x / (2 * k));
      sum += term;
    }
    return sum;
  }

 private:
  double window(double t) const {
    if (options_.method == ResampleMethod::hann) {
      const double c = std::cos(std::numbers::pi * t / width_ / 2);
      return c * c;
    }
    return bessel_i0(options_.beta * std::sqrt(1 - (t / width_) * (t / width_))) / bessel_;
  }

  ResampleOptions options_;
  double source_, target_;
  double base_, width_, bessel_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_RESAMPLE_FILTER_HPP
