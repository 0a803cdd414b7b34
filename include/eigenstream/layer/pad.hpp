#ifndef EIGENSTREAM_LAYER_PAD_HPP
#define EIGENSTREAM_LAYER_PAD_HPP

#include <cmath>   // isnan

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/memory/history.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct PadOptions {
  PaddingMode mode = PaddingMode::constant;
  double value = 0;  ///< with PaddingMode::constant
  Index multiple = 1;  ///< more frames behind the signal, as many as make T' = offset + k * multiple for some k
  Index offset = 0;    ///< see multiple
};

/// Puts frames before and behind the signal, or takes some away.
///   y[m] = x[m - left] within the signal; outside of it the value, or with replicate the nearest frame that is left
/// Shapes   x (C,T) or (C,B,T) -> y (C,T') or (C,B,T'), T' = T + left + right; negative numbers crop. The crop comes
///          first: if it leaves nothing of the signal, nothing comes out. With `multiple`, T' is the next greater number
///          that is `offset` beside a multiple: up to whole strides, whatever the signal's length will be
/// Timing   frames before the signal come with its first frame, those behind it with the flush. A crop at the end holds
///          back as many frames as it takes, until it is certain that they are not among the last
/// Errors   constructor: Error if the numbers are beyond 2^40, the multiple beyond 2^20 or below 1, or the value is none.
///          steps/flush: noexcept, no allocation
/// Source   torch.nn.functional.pad over the last axis; torch.nn.ConstantPad1d, ReplicationPad1d
template <class T>
class Pad {
 public:
  using Scalar = T;

  Pad(Index left, Index right, PadOptions options = {})
      : left_(std::max<Index>(0, left)),
        right_(std::max<Index>(0, right)),
        skip_(std::max<Index>(0, -left)),
        hold_(std::max<Index>(0, -right)),
        multiple_(options.multiple),
        offset_(options.offset),
        value_(static_cast<T>(options.value)),
        replicates_(options.mode == PaddingMode::replicate) {
    constexpr double most = 1099511627776.0;  // 2^40, which a 32-bit size does not reach
    check(static_cast<double>(std::max(left_, skip_)) <= most && static_cast<double>(std::max(right_, hold_)) <= most, "Pad: left = ", left, ", right = ", right,
          ", must be within 2^40");
    check(options.mode == PaddingMode::constant || options.value == 0, "Pad: value = ", options.value,
          " needs mode constant");
    check(!std::isnan(options.value), "Pad: the value is not a number");
    added().check_multiple("Pad");
    check(multiple_ == 1 || right >= 0, "Pad: multiple = ", multiple_, " with right = ", right, ", which takes frames away");
    fingerprint_ = Fingerprint("Pad").add(left).add(right);
    if (left_ > 0 || right_ > 0 || multiple_ > 1) fingerprint_.add(replicates_).add(value_);
    if (multiple_ > 1) fingerprint_.add(multiple_).add(offset_);
  }

  /// What remains without frames that are added: the crops.
  Pad without_padding() const { return Pad(-skip_, -hold_); }

  Index left() const noexcept { return left_ - skip_; }
  Index right() const noexcept { return right_ - hold_; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept {
    return {.out = in, .state_bytes = memory_alignment + kept_bytes(in), .max_flush = right_ + multiple_ - 1};
  }
  Timing timing() const {
    Timing timing;
    if (skip_ > 0 || hold_ > 0) timing = timing.then(TimingStage{.left = -skip_, .right = -hold_});
    if (left_ > 0 || right_ > 0 || multiple_ > 1) timing = timing.then(added());
    return timing;
  }
  Index max_outputs(Index n) const noexcept { return n == 0 ? 0 : n + left_; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    seen(state) = 0;
    if (hold_ > 0) history(state).reset();
    if (repeats_last()) std::fill_n(last(state), state.shape.size(), T(0));
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    if (hold_ > 0) return delayed(state, x, y);
    const Index skipped = std::clamp<Time>(skip_ - seen(state), 0, x.count);
    const Frames<const T> kept = x.from(skipped);
    Index written = 0;
    if (kept.count > 0) {
      if (seen(state) <= skip_) written = begin(kept.data, y);
      copy(kept.data, kept.count, y.from(written));
      written += kept.count;
      if (repeats_last()) std::copy_n(kept.frame(kept.count - 1), x.frame_size(), last(state));
    }
    seen(state) += x.count;
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    Index written = 0;
    if (seen(state) > skip_ + hold_) {
      const Time inside = seen(state) - skip_ - hold_;
      written = right_ + static_cast<Index>(added().missing(inside + left_ + right_));
      fill(last(state), y.first(written));
    }
    reset(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(seen(state), codec.frames(), {.from = skip_ + hold_ + 1});
    if (hold_ > 0) history(state).exchange(codec);
    if (repeats_last()) codec.values(last(state), state.shape.size());
  }
  T* input_room(StateRef state, Index n) const noexcept {
    if (hold_ == 0) return nullptr;
    History<T> frames = history(state);
    return n <= frames.max_frames() ? frames.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr bool keeps_channels() noexcept { return true; }

 private:
  // The state: frames seen; then those held back, or the last one if it is to be repeated.
  static Time& seen(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  Index kept_bytes(const FrameShape& shape) const noexcept {
    if (hold_ > 0) return History<T>::bytes(shape.size(), hold_);
    return repeats_last() ? aligned_bytes(shape.size() * static_cast<Index>(sizeof(T))) : 0;
  }
  bool repeats_last() const noexcept { return replicates_ && right_ + multiple_ > 1; }
  // What comes to the signal, once it is cropped.
  TimingStage added() const noexcept {
    return {.left = left_, .right = right_, .replicates = replicates_, .multiple = multiple_, .offset = offset_};
  }
  static T* last(StateRef state) noexcept { return reinterpret_cast<T*>(state.data + memory_alignment); }
  History<T> history(StateRef state) const noexcept {
    return History<T>(state.data + memory_alignment, state.shape.size(), hold_);
  }

  // The frames before the first one, which is x.
  Index begin(const T* x, Frames<T> y) const noexcept {
    fill(x, y.first(left_));
    return left_;
  }
  // `nearest` is a frame that lies elsewhere.
  void fill(const T* nearest, Frames<T> y) const noexcept {
    if (!replicates_) {
      std::fill_n(y.data, y.scalars(), value_);
      return;
    }
    for (Index i = 0; i < y.count; ++i) std::copy_n(nearest, y.frame_size(), y.frame(i));
  }
  static void copy(const T* from, Index n, Frames<T> y) noexcept { std::copy_n(from, n * y.frame_size(), y.data); }

  // With frames held back: each new one releases the one `hold_` before it.
  Index delayed(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    History<T> frames = history(state);
    Index written = 0;
    for (Index at = 0; at < x.count;) {
      const Index n = std::min(x.count - at, frames.max_frames());
      const T* place = frames.append(x.frame(at), n);
      const Time before = seen(state);
      const Index released = std::min<Time>(n, before + n - skip_ - hold_);
      if (released > 0) {
        const T* first = place + (n - released - hold_) * x.frame_size();
        if (before <= skip_ + hold_) written += begin(first, y.from(written));
        copy(first, released, y.from(written));
        written += released;
      }
      seen(state) += n;
      at += n;
    }
    return written;
  }

  Index left_, right_;  // frames that are added
  Index skip_, hold_;   // frames that are taken away, at the start and at the end
  Index multiple_, offset_;
  T value_;
  bool replicates_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Pad<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_PAD_HPP
