#ifndef EIGENSTREAM_LAYER_EXPONENTIAL_AVERAGE_HPP
#define EIGENSTREAM_LAYER_EXPONENTIAL_AVERAGE_HPP

#include <cmath>   // isfinite
#include <vector>  // what is there before the signal

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The running mean of what has been, which forgets exponentially, of each number of a frame by itself.
///   y[t] = factor y[t-1] + (1 - factor) x[t],  y[-1] = initial[channel], or 0
/// Shapes   x (C,T), with space, a batch or neither -> y of the same; x and y may be the same memory. initial (C), or empty
/// Timing   a frame in, a frame out, at once; the receptive field is unbounded
/// Errors   constructor: Error if factor is not from 0 to 1, or what is there before the signal not finite or of the wrong shape.
///          steps/flush: noexcept, no allocation
/// Source   as an IIR filter torchaudio.functional.lfilter(x, [1, -factor], [1 - factor, 0], clamp=False)
/// The state is the last value in double, whatever T is.
template <class T>
class ExponentialAverage {
 public:
  using Scalar = T;

  explicit ExponentialAverage(double factor, const Weights<T>& initial = {}) : factor_(factor), initial_(initial.values) {
    check(factor >= 0 && factor <= 1, "ExponentialAverage: factor = ", factor, ", must be from 0 to 1");
    check(initial.empty() || initial.shape.size() == 1, "ExponentialAverage: initial has shape ", initial.shape_text(),
          ", expected (channels)");
    for (const T value : initial_) check(std::isfinite(value), "ExponentialAverage: initial holds a value that is not finite");
    fingerprint_ = Fingerprint("ExponentialAverage").add(factor).add(std::span<const T>(initial_));
  }

  double factor() const noexcept { return factor_; }
  FrameShape wanted() const noexcept { return FrameShape::any(static_cast<Index>(initial_.size())); }
  Facts facts(const FrameShape& in) const {
    check_channels("ExponentialAverage", wanted().channels, in);
    return {.out = in,
            .state_bytes = aligned_bytes(in.size() * static_cast<Index>(sizeof(double))),
            .parameters = static_cast<Index>(initial_.size()),
            .macs = 2 * static_cast<double>(in.size())};
  }
  Timing timing() const { return TimingStage{.recursive = true}; }
  Index max_outputs(Index n) const noexcept { return n; }
  bool keeps_channels() const noexcept { return true; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    for (Index i = 0, c = 0; i < state.shape.size(); ++i, c = c + 1 == state.shape.channels ? 0 : c + 1)
      running(state)[i] = initial_.empty() ? 0.0 : static_cast<double>(initial_[static_cast<std::size_t>(c)]);
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    double* const last = running(state);
    const Index size = x.size();
    const double old = factor_, fresh = 1 - factor_;
    for (Index t = 0; t < x.count; ++t) {
      const T* from = x.frame(t);
      T* to = y.frame(t);
      for (Index i = 0; i < size; ++i) {
        last[i] = old * last[i] + fresh * static_cast<double>(from[i]);
        to[i] = static_cast<T>(last[i]);
      }
    }
    return x.count;
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const { codec.values(running(state), state.shape.size()); }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return true; }

 private:
  static double* running(StateRef state) noexcept { return reinterpret_cast<double*>(state.data); }

  double factor_;
  std::vector<T> initial_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<ExponentialAverage<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_EXPONENTIAL_AVERAGE_HPP
