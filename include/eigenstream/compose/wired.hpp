#ifndef EIGENSTREAM_COMPOSE_WIRED_HPP
#define EIGENSTREAM_COMPOSE_WIRED_HPP

#include <array>    // small tables
#include <cstdint>  // uint64_t
#include <cstring>  // memcpy
#include <span>     // inputs
#include <string>   // messages
#include <vector>   // nodes

#include "eigenstream/compose/plan_step.hpp"
#include "eigenstream/compose/stages.hpp"
#include "eigenstream/compose/wired_plan.hpp"
#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/history.hpp"
#include "eigenstream/memory/room.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Layers wired to a network with branches; what the two kinds of it, of layers known at compile time and at run time,
/// share. As in a chain, a chunk goes through the whole network a tile of frames at a time, a layer writes straight into
/// the history of the one that keeps its output, pointwise layers work where the numbers lie. In front of a layer with
/// several inputs, a Join above all, what comes early waits in a queue; where all of them always come together, there is none.
///
/// `Stages` holds the layers in the order of the nodes, as for Chain, and gives visit(i, f) too. The network itself may have
/// several inputs, which come in step with the main one, each at its own rate (NetworkInput), and several outputs, each of
/// which comes when it is ready (NetworkOutput).
/// Shapes   x of the network's input -> y of the value made last, or of those that are chosen
/// Timing   that of the layers; the inputs of a layer with several are aligned
/// Errors   constructor: Error if a value is used by none or shapes do not fit. steps/flush: noexcept, no allocation
/// Source   torch: a module's own forward
/// Layout   table (tile, frames seen; shape and place of each value; offsets of blocks and queues), the layers' blocks, the
///          queues (a counter and a history each); as scratch, the values on their way, a layer's inputs, buffers for
///          values, the layers' own scratch
template <class T, class Stages>
class Wired {
 public:
  using Scalar = T;

  /// Errors   Error if a value is used by none, or if a layer cannot take the frames it gets. `in_channels`: those of
  ///          the input, if the layers do not say
  Wired(Stages stages, const Wiring& wiring, Index in_channels = Dynamic)
      : stages_(std::move(stages)), timing_(wiring.timing()), plan_(wiring, works_on(wiring)) {
    timing_.check_bounds();
    for (const auto& [value, name] : wiring.outputs()) {
      outputs_.push_back({name, wiring.timing(value), graph()[value].rate, graph()[value].rise, graph()[value].flushed});
      output_values_.push_back(value);
      outputs_.back().timing.check_bounds();
    }
    check(stages_.size() == last() + 1 - inputs(), "Graph: ", stages_.size(), " layers for ", last() + 1 - inputs(), " nodes");
    for_each_value([&](Index v, auto, const auto& layer) {
      const Index given = static_cast<Index>(graph().operands(v).size());
      check(inputs_of(layer) == given, "Graph: value ", v, " has ", given, " operands, its layer takes ", inputs_of(layer));
      check_one_output("Graph", layer);
    });
    find_controls();
    find_wanted();
    if (in_channels != Dynamic) wanted_.channels = in_channels;
    const FrameShape in = frames_to_try(wanted_, space_);
    std::vector<Place> shapes;
    if (in.channels != 0) {
      (void)facts(in);
      if (shapes_are_known()) shapes = shapes_of(in), plan_ = Plan(wiring, works_on(wiring, shapes));
    }
    if constexpr (known_at_run_time) find_steps(shapes);
  }

  const Stages& stages() const noexcept { return stages_; }

  /// How `layers` are connected if they stand where the own ones do.
  /// Errors   Error if their outputs cannot be aligned
  Wiring rewire(const Stages& layers) const {
    Wiring wiring(more_inputs());
    layers.for_each([&](Index i, const auto& layer) {
      std::vector<Index> from;
      for (const Operand& operand : graph().operands(inputs() + i)) from.push_back(operand.value);
      wiring.add(layer.timing(), from, graph()[inputs() + i].alignment);
    });
    std::vector<Wiring::Output> outputs;
    for (std::size_t k = 0; k < outputs_.size(); ++k) outputs.push_back({output_values_[k], outputs_[k].name});
    if (!outputs.empty()) wiring.choose_outputs(std::move(outputs));
    return wiring;
  }

