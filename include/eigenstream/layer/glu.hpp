#ifndef EIGENSTREAM_LAYER_GLU_HPP
#define EIGENSTREAM_LAYER_GLU_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/elementary.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Gated linear unit: the first half of the channels times the sigmoid of the second.
/// Shapes   x (2C,T) or (2C,B,T) -> y (C,T) or (C,B,T)
/// Timing   none: a frame in, a frame out
/// Errors   facts: Error if the channels are not even. steps: noexcept, no allocation
/// Source   torch.nn.GLU over the channel axis
template <class T>
struct Glu : StatelessLayer<T> {
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    check(in.channels % 2 == 0, "GLU: takes an even number of channels, not ", in.channels);
    return {.out = in.with_channels(in.channels / 2), .macs = 0.5 * static_cast<double>(in.size())};
  }
  std::uint64_t fingerprint() const { return Fingerprint("GLU"); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const Index half = x.channels / 2;
    for (Index column = 0; column < x.count * x.columns(); ++column) {
      const T* from = x.data + column * x.channels;
      kernel::map_two(from, from + half, y.data + column * half, half,
                      [](auto a, auto b) { return a * simd::sigmoid(b); });
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }
};

static_assert(Layer<Glu<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_GLU_HPP
