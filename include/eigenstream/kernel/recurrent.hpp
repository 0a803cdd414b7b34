#ifndef EIGENSTREAM_KERNEL_RECURRENT_HPP
#define EIGENSTREAM_KERNEL_RECURRENT_HPP

#include <algorithm>    // min, max, copy_n
#include <type_traits>  // is_same

#include "eigenstream/kernel/aligned_vector.hpp"
#include "eigenstream/kernel/elementary.hpp"
#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What a recurrent layer does with each frame.
enum class RecurrentCell { rnn_tanh, rnn_relu, gru, lstm, lstm_fast };
constexpr bool is_lstm_cell(RecurrentCell cell) noexcept { return cell == RecurrentCell::lstm || cell == RecurrentCell::lstm_fast; }

/// Gates of a cell: how often the hidden units are in the rows of its weights.
constexpr Index gates_of(RecurrentCell cell) noexcept {
  return cell == RecurrentCell::gru ? 3 : is_lstm_cell(cell) ? 4 : 1;
}

namespace kernel {

// A step of a small layer takes as long as its longest chain of operations, and most of it is the gates' functions: here is
// tanh with few operations behind one another (polynomials by halves), as exact as that of elementary.hpp to a unit in the
// last place or two. Other types than float take that one. The sigmoid there has few as it is.

/// factor * tanh(given), by the rational function that Eigen takes.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE simd::Packet<T, N> times_tanh(simd::Packet<T, N> factor, simd::Packet<T, N> given) noexcept {
  namespace ei = simd::ei;
  if constexpr (std::is_same_v<T, float> && N > 1) {
    using P = simd::Packet<T, N>;
    const P limit = P::broadcast(7.90531110763549805f);
    const P x{ei::pmin(ei::pmax(given.native, (P::broadcast(0.0f) - limit).native), limit.native)};
    const P y = x * x, y2 = y * y;
    const P p1 = multiply_add(y, P::broadcast(6.37261928875436e-04f), P::broadcast(4.89352455891786e-03f));
    const P p5 = multiply_add(y, P::broadcast(5.12229709037114e-08f), P::broadcast(1.48572235717979e-05f));
    const P p9 = multiply_add(y, P::broadcast(2.00018790482477e-13f), P::broadcast(-8.60467152213735e-11f));
    const P q0 = multiply_add(y, P::broadcast(2.26843463243900e-03f), P::broadcast(4.89352518554385e-03f));
    const P q4 = multiply_add(y, P::broadcast(1.19825839466702e-06f), P::broadcast(1.18534705686654e-04f));
    const P high = multiply_add(y2, P::broadcast(-2.76076847742355e-16f), p9);
    const P p = multiply_add(y2 * y2, high, multiply_add(y2, p5, p1)), q = multiply_add(y2, q4, q0);
    // Of small numbers, and NaN, it is the number itself.
    return {ei::pselect(ei::pcmp_le(P::broadcast(0.0004f).native, ei::pabs(given.native)),
                        (((factor * x) * p) / q).native, (factor * given).native)};
  } else {
    return factor * simd::tanh(given);
  }
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE simd::Packet<T, N> gate_tanh(simd::Packet<T, N> x) noexcept {
  return times_tanh(simd::Packet<T, N>::broadcast(T(1)), x);
}

/// The steps of a recurrent layer. The gates are one after the other.
///   rnn    y = f(s),  s = a + V h,  a = W x + both biases
///   gru    r, z = sigmoid(s_r), sigmoid(s_z),  n = tanh(r b_n + a_n),  y = (1 - z) n + z h,  b_n = its bias + V_n h
///   lstm   i, f, o = sigmoid(s),  g = tanh(s_g),  cell = f cell + i g,  y = o tanh(cell)
///   lstm_fast   the same with fast_tanh(v) for tanh(v), and (fast_tanh(v / 2) + 1) / 2 for sigmoid(v)
/// Order of operations, the same for every unit wherever it stands and however many columns are computed at once:
/// `sums` partial sums; input i, and then unit i of h, belong to partial sum i mod sums; the first starts with the
/// bias, the others with 0; each is a chain of multiply-adds in order of i; at the end they are added as ((p0 + p1) +
/// (p2 + p3)). Of a large layer a is given, and the first partial sum starts with it.
///
/// SIMD lanes run over units; a panel is one or two registers of units with all their gates, which stay in registers
/// until the step is done. A step of a small layer takes as long as its longest chain: there the product with x is
/// within the step (fused), for the processor to do it while it waits for the functions of the panel before. Of a large
/// one it is ahead. Weights are packed [panel][input, then unit][gate][unit].
template <RecurrentCell Cell, class T>
class RecurrentSteps {
 public:
  RecurrentSteps() = default;

