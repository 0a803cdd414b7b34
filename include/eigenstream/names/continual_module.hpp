#ifndef EIGENSTREAM_NAMES_CONTINUAL_MODULE_HPP
#define EIGENSTREAM_NAMES_CONTINUAL_MODULE_HPP

// What continual-inference calls a CoModule: a network that runs over a whole signal or a frame at a time, with its state
// inside. Here it is a description of a network and, once the first frame shows its shape, a Stream. The modules by name
// are in names/continual.hpp.

#include <cstdint>     // one bit for each condition
#include <functional>  // what a module does where it is put
#include <memory>      // shared descriptions
#include <optional>    // nothing ready
#include <string>      // names
#include <utility>     // pair
#include <vector>      // parts

#include "eigenstream/compose/wiring.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/stream/tensor_calls.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace continual {

class Module;

/// What a module says of itself, in input frames: an output depends on `receptive_field` frames, of which the first one
/// reads `padding` before the signal; one comes for every `stride` frames, `delay` frames behind the one in its place, the
/// first with frame number `first_output`, which is later than the delay only where frames are dropped at the start.
struct Reach {
  Time receptive_field = 1, stride = 1, padding = 0, delay = 0, first_output = 0;

  /// Of a layer. What a recurrent one remembers does not count, and a frame that waits does, as in continual-inference.
  static Reach of(const Timing& timing) {
    const Time first = timing.first_input(0), dropped = std::max<Time>(0, first), padding = std::max<Time>(0, -first);
    const Time delay = timing.delay() - dropped;
    return {timing.rate().outputs > 1 ? timing.receptive_field() : delay + padding + 1, timing.stride(), padding, delay,
            timing.first_output()};
  }
  /// Followed by another.
  Reach then(const Reach& next) const {
    Reach all{receptive_field + (next.receptive_field - 1) * stride, stride * next.stride, padding + next.padding * stride, 0,
              first_output + next.first_output * stride};
    all.delay = all.receptive_field - 1 - all.padding;
    return all;
  }
  /// As it is when its outputs wait for those of a greater delay.
  Reach delayed(Time to) const {
    const Time more = to - delay;
    return {receptive_field + more, stride, padding, to, first_output + more};
  }
  bool operator==(const Reach&) const = default;
};

/// A stream while a network is put together: the number of a value of its graph, and how many frames it has of the signal, if
/// it is put together for one.
struct Signal {
  Index value = 0;
  Reach reach;
  Time frames = 0;
};
/// One stream, or a list of streams, which may be lists again; they exist only here, and become edges of the graph.
struct Streams {
  Streams(Signal one) : signal(one) {}
  explicit Streams(std::vector<Streams> all) : list(std::move(all)), is_list(true) {}

  Signal signal;
  std::vector<Streams> list;
  bool is_list = false;
  bool open = false;  ///< a list of `signal` as often as it is asked for
};

/// A question that is asked once with every call, about the frames it gets, before anything changes.
using Predicate = std::function<bool(const Module&, const Frames<const float>&)>;

/// A predicate with the knob that it sets; no name if the network has none, as it does not use what the knob chooses.
struct Condition {
  Predicate predicate;
  std::string knob;
};

/// What puts a network together: once for the steps, and once for each signal that goes through it as a whole, if one of the
/// modules then does something else.
class Weaver {
 public:
  Weaver() = default;
  /// For a signal, with the answers to its predicates.
  explicit Weaver(std::uint64_t answers) : answers_(answers), whole_(true) {}

  bool differs = false;  ///< whether a signal as a whole is treated otherwise

