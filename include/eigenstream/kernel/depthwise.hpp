#ifndef EIGENSTREAM_KERNEL_DEPTHWISE_HPP
#define EIGENSTREAM_KERNEL_DEPTHWISE_HPP

#include <algorithm>  // min
#include <numeric>    // gcd

#include "eigenstream/kernel/packet.hpp"
#include "eigenstream/kernel/tap_sum.hpp"  // TapOffsets

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// Depthwise convolution of one column: y[c] = bias[c] + sum over taps t of w[t][c] * x[offset(t) + c]
/// Lanes run over channels; the order is bias first, then the taps, one chain per channel. Nothing but the columns' own inputs
/// is read.
///
/// Columns that lie one after another, as those of a stream do, are one run of numbers, in which the weights repeat after some
/// registers, so that no lane idles whatever the number of channels (unless it takes too many registers until they repeat).
/// The last register of a run lies over the one before where the run ends within it: the same numbers once more. Weights and
/// bias are packed [tap][number in the pattern], and go on for a register behind the pattern; a pattern begins with channel 0.
template <class T, Index Channels = Dynamic, Index Taps = Dynamic>
class Depthwise {
 public:
  static constexpr bool is_static = Channels != Dynamic && Taps != Dynamic;

  Depthwise() = default;
  /// w(c, t) gives the weight, bias(c) the bias.
  template <class Weight, class Bias>
  Depthwise(Index channels, Index taps, Weight&& weight, Bias&& bias)
      : channels_(channels), taps_(taps), pattern_(pattern_of(channels)) {
    const bool idle = !repeats_for(channels);
    const auto pack = [&](AlignedVector<T>& to, auto&& value) {
      for (Index i = 0; i < tap_step(); ++i) to.push_back(idle && i >= channels ? T(0) : value(i % channels));
    };
    pack(bias_, bias);
    for (Index t = 0; t < taps; ++t) pack(weights_, [&](Index c) { return weight(c, t); });
  }

  /// The weight w(c, t) and the bias that were given.
  T weight(Index c, Index t) const noexcept { return weights_[static_cast<std::size_t>(t * tap_step() + c)]; }
  T bias(Index c) const noexcept { return bias_[static_cast<std::size_t>(c)]; }

  /// Computes `columns` columns, x_step scalars apart, to y, where they are y_step scalars apart.
  EIGENSTREAM_OUTLINED void operator()(const T* x, Index x_step, TapOffsets offset, Index columns, T* y,
                                       Index y_step) const noexcept {
    const bool in_a_run = x_step == channels() && y_step == channels() && repeats_for(channels());
    if (columns == 1 || (in_a_run && columns * channels() < widest)) {
      for (; columns > 0; --columns, x += x_step, y += y_step) single(x, offset, y);
      return;
    }
    // So many columns at a time that they stay in the first-level cache while register after register passes over them.
    const Index most = channels() <= 32 ? 256 : 32;
    for (; columns > 0; columns -= most, x += most * x_step, y += most * y_step) {
      const Index some = std::min(columns, most);
      if (!in_a_run || some * channels() < widest)
        apart(x, x_step, offset, some, y, y_step);
      else
        run(x, offset, some, y);
    }
  }

  /// One column with sizes fixed at compile time, whose taps are `step` scalars apart. The last one is the frame `newest`, which
  /// is copied to its place behind the others on the way: what is loaded at the next call is then what was stored in one piece.
  EIGENSTREAM_ALWAYS_INLINE void append(T* first, Index step, const T* newest, T* y) const noexcept
    requires(is_static)
  {
    constexpr int width = width_for(Channels);
    using P = simd::Packet<T, width>;
    const T *w = weights_.data(), *bias = bias_.data();
#pragma GCC unroll 32
    for (Index c = 0; c < Channels; c += width) {
      const bool whole = Channels - c >= width;
      const auto load = [&](const T* from) EIGENSTREAM_INLINE_LAMBDA {
        return whole ? P::load(from + c) : P::load_first(from + c, Channels - c);
      };
      const auto store = [&](P value, T* to) EIGENSTREAM_INLINE_LAMBDA {
        whole ? value.store(to + c) : value.store_first(to + c, Channels - c);
      };
      P sum = P::load(bias + c);
#pragma GCC unroll 16
      for (Index t = 0; t + 1 < Taps; ++t) sum = multiply_add(P::load(w + t * tap_step() + c), load(first + t * step), sum);
      const P last = load(newest);
      store(last, first + (Taps - 1) * step);
      store(multiply_add(P::load(w + (Taps - 1) * tap_step() + c), last, sum), y);
    }
  }

