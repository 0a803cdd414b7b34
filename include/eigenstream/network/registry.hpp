#ifndef EIGENSTREAM_NETWORK_REGISTRY_HPP
#define EIGENSTREAM_NETWORK_REGISTRY_HPP

#include <cmath>       // isfinite, sqrt
#include <functional>  // factories
#include <map>         // by type name
#include <optional>    // defaults
#include <set>         // what was used
#include <string>      // names

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/core/description.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/channel_slice.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/conv_transpose.hpp"
#include "eigenstream/layer/channel_pointwise.hpp"
#include "eigenstream/layer/glu.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/softmax.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/norm.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "eigenstream/window/adaptive_pool1d.hpp"
#include "eigenstream/window/bidirectional.hpp"
#include "eigenstream/window/group_norm.hpp"
#include "eigenstream/window/online_averager.hpp"
#include "eigenstream/window/overlap_add.hpp"
#include "eigenstream/window/rearrange.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "eigenstream/window/windowed.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A network over whole windows, built at run time, with the modules it was built from.
struct WindowModule {
  std::string type;
  std::string path;
  WindowNet<float> net;
  std::vector<WindowModule> children;
};

/// A network built at run time, with the modules it was built from.
struct Module {
  std::string type;
  std::string path;
  AnyLayer<float> layer;
  std::vector<Module> children;
  std::vector<WindowModule> windows;  ///< what a Windowed runs
};

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
               std::set<std::string>& used_weights, PaddingPolicy policy)
      : registry_(registry), spec_(spec), weights_(weights), used_weights_(used_weights), policy_(policy) {}

  const ModuleSpec& spec() const noexcept { return spec_; }
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

  /// Modules inside this one, built. `in` is the number of channels they get, Dynamic if unknown.
  inline Module child(const std::string& name, Index in);
  inline std::vector<Module> children(const std::string& name, Index in);
  /// The modules of a graph, built, and what they are wired to. `in` as above; it is found out if it is Dynamic.
  inline AnyGraph<float> graph(const std::string& name, Index in, std::vector<Module>& modules);
  /// Reads the nodes of a graph: add(description, operand) and join(reader, op, operands) give the value of each. The
  /// values are those before the first node.
  template <class Value, class Add, class Join>
  void for_each_node(const std::string& name, std::vector<Value> values, Add&& add, Join&& join);
  /// The modules of a field, as they are described.
  inline const std::vector<ModuleSpec>& specs(const std::string& name) { return child_specs(name); }
  /// One of them, built.
  inline Module build(const ModuleSpec& spec, Index in) const;

  /// A module that runs over whole windows, built.
  inline WindowModule window_child(const std::string& name);
  inline WindowModule build_window(const ModuleSpec& spec) const;
  /// A window layer as a network, whose errors name this module.
  inline WindowNet<float> named(AnyWindowLayer<float> layer) const;

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
  std::vector<Index> values(const std::string& name) {
    const ModuleSpec::Value* value = field(name, false);
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
  std::set<std::string> used_;
};

/// What a factory gives back: the layer, and the modules inside it if it is a container.
struct Built {
  template <class L>
    requires(!std::is_same_v<std::remove_cvref_t<L>, Built>)
  Built(L&& layer_, std::vector<Module> children_ = {}, std::vector<WindowModule> windows_ = {})
      : layer(std::forward<L>(layer_)), children(std::move(children_)), windows(std::move(windows_)) {}
  AnyLayer<float> layer;
  std::vector<Module> children;
  std::vector<WindowModule> windows;
};
/// The same of a module that runs over whole windows.
struct BuiltWindow {
  WindowNet<float> net;
  std::vector<WindowModule> children = {};
};

/// Which module type is built by which factory. An ordinary value: copy it, add to it.
class Registry {
 public:
  /// Reads a module's description and weights and builds the layer; `in` is the number of channels that will come,
  /// Dynamic if it is not known.
  using Factory = std::function<Built(ModuleReader& reader, Index in)>;
  /// The same for a module type inside a Windowed.
  using WindowFactory = std::function<BuiltWindow(ModuleReader& reader)>;

