#ifndef EIGENSTREAM_LAYER_EXPONENTIAL_NORM_HPP
#define EIGENSTREAM_LAYER_EXPONENTIAL_NORM_HPP

#include <algorithm>  // max
#include <cmath>      // isfinite, sqrt
#include <vector>     // what is there before the signal

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

template <class T>
struct ExponentialNormOptions {
  double factor = 0.99;      ///< how much of the old statistics stays with each frame
  bool center = true;        ///< whether the mean is taken away
  bool scale = true;         ///< whether what remains is divided by the root of the variance
  double eps = 1e-5;         ///< added to the variance
  Weights<T> mean = {};      ///< before the signal, of each channel; empty: 0
  Weights<T> variance = {};  ///< before the signal, of each channel; empty: 1
};

/// Takes away the running mean and divides by the running deviation, which both forget exponentially, of each number of a frame by
/// itself: what a live system has instead of statistics over the whole signal.
///   d = x[t] - m[t-1],  m[t] = m[t-1] + (1 - factor) d,  v[t] = factor (v[t-1] + (1 - factor) d d)
///   y[t] = (x[t] - m[t]) / sqrt(v[t] + eps);  without center x[t] / ..., without scale x[t] - m[t]
/// Shapes   x (C,T), with space, a batch or neither -> y of the same; x and y may be the same memory. mean, variance (C), or empty
/// Timing   a frame in, a frame out, at once; the receptive field is unbounded
/// Errors   constructor: Error if factor is not from 0 to 1, eps or a variance negative, what is there before the signal not finite or of
///          the wrong shape, or if there is nothing to do. steps/flush: noexcept, no allocation
/// Source   T. Finch, "Incremental calculation of weighted mean and variance"; pandas.ewm(alpha=1 - factor, adjust=False)
/// The state is mean and variance in double, whatever T is.
template <class T>
class ExponentialNorm {
 public:
  using Scalar = T;

  explicit ExponentialNorm(const ExponentialNormOptions<T>& options = {})
      : factor_(options.factor),
        eps_(options.eps),
        center_(options.center),
        scale_(options.scale),
        mean_(options.mean.values),
        variance_(options.variance.values) {
    check(factor_ >= 0 && factor_ <= 1, "ExponentialNorm: factor = ", factor_, ", must be from 0 to 1");
    check(eps_ >= 0 && std::isfinite(eps_), "ExponentialNorm: eps = ", eps_, ", must be 0 or above");
    check(center_ || scale_, "ExponentialNorm: neither center nor scale, so that there is nothing to do");
    for (const Weights<T>* each : {&options.mean, &options.variance})
      check(each->empty() || each->shape.size() == 1, "ExponentialNorm: what is before the signal has shape ", each->shape_text(),
            ", expected (channels)");
    check(mean_.empty() || variance_.empty() || mean_.size() == variance_.size(), "ExponentialNorm: ", mean_.size(), " means and ",
          variance_.size(), " variances");
    for (const T value : mean_) check(std::isfinite(value), "ExponentialNorm: mean holds a value that is not finite");
    for (const T value : variance_)
      check(std::isfinite(value) && value >= T(0), "ExponentialNorm: variance holds ", value, ", must be finite and not negative");
    fingerprint_ = Fingerprint("ExponentialNorm").add(factor_).add(eps_).add(center_).add(scale_);
    fingerprint_.add(std::span<const T>(mean_)).add(std::span<const T>(variance_));
  }

  FrameShape wanted() const noexcept { return FrameShape::any(static_cast<Index>(std::max(mean_.size(), variance_.size()))); }
  Facts facts(const FrameShape& in) const {
    check_channels("ExponentialNorm", wanted().channels, in);
    return {.out = in,
            .state_bytes = aligned_bytes(2 * in.size() * static_cast<Index>(sizeof(double))),
            .parameters = static_cast<Index>(mean_.size() + variance_.size()),
            .macs = 5 * static_cast<double>(in.size())};
  }
  Timing timing() const { return TimingStage{.recursive = true}; }
  Index max_outputs(Index n) const noexcept { return n; }
  bool keeps_channels() const noexcept { return true; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    const Index size = state.shape.size();
    double *const mean = means(state), *const variance = mean + size;
    for (Index i = 0, c = 0; i < size; ++i, c = c + 1 == state.shape.channels ? 0 : c + 1) {
      mean[i] = mean_.empty() ? 0.0 : static_cast<double>(mean_[static_cast<std::size_t>(c)]);
      variance[i] = variance_.empty() ? 1.0 : static_cast<double>(variance_[static_cast<std::size_t>(c)]);
    }
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index size = x.size();
    double *const mean = means(state), *const variance = mean + size;
    const double fresh = 1 - factor_;
    for (Index t = 0; t < x.count; ++t) {
      const T* from = x.frame(t);
      T* to = y.frame(t);
      for (Index i = 0; i < size; ++i) {
        const double value = static_cast<double>(from[i]), away = value - mean[i];
        mean[i] += fresh * away;
        variance[i] = factor_ * (variance[i] + fresh * away * away);
        const double rest = center_ ? value - mean[i] : value;
        to[i] = static_cast<T>(scale_ ? rest / std::sqrt(variance[i] + eps_) : rest);
      }
    }
    return x.count;
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const { codec.frames(means(state), 2, state.shape.size()); }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return true; }

 private:
  // Those of a frame's numbers; the variances lie behind them.
  static double* means(StateRef state) noexcept { return reinterpret_cast<double*>(state.data); }

  double factor_, eps_;
  bool center_, scale_;
  std::vector<T> mean_, variance_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<ExponentialNorm<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_EXPONENTIAL_NORM_HPP
