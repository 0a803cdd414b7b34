#ifndef EIGENSTREAM_AUDIO_MEL_FILTERS_HPP
#define EIGENSTREAM_AUDIO_MEL_FILTERS_HPP

#include <algorithm>    // max, min
#include <cmath>        // exp, floor, log, log10, pow
#include <string_view>  // names
#include <vector>       // weights

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/fingerprint.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How a frequency in Hz becomes one in mel: htk, 2595 log10(1 + f / 700); slaney, linear up to 1000 Hz and logarithmic above;
/// kaldi, 1127 ln(1 + f / 700), with triangles that are straight in mel and not in Hz.
enum class MelScale { htk, slaney, kaldi };
inline constexpr std::string_view mel_scale_names[] = {"htk", "slaney", "kaldi"};
/// Whether each filter is divided by half its width in Hz, so that all have the same area.
enum class MelNorm { none, slaney };
inline constexpr std::string_view mel_norm_names[] = {"none", "slaney"};

struct MelOptions {
  Index n_mels = 128;          ///< filters
  double sample_rate = 16000;  ///< of the signal, in Hz
  double f_min = 0;            ///< where the first filter begins, in Hz
  double f_max = 0;            ///< where the last one ends; 0 or less: so much from half the sample rate
  MelScale scale = MelScale::htk;
  MelNorm norm = MelNorm::none;
};

/// Frequencies to mel, and back.
inline double mel_of_hz(double hz, MelScale scale) noexcept {
  if (scale == MelScale::htk) return 2595 * std::log10(1 + hz / 700);
  if (scale == MelScale::kaldi) return 1127 * std::log(1 + hz / 700);
  return hz < 1000 ? hz * 3 / 200 : 15 + std::log(hz / 1000) * 27 / std::log(6.4);
}
inline double hz_of_mel(double mel, MelScale scale) noexcept {
  if (scale == MelScale::htk) return 700 * (std::pow(10, mel / 2595) - 1);
  if (scale == MelScale::kaldi) return 700 * (std::exp(mel / 1127) - 1);
  return mel < 15 ? mel * 200 / 3 : 1000 * std::exp((mel - 15) * std::log(6.4) / 27);
}

/// Triangles that overlap by half, as weights of each bin of a spectrum: row m has those of filter m, `bins` numbers.
/// Errors   Error naming the layer on impossible options
/// Source   torchaudio.functional.melscale_fbanks; Kaldi's mel-computations.cc
inline std::vector<double> mel_weights(const char* who, Index n_fft, const MelOptions& options) {
  constexpr Index most = 4096;
  check(options.n_mels >= 1 && options.n_mels <= most, who, ": n_mels = ", options.n_mels, ", must be from 1 to ", most);
  check(options.sample_rate > 0 && options.sample_rate < 1e12, who, ": sample_rate = ", options.sample_rate, ", must be above 0");
  const Index bins = n_fft / 2 + 1;
  check(static_cast<double>(bins) * static_cast<double>(options.n_mels) <= 4194304.0, who, ": n_mels = ", options.n_mels,
        " filters over ", bins, " bins are more than 2^22 weights");
  const bool in_mel = options.scale == MelScale::kaldi;  // triangles are straight there
  const double half = in_mel ? options.sample_rate / 2 : std::floor(options.sample_rate / 2),
               f_max = options.f_max > 0 ? options.f_max : half + options.f_max;
  check(options.f_min >= 0 && options.f_min < f_max && f_max <= 2 * half, who, ": filters from ", options.f_min, " Hz to ", f_max,
        " Hz; they must begin at 0 or above and end behind that");
  const double first = mel_of_hz(options.f_min, options.scale), last = mel_of_hz(f_max, options.scale);
  const auto corner = [&](Index m) {
    return first + (last - first) * static_cast<double>(m) / static_cast<double>(options.n_mels + 1);
  };
  const auto hz = [&](Index m) { return hz_of_mel(corner(m), options.scale); };
  std::vector<double> weights;
  for (Index m = 0; m < options.n_mels; ++m) {
    const double begin = in_mel ? corner(m) : hz(m), peak = in_mel ? corner(m + 1) : hz(m + 1),
                 end = in_mel ? corner(m + 2) : hz(m + 2);
    const double scale = options.norm == MelNorm::slaney ? 2 / (hz(m + 2) - hz(m)) : 1;
    for (Index k = 0; k < bins; ++k) {
      const double frequency = half * static_cast<double>(k) / static_cast<double>(std::max<Index>(1, bins - 1));
      const double place = in_mel ? mel_of_hz(frequency, options.scale) : frequency;
      const double weight = scale * std::max(0.0, std::min((place - begin) / (peak - begin), (end - place) / (end - peak)));
      weights.push_back(in_mel && 2 * k == n_fft ? 0 : weight);  // Kaldi has no last bin
    }
  }
  return weights;
}

namespace detail {

/// Sums over a spectrum's bins, weighted, of a matrix whose rows are zero but for a few neighbours.
template <class T>
class BandMatrix {
 public:
  BandMatrix() = default;
  BandMatrix(Index rows, Index columns, const std::vector<double>& matrix) {
    for (Index r = 0; r < rows; ++r) {
      const double* row = matrix.data() + r * columns;
      Index begin = 0, end = columns;
      while (begin < end && row[begin] == 0) ++begin;
      while (begin < end && row[end - 1] == 0) --end;
      bands_.push_back({begin, end - begin, static_cast<Index>(weights_.size())});
      for (Index k = begin; k < end; ++k) weights_.push_back(static_cast<T>(row[k]));
    }
  }
  Index rows() const noexcept { return static_cast<Index>(bands_.size()); }
  Index weights() const noexcept { return static_cast<Index>(weights_.size()); }
  /// y[r * step] = f(sum over k of matrix[r, k] x[k])
  template <class F>
  void operator()(const T* x, T* y, Index step, F&& f) const noexcept {
    for (const Band& band : bands_) {
      *y = f(kernel::dot(x + band.first, weights_.data() + band.begin, band.count));
      y += step;
    }
  }
  void add_to(Fingerprint& print) const {
    for (const Band& band : bands_) print.add(band.first).add(band.count);
    print.add(std::span<const T>(weights_));
  }

 private:
  struct Band {
    Index first, count, begin;  // columns that are not zero, and where their weights begin
  };
  std::vector<Band> bands_;
  kernel::AlignedVector<T> weights_;
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_MEL_FILTERS_HPP