 private:
  static constexpr int widest = simd::max_lanes<T>, narrowest = simd::min_lanes<T>;
  static constexpr int tile_registers = 8;
  static constexpr int width_for(Index channels) noexcept {
    int width = narrowest;
    while (2 * width <= channels && 2 * width <= widest) width *= 2;
    return width;
  }
  // Columns until the weights repeat, a power of two; and whether that takes but a few registers.
  static constexpr Index columns_for(Index channels) noexcept { return widest / std::gcd(channels, Index{widest}); }
  static constexpr bool repeats_for(Index channels) noexcept { return channels % widest == 0 || channels <= 16; }
  static constexpr Index pattern_of(Index channels) noexcept {
    return repeats_for(channels) ? channels * columns_for(channels) : (channels + widest - 1) / widest * widest;
  }

  EIGENSTREAM_ALWAYS_INLINE Index channels() const noexcept { return Channels != Dynamic ? Channels : channels_; }
  EIGENSTREAM_ALWAYS_INLINE Index taps() const noexcept { return Taps != Dynamic ? Taps : taps_; }
  EIGENSTREAM_ALWAYS_INLINE Index pattern() const noexcept {
    if constexpr (Channels != Dynamic) return pattern_of(Channels);
    return pattern_;
  }
  EIGENSTREAM_ALWAYS_INLINE Index tap_step() const noexcept { return pattern() + widest; }

  // A single column, often of a frame that was written just now: in registers as narrow as the channels allow.
  EIGENSTREAM_ALWAYS_INLINE void single(const T* x, TapOffsets offset, T* y) const noexcept {
    if constexpr (narrowest < widest)
      if (channels() <= narrowest) return one_column<narrowest>(x, offset, y);
    if constexpr (2 * narrowest < widest)
      if (channels() <= 2 * narrowest) return one_column<2 * narrowest>(x, offset, y);
    one_column<widest>(x, offset, y);
  }
  template <int Width>
  EIGENSTREAM_ALWAYS_INLINE void one_column(const T* x, TapOffsets offset, T* y) const noexcept {
    Index c = 0;
    for (; c + Width <= channels(); c += Width) tile<Width, 1, false>(c, x + c, 0, offset, y + c, 0, Width);
    if (c < channels()) tile<Width, 1, true>(c, x + c, 0, offset, y + c, 0, channels() - c);
  }

  // Columns one after another, a register at least.
  EIGENSTREAM_ALWAYS_INLINE void run(const T* x, TapOffsets offset, Index columns, T* y) const noexcept {
    const Index period = pattern(), each = period / channels(), periods = columns / each, all = columns * channels();
    const bool neighbours = taps() > 0 && offset(taps() - 1) == (taps() - 1) * channels();
    for (Index i = 0; i < period; i += widest)
      if (!neighbours || !roll_each(i, x + i, each, periods, y + i))
        registers(i, x + i, period, offset, periods, y + i, period);
    const Index done = periods * period;
    Index i = done;
    for (; i + widest <= all; i += widest) tile<widest, 1, false>(i - done, x + i, 0, offset, y + i, 0, widest);
    if (i < all) {
      i = all - widest;
      tile<widest, 1, false>(i >= done ? i - done : period - (done - i), x + i, 0, offset, y + i, 0, widest);
    }
  }
  // Columns one by one.
  EIGENSTREAM_ALWAYS_INLINE void apart(const T* x, Index x_step, TapOffsets offset, Index columns, T* y,
                                       Index y_step) const noexcept {
    Index c = 0;
    for (; c + widest <= channels(); c += widest) registers(c, x + c, x_step, offset, columns, y + c, y_step);
    if (c < channels())
      for (Index m = 0; m < columns; ++m)
        tile<widest, 1, true>(c, x + m * x_step + c, 0, offset, y + m * y_step + c, 0, channels() - c);
  }

