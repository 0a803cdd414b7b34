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
/// the same panels of further groups, or of further channels, so that a weight is loaded once for several outputs. Two panels
/// side by side take the inputs that both have at once, so that an input is loaded once for both. The last group of several may
/// lie over the one before: the same outputs once more.
///
/// Order of operations, the same for every output wherever its group begins, however many outputs are computed at once:
/// two partial sums, which take the inputs in turns, each a chain of multiply-adds from 0 on; they are added as
/// (p0 + p1) + 0. Which partial sum comes first depends on where the panel's window begins, and that sum is the same for both
/// cases. Weights of zero change nothing, save the sign of a zero, which the last addition settles, and what is not finite: a
/// zero times infinity is NaN. Where that shows, the panel is computed once more with a selection instead, so that an output
/// depends on its own inputs only.
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
      panels_.push_back({size + lanes, begin, end - begin});
      size += (end - begin + 2) * lanes;  // and a row of zeros on either side
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
    const double outputs = up * static_cast<double>(up < most_outputs ? blocks_for(static_cast<Index>(up), 2 * widest) : 1);
    const double window = (2 * spread + static_cast<double>(widest - 1) * down) / up + 4;
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
  static constexpr int sums = 2;
  static constexpr int most_columns = simd::registers == 32 ? 6 : 3;  // of two panels
  static constexpr double most_outputs = 4096;
  using P = simd::Packet<T, lanes>;

  struct Panel {
    Index weights;  // where they begin
    Index begin;    // first input of the union of its windows
    Index inputs;   // how many
  };

  // Periods in a group: the fewest that leave the fewest lanes of two panels idle, unless a period is long enough to hide them.
  static Index blocks_for(Index up, Index width = 2 * lanes) noexcept {
    Index best = 1;
    double least = 2;
    for (Index blocks = 1; blocks == 1 || blocks * up <= 4 * width; ++blocks) {
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
    if (const Index groups = count / outputs, rest = count - groups * outputs; groups > 0) {
      const Index last = rest % up_ == 0 ? count - outputs : (groups - 1) * outputs;  // where the last group begins
      full<Mono>(x, shift, channels, groups + (rest > 0 && rest % up_ == 0), last, y);
      if (rest % up_ == 0) return;
      count = rest, y += groups * outputs * channels, shift += groups * inputs;
    }
    if (count > 0) part<Mono>(x, shift, channels, 0, count, y);
  }

  // Panels side by side: their weights, and the inputs that only the first takes, both, and only the second, in this order.
  struct Strip {
    const T* w[2];
    Index first, both, second;
    Index lane, valid;  // what is stored of the last panel
  };
  // Of all but the last of these an even number, so that an input belongs to the same partial sum of both panels: rows of zeros
  // make up for it.
  static Strip side_by_side(const T* w, const T* next, Index first, Index both, Index second, Index valid) noexcept {
    if (first % 2 == 1) --first, ++both, next -= lanes;
    if (both % 2 == 1 && second > 0) ++both, --second;
    return {{w, next}, first, both, second, 0, valid};
  }
  // Columns: `count`, x_step and y_step apart, but the last one begins x_last and y_last behind the first.
  struct Columns {
    const T* x;
    Index x_step, x_last;
    T* y;
    Index y_step, y_last;
    Index count;
    EIGENSTREAM_ALWAYS_INLINE const T* from(Index c) const noexcept { return x + (c + 1 < count ? c * x_step : x_last); }
    EIGENSTREAM_ALWAYS_INLINE T* to(Index c) const noexcept { return y + (c + 1 < count ? c * y_step : y_last); }
  };
  // The channels of one frame.
  static Columns of_frame(const T* x, Index channels, T* y) noexcept { return {x, 1, channels - 1, y, 1, channels - 1, channels}; }

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
      tiles<Mono, 1>({{w, w}, n, 0, 0, lane, end - q}, channels, of_frame(x + (shift + begin) * channels, channels, y + (q - from) * channels));
      q = end;
    }
  }
  // `groups` groups one after another, but the last one begins with output `last`.
  template <bool Mono>
  EIGENSTREAM_ALWAYS_INLINE void full(const T* x, Index shift, Index channels, Index groups, Index last, T* y) const noexcept {
    const Index outputs = up_ * blocks_, panels = static_cast<Index>(panels_.size());
    for (Index number = 0; number < panels;) {
      const Panel& panel = panels_[static_cast<std::size_t>(number)];
      const T* w = weights_.data() + panel.weights;
      const T* from = x + (shift + panel.begin) * channels;
      T* to = y + number * lanes * channels;
      const auto valid = [&](Index k) { return std::min<Index>(lanes, outputs - k * lanes); };
      if (number + 1 < panels) {
        const Panel& next = panels_[static_cast<std::size_t>(number + 1)];
        const Index before = next.begin - panel.begin, both = panel.inputs - before;
        if (both > 1) {
          over_groups<Mono, 2>(side_by_side(w, weights_.data() + next.weights, before, both, next.inputs - both, valid(number + 1)),
                               from, channels, groups, last, to);
          number += 2;
          continue;
        }
      }
      over_groups<Mono, 1>({{w, w}, panel.inputs, 0, 0, 0, valid(number)}, from, channels, groups, last, to);
      ++number;
    }
  }
  template <bool Mono, int Panels>
  EIGENSTREAM_ALWAYS_INLINE void over_groups(const Strip& strip, const T* x, Index channels, Index groups, Index last,
                                             T* y) const noexcept {
    const Index x_step = down_ * blocks_ * channels, y_step = up_ * blocks_ * channels;
    const Index x_last = last / up_ * down_ * channels, y_last = last * channels;
    if (Mono || groups >= channels) {
      for (Index c = 0; c < channels; ++c)
        tiles<Mono, Panels>(strip, channels, {x + c, x_step, x_last, y + c, y_step, y_last, groups});
    } else {
      for (Index g = 0; g + 1 < groups; ++g)
        tiles<Mono, Panels>(strip, channels, of_frame(x + g * x_step, channels, y + g * y_step));
      tiles<Mono, Panels>(strip, channels, of_frame(x + x_last, channels, y + y_last));
    }
  }

  template <bool Mono, int Panels>
  EIGENSTREAM_OUTLINED void tiles(const Strip& strip, Index channels, const Columns& columns) const noexcept {
    Index c = 0;
    for (; c + most_columns <= columns.count; c += most_columns) tile<Mono, Panels, most_columns>(strip, channels, columns, c);
    rest<Mono, Panels, most_columns - 1>(strip, channels, columns, c);
  }
  template <bool Mono, int Panels, int Count>
  EIGENSTREAM_ALWAYS_INLINE void rest(const Strip& strip, Index channels, const Columns& columns, Index c) const noexcept {
    if constexpr (Count > 0) {
      if (columns.count - c == Count)
        tile<Mono, Panels, Count>(strip, channels, columns, c);
      else
        rest<Mono, Panels, Count - 1>(strip, channels, columns, c);
    }
  }

  // `Count` columns from number `begin` on.
  template <bool Mono, int Panels, int Count>
  EIGENSTREAM_ALWAYS_INLINE void tile(const Strip& strip, Index channels, const Columns& columns, Index begin) const noexcept {
    P sum[sums][Count][Panels];
#pragma GCC unroll 2
    for (int s = 0; s < sums; ++s)
#pragma GCC unroll 8
      for (int c = 0; c < Count; ++c)
#pragma GCC unroll 2
        for (int r = 0; r < Panels; ++r) sum[s][c][r] = P::broadcast(T(0));
    const T* from[Count];
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c) from[c] = columns.from(begin + c);
    const Index step = Mono ? 1 : channels;
    Index at = 0;
    const T* w[2] = {strip.w[0], strip.w[1]};
    // n inputs of panels First ... Last.
    const auto inputs = [&]<int First, int Last>(Index n) EIGENSTREAM_INLINE_LAMBDA {
      const auto add = [&](int s, Index k) EIGENSTREAM_INLINE_LAMBDA {
        P weight[2];
#pragma GCC unroll 2
        for (int r = First; r <= Last; ++r) weight[r] = in_register(P::load(w[r] + k * lanes));
#pragma GCC unroll 8
        for (int c = 0; c < Count; ++c) {
          const P input = P::broadcast(from[c][at + k * step]);
#pragma GCC unroll 2
          for (int r = First; r <= Last; ++r) sum[s][c][r] = multiply_add(weight[r], input, sum[s][c][r]);
        }
      };
      const auto advance = [&](Index k) EIGENSTREAM_INLINE_LAMBDA {
        at += k * step;
#pragma GCC unroll 2
        for (int r = First; r <= Last; ++r) w[r] += k * lanes;
      };
      for (; n >= 2; n -= 2, advance(2)) add(0, 0), add(1, 1);
      if (n > 0) add(0, 0);
    };
    inputs.template operator()<0, 0>(strip.first);
    if constexpr (Panels == 2) {
      inputs.template operator()<0, 1>(strip.both);
      inputs.template operator()<1, 1>(strip.second);
    }

    P probe = P::broadcast(T(0));
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c)
#pragma GCC unroll 2
      for (int r = 0; r < Panels; ++r) {
        sum[0][c][r] = (sum[0][c][r] + sum[1][c][r]) + P::broadcast(T(0));
        probe = probe + sum[0][c][r];
      }
    // An input that is not finite shows in all lanes.
    if (!std::isfinite(first(probe))) [[unlikely]] {
      for (int c = 0; c < Count; ++c) carefully<Panels>(strip, channels, columns.from(begin + c), columns.to(begin + c));
      return;
    }
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c)
#pragma GCC unroll 2
      for (int r = 0; r < Panels; ++r) {
        const bool is_last = r + 1 == Panels;
        T* y = columns.to(begin + c) + r * lanes * channels;
        if (Mono && (!is_last || strip.valid == lanes))
          sum[0][c][r].store(y);
        else
          store_some(sum[0][c][r], channels, y, is_last ? strip.lane : 0, is_last ? strip.valid : lanes);
      }
  }

  static EIGENSTREAM_ALWAYS_INLINE void store_some(P total, Index channels, T* y, Index lane, Index valid) noexcept {
    T buffer[lanes];
    total.store(buffer);
    for (Index k = 0; k < valid; ++k) y[k * channels] = buffer[lane + k];
  }

  // The same sums of one column, but what lies outside of a lane's window is left out instead of multiplied by zero. Which NaN
  // comes out would depend on the order of operands, so it is always the same one.
  template <int Panels>
  EIGENSTREAM_NO_INLINE void carefully(const Strip& strip, Index channels, const T* x, T* y) const noexcept {
    const P zero = P::broadcast(T(0));
    for (int r = 0; r < Panels; ++r) {
      const T* from = x + r * strip.first * channels;
      const Index n = r == 0 ? strip.first + strip.both : strip.both + strip.second;
      P sum[sums] = {zero, zero};
      for (Index i = 0; i < n; ++i) {
        const P weight = P::load(strip.w[r] + i * lanes);
        const P more = multiply_add(weight, P::broadcast(from[i * channels]), sum[i % sums]);
        sum[i % sums] = select_greater(abs(weight), zero, more, sum[i % sums]);
      }
      const P total = lanewise((sum[0] + sum[1]) + zero, [](T value) {
        return std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value;
      });
      const bool is_last = r + 1 == Panels;
      store_some(total, channels, y + r * lanes * channels, is_last ? strip.lane : 0, is_last ? strip.valid : lanes);
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
