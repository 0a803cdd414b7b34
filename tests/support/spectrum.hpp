#ifndef EIGENSTREAM_TESTS_SUPPORT_SPECTRUM_HPP
#define EIGENSTREAM_TESTS_SUPPORT_SPECTRUM_HPP

#include <cmath>
#include <cstdint>
#include <vector>

#include "eigenstream/kernel/complex_fft.hpp"

namespace support {

/// Some bins of a discrete Fourier transform, in double.
struct Spectrum {
  std::vector<double> re, im;
};

/// The definition: bins 0 ... bins - 1 of the transform of re + i im.
template <class T>
Spectrum spectrum(const std::vector<T>& re, const std::vector<T>& im, eigenstream::Index bins) {
  const std::int64_t n = static_cast<std::int64_t>(re.size());
  Spectrum all;
  for (std::int64_t k = 0; k < bins; ++k) {
    double sum_re = 0, sum_im = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      const auto root = eigenstream::kernel::unit_root(j * k, n);
      const double x_re = static_cast<double>(re[static_cast<std::size_t>(j)]),
                   x_im = static_cast<double>(im[static_cast<std::size_t>(j)]);
      sum_re += x_re * root.real() - x_im * root.imag();
      sum_im += x_re * root.imag() + x_im * root.real();
    }
    all.re.push_back(sum_re), all.im.push_back(sum_im);
  }
  return all;
}

/// The distance of bins from what they must be, relative to all of these together.
template <class T>
double relative_error(const std::vector<T>& re, const std::vector<T>& im, const Spectrum& expected) {
  double squares = 0, all = 0;
  for (std::size_t k = 0; k < expected.re.size(); ++k) {
    squares += std::pow(static_cast<double>(re[k]) - expected.re[k], 2) + std::pow(static_cast<double>(im[k]) - expected.im[k], 2);
    all += std::pow(expected.re[k], 2) + std::pow(expected.im[k], 2);
  }
  return std::sqrt(squares / all);
}

/// How large it may be: 1.2e-7 is seen of float, 1.9e-7 where the transform goes by convolution. The definition in double has the
/// roundings of n sums itself.
template <class T>
constexpr double spectrum_tolerance = sizeof(T) == 4 ? 2.5e-7 : 1e-13;

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_SPECTRUM_HPP
