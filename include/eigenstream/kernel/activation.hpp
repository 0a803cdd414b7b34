#ifndef EIGENSTREAM_KERNEL_ACTIVATION_HPP
#define EIGENSTREAM_KERNEL_ACTIVATION_HPP

#include <unsupported/Eigen/SpecialFunctions>  // erf on packets

#include <cmath>    // the same functions where no packet form exists
#include <limits>   // smallest normal number
#include <numbers>  // ln2
#include <numeric>  // lcm
#include <vector>   // parameters

#include "eigenstream/kernel/packet.hpp"
#include "eigenstream/kernel/tap_sum.hpp"  // AlignedVector

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
    constexpr T up = T(Index{1} << (sizeof(T) == 4 ? 24 : 53));
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

/// y[i] = f(x[i]) for n numbers; x and y may be the same. The last few go through the same packet operations as the
/// others, so a number's result does not depend on where it stands.
template <class T, class F>
EIGENSTREAM_ALWAYS_INLINE void map_pointwise(const T* x, T* y, Index n, F&& f) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) f(P::load(x + i)).store(y + i);
  if (i < n) f(P::load_first(x + i, n - i)).store_first(y + i, n - i);
}

/// y[i] += x[i] for n numbers.
template <class T>
EIGENSTREAM_ALWAYS_INLINE void add_pointwise(const T* x, T* y, Index n) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) (P::load(y + i) + P::load(x + i)).store(y + i);
  if (i < n) (P::load_first(y + i, n - i) + P::load_first(x + i, n - i)).store_first(y + i, n - i);
}

/// A parameter for each channel, repeated so that packets can run over whole frames whatever the number of channels:
/// the pattern is as long as the least common multiple of the channels and the lanes.
template <class T>
class ChannelPattern {
 public:
  ChannelPattern() = default;
  template <class Value>
  ChannelPattern(Index channels, Value&& value) {
    const Index length = std::lcm(channels, Index{simd::max_lanes<T>});
    for (Index i = 0; i < length; ++i) values_.push_back(value(i % channels));
  }
  const T* data() const noexcept { return values_.data(); }
  Index size() const noexcept { return static_cast<Index>(values_.size()); }

 private:
  AlignedVector<T> values_;
};

/// y[i] = f(x[i], a[i % period], b[i % period]) for n numbers; x and y may be the same. The period is a multiple of the
/// lanes.
template <class T, class F>
EIGENSTREAM_ALWAYS_INLINE void map_periodic(const T* x, T* y, Index n, const T* a, const T* b, Index period,
                                            F&& f) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  for (Index base = 0; base < n; base += period) {
    const Index end = std::min(n - base, period);
    Index i = 0;
    for (; i + P::lanes <= end; i += P::lanes)
      f(P::load(x + base + i), P::load(a + i), P::load(b + i)).store(y + base + i);
    if (i < end)
      f(P::load_first(x + base + i, end - i), P::load(a + i), P::load(b + i)).store_first(y + base + i, end - i);
  }
}

/// y[i] = f(x[i], a[channel of i], b[channel of i]) for n numbers that begin with channel 0; x and y may be the same.
template <class T, class F>
EIGENSTREAM_ALWAYS_INLINE void map_channels(const T* x, T* y, Index n, const ChannelPattern<T>& a,
                                            const ChannelPattern<T>& b, F&& f) noexcept {
  map_periodic(x, y, n, a.data(), b.data(), a.size(), f);
}

/// sum of f(x[i]) over one column of n numbers, in an order that depends on n alone.
template <class T, class F>
EIGENSTREAM_ALWAYS_INLINE T column_sum(const T* x, Index n, F&& f) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  T lane[P::lanes];
  P sum = P::broadcast(T(0));
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) sum = sum + f(P::load(x + i));
  sum.store(lane);
  if (i < n) {  // through the same packet operations, but without the empty lanes
    T last[P::lanes];
    f(P::load_first(x + i, n - i)).store(last);
    for (Index k = 0; k < n - i; ++k) lane[k] += last[k];
  }
  T total = lane[0];
  for (Index k = 1; k < P::lanes; ++k) total += lane[k];
  return total;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_ACTIVATION_HPP
