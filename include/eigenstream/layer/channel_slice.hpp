#ifndef EIGENSTREAM_LAYER_CHANNEL_SLICE_HPP
#define EIGENSTREAM_LAYER_CHANNEL_SLICE_HPP

#include <algorithm>  // copy_n
#include <limits>     // greatest size

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Some of the channels: start ... start + channels - 1.
/// Shapes   x (C,T) or (C,B,T) with C of at least start + channels -> y (channels,T) or (channels,B,T)
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on impossible numbers; facts: Error if there are too few. steps: noexcept, no
///          allocation
/// Source   torch.narrow(x, 1, start, channels); torch.chunk and torch.split are several of these
template <class T>
class ChannelSlice : public StatelessLayer<T> {
 public:
  ChannelSlice(Index start, Index channels) : start_(start), channels_(channels) {
    check(start >= 0, "ChannelSlice: start = ", start, ", must not be negative");
    check(channels >= 1, "ChannelSlice: ", channels, " channels, must be at least 1");
    constexpr double most = 1099511627776.0;  // 2^40, which a 32-bit size does not reach
    check(static_cast<double>(start) <= most && static_cast<double>(channels) <= most &&
              start <= std::numeric_limits<Index>::max() - channels,
          "ChannelSlice: start = ", start, " and ", channels, " channels, must be within 2^40");
  }

  Index start() const noexcept { return start_; }
  Index channels() const noexcept { return channels_; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    check(start_ + channels_ <= in.channels, "ChannelSlice: channels ", start_, " to ", start_ + channels_ - 1,
          " of only ", in.channels);
    return {.out = in.with_channels(channels_)};
  }
  std::uint64_t fingerprint() const { return Fingerprint("ChannelSlice").add(start_).add(channels_); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const T* from = x.data + start_;
    T* to = y.data;
    for (Index column = x.count * x.columns(); column > 0; --column, from += x.channels, to += channels_)
      std::copy_n(from, channels_, to);
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  Index start_, channels_;
};

static_assert(Layer<ChannelSlice<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CHANNEL_SLICE_HPP
