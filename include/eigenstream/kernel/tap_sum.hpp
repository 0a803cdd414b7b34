#ifndef EIGENSTREAM_KERNEL_TAP_SUM_HPP
#define EIGENSTREAM_KERNEL_TAP_SUM_HPP

#include <algorithm>    // min
#include <type_traits>  // what sizes fix

#include "eigenstream/kernel/aligned_vector.hpp"
#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// Where the taps lie: tap t reads `lags[t]` frames of `frame_size` scalars from the column's x on; without `lags`, t frames.
struct TapOffsets {
  const Index* lags;
  Index frame_size;
  EIGENSTREAM_ALWAYS_INLINE Index operator()(Index t) const noexcept { return (lags == nullptr ? t : lags[t]) * frame_size; }
};

/// The kernel under every convolution: a column of outputs is
///   y[o] = bias[o] + sum over taps t, inputs i of w[o][t][i] * x[offset(t) + i]
/// with `len` contiguous inputs per tap. Dilation, batch and transposition are in the offsets.
///
/// Order of operations, the same for every output element however many columns are computed at once:
/// `sums` partial sums; tap t belongs to partial sum t mod sums; the first starts with the bias, the others with 0;
/// each is a chain of multiply-adds in order of t, then i; at the end they are added as ((p0 + p1) + (p2 + p3)).
/// Outputs that fill one register take 4 partial sums, two registers take 2, so that a single frame is not bound by the
/// latency of one chain.
/// Where there are fewer than four inputs in all, there is one sum.
/// If the inputs of a tap divide by `sums`, it is not the taps but the inputs that take turns: input i of every tap
/// belongs to partial sum i mod sums, so that a 1x1 convolution has several chains too.
///
/// SIMD lanes run over outputs; a panel is `regs` registers of outputs, a tile is a panel by several columns, all in
/// registers until it is done. A panel's memory is its bias and then its weights, packed [group of taps][input][tap in the
/// group][output].
template <class T, Index Out = Dynamic, Index Taps = Dynamic, Index Len = Dynamic>
class TapSum {
 public:
  TapSum() = default;

  /// w(o, t, i) gives the weight, bias(o) the bias.
  template <class Weight, class Bias>
  TapSum(Index out, Index taps, Index len, Weight&& weight, Bias&& bias) : out_(out), lanes_(lanes_for(out)) {
    few_ = taps * len < 4;
    sums_ = few_ ? 1 : sums_for(out);
    split_ = len % sums_ == 0 ? sums_ : 1;
    taps_ = taps * split_;
    len_ = len / split_;
    regs_ = regs_for(out);
    const Index width = lanes_ * regs_;
    panels_ = (out + width - 1) / width;
    panel_size_ = (1 + taps_ * len_) * width;
    weights_.reserve(static_cast<std::size_t>(panels_ * panel_size_));
    for (Index panel = 0; panel < panels_; ++panel) {
      for (Index o = panel * width; o < (panel + 1) * width; ++o) weights_.push_back(o < out ? bias(o) : T(0));
      for (Index t = 0; t < taps_; t += sums_) pack_group(panel * width, width, t, weight);
    }
  }

  Index out() const noexcept { return Out != Dynamic ? Out : out_; }
  /// The weight w(o, t, i) and the bias that were given.
  T weight(Index o, Index t, Index i) const noexcept {
    const Index width = lanes_ * regs_, tap = t * split_ + i % split_, input = i / split_;
    const Index first = tap / sums_ * sums_, s = tap - first, together = std::min<Index>(sums_, taps_ - first);
    const Index row = first * len_ + (together == sums_ ? input * sums_ + s : s * len_ + input);
    return weights_[static_cast<std::size_t>(o / width * panel_size_ + (1 + row) * width + o % width)];
  }
  T bias(Index o) const noexcept {
    const Index width = lanes_ * regs_;
    return weights_[static_cast<std::size_t>(o / width * panel_size_ + o % width)];
  }

