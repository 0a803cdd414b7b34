#include "eigenstream/core/check.hpp"

#include <ostream>
#include <string>

#include "support/catch.hpp"

namespace es = eigenstream;

TEST_CASE("check: throws an Error with the parts as its message, only when needed", "[core][error]") {
  CHECK_NOTHROW(es::check(true, "never"));
  try {
    es::check(false, "Layer: ", 3, " channels, not ", 2.5);
    FAIL("nothing was thrown");
  } catch (const es::Error& error) {
    CHECK(std::string(error.what()) == "Layer: 3 channels, not 2.5");
  }
  CHECK_THROWS_AS(es::fail("always"), std::runtime_error);
  CHECK_THROWS_AS(es::fail(), es::Error);
}

namespace {
struct Part {
  bool* spoke;
  friend std::ostream& operator<<(std::ostream& out, const Part& part) {
    *part.spoke = true;
    return out << "part";
  }
};
}  // namespace

TEST_CASE("check: formats the parts on failure only", "[core]") {
  bool spoke = false;
  es::check(true, Part{&spoke});
  CHECK_FALSE(spoke);
  CHECK_THROWS_AS(es::check(false, Part{&spoke}), es::Error);
  CHECK(spoke);
}
