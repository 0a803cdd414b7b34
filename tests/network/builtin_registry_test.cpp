#include "eigenstream/network/builtin_registry.hpp"

#include <fstream>
#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;

TEST_CASE("builtin_registry: knows the types that are documented", "[network]") {
  const es::Registry registry = es::builtin_registry();
  std::ifstream page(EIGENSTREAM_SOURCE_DIR "/docs/model-file.md");
  REQUIRE(page.good());
  std::string line;
  int types = 0;
  // A line that begins with **Name** - describes a type. What runs over windows only is not built over a stream.
  while (std::getline(page, line)) {
    if (!line.starts_with("**")) continue;
    const std::size_t end = line.find("**", 2);
    if (end == std::string::npos || !line.substr(end + 2).starts_with(" - ")) continue;
    const std::string type = line.substr(2, end - 2);
    INFO(type);
    ++types;
    if (type == "Reduce") continue;  // a node of a Graph
    const std::string message = support::error_of([&] { registry.create({type, "x", {}, {}}, {}); });
    CHECK(message.find("unknown module type") == std::string::npos);
    CHECK(registry.contains(type) == (message.find("runs over whole windows only") == std::string::npos));
  }
  CHECK(types > 15);
}

TEST_CASE("builtin_registry: a type that nobody knows is named", "[network][error]") {
  CHECK(support::error_of([] { es::builtin_registry().create({"Conv7d", "a.b", {}, {}}, {}); }) ==
        "module \"a.b\" (Conv7d): unknown module type");
}
