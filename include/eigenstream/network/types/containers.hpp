#ifndef EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP
#define EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline Built build_sequential(ModuleReader& r, const FrameShape& in) {
  std::vector<Module> modules = r.children("layers", in);
  std::vector<AnyLayer<float>> layers;
  for (const Module& module : modules) layers.push_back(module.layer);
  return Built(AnySequential<float>(std::move(layers)), std::move(modules));
}

inline Built build_residual(ModuleReader& r, const FrameShape& in) {
  Module net = r.child("net", in);
  AnyLayer<float> layer = net.layer;
  const Alignment alignment = r.alignment("align");
  if (!r.in_window()) return Built(Residual<AnyLayer<float>>(std::move(layer), alignment), {std::move(net)});
  // The output of a network over windows may be shorter, or a single frame for all.
  GraphBuilder<float> graph;
  return Built(graph.build(graph.reduce(Reduce::sum, {graph.add(std::move(layer), graph.input()), graph.input()})),
               {std::move(net)});
}

inline Built build_graph(ModuleReader& r, const FrameShape& in) {
  std::vector<Module> modules;
  FrameShape known = in;
  const Index own = r.integer("in_channels", Dynamic);
  if (own != Dynamic) {
    r.check(in.channels == 0 || own == in.channels, "in_channels = ", own, ", but ", Index{in.channels}, " come");
    known.channels = own;
  }
  const std::vector<Index> channels = r.values("more_channels", true), rates = r.values("more_rates", true);
  r.check(rates.empty() || rates.size() == 2 * channels.size(), "more_rates holds ", rates.size(), " numbers, expected ",
          2 * channels.size(), ": frames of each further input, and for how many of the main one");
  std::vector<NetworkInput> more;
  for (std::size_t k = 0; k < channels.size(); ++k) {
    r.check(channels[k] >= 1 && channels[k] <= max_extent, "more_channels holds ", channels[k], ", must be from 1 to ",
            max_extent);
    more.push_back({.shape = {channels[k]}});
    if (rates.empty()) continue;
    for (const Index number : {rates[2 * k], rates[2 * k + 1]})
      r.check(number >= 1 && number <= max_extent, "more_rates holds ", number, ", must be from 1 to ", max_extent);
    more.back().rate = Rate::of(rates[2 * k], rates[2 * k + 1]);
  }
  AnyGraph<float> graph = r.graph("nodes", known, more, modules);
  return Built(std::move(graph), std::move(modules));
}

inline Built build_parallel(ModuleReader& r, const FrameShape& in) {
  GraphBuilder<float> graph(in.channels == 0 ? Dynamic : Index{in.channels});
  const Reduce op = r.reduce("reduce");
  const Alignment alignment = r.alignment("align");
  std::vector<Module> modules;
  std::vector<GraphBuilder<float>::Value> outputs;
  for (const ModuleSpec& spec : r.specs("branches")) {
    modules.push_back(r.build(spec, in));
    outputs.push_back(graph.add(modules.back().layer, graph.input()));
  }
  return Built(graph.build(graph.reduce(op, outputs, alignment)), std::move(modules));
}

/// What holds other modules: the types that model files may hold.
inline void add_containers_types(Registry& registry) {
  registry.add("Sequential", build_sequential);
  registry.add("Residual", build_residual);
  registry.add("Graph", build_graph);
  registry.add("Parallel", build_parallel);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP
