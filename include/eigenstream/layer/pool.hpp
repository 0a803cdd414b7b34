#ifndef EIGENSTREAM_LAYER_POOL_HPP
#define EIGENSTREAM_LAYER_POOL_HPP

#include <algorithm>    // fill_n, min, max
#include <limits>       // infinity
#include <type_traits>  // is_same

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/per_axis.hpp"
#include "eigenstream/kernel/window_reduce.hpp"
#include "eigenstream/memory/room.hpp"
#include "eigenstream/memory/sliding_window.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct AvgPool1dOptions {
  Index stride = 0;  ///< 0: as long as the window
  Index padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
  Index divisor_override = 0;  ///< 0: how many frames there are
  Index dilation = 1;
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
    // Only windows that begin before the signal, and those behind its end, are not like the others.
    codec.count(outputs(state), stage_.outputs_after(codec.frames()), {.from = ceil_div(stage_.left, stage_.stride)});
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
/// Shapes   x (C,T) or (C,B,T) -> y (C,T') or (C,B,T'), T' = floor or ceil((T + 2*padding - reach) / stride) + 1; with
///          ceil_mode no window starts behind the signal and its left padding
/// Timing   receptive_field reach = (taps-1)*dilation + 1, delay reach - 1 - padding, rate 1/stride; end windows wait for
///          the flush
/// Errors   constructor: Error on any impossible size. steps/flush: noexcept, no allocation
/// Source   torch.nn.AvgPool1d: the divisor is the number of real frames, or with count_include_pad also of padding
///          frames, but never counts what a ceil_mode window hangs over; dilation and divisor_override are not there
template <class T>
class AvgPool1d : public detail::Pool1d<T, AvgPool1d<T>> {
 public:
  explicit AvgPool1d(Index taps, AvgPool1dOptions options = {})
      : detail::Pool1d<T, AvgPool1d>("AvgPool1d", taps, options.stride, options.padding, options.dilation, options.ceil_mode),
        include_pad_(options.count_include_pad),
        divisor_(options.divisor_override) {
    check(divisor_ >= 0, "AvgPool1d: divisor_override = ", divisor_, ", must be at least 1");
    this->fingerprint_.add(include_pad_);
    if (divisor_ > 0) this->fingerprint_.add(divisor_);
  }

  /// The same without padding and without windows that hang over the end.
  AvgPool1d without_padding() const {
    return AvgPool1d(this->taps_, {.stride = this->stride(),
                                   .count_include_pad = include_pad_,
                                   .divisor_override = divisor_,
                                   .dilation = this->dilation_});
  }

 private:
  friend class detail::Pool1d<T, AvgPool1d>;
  static constexpr T virtual_value = T(0);

  // Whether this window and all that follow divide by the same number.
  bool is_whole(Time output, Time ended) const noexcept {
    return divisor_ > 0 || (ended < 0 && (include_pad_ || output * this->stage_.stride >= this->stage_.left));
  }
  void pool(const T* first, Time output, Time ended, Index frame, Index n, T* y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const P divisor = P::broadcast(static_cast<T>(divisor_ > 0 ? Time{divisor_} : counted(output, ended)));
    kernel::window_reduce(
        first, this->dilation_ * frame, this->taps_, n, y, [](P a, P b) { return a + b; },
        [&](P sum) { return sum / divisor; });
  }
  // Taps that count in the divisor.
  Time counted(Time output, Time ended) const noexcept {
    const Time begin = output * this->stage_.stride - this->stage_.left, dilation = this->dilation_;
    const Time least = include_pad_ ? begin : std::max<Time>(begin, 0);
    Time end = begin + this->stage_.reach;
    if (ended >= 0) end = std::min(end, include_pad_ ? ended + this->stage_.left : ended);
    if (dilation == 1) return end - least;
    return ceil_div(end - begin, dilation) - ceil_div(least - begin, dilation);
  }

