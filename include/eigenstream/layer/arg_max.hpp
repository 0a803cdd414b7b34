#ifndef EIGENSTREAM_LAYER_ARG_MAX_HPP
#define EIGENSTREAM_LAYER_ARG_MAX_HPP

#include <cmath>  // isnan

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Which channel of each frame is the greatest, or the least: its number, the first of several that are alike.
/// Shapes   x (C,T), with space, a batch or neither -> y (1,T) of whole numbers
/// Timing   none: a frame in, a frame out
/// Errors   none. NaN counts as the greatest and the least
/// Source   torch.argmax, argmin over the channels
template <class T>
class ArgMax : public StatelessLayer<T> {
 public:
  explicit ArgMax(bool least = false) : least_(least) {}

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept { return {.out = in.with_channels(1)}; }
  std::uint64_t fingerprint() const { return Fingerprint("ArgMax").add(least_); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const Index channels = x.channels;
    const T* from = x.data;
    for (Index column = 0; column < x.count * x.columns(); ++column, from += channels) {
      Index best = 0;
      for (Index c = 1; c < channels && !std::isnan(from[best]); ++c)
        if (std::isnan(from[c]) || (least_ ? from[c] < from[best] : from[c] > from[best])) best = c;
      y.data[column] = static_cast<T>(best);
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  bool least_;
};

static_assert(Layer<ArgMax<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_ARG_MAX_HPP
