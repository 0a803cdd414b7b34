#ifndef EIGENSTREAM_COMPOSE_WIRING_HPP
#define EIGENSTREAM_COMPOSE_WIRING_HPP

#include <set>     // names
#include <string>  // names
#include <vector>  // inputs

#include "eigenstream/core/network_input.hpp"
#include "eigenstream/core/timing_builder.hpp"
#include "eigenstream/core/value_graph.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How the layers of a network with branches are connected. Values are numbered: first the network's inputs, then what
/// each node gives; the last one is the output, unless others are chosen. A node is a layer with one operand, or with
/// several, which are aligned.
/// Shapes   as the layers say
/// Timing   that of the layers; the operands of a layer with several are aligned
/// Errors   Error from each call that cannot be done, as soon as it is known
/// Source   torch: a module's own forward
class Wiring {
 public:
  struct Value {
    Rate rate = {};
    Index timing = 0;   ///< its number in the timing
    Index aligned = 0;  ///< that of its operands, aligned
    Alignment alignment = Alignment::centred;
  };
  struct Operand {
    Index value = 0;
    Index skip = 0;  ///< frames left out at its start
  };
  struct Output {
    Index value = 0;
    std::string name;
  };

  /// Errors   Error if a rate is impossible
  explicit Wiring(std::vector<NetworkInput> more_inputs = {})
      : inputs_(std::move(more_inputs)), graph_(1 + static_cast<Index>(inputs_.size())) {
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      const Rate rate = inputs_[k].rate;
      check(rate.outputs >= 1 && rate.inputs >= 1, "Graph: input ", k + 1, " comes ", rate.outputs, " times for ",
            rate.inputs, " frames of the main one; both must be at least 1");
      if (rate == Rate()) continue;
      Value& value = graph_[static_cast<Index>(k) + 1];
      value.timing = value.aligned =
          timing_.append({.kind = TimingStage::Kind::resample, .reach = 0, .stride = rate.inputs, .up = rate.outputs, .soon = true}, 0);
      value.rate = timing_.rate(value.timing);
    }
  }

  /// The value that the next layer gives for these, aligned.
  /// Errors   Error if there is no such value, or if they do not come equally often
  Index add(const Timing& timing, const std::vector<Index>& from, Alignment alignment = Alignment::centred) {
    std::vector<Operand> operands;
    std::vector<Index> timings;
    for (const Index value : from) {
      graph_.check_value(value);
      operands.push_back({value, 0});
      timings.push_back(graph_[value].timing);
    }
    Value value{.aligned = timings.front(), .alignment = alignment};
    if (from.size() > 1) {
      value.aligned = timing_.join(timings, alignment);
      for (std::size_t k = 0; k < from.size(); ++k) operands[k].skip = timing_.skip(value.aligned, static_cast<Index>(k));
    }
    value.timing = timing_.append(timing, value.aligned);
    value.rate = timing_.rate(value.timing);
    return graph_.add(value, operands);
  }

  /// Makes these values the outputs, the main one first; those without a name are called by their number.
  /// Errors   Error if there is no such value, or no output, or if two have the same name
  void choose_outputs(std::vector<Output> outputs) {
    check(!outputs.empty(), "Graph: no output is chosen");
    std::set<std::string> names;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      Output& output = outputs[k];
      graph_.check_value(output.value);
      if (output.name.empty()) output.name = std::to_string(k);
      check(names.insert(output.name).second, "Graph: two outputs are called ", output.name);
    }
    outputs_ = std::move(outputs);
  }
  /// Those that were chosen; none if it is the value made last.
  const std::vector<Output>& outputs() const noexcept { return outputs_; }
  /// The value that is the main output.
  Index main_output() const noexcept { return outputs_.empty() ? last() : outputs_.front().value; }

  /// Errors   Error if a value is used by none and is no output
  void check_used() const {
    std::vector<char> used(static_cast<std::size_t>(graph_.values()), 0);
    for (const Operand& operand : graph_.operands()) used[static_cast<std::size_t>(operand.value)] = 1;
    if (outputs_.empty()) used[static_cast<std::size_t>(main_output())] = 1;
    for (const Output& output : outputs_) used[static_cast<std::size_t>(output.value)] = 1;
    const Index inputs = graph_.inputs();
    for (Index v = 0; v <= last(); ++v)
      check(used[static_cast<std::size_t>(v)] != 0, "Graph: ", v == 0 ? "the input" : v < inputs ? "input " : "value ",
            v == 0 ? "" : std::to_string(v), " is not used");
  }

  const std::vector<NetworkInput>& more_inputs() const noexcept { return inputs_; }
  const ValueGraph<Value, Operand>& graph() const noexcept { return graph_; }
  /// The value made last, or the network's input.
  Index last() const noexcept { return graph_.last(); }
  /// How many frames a value, or its operands aligned, has after n inputs: while the signal goes on, and of one of n frames.
  const FrameCount& after(Index value) const { return timing_.after(graph_[value].timing); }
  const FrameCount& ended(Index value) const { return timing_.ended(graph_[value].timing); }
  const FrameCount& aligned_after(Index value) const { return timing_.after(graph_[value].aligned); }
  /// That of the main output; that of a value.
  Timing timing() const { return timing(main_output()); }
  Timing timing(Index value) const { return timing_.up_to(graph_[value].timing); }

 private:
  std::vector<NetworkInput> inputs_;
  std::vector<Output> outputs_;
  ValueGraph<Value, Operand> graph_;
  Timing::Builder timing_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_WIRING_HPP
