#ifndef EIGENSTREAM_TOOLS_STREAMER_LOG_MEL_HPP
#define EIGENSTREAM_TOOLS_STREAMER_LOG_MEL_HPP

#include <Eigen/Core>
#include <algorithm>              // max
#include <cmath>                  // log10
#include <complex>                // spectrum
#include <numbers>                // pi
#include <span>                   // samples
#include <unsupported/Eigen/FFT>  // KissFFT
#include <vector>                 // filters

#include "text.hpp"

namespace tool::streamer {

/// Mean power in mel bands, in decibels: a full-scale sine gives 1, anything 100 dB below gives -1.
///   band m = sum_k triangle_m(k) |X_k|^2, X the spectrum of a window of Hann's, the mean over all windows
/// The triangles are HTK's: equally wide in mel = 2595 log10(1 + f / 700) from 0 to half the sample rate, 1 at their
/// middle, and linear in mel. The spectrum is fine enough for the narrowest of them.
class LogMel {
 public:
  LogMel(Index bands, double sample_rate_hz, double window_seconds)
      : window_(static_cast<std::size_t>(std::max<long>(2, std::lround(window_seconds * sample_rate_hz)))) {
    double sum = 0;
    for (std::size_t i = 0; i < window_.size(); ++i)
      sum += window_[i] = static_cast<float>(
          0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(window_.size())));
    for (float& each : window_) each = static_cast<float>(each * 2 / sum);

    const double last = mel(sample_rate_hz / 2), apart = last / static_cast<double>(bands + 1);
    const double narrowest_hz = 700 * (std::pow(10, apart / 2595) - 1);
    std::size_t size = 2;
    while (size < window_.size() || sample_rate_hz / static_cast<double>(size) > narrowest_hz) size *= 2;
    es::check(size <= std::size_t{1} << 22, "sound: ", bands, " mel bands at ", sample_rate_hz, " Hz are too narrow");
    samples_.assign(size, 0);
    spectrum_.resize(size / 2 + 1);
    fft_.SetFlag(Eigen::FFT<float>::HalfSpectrum);
    for (Index m = 0; m < bands; ++m) {
      Filter& filter = filters_.emplace_back();
      for (std::size_t k = 0; k < spectrum_.size(); ++k) {
        const double at = mel(static_cast<double>(k) * sample_rate_hz / static_cast<double>(size)) / apart;
        const double weight = 1 - std::abs(at - static_cast<double>(m + 1));
        if (weight <= 0) continue;
        if (filter.weights.empty()) filter.first = k;
        filter.weights.push_back(static_cast<float>(weight));
      }
    }
    sums_.resize(filters_.size());
  }

  /// Samples of a window.
  Index window() const noexcept { return static_cast<Index>(window_.size()); }
  /// Adds the spectrum of a window.
  void add(std::span<const float> samples) {
    for (std::size_t i = 0; i < window_.size(); ++i) samples_[i] = samples[i] * window_[i];
    fft_.fwd(spectrum_.data(), samples_.data(), static_cast<Eigen::Index>(samples_.size()));
    for (std::size_t m = 0; m < filters_.size(); ++m)
      for (std::size_t i = 0; i < filters_[m].weights.size(); ++i)
        sums_[m] += static_cast<double>(filters_[m].weights[i] * std::norm(spectrum_[filters_[m].first + i]));
    ++count_;
  }
  /// The bands of all windows since the last call.
  void finish(std::span<float> bands) {
    for (std::size_t m = 0; m < filters_.size(); ++m) {
      const double power = sums_[m] / static_cast<double>(std::max<Index>(1, count_));
      bands[m] = static_cast<float>(1 + 10 * std::log10(std::max(1e-10, power)) / 50);
      sums_[m] = 0;
    }
    count_ = 0;
  }

 private:
  struct Filter {
    std::size_t first = 0;
    std::vector<float> weights = {};
  };
  static double mel(double hz) { return 2595 * std::log10(1 + hz / 700); }

  std::vector<float> window_, samples_;
  std::vector<std::complex<float>> spectrum_;
  std::vector<Filter> filters_;
  std::vector<double> sums_;
  Index count_ = 0;
  Eigen::FFT<float> fft_;
};

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_LOG_MEL_HPP
