#ifndef EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP
#define EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

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

/// What holds other modules: the types that model files may hold.
inline void add_containers_types(Registry& registry) {
  registry.add("Sequential", build_sequential);
  registry.add("Residual", build_residual);
  registry.add("Graph", build_graph);
  registry.add("Parallel", build_parallel);
  registry.add_window("Sequential", build_window_sequential);
  registry.add_window("Residual", build_window_residual);
  registry.add_window("Parallel", build_window_parallel);
  registry.add_window("Graph", build_window_graph);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP
