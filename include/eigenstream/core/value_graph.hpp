#ifndef EIGENSTREAM_CORE_VALUE_GRAPH_HPP
#define EIGENSTREAM_CORE_VALUE_GRAPH_HPP

#include <span>    // operands
#include <vector>  // nodes

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A value that a node takes, of which nothing else is known.
struct PlainOperand {
  Index value = 0;
};

/// The values of a network without loops, and what each is made of. Values 0 ... inputs - 1 come from outside; each further
/// one is what a node makes of earlier values, its operands. What else is known of a value, and of a value as an operand of
/// another, is up to whoever keeps the graph: timing, wiring, plan, reader and reports all stand on this one.
/// `Operand` has a member `value`.
/// Shapes   none
/// Timing   none
/// Errors   add: Error if an operand is no value yet
/// Source   none
template <class Value, class Operand = PlainOperand>
class ValueGraph {
 public:
  explicit ValueGraph(Index inputs = 1) : nodes_(static_cast<std::size_t>(inputs)), inputs_(inputs) {}

  Index inputs() const noexcept { return inputs_; }
  /// All values, those from outside among them.
  EIGENSTREAM_ALWAYS_INLINE Index values() const noexcept { return static_cast<Index>(nodes_.size()); }
  /// The value made last, or the input of a network without nodes.
  EIGENSTREAM_ALWAYS_INLINE Index last() const noexcept { return values() - 1; }

  /// A node; returns the value that it gives.
  Index add(Value value, std::span<const Operand> operands) {
    for (const Operand& operand : operands) check_value(operand.value);
    const Index first = static_cast<Index>(operands_.size());
    operands_.insert(operands_.end(), operands.begin(), operands.end());
    nodes_.push_back({std::move(value), first, static_cast<Index>(operands_.size())});
    return last();
  }
  void check_value(Index value) const {
    check(value >= 0 && value <= last(), "no value ", value, " yet; there are ", values());
  }

  EIGENSTREAM_ALWAYS_INLINE const Value& operator[](Index value) const noexcept { return at(value).value; }
  Value& operator[](Index value) noexcept { return nodes_[static_cast<std::size_t>(value)].value; }
  /// What a value is made of; nothing if it comes from outside.
  EIGENSTREAM_ALWAYS_INLINE std::span<const Operand> operands(Index value) const noexcept {
    return {operands_.data() + at(value).first, operands_.data() + at(value).end};
  }
  std::span<Operand> operands(Index value) noexcept {
    return {operands_.data() + at(value).first, operands_.data() + at(value).end};
  }
  /// The operands of all values in a row.
  EIGENSTREAM_ALWAYS_INLINE std::span<const Operand> operands() const noexcept { return operands_; }
  /// The graph of the values up to some one.
  ValueGraph up_to(Index value) const {
    ValueGraph part(inputs_);
    part.nodes_.assign(nodes_.begin(), nodes_.begin() + value + 1);
    part.operands_.assign(operands_.begin(), operands_.begin() + at(value).end);
    return part;
  }

 private:
  struct Node {
    Value value = {};
    Index first = 0, end = 0;  // its operands
  };
  EIGENSTREAM_ALWAYS_INLINE const Node& at(Index value) const noexcept { return nodes_[static_cast<std::size_t>(value)]; }

  std::vector<Node> nodes_;
  std::vector<Operand> operands_;
  Index inputs_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_VALUE_GRAPH_HPP
