#include "eigenstream/compose/wired_plan.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using Plan = es::detail::WiredPlan;

TEST_CASE("WiredPlan: each value is written where it is wanted", "[compose]") {
  // x -> conv (1) -> tanh (2) -> conv (3); 1 + 3 (4).
  es::Wiring wiring;
  const es::Timing conv = es::TimingStage{.reach = 3, .left = 1, .right = 1};
  const Index first = wiring.add(conv, {0}), tanh = wiring.add({}, {first}), second = wiring.add(conv, {tanh});
  wiring.add({}, {first, second});
  const Plan plan(wiring, {-1, 0, -1, -1});
  const auto& graph = plan.graph();
  CHECK(graph[0].uses == 1);
  CHECK((graph[0].home == Plan::Home::layer && graph[0].home_index == 0));
  CHECK(graph[first].uses == 2);
  CHECK(graph[tanh].on == -1);  // its operand is used again
  CHECK((graph[tanh].home == Plan::Home::layer && graph[tanh].home_index == 2));
  CHECK(graph[4].home == Plan::Home::output);
  // The first waits for the second, which comes a frame later.
  REQUIRE(graph.operands(4).size() == 2);
  CHECK((graph.operands(4)[0].keep == 1 && !graph.operands(4)[0].direct));
  CHECK((graph.operands(4)[1].keep == 0 && graph.operands(4)[1].direct));
  CHECK(plan.most_operands() == 2);
  CHECK(plan.most(4, 10) == 10);
  CHECK(plan.most_at_once(4, 1) == 2);  // what the end releases
}

TEST_CASE("WiredPlan: values that are not needed at the same time share a buffer", "[compose]") {
  es::Wiring wiring;
  Index value = 0;
  for (int i = 0; i < 6; ++i) value = wiring.add({}, {wiring.add({}, {value}), value});
  const Plan plan(wiring, std::vector<es::Index>(12, -1));
  CHECK(plan.buffers() <= 3);
}

TEST_CASE("WiredPlan: a value that none uses is an error", "[compose][error]") {
  es::Wiring wiring(std::vector<es::NetworkInput>{{.shape = {2}}});
  wiring.add({}, {0});
  CHECK(support::error_of([&] { Plan(wiring, {-1}); }) == "Graph: input 1 is not used");
}

TEST_CASE("WiredPlan: an output that is used further on stays where it is until the end", "[compose]") {
  // x -> conv (1) -> tanh (2) -> tanh (3) -> tanh (4); 4 and 2 are outputs.
  es::Wiring wiring;
  Index value = wiring.add(es::TimingStage{.reach = 3}, {0});
  for (int i = 0; i < 3; ++i) value = wiring.add({}, {value});
  wiring.choose_outputs({{4, ""}, {2, ""}});
  const Plan plan(wiring, {-1, 0, 0, 0});
  const auto& graph = plan.graph();
  CHECK(plan.main_output() == 4);
  CHECK(graph[2].kept);
  CHECK((graph[2].on == 1 && graph[3].on == -1 && graph[4].on == 3));
  CHECK((graph[3].home == Plan::Home::output && graph[4].home == Plan::Home::output));
  CHECK(graph[2].home == Plan::Home::buffer);
  CHECK(plan.buffers() == 1);
}

TEST_CASE("WiredPlan: a join that overwrites an operand has no buffer of its own", "[compose]") {
  // x -> conv (1) -> conv (2); 2 + 1 (3) -> conv (4)
  es::Wiring wiring;
  const es::Timing conv = es::TimingStage{.reach = 3, .left = 2};
  const Index first = wiring.add(conv, {0}), second = wiring.add(conv, {first});
  const Index sum = wiring.add({}, {second, first});
  wiring.add(conv, {sum});
  const Plan plan(wiring, {-1, -1, 0, -1});
  const auto& graph = plan.graph();
  CHECK(graph[sum].on == second);
  // What makes the operand writes into the history of the layer behind the join at once.
  CHECK((graph[second].home == Plan::Home::layer && graph[second].home_index == 3));
  CHECK((graph[sum].home == Plan::Home::layer && graph[sum].home_index == 3));
  CHECK(graph[second].buffer == graph[sum].buffer);
  CHECK(graph[first].buffer != graph[sum].buffer);

  const Plan other(wiring, {-1, -1, 1, -1});  // the other operand is used twice
  CHECK(other.graph()[sum].on == -1);
}

TEST_CASE("WiredPlan: a join does not overwrite an operand that goes on longer than it", "[compose]") {
  // The convolution gives two frames more than its input at the end, which the sum leaves out.
  es::Wiring wiring;
  const Index longer = wiring.add(es::TimingStage{.reach = 3, .left = 2, .right = 2}, {0});
  const Index sum = wiring.add({}, {longer, 0}, es::Alignment::lagging);
  const Plan plan(wiring, {-1, 0});
  CHECK((plan.graph().operands(sum)[0].direct && !plan.graph().operands(sum)[0].whole));
  CHECK(plan.graph()[sum].on == -1);
}
