#ifndef EIGENSTREAM_CORE_TIMING_HPP
#define EIGENSTREAM_CORE_TIMING_HPP

#include <algorithm>  // min, max
#include <array>      // live counts
#include <cmath>      // abs
#include <limits>     // numeric_limits
#include <numeric>    // gcd
#include <span>       // operands
#include <vector>     // nodes

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

/// How one layer places its outputs in time. Three kinds cover them all:
///   gather (convolution, pool): output j reads inputs j*stride - left + k, k = 0, dilation, 2*dilation, ... < reach;
///   scatter (transposed convolution): input i reaches positions i*stride ... i*stride + reach - 1, of which the first
///     `left` are dropped, and the last right - extra ones too;
///   resample (by up/stride in lowest terms): output j reads the inputs i with |i*up - j*stride| <= reach, virtual ones
///     outside of the signal among them; outputs come in blocks of `up`, block m with input (m+1)*stride + left - 1, or
///     each as `soon` as its last input. A signal of n frames gives ceil(n*up/stride) in all.
/// A gather of negative left and right crops: the first -left frames count for nothing, nor do the last -right.
/// Inputs before the first and behind the last are virtual: padding, which depends on nothing, or with `replicates` the
/// nearest real frame once more.
struct TimingStage {
  enum class Kind { gather, scatter, resample };
  Kind kind = Kind::gather;
  Index reach = 1;   ///< frames from the first tap to the last, both included (resample: see above)
  Index stride = 1;  ///< inputs per output (gather), outputs per input (scatter), inputs per `up` outputs (resample)
  Index left = 0;    ///< start padding; of a gather, negative if it drops frames there (then right is not positive)
  Index right = 0;   ///< end padding; of a gather, negative if it drops frames there (then left is not positive)
  Index extra = 0;   ///< output_padding (scatter)
  Index dilation = 1;  ///< inputs (gather) or positions (scatter) from tap to tap
  bool ceil = false;   ///< an end window may hang over (pools)
  bool replicates = false;  ///< virtual frames are the nearest real one (gather)
  Index up = 1;       ///< outputs per `stride` inputs (resample)
  bool soon = false;  ///< outputs do not wait for the others of their block (resample)

  /// Scatter: positions held back until a further input, or the end, shows whether they belong to the result.
  constexpr Index held_back() const noexcept {
    return std::max<Index>(0, stride - reach + std::max<Index>(0, right - extra));
  }

  /// Gather: inputs held back until as many further ones show that they are not the last.
  constexpr Index dropped_at_end() const noexcept { return std::max<Index>(0, -right); }

  /// Outputs that n inputs determine while the signal goes on.
  constexpr Index outputs_after(Index n) const noexcept {
    if (n <= 0) return 0;
    if (kind == Kind::gather) {
      const Index room = n + left - dropped_at_end() - reach;
      return room < 0 ? 0 : room / stride + 1;
    }
    if (kind == Kind::resample) {
      if (soon) return n * up <= reach ? 0 : (n * up - 1 - reach) / stride + 1;
      return n < left + stride ? 0 : (n - left) / stride * up;
    }
    return std::max<Index>(0, n * stride - held_back() - left);
  }