  /// Adds a type. Errors   Error if there is one of that name
  void add(const std::string& type, Factory factory) {
    check(factories_.emplace(type, std::move(factory)).second, "registry: there is a factory for ", type,
          " already (replace() takes its place)");
  }
  /// Puts another factory in the place of a type's, which may be built in. Errors   Error if there is none of that name
  void replace(const std::string& type, Factory factory) {
    const auto found = factories_.find(type);
    check(found != factories_.end(), "registry: there is no factory for ", type, " to replace");
    found->second = std::move(factory);
  }
  bool contains(const std::string& type) const { return factories_.contains(type); }
  /// Adds a type for networks inside a Windowed: one that needs the whole window, or a container. All other types run
  /// there, too, each window being a signal of its own. Errors   Error if there is one of that name
  void add_window(const std::string& type, WindowFactory factory) {
    check(window_factories_.emplace(type, std::move(factory)).second, "registry: there is a window factory for ", type,
          " already");
  }

  /// Builds a network, with the padding of its modules or without. Every tensor must be used, every field known, and the
  /// channels must agree from layer to layer.
  /// Errors   Error naming the module's path, and both shapes where one is wrong
  Module create(const ModuleSpec& spec, const WeightMap& weights, PaddingPolicy policy = PaddingPolicy::exact) const {
    std::set<std::string> used;
    Module network = create(spec, weights, used, policy, Dynamic);
    for (const auto& [name, values] : weights)
      check(used.contains(name), "tensor \"", name, "\" ", values.shape_text(), " belongs to no module");
    return network;
  }

 private:
  friend class ModuleReader;
  Module create(const ModuleSpec& spec, const WeightMap& weights, std::set<std::string>& used, PaddingPolicy policy,
                Index in) const {
    ModuleReader reader(*this, spec, weights, used, policy);
    const auto found = factories_.find(spec.type);
    reader.check(found != factories_.end() || !window_factories_.contains(spec.type),
                 "runs over whole windows only, not over a stream: put it inside a Windowed");
    reader.check(found != factories_.end(), "unknown module type");
    return reader.naming_errors([&]() -> Module {
      Built built = found->second(reader, in);
      reader.finish();
      if (policy == PaddingPolicy::valid) built.layer = built.layer.without_padding();
      if (in != Dynamic) (void)built.layer.out_channels(in);
      return {spec.type, spec.path, std::move(built.layer), std::move(built.children), std::move(built.windows)};
    });
  }
  WindowModule create_window(const ModuleSpec& spec, const WeightMap& weights, std::set<std::string>& used) const {
    ModuleReader reader(*this, spec, weights, used, PaddingPolicy::exact);  // what is padded inside windows belongs to them
    const auto own = window_factories_.find(spec.type);
    const auto streaming = factories_.find(spec.type);
    reader.check(own != window_factories_.end() || streaming != factories_.end(), "unknown module type");
    return reader.naming_errors([&]() -> WindowModule {
      BuiltWindow built;
      if (own != window_factories_.end())
        built = own->second(reader);
      else
        built.net = reader.named(streaming->second(reader, Dynamic).layer);
      reader.finish();
      return {spec.type, spec.path, std::move(built.net), std::move(built.children)};
    });
  }

  std::map<std::string, Factory> factories_;
  std::map<std::string, WindowFactory> window_factories_;
};

