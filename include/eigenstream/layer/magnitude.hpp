#ifndef EIGENSTREAM_LAYER_MAGNITUDE_HPP
#define EIGENSTREAM_LAYER_MAGNITUDE_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The absolute values of complex numbers, or the squares of these. Real and imaginary part are two channels, one behind the other.
///   y[c] = sqrt(x[2c]^2 + x[2c + 1]^2) if power is 1, x[2c]^2 + x[2c + 1]^2 if it is 2
/// Shapes   x (2C,T), (2C,W,T), (2C,W,H,T), with a batch or without -> y of C channels
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error if power is neither 1 nor 2; facts: if the channels are odd
/// Source   torch.abs of complex tensors
template <class T>
class Magnitude : public StatelessLayer<T> {
 public:
  explicit Magnitude(Index power = 1) : power_(power) {
    check(power == 1 || power == 2, "Magnitude: power = ", power, ", must be 1 or 2");
  }

  Index power() const noexcept { return power_; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    check(in.channels % 2 == 0, "Magnitude: takes pairs of real and imaginary parts, not ", in.channels, " channels");
    return {.out = in.with_channels(in.channels / 2), .macs = static_cast<double>(in.size())};
  }
  std::uint64_t fingerprint() const noexcept { return Fingerprint("Magnitude").add(power_); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    // Pairs lie one after the other whatever the shape.
    const Index n = x.scalars() / 2;
    if (power_ == 2)
      kernel::map_pairs(x.data, y.data, n, [](auto re, auto im) { return multiply_add(re, re, im * im); });
    else
      kernel::map_pairs(x.data, y.data, n, [](auto re, auto im) { return sqrt(multiply_add(re, re, im * im)); });
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  Index power_;
};

static_assert(Layer<Magnitude<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_MAGNITUDE_HPP
