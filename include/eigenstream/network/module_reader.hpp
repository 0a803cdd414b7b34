#ifndef EIGENSTREAM_NETWORK_MODULE_READER_HPP
#define EIGENSTREAM_NETWORK_MODULE_READER_HPP

#include <cmath>     // isfinite, sqrt
#include <map>       // weights
#include <optional>  // defaults
#include <set>       // what was used
#include <span>      // choices
#include <string>    // names
#include <vector>    // modules

#include "eigenstream/core/description.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/per_axis.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/reduce.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/network/module_type.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A frame of which nothing is known yet: 0 stands for what is unknown.
inline constexpr FrameShape unknown_frame{0, 0, 0, 1};
/// What a layer makes of frames of which not all need be known; channels that it asks for are known then, and a width and
/// height as Input has them.
inline FrameShape out_of_layer(const AnyLayer<float>& layer, FrameShape& in) {
  const FrameShape wanted = layer.wanted();
  if (in.channels == 0) in.channels = wanted.channels;
  const bool open = !in.has_space() || in.width == 0 || in.height == 0;
  if (open && wanted.width > 0 && wanted.height > 0) in.width = wanted.width, in.height = wanted.height;
  if (in.size() > 0) return layer.facts(in).out;
  return layer.in_place() && layer.keeps_channels() ? in : unknown_frame;
}

class Registry;

/// What a factory is given: one module of a model file, the weights, and a record of what has been read, so that whatever is
/// left over is an error. Defaults, ranges and shapes are those of the type's description: r.integer("stride"),
/// r.weight("bias"). The factory of a type that has none says them itself: r.integer("stride", 1), r.weight("bias", {3}).
/// Errors   Error naming the module, for what is wrong with it; and for a field or tensor that the description does not have,
///          which is a mistake in the factory
class ModuleReader {
 public:
  ModuleReader(const Registry& registry, const ModuleType* type, const ModuleSpec& spec, const WeightMap& weights,
               std::set<std::string>& used_weights, PaddingPolicy policy, bool in_window)
      : registry_(registry),
        type_(type != nullptr && type->described() ? type : nullptr),
        spec_(spec),
        weights_(weights),
        used_weights_(used_weights),
        policy_(policy),
        in_window_(in_window) {}

  const ModuleSpec& spec() const noexcept { return spec_; }
  /// Whether the module is inside a Windowed: what it does over time elsewhere, it does there along the window.
  bool in_window() const noexcept { return in_window_; }
  /// Whether layers are built with the padding that they have over time.
  bool pads() const noexcept { return policy_ == PaddingPolicy::exact; }
  /// How errors call the module.
  std::string name() const { return "module \"" + spec_.path + "\" (" + spec_.type + ")"; }

