#ifndef EIGENSTREAM_KERNEL_ELEMENTARY_HPP
#define EIGENSTREAM_KERNEL_ELEMENTARY_HPP

#include <unsupported/Eigen/SpecialFunctions>  // erf on packets
#include <cmath>    // the same functions where no packet form exists
#include <cstdint>  // int64_t
#include <limits>   // smallest normal number
#include <numbers>  // ln2, log2e

#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace simd {

/// Elementary functions on packets: Eigen's where it has them for this type, else the standard library's on each lane.
/// NaN gives NaN; errors are a few units in the last place.

template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> keep_nan(Packet<T, N> x, Packet<T, N> result) noexcept {
  return {ei::pselect(ei::pcmp_eq(x.native, x.native), result.native, x.native)};
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> exp(Packet<T, N> x) noexcept {
  if constexpr (N > 1 && ei::packet_traits<T>::HasExp)
    return keep_nan(x, {ei::pexp(x.native)});
  else
    return lanewise(x, [](T v) { return std::exp(v); });
}
/// The same down to 0 and up to the greatest number, by the square of the half's. (Eigen's stays at the smallest normal
/// number, and in 16 lanes is infinite from 88.4 on.)
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> exp_whole_range(Packet<T, N> x) noexcept {
  const Packet<T, N> root = exp(Packet<T, N>::broadcast(T(0.5)) * x);
  return root * root;
}
/// Minus infinity of 0, NaN of what is less.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> log(Packet<T, N> x) noexcept {
  if constexpr (N > 1 && ei::packet_traits<T>::HasLog) {
    // Eigen takes what is less than the smallest normal number for that number: raise it by a power of two.
    using P = Packet<T, N>;
    constexpr T up = T(std::int64_t{1} << (sizeof(T) == 4 ? 24 : 53));
    const P least = P::broadcast(std::numeric_limits<T>::min()), zero = P::broadcast(T(0));
    const P raised = select_greater(least, x, P::broadcast(up) * x, x);
    const P by = select_greater(least, x, P::broadcast(T((sizeof(T) == 4 ? 24 : 53) * std::numbers::ln2)), zero);
    return keep_nan(x, {ei::plog(raised.native)}) - by;
  } else {
    return lanewise(x, [](T v) { return std::log(v); });
  }
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> expm1(Packet<T, N> x) noexcept {
  if constexpr (N > 1 && ei::packet_traits<T>::HasExpm1)
    return keep_nan(x, {ei::pexpm1(x.native)});
  else
    return lanewise(x, [](T v) { return std::expm1(v); });
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> log1p(Packet<T, N> x) noexcept {
  if constexpr (N > 1 && ei::packet_traits<T>::HasLog1p)
    return keep_nan(x, {ei::plog1p(x.native)});
  else
    return lanewise(x, [](T v) { return std::log1p(v); });
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> tanh(Packet<T, N> x) noexcept {
  if constexpr (N > 1 && ei::packet_traits<T>::HasTanh)
    return keep_nan(x, {ei::ptanh(x.native)});
  else
    return lanewise(x, [](T v) { return std::tanh(v); });
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> erf(Packet<T, N> x) noexcept {
  if constexpr (N > 1 && ei::packet_traits<T>::HasErf)
    return keep_nan(x, {ei::perf(x.native)});
  else
    return lanewise(x, [](T v) { return std::erf(v); });
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> sin(Packet<T, N> x) noexcept {
  if constexpr (N > 1 && ei::packet_traits<T>::HasSin)
    return keep_nan(x, {ei::psin(x.native)});
  else
    return lanewise(x, [](T v) { return std::sin(v); });
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> cos(Packet<T, N> x) noexcept {
  if constexpr (N > 1 && ei::packet_traits<T>::HasCos)
    return keep_nan(x, {ei::pcos(x.native)});
  else
    return lanewise(x, [](T v) { return std::cos(v); });
}
/// 1 / (1 + e^-x), down to 0 through the numbers below the smallest normal one; the error is at most five units in the last
/// place, in float six below -20 and seven below -60.
///   with m the integer next to -x / (2 ln 2) and r = x + 2 m ln 2:  e^-x = 4^m (c - r) / (c + r),  c = r coth(r/2)
/// c is even in r, a short polynomial in r^2. So the sigmoid is a single quotient u / (u + v), with u = 2^-m (c + r) and
/// v = 2^m (c - r), neither of which leaves the range of normal numbers.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> sigmoid(Packet<T, N> x) noexcept {
  using P = Packet<T, N>;
  const P zero = P::broadcast(T(0)), one = P::broadcast(T(1));
  if constexpr (HasPowersOfTwo<T, N>) {
    constexpr bool single = sizeof(T) == 4;
    // Beyond the limit it is 0 or 1. NaN stays NaN as the first operand.
    constexpr T limit = single ? T(104) : T(746);
    const P held{ei::pmin(ei::pmax(x.native, P::broadcast(-limit).native), P::broadcast(limit).native)};
    // A sum with this, 3/2 times the first number without digits behind the point, is an integer, in its last bits.
    const P shift = P::broadcast(single ? T(12582912) : T(6755399441055744));
    const P shifted = multiply_add(held, P::broadcast(T(-0.5 * std::numbers::log2e)), shift), m = shifted - shift;
    // Where a product is rounded before the sum, and in double, ln 2 is in two parts, of which m times the first is exact.
#if defined(EIGEN_VECTORIZE_FMA) || EIGEN_ARCH_ARM64
    constexpr bool in_parts = !single;
#else
    constexpr bool in_parts = true;
#endif
    constexpr T part = !in_parts ? T(std::numbers::ln2) : single ? T(0.693359375) : T(0.693147180369123816490);
    P r = multiply_add(m, P::broadcast(2 * part), held);
    if constexpr (in_parts) r = multiply_add(m, P::broadcast(single ? T(2 * -2.12194440e-4) : T(2 * 1.90821492927058770e-10)), r);
    P sum = zero, difference = zero;  // c + r and c - r, both times the same number
    if constexpr (single) {
      // c = ((r^2 + a)^2 + b) / s, of which s goes to r.
      const P square = multiply_add(r, r, P::broadcast(T(-30.5989609)));
      const P even = multiply_add(square, square, P::broadcast(T(-1670.729)));
      sum = multiply_add(r, P::broadcast(T(-367.216156)), even);
      difference = multiply_add(r, P::broadcast(T(367.216156)), even);
    } else {
      const P r2 = r * r;
      P c = P::broadcast(T(-1.01129905632125191e-09));
      for (const double next : {4.17223068997695093e-08, -1.65342840691098059e-06, 6.61375642155683164e-05,
                                -2.77777777761307630e-03, 1.66666666666661606e-01, 2.0})
        c = multiply_add(r2, c, P::broadcast(T(next)));
      sum = c + r, difference = c - r;
    }
    const P u = lowered(sum, shifted);
    return u / multiply_add(difference, raised(one, shifted), u);
  } else {
    const P e = exp_whole_range(zero - abs(x));
    return select_greater(zero, x, e, one) / (one + e);
  }
}

/// A quotient of polynomials near tanh: see FastTanh in activation.hpp. From 1e9 on, where fourth powers come near the end of
/// float, it is what it is there.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> fast_tanh(Packet<T, N> given) noexcept {
  using P = Packet<T, N>;
  const P x{ei::pmin(ei::pmax(given.native, P::broadcast(T(-1e9)).native), P::broadcast(T(1e9)).native)};
  const P a = P::broadcast(T(2.45550750702956)), d = P::broadcast(T(2.44506634652299)), s = abs(x), square = x * x;
  const P cubic = multiply_add(P::broadcast(T(0.821226666969744)), s, P::broadcast(T(0.893229853513558)));
  const P over = x * multiply_add(square, cubic, multiply_add(a, s, a));
  const P bent = abs(multiply_add(P::broadcast(T(0.814642734961073)) * x, s, x));
  return over / multiply_add(d + square, bent, d);
}

}  // namespace simd

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_ELEMENTARY_HPP
