#include "eigenstream/import/graph_description.hpp"

#include "eigenstream/network/builtin_registry.hpp"
#include "support/catch.hpp"

namespace es = eigenstream;
using es::detail::GraphDescription;

TEST_CASE("GraphDescription: what it describes can be built", "[import]") {
  GraphDescription graph(2);
  const auto deep = graph.conv("a", graph.input(), {{4, 1, 3}, std::vector<float>(12, 0.5f)}, {{4}, {1, 2, 3, 4}}, 5, 2);
  const auto flat = graph.conv("b", graph.input(), {{4, 2, 1}, std::vector<float>(8, 0.25f)}, {});
  const auto bent = graph.add("LeakyReLU", "c", deep, {{"negative_slope", 0.1}});
  CHECK(graph.join("sum", "d", {bent, flat}) == 4);
  const es::ModuleSpec network = std::move(graph).network();
  const es::WeightMap weights = std::move(graph).weights();
  CHECK(weights.size() == 3);
  const es::Module module = es::builtin_registry().create(network, weights);
  CHECK(module.layer.facts({.channels = 2}).out.channels == 4);
  CHECK(module.layer.facts({.channels = 2}).parameters == 12 + 4 + 8);
  CHECK(module.layer.timing().receptive_field() == 11);
  CHECK(module.layer.timing().delay() == 0);
}
