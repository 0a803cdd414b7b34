#include "eigenstream/core/value_graph.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using support::error_of;

namespace {

struct Operand {
  Index value = 0;
  std::string name = {};
};
using Graph = es::ValueGraph<std::string, Operand>;

}  // namespace

TEST_CASE("ValueGraph: inputs, then what each node gives", "[core]") {
  Graph graph(2);
  CHECK((graph.inputs() == 2 && graph.values() == 2 && graph.last() == 1));
  graph[0] = "x", graph[1] = "c";
  const Index a = graph.add("a", std::vector<Operand>{{0, "left"}}), b = graph.add("b", std::vector<Operand>{{a}, {1, "right"}, {a}});
  CHECK((a == 2 && b == 3 && graph.last() == 3));
  CHECK((graph[1] == "c" && graph[a] == "a" && graph[b] == "b"));
  CHECK(graph.operands(0).empty());
  REQUIRE(graph.operands(b).size() == 3);
  CHECK((graph.operands(b)[1].value == 1 && graph.operands(b)[1].name == "right"));
  CHECK(std::as_const(graph).operands().size() == 4);
  graph.operands(a)[0].name = "changed";
  CHECK(std::as_const(graph).operands()[0].name == "changed");
}

TEST_CASE("ValueGraph: the part up to a value", "[core]") {
  Graph graph;
  graph.add("a", std::vector<Operand>{{0}});
  graph.add("b", std::vector<Operand>{{0}, {1}});
  const Graph part = graph.up_to(1), none = graph.up_to(0);
  CHECK((part.last() == 1 && part[1] == "a" && part.operands().size() == 1));
  CHECK((none.last() == 0 && none.operands().empty()));
}

TEST_CASE("ValueGraph: an operand that is no value yet is an error", "[core][error]") {
  Graph graph;
  CHECK(error_of([&] { graph.add("a", std::vector<Operand>{{1}}); }) == "no value 1 yet; there are 1");
  CHECK(error_of([&] { graph.add("a", std::vector<Operand>{{-1}}); }) == "no value -1 yet; there are 1");
  CHECK(graph.last() == 0);
}
