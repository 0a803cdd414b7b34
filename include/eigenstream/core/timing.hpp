#ifndef EIGENSTREAM_CORE_TIMING_HPP
#define EIGENSTREAM_CORE_TIMING_HPP

#include <algorithm>    // any_of, min, max
#include <cmath>        // abs
#include <limits>       // numeric_limits
#include <memory>       // shared_ptr
#include <numeric>      // lcm
#include <span>         // operands
#include <string_view>  // names
#include <vector>       // nodes

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/frame_count.hpp"
#include "eigenstream/core/value_graph.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The receptive field of what never forgets.
inline constexpr Time unbounded = std::numeric_limits<Time>::max();

/// Which frames are left out of an operand that is longer than the shortest by q frames, whatever the signal's length:
/// floor(q/2) at the start and the others at the end; all at the end, so that it lags behind; all at the start.
enum class Alignment { centred, lagging, leading };
inline constexpr std::string_view alignment_names[] = {"centred", "lagging", "leading"};

/// When a network's outputs come and what they depend on, in input frames: the stages of its layers, and how they are
/// joined. Composition is exact, also where a rounded formula would not be: see FrameCount. Copies share the network.
///
/// The values of a network are numbered: 0 is its input, k what node k - 1 gives; the last one is the output. A node
/// joins its operands frame by frame and passes them through its stage. Of an operand that is longer than the shortest
/// by q frames, whatever the signal's length, the first floor(q/2) frames are left out (or those that an Alignment says);
/// what is too much at the end is left out, too. A join ends with its shortest operand.
class Timing {
 public:
  /// A value that a node takes, without its first `skip` frames.
  struct Operand {
    Index value = 0;
    Time skip = 0;
  };

  Timing() = default;  // the identity
  inline Timing(TimingStage stage);

  /// Puts a network together, value by value; in core/timing_builder.hpp, as is all that makes a new Timing.
  class Builder;

  /// This network followed by another.
  inline Timing then(const Timing& next) const;
  /// Networks side by side, with the same input, whose outputs are joined.
  /// Errors   Error with the rates and delays if their outputs do not come equally often
  static inline Timing parallel(const std::vector<Timing>& branches);

  /// Outputs determined by the first n inputs; `ended`: by a signal of exactly n frames.
  Time outputs_after(Time n, bool ended = false) const noexcept {
    if (network_ == nullptr) return std::max<Time>(0, n);
    return ended ? network_->ended(n) : network_->after(n);
  }
  /// First input that output j can read; negative before the signal's start. (A frame that repeats the signal's last one
  /// counts as the one in its place.)
  Time first_input(Time j) const { return Walk(*this).reads(j).first; }
  /// Input whose arrival releases output j.
  Time last_input(Time j) const { return Walk(*this).last_input(j, 0); }  // virtual frames come with the first real one

  /// Outputs per input.
  Rate rate() const noexcept { return rate_of(size()); }
  /// Inputs from one output to the next, at least 1 (the stride of a network that does not upsample).
  Time stride() const noexcept { return std::max<Time>(1, rate().inputs / rate().outputs); }
  /// Outputs after which the windows repeat, shifted: those of outputs j and j + period look alike.
  Time period() const noexcept { return cycle() / rate().inputs * rate().outputs; }
  /// Whether outputs depend on all that has been before, however long ago: their receptive field is unbounded.
  bool recursive() const noexcept {
    for (Index value = 1; value <= size(); ++value)
      if (stage(value).recursive) return true;
    return false;
  }
  /// Whether each output comes with the input in its place and depends on no other.
  bool frame_by_frame() const noexcept {
    for (Index value = 1; value <= size(); ++value) {
      if (!stage(value).frame_by_frame()) return false;
      for (const Operand& operand : operands(value))
        if (operand.skip != 0) return false;
    }
    return true;
  }
  /// Greatest number of consecutive inputs that one output depends on; `unbounded` for a recursive network.
  Time receptive_field() const {
    if (recursive()) return unbounded;
    Walk walk(*this);
    Time reach = 1;
    for (Time j = 0, end = period(); j < end; ++j) {
      const TimingStage::Span span = walk.reads(j);
      reach = std::max(reach, span.last - span.first + 1);
    }
    return reach;
  }
  /// Inputs that must arrive after the frame an output belongs to before it comes out: output j belongs to input
  /// floor(j * inputs / outputs). In the long run; the first few may come later, all at once, when padding precedes
  /// them inside the network. Negative when an output comes out ahead of its frame's place (a valid network's
  /// first taps never do; a cropping one may).
  Time delay() const {
    Walk walk(*this);
    constexpr Time any = std::numeric_limits<Time>::min();
    Time most = any;
    const Rate r = rate();
    for (Time j = 0, end = period(); j < end; ++j)
      most = std::max(most, walk.last_input(j, any) - floor_div(j * r.inputs, r.outputs));
    return most;
  }
  /// Virtual frames before the first real one that the first output reads.
  Time padding() const { return -first_input(0); }
  /// Position of the input whose arrival releases the first output.
  Time first_output() const { return last_input(0); }

