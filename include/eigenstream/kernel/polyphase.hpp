#ifndef EIGENSTREAM_KERNEL_POLYPHASE_HPP
#define EIGENSTREAM_KERNEL_POLYPHASE_HPP

#include <algorithm>  // min, max
#include <cmath>      // isfinite, isnan
#include <limits>     // the one NaN that comes out
#include <vector>     // panels

#include "eigenstream/kernel/aligned_vector.hpp"
#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// The kernel of a change of rate by up/down (in lowest terms) with a filter of finite length:
///   y[j] = sum over i of weight(i*up - j*down) * x[i],  |i*up - j*down| <= spread
///
/// SIMD lanes run over consecutive outputs, so there are no horizontal sums: a panel of outputs takes each input of the
/// union of its windows once, broadcast, times a packet of weights that is zero where the input is none of a lane's
/// own. Outputs are taken in groups of a multiple of `up`, after which the weights repeat; the columns of a tile are
/// the same panel of further groups, or of further channels, so that a weight is loaded once for several outputs.
///
/// Order of operations, the same for every output wherever its group begins, however many outputs are computed at once:
/// four partial sums, which take the inputs in turns, each a chain of multiply-adds from 0 on; they are added as
/// ((p0 + p2) + (p1 + p3)) + 0. Which partial sum comes first depends on where the panel's window begins, and that sum
/// is the same for all four cases. Weights of zero change nothing, save the sign of a zero, which the last addition
/// settles, and what is not finite: a zero times infinity is NaN. Where that shows, the panel is computed once more
/// with a selection instead, so that an output depends on its own inputs only.
template <class T>
class Polyphase {
 public:
  Polyphase() = default;

  /// weight(d) for d = -spread ... spread. Every output must have a tap: spread >= up / 2.
  template <class Weight>
  Polyphase(Index up, Index down, Index spread, Weight&& weight)
      : up_(up), down_(down), spread_(spread), blocks_(blocks_for(up)) {
    const Index outputs = up_ * blocks_;
    Index size = 0;
    for (Index q = 0; q < outputs; q += lanes) {
      const Index begin = first_input(q), end = last_input(std::min(q + lanes, outputs) - 1) + 1;
      panels_.push_back({size, begin, end - begin});
      size += (end - begin) * lanes;
    }
    weights_.assign(static_cast<std::size_t>(size), T(0));
    for (Index q = 0; q < outputs; ++q) {
      const Panel& panel = panels_[static_cast<std::size_t>(q / lanes)];
      for (Index i = first_input(q); i <= last_input(q); ++i)
        weights_[static_cast<std::size_t>(panel.weights + (i - panel.begin) * lanes + q % lanes)] =
            weight(i * up_ - q * down_);
    }
  }

  /// Inputs per group of outputs.
  Index group_inputs() const noexcept { return down_ * blocks_; }

  /// Weights that a kernel of these sizes would store where packets are as wide as they get, near enough to refuse what
  /// is too big: the same number in every build, so that all of them refuse the same.
  static double size_of(double up, double down, double spread) {
    constexpr int widest = 16;
    const double outputs = up * static_cast<double>(up < most_outputs ? blocks_for(static_cast<Index>(up), widest) : 1);
    const double window = (2 * spread + static_cast<double>(widest - 1) * down) / up + 2;
    return std::max(outputs, static_cast<double>(widest)) * window;
  }

  /// Outputs first ... first + count - 1, counted from the start of a period (0 <= first < up), for `channels`
  /// interleaved channels. Input i, counted from the same start, is at x + (shift + i) * channels; nothing but the
  /// outputs' own windows is read.
  EIGENSTREAM_OUTLINED void operator()(const T* x, Index shift, Index channels, Index first, Index count,
                                       T* y) const noexcept {
    channels == 1 ? run<true>(x, shift, 1, first, count, y) : run<false>(x, shift, channels, first, count, y);
  }

 private:
  static constexpr int lanes = simd::max_lanes<T>;
  static constexpr int sums = 4;
  static constexpr int most_columns = simd::registers == 32 ? 6 : 3;
  static constexpr double most_outputs = 4096;
  using P = simd::Packet<T, lanes>;

  struct Panel {
    Index weights;  // where they begin
    Index begin;    // first input of the union of its windows
    Index inputs;   // how many
  };

