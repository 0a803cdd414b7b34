#ifndef EIGENSTREAM_KERNEL_WINDOW_REDUCE_HPP
#define EIGENSTREAM_KERNEL_WINDOW_REDUCE_HPP

#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

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

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_WINDOW_REDUCE_HPP