  bool whole() const noexcept { return whole_; }
  /// Adds a condition; whether it is true, of a signal, and the name of its knob.
  std::pair<bool, std::string> ask(Predicate predicate) {
    const std::size_t number = conditions_.size();
    check(number < 64, "continual: more than 64 conditions");
    conditions_.push_back({std::move(predicate), "condition " + std::to_string(number)});
    return {((answers_ >> number) & 1) != 0, conditions_.back().knob};
  }
  const std::vector<Condition>& conditions() const noexcept { return conditions_; }
  /// The network's input.
  static Signal input(Time frames) { return {0, {}, frames}; }
  Signal add(AnyLayer<float> layer, const Signal& from, const Reach& reach) {
    const Time frames = layer.timing().outputs_after(from.frames, true);
    return {put({std::move(layer), {from.value}, {}}), from.reach.then(reach), frames};
  }
  /// What a layer makes of several, frame by frame, each of which is there as soon as the last one of them. Where one drops
  /// frames at the start, so that it is shorter, the others drop theirs at the same places.
  Signal join(AnyLayer<float> layer, std::vector<Signal> from, Alignment alignment = Alignment::lagging) {
    const auto dropped = [](const Signal& signal) { return signal.reach.first_output - signal.reach.delay; };
    Signal shortest = from.front();
    for (const Signal& each : from)
      if (dropped(each) > dropped(shortest)) shortest = each;
    Node node{std::move(layer), {}, alignment};
    Reach reach = from.front().reach;
    Time frames = from.front().frames;
    for (Signal& each : from) {
      const Time more = (dropped(shortest) - dropped(each)) / each.reach.stride;
      const Time drop = more == 0 ? 0 : std::min(more, wiring_.ended(each.value).least_lead(wiring_.ended(shortest.value)));
      if (drop > 0) each = add(Pad<float>(-static_cast<Index>(drop), 0), each, {.first_output = drop});
      const Time padding = std::max(reach.padding, each.reach.padding), delay = std::max(reach.delay, each.reach.delay);
      reach = {delay + 1 + padding, reach.stride, padding, delay, std::max(reach.first_output, each.reach.first_output)};
      node.from.push_back(each.value), frames = std::min(frames, each.frames);
    }
    return {put(std::move(node)), reach, frames};
  }
  /// The network up to a value, without what it does not use.
  AnyLayer<float> build(Index out) const {
    std::vector<bool> used(nodes_.size() + 1);
    used[static_cast<std::size_t>(out)] = true;
    for (std::size_t value = nodes_.size(); value > 0; --value)
      for (const Index from : nodes_[value - 1].from)
        if (used[value]) used[static_cast<std::size_t>(from)] = true;
    GraphBuilder<float> graph;
    std::vector<GraphBuilder<float>::Value> values{graph.input()};
    std::vector<AnyLayer<float>> chain;  // is enough if each takes what the one before gives, and has no knobs
    bool is_chain = true;
    for (std::size_t value = 1; value <= nodes_.size(); ++value) {
      const Node& node = nodes_[value - 1];
      values.push_back(values.back());
      if (!used[value]) continue;
      std::vector<GraphBuilder<float>::Value> from;
      for (const Index each : node.from) from.push_back(values[static_cast<std::size_t>(each)]);
      is_chain = is_chain && from.size() == 1 && from[0].number == static_cast<Index>(chain.size()) &&
                 node.layer.controls().empty();
      chain.push_back(node.layer);
      values.back() = graph.join(node.layer, from, node.alignment);
    }
    if (chain.empty()) return Identity<float>();
    if (is_chain) return chain.size() == 1 ? chain.front() : AnySequential<float>(std::move(chain));
    return graph.build(values[static_cast<std::size_t>(out)]);
  }

 private:
  struct Node {
    AnyLayer<float> layer;
    std::vector<Index> from;
    Alignment alignment;
  };
  Index put(Node node) {
    wiring_.add(node.layer.timing(), node.from, node.alignment);
    nodes_.push_back(std::move(node));
    return static_cast<Index>(nodes_.size());
  }

  std::vector<Node> nodes_;  // node k gives value k + 1
  Wiring wiring_;            // of all of them
  std::vector<Condition> conditions_;
  std::uint64_t answers_ = 0;
  bool whole_ = false;
};

