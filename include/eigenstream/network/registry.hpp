#ifndef EIGENSTREAM_NETWORK_REGISTRY_HPP
#define EIGENSTREAM_NETWORK_REGISTRY_HPP

#include <algorithm>    // find_if, all_of
#include <set>          // what was used
#include <string>       // names
#include <string_view>  // names
#include <vector>       // types

#include "eigenstream/compose/along.hpp"
#include "eigenstream/network/module_reader.hpp"
#include "eigenstream/network/simd_choice.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The module types that model files may hold. An ordinary value: copy it, add to it.
class Registry {
 public:
  using Factory = ModuleType::Factory;

  /// Adds a type with its description, by which its modules are read.
  /// Errors   Error if there is one of that name
  void add(ModuleType type) {
    check(find(type.name) == nullptr, "registry: there is a factory for ", type.name, " already (replace() takes its place)");
    types_.push_back(std::move(type));
  }
  /// Adds a type without a description: what it reads, the factory alone knows. `space` says what its layers have to do with
  /// space axes, if their type alone does not.
  void add(const std::string& type, Factory factory, Space space = Space::none) {
    add({.name = type, .space = space, .build = std::move(factory)});
  }
  /// Puts another factory in the place of a type's, which may be built in. Errors   Error if there is none of that name
  void replace(const std::string& type, Factory factory) {
    const auto named = [&](const ModuleType& each) { return each.name == type; };
    const auto found = std::find_if(types_.begin(), types_.end(), named);
    check(found != types_.end(), "registry: there is no factory for ", type, " to replace");
    *found = {.name = type, .build = std::move(factory)};
  }
  bool contains(std::string_view type) const { return find(type) != nullptr; }
  /// The type of that name; null if there is none.
  const ModuleType* find(std::string_view type) const {
    for (const ModuleType& each : types_)
      if (each.name == type) return &each;
    return nullptr;
  }
  /// All types, in the order in which they were added.
  const std::vector<ModuleType>& types() const noexcept { return types_; }
  /// Builds a network, with the padding of its modules or without. Every tensor must be used, every field known, and the
  /// channels must agree from layer to layer.
  /// Errors   Error naming the module's path, and both shapes where one is wrong
  Module create(const ModuleSpec& spec, const WeightMap& weights,
                PaddingPolicy policy = PaddingPolicy::exact) const;

 private:
  friend class ModuleReader;
  Module create(const ModuleSpec& spec, const WeightMap& weights, std::set<std::string>& used, PaddingPolicy policy,
                FrameShape in, bool in_window) const {
    const ModuleType* const type = find(spec.type);
    ModuleReader reader(*this, type, spec, weights, used, policy, in_window);
    reader.check(type != nullptr, "unknown module type");
    const auto check_space = [&](Space space) {
      reader.check(in_window || space != Space::needed || (in.size() > 0 && in.has_space()),
                   "runs over whole windows only, not over a stream: put it inside a Windowed");
    };
    check_space(type->space);  // before anything that may be wrong with its parameters
    return reader.naming_errors([&]() -> Module {
      Built built = type->build(reader, in);
      reader.finish();
      const bool leaf = built.children.empty();
      const Space space = built.layer.space();
      if (leaf) check_space(space);
      if (in_window) {
        if (space == Space::made || (leaf && space == Space::none && !same_for_columns(built.layer, in)))
          built.layer = along(std::move(built.layer));
        built.layer = Named(std::move(built.layer), reader.name());
      } else if (policy == PaddingPolicy::valid) {
        built.layer = built.layer.without_padding();
      }
      // Error if it cannot take what comes; of several signals, the graph knows all.
      if (!leaf || built.layer.inputs() == 1) static_cast<void>(out_of_layer(built.layer, in));
      return {spec.type, spec.path, built.layer.named(shown_name(spec)), std::move(built.children)};
    });
  }
  static std::string shown_name(const ModuleSpec& spec) { return spec.path.empty() ? spec.type : spec.type + " " + spec.path; }
  // Whether a layer over frames does to each column what it does to each frame of a signal.
  static bool same_for_columns(const AnyLayer<float>& layer, const FrameShape& in) {
    return layer.timing().frame_by_frame() && in.size() > 0 && layer.facts(in).state_bytes == 0;
  }
  // Only when it is known which windows come does it show whether the layer can take them.
  struct Named : AnyLayer<float> {
    Named(AnyLayer<float> own, std::string own_name) : AnyLayer<float>(std::move(own)), name(std::move(own_name)) {}
    using AnyLayer<float>::facts;
    Facts facts(const FrameShape& in) const {
      return ModuleReader::naming_errors(name, [&] { return AnyLayer<float>::facts(in); });
    }
    std::string name;
  };

  std::vector<ModuleType> types_;
};

