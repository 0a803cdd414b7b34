#ifndef EIGENSTREAM_AUDIO_BIQUAD_HPP
#define EIGENSTREAM_AUDIO_BIQUAD_HPP

#include <cmath>             // cos, pow, sin, sqrt
#include <initializer_list>  // several
#include <numbers>           // pi
#include <span>              // several
#include <vector>            // numbers

#include "eigenstream/core/weights.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A filter of second order: y[t] = (b0 x[t] + b1 x[t-1] + b2 x[t-2] - a1 y[t-1] - a2 y[t-2]) / a0.
/// Shapes   none: six numbers
/// Timing   none: see RecursiveFilter
/// Errors   none
/// Source   R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients"
struct Biquad {
  double b0 = 1, b1 = 0, b2 = 0, a0 = 1, a1 = 0, a2 = 0;
};

enum class BiquadKind { lowpass, highpass, bandpass, bandpass_skirt, bandreject, allpass, equalizer, bass, treble };

/// A filter around `hz`, with quality q; of an equalizer, bass and treble (shelves) with a gain. bandpass has a peak of 0 dB,
/// bandpass_skirt one of q.
/// Errors   Error if hz is not between 0 and half the sample rate, or q not above 0
/// Source   torchaudio.functional.lowpass_biquad, highpass_biquad, bandpass_biquad, bandreject_biquad, allpass_biquad,
///          equalizer_biquad, bass_biquad, treble_biquad
inline Biquad biquad(BiquadKind kind, double sample_rate, double hz, double q = 0.707, double gain_db = 0) {
  check(sample_rate > 0 && hz > 0 && hz < sample_rate / 2, "biquad: ", hz, " Hz at a sample rate of ", sample_rate,
        " Hz; must be between 0 and half of it");
  check(q > 0 && std::isfinite(q) && std::isfinite(gain_db), "biquad: q = ", q, ", gain_db = ", gain_db, "; q must be above 0");
  const double w = 2 * std::numbers::pi * hz / sample_rate, c = std::cos(w), alpha = std::sin(w) / 2 / q;
  const double gain = std::pow(10, gain_db / 40), root = 2 * std::sqrt(gain) * alpha, up = gain + 1, down = gain - 1;
  const auto same_poles = [&](double b0, double b1, double b2) { return Biquad{b0, b1, b2, 1 + alpha, -2 * c, 1 - alpha}; };
  switch (kind) {
    case BiquadKind::lowpass:
      return same_poles((1 - c) / 2, 1 - c, (1 - c) / 2);
    case BiquadKind::highpass:
      return same_poles((1 + c) / 2, -1 - c, (1 + c) / 2);
    case BiquadKind::bandpass:
      return same_poles(alpha, 0, -alpha);
    case BiquadKind::bandpass_skirt:
      return same_poles(std::sin(w) / 2, 0, -std::sin(w) / 2);
    case BiquadKind::bandreject:
      return same_poles(1, -2 * c, 1);
    case BiquadKind::allpass:
      return same_poles(1 - alpha, -2 * c, 1 + alpha);
    case BiquadKind::equalizer:
      return {1 + alpha * gain, -2 * c, 1 - alpha * gain, 1 + alpha / gain, -2 * c, 1 - alpha / gain};
    case BiquadKind::bass:
      return {gain * (up - down * c + root), 2 * gain * (down - up * c), gain * (up - down * c - root),
              up + down * c + root,          -2 * (down + up * c),       up + down * c - root};
    case BiquadKind::treble:
      return {gain * (up + down * c + root), -2 * gain * (down + up * c), gain * (up + down * c - root),
              up - down * c + root,          2 * (down - up * c),         up - down * c - root};
  }
  fail("biquad: unknown kind ", static_cast<int>(kind));
}

/// The numbers of several, one behind the other, as a RecursiveFilter takes them: (sections, 1, 3).
/// Shapes   b, a (S,1,3)
/// Timing   none
/// Errors   none
/// Source   none
struct BiquadCascade {
  Weights<double> b, a;
};
/// Errors   Error if there is none
inline BiquadCascade biquad_cascade(std::span<const Biquad> sections) {
  check(!sections.empty(), "biquad_cascade: no sections");
  std::vector<double> b, a;
  for (const Biquad& each : sections) {
    b.insert(b.end(), {each.b0, each.b1, each.b2});
    a.insert(a.end(), {each.a0, each.a1, each.a2});
  }
  const Index count = static_cast<Index>(sections.size());
  return {{{count, 1, 3}, std::move(b)}, {{count, 1, 3}, std::move(a)}};
}
inline BiquadCascade biquad_cascade(std::initializer_list<Biquad> sections) {
  return biquad_cascade(std::span(sections.begin(), sections.size()));
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_BIQUAD_HPP
