#include "eigenstream/draw/glyphs.hpp"

#include <set>
#include <string>

#include "support/catch.hpp"

namespace es = eigenstream;

TEST_CASE("code_points: UTF-8 becomes characters", "[draw]") {
  CHECK(es::code_points("").empty());
  CHECK(es::code_points("aZ~ 0") == U"aZ~ 0");
  CHECK(es::code_points("\xc3\xbc\xe2\x82\xac\xf0\x9f\x99\x82") == U"\u00fc\u20ac\U0001f642");
}

TEST_CASE("code_points: what is no character is replaced", "[draw]") {
  const auto [bytes, expected] = GENERATE(table<std::string, std::u32string>({
      {"a\tb\x7f", U"a\ufffdb\ufffd"},  // controls
      {"\x1b[31m", U"\ufffd[31m"},      // what a terminal would obey
      {"\xc2\x9b", U"\ufffd"},          // the same, in one character
      {"\x80"
       "a",
       U"\ufffd"
       U"a"},               // a continuation of nothing
      {"\xff", U"\ufffd"},  //
      {"\xc3", U"\ufffd"},  // cut off
      {"\xe2\x82"
       "a",
       U"\ufffd"
       U"a"},                           //
      {"\xc0\xaf", U"\ufffd"},          // longer than needed
      {"\xed\xa0\x80", U"\ufffd"},      // half of a pair
      {"\xef\xbf\xbf", U"\ufffd"},      // no character in XML
      {"\xf4\x90\x80\x80", U"\ufffd"},  // beyond the last
  }));
  CHECK(es::code_points(bytes) == expected);
  CHECK(es::code_points(std::string(1, '\0')) == U"\ufffd");
}

TEST_CASE("glyph_of: every character of ASCII looks different", "[draw]") {
  std::set<es::Glyph> seen;
  for (char32_t character = U' '; character < 0x7f; ++character) {
    const es::Glyph& glyph = es::glyph_of(character);
    for (const std::uint8_t row : glyph) CHECK(row < 32);
    CHECK(seen.insert(glyph).second);
  }
  CHECK(es::glyph_of(U'\u20ac') == es::glyph_of(0x7f));
  CHECK(seen.count(es::glyph_of(U'\u20ac')) == 0);
  CHECK(es::glyph_of(U' ') == es::Glyph{});
}

TEST_CASE("width_in_dots: one column between characters", "[draw]") {
  CHECK(es::width_in_dots(U"") == 0);
  CHECK(es::width_in_dots(U"A") == 5);
  CHECK(es::width_in_dots(U"l") == 1);
  CHECK(es::width_in_dots(U"Al") == 7);
  CHECK(es::width_in_dots(U"A l") == 5 + 1 + 3 + 1 + 1);
  for (char32_t character = U'!'; character < 0x80; ++character) {
    const es::GlyphColumns columns = es::columns_of(es::glyph_of(character));
    CHECK(0 <= columns.first);
    CHECK(columns.first < columns.end);
    CHECK(columns.end <= 5);
  }
}