  /// Computes `columns` columns. offset(t) is the distance of tap t's first input from the column's x, in scalars;
  /// column c starts at x + c * x_step and goes to y + c * y_step. `addend`, unless null, is added at the end; it lies as y
  /// does, and may be y.
  EIGENSTREAM_ALWAYS_INLINE void operator()(const T* x, Index x_step, TapOffsets offset, Index columns, T* y, Index y_step,
                                            const T* addend = nullptr) const noexcept {
    if (Out != Dynamic && columns == 1) return column(x, offset, y, addend);
    dispatch(x, x_step, offset, columns, y, y_step, addend);
  }

  /// One column.
  EIGENSTREAM_ALWAYS_INLINE void column(const T* x, TapOffsets offset, T* y, const T* addend = nullptr) const noexcept {
    if constexpr (Out != Dynamic) {
      if (has_few())
        few<lanes_for(Out), regs_for(Out)>(x, 0, offset, 1, y, 0, addend);
      else
        one<lanes_for(Out), regs_for(Out), sums_for(Out)>(x, offset, y, addend);
    } else {
      with_sizes([&]<int Lanes, int Regs, int Sums>() EIGENSTREAM_INLINE_LAMBDA {
        if (few_)
          few_outlined<Lanes, Regs>(x, 0, offset, 1, y, 0, addend);
        else
          one_outlined<Lanes, Regs, Sums>(x, offset, y, addend);
      });
    }
  }

 private:
  static constexpr int widest = simd::max_lanes<T>;
  static constexpr int narrowest = std::min(widest, std::max(4, simd::min_lanes<T>));

  // What follows from the number of outputs alone: the packet, the partial sums (of the law), the registers a panel.
  static constexpr int lanes_for(Index out) noexcept {
    int lanes = narrowest;
    while (lanes < widest && lanes < out) lanes *= 2;
    return lanes;
  }
  static constexpr Index regs_of(Index out) noexcept { return (out + lanes_for(out) - 1) / lanes_for(out); }
  static constexpr bool few_registers = simd::registers == 16;
  static constexpr int sums_for(Index out) noexcept {
    return regs_of(out) == 1 ? 4 : regs_of(out) == 2 || (few_registers && regs_of(out) <= 4) ? 2 : 1;
  }
  static constexpr int regs_for(Index out) noexcept {
    return regs_of(out) == 1 ? 1 : regs_of(out) == 2 || few_registers ? 2 : 4;
  }
  static constexpr int columns_for(int regs, int sums) noexcept {
    return (simd::registers == 32 ? 24 : 12) / (regs * sums);
  }

  // Fewer than four inputs in all.
  EIGENSTREAM_ALWAYS_INLINE bool has_few() const noexcept {
    if constexpr (Taps != Dynamic && Len != Dynamic) return Taps * Len < 4;
    return few_;
  }
  Index taps() const noexcept { return Taps != Dynamic && Len != Dynamic ? Taps * split() : taps_; }
  Index len() const noexcept { return Taps != Dynamic && Len != Dynamic ? Len / split() : len_; }
  // Taps that each given tap was split into: 1, or as many as there are partial sums.
  Index split() const noexcept {
    if constexpr (Out != Dynamic && Len != Dynamic && Taps != Dynamic)
      return Taps * Len >= 4 && Len % sums_for(Out) == 0 ? sums_for(Out) : 1;
    return split_;
  }

  template <class Weight>
  void pack_group(Index first_out, Index width, Index t, Weight& weight) {
    const Index together = std::min<Index>(sums_, taps_ - t);
    const auto pack = [&](Index tap, Index i) {
      for (Index o = first_out; o < first_out + width; ++o)
        weights_.push_back(o < out_ ? weight(o, tap / split_, i * split_ + tap % split_) : T(0));
    };
    if (together == sums_) {
      for (Index i = 0; i < len_; ++i)
        for (Index s = 0; s < together; ++s) pack(t + s, i);
    } else {  // the last taps, fewer than there are partial sums, run one after another
      for (Index s = 0; s < together; ++s)
        for (Index i = 0; i < len_; ++i) pack(t + s, i);
    }
  }