  // n registers, x_step and y_step apart, all with the weights from `at` on.
  EIGENSTREAM_ALWAYS_INLINE void registers(Index at, const T* x, Index x_step, TapOffsets offset, Index n, T* y,
                                           Index y_step) const noexcept {
    for (; n >= tile_registers; n -= tile_registers, x += tile_registers * x_step, y += tile_registers * y_step)
      tile<widest, tile_registers, false>(at, x, x_step, offset, y, y_step, widest);
    for (; n > 0; --n, x += x_step, y += y_step) tile<widest, 1, false>(at, x, x_step, offset, y, y_step, widest);
  }
  // If `Partial` the first `valid` lanes of them.
  template <int Width, int Count, bool Partial>
  EIGENSTREAM_ALWAYS_INLINE void tile(Index at, const T* x, Index x_step, TapOffsets offset, T* y, Index y_step,
                                      Index valid) const noexcept {
    using P = simd::Packet<T, Width>;
    P sum[Count];
#pragma GCC unroll 8
    for (int m = 0; m < Count; ++m) sum[m] = P::load(bias_.data() + at);
    const T* w = weights_.data() + at;
    const auto add = [&](Index t) EIGENSTREAM_INLINE_LAMBDA {
      const P weight = P::load(w + t * tap_step());
      const T* from = x + offset(t);
#pragma GCC unroll 8
      for (int m = 0; m < Count; ++m, from += x_step)
        sum[m] = multiply_add(weight, Partial ? P::load_first(from, valid) : P::load(from), sum[m]);
    };
    if constexpr (Taps != Dynamic && Taps <= 9) {
#pragma GCC unroll 9
      for (Index t = 0; t < Taps; ++t) add(t);
    } else {
      for (Index t = 0; t < taps(); ++t) add(t);
    }
#pragma GCC unroll 8
    for (int m = 0; m < Count; ++m, y += y_step) Partial ? sum[m].store_first(y, valid) : sum[m].store(y);
  }

  // The same of taps that are neighbours, of which there are 2 to 9: each register of inputs is loaded once for all sums that it
  // belongs to, and the weights stay in registers. With sizes known at run time only those numbers of taps that are usual, and
  // no pattern of several columns.
  static constexpr int rolled = simd::registers == 32 ? 8 : 4;
  EIGENSTREAM_ALWAYS_INLINE bool roll_each(Index at, const T* x, Index each, Index n, T* y) const noexcept {
    if constexpr (is_static) {
      constexpr bool rolls = Taps > 1 && Taps <= 9 && repeats_for(Channels);
      if constexpr (rolls) roll_all<rolled, Taps, pattern_of(Channels) / Channels>(at, x, n, y);
      return rolls;
    } else {
      if (each != 1) return false;
      if (taps() == 3) return roll_all<rolled, 3, 1>(at, x, n, y), true;
      if (taps() == 5) return roll_all<rolled, 5, 1>(at, x, n, y), true;
      if (taps() == 7) return roll_all<rolled, 7, 1>(at, x, n, y), true;
      if (taps() == 9) return roll_all<rolled, 9, 1>(at, x, n, y), true;
      return false;
    }
  }
  // n registers; the last few lie over those before, if there are so many.
  template <int Count, Index Taken, Index Each>
  EIGENSTREAM_ALWAYS_INLINE void roll_all(Index at, const T* x, Index n, T* y) const noexcept {
    if constexpr (Count > 0) {
      const Index period = Each * channels();
      if (n < Count) return roll_all<Count / 2, Taken, Each>(at, x, n, y);
      for (; n >= Count; n -= Count, x += Count * period, y += Count * period) roll<Count, Taken, Each>(at, x, y);
      if (n > 0) roll<Count, Taken, Each>(at, x + (n - Count) * period, y + (n - Count) * period);
    }
  }
  template <int Count, Index Taken, Index Each>
  EIGENSTREAM_ALWAYS_INLINE void roll(Index at, const T* x, T* y) const noexcept {
    using P = simd::Packet<T, widest>;
    P sum[Count], weight[Taken];
#pragma GCC unroll 8
    for (int m = 0; m < Count; ++m) sum[m] = P::load(bias_.data() + at);
#pragma GCC unroll 9
    for (Index t = 0; t < Taken; ++t) weight[t] = P::load(weights_.data() + t * tap_step() + at);
#pragma GCC unroll 128
    for (Index i = 0; i < (Count - 1) * Each + Taken; ++i, x += channels()) {
      if (Each > Taken && i % Each >= Taken) continue;
      const P input = P::load(x);
#pragma GCC unroll 8
      for (Index m = 0; m < Count; ++m)
        if (const Index t = i - m * Each; t >= 0 && t < Taken) sum[m] = multiply_add(weight[t], input, sum[m]);
    }
#pragma GCC unroll 8
    for (Index m = 0; m < Count; ++m, y += Each * channels()) sum[m].store(y);
  }

  Index channels_ = 0, taps_ = 0;
  Index pattern_ = 0;
  AlignedVector<T> weights_;
  AlignedVector<T> bias_;
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_DEPTHWISE_HPP
