#ifndef EIGENSTREAM_STREAM_BLOCK_ADAPTER_HPP
#define EIGENSTREAM_STREAM_BLOCK_ADAPTER_HPP

#include <algorithm>   // max
#include <functional>  // less
#include <memory>      // shared_ptr
#include <numeric>     // lcm
#include <span>        // saved bytes
#include <vector>      // planar buffers

#include "eigenstream/memory/history.hpp"
#include "eigenstream/memory/room.hpp"
#include "eigenstream/stream/planar.hpp"
#include "eigenstream/stream/stream.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct BlockAdapterOptions {
  Index channels = Dynamic;  ///< of the input; needed only if the network takes any number
  Index batch = 1;           ///< independent signals in step with each other
  /// The frames of each block are a multiple of this. A network that works in steps, as one that goes down by 128 and
  /// up again, then has less latency: it never has to wait for the rest of a step.
  Index multiple = 1;
};

/// A stream for hosts that want as many frames out of each call as go in: what a network gives early waits in a queue,
/// and the first `latency()` frames are zeros. The output is the network's one-call output behind these zeros, bit for
/// bit and however the signal is cut, for every network whose rate is 1 in all.
///   process(x, y)               as many frames to y as x has; no allocation, no lock, no system call
///   process_planar(in, n, out)  one pointer per channel, as audio hosts hand buffers over; the same guarantees
///   flush(y)                    the rest, so that there are latency() frames more in all than the network gives
/// Latency  the smallest with which no output is ever missing: max over n of n - outputs_after(n), n of the blocks'
///          `multiple`. Known at construction, so that a host can line the signal up with others
/// Shapes   as of a Stream's process
/// Errors   constructor: those of Stream; Error if the network's rate is not 1. Calls: Error when channels or batch
///          differ, a count is negative or no multiple, or there is too little room, before anything changes
/// May be copied and moved, as a Stream; two threads need two.
template <Layer Net>
class BlockAdapter {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;

  explicit BlockAdapter(Net net, BlockAdapterOptions options = {})
      : BlockAdapter(std::make_shared<const Net>(std::move(net)), options) {}
  explicit BlockAdapter(std::shared_ptr<const Net> net, BlockAdapterOptions options = {})
      : stream_(std::move(net), {.channels = options.channels, .batch = options.batch}), multiple_(options.multiple) {
    check(stream_.inputs() == 1, "BlockAdapter: a network of ", stream_.inputs(), " inputs; it has one to give");
    const Timing& timing = stream_.timing();
    const Rate rate = timing.rate();
    check(rate == Rate(), "BlockAdapter: the network gives ", rate.outputs, " outputs for ", rate.inputs,
          " inputs; as many frames out as in need a rate of 1 (use a Stream)");
    check(multiple_ >= 1 && multiple_ <= most_frames, "BlockAdapter: multiple = ", multiple_, ", must be from 1 to ",
          most_frames);
    const Time cycle = std::lcm<Time, Time>(timing.cycle(), multiple_);
    check(cycle / multiple_ <= most_frames, "BlockAdapter: the network's strides and multiple = ", multiple_,
          " repeat only after more than 2^20 blocks");
    // Before the first output, what is missing grows with each frame. Behind it, a pattern repeats.
    const Time first = timing.first_output(), begin = (first / multiple_ + 1) * multiple_;
    latency_ = first / multiple_ * multiple_;
    Time ahead = 0;
    for (Time n = begin; n < begin + cycle; n += multiple_) {
      const Time lead = timing.outputs_after(n) - n;
      latency_ = std::max(latency_, -lead);
      ahead = std::max(ahead, lead);
    }
    tile_ = ceil_div(std::clamp<Index>(4096 / in_shape().size(), 1, 256), multiple_) * multiple_;
    keep_ = latency_ + ahead;
    most_ = std::max(stream_.max_outputs(tile_), stream_.max_flush());
    queue_ = StateBlock(History<T>::bytes(out_shape().size(), keep_, slack()), out_shape());
    planar_.resize(static_cast<std::size_t>(tile_ * in_shape().size()));
    reset();
  }

  const Net& net() const noexcept { return stream_.net(); }
  /// Frames of zeros in front of the network's output; what a host asks for to line the effect up with other tracks.
  Time latency() const noexcept { return latency_; }
  Index multiple() const noexcept { return multiple_; }
  FrameShape in_shape() const noexcept { return stream_.in_shape(); }
  FrameShape out_shape() const noexcept { return stream_.out_shape(); }
  const Timing& timing() const noexcept { return stream_.timing(); }
  /// Frames given since the signal began, and as many taken.
  Time frames_seen() const noexcept { return stream_.frames_seen(); }
  /// Frames that are still to come if the signal ends after n further ones, those of the n included.
  Time remaining(Time n = 0) const noexcept {
    return latency_ + stream_.outputs_after(frames_seen() + n, true) - frames_seen();
  }

