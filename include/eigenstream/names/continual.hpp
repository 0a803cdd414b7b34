#ifndef EIGENSTREAM_NAMES_CONTINUAL_HPP
#define EIGENSTREAM_NAMES_CONTINUAL_HPP

// The names by which users of continual-inference know these modules (namespace co = eigenstream::continual). Each gives a
// Module; a layer of the library may stand wherever one is wanted. Containers put together one network: lists of streams are
// its edges, and what comes early waits where streams meet, so that nobody needs a delay.

#include <initializer_list>  // routes
#include <string_view>       // names of reductions

#include "eigenstream/compose/conditional.hpp"
#include "eigenstream/compose/each_frame.hpp"
#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/constant.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/layer/lambda.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/norm.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/layer/rearrange.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "eigenstream/layer/space_conv.hpp"
#include "eigenstream/names/continual_attention.hpp"
#include "eigenstream/names/continual_module.hpp"
#include "eigenstream/network/builtin_registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace continual {

// Conversion.

/// A layer or network of the library as a module; it is copied.
/// Errors   Error if it needs the whole signal, or looks further back than it pads
inline Module continual(Module layer) { return layer; }
/// The module of a description, with the weights of the ordinary layer; `overrides` take the place of its fields.
/// Errors   Error as Registry::create; what runs in both directions, or over the whole signal, is refused
inline Module build_from(ModuleSpec spec, const WeightMap& weights,
                         const std::map<std::string, ModuleSpec::Value>& overrides = {},
                         const Registry& registry = builtin_registry()) {
  for (const auto& [name, value] : overrides) spec.fields[name] = value;
  return registry.create(spec, weights).layer;
}
inline Module continual(const ModuleSpec& spec, const WeightMap& weights) { return build_from(spec, weights); }
/// A layer without dependence on time, over the space of each frame by itself: also one that torch has over time as well,
/// such as GroupNorm, whose statistics are then those of a frame.
/// Errors   Error if its outputs depend on more than the frame at their place
template <class L>
Module forward_stepping(L layer) {
  check(layer.timing().frame_by_frame(), "forward_stepping: the layer looks at more than the frame at its place");
  return each_frame(std::move(layer));
}

// Layers over time.

/// What stands for frames before and behind the signal in steps: zeros, the nearest frame, or (pools) minus infinity. A signal
/// as a whole is padded as the ordinary layer pads.
enum class TemporalFill { zeros, replicate, neg_inf };

/// How many frames at both ends keep the length. Errors   Error if no number does
inline Index same_padding(Index taps, Index dilation = 1) {
  const Index both = dilation * (taps - 1);
  check(both >= 0 && both % 2 == 0, "same: a kernel of ", taps, " with dilation ", dilation, " needs ", both,
        " frames of padding, which is not twice a number");
  return both / 2;
}

/// A layer that pads with `own` by itself, with another fill in steps.
template <class L>
Module filled(std::string type, const L& layer, const Padding& padding, TemporalFill own, TemporalFill fill) {
  if (fill == own || (padding.left == 0 && padding.right == 0)) return Module::of_layers(std::move(type), layer);
  const Pad<float> pad(padding.left, padding.right,
                       {.mode = fill == TemporalFill::replicate ? PaddingMode::replicate : PaddingMode::constant,
                        .value = fill == TemporalFill::neg_inf ? -std::numeric_limits<double>::infinity() : 0.0});
  return Module::of_layers(std::move(type), AnySequential<float>({pad, without_padding(layer)}),
                           [layer](Time) { return layer; });
}
template <class L>
Module filled_conv(std::string type, const L& layer, const Padding& padding, PaddingMode mode, TemporalFill fill) {
  check(fill != TemporalFill::neg_inf, type, ": temporal_fill neg_inf is for pools");
  if (mode == PaddingMode::constant) return Module::of_layers(std::move(type), layer);
  const TemporalFill own = mode == PaddingMode::zeros ? TemporalFill::zeros : TemporalFill::replicate;
  return filled(std::move(type), layer, padding, own, fill);
}

