#ifndef EIGENSTREAM_STREAM_TENSOR_CALLS_HPP
#define EIGENSTREAM_STREAM_TENSOR_CALLS_HPP

#include <unsupported/Eigen/CXX11/Tensor>  // Tensor, at the edges of the API only

#include <array>     // axes
#include <optional>  // nothing ready
#include <span>      // axes
#include <vector>    // all outputs

#include "eigenstream/stream/stream.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// Nothing where no frame is ready.
template <class Tensor>
std::optional<Tensor> some_frames(Tensor y) {
  if (y.dimension(Tensor::NumDimensions - 1) == 0) return std::nullopt;
  return y;
}

/// What the middle axes of a tensor are, from channels to time, for a network whose frames have the shape `in`: its space,
/// then the batch. Axes of extent 1 may be left out.
struct TensorAxes {
  FrameShape shape;
  bool batch = false;  ///< the last one is the batch

  TensorAxes(Index channels, std::span<const Index> middle, const FrameShape& in) : shape{channels, 1, 1, 1} {
    const std::size_t space = in.height != 1 ? 2 : in.width != 1 ? 1 : 0;
    batch = middle.size() > space;
    if (batch) shape.batch = middle.back();
    const std::size_t given = middle.size() - (batch ? 1 : 0);
    if (given >= 1) shape.width = middle[0];
    if (given >= 2) shape.height = middle[1];
  }
};

/// A stream's calls with Eigen's tensors (T), (C,T), (C,B,T), with space axes behind the channels, with matrices, and with
/// Frames (as (C,T) of one signal). What comes out has as many axes as what came in: space that finds no place there lies
/// in the channels, as it does in memory.
template <class Stream, class X>
  requires(TensorLike<X> || MatrixLike<X> || is_frames<X>)
struct TensorCalls<Stream, X> {
  using T = typename Stream::Scalar;

  static auto call(Stream& stream, const X& x, bool ended) { return run<rank>(stream, view(stream, x), ended); }
  static auto call_all(Stream& stream, const X& x, bool ended) { return run_all(stream, view(stream, x), ended); }
  static std::optional<Eigen::Tensor<T, 2>> step(Stream& stream, const X& frame, bool update_state) {
    return some_frames(run_steps<2>(stream, frame_view(stream, frame), false, update_state));
  }
  static auto steps(Stream& stream, const X& x, bool pad_end, bool update_state) {
    return some_frames(run_steps<rank>(stream, view(stream, x), pad_end, update_state));
  }
  static auto whole(const Stream& stream, const X& x) {
    const View all = view(stream, x);
    const FrameShape& shape = all.frames.shape();
    Stream fresh(stream.share(),
                 {.channels = shape.channels, .batch = shape.batch, .width = shape.width, .height = shape.height});
    return run<rank>(fresh, all, true);
  }

 private:
  struct View {
    Frames<const T> frames;
    bool batch = false;  // an axis of the tensor is the batch
  };
  static constexpr int rank = [] {
    if constexpr (TensorLike<X>) return X::NumDimensions;
    return 2;
  }();
  static_assert(rank >= 1 && rank <= 5,
                "eigenstream: chunks are (T), (C,T) or (C,B,T), with up to two space axes behind the channels");

  static View view(const Stream& stream, const X& x) {
    if constexpr (rank == 1) {
      return {{x.data(), FrameShape(), x.dimensions()[0]}};
    } else if constexpr (TensorLike<X>) {
      static_cast<void>(Frames<const T>(x));  // what does not compile
      std::array<Index, rank> middle{};
      for (std::size_t d = 1; d + 1 < rank; ++d) middle[d - 1] = x.dimensions()[d];
      const TensorAxes axes(x.dimensions()[0], std::span(middle).first(rank - 2), stream.in_shape());
      return {{x.data(), axes.shape, x.dimensions()[rank - 1]}, axes.batch};
    } else {
      return {Frames<const T>(x)};
    }
  }
  static View frame_view(const Stream& stream, const X& x) {
    const FrameShape in = stream.in_shape();
    Index size = 0;
    if constexpr (TensorLike<X>) {
      size = x.size();
    } else {
      size = x.rows() * x.cols();
      check_contiguous<X>(x);
    }
    check(size == in.size(), "Stream: a frame of ", size, " numbers, this stream takes ", in);
    return {{x.data(), in, 1}};
  }

