#ifndef EIGENSTREAM_LAYER_CUMULATIVE_NORM_HPP
#define EIGENSTREAM_LAYER_CUMULATIVE_NORM_HPP

#include <algorithm>  // fill_n, max
#include <cmath>      // isfinite, sqrt

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Layer norm with the statistics of all numbers of this frame and of all frames before it: what is causal of a norm over channels and
/// time (cLN).
///   y[c,t] = (x[c,t] - mean[t]) / sqrt(var[t] + eps) * weight[c] + bias[c]
/// with the mean and the population variance of the numbers of frames 0 ... t: all channels and all of the space of a signal.
/// Shapes   x (C,T), with space, a batch or neither -> y of the same; x and y may be the same memory. weight, bias (C) or empty
/// Timing   a frame in, a frame out, at once; the receptive field is unbounded
/// Errors   constructor: Error on shapes that differ, or an eps that is negative. steps/flush: noexcept, no allocation
/// Source   Y. Luo, N. Mesgarani, "Conv-TasNet: Surpassing ideal time-frequency magnitude masking for speech separation", 2019
/// The state is, of each signal, how many numbers there were, their sum and that of their squares, in double.
template <class T>
class CumulativeNorm {
 public:
  using Scalar = T;

  explicit CumulativeNorm(Index channels, double eps = 1e-8) : CumulativeNorm(channels, {}, {}, eps) {}
  CumulativeNorm(const Weights<T>& weight, const Weights<T>& bias, double eps = 1e-8)
      : CumulativeNorm(weight.size(), weight, bias, eps) {}
  CumulativeNorm(Index channels, const Weights<T>& weight, const Weights<T>& bias, double eps)
      : channels_(channels), affine_(!weight.empty()), eps_(eps) {
    check(channels >= 1, "CumulativeNorm: channels = ", channels, ", must be at least 1");
    check(eps >= 0 && std::isfinite(eps), "CumulativeNorm: eps = ", eps, ", must be 0 or above");
    check(weight.empty() == bias.empty(), "CumulativeNorm: weight and bias come together or not at all");
    if (affine_) {
      weight.expect("CumulativeNorm", "weight", {channels});
      bias.expect("CumulativeNorm", "bias", {channels});
    }
    weight_ = kernel::ChannelPattern<T>(channels, [&](Index c) { return affine_ ? weight(c) : T(1); });
    bias_ = kernel::ChannelPattern<T>(channels, [&](Index c) { return affine_ ? bias(c) : T(0); });
    fingerprint_ = Fingerprint("CumulativeNorm").add(channels).add(eps).add(weight.span()).add(bias.span());
  }

  FrameShape wanted() const noexcept { return FrameShape::any(channels_); }
  Facts facts(const FrameShape& in) const {
    check_channels("CumulativeNorm", channels_, in);
    return {.out = in,
            .state_bytes = aligned_bytes(3 * in.batch * static_cast<Index>(sizeof(double))),
            .parameters = affine_ ? 2 * channels_ : 0,
            .macs = 4 * static_cast<double>(in.size())};
  }
  Timing timing() const { return TimingStage{.recursive = true}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept { std::fill_n(sums(state), 3 * state.shape.batch, 0.0); }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index batch = x.batch, one = x.size() / batch;
    for (Index t = 0; t < x.count; ++t)
      for (Index b = 0; b < batch; ++b) {
        const T* from = x.frame(t) + b * one;
        double* const seen = sums(state) + 3 * b;  // how many, their sum, and that of their squares
        seen[0] += static_cast<double>(one);
        seen[1] += static_cast<double>(kernel::column_sum(from, one, [](auto v) { return v; }));
        seen[2] += static_cast<double>(kernel::column_sum(from, one, [](auto v) { return v * v; }));
        const double mean = seen[1] / seen[0];
        const double variance = seen[2] / seen[0] - mean * mean;
        const double spread = variance < 0 ? eps_ : variance + eps_;  // a hair below 0 by rounding; NaN stays
        const T shift = static_cast<T>(mean), scale = static_cast<T>(1 / std::sqrt(spread));
        kernel::map_channels(from, y.frame(t) + b * one, one, weight_, bias_, [&](auto v, auto weight, auto bias) {
          using P = decltype(v);
          return multiply_add((v - P::broadcast(shift)) * P::broadcast(scale), weight, bias);
        });
      }
    return x.count;
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const { codec.values(sums(state), 3 * state.shape.batch); }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return true; }

 private:
  static double* sums(StateRef state) noexcept { return reinterpret_cast<double*>(state.data); }

  Index channels_;
  bool affine_;
  double eps_;
  kernel::ChannelPattern<T> weight_, bias_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<CumulativeNorm<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CUMULATIVE_NORM_HPP
