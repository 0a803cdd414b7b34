#ifndef EIGENSTREAM_AUDIO_WINDOW_FUNCTION_HPP
#define EIGENSTREAM_AUDIO_WINDOW_FUNCTION_HPP

#include <algorithm>    // max
#include <cmath>        // cos, pow, sqrt, abs
#include <numbers>      // pi
#include <string_view>  // names
#include <vector>       // values

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What the samples of a window are multiplied by. sqrt_hann is the square root of hann, for windows before a transform and after
/// it; povey is hann to the power of 0.85, Kaldi's own.
enum class WindowFunction { rectangular, hann, sqrt_hann, hamming, blackman, bartlett, povey };
inline constexpr std::string_view window_function_names[] = {"rectangular", "hann",     "sqrt_hann", "hamming",
                                                             "blackman",    "bartlett", "povey"};

/// The n values of a window. Periodic: the first n of the symmetric one of n + 1 values, which overlap without ripple.
///   hann 0.5 - 0.5 cos(2 pi j / N), hamming 0.54 - 0.46 cos(2 pi j / N), bartlett 1 - |2 j / N - 1|,
///   blackman 0.42 - 0.5 cos(2 pi j / N) + 0.08 cos(4 pi j / N);  N = n if periodic, else n - 1
/// Errors   Error if n is below 1
/// Source   torch.hann_window, torch.hamming_window, torch.blackman_window, torch.bartlett_window; Kaldi's feature-window.cc
inline std::vector<double> window_values(WindowFunction function, Index n, bool periodic = true) {
  check(n >= 1, "window_values: n = ", n, ", must be at least 1");
  std::vector<double> values(static_cast<std::size_t>(n), 1.0);
  if (n == 1) return values;
  const double whole = static_cast<double>(periodic ? n : n - 1);
  for (Index j = 0; j < n; ++j) {
    const double part = static_cast<double>(j) / whole, turn = 2 * std::numbers::pi * part;
    // As a square, so that neither rounding nor a root makes anything of what is nearly 0.
    const double root = std::sin(std::numbers::pi * part), hann = root * root;
    double& value = values[static_cast<std::size_t>(j)];
    switch (function) {
      case WindowFunction::rectangular:
        break;
      case WindowFunction::hann:
        value = hann;
        break;
      case WindowFunction::sqrt_hann:
        value = root;
        break;
      case WindowFunction::hamming:
        value = 0.54 - 0.46 * std::cos(turn);
        break;
      case WindowFunction::blackman:
        value = std::max(0.0, 0.42 - 0.5 * std::cos(turn) + 0.08 * std::cos(2 * turn));
        break;
      case WindowFunction::bartlett:
        value = 1 - std::abs(2 * part - 1);
        break;
      case WindowFunction::povey:
        value = std::pow(hann, 0.85);
        break;
    }
  }
  // What rounding leaves of 0 at the end of a symmetric one.
  if (!periodic && values.front() == 0) values.back() = 0;
  return values;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_WINDOW_FUNCTION_HPP
