#ifndef EIGENSTREAM_STREAM_CHUNKS_HPP
#define EIGENSTREAM_STREAM_CHUNKS_HPP

#include <unsupported/Eigen/CXX11/Tensor>  // Tensor, TensorMap, slices

#include <algorithm>    // clamp, max, min
#include <cstddef>      // ptrdiff_t
#include <iterator>     // input_iterator_tag
#include <type_traits>  // remove_cvref_t
#include <utility>      // forward
#include <vector>       // vector

#include "eigenstream/core/frames.hpp"
#include "eigenstream/core/timing.hpp"  // ceil_div

EIGENSTREAM_BEGIN_NAMESPACE

/// A range of chunks: `cut(begin, n)` for each run of `size` positions out of `extent`. The last chunk may be shorter;
/// an extent of 0 gives one empty chunk. Iterators stay valid as long as the range lives.
template <class Cut>
class Chunks {
 public:
  using value_type = std::remove_cv_t<decltype(std::declval<const Cut&>()(Index{}, Index{}))>;

  Chunks(Cut cut, Index extent, Index size) : cut_(std::move(cut)), extent_(extent), size_(size) {}

  Index size() const noexcept { return std::max<Index>(1, ceil_div(extent_, size_)); }
  value_type operator[](Index i) const { return cut_(i * size_, std::min(size_, extent_ - i * size_)); }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Chunks::value_type;
    using difference_type = std::ptrdiff_t;
    using reference = value_type;
    using pointer = void;

