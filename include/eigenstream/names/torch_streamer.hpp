#ifndef EIGENSTREAM_NAMES_TORCH_STREAMER_HPP
#define EIGENSTREAM_NAMES_TORCH_STREAMER_HPP

// The names by which users of torch-streamer know these streams. Each is a Stream of one layer or another, whose
// forward(x, last) is stateful, as there. A signal is a tensor (C,T); a call gives the frames that are ready.

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/conv_transpose.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/network/builtin_registry.hpp"
#include "eigenstream/stream/tensor_calls.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A stream whose forward goes on with the signal: what Stream says with operator().
template <Layer L>
class LayerStream : public Stream<L> {
 public:
  using Stream<L>::Stream;

  /// The frames that are ready, or nothing if there are none; the whole rest if x is the last chunk.
  template <class X>
  auto forward(X&& x, bool last) {
    return detail::some_frames(last ? (*this)(x, final) : (*this)(x));
  }
};

/// A stream of a network whose type is known at run time only.
template <class T = float>
using BaseStream = LayerStream<AnyLayer<T>>;

template <class T = float, Index In = Dynamic, Index Out = Dynamic, Index Taps = Dynamic>
using Conv1dStream = LayerStream<Conv1d<T, In, Out, Taps>>;

template <class T = float>
using ConvTranspose1dStream = LayerStream<ConvTranspose1d<T>>;

/// Of AvgPool1d<T> or MaxPool1d<T>.
template <class Pool>
  requires(std::same_as<Pool, AvgPool1d<typename Pool::Scalar>> || std::same_as<Pool, MaxPool1d<typename Pool::Scalar>>)
using Pool1dStream = LayerStream<Pool>;

template <class... Layers>
using Sequential1dStream = LayerStream<Sequential<Layers...>>;

template <class Net>
using Residual1d = Residual<Net>;
template <class Net>
using Residual1dStream = LayerStream<Residual<Net>>;

template <class T = float>
using ResampleStream = LayerStream<Resample<T>>;

/// A stream of a layer that treats every frame by itself.
/// Errors   constructor: Error if the layer's outputs depend on more than the frame at their place
template <Layer L>
class Elementwise1dStream : public LayerStream<L> {
 public:
  explicit Elementwise1dStream(L layer, StreamOptions options = {}) : LayerStream<L>(checked(std::move(layer)), options) {}

 private:
  static L checked(L layer) {
    const Timing timing = layer.timing();
    check(timing.rate() == Rate() && timing.receptive_field() == 1 && timing.padding() == 0 && timing.delay() == 0,
          "Elementwise1dStream: the layer is not elementwise: ", timing.rate().outputs, " outputs for ",
          timing.rate().inputs, " inputs, receptive field ", timing.receptive_field(), ", padding ", timing.padding());
    return layer;
  }
};
template <class L>
Elementwise1dStream(L, StreamOptions = {}) -> Elementwise1dStream<L>;

/// A stream of any layer or network, with the padding it has or without.
template <Layer L>
BaseStream<typename L::Scalar> create_stream(const L& net, PaddingPolicy policy = PaddingPolicy::exact,
                                             StreamOptions options = {}) {
  using Any = AnyLayer<typename L::Scalar>;
  return BaseStream<typename L::Scalar>(policy == PaddingPolicy::valid ? Any(without_padding(net)) : Any(net), options);
}

/// A stream of the network of a description, built by a registry's factories. With PaddingPolicy::valid each module is
/// built without padding, so that what fits together only then, such as a residual whose padded inside is longer than its
/// input, is a network, too.
/// Errors   Error as Registry::create
inline BaseStream<float> create_stream(const Registry& registry, const ModuleSpec& spec, const WeightMap& weights,
                                       PaddingPolicy policy = PaddingPolicy::exact, StreamOptions options = {}) {
  return BaseStream<float>(registry.create(spec, weights, policy).layer, options);
}

/// Says that a factory may take the place of another: register_streamer(registry, "Conv1d", factory, es::replace).
struct Replace {
  explicit Replace() = default;
};
inline constexpr Replace replace{};

/// Teaches a registry a type of the user's. The factory reads the fields and weights of a module and gives a layer.
/// Errors   Error if the registry knows the type already
inline void register_streamer(Registry& registry, const std::string& type, Registry::Factory factory) {
  registry.add(type, std::move(factory));
}
/// Teaches a registry another way to build a type that it knows, built-in ones too.
/// Errors   Error if it does not know the type
inline void register_streamer(Registry& registry, const std::string& type, Registry::Factory factory, Replace) {
  registry.replace(type, std::move(factory));
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NAMES_TORCH_STREAMER_HPP
