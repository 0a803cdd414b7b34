#ifndef EIGENSTREAM_LAYER_CUMULATIVE_HPP
#define EIGENSTREAM_LAYER_CUMULATIVE_HPP

#include <algorithm>  // fill_n

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/cumulate.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The sum, product, maximum or minimum of all frames so far, of each channel by itself.
///   y[t] = op(x[0], ..., x[t])
/// Shapes   x (C,T), with space, a batch or neither -> y of the same; x and y may be the same memory
/// Timing   a frame in, a frame out, at once; the receptive field is unbounded
/// Errors   constructor: Error on another operation. steps/flush: noexcept, no allocation
/// Source   torch.cumsum, cumprod, cummax, cummin over time
/// The state is the last value in double, whatever T is. The number of a frame is the Cumulative sum of ones, so that a
/// mean of all so far is the quotient of two of these.
template <class T>
class Cumulative {
 public:
  using Scalar = T;

  explicit Cumulative(Reduce op) : op_(op) {
    check(op == Reduce::sum || op == Reduce::product || op == Reduce::max || op == Reduce::min, "Cumulative: op is ",
          name_of(op), ", must be sum, product, max or min");
  }

  Reduce op() const noexcept { return op_; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept {
    return {.out = in, .state_bytes = aligned_bytes(in.size() * static_cast<Index>(sizeof(double)))};
  }
  Timing timing() const { return TimingStage{.recursive = true}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const noexcept { return Fingerprint("Cumulative").add(static_cast<int>(op_)); }

  void reset(StateRef state) const noexcept { std::fill_n(running(state), state.shape.size(), kernel::neutral(op_)); }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    kernel::cumulate(op_, x.data, x.count, x.size(), running(state), y.data);
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

  Reduce op_;
};

static_assert(Layer<Cumulative<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CUMULATIVE_HPP
