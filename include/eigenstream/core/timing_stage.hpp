#ifndef EIGENSTREAM_CORE_TIMING_STAGE_HPP
#define EIGENSTREAM_CORE_TIMING_STAGE_HPP

#include <algorithm>  // min, max

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/rate.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How one layer places its outputs in time. Three kinds cover them all:
///   gather (convolution, pool): output j reads inputs j*stride - left + k, k = 0, dilation, 2*dilation, ... < reach;
///   scatter (transposed convolution): input i reaches positions i*stride ... i*stride + reach - 1, of which the first
///     `left` are dropped, and the last right - extra ones too;
///   resample (by up/stride in lowest terms): output j reads the inputs i with |i*up - j*stride| <= reach, virtual ones
///     outside of the signal among them; outputs come in blocks of `up`, block m with input (m+1)*stride + left - 1, or
///     each as `soon` as its last input. A signal of n frames gives ceil(n*up/stride) in all.
/// A gather of negative left and right crops: the first -left frames count for nothing, nor do the last -right.
/// A recursive gather depends on all frames before those that it reads, from the value's first one on.
/// Inputs before the first and behind the last are virtual: padding, which depends on nothing, or with `replicates` the
/// nearest real frame once more, or if it `reflects` the one that lies as far inside as they lie outside. Then nothing comes
/// before there are enough frames for both ends.
struct TimingStage {
  enum class Kind { gather, scatter, resample };
  Kind kind = Kind::gather;
  Time reach = 1;   ///< frames from the first tap to the last, both included (resample: see above)
  Time stride = 1;  ///< inputs per output (gather), outputs per input (scatter), inputs per `up` outputs (resample)
  Time left = 0;    ///< start padding; of a gather, negative if it drops frames there (then right is not positive)
  Time right = 0;   ///< end padding; of a gather, negative if it drops frames there (then left is not positive)
  Time extra = 0;   ///< output_padding (scatter)
  Time dilation = 1;  ///< inputs (gather) or positions (scatter) from tap to tap
  bool ceil = false;   ///< an end window may hang over (pools)
  bool replicates = false;  ///< virtual frames are the nearest real one (gather)
  bool reflects = false;    ///< virtual frames are the real ones in reverse order (gather of reach 1)
  Time multiple = 1;  ///< behind `right` come as many frames as make the outputs offset + k * multiple (gather of reach 1)
  Time offset = 0;    ///< see multiple
  Time up = 1;       ///< outputs per `stride` inputs (resample)
  bool soon = false;  ///< outputs do not wait for the others of their block (resample)
  bool recursive = false;  ///< what has been seen before counts, too, however long ago (gather)
  Time wait = 0;  ///< frames by which outputs are held back on purpose, until the end of the signal (gather)

  /// Whether each output comes with the input in its place and depends on no other.
  constexpr bool frame_by_frame() const noexcept {
    return kind == Kind::gather && reach == 1 && stride == 1 && left == 0 && right == 0 && !recursive && wait == 0 && multiple == 1;
  }
  /// Inputs that must be there before anything comes out.
  constexpr Time wanted_first() const noexcept { return reflects ? 1 + std::max(left, right + multiple - 1) : 1; }
  /// Errors   Error naming the layer if multiple or offset is out of range
  void check_multiple(const char* who) const {
    constexpr Time most = Time{1} << 20, farthest = Time{1} << 30;
    check(multiple >= 1 && multiple <= most, who, ": multiple = ", multiple, ", must be from 1 to 2^20");
    check(multiple > 1 || offset == 0, who, ": offset = ", offset, " needs a multiple");
    check(offset >= -farthest && offset <= farthest, who, ": offset = ", offset, ", must be within 2^30");
  }
  /// More frames at the end of n frames, for `multiple`.
  constexpr Time missing(Time n) const noexcept { return (offset - n) - floor_div(offset - n, multiple) * multiple; }
  /// Scatter: positions held back until a further input, or the end, shows whether they belong to the result.
  constexpr Time held_back() const noexcept {
    return std::max<Time>(0, stride - reach + std::max<Time>(0, right - extra));
  }

  /// Gather: inputs held back until as many further ones show that they are not the last.
  constexpr Time dropped_at_end() const noexcept { return std::max<Time>(0, -right); }

  /// Outputs that n inputs determine while the signal goes on.
  constexpr Time outputs_after(Time n) const noexcept {
    if (n < wanted_first()) return 0;
    if (kind == Kind::gather) {
      const Time room = n + left - dropped_at_end() - wait - reach;
      return room < 0 ? 0 : room / stride + 1;
    }
    if (kind == Kind::resample) {
      if (soon) return n * up <= reach ? 0 : (n * up - 1 - reach) / stride + 1;
      return n < left + stride ? 0 : (n - left) / stride * up;
    }
    return std::max<Time>(0, n * stride - held_back() - left);
  }