/// As torch.nn.Conv1d, with weight (out, in/groups, taps) and bias (out) or none.
inline Module Conv1d(const Weights<float>& weight, const Weights<float>& bias = {}, Conv1dOptions options = {},
                     TemporalFill temporal_fill = TemporalFill::zeros) {
  return filled_conv("Conv1d", eigenstream::Conv1d<float>(weight, bias, options), options.padding, options.padding_mode,
                     temporal_fill);
}
/// Over time and one or two axes of space, the options with time first.
inline Module Conv2d(const Weights<float>& weight, const Weights<float>& bias = {}, Conv2dOptions options = {},
                     TemporalFill temporal_fill = TemporalFill::zeros) {
  return filled_conv("Conv2d", eigenstream::Conv2d<float>(weight, bias, options), options.padding[0],
                     options.padding_mode, temporal_fill);
}
inline Module Conv3d(const Weights<float>& weight, const Weights<float>& bias = {}, Conv3dOptions options = {},
                     TemporalFill temporal_fill = TemporalFill::zeros) {
  return filled_conv("Conv3d", eigenstream::Conv3d<float>(weight, bias, options), options.padding[0],
                     options.padding_mode, temporal_fill);
}
inline Module ConvTranspose2d(const Weights<float>& weight, const Weights<float>& bias = {},
                              ConvTranspose2dOptions options = {}) {
  return eigenstream::ConvTranspose2d<float>(weight, bias, options);
}

/// Windows that hang over the end see no fill, so that there are none with another one than the pool's own.
template <class L>
Module filled_pool(std::string type, const L& pool, Index padding, bool ceil_mode, TemporalFill own, TemporalFill fill) {
  check(fill == own || padding == 0 || !ceil_mode, type,
        ": ceil_mode with another temporal_fill than the pool's own is not possible");
  return filled(std::move(type), pool, padding, own, fill);
}
inline Module AvgPool1d(Index kernel_size, AvgPool1dOptions options = {}, TemporalFill temporal_fill = TemporalFill::zeros) {
  if (!options.count_include_pad && options.divisor_override == 0) temporal_fill = TemporalFill::zeros;  // it does not count
  return filled_pool("AvgPool1d", eigenstream::AvgPool1d<float>(kernel_size, options), options.padding, options.ceil_mode,
                     TemporalFill::zeros, temporal_fill);
}
inline Module MaxPool1d(Index kernel_size, MaxPool1dOptions options = {}, TemporalFill temporal_fill = TemporalFill::neg_inf) {
  return filled_pool("MaxPool1d", eigenstream::MaxPool1d<float>(kernel_size, options), options.padding, options.ceil_mode,
                     TemporalFill::neg_inf, temporal_fill);
}
template <int Axes>
Module avg_pool(std::string type, PerAxis<Index, Axes> kernel_size, const SpaceAvgPoolOptions<Axes>& options,
                TemporalFill fill) {
  if (!options.count_include_pad && options.divisor_override == 0) fill = TemporalFill::zeros;
  return filled_pool(std::move(type), SpaceAvgPool<float, Axes>(kernel_size, options), options.padding[0], options.ceil_mode,
                     TemporalFill::zeros, fill);
}
template <int Axes>
Module max_pool(std::string type, PerAxis<Index, Axes> kernel_size, const SpaceMaxPoolOptions<Axes>& options,
                TemporalFill fill) {
  return filled_pool(std::move(type), SpaceMaxPool<float, Axes>(kernel_size, options), options.padding[0], options.ceil_mode,
                     TemporalFill::neg_inf, fill);
}
inline Module AvgPool2d(PerAxis<Index, 2> kernel_size, SpaceAvgPoolOptions<2> options = {},
                        TemporalFill temporal_fill = TemporalFill::zeros) {
  return avg_pool<2>("AvgPool2d", kernel_size, options, temporal_fill);
}
inline Module AvgPool3d(PerAxis<Index, 3> kernel_size, SpaceAvgPoolOptions<3> options = {},
                        TemporalFill temporal_fill = TemporalFill::zeros) {
  return avg_pool<3>("AvgPool3d", kernel_size, options, temporal_fill);
}
inline Module MaxPool2d(PerAxis<Index, 2> kernel_size, SpaceMaxPoolOptions<2> options = {},
                        TemporalFill temporal_fill = TemporalFill::neg_inf) {
  return max_pool<2>("MaxPool2d", kernel_size, options, temporal_fill);
}
inline Module MaxPool3d(PerAxis<Index, 3> kernel_size, SpaceMaxPoolOptions<3> options = {},
                        TemporalFill temporal_fill = TemporalFill::neg_inf) {
  return max_pool<3>("MaxPool3d", kernel_size, options, temporal_fill);
}