  /// How many signals it takes, and what the further ones are.
  Index inputs() const noexcept { return graph().inputs(); }
  const std::vector<NetworkInput>& more_inputs() const noexcept { return plan_.more_inputs(); }
  FrameShape wanted() const noexcept { return wanted_; }
  Facts facts(const FrameShape& in) const { return lay_out(in, nullptr); }
  /// As a layer with several inputs in another graph.
  /// Errors   Error if a further input is not what it was declared to be
  Facts facts(std::span<const FrameShape> in) const {
    for (std::size_t k = 0; k < more_inputs().size(); ++k) {
      const FrameShape wanted = more_inputs()[k].shape.with_batch(in.front().batch);
      check(in[k + 1] == wanted, "Graph: input ", k + 1, " takes ", wanted, ", not ", in[k + 1]);
      check(more_inputs()[k].rate == Rate(), "Graph: input ", k + 1, " comes at another rate; only a stream can bring that");
    }
    return facts(in.front());
  }
  Timing timing() const { return timing_; }
  Space space() const noexcept { return space_; }
  Index max_outputs(Index n) const noexcept { return plan_.most(main_output(), n); }
  /// What was chosen as outputs, and the shapes of their frames.
  const std::vector<NetworkOutput>& all_outputs() const noexcept { return outputs_; }
  std::vector<FrameShape> out_shapes(const FrameShape& in) const {
    std::vector<FrameShape> shapes;
    (void)lay_out(in, nullptr, &shapes);
    return shapes;
  }
  /// The knobs of all layers; those of one name are one.
  const std::vector<NetworkControl>& controls() const noexcept { return controls_; }
  void set_control(StateRef state, Index k, const T* values, bool same) const noexcept {
    for (const ControlPlace& place : control_places_)
      if (place.control == k)
        at_layer(place.layer, [&](const auto& layer) { layer.set_control(layer_state(state, place.layer), place.number, values, same); });
  }
  const T* control(StateRef state, Index k) const noexcept {
    const T* values = nullptr;
    for (const ControlPlace& place : control_places_)
      if (place.control == k)
        at_layer(place.layer, [&](const auto& layer) { values = layer.control(layer_state(state, place.layer), place.number); });
    return values;
  }
  std::uint64_t fingerprint() const { return fingerprint_of(stages_, graph(), more_inputs(), output_values_); }

