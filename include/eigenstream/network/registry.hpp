#ifndef EIGENSTREAM_NETWORK_REGISTRY_HPP
#define EIGENSTREAM_NETWORK_REGISTRY_HPP

#include <functional>  // factories
#include <map>         // by type name
#include <set>         // what was used
#include <string>      // names

#include "eigenstream/network/module_reader.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

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

template <class L>
Registry::WindowFactory plain_window_factory() {
  return [](ModuleReader& r) { return BuiltWindow{r.named(L())}; };
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_REGISTRY_HPP