  bool include_pad_;
  Index divisor_;  // 0: as many taps as count
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

/// For each axis, time first: {time, width} or {time, height, width}.
template <int Axes>
struct SpaceAvgPoolOptions {
  PerAxis<Index, Axes> stride = 0;  ///< 0: as long as the window
  PerAxis<Index, Axes> padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
  Index divisor_override = 0;  ///< 0: how many positions there are
  PerAxis<Index, Axes> dilation = 1;
};
template <int Axes>
struct SpaceMaxPoolOptions {
  PerAxis<Index, Axes> stride = 0;  ///< 0: as long as the window
  PerAxis<Index, Axes> padding = 0;
  PerAxis<Index, Axes> dilation = 1;
  bool ceil_mode = false;
};

/// How the window in time of an adaptive pool over space goes on.
struct AdaptivePoolOptions {
  Index stride = 1;
  Index padding = 0;
  Index dilation = 1;
};

namespace detail {

/// How a pool goes along an axis of space: in windows, or in so many parts of about equal size.
struct PoolAxis {
  WindowAxis window = {};
  bool ceil = false;
  bool include_pad = true;
  Index parts = 0;  // 0: windows

  /// Which positions output m pools, and how many count.
  struct Part {
    Index first, taps, step, counted;
  };

  constexpr bool is_plain() const noexcept { return parts == 0 && window.is_plain(); }
  constexpr Index outputs(Index n) const noexcept {
    if (parts > 0) return parts;
    const TimingStage stage{.reach = window.reach(),
                            .stride = window.stride,
                            .left = window.padding.left,
                            .right = window.padding.right,
                            .ceil = ceil};
    return static_cast<Index>(stage.outputs_in_all(n));
  }
  constexpr Part part(Index m, Index n) const noexcept {
    if (parts > 0) {
      const Index begin = m * n / parts, taps = ceil_div((m + 1) * n, parts) - begin;
      return {begin, taps, 1, taps};
    }
    const Index begin = m * window.stride - window.padding.left, step = window.dilation;
    if (begin >= 0 && begin + window.reach() <= n) return {begin, window.taps, step, window.taps};
    const Index first = ceil_div(std::max<Index>(0, -begin), step);
    const Index taps = std::max<Index>(0, std::min(window.taps, ceil_div(n - begin, step)) - first);
    const Index padded = std::min(window.taps, ceil_div(n + window.padding.right - begin, step));
    return {begin + first * step, taps, step, include_pad ? padded : taps};
  }
};

/// What pools over time and space share: each frame is pooled over space as it comes, and what is left of it over time, by a
/// `Time` pool, which says what is done: AvgPool1d or MaxPool1d.
template <class T, int Axes, class Time>
class SpacePool {
  static_assert(Axes == 2 || Axes == 3);

 public:
  using Scalar = T;
  static constexpr Space space_of_type = Space::used;

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    const auto check_fits = [&](const PoolAxis& axis, const char* axis_name, Index extent) {
      check(axis.outputs(extent) > 0, name_, ": the window reaches over ", axis.window.reach(), " positions of the ", axis_name,
            ", of which there are ", extent, " with a padding of ", axis.window.padding.left);
    };
    check_fits(height_, "height", in.height);
    check_fits(width_, "width", in.width);
    const FrameShape out = pooled(in);
    const Facts over_time = time_.facts(out);
    return {.out = out,
            .state_bytes = remembers_ ? over_time.state_bytes : 0,
            .max_flush = remembers_ ? over_time.max_flush : 0,
            .macs = static_cast<double>(in.size())};
  }
  Timing timing() const { return time_.timing(); }
  Index max_outputs(Index n) const noexcept { return time_.max_outputs(n); }
  std::uint64_t fingerprint() const {
    Fingerprint all(name_);
    all.add(std::uint64_t{time_.fingerprint()}).add(divisor_);
    for (const PoolAxis& axis : {height_, width_}) {
      all.add(axis.parts).add(axis.ceil).add(axis.include_pad).add(axis.window.taps).add(axis.window.stride);
      all.add(axis.window.padding.left).add(axis.window.dilation);
    }
    return all;
  }

