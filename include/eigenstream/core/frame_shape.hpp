#ifndef EIGENSTREAM_CORE_FRAME_SHAPE_HPP
#define EIGENSTREAM_CORE_FRAME_SHAPE_HPP

#include <cassert>  // assert
#include <cstdint>  // int32_t
#include <string>   // messages

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How many there are along an axis, in 32 bits. It converts from and to Index, so that products are as wide as an Index.
class Extent {
 public:
  EIGENSTREAM_ALWAYS_INLINE constexpr Extent(Index n = 1) noexcept : value_(static_cast<std::int32_t>(n)) { assert(value_ == n); }
  EIGENSTREAM_ALWAYS_INLINE constexpr operator Index() const noexcept { return value_; }

 private:
  std::int32_t value_;
};

/// The shape of one frame: everything that arrives at one time step. The channel is the fastest index in memory, then
/// come two axes of space (a window's frames or a spectrum's bins; a picture's columns and rows) and the batch.
struct FrameShape {
  Extent channels = 1;
  Extent width = 1;
  Extent height = 1;
  Extent batch = 1;

  /// What a layer wants that does not mind: 0 stands for any extent.
  static constexpr FrameShape any(Index channels = 0) noexcept { return {channels, 0, 0, 0}; }

  /// Columns of channels in a frame.
  EIGENSTREAM_ALWAYS_INLINE constexpr Index columns() const noexcept { return width * height * batch; }
  /// Scalars in a frame.
  EIGENSTREAM_ALWAYS_INLINE constexpr Index size() const noexcept { return (channels * width) * (height * batch); }
  /// Whether there are axes of space.
  EIGENSTREAM_ALWAYS_INLINE constexpr bool has_space() const noexcept { return width != 1 || height != 1; }
  /// The same columns of so many channels.
  EIGENSTREAM_ALWAYS_INLINE constexpr FrameShape with_channels(Index n) const noexcept { return {n, width, height, batch}; }
  EIGENSTREAM_ALWAYS_INLINE constexpr FrameShape with_width(Index n) const noexcept { return {channels, n, height, batch}; }
  EIGENSTREAM_ALWAYS_INLINE constexpr FrameShape with_batch(Index n) const noexcept { return {channels, width, height, n}; }
  /// One signal of the batch.
  EIGENSTREAM_ALWAYS_INLINE constexpr FrameShape one() const noexcept { return with_batch(1); }

  EIGENSTREAM_ALWAYS_INLINE friend constexpr bool operator==(const FrameShape& a, const FrameShape& b) noexcept {
    // Without a branch for each: it is asked with every call.
    return ((a.channels ^ b.channels) | (a.width ^ b.width) | (a.height ^ b.height) | (a.batch ^ b.batch)) == 0;
  }
  /// Whether two shapes are the same but for axes of extent 1, which a tensor may leave out.
  friend constexpr bool same_layout(const FrameShape& a, const FrameShape& b) noexcept {
    const Index first[] = {a.width, a.height, a.batch}, second[] = {b.width, b.height, b.batch};
    int i = 0, j = 0;
    for (;; ++i, ++j) {
      while (i < 3 && first[i] == 1) ++i;
      while (j < 3 && second[j] == 1) ++j;
      if (i == 3 || j == 3) return i == j && a.channels == b.channels;
      if (first[i] != second[j]) return false;
    }
  }
  /// For messages: 4 channels, width 257 and a batch of 2.
  std::string text() const {
    std::string all = std::to_string(Index{channels}) + " channels";
    if (has_space()) all += ", width " + std::to_string(Index{width});
    if (height != 1) all += ", height " + std::to_string(Index{height});
    return all + " and a batch of " + std::to_string(Index{batch});
  }
};

/// A shape whose columns are counted already: what is asked for with every frame.
struct FrameLayout : FrameShape {
  EIGENSTREAM_ALWAYS_INLINE constexpr FrameLayout() noexcept : columns_(1) {}
  EIGENSTREAM_ALWAYS_INLINE constexpr FrameLayout(const FrameShape& shape) noexcept
      : FrameShape(shape), columns_(shape.columns()) {}

  EIGENSTREAM_ALWAYS_INLINE constexpr Index columns() const noexcept { return columns_; }
  EIGENSTREAM_ALWAYS_INLINE constexpr Index size() const noexcept { return channels * columns_; }

 private:
  Index columns_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_FRAME_SHAPE_HPP
