#ifndef EIGENSTREAM_CORE_TIMING_BUILDER_HPP
#define EIGENSTREAM_CORE_TIMING_BUILDER_HPP

#include <memory>   // make_shared
#include <utility>  // move
#include <vector>   // operands

#include "eigenstream/core/timing.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Puts a network together, value by value.
class Timing::Builder {
 public:
  /// The value that `timing` gives for a value.
  /// Errors   Error if the strides multiply to more than any stream could hold
  Index append(const Timing& timing, Index value) {
    const Index shift = last();
    for (Index i = 1; i <= timing.size(); ++i) {
      std::vector<Operand> operands(timing.operands(i).begin(), timing.operands(i).end());
      for (Operand& operand : operands) operand.value = operand.value == 0 ? value : operand.value + shift;
      add(timing.stage(i), operands);
    }
    return timing.size() == 0 ? value : last();
  }
  Index append(const TimingStage& stage, Index value) {
    add(stage, {{value, 0}});
    return last();
  }
  /// The value that joining these gives, aligned.
  /// Errors   Error with the rates and delays of the values if they do not come equally often
  Index join(const std::vector<Index>& values, Alignment alignment = Alignment::centred) {
    for (const Index value : values) check_alignable(values.front(), value);
    std::vector<Operand> operands;
    for (const Index value : values) operands.push_back({value, 0});
    const FrameCount shortest = joined(operands, true);
    for (Operand& operand : operands) {
      const Time longer = ended(operand.value).least_lead(shortest);
      operand.skip = alignment == Alignment::centred ? longer / 2 : alignment == Alignment::leading ? longer : 0;
    }
    add({}, operands);
    return last();
  }
  /// Frames of a value for each one of the input.
  Rate rate(Index value) const noexcept { return graph_[value].rate; }
  /// What was left out of operand k of a value that `join` gave.
  Time skip(Index value, Index k) const {
    return graph_.operands(value)[static_cast<std::size_t>(k)].skip;
  }
  /// How many frames a value has after n inputs: while the signal goes on, and of a signal of n frames.
  const FrameCount& after(Index value) const { return after_[static_cast<std::size_t>(value)]; }
  const FrameCount& ended(Index value) const { return ended_[static_cast<std::size_t>(value)]; }
  /// The network up to the last value.
  Timing finish() const { return up_to(last()); }
  /// The network up to some value.
  Timing up_to(Index value) const {
    Timing part;
    if (value == 0) return part;
    part.network_ = std::make_shared<const Network>(Network{graph_.up_to(value), after(value), ended(value)});
    return part;
  }

 private:
  Index last() const { return graph_.last(); }
  FrameCount joined(const std::vector<Operand>& operands, bool over) const {
    std::vector<FrameCount::Operand> counts;
    for (const auto& [value, skip] : operands) counts.push_back({over ? &ended(value) : &after(value), skip});
    return counts.size() == 1 && counts.front().skip == 0 ? *counts.front().count : FrameCount::shortest(counts);
  }
  void add(const TimingStage& stage, const std::vector<Operand>& operands) {
    const Rate before = rate(operands.front().value), own = stage.rate();
    constexpr double most = 1099511627776.0;  // 2^40, so that no product runs over
    check(static_cast<double>(before.outputs) * static_cast<double>(own.outputs) < most &&
              static_cast<double>(before.inputs) * static_cast<double>(own.inputs) < most,
          "timing: the strides of the layers multiply to more than 2^40");
    check((before * own).value() <= 1048576.0, "timing: the layers raise the rate by more than 2^20");
    FrameCount after = joined(operands, false).through(stage, false);
    FrameCount ended = joined(operands, true).through(stage, true);
    constexpr Time most_numbers = Time{1} << 26;  // that loading can pay, in time and memory
    numbers_ += after.step() + ended.step();
    check(numbers_ <= most_numbers, "timing: too many layers whose strides up and down repeat only after many outputs");
    after_.push_back(std::move(after));
    ended_.push_back(std::move(ended));
    graph_.add({stage, before * own}, operands);
  }
  void check_alignable(Index a, Index b) const {
    const Rate one = rate(a), other = rate(b);
    if (one == other) return;
    fail("the branches cannot be aligned: one has rate ", one.outputs, "/", one.inputs, " and delay ",
         up_to(a).delay(), ", another rate ", other.outputs, "/", other.inputs, " and delay ", up_to(b).delay(),
         " (outputs per input, input frames)");
  }

  Graph graph_;
  std::vector<FrameCount> after_{FrameCount()}, ended_{FrameCount()};  // of each value
  Time numbers_ = 0;                                                   // of all patterns
};

inline Timing::Timing(TimingStage stage) {
  Builder builder;
  builder.append(stage, 0);
  *this = builder.finish();
}
inline Timing Timing::then(const Timing& next) const {
  Builder builder;
  builder.append(next, builder.append(*this, 0));
  return builder.finish();
}
inline Timing Timing::parallel(const std::vector<Timing>& branches) {
  Builder builder;
  std::vector<Index> outputs;
  for (const Timing& branch : branches) outputs.push_back(builder.append(branch, 0));
  builder.join(outputs);
  return builder.finish();
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_TIMING_BUILDER_HPP
