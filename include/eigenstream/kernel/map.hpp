#ifndef EIGENSTREAM_KERNEL_MAP_HPP
#define EIGENSTREAM_KERNEL_MAP_HPP

#include <algorithm>  // min, copy_n, fill_n
#include <numeric>    // lcm

#include "eigenstream/kernel/aligned_vector.hpp"
#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// y[i] = f(x[i]) for n numbers; x and y may be the same. The last few go through the same packet operations as the
/// others, so a number's result does not depend on where it stands. `Together` packets a turn (1 or 2): of a function that is a
/// page of code, counting is a twentieth.
template <int Together = 1, class T, class F>
EIGENSTREAM_ALWAYS_INLINE void map_pointwise(const T* x, T* y, Index n, F&& f) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  if constexpr (Together == 2)
    for (; i + 2 * P::lanes <= n; i += 2 * P::lanes) {
      const P first = f(P::load(x + i)), second = f(P::load(x + i + P::lanes));
      first.store(y + i), second.store(y + i + P::lanes);
    }
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

/// sums[c] = sum of f(x[i], place of i in a pattern) over the numbers of channel c; x holds n numbers that begin with channel
/// 0, and a pattern is `period` numbers, a multiple of the channels and the lanes. In T for a few rows, which is fast, and
/// then in double, so that long windows lose nothing.
template <class T, class F>
void channel_sums(const T* x, Index n, Index channels, Index period, double* sums, F&& f) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  constexpr Index rows = 16;
  std::fill_n(sums, channels, 0.0);
  for (Index begin = 0; begin < n; begin += rows * period) {
    const Index end = std::min(n, begin + rows * period);
    for (Index i = 0; i < std::min(period, end - begin); i += P::lanes) {
      P sum = P::broadcast(T(0));
      Index at = begin + i;
      for (; at + P::lanes <= end; at += period) sum = sum + f(P::load(x + at), i);
      T value[P::lanes], last[P::lanes];
      sum.store(value);
      if (at < end) {  // only the lanes within the window
        f(P::load_first(x + at, end - at), i).store(last);
        for (Index k = 0; k < end - at; ++k) value[k] += last[k];
      }
      for (Index k = 0; k < P::lanes; ++k) sums[(i + k) % channels] += static_cast<double>(value[k]);
    }
  }
}

/// y[i] = w[i] * x[i] + sums[i] for n numbers; y may be `sums`, or lie before it.
template <class T>
EIGENSTREAM_ALWAYS_INLINE void add_weighted(const T* x, const T* w, const T* sums, T* y, Index n) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) multiply_add(P::load(x + i), P::load(w + i), P::load(sums + i)).store(y + i);
  if (i < n)
    multiply_add(P::load_first(x + i, n - i), P::load_first(w + i, n - i), P::load_first(sums + i, n - i))
        .store_first(y + i, n - i);
}

/// y[i] = f(a[i], b[i]) for n numbers; y may be one of them, or lie before it.
template <class T, class F>
EIGENSTREAM_ALWAYS_INLINE void map_two(const T* a, const T* b, T* y, Index n, F&& f) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) f(P::load(a + i), P::load(b + i)).store(y + i);
  if (i < n) f(P::load_first(a + i, n - i), P::load_first(b + i, n - i)).store_first(y + i, n - i);
}

/// sum of a[i] * b[i] over n numbers, in an order that depends on n alone.
template <class T>
EIGENSTREAM_ALWAYS_INLINE T dot(const T* a, const T* b, Index n) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  P sum = P::broadcast(T(0));
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) sum = multiply_add(P::load(a + i), P::load(b + i), sum);
  if (i < n) sum = multiply_add(P::load_first(a + i, n - i), P::load_first(b + i, n - i), sum);
  T lane[P::lanes];
  sum.store(lane);
  T total = lane[0];
  for (Index k = 1; k < P::lanes; ++k) total += lane[k];
  return total;
}

/// y[2 i] = a[i] and y[2 i + 1] = b[i] for n pairs; and back.
template <class T>
EIGENSTREAM_ALWAYS_INLINE void to_pairs(const T* a, const T* b, T* y, Index n) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) simd::store_pairs(y + 2 * i, P::load(a + i), P::load(b + i));
  for (; i < n; ++i) y[2 * i] = a[i], y[2 * i + 1] = b[i];
}
template <class T>
EIGENSTREAM_ALWAYS_INLINE void from_pairs(const T* x, T* a, T* b, Index n) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  for (P even, odd; i + P::lanes <= n; i += P::lanes) {
    simd::load_pairs(x + 2 * i, even, odd);
    even.store(a + i), odd.store(b + i);
  }
  for (; i < n; ++i) a[i] = x[2 * i], b[i] = x[2 * i + 1];
}

/// y[i] = f(x[2 i], x[2 i + 1]) for n pairs.
template <class T, class F>
EIGENSTREAM_ALWAYS_INLINE void map_pairs(const T* x, T* y, Index n, F&& f) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  for (P even, odd; i + P::lanes <= n; i += P::lanes) {
    simd::load_pairs(x + 2 * i, even, odd);
    f(even, odd).store(y + i);
  }
  if (i == n) return;
  T rest[2 * P::lanes] = {};  // through the same operations
  std::copy_n(x + 2 * i, 2 * (n - i), rest);
  P even, odd;
  simd::load_pairs(rest, even, odd);
  f(even, odd).store_first(y + i, n - i);
}

/// y[i] = a[i] * b[i] for n numbers; y may be one of them.
template <class T>
EIGENSTREAM_ALWAYS_INLINE void multiply_pointwise(const T* a, const T* b, T* y, Index n) noexcept {
  map_two(a, b, y, n, [](auto x, auto w) { return x * w; });
}

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_MAP_HPP