  /// Takes x and writes as many frames to y; returns how many. y may lie where x does, if a frame of it is no longer.
  Index process(Frames<const T> x, Frames<T> y) {
    check_input(x, false);
    check_output(y, x.count);
    check_overlap(x, y);
    return advance(x, y);
  }
  /// The same for the last block, of any length: also writes the rest, `remaining(x.count)` frames in all, and starts
  /// anew.
  Index process(Frames<const T> x, Frames<T> y, Final) {
    check_input(x, true);
    check_output(y, remaining(x.count));
    check_overlap(x, y);
    const Index written = advance(x, y);
    return written + finish(y.from(written));
  }
  /// The rest of the signal, `remaining()` frames, as after an empty last block.
  Index flush(Frames<T> y) {
    check_output(y, remaining());
    return finish(y);
  }

  /// n frames from one buffer per channel to one buffer per channel, n of each; batch 1. In place, too: an output
  /// buffer may be an input buffer.
  Index process_planar(const T* const* in, Index n, T* const* out) {
    check_planar(in, n, out, n, n, false);
    return advance_planar(in, n, out);
  }
  /// The same for the last block, of any length: also writes the rest, `remaining(n)` frames in all, and starts anew.
  /// The output buffers have room for `room` frames.
  Index process_planar(const T* const* in, Index n, T* const* out, Index room, Final) {
    check_planar(in, n, out, room, n < 0 ? 0 : remaining(n), true);
    const Index written = advance_planar(in, n, out);
    return written + finish_planar(out, written);
  }
  /// The rest of the signal, `remaining()` frames, one buffer per channel with room for `room` frames.
  Index flush_planar(T* const* out, Index room) {
    check_planar(nullptr, 0, out, room, remaining(), true);
    return finish_planar(out, 0);
  }

  // State.

  /// Bytes that are remembered, as saved (without header), and that are occupied.
  Index state_bytes() const noexcept { return stream_.state_bytes() + queue_bytes(); }
  Index memory_bytes() const noexcept {
    return stream_.memory_bytes() + queue_.bytes() + static_cast<Index>(planar_.size() * sizeof(T));
  }
  State get_state() const {
    const State inner = stream_.get_state();
    State state;
    state.assign(fingerprint(), in_shape(), frames_seen(), static_cast<std::size_t>(state_bytes()),
                 [&](std::span<std::byte> out) {
                   std::copy(inner.payload().begin(), inner.payload().end(), out.begin());
                   StateCodec writer = StateCodec::writer(out.subspan(inner.payload().size()), frames_seen());
                   queue().exchange(writer);
                 });
    return state;
  }
  /// Errors   Error if the state is of another network, multiple or shape, or damaged; all is as it was
  void set_state(const State& state) {
    check(state.fingerprint() == fingerprint(), "BlockAdapter: this state belongs to another network, or to a Stream");
    check(state.frames_seen() % multiple_ == 0, "BlockAdapter: the state is damaged (it says that ",
          state.frames_seen(), " frames came, in multiples of ", multiple_, ")");
    check(state.payload().size() == static_cast<std::size_t>(state_bytes()), "BlockAdapter: the state has ",
          state.payload().size(), " bytes, this one's has ", state_bytes());
    const std::span<const std::byte> own = state.payload().first(static_cast<std::size_t>(stream_.state_bytes()));
    State inner;
    inner.assign(net().fingerprint(), state.shape(), state.frames_seen(), own.size(),
                 [&](std::span<std::byte> out) { std::copy(own.begin(), own.end(), out.begin()); });
    stream_.set_state(inner);
    StateCodec reader = StateCodec::reader(state.payload().subspan(own.size()), frames_seen());
    queue().exchange(reader);
  }
  /// Back to the start of a signal, without output.
  void reset() noexcept {
    stream_.reset();
    queue().reset(slack());
  }

 private:
  static constexpr Index most_frames = 1048576;

  std::uint64_t fingerprint() const {
    return Fingerprint("BlockAdapter").add(multiple_).add(std::uint64_t{net().fingerprint()});
  }
  Index queue_bytes() const noexcept { return keep_ * out_shape().size() * static_cast<Index>(sizeof(T)); }
  Index slack() const noexcept { return slack_for<T>(out_shape().size(), keep_, most_); }
  History<T> queue() const noexcept { return History<T>(queue_.ref().data, out_shape().size(), keep_); }
  // Frames in the queue: they follow from those that came. None if the last block, which need not be a multiple, took
  // more.
  Index waiting() const noexcept {
    return std::max<Time>(0, latency_ + stream_.outputs_after(frames_seen()) - frames_seen());
  }

