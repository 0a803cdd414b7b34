#ifndef EIGENSTREAM_NETWORK_MODULE_READER_HPP
#define EIGENSTREAM_NETWORK_MODULE_READER_HPP

#include <cmath>     // isfinite, sqrt
#include <map>       // weights
#include <optional>  // defaults
#include <set>       // what was used
#include <string>    // names
#include <vector>    // modules

#include "eigenstream/core/description.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/reduce.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/network/module.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A frame of which nothing is known yet: 0 stands for what is unknown.
inline constexpr FrameShape unknown_frame{0, 0, 0, 1};
/// What a layer makes of frames of which not all need be known; channels that it asks for are known then.
inline FrameShape out_of_layer(const AnyLayer<float>& layer, FrameShape& in) {
  if (in.channels == 0) in.channels = layer.wanted().channels;
  if (in.size() > 0) return layer.facts(in).out;
  return layer.in_place() ? in : unknown_frame;
}

/// Limits on what a description may ask for, checked before anything is allocated.
inline constexpr Index max_extent = Index{1} << 20;         ///< channels, taps, strides, dilations, paddings
inline constexpr Index max_reach = Index{1} << 24;          ///< frames from a layer's first tap to its last
inline constexpr Index max_packed_weights = Index{1} << 28;  ///< numbers in a layer's packed weights
inline constexpr Index max_window = Index{1} << 26;          ///< numbers in a window

class Registry;

/// What a factory is given: one module's description, the weights, and a record of what has been read, so that
/// whatever is left over is an error.
class ModuleReader {
 public:
  ModuleReader(const Registry& registry, const ModuleSpec& spec, const WeightMap& weights,
               std::set<std::string>& used_weights, PaddingPolicy policy, bool in_window)
      : registry_(registry),
        spec_(spec),
        weights_(weights),
        used_weights_(used_weights),
        policy_(policy),
        in_window_(in_window) {}

  const ModuleSpec& spec() const noexcept { return spec_; }
  /// Whether the module is inside a Windowed: what it does over time elsewhere, it does there along the window.
  bool in_window() const noexcept { return in_window_; }
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

