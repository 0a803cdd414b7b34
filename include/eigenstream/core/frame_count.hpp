#ifndef EIGENSTREAM_CORE_FRAME_COUNT_HPP
#define EIGENSTREAM_CORE_FRAME_COUNT_HPP

#include <algorithm>  // max, upper_bound
#include <limits>     // numeric_limits
#include <numeric>    // gcd, lcm
#include <vector>     // table

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/timing_stage.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How many frames a value of a network has after n inputs, in closed form. Frame j is there from input number
///   max(first, (j / step) * period + table[j mod step])
/// on, counted from 1: nothing before the first input that completes something, then a pattern that repeats. The form is
/// kept by every layer and by every join, so lengths never need to be played through, however far a network reaches.
class FrameCount {
 public:
  /// A value and how many of its first frames are left out.
  struct Operand {
    const FrameCount* count;
    Time skip;
  };
  /// Most numbers that a pattern may take.
  static constexpr Time max_pattern = Time{1} << 20;

  /// That of the network's input: n frames after n inputs.
  FrameCount() = default;

  /// After n inputs.
  Time operator()(Time n) const noexcept { return n < first_ ? 0 : std::max<Time>(0, in_the_long_run(n)); }
  /// Inputs that must be there for frame j.
  Time inputs_for(Time j) const noexcept { return std::max(first_, release(j)); }
  /// The frames of one pattern, and over how many inputs it goes.
  Time step() const noexcept { return static_cast<Time>(table_.size()); }
  Time period() const noexcept { return period_; }

  /// That of what a layer gives for this value, while the signal goes on or, `ended`, of a signal that is over.
  /// Errors   Error if the pattern takes too many numbers
  FrameCount through(const TimingStage& stage, bool ended) const {
    const Time cycles = step() / std::gcd(step(), stage.cycle_inputs());
    FrameCount result;
    check_pattern(static_cast<double>(cycles) * static_cast<double>(stage.cycle_outputs()));
    result.period_ = cycles * stage.cycle_inputs() / step() * period_;
    result.first_ = inputs_for(stage.wanted_first() - 1);
    result.table_.clear();
    for (Time j = 0; j < cycles * stage.cycle_outputs(); ++j)
      result.table_.push_back(release((ended ? stage.inputs_in_all_for(j) : stage.inputs_for(j)) - 1));
    return result;
  }
  /// That of what joins values of one rate, frame by frame: as much as the shortest has.
  /// Errors   Error if the pattern takes too many numbers
  static FrameCount shortest(const std::vector<Operand>& operands) {
    FrameCount result;
    Time step = 1;
    for (const auto& [count, skip] : operands) step = common(step, count->step());
    result.period_ = step / operands.front().count->step() * operands.front().count->period_;
    result.first_ = 1;
    result.table_.assign(static_cast<std::size_t>(step), std::numeric_limits<Time>::min());
    for (const auto& [count, skip] : operands) {
      result.first_ = std::max(result.first_, count->first_);
      for (Time j = 0; j < step; ++j) {
        Time& latest = result.table_[static_cast<std::size_t>(j)];
        latest = std::max(latest, count->release(j + skip));
      }
    }
    return result;
  }
  /// That of the same value without its first frames.
  FrameCount without_first(Time skip) const { return skip == 0 ? *this : shortest({{this, skip}}); }

  /// By how many frames this value is longer than another of the same rate, at least, once all windows are whole.
  Time least_lead(const FrameCount& other) const {
    Time least = std::numeric_limits<Time>::max();
    for (Time j = 0, end = common(step(), other.step()); j < end; ++j)
      least = std::min(least, in_the_long_run(other.release(j)) - (j + 1));
    return least;
  }
  /// By how many frames this value is ever ahead of another of the same rate, at most; not negative.
  Time most_lead(const FrameCount& other) const {
    // It is greatest just before the other one gets a frame: its first, or any once both have begun.
    Time most = (*this)(other.inputs_for(0) - 1);
    const Time from = other(std::max(first_, other.first_));
    for (Time j = from, end = from + common(step(), other.step()); j < end; ++j)
      most = std::max(most, (*this)(other.inputs_for(j) - 1) - j);
    return std::max<Time>(0, most);
  }
  /// How much it ever catches up with its rate, at most: n inputs in a row bring no more than
  /// (n * rate.outputs + most_rise(rate)) / rate.inputs frames.
  Time most_rise(Rate rate) const {
    const auto lead = [&](Time n, Time frames) { return frames * rate.inputs - n * rate.outputs; };
    const Time begin = inputs_for(0), begun = (*this)(begin);
    Time low = lead(begin - 1, 0), rise = lead(begin, begun) - low, high = std::numeric_limits<Time>::min();
    for (Time j = begun; j < begun + step(); ++j) {
      low = std::min(low, lead(release(j) - 1, j));
      high = std::max(high, lead(release(j), j + 1));
    }
    return std::max<Time>({0, rise, high - low});
  }

 private:
  // When frame j comes, and how many have come, by the pattern alone; both may be negative.
  Time release(Time j) const noexcept {
    const Time cycle = floor_div(j, step());
    return cycle * period_ + table_[static_cast<std::size_t>(j - cycle * step())];
  }
  Time in_the_long_run(Time n) const noexcept {
    const Time cycle = floor_div(n - table_.front(), period_);
    const auto come = std::upper_bound(table_.begin(), table_.end(), n - cycle * period_) - table_.begin();
    return cycle * step() + static_cast<Time>(come);
  }
  static void check_pattern(double step) {
    check(step <= static_cast<double>(max_pattern),
          "timing: the strides up and down repeat only after more than 2^20 outputs");
  }
  static Time common(Time a, Time b) {
    check_pattern(static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(std::gcd(a, b)));
    return std::lcm(a, b);
  }

  Time first_ = 1;
  Time period_ = 1;
  std::vector<Time> table_{1};  // not decreasing, and the last is at most the first plus the period
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_FRAME_COUNT_HPP