  /// in(o, i) gives the weight of input i, w(o, i) that of unit i before, bias(o) the bias of both, but of a gru's n
  /// (rows from 2 hidden on) that of the input, and apart(o) the other one.
  template <class InputWeight, class Weight, class Bias, class Apart>
  RecurrentSteps(Index hidden, Index inputs, Index len, InputWeight&& in, Weight&& w, Bias&& bias, Apart&& apart)
      : hidden_(hidden), inputs_(inputs), len_(len), lanes_(fuses(hidden, inputs) ? lanes_for(hidden) : widest) {
    const Index width = lanes_ * regs_for(hidden, fuses(hidden, inputs));
    const auto pack = [&](Index first, auto&& row) {
      for (Index g = 0; g < gates; ++g)
        for (Index u = first; u < first + width; ++u) weights_.push_back(u < hidden ? row(g * hidden + u) : T(0));
    };
    for (Index first = 0; first < hidden; first += width) {
      if (fuses(hidden, inputs))
        for (Index i = 0; i < inputs; ++i) pack(first, [&](Index o) { return in(o, i); });
      for (Index i = 0; i < len; ++i) pack(first, [&](Index o) { return w(o, i); });
      for (Index g = 0; g < sums_of_gates; ++g)
        for (Index u = first; u < first + width; ++u)
          bias_.push_back(u >= hidden ? T(0) : g < gates ? bias(g * hidden + u) : apart(2 * hidden + u));
    }
  }

  /// Whether the product with x belongs to the steps.
  static constexpr bool fuses(Index hidden, Index inputs) noexcept { return hidden <= 32 && hidden * inputs <= 1024; }
  /// Numbers that may be read behind the last one of a.
  static constexpr Index overrun = 2 * simd::max_lanes<T>;

  /// n frames of `columns` columns to y (hidden, columns, n): of x (inputs, columns, n), or of a (gates * hidden,
  /// columns, n) if the steps do not fuse. `before` (len, columns) is what went before; with several frames len is
  /// `hidden`. `cell` (hidden, columns) is read and written by an lstm only. The last frame goes to `last`, too, if
  /// that is given; it may be `before`.
  EIGENSTREAM_OUTLINED void operator()(const T* x, Index n, Index columns, const T* before, T* cell, T* y,
                                       T* last) const noexcept {
    if (!fuses(hidden_, inputs_)) {
      if (regs_for(hidden_, false) == 1) return ahead<1>(x, n, columns, before, cell, y, last);
      return ahead<2>(x, n, columns, before, cell, y, last);
    }
    if constexpr (narrowest < widest) {
      if (lanes_ == narrowest) return fused<narrowest, 1>(x, n, columns, before, cell, y, last);
    }
    if constexpr (2 * narrowest < widest) {
      if (lanes_ == 2 * narrowest) return fused<2 * narrowest, 1>(x, n, columns, before, cell, y, last);
    }
    if (regs_for(hidden_, true) == 1) return fused<widest, 1>(x, n, columns, before, cell, y, last);
    fused<widest, 2>(x, n, columns, before, cell, y, last);
  }

 private:
  static constexpr int gates = static_cast<int>(gates_of(Cell));
  static constexpr bool is_gru = Cell == RecurrentCell::gru, is_lstm = is_lstm_cell(Cell);
  static constexpr int sums_of_gates = gates + (is_gru ? 1 : 0);  // the last one of a gru: b_n
  static constexpr int widest = simd::max_lanes<T>;
  static constexpr int narrowest = std::min(widest, std::max(4, simd::min_lanes<T>));
  static constexpr int lanes_for(Index hidden) noexcept {
    int lanes = narrowest;
    while (lanes < widest && lanes < hidden) lanes *= 2;
    return lanes;
  }
  // Of a small layer two registers are a panel if all units are in them: its sums are then done before its functions
  // begin.
  static constexpr int regs_for(Index hidden, bool fused) noexcept {
    return hidden <= widest || (fused && hidden > 2 * widest) ? 1 : 2;
  }
  // Partial sums, of the law: eight chains or so.
  static constexpr int sums_for(int regs, bool fused) noexcept {
    return gates == 1 ? 4 / regs : regs == 1 || (fused && simd::registers == 32) ? 2 : 1;
  }

