#ifndef EIGENSTREAM_STREAM_TENSOR_CALLS_HPP
#define EIGENSTREAM_STREAM_TENSOR_CALLS_HPP

#include <unsupported/Eigen/CXX11/Tensor>  // Tensor, at the edges of the API only

#include <optional>  // nothing ready

#include "eigenstream/stream/stream.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// Nothing where no frame is ready.
template <class Tensor>
std::optional<Tensor> some_frames(Tensor y) {
  if (y.dimension(Tensor::NumDimensions - 1) == 0) return std::nullopt;
  return y;
}

/// A stream's calls with Eigen's tensors (T), (C,T), (C,B,T), with matrices, and with Frames (as (C,T) of one signal).
template <class Stream, class X>
  requires(TensorLike<X> || MatrixLike<X> || is_frames<X>)
struct TensorCalls<Stream, X> {
  using T = typename Stream::Scalar;

  static auto call(Stream& stream, const X& x, bool ended) { return run<rank>(stream, view(x), ended); }
  static std::optional<Eigen::Tensor<T, 2>> step(Stream& stream, const X& frame, bool update_state) {
    return some_frames(run_steps<2>(stream, frame_view(stream, frame), false, update_state));
  }
  static auto steps(Stream& stream, const X& x, bool pad_end, bool update_state) {
    return some_frames(run_steps<rank>(stream, view(x), pad_end, update_state));
  }
  static auto whole(const Stream& stream, const X& x) {
    const Frames<const T> all = view(x);
    Stream fresh(stream.share(), {.channels = all.channels, .batch = all.batch});
    return run<rank>(fresh, all, true);
  }

 private:
  static constexpr int rank = [] {
    if constexpr (TensorLike<X>) return X::NumDimensions;
    return 2;
  }();
  static_assert(rank >= 1 && rank <= 3, "eigenstream: chunks are (T), (C,T) or (C,B,T)");

  static Frames<const T> view(const X& x) {
    if constexpr (rank == 1) {
      const Index frames = x.dimensions()[0];
      return {x.data(), {1, 1}, frames};
    } else {
      return Frames<const T>(x);
    }
  }
  static Frames<const T> frame_view(const Stream& stream, const X& x) {
    const FrameShape in = stream.in_shape();
    Index size = 0;
    if constexpr (TensorLike<X>) {
      size = x.size();
    } else {
      size = x.rows() * x.cols();
      check_contiguous<X>(x);
    }
    check(size == in.size(), "Stream: a frame of ", size, " numbers, this stream takes ", in.channels,
          " channels and a batch of ", in.batch);
    return {x.data(), in, 1};
  }

  template <int Rank>
  static auto make_tensor(FrameShape shape, Index frames) {
    if constexpr (Rank == 1)  // one channel, or the channels of each frame one after the other
      return Eigen::Tensor<T, 1>(shape.size() * frames);
    else if constexpr (Rank == 2)  // a batch of 1; a frame of forward_step may hold more
      return Eigen::Tensor<T, 2>(shape.size(), frames);
    else
      return Eigen::Tensor<T, 3>(shape.channels, shape.batch, frames);
  }
  template <int Rank>
  static auto run(Stream& stream, Frames<const T> x, bool ended) {
    stream.check_input(x);
    const FrameShape out = stream.out_shape();
    if constexpr (Rank == 1)
      check(out.size() == 1, "Stream: a signal (T) goes in, but ", out.channels, " channels come out; give it as (1,T)");
    const Time seen = stream.frames_seen();
    const Index expected = stream.outputs_after(seen + x.count, ended) - stream.outputs_after(seen);
    auto y = make_tensor<Rank>(out, expected);
    const Frames<T> to(y.data(), out, expected);
    if (ended)
      stream.process(x, to, final);
    else
      stream.process(x, to);
    return y;
  }
  template <int Rank>
  static auto run_steps(Stream& stream, Frames<const T> x, bool pad_end, bool update_state) {
    if (!pad_end && update_state) return run<Rank>(stream, x, false);
    Stream copy = stream;
    auto y = run<Rank>(copy, x, pad_end);
    if (update_state) run<Rank>(stream, x, false);
    return y;
  }
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAM_TENSOR_CALLS_HPP
