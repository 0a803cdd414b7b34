#ifndef EIGENSTREAM_WINDOW_REARRANGE_HPP
#define EIGENSTREAM_WINDOW_REARRANGE_HPP

#include <algorithm>  // copy_n

#include "eigenstream/window/window_layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// What the layers below share: they only move numbers.
template <class T>
struct Rearrangement {
  using Scalar = T;
  Index in_channels() const noexcept { return Dynamic; }
  Index scratch_bytes(WindowShape) const noexcept { return 0; }
  static constexpr bool in_place() noexcept { return false; }
  Index parameters() const noexcept { return 0; }
  double macs(WindowShape) const noexcept { return 0; }

 protected:
  // y[t,c] = x[c,t], in squares that stay in the cache.
  static void transpose(WindowShape in, const T* x, T* y) noexcept {
    constexpr Index side = 16;
    for (Index t0 = 0; t0 < in.frames; t0 += side)
      for (Index c0 = 0; c0 < in.channels; c0 += side)
        for (Index c = c0; c < std::min(in.channels, c0 + side); ++c)
          for (Index t = t0; t < std::min(in.frames, t0 + side); ++t) y[c * in.frames + t] = x[t * in.channels + c];
  }
};

}  // namespace detail

/// Exchanges channels and frames of a window, so that what a layer does to channels it does to time:
///   es::WindowNet<float>{es::Transpose<float>{}, es::Softmax<float>{}, es::Transpose<float>{}}   // softmax over time
/// Shapes   window (C,T) -> (T,C)
/// Timing   a window in, a window out
/// Errors   none
/// Source   torch: x.transpose(1, 2)
template <class T>
struct Transpose : detail::Rearrangement<T> {
  WindowShape out_window(WindowShape in) const noexcept { return {in.frames, in.channels}; }
  void apply(WindowShape in, const T* x, T* y, std::byte*) const noexcept { this->transpose(in, x, y); }
  std::uint64_t fingerprint() const noexcept { return Fingerprint("Transpose"); }
};

/// A window's numbers as the channels of a single frame, in PyTorch's order: all frames of the first channel, then
/// those of the second, so that a Linear behind it has torch's weights.
/// Shapes   window (C,T) -> (C*T,1)
/// Timing   a window in, a window out
/// Errors   none
/// Source   torch.nn.Flatten
template <class T>
struct Flatten : detail::Rearrangement<T> {
  WindowShape out_window(WindowShape in) const noexcept { return {in.size(), 1}; }
  void apply(WindowShape in, const T* x, T* y, std::byte*) const noexcept { this->transpose(in, x, y); }
  std::uint64_t fingerprint() const noexcept { return Fingerprint("Flatten"); }
};

/// The frames of a window in reverse, so that a layer runs backwards in time:
///   es::WindowNet<float>{es::Reverse<float>{}, layer, es::Reverse<float>{}}
/// Shapes   window (C,T) -> (C,T)
/// Timing   a window in, a window out
/// Errors   none
/// Source   torch: x.flip(-1)
template <class T>
struct Reverse : detail::Rearrangement<T> {
  WindowShape out_window(WindowShape in) const noexcept { return in; }
  void apply(WindowShape in, const T* x, T* y, std::byte*) const noexcept {
    for (Index t = 0; t < in.frames; ++t)
      std::copy_n(x + t * in.channels, in.channels, y + (in.frames - 1 - t) * in.channels);
  }
  std::uint64_t fingerprint() const noexcept { return Fingerprint("Reverse"); }
};

static_assert(WindowLayer<Transpose<float>> && WindowLayer<Flatten<float>> && WindowLayer<Reverse<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_REARRANGE_HPP