  /// An integer in [least, most]; required if there is no default.
  Index integer(const std::string& name, std::optional<Index> otherwise = {}, Index least = 1,
                Index most = max_extent) {
    const ModuleSpec::Value* value = field(name, otherwise.has_value());
    if (value == nullptr) return *otherwise;
    const auto* number = std::get_if<std::int64_t>(value);
    check(number != nullptr, name, " is not an integer");
    check(*number >= least && *number <= most, name, " = ", *number, ", must be from ", least, " to ", most);
    return static_cast<Index>(*number);
  }
  bool boolean(const std::string& name, bool otherwise) {
    const ModuleSpec::Value* value = field(name, true);
    if (value == nullptr) return otherwise;
    const auto* truth = std::get_if<bool>(value);
    check(truth != nullptr, name, " is not true or false");
    return *truth;
  }
  /// A finite number; required if there is no default.
  float number(const std::string& name, std::optional<double> otherwise = {}) {
    const float value = static_cast<float>(number_in_double(name, otherwise));
    check(std::isfinite(value), name, " is not a finite number");
    return value;
  }
  double number_in_double(const std::string& name, std::optional<double> otherwise = {}) {
    const ModuleSpec::Value* value = field(name, otherwise.has_value());
    if (value == nullptr) return *otherwise;
    const auto* real = std::get_if<double>(value);
    const auto* whole = std::get_if<std::int64_t>(value);
    check(real != nullptr || whole != nullptr, name, " is not a number");
    const double result = real != nullptr ? *real : static_cast<double>(*whole);
    check(std::isfinite(result), name, " is not a finite number");
    return result;
  }
  std::string text(const std::string& name, const std::string& otherwise) {
    const ModuleSpec::Value* value = field(name, true);
    if (value == nullptr) return otherwise;
    const auto* string = std::get_if<std::string>(value);
    check(string != nullptr, name, " is not a text");
    return *string;
  }
  /// One integer for both sides, or [left, right].
  Padding padding(const std::string& name) {
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
  PaddingMode padding_mode(const std::string& name, PaddingMode otherwise) {
    static constexpr std::pair<const char*, PaddingMode> modes[] = {
        {"zeros", PaddingMode::zeros}, {"replicate", PaddingMode::replicate}, {"constant", PaddingMode::constant}};
    const ModuleSpec::Value* value = field(name, true);
    if (value == nullptr) return otherwise;
    const auto* given = std::get_if<std::string>(value);
    check(given != nullptr, name, " is not a text");
    for (const auto& [known, mode] : modes)
      if (*given == known) return mode;
    fail(name, " = \"", *given, "\", must be \"zeros\", \"replicate\" or \"constant\"");
  }
  /// The weight of that name, which must have this shape. If there is none, but what torch's weight norm keeps instead
  /// (name_g and name_v, or parametrizations.name.original0 and original1), it is folded: g * v / |v|.
  Weights<float> weight(const std::string& name, std::initializer_list<Index> shape) {
    const auto key_of = [&](const std::string& own) { return spec_.path.empty() ? own : spec_.path + "." + own; };
    Weights<float> wanted;
    wanted.shape = shape;
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
  Weights<float> weight_if(bool wanted, const std::string& name, std::initializer_list<Index> shape) {
    return wanted ? weight(name, shape) : Weights<float>();
  }

  /// Modules inside this one, built. `in` is the shape of the frames they get, with 0 for what is unknown.
  Module child(const std::string& name, const FrameShape& in) { return build(only_spec(name), in); }
  inline std::vector<Module> children(const std::string& name, FrameShape in);
  /// The one that a Windowed runs over each window.
  inline Module window_child(const std::string& name, const FrameShape& window);
  /// The modules of a graph, built, and what they are wired to. `in` as above; it is found out if it is Dynamic.
  inline AnyGraph<float> graph(const std::string& name, const FrameShape& in, const std::vector<NetworkInput>& more_inputs,
                               std::vector<Module>& modules);
  /// The modules of a field, as they are described.
  inline const std::vector<ModuleSpec>& specs(const std::string& name) { return child_specs(name); }
  /// One of them, built.
  inline Module build(const ModuleSpec& spec, const FrameShape& in) const;

  /// How operands of different length are aligned; along a window, always centred.
  Alignment alignment(const std::string& name) {
    const std::string given = text(name, "centred");
    if (given == "centred") return Alignment::centred;
    check(!in_window_, name, ": along a window, operands are centred");
    if (given == "lagging") return Alignment::lagging;
    check(given == "leading", name, " = \"", given, "\", must be \"centred\", \"lagging\" or \"leading\"");
    return Alignment::leading;
  }
  /// How values are joined.
  Reduce reduce(const std::string& name) {
    const ModuleSpec::Value* value = field(name, false);
    const auto* given = std::get_if<std::string>(value);
    check(given != nullptr, name, " is not a text");
    std::string all;
    for (const std::string_view& known : reduce_names) {
      if (*given == known) return static_cast<Reduce>(&known - reduce_names);
      all.append(all.empty() ? "" : ", ").append(known);
    }
    fail(name, " = \"", *given, "\", must be one of ", all);
  }
  /// The numbers of the values that a module of a graph takes.
  std::vector<Index> values(const std::string& name, bool optional = false) {
    const ModuleSpec::Value* value = field(name, optional);
    if (value == nullptr) return {};
    const auto* given = std::get_if<std::vector<std::int64_t>>(value);
    check(given != nullptr, name, " is not a list of integers");
    return {given->begin(), given->end()};
  }

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

  const ModuleSpec::Value* field(const std::string& name, bool optional) {
    used_.insert(name);
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
  const std::vector<ModuleSpec>& child_specs(const std::string& name) {
    used_.insert(name);
    const auto found = spec_.children.find(name);
    check(found != spec_.children.end(), "field \"", name, "\" is missing");
    return found->second;
  }

  const Registry& registry_;
  const ModuleSpec& spec_;
  const WeightMap& weights_;
  std::set<std::string>& used_weights_;
  PaddingPolicy policy_;
  bool in_window_;
  std::set<std::string> used_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_MODULE_READER_HPP