  /// A signal's length, in frames, up to which all counts are exact: beyond, they or a product of theirs might run over.
  Time max_frames() const noexcept {
    constexpr double most = 2305843009213693952.0;  // 2^61: room for what windows and paddings add
    double growth = 1;
    for (Index value = 1; value <= size(); ++value) {
      const TimingStage& s = stage(value);
      const double own = s.kind == TimingStage::Kind::gather ? 1.0 : static_cast<double>(std::max(s.stride, s.up));
      growth = std::max(growth, rate_of(value).value() / s.rate().value() * own);
    }
    return static_cast<Time>(most / growth);
  }
  /// Nodes, each of which gives a value.
  Index size() const noexcept { return network_ == nullptr ? 0 : network_->graph.last(); }
  /// Stage and operands of the node that gives a value from 1 to size().
  const TimingStage& stage(Index value) const { return network_->graph[value].stage; }
  std::span<const Operand> operands(Index value) const { return network_->graph.operands(value); }

  /// Inputs after which all windows of all nodes repeat, shifted.
  Time cycle() const noexcept {
    Time inputs = 1;
    for (Index value = 1; value <= size(); ++value) inputs = std::lcm(inputs, rate_of(value).inputs);
    return inputs;
  }
  /// How many frames each value has after n inputs, or of a signal of n frames.
  void count(Time n, bool ended, std::vector<Time>& counts) const {
    counts.assign(static_cast<std::size_t>(size() + 1), n);
    for (Index value = 1; value <= size(); ++value) {
      Time least = std::numeric_limits<Time>::max();
      for (const Operand& operand : operands(value))
        least = std::min(least, counts[static_cast<std::size_t>(operand.value)] - operand.skip);
      const TimingStage& own = stage(value);
      counts[static_cast<std::size_t>(value)] = ended ? own.outputs_in_all(least) : own.outputs_after(least);
    }
  }

  /// Whether the numbers above stay within sensible bounds: what a network may be asked for before it is built.
  /// Errors   Error if strides, rates or receptive field multiply to something that no stream could hold
  void check_bounds() const {
    constexpr double most_frames = 1099511627776.0;  // 2^40
    constexpr double most_outputs = 1048576.0;       // 2^20
    check(reach_bound() <= most_frames, "timing: the layers reach over more than 2^40 frames");
    double inputs = 1;
    for (Index value = 1; value <= size(); ++value) {
      const Rate rate = rate_of(value);
      inputs = inputs * static_cast<double>(rate.inputs) /
               static_cast<double>(std::gcd(static_cast<Time>(inputs), rate.inputs));
      check(inputs <= most_frames && inputs * this->rate().value() <= most_outputs,
            "timing: the strides up and down repeat only after more than 2^20 outputs");
    }
  }

 private:
  struct Node {
    TimingStage stage;
    Rate rate;  // of the value it gives
  };
  using Graph = ValueGraph<Node, Operand>;
  struct Network {
    Graph graph;
    FrameCount after, ended;  // of the output: while the signal goes on, and when it is over
  };

  // A pass over all nodes from the output back to the input.
  class Walk {
   public:
    explicit Walk(const Timing& timing) : timing_(timing), spans_(static_cast<std::size_t>(timing.size() + 1)) {}

    /// From the first input that output j reads to the last.
    TimingStage::Span reads(Time j) {
      return back(j, [](const TimingStage& stage, TimingStage::Span outputs) { return stage.reads(outputs); });
    }
    /// The input that releases output j; at every node at least `least`.
    Time last_input(Time j, Time least) {
      const auto released = [&](const TimingStage& stage, TimingStage::Span outputs) {
        const Time first = least == 0 ? stage.wanted_first() - 1 : least;
        const Time last = std::max(first, stage.last_input(outputs.last));
        return TimingStage::Span{last, last};
      };
      return back(j, released).last;
    }

   private:
    template <class Step>
    TimingStage::Span back(Time j, Step&& step) {
      constexpr TimingStage::Span unused{std::numeric_limits<Time>::max(), std::numeric_limits<Time>::min()};
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

  Rate rate_of(Index value) const noexcept { return value == 0 ? Rate() : network_->graph[value].rate; }

  // An upper bound of how far windows and paddings reach, all together.
  double reach_bound() const {
    double reach = 1;
    for (Index value = 1; value <= size(); ++value) {
      const TimingStage& s = stage(value);
      // In the network's inputs, for each frame that the node takes; a scatter's numbers count what it gives.
      const double step =
          (s.kind == TimingStage::Kind::scatter ? 1.0 : s.rate().value()) / rate_of(value).value();
      double skips = 0;
      for (const Operand& operand : operands(value)) skips += static_cast<double>(operand.skip);
      reach += step * (static_cast<double>(s.span()) + static_cast<double>(s.stride) +
                       std::abs(static_cast<double>(s.left)) + std::abs(static_cast<double>(s.right)) +
                       static_cast<double>(s.extra) + static_cast<double>(s.wait) + static_cast<double>(s.multiple) + skips);
    }
    return reach;
  }

  std::shared_ptr<const Network> network_;  // null: the identity
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_TIMING_HPP