  // One tile: `Panels` panels, `panel_size_` weights apart, of `PanelRegs` registers of outputs by `Columns` columns. `Inputs`:
  // it is the inputs that take turns, for certain.
  template <class P, int PanelRegs, int Sums, int Columns, int Panels = 1, bool Inputs = false>
  EIGENSTREAM_ALWAYS_INLINE void tile(const T* w, const T* x, Index x_step, TapOffsets offset, T* y,
                                      Index y_step, const T* addend, Index valid) const noexcept {
    constexpr int width = P::lanes, regs = PanelRegs * Panels, step = PanelRegs * width;
    const Rows<PanelRegs> rows{panel_size_};
    P acc[Sums][Columns][regs];
#pragma GCC unroll 32
    for (int c = 0; c < Columns; ++c)
#pragma GCC unroll 8
      for (int r = 0; r < regs; ++r) {
        acc[0][c][r] = rows.template load<P>(w, r);  // the bias
#pragma GCC unroll 4
        for (int s = 1; s < Sums; ++s) acc[s][c][r] = P::broadcast(T(0));
      }
    w += step;
    const Index all = taps(), inputs = len();
    if (Inputs || Sums == 1 || split() > 1) {  // inputs take turns
      const Index groups = Sums == 1 ? all : all / Sums, run = inputs * Sums;
      if constexpr (Taps != Dynamic && Len != Dynamic && Taps * Len <= 24) {
#pragma GCC unroll 64
        for (Index g = 0; g < Taps; ++g) add_run(acc, w + g * Len * step, rows, x + offset(g), Len, x_step);
      } else {
        for (Index g = 0; g < groups; ++g, w += run * step) add_run(acc, w, rows, x + offset(g), run, x_step);
      }
    } else {  // taps take turns
      Index t = 0;
      for (; t + Sums <= all; t += Sums) {
        const T* from[Sums];
#pragma GCC unroll 4
        for (int s = 0; s < Sums; ++s) from[s] = x + offset(t + s);
        for (Index i = 0; i < inputs; ++i)
#pragma GCC unroll 4
          for (int s = 0; s < Sums; ++s, w += step) add(acc[s], w, rows, from[s] + i, x_step);
      }
      if constexpr (Sums > 1) {
#pragma GCC unroll 4
        for (int s = 0; s + 1 < Sums; ++s) {
          if (t + s >= all) break;
          const T* from = x + offset(t + s);
          for (Index i = 0; i < inputs; ++i, w += step) add(acc[s], w, rows, from + i, x_step);
        }
      }
    }
#pragma GCC unroll 32
    for (int c = 0; c < Columns; ++c)
#pragma GCC unroll 8
      for (int r = 0; r < regs; ++r) {
        P parts[Sums];
#pragma GCC unroll 4
        for (int s = 0; s < Sums; ++s) parts[s] = acc[s][c][r];
        P sum = total(parts);
        const Index left = valid - r * width, at = c * y_step + r * width;
        if (left >= width) {
          if (addend != nullptr) sum = sum + P::load(addend + at);
          sum.store(y + at);
        } else if (left > 0) {
          if (addend != nullptr) sum = sum + P::load_first(addend + at, left);
          sum.store_first(y + at, left);
        }
      }
  }

  // Where the registers of a row of weights lie.
  template <int PanelRegs>
  struct Rows {
    Index panel_size;
    template <class P>
    EIGENSTREAM_ALWAYS_INLINE P load(const T* w, int r) const noexcept {
      return P::load(w + r / PanelRegs * panel_size + r % PanelRegs * P::lanes);
    }
  };