  /// Outputs of a signal of n frames.
  constexpr Index outputs_in_all(Index n) const noexcept {
    if (n <= 0) return 0;
    if (kind == Kind::scatter) return std::max<Index>(0, (n - 1) * stride + reach - right + extra - left);
    if (kind == Kind::resample) return ceil_div(n * up, stride);
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
      return {outputs.first * stride - left, outputs.last * stride - left + reach - 1};
    if (kind == Kind::resample)
      return {ceil_div(outputs.first * stride - reach, up), floor_div(outputs.last * stride + reach, up)};
    const Index earliest = ceil_div(outputs.first + left - reach + 1, stride);
    Span inputs{earliest, earliest - 1};
    for (Index back = 0; back < reach; back += dilation) {  // later taps hit earlier inputs
      const Index first = ceil_div(outputs.first + left - back, stride);
      const Index last = floor_div(outputs.last + left - back, stride);
      if (first > last) continue;
      if (inputs.last < inputs.first) inputs = {first, last};
      inputs = {std::min(inputs.first, first), std::max(inputs.last, last)};
    }
    return inputs;
  }
  /// Calls f(i) for each frame i that output j reads of a signal of n frames; virtual ones are left out, or stand for
  /// the nearest real one, which may then come several times.
  template <class F>
  constexpr void for_each_read(Index j, Index n, F&& f) const {
    const auto real = [&](Index i) {
      if (i >= 0 && i < n)
        f(i);
      else if (replicates && n > 0)
        f(i < 0 ? 0 : n - 1);
    };
    if (kind == Kind::gather) {
      for (Index k = 0; k < reach; k += dilation) real(j * stride - left + k);
    } else if (kind == Kind::resample) {
      const Span inputs = reads({j, j});
      for (Index i = inputs.first; i <= inputs.last; ++i) real(i);
    } else {
      for (Index k = 0; k < reach; k += dilation) {
        const Index position = j + left - k;
        if (floor_div(position, stride) * stride == position) real(floor_div(position, stride));
      }
    }
  }
  /// Input whose arrival releases output j.
  constexpr Index last_input(Index j) const noexcept {
    if (kind == Kind::resample)
      return soon ? floor_div(j * stride + reach, up) : (floor_div(j, up) + 1) * stride + left - 1;
    return kind == Kind::gather ? j * stride - left + reach - 1 + dropped_at_end()
                                : floor_div(j + left + held_back(), stride);
  }
  /// Inputs (gather, resample) or positions (scatter) from the first tap to the last, both included.
  constexpr Index span() const noexcept { return kind == Kind::resample ? 2 * reach / up + 1 : reach; }
  constexpr Rate rate() const noexcept {
    if (kind == Kind::resample) return Rate::of(up, stride);
    return kind == Kind::gather ? Rate::of(1, stride) : Rate::of(stride, 1);
  }
};

/// When a network's outputs come and what they depend on, in input frames: the stages of its layers, and how they are
/// joined. Composition is exact, also where a closed formula would round: counts are composed stage by stage.
///
/// The values of a network are numbered: 0 is its input, k what node k - 1 gives; the last one is the output. A node
/// joins its operands frame by frame and passes them through its stage. Of an operand that is longer than the shortest
/// by q frames, whatever the signal's length, the first floor(q/2) frames are left out; what is too much at the end is
/// left out, too. A join ends with its shortest operand.
class Timing {
 public:
  /// A value that a node takes, without its first `skip` frames.
  struct Operand {
    Index value = 0;
    Index skip = 0;
  };

  Timing() = default;  // the identity
  inline Timing(TimingStage stage);

  /// Puts a network together, value by value.
  class Builder;

  /// This network followed by another.
  inline Timing then(const Timing& next) const;
  /// Networks side by side, with the same input, whose outputs are joined.
  /// Errors   Error with the rates and delays if their outputs do not come equally often
  static inline Timing parallel(const std::vector<Timing>& branches);

  /// Outputs determined by the first n inputs; `ended`: by a signal of exactly n frames.
  Index outputs_after(Index n, bool ended = false) const noexcept {
    std::array<Index, max_live> counts;
    counts[0] = n;
    for (const Node& node : nodes_) {
      Index least = std::numeric_limits<Index>::max();
      for (Index i = node.first; i < node.end; ++i) {
        const std::size_t k = static_cast<std::size_t>(i);
        least = std::min(least, counts[static_cast<std::size_t>(operand_slots_[k])] - operands_[k].skip);
      }
      n = ended ? node.stage.outputs_in_all(least) : node.stage.outputs_after(least);
      counts[static_cast<std::size_t>(node.slot)] = n;
    }
    return std::max<Index>(0, n);
  }
  /// First input that output j can read; negative before the signal's start. (A frame that repeats the signal's last one
  /// counts as the one in its place.)
  Index first_input(Index j) const { return Walk(*this).reads(j).first; }
  /// Input whose arrival releases output j.
  Index last_input(Index j) const { return Walk(*this).last_input(j, 0); }  // virtual frames come with the first real one

