#ifndef EIGENSTREAM_LAYER_AFFINE_HPP
#define EIGENSTREAM_LAYER_AFFINE_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A scale and an offset: y = x * scale + offset, the same for all channels or for each its own.
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape; scale, offset numbers or (C)
/// Timing   none: a frame in, a frame out
/// Source   torch: x * scale + offset
/// Errors   constructor: Error on shapes that differ. steps: noexcept, no allocation
template <class T>
class Affine : public StatelessLayer<T> {
 public:
  /// The same for any number of channels.
  explicit Affine(double scale, double offset = 0) : one_scale_(static_cast<T>(scale)), one_offset_(static_cast<T>(offset)) {
    fingerprint_ = Fingerprint("Affine").add(one_scale_).add(one_offset_);
  }
  /// For each channel its own.
  Affine(const Weights<T>& scale, const Weights<T>& offset) : channels_(scale.size()) {
    check(scale.shape.size() == 1 && channels_ >= 1, "Affine: scale has shape ", scale.shape_text(),
          ", expected (channels)");
    offset.expect("Affine", "offset", {channels_});
    scale_ = kernel::ChannelPattern<T>(channels_, [&](Index c) { return scale(c); });
    offset_ = kernel::ChannelPattern<T>(channels_, [&](Index c) { return offset(c); });
    fingerprint_ = Fingerprint("Affine").add(scale.span()).add(offset.span());
  }

  FrameShape wanted() const noexcept { return FrameShape::any(channels_); }
  Facts facts(const FrameShape& in) const {
    check_channels("Affine", channels_, in);
    return {.out = in, .parameters = 2 * channels_, .macs = static_cast<double>(in.size())};
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    map(x.data, y.data, x.scalars());
    return x.count;
  }
  /// The same for n numbers that begin with channel 0.
  EIGENSTREAM_ALWAYS_INLINE void map(const T* x, T* y, Index n) const noexcept {
    if (channels_ == 0) {
      using P = simd::Packet<T, simd::max_lanes<T>>;
      const P scale = P::broadcast(one_scale_), offset = P::broadcast(one_offset_);
      kernel::map_pointwise(x, y, n, [&](P v) { return multiply_add(v, scale, offset); });
    } else {
      kernel::map_channels(x, y, n, scale_, offset_,
                           [](auto v, auto scale, auto offset) { return multiply_add(v, scale, offset); });
    }
  }
  static constexpr bool in_place() noexcept { return true; }

 private:
  Index channels_ = 0;  // 0: one number for all
  T one_scale_ = T(1), one_offset_ = T(0);
  kernel::ChannelPattern<T> scale_, offset_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Affine<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_AFFINE_HPP