  // Periods in a group: the fewest that leave the fewest lanes idle, unless a period is long enough to hide them.
  static Index blocks_for(Index up, Index width = lanes) noexcept {
    Index best = 1;
    double least = 2;
    for (Index blocks = 1; blocks == 1 || blocks * up <= 8 * width; ++blocks) {
      const Index outputs = blocks * up, padded = (outputs + width - 1) / width * width;
      const double waste = static_cast<double>(padded) / static_cast<double>(outputs);
      if (waste < least - 0.01) best = blocks, least = waste;
    }
    return best;
  }
  // The inputs of output q, both counted from the start of a group.
  Index first_input(Index q) const noexcept {
    const Index reach = spread_ - q * down_;  // floor(reach / up) inputs before the start
    return reach >= 0 ? -(reach / up_) : (up_ - 1 - reach) / up_;
  }
  Index last_input(Index q) const noexcept { return (q * down_ + spread_) / up_; }

  template <bool Mono>
  EIGENSTREAM_ALWAYS_INLINE void run(const T* x, Index shift, Index channels, Index first, Index count,
                                     T* y) const noexcept {
    const Index outputs = up_ * blocks_, inputs = down_ * blocks_;
    if (first > 0 || count < outputs) {
      const Index some = std::min(outputs - first, count);
      part<Mono>(x, shift, channels, first, first + some, y);
      count -= some, y += some * channels, shift += inputs;
    }
    if (const Index groups = count / outputs; groups > 0) {
      full<Mono>(x, shift, channels, groups, y);
      count -= groups * outputs, y += groups * outputs * channels, shift += groups * inputs;
    }
    if (count > 0) part<Mono>(x, shift, channels, 0, count, y);
  }

  // Outputs from ... to - 1 of one group.
  template <bool Mono>
  void part(const T* x, Index shift, Index channels, Index from, Index to, T* y) const noexcept {
    for (Index q = from; q < to;) {
      const Index number = q / lanes, lane = q % lanes, end = std::min((number + 1) * lanes, to);
      const Panel& panel = panels_[static_cast<std::size_t>(number)];
      const bool whole = lane == 0 && end == (number + 1) * lanes;
      const Index begin = whole ? panel.begin : first_input(q);
      const Index n = whole ? panel.inputs : last_input(end - 1) + 1 - begin;
      const T* w = weights_.data() + panel.weights + (begin - panel.begin) * lanes;
      const T* own = x + (shift + begin) * channels;
      T* place = y + (q - from) * channels;
      if constexpr (Mono)
        tile<Mono, 1>(w, own, 1, 0, n, place, 0, lane, end - q);
      else
        columns<Mono>(w, own, channels, 1, n, channels, place, 1, lane, end - q);
      q = end;
    }
  }
  template <bool Mono>
  EIGENSTREAM_ALWAYS_INLINE void full(const T* x, Index shift, Index channels, Index groups, T* y) const noexcept {
    const Index outputs = up_ * blocks_, x_step = down_ * blocks_ * channels, y_step = outputs * channels;
    for (Index number = 0; number < static_cast<Index>(panels_.size()); ++number) {
      const Panel& panel = panels_[static_cast<std::size_t>(number)];
      const T* w = weights_.data() + panel.weights;
      const T* from = x + (shift + panel.begin) * channels;
      T* to = y + number * lanes * channels;
      const Index valid = std::min<Index>(lanes, outputs - number * lanes);
      if (Mono || groups >= channels) {
        for (Index c = 0; c < channels; ++c)
          columns<Mono>(w, from + c, channels, x_step, panel.inputs, groups, to + c, y_step, 0, valid);
      } else {
        for (Index g = 0; g < groups; ++g)
          columns<Mono>(w, from + g * x_step, channels, 1, panel.inputs, channels, to + g * y_step, 1, 0, valid);
      }
    }
  }