  template <int Rank>
  static auto make_tensor(const FrameShape& shape, bool batch, Index frames) {
    Eigen::array<Index, Rank> sizes;
    sizes.fill(1);
    sizes[Rank - 1] = frames;
    if constexpr (Rank == 1) {  // one channel, or the channels of each frame one after the other
      sizes[0] *= shape.size();
    } else {
      const int space = Rank - 2 - (batch ? 1 : 0);
      sizes[0] = shape.channels;
      if (batch) sizes[Rank - 2] = shape.batch;
      if (Rank == 2) sizes[0] *= shape.batch;  // a frame of forward_step
      if (space == 0) sizes[0] *= shape.width * shape.height;
      if (space >= 1) sizes[1] = space == 1 ? shape.width * shape.height : Index{shape.width};
      if (space >= 2) sizes[2] = shape.height;
    }
    return Eigen::Tensor<T, Rank>(sizes);
  }
  template <int Rank>
  static auto run(Stream& stream, const View& x, bool ended) {
    stream.check_input(x.frames);
    const FrameShape out = stream.out_shape();
    if constexpr (Rank == 1)
      check(out.size() == 1, "Stream: a signal (T) goes in, but ", out.size(), " channels come out; give it as (1,T)");
    const Time seen = stream.frames_seen();
    const Index expected = stream.outputs_after(seen + x.frames.count, ended) - stream.outputs_after(seen);
    auto y = make_tensor<Rank>(out, x.batch, expected);
    const Frames<T> to(y.data(), out, expected);
    if (ended)
      stream.process(x.frames, to, final);
    else
      stream.process(x.frames, to);
    return y;
  }
  // Every output.
  static auto run_all(Stream& stream, const View& x, bool ended) {
    stream.check_input(x.frames);
    std::vector<decltype(make_tensor<rank>(stream.out_shape(), false, 0))> all;
    all.reserve(static_cast<std::size_t>(stream.outputs()));  // they stay where they are
    std::vector<Frames<T>> to;
    const Time seen = stream.frames_seen();
    for (Index k = 0; k < stream.outputs(); ++k) {
      const FrameShape out = stream.out_shape(k);
      if constexpr (rank == 1)
        check(out.size() == 1, "Stream: a signal (T) goes in, but ", out.size(), " channels come out; give it as (1,T)");
      const Index expected = stream.timing(k).outputs_after(seen + x.frames.count, ended) - stream.timing(k).outputs_after(seen);
      all.push_back(make_tensor<rank>(out, x.batch, expected));
      to.emplace_back(all.back().data(), out, expected);
    }
    std::vector<Index> written(to.size());
    if (ended)
      stream.process(x.frames, to, written, final);
    else
      stream.process(x.frames, to, written);
    return all;
  }
  template <int Rank>
  static auto run_steps(Stream& stream, const View& x, bool pad_end, bool update_state) {
    if (!pad_end && update_state) return run<Rank>(stream, x, false);
    Stream copy = stream;
    auto y = run<Rank>(copy, x, pad_end);
    if (update_state) run<Rank>(stream, x, false);
    return y;
  }
};

}  // namespace detail

/// A tensor of frames with all its axes: a stream that was given (C,T) gives frames with space as (C'*W*H,T').
///   const auto windows = es::with_axes<3>(y, {C, W});   // (C,W,T)
/// Errors   Error if the tensor does not hold frames of that shape
template <int Rank, class Tensor>
auto with_axes(Tensor& y, const FrameShape& shape) {
  static_assert(Rank >= 2 && Rank <= 5, "eigenstream: frames are (C,T), (C,W,T), (C,W,H,T) or (C,W,H,B,T)");
  constexpr bool constant = std::is_const_v<Tensor>;
  using Plain = Eigen::Tensor<typename Tensor::Scalar, Rank>;
  const Index extents[] = {shape.channels, shape.width, shape.height, shape.batch};
  Eigen::array<Index, Rank> sizes;
  sizes.fill(1);
  std::size_t kept = 0;
  for (const Index& extent : extents) {
    // Axes of extent 1 are left out only where there are too few places.
    const std::size_t behind = static_cast<std::size_t>(&extents[3] - &extent);
    if (extent == 1 && kept + behind >= Rank - 1) continue;
    check(kept < Rank - 1, "with_axes: frames of ", shape, " have more axes than a tensor of ", Rank);
    sizes[kept++] = extent;
  }
  const Index size = shape.size();
  check(size > 0 && y.size() % size == 0, "with_axes: ", y.size(), " numbers are not frames of ", shape);
  sizes[Rank - 1] = y.size() / size;
  return Eigen::TensorMap<std::conditional_t<constant, const Plain, Plain>>(y.data(), sizes);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAM_TENSOR_CALLS_HPP
