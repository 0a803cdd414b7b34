#ifndef EIGENSTREAM_IMPORT_JSON_NODE_HPP
#define EIGENSTREAM_IMPORT_JSON_NODE_HPP

// Needs nlohmann-json, as safetensors.hpp does.

#include <cmath>             // isfinite
#include <cstdint>           // int64_t
#include <initializer_list>  // known keys
#include <optional>          // keys that may be missing
#include <string>            // places
#include <string_view>       // keys
#include <utility>           // move
#include <vector>            // numbers

#include "eigenstream/core/weights.hpp"
#include "eigenstream/io/strict_json.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// A value of a foreign JSON document and where it stands there: everything that is read through it is checked, and every
/// message begins with its place, such as "amp.nam": config.layers[0].channels.
/// Errors   Error from each call, if the value is not what is asked for
class JsonNode {
 public:
  JsonNode(const json& value, std::string place) : value_(&value), place_(std::move(place)) {}

  const json& value() const noexcept { return *value_; }
  const std::string& place() const noexcept { return place_; }
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    eigenstream::fail(place_, is_root() ? "" : ": ", parts...);
  }
  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    if (!ok) fail(parts...);
  }

  /// What stands under a key; nothing where there is none, or null.
  std::optional<JsonNode> find(std::string_view key) const {
    check(value_->is_object(), shown(), " is not an object");
    const auto found = value_->find(std::string(key));
    if (found == value_->end() || found->is_null()) return std::nullopt;
    return JsonNode(*found, inside(key));
  }
  JsonNode operator[](std::string_view key) const {
    const auto found = find(key);
    check(found.has_value(), "has no ", key);
    return *found;
  }
  /// Error if there is any other key: what it says would change nothing.
  void expect_only(std::initializer_list<std::string_view> known) const {
    check(value_->is_object(), shown(), " is not an object");
    for (const auto& item : value_->items()) {
      bool found = false;
      for (const std::string_view key : known) found = found || item.key() == key;
      check(found, "unknown key ", in_quotes(item.key()));
    }
  }

  bool is_array() const noexcept { return value_->is_array(); }
  std::size_t size() const {
    check(value_->is_array(), shown(), " is not a list");
    return value_->size();
  }
  JsonNode operator[](std::size_t k) const {
    check(k < size(), "has ", size(), " items, expected more");
    return JsonNode((*value_)[k], place_ + "[" + std::to_string(k) + "]");
  }

  Index integer(Index least, Index most) const {
    check(value_->is_number_integer(), shown(), " is not an integer");
    const bool huge = value_->is_number_unsigned() && value_->get<std::uint64_t>() >> 63 != 0;
    const std::int64_t number = huge ? 0 : value_->get<std::int64_t>();
    check(!huge && number >= least && number <= most, shown(), ", must be from ", least, " to ", most);
    return static_cast<Index>(number);
  }
  /// Within the range of float.
  double number() const {
    check(value_->is_number(), shown(), " is not a number");
    const double number = value_->get<double>();
    check(std::isfinite(static_cast<float>(number)), shown(), " is beyond the range of float");
    return number;
  }
  bool boolean() const {
    check(value_->is_boolean(), shown(), " is not true or false");
    return value_->get<bool>();
  }
  std::string text() const {
    check(value_->is_string(), shown(), " is not a text");
    return value_->get<std::string>();
  }

  Index integer_or(std::string_view key, Index otherwise, Index least, Index most) const {
    const auto found = find(key);
    return found ? found->integer(least, most) : otherwise;
  }
  double number_or(std::string_view key, double otherwise) const {
    const auto found = find(key);
    return found ? found->number() : otherwise;
  }
  bool boolean_or(std::string_view key, bool otherwise) const {
    const auto found = find(key);
    return found ? found->boolean() : otherwise;
  }

  /// A flat list of numbers.
  std::vector<float> numbers() const {
    std::vector<float> all;
    all.reserve(size());
    for (std::size_t k = 0; k < size(); ++k) {
      const json& each = (*value_)[k];
      if (!each.is_number() || !std::isfinite(static_cast<float>(each.get<double>()))) (void)(*this)[k].number();  // says why
      all.push_back(static_cast<float>(each.get<double>()));
    }
    return all;
  }
  /// Lists of lists of the given shape, the last index the fastest.
  Weights<float> tensor(const std::vector<Index>& shape) const {
    Weights<float> all;
    all.shape = shape;
    append_to(all, 0);
    return all;
  }

 private:
  std::string inside(std::string_view key) const {
    std::string all = place_;
    return all.append(is_root() ? "" : ".").append(key);
  }
  // What stands before the place in the document ends like this.
  bool is_root() const noexcept { return place_.empty() || place_.ends_with(": "); }
  std::string shown() const {
    constexpr std::size_t longest = 60;
    if (value_->is_structured()) return value_->is_array() ? "a list" : "an object";
    const std::string text = value_->dump(-1, ' ', false, json::error_handler_t::replace);
    return text.size() <= longest ? text : text.substr(0, longest) + "...";
  }
  void append_to(Weights<float>& all, std::size_t axis) const {
    const Index extent = all.shape[axis];
    check(static_cast<Index>(size()) == extent, "has ", size(), " items, expected ", extent, " of a tensor ", all.shape_text());
    if (axis + 1 == all.shape.size()) {
      const std::vector<float> row = numbers();
      all.values.insert(all.values.end(), row.begin(), row.end());
    } else {
      for (std::size_t k = 0; k < size(); ++k) (*this)[k].append_to(all, axis + 1);
    }
  }

  const json* value_;
  std::string place_;
};

/// A sample rate as metadata have it; of one that is unknown, 0 or less, what players take, 48 kHz.
inline std::string sample_rate_text(double rate_hz) {
  if (!(rate_hz > 0)) return "48000";
  if (rate_hz == std::floor(rate_hz) && rate_hz < 1e9) return std::to_string(static_cast<std::int64_t>(rate_hz));
  return json(rate_hz).dump();
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_JSON_NODE_HPP
