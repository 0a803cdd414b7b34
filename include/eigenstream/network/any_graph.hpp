#ifndef EIGENSTREAM_NETWORK_ANY_GRAPH_HPP
#define EIGENSTREAM_NETWORK_ANY_GRAPH_HPP

#include <initializer_list>  // outputs
#include <span>              // outputs
#include <string>            // names
#include <vector>            // values

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/wired.hpp"
#include "eigenstream/layer/channel_slice.hpp"
#include "eigenstream/layer/join.hpp"
#include "eigenstream/network/any_layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A network with branches, chosen at run time: a later layer may take what any earlier one gives, and values join by
/// sum, product, concatenation of channels and so on. Built by GraphBuilder.
/// Shapes   as the layers say
/// Timing   branches are aligned by themselves, as in Parallel
/// Containers among the layers are taken apart, so that one plan runs all that is in them: the frames, the fingerprint and
/// what a state holds are the same as with them.
template <class T>
class AnyGraph : public Wired<T, detail::VectorStages<AnyLayer<T>>> {
  using Base = Wired<T, detail::VectorStages<AnyLayer<T>>>;
  using Stages = detail::VectorStages<AnyLayer<T>>;

 public:
  AnyGraph(std::vector<AnyLayer<T>> layers, const Wiring& wiring, Index in_channels = Dynamic)
      : AnyGraph(Parts(Stages{std::move(layers)}, wiring), in_channels) {}

  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  /// A step of what frames run through: layers that run together, by their names, the values that they take and the one that
  /// they give.
  struct PlannedStep {
    std::vector<std::string> layers;
    std::vector<Index> takes;
    Index gives = 0;
  };
  /// How the network runs: its steps, in their order. Values are numbered as in a Wiring of the layers without containers.
  std::vector<PlannedStep> plan() const {
    std::vector<PlannedStep> all;
    for (const auto& step : this->plan_steps().steps()) {
      PlannedStep own;
      own.gives = step.last;
      const auto add_layer = [&](Index v) { own.layers.push_back(this->stages().layers[static_cast<std::size_t>(v - this->inputs())].name()); };
      const auto take = [&](Index v) {
        if (v >= 0) own.takes.push_back(v);
      };
      add_layer(step.first);
      for (const auto& operand : this->graph().operands(step.first)) take(operand.value);
      for (Index v : this->plan_steps().joined(step)) add_layer(v);
      for (Index v : this->plan_steps().added(step)) take(v);
      all.push_back(std::move(own));
    }
    return all;
  }

  /// The network of one layer that may be a container, or the layer itself if it is none.
  static AnyLayer<T> of(AnyLayer<T> layer) {
    if (!is_container(layer) || layer.template as<AnyGraph>() != nullptr) return layer;
    Wiring wiring;
    wiring.add(layer.timing(), {0});
    Parts parts(Stages{{layer}}, wiring);
    parts.fingerprint = layer.fingerprint();
    return AnyGraph(std::move(parts), layer.wanted().channels == 0 ? Dynamic : Index{layer.wanted().channels});
  }

  /// The same layers without padding, aligned anew.
  AnyGraph without_padding() const {
    detail::VectorStages<AnyLayer<T>> layers;
    for (const AnyLayer<T>& layer : this->stages().layers) layers.layers.push_back(layer.without_padding());
    const Wiring wiring = this->rewire(layers);
    return AnyGraph(std::move(layers.layers), wiring, this->wanted().channels == 0 ? Dynamic : Index{this->wanted().channels});
  }

