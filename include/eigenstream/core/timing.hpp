#ifndef EIGENSTREAM_CORE_TIMING_HPP
#define EIGENSTREAM_CORE_TIMING_HPP

#include <algorithm>  // min, max
#include <numeric>    // gcd
#include <vector>     // stages

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Quotient rounded towards minus infinity, for a positive divisor.
constexpr Index floor_div(Index a, Index b) noexcept { return a >= 0 ? a / b : -((b - 1 - a) / b); }
/// Quotient rounded towards plus infinity, for a positive divisor.
constexpr Index ceil_div(Index a, Index b) noexcept { return -floor_div(-a, b); }

/// Outputs per input, in lowest terms.
struct Rate {
  Index outputs = 1;
  Index inputs = 1;

  static constexpr Rate of(Index outputs, Index inputs) noexcept {
    const Index g = std::gcd(outputs, inputs);
    return {outputs / g, inputs / g};
  }
  constexpr double value() const noexcept { return static_cast<double>(outputs) / static_cast<double>(inputs); }
  friend constexpr Rate operator*(Rate a, Rate b) noexcept { return of(a.outputs * b.outputs, a.inputs * b.inputs); }
  friend constexpr bool operator==(const Rate&, const Rate&) = default;
};

/// How one layer places its outputs in time. Two kinds cover them all:
///   gather (convolution, pool): output j reads inputs j*stride - left ... j*stride - left + reach - 1;
///   scatter (transposed convolution): input i reaches positions i*stride ... i*stride + reach - 1, of which the first
///     `left` are dropped, and the last right - extra ones too.
struct TimingStage {
  enum class Kind { gather, scatter };
  Kind kind = Kind::gather;
  Index reach = 1;   ///< frames from the first tap to the last, both included
  Index stride = 1;  ///< inputs per output (gather), outputs per input (scatter)
  Index left = 0;    ///< start padding
  Index right = 0;   ///< end padding
  Index extra = 0;   ///< output_padding (scatter)
  Index dilation = 1;  ///< positions from tap to tap (scatter)
  bool ceil = false;  ///< an end window may hang over (pools)
  Index before = 0;   ///< inputs before those of the taps that an output depends on besides
  Index after = 0;    ///< the same behind them

  /// Scatter: positions held back until a further input, or the end, shows whether they belong to the result.
  constexpr Index held_back() const noexcept {
    return std::max<Index>(0, stride - reach + std::max<Index>(0, right - extra));
  }

  /// Outputs that n inputs determine while the signal goes on.
  constexpr Index outputs_after(Index n) const noexcept {
    if (n <= 0) return 0;
    if (kind == Kind::gather) return n + left < reach ? 0 : (n + left - reach) / stride + 1;
    return std::max<Index>(0, n * stride - held_back() - left);
  }

  /// Outputs of a signal of n frames.
  constexpr Index outputs_in_all(Index n) const noexcept {
    if (n <= 0) return 0;
    if (kind == Kind::scatter) return std::max<Index>(0, (n - 1) * stride + reach - right + extra - left);
    const Index room = n + left + right - reach;
    if (!ceil) return room < 0 ? 0 : room / stride + 1;
    const Index windows = std::max<Index>(0, ceil_div(room, stride) + 1);  // one may hang over a signal that is short
    return (windows - 1) * stride >= n + left ? windows - 1 : windows;  // no window starts beyond the signal
  }

  /// Frames first ... last.
  struct Span {
    Index first, last;
  };
  /// The inputs that some of the outputs read, from the first to the last (negative: virtual ones). Not those of the
  /// outermost outputs alone: with a stride and dilation a neighbour may reach further. Empty if no tap reaches them.
  constexpr Span reads(Span outputs) const noexcept {
    if (kind == Kind::gather)
      return {outputs.first * stride - left - before, outputs.last * stride - left + reach - 1 + after};
    const Index earliest = ceil_div(outputs.first + left - reach + 1, stride);
    Span inputs{earliest, earliest - 1};
    for (Index back = 0; back < reach; back += dilation) {  // later taps hit earlier inputs
      const Index first = ceil_div(outputs.first + left - back, stride);
      const Index last = floor_div(outputs.last + left - back, stride);
      if (first > last) continue;
      if (inputs.last < inputs.first) inputs = {first, last};
      inputs = {std::min(inputs.first, first), std::max(inputs.last, last)};
    }
    return {inputs.first - before, inputs.last + after};
  }
  /// Input whose arrival releases output j.
  constexpr Index last_input(Index j) const noexcept {
    return kind == Kind::gather ? j * stride - left + reach - 1 : floor_div(j + left + held_back(), stride);
  }
  constexpr Rate rate() const noexcept {
    return kind == Kind::gather ? Rate::of(1, stride) : Rate::of(stride, 1);
  }
};

/// When a network's outputs come and what they depend on, in input frames: the stages of its layers, first to last.
/// Composition is exact, also where a closed formula would round: counts are composed stage by stage.
class Timing {
 public:
  Timing() = default;  // the identity
  Timing(TimingStage stage) : stages_{stage} {}

  /// This network followed by another.
  Timing then(const Timing& next) const {
    Timing both = *this;
    both.stages_.insert(both.stages_.end(), next.stages_.begin(), next.stages_.end());
    return both;
  }