#if EIGENSTREAM_DEFINITIONS
EIGENSTREAM_LINKAGE Module Registry::create(const ModuleSpec& spec, const WeightMap& weights, PaddingPolicy policy) const {
  if (const detail::OtherWidth* const other = detail::other_width()) return other->create(*this, spec, weights, policy);
  std::set<std::string> used;
  Module network = create(spec, weights, used, policy, {0, 1, 1, 1}, false);
  for (const auto& [name, values] : weights)
    check(used.contains(name), "tensor \"", name, "\" ", values.shape_text(), " belongs to no module");
  network.layer = AnyGraph<float>::of(std::move(network.layer));
  return network;
}
#endif

inline Module ModuleReader::build(const ModuleSpec& spec, const FrameShape& in) const {
  return registry_.create(spec, weights_, used_weights_, policy_, in, in_window_);
}
inline Module ModuleReader::window_child(const std::string& name, const FrameShape& window) {
  return registry_.create(only_spec(name), weights_, used_weights_, policy_, window, true);
}
inline AnyGraph<float> ModuleReader::graph(const std::string& name, const FrameShape& in,
                                           const std::vector<NetworkInput>& more_inputs, std::vector<Module>& modules,
                                           const std::vector<Index>& outputs, const std::vector<std::string>& output_names) {
  using Value = GraphBuilder<float>::Value;
  GraphBuilder<float> graph(in.channels == 0 ? Dynamic : Index{in.channels}, more_inputs);
  ValueGraph<FrameShape> shapes(1 + static_cast<Index>(more_inputs.size()));  // as far as known
  shapes[0] = in;
  for (std::size_t k = 0; k < more_inputs.size(); ++k) shapes[static_cast<Index>(k) + 1] = more_inputs[k].shape;
  Value last = graph.input();
  for (const ModuleSpec& described : child_specs(name)) {
    ModuleSpec spec = described;
    spec.fields.erase("from");
    // `from` belongs to the node, not to its type.
    ModuleReader reader(registry_, nullptr, described, weights_, used_weights_, policy_, in_window_);
    std::vector<PlainOperand> from;
    std::vector<Value> operands;
    std::vector<FrameShape> operand_shapes;
    for (const Index value : reader.values("from")) {
      reader.check(value >= 0 && value <= shapes.last(), "from holds ", value, ", must be from 0 to ", shapes.last(),
                   ", the values before it");
      from.push_back({value});
      operands.push_back({value});
      operand_shapes.push_back(shapes[value]);
    }
    reader.naming_errors([&] {
      reader.check(!operands.empty(), "from holds no value");
      const bool known = std::all_of(operand_shapes.begin(), operand_shapes.end(),
                                     [](const FrameShape& shape) { return shape.size() > 0; });
      if (spec.type == "Reduce") {
        const Reduce op = reader.reduce("op");
        const Alignment alignment = reader.alignment("align");
        reader.finish();
        const Join<float> join(op, static_cast<Index>(operands.size()));
        Index channels = 0;
        for (const FrameShape& shape : operand_shapes) {
          if (!known) break;
          const Index both = joined_channels(op, channels, shape.channels);
          reader.check(both != 0, "its operands have ", channels, " and ", Index{shape.channels}, " channels");
          channels = both;
        }
        last = graph.join(AnyLayer<float>(join).named(Registry::shown_name(spec)), operands, alignment);
        shapes.add(known ? join.facts(operand_shapes).out : unknown_frame, from);
        return;
      }
      Module module = build(spec, operand_shapes.front());
      const AnyLayer<float>& layer = module.layer;
      reader.check(static_cast<Index>(operands.size()) == layer.inputs(), "from holds ", operands.size(),
                   " values, expected ", layer.inputs() == 1 ? "one" : std::to_string(layer.inputs()));
      last = graph.join(layer, operands);
      if (operands.size() > 1)
        shapes.add(known ? layer.facts(operand_shapes).out : unknown_frame, from);
      else
        shapes.add(out_of_layer(layer, shapes[from.front().value]), from);
      modules.push_back(std::move(module));
    });
  }
  if (outputs.empty()) return graph.build(last);
  std::vector<Value> chosen;
  for (const Index value : outputs) {
    check(value <= shapes.last(), "outputs holds ", value, ", must be from 0 to ", shapes.last());
    chosen.push_back({value});
  }
  return graph.build(chosen, output_names);
}
inline std::vector<Module> ModuleReader::children(const std::string& name, FrameShape in) {
  std::vector<Module> modules;
  for (const ModuleSpec& spec : child_specs(name)) {
    modules.push_back(build(spec, in));
    in = out_of_layer(modules.back().layer, in);
  }
  return modules;
}

namespace detail {

/// Builds a layer without parameters.
template <class L>
Built build_plain(ModuleReader&, const FrameShape&) {
  return L();
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_REGISTRY_HPP