inline Module ModuleReader::child(const std::string& name, Index in) {
  const auto& specs = child_specs(name);
  check(specs.size() == 1, "field \"", name, "\" holds ", specs.size(), " modules, expected one");
  return registry_.create(specs.front(), weights_, used_weights_, policy_, in);
}
inline Module ModuleReader::build(const ModuleSpec& spec, Index in) const {
  return registry_.create(spec, weights_, used_weights_, policy_, in);
}
inline WindowModule ModuleReader::window_child(const std::string& name) {
  const auto& specs = child_specs(name);
  check(specs.size() == 1, "field \"", name, "\" holds ", specs.size(), " modules, expected one");
  return build_window(specs.front());
}
inline WindowModule ModuleReader::build_window(const ModuleSpec& spec) const {
  return registry_.create_window(spec, weights_, used_weights_);
}
inline WindowNet<float> ModuleReader::named(AnyWindowLayer<float> layer) const {
  // Only when it is known which windows come does it show whether the layer can take them.
  struct Named : AnyWindowLayer<float> {
    Named(AnyWindowLayer<float> own, std::string own_name)
        : AnyWindowLayer<float>(std::move(own)), name(std::move(own_name)) {}
    WindowShape out_window(WindowShape in) const {
      return naming_errors(name, [&] { return AnyWindowLayer<float>::out_window(in); });
    }
    std::string name;
  };
  return Named(std::move(layer), name());
}
template <class Value, class Add, class Join>
void ModuleReader::for_each_node(const std::string& name, std::vector<Value> values, Add&& add, Join&& join) {
  for (const ModuleSpec& described : child_specs(name)) {
    ModuleSpec spec = described;
    spec.fields.erase("from");
    ModuleReader reader(registry_, described, weights_, used_weights_, policy_);
    std::vector<Value> operands;
    for (const Index from : reader.values("from")) {
      reader.check(from >= 0 && from < static_cast<Index>(values.size()), "from holds ", from,
                   ", must be from 0 to ", values.size() - 1, ", the values before it");
      operands.push_back(values[static_cast<std::size_t>(from)]);
    }
    reader.naming_errors([&] {
      if (spec.type == "Reduce") {
        const Reduce op = reader.reduce("op");
        reader.finish();
        values.push_back(join(reader, op, operands));
      } else {
        reader.check(operands.size() == 1, "from holds ", operands.size(), " values, expected one");
        values.push_back(add(spec, operands.front()));
      }
    });
  }
}
inline AnyGraph<float> ModuleReader::graph(const std::string& name, Index in, std::vector<Module>& modules) {
  GraphBuilder<float> graph(in);
  std::vector<Index> channels{in};  // of each value, as far as known
  GraphBuilder<float>::Value last = graph.input();
  for_each_node(
      name, std::vector{last},
      [&](const ModuleSpec& spec, GraphBuilder<float>::Value from) {
        Module module =
            registry_.create(spec, weights_, used_weights_, policy_, channels[static_cast<std::size_t>(from.number)]);
        Index& own = channels[static_cast<std::size_t>(from.number)];
        if (own == Dynamic) own = module.layer.in_channels();
        const Index out = own != Dynamic ? module.layer.out_channels(own) : Dynamic;
        channels.push_back(out);
        last = graph.add(module.layer, from);
        modules.push_back(std::move(module));
        return last;
      },
      [&](const ModuleReader& reader, Reduce op, const std::vector<GraphBuilder<float>::Value>& operands) {
        last = graph.reduce(op, operands);
        Index out = 0;
        for (const auto operand : operands) {
          const Index own = channels[static_cast<std::size_t>(operand.number)];
          const bool known = own != Dynamic && out != Dynamic;
          const Index both = known ? joined_channels(op, out, own) : Dynamic;
          reader.check(both != 0, "its operands have ", out, " and ", own, " channels");
          out = both;
        }
        channels.push_back(out);
        return last;
      });
  return graph.build(last);
}
inline std::vector<Module> ModuleReader::children(const std::string& name, Index in) {
  std::vector<Module> modules;
  for (const ModuleSpec& spec : child_specs(name)) {
    modules.push_back(registry_.create(spec, weights_, used_weights_, policy_, in));
    const AnyLayer<float>& layer = modules.back().layer;
    if (in == Dynamic) in = layer.in_channels();
    if (in != Dynamic) in = layer.out_channels(in);
  }
  return modules;
}