/// What operator() does.
enum class CallMode { forward, forward_steps, forward_step };
inline std::optional<CallMode>& mode_in_scope() noexcept {
  thread_local std::optional<CallMode> mode;
  return mode;
}
/// While it lives, operator() of all modules does this, in this thread: const auto as_step = call_mode(CallMode::forward_step).
class call_mode {
 public:
  [[nodiscard]] explicit call_mode(CallMode mode) : before_(mode_in_scope()) { mode_in_scope() = mode; }
  call_mode(const call_mode&) = delete;
  call_mode& operator=(const call_mode&) = delete;
  ~call_mode() { mode_in_scope() = before_; }

 private:
  std::optional<CallMode> before_;
};

/// A network with the state of the one signal that it is given frame by frame.
/// Shapes   signals are tensors (C,T) or (C,B,T), frames (C) or (C,B); with space (C,W,B,T) or (C,W,H,B,T) and (C,W,B) or
///          (C,W,H,B), then always with a batch. What comes out has as many axes: space for which there is none lies in the
///          channels
/// Errors   constructor: Error on what cannot be streamed. Calls: Error if frames have another shape than those before,
///          unless clean_state came between, or a signal is too short for any output; nothing has changed then
/// Source   continual.CoModule
class Module {
 public:
  /// How it becomes part of a network.
  using Wire = std::function<Streams(Weaver&, const Streams&)>;
  struct Child;

  /// Any layer or network: continual(layer).
  template <class L>
    requires(!std::is_base_of_v<Module, std::remove_cvref_t<L>> &&
             requires(const L& layer) { layer.fingerprint(), layer.timing(); })
  Module(L&& layer) : Module(of_layers("a layer", AnyLayer<float>(std::forward<L>(layer)))) {}
  /// A layer for the steps and, by the length of the signal, another one for a signal as a whole.
  static Module of_layers(std::string type, AnyLayer<float> steps, std::function<AnyLayer<float>(Time)> whole = nullptr);

  /// What goes in and what comes out: a stream or a list of them.
  enum class Shape { one, splits, joins, lists };
  /// A container, of which `wire` is what it does.
  Module(std::string type, Shape shape, Wire wire, std::vector<Child> children);
  Module(std::string type, Shape shape, Wire wire);

  // Offline, and frame by frame.

  /// The whole signal at once. The state is neither read nor changed.
  template <class X>
  auto forward(const X& x) const {
    const Frames<const float> frames(x);
    Stream<AnyLayer<float>> fresh(network_for(frames), options(frames.shape()));
    const Time n = fresh.outputs_after(frames.count, true);
    check(n > 0, "continual: a signal of ", frames.count, " frames is too short for ", what_->type, ", which reaches over ",
          receptive_field(), " with a padding of ", padding());
    auto y = tensor<X::NumDimensions>(fresh.out_shape(), n);
    fresh.process(frames, {y.data(), fresh.out_shape(), static_cast<Index>(n)}, final);
    return y;
  }
  /// A frame to the output that it makes ready, or nothing. With update_state = false the state stays as it was.
  template <class X>
  auto forward_step(const X& frame, bool update_state = true) {
    constexpr int rank = X::NumDimensions;
    const Frames<const float> x(frame.data(), frame_shape(frame), 1);
    std::optional<Eigen::Tensor<float, rank>> y;
    const Index n = outputs(x);
    check(n <= 1, "continual: a frame gives ", n, " at once; forward_steps gives them all");
    if (n == 1) y.emplace(axes<rank>(stream_->out_shape()));
    process(x, {n == 1 ? y->data() : nullptr, stream_->out_shape(), n}, false, update_state);
    return y;
  }
  /// A run of frames to the outputs that they make ready, or nothing; pad_end adds what the end of the signal would, worked out
  /// on a copy.
  template <class X>
  auto forward_steps(const X& x, bool pad_end = false, bool update_state = true) {
    const Frames<const float> frames(x);
    std::optional<Eigen::Tensor<float, X::NumDimensions>> y;
    const Index n = outputs(frames, pad_end);
    if (n > 0) y = tensor<X::NumDimensions>(stream_->out_shape(), n);
    process(frames, {n > 0 ? y->data() : nullptr, stream_->out_shape(), n}, pad_end, update_state);
    return y;
  }
  /// What the mode says: that of the call_mode in scope, or else its own.
  template <class X>
  auto operator()(const X& x) {
    constexpr int rank = X::NumDimensions;
    std::optional<Eigen::Tensor<float, rank>> y;
    const CallMode mode = mode_in_scope().value_or(mode_);
    if (mode == CallMode::forward_step) {
      check(rank <= 4, "continual: a tensor of ", rank, " axes is no frame");
      if constexpr (rank <= 4) y = forward_step(x);
    } else {
      check(rank >= 2, "continual: a tensor of ", rank, " axes is no signal");
      if constexpr (rank >= 2) y = mode == CallMode::forward ? forward(x) : forward_steps(x);
    }
    return y;
  }
  CallMode call_mode() const noexcept { return mode_; }
  /// Sets what operator() does, of all modules inside, too.
  void call_mode(CallMode mode);