  /// Outputs of a signal of n frames.
  constexpr Time outputs_in_all(Time n) const noexcept {
    if (n < wanted_first()) return 0;
    if (kind == Kind::scatter) return std::max<Time>(0, (n - 1) * stride + reach - right + extra - left);
    if (kind == Kind::resample) return ceil_div(n * up, stride);
    const Time room = n + left + right + missing(n + left + right) - reach;
    if (!ceil) return room < 0 ? 0 : room / stride + 1;
    const Time windows = std::max<Time>(0, ceil_div(room, stride) + 1);  // one may hang over a signal that is short
    return (windows - 1) * stride >= n + left ? windows - 1 : windows;  // no window starts beyond the signal
  }

  /// Frames first ... last.
  struct Span {
    Time first, last;
  };
  /// The inputs that some of the outputs read, from the first to the last (negative: virtual ones). Not those of the
  /// outermost outputs alone: with a stride and dilation a neighbour may reach further. Empty if no tap reaches them.
  constexpr Span reads(Span outputs) const noexcept {
    if (kind == Kind::gather) {
      const Time first = outputs.first * stride - left;
      return {recursive ? std::min<Time>(0, first) : first, outputs.last * stride - left + reach - 1};
    }
    if (kind == Kind::resample)
      return {ceil_div(outputs.first * stride - reach, up), floor_div(outputs.last * stride + reach, up)};
    const Time earliest = ceil_div(outputs.first + left - reach + 1, stride);
    Span inputs{earliest, earliest - 1};
    for (Time back = 0; back < reach; back += dilation) {  // later taps hit earlier inputs
      const Time first = ceil_div(outputs.first + left - back, stride);
      const Time last = floor_div(outputs.last + left - back, stride);
      if (first > last) continue;
      if (inputs.last < inputs.first) inputs = {first, last};
      inputs = {std::min(inputs.first, first), std::max(inputs.last, last)};
    }
    return inputs;
  }
  /// Calls f(i) for each frame i that output j reads of a signal of n frames; virtual ones are left out, or stand for
  /// the nearest real one, which may then come several times.
  template <class F>
  constexpr void for_each_read(Time j, Time n, F&& f) const {
    const auto real = [&](Time i) {
      if (i >= 0 && i < n)
        f(i);
      else if (reflects && n > 1)
        f(i < 0 ? -i : 2 * (n - 1) - i);
      else if (replicates && n > 0)
        f(i < 0 ? 0 : n - 1);
    };
    if (kind == Kind::gather) {
      if (recursive)
        for (Time i = 0; i < std::min(n, j * stride - left); ++i) f(i);
      for (Time k = 0; k < reach; k += dilation) real(j * stride - left + k);
    } else if (kind == Kind::resample) {
      const Span inputs = reads({j, j});
      for (Time i = inputs.first; i <= inputs.last; ++i) real(i);
    } else {
      for (Time k = 0; k < reach; k += dilation) {
        const Time position = j + left - k;
        if (floor_div(position, stride) * stride == position) real(floor_div(position, stride));
      }
    }
  }
  /// Input whose arrival releases output j, unless it is among the first ones that are wanted.
  constexpr Time last_input(Time j) const noexcept {
    if (kind == Kind::resample)
      return soon ? floor_div(j * stride + reach, up) : (floor_div(j, up) + 1) * stride + left - 1;
    return kind == Kind::gather ? j * stride - left + reach - 1 + dropped_at_end() + wait
                                : floor_div(j + left + held_back(), stride);
  }
  /// Least number of inputs by which outputs 0 ... j are determined while the signal goes on. By the formula that holds once
  /// windows are whole: a result below 1 means that the first input determines them.
  constexpr Time inputs_for(Time j) const noexcept { return last_input(j) + 1; }
  /// The same for a signal that ends with the last of these inputs.
  constexpr Time inputs_in_all_for(Time j) const noexcept {
    if (kind == Kind::scatter) return ceil_div(j + 1 + left + right - extra - reach, stride) + 1;
    if (kind == Kind::resample) return floor_div(j * stride, up) + 1;
    if (multiple > 1) return offset + floor_div(j - offset, multiple) * multiple + 1 - left - right;
    const Time whole = j * stride + reach - left - right;  // the window ends with the padded signal
    // One that hangs over begins before the signal's end, and the one before it is no longer the last.
    return ceil ? std::max(j * stride - left, whole - stride) + 1 : whole;
  }
  /// Outputs after which the inputs they wait for repeat, shifted, and by how many inputs.
  constexpr Time cycle_outputs() const noexcept {
    return kind == Kind::gather ? multiple : kind == Kind::scatter ? stride : up;
  }
  constexpr Time cycle_inputs() const noexcept { return kind == Kind::scatter ? 1 : stride * multiple; }
  /// Inputs (gather, resample) or positions (scatter) from the first tap to the last, both included.
  constexpr Time span() const noexcept { return kind == Kind::resample ? 2 * reach / up + 1 : reach; }
  constexpr Rate rate() const noexcept {
    if (kind == Kind::resample) return Rate::of(up, stride);
    return kind == Kind::gather ? Rate::of(1, stride) : Rate::of(stride, 1);
  }
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_TIMING_STAGE_HPP
