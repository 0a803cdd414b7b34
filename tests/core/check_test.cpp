#include "eigenstream/core/check.hpp"

#include <string>
#include <string_view>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using support::caught;

TEST_CASE("check: reports an Error with the parts as its message, only when needed", "[core][error]") {
  CHECK_FALSE(caught([] { es::check(true, "never"); }));
  CHECK(caught([] { es::check(false, "Layer: ", 3, " channels, not ", 2.5); }) == "Layer: 3 channels, not 2.5");
  CHECK(caught([] {
          es::fail('a', std::string("b"), std::string_view("c"), true, -7L, 1e-20, 1234567.0f, std::size_t{8});
        }) == "abc1-71e-201.23457e+068");  // as a stream would write them
  CHECK(caught([] { es::fail(); }) == "");
#if EIGENSTREAM_EXCEPTIONS
  CHECK_THROWS_AS(es::fail("always"), std::runtime_error);
#endif
}

namespace {
struct SpokenPart {
  bool* spoke;
  operator std::string_view() const {
    *spoke = true;
    return "part";
  }
};
}  // namespace

TEST_CASE("check: formats the parts on failure only", "[core]") {
  bool spoke = false;
  es::check(true, SpokenPart{&spoke});
  CHECK_FALSE(spoke);
  CHECK(caught([&] { es::check(false, SpokenPart{&spoke}); }) == "part");
  CHECK(spoke);
}
