#ifndef EIGENSTREAM_LAYER_INPUT_HPP
#define EIGENSTREAM_LAYER_INPUT_HPP

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Says which frames a network takes, in front of it: a stream of it then has that width and height by itself, and what
/// comes behind is tried with them when the network is built. The frames pass as they are.
/// Shapes   x (C,T), (C,W,T) or (C,W,H,T), with a batch or without -> y of the same
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error if width or height is below 1; facts: on frames of another shape
/// Source   none; Keras has keras.Input
template <class T>
class Input : public PassingLayer<T> {
 public:
  /// 0 channels: any number.
  explicit Input(FrameShape shape) : shape_{shape.channels, shape.width, shape.height, 0} {
    check(shape.channels >= 0 && shape.width >= 1 && shape.height >= 1, "Input: frames of ", shape,
          ", width and height must be at least 1");
  }

  FrameShape wanted() const noexcept { return shape_; }
  Facts facts(const FrameShape& in) const {
    check_channels("Input", shape_.channels, in);
    check(in.width == shape_.width && in.height == shape_.height, "Input: takes frames of width ", Index{shape_.width},
          " and height ", Index{shape_.height}, ", not ", Index{in.width}, " and ", Index{in.height});
    return {.out = in};
  }
  std::uint64_t fingerprint() const {
    return Fingerprint("Input").add(Index{shape_.channels}).add(Index{shape_.width}).add(Index{shape_.height});
  }

 private:
  FrameShape shape_;
};

static_assert(Layer<Input<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_INPUT_HPP