  /// Outputs per input.
  Rate rate() const noexcept { return rate_of(size()); }
  /// Inputs from one output to the next, at least 1 (the stride of a network that does not upsample).
  Index stride() const noexcept { return std::max<Index>(1, rate().inputs / rate().outputs); }
  /// Outputs after which the windows repeat, shifted: those of outputs j and j + period look alike.
  Index period() const noexcept { return cycle() / rate().inputs * rate().outputs; }
  /// Greatest number of consecutive inputs that one output depends on.
  Index receptive_field() const {
    Walk walk(*this);
    Index reach = 1;
    for (Index j = 0, end = period(); j < end; ++j) {
      const TimingStage::Span span = walk.reads(j);
      reach = std::max(reach, span.last - span.first + 1);
    }
    return reach;
  }
  /// Inputs that must arrive after the frame an output belongs to before it comes out: output j belongs to input
  /// floor(j * inputs / outputs). In the long run; the first few may come later, all at once, when padding precedes
  /// them inside the network. Negative when an output comes out ahead of its frame's place (a valid network's
  /// first taps never do; a cropping one may).
  Index delay() const {
    Walk walk(*this);
    constexpr Index any = std::numeric_limits<Index>::min();
    Index most = any;
    const Rate r = rate();
    for (Index j = 0, end = period(); j < end; ++j)
      most = std::max(most, walk.last_input(j, any) - floor_div(j * r.inputs, r.outputs));
    return most;
  }
  /// Virtual frames before the first real one that the first output reads.
  Index padding() const { return -first_input(0); }
  /// Index of the input whose arrival releases the first output.
  Index first_output() const { return last_input(0); }

  /// Nodes, each of which gives a value.
  Index size() const noexcept { return static_cast<Index>(nodes_.size()); }
  /// Stage and operands of the node that gives a value from 1 to size().
  const TimingStage& stage(Index value) const { return nodes_[static_cast<std::size_t>(value - 1)].stage; }
  std::span<const Operand> operands(Index value) const {
    const Node& node = nodes_[static_cast<std::size_t>(value - 1)];
    return std::span(operands_).subspan(static_cast<std::size_t>(node.first),
                                        static_cast<std::size_t>(node.end - node.first));
  }

  /// Inputs after which all windows of all nodes repeat, shifted.
  Index cycle() const noexcept {
    Index inputs = 1;
    for (const Node& node : nodes_) inputs = std::lcm(inputs, node.rate.inputs);
    return inputs;
  }
  /// A number of inputs from which on every window of every node is whole, so that only the cycle matters.
  Index settled() const { return static_cast<Index>(reach_bound()) + 1; }
  /// How many frames each value has after n inputs, or of a signal of n frames.
  void count(Index n, bool ended, std::vector<Index>& counts) const {
    counts.assign(static_cast<std::size_t>(size() + 1), n);
    for (Index value = 1; value <= size(); ++value) {
      Index least = std::numeric_limits<Index>::max();
      for (const Operand& operand : operands(value))
        least = std::min(least, counts[static_cast<std::size_t>(operand.value)] - operand.skip);
      const TimingStage& own = stage(value);
      counts[static_cast<std::size_t>(value)] = ended ? own.outputs_in_all(least) : own.outputs_after(least);
    }
  }

  /// Most values that a network may need at a time (those that branches still wait for).
  static constexpr Index max_live = 512;

  /// Whether the numbers above stay within sensible bounds: what a network may be asked for before it is built.
  /// Errors   Error if strides, rates or receptive field multiply to something that no stream could hold
  void check_bounds() const {
    constexpr double most_frames = 1099511627776.0;  // 2^40
    constexpr double most_outputs = 1048576.0;       // 2^20
    check(reach_bound() <= most_frames, "timing: the layers reach over more than 2^40 frames");
    for (const Node& node : nodes_)
      check(node.rate.value() <= most_outputs, "timing: the layers raise the rate by more than 2^20");
    double inputs = 1;
    for (const Node& node : nodes_) {
      const Rate rate = node.rate;
      inputs = inputs * static_cast<double>(rate.inputs) /
               static_cast<double>(std::gcd(static_cast<Index>(inputs), rate.inputs));
      check(inputs <= most_frames && inputs * this->rate().value() <= most_outputs,
            "timing: the strides up and down repeat only after more than 2^20 outputs");
    }
  }

 private:
  struct Node {
    TimingStage stage;
    Index first = 0, end = 0;  // its operands
    Rate rate;                 // of the value it gives
    Index slot = 0;            // where that value is kept while it is needed
  };

  // A pass over all nodes from the output back to the input.
  class Walk {
   public:
    explicit Walk(const Timing& timing) : timing_(timing), spans_(static_cast<std::size_t>(timing.size() + 1)) {}