/// Over the parts of each frame's space, and in steps over a window of so many frames; a signal as a whole gives one frame.
template <class Pool, int Axes>
Module adaptive_pool(std::string type, PerAxis<Index, Axes> output_size, Index window, AdaptivePoolOptions options) {
  return Module::of_layers(std::move(type), Pool(output_size, window, options),
                           [output_size](Time frames) { return Pool(output_size, static_cast<Index>(frames)); });
}
inline Module AdaptiveAvgPool2d(PerAxis<Index, 1> output_size, Index window, AdaptivePoolOptions options = {}) {
  return adaptive_pool<eigenstream::AdaptiveAvgPool2d<float>>("AdaptiveAvgPool2d", output_size, window, options);
}
inline Module AdaptiveAvgPool3d(PerAxis<Index, 2> output_size, Index window, AdaptivePoolOptions options = {}) {
  return adaptive_pool<eigenstream::AdaptiveAvgPool3d<float>>("AdaptiveAvgPool3d", output_size, window, options);
}
inline Module AdaptiveMaxPool2d(PerAxis<Index, 1> output_size, Index window, AdaptivePoolOptions options = {}) {
  return adaptive_pool<eigenstream::AdaptiveMaxPool2d<float>>("AdaptiveMaxPool2d", output_size, window, options);
}
inline Module AdaptiveMaxPool3d(PerAxis<Index, 2> output_size, Index window, AdaptivePoolOptions options = {}) {
  return adaptive_pool<eigenstream::AdaptiveMaxPool3d<float>>("AdaptiveMaxPool3d", output_size, window, options);
}

/// Recurrent layers one behind the other, of tensors by torch's names: weight_ih_l0, bias_hh_l1, weight_hr_l0 and so on.
/// Errors   Error if one is missing, belongs to none, or runs backwards
template <RecurrentCell Cell>
Module recurrent(std::string type, const WeightMap& weights) {
  std::vector<AnyLayer<float>> layers;
  std::size_t used = 0;
  const auto find = [&](const char* name) {
    const auto found = weights.find(name + std::string("_l") + std::to_string(layers.size()));
    if (found == weights.end()) return Weights<float>();
    ++used;
    return found->second;
  };
  for (const auto& [name, tensor] : weights)
    check(!name.ends_with("_reverse"), type, ": \"", name,
          "\" runs backwards, from the end of the signal, which no stream knows");
  while (weights.contains("weight_ih_l" + std::to_string(layers.size()))) {
    RecurrentWeights<float> w{find("weight_ih"), find("weight_hh"), find("bias_ih"), find("bias_hh"), find("weight_hr")};
    layers.emplace_back(Recurrent<Cell, float>(w));
  }
  check(!layers.empty() && used == weights.size(), type, ": of ", weights.size(), " tensors, ", used, " belong to ",
        layers.size(), " layers");
  return Module::of_layers(std::move(type), layers.size() == 1 ? layers.front() : AnySequential<float>(std::move(layers)));
}
inline Module RNN(const WeightMap& weights, std::string_view nonlinearity = "tanh") {
  check(nonlinearity == "tanh" || nonlinearity == "relu", "RNN: nonlinearity ", nonlinearity, ", must be tanh or relu");
  if (nonlinearity == "relu") return recurrent<RecurrentCell::rnn_relu>("RNN", weights);
  return recurrent<RecurrentCell::rnn_tanh>("RNN", weights);
}
inline Module GRU(const WeightMap& weights) { return recurrent<RecurrentCell::gru>("GRU", weights); }
inline Module LSTM(const WeightMap& weights) { return recurrent<RecurrentCell::lstm>("LSTM", weights); }