  void check_shape(const char* what, const FrameShape& given, const FrameShape& wanted) const {
    check(same_layout(given, wanted), "BlockAdapter: ", what, " of ", given, ", this one has ", wanted);
  }
  void check_count(Index n, bool last) const {
    check(n >= 0, "BlockAdapter: input of ", n, " frames, must not be negative");
    check(last || n % multiple_ == 0, "BlockAdapter: a block of ", n, " frames, must be a multiple of ", multiple_);
  }
  void check_input(Frames<const T> x, bool last) const {
    check_shape("input", x.shape(), in_shape());
    check_count(x.count, last);
  }
  void check_room(Index room, Time wanted) const {
    check(room >= wanted, "BlockAdapter: room for ", room, " frames where ", wanted, " will come");
  }
  void check_output(Frames<T> y, Time wanted) const {
    check_shape("output", y.shape(), out_shape());
    check_room(y.count, wanted);
  }
  // Frame by frame, nothing may be written where input is still to be read.
  void check_overlap(Frames<const T> x, Frames<T> y) const {
    if (x.count <= tile_ || !detail::overlap(&x.data, 1, 0, x.scalars(), &y.data, 1, x.count * y.frame_size())) return;
    check(!std::less<const T*>()(x.data, y.data) && y.frame_size() <= x.frame_size(),
          "BlockAdapter: the output would overwrite input that is not read yet; give another buffer");
  }
  void check_planar(const T* const* in, Index n, T* const* out, Index room, Time wanted, bool last) const {
    check(in_shape().batch == 1, "BlockAdapter: planar buffers need a batch of 1, this one has ", in_shape().batch);
    check_count(n, last);
    check_room(room, wanted);
    for (Index read = tile_; read < n; read += tile_)
      check(!detail::overlap(in, in_shape().size(), read, n, out, out_shape().size(), read),
            "BlockAdapter: the output would overwrite input that is not read yet; give other buffers");
  }

  // The frames that come out with a tile of input.
  Frames<const T> step(Frames<const T> x) noexcept {
    History<T> frames = queue();
    const Index before = waiting();
    T* place = frames.room(most_);
    const Index came = stream_.process(x, Frames<T>(place, out_shape(), most_));
    frames.append(place, came);
    const Index ready = before + came;
    return {frames.newest_end() - ready * out_shape().size(), out_shape(), std::min(ready, x.count)};
  }
  Index advance(Frames<const T> x, Frames<T> y) noexcept {
    Index written = 0;
    for (Index at = 0; at < x.count; at += tile_) {
      const Frames<const T> given = step(x.slice(at, std::min(tile_, x.count - at)));
      std::copy_n(given.data, given.scalars(), y.frame(written));
      written += given.count;
    }
    return written;
  }
  Index advance_planar(const T* const* in, Index n, T* const* out) noexcept {
    Index written = 0;
    for (Index at = 0; at < n; at += tile_) {
      const Frames<T> x(planar_.data(), in_shape(), std::min(tile_, n - at));
      detail::from_planar(in, at, x);
      written += detail::to_planar(step(x), out, written);
    }
    return written;
  }
  Index finish(Frames<T> y) noexcept {
    const Index before = waiting();
    std::copy_n(queue().newest_end() - before * out_shape().size(), before * out_shape().size(), y.data);
    const Index written = before + stream_.flush(y.from(before));
    queue().reset(slack());
    return written;
  }
  Index finish_planar(T* const* out, Index at) noexcept {
    History<T> frames = queue();
    const Index before = waiting();
    const T* first = frames.newest_end() - before * out_shape().size();
    Index written = detail::to_planar(Frames<const T>(first, out_shape(), before), out, at);
    const Frames<T> rest(frames.room(most_), out_shape(), most_);
    written += detail::to_planar<T>(rest.first(stream_.flush(rest)), out, at + written);
    frames.reset(slack());
    return written;
  }

  Stream<Net> stream_;
  Index multiple_;
  Time latency_ = 0;
  Index tile_ = 1;  // frames that are passed on at a time
  Index most_ = 0;  // outputs that come at a time
  Index keep_ = 0;  // outputs that wait between calls
  StateBlock queue_;
  std::vector<T> planar_;  // a tile
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAM_BLOCK_ADAPTER_HPP
