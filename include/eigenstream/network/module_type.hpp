#ifndef EIGENSTREAM_NETWORK_MODULE_TYPE_HPP
#define EIGENSTREAM_NETWORK_MODULE_TYPE_HPP

#include <functional>   // factories
#include <limits>       // numbers without a limit
#include <span>         // choices
#include <string>       // names
#include <string_view>  // texts
#include <variant>      // defaults
#include <vector>       // fields, tensors

#include "eigenstream/core/layer.hpp"  // Space
#include "eigenstream/network/module.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Limits on what a description may ask for, checked before anything is allocated.
inline constexpr Index max_extent = Index{1} << 20;         ///< channels, taps, strides, dilations, paddings
inline constexpr Index max_reach = Index{1} << 24;          ///< frames from a layer's first tap to its last
inline constexpr Index max_packed_weights = Index{1} << 28;  ///< numbers in a layer's packed weights
inline constexpr Index max_window = Index{1} << 26;          ///< numbers in a window

/// That a field must be given; that it need not be, and nothing takes its place.
struct Required {};
struct Absent {};
inline constexpr Required required{};
inline constexpr Absent absent{};

/// What a field holds. A padding is one integer for both sides or [left, right]; a node is a module.
enum class FieldKind { integer, number, boolean, text, integers, texts, padding, node, nodes };
inline constexpr std::string_view field_kind_names[] = {"integer",  "number",  "boolean", "text",
                                                        "integers", "texts",   "padding", "node",    "nodes"};

/// A field of a module type: its kind, what it is where it is not given, its range, and what it means. Made by the functions
/// below, one for each kind. Texts are literals, or outlive the registry.
struct ModuleField {
  /// An integer's may be a text, too: a product or quotient of other fields, as of `evaluate`.
  using Default = std::variant<Required, Absent, bool, Index, double, std::string_view>;
  static constexpr double endless = std::numeric_limits<double>::infinity();

  std::string_view name;
  FieldKind kind;
  Default otherwise;
  std::string_view meaning;
  double lowest = -endless, highest = endless;  ///< of a number, an integer, and each of several
  std::span<const std::string_view> choices{};  ///< of a text
  int axes = 0;  ///< of integers: how many, or one that stands for all; 0: any number

  static constexpr ModuleField integer(std::string_view name, Default otherwise, std::string_view meaning, Index lowest = 1,
                                       Index highest = max_extent) {
    return {name, FieldKind::integer, otherwise, meaning, static_cast<double>(lowest), static_cast<double>(highest)};
  }
  static constexpr ModuleField number(std::string_view name, Default otherwise, std::string_view meaning,
                                      double lowest = -endless, double highest = endless) {
    const Index* const whole = std::get_if<Index>(&otherwise);
    return {name,   FieldKind::number, whole == nullptr ? otherwise : Default(static_cast<double>(*whole)), meaning, lowest,
            highest};
  }
  static constexpr ModuleField boolean(std::string_view name, Default otherwise, std::string_view meaning) {
    return {name, FieldKind::boolean, otherwise, meaning};
  }
  static constexpr ModuleField text(std::string_view name, Default otherwise, std::string_view meaning,
                                    std::span<const std::string_view> choices) {
    return {name, FieldKind::text, otherwise, meaning, -endless, endless, choices};
  }
  static constexpr ModuleField integers(std::string_view name, std::string_view meaning, Index lowest = 1,
                                        Index highest = max_extent) {
    return {name, FieldKind::integers, absent, meaning, static_cast<double>(lowest), static_cast<double>(highest)};
  }
  /// An integer for each axis, time first, or one for all; by default one, or as another field. Of 0 axes: any number of them.
  static constexpr ModuleField per_axis(std::string_view name, int axes, Default otherwise, std::string_view meaning,
                                        Index lowest = 1, Index highest = max_extent) {
    return {name, FieldKind::integers, otherwise, meaning, static_cast<double>(lowest), static_cast<double>(highest), {}, axes};
  }
  static constexpr ModuleField texts(std::string_view name, std::string_view meaning) {
    return {name, FieldKind::texts, absent, meaning};
  }
  static constexpr ModuleField padding(std::string_view name, std::string_view meaning) {
    return {name, FieldKind::padding, Index{0}, meaning, 0, static_cast<double>(max_extent)};
  }
  static constexpr ModuleField node(std::string_view name, std::string_view meaning) {
    return {name, FieldKind::node, required, meaning};
  }
  static constexpr ModuleField nodes(std::string_view name, std::string_view meaning) {
    return {name, FieldKind::nodes, required, meaning};
  }

