#ifndef EIGENSTREAM_KERNEL_WINDOW_REDUCE_HPP
#define EIGENSTREAM_KERNEL_WINDOW_REDUCE_HPP

#include <algorithm>  // min

#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// Reduces a window of `taps` frames, `step` scalars apart, to one frame of `n` numbers:
///   y[i] = finish(combine(... combine(x[i], x[step + i]) ..., x[(taps-1)*step + i]))
/// Lanes run over the frame; the taps are combined in order. Loads may run one packet over the last frame.
template <class T, class Combine, class Finish>
EIGENSTREAM_ALWAYS_INLINE void window_reduce(const T* x, Index step, Index taps, Index n, T* y, Combine&& combine,
                                             Finish&& finish) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  for (Index i = 0; i < n; i += P::lanes) {
    P value = P::load(x + i);
    for (Index t = 1; t < taps; ++t) value = combine(value, P::load(x + t * step + i));
    value = finish(value);
    if (n - i >= P::lanes)
      value.store(y + i);
    else
      value.store_first(y + i, n - i);
  }
}

/// Reduces the n channels of some rows of columns to one column: each row by itself, then the rows, always in order.
///   y[i] = finish(combine(row 0, row 1, ...)), row r = combine(x[r*row_step + i], x[r*row_step + column_step + i], ...)
/// Reads nothing but these numbers.
template <class T, class Combine, class Finish>
EIGENSTREAM_ALWAYS_INLINE void block_reduce(const T* x, Index row_step, Index rows, Index column_step, Index columns, Index n,
                                            T* y, Combine&& combine, Finish&& finish) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  const auto reduce = [&](const T* from, auto&& load) EIGENSTREAM_INLINE_LAMBDA {
    P all = load(from);
    for (Index r = 0; r < rows; ++r) {
      const T* next = from + r * row_step;
      P row = load(next);
      for (Index c = 1; c < columns; ++c) row = combine(row, load(next += column_step));
      all = r == 0 ? row : combine(all, row);
    }
    return finish(all);
  };
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) reduce(x + i, [](const T* from) { return P::load(from); }).store(y + i);
  if (i < n) reduce(x + i, [&](const T* from) { return P::load_first(from, n - i); }).store_first(y + i, n - i);
}

/// The mean of `frames` frames of n numbers, one after the other, number by number. A few sums that are added in the end:
/// one alone would lose digits over thousands of frames. Reads nothing but these numbers.
template <class T>
void window_mean(const T* x, Index frames, Index n, T* y) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  constexpr Index run = 64;
  const P divisor = P::broadcast(static_cast<T>(frames));
  const auto mean = [&](const T* from, auto&& load) EIGENSTREAM_INLINE_LAMBDA {
    P total = P::broadcast(T(0));
    for (Index begin = 0; begin < frames; begin += run) {
      P sum = P::broadcast(T(0));
      for (Index t = begin; t < std::min(frames, begin + run); ++t) sum = sum + load(from + t * n);
      total = total + sum;
    }
    return total / divisor;
  };
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) mean(x + i, [](const T* from) { return P::load(from); }).store(y + i);
  if (i < n) mean(x + i, [&](const T* from) { return P::load_first(from, n - i); }).store_first(y + i, n - i);
}

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_WINDOW_REDUCE_HPP
