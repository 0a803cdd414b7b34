#ifndef EIGENSTREAM_COMPOSE_PLAN_STEP_HPP
#define EIGENSTREAM_COMPOSE_PLAN_STEP_HPP

#include <cstdint>  // uint8_t
#include <vector>   // steps

#include "eigenstream/compose/operations.hpp"
#include "eigenstream/compose/wired_plan.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// What follows a step on the same memory, while it is in the cache: a sum with another value, or a function of each number.
template <class T>
struct PlanTail {
  Index value = -1;  // what this is of the network's values
  Index addend = -1;  // the value to add; none: a function
  Operations<T> layer = {};
};

/// One step of a plan: a layer, and the sums and functions that follow it where its output lies. The numbers are those of the
/// network without the plan, bit for bit: only who computes them when changes.
template <class T>
struct PlanStep {
  enum class Kind : std::uint8_t { any, adds, maps, sums };
  Kind kind = Kind::any;
  bool steady = false;   // as many frames out as in
  Index layer = 0;       // its number
  Index first = 0;       // the value that it makes
  Index last = 0;        // the value that the last of its tails makes: the one that others see
  Index from = -1;       // the value that it takes
  Index addend = -1;     // the value that is added to each output as it is made
  Index sum = -1;        // the value which is that sum
  Operations<T> run = {};
  Operations<T> keeper = {};  // the layer into whose memory the output goes, if it goes into one's
  std::uint32_t tails = 0, tails_end = 0;
};

/// The steps of a network, in the order in which they run.
template <class T>
class PlanSteps {
 public:
  /// `operations(v)`: those of the layer that makes value v. `alike[v]`: whether all operands of v have its own shape.
  template <class OperationsOf, class Steady>
  PlanSteps(const ValueGraph<WiredPlan::Value, WiredPlan::Operand>& graph, OperationsOf&& operations, Steady&& steady,
            const std::vector<char>& alike) {
    std::vector<Index> user(static_cast<std::size_t>(graph.values()), -1);  // that works on a value
    for (Index v = graph.inputs(); v <= graph.last(); ++v)
      if (graph[v].on >= 0) user[static_cast<std::size_t>(graph[v].on)] = v;
    const auto is_sum = [&](Index v) {
      const auto operands = graph.operands(v);
      return operands.size() == 2 && operands[0].direct && operands[1].direct && alike[static_cast<std::size_t>(v)] != 0 &&
             operations(v).is_sum;
    };
    std::vector<char> done(static_cast<std::size_t>(graph.values()), 0);
    for (Index v = graph.inputs(); v <= graph.last(); ++v) {
      if (done[static_cast<std::size_t>(v)] != 0) continue;
      PlanStep<T> step;
      step.layer = v - graph.inputs();
      step.first = step.last = v;
      step.from = graph[v].from;
      step.run = operations(v);
      step.steady = steady(v);
      const auto operands = graph.operands(v);
      if (operands.size() == 1 && step.run.add_steps != nullptr) {
        step.kind = PlanStep<T>::Kind::adds;
      } else if (operands.size() == 1 && step.run.map != nullptr) {
        step.kind = PlanStep<T>::Kind::maps;
      } else if (is_sum(v)) {
        step.kind = PlanStep<T>::Kind::sums;
        step.addend = operands[1].value;
      }
      if (graph[v].home == WiredPlan::Home::layer) step.keeper = operations(graph[v].home_index + graph.inputs());
      step.tails = static_cast<std::uint32_t>(tails_.size());
      for (Index next = user[static_cast<std::size_t>(v)]; next >= 0; next = user[static_cast<std::size_t>(next)]) {
        PlanTail<T> tail{.value = next, .layer = operations(next)};
        if (graph.operands(next).size() == 1) {
          if (tail.layer.map == nullptr) break;
        } else {
          if (!is_sum(next)) break;
          const auto two = graph.operands(next);
          tail.addend = two[two[0].value == step.last ? 1 : 0].value;
          if (tail.addend > v || tail.addend == step.last) break;  // not there yet
        }
        if (tail.addend >= 0 && step.kind == PlanStep<T>::Kind::adds && step.last == v)
          step.addend = tail.addend, step.sum = next;
        else
          tails_.push_back(tail);
        done[static_cast<std::size_t>(next)] = 1;
        step.last = next;
      }
      step.tails_end = static_cast<std::uint32_t>(tails_.size());
      steps_.push_back(step);
    }
  }
  PlanSteps() = default;

  const std::vector<PlanStep<T>>& steps() const noexcept { return steps_; }
  /// What a step makes besides its first value, and the values that it adds to that.
  std::vector<Index> joined(const PlanStep<T>& step) const {
    std::vector<Index> all;
    if (step.sum >= 0) all.push_back(step.sum);
    for (std::uint32_t k = step.tails; k < step.tails_end; ++k) all.push_back(tail(k)->value);
    return all;
  }
  std::vector<Index> added(const PlanStep<T>& step) const {
    std::vector<Index> all;
    if (step.sum >= 0) all.push_back(step.addend);
    for (std::uint32_t k = step.tails; k < step.tails_end; ++k)
      if (tail(k)->addend >= 0) all.push_back(tail(k)->addend);
    return all;
  }
  const PlanTail<T>* tail(std::uint32_t k) const noexcept { return tails_.data() + k; }

 private:
  std::vector<PlanStep<T>> steps_;
  std::vector<PlanTail<T>> tails_;
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_PLAN_STEP_HPP