// Frame by frame.

/// Over the channels, which are axis 1 in torch. Errors   Error for any other axis
inline Module Linear(const Weights<float>& weight, const Weights<float>& bias = {}, Index channel_dim = 1) {
  check(channel_dim == 1, "Linear: channel_dim = ", channel_dim,
        ", must be 1: along the last axis of a signal it would go over time");
  return eigenstream::Linear<float>(weight, bias);
}
inline Module Identity() { return eigenstream::Identity<float>(); }
inline Module Add(double value) { return Affine<float>(1, value); }
inline Module Multiply(double value) { return Affine<float>(value); }
inline Module Constant(double value) { return eigenstream::Constant<float>(value); }
inline Module Zero() { return Constant(0); }
inline Module One() { return Constant(1); }
/// A function of each number, f(x), or of each frame, f(x, y). One of several frames is none that could be stepped.
template <class F>
Module Lambda(F f, std::string name = "", FrameShape (*out_of)(const FrameShape&) = nullptr) {
  return lambda<float>(std::move(f), std::move(name), out_of);
}
inline Module BatchNorm1d(const Weights<float>& mean, const Weights<float>& var, const Weights<float>& weight = {},
                          const Weights<float>& bias = {}, double eps = 1e-5) {
  return eigenstream::BatchNorm1d<float>(mean, var, weight, bias, eps);
}
inline Module BatchNorm2d(const Weights<float>& mean, const Weights<float>& var, const Weights<float>& weight = {},
                          const Weights<float>& bias = {}, double eps = 1e-5) {
  return BatchNorm1d(mean, var, weight, bias, eps);
}
inline Module BatchNorm3d(const Weights<float>& mean, const Weights<float>& var, const Weights<float>& weight = {},
                          const Weights<float>& bias = {}, double eps = 1e-5) {
  return BatchNorm1d(mean, var, weight, bias, eps);
}
/// Over the channels of each column; SpaceNorm<float> is the one over the space of each frame.
inline Module LayerNorm(const Weights<float>& weight, const Weights<float>& bias = {}, double eps = 1e-5) {
  return eigenstream::LayerNorm<float>(weight, bias, eps);
}
/// With the statistics of each frame, of a signal as a whole, too, where torch takes those of all of it.
inline Module GroupNorm(Index num_groups, const Weights<float>& weight, const Weights<float>& bias = {}, double eps = 1e-5) {
  return forward_stepping(eigenstream::GroupNorm<float>(num_groups, weight, bias, eps));
}

/// The numbers of each frame as a frame of another shape, in torch's order: the last axis of space is the fastest.
inline Module Reshape(FrameShape shape) {
  const Index columns = shape.width * shape.height;
  return Module::of_layers("Reshape", AnySequential<float>({each_frame(Flatten<float>()), eigenstream::Reshape<float>({columns, shape.channels}),
                                                            each_frame(Transpose<float>()), eigenstream::Reshape<float>(shape)}));
}

/// Which frames are left out where one of two streams is longer: at both ends; at the end; at the start.
enum class Shrink { none, centered, lagging, leading };