  void reset(StateRef state) const noexcept {
    const FrameLayout inner = pooled(state.shape);
    if (remembers_) time_.reset({state.data, inner});
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const FrameLayout inner = pooled(state.shape);
    const StateRef own{state.data, inner};
    if (!remembers_) {
      over_space(x, y.data);
      return x.count;
    }
    if (height_.is_plain() && width_.is_plain()) return time_.steps(own, x, y);
    const Index most = room_for(inner.size(), static_cast<Index>(sizeof(T)));
    Index written = 0;
    for (Index begin = 0; begin < x.count; begin += most) {
      const Index n = std::min(most, x.count - begin);
      T* const place = time_.input_room(own, n);
      over_space(x.slice(begin, n), place);
      written += time_.steps(own, Frames<const T>(place, inner, n), y.from(written));
    }
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const FrameLayout inner = pooled(state.shape);
    return remembers_ ? time_.flush({state.data, inner}, y) : 0;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    const FrameLayout inner = pooled(state.shape);
    if (remembers_) time_.exchange({state.data, inner}, codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    return remembers_ && height_.is_plain() && width_.is_plain() ? time_.input_room(state, n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr bool keeps_channels() noexcept { return true; }

 protected:
  static constexpr bool averages = std::is_same_v<Time, AvgPool1d<T>>;

  /// `divisor` of the sums over space; 0: as many positions as count.
  SpacePool(const char* name, Time time, PoolAxis height, PoolAxis width, Index divisor = 0)
      : name_(name),
        time_(std::move(time)),
        height_(height),
        width_(width),
        divisor_(divisor),
        remembers_(!time_.timing().frame_by_frame()) {}

  /// The sizes of a window along an axis; 0 for a stride is that of the window.
  static WindowAxis checked(const char* name, const char* axis_name, Index taps, Index stride, Index padding, Index dilation) {
    const WindowAxis axis{taps, stride == 0 ? taps : stride, padding, dilation};
    axis.check_sizes(name, axis_name);
    check(2 * padding <= taps, name, ": padding = ", padding, " in ", axis_name, ", must be at most half the window of ", taps);
    return axis;
  }
  static PoolAxis parts(const char* name, Index n) {
    check(n >= 0, name, ": output_size = ", n, ", must be at least 1, or 0 for as many as there are");
    return {.parts = n};
  }
  /// The same pool with the one over time without padding.
  template <class Pool>
  static Pool without_padding(Pool pool) {
    pool.time_ = pool.time_.without_padding();
    return pool;
  }

 private:
  FrameShape pooled(const FrameShape& in) const noexcept {
    return {in.channels, width_.outputs(in.width), height_.outputs(in.height), in.batch};
  }
  void over_space(Frames<const T> x, T* y) const noexcept {
    const Index channels = x.channels, row = channels * x.width;
    const Index width = width_.outputs(x.width), height = height_.outputs(x.height);
    const T* image = x.data;
    for (Index i = x.count * x.batch; i > 0; --i, image += row * x.height)
      for (Index h = 0; h < height; ++h) {
        const PoolAxis::Part rows = height_.part(h, x.height);
        for (Index w = 0; w < width; ++w, y += channels) reduce(image, channels, row, rows, width_.part(w, x.width), y);
      }
  }
  void reduce(const T* image, Index channels, Index row, const PoolAxis::Part& rows, const PoolAxis::Part& columns,
              T* y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    if (rows.taps == 0 || columns.taps == 0) {  // all of it is padding
      std::fill_n(y, channels, averages ? T(0) : -std::numeric_limits<T>::infinity());
      return;
    }
    const auto block = [&](auto&& combine, auto&& finish) {
      kernel::block_reduce(image + rows.first * row + columns.first * channels, rows.step * row, rows.taps,
                           columns.step * channels, columns.taps, channels, y, combine, finish);
    };
    if constexpr (averages) {
      const P divisor = P::broadcast(static_cast<T>(divisor_ > 0 ? divisor_ : rows.counted * columns.counted));
      block([](P a, P b) { return a + b; }, [&](P sum) { return sum / divisor; });
    } else {
      block([](P a, P b) { return simd::max(a, b); }, [](P value) { return value; });
    }
  }

  const char* name_;
  Time time_;
  PoolAxis height_, width_;
  Index divisor_;
  bool remembers_;
};

}  // namespace detail

/// Average over a window of time and space, each channel by itself; AvgPool2d and AvgPool3d below.
/// Shapes   AvgPool2d: x (C,W,T) -> y (C,W',T'); AvgPool3d: x (C,W,H,T) -> y (C,W',H',T'); with a batch or without; along each
///          axis n' = floor or ceil((n + 2*padding - reach) / stride) + 1, reach = (taps-1)*dilation + 1; with ceil_mode no
///          window starts behind the signal and its left padding. Of AvgPool2d, a height is further columns
/// Timing   of AvgPool1d with the first one of each option
/// Errors   constructor: Error on any impossible size; facts: if no window fits into the frames. steps/flush: noexcept, no
///          allocation
/// Source   torch.nn.AvgPool2d over (B,C,T,W), torch.nn.AvgPool3d over (B,C,T,H,W): the divisor is the number of real
///          positions, or with count_include_pad also of padding, or divisor_override; dilation is not there
template <class T, int Axes>
class SpaceAvgPool : public detail::SpacePool<T, Axes, AvgPool1d<T>> {
  using Base = detail::SpacePool<T, Axes, AvgPool1d<T>>;
  friend Base;

 public:
  explicit SpaceAvgPool(PerAxis<Index, Axes> kernel_size, SpaceAvgPoolOptions<Axes> options = {})
      : Base(name, over_time(kernel_size, options), Axes == 3 ? axis(1, kernel_size, options) : detail::PoolAxis(),
             axis(Axes - 1, kernel_size, options), space_divisor(kernel_size, options)) {}

  /// The same without padding in time; that in space stays.
  SpaceAvgPool without_padding() const { return Base::without_padding(*this); }

 private:
  static constexpr const char* name = Axes == 2 ? "AvgPool2d" : "AvgPool3d";
  using Sizes = PerAxis<Index, Axes>;
  using Options = SpaceAvgPoolOptions<Axes>;

  static AvgPool1d<T> over_time(const Sizes& sizes, const Options& options) {
    const WindowAxis own = Base::checked(name, "time", sizes[0], options.stride[0], options.padding[0], options.dilation[0]);
    check(options.divisor_override >= 0, name, ": divisor_override = ", options.divisor_override, ", must be at least 1");
    return AvgPool1d<T>(own.taps, {.stride = own.stride,
                                   .padding = own.padding.left,
                                   .ceil_mode = options.ceil_mode,
                                   .count_include_pad = options.count_include_pad,
                                   .divisor_override = options.divisor_override,
                                   .dilation = own.dilation});
  }
  // All of the divisor is with the pool over time, unless there is nothing to do for it.
  static Index space_divisor(const Sizes& sizes, const Options& options) {
    if (options.divisor_override == 0) return 0;
    return over_time(sizes, options).timing().frame_by_frame() ? options.divisor_override : 1;
  }
  static detail::PoolAxis axis(int a, const Sizes& sizes, const Options& options) {
    const char* const axis_name = a == Axes - 1 ? "width" : "height";
    return {.window = Base::checked(name, axis_name, sizes[a], options.stride[a], options.padding[a], options.dilation[a]),
            .ceil = options.ceil_mode,
            .include_pad = options.count_include_pad};
  }
};

/// Maximum over a window of time and space, each channel by itself; MaxPool2d and MaxPool3d below. NaN in a window gives NaN.
/// Shapes   MaxPool2d: x (C,W,T) -> y (C,W',T'); MaxPool3d: x (C,W,H,T) -> y (C,W',H',T'); with a batch or without; along each
///          axis n' = floor or ceil((n + 2*padding - reach) / stride) + 1, reach = (taps-1)*dilation + 1; with ceil_mode no
///          window starts behind the signal and its left padding. Of MaxPool2d, a height is further columns
/// Timing   of MaxPool1d with the first one of each option
/// Errors   constructor: Error on any impossible size; facts: if no window fits into the frames. steps/flush: noexcept, no
///          allocation
/// Source   torch.nn.MaxPool2d over (B,C,T,W), torch.nn.MaxPool3d over (B,C,T,H,W); padding is minus infinity
template <class T, int Axes>
class SpaceMaxPool : public detail::SpacePool<T, Axes, MaxPool1d<T>> {
  using Base = detail::SpacePool<T, Axes, MaxPool1d<T>>;
  friend Base;

 public:
  explicit SpaceMaxPool(PerAxis<Index, Axes> kernel_size, SpaceMaxPoolOptions<Axes> options = {})
      : Base(name, over_time(kernel_size, options), Axes == 3 ? axis(1, kernel_size, options) : detail::PoolAxis(),
             axis(Axes - 1, kernel_size, options)) {}

  /// The same without padding in time; that in space stays.
  SpaceMaxPool without_padding() const { return Base::without_padding(*this); }

 private:
  static constexpr const char* name = Axes == 2 ? "MaxPool2d" : "MaxPool3d";
  using Sizes = PerAxis<Index, Axes>;
  using Options = SpaceMaxPoolOptions<Axes>;

  static MaxPool1d<T> over_time(const Sizes& sizes, const Options& options) {
    const WindowAxis own = Base::checked(name, "time", sizes[0], options.stride[0], options.padding[0], options.dilation[0]);
    return MaxPool1d<T>(own.taps, {.stride = own.stride,
                                   .padding = own.padding.left,
                                   .dilation = own.dilation,
                                   .ceil_mode = options.ceil_mode});
  }
  static detail::PoolAxis axis(int a, const Sizes& sizes, const Options& options) {
    const char* const axis_name = a == Axes - 1 ? "width" : "height";
    return {.window = Base::checked(name, axis_name, sizes[a], options.stride[a], options.padding[a], options.dilation[a]),
            .ceil = options.ceil_mode};
  }
};

/// The means, or the greatest numbers, of parts of the space of frames, and of a window of frames; AdaptiveAvgPool2d and 3d and
/// AdaptiveMaxPool2d and 3d below. The greatest of what has a NaN is NaN.
/// Shapes   ..2d: x (C,W,T) -> y (C,W',T'), a height is further columns; ..3d: x (C,W,H,T) -> y (C,W',H',T'); with a batch or
///          without; output_size {W'} or {H',W'}, 0: as many as there are; part i of n reaches from floor(i*W / n) to
///          ceil((i+1)*W / n) - 1
/// Timing   of AvgPool1d or MaxPool1d with the window and its options
/// Errors   constructor: Error on any impossible size. steps/flush: noexcept, no allocation
/// Source   torch.nn.AdaptiveAvgPool2d and 3d, AdaptiveMaxPool2d and 3d for output_size (1, ...) of a signal as long as the
///          window; over any other torch's takes the whole of it
template <class T, int Axes, class Time>
class SpaceAdaptivePool : public detail::SpacePool<T, Axes, Time> {
  using Base = detail::SpacePool<T, Axes, Time>;
  friend Base;

 public:
  SpaceAdaptivePool(PerAxis<Index, Axes - 1> output_size, Index window, AdaptivePoolOptions options = {})
      : Base(name, over_time(window, options), Axes == 3 ? Base::parts(name, output_size[0]) : detail::PoolAxis(),
             Base::parts(name, output_size[Axes - 2])) {}

  /// The same without padding in time.
  SpaceAdaptivePool without_padding() const { return Base::without_padding(*this); }

 private:
  static constexpr const char* name = Base::averages ? (Axes == 2 ? "AdaptiveAvgPool2d" : "AdaptiveAvgPool3d")
                                                     : (Axes == 2 ? "AdaptiveMaxPool2d" : "AdaptiveMaxPool3d");
  static Time over_time(Index window, const AdaptivePoolOptions& options) {
    Base::checked(name, "time", window, options.stride, options.padding, options.dilation);
    return Time(window, {.stride = options.stride, .padding = options.padding, .dilation = options.dilation});
  }
};

template <class T>
using AvgPool2d = SpaceAvgPool<T, 2>;
template <class T>
using AvgPool3d = SpaceAvgPool<T, 3>;
template <class T>
using MaxPool2d = SpaceMaxPool<T, 2>;
template <class T>
using MaxPool3d = SpaceMaxPool<T, 3>;
template <class T>
using AdaptiveAvgPool2d = SpaceAdaptivePool<T, 2, AvgPool1d<T>>;
template <class T>
using AdaptiveAvgPool3d = SpaceAdaptivePool<T, 3, AvgPool1d<T>>;
template <class T>
using AdaptiveMaxPool2d = SpaceAdaptivePool<T, 2, MaxPool1d<T>>;
template <class T>
using AdaptiveMaxPool3d = SpaceAdaptivePool<T, 3, MaxPool1d<T>>;

static_assert(Layer<AvgPool1d<float>> && Layer<MaxPool1d<float>>);
static_assert(Layer<AvgPool2d<float>> && Layer<MaxPool3d<float>> && Layer<AdaptiveAvgPool2d<float>> && Layer<AdaptiveMaxPool3d<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_POOL_HPP
