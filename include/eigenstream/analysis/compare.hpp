#ifndef EIGENSTREAM_ANALYSIS_COMPARE_HPP
#define EIGENSTREAM_ANALYSIS_COMPARE_HPP

#include <bit>          // bit_cast
#include <cmath>        // abs, isnan
#include <cstdint>      // bits
#include <limits>       // infinity
#include <type_traits>  // conditional_t

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How far numbers may be apart and still count as the same: |a - b| <= absolute + relative*|b|. Both 0: no bit may
/// differ.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

namespace detail {

template <class T>
bool same_bits(T a, T b) noexcept {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b);
}

/// Whether |a - b| <= absolute + relative*|b|; NaN is close to NaN only, an infinity to itself only.
template <class T>
bool is_close(T a, T b, Tolerance tolerance) noexcept {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  if (!std::isfinite(a) || !std::isfinite(b)) return false;
  const double wanted = static_cast<double>(b);
  return std::abs(static_cast<double>(a) - wanted) <= tolerance.absolute + tolerance.relative * std::abs(wanted);
}

/// |a - b|; 0 between two NaN, infinite between a number and NaN.
template <class T>
double distance(T a, T b) noexcept {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double apart = std::abs(static_cast<double>(a) - static_cast<double>(b));
  return std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart;
}

}  // namespace detail

/// Number of the first scalar of a that is not that of b, or n: in its bits, or with a tolerance beyond it.
template <class T>
Index first_difference(const T* a, const T* b, Index n, Tolerance tolerance = {}) noexcept {
  const bool exact = tolerance.relative == 0 && tolerance.absolute == 0;
  for (Index i = 0; i < n; ++i)
    if (!detail::same_bits(a[i], b[i]) && (exact || !detail::is_close(a[i], b[i], tolerance))) return i;
  return n;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_ANALYSIS_COMPARE_HPP
