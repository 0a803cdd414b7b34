#include "eigenstream/io/strict_json.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;

namespace {
std::string error_in(const std::string& text, std::size_t deepest = 3) {
  return support::error_of([&] { es::detail::strict_json(text, deepest, "here: ", "the text"); });
}
}  // namespace

TEST_CASE("strict_json: takes one object and nothing else", "[io]") {
  CHECK(es::detail::strict_json(R"({"a": [1, 2]})", 2, "", "the text")["a"][1] == 2);
  CHECK(error_in("{}").empty());
  CHECK(error_in("{} ").empty());
  CHECK(error_in("").find("does not begin") != std::string::npos);
  CHECK(error_in("[]").find("here: the text does not begin") == 0);
  CHECK(error_in(" {}").find("does not begin") != std::string::npos);
  CHECK(error_in("{} {}").find("not valid JSON") != std::string::npos);
  CHECK(error_in(R"({"a": 1,})").find("not valid JSON") != std::string::npos);
  CHECK(error_in(std::string("{}\0", 3)).find("NUL") != std::string::npos);
  CHECK(error_in(R"({"a": 1, "b": {"a": 2}})").empty());
  CHECK(error_in(R"({"a": 1, "a": 2})").find("duplicate key \"a\"") != std::string::npos);
  CHECK(error_in(R"({"a": [[1]]})").empty());
  CHECK(error_in(R"({"a": [[[1]]]})").find("nested more than 3 deep") != std::string::npos);
}

TEST_CASE("strict_json: quoted text stays on one line", "[io]") {
  CHECK(es::detail::in_quotes("a\nb\"c") == R"("a\nb\"c")");
  CHECK(es::detail::in_quotes(std::string(300, 'x')).size() == 205);
  CHECK(es::detail::in_quotes("\xff").front() == '"');
}
