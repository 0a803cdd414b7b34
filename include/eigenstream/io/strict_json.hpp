#ifndef EIGENSTREAM_IO_STRICT_JSON_HPP
#define EIGENSTREAM_IO_STRICT_JSON_HPP

// One of the few headers that need more than Eigen: nlohmann-json.

#include <cstddef>            // size_t
#include <nlohmann/json.hpp>  // json
#include <set>                // keys seen
#include <string>             // string
#include <string_view>        // string_view
#include <vector>             // open objects

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

using json = nlohmann::json;

/// JSON text on one line, whatever the bytes; a long one is cut.
inline std::string in_quotes(const std::string& text) {
  constexpr std::size_t longest = 200;
  const std::string shown = text.size() <= longest ? text : text.substr(0, longest) + "...";
  return json(shown).dump(-1, ' ', false, json::error_handler_t::replace);
}

// Walks the JSON before anything is built from it, for what a parsed document no longer shows (a duplicate key) or
// must not grow to (deep nesting).
class JsonGuard final : public json::json_sax_t {
 public:
  JsonGuard(const std::string& where, const char* what, std::size_t deepest)
      : where_(where), what_(what), deepest_(deepest) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(json::number_integer_t) override { return true; }
  bool number_unsigned(json::number_unsigned_t) override { return true; }
  bool number_float(json::number_float_t, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool key(std::string& name) override {
    check(keys_.back().insert(name).second, where_, "duplicate key ", in_quotes(name), " in ", what_);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    fail(where_, what_, " is not valid JSON at its byte ", position);
  }

 private:
  bool enter() {
    check(keys_.size() < deepest_, where_, what_, " is nested more than ", deepest_, " deep");
    keys_.emplace_back();
    return true;
  }

  bool leave() {
    keys_.pop_back();
    return true;
  }

  const std::string& where_;
  const char* what_;
  std::size_t deepest_;
  std::vector<std::set<std::string>> keys_;  // of each object or array that is open
};

/// A JSON object from text that need not be trusted. `where` begins every message, `what` names the text.
/// Errors   Error if it is not one JSON object, has a key twice, or is nested deeper than `deepest`
inline json strict_json(std::string_view text, std::size_t deepest, const std::string& where, const char* what) {
  // The JSON parser would skip a byte order mark and take a NUL for the end.
  check(text.starts_with('{'), where, what, " does not begin with '{'");
  check(text.find('\0') == text.npos, where, what, " holds a NUL byte");
  JsonGuard guard(where, what, deepest);
  json::sax_parse(text, &guard);
  return json::parse(text, nullptr, false);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IO_STRICT_JSON_HPP
