#ifndef EIGENSTREAM_WINDOW_ADAPTIVE_POOL1D_HPP
#define EIGENSTREAM_WINDOW_ADAPTIVE_POOL1D_HPP

#include "eigenstream/kernel/window_reduce.hpp"
#include "eigenstream/window/window_layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// What both pools share: a window of T frames to output_size ones, each from the frames
///   floor(i*T / output_size) ... ceil((i+1)*T / output_size) - 1
/// `Pool` reduces them: pool(first frame, frames, channels, y).
template <class T, class Pool>
class AdaptivePool1d {
 public:
  using Scalar = T;

  Index in_channels() const noexcept { return Dynamic; }
  WindowShape out_window(WindowShape in) const noexcept { return {in.channels, output_size_}; }
  Index scratch_bytes(WindowShape) const noexcept { return 0; }
  void apply(WindowShape in, const T* x, T* y, std::byte*) const noexcept {
    for (Index i = 0; i < output_size_; ++i) {
      const Index begin = i * in.frames / output_size_, end = ceil_div((i + 1) * in.frames, output_size_);
      static_cast<const Pool&>(*this).pool(x + begin * in.channels, end - begin, in.channels, y + i * in.channels);
    }
  }
  static constexpr bool in_place() noexcept { return false; }
  Index parameters() const noexcept { return 0; }
  double macs(WindowShape in) const noexcept { return static_cast<double>(in.size()); }
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

/// Averages a window down (or up) to a given number of frames.
/// Shapes   window (C,T) -> (C,output_size)
/// Timing   a window in, a window out
/// Errors   constructor: Error if output_size is below 1
/// Source   torch.nn.AdaptiveAvgPool1d; output_size 1 is the mean over time
/// It needs the whole signal, so it runs in Windowed, not in a stream.
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

/// The greatest numbers of each part of a window, cut into a given number of frames. NaN gives NaN.
/// Shapes   window (C,T) -> (C,output_size)
/// Timing   a window in, a window out
/// Errors   constructor: Error if output_size is below 1
/// Source   torch.nn.AdaptiveMaxPool1d; output_size 1 is the maximum over time
/// It needs the whole signal, so it runs in Windowed, not in a stream.
template <class T>
class AdaptiveMaxPool1d : public detail::AdaptivePool1d<T, AdaptiveMaxPool1d<T>> {
 public:
  explicit AdaptiveMaxPool1d(Index output_size)
      : detail::AdaptivePool1d<T, AdaptiveMaxPool1d>("AdaptiveMaxPool1d", output_size) {}

 private:
  friend class detail::AdaptivePool1d<T, AdaptiveMaxPool1d>;
  void pool(const T* first, Index frames, Index channels, T* y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    kernel::window_reduce(
        first, channels, frames, channels, y, [](P a, P b) { return simd::max(a, b); }, [](P value) { return value; });
  }
};

static_assert(!Layer<AdaptiveAvgPool1d<float>> && WindowLayer<AdaptiveAvgPool1d<float>> &&
              WindowLayer<AdaptiveMaxPool1d<double>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_ADAPTIVE_POOL1D_HPP
