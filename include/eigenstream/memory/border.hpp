#ifndef EIGENSTREAM_MEMORY_BORDER_HPP
#define EIGENSTREAM_MEMORY_BORDER_HPP

#include <algorithm>  // clamp, fill_n

#include "eigenstream/core/frame_shape.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/memory/copy.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Columns around the space axes of frames: they hold a value or, with `repeats`, what the nearest column does.
struct Border {
  Padding width, height;
  bool repeats = false;

  constexpr bool empty() const noexcept {
    return width.left == 0 && width.right == 0 && height.left == 0 && height.right == 0;
  }
  /// The shape of a frame with the border.
  constexpr FrameShape around(const FrameShape& in) const noexcept {
    return {in.channels, in.width + width.left + width.right, in.height + height.left + height.right, in.batch};
  }

  /// Copies n frames, which lie elsewhere, and puts the border around them.
  template <class T>
  void copy(const T* x, const FrameShape& in, Index n, T value, T* to) const noexcept {
    const Index row = in.channels * in.width, before = in.channels * width.left, behind = in.channels * width.right;
    for (Index image = n * in.batch; image > 0; --image, x += row * in.height)
      for (Index r = -height.left; r < in.height + height.right; ++r, to += before + row + behind) {
        const Index nearest = std::clamp<Index>(r, 0, in.height - 1);
        if (nearest != r && !repeats) {
          std::fill_n(to, before + row + behind, value);
          continue;
        }
        const T* const from = x + nearest * row;
        beside(from, in.channels, width.left, value, to);
        detail::copy_forward(from, row * static_cast<Index>(sizeof(T)), to + before);
        beside(from + row - in.channels, in.channels, width.right, value, to + before + row);
      }
  }

 private:
  // Columns left or right of a row, next to the one at `nearest`.
  template <class T>
  void beside(const T* nearest, Index channels, Index columns, T value, T* to) const noexcept {
    if (!repeats) {
      std::fill_n(to, columns * channels, value);
      return;
    }
    for (Index c = 0; c < columns; ++c)
      detail::copy_forward(nearest, channels * static_cast<Index>(sizeof(T)), to + c * channels);
  }
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_MEMORY_BORDER_HPP
