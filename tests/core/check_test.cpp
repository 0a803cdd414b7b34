#include "eigenstream/core/check.hpp"

#include <string>
#include <string_view>

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
  try {
    es::fail('a', std::string("b"), std::string_view("c"), true, -7L, 1e-20, 1234567.0f, std::size_t{8});
  } catch (const es::Error& error) {
    CHECK(std::string(error.what()) == "abc1-71e-201.23457e+068");  // as a stream would write them
  }
  CHECK_THROWS_AS(es::fail("always"), std::runtime_error);
  CHECK_THROWS_AS(es::fail(), es::Error);
}

namespace {
struct Part {
  bool* spoke;
  operator std::string_view() const {
    *spoke = true;
    return "part";
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
