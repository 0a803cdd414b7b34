#ifndef EIGENSTREAM_KERNEL_DEPTHWISE_HPP
#define EIGENSTREAM_KERNEL_DEPTHWISE_HPP

#include "eigenstream/kernel/packet.hpp"
#include "eigenstream/kernel/tap_sum.hpp"  // TapOffsets

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// Depthwise convolution of one column: y[c] = bias[c] + sum over taps t of w[t][c] * x[offset(t) + c]
/// Lanes run over channels; the order is bias first, then the taps, one chain per channel.
template <class T>
class Depthwise {
 public:
  Depthwise() = default;
  /// w(c, t) gives the weight, bias(c) the bias.
  template <class Weight, class Bias>
  Depthwise(Index channels, Index taps, Weight&& weight, Bias&& bias)
      : channels_(channels), taps_(taps), padded_((channels + lanes - 1) / lanes * lanes) {
    bias_.assign(static_cast<std::size_t>(padded_), T(0));
    weights_.assign(static_cast<std::size_t>(padded_ * taps), T(0));
    for (Index c = 0; c < channels; ++c) {
      bias_[static_cast<std::size_t>(c)] = bias(c);
      for (Index t = 0; t < taps; ++t) weights_[static_cast<std::size_t>(t * padded_ + c)] = weight(c, t);
    }
  }

  /// The weight w(c, t) and the bias that were given.
  T weight(Index c, Index t) const noexcept { return weights_[static_cast<std::size_t>(t * padded_ + c)]; }
  T bias(Index c) const noexcept { return bias_[static_cast<std::size_t>(c)]; }

  EIGENSTREAM_OUTLINED void operator()(const T* x, Index x_step, TapOffsets offset, Index columns, T* y,
                                       Index y_step) const noexcept {
    for (Index c = 0; c < channels_; c += lanes) {
      Index m = 0;
      for (; m + tile_columns <= columns; m += tile_columns)
        tile<tile_columns>(x + m * x_step + c, x_step, offset, c, y + m * y_step + c, y_step);
      for (; m < columns; ++m) tile<1>(x + m * x_step + c, x_step, offset, c, y + m * y_step + c, y_step);
    }
  }

 private:
  static constexpr int lanes = simd::max_lanes<T>;
  static constexpr int tile_columns = 8;
  using P = simd::Packet<T, lanes>;

  // Loads may run over the last channel into the next frame, or the packet of slack behind a history.
  template <int Columns>
  EIGENSTREAM_ALWAYS_INLINE void tile(const T* x, Index x_step, TapOffsets offset, Index c, T* y,
                                      Index y_step) const noexcept {
    P acc[Columns];
    for (int m = 0; m < Columns; ++m) acc[m] = P::load(bias_.data() + c);
    for (Index t = 0; t < taps_; ++t) {
      const P w = P::load(weights_.data() + t * padded_ + c);
      const T* from = x + offset(t);
#pragma GCC unroll 8
      for (int m = 0; m < Columns; ++m) acc[m] = multiply_add(w, P::load(from + m * x_step), acc[m]);
    }
    for (int m = 0; m < Columns; ++m) {
      if (channels_ - c >= lanes)
        acc[m].store(y + m * y_step);
      else
        acc[m].store_first(y + m * y_step, channels_ - c);
    }
  }

  Index channels_ = 0, taps_ = 0, padded_ = 0;
  AlignedVector<T> weights_;  // [tap][channel]
  AlignedVector<T> bias_;
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_DEPTHWISE_HPP