    /// From the first input that output j reads to the last.
    TimingStage::Span reads(Index j) {
      return back(j, [](const TimingStage& stage, TimingStage::Span outputs) { return stage.reads(outputs); });
    }
    /// The input that releases output j; at every node at least `least`.
    Index last_input(Index j, Index least) {
      const auto released = [&](const TimingStage& stage, TimingStage::Span outputs) {
        const Index last = std::max(least, stage.last_input(outputs.last));
        return TimingStage::Span{last, last};
      };
      return back(j, released).last;
    }

   private:
    template <class Step>
    TimingStage::Span back(Index j, Step&& step) {
      constexpr TimingStage::Span unused{std::numeric_limits<Index>::max(), std::numeric_limits<Index>::min()};
      std::fill(spans_.begin(), spans_.end(), unused);
      spans_.back() = {j, j};
      for (Index value = timing_.size(); value > 0; --value) {
        const TimingStage::Span outputs = spans_[static_cast<std::size_t>(value)];
        if (outputs.first > outputs.last) continue;
        const TimingStage::Span inputs = step(timing_.stage(value), outputs);
        if (inputs.first > inputs.last) continue;
        for (const Operand& operand : timing_.operands(value)) {
          TimingStage::Span& span = spans_[static_cast<std::size_t>(operand.value)];
          span = {std::min(span.first, inputs.first + operand.skip), std::max(span.last, inputs.last + operand.skip)};
        }
      }
      if (spans_.front().first > spans_.front().last) return {0, -1};  // nothing is read
      return spans_.front();
    }

    const Timing& timing_;
    std::vector<TimingStage::Span> spans_;
  };

  Rate rate_of(Index value) const noexcept {
    return value == 0 ? Rate() : nodes_[static_cast<std::size_t>(value - 1)].rate;
  }
  // An upper bound of how far windows and paddings reach, all together.
  double reach_bound() const {
    double reach = 1;
    for (const Node& node : nodes_) {
      const TimingStage& s = node.stage;
      // In the network's inputs, for each frame that the node takes; a scatter's numbers count what it gives.
      const double step =
          (s.kind == TimingStage::Kind::scatter ? 1.0 : 1.0 / s.rate().value()) / node.rate.value();
      double skips = 0;
      for (Index i = node.first; i < node.end; ++i)
        skips += static_cast<double>(operands_[static_cast<std::size_t>(i)].skip);
      reach += step * (static_cast<double>(s.span()) + static_cast<double>(s.stride) +
                       std::abs(static_cast<double>(s.left)) + std::abs(static_cast<double>(s.right)) +
                       static_cast<double>(s.extra) + skips);
    }
    return reach;
  }
  // Gives each value a slot that is free from its last use on.
  void assign_slots() {
    std::vector<Index> last_use(static_cast<std::size_t>(size() + 1), 0), slots(last_use), free;
    for (Index value = 1; value <= size(); ++value)
      for (const Operand& operand : operands(value)) last_use[static_cast<std::size_t>(operand.value)] = value;
    operand_slots_.resize(operands_.size());
    Index used = 1;  // slot 0 holds the input
    for (Index value = 1; value <= size(); ++value) {
      Node& node = nodes_[static_cast<std::size_t>(value - 1)];
      for (Index i = node.first; i < node.end; ++i) {
        const std::size_t operand = static_cast<std::size_t>(operands_[static_cast<std::size_t>(i)].value);
        operand_slots_[static_cast<std::size_t>(i)] = slots[operand];
        if (last_use[operand] != value) continue;
        free.push_back(slots[operand]);
        last_use[operand] = -1;  // an operand may come twice
      }
      if (free.empty()) free.push_back(used++);
      slots[static_cast<std::size_t>(value)] = node.slot = free.back();
      free.pop_back();
    }
    check(used <= max_live, "timing: the branches wait for ", used, " values at a time, at most ", max_live, " can be kept");
  }

  std::vector<Node> nodes_;
  std::vector<Operand> operands_;
  std::vector<Index> operand_slots_;
};