  // One panel for `count` columns, x_step and y_step scalars apart: n inputs, lanes lane ... lane + valid - 1.
  template <bool Mono>
  EIGENSTREAM_OUTLINED void columns(const T* w, const T* x, Index channels, Index x_step, Index n, Index count, T* y,
                                    Index y_step, Index lane, Index valid) const noexcept {
    for (; count >= most_columns; count -= most_columns, x += most_columns * x_step, y += most_columns * y_step)
      tile<Mono, most_columns>(w, x, channels, x_step, n, y, y_step, lane, valid);
    rest<Mono, most_columns - 1>(count, w, x, channels, x_step, n, y, y_step, lane, valid);
  }
  template <bool Mono, int Columns>
  EIGENSTREAM_ALWAYS_INLINE void rest(Index count, const T* w, const T* x, Index channels, Index x_step, Index n, T* y,
                                      Index y_step, Index lane, Index valid) const noexcept {
    if constexpr (Columns > 0) {
      if (count == Columns)
        tile<Mono, Columns>(w, x, channels, x_step, n, y, y_step, lane, valid);
      else
        rest<Mono, Columns - 1>(count, w, x, channels, x_step, n, y, y_step, lane, valid);
    }
  }

  template <bool Mono, int Columns>
  EIGENSTREAM_ALWAYS_INLINE void tile(const T* w, const T* x, Index channels, Index x_step, Index n, T* y,
                                      Index y_step, Index lane, Index valid) const noexcept {
    P sum[sums][Columns];
#pragma GCC unroll 4
    for (int s = 0; s < sums; ++s)
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) sum[s][c] = P::broadcast(T(0));
    const T* from[Columns];
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) from[c] = x + c * x_step;
    const auto add = [&](int s, Index at) EIGENSTREAM_INLINE_LAMBDA {
      const P weight = P::load(w + s * lanes);
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) sum[s][c] = multiply_add(weight, P::broadcast(from[c][at]), sum[s][c]);
    };
    const Index step = Mono ? 1 : channels;
    Index i = 0, at = 0;
    for (; i + sums <= n; i += sums, at += sums * step, w += sums * lanes) {
#pragma GCC unroll 4
      for (int s = 0; s < sums; ++s) add(s, at + s * step);
    }
#pragma GCC unroll 4
    for (int s = 0; s + 1 < sums; ++s)
      if (i + s < n) add(s, at + s * step);

    P probe = P::broadcast(T(0));
    P total[Columns];
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) {
      total[c] = ((sum[0][c] + sum[2][c]) + (sum[1][c] + sum[3][c])) + P::broadcast(T(0));
      probe = probe + total[c];
    }
    // An input that is not finite shows in all lanes.
    if (!std::isfinite(first(probe))) [[unlikely]]
      return carefully(w - i * lanes, x, channels, x_step, n, Columns, y, y_step, lane, valid);
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) {
      if (Mono && valid == lanes)
        total[c].store(y + c * y_step);
      else
        store_some(total[c], channels, y + c * y_step, lane, valid);
    }
  }

  static EIGENSTREAM_ALWAYS_INLINE void store_some(P total, Index channels, T* y, Index lane, Index valid) noexcept {
    T buffer[lanes];
    total.store(buffer);
    for (Index k = 0; k < valid; ++k) y[k * channels] = buffer[lane + k];
  }

  // The same sums, but what lies outside of a lane's window is left out instead of multiplied by zero. Which NaN comes
  // out would depend on the order of operands, so it is always the same one.
  EIGENSTREAM_NO_INLINE void carefully(const T* w, const T* x, Index channels, Index x_step, Index n, Index count, T* y,
                                       Index y_step, Index lane, Index valid) const noexcept {
    const P zero = P::broadcast(T(0));
    for (; count > 0; --count, x += x_step, y += y_step) {
      P sum[sums] = {zero, zero, zero, zero};
      for (Index i = 0; i < n; ++i) {
        const P weight = P::load(w + i * lanes);
        const P more = multiply_add(weight, P::broadcast(x[i * channels]), sum[i % sums]);
        sum[i % sums] = select_greater(abs(weight), zero, more, sum[i % sums]);
      }
      const P total = lanewise(((sum[0] + sum[2]) + (sum[1] + sum[3])) + zero, [](T value) {
        return std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value;
      });
      store_some(total, channels, y, lane, valid);
    }
  }

  Index up_ = 1, down_ = 1, spread_ = 0;
  Index blocks_ = 1;           // periods in a group
  std::vector<Panel> panels_;  // of a group
  AlignedVector<T> weights_;   // [panel][input][lane]
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_POLYPHASE_HPP