namespace detail {

template <class L>
Registry::Factory plain_factory() {
  return [](ModuleReader&, Index) { return Built(L()); };
}

inline Built build_conv1d(ModuleReader& r, Index) {
  const Index in = r.integer("in_channels"), out = r.integer("out_channels"), taps = r.integer("kernel_size");
  Conv1dOptions options;
  options.stride = r.integer("stride", 1);
  options.padding = r.padding("padding");
  options.padding_mode = r.padding_mode("padding_mode", PaddingMode::zeros);
  if (options.padding_mode == PaddingMode::constant) options.padding_value = r.number("padding_value", 0);
  options.dilation = r.integer("dilation", 1);
  options.groups = r.integer("groups", 1);
  r.check(in % options.groups == 0 && out % options.groups == 0, "groups = ", options.groups, " does not divide ", in,
          " and ", out, " channels");
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  const Weights<float> weight = r.weight("weight", {out, in / options.groups, taps});
  return Conv1d<float>(weight, r.weight_if(r.boolean("bias", true), "bias", {out}), options);
}

inline Built build_conv_transpose1d(ModuleReader& r, Index) {
  const Index in = r.integer("in_channels"), out = r.integer("out_channels"), taps = r.integer("kernel_size");
  ConvTranspose1dOptions options;
  options.stride = r.integer("stride", 1);
  options.padding = r.padding("padding");
  options.output_padding = r.integer("output_padding", 0, 0);
  options.dilation = r.integer("dilation", 1);
  options.groups = r.integer("groups", 1);
  r.check(in % options.groups == 0 && out % options.groups == 0, "groups = ", options.groups, " does not divide ", in,
          " and ", out, " channels");
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  const Weights<float> weight = r.weight("weight", {in, out / options.groups, taps});
  // Each input completes a block of `stride` frames, so that many columns of weights are kept for each distinct lag.
  r.check(static_cast<double>(options.stride) * static_cast<double>(weight.size()) <=
              static_cast<double>(max_packed_weights),
          "stride = ", options.stride, " with ", weight.size(), " weights is more than can be kept");
  return ConvTranspose1d<float>(weight, r.weight_if(r.boolean("bias", true), "bias", {out}), options);
}

inline Built build_avg_pool1d(ModuleReader& r, Index) {
  const Index taps = r.integer("kernel_size");
  AvgPool1dOptions options;
  options.stride = r.integer("stride", taps);
  options.padding = r.integer("padding", 0, 0);
  options.ceil_mode = r.boolean("ceil_mode", false);
  options.count_include_pad = r.boolean("count_include_pad", true);
  return AvgPool1d<float>(taps, options);
}

inline Built build_max_pool1d(ModuleReader& r, Index) {
  const Index taps = r.integer("kernel_size");
  MaxPool1dOptions options;
  options.stride = r.integer("stride", taps);
  options.padding = r.integer("padding", 0, 0);
  options.dilation = r.integer("dilation", 1);
  options.ceil_mode = r.boolean("ceil_mode", false);
  r.check((taps - 1) * options.dilation < max_reach, "its taps reach over more than ", max_reach, " frames");
  return MaxPool1d<float>(taps, options);
}

inline Built build_pad(ModuleReader& r, Index) {
  const Index left = r.integer("left", 0, -max_extent), right = r.integer("right", 0, -max_extent);
  PadOptions options{.mode = r.padding_mode("mode", PaddingMode::constant)};
  if (options.mode == PaddingMode::constant) options.value = r.number("value", 0);
  return Pad<float>(left, right, options);
}

inline Built build_resample(ModuleReader& r, Index) {
  constexpr Index highest = Index{1} << 30;
  const Index source = r.integer("orig_freq", {}, 1, highest), target = r.integer("new_freq", {}, 1, highest);
  ResampleOptions options;
  options.method = resample_method(r.text("resampling_method", name_of(options.method)));
  options.lowpass_filter_width = r.integer("lowpass_filter_width", options.lowpass_filter_width);
  options.rolloff = r.number_in_double("rolloff", options.rolloff);
  options.beta = r.number_in_double("beta", options.beta);
  options.low_delay = r.boolean("low_delay", options.low_delay);
  return Resample<float>(source, target, options);
}

inline Built build_channel_slice(ModuleReader& r, Index) {
  const Index start = r.integer("start", {}, 0);
  return ChannelSlice<float>(start, r.integer("channels"));
}

inline Built build_affine(ModuleReader& r, Index) {
  if (!r.spec().fields.contains("channels")) {
    const float scale = r.number("scale", 1);
    return Affine<float>(scale, r.number("offset", 0));
  }
  const Index channels = r.integer("channels");
  const Weights<float> scale = r.weight("weight", {channels});
  return Affine<float>(scale, r.weight("bias", {channels}));
}

inline Built build_linear(ModuleReader& r, Index) {
  const Index in = r.integer("in_features"), out = r.integer("out_features");
  const Weights<float> weight = r.weight("weight", {out, in});
  return Linear<float>(weight, r.weight_if(r.boolean("bias", true), "bias", {out}));
}

inline Built build_batch_norm1d(ModuleReader& r, Index) {
  const Index channels = r.integer("num_features");
  const float eps = r.number("eps", 1e-5);
  const bool affine = r.boolean("affine", true);
  const Weights<float> mean = r.weight("running_mean", {channels});
  const Weights<float> var = r.weight("running_var", {channels});
  return BatchNorm1d<float>(mean, var, r.weight_if(affine, "weight", {channels}),
                            r.weight_if(affine, "bias", {channels}), eps);
}

inline Built build_layer_norm(ModuleReader& r, Index) {
  const Index channels = r.integer("normalized_shape");
  const float eps = r.number("eps", 1e-5);
  const bool affine = r.boolean("elementwise_affine", true);
  return LayerNorm<float>(channels, r.weight_if(affine, "weight", {channels}),
                          r.weight_if(affine, "bias", {channels}), eps);
}

inline Built build_gelu(ModuleReader& r, Index) {
  const std::string approximate = r.text("approximate", "none");
  r.check(approximate == "none" || approximate == "tanh", "approximate = \"", approximate,
          "\", must be \"none\" or \"tanh\"");
  if (approximate == "tanh") return GeluTanh<float>();
  return Gelu<float>();
}

inline Built build_sequential(ModuleReader& r, Index in) {
  std::vector<Module> modules = r.children("layers", in);
  std::vector<AnyLayer<float>> layers;
  for (const Module& module : modules) layers.push_back(module.layer);
  return Built(AnySequential<float>(std::move(layers)), std::move(modules));
}

inline Built build_residual(ModuleReader& r, Index in) {
  Module net = r.child("net", in);
  AnyLayer<float> layer = net.layer;
  return Built(Residual<AnyLayer<float>>(std::move(layer)), {std::move(net)});
}

inline Built build_graph(ModuleReader& r, Index in) {
  std::vector<Module> modules;
  const Index own = r.integer("in_channels", Dynamic);
  r.check(own == Dynamic || in == Dynamic || own == in, "in_channels = ", own, ", but ", in, " come");
  AnyGraph<float> graph = r.graph("nodes", own != Dynamic ? own : in, modules);
  return Built(std::move(graph), std::move(modules));
}

inline Built build_parallel(ModuleReader& r, Index in) {
  GraphBuilder<float> graph(in);
  const Reduce op = r.reduce("reduce");
  std::vector<Module> modules;
  std::vector<GraphBuilder<float>::Value> outputs;
  for (const ModuleSpec& spec : r.specs("branches")) {
    modules.push_back(r.build(spec, in));
    outputs.push_back(graph.add(modules.back().layer, graph.input()));
  }
  return Built(graph.build(graph.reduce(op, outputs)), std::move(modules));
}

// Windows are kept whole, several of them in all.
inline void check_window_size(const ModuleReader& r, Index channels, Index frames) {
  r.check(static_cast<double>(channels) * static_cast<double>(frames) <= static_cast<double>(max_window), "windows of ",
          channels, " channels and ", frames, " frames are more than can be kept");
}

inline Built build_snapshotter(ModuleReader& r, Index) {
  const Index channels = r.integer("num_channels"), size = r.integer("snapshot_size");
  check_window_size(r, channels, size);
  return Snapshotter<float>(channels, size, r.integer("stride_size"));
}

inline Built build_online_averager(ModuleReader& r, Index) {
  const Index update = r.integer("update_size"), updates = r.integer("num_updates"),
              channels = r.integer("num_channels");
  check_window_size(r, channels * updates, update);
  return OnlineAverager<float>(
      update, 1, updates, channels,
      {.offset = r.integer("offset", 0, 0), .normalise_start = r.boolean("normalise_start", false)});
}

inline Built build_overlap_add(ModuleReader& r, Index) {
  const Index channels = r.integer("channels"), size = r.integer("size"), stride = r.integer("stride");
  check_window_size(r, channels, size);
  const Padding padding = r.padding("padding");
  OverlapAddOptions options{.normalise = r.boolean("normalise", false), .left = padding.left, .right = padding.right};
  if (r.boolean("weighted", false)) {
    const Weights<float> window = r.weight("window", {size});
    options.window.assign(window.values.begin(), window.values.end());
  }
  return OverlapAdd<float>(channels, size, stride, options);
}

inline Built build_windowed(ModuleReader& r, Index in) {
  const Index size = r.integer("size"), stride = r.integer("stride");
  WindowedOptions options{.padding = r.padding("padding"), .channels = r.integer("channels", Dynamic)};
  WindowModule net = r.window_child("net");
  if (options.channels == Dynamic) options.channels = net.net.in_channels() != Dynamic ? net.net.in_channels() : in;
  r.check(options.channels != Dynamic, "field \"channels\" is missing: nothing inside says how many it takes");
  check_window_size(r, options.channels, size);
  Windowed<float> layer(net.net, size, stride, options);
  return Built(std::move(layer), {}, {std::move(net)});
}

// The containers once more, for what runs over whole windows.

template <class L>
Registry::WindowFactory plain_window_factory() {
  return [](ModuleReader& r) { return BuiltWindow{r.named(L())}; };
}

inline BuiltWindow build_group_norm(ModuleReader& r, Index groups, Index channels, bool affine) {
  const double eps = r.number_in_double("eps", 1e-5);
  const Weights<float> weight = r.weight_if(affine, "weight", {channels});
  return {r.named(GroupNorm<float>(groups, channels, weight, r.weight_if(affine, "bias", {channels}), eps))};
}

// torch's RNN, GRU or LSTM of several layers: add(k, forwards, backwards) puts each of them behind the one before. The
// second is there if `bidirectional` is true, which only what sees the whole signal allows.
template <RecurrentCell Cell, class Add>
void read_recurrent(ModuleReader& r, bool both, Add&& add) {
  using L = Recurrent<Cell, float>;
  constexpr bool is_lstm = Cell == RecurrentCell::lstm;
  Index in = r.integer("input_size");
  const Index hidden = r.integer("hidden_size"), layers = r.integer("num_layers", 1, 1, 64);
  const Index projected = is_lstm && hidden > 1 ? r.integer("proj_size", 0, 0, hidden - 1)
                          : is_lstm             ? r.integer("proj_size", 0, 0, 0)
                                                : 0;
  const Index out = projected > 0 ? projected : hidden, rows = gates_of(Cell) * hidden;
  const Index directions = both ? 2 : 1;
  const bool bias = r.boolean("bias", true), initial = r.boolean("initial_state", false);
  const Weights<float> h0 = r.weight_if(initial, "h0", {layers * directions, out});
  const Weights<float> c0 = r.weight_if(initial && is_lstm, "c0", {layers * directions, hidden});
  const auto row = [](const Weights<float>& all, Index k) {
    if (all.empty()) return Weights<float>();
    const Index n = all.shape[1];
    return Weights<float>({n}, {all.values.begin() + k * n, all.values.begin() + (k + 1) * n});
  };
  for (Index k = 0; k < layers; ++k, in = directions * out) {
    const auto direction = [&](Index number, const std::string& suffix) {
      const std::string end = "_l" + std::to_string(k) + suffix;
      RecurrentWeights<float> w{r.weight("weight_ih" + end, {rows, in}), r.weight("weight_hh" + end, {rows, out})};
      w.input_bias = r.weight_if(bias, "bias_ih" + end, {rows});
      w.hidden_bias = r.weight_if(bias, "bias_hh" + end, {rows});
      w.projection = r.weight_if(projected > 0, "weight_hr" + end, {out, hidden});
      w.h0 = row(h0, directions * k + number), w.c0 = row(c0, directions * k + number);
      return L(w);
    };
    const L forwards = direction(0, "");
    add(forwards, both ? std::optional<L>(direction(1, "_reverse")) : std::nullopt);
  }
}

template <RecurrentCell Cell>
Built build_recurrent(ModuleReader& r) {
  r.check(!r.boolean("bidirectional", false),
          "runs in both directions, so it needs the whole signal and cannot run over a stream: put it inside a Windowed");
  std::vector<AnyLayer<float>> layers;
  read_recurrent<Cell>(r, false, [&](const auto& forwards, const auto&) { layers.emplace_back(forwards); });
  if (layers.size() == 1) return Built(std::move(layers.front()));
  return Built(AnySequential<float>(std::move(layers)));
}

template <RecurrentCell Cell>
BuiltWindow build_window_recurrent(ModuleReader& r) {
  BuiltWindow built;
  read_recurrent<Cell>(r, r.boolean("bidirectional", false), [&](const auto& forwards, const auto& backwards) {
    const WindowNet<float> ahead = r.named(forwards);
    built.net.add(backwards ? bidirectional(ahead, WindowNet<float>(r.named(*backwards))) : ahead, built.net.output());
  });
  return built;
}

// An RNN's activation.
inline bool reads_tanh(ModuleReader& r) {
  const std::string nonlinearity = r.text("nonlinearity", "tanh");
  r.check(nonlinearity == "tanh" || nonlinearity == "relu", "nonlinearity = \"", nonlinearity,
          "\", must be \"tanh\" or \"relu\"");
  return nonlinearity == "tanh";
}

inline BuiltWindow build_window_sequential(ModuleReader& r) {
  BuiltWindow built;
  for (const ModuleSpec& spec : r.specs("layers")) {
    built.children.push_back(r.build_window(spec));
    built.net.add(built.children.back().net, built.net.output());
  }
  return built;
}

inline BuiltWindow build_window_residual(ModuleReader& r) {
  WindowModule net = r.window_child("net");
  return {WindowNet<float>::residual(net.net), {std::move(net)}};
}

inline BuiltWindow build_window_parallel(ModuleReader& r) {
  BuiltWindow built;
  const Reduce op = r.reduce("reduce");
  std::vector<WindowNet<float>::Value> outputs;
  for (const ModuleSpec& spec : r.specs("branches")) {
    built.children.push_back(r.build_window(spec));
    outputs.push_back(built.net.add(built.children.back().net, built.net.input()));
  }
  built.net.reduce(op, outputs);
  return built;
}

inline BuiltWindow build_window_graph(ModuleReader& r) {
  using Value = WindowNet<float>::Value;
  BuiltWindow built;
  static_cast<void>(r.integer("in_channels", Dynamic));  // the Windowed says what comes
  r.for_each_node(
      "nodes", std::vector{built.net.input()},
      [&](const ModuleSpec& spec, Value from) {
        built.children.push_back(r.build_window(spec));
        return built.net.add(built.children.back().net, from);
      },
      [&](const ModuleReader&, Reduce op, const std::vector<Value>& operands) {
        return built.net.reduce(op, operands);
      });
  return built;
}

}  // namespace detail