  // From the sums to the step's result, one unit in each lane.
  template <class P>
  static EIGENSTREAM_ALWAYS_INLINE P step(const P (&sum)[sums_of_gates], P before, P& cell) noexcept {
    if constexpr (Cell == RecurrentCell::rnn_tanh) {
      return gate_tanh(sum[0]);
    } else if constexpr (Cell == RecurrentCell::rnn_relu) {
      return max(sum[0], P::broadcast(T(0)));
    } else if constexpr (is_gru) {
      const P r = simd::sigmoid(sum[0]), z = simd::sigmoid(sum[1]), fresh = gate_tanh(multiply_add(r, sum[3], sum[2]));
      return multiply_add(P::broadcast(T(1)) - z, fresh, z * before);
    } else if constexpr (Cell == RecurrentCell::lstm_fast) {
      const P half = P::broadcast(T(0.5));
      const auto sigmoid = [half](P v) EIGENSTREAM_INLINE_LAMBDA { return multiply_add(half, simd::fast_tanh(half * v), half); };
      const P in = sigmoid(sum[0]), forget = sigmoid(sum[1]), out = sigmoid(sum[3]);
      cell = multiply_add(forget, cell, in * simd::fast_tanh(sum[2]));
      return out * simd::fast_tanh(cell);
    } else {
      const P in = simd::sigmoid(sum[0]), forget = simd::sigmoid(sum[1]), out = simd::sigmoid(sum[3]);
      cell = multiply_add(forget, cell, in * gate_tanh(sum[2]));
      return times_tanh(out, cell);
    }
  }

  // Adds the products of n numbers of each column with their rows of weights; sum `Into` of a gru is that of its n.
  template <int Into, int Width, class P, int Sums, int Columns, int Regs>
  static EIGENSTREAM_ALWAYS_INLINE const T* add(P (&acc)[Sums][Columns][sums_of_gates][Regs], const T* w, const T* x,
                                                Index n) noexcept {
    const auto one = [&](int s, const P(&input)[Columns]) EIGENSTREAM_INLINE_LAMBDA {
#pragma GCC unroll 4
      for (int g = 0; g < gates; ++g)
#pragma GCC unroll 2
        for (int r = 0; r < Regs; ++r) {
          const P weight = P::load(w + g * Width + r * P::lanes);
          const int to = is_gru && g == 2 ? Into : g;
#pragma GCC unroll 8
          for (int c = 0; c < Columns; ++c) acc[s][c][to][r] = multiply_add(weight, input[c], acc[s][c][to][r]);
        }
      w += gates * Width;
    };
    Index i = 0;
    const auto four = [&]() EIGENSTREAM_INLINE_LAMBDA {
      if constexpr (Columns == 1) {
        P input[4];
        simd::broadcast4(x + i, input);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) one(k % Sums, {input[k]});
      } else {
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          P input[Columns];
#pragma GCC unroll 8
          for (int c = 0; c < Columns; ++c) input[c] = P::broadcast(x[c * n + i + k]);
          one(k % Sums, input);
        }
      }
      i += 4;
    };
    if constexpr (is_lstm && Columns == 1 && Regs == 2)  // measured: a fifth faster, but slower with three gates
      while (i + 16 <= n) four(), four(), four(), four();
    while (i + 4 <= n) four();
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) {
      if (i + k >= n) break;
      P input[Columns];
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) input[c] = P::broadcast(x[c * n + i + k]);
      one(k % Sums, input);
    }
    return w;
  }

  // `Regs` registers of units from `unit` on by `Columns` columns; the rows of weights are of `Width` units.
  template <class P, bool Fused, int Regs, int Width, int Sums, int Columns>
  EIGENSTREAM_ALWAYS_INLINE void tile(const T* w, const T* bias, const T* x, const T* before, Index unit, T* cell, T* y,
                                      T* last) const noexcept {
    constexpr int L = P::lanes;
    const Index units = hidden_, a_step = gates * units;
    P acc[Sums][Columns][sums_of_gates][Regs];
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c)
#pragma GCC unroll 4
      for (int g = 0; g < sums_of_gates; ++g)
#pragma GCC unroll 2
        for (int r = 0; r < Regs; ++r) {
          acc[0][c][g][r] =
              P::load(Fused || g == gates ? bias + g * Width + r * L : x + c * a_step + g * units + unit + r * L);
#pragma GCC unroll 4
          for (int s = 1; s < Sums; ++s) acc[s][c][g][r] = P::broadcast(T(0));
        }
    if constexpr (Fused) w = add<2, Width>(acc, w, x, inputs_);
    add<sums_of_gates - 1, Width>(acc, w, before, len_);
    P sum[Columns * Regs][sums_of_gates];
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c)
#pragma GCC unroll 2
      for (int r = 0; r < Regs; ++r)
#pragma GCC unroll 4
        for (int g = 0; g < sums_of_gates; ++g) {
          P& all = sum[c * Regs + r][g];
          if constexpr (Sums == 4) all = (acc[0][c][g][r] + acc[1][c][g][r]) + (acc[2][c][g][r] + acc[3][c][g][r]);
          if constexpr (Sums == 2) all = acc[0][c][g][r] + acc[1][c][g][r];
          if constexpr (Sums == 1) all = acc[0][c][g][r];
        }
#pragma GCC unroll 1
    for (int k = 0; k < Columns * Regs; ++k) {
      const Index at = k / Regs * units + unit + k % Regs * L, valid = units - unit - k % Regs * L;
      P own = P::broadcast(T(0)), kept = own;
      if (valid >= L) {
        if constexpr (is_gru) own = P::load(before + at);
        if constexpr (is_lstm) kept = P::load(cell + at);
        const P result = step(sum[k], own, kept);
        if constexpr (is_lstm) kept.store(cell + at);
        result.store(y + at);
        if (last != nullptr) result.store(last + at);
      } else if (valid > 0) {
        if constexpr (is_gru) own = P::load_first(before + at, valid);
        if constexpr (is_lstm) kept = P::load_first(cell + at, valid);
        const P result = step(sum[k], own, kept);
        if constexpr (is_lstm) kept.store_first(cell + at, valid);
        result.store_first(y + at, valid);
        if (last != nullptr) result.store_first(last + at, valid);
      }
    }
  }

  // Of a small layer, one panel after the other.
  template <int Lanes, int Regs>
  EIGENSTREAM_ALWAYS_INLINE void fused(const T* x, Index n, Index columns, const T* before, T* cell, T* y,
                                       T* last) const noexcept {
    using P = simd::Packet<T, Lanes>;
    constexpr int width = Lanes * Regs;
    const Index frame = hidden_ * columns, panel_size = (inputs_ + len_) * gates * width;
    const bool single = hidden_ <= width;  // what is written is read by the next frame only
    for (Index t = 0; t < n; ++t, before = y, y += frame)
      for (Index c = 0; c < columns; ++c, x += inputs_) {
        T* copy = single && t + 1 == n && last != nullptr ? last + c * hidden_ : nullptr;
        const T *w = weights_.data(), *bias = bias_.data();
        for (Index unit = 0; unit < hidden_; unit += width, w += panel_size, bias += sums_of_gates * width)
          tile<P, true, Regs, width, sums_for(Regs, true), 1>(w, bias, x, before + c * len_, unit, cell + c * hidden_,
                                                              y + c * hidden_, copy);
      }
    if (!single && last != nullptr) std::copy_n(before, frame, last);
  }

  // A panel of a large layer for all columns: of several columns one register of units at a time.
  template <int Regs>
  EIGENSTREAM_ALWAYS_INLINE void panel(Index unit, const T* a, Index columns, const T* before, T* cell,
                                       T* y) const noexcept {
    using P = simd::Packet<T, widest>;
    constexpr int width = Regs * widest, sums = sums_for(Regs, false);
    constexpr int most = std::min(4, (simd::registers == 32 ? 24 : 12) / (sums_of_gates * sums));
    const T *w = weights_.data() + unit * gates * len_, *bias = bias_.data() + unit * sums_of_gates;
    Index c = 0;
    if constexpr (most > 1)
      for (; c + most <= columns; c += most)
        for (int r = 0; r < Regs; ++r)
          tile<P, false, 1, width, sums, most>(w + r * widest, bias + r * widest, a + c * gates * hidden_,
                                               before + c * len_, unit + r * widest, cell + c * hidden_,
                                               y + c * hidden_, nullptr);
    for (; c < columns; ++c)
      tile<P, false, Regs, width, sums, 1>(w, bias, a + c * gates * hidden_, before + c * len_, unit,
                                           cell + c * hidden_, y + c * hidden_, nullptr);
  }
  template <int Regs>
  EIGENSTREAM_ALWAYS_INLINE void ahead(const T* a, Index n, Index columns, const T* before, T* cell, T* y,
                                       T* last) const noexcept {
    constexpr Index width = Regs * widest;
    const Index frame = hidden_ * columns, all = (hidden_ + width - 1) / width;
    for (Index t = 0; t < n; ++t, a += gates * frame, before = y, y += frame)
      for (Index k = 0; k < all; ++k)  // to and fro: the weights that were read last are still in the cache
        panel<Regs>((t % 2 == 0 ? k : all - 1 - k) * width, a, columns, before, cell, y);
    if (last != nullptr) std::copy_n(before, frame, last);
  }

  Index hidden_ = 0, inputs_ = 0, len_ = 0;
  int lanes_ = 1;
  AlignedVector<T> weights_, bias_;
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_RECURRENT_HPP
