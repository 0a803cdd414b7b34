#ifndef EIGENSTREAM_LAYER_GROUP_NORM_HPP
#define EIGENSTREAM_LAYER_GROUP_NORM_HPP

#include <cmath>  // sqrt

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Normalises groups of channels to mean 0 and variance 1 over the space axes of a frame: over the frames of a window.
///   y = (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance over a group's channels
///   and all columns of the frame
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y of the same shape; weight, bias (C) or empty
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error if the groups do not divide the channels, or on shapes that differ
/// Source   torch.nn.GroupNorm; num_groups = C is torch.nn.InstanceNorm1d, see `instance_norm`
/// Over time it would need the whole signal: it runs in Windowed, or behind what makes windows.
template <class T>
class GroupNorm : public StatelessLayer<T> {
 public:
  static constexpr Space space_of_type = Space::needed;

  /// Without weight and bias.
  GroupNorm(Index num_groups, Index num_channels, double eps = 1e-5)
      : GroupNorm(num_groups, num_channels, {}, {}, eps) {}
  GroupNorm(Index num_groups, const Weights<T>& weight, const Weights<T>& bias, double eps = 1e-5)
      : GroupNorm(num_groups, weight.size(), weight, bias, eps) {}
  GroupNorm(Index num_groups, Index num_channels, const Weights<T>& weight, const Weights<T>& bias, double eps)
      : groups_(num_groups), channels_(num_channels), eps_(eps), parameters_(weight.size() + bias.size()) {
    check(channels_ >= 1, "GroupNorm: num_channels = ", channels_, ", must be at least 1");
    check(groups_ >= 1 && channels_ % groups_ == 0, "GroupNorm: num_groups = ", groups_, " does not divide ", channels_,
          " channels");
    check(eps >= 0, "GroupNorm: eps = ", eps, ", must not be negative");
    if (!weight.empty()) weight.expect("GroupNorm", "weight", {channels_});
    if (!bias.empty()) bias.expect("GroupNorm", "bias", {channels_});
    for (Index c = 0; c < channels_; ++c) {
      weight_.push_back(weight.empty() ? 1.0 : static_cast<double>(weight(c)));
      bias_.push_back(bias.empty() ? 0.0 : static_cast<double>(bias(c)));
    }
    period_ = std::lcm(channels_, Index{simd::max_lanes<T>});
    fingerprint_ = Fingerprint("GroupNorm").add(groups_).add(channels_).add(eps).add(weight.span()).add(bias.span());
  }

  FrameShape wanted() const noexcept { return FrameShape::any(channels_); }
  Facts facts(const FrameShape& in) const {
    check_channels("GroupNorm", channels_, in);
    return {.out = in,
            .scratch_bytes = 2 * aligned_bytes(period_ * static_cast<Index>(sizeof(T))) +
                             aligned_bytes(channels_ * static_cast<Index>(sizeof(double))),
            .parameters = parameters_,
            .macs = 3.0 * static_cast<double>(in.size())};
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index n = x.channels * x.width * x.height;
    for (Index i = 0; i < x.count * x.batch; ++i) normalise(x.data + i * n, n, y.data + i * n, state.scratch);
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }

 private:
  // n numbers of one signal.
  void normalise(const T* x, Index n, T* y, std::byte* scratch) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    // Two patterns of numbers, one for each channel in turn, and the channels' sums.
    const Index bytes = aligned_bytes(period_ * static_cast<Index>(sizeof(T)));
    T *a = reinterpret_cast<T*>(scratch), *b = reinterpret_cast<T*>(scratch + bytes);
    double* sums = reinterpret_cast<double*>(scratch + 2 * bytes);
    const Index members = channels_ / groups_;
    const double count = static_cast<double>(members * (n / channels_));