/// A registry with every module type that model files may hold; docs/model-file.md lists them.
inline Registry builtin_registry() {
  Registry registry;
  registry.add("Sequential", detail::build_sequential);
  registry.add("Residual", detail::build_residual);
  registry.add("Graph", detail::build_graph);
  registry.add("Parallel", detail::build_parallel);
  registry.add("Conv1d", detail::build_conv1d);
  registry.add("ConvTranspose1d", detail::build_conv_transpose1d);
  registry.add("AvgPool1d", detail::build_avg_pool1d);
  registry.add("MaxPool1d", detail::build_max_pool1d);
  registry.add("Pad", detail::build_pad);
  registry.add("Resample", detail::build_resample);
  registry.add("Snapshotter", detail::build_snapshotter);
  registry.add("Windowed", detail::build_windowed);
  registry.add("OnlineAverager", detail::build_online_averager);
  registry.add("OverlapAdd", detail::build_overlap_add);
  registry.add("Linear", detail::build_linear);
  registry.add("BatchNorm1d", detail::build_batch_norm1d);
  registry.add("LayerNorm", detail::build_layer_norm);
  registry.add("ReLU", detail::plain_factory<Relu<float>>());
  registry.add("LeakyReLU",
               [](ModuleReader& r, Index) { return Built(LeakyRelu<float>(r.number("negative_slope", 0.01))); });
  registry.add("PReLU", [](ModuleReader& r, Index) {
    return Built(Prelu<float>(r.weight("weight", {r.integer("num_parameters", 1)})));
  });
  registry.add("ELU", [](ModuleReader& r, Index) { return Built(Elu<float>(r.number("alpha", 1))); });
  registry.add("SELU", detail::plain_factory<Selu<float>>());
  registry.add("SiLU", detail::plain_factory<Silu<float>>());
  registry.add("GELU", detail::build_gelu);
  registry.add("Sigmoid", detail::plain_factory<Sigmoid<float>>());
  registry.add("Tanh", detail::plain_factory<Tanh<float>>());
  registry.add("Softplus", [](ModuleReader& r, Index) {
    return Built(Softplus<float>(r.number("beta", 1), r.number("threshold", 20)));
  });
  registry.add("Softsign", detail::plain_factory<Softsign<float>>());
  registry.add("Hardtanh", [](ModuleReader& r, Index) {
    return Built(Hardtanh<float>(r.number("min_val", -1), r.number("max_val", 1)));
  });
  registry.add("Hardsigmoid", detail::plain_factory<Hardsigmoid<float>>());
  registry.add("Hardswish", detail::plain_factory<Hardswish<float>>());
  registry.add("CELU", [](ModuleReader& r, Index) { return Built(Celu<float>(r.number("alpha", 1))); });
  registry.add("Mish", detail::plain_factory<Mish<float>>());
  registry.add("LogSigmoid", detail::plain_factory<LogSigmoid<float>>());
  registry.add("Tanhshrink", detail::plain_factory<Tanhshrink<float>>());
  registry.add("Softshrink", [](ModuleReader& r, Index) { return Built(Softshrink<float>(r.number("lambd", 0.5))); });
  registry.add("Hardshrink", [](ModuleReader& r, Index) { return Built(Hardshrink<float>(r.number("lambd", 0.5))); });
  registry.add("Threshold", [](ModuleReader& r, Index) {
    const float threshold = r.number("threshold");
    return Built(Threshold<float>(threshold, r.number("value")));
  });
  registry.add("Abs", detail::plain_factory<Abs<float>>());
  registry.add("Exp", detail::plain_factory<Exp<float>>());
  registry.add("Log", detail::plain_factory<Log<float>>());
  registry.add("Sqrt", detail::plain_factory<Sqrt<float>>());
  registry.add("Square", detail::plain_factory<Square<float>>());
  registry.add("Sin", detail::plain_factory<Sin<float>>());
  registry.add("Cos", detail::plain_factory<Cos<float>>());
  registry.add("Reciprocal", detail::plain_factory<Reciprocal<float>>());
  registry.add("LogSoftmax", detail::plain_factory<LogSoftmax<float>>());
  registry.add("ChannelSlice", detail::build_channel_slice);
  registry.add("Affine", detail::build_affine);
  registry.add("GLU", detail::plain_factory<Glu<float>>());
  registry.add("Softmax", detail::plain_factory<Softmax<float>>());
  registry.add("Snake",
               [](ModuleReader& r, Index) { return Built(Snake<float>(r.weight("alpha", {r.integer("channels")}))); });

  registry.add("RNN", [](ModuleReader& r, Index) {
    return detail::reads_tanh(r) ? detail::build_recurrent<RecurrentCell::rnn_tanh>(r)
                                 : detail::build_recurrent<RecurrentCell::rnn_relu>(r);
  });
  registry.add("GRU", [](ModuleReader& r, Index) { return detail::build_recurrent<RecurrentCell::gru>(r); });
  registry.add("LSTM", [](ModuleReader& r, Index) { return detail::build_recurrent<RecurrentCell::lstm>(r); });

  registry.add_window("Sequential", detail::build_window_sequential);
  registry.add_window("Residual", detail::build_window_residual);
  registry.add_window("Parallel", detail::build_window_parallel);
  registry.add_window("Graph", detail::build_window_graph);
  registry.add_window("GroupNorm", [](ModuleReader& r) {
    const Index groups = r.integer("num_groups");
    return detail::build_group_norm(r, groups, r.integer("num_channels"), r.boolean("affine", true));
  });
  registry.add_window("InstanceNorm1d", [](ModuleReader& r) {
    const Index channels = r.integer("num_features");
    return detail::build_group_norm(r, channels, channels, r.boolean("affine", false));
  });
  registry.add_window("AdaptiveAvgPool1d", [](ModuleReader& r) {
    return BuiltWindow{r.named(AdaptiveAvgPool1d<float>(r.integer("output_size")))};
  });
  registry.add_window("AdaptiveMaxPool1d", [](ModuleReader& r) {
    return BuiltWindow{r.named(AdaptiveMaxPool1d<float>(r.integer("output_size")))};
  });
  registry.add_window("RNN", [](ModuleReader& r) {
    return detail::reads_tanh(r) ? detail::build_window_recurrent<RecurrentCell::rnn_tanh>(r)
                                 : detail::build_window_recurrent<RecurrentCell::rnn_relu>(r);
  });
  registry.add_window("GRU", [](ModuleReader& r) { return detail::build_window_recurrent<RecurrentCell::gru>(r); });
  registry.add_window("LSTM", [](ModuleReader& r) { return detail::build_window_recurrent<RecurrentCell::lstm>(r); });
  registry.add_window("Transpose", detail::plain_window_factory<Transpose<float>>());
  registry.add_window("Flatten", detail::plain_window_factory<Flatten<float>>());
  registry.add_window("Reverse", detail::plain_window_factory<Reverse<float>>());
  return registry;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_REGISTRY_HPP