 private:
  // Layers and how they are connected, containers taken apart.
  struct Parts {
    Parts(Stages whole, const Wiring& given) : wiring(given), fingerprint(of_layers(whole, given)) {
      given.check_used();
      bool some = false;
      whole.for_each([&](Index, const AnyLayer<T>& layer) { some = some || is_container(layer); });
      if (!some) {
        stages = std::move(whole);
        return;
      }
      wiring = Wiring(given.more_inputs());
      std::vector<Index> values;
      for (Index v = 0; v < given.graph().inputs(); ++v) values.push_back(v);
      whole.for_each([&](Index i, const AnyLayer<T>& layer) {
        const Index v = given.graph().inputs() + i;
        values.push_back(add(layer, mapped(given.graph().operands(v), values), given.graph()[v].alignment));
      });
      std::vector<Wiring::Output> outputs = given.outputs();
      for (Wiring::Output& output : outputs) output.value = values[static_cast<std::size_t>(output.value)];
      if (!outputs.empty()) wiring.choose_outputs(std::move(outputs));
    }
    static std::uint64_t of_layers(const Stages& whole, const Wiring& given) {
      std::vector<Index> outputs;
      for (const Wiring::Output& output : given.outputs()) outputs.push_back(output.value);
      return Base::fingerprint_of(whole, given.graph(), given.more_inputs(), outputs);
    }
    template <class Operands>
    static std::vector<Index> mapped(const Operands& operands, const std::vector<Index>& values) {
      std::vector<Index> from;
      for (const auto& operand : operands) from.push_back(values[static_cast<std::size_t>(operand.value)]);
      return from;
    }
    // The value that a layer gives; the value made last.
    Index add(const AnyLayer<T>& layer, const std::vector<Index>& from, Alignment alignment) {
      if (!is_container(layer)) {
        stages.layers.push_back(layer);
        return wiring.add(layer.timing(), from, alignment);
      }
      if (const auto* chain = layer.template as<AnySequential<T>>()) {
        Index value = from.front();
        for (const AnyLayer<T>& inner : chain->stages().layers) value = add(inner, {value}, Alignment::centred);
        return value;
      }
      if (const auto* residual = layer.template as<Residual<AnyLayer<T>>>()) return add_residual(residual->net(), from);
      if (const auto* residual = layer.template as<Residual<AnySequential<T>>>()) return add_residual(residual->net(), from);
      const AnyGraph& inner = *layer.template as<AnyGraph>();
      std::vector<Index> values = from;
      inner.stages().for_each([&](Index i, const AnyLayer<T>& own) {
        const Index v = inner.inputs() + i;
        values.push_back(add(own, mapped(inner.graph().operands(v), values), inner.graph()[v].alignment));
      });
      return values.back();
    }
    Index add_residual(const AnyLayer<T>& net, const std::vector<Index>& from) {
      const Index value = add(net, from, Alignment::centred);
      return add(Join<T>(Reduce::sum, 2), {value, from.front()}, Alignment::centred);
    }
    Stages stages;
    Wiring wiring;
    std::uint64_t fingerprint;
  };
  AnyGraph(Parts parts, Index in_channels) : Base(std::move(parts.stages), parts.wiring, in_channels), fingerprint_(parts.fingerprint) {}

  // Whether a layer holds others that can run by themselves, and has nothing to remember but what they do.
  static bool is_container(const AnyLayer<T>& layer) {
    if (const auto* chain = layer.template as<AnySequential<T>>()) return !chain->stages().layers.empty();
    if (const auto* residual = layer.template as<Residual<AnyLayer<T>>>()) return !residual->waits();
    if (const auto* residual = layer.template as<Residual<AnySequential<T>>>()) return !residual->waits();
    const auto* graph = layer.template as<AnyGraph>();
    if (graph == nullptr || graph->stages().layers.empty() || graph->main_output() != graph->graph().last() || graph->all_outputs().size() > 1)
      return false;
    for (const NetworkInput& input : graph->more_inputs())
      if (input.rate != Rate()) return false;
    for (const auto& operand : graph->graph().operands())
      if (!operand.direct) return false;
    return true;
  }

  std::uint64_t fingerprint_;
};