    kernel::channel_sums(x, n, channels_, period_, sums, [](P v, Index) { return v; });
    for_each_group([&](Index first) {
      const double mean = total(sums + first, members) / count;
      fill(a, first, members, [&](std::size_t) { return mean; });
    });
    kernel::channel_sums(x, n, channels_, period_, sums, [&](P v, Index i) {
      const P centred = v - P::load(a + i);
      return centred * centred;
    });
    for_each_group([&](Index first) {
      const double scale = 1 / std::sqrt(total(sums + first, members) / count + eps_);
      const double mean = static_cast<double>(a[first]);
      fill(b, first, members, [&](std::size_t c) { return bias_[c] - mean * scale * weight_[c]; });
      fill(a, first, members, [&](std::size_t c) { return scale * weight_[c]; });
    });
    kernel::map_periodic(x, y, n, a, b, period_, [](P v, P scale, P shift) { return multiply_add(v, scale, shift); });
  }
  template <class F>
  void for_each_group(F&& f) const noexcept {
    for (Index first = 0; first < channels_; first += channels_ / groups_) f(first);
  }
  static double total(const double* sums, Index n) noexcept {
    double all = 0;
    for (Index i = 0; i < n; ++i) all += sums[i];
    return all;
  }
  // Writes value(channel) to a pattern, for some channels.
  template <class Value>
  void fill(T* pattern, Index first, Index n, Value&& value) const noexcept {
    for (Index c = first; c < first + n; ++c)
      for (Index i = c; i < period_; i += channels_) pattern[i] = static_cast<T>(value(static_cast<std::size_t>(c)));
  }

  Index groups_, channels_, period_ = 1;
  double eps_;
  Index parameters_;
  std::vector<double> weight_, bias_;
  Fingerprint fingerprint_{""};
};

/// torch.nn.InstanceNorm1d (without running statistics): every channel by itself.
template <class T>
GroupNorm<T> instance_norm(Index num_features, double eps = 1e-5) {
  return GroupNorm<T>(num_features, num_features, eps);
}
template <class T>
GroupNorm<T> instance_norm(const Weights<T>& weight, const Weights<T>& bias, double eps = 1e-5) {
  return GroupNorm<T>(weight.size(), weight, bias, eps);
}

/// Normalises each frame of a stream over its space, each channel by itself or with `over_channels` all of them together, with
/// a weight and a bias for each number.
///   y = (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance over the width and height of the frame
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y of the same shape; weight, bias (C,H,W) or empty
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on shapes that differ; facts: on frames of another shape
/// Source   torch.nn.LayerNorm over the last axes of (B,C,T,W) or (B,C,T,H,W), its weight repeated for each channel;
///          `over_channels`: over those of (B,T,C,W) or (B,T,C,H,W)
template <class T>
class SpaceNorm : public StatelessLayer<T> {
 public:
  static constexpr Space space_of_type = Space::used;

  explicit SpaceNorm(FrameShape shape, bool over_channels = false, const Weights<T>& weight = {}, const Weights<T>& bias = {},
                     double eps = 1e-5)
      : shape_{shape.channels, shape.width, shape.height, 0},
        norm_(over_channels ? 1 : Index{shape.channels}, shape.channels, eps),
        affine_(!weight.empty() || !bias.empty()),
        parameters_(weight.size() + bias.size()) {
    const Index channels = shape.channels, width = shape.width, height = shape.height;
    check(width >= 1 && height >= 1, "SpaceNorm: frames of ", shape, ", width and height must be at least 1");
    if (!weight.empty()) weight.expect("SpaceNorm", "weight", {channels, height, width});
    if (!bias.empty()) bias.expect("SpaceNorm", "bias", {channels, height, width});
    if (affine_) {
      const auto in_order = [&](const Weights<T>& values, T otherwise) {
        return kernel::ChannelPattern<T>(channels * width * height, [&, otherwise](Index i) {
          return values.empty() ? otherwise : values(i % channels, i / channels / width, i / channels % width);
        });
      };
      weight_ = in_order(weight, T(1)), bias_ = in_order(bias, T(0));
    }
    fingerprint_ = Fingerprint("SpaceNorm").add(channels).add(width).add(height).add(over_channels).add(eps);
    fingerprint_.add(weight.span()).add(bias.span());
  }

  FrameShape wanted() const noexcept { return shape_; }
  Facts facts(const FrameShape& in) const {
    check_channels("SpaceNorm", shape_.channels, in);
    check(in.width == shape_.width && in.height == shape_.height, "SpaceNorm: takes frames of width ", Index{shape_.width},
          " and height ", Index{shape_.height}, ", not ", Index{in.width}, " and ", Index{in.height});
    Facts all = norm_.facts(in);
    all.parameters = parameters_;
    if (affine_) all.macs += static_cast<double>(in.size());
    return all;
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    norm_.steps(state, x, y);
    if (affine_)
      kernel::map_channels(y.data, y.data, x.scalars(), weight_, bias_,
                           [](auto v, auto weight, auto bias) { return multiply_add(v, weight, bias); });
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }

 private:
  FrameShape shape_;
  GroupNorm<T> norm_;
  bool affine_;
  Index parameters_;
  kernel::ChannelPattern<T> weight_, bias_;  // for each number of a frame, as if it was a channel
  Fingerprint fingerprint_{""};
};

static_assert(Layer<GroupNorm<float>> && Layer<SpaceNorm<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_GROUP_NORM_HPP