  void reset(StateRef state) const noexcept {
    lay_out(state.shape, state.data);
    stages_.for_each([&](Index i, const auto& layer) { layer.reset(layer_state(state, i)); });
    reset_queues(state);
  }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    return steps(state, std::span(&x, 1), y);
  }
  /// With frames of all inputs: of the further ones, those that come with the frames of the main one.
  Index steps(StateRef state, std::span<const Frames<const T>> x, Frames<T> y) const noexcept {
    const Index tile = head(state)->tile, n = x.front().count;
    if (n <= tile) return pass_some(state, x, 0, n, y);
    Index written = 0;
    for (Index at = 0; at < n; at += tile) written += pass_some(state, x, at, std::min(tile, n - at), y.from(written));
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const Index written = end(state, y);
    reset_queues(state);
    return written;
  }
  /// Every output that was chosen; the flush behind what was written.
  void steps(StateRef state, std::span<const Frames<const T>> x, std::span<const Frames<T>> y,
             std::span<Index> written) const noexcept {
    const Index tile = head(state)->tile, n = x.front().count;
    for (Index& count : written) count = 0;
    for (Index at = 0; at < n; at += tile) {
      const Index main = pass_some(state, x, at, std::min(tile, n - at), y.front().from(written.front()));
      deliver(state, main, y, written);
    }
  }
  void flush(StateRef state, std::span<const Frames<T>> y, std::span<Index> written) const noexcept {
    const Index main = end(state, y.front().from(written.front()));
    deliver(state, main, y, written);
    reset_queues(state);
  }
  void exchange(StateRef state, StateCodec& codec) const {
    if (!codec.compares_frames()) {
      if (inputs() > 1) codec.count(head(state)->seen, 0);
      stages_.for_each([&](Index i, const auto& layer) { layer.exchange(layer_state(state, i), codec); });
      for (const Operand& operand : graph().operands()) {
        if (operand.direct) continue;
        codec.count(waiting(state, operand), 0);
        history(state, operand).exchange(codec);
      }
      return;
    }
    // How many frames each value has had so far; before the operands of a layer are complete, it has none.
    const Time seen = codec.frames();
    std::vector<Time> counts(static_cast<std::size_t>(graph().values()), seen), aligned = counts;
    const auto count_of = [&](Index v) -> Time& { return counts[static_cast<std::size_t>(v)]; };
    for (Index k = 1; k < inputs(); ++k) count_of(k) = more_inputs()[static_cast<std::size_t>(k - 1)].frames_for(seen);
    if (inputs() > 1) codec.count(head(state)->seen, seen);
    for_each_value([&](Index v, Index i, const auto& layer) {
      Time least = std::numeric_limits<Time>::max();
      for (const Operand& operand : graph().operands(v)) least = std::min(least, count_of(operand.value) - operand.skip);
      aligned[static_cast<std::size_t>(v)] = std::max<Time>(0, least);
      codec.set_frames(aligned[static_cast<std::size_t>(v)]);
      layer.exchange(layer_state(state, i), codec);
      count_of(v) = layer.timing().outputs_after(codec.frames());
    });
    codec.set_frames(seen);
    for (Index v = inputs(); v <= last(); ++v)
      for (const Operand& operand : graph().operands(v)) {
        if (operand.direct) continue;
        codec.count(waiting(state, operand), count_of(operand.value) - operand.skip - aligned[static_cast<std::size_t>(v)]);
        history(state, operand).exchange(codec);
      }
  }
  T* input_room(StateRef state, Index n) const noexcept {
    return inputs() == 1 && n <= head(state)->tile ? room(state, graph()[0], n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }

 protected:
  // That of layers wired like this.
  template <class Graph>
  static std::uint64_t fingerprint_of(const Stages& stages, const Graph& graph, const std::vector<NetworkInput>& more_inputs,
                                      const std::vector<Index>& outputs) {
    Fingerprint all("Graph");
    for (const NetworkInput& input : more_inputs)
      all.add(input.rate.outputs).add(input.rate.inputs).add(input.shape.size()).add(Index{input.shape.channels});
    stages.for_each([&](Index i, const auto& layer) {
      for (const auto& operand : graph.operands(graph.inputs() + i)) all.add(operand.value).add(operand.skip);
      all.add(std::uint64_t{layer.fingerprint()});
    });
    if (outputs.size() > 1 || (!outputs.empty() && outputs.front() != graph.last()))
      for (const Index value : outputs) all.add(value);
    return all;
  }
  EIGENSTREAM_ALWAYS_INLINE const auto& graph() const noexcept { return plan_.graph(); }
  EIGENSTREAM_ALWAYS_INLINE Index main_output() const noexcept { return plan_.main_output(); }
  const detail::PlanSteps<T>& plan_steps() const noexcept { return steps_; }

 private:
  using Plan = detail::WiredPlan;
  using Home = Plan::Home;
  using Value = Plan::Value;
  using Operand = Plan::Operand;
  using Step = detail::PlanStep<T>;
  static constexpr bool known_at_run_time = requires(const Stages& stages) { stages.layers.front().operations(); };

  // The state's table.
  struct Head {
    Index tile;
    Time seen;  // frames of the main input, if there are others
  };
  struct Place {
    FrameLayout shape;
    Index buffer;  // offset in the scratch memory
  };
  // A knob of a layer.
  struct ControlPlace {
    Index control, layer, number;  // the network's, and that of the layer
  };
  // In scratch: a value on its way.
  struct Live {
    const T* data;
    Index count;
  };

  static bool alike(const std::vector<Place>& shapes, Index a, Index b) {
    const auto shape = [&](Index v) -> const FrameShape& { return shapes[static_cast<std::size_t>(v)].shape; };
    return shape(a) == shape(b);
  }
  // Which of its operands each layer may overwrite. A join may if its frames are known, by `shapes`, to be like those of an
  // operand: of two, the one that is made last, so that what makes it can add the other as well.
  std::vector<Index> works_on(const Wiring& wiring, const std::vector<Place>& shapes = {}) const {
    std::vector<Index> all;
    stages_.for_each([&](Index i, const auto& layer) {
      const Index v = wiring.graph().inputs() + i;
      const std::span<const Wiring::Operand> operands = wiring.graph().operands(v);
      Index on = layer.in_place() && operands.size() == 1 ? 0 : -1;
      if (layer.in_place() && operands.size() == 2 && !shapes.empty())
        for (Index k = 0; k < 2; ++k) {
          const Index own = operands[static_cast<std::size_t>(k)].value;
          const bool later = on < 0 || own > operands[static_cast<std::size_t>(on)].value;
          if (later && alike(shapes, own, v) && graph()[own].uses == 1) on = k;
        }
      all.push_back(on);
    });
    return all;
  }
  std::vector<Place> shapes_of(const FrameShape& in) const {
    std::vector<Place> shapes(static_cast<std::size_t>(graph().values()));
    shapes[0] = {in, 0};
    for_each_value([&](Index v, auto, const auto& layer) { shapes[static_cast<std::size_t>(v)] = {facts_of(v, layer, shapes.data()).out, 0}; });
    return shapes;
  }
  // The steps that frames take through layers that are known at run time only.
  void find_steps(const std::vector<Place>& shapes)
    requires(known_at_run_time)
  {
    std::vector<char> all_alike(static_cast<std::size_t>(graph().values()), 0);
    const auto layer = [&](Index v) -> const auto& { return stages_.layers[static_cast<std::size_t>(v - inputs())]; };
    if (!shapes.empty())
      for (Index v = inputs(); v <= last(); ++v) {
        bool same = true;
        for (const Operand& operand : graph().operands(v))
          same = same && alike(shapes, operand.value, v);
        all_alike[static_cast<std::size_t>(v)] = same;
      }
    steps_ = detail::PlanSteps<T>(graph(), [&](Index v) { return layer(v).operations(); },
                                  [&](Index v) { return layer(v).is_steady(); }, all_alike);
  }
  // Whether frames of any width, height and batch have shapes like those that were tried: if nothing has to do with space.
  bool shapes_are_known() const {
    bool known = inputs() == 1 && controls_.empty();
    stages_.for_each([&](auto, const auto& layer) { known = known && space_of(layer) == Space::none; });
    return known;
  }
  EIGENSTREAM_ALWAYS_INLINE Index last() const noexcept { return graph().last(); }
  EIGENSTREAM_ALWAYS_INLINE Index number_of(const Operand& operand) const noexcept {
    return &operand - graph().operands().data();
  }
  // Calls f(v, i, layer) for all values but the inputs, in order.
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void for_each_value(F&& f) const {
    stages_.for_each([&](auto i, const auto& layer) EIGENSTREAM_INLINE_LAMBDA { f(graph().inputs() + i, i, layer); });
  }

  // Calls f with a layer that has knobs.
  template <class F>
  void at_layer(Index i, F&& f) const noexcept {
    stages_.visit(i, [&](const auto& layer) {
      if constexpr (requires { layer.controls(); }) f(layer);
    });
  }
  void find_controls() {
    for_each_value([&](Index, Index i, const auto& layer) {
      const std::vector<NetworkControl>& own = controls_of(layer);
      for (Index number = 0; number < static_cast<Index>(own.size()); ++number) {
        const NetworkControl& control = own[static_cast<std::size_t>(number)];
        Index k = 0;
        while (k < static_cast<Index>(controls_.size()) && controls_[static_cast<std::size_t>(k)].name != control.name) ++k;
        if (k == static_cast<Index>(controls_.size())) controls_.push_back(control);
        check(controls_[static_cast<std::size_t>(k)] == control, "Graph: two knobs are called ", control.name,
              ", but have not the same values to begin with");
        control_places_.push_back({k, i, number});
      }
    });
  }

  // What the first layer asks for that minds and that the input reaches with its number of channels unchanged, and what
  // the layers have to do with space.
  void find_wanted() {
    struct Path {
      bool same = true;  // its channels are the input's
      Space space = Space::none;
    };
    std::vector<Path> paths(static_cast<std::size_t>(graph().values()));
    for (Index k = 1; k < inputs(); ++k) paths[static_cast<std::size_t>(k)].same = false;
    Space all = Space::none;
    for_each_value([&](Index v, auto, const auto& layer) {
      const Index from = graph()[v].from;
      Path path = paths[static_cast<std::size_t>(from)];
      for (const Operand& operand : graph().operands(v)) {
        const Path& own = paths[static_cast<std::size_t>(operand.value)];
        path = {path.same && own.same, space_beside(path.space, own.space)};
      }
      const FrameShape wanted = layer.wanted();
      if (path.same && wanted_.channels == 0) wanted_.channels = wanted.channels;
      if (from == 0 && wanted_.width == 0) wanted_.width = wanted.width;
      if (from == 0 && wanted_.height == 0) wanted_.height = wanted.height;
      path = {path.same && eigenstream::keeps_channels(layer), space_behind(path.space, space_of(layer))};
      if (path.space == Space::needed) all = Space::needed;
      paths[static_cast<std::size_t>(v)] = path;
    });
    space_ = all == Space::needed ? all : paths[static_cast<std::size_t>(main_output())].space;
  }

  static EIGENSTREAM_ALWAYS_INLINE Head* head(StateRef state) noexcept { return reinterpret_cast<Head*>(state.data); }
  static EIGENSTREAM_ALWAYS_INLINE Place* places(std::byte* block) noexcept { return reinterpret_cast<Place*>(block + sizeof(Head)); }
  EIGENSTREAM_ALWAYS_INLINE Index* layer_offsets(std::byte* block) const noexcept {
    return reinterpret_cast<Index*>(block + sizeof(Head) + static_cast<std::size_t>(graph().values()) * sizeof(Place));
  }
  EIGENSTREAM_ALWAYS_INLINE Index* queue_offsets(std::byte* block) const noexcept {
    return layer_offsets(block) + stages_.size();
  }
  Index table_bytes() const noexcept {
    return aligned_bytes(static_cast<Index>(sizeof(Head) + static_cast<std::size_t>(graph().values()) * sizeof(Place) +
                                            static_cast<std::size_t>(stages_.size() + 1) * sizeof(Index) +
                                            graph().operands().size() * sizeof(Index)));
  }
  Index live_bytes() const noexcept { return aligned_bytes(graph().values() * static_cast<Index>(sizeof(Live))); }
  // The frames of a layer's inputs, behind the values on their way.
  Index gathered_bytes() const noexcept {
    return plan_.most_operands() < 2 ? 0 : aligned_bytes(plan_.most_operands() * static_cast<Index>(sizeof(Frames<const T>)));
  }
  Frames<const T>* gathered(StateRef state) const noexcept {
    return reinterpret_cast<Frames<const T>*>(state.scratch + live_bytes());
  }
  static EIGENSTREAM_ALWAYS_INLINE Live* live(StateRef state) noexcept { return reinterpret_cast<Live*>(state.scratch); }

  EIGENSTREAM_ALWAYS_INLINE StateRef layer_state(StateRef state, Index i) const noexcept {
    const Index* offsets = layer_offsets(state.data);
    return {state.data + offsets[i], places(state.data)[graph()[inputs() + i].from].shape,
            state.scratch + queue_offsets(state.data)[graph().operands().size()]};
  }
  EIGENSTREAM_ALWAYS_INLINE const FrameLayout& shape_of(StateRef state, Index v) const noexcept {
    return places(state.data)[v].shape;
  }
  EIGENSTREAM_ALWAYS_INLINE Index& waiting(StateRef state, const Operand& operand) const noexcept {
    return *reinterpret_cast<Index*>(queue_block(state, operand));
  }
  EIGENSTREAM_ALWAYS_INLINE History<T> history(StateRef state, const Operand& operand) const noexcept {
    return History<T>(queue_block(state, operand) + memory_alignment, shape_of(state, operand.value).size(), operand.keep);
  }
  Index queue_slack(const Operand& operand, Index frame, Index tile) const noexcept {
    return slack_for<T>(frame, operand.keep, plan_.most_at_once(operand.value, tile));
  }
  EIGENSTREAM_ALWAYS_INLINE std::byte* queue_block(StateRef state, const Operand& operand) const noexcept {
    return state.data + queue_offsets(state.data)[number_of(operand)];
  }
  void reset_queues(StateRef state) const noexcept {
    head(state)->seen = 0;
    for (const Operand& operand : graph().operands()) {
      if (operand.direct) continue;
      waiting(state, operand) = -operand.skip;
      history(state, operand).reset(queue_slack(operand, shape_of(state, operand.value).size(), head(state)->tile));
    }
  }

  // All that follows from the input's shape; writes the table if there is a block. Each layer is asked once, as it may be
  // a network itself. `outputs`: where the shapes of the outputs are wanted.
  Facts lay_out(const FrameShape& in, std::byte* block, std::vector<FrameShape>* outputs = nullptr) const {
    std::array<Place, 128> few;  // most networks are small enough not to touch the heap
    const std::size_t values = static_cast<std::size_t>(graph().values());
    std::vector<Place> many(block == nullptr && values > few.size() ? values : 0);
    Place* table = block != nullptr ? places(block) : many.empty() ? few.data() : many.data();
    Facts all{.state_bytes = table_bytes(), .max_flush = graph()[main_output()].flushed};
    Index inner_scratch = 0;
    table[0] = {in, 0};
    for (Index k = 1; k < inputs(); ++k)
      table[k] = {more_inputs()[static_cast<std::size_t>(k - 1)].shape.with_batch(in.batch), 0};
    for_each_value([&](Index v, Index i, const auto& layer) {
      const Facts own = facts_of(v, layer, table);
      table[v] = {own.out, 0};
      if (block != nullptr) layer_offsets(block)[i] = all.state_bytes;
      all.state_bytes += aligned_bytes(own.state_bytes);
      inner_scratch = std::max(inner_scratch, aligned_bytes(own.scratch_bytes));
      all.parameters += own.parameters;
      all.macs += graph()[graph()[v].from].rate.value() * own.macs;
    });
    all.out = table[main_output()].shape;
    if (outputs != nullptr)
      for (const Index value : output_values_) outputs->push_back(table[value].shape);
    const auto frame_bytes = [&](Index v) { return table[v].shape.size() * static_cast<Index>(sizeof(T)); };

    constexpr Index largest = 65536;  // bytes of a value
    Index tile = room_for(in.size(), static_cast<Index>(sizeof(T)));
    const auto fits = [&](Index v) {
      return plan_.most(v, tile) * frame_bytes(v) <= largest && plan_.most(v, tile) <= 16 * max_room;
    };
    for (; tile > 1; tile /= 2) {
      bool every = true;
      for (Index v = inputs(); v <= last(); ++v) every = every && fits(v);
      if (every) break;
    }
    if (block != nullptr) *reinterpret_cast<Head*>(block) = {tile, 0};

    Index scratch = live_bytes() + gathered_bytes();
    for (Index b = 0; b < plan_.buffers(); ++b) {
      Index size = 0;
      for (Index v = inputs(); v <= last(); ++v)
        if (graph()[v].buffer == b) size = std::max(size, plan_.most_at_once(v, tile) * frame_bytes(v));
      for (Index v = inputs(); v <= last(); ++v)
        if (graph()[v].buffer == b) table[v].buffer = scratch;
      scratch += aligned_bytes(size) + memory_alignment;  // packets may run over the end
    }

    for (const Operand& operand : graph().operands()) {
      if (block != nullptr) queue_offsets(block)[number_of(operand)] = all.state_bytes;
      if (operand.direct) continue;
      const Index frame = table[operand.value].shape.size();
      all.state_bytes += memory_alignment + History<T>::bytes(frame, operand.keep, queue_slack(operand, frame, tile));
    }
    if (block != nullptr) queue_offsets(block)[graph().operands().size()] = scratch;
    all.scratch_bytes = scratch + inner_scratch;
    return all;
  }

  template <class L>
  Facts facts_of(Index v, const L& layer, const Place* table) const {
    const std::span<const Operand> operands = graph().operands(v);
    if constexpr (JoinLayer<L>) {
      if (operands.size() > 1) {
        std::array<FrameShape, 16> few;  // without touching the heap
        std::vector<FrameShape> many(operands.size() > few.size() ? operands.size() : 0);
        FrameShape* shapes = many.empty() ? few.data() : many.data();
        for (std::size_t k = 0; k < operands.size(); ++k) shapes[k] = table[operands[k].value].shape;
        return layer.facts(std::span<const FrameShape>(shapes, operands.size()));
      }
    }
    if constexpr (Layer<L>) return layer.facts(table[operands.front().value].shape);
    fail("Graph: value ", v, " has one operand only");
  }

  // Where a value is wanted if there is room for n frames, else null.
  T* room(StateRef state, const Value& own, Index n) const noexcept {
    T* place = nullptr;
    if (own.home == Home::layer) {
      stages_.visit(own.home_index, [&](const auto& layer) {
        if constexpr (Layer<std::remove_cvref_t<decltype(layer)>>) place = layer.input_room(layer_state(state, own.home_index), n);
      });
    } else if (own.home == Home::queue) {
      History<T> queue = history(state, graph().operands()[static_cast<std::size_t>(own.home_index)]);
      if (n <= queue.max_frames()) place = queue.room(n);
    }
    return place;
  }
  // Where n frames of value v go. At the end of the signal no layer's history is used: the layer is reset while others
  // may still read from there.
  template <bool Ended>
  T* destination(StateRef state, Index v, Index n, Frames<T> y) const noexcept {
    const Value& own = graph()[v];
    if (own.home == Home::output) return y.data;
    if (!Ended || own.home == Home::queue)
      if (T* place = room(state, own, n); place != nullptr) return place;
    return reinterpret_cast<T*>(state.scratch + places(state.data)[v].buffer);
  }

  // Frames at ... at + n - 1 of the main input, and those of the others that come with them.
  EIGENSTREAM_ALWAYS_INLINE Index pass_some(StateRef state, std::span<const Frames<const T>> x, Index at, Index n,
                                            Frames<T> y) const noexcept {
    Live* values = live(state);
    values[0] = {x.front().frame(at), n};
    if (inputs() > 1) take_more(state, x, at, n);
    return pass<false>(state, y);
  }
  EIGENSTREAM_OUTLINED void take_more(StateRef state, std::span<const Frames<const T>> x, Index at, Index n) const noexcept {
    Time& seen = head(state)->seen;
    for (Index k = 1; k < inputs(); ++k) {
      const NetworkInput& input = more_inputs()[static_cast<std::size_t>(k - 1)];
      const Frames<const T>& all = x[static_cast<std::size_t>(k)];
      const Time begin = input.frames_for(seen - at), from = input.frames_for(seen), to = input.frames_for(seen + n);
      live(state)[k] = {all.frame(from - begin), static_cast<Index>(to - from)};
    }
    seen += n;
  }

  // What the inputs have through the whole network; `Ended`: what the end of the signal releases.
  template <bool Ended>
  EIGENSTREAM_OUTLINED Index pass(StateRef state, Frames<T> y) const noexcept {
    if constexpr (known_at_run_time && !Ended)
      run_steps(state, y);
    else
      run_layers<Ended>(state, y);
    const Live out = live(state)[main_output()];
    if (out.count > 0 && out.data != y.data) copy_out(state, main_output(), y.data);
    return out.count;
  }
  template <bool Ended>
  EIGENSTREAM_ALWAYS_INLINE void run_layers(StateRef state, Frames<T> y) const noexcept {
    for_each_value([&](Index v, auto i, const auto& layer) EIGENSTREAM_INLINE_LAMBDA {
      using L = std::remove_cvref_t<decltype(layer)>;
      if constexpr (JoinLayer<L>)
        if (!Layer<L> || graph()[v].joins) return run_join<Ended>(state, v, i, layer, y);
      if constexpr (Layer<L>) run_layer<Ended>(state, v, i, layer, y);
    });
  }
  // The same by the plan.
  EIGENSTREAM_ALWAYS_INLINE void run_steps(StateRef state, Frames<T> y) const noexcept {
    Live* const values = live(state);
    const Place* const shapes = places(state.data);
    const Index* const blocks = layer_offsets(state.data);
    std::byte* const scratch = state.scratch + queue_offsets(state.data)[graph().operands().size()];
    for (const Step& step : steps_.steps()) {
      Live out{nullptr, 0};
      const FrameLayout& shape = shapes[step.first].shape;
      if (step.kind == Step::Kind::any) {
        const auto& layer = stages_.layers[static_cast<std::size_t>(step.layer)];
        if (graph()[step.first].joins)
          run_join<false>(state, step.first, step.layer, layer, y);
        else
          run_layer<false>(state, step.first, step.layer, layer, y);
        out = values[step.first];
      } else if (const Live in = values[step.from]; in.count > 0) {
        out.count = in.count;
        const Index most = step.steady ? in.count : stages_.layers[static_cast<std::size_t>(step.layer)].max_outputs(in.count);
        T* const to = place_of(step, state, most, y);
        out.data = to;
        const T* const addend = step.addend < 0 ? nullptr : values[step.addend].data;
        if (step.kind == Step::Kind::adds)
          out.count = step.run.add_steps(step.run.layer, {state.data + blocks[step.layer], shapes[step.from].shape, scratch}, in.data,
                                         in.count, addend, to);
        else if (step.kind == Step::Kind::maps)
          step.run.map(step.run.layer, in.data, to, in.count * shape.size());
        else
          kernel::map_two(in.data, addend, to, in.count * shape.size(), [](auto a, auto b) EIGENSTREAM_INLINE_LAMBDA { return a + b; });
      }
      if (out.count > 0)
        for (std::uint32_t k = step.tails; k < step.tails_end; ++k) {
          const detail::PlanTail<T>& tail = *steps_.tail(k);
          T* const x = const_cast<T*>(out.data);
          const Index n = out.count * shape.size();
          if (tail.addend < 0)
            tail.layer.map(tail.layer.layer, x, x, n);
          else
            kernel::add_pointwise(values[tail.addend].data, x, n);
        }
      values[step.last] = out;
    }
  }
  // Where the output of a step goes.
  EIGENSTREAM_ALWAYS_INLINE T* place_of(const Step& step, StateRef state, Index most, Frames<T> y) const noexcept {
    const Value& own = graph()[step.first];
    if (own.on >= 0) return const_cast<T*>(live(state)[own.on].data);
    if (own.home == Home::output) return y.data;
    if (own.home == Home::layer) {
      T* place = step.keeper.input_room == nullptr
                     ? nullptr
                     : step.keeper.input_room(step.keeper.layer, {state.data + layer_offsets(state.data)[own.home_index], shape_of(state, step.last), state.scratch}, most);
      if (place != nullptr) return place;
    } else if (own.home == Home::queue) {
      if (T* place = room(state, own, most); place != nullptr) return place;
    }
    return reinterpret_cast<T*>(state.scratch + places(state.data)[step.first].buffer);
  }
  EIGENSTREAM_OUTLINED void copy_out(StateRef state, Index v, T* to) const noexcept {
    const Live out = live(state)[v];
    if (out.count > 0) std::memcpy(to, out.data, static_cast<std::size_t>(out.count * shape_of(state, v).size()) * sizeof(T));
  }
  Index end(StateRef state, Frames<T> y) const noexcept {
    for (Index k = 0; k < inputs(); ++k) live(state)[k] = {nullptr, 0};
    return pass<true>(state, y);
  }
  // What a pass gave beside the main output, which lies where it was made until the next one.
  void deliver(StateRef state, Index main, std::span<const Frames<T>> y, std::span<Index> written) const noexcept {
    written.front() += main;
    for (std::size_t k = 1; k < output_values_.size(); ++k) {
      copy_out(state, output_values_[k], y[k].frame(written[k]));
      written[k] += live(state)[output_values_[k]].count;
    }
  }

  template <bool Ended, class L>
  EIGENSTREAM_ALWAYS_INLINE void run_layer(StateRef state, Index v, Index i, const L& layer,
                                           Frames<T> y) const noexcept {
    Live* values = live(state);
    const Value& own = graph()[v];
    const Live in = values[own.from];
    if (!Ended && in.count == 0) {
      values[v] = {nullptr, 0};
      return;
    }
    const StateRef inner = layer_state(state, i);
    const Index most = Ended ? own.flushed : layer.max_outputs(in.count);
    T* place = own.on >= 0 && in.count > 0 ? const_cast<T*>(in.data) : destination<Ended>(state, v, most, y);
    const Frames<T> out(place, shape_of(state, v), place == y.data ? y.count : most);
    Index count = 0;
    if (in.count > 0) count = layer.steps(inner, Frames<const T>(in.data, inner.shape, in.count), out);
    if constexpr (Ended) count += layer.flush(inner, out.from(count));
    values[v] = {place, count};
  }

  // A layer with several inputs: as many frames as there are of each.
  template <bool Ended, class L>
  EIGENSTREAM_OUTLINED void run_join(const StateRef& state, Index v, Index i, const L& layer,
                                     const Frames<T>& y) const noexcept {
    Live* values = live(state);
    Index n = std::numeric_limits<Index>::max();
    for (const Operand& operand : graph().operands(v)) {
      const Live in = values[operand.value];
      Index ready = in.count;
      if (!operand.direct) {
        if (in.count > 0) history(state, operand).append(in.data, in.count);
        ready = waiting(state, operand) += in.count;
      }
      n = std::min(n, ready);
    }
    values[v] = {nullptr, 0};
    n = std::max<Index>(0, n);
    if (!Ended && n == 0) return;

    Frames<const T>* x = gathered(state);
    for (const Operand& operand : graph().operands(v)) {
      const FrameLayout& in = shape_of(state, operand.value);
      const T* data = values[operand.value].data;
      if (!operand.direct) {
        Index& left = waiting(state, operand);
        data = history(state, operand).newest_end() - left * in.size();
        left -= n;
      }
      *x++ = Frames<const T>(data, in, n);
    }
    const std::span<const Frames<const T>> all(gathered(state), graph().operands(v).size());
    const StateRef inner = layer_state(state, i);
    const Index most = Ended ? graph()[v].flushed : layer.max_outputs(n);
    const Index on = graph()[v].on;
    T* place = on >= 0 && n > 0 ? const_cast<T*>(values[on].data) : destination<Ended>(state, v, most, y);
    const Frames<T> out(place, shape_of(state, v), place == y.data ? y.count : most);
    Index count = n > 0 ? layer.steps(inner, all, out) : 0;
    if constexpr (Ended) count += layer.flush(inner, out.from(count));
    values[v] = {place, count};
  }

  Stages stages_;
  Timing timing_;
  FrameShape wanted_ = FrameShape::any();
  Space space_ = Space::none;
  detail::WiredPlan plan_;
  detail::PlanSteps<T> steps_;
  std::vector<NetworkOutput> outputs_;  // if they were chosen
  std::vector<Index> output_values_;
  std::vector<NetworkControl> controls_;
  std::vector<ControlPlace> control_places_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_WIRED_HPP
