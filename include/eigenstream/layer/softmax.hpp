#ifndef EIGENSTREAM_LAYER_SOFTMAX_HPP
#define EIGENSTREAM_LAYER_SOFTMAX_HPP

#include <cmath>  // log

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/elementary.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// e^x over the sum of e^x of all channels of the frame.
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape
/// Timing   none: a frame in, a frame out
/// Errors   steps: noexcept, no allocation
/// Source   torch.nn.Softmax over the channel axis (over time it needs the whole signal and cannot be streamed)
template <class T>
struct Softmax : StatelessLayer<T> {
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept { return {.out = in, .macs = static_cast<double>(in.size())}; }
  std::uint64_t fingerprint() const { return Fingerprint("Softmax"); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const Index channels = x.channels;
    using P = simd::Packet<T, simd::max_lanes<T>>;
    for (Index column = 0; column < x.count * x.columns(); ++column) {
      const T* from = x.data + column * channels;
      T* to = y.data + column * channels;
      T most = from[0];
      for (Index c = 1; c < channels; ++c) most = from[c] > most ? from[c] : most;
      const P top = P::broadcast(most);
      kernel::map_pointwise(from, to, channels, [&](P v) { return simd::exp(v - top); });
      const P sum = P::broadcast(kernel::column_sum(to, channels, [](P v) { return v; }));
      kernel::map_pointwise(to, to, channels, [&](P v) { return v / sum; });
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }
};

/// The logarithm of Softmax: x - log(sum of e^x of all channels of the frame).
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape
/// Timing   none: a frame in, a frame out
/// Errors   steps: noexcept, no allocation
/// Source   torch.nn.LogSoftmax over the channel axis
template <class T>
struct LogSoftmax : StatelessLayer<T> {
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept { return {.out = in, .macs = static_cast<double>(in.size())}; }
  std::uint64_t fingerprint() const { return Fingerprint("LogSoftmax"); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const Index channels = x.channels;
    using P = simd::Packet<T, simd::max_lanes<T>>;
    for (Index column = 0; column < x.count * x.columns(); ++column) {
      const T* from = x.data + column * channels;
      T most = from[0];
      for (Index c = 1; c < channels; ++c) most = from[c] > most ? from[c] : most;
      const P top = P::broadcast(most);
      const P rest = P::broadcast(std::log(kernel::column_sum(from, channels, [&](P v) { return simd::exp(v - top); })));
      kernel::map_pointwise(from, y.data + column * channels, channels, [&](P v) { return (v - top) - rest; });
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }
};

static_assert(Layer<Softmax<float>> && Layer<LogSoftmax<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_SOFTMAX_HPP