  // The same in the caller's memory: after the first call, and one that does not change the state, nothing allocates.

  /// How many outputs the frames make ready.
  Index outputs(const Frames<const float>& x, bool pad_end = false) {
    const Stream<AnyLayer<float>>& stream = begin(x.shape());
    check(x.count >= 0, "continual: ", x.count, " frames, must not be negative");
    const Time seen = stream.frames_seen();
    return static_cast<Index>(stream.outputs_after(seen + x.count, pad_end) - stream.outputs_after(seen));
  }
  /// The shape of outputs, for frames of that shape. Errors   Error as of any call
  FrameShape out_shape(const FrameShape& step_shape) { return begin(step_shape).out_shape(); }
  /// Writes them, and returns how many they are.
  Index process(const Frames<const float>& x, const Frames<float>& y, bool pad_end = false, bool update_state = true) {
    const Index n = outputs(x, pad_end);
    check(y.shape() == stream_->out_shape() && y.count >= n, "continual: room for ", y.count, " outputs of ", y.shape(),
          " where ", n, " of ", stream_->out_shape(), " will come");
    const std::uint64_t answers = ask(x);
    Stream<AnyLayer<float>>& stream = update_state ? *stream_ : look_ahead();
    answer(stream, answers);
    if (!update_state && pad_end) return stream.process(x, y, final);
    const Index written = stream.process(x, y);
    return pad_end ? written + look_ahead().flush(y.from(written)) : written;
  }

  // State.

  /// All that is remembered, as a value; nothing while no frame came.
  std::optional<State> get_state() const { return clean() ? std::nullopt : std::optional(stream_->get_state()); }
  /// Errors   Error if it is another network's, or damaged; nothing has changed then
  void set_state(const std::optional<State>& state) {
    if (!state) return clean_state();
    if (stream_ && stream_->in_shape() == state->shape()) return stream_->set_state(*state);
    Stream<AnyLayer<float>> fresh(network(), options(state->shape()));
    fresh.set_state(*state);
    stream_ = std::move(fresh);
  }
  void clean_state() noexcept {
    if (stream_) stream_->clean_state();
  }
  bool clean() const noexcept { return !stream_ || stream_->frames_seen() == 0; }
  /// Feeds zeros, so that the next frame yields an output: first_output() of them, of a clean one.
  void warm_up(const FrameShape& step_shape) {
    std::vector<float> zeros(static_cast<std::size_t>(step_shape.size()));
    const Frames<const float> x(zeros.data(), step_shape, 1);
    while (outputs(x) == 0) process(x, {nullptr, stream_->out_shape(), 0});
  }

