#ifndef EIGENSTREAM_LAYER_NORM_HPP
#define EIGENSTREAM_LAYER_NORM_HPP

#include <cmath>  // sqrt

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Batch normalisation in inference mode: with fixed statistics it is a scale and a shift for each channel.
///   y = (x - mean) / sqrt(var + eps) * weight + bias, computed as x * scale + shift
/// Shapes   mean, var (C); weight, bias (C) or empty
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on shapes that differ or a variance that is not positive with eps
/// Source   torch.nn.BatchNorm1d, eval()
template <class T>
class BatchNorm1d : public StatelessLayer<T> {
 public:
  BatchNorm1d(const Weights<T>& mean, const Weights<T>& var, const Weights<T>& weight = {}, const Weights<T>& bias = {},
              double eps = 1e-5)
      : channels_(mean.size()), affine_(!weight.empty()) {
    check(mean.shape.size() == 1 && channels_ >= 1, "BatchNorm1d: running_mean has shape ", mean.shape_text(),
          ", expected (channels)");
    var.expect("BatchNorm1d", "running_var", {channels_});
    check(weight.empty() == bias.empty(), "BatchNorm1d: weight and bias come together or not at all");
    if (affine_) {
      weight.expect("BatchNorm1d", "weight", {channels_});
      bias.expect("BatchNorm1d", "bias", {channels_});
    }
    std::vector<T> scales, shifts;
    for (Index c = 0; c < channels_; ++c) {
      const double spread = static_cast<double>(var(c)) + eps;
      check(spread > 0, "BatchNorm1d: running_var + eps of channel ", c, " is ", spread, ", must be positive");
      const double scale = (affine_ ? static_cast<double>(weight(c)) : 1.0) / std::sqrt(spread);
      scales.push_back(static_cast<T>(scale));
      shifts.push_back(static_cast<T>((affine_ ? static_cast<double>(bias(c)) : 0.0) - static_cast<double>(mean(c)) * scale));
    }
    const auto at = [](const std::vector<T>& v) { return [&v](Index c) { return v[static_cast<std::size_t>(c)]; }; };
    scale_ = kernel::ChannelPattern<T>(channels_, at(scales));
    shift_ = kernel::ChannelPattern<T>(channels_, at(shifts));
    fingerprint_ = Fingerprint("BatchNorm1d").add(std::span<const T>(scales)).add(std::span<const T>(shifts));
  }

  FrameShape wanted() const noexcept { return FrameShape::any(channels_); }
  Facts facts(const FrameShape& in) const {
    check_channels("BatchNorm1d", channels_, in);
    return {.out = in, .parameters = affine_ ? 2 * channels_ : 0, .macs = static_cast<double>(in.size())};
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    map(x.data, y.data, x.scalars());
    return x.count;
  }
  /// The same for n numbers that begin with channel 0.
  EIGENSTREAM_ALWAYS_INLINE void map(const T* x, T* y, Index n) const noexcept {
    kernel::map_channels(x, y, n, scale_, shift_,
                         [](auto v, auto scale, auto shift) { return multiply_add(v, scale, shift); });
  }
  static constexpr bool in_place() noexcept { return true; }

 private:
  Index channels_;
  bool affine_;
  kernel::ChannelPattern<T> scale_, shift_;
  Fingerprint fingerprint_{""};
};

/// The same over frames with space: further columns.
template <class T>
using BatchNorm2d = BatchNorm1d<T>;
template <class T>
using BatchNorm3d = BatchNorm1d<T>;

/// Normalises the channels of every frame to mean 0 and variance 1.
///   y = (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance over the channels of the frame
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape; weight, bias (C) or empty
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on shapes that differ
/// Source   torch.nn.LayerNorm over the channel axis (over time it needs the whole signal and cannot be streamed)
template <class T>
class LayerNorm : public StatelessLayer<T> {
 public:
  /// With or without weight and bias; then `channels` is taken from them.
  explicit LayerNorm(Index channels, double eps = 1e-5) : LayerNorm(channels, {}, {}, eps) {}
  LayerNorm(const Weights<T>& weight, const Weights<T>& bias, double eps = 1e-5)
      : LayerNorm(weight.size(), weight, bias, eps) {}
  LayerNorm(Index channels, const Weights<T>& weight, const Weights<T>& bias, double eps)
      : channels_(channels), affine_(!weight.empty()), eps_(static_cast<T>(eps)) {
    check(channels >= 1, "LayerNorm: ", channels, " channels, must be at least 1");
    if (affine_) weight.expect("LayerNorm", "weight", {channels});
    if (!bias.empty()) bias.expect("LayerNorm", "bias", {channels});
    check(eps >= 0, "LayerNorm: eps = ", eps, ", must not be negative");
    weight_ = kernel::ChannelPattern<T>(channels, [&](Index c) { return affine_ ? weight(c) : T(1); });
    bias_ = kernel::ChannelPattern<T>(channels, [&](Index c) { return bias.empty() ? T(0) : bias(c); });
    fingerprint_ = Fingerprint("LayerNorm").add(channels).add(eps).add(weight.span()).add(bias.span());
    parameters_ = weight.size() + bias.size();
  }

  FrameShape wanted() const noexcept { return FrameShape::any(channels_); }
  Facts facts(const FrameShape& in) const {
    check_channels("LayerNorm", channels_, in);
    return {.out = in, .parameters = parameters_, .macs = 3.0 * static_cast<double>(in.size())};
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const T count = static_cast<T>(channels_);
    for (Index column = 0; column < x.count * x.columns(); ++column) {
      const T* from = x.data + column * channels_;
      const P mean = P::broadcast(kernel::column_sum(from, channels_, [](P v) { return v; }) / count);
      const T var = kernel::column_sum(from, channels_, [&](P v) { return (v - mean) * (v - mean); }) / count;
      const P scale = P::broadcast(T(1) / std::sqrt(var + eps_));
      kernel::map_channels(from, y.data + column * channels_, channels_, weight_, bias_,
                   [&](P v, P weight, P bias) { return multiply_add((v - mean) * scale, weight, bias); });
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }

 private:
  Index channels_, parameters_ = 0;
  bool affine_;
  T eps_;
  kernel::ChannelPattern<T> weight_, bias_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<BatchNorm1d<float>> && Layer<LayerNorm<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_NORM_HPP