/// Puts a network with branches together:
///   es::GraphBuilder<float> graph;
///   const auto x = graph.input();
///   const auto skip = graph.add(encoder, x);
///   const auto deep = graph.add(up, graph.add(down, skip));
///   es::AnyGraph<float> net = graph.build(graph.reduce(es::Reduce::concat, {skip, deep}));
/// With a signal that conditions it, 80 channels once for every 256 frames:
///   es::GraphBuilder<float> graph(1, {{.shape = {80}, .rate = {1, 256}}});
///   const auto mel = graph.add(upsample, graph.input(1));
/// With several outputs, which a stream gives side by side:
///   es::AnyGraph<float> net = graph.build({clean, mask}, {"clean", "mask"});
/// Errors   Error from each call that cannot be done, as soon as it is known
template <class T>
class GraphBuilder {
 public:
  /// What a layer gives, or takes.
  struct Value {
    Index number = 0;
  };

  /// `in_channels`: those of the input, if no layer says (one that takes a slice of any number of channels, for example).
  /// `more_inputs`: what comes beside it, input(1) and so on.
  explicit GraphBuilder(Index in_channels = Dynamic, std::vector<NetworkInput> more_inputs = {})
      : in_channels_(in_channels), wiring_(std::move(more_inputs)) {}

  /// An input; 0 is the main one, by whose frames time is counted.
  /// Errors   Error if there is none of that number
  Value input(Index number = 0) const {
    check(number >= 0 && number < wiring_.graph().inputs(), "Graph: no input ", number, "; there are ",
          wiring_.graph().inputs());
    return {number};
  }
  /// Some channels of the input: where several signals of equal rate come together as channels of one frame, for
  /// example a sound and what conditions it.
  Value input(Index first_channel, Index channels) { return add(ChannelSlice<T>(first_channel, channels), input()); }
  Value add(AnyLayer<T> layer, Value from) { return join(std::move(layer), {from}); }
  /// What a layer with several inputs gives for these values, aligned.
  /// Errors   Error with rates and delays if the values do not come equally often
  Value join(AnyLayer<T> layer, const std::vector<Value>& from, Alignment alignment = Alignment::centred) {
    check(static_cast<Index>(from.size()) == layer.inputs(), "Graph: ", from.size(), " values for a layer of ",
          layer.inputs(), " inputs");
    std::vector<Index> numbers;
    for (const Value value : from) numbers.push_back(value.number);
    const Value value{wiring_.add(layer.timing(), numbers, alignment)};
    layers_.push_back(std::move(layer));
    return value;
  }
  /// Errors   Error with rates and delays if the values do not come equally often
  Value reduce(Reduce op, const std::vector<Value>& from, Alignment alignment = Alignment::centred) {
    return join(Join<T>(op, static_cast<Index>(from.size())), from, alignment);
  }
  /// The network with these outputs, the main one first. Those without a name are called by their number: "0", "1" ...
  /// Errors   Error if another value is used by none, if channels do not fit, or if two outputs have the same name
  AnyGraph<T> build(std::initializer_list<Value> outputs, const std::vector<std::string>& names = {}) {
    return build(std::span(outputs.begin(), outputs.size()), names);
  }
  AnyGraph<T> build(std::span<const Value> outputs, const std::vector<std::string>& names = {}) {
    check(names.empty() || names.size() == outputs.size(), "Graph: ", names.size(), " names for ", outputs.size(), " outputs");
    std::vector<Wiring::Output> chosen;
    for (std::size_t k = 0; k < outputs.size(); ++k) chosen.push_back({outputs[k].number, names.empty() ? "" : names[k]});
    wiring_.choose_outputs(std::move(chosen));
    return AnyGraph<T>(std::move(layers_), wiring_, in_channels_);
  }
  /// The network whose output is `output`, the value made last.
  /// Errors   Error if another value is used by none, or if channels do not fit
  AnyGraph<T> build(Value output) {
    check(output.number == wiring_.last(), "Graph: value ", output.number, " is the output, but ", wiring_.last(),
          " was made last");
    return AnyGraph<T>(std::move(layers_), wiring_, in_channels_);
  }

 private:
  Index in_channels_;
  Wiring wiring_;
  std::vector<AnyLayer<T>> layers_;
};

static_assert(Layer<AnyGraph<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_ANY_GRAPH_HPP
