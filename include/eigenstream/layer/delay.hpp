#ifndef EIGENSTREAM_LAYER_DELAY_HPP
#define EIGENSTREAM_LAYER_DELAY_HPP

#include <algorithm>  // copy_n, min

#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/history.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Gives what it gets, some frames later: a signal that waits on purpose. The whole signal comes out, the last frames with
/// its end; so offline it is the identity. (Branches that join are aligned by themselves and need none.)
///   y[m] = x[m], with input m + frames
/// Shapes   x (C,T), with space, a batch or neither -> y of the same
/// Timing   delay `frames`, receptive field 1
/// Errors   constructor: Error if the frames are negative or more than 2^26. steps/flush: noexcept, no allocation
/// Source   continual.Delay
/// Layout   frames seen, then those that wait
template <class T>
class Delay {
 public:
  using Scalar = T;

  explicit Delay(Index frames) : frames_(frames) {
    check(frames >= 0 && frames <= (Index{1} << 26), "Delay: ", frames, " frames, must be from 0 to 2^26");
  }

  Index frames() const noexcept { return frames_; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept {
    return {.out = in, .state_bytes = memory_alignment + History<T>::bytes(in.size(), frames_), .max_flush = frames_};
  }
  Timing timing() const { return frames_ == 0 ? Timing() : Timing(TimingStage{.wait = frames_}); }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const noexcept { return Fingerprint("Delay").add(frames_); }

  void reset(StateRef state) const noexcept {
    seen(state) = 0;
    history(state).reset();
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    History<T> waiting = history(state);
    Index written = 0;
    for (Index at = 0; at < x.count;) {
      const Index n = std::min(x.count - at, waiting.max_frames());
      const T* place = waiting.append(x.frame(at), n);
      const Index released = static_cast<Index>(std::clamp<Time>(seen(state) + n - frames_, 0, n));
      std::copy_n(place + (n - released - frames_) * x.size(), released * x.size(), y.frame(written));
      seen(state) += n;
      written += released;
      at += n;
    }
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const Index rest = static_cast<Index>(std::min<Time>(seen(state), frames_));
    std::copy_n(history(state).newest_end() - rest * state.shape.size(), rest * state.shape.size(), y.data);
    reset(state);
    return rest;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(seen(state), codec.frames(), {.from = frames_});
    history(state).exchange(codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    History<T> waiting = history(state);
    return n <= waiting.max_frames() ? waiting.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr bool keeps_channels() noexcept { return true; }

 private:
  static Time& seen(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  History<T> history(StateRef state) const noexcept {
    return History<T>(state.data + memory_alignment, state.shape.size(), frames_);
  }

  Index frames_;
};

static_assert(Layer<Delay<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_DELAY_HPP
