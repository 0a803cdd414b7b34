#include "eigenstream/network/module.hpp"

#include <utility>

#include "eigenstream/layer/pointwise.hpp"
#include "support/catch.hpp"

namespace es = eigenstream;

TEST_CASE("Built: a layer, and the modules inside it", "[network]") {
  const es::Built leaf(es::Tanh<float>{});
  CHECK(leaf.children.empty());
  CHECK(leaf.layer.as<es::Tanh<float>>() != nullptr);
  es::Module child{"Tanh", "net.0", leaf.layer, {}};
  const es::AnySequential<float> row({child.layer});  // before the child is moved
  const es::Built container(row, {std::move(child)});
  REQUIRE(container.children.size() == 1);
  CHECK(container.children.front().path == "net.0");
}