/// Frames later. A signal as a whole is what it was, or lacks as many frames at both ends (centered) or at the end (lagging).
inline Module Delay(Index frames, Shrink auto_shrink = Shrink::none) {
  check(frames >= 0, "Delay: ", frames, " frames, must not be negative");
  check(auto_shrink != Shrink::leading, "Delay: auto_shrink is centered or lagging");
  if (auto_shrink == Shrink::none) return Module::of_layers("Delay", eigenstream::Delay<float>(frames));
  return Module::of_layers("Delay", Pad<float>(auto_shrink == Shrink::centered ? -frames : 0, -frames));
}
/// Without the first frames, the others at once.
inline Module Skip(Index frames) {
  check(frames >= 0, "Skip: ", frames, " frames, must not be negative");
  return Module::of_layers("Skip", Pad<float>(-frames, 0));
}

// Containers.

/// What makes one stream of several: by name, sum, mul, max or concat (of channels), any other Reduce of the library's, or a
/// layer of as many inputs.
struct Reduction {
  Reduction(eigenstream::Reduce op) : join([op](Index n) { return Join<float>(op, n); }) {}
  Reduction(const char* name) : Reduction(named(name)) {}
  Reduction(AnyLayer<float> layer) : join([layer](Index) { return layer; }) {}

  std::function<AnyLayer<float>(Index)> join;

 private:
  static eigenstream::Reduce named(std::string_view name) {
    if (name == "mul") return eigenstream::Reduce::product;
    for (const auto op : {eigenstream::Reduce::sum, eigenstream::Reduce::max, eigenstream::Reduce::concat})
      if (name == name_of(op)) return op;
    fail("Reduce: \"", name, "\", must be sum, mul, max or concat");
  }
};

/// Modules one after another, the children by their position or by names.
inline Module Sequential(std::vector<Module::Child> children) {
  using Shape = Module::Shape;
  bool takes_list = false, gives_list = false;
  if (!children.empty()) {
    const Shape first = children.front().module.shape(), last = children.back().module.shape();
    takes_list = first == Shape::joins || first == Shape::lists, gives_list = last == Shape::splits || last == Shape::lists;
  }
  const Shape shape = takes_list ? (gives_list ? Shape::lists : Shape::joins) : gives_list ? Shape::splits : Shape::one;
  return {"Sequential", shape, [children](Weaver& weaver, Streams x) {
            for (const Module::Child& child : children) x = child.module.wire(weaver, x);
            return x;
          }, children};
}
inline std::vector<Module::Child> by_position(std::vector<Module> modules) {
  std::vector<Module::Child> children;
  for (Module& module : modules) children.push_back({std::to_string(children.size()), std::move(module)});
  return children;
}
inline Module Sequential(std::vector<Module> modules) { return Sequential(by_position(std::move(modules))); }
/// A Sequential with one more module behind.
inline Module append(const Module& sequential, Module next) {
  check(sequential.type() == "Sequential", "append: ", sequential.type(), " is no Sequential");
  std::vector<Module::Child> children = sequential.children();
  children.push_back({std::to_string(children.size()), std::move(next)});
  return Sequential(std::move(children));
}

