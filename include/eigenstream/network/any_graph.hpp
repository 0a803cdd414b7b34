#ifndef EIGENSTREAM_NETWORK_ANY_GRAPH_HPP
#define EIGENSTREAM_NETWORK_ANY_GRAPH_HPP

#include <initializer_list>  // outputs
#include <span>              // outputs
#include <string>            // names
#include <vector>            // values

#include "eigenstream/compose/wired.hpp"
#include "eigenstream/layer/channel_slice.hpp"
#include "eigenstream/layer/join.hpp"
#include "eigenstream/network/any_layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A network with branches, chosen at run time: a later layer may take what any earlier one gives, and values join by
/// sum, product, concatenation of channels and so on. Built by GraphBuilder.
/// Shapes   as the layers say
/// Timing   branches are aligned by themselves, as in Parallel
template <class T>
class AnyGraph : public Wired<T, detail::VectorStages<AnyLayer<T>>> {
 public:
  AnyGraph(std::vector<AnyLayer<T>> layers, const Wiring& wiring, Index in_channels = Dynamic)
      : Wired<T, detail::VectorStages<AnyLayer<T>>>(detail::VectorStages<AnyLayer<T>>{std::move(layers)}, wiring, in_channels) {}

  /// The same layers without padding, aligned anew.
  AnyGraph without_padding() const {
    detail::VectorStages<AnyLayer<T>> layers;
    for (const AnyLayer<T>& layer : this->stages().layers) layers.layers.push_back(layer.without_padding());
    const Wiring wiring = this->rewire(layers);
    return AnyGraph(std::move(layers.layers), wiring, this->wanted().channels == 0 ? Dynamic : Index{this->wanted().channels});
  }
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
