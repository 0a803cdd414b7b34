#include "eigenstream/import/json_node.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using es::detail::JsonNode;
using support::error_of;

namespace {
struct Document {
  explicit Document(const std::string& text) : value(es::detail::strict_json(text, 10, "", "the text")) {}
  JsonNode root() const { return JsonNode(value, "file: "); }
  es::detail::json value;
};
}  // namespace

TEST_CASE("JsonNode: reads what is there", "[import]") {
  const Document text(R"({"n": 3, "x": -0.5, "t": true, "s": "a", "none": null, "in": {"list": [[1, 2], [3, 4.5], [5, 6]]}})");
  const JsonNode root = text.root();
  CHECK(root["n"].integer(3, 3) == 3);
  CHECK(root["n"].number() == 3.0);
  CHECK(root["x"].number() == -0.5);
  CHECK(root["t"].boolean());
  CHECK(root["s"].text() == "a");
  CHECK_FALSE(root.find("none").has_value());
  CHECK_FALSE(root.find("other").has_value());
  CHECK(root.integer_or("none", 7, 0, 1) == 7);
  CHECK(root.number_or("other", 7.5) == 7.5);
  CHECK(root.boolean_or("t", false));
  CHECK(root["in"]["list"].size() == 3);
  CHECK(root["in"]["list"][std::size_t{1}].numbers() == std::vector<float>{3, 4.5});
  CHECK(root["in"]["list"].tensor({3, 2}).values == std::vector<float>{1, 2, 3, 4.5, 5, 6});
  CHECK_NOTHROW(root.expect_only({"n", "x", "t", "s", "none", "in"}));
}

TEST_CASE("JsonNode: errors name the place", "[import]") {
  const Document text(R"({"n": 3, "x": 1e300, "s": "a\n", "big": 18446744073709551615, "in": {"list": [[1, 2], [3], "no"]}})");
  const JsonNode root = text.root();
  const JsonNode list = root["in"]["list"];
  CHECK(error_of([&] { (void)root["y"]; }) == "file: has no y");
  CHECK(error_of([&] { (void)root["in"]["y"]; }) == "file: in: has no y");
  CHECK(error_of([&] { (void)root["n"].integer(4, 9); }) == "file: n: 3, must be from 4 to 9");
  CHECK(error_of([&] { (void)root["big"].integer(4, 9); }) == "file: big: 18446744073709551615, must be from 4 to 9");
  CHECK(error_of([&] { (void)root["s"].integer(4, 9); }) == "file: s: \"a\\n\" is not an integer");
  CHECK(error_of([&] { (void)root["n"].text(); }) == "file: n: 3 is not a text");
  CHECK(error_of([&] { (void)root["n"].boolean(); }) == "file: n: 3 is not true or false");
  CHECK(error_of([&] { (void)root["x"].number(); }) == "file: x: 1e+300 is beyond the range of float");
  CHECK(error_of([&] { (void)root["in"].number(); }) == "file: in: an object is not a number");
  CHECK(error_of([&] { (void)root["n"].size(); }) == "file: n: 3 is not a list");
  CHECK(error_of([&] { (void)root["n"]["x"]; }) == "file: n: 3 is not an object");
  CHECK(error_of([&] { (void)list[std::size_t{3}]; }) == "file: in.list: has 3 items, expected more");
  CHECK(error_of([&] { (void)list[std::size_t{2}].numbers(); }) == "file: in.list[2]: \"no\" is not a list");
  CHECK(error_of([&] { (void)list.numbers(); }) == "file: in.list[0]: a list is not a number");
  CHECK(error_of([&] { (void)list.tensor({3, 2}); }) == "file: in.list[1]: has 1 items, expected 2 of a tensor (3,2)");
  CHECK(error_of([&] { (void)list.tensor({2, 2}); }) == "file: in.list: has 3 items, expected 2 of a tensor (2,2)");
  CHECK(error_of([&] { root.expect_only({"n", "x", "s", "in"}); }) == "file: unknown key \"big\"");
}

TEST_CASE("JsonNode: sample rates for metadata", "[import]") {
  CHECK(es::detail::sample_rate_text(44100) == "44100");
  CHECK(es::detail::sample_rate_text(44100.5) == "44100.5");
  CHECK(es::detail::sample_rate_text(0) == "48000");
  CHECK(es::detail::sample_rate_text(-1) == "48000");
}
