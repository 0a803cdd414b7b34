#ifndef EIGENSTREAM_COMPOSE_WIRING_HPP
#define EIGENSTREAM_COMPOSE_WIRING_HPP

#include <vector>  // nodes

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/timing.hpp"
#include "eigenstream/kernel/reduce.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How the layers of a network with branches are connected. Values are numbered: 0 is the network's input, k what node
/// k - 1 gives, the last one is the output. A node is a layer with one operand, or joins several.
/// Shapes   as the layers say; the operands of a join have equally many channels or one, or are put one after the other
/// Timing   that of the layers; the operands of a join are aligned
/// Errors   Error from each call that cannot be done, as soon as it is known
/// Source   torch: a module's own forward
class Wiring {
 public:
  struct Node {
    bool joins = false;
    Reduce op = Reduce::sum;
    std::vector<Index> from = {};  ///< values
    std::vector<Index> skip = {};  ///< of each operand of a join: frames left out at its start
    Rate rate = {};                ///< of the value
  };

  /// The value that the next layer gives for a value.
  /// Errors   Error if there is no such value
  Index add_layer(const Timing& timing, Index from) {
    check_value(from);
    timings_.push_back(timing_.append(timing, timings_[static_cast<std::size_t>(from)]));
    return add(Node{.from = {from}});
  }
  /// The value that joins these, aligned.
  /// Errors   Error if there is no such value, too few or too many of them, or if they do not come equally often
  Index add_join(Reduce op, std::vector<Index> from) {
    for (const Index value : from) check_value(value);
    const Index n = static_cast<Index>(from.size());
    check(n >= 2, "Reduce: ", n, " operands, must be at least 2");
    check(n == 2 || (op != Reduce::difference && op != Reduce::quotient), "Reduce: ", n, " operands for a ",
          name_of(op), ", must be 2");
    std::vector<Index> operands;
    for (const Index value : from) operands.push_back(timings_[static_cast<std::size_t>(value)]);
    const Index joined = timing_.join(operands);
    timings_.push_back(joined);
    Node node{.joins = true, .op = op, .from = std::move(from)};
    for (Index k = 0; k < n; ++k) node.skip.push_back(timing_.skip(joined, k));
    return add(std::move(node));
  }

  const std::vector<Node>& nodes() const noexcept { return nodes_; }
  Index size() const noexcept { return static_cast<Index>(nodes_.size()); }
  /// How many frames a value has after n inputs: while the signal goes on, and of a signal of n frames.
  const FrameCount& after(Index value) const { return timing_.after(timings_[static_cast<std::size_t>(value)]); }
  const FrameCount& ended(Index value) const { return timing_.ended(timings_[static_cast<std::size_t>(value)]); }
  Timing timing() const { return timing_.finish(); }

 private:
  Index add(Node node) {
    node.rate = timing_.rate(timings_.back());
    nodes_.push_back(std::move(node));
    return size();
  }
  void check_value(Index value) const {
    check(value >= 0 && value <= size(), "no value ", value, " yet; there are ", size() + 1);
  }

  std::vector<Node> nodes_;
  Timing::Builder timing_;
  std::vector<Index> timings_{0};  // of each value, its number in the timing
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_WIRING_HPP
