#ifndef EIGENSTREAM_CORE_FRAMES_HPP
#define EIGENSTREAM_CORE_FRAMES_HPP

#include <cstring>      // memcpy
#include <type_traits>  // remove_const_t

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/frame_shape.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {
// Eigen's ColMajor; only those who hand over Eigen's objects need its headers.
inline constexpr int column_major = 0;

template <class X>
concept TensorLike = requires(X& x) {
  x.data();
  x.dimensions();
  std::remove_cvref_t<X>::NumDimensions;
  std::remove_cvref_t<X>::Layout;
};
template <class X>
concept MatrixLike = requires(X& x) {
  x.data();
  x.rows();
  x.cols();
  x.innerStride();
  x.outerStride();
  std::remove_cvref_t<X>::IsRowMajor;
};

/// The axes of a tensor as they are if it has no space, or all of them.
template <TensorLike X>
FrameShape shape_of_tensor(const X& x) noexcept {
  constexpr int rank = X::NumDimensions;
  FrameShape shape{x.dimensions()[0]};
  if constexpr (rank >= 3) shape.batch = x.dimensions()[rank - 2];
  if constexpr (rank >= 4) shape.width = x.dimensions()[1];
  if constexpr (rank >= 5) shape.height = x.dimensions()[2];
  return shape;
}

/// Error unless the numbers of a matrix or vector lie one after another: a row of a matrix, or its upper rows, do not.
template <MatrixLike X>
void check_contiguous(const X& x) {
  const Index along = X::IsRowMajor ? x.cols() : x.rows(), across = X::IsRowMajor ? x.rows() : x.cols();
  check((along <= 1 || x.innerStride() == 1) && (across <= 1 || x.outerStride() == along), "frames: a matrix of ",
        x.rows(), " x ", x.cols(), " with strides ", x.innerStride(), " and ", x.outerStride(),
        " is not contiguous; copy it first");
}
}  // namespace detail

/// A run of consecutive frames in somebody else's memory: one contiguous block, frame after frame, batch entry after
/// batch entry, space axes within, channels fastest. Frames<const T> is read-only.
/// Shapes   converts from Eigen column-major tensors (C,T), (C,B,T), (C,W,B,T) and (C,W,H,B,T), TensorMap, Matrix (C,T),
///          Map and contiguous blocks of whole columns. A row-major object does not compile. A tensor does not say which
///          axes its middle ones are: whoever knows the shape of the frames reads them so (`same_layout`)
/// Errors   Error from a matrix that is not contiguous (a Map with an outer stride, a row of a matrix)
template <class T>
struct Frames : FrameLayout {
  T* data = nullptr;
  Index count = 0;  ///< in frames

  EIGENSTREAM_ALWAYS_INLINE constexpr Frames() noexcept : FrameLayout(FrameShape{0, 1, 1, 1}) {}
  EIGENSTREAM_ALWAYS_INLINE constexpr Frames(T* data_, const FrameLayout& shape, Index count_) noexcept
      : FrameLayout(shape), data(data_), count(count_) {}

  constexpr Frames(T* data_, const FrameShape& shape, Index count_) noexcept : Frames(data_, FrameLayout(shape), count_) {}

  /// A read-only view of writable frames.
  EIGENSTREAM_ALWAYS_INLINE constexpr operator Frames<const T>() const noexcept
    requires(!std::is_const_v<T>)
  {
    return {data, layout(), count};
  }

  template <detail::TensorLike X>
    requires std::is_convertible_v<decltype(std::declval<X&>().data()), T*>
  Frames(X&& x) noexcept : FrameLayout(detail::shape_of_tensor(x)), data(x.data()) {
    using Tensor = std::remove_cvref_t<X>;
    constexpr int rank = Tensor::NumDimensions;
    static_assert(static_cast<int>(Tensor::Layout) == detail::column_major,
                  "eigenstream: tensors must be column-major, channel first: (C,T) or (C,B,T)");
    static_assert(rank >= 2 && rank <= 5,
                  "eigenstream: a run of frames is a tensor (C,T) or (C,B,T), or with space axes behind the channels");
    count = x.dimensions()[rank - 1];
  }

  template <detail::MatrixLike X>
    requires(!detail::TensorLike<X> && std::is_convertible_v<decltype(std::declval<X&>().data()), T*>)
  Frames(X&& x) : FrameLayout(FrameShape{x.rows(), 1, 1, 1}), data(x.data()), count(x.cols()) {
    using Matrix = std::remove_cvref_t<X>;
    static_assert(!Matrix::IsRowMajor || Matrix::RowsAtCompileTime == 1 || Matrix::ColsAtCompileTime == 1,
                  "eigenstream: matrices must be column-major: channels down, time to the right");
    detail::check_contiguous<Matrix>(x);
  }

  EIGENSTREAM_ALWAYS_INLINE constexpr const FrameShape& shape() const noexcept { return *this; }
  EIGENSTREAM_ALWAYS_INLINE constexpr const FrameLayout& layout() const noexcept { return *this; }
  /// Scalars from one frame to the next.
  EIGENSTREAM_ALWAYS_INLINE constexpr Index frame_size() const noexcept { return size(); }
  EIGENSTREAM_ALWAYS_INLINE constexpr Index scalars() const noexcept { return size() * count; }
  EIGENSTREAM_ALWAYS_INLINE constexpr T* frame(Index i) const noexcept { return data + i * size(); }
  /// `n` frames from frame `begin` on.
  EIGENSTREAM_ALWAYS_INLINE constexpr Frames slice(Index begin, Index n) const noexcept { return {frame(begin), layout(), n}; }
  EIGENSTREAM_ALWAYS_INLINE constexpr Frames first(Index n) const noexcept { return {data, layout(), n}; }
  EIGENSTREAM_ALWAYS_INLINE constexpr Frames from(Index begin) const noexcept { return slice(begin, count - begin); }
};

namespace detail {
template <class X>
inline constexpr bool is_frames = false;
template <class T>
inline constexpr bool is_frames<Frames<T>> = true;
}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_FRAMES_HPP
