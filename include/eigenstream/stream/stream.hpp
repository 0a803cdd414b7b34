#ifndef EIGENSTREAM_STREAM_STREAM_HPP
#define EIGENSTREAM_STREAM_STREAM_HPP

#include <unsupported/Eigen/CXX11/Tensor>  // Tensor, at the edges of the API only

#include <functional>  // less
#include <memory>      // shared_ptr
#include <optional>    // forward_step

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/state.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Says that a chunk is the last of its signal: stream(x, es::final).
struct Final {
  explicit Final() = default;
};
inline constexpr Final final{};

struct StreamOptions {
  Index channels = Dynamic;  ///< of the input; needed only if the network takes any number
  Index batch = 1;           ///< independent signals in step with each other
};

namespace detail {

/// Frames of planar buffers from frame `at` on, to where they lie one after the other; batch 1.
template <class T>
void from_planar(const T* const* in, Index at, Frames<T> x) noexcept {
  for (Index c = 0; c < x.channels; ++c)
    for (Index t = 0; t < x.count; ++t) x.data[t * x.channels + c] = in[c][at + t];
}
/// And back. Returns how many there were.
template <class T>
Index to_planar(Frames<const T> y, T* const* out, Index at) noexcept {
  for (Index c = 0; c < y.channels; ++c)
    for (Index t = 0; t < y.count; ++t) out[c][at + t] = y.data[t * y.channels + c];
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

/// A network at work on one signal (or a batch of signals in step): shared weights, a state of its own.
/// Give it chunks of any length, empty ones too; the outputs of all chunks and of the final one, put together, are bit
/// for bit the output of one call on the whole signal.
///   stream(x)                 frames that are ready, as a tensor
///   stream(x, es::final)      the same and the rest; the stream is fresh again
///   process(x, y)             into the caller's memory; no allocation, no lock, no system call
///   process_planar(in, n, out)  one pointer per channel, as audio hosts hand buffers over; the same guarantees. For as
///                             many frames out of each call as go in, see BlockAdapter
///   forward_step, forward_steps  frame by frame, with optional end padding and without touching the state
///   forward(x)                the whole signal at once; the stream is not touched
/// Shapes   (C,T), or (C,B,T) with a batch; column-major, channel first. (T) for a network from one channel to one
/// Errors   Error when channels or batch differ from the stream's, a count of frames is negative or there is too little
///          room, before anything changes
/// A stream may be copied (a fork that goes on by itself) and moved; two threads need two streams.
template <Layer Net>
class Stream {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;
  using Tensor1 = Eigen::Tensor<T, 1>;
  using Tensor2 = Eigen::Tensor<T, 2>;
  using Tensor3 = Eigen::Tensor<T, 3>;

  explicit Stream(Net net, StreamOptions options = {})
      : Stream(std::make_shared<const Net>(std::move(net)), options) {}
  explicit Stream(std::shared_ptr<const Net> net, StreamOptions options = {}) : net_(std::move(net)) {
    check(net_ != nullptr, "Stream: no network");
    const Index wanted = net_->in_channels();
    in_.channels = options.channels != Dynamic ? options.channels : wanted;
    in_.batch = options.batch;
    check(in_.channels != Dynamic,
          "Stream: this network takes any number of channels; say how many: Stream(net, {.channels = 2})");
    check(in_.channels >= 1, "Stream: ", in_.channels, " channels, must be at least 1");
    check(in_.batch >= 1, "Stream: batch of ", in_.batch, ", must be at least 1");
    out_ = {net_->out_channels(in_.channels), in_.batch};
    timing_ = net_->timing();
    block_ = make_state(*net_, in_);
    StateCodec count;
    net_->exchange(block_.ref(), count);
    state_bytes_ = static_cast<Index>(count.position());
    tile_ = room_for_planar();
    planar_.resize(static_cast<std::size_t>(tile_ * in_.size() + planar_room() * out_.size()));
  }

  const Net& net() const noexcept { return *net_; }
  std::shared_ptr<const Net> share() const noexcept { return net_; }

  // Shape and timing.

  FrameShape in_shape() const noexcept { return in_; }
  FrameShape out_shape() const noexcept { return out_; }
  const Timing& timing() const noexcept { return timing_; }
  Index receptive_field() const noexcept { return timing_.receptive_field(); }
  Index delay() const noexcept { return timing_.delay(); }
  Index stride() const noexcept { return timing_.stride(); }
  Index padding() const noexcept { return timing_.padding(); }
  Rate rate() const noexcept { return timing_.rate(); }
  /// Outputs of the first n frames of a signal; of a signal of n frames if it has ended. Of a negative n, none.
  Index outputs_after(Index n, bool ended = false) const noexcept { return timing_.outputs_after(n, ended); }
  /// Frames given since the signal began.
  Index frames_seen() const noexcept { return seen_; }
  /// Room that is enough for any call with n frames, and for any flush.
  Index max_outputs(Index n) const noexcept { return net_->max_outputs(n); }
  Index max_flush() const noexcept { return net_->max_flush(); }

  // Into the caller's memory.

  /// Takes x, writes what is ready to y, returns how many frames that is.
  /// Errors   Error if x or y has the wrong channels or batch, x a negative count, or y fewer frames than will come
  EIGENSTREAM_ALWAYS_INLINE Index process(Frames<const T> x, Frames<T> y) {
    check_input(x);
    check_output(y, x.count, false);
    return advance(x, y);
  }
  /// The same for the last chunk: also writes the rest, and starts anew.
  Index process(Frames<const T> x, Frames<T> y, Final) {
    check_input(x);
    check_output(y, x.count, true);
    const Index written = advance(x, y);
    return written + finish(y.from(written));
  }
  /// The rest of the signal, as after an empty last chunk.
  Index flush(Frames<T> y) {
    check_output(y, 0, true);
    return finish(y);
  }

  /// Takes x and hands what becomes ready to f as views of the stream's own memory, without a copy, for networks that
  /// can (Snapshotter). Returns how often f was called. f must not throw.
  /// Errors   Error if x has the wrong channels or batch, or a negative count
  template <class F>
    requires requires(const Net& net, StateRef state, Frames<const T> x, F& f) { net.visit(state, x, f); }
  Index visit(Frames<const T> x, F&& f) {
    check_input(x);
    seen_ += x.count;
    return net_->visit(block_.ref(), x, f);
  }

  /// n frames from one buffer per channel to one buffer per channel, each of which has room for `room` frames; batch 1.
  /// An output buffer may be an input buffer as long as no output lies where input is still to be read.
  /// Errors   Error if the batch is not 1, n is negative, `room` is less than will come, or an output would overwrite
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

  // As tensors.

  /// The frames that x makes ready; (C',0) if none is.
  template <class X>
  auto operator()(X&& x) {
    return call<rank_of<X>>(view(x), false);
  }
  /// The frames that x makes ready and the rest of the signal; the stream is fresh again.
  template <class X>
  auto operator()(X&& x, Final) {
    return call<rank_of<X>>(view(x), true);
  }

  /// The same in one: the frames that are ready, or nothing if there are none; the whole rest if x is the last chunk.
  template <class X>
  auto forward(X&& x, bool last) {
    return some(call<rank_of<X>>(view(x), last));
  }

  /// One frame, (C) or (C,B), to the outputs it makes ready: nothing, or a tensor of one frame (several if the network
  /// raises the rate). With update_state = false the stream stays as it was.
  template <class X>
  std::optional<Tensor2> forward_step(X&& frame, bool update_state = true) {
    return some(steps<2>(frame_view(frame), false, update_state));
  }
  /// A run of frames to the outputs they make ready, or nothing. pad_end adds what the end of the signal would release,
  /// worked out on a copy: the stream goes on as if it had not been asked.
  template <class X>
  auto forward_steps(X&& x, bool pad_end = false, bool update_state = true) {
    return some(steps<rank_of<X>>(view(x), pad_end, update_state));
  }
  /// The whole signal at once, as the offline layer does; any batch. Neither reads nor changes the stream.
  template <class X>
  auto forward(X&& x) const {
    const Frames<const T> all = view(x);
    Stream fresh(net_, {.channels = all.channels, .batch = all.batch});
    return fresh.call<rank_of<X>>(all, true);
  }

  // State.

  /// Bytes that the stream remembers, as saved (without header), and that it occupies.
  Index state_bytes() const noexcept { return state_bytes_; }
  Index memory_bytes() const noexcept {
    return block_.bytes() + static_cast<Index>(planar_.size() * sizeof(T));
  }
  State get_state() const {
    State state;
    state.assign(net_->fingerprint(), in_, seen_, static_cast<std::size_t>(state_bytes_),
                 [&](std::span<std::byte> out) {
                   StateCodec writer = StateCodec::writer(out, seen_);
                   net_->exchange(block_.ref(), writer);
                   check(writer.good(), "Stream: a layer counts other frames than follow from the ", seen_,
                         " that came and the layers' timing");
                 });
    return state;
  }
  /// Errors   Error if the state is another network's, of another shape, or damaged; the stream is as it was
  void set_state(const State& state) {
    check(state.fingerprint() == net_->fingerprint(), "Stream: this state belongs to another network");
    check_shape("state", state.shape(), in_);
    check(state.payload().size() == static_cast<std::size_t>(state_bytes_), "Stream: the state has ",
          state.payload().size(), " bytes, this stream's has ", state_bytes_);
    StateBlock fresh = make_state(*net_, in_);
    const Index seen = state.frames_seen();
    check(seen >= 0 && seen <= timing_.max_frames(), "Stream: the state is damaged (it says that ", seen,
          " frames came, of at most ", timing_.max_frames(), ")");
    StateCodec reader = StateCodec::reader(state.payload(), seen);
    net_->exchange(fresh.ref(), reader);
    check(reader.good(), "Stream: the state is damaged (a layer counts other frames than follow from the ", seen,
          " that came, or a number is out of its range)");
    block_ = std::move(fresh);
    seen_ = seen;
  }
  /// Back to the start of a signal, without output.
  void clean_state() noexcept {
    net_->reset(block_.ref());
    seen_ = 0;
  }
  void reset() noexcept { clean_state(); }
  /// Feeds zeros until the next frame yields an output: none if it does already.
  void warm_up() {
    std::vector<T> zeros(static_cast<std::size_t>(in_.size()), T(0));
    std::vector<T> out(static_cast<std::size_t>(std::max<Index>(1, max_outputs(1)) * out_.size()));
    while (timing_.outputs_after(seen_ + 1) == timing_.outputs_after(seen_))
      advance(Frames<const T>(zeros.data(), in_, 1), Frames<T>(out.data(), out_, max_outputs(1)));
  }

 private:
  template <class X>
  static constexpr int rank_of = [] {
    if constexpr (detail::TensorLike<std::remove_cvref_t<X>>) return std::remove_cvref_t<X>::NumDimensions;
    return 2;
  }();

  template <class X>
  Frames<const T> view(X&& x) const {
    static_assert(rank_of<X> >= 1 && rank_of<X> <= 3, "eigenstream: chunks are (T), (C,T) or (C,B,T)");
    if constexpr (rank_of<X> == 1) {
      const Index frames = x.dimensions()[0];
      return {x.data(), {1, 1}, frames};
    } else {
      return Frames<const T>(x);
    }
  }
  template <class X>
  Frames<const T> frame_view(X&& x) const {
    Index size = 0;
    if constexpr (detail::TensorLike<std::remove_cvref_t<X>>) {
      size = x.size();
    } else {
      size = x.rows() * x.cols();
      detail::check_contiguous<std::remove_cvref_t<X>>(x);
    }
    check(size == in_.size(), "Stream: a frame of ", size, " numbers, this stream takes ", in_.channels,
          " channels and a batch of ", in_.batch);
    return {x.data(), in_, 1};
  }
  template <class Tensor>
  static std::optional<Tensor> some(Tensor&& y) {
    if (y.dimension(Tensor::NumDimensions - 1) == 0) return std::nullopt;
    return std::forward<Tensor>(y);
  }

  // The checks of every call: a few comparisons, and everything else out of line.
  EIGENSTREAM_ALWAYS_INLINE void check_input(Frames<const T> x) const {
    check_shape("input", x.shape(), in_);
    if (x.count < 0) [[unlikely]]
      refuse_count(x.count);
  }
  [[noreturn]] static EIGENSTREAM_NO_INLINE void refuse_count(Index n) {
    fail("Stream: input of ", n, " frames, must not be negative");
  }
  static EIGENSTREAM_ALWAYS_INLINE void check_shape(const char* what, const FrameShape& given,
                                                    const FrameShape& wanted) {
    if (given.channels != wanted.channels || given.batch != wanted.batch) [[unlikely]]
      refuse_shape(what, given.channels, given.batch, wanted.channels, wanted.batch);
  }
  [[noreturn]] static EIGENSTREAM_NO_INLINE void refuse_shape(const char* what, Index channels, Index batch,
                                                              Index wanted_channels, Index wanted_batch) {
    fail("Stream: ", what, " of ", channels, " channels and a batch of ", batch, ", this stream has ", wanted_channels,
         " channels and a batch of ", wanted_batch);
  }
  EIGENSTREAM_ALWAYS_INLINE void check_output(Frames<T> y, Index n, bool ended) const {
    check_shape("output", y.shape(), out_);
    check_room(y.count, n, ended);
  }
  EIGENSTREAM_ALWAYS_INLINE void check_room(Index room, Index n, bool ended) const {
    if (room < net_->max_outputs(n) + (ended ? net_->max_flush() : 0)) check_exact_room(room, n, ended);
  }
  EIGENSTREAM_OUTLINED void check_exact_room(Index room, Index n, bool ended) const {
    const Index wanted = timing_.outputs_after(seen_ + n, ended) - timing_.outputs_after(seen_);
    check(room >= wanted, "Stream: room for ", room, " frames where ", wanted, " will come");
  }
  EIGENSTREAM_ALWAYS_INLINE Index advance(Frames<const T> x, Frames<T> y) noexcept {
    seen_ += x.count;
    return net_->steps(block_.ref(), x, y);
  }
  Index finish(Frames<T> y) noexcept {
    seen_ = 0;
    return net_->flush(block_.ref(), y);
  }

  template <int Rank>
  static auto make_tensor(FrameShape shape, Index frames) {
    if constexpr (Rank == 1)
      return Tensor1(shape.size() * frames);  // one channel, or the channels of each frame one after the other
    else if constexpr (Rank == 2)
      return Tensor2(shape.size(), frames);  // a batch of 1; a frame of forward_step may hold more
    else
      return Tensor3(shape.channels, shape.batch, frames);
  }
  template <int Rank>
  auto call(Frames<const T> x, bool ended) {
    check_input(x);
    if constexpr (Rank == 1)
      check(out_.size() == 1, "Stream: a signal (T) goes in, but ", out_.channels, " channels come out; give it as (1,T)");
    const Index expected = timing_.outputs_after(seen_ + x.count, ended) - timing_.outputs_after(seen_);
    auto y = make_tensor<Rank>(out_, expected);
    Frames<T> to(y.data(), out_, expected);
    const Index written = advance(x, to);
    if (ended) finish(to.from(written));
    return y;
  }
  template <int Rank>
  auto steps(Frames<const T> x, bool pad_end, bool update_state) {
    check_input(x);
    if (!pad_end && update_state) return call<Rank>(x, false);
    Stream copy = *this;
    auto y = copy.call<Rank>(x, pad_end);
    if (update_state) call<Rank>(x, false);
    return y;
  }

  // Planar buffers go through a tile of interleaved frames.
  Index room_for_planar() const noexcept { return std::clamp<Index>(4096 / in_.size(), 1, 256); }
  Index planar_room() const noexcept { return std::max<Index>(1, std::max(max_outputs(tile_), max_flush())); }
  Frames<T> planar_output() noexcept { return {planar_.data() + tile_ * in_.size(), out_, planar_room()}; }
  Index advance_planar(const T* const* in, Index n, T* const* out) noexcept {
    const Frames<T> y = planar_output();
    Index written = 0;
    for (Index at = 0; at < n; at += tile_) {
      const Frames<T> x(planar_.data(), in_, std::min(tile_, n - at));
      detail::from_planar(in, at, x);
      written += detail::to_planar<T>(y.first(advance(x, y)), out, written);
    }
    return written;
  }
  Index finish_planar(T* const* out, Index at) noexcept {
    const Frames<T> y = planar_output();
    return detail::to_planar<T>(y.first(finish(y)), out, at);
  }
  void check_planar(const T* const* in, Index n, T* const* out, Index room, bool ended) const {
    check(in_.batch == 1, "Stream: planar buffers need a batch of 1, this stream has ", in_.batch);
    if (n < 0) refuse_count(n);
    check_room(room, n, ended);
    // What a tile gives must not lie where later tiles are still to be read.
    const auto overwrites = [&](Index read, Index written) {
      return detail::overlap(in, in_.channels, read, n, out, out_.channels, written);
    };
    const auto outputs_of = [&](Index frames) {
      return timing_.outputs_after(seen_ + frames) - timing_.outputs_after(seen_);
    };
    if (n <= tile_ || !overwrites(tile_, outputs_of(n))) return;
    for (Index read = tile_; read < n; read += tile_)
      check(!overwrites(read, outputs_of(read)), "Stream: the first ", outputs_of(read),
            " outputs would overwrite input that is not read yet; give other buffers, or use a BlockAdapter");
  }

  std::shared_ptr<const Net> net_;
  FrameShape in_, out_;
  Timing timing_;
  StateBlock block_;
  Index seen_ = 0;
  Index state_bytes_ = 0;
  Index tile_ = 1;
  std::vector<T> planar_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAM_STREAM_HPP
