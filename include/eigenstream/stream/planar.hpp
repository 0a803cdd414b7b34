#ifndef EIGENSTREAM_STREAM_PLANAR_HPP
#define EIGENSTREAM_STREAM_PLANAR_HPP

#include <algorithm>   // clamp, min, max
#include <functional>  // less
#include <vector>      // interleaved frames

#include "eigenstream/stream/stream.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// Frames of planar buffers from frame `at` on, to where they lie one after the other; batch 1.
template <class T>
void from_planar(const T* const* in, Index at, Frames<T> x) noexcept {
  for (Index c = 0, size = x.size(); c < size; ++c)
    for (Index t = 0; t < x.count; ++t) x.data[t * size + c] = in[c][at + t];
}
/// And back. Returns how many there were.
template <class T>
Index to_planar(Frames<const T> y, T* const* out, Index at) noexcept {
  for (Index c = 0, size = y.size(); c < size; ++c)
    for (Index t = 0; t < y.count; ++t) out[c][at + t] = y.data[t * size + c];
  return y.count;
}
/// Whether the first `written` frames of some output buffer lie where frames `read` ... n - 1 of an input buffer do.
template <class T>
bool overlap(const T* const* in, Index in_channels, Index read, Index n, T* const* out, Index out_channels,
             Index written) noexcept {
  const std::less<const T*> before;
  for (Index c = 0; c < in_channels; ++c)
    for (Index o = 0; o < out_channels; ++o)
      if (before(out[o], in[c] + n) && before(in[c] + read, out[o] + written)) return true;
  return false;
}

}  // namespace detail

/// A stream for buffers of one channel each, as audio hosts hand them over: a Stream that interleaves a tile of frames at a
/// time in a buffer of its own, and takes them apart again.
///   process_planar(in, n, out)  one pointer per channel; no allocation, no lock, no system call
/// Shapes   as of a Stream, with a batch of 1
/// Errors   constructor: those of Stream; Error if the batch is not 1
template <Layer Net>
class PlanarStream : public Stream<Net> {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;

  explicit PlanarStream(Net net, StreamOptions options = {})
      : PlanarStream(std::make_shared<const Net>(std::move(net)), options) {}
  explicit PlanarStream(std::shared_ptr<const Net> net, StreamOptions options = {})
      : PlanarStream(Stream<Net>(std::move(net), options)) {}
  /// Goes on where the stream is.
  explicit PlanarStream(Stream<Net> stream) : Stream<Net>(std::move(stream)) {
    check(in_frame().batch == 1, "PlanarStream: planar buffers need a batch of 1, this stream has ", in_frame().batch);
    check(this->inputs() == 1, "PlanarStream: a network of ", this->inputs(), " inputs; planar buffers are for one");
    tile_ = std::clamp<Index>(4096 / in_frame().size(), 1, 256);
    room_ = std::max<Index>(1, std::max(this->max_outputs(tile_), this->max_flush()));
    planar_.resize(static_cast<std::size_t>(tile_ * in_frame().size() + room_ * out_frame().size()));
  }

  /// n frames from one buffer per channel to one buffer per channel, each of which has room for `room` frames.
  /// An output buffer may be an input buffer as long as no output lies where input is still to be read.
  /// Errors   Error if n is negative, `room` is less than will come, or an output would overwrite
  ///          input that is not read yet
  Index process_planar(const T* const* in, Index n, T* const* out, Index room) {
    check_planar(in, n, out, room, false);
    return advance_planar(in, n, out);
  }
  /// The same for the last chunk: also writes the rest, and starts anew.
  Index process_planar(const T* const* in, Index n, T* const* out, Index room, Final) {
    check_planar(in, n, out, room, true);
    const Index written = advance_planar(in, n, out);
    return written + finish_planar(out, written);
  }
  /// The same into buffers as long as those of the input.
  Index process_planar(const T* const* in, Index n, T* const* out) { return process_planar(in, n, out, n); }
  Index process_planar(const T* const* in, Index n, T* const* out, Final) {
    return process_planar(in, n, out, n, final);
  }
  /// The rest of the signal, one buffer per channel with room for `room` frames.
  Index flush_planar(T* const* out, Index room) {
    check_planar(nullptr, 0, out, room, true);
    return finish_planar(out, 0);
  }

  Index memory_bytes() const noexcept {
    return Stream<Net>::memory_bytes() + static_cast<Index>(planar_.size() * sizeof(T));
  }

 private:
  FrameShape in_frame() const noexcept { return this->in_shape(); }
  FrameShape out_frame() const noexcept { return this->out_shape(); }
  Frames<T> planar_output() noexcept { return {planar_.data() + tile_ * in_frame().size(), out_frame(), room_}; }
  Index advance_planar(const T* const* in, Index n, T* const* out) noexcept {
    const Frames<T> y = planar_output();
    Index written = 0;
    for (Index at = 0; at < n; at += tile_) {
      const Frames<T> x(planar_.data(), in_frame(), std::min(tile_, n - at));
      detail::from_planar(in, at, x);
      written += detail::to_planar<T>(y.first(this->advance(x, y)), out, written);
    }
    return written;
  }
  Index finish_planar(T* const* out, Index at) noexcept {
    const Frames<T> y = planar_output();
    return detail::to_planar<T>(y.first(this->finish(y)), out, at);
  }
  void check_planar(const T* const* in, Index n, T* const* out, Index room, bool ended) const {
    if (n < 0) this->refuse_count(n);
    this->check_room(room, n, ended);
    // What a tile gives must not lie where later tiles are still to be read.
    const auto overwrites = [&](Index read, Index written) {
      return detail::overlap(in, in_frame().size(), read, n, out, out_frame().size(), written);
    };
    const auto outputs_of = [&](Index frames) -> Index {
      return this->outputs_after(this->frames_seen() + frames) - this->outputs_after(this->frames_seen());
    };
    if (n <= tile_ || !overwrites(tile_, outputs_of(n))) return;
    for (Index read = tile_; read < n; read += tile_)
      check(!overwrites(read, outputs_of(read)), "Stream: the first ", outputs_of(read),
            " outputs would overwrite input that is not read yet; give other buffers, or use a BlockAdapter");
  }

  Index tile_ = 1, room_ = 1;
  std::vector<T> planar_;  // a tile of inputs, and what it gives
};

template <class Net>
PlanarStream(Net, StreamOptions = {}) -> PlanarStream<Net>;
template <class Net>
PlanarStream(std::shared_ptr<const Net>, StreamOptions = {}) -> PlanarStream<Net>;
template <class Net>
PlanarStream(Stream<Net>) -> PlanarStream<Net>;

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAM_PLANAR_HPP