/// One stream as a list of as many, or as what follows takes.
inline Module Broadcast(Index n = 0) {
  check(n >= 0, "Broadcast: ", n, " streams, must not be negative");
  return {"Broadcast", Module::Shape::splits, [n](Weaver&, const Streams& x) {
            Streams all(x);
            if (n > 0) return Streams(std::vector<Streams>(static_cast<std::size_t>(n), x));
            all.open = true;
            return all;
          }};
}
/// Each stream of a list through a branch of its own. What comes early waits where the outputs meet, or with auto_delay = false
/// they meet as they come: in steps, what one has before another has any is dropped.
/// Errors   Error if the branches' outputs do not come equally often
inline Module Parallel(std::vector<Module> branches, bool auto_delay = true) {
  check(!branches.empty(), "Parallel: no branch");
  const auto wire = [branches, auto_delay](Weaver& weaver, const Streams& x) {
    check(x.open || x.list.size() == branches.size(), "Parallel: ", branches.size(), " branches for ", x.list.size(),
          " streams");
    std::vector<Streams> all;
    for (std::size_t k = 0; k < branches.size(); ++k)
      all.push_back(branches[k].wire(weaver, x.open ? Streams(x.signal) : x.list[k]));
    std::vector<Signal*> ends;  // in all depths
    const std::function<void(Streams&)> collect = [&](Streams& each) {
      if (!each.is_list) return ends.push_back(&each.signal);
      for (Streams& inside : each.list) collect(inside);
    };
    for (Streams& each : all) collect(each);
    Time first = 0;
    for (const Signal* each : ends) {
      const Reach& own = each->reach;
      check(own.stride == ends.front()->reach.stride, "Parallel: a branch of stride ", own.stride, " beside one of stride ",
            ends.front()->reach.stride, "; their outputs do not come equally often");
      first = std::max(first, own.first_output);
    }
    if (!auto_delay) weaver.differs = true;
    for (Signal* each : ends) {
      const Reach own = each->reach;
      const Time early = first - own.first_output;
      if (auto_delay || weaver.whole() || early == 0) continue;
      check(early % own.stride == 0, "Parallel: without auto_delay, branches that give their first outputs ", early,
            " frames apart with a stride of ", own.stride, " never give some in the same step");
      *each = weaver.add(Pad<float>(-static_cast<Index>(early / own.stride), 0), *each, {});
      each->reach = own.delayed(own.delay + early);
    }
    return Streams(std::move(all));
  };
  return {"Parallel", Module::Shape::lists, wire, by_position(std::move(branches))};
}
/// Which streams of a list, and lists of them: ParallelDispatch({0, {1, 0}, 2}).
struct Route {
  Route(int from_) : from(from_) {}
  Route(std::initializer_list<Route> all) : list(all), is_list(true) {}
  int from = 0;
  std::vector<Route> list;
  bool is_list = false;
};
inline Streams follow(const Route& route, const std::vector<Streams>& x) {
  if (route.is_list) {
    std::vector<Streams> all;
    for (const Route& each : route.list) all.push_back(follow(each, x));
    return Streams(std::move(all));
  }
  check(route.from >= 0 && route.from < static_cast<int>(x.size()), "ParallelDispatch: no stream ", route.from, " of ",
        x.size());
  return x[static_cast<std::size_t>(route.from)];
}
inline Module ParallelDispatch(std::initializer_list<Route> map) {
  return {"ParallelDispatch", Module::Shape::lists, [map = Route(map)](Weaver&, const Streams& x) {
            check(!x.open, "ParallelDispatch: of a Broadcast without a number of streams");
            return follow(map, x.list);
          }};
}
/// A list of streams as one; there is an output when all have one.
inline Module Reduce(Reduction reduce) {
  return {"Reduce", Module::Shape::joins, [reduce](Weaver& weaver, const Streams& x) -> Streams {
            check(!x.open && x.list.size() >= 2, "Reduce: ", x.list.size(), " streams, must be at least 2");
            std::vector<Signal> all;
            for (const Streams& each : x.list) {
              check(!each.is_list, "Reduce: one of the streams is a list");
              all.push_back(each.signal);
            }
            return weaver.join(reduce.join(static_cast<Index>(all.size())), all);
          }};
}
/// One stream through several branches, whose outputs become one.
inline Module BroadcastReduce(std::vector<Module> branches, Reduction reduce = "sum", bool auto_delay = true) {
  check(branches.size() >= 2, "BroadcastReduce: ", branches.size(), " branches, must be at least 2");
  const Module whole = Sequential({Broadcast(), Parallel(branches, auto_delay), Reduce(std::move(reduce))});
  return {"BroadcastReduce", Module::Shape::one, [whole](Weaver& weaver, const Streams& x) { return whole.wire(weaver, x); },
          by_position(std::move(branches))};
}
/// What comes in beside what a module makes of it. If its output is shorter, `shrink` says which inputs are left out; with
/// none, steps are lagging, and a signal as a whole is an error unless one frame comes out, which then serves for all.
/// Errors   Error if the module has a stride, or if its output is longer, or by an odd number of frames shorter (centered)
inline Module Residual(Module module, Reduction reduce = "sum", Shrink shrink = Shrink::none) {
  const auto wire = [module, reduce, shrink](Weaver& weaver, const Streams& x) -> Streams {
    const Signal in = x.signal;
    const Streams inside = module.wire(weaver, x);
    check(!inside.is_list && !inside.open, "Residual: the module gives a list of streams");
    Signal out = inside.signal;
    const Reach own = module.reach();
    check(own.stride == 1, "Residual: the module has stride ", own.stride, ", must be 1");
    const Time shorter = own.receptive_field - 1 - 2 * own.padding;
    check(shorter >= 0, "Residual: the module's output is ", -shorter, " frames longer than its input");
    check(shrink != Shrink::centered || shorter % 2 == 0, "Residual: the module's output is ", shorter,
          " frames shorter than its input, which centered cannot share out");
    if (shorter > 0 && shrink == Shrink::none) {
      weaver.differs = true;
      if (weaver.whole() && out.frames == 1 && in.frames > 1)
        out = weaver.add(Pad<float>(0, static_cast<Index>(in.frames) - 1, {.mode = PaddingMode::replicate}), out, {});
      check(!weaver.whole() || out.frames == in.frames, "Residual: the module makes ", out.frames,
            " frames of a signal of ", in.frames, "; say which inputs are left out (shrink)");
    }
    const Alignment alignment = shrink == Shrink::centered  ? Alignment::centred
                                : shrink == Shrink::leading ? Alignment::leading
                                                            : Alignment::lagging;
    return weaver.join(reduce.join(2), {in, out}, alignment);
  };
  return {"Residual", Module::Shape::one, wire, {{"1", std::move(module)}}};
}
/// One of two modules, by a predicate that is asked once with each call, before anything changes, of the outermost module
/// and the frames that it is given. Only the one that is chosen works, with a state of its own; the other one, chosen later, is warmed
/// up with zeros. With advance_both both take all frames. Without on_false, what comes in goes out, in steps as late as the
/// outputs of on_true.
/// Errors   Error if the outputs do not come equally often
inline Module Conditional(Predicate predicate, Module on_true, std::optional<Module> on_false = {}, bool advance_both = false) {
  const auto wire = [predicate, on_true, on_false, advance_both](Weaver& weaver, const Streams& x) -> Streams {
    const auto [answer, knob] = weaver.ask(predicate);
    weaver.differs = true;
    if (weaver.whole()) return answer ? on_true.wire(weaver, x) : on_false ? on_false->wire(weaver, x) : x;
    Reach yes = on_true.reach(), no = on_false ? on_false->reach() : Reach();
    check(yes.stride == no.stride, "Conditional: a branch of stride ", yes.stride, " beside one of stride ", no.stride);
    const Time delay = std::max(yes.delay, no.delay);
    const auto late = [delay](const AnyLayer<float>& branch, const Reach& reach) -> AnyLayer<float> {
      if (reach.delay == delay) return branch;
      return AnySequential<float>({eigenstream::Delay<float>(static_cast<Index>(delay - reach.delay)), branch});
    };
    const AnyLayer<float> other = on_false ? on_false->network() : AnyLayer<float>(eigenstream::Identity<float>());
    const eigenstream::Conditional<AnyLayer<float>, AnyLayer<float>> both(late(on_true.network(), yes), late(other, no),
                                                                          {.name = knob, .advance_both = advance_both});
    yes = yes.delayed(delay), no = no.delayed(delay);
    const Time padding = std::max(yes.padding, no.padding);
    return weaver.add(both, x.signal,
                      {delay + 1 + padding, yes.stride, padding, delay, std::max(yes.first_output, no.first_output)});
  };
  std::vector<Module::Child> children{{"0", std::move(on_true)}};
  if (on_false) children.push_back({"1", std::move(*on_false)});
  return {"Conditional", Module::Shape::one, wire, std::move(children)};
}

}  // namespace continual

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NAMES_CONTINUAL_HPP
