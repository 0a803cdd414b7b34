#ifndef EIGENSTREAM_NETWORK_ANY_GRAPH_HPP
#define EIGENSTREAM_NETWORK_ANY_GRAPH_HPP

#include "eigenstream/compose/wired.hpp"
#include "eigenstream/layer/channel_slice.hpp"
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
/// Errors   Error from each call that cannot be done, as soon as it is known
template <class T>
class GraphBuilder {
 public:
  /// What a layer gives, or takes.
  struct Value {
    Index number = 0;
  };

  /// `in_channels`: those of the input, if no layer says (one that takes a slice of any number of channels, for example).
  explicit GraphBuilder(Index in_channels = Dynamic) : in_channels_(in_channels) {}

  Value input() const noexcept { return {0}; }
  /// Some channels of the input: where several signals of equal rate come together as channels of one frame, for
  /// example a sound and what conditions it.
  Value input(Index first_channel, Index channels) { return add(ChannelSlice<T>(first_channel, channels), input()); }
  Value add(AnyLayer<T> layer, Value from) {
    const Value value{wiring_.add_layer(layer.timing(), from.number)};
    layers_.push_back(std::move(layer));
    return value;
  }
  /// Errors   Error with rates and delays if the values do not come equally often
  Value reduce(Reduce op, const std::vector<Value>& from) {
    std::vector<Index> numbers;
    for (const Value value : from) numbers.push_back(value.number);
    return {wiring_.add_join(op, std::move(numbers))};
  }
  /// The network whose output is `output`, the value made last.
  /// Errors   Error if another value is used by none, or if channels do not fit
  AnyGraph<T> build(Value output) {
    check(output.number == wiring_.size(), "Graph: value ", output.number, " is the output, but ", wiring_.size(),
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
