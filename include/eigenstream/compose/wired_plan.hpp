#ifndef EIGENSTREAM_COMPOSE_WIRED_PLAN_HPP
#define EIGENSTREAM_COMPOSE_WIRED_PLAN_HPP

#include <algorithm>  // max
#include <string>     // messages
#include <utility>    // as_const
#include <vector>     // homes

#include "eigenstream/compose/wiring.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// What follows from how a network is wired, whatever the shape of its frames: how many frames of each value come at a time
/// and wait, where each is written, and which values share a buffer. Made once, with the network.
/// Shapes   none
/// Timing   that of the wiring
/// Errors   constructor: Error if a value is used by none and no output, or too many frames would have to wait
/// Source   none
class WiredPlan {
 public:
  enum class Home { buffer, layer, queue, output };  // where a value is written: where it is wanted, if there is a place
  struct Value {
    Rate rate = {};
    Alignment alignment = Alignment::centred;
    Index from = -1;     // its first operand
    bool joins = false;  // it has several
    Index uses = 0;         // as an operand and as an output
    bool kept = false;      // must be there when all layers have run
    Index on = -1;          // the operand where it works, whose frames it overwrites; none: -1
    Home home = Home::buffer;
    Index home_index = 0;  // layer or operand whose room it is
    Index buffer = 0;      // number of the scratch buffer for it
    Time rise = 0;         // most by which the frames ever catch up with the rate, times rate.inputs
    Index flushed = 0;     // most frames that come at the end
  };
  struct Operand {
    Index value = 0;
    Index skip = 0;      // frames left out at the start
    Index keep = 0;      // most frames that wait between calls
    bool direct = true;  // none ever waits: the layer takes all that come, and there is no queue
    bool whole = true;   // nothing is left out at the end either
  };

  /// `works_on`: of each layer, which of its operands it may overwrite, as no other layer reads it; none: -1.
  WiredPlan(const Wiring& wiring, const std::vector<Index>& works_on)
      : more_inputs_(wiring.more_inputs()), graph_(wiring.graph().inputs()), main_output_(wiring.main_output()) {
    for (Index v = 0; v <= wiring.last(); ++v) {
      Value value{.rate = wiring.graph()[v].rate, .alignment = wiring.graph()[v].alignment};
      if (v < graph_.inputs()) {
        graph_[v] = value;
        continue;
      }
      std::vector<Operand> operands;
      for (const Wiring::Operand& operand : wiring.graph().operands(v)) {
        operands.push_back({.value = operand.value, .skip = operand.skip});
        ++graph_[operand.value].uses;
      }
      value.from = operands.front().value, value.joins = operands.size() > 1;
      most_operands_ = std::max(most_operands_, static_cast<Index>(operands.size()));
      graph_.add(value, operands);
    }
    if (wiring.outputs().empty()) ++graph_[main_output_].uses;
    for (const Wiring::Output& output : wiring.outputs()) {
      ++graph_[output.value].uses;
      if (output.value != main_output_) graph_[output.value].kept = true;
    }
    wiring.check_used();
    count_frames(wiring);
    find_homes(works_on);
  }

  const ValueGraph<Value, Operand>& graph() const noexcept { return graph_; }
  const std::vector<NetworkInput>& more_inputs() const noexcept { return more_inputs_; }
  Index main_output() const noexcept { return main_output_; }
  /// Scratch buffers that the values need, and most operands of a layer.
  Index buffers() const noexcept { return buffers_; }
  Index most_operands() const noexcept { return most_operands_; }

  /// Most frames of a value that n inputs bring.
  Index most(Index v, Index n) const noexcept {
    const Value& own = graph_[v];
    return n == 0 ? 0 : (n * own.rate.outputs + own.rise) / own.rate.inputs;
  }
  /// Most in one pass: what a tile brings, or what the end releases.
  EIGENSTREAM_ALWAYS_INLINE Index most_at_once(Index v, Index tile) const noexcept {
    return std::max(most(v, tile), graph_[v].flushed);
  }

