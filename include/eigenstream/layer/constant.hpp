#ifndef EIGENSTREAM_LAYER_CONSTANT_HPP
#define EIGENSTREAM_LAYER_CONSTANT_HPP

#include <algorithm>  // fill_n

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A frame of one number for each frame that comes, whatever is in it, infinities and NaNs too.
///   y[c,t] = value
/// Shapes   x (C,T), with space, a batch or neither -> y of the same
/// Timing   none: a frame in, a frame out
/// Errors   none
/// Source   torch.full_like; continual.Constant, Zero and One
template <class T>
class Constant : public StatelessLayer<T> {
 public:
  explicit Constant(double value) : value_(static_cast<T>(value)) {}

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept { return {.out = in}; }
  std::uint64_t fingerprint() const { return Fingerprint("Constant").add(value_); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    std::fill_n(y.data, x.scalars(), value_);
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }

 private:
  T value_;
};

static_assert(Layer<Constant<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CONSTANT_HPP
