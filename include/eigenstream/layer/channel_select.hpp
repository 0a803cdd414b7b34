#ifndef EIGENSTREAM_LAYER_CHANNEL_SELECT_HPP
#define EIGENSTREAM_LAYER_CHANNEL_SELECT_HPP

#include <algorithm>         // max
#include <cstdint>           // int32_t
#include <initializer_list>  // channels
#include <span>              // channels
#include <vector>            // channels

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Channels in any order, each as often as it is named: ChannelSelect<float>({2, 0, 1, 1}).
/// Shapes   x (C,T), (C,W,T), (C,W,H,T), with a batch or without, with C beyond the greatest number -> y of as many channels as
///          are named
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error without channels, or with a number that is negative or beyond 2^31 - 1; facts: if there are too few
/// Source   torch.index_select(x, 1, channels)
template <class T>
class ChannelSelect : public StatelessLayer<T> {
 public:
  explicit ChannelSelect(std::span<const Index> channels) : fingerprint_("ChannelSelect") {
    check(!channels.empty(), "ChannelSelect: no channels");
    for (const Index channel : channels) {
      check(channel >= 0 && static_cast<double>(channel) <= 2147483647.0, "ChannelSelect: channel ", channel,
            ", must be from 0 to 2^31 - 1");
      channels_.push_back(static_cast<std::int32_t>(channel));
      least_ = std::max(least_, channel + 1);
      fingerprint_.add(channel);
    }
  }
  ChannelSelect(std::initializer_list<Index> channels) : ChannelSelect(std::span(channels.begin(), channels.size())) {}

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    check(least_ <= in.channels, "ChannelSelect: channel ", least_ - 1, " of only ", in.channels);
    return {.out = in.with_channels(static_cast<Index>(channels_.size()))};
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const T* from = x.data;
    T* to = y.data;
    for (Index column = x.count * x.columns(); column > 0; --column, from += x.channels)
      for (const std::int32_t channel : channels_) *to++ = from[channel];
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  std::vector<std::int32_t> channels_;
  Index least_ = 0;
  Fingerprint fingerprint_;
};

static_assert(Layer<ChannelSelect<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CHANNEL_SELECT_HPP
