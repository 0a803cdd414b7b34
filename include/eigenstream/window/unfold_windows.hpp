#ifndef EIGENSTREAM_WINDOW_UNFOLD_WINDOWS_HPP
#define EIGENSTREAM_WINDOW_UNFOLD_WINDOWS_HPP

#include <unsupported/Eigen/CXX11/Tensor>  // Tensor

#include <algorithm>  // copy_n
#include <array>      // dimensions

#include "eigenstream/core/frames.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The windows of a whole signal, and what is left over behind the last one.
/// Shapes   windows (...,window,n), rest (...,R); see unfold_windows
/// Timing   none: whole signals
/// Errors   none
/// Source   ml4gw.utils.slicing.unfold_windows
template <class Windows, class Rest>
struct UnfoldedWindows {
  Windows windows;
  Rest rest;
};

/// Cuts a whole signal into overlapping windows.
///   windows(...,j,i) = x(...,i*stride + j),  i = 0 ... n-1,  n = floor((T - window) / stride) + 1
///   rest = the samples behind the last window; with a stride beyond the window, those between windows, too
/// Shapes   x (T), (C,T) or (C,B,T), of any element type -> windows (window,n), (C,window,n) or (C,B,window,n);
///          rest (R), (C,R) or (C,B,R), R = T - window - (n-1)*stride
/// Errors   Error if window or stride is below 1, or the signal shorter than one window
/// Source   ml4gw.utils.slicing.unfold_windows (whose drop_last = false is `rest`)
template <class X>
auto unfold_windows(const X& x, Index window, Index stride) {
  static_assert(detail::TensorLike<X> && static_cast<int>(X::Layout) == static_cast<int>(Eigen::ColMajor),
                "eigenstream: unfold_windows takes a column-major tensor (T), (C,T) or (C,B,T)");
  constexpr int rank = X::NumDimensions;
  using T = std::remove_const_t<typename X::Scalar>;
  const Index frames = x.dimensions()[rank - 1];
  check(window >= 1 && stride >= 1, "unfold_windows: a window of ", window, " with stride ", stride,
        ", both must be at least 1");
  check(frames >= window, "unfold_windows: a signal of ", frames, " samples is shorter than the window of ", window);
  const Index n = (frames - window) / stride + 1, used = window + (n - 1) * stride;
  std::array<Index, rank + 1> dimensions;
  std::array<Index, rank> rest_dimensions;
  Index frame = 1;
  for (std::size_t d = 0; d + 1 < rank; ++d) frame *= dimensions[d] = rest_dimensions[d] = x.dimensions()[d];
  dimensions[rank - 1] = window, dimensions[rank] = n;
  rest_dimensions[rank - 1] = frames - used;
  UnfoldedWindows<Eigen::Tensor<T, rank + 1>, Eigen::Tensor<T, rank>> result;
  result.windows.resize(dimensions);
  result.rest.resize(rest_dimensions);
  for (Index i = 0; i < n; ++i)
    std::copy_n(x.data() + i * stride * frame, window * frame, result.windows.data() + i * window * frame);
  std::copy_n(x.data() + used * frame, (frames - used) * frame, result.rest.data());
  return result;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_UNFOLD_WINDOWS_HPP