 private:
  // How many frames of each value come at most, and how many wait in front of layers with several inputs.
  void count_frames(const Wiring& wiring) {
    constexpr Time most_waiting = Index{1} << 26;
    for (Index v = 0; v <= graph_.last(); ++v) {
      Value& value = graph_[v];
      value.rise = wiring.after(v).most_rise(value.rate);
      value.flushed = wiring.ended(v).most_lead(wiring.after(v));
      if (!value.joins) continue;
      for (Operand& operand : graph_.operands(v)) {
        operand.keep = wiring.after(operand.value).without_first(operand.skip).most_lead(wiring.aligned_after(v));
        operand.direct = operand.keep == 0 && operand.skip == 0;
        operand.whole = operand.direct && wiring.ended(operand.value).most_lead(wiring.ended(v)) <= 0;
        check(operand.keep <= most_waiting, "Graph: ", operand.keep,
              " frames of one branch would have to wait for another, more than 2^26");
      }
    }
  }

  // Decides where each value is written, and which share a scratch buffer.
  void find_homes(const std::vector<Index>& works_on) {
    std::vector<Index> end(static_cast<std::size_t>(graph_.values()), 0);  // last use of a value's buffer
    const auto in_place = [&](Index v) { return works_on[static_cast<std::size_t>(v - graph_.inputs())] >= 0; };
    for (Index v = graph_.inputs(); v <= graph_.last(); ++v) {
      if (!in_place(v)) continue;
      const Operand& operand = std::as_const(graph_).operands(v)[static_cast<std::size_t>(works_on[static_cast<std::size_t>(v - graph_.inputs())])];
      if (operand.whole && operand.value >= graph_.inputs() && graph_[operand.value].uses == 1) graph_[v].on = operand.value;
    }
    Value& main = graph_[main_output_];
    main.kept = main.kept || main.uses > 1;
    if (!main.kept && main_output_ >= graph_.inputs()) main.home = Home::output;
    for (Index v = graph_.inputs(); v <= graph_.last(); ++v)
      if (graph_[v].kept) end[static_cast<std::size_t>(v)] = graph_.last();
    for (Index v = graph_.last(); v >= graph_.inputs(); --v) {
      const Value& user = graph_[v];
      const auto claim = [&](Index from, Home home, Index index, Index until) {
        end[static_cast<std::size_t>(from)] = std::max(end[static_cast<std::size_t>(from)], until);
        graph_[from].home = home, graph_[from].home_index = index;  // the first user, which comes last here, decides
      };
      const auto stay = [&](Index from) { claim(from, graph_[from].home, graph_[from].home_index, v); };
      if (user.joins) {
        const auto operands = std::as_const(graph_).operands(v);
        for (auto operand = operands.rbegin(); operand != operands.rend(); ++operand) {
          if (operand->value == user.on)
            claim(user.on, user.home, user.home_index, end[static_cast<std::size_t>(v)]);
          else if (operand->direct)
            stay(operand->value);
          else
            claim(operand->value, Home::queue, &*operand - std::as_const(graph_).operands().data(), v);
        }
      } else if (user.on >= 0) {
        claim(user.on, user.home, user.home_index, end[static_cast<std::size_t>(v)]);
      } else if (!in_place(v)) {
        claim(user.from, Home::layer, v - graph_.inputs(), v);
      } else {
        stay(user.from);
      }
    }
    std::vector<Index> free;
    std::vector<Index> owners;  // of each buffer: until when it is taken
    for (Index v = graph_.inputs(); v <= graph_.last(); ++v) {
      Value& own = graph_[v];
      for (Index b = 0; b < static_cast<Index>(owners.size()); ++b)
        if (owners[static_cast<std::size_t>(b)] == v - 1) free.push_back(b);
      if (own.on >= 0) {
        own.buffer = graph_[own.on].buffer;
        continue;
      }
      if (own.home == Home::output) continue;
      if (free.empty()) free.push_back(static_cast<Index>(owners.size())), owners.push_back(0);
      own.buffer = free.back();
      free.pop_back();
      owners[static_cast<std::size_t>(own.buffer)] = end[static_cast<std::size_t>(v)];
    }
    buffers_ = static_cast<Index>(owners.size());
  }

  std::vector<NetworkInput> more_inputs_;
  ValueGraph<Value, Operand> graph_;
  Index main_output_, buffers_ = 0, most_operands_ = 1;
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_WIRED_PLAN_HPP