  constexpr bool is_required() const noexcept { return std::holds_alternative<Required>(otherwise); }
};

/// What a token of a formula stands for: a field, or the value that a field has for an axis, "kernel_size[1]".
struct FieldAxis {
  std::string_view field;
  int axis = -1;  ///< -1: the field has one value
  constexpr explicit FieldAxis(std::string_view token) : field(token.substr(0, token.find('['))) {
    if (field.size() < token.size()) axis = token[field.size() + 1] - '0';
  }
};

/// A tensor of a module type.
struct ModuleTensor {
  std::string_view name;   ///< "weight"; with "<k>" in it, it begins like this and the factory gives the shapes
  std::string_view shape;  ///< "out_channels, in_channels / groups": an `evaluate` for each extent
  std::string_view when;   ///< the field that must be true, not 0, or given; "" if it is always there
  std::string_view meaning{};

  /// Whether it is the one of that name, or one of those.
  constexpr bool names(std::string_view given) const noexcept {
    const std::size_t end = name.find('<');
    return end == name.npos ? given == name : given.starts_with(name.substr(0, end));
  }
  std::vector<std::string_view> extents() const {
    std::vector<std::string_view> all;
    for (std::size_t at = 0, end = 0; end != shape.npos; at = end + 2) {
      end = shape.find(", ", at);
      all.push_back(shape.substr(at, end == shape.npos ? end : end - at));
    }
    return all;
  }
};

/// The value of "12", "channels", "in_channels / groups" or "2 * channels / groups": integers and fields with * and / between
/// them, a blank on either side, from left to right. `value_of(name)` gives a field's; see FieldAxis.
template <class ValueOf>
constexpr Index evaluate(std::string_view formula, ValueOf&& value_of) {
  Index value = 1;
  bool divide = false;
  for (std::size_t at = 0; at < formula.size();) {
    const std::string_view token = formula.substr(at, formula.find(' ', at) - at);
    at += token.size() + 1;
    if (token == "*" || token == "/") {
      divide = token == "/";
      continue;
    }
    Index operand = 0;
    if (token.find_first_not_of("0123456789") == token.npos)
      for (const char digit : token) operand = 10 * operand + (digit - '0');
    else
      operand = value_of(token);
    value = divide ? value / operand : value * operand;
  }
  return value;
}

class ModuleReader;

/// What a model file may say of modules of one type, and what builds them. Whatever speaks of types goes by it: the registry
/// reads files by it, the tool prints it, docs/types.md and the exporter's types.json are made of it.
struct ModuleType {
  /// Reads a module's description and weights and builds the layer; `in` is the shape of the frames that will come, with 0
  /// for what is not known. Inside a Windowed, a layer that goes over time is run along the window by itself.
  using Factory = std::function<Built(ModuleReader& reader, const FrameShape& in)>;

  std::string name;
  std::string_view torch{};    ///< what it is there: "torch.nn.Conv1d"; "" if there is nothing like it
  std::string_view group{};    ///< the heading that it stands under
  std::string_view summary{};  ///< one line
  std::string_view formula{};  ///< what comes out, in as many lines as it takes
  std::string_view notes{};    ///< what else there is to know
  std::vector<ModuleField> fields{};
  std::vector<ModuleTensor> tensors{};
  Space space = Space::none;  ///< what its layers have to do with space axes, if their type alone does not say
  Factory build{};

  /// Whether it says what it is. A factory that was added alone may read whatever it likes.
  bool described() const noexcept { return !summary.empty(); }
  const ModuleField* field(std::string_view wanted) const noexcept {
    for (const ModuleField& each : fields)
      if (each.name == wanted) return &each;
    return nullptr;
  }
  const ModuleTensor* tensor(std::string_view wanted) const noexcept {
    for (const ModuleTensor& each : tensors)
      if (each.names(wanted)) return &each;
    return nullptr;
  }
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_MODULE_TYPE_HPP