    Iterator() = default;
    Iterator(const Chunks* chunks, Index at) : chunks_(chunks), at_(at) {}
    value_type operator*() const { return (*chunks_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++at_;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    const Chunks* chunks_ = nullptr;
    Index at_ = 0;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

 private:
  Cut cut_;
  Index extent_, size_;
};

namespace detail {

// Which of `rank` dimensions: negative ones count from the end.
inline Index dimension_of(Index dim, Index rank) {
  check(dim >= -rank && dim < rank, "chunks: dim = ", dim, ", must be from ", -rank, " to ", rank - 1);
  return dim < 0 ? dim + rank : dim;
}
template <class Cut>
Chunks<Cut> make_chunks(Cut cut, Index extent, Index size) {
  check(size >= 1, "chunks: size = ", size, ", must be at least 1");
  check(extent >= 0, "chunks: ", extent, " frames, must not be negative");
  return {std::move(cut), extent, size};
}

template <class X>
inline constexpr bool is_tensor_map = false;
template <class Tensor, int Options, template <class> class MakePointer>
inline constexpr bool is_tensor_map<Eigen::TensorMap<Tensor, Options, MakePointer>> = true;

// What a chunk may point into after the expression is over: a variable, or a view of one.
template <class X>
inline constexpr bool outlives = std::is_lvalue_reference_v<X> || is_tensor_map<std::remove_cvref_t<X>>;
template <MatrixLike X>
  requires(!TensorLike<X>)
inline constexpr bool outlives<X> =
    std::is_lvalue_reference_v<X> ||
    !std::is_reference_v<typename Eigen::internal::ref_selector<std::remove_cvref_t<X>>::type>;

// A matrix as chunks keep it: views by value, what owns its memory where it is.
template <MatrixLike X>
auto keep(X& x) {
  if constexpr (std::is_reference_v<typename Eigen::internal::ref_selector<std::remove_cv_t<X>>::type>)
    return [place = &x]() -> X& { return *place; };
  else
    return [x]() -> X { return x; };
}

// A map of all of a tensor; what is cut from it holds it by value.
template <TensorLike X>
auto map_of(X& x) {
  using Tensor = std::remove_cv_t<X>;
  static_assert(static_cast<int>(Tensor::Layout) == static_cast<int>(Eigen::ColMajor),
                "eigenstream: tensors must be column-major, time last");
  using Plain = Eigen::Tensor<std::remove_const_t<typename Tensor::Scalar>, Tensor::NumDimensions>;
  using Mapped = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(x.data())>>, const Plain, Plain>;
  Eigen::DSizes<Index, Tensor::NumDimensions> sizes;
  for (int d = 0; d < Tensor::NumDimensions; ++d) sizes[d] = x.dimension(static_cast<std::size_t>(d));
  return Eigen::TensorMap<Mapped>(x.data(), sizes);
}

}  // namespace detail

/// Cuts a signal into chunks of `size`, in order, for a range-for: the last one may be shorter, and a signal of no
/// length is one empty chunk. Chunks are views, not copies: writable if x is, and valid as long as its memory.
///   for (auto chunk : chunks(x, 160)) stream(chunk);
/// Shapes   chunks(x, size) cuts along time, the last dimension, into pieces that lie in one block of memory:
///          Frames<T> into Frames<T>, a column-major tensor of any rank into TensorMaps, a matrix into blocks of
///          columns, a vector into segments. chunks(x, size, dim) cuts a tensor or matrix along any dimension into
///          slices and blocks, which may be strided; negative dimensions count from the last, -1
/// Errors   Error if size is below 1 or there is no such dimension. A temporary that owns its memory does not compile
template <class T>
auto chunks(Frames<T> x, Index size) {
  return detail::make_chunks([x](Index begin, Index n) { return x.slice(begin, n); }, x.count, size);
}
template <class X>
  requires(detail::TensorLike<X> && detail::outlives<X>)
auto chunks(X&& x, Index size) {
  constexpr int rank = std::remove_cvref_t<X>::NumDimensions;
  static_assert(rank >= 1, "eigenstream: a scalar cannot be cut");
  const auto all = detail::map_of(x);
  const auto dimensions = all.dimensions();
  const Index extent = dimensions[rank - 1], frame = extent == 0 ? 0 : all.size() / extent;
  const auto cut = [data = x.data(), dimensions, frame](Index begin, Index n) {
    auto sizes = dimensions;
    sizes[rank - 1] = n;
    return std::remove_const_t<decltype(all)>(data + begin * frame, sizes);
  };
  return detail::make_chunks(cut, extent, size);
}
template <class X>
  requires(detail::TensorLike<X> && detail::outlives<X>)
auto chunks(X&& x, Index size, Index dim) {
  using Sizes = Eigen::DSizes<Index, std::remove_cvref_t<X>::NumDimensions>;
  const auto all = detail::map_of(x);
  const Index along = detail::dimension_of(dim, std::remove_cvref_t<X>::NumDimensions);
  const auto cut = [all, along](Index begin, Index n) {
    Sizes first, sizes = all.dimensions();
    first.fill(0);
    first[along] = begin;
    sizes[along] = n;
    return Eigen::TensorSlicingOp<const Sizes, const Sizes, std::remove_const_t<decltype(all)>>(all, first, sizes);
  };
  return detail::make_chunks(cut, all.dimension(static_cast<std::size_t>(along)), size);
}
template <detail::MatrixLike X>
  requires(!detail::TensorLike<X> && detail::outlives<X>)
auto chunks(X&& x, Index size) {
  const auto cut = [kept = detail::keep(x)](Index begin, Index n) {
    decltype(auto) all = kept();
    if constexpr (std::remove_cvref_t<X>::IsVectorAtCompileTime)
      return all.segment(begin, n);
    else
      return all.middleCols(begin, n);
  };
  return detail::make_chunks(cut, std::remove_cvref_t<X>::IsVectorAtCompileTime ? x.size() : x.cols(), size);
}
template <detail::MatrixLike X>
  requires(!detail::TensorLike<X> && detail::outlives<X>)
auto chunks(X&& x, Index size, Index dim) {
  if constexpr (std::remove_cvref_t<X>::IsVectorAtCompileTime) {
    detail::dimension_of(dim, 1);
    return chunks(std::forward<X>(x), size);
  } else {
    const bool rows = detail::dimension_of(dim, 2) == 0;
    const auto cut = [kept = detail::keep(x), rows](Index begin, Index n) {
      decltype(auto) all = kept();
      return rows ? all.block(begin, 0, n, all.cols()) : all.block(0, begin, all.rows(), n);
    };
    return detail::make_chunks(cut, rows ? x.rows() : x.cols(), size);
  }
}

/// The chunks of chunks(x, size) or chunks(x, size, dim), in a vector: ceil(extent/size) of them, at least one.
/// Source   speechbrain.utils.streaming.split_fixed_chunks, along any dimension
template <class X, class... Dim>
auto split_fixed_chunks(X&& x, Index size, Dim... dim)
  requires requires { chunks(std::forward<X>(x), size, dim...); }
{
  const auto all = chunks(std::forward<X>(x), size, dim...);
  std::vector<typename decltype(all.begin())::value_type> parts;
  parts.reserve(static_cast<std::size_t>(all.size()));
  for (Index i = 0; i < all.size(); ++i) parts.push_back(all[i]);
  return parts;
}

/// How much of each chunk is signal, for each entry of a batch, given how much of the whole is (for masks).
///   result[i][b] = clamp((wav_lens[b] * n - a_i) / n_i, 0, 1), where n_i = chunk_lens[i], a_i the sum of those before
///   and n of all; 0 for a chunk of no length
/// wav_lens is a std::vector, an Eigen vector or a tensor of rank 1; each result is a copy of it with other values.
/// Errors   Error if a chunk's length is negative
/// Source   speechbrain.utils.streaming.split_wav_lens
template <class Lens>
std::vector<Lens> split_wav_lens(const std::vector<Index>& chunk_lens, const Lens& wav_lens) {
  Index total = 0;
  for (const Index length : chunk_lens) {
    check(length >= 0, "split_wav_lens: a chunk of ", length, " frames, must not be negative");
    total += length;
  }
  std::vector<Lens> parts;
  Index begin = 0;
  for (const Index length : chunk_lens) {
    Lens part = wav_lens;
    for (Index b = 0; b < static_cast<Index>(part.size()); ++b) {
      auto& value = part[static_cast<decltype(part.size())>(b)];
      using T = std::remove_cvref_t<decltype(value)>;
      static_assert(std::is_floating_point_v<T>, "eigenstream: relative lengths are float or double");
      value = length == 0 ? T(0)
                          : std::clamp((value * static_cast<T>(total) - static_cast<T>(begin)) / static_cast<T>(length),
                                       T(0), T(1));
    }
    parts.push_back(std::move(part));
    begin += length;
  }
  return parts;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAM_CHUNKS_HPP
