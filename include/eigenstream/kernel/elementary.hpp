#ifndef EIGENSTREAM_KERNEL_ELEMENTARY_HPP
#define EIGENSTREAM_KERNEL_ELEMENTARY_HPP

#include <unsupported/Eigen/SpecialFunctions>  // erf on packets
#include <cmath>    // the same functions where no packet form exists
#include <cstdint>  // int64_t
#include <limits>   // smallest normal number
#include <numbers>  // ln2

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
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> sigmoid(Packet<T, N> x) noexcept {
  using P = Packet<T, N>;
  return P::broadcast(T(1)) / (P::broadcast(T(1)) + exp(P::broadcast(T(0)) - x));
}

}  // namespace simd

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_ELEMENTARY_HPP
