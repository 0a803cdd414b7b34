#ifndef EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP
#define EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP

#include "eigenstream/compose/control.hpp"
#include "eigenstream/compose/prewarmed.hpp"
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
  const Index own = r.integer("in_channels");
  if (own != Dynamic) {
    r.check(in.channels == 0 || own == in.channels, "in_channels = ", own, ", but ", Index{in.channels}, " come");
    known.channels = own;
  }
  const std::vector<Index> channels = r.values("more_channels"), rates = r.values("more_rates");
  r.check(rates.empty() || rates.size() == 2 * channels.size(), "more_rates holds ", rates.size(), " numbers, expected ",
          2 * channels.size(), ": frames of each further input, and for how many of the main one");
  std::vector<NetworkInput> more;
  for (std::size_t k = 0; k < channels.size(); ++k) {
    more.push_back({.shape = {channels[k]}});
    if (rates.empty()) continue;
    more.back().rate = Rate::of(rates[2 * k], rates[2 * k + 1]);
  }
  const std::vector<Index> outputs = r.values("outputs");
  const std::vector<std::string> names = r.texts("output_names");
  r.check(names.empty() || names.size() == outputs.size(), "output_names holds ", names.size(), " texts, expected ",
          outputs.size(), ": one for each of outputs");
  AnyGraph<float> graph = r.graph("nodes", known, more, modules, outputs, names);
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

inline Built build_control(ModuleReader& r, const FrameShape&) {
  r.check(!r.in_window(), "has no place in a window: a knob is turned from one frame of a stream to the next");
  const std::vector<std::string> names = r.texts("names");
  const std::vector<Index> channels = r.values("channels");
  r.check(!names.empty() && names.size() == channels.size(), "names holds ", names.size(), " texts and channels ",
          channels.size(), " numbers, expected one for each knob");
  std::vector<NetworkControl> controls;
  Index size = 0;
  for (std::size_t k = 0; k < names.size(); ++k) {
    const Weights<float> initial = r.weight("default" + std::to_string(k), {channels[k]});
    controls.push_back({names[k], {initial.values.begin(), initial.values.end()}});
    size += channels[k];
  }
  r.check(size <= max_extent, "channels of all knobs are ", size, ", must be at most ", max_extent);
  Module net = r.child("net", {.channels = size});
  AnyLayer<float> layer = net.layer;
  return Built(Control<AnyLayer<float>>(std::move(controls), std::move(layer)), {std::move(net)});
}

inline Built build_prewarm(ModuleReader& r, const FrameShape& in) {
  r.check(!r.in_window(), "has no place in a window: it is what a stream begins with");
  const Index frames = r.integer("frames");
  Module net = r.child("net", in);
  AnyLayer<float> layer = AnyGraph<float>::of(net.layer);
  if (!r.pads()) return Built(std::move(layer), {std::move(net)});
  return Built(Prewarmed<AnyLayer<float>>(std::move(layer), frames), {std::move(net)});
}

inline Built build_reduce(ModuleReader& r, const FrameShape&) {
  r.fail("joins values of a Graph, and can only be one of its nodes");
}

/// What holds other modules: the types that model files may hold.
inline void add_containers_types(Registry& registry) {
  using F = ModuleField;
  const auto add = [&](ModuleType type) {
    type.group = "Containers";
    registry.add(std::move(type));
  };
  const F align = F::text("align", alignment_names[0],
                          "how operands of different length are lined up; inside a Windowed centred", alignment_names);
  add({.name = "Sequential",
       .torch = "torch.nn.Sequential",
       .summary = "One module after the other",
       .notes = "The output of each node is the input of the next. Without nodes it is the identity.",
       .fields = {F::nodes("layers", "in their order")},
       .build = build_sequential});
  add({.name = "Residual",
       .summary = "What a network makes of the input, and the input itself, added",
       .formula = "y[c,t] = net(x)[c,t] + x[c, t + floor(q/2)]    q: by how many frames `net` shortens its input",
       .notes = "Every stride inside is 1, `q` is not negative, and `net` keeps the number of channels.",
       .fields = {F::node("net", "the network"), align},
       .build = build_residual});
  add({.name = "Parallel",
       .summary = "Several networks with the same input, whose outputs are joined",
       .notes = "`reduce` and `align` are `op` and `align` of Reduce.",
       .fields = {F::nodes("branches", "two or more"),
                  F::text("reduce", required, "how their outputs become one", reduce_names), align},
       .build = build_parallel});
  add({.name = "Graph",
       .summary = "Any network without loops",
       .notes =
           "Values are numbered: 0 is the input, the further inputs follow, and then what the nodes give, the last of which "
           "is the output. Each node has one more field, `from`: the numbers of the values that it takes, smaller than its "
           "own. Every value is used; without nodes, the graph is the identity. With `outputs` any of the values are its "
           "outputs, the main one first; a graph with more than one is a network by itself, not part of another.",
       .fields = {F::nodes("nodes", "each with `from`"),
                  F::integer("in_channels", absent, "of its input; without it, the first layer that minds says"),
                  F::integers("more_channels", "of each further input"),
                  F::integers("more_rates", "two numbers for each further input: frames, and for how many of the main one"),
                  F::integers("outputs", "the values that come out; without it, the last one", 0),
                  F::texts("output_names", "of each of these; without it, they are called 0, 1 and so on")},
       .build = build_graph});
  add({.name = "Control",
       .summary = "Knobs: numbers that are set while a stream runs, and what a network makes of them, for each frame of x",
       .formula = "y[m] = net(values of all knobs, one behind the other)",
       .notes = "Of x nothing is used but when its frames come. Only as a node of a Graph; knobs of one name in several of them are one, "
                "with the same defaults. `net` makes one frame of one frame, by itself; it runs when a knob is set.",
       .fields = {F::texts("names", "of the knobs"), F::integers("channels", "numbers of each of them"),
                  F::node("net", "an empty Sequential: the numbers themselves")},
       .tensors = {{"default<k>", "channels", "", "of knob k, from 0 on"}},
       .build = build_control});
  add({.name = "Prewarm",
       .summary = "A network whose signals begin as if silence had come before",
       .formula = "y = net(frames zeros, then x), without its first frames",
       .notes = "The zeros are run when the network is built, and a stream that begins, is reset or flushed gets what they have led "
                "to. `net` gives a frame at once for each that comes, from one signal, without knobs; `frames` times its "
                "multiply-adds for a frame, and 64 more, is at most 2^34.",
       .fields = {F::integer("frames", required, "of silence", 1, Prewarmed<AnyLayer<float>>::max_frames), F::node("net", "the network")},
       .build = build_prewarm});
  add({.name = "Reduce",
       .summary = "Several values of a Graph joined into one, number by number or as channels",
       .notes = "Only as a node of a Graph, with two values or more. `difference` and `quotient` take exactly two; for all but "
                "`concat` they have equal numbers of channels, or one, which then serves for all.",
       .fields = {F::text("op", required, "how values become one", reduce_names), align},
       .build = build_reduce});
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_CONTAINERS_HPP