  // The inputs of one tap, n in a row, which take turns at the partial sums.
  template <class P, int PanelRegs, int Regs, int Sums, int Columns>
  static EIGENSTREAM_ALWAYS_INLINE void add_run(P (&acc)[Sums][Columns][Regs], const T* w, Rows<PanelRegs> rows,
                                                const T* x, Index n, Index x_step) noexcept {
    constexpr int step = PanelRegs * P::lanes;
    Index i = 0;
    if constexpr (Columns == 1) {  // four at a time: bound by loads
      for (; i + 4 <= n; i += 4, x += 4) {
        P input[4];
        simd::broadcast4(x, input);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k, w += step)
#pragma GCC unroll 8
          for (int r = 0; r < Regs; ++r)
            acc[k % Sums][0][r] = multiply_add(rows.template load<P>(w, r), input[k], acc[k % Sums][0][r]);
      }
    }
#pragma GCC unroll 4
    for (; i < n; i += Sums, x += Sums)
#pragma GCC unroll 4
      for (int s = 0; s < Sums; ++s, w += step) add(acc[s], w, rows, x + s, x_step);
  }

  template <class P, int PanelRegs, int Regs, int Columns>
  static EIGENSTREAM_ALWAYS_INLINE void add(P (&acc)[Columns][Regs], const T* w, Rows<PanelRegs> rows, const T* x,
                                            Index x_step) noexcept {
    P weight[Regs];
#pragma GCC unroll 8
    for (int r = 0; r < Regs; ++r) weight[r] = rows.template load<P>(w, r);
#pragma GCC unroll 32
    for (int c = 0; c < Columns; ++c) {
      const P input = P::broadcast(x[c * x_step]);
#pragma GCC unroll 8
      for (int r = 0; r < Regs; ++r) acc[c][r] = multiply_add(weight[r], input, acc[c][r]);
    }
  }

  template <int Lanes, int Regs, int Sums>
  EIGENSTREAM_ALWAYS_INLINE void run(const T* x, Index x_step, TapOffsets offset, Index columns, T* y, Index y_step,
                                     const T* addend) const noexcept {
    const auto from = [&](Index at) EIGENSTREAM_INLINE_LAMBDA { return addend == nullptr ? addend : addend + at; };
    using P = simd::Packet<T, Lanes>;
    constexpr int most = columns_for(Regs, Sums);
    constexpr int width = P::lanes * Regs;
    const T* w = weights_.data();
    Index o = 0;
    if constexpr (fits_registers) return resident<P, Sums>(x, x_step, offset, columns, y, y_step, addend);
    for (; o < out(); o += width, w += panel_size_) {
      const Index valid = out() - o;
      Index c = 0;
      for (; c + most <= columns; c += most)
        tile<P, Regs, Sums, most>(w, x + c * x_step, x_step, offset, y + o + c * y_step, y_step, from(o + c * y_step), valid);
      rest<P, Regs, Sums, most - 1>(columns - c, w, x + c * x_step, x_step, offset, y + o + c * y_step, y_step,
                                    from(o + c * y_step), valid);
    }
  }

  // All weights stay in registers, as there are few.
  template <int Lanes, int Regs>
  EIGENSTREAM_ALWAYS_INLINE void few(const T* x, Index x_step, TapOffsets offset, Index columns, T* y, Index y_step,
                                     const T* addend) const noexcept {
    using P = simd::Packet<T, Lanes>;
    constexpr Index width = P::lanes * Regs;
    const Index all = taps() * len();
    const T* w = weights_.data();
    Index from[3] = {0, 0, 0};
    for (Index t = 0, k = 0; k < all; ++t)
      for (Index i = 0; i < len(); ++i, ++k) from[k] = offset(t) + i;
    for (Index o = 0; o < out(); o += width, w += panel_size_)
#pragma GCC unroll 4
      for (int r = 0; r < Regs; ++r) {
        const Index left = out() - o - r * P::lanes;
        if (left <= 0) break;
        const P bias = P::load(w + r * P::lanes);
        P weight[3];
#pragma GCC unroll 3
        for (int k = 0; k < 3; ++k) weight[k] = P::load(w + ((k < all ? k + 1 : 0) * Regs + r) * P::lanes);
        const T* column = x;
        for (Index c = 0; c < columns; ++c, column += x_step) {
          const Index at = c * y_step + o + r * P::lanes;
          P sum = bias;
          if (all > 0) sum = multiply_add(weight[0], P::broadcast(column[from[0]]), sum);
          if (all > 1) sum = multiply_add(weight[1], P::broadcast(column[from[1]]), sum);
          if (all > 2) sum = multiply_add(weight[2], P::broadcast(column[from[2]]), sum);
          if (left >= P::lanes) {
            if (addend != nullptr) sum = sum + P::load(addend + at);
            sum.store(y + at);
          } else {
            if (addend != nullptr) sum = sum + P::load_first(addend + at, left);
            sum.store_first(y + at, left);
          }
        }
      }
  }
  template <int Lanes, int Regs>
  EIGENSTREAM_OUTLINED_WHOLE void few_outlined(const T* x, Index x_step, TapOffsets offset, Index columns, T* y, Index y_step,
                                               const T* addend) const noexcept {
    few<Lanes, Regs>(x, x_step, offset, columns, y, y_step, addend);
  }

  // A single column has few chains of its own; panels side by side give more.
  template <int Lanes, int Regs, int Sums>
  EIGENSTREAM_ALWAYS_INLINE void one(const T* x, TapOffsets offset, T* y, const T* addend) const noexcept {
    using P = simd::Packet<T, Lanes>;
    constexpr int together = std::max(1, 8 / (Regs * Sums)), width = P::lanes * Regs;
    const auto from = [&](Index at) EIGENSTREAM_INLINE_LAMBDA { return addend == nullptr ? addend : addend + at; };
    const T* w = weights_.data();
    Index o = 0;
    for (; o + (together - 1) * width < out(); o += together * width, w += together * panel_size_)
      tile<P, Regs, Sums, 1, together>(w, x, 0, offset, y + o, 0, from(o), out() - o);
    for (; o < out(); o += width, w += panel_size_) tile<P, Regs, Sums, 1>(w, x, 0, offset, y + o, 0, from(o), out() - o);
  }
  // By itself, so that all of it stays in registers; a single panel, which small layers have, again by itself.
  template <int Lanes, int Regs, int Sums>
  EIGENSTREAM_ALWAYS_INLINE void one_outlined(const T* x, TapOffsets offset, T* y, const T* addend) const noexcept {
    if (panels_ > 1) return one_of_panels<Lanes, Regs, Sums>(x, offset, y, addend);
    if (split_ > 1) return one_panel<Lanes, Regs, Sums, true>(x, offset, y, addend);
    one_panel<Lanes, Regs, Sums, false>(x, offset, y, addend);
  }
  template <int Lanes, int Regs, int Sums, bool Inputs>
  EIGENSTREAM_OUTLINED_WHOLE void one_panel(const T* x, TapOffsets offset, T* y, const T* addend) const noexcept {
    tile<simd::Packet<T, Lanes>, Regs, Sums, 1, 1, Inputs>(weights_.data(), x, 0, offset, y, 0, addend, out());
  }
  template <int Lanes, int Regs, int Sums>
  EIGENSTREAM_OUTLINED_WHOLE void one_of_panels(const T* x, TapOffsets offset, T* y, const T* addend) const noexcept {
    one<Lanes, Regs, Sums>(x, offset, y, addend);
  }

  // A layer so small that all its weights stay in registers, column after column: the same sums in the same order.
  static constexpr bool fits_registers = Out != Dynamic && Taps != Dynamic && Len != Dynamic && regs_for(Out) == 1 &&
                                         Out == lanes_for(Out) && Len % sums_for(Out) == 0 &&
                                         Taps * Len <= simd::registers * 3 / 4;
  template <class P, int Sums>
  EIGENSTREAM_ALWAYS_INLINE void resident(const T* x, Index x_step, TapOffsets offset, Index columns, T* y, Index y_step,
                                          const T* addend) const noexcept {
    P weight[Taps][Len];
#pragma GCC unroll 32
    for (Index t = 0; t < Taps; ++t)
#pragma GCC unroll 32
      for (Index i = 0; i < Len; ++i) weight[t][i] = P::load(weights_.data() + (1 + t * Len + i) * P::lanes);
    const P bias = P::load(weights_.data());
    const T* from[Taps];
#pragma GCC unroll 32
    for (Index t = 0; t < Taps; ++t) from[t] = x + offset(t);
    for (Index c = 0; c < columns; ++c) {
      P sum[Sums];
      sum[0] = bias;
#pragma GCC unroll 4
      for (int s = 1; s < Sums; ++s) sum[s] = P::broadcast(T(0));
#pragma GCC unroll 32
      for (Index t = 0; t < Taps; ++t)
#pragma GCC unroll 32
        for (Index i = 0; i < Len; ++i)
          sum[i % Sums] = multiply_add(weight[t][i], P::broadcast(from[t][c * x_step + i]), sum[i % Sums]);
      P all = total(sum);
      if (addend != nullptr) all = all + P::load(addend + c * y_step);
      all.store(y + c * y_step);
    }
  }

  template <class P, int Sums>
  static EIGENSTREAM_ALWAYS_INLINE P total(const P (&sum)[Sums]) noexcept {
    if constexpr (Sums == 4) return (sum[0] + sum[1]) + (sum[2] + sum[3]);
    if constexpr (Sums == 2) return sum[0] + sum[1];
    return sum[0];
  }

  // The last columns, fewer than a full tile: by tiles of 4, 2 and 1, so that there are few kinds to compile.
  template <class P, int Regs, int Sums, int Columns>
  EIGENSTREAM_ALWAYS_INLINE void rest(Index columns, const T* w, const T* x, Index x_step, TapOffsets offset, T* y, Index y_step,
                                      const T* addend, Index valid) const noexcept {
    if constexpr (Columns > 0) {
      constexpr int some = Columns >= 4 ? 4 : Columns >= 2 ? 2 : 1;
      static_assert(Columns < 2 * some);
      if (columns >= some) {
        tile<P, Regs, Sums, some>(w, x, x_step, offset, y, y_step, addend, valid);
        columns -= some, x += some * x_step, y += some * y_step;
        if (addend != nullptr) addend += some * y_step;
      }
      rest<P, Regs, Sums, some - 1>(columns, w, x, x_step, offset, y, y_step, addend, valid);
    }
  }

  // Calls f with what follows from the number of outputs.
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void with_sizes(F&& f) const noexcept {
    if constexpr (narrowest < widest)
      if (lanes_ == narrowest) return f.template operator()<narrowest, regs_for(narrowest), sums_for(narrowest)>();
    if constexpr (2 * narrowest < widest)
      if (lanes_ == 2 * narrowest) return f.template operator()<2 * narrowest, regs_for(2 * narrowest), sums_for(2 * narrowest)>();
    if (regs_ == 1) return f.template operator()<widest, 1, 4>();
    if (sums_for(out_) == 2) return f.template operator()<widest, 2, 2>();
    f.template operator()<widest, regs_for(8 * widest), 1>();
  }

  EIGENSTREAM_OUTLINED void dispatch(const T* x, Index x_step, TapOffsets offset, Index columns, T* y, Index y_step,
                                     const T* addend) const noexcept;

  Index out_ = 0, taps_ = 0, len_ = 0;
  Index panels_ = 0, panel_size_ = 0;
  int lanes_ = 1, regs_ = 1, sums_ = 1;
  Index split_ = 1;
  bool few_ = false;
  AlignedVector<T> weights_;
};

// Not within the class, so that programs with eigenstream::compiled do not compile it.
template <class T, Index Out, Index Taps, Index Len>
void TapSum<T, Out, Taps, Len>::dispatch(const T* x, Index x_step, TapOffsets offset, Index columns, T* y, Index y_step,
                                         const T* addend) const noexcept {
  // As many inputs as outputs is the usual case, or as many as are known: with the steps known, addresses cost nothing.
  if constexpr (Out != Dynamic) {
    constexpr int lanes = lanes_for(Out), regs = static_cast<int>(regs_for(Out)), sums = sums_for(Out);
    if (has_few()) return few<lanes, regs>(x, x_step, offset, columns, y, y_step, addend);
    if constexpr (Len != Dynamic)
      if (x_step == Len && y_step == Out) return run<lanes, regs, sums>(x, Len, offset, columns, y, Out, addend);
    run<lanes, regs, sums>(x, x_step, offset, columns, y, y_step, addend);
  } else {
    with_sizes([&]<int Lanes, int Regs, int Sums>() {
      if (few_) return few_outlined<Lanes, Regs>(x, x_step, offset, columns, y, y_step, addend);
      if (columns == 1) return one_outlined<Lanes, Regs, Sums>(x, offset, y, addend);
      if (x_step == Lanes * Regs) return run<Lanes, Regs, Sums>(x, Lanes * Regs, offset, columns, y, y_step, addend);
      run<Lanes, Regs, Sums>(x, x_step, offset, columns, y, y_step, addend);
    });
  }
}

EIGENSTREAM_EXTERN_TEMPLATE(class TapSum<float>);

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_TAP_SUM_HPP