  // What it is.

  const Reach& reach() const { return built().reach; }
  Time receptive_field() const { return reach().receptive_field; }
  Time stride() const { return reach().stride; }
  Time padding() const { return reach().padding; }
  Time delay() const { return reach().delay; }
  Time first_output() const { return reach().first_output; }
  const std::string& type() const noexcept { return what_->type; }
  Shape shape() const noexcept { return what_->shape; }
  /// The modules inside, with their names.
  const std::vector<Child>& children() const noexcept { return children_; }
  /// The network of the steps, for streams of one's own.
  const AnyLayer<float>& network() const { return *built().network; }
  Streams wire(Weaver& weaver, const Streams& x) const {
    const bool list = x.is_list || x.open, wants_list = what_->shape == Shape::joins || what_->shape == Shape::lists;
    check(list == wants_list, "continual: ", what_->type,
          wants_list ? " takes a list of streams, not one" : " takes one stream, not a list");
    return what_->wire(weaver, x);
  }

 private:
  struct What {
    std::string type;
    Shape shape;
    Wire wire;
    // What follows, unless there are lists of streams at its ends.
    std::optional<AnyLayer<float>> network = {};
    Reach reach = {};
    std::vector<Condition> conditions = {};
    bool differs = false;
  };

  static AnyLayer<float> weave(const Wire& wire, Weaver& weaver, Time frames, Reach& reach) {
    const Streams out = wire(weaver, Weaver::input(frames));
    check(!out.is_list && !out.open, "continual: a list of streams is left over at the end; Reduce makes one of it");
    reach = out.signal.reach;
    return weaver.build(out.signal.value);
  }
  const What& built() const {
    check(what_->network.has_value(), "continual: ", what_->type,
          " has lists of streams at its ends: it is a part of a Sequential");
    return *what_;
  }
  // The network for a signal as a whole.
  AnyLayer<float> network_for(const Frames<const float>& x) const {
    if (!built().differs) return network();
    Weaver weaver(ask(x));
    Reach reach;
    return weave(what_->wire, weaver, x.count, reach);
  }

  static StreamOptions options(const FrameShape& shape) {
    return {.channels = shape.channels, .batch = shape.batch, .width = shape.width, .height = shape.height};
  }
  Stream<AnyLayer<float>>& begin(const FrameShape& shape) {
    if (stream_ && stream_->in_shape() == shape) return *stream_;
    check(clean(), "continual: frames of ", shape, ", but those before were of ", clean() ? shape : stream_->in_shape(),
          "; clean_state() begins another signal");
    return stream_.emplace(network(), options(shape));
  }
  // A copy of the stream, in memory that stays.
  Stream<AnyLayer<float>>& look_ahead() {
    if (!ahead_) return ahead_.emplace(*stream_);
    return *ahead_ = *stream_;
  }
  std::uint64_t ask(const Frames<const float>& x) const {
    std::uint64_t answers = 0;
    for (std::size_t k = 0; k < what_->conditions.size(); ++k)
      answers |= std::uint64_t{what_->conditions[k].predicate(*this, x)} << k;
    return answers;
  }
  void answer(Stream<AnyLayer<float>>& stream, std::uint64_t answers) const {
    for (std::size_t k = 0; k < what_->conditions.size(); ++k)
      if (const std::string& knob = what_->conditions[k].knob; !knob.empty())
        stream.set_control(knob, {static_cast<float>((answers >> k) & 1)});
  }