/// Puts a network together, value by value.
class Timing::Builder {
 public:
  /// The value that `timing` gives for a value.
  Index append(const Timing& timing, Index value) {
    const Index shift = last();
    for (Index i = 0; i < timing.size(); ++i) {
      const Node& node = timing.nodes_[static_cast<std::size_t>(i)];
      std::vector<Operand> operands(timing.operands_.begin() + node.first, timing.operands_.begin() + node.end);
      for (Operand& operand : operands) operand.value = operand.value == 0 ? value : operand.value + shift;
      add(node.stage, operands);
    }
    return timing.size() == 0 ? value : last();
  }
  Index append(const TimingStage& stage, Index value) {
    add(stage, {{value, 0}});
    return last();
  }
  /// The value that joining these gives, aligned.
  /// Errors   Error with the rates and delays of the values if they do not come equally often
  Index join(const std::vector<Index>& values) {
    for (const Index value : values) check_alignable(values.front(), value);
    std::vector<Operand> operands;
    for (const Index value : values) operands.push_back({value, 0});
    const std::vector<Index> excess = excesses(values);
    for (std::size_t k = 0; k < values.size(); ++k) operands[k].skip = excess[k] / 2;
    add({}, operands);
    return last();
  }
  /// Frames of a value for each one of the input.
  Rate rate(Index value) const noexcept { return timing_.rate_of(value); }
  /// What was left out of operand k of a value that `join` gave.
  Index skip(Index value, Index k) const { return timing_.operands(value)[static_cast<std::size_t>(k)].skip; }
  /// The network up to the last value.
  /// Errors   Error if it keeps more values at a time than Timing::max_live
  Timing finish() && {
    timing_.assign_slots();
    return std::move(timing_);
  }
  /// The network up to some value.
  Timing up_to(Index value) const {
    Timing part = timing_;
    part.nodes_.resize(static_cast<std::size_t>(value));
    part.operands_.resize(static_cast<std::size_t>(value == 0 ? 0 : part.nodes_.back().end));
    part.assign_slots();
    return part;
  }

 private:
  Index last() const { return timing_.size(); }
  void add(const TimingStage& stage, const std::vector<Operand>& operands) {
    const Index first = static_cast<Index>(timing_.operands_.size());
    timing_.operands_.insert(timing_.operands_.end(), operands.begin(), operands.end());
    const Rate before = timing_.rate_of(operands.front().value), own = stage.rate();
    constexpr double most = 1099511627776.0;  // 2^40, so that no product runs over
    check(static_cast<double>(before.outputs) * static_cast<double>(own.outputs) < most &&
              static_cast<double>(before.inputs) * static_cast<double>(own.inputs) < most,
          "timing: the strides of the layers multiply to more than 2^40");
    timing_.nodes_.push_back({.stage = stage,
                              .first = first,
                              .end = first + static_cast<Index>(operands.size()),
                              .rate = before * own});
  }
  void check_alignable(Index a, Index b) const {
    const Rate one = timing_.rate_of(a), other = timing_.rate_of(b);
    if (one == other) return;
    fail("the branches cannot be aligned: one has rate ", one.outputs, "/", one.inputs, " and delay ",
         up_to(a).delay(), ", another rate ", other.outputs, "/", other.inputs, " and delay ", up_to(b).delay(),
         " (outputs per input, input frames)");
  }
  // By how many frames each value is longer than the shortest of them, at least: for signals of every length from the
  // one on that fills all windows, until the lengths' pattern repeats.
  std::vector<Index> excesses(const std::vector<Index>& values) const {
    std::vector<Index> excess(values.size(), std::numeric_limits<Index>::max()), counts;
    timing_.check_bounds();
    check(timing_.cycle() <= 1048576, "timing: the rates of the branches repeat only after more than 2^20 inputs");
    const Index from = timing_.settled(), end = from + timing_.cycle();
    for (Index n = from; n < end; ++n) {
      timing_.count(n, true, counts);
      Index shortest = std::numeric_limits<Index>::max();
      for (const Index value : values) shortest = std::min(shortest, counts[static_cast<std::size_t>(value)]);
      for (std::size_t k = 0; k < values.size(); ++k)
        excess[k] = std::min(excess[k], counts[static_cast<std::size_t>(values[k])] - shortest);
    }
    return excess;
  }

  Timing timing_;
};

inline Timing::Timing(TimingStage stage) {
  Builder builder;
  builder.append(stage, 0);
  *this = std::move(builder).finish();
}
inline Timing Timing::then(const Timing& next) const {
  Builder builder;
  builder.append(next, builder.append(*this, 0));
  return std::move(builder).finish();
}
inline Timing Timing::parallel(const std::vector<Timing>& branches) {
  Builder builder;
  std::vector<Index> outputs;
  for (const Timing& branch : branches) outputs.push_back(builder.append(branch, 0));
  builder.join(outputs);
  return std::move(builder).finish();
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_TIMING_HPP