  /// A network of stride 1 whose output j depends on input j + lag as well.
  Timing with_bypass(Index lag) const {
    Timing both = *this;
    if (stages_.empty()) return both;
    const TimingStage::Span span = reads(0);
    both.stages_.front().before += std::max<Index>(0, span.first - lag);
    both.stages_.front().after += std::max<Index>(0, lag - span.last);
    return both;
  }

  /// Outputs determined by the first n inputs; `ended`: by a signal of exactly n frames.
  Index outputs_after(Index n, bool ended = false) const noexcept {
    for (const TimingStage& stage : stages_) n = ended ? stage.outputs_in_all(n) : stage.outputs_after(n);
    return n;
  }
  /// First input that output j can read; negative before the signal's start.
  Index first_input(Index j) const noexcept { return reads(j).first; }
  /// Input whose arrival releases output j.
  Index last_input(Index j) const noexcept {
    // Virtual frames come with the first real one.
    for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) j = std::max<Index>(0, stage->last_input(j));
    return j;
  }

  /// Outputs per input.
  Rate rate() const noexcept {
    Rate rate;
    for (const TimingStage& stage : stages_) rate = rate * stage.rate();
    return rate;
  }
  /// Inputs from one output to the next, at least 1 (the stride of a network that does not upsample).
  Index stride() const noexcept { return std::max<Index>(1, rate().inputs / rate().outputs); }
  /// Outputs after which the windows repeat, shifted: those of outputs j and j + period look alike.
  Index period() const noexcept {
    // `inputs` / `outputs` is how far a shift by one output moves a stage's output; the period makes that a whole number
    // at every stage.
    Index inputs = 1, outputs = 1, period = 1;
    for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
      (stage->kind == TimingStage::Kind::gather ? inputs : outputs) *= stage->stride;
      const Index common = std::gcd(inputs, outputs);
      inputs /= common, outputs /= common;
      period = std::lcm(period, outputs);
    }
    return period;
  }
  /// Greatest number of consecutive inputs that one output depends on.
  Index receptive_field() const noexcept {
    Index reach = 1;
    for (Index j = 0, end = period(); j < end; ++j) reach = std::max(reach, reads(j).last - reads(j).first + 1);
    return reach;
  }
  /// Inputs that must arrive after the frame an output belongs to before it comes out: output j belongs to input
  /// floor(j * inputs / outputs). In the long run; the first few may come later, all at once, when padding precedes
  /// them inside the network. Negative when an output comes out ahead of its frame's place (a valid network's
  /// first taps never do; a cropping one may).
  Index delay() const noexcept {
    Index most = released(0);
    const Rate r = rate();
    for (Index j = 1, end = period(); j < end; ++j)
      most = std::max(most, released(j) - floor_div(j * r.inputs, r.outputs));
    return most;
  }
  /// Virtual frames before the first real one that the first output reads.
  Index padding() const noexcept { return -first_input(0); }
  /// Index of the input whose arrival releases the first output.
  Index first_output() const noexcept { return last_input(0); }

  const std::vector<TimingStage>& stages() const noexcept { return stages_; }

  /// Whether the numbers above stay within sensible bounds: what a network may be asked for before it is built.
  /// Errors   Error if strides, rates or receptive field multiply to something that no stream could hold
  void check_bounds() const {
    constexpr double most_frames = 1099511627776.0;  // 2^40
    constexpr double most_outputs = 1048576.0;       // 2^20
    double up = 1, step = 1, reach = 1, period = 1;
    for (const TimingStage& stage : stages_) {
      reach += step * static_cast<double>(stage.reach) + static_cast<double>(stage.left + stage.right);
      if (stage.kind == TimingStage::Kind::gather)
        step *= static_cast<double>(stage.stride);
      else
        up *= static_cast<double>(stage.stride);
      check(reach <= most_frames && step <= most_frames, "timing: the layers reach over more than 2^40 frames");
      check(up <= most_outputs * step, "timing: the layers raise the rate by more than 2^20");
    }
    // The same walk as in period(), which may not be taken before it is known to stay small.
    double inputs = 1, outputs = 1;
    for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
      (stage->kind == TimingStage::Kind::gather ? inputs : outputs) *= static_cast<double>(stage->stride);
      check(inputs < 9e15 && outputs < 9e15, "timing: the strides of the layers multiply to more than can be counted");
      const double common = static_cast<double>(std::gcd(static_cast<Index>(inputs), static_cast<Index>(outputs)));
      inputs /= common, outputs /= common;
      period = static_cast<double>(std::lcm(static_cast<Index>(period), static_cast<Index>(outputs)));
      check(period <= most_outputs, "timing: the strides up and down repeat only after more than 2^20 outputs");
    }
  }

 private:
  // last_input in the long run: the start of the signal, where several outputs may come at once, does not count.
  Index released(Index j) const noexcept {
    for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) j = stage->last_input(j);
    return j;
  }
  // From the first input that output j reads to the last.
  TimingStage::Span reads(Index j) const noexcept {
    TimingStage::Span span{j, j};
    for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) span = stage->reads(span);
    return span;
  }

  std::vector<TimingStage> stages_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_TIMING_HPP