  // The axes of a frame in a tensor of that rank.
  template <int Rank>
  static Eigen::array<Index, Rank> axes(const FrameShape& shape) {
    Eigen::array<Index, Rank> sizes;
    sizes[0] = shape.channels * (Rank < 3 ? shape.width * shape.height : Index{1});
    if constexpr (Rank >= 2) sizes[Rank - 1] = shape.batch;
    if constexpr (Rank >= 3) sizes[1] = Rank == 3 ? shape.width * shape.height : Index{shape.width};
    if constexpr (Rank >= 4) sizes[2] = shape.height;
    return sizes;
  }
  template <int Rank>
  static Eigen::Tensor<float, Rank> tensor(const FrameShape& shape, Time frames) {
    static_assert(Rank >= 2 && Rank <= 5, "eigenstream: signals are (C,T), (C,B,T), (C,W,B,T) or (C,W,H,B,T)");
    const auto frame = axes<Rank - 1>(shape);
    Eigen::array<Index, Rank> sizes;
    std::copy(frame.begin(), frame.end(), sizes.begin());
    sizes[Rank - 1] = static_cast<Index>(frames);
    return Eigen::Tensor<float, Rank>(sizes);
  }
  template <class X>
  static FrameShape frame_shape(const X& frame) {
    constexpr int rank = X::NumDimensions;
    static_assert(rank >= 1 && rank <= 4, "eigenstream: frames are (C), (C,B), (C,W,B) or (C,W,H,B)");
    static_assert(static_cast<int>(X::Layout) == eigenstream::detail::column_major,
                  "eigenstream: tensors must be column-major");
    const auto& sizes = frame.dimensions();
    FrameShape shape{.channels = sizes[0]};
    if constexpr (rank >= 2) shape.batch = sizes[rank - 1];
    if constexpr (rank >= 3) shape.width = sizes[1];
    if constexpr (rank >= 4) shape.height = sizes[2];
    return shape;
  }

  std::shared_ptr<const What> what_;
  std::vector<Child> children_;
  std::optional<Stream<AnyLayer<float>>> stream_, ahead_;
  CallMode mode_ = CallMode::forward;
};

/// A module inside another, with its name there.
struct Module::Child {
  std::string name;
  Module module;
};

inline Module::Module(std::string type, Shape shape, Wire wire, std::vector<Child> children) : children_(std::move(children)) {
  What what{std::move(type), shape, std::move(wire)};
  if (shape == Shape::one) {
    Weaver weaver;
    what.network = weave(what.wire, weaver, 0, what.reach);
    what.conditions = weaver.conditions();
    for (Condition& each : what.conditions) {
      bool found = false;
      for (const NetworkControl& knob : what.network->controls()) found = found || knob.name == each.knob;
      if (!found) each.knob.clear();
    }
    what.differs = weaver.differs;
  }
  what_ = std::make_shared<const What>(std::move(what));
}
inline Module::Module(std::string type, Shape shape, Wire wire) : Module(std::move(type), shape, std::move(wire), {}) {}
inline Module Module::of_layers(std::string type, AnyLayer<float> steps, std::function<AnyLayer<float>(Time)> whole) {
  check(steps.inputs() == 1, "continual: ", type, " of ", steps.inputs(), " inputs, must be one; Reduce joins streams");
  check_one_output("continual", steps);
  check(steps.space() != Space::needed, "continual: ", type, " needs the whole signal, as what it works out goes over time; ",
        "forward_stepping(layer) runs it over the space of each frame by itself");
  const Reach reach = Reach::of(steps.timing());
  check(reach.delay >= 0, "continual: ", type, " with a padding of ", reach.padding,
        " gives an output before the first frame: it reaches over ", reach.receptive_field,
        ", so that the padding must be at most ", reach.receptive_field - 1);
  return Module(std::move(type), Shape::one, [steps, whole, reach](Weaver& weaver, const Streams& x) -> Streams {
    if (whole != nullptr) weaver.differs = true;
    return weaver.add(weaver.whole() && whole != nullptr ? whole(x.signal.frames) : steps, x.signal, reach);
  });
}
inline void Module::call_mode(CallMode mode) {
  mode_ = mode;
  for (Child& child : children_) child.module.call_mode(mode);
}

}  // namespace continual

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NAMES_CONTINUAL_MODULE_HPP
