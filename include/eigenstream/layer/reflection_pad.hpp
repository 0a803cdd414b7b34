#ifndef EIGENSTREAM_LAYER_REFLECTION_PAD_HPP
#define EIGENSTREAM_LAYER_REFLECTION_PAD_HPP

#include <algorithm>  // copy_n, max, min

#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/history.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Puts frames before and behind the signal that mirror it, without its outermost frames once more.
///   y[m] = x[m - left] within the signal, x[left - m] before it, x[2(T-1) - (m - left)] behind it
/// Shapes   x (C,T) or (C,B,T) -> y (C,T') or (C,B,T'), T' = T + left + right, with `multiple` as in Pad. The signal must be
///          longer than what is added at either end (torch refuses it else): nothing comes out of one that is not
/// Timing   the first `first` = max(left, right + multiple - 1) frames come with frame number `first`, all at once, since
///          what is before them is only known then; from there on each comes at once, and those behind with the flush
/// Errors   constructor: Error if a number is negative or beyond 2^26. steps/flush: noexcept, no allocation
/// Source   torch.nn.functional.pad(mode="reflect") over the last axis; torch.nn.ReflectionPad1d
/// Layout   frames seen, then the last first + 1 frames
template <class T>
class ReflectionPad {
 public:
  using Scalar = T;

  ReflectionPad(Index left, Index right, Index multiple = 1, Index offset = 0)
      : left_(left), right_(right), multiple_(multiple), offset_(offset) {
    constexpr Index most = Index{1} << 26;
    check(left >= 0 && left <= most && right >= 0 && right <= most, "ReflectionPad: left = ", left, ", right = ", right,
          ", must be from 0 to 2^26");
    stage().check_multiple("ReflectionPad");
  }

  /// What remains without frames that are added: nothing.
  ReflectionPad without_padding() const { return ReflectionPad(0, 0); }

  Index left() const noexcept { return left_; }
  Index right() const noexcept { return right_; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept {
    return {.out = in,
            .state_bytes = memory_alignment + History<T>::bytes(in.size(), kept()),
            .max_flush = right_ + multiple_ - 1};
  }
  Timing timing() const { return stage(); }
  Index max_outputs(Index n) const noexcept { return n == 0 ? 0 : n + left_ + first(); }
  std::uint64_t fingerprint() const noexcept {
    return Fingerprint("ReflectionPad").add(left_).add(right_).add(multiple_).add(offset_);
  }

  void reset(StateRef state) const noexcept {
    seen(state) = 0;
    history(state).reset();
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    History<T> frames = history(state);
    Index written = 0;
    for (Index at = 0; at < x.count;) {
      const Index n = std::min(x.count - at, frames.max_frames());
      const T* place = frames.append(x.frame(at), n);
      const Time before = seen(state);
      seen(state) += n;
      at += n;
      if (seen(state) <= first()) continue;
      Index count = n;
      if (before <= first()) {  // all that has come, and the mirror of it
        place -= static_cast<Index>(before) * x.frame_size();
        count += static_cast<Index>(before);
        for (Index i = left_; i > 0; --i) std::copy_n(place + i * x.frame_size(), x.frame_size(), y.frame(written++));
      }
      std::copy_n(place, count * x.frame_size(), y.from(written).data);
      written += count;
    }
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    Index written = 0;
    if (seen(state) > first()) {
      const Index n = right_ + static_cast<Index>(stage().missing(seen(state) + left_ + right_)), size = state.shape.size();
      const T* last = history(state).newest_end() - size;
      while (written < n) std::copy_n(last -= size, size, y.frame(written++));
    }
    reset(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(seen(state), codec.frames(), {.from = first() + 1});
    history(state).exchange(codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    History<T> frames = history(state);
    return n <= frames.max_frames() ? frames.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr bool keeps_channels() noexcept { return true; }

 private:
  static Time& seen(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  History<T> history(StateRef state) const noexcept {
    return History<T>(state.data + memory_alignment, state.shape.size(), kept());
  }
  TimingStage stage() const noexcept {
    return {.left = left_, .right = right_, .reflects = true, .multiple = multiple_, .offset = offset_};
  }
  Index first() const noexcept { return std::max(left_, right_ + multiple_ - 1); }
  Index kept() const noexcept { return first() + 1; }

  Index left_, right_, multiple_, offset_;
};

static_assert(Layer<ReflectionPad<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_REFLECTION_PAD_HPP
