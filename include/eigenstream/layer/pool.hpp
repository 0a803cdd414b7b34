#ifndef EIGENSTREAM_LAYER_POOL_HPP
#define EIGENSTREAM_LAYER_POOL_HPP

#include <limits>  // infinity

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/window_reduce.hpp"
#include "eigenstream/memory/sliding_window.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct AvgPool1dOptions {
  Index stride = 0;  ///< 0: as long as the window
  Index padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
};

struct MaxPool1dOptions {
  Index stride = 0;  ///< 0: as long as the window
  Index padding = 0;
  Index dilation = 1;
  bool ceil_mode = false;
};

namespace detail {

/// What both pools share: the window, its end, and the count of outputs. `Pool` reduces one window to one frame:
///   pool(first frame of the window, index of the output, frames of the signal if it has ended or -1, shape, y)
template <class T, class Pool>
class Pool1d {
 public:
  using Scalar = T;

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept {
    return {.out = in,
            .state_bytes = memory_alignment + window_.template state_bytes<T>(in),
            .max_flush = window_.max_windows(end_frames())};
  }
  Timing timing() const { return stage_; }
  Index max_outputs(Index n) const noexcept { return window_.max_windows(n); }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    outputs(state) = 0;
    window_.reset(inner(state), Pool::virtual_value);
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index written =
        window_.template advance<T>(inner(state), x, nullptr, [&](const T* first, Index windows, Index done) {
          emit(state, first, windows, -1, y.from(done));
        });
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const Time n = window_.seen(inner(state));
    Index written = 0;
    if (n > 0) {
      const Index last = stage_.outputs_in_all(n) - outputs(state);
      window_.advance_fill(inner(state), Pool::virtual_value, end_frames(),
                           [&](const T* first, Index windows, Index done) {
                             const Index some = std::min(windows, last - done);  // ceil_mode may allow fewer
                             if (some <= 0) return;
                             emit(state, first, some, n, y.from(done));
                             written += some;
                           });
    }
    reset(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(outputs(state), stage_.outputs_after(codec.frames()));
    window_.template exchange<T>(inner(state), codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    History<T> history = window_.template history<T>(inner(state));
    return n <= history.max_frames() ? history.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr bool keeps_channels() noexcept { return true; }

 protected:
  Pool1d(const char* name, Index taps, Index stride, Index padding, Index dilation, bool ceil)
      : taps_(taps), dilation_(dilation) {
    if (stride == 0) stride = taps;
    check(taps >= 1, name, ": window of ", taps, " frames, must be at least 1");
    check(stride >= 1, name, ": stride = ", stride, ", must be at least 1");
    check(dilation >= 1, name, ": dilation = ", dilation, ", must be at least 1");
    check(padding >= 0 && 2 * padding <= taps, name, ": padding = ", padding, ", must be from 0 to half the window of ",
          taps);
    const Index reach = (taps - 1) * dilation + 1;
    window_ = SlidingWindow(reach, stride, padding).roomy();  // the kernel costs little more than moving frames does
    stage_ = {.reach = reach, .stride = stride, .left = padding, .right = padding, .dilation = dilation, .ceil = ceil};
    fingerprint_ = Fingerprint(name).add(taps).add(stride).add(padding).add(dilation).add(ceil);
  }

  Index stride() const noexcept { return window_.stride; }

  Index taps_, dilation_;
  TimingStage stage_;
  Fingerprint fingerprint_{""};

 private:
  static Time& outputs(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  static StateRef inner(StateRef state) noexcept { return {state.data + memory_alignment, state.shape}; }
  // Virtual frames after the signal: the padding, and what a window may hang over.
  Index end_frames() const noexcept { return stage_.right + (stage_.ceil ? stage_.stride - 1 : 0); }

  void emit(StateRef state, const T* first, Index windows, Time ended, Frames<T> y) const noexcept {
    const Index frame = state.shape.size();
    const Pool& pool = static_cast<const Pool&>(*this);
    for (Index m = 0, some = 1; m < windows; m += some) {
      const Time output = outputs(state) + m;
      // With stride 1, windows that are alike are one long frame.
      some = stage_.stride == 1 && pool.is_whole(output, ended) ? windows - m : 1;
      pool.pool(first + m * stage_.stride * frame, output, ended, frame, some * frame, y.frame(m));
    }
    outputs(state) += windows;
  }

  SlidingWindow window_;
};

}  // namespace detail

/// Average over a window of frames, each channel by itself.
/// Shapes   x (C,T) or (C,B,T) -> y (C,T') or (C,B,T'), T' = floor or ceil((T + 2*padding - taps) / stride) + 1; with
///          ceil_mode no window starts behind the signal and its left padding
/// Timing   receptive_field taps, delay taps - 1 - padding, rate 1/stride; end windows wait for the flush
/// Errors   constructor: Error on any impossible size. steps/flush: noexcept, no allocation
/// Source   torch.nn.AvgPool1d: the divisor is the number of real frames, or with count_include_pad also of padding
///          frames, but never counts what a ceil_mode window hangs over
template <class T>
class AvgPool1d : public detail::Pool1d<T, AvgPool1d<T>> {
 public:
  explicit AvgPool1d(Index taps, AvgPool1dOptions options = {})
      : detail::Pool1d<T, AvgPool1d>("AvgPool1d", taps, options.stride, options.padding, 1, options.ceil_mode),
        include_pad_(options.count_include_pad) {
    this->fingerprint_.add(include_pad_);
  }

  /// The same without padding and without windows that hang over the end.
  AvgPool1d without_padding() const {
    return AvgPool1d(this->taps_, {.stride = this->stride(), .count_include_pad = include_pad_});
  }

 private:
  friend class detail::Pool1d<T, AvgPool1d>;
  static constexpr T virtual_value = T(0);

  // Whether this window and all that follow divide by the number of taps.
  bool is_whole(Time output, Time ended) const noexcept {
    return ended < 0 && (include_pad_ || output * this->stage_.stride >= this->stage_.left);
  }
  void pool(const T* first, Time output, Time ended, Index frame, Index n, T* y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const Index padding = this->stage_.left;
    Time begin = output * this->stage_.stride - padding, end = begin + this->taps_;
    if (ended >= 0) end = std::min(end, include_pad_ ? ended + padding : ended);
    if (!include_pad_) begin = std::max<Time>(begin, 0);
    const P divisor = P::broadcast(static_cast<T>(end - begin));
    kernel::window_reduce(
        first, frame, this->taps_, n, y, [](P a, P b) { return a + b; }, [&](P sum) { return sum / divisor; });
  }

  bool include_pad_;
};

/// Maximum over a window of frames, each channel by itself. NaN in a window gives NaN.
/// Shapes   x (C,T) or (C,B,T) -> y (C,T') or (C,B,T'), T' = floor or ceil((T + 2*padding - reach) / stride) + 1; with
///          ceil_mode no window starts behind the signal and its left padding
/// Timing   receptive_field reach = (taps-1)*dilation + 1, delay reach - 1 - padding, rate 1/stride
/// Errors   constructor: Error on any impossible size. steps/flush: noexcept, no allocation
/// Source   torch.nn.MaxPool1d; padding is minus infinity
template <class T>
class MaxPool1d : public detail::Pool1d<T, MaxPool1d<T>> {
 public:
  explicit MaxPool1d(Index taps, MaxPool1dOptions options = {})
      : detail::Pool1d<T, MaxPool1d>("MaxPool1d", taps, options.stride, options.padding, options.dilation,
                                     options.ceil_mode) {}

  /// The same without padding and without windows that hang over the end.
  MaxPool1d without_padding() const {
    return MaxPool1d(this->taps_, {.stride = this->stride(), .dilation = this->dilation_});
  }

 private:
  friend class detail::Pool1d<T, MaxPool1d>;
  static constexpr T virtual_value = -std::numeric_limits<T>::infinity();

  static constexpr bool is_whole(Time, Time) noexcept { return true; }
  void pool(const T* first, Time, Time, Index frame, Index n, T* y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    kernel::window_reduce(
        first, this->dilation_ * frame, this->taps_, n, y, [](P a, P b) { return simd::max(a, b); },
        [](P value) { return value; });
  }
};

static_assert(Layer<AvgPool1d<float>> && Layer<MaxPool1d<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_POOL_HPP
