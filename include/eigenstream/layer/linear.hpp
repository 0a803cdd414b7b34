#ifndef EIGENSTREAM_LAYER_LINEAR_HPP
#define EIGENSTREAM_LAYER_LINEAR_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/tap_sum.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A matrix applied to the channels of every frame.
///   y[o,t] = bias[o] + sum_i weight[o,i] * x[i,t]
/// Shapes   x (In,T) or (In,B,T) -> y (Out,T) or (Out,B,T); weight (Out,In), bias (Out) or empty
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on any impossible size. steps: noexcept, no allocation
/// Source   torch.nn.Linear, over the channel axis
template <class T>
class Linear : public StatelessLayer<T> {
 public:
  explicit Linear(const Weights<T>& weight, const Weights<T>& bias = {}) : has_bias_(!bias.empty()) {
    check(weight.shape.size() == 2, "Linear: weight has shape ", weight.shape_text(), ", expected (out,in)");
    out_ = weight.shape[0], in_ = weight.shape[1];
    check(out_ >= 1 && in_ >= 1, "Linear: weight has shape ", weight.shape_text(), ", none may be 0");
    if (has_bias_) bias.expect("Linear", "bias", {out_});
    kernel_ = kernel::TapSum<T>(
        out_, 1, in_, [&](Index o, Index, Index i) { return weight(o, i); },
        [&](Index o) { return has_bias_ ? bias(o) : T(0); });
    fingerprint_ = Fingerprint("Linear").add(in_).add(out_).add(weight.span()).add(bias.span());
  }

  FrameShape wanted() const noexcept { return FrameShape::any(in_); }
  Facts facts(const FrameShape& in) const {
    check_channels("Linear", in_, in);
    return {.out = in.with_channels(out_),
            .parameters = in_ * out_ + (has_bias_ ? out_ : 0),
            .macs = static_cast<double>(in_ * out_ * in.columns())};
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    static constexpr Index lag = 0;
    kernel_(x.data, in_, {&lag, 0}, x.count * x.columns(), y.data, out_);
    return x.count;
  }
  /// As steps, but each output is added to the number of `addend` at its place, unless that is null.
  Index add_steps(StateRef state, const T* x, Index n, const T* addend, T* y) const noexcept {
    static constexpr Index lag = 0;
    kernel_(x, in_, {&lag, 0}, n * state.shape.columns(), y, out_, addend);
    return n;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  bool has_bias_;
  Index in_ = 0, out_ = 0;
  kernel::TapSum<T> kernel_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Linear<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_LINEAR_HPP