  /// Reports an Error that names the module.
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    eigenstream::fail(name(), ": ", parts...);
  }
  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    if (!ok) fail(parts...);
  }

  /// An integer; Dynamic if it is absent and may be. Of a type without a description: one that must be given, from 1 on.
  Index integer(const std::string& name) {
    const ModuleField* own = described(name, FieldKind::integer);
    if (own == nullptr) return integer(name, std::nullopt);
    std::optional<Index> otherwise;
    if (const auto* whole = std::get_if<Index>(&own->otherwise)) otherwise = *whole;
    if (const auto* formula = std::get_if<std::string_view>(&own->otherwise)) otherwise = extent(*formula);
    if (std::holds_alternative<Absent>(own->otherwise)) otherwise = Dynamic;
    return integer(name, otherwise, static_cast<Index>(own->lowest), static_cast<Index>(own->highest));
  }
  /// An integer in [least, most]; required if there is no default.
  Index integer(const std::string& name, std::optional<Index> otherwise, Index least = 1, Index most = max_extent) {
    const ModuleSpec::Value* value = field(name, otherwise.has_value());
    if (value == nullptr) return *otherwise;
    const auto* number = std::get_if<std::int64_t>(value);
    check(number != nullptr, name, " is not an integer");
    check(*number >= least && *number <= most, name, " = ", *number, ", must be from ", least, " to ", most);
    return static_cast<Index>(*number);
  }
  bool boolean(const std::string& name) { return boolean(name, default_of<bool>(name, FieldKind::boolean)); }
  bool boolean(const std::string& name, std::optional<bool> otherwise) {
    const ModuleSpec::Value* value = field(name, otherwise.has_value());
    if (value == nullptr) return *otherwise;
    const auto* truth = std::get_if<bool>(value);
    check(truth != nullptr, name, " is not true or false");
    return *truth;
  }
  /// A finite number. Of a type without a description: one that must be given.
  float number(const std::string& name) {
    const auto value = static_cast<float>(number_in_double(name));
    check(std::isfinite(value), name, " is not a finite number");
    return value;
  }
  double number_in_double(const std::string& name) {
    const double value = number_in_double(name, default_of<double>(name, FieldKind::number));
    if (type_ == nullptr) return value;
    const ModuleField& own = *type_->field(name);
    check(value >= own.lowest, name, " = ", value, ", must be at least ", own.lowest);
    check(value <= own.highest, name, " = ", value, ", must be at most ", own.highest);
    return value;
  }
  /// A finite number; required if there is no default.
  float number(const std::string& name, std::optional<double> otherwise) {
    const float value = static_cast<float>(number_in_double(name, otherwise));
    check(std::isfinite(value), name, " is not a finite number");
    return value;
  }
  double number_in_double(const std::string& name, std::optional<double> otherwise) {
    const ModuleSpec::Value* value = field(name, otherwise.has_value());
    if (value == nullptr) return *otherwise;
    const auto* real = std::get_if<double>(value);
    const auto* whole = std::get_if<std::int64_t>(value);
    check(real != nullptr || whole != nullptr, name, " is not a number");
    const double result = real != nullptr ? *real : static_cast<double>(*whole);
    check(std::isfinite(result), name, " is not a finite number");
    return result;
  }
  /// A text, one of the choices that the description has.
  std::string text(const std::string& name) {
    const auto otherwise = default_of<std::string_view>(name, FieldKind::text);
    if (type_ == nullptr) return text(name, std::nullopt);
    const std::span<const std::string_view> choices = type_->field(name)->choices;
    return std::string(choices[static_cast<std::size_t>(choice(name, choices, otherwise))]);
  }
  std::string text(const std::string& name, std::optional<std::string> otherwise) {
    const ModuleSpec::Value* value = field(name, otherwise.has_value());
    if (value == nullptr) return *otherwise;
    const auto* string = std::get_if<std::string>(value);
    check(string != nullptr, name, " is not a text");
    return *string;
  }
  /// The number of a text among some that it may be; required if there is no default.
  Index choice(const std::string& name, std::span<const std::string_view> choices, std::optional<std::string_view> otherwise) {
    const std::string given = text(name, otherwise ? std::optional(std::string(*otherwise)) : std::nullopt);
    std::string all;
    for (std::size_t k = 0; k < choices.size(); ++k) {
      if (given == choices[k]) return static_cast<Index>(k);
      all.append(k == 0 ? "\"" : k + 1 < choices.size() ? ", \"" : " or \"").append(choices[k]) += '"';
    }
    fail(name, " = \"", given, "\", must be ", all);
  }
  /// One integer for both sides, or [left, right].
  Padding padding(const std::string& name) {
    described(name, FieldKind::padding);
    const ModuleSpec::Value* value = field(name, true);
    if (value == nullptr) return {};
    if (const auto* both = std::get_if<std::vector<std::int64_t>>(value)) {
      check(both->size() == 2, name, " has ", both->size(), " numbers, expected one or [left, right]");
      for (std::int64_t side : *both)
        check(side >= 0 && side <= max_extent, name, " = ", side, ", must be from 0 to ", max_extent);
      return {static_cast<Index>((*both)[0]), static_cast<Index>((*both)[1])};
    }
    return integer(name, 0, 0);
  }
  /// One of the names that PaddingMode has in a model file.
  PaddingMode padding_mode(const std::string& name) {
    return static_cast<PaddingMode>(choice(name, padding_mode_names, default_of<std::string_view>(name, FieldKind::text)));
  }
  PaddingMode padding_mode(const std::string& name, PaddingMode otherwise) {
    return static_cast<PaddingMode>(choice(name, padding_mode_names, padding_mode_names[static_cast<int>(otherwise)]));
  }
  /// How operands of different length are aligned; along a window, always centred.
  Alignment alignment(const std::string& name) {
    const auto given = static_cast<Alignment>(choice(name, alignment_names, alignment_names[0]));
    check(!in_window_ || given == Alignment::centred, name, ": along a window, operands are centred");
    return given;
  }
  /// How values are joined.
  Reduce reduce(const std::string& name) { return static_cast<Reduce>(choice(name, reduce_names, std::nullopt)); }
  /// A list of integers. Of a described type, none where it is absent; of another, it must be given.
  std::vector<Index> values(const std::string& name) {
    const ModuleField* own = described(name, FieldKind::integers);
    const ModuleSpec::Value* value = field(name, own != nullptr && !own->is_required());
    if (value == nullptr) return {};
    const auto* given = std::get_if<std::vector<std::int64_t>>(value);
    check(given != nullptr, name, " is not a list of integers");
    for (const std::int64_t each : *given)
      check(own == nullptr || (static_cast<double>(each) >= own->lowest && static_cast<double>(each) <= own->highest), name,
            " holds ", each, ", must be from ", own == nullptr ? 0 : static_cast<std::int64_t>(own->lowest), " to ",
            own == nullptr ? 0 : static_cast<std::int64_t>(own->highest));
    return {given->begin(), given->end()};
  }

  /// An integer for each axis, time first; one may stand for all.
  template <int Axes>
  PerAxis<Index, Axes> per_axis(const std::string& name) {
    const std::vector<Index> given = axes(name);
    check(given.size() == 1 || given.size() == Axes, name, " has ", given.size(), " numbers, expected one or ", Axes,
          ", for time and space");
    return std::span<const Index>(given);
  }
  /// The same for paddings, of which both sides of each axis may be given, too: [left, right, left, right].
  template <int Axes>
  PerAxis<Padding, Axes> paddings(const std::string& name) {
    const std::vector<Index> given = axes(name);
    check(given.size() == 1 || given.size() == Axes || given.size() == 2 * Axes, name, " has ", given.size(),
          " numbers, expected one, ", Axes, " for time and space, or ", 2 * Axes, " for both sides of each");
    std::vector<Padding> each(given.begin(), given.end());
    if (given.size() == 2 * Axes) {
      each.clear();
      for (std::size_t axis = 0; axis < Axes; ++axis) each.emplace_back(given[2 * axis], given[2 * axis + 1]);
    }
    return std::span<const Padding>(each);
  }
  /// A list of texts, none where it is absent.
  std::vector<std::string> texts(const std::string& name) {
    described(name, FieldKind::texts);
    const ModuleSpec::Value* value = field(name, true);
    if (value == nullptr) return {};
    const auto* given = std::get_if<std::vector<std::string>>(value);
    check(given != nullptr, name, " is not a list of texts");
    return *given;
  }

  /// The tensor of that name, which must have the shape that the description gives it; empty if by that there is none.
  Weights<float> weight(const std::string& name) {
    const ModuleTensor* own = described_tensor(name);
    check(own != nullptr, "the type has no description that gives ", name, " its shape");
    if (!holds(own->when)) return {};
    std::vector<Index> shape;
    for (const std::string_view formula : own->extents()) shape.push_back(extent(formula));
    return weight(name, std::move(shape));
  }
  /// The same with a shape given here. If there is no tensor of the name, but what torch's weight norm keeps instead
  /// (name_g and name_v, or parametrizations.name.original0 and original1), it is folded: g * v / |v|.
  Weights<float> weight(const std::string& name, std::vector<Index> shape) {
    const ModuleTensor* own = described_tensor(name);
    if (own != nullptr && !holds(own->when)) return {};
    const auto key_of = [&](const std::string& last) { return spec_.path.empty() ? last : spec_.path + "." + last; };
    Weights<float> wanted;
    wanted.shape = std::move(shape);
    if (!weights_.contains(key_of(name))) {
      const std::string parametrized = "parametrizations." + name + ".original";
      for (const auto& [g, v] :
           {std::pair(name + "_g", name + "_v"), std::pair(parametrized + "0", parametrized + "1")})
        if (weights_.contains(key_of(g)) && weights_.contains(key_of(v)))
          return fold_weight_norm(key_of(g), tensor(key_of(g)), key_of(v), tensor(key_of(v)), wanted);
      fail("tensor \"", key_of(name), "\" is missing, expected shape ", wanted.shape_text());
    }
    const Weights<float>& found = tensor(key_of(name));
    check(found.shape == wanted.shape, "tensor \"", key_of(name), "\" has shape ", found.shape_text(), ", expected ",
          wanted.shape_text());
    return found;
  }
  Weights<float> weight_if(bool wanted, const std::string& name, std::vector<Index> shape) {
    return wanted ? weight(name, std::move(shape)) : Weights<float>();
  }

  /// Modules inside this one, built. `in` is the shape of the frames they get, with 0 for what is unknown.
  Module child(const std::string& name, const FrameShape& in) { return build(only_spec(name), in); }
  inline std::vector<Module> children(const std::string& name, FrameShape in);
  /// The one that a Windowed runs over each window.
  inline Module window_child(const std::string& name, const FrameShape& window);
  /// The modules of a graph, built, and what they are wired to. `in` as above; it is found out if it is Dynamic. `outputs`:
  /// which values they are; none: the one that is made last.
  inline AnyGraph<float> graph(const std::string& name, const FrameShape& in, const std::vector<NetworkInput>& more_inputs,
                               std::vector<Module>& modules, const std::vector<Index>& outputs = {},
                               const std::vector<std::string>& output_names = {});
  /// The modules of a field, as they are described.
  inline const std::vector<ModuleSpec>& specs(const std::string& name) { return child_specs(name); }
  /// One of them, built.
  inline Module build(const ModuleSpec& spec, const FrameShape& in) const;

  /// Calls f; an Error that it reports names the module, once: one from further inside does so already.
  template <class F>
  auto naming_errors(F&& f) const {
    return naming_errors(name(), f);
  }
  /// The same where the reader is no more.
  template <class F>
  static auto naming_errors(const std::string& name, F&& f) {
#if EIGENSTREAM_EXCEPTIONS
    try {
      return f();
    } catch (const Error& error) {
      if (std::string_view(error.what()).starts_with("module \"")) throw;
      eigenstream::fail(name, ": ", error.what());
    }
#else
    static_cast<void>(name);
    return f();
#endif
  }

  /// Error if the description has a field that was not read.
  void finish() const {
    for (const auto& [name, value] : spec_.fields) check(used_.contains(name), "unknown field \"", name, "\"");
    for (const auto& [name, value] : spec_.children) check(used_.contains(name), "unknown field \"", name, "\"");
  }

 private:
  const Weights<float>& tensor(const std::string& key) {
    const Weights<float>& found = weights_.at(key);
    for (const float value : found.values)
      check(std::isfinite(value), "tensor \"", key, "\" holds a value that is not finite");
    check(used_weights_.insert(key).second, "tensor \"", key, "\" is used by another module as well");
    return found;
  }
  // The norm goes over all axes but the one along which g has more than one value; over everything if there is none.
  Weights<float> fold_weight_norm(const std::string& g_key, const Weights<float>& g, const std::string& v_key,
                                  const Weights<float>& v, const Weights<float>& wanted) const {
    check(v.shape == wanted.shape, "tensor \"", v_key, "\" has shape ", v.shape_text(), ", expected ",
          wanted.shape_text());
    Index axis = -1;
    bool fits = g.shape.size() == v.shape.size() || g.values.size() == 1;
    for (std::size_t d = 0; fits && d < g.shape.size(); ++d) {
      if (g.shape[d] == 1) continue;
      fits = axis == -1 && g.shape[d] == v.shape[d];
      axis = static_cast<Index>(d);
    }
    check(fits, "tensor \"", g_key, "\" has shape ", g.shape_text(), ", which does not belong to ", v.shape_text());
    Index inner = 1;  // numbers from one index of the axis to the next
    for (std::size_t d = static_cast<std::size_t>(axis + 1); axis >= 0 && d < v.shape.size(); ++d) inner *= v.shape[d];
    const Index count = static_cast<Index>(g.values.size());
    const auto norm_of = [&](Index at) -> Index { return axis < 0 ? 0 : at / inner % count; };
    std::vector<double> squares(g.values.size());
    for (Index at = 0; at < v.size(); ++at)
      squares[static_cast<std::size_t>(norm_of(at))] +=
          std::pow(static_cast<double>(v.values[static_cast<std::size_t>(at)]), 2);
    Weights<float> folded = v;
    for (Index at = 0; at < v.size(); ++at) {
      const std::size_t i = static_cast<std::size_t>(norm_of(at));
      check(squares[i] > 0, "tensor \"", v_key, "\" has a direction of norm 0");
      float& value = folded.values[static_cast<std::size_t>(at)];
      value = static_cast<float>(static_cast<double>(g.values[i]) * static_cast<double>(value) / std::sqrt(squares[i]));
    }
    return folded;
  }

  // What the description says of a field; null if the type has none.
  const ModuleField* described(const std::string& name, FieldKind kind) const {
    if (type_ == nullptr) return nullptr;
    const ModuleField* own = type_->field(name);
    check(own != nullptr, "its type's description has no field \"", name, "\"");
    check(own->kind == kind, "its type's description has no ", field_kind_names[static_cast<int>(kind)], " ", name);
    return own;
  }
  const ModuleTensor* described_tensor(const std::string& name) const {
    if (type_ == nullptr) return nullptr;
    const ModuleTensor* own = type_->tensor(name);
    check(own != nullptr, "its type's description has no tensor \"", name, "\"");
    return own;
  }
  template <class V>
  std::optional<V> default_of(const std::string& name, FieldKind kind) const {
    const ModuleField* own = described(name, kind);
    const V* value = own == nullptr ? nullptr : std::get_if<V>(&own->otherwise);
    return value == nullptr ? std::nullopt : std::optional(*value);
  }
  Index extent(std::string_view formula) {
    return evaluate(formula, [&](std::string_view token) {
      const FieldAxis own(token);
      if (own.axis < 0) return integer(std::string(own.field));
      const std::vector<Index> all = axes(std::string(own.field));
      return all[all.size() == 1 ? 0 : static_cast<std::size_t>(own.axis)];
    });
  }
  // What a field says for each axis, as many numbers as it is given; its default, or another field, where it is absent.
  std::vector<Index> axes(const std::string& name) {
    const ModuleField* own = described(name, FieldKind::integers);
    check(own != nullptr && own->axes > 0, "its type's description has no ", name, " for each axis");
    const ModuleSpec::Value* value = field(name, !own->is_required());
    if (value == nullptr) {
      const auto* other = std::get_if<std::string_view>(&own->otherwise);
      return other != nullptr ? axes(std::string(*other)) : std::vector<Index>{std::get<Index>(own->otherwise)};
    }
    const auto* one = std::get_if<std::int64_t>(value);
    if (one == nullptr) return values(name);
    check(static_cast<double>(*one) >= own->lowest && static_cast<double>(*one) <= own->highest, name, " = ", *one,
          ", must be from ", static_cast<std::int64_t>(own->lowest), " to ", static_cast<std::int64_t>(own->highest));
    return {static_cast<Index>(*one)};
  }
  // Whether a field is true, not 0, or given; none always is.
  bool holds(std::string_view name) {
    if (name.empty()) return true;
    const std::string own(name);
    if (type_->field(name)->kind == FieldKind::boolean) return boolean(own);
    const Index value = integer(own);
    return value != 0 && value != Dynamic;
  }

  const ModuleSpec::Value* field(const std::string& name, bool optional) {
    check_named(name);
    const auto found = spec_.fields.find(name);
    if (found != spec_.fields.end()) return &found->second;
    check(!spec_.children.contains(name), name, " holds modules, not a value");
    check(optional, "field \"", name, "\" is missing");
    return nullptr;
  }
  const ModuleSpec& only_spec(const std::string& name) {
    const auto& specs = child_specs(name);
    check(specs.size() == 1, "field \"", name, "\" holds ", specs.size(), " modules, expected one");
    return specs.front();
  }
  // Marks a field as read.
  void check_named(const std::string& name) {
    check(type_ == nullptr || type_->field(name) != nullptr, "its type's description has no field \"", name, "\"");
    used_.insert(name);
  }
  const std::vector<ModuleSpec>& child_specs(const std::string& name) {
    check_named(name);
    const auto found = spec_.children.find(name);
    check(found != spec_.children.end(), "field \"", name, "\" is missing");
    return found->second;
  }

  const Registry& registry_;
  const ModuleType* type_;  // null if it has no description
  const ModuleSpec& spec_;
  const WeightMap& weights_;
  std::set<std::string>& used_weights_;
  PaddingPolicy policy_;
  bool in_window_;
  std::set<std::string> used_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_MODULE_READER_HPP
