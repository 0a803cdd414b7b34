#ifndef EIGENSTREAM_LAYER_ADAPTIVE_POOL_HPP
#define EIGENSTREAM_LAYER_ADAPTIVE_POOL_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/window_reduce.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// What both pools share: W columns to output_size ones, each from the columns
///   floor(i*W / output_size) ... ceil((i+1)*W / output_size) - 1
/// `Pool` reduces them: pool(first column, columns, channels, y).
template <class T, class Pool>
class AdaptivePool1d : public StatelessLayer<T> {
 public:
  static constexpr Space space_of_type = Space::needed;

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept {
    return {.out = in.with_width(output_size_), .macs = static_cast<double>(in.size())};
  }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const Index channels = x.channels, width = x.width;
    const T* from = x.data;
    T* to = y.data;
    for (Index row = x.count * x.height * x.batch; row > 0; --row, from += width * channels, to += output_size_ * channels)
      for (Index i = 0; i < output_size_; ++i) {
        const Index begin = i * width / output_size_, end = ceil_div((i + 1) * width, output_size_);
        static_cast<const Pool&>(*this).pool(from + begin * channels, end - begin, channels, to + i * channels);
      }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr bool keeps_channels() noexcept { return true; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 protected:
  AdaptivePool1d(const char* name, Index output_size)
      : output_size_(output_size), fingerprint_(Fingerprint(name).add(output_size)) {
    check(output_size >= 1, name, ": output_size = ", output_size, ", must be at least 1");
  }

 private:
  Index output_size_;
  Fingerprint fingerprint_;
};

}  // namespace detail

/// Averages the width of a frame down (or up) to a given number of columns: a window to so many frames.
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y with output_size columns for W
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error if output_size is below 1
/// Source   torch.nn.AdaptiveAvgPool1d; output_size 1 is the mean over time
/// Over time it would need the whole signal: it runs in Windowed, or behind what makes windows.
template <class T>
class AdaptiveAvgPool1d : public detail::AdaptivePool1d<T, AdaptiveAvgPool1d<T>> {
 public:
  explicit AdaptiveAvgPool1d(Index output_size)
      : detail::AdaptivePool1d<T, AdaptiveAvgPool1d>("AdaptiveAvgPool1d", output_size) {}

 private:
  friend class detail::AdaptivePool1d<T, AdaptiveAvgPool1d>;
  void pool(const T* first, Index frames, Index channels, T* y) const noexcept {
    kernel::window_mean(first, frames, channels, y);
  }
};

/// The greatest numbers of each part of a frame's width, cut into a given number of columns. NaN gives NaN.
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y with output_size columns for W
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error if output_size is below 1
/// Source   torch.nn.AdaptiveMaxPool1d; output_size 1 is the maximum over time
/// Over time it would need the whole signal: it runs in Windowed, or behind what makes windows.
template <class T>
class AdaptiveMaxPool1d : public detail::AdaptivePool1d<T, AdaptiveMaxPool1d<T>> {
 public:
  explicit AdaptiveMaxPool1d(Index output_size)
      : detail::AdaptivePool1d<T, AdaptiveMaxPool1d>("AdaptiveMaxPool1d", output_size) {}

 private:
  friend class detail::AdaptivePool1d<T, AdaptiveMaxPool1d>;
  void pool(const T* first, Index frames, Index channels, T* y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    kernel::block_reduce(
        first, 0, 1, channels, frames, channels, y, [](P a, P b) { return simd::max(a, b); }, [](P value) { return value; });
  }
};

static_assert(Layer<AdaptiveAvgPool1d<float>> && Layer<AdaptiveMaxPool1d<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_ADAPTIVE_POOL_HPP
