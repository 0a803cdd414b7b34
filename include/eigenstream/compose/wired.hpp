#ifndef EIGENSTREAM_COMPOSE_WIRED_HPP
#define EIGENSTREAM_COMPOSE_WIRED_HPP

#include <array>    // small tables
#include <cstdint>  // uint64_t
#include <string>   // messages
#include <vector>   // nodes

#include "eigenstream/compose/join.hpp"
#include "eigenstream/compose/stages.hpp"
#include "eigenstream/compose/wiring.hpp"
#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/history.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Layers wired to a network with branches; what the two kinds of it, of layers known at compile time and at run time,
/// share. As in a chain, a chunk goes through the whole network a tile of frames at a time, a layer writes straight into
/// the history of the one that keeps its output, pointwise layers work where the numbers lie. Where branches join, those
/// that come earlier wait in a queue; where all of them always come together, there is none.
///
/// `Stages` holds the layers in the order in which they appear among the nodes, as for Chain, and gives visit(i, f) too.
/// Shapes   x of the network's input -> y of the value made last
/// Timing   that of the layers; values that are joined are aligned
/// Errors   constructor: Error if a value is used by none or channels do not fit. steps/flush: noexcept, no allocation
/// Source   torch: a module's own forward
/// Layout   table (tile; shape and place of each value; offsets of blocks and queues), the layers' blocks, the queues (a
///          counter and a history each); as scratch, the values on their way, buffers for them, the layers' own scratch
template <class T, class Stages>
class Wired {
 public:
  using Scalar = T;

  /// Errors   Error if a value is used by none, or if a layer cannot take the frames it gets. `in_channels`: those of
  ///          the input, if the layers do not say
  Wired(Stages stages, const Wiring& wiring, Index in_channels = Dynamic)
      : stages_(std::move(stages)), timing_(wiring.timing()) {
    timing_.check_bounds();
    values_.resize(1);
    for (const Wiring::Node& node : wiring.nodes()) {
      Value value{.rate = node.rate, .joins = node.joins, .op = node.op};
      for (const Index from : node.from) ++values_[static_cast<std::size_t>(from)].uses;
      value.from = node.from.front();
      if (node.joins) {
        value.first_operand = static_cast<Index>(operands_.size());
        for (std::size_t k = 0; k < node.from.size(); ++k) operands_.push_back({.from = node.from[k], .skip = node.skip[k]});
        value.end_operand = static_cast<Index>(operands_.size());
      } else {
        value.layer = layers_++;
        layer_from_.push_back(value.from);
      }
      values_.push_back(value);
    }
    for (Index v = 0; v < last(); ++v)
      check(value(v).uses > 0, "Graph: ", v == 0 ? "the input" : "value ", v == 0 ? "" : std::to_string(v), " is not used");
    check(layers_ == stages_.size(), "Graph: ", stages_.size(), " layers for ", layers_, " nodes");
    count_frames(wiring);
    find_homes();
    find_wanted();
    if (in_channels != Dynamic) wanted_.channels = in_channels;
    if (wanted_.channels != 0 && space_ != Space::needed) (void)facts({.channels = wanted_.channels});
  }

  const Stages& stages() const noexcept { return stages_; }

  /// How `layers` are connected if they stand where the own ones do.
  /// Errors   Error if their outputs cannot be aligned
  Wiring rewire(const Stages& layers) const {
    Wiring wiring;
    const auto join = [&](Index v) {
      std::vector<Index> from;
      for_each_operand(v, [&](const Operand& operand) { from.push_back(operand.from); });
      wiring.add_join(value(v).op, std::move(from));
    };
    Index v = 1;
    layers.for_each([&](auto, const auto& layer) {
      for (; value(v).joins; ++v) join(v);
      wiring.add_layer(layer.timing(), value(v++).from);
    });
    for (; v <= last(); ++v) join(v);
    return wiring;
  }

  FrameShape wanted() const noexcept { return wanted_; }
  Facts facts(const FrameShape& in) const { return lay_out(in, nullptr); }
  Timing timing() const { return timing_; }
  Space space() const noexcept { return space_; }
  Index max_outputs(Index n) const noexcept { return most(last(), n); }
  std::uint64_t fingerprint() const {
    Fingerprint all("Graph");
    for_each_value([&](Index v, auto, const auto& layer) { all.add(value(v).from).add(std::uint64_t{layer.fingerprint()}); },
                   [&](Index v) {
                     all.add(static_cast<int>(value(v).op));
                     for_each_operand(v, [&](const Operand& operand) { all.add(operand.from).add(operand.skip); });
                   });
    return all;
  }

  void reset(StateRef state) const noexcept {
    lay_out(state.shape, state.data);
    stages_.for_each([&](Index i, const auto& layer) { layer.reset(layer_state(state, i)); });
    reset_queues(state);
  }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index tile = head(state)->tile;
    if (x.count <= tile) return pass<false>(state, x, y);
    Index written = 0;
    for (Index at = 0; at < x.count; at += tile)
      written += pass<false>(state, x.slice(at, std::min(tile, x.count - at)), y.from(written));
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const Index written = pass<true>(state, Frames<const T>(nullptr, state.shape, 0), y);
    reset_queues(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    // How many frames each value has had so far; before the operands of a join are complete, it has none.
    std::vector<Time> counts(values_.size(), codec.frames());
    const auto count_of = [&](Index v) -> Time& { return counts[static_cast<std::size_t>(v)]; };
    const Time seen = codec.frames();
    for_each_value(
        [&](Index v, Index i, const auto& layer) {
          codec.set_frames(count_of(value(v).from));
          layer.exchange(layer_state(state, i), codec);
          count_of(v) = layer.timing().outputs_after(codec.frames());
        },
        [&](Index v) {
          Time least = std::numeric_limits<Time>::max();
          for_each_operand(v, [&](const Operand& operand) { least = std::min(least, count_of(operand.from) - operand.skip); });
          count_of(v) = std::max<Time>(0, least);
        });
    codec.set_frames(seen);
    for (Index v = 1; v <= last(); ++v)
      for_each_operand(v, [&](const Operand& operand) {
        if (operand.direct) return;
        codec.count(waiting(state, operand), count_of(operand.from) - operand.skip - count_of(v));
        history(state, operand).exchange(codec);
      });
  }
  T* input_room(StateRef state, Index n) const noexcept {
    return n <= head(state)->tile ? room(state, value(0), n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  enum class Home { buffer, layer, queue, output };  // where a value is written: where it is wanted, if there is a place
  struct Value {
    Rate rate = {};
    bool joins = false;
    Reduce op = Reduce::sum;
    Index from = -1;                            // operand of a layer
    Index layer = -1;                           // its number
    Index first_operand = 0, end_operand = 0;  // of a join
    Index uses = 0;
    bool in_place = false;  // the layer works where its operand lies
    Home home = Home::buffer;
    Index home_index = 0;  // layer or operand whose room it is
    Index buffer = 0;      // number of the scratch buffer for it
    Time rise = 0;        // most by which the frames ever catch up with the rate, times rate.inputs
    Index flushed = 0;     // most frames that come at the end
  };
  struct Operand {
    Index from = 0;
    Index skip = 0;      // frames left out at the start
    Index keep = 0;      // most frames that wait between calls
    bool direct = false;  // none ever waits: the join takes all that come, and there is no queue
  };

  // The state's table.
  struct Head {
    Index tile;
  };
  struct Place {
    FrameShape shape;
    Index buffer;       // offset in the scratch memory
    bool alike = true;  // of a join: all operands have its extents but for the channels
  };
  // In scratch: a value on its way.
  struct Live {
    const T* data;
    Index count;
  };

  EIGENSTREAM_ALWAYS_INLINE Index last() const noexcept { return static_cast<Index>(values_.size()) - 1; }
  EIGENSTREAM_ALWAYS_INLINE const Value& value(Index v) const noexcept { return values_[static_cast<std::size_t>(v)]; }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void for_each_operand(Index v, F&& f) const {
    for (Index k = value(v).first_operand; k < value(v).end_operand; ++k) f(operands_[static_cast<std::size_t>(k)]);
  }
  // Calls layer(v, i, layer) and join(v) for all values but the input, in order.
  template <class OnLayer, class OnJoin>
  EIGENSTREAM_ALWAYS_INLINE void for_each_value(OnLayer&& on_layer, OnJoin&& on_join) const {
    Index v = 1;
    stages_.for_each([&](auto i, const auto& layer) EIGENSTREAM_INLINE_LAMBDA {
      for (; value(v).joins; ++v) on_join(v);
      on_layer(v++, i, layer);
    });
    for (; v <= last(); ++v) on_join(v);
  }
  template <class OnLayer>
  void for_each_value(OnLayer&& on_layer) const {
    for_each_value(on_layer, [](Index) {});
  }

  // How many frames of each value come at most, and how many wait at the joins.
  void count_frames(const Wiring& wiring) {
    constexpr Time most_waiting = Index{1} << 26;
    for (Index v = 0; v <= last(); ++v) {
      Value& value = values_[static_cast<std::size_t>(v)];
      value.rise = wiring.after(v).most_rise(value.rate);
      value.flushed = wiring.ended(v).most_lead(wiring.after(v));
      for (Index k = value.first_operand; k < value.end_operand; ++k) {
        Operand& operand = operands_[static_cast<std::size_t>(k)];
        operand.keep = wiring.after(operand.from).without_first(operand.skip).most_lead(wiring.after(v));
        operand.direct = operand.keep == 0 && operand.skip == 0;
        check(operand.keep <= most_waiting, "Graph: ", operand.keep,
              " frames of one branch would have to wait for another, more than 2^26");
      }
    }
  }

  // Decides where each value is written, and which share a scratch buffer.
  void find_homes() {
    std::vector<Index> end(values_.size(), 0);  // last use of a value's buffer
    stages_.for_each([&, v = Index{0}](auto, const auto& layer) mutable {
      for (++v; value(v).joins; ++v) {}
      Value& own = values_[static_cast<std::size_t>(v)];
      own.in_place = layer.in_place() && own.from != 0 && value(own.from).uses == 1;
    });
    values_.back().home = Home::output;
    for (Index v = last(); v > 0; --v) {
      const Value& user = value(v);
      const auto claim = [&](Index from, Home home, Index index, Index until) {
        Value& operand = values_[static_cast<std::size_t>(from)];
        end[static_cast<std::size_t>(from)] = std::max(end[static_cast<std::size_t>(from)], until);
        operand.home = home, operand.home_index = index;  // the first user, which comes last here, decides
      };
      if (user.joins) {
        for (Index k = user.end_operand - 1; k >= user.first_operand; --k) {
          const Operand& operand = operands_[static_cast<std::size_t>(k)];
          const Value& from = value(operand.from);
          if (operand.direct)
            claim(operand.from, from.home, from.home_index, v);
          else
            claim(operand.from, Home::queue, k, v);
        }
      } else if (user.in_place) {
        claim(user.from, user.home, user.home_index, end[static_cast<std::size_t>(v)]);
      } else {
        bool keeps = true;
        stages_.visit(user.layer, [&](const auto& layer) { keeps = !layer.in_place(); });
        if (keeps)
          claim(user.from, Home::layer, user.layer, v);
        else
          claim(user.from, value(user.from).home, value(user.from).home_index, v);
      }
    }
    std::vector<Index> free;
    std::vector<Index> owners;  // of each buffer: until when it is taken
    for (Index v = 1; v <= last(); ++v) {
      Value& own = values_[static_cast<std::size_t>(v)];
      for (Index b = 0; b < static_cast<Index>(owners.size()); ++b)
        if (owners[static_cast<std::size_t>(b)] == v - 1) free.push_back(b);
      if (own.in_place) {
        own.buffer = value(own.from).buffer;
        continue;
      }
      if (own.home == Home::output) continue;
      if (free.empty()) free.push_back(static_cast<Index>(owners.size())), owners.push_back(0);
      own.buffer = free.back();
      free.pop_back();
      owners[static_cast<std::size_t>(own.buffer)] = end[static_cast<std::size_t>(v)];
    }
    buffers_ = static_cast<Index>(owners.size());
  }

  // What the first layer asks for that minds and that the input reaches with its number of channels unchanged, and what
  // the layers have to do with space.
  void find_wanted() {
    struct Path {
      bool same = true;  // its channels are the input's
      Space space = Space::none;
    };
    std::vector<Path> paths(values_.size());
    const auto path = [&](Index v) -> Path& { return paths[static_cast<std::size_t>(v)]; };
    Space all = Space::none;
    for_each_value(
        [&](Index v, auto, const auto& layer) {
          const Path& from = path(value(v).from);
          if (from.same && wanted_.channels == 0) wanted_.channels = layer.wanted().channels;
          if (value(v).from == 0 && wanted_.width == 0) wanted_.width = layer.wanted().width;
          if (value(v).from == 0 && wanted_.height == 0) wanted_.height = layer.wanted().height;
          path(v) = {from.same && eigenstream::keeps_channels(layer), space_behind(from.space, space_of(layer))};
          if (path(v).space == Space::needed) all = Space::needed;
        },
        [&](Index v) {
          Path joined{value(v).op != Reduce::concat, path(value(v).from).space};
          for_each_operand(v, [&](const Operand& operand) {
            const Path& own = path(operand.from);
            joined.same = joined.same && own.same;
            joined.space = space_beside(joined.space, own.space);
          });
          path(v) = joined;
        });
    space_ = all == Space::needed ? all : path(last()).space;
  }

  // Most frames of a value that n inputs bring.
  Index most(Index v, Index n) const noexcept {
    const Value& own = value(v);
    return n == 0 ? 0 : (n * own.rate.outputs + own.rise) / own.rate.inputs;
  }

  static EIGENSTREAM_ALWAYS_INLINE Head* head(StateRef state) noexcept { return reinterpret_cast<Head*>(state.data); }
  static EIGENSTREAM_ALWAYS_INLINE Place* places(std::byte* block) noexcept { return reinterpret_cast<Place*>(block + sizeof(Head)); }
  EIGENSTREAM_ALWAYS_INLINE Index* layer_offsets(std::byte* block) const noexcept {
    return reinterpret_cast<Index*>(block + sizeof(Head) + values_.size() * sizeof(Place));
  }
  EIGENSTREAM_ALWAYS_INLINE Index* queue_offsets(std::byte* block) const noexcept { return layer_offsets(block) + layers_; }
  Index table_bytes() const noexcept {
    return aligned_bytes(static_cast<Index>(sizeof(Head) + values_.size() * sizeof(Place) +
                                            static_cast<std::size_t>(layers_ + 1) * sizeof(Index) +
                                            operands_.size() * sizeof(Index)));
  }
  Index live_bytes() const noexcept { return aligned_bytes(static_cast<Index>(values_.size() * sizeof(Live))); }
  static EIGENSTREAM_ALWAYS_INLINE Live* live(StateRef state) noexcept { return reinterpret_cast<Live*>(state.scratch); }

  EIGENSTREAM_ALWAYS_INLINE StateRef layer_state(StateRef state, Index i) const noexcept {
    const Index* offsets = layer_offsets(state.data);
    return {state.data + offsets[i], places(state.data)[layer_from_[static_cast<std::size_t>(i)]].shape,
            state.scratch + queue_offsets(state.data)[operands_.size()]};
  }
  EIGENSTREAM_ALWAYS_INLINE const FrameShape& shape_of(StateRef state, Index v) const noexcept {
    return places(state.data)[v].shape;
  }
  EIGENSTREAM_ALWAYS_INLINE Index& waiting(StateRef state, const Operand& operand) const noexcept {
    return *reinterpret_cast<Index*>(queue_block(state, operand));
  }
  EIGENSTREAM_ALWAYS_INLINE History<T> history(StateRef state, const Operand& operand) const noexcept {
    const Index frame = shape_of(state, operand.from).size();
    return History<T>(queue_block(state, operand) + memory_alignment, frame, operand.keep,
                      most_at_once(operand.from, head(state)->tile));
  }
  // Of a value, in one pass: what a tile brings, or what the end releases.
  EIGENSTREAM_ALWAYS_INLINE Index most_at_once(Index v, Index tile) const noexcept {
    return std::max(most(v, tile), value(v).flushed);
  }
  EIGENSTREAM_ALWAYS_INLINE std::byte* queue_block(StateRef state, const Operand& operand) const noexcept {
    return state.data + queue_offsets(state.data)[&operand - operands_.data()];
  }
  void reset_queues(StateRef state) const noexcept {
    for (const Operand& operand : operands_) {
      if (operand.direct) continue;
      waiting(state, operand) = -operand.skip;
      history(state, operand).reset();
    }
  }

  // All that follows from the input's shape; writes the table if there is a block. Each layer is asked once, as it may be
  // a network itself.
  Facts lay_out(const FrameShape& in, std::byte* block) const {
    std::array<Place, 128> few;  // most networks are small enough not to touch the heap
    std::vector<Place> many(block == nullptr && values_.size() > few.size() ? values_.size() : 0);
    Place* table = block != nullptr ? places(block) : many.empty() ? few.data() : many.data();
    Facts all{.state_bytes = table_bytes(), .max_flush = values_.back().flushed};
    Index inner_scratch = 0;
    table[0] = {in, 0};
    for_each_value(
        [&](Index v, Index i, const auto& layer) {
          const Facts own = layer.facts(table[value(v).from].shape);
          table[v] = {own.out, 0};
          if (block != nullptr) layer_offsets(block)[i] = all.state_bytes;
          all.state_bytes += aligned_bytes(own.state_bytes);
          inner_scratch = std::max(inner_scratch, aligned_bytes(own.scratch_bytes));
          all.parameters += own.parameters;
          all.macs += value(value(v).from).rate.value() * own.macs;
        },
        [&](Index v) {
          FrameShape joined = FrameShape::any();
          for_each_operand(v, [&](const Operand& operand) {
            joined = joined_shape(value(v).op, joined, table[operand.from].shape);
          });
          table[v] = {joined, 0};
          for_each_operand(v, [&](const Operand& operand) {
            const FrameShape& own = table[operand.from].shape;
            table[v].alike = table[v].alike && own.width == joined.width && own.height == joined.height;
          });
        });
    all.out = table[last()].shape;
    const auto frame_bytes = [&](Index v) { return table[v].shape.size() * static_cast<Index>(sizeof(T)); };

    constexpr Index largest = 65536;  // bytes of a value
    Index tile = room_for(in.size(), static_cast<Index>(sizeof(T)));
    const auto fits = [&](Index v) {
      return most(v, tile) * frame_bytes(v) <= largest && most(v, tile) <= 16 * max_room;
    };
    for (; tile > 1; tile /= 2) {
      bool every = true;
      for (Index v = 1; v <= last(); ++v) every = every && fits(v);
      if (every) break;
    }
    if (block != nullptr) *reinterpret_cast<Head*>(block) = {tile};

    Index scratch = live_bytes();
    for (Index b = 0; b < buffers_; ++b) {
      Index size = 0;
      for (Index v = 1; v <= last(); ++v)
        if (value(v).buffer == b) size = std::max(size, most_at_once(v, tile) * frame_bytes(v));
      for (Index v = 1; v <= last(); ++v)
        if (value(v).buffer == b) table[v].buffer = scratch;
      scratch += aligned_bytes(size) + memory_alignment;  // packets may run over the end
    }

    for (const Operand& operand : operands_) {
      if (block != nullptr) queue_offsets(block)[&operand - operands_.data()] = all.state_bytes;
      if (operand.direct) continue;
      all.state_bytes += memory_alignment + History<T>::bytes(table[operand.from].shape.size(), operand.keep,
                                                              most_at_once(operand.from, tile));
    }
    if (block != nullptr) queue_offsets(block)[operands_.size()] = scratch;
    all.scratch_bytes = scratch + inner_scratch;
    return all;
  }

  // Where a value is wanted if there is room for n frames, else null.
  T* room(StateRef state, const Value& own, Index n) const noexcept {
    T* place = nullptr;
    if (own.home == Home::layer) {
      stages_.visit(own.home_index, [&](const auto& layer) {
        place = layer.input_room(layer_state(state, own.home_index), n);
      });
    } else if (own.home == Home::queue) {
      History<T> queue = history(state, operands_[static_cast<std::size_t>(own.home_index)]);
      if (n <= queue.max_frames()) place = queue.room(n);
    }
    return place;
  }
  // Where n frames of value v go. At the end of the signal no layer's history is used: the layer is reset while others
  // may still read from there.
  template <bool Ended>
  T* destination(StateRef state, Index v, Index n, Frames<T> y) const noexcept {
    const Value& own = value(v);
    if (own.home == Home::output) return y.data;
    if (!Ended || own.home == Home::queue)
      if (T* place = room(state, own, n); place != nullptr) return place;
    return reinterpret_cast<T*>(state.scratch + places(state.data)[v].buffer);
  }

  // A tile through the whole network; `Ended`: what the end of the signal releases.
  template <bool Ended>
  EIGENSTREAM_OUTLINED Index pass(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    Live* values = live(state);
    values[0] = {x.data, x.count};
    for_each_value([&](Index v, auto i, const auto& layer)
                       EIGENSTREAM_INLINE_LAMBDA { run_layer<Ended>(state, v, i, layer, y); },
                   [&](Index v) EIGENSTREAM_INLINE_LAMBDA { join<Ended>(state, v, y); });
    const Live out = values[last()];
    if (out.count > 0 && out.data != y.data)
      std::memcpy(y.data, out.data,
                  static_cast<std::size_t>(out.count * shape_of(state, last()).size()) * sizeof(T));
    return out.count;
  }

  template <bool Ended, class L>
  EIGENSTREAM_ALWAYS_INLINE void run_layer(StateRef state, Index v, Index i, const L& layer,
                                           Frames<T> y) const noexcept {
    Live* values = live(state);
    const Value& own = value(v);
    const Live in = values[own.from];
    if (!Ended && in.count == 0) {
      values[v] = {nullptr, 0};
      return;
    }
    const StateRef inner = layer_state(state, i);
    const Index most = Ended ? own.flushed : layer.max_outputs(in.count);
    T* place = own.in_place && in.count > 0 ? const_cast<T*>(in.data) : destination<Ended>(state, v, most, y);
    const Frames<T> out(place, shape_of(state, v), place == y.data ? y.count : most);
    Index count = 0;
    if (in.count > 0) count = layer.steps(inner, Frames<const T>(in.data, inner.shape, in.count), out);
    if constexpr (Ended) count += layer.flush(inner, out.from(count));
    values[v] = {place, count};
  }

  template <bool Ended>
  EIGENSTREAM_OUTLINED void join(StateRef state, Index v, Frames<T> y) const noexcept {
    Live* values = live(state);
    const Value& own = value(v);
    Index n = std::numeric_limits<Index>::max();
    for_each_operand(v, [&](const Operand& operand) {
      const Live in = values[operand.from];
      Index ready = in.count;
      if (!operand.direct) {
        if (in.count > 0) history(state, operand).append(in.data, in.count);
        ready = waiting(state, operand) += in.count;
      }
      n = std::min(n, ready);
    });
    values[v] = {nullptr, 0};
    if (n <= 0) return;

    const FrameShape& out = shape_of(state, v);
    T* place = destination<Ended>(state, v, n, y);
    detail::Join<T> joined(own.op, out, place, n, places(state.data)[v].alike);
    for_each_operand(v, [&](const Operand& operand) {
      const FrameShape& in = shape_of(state, operand.from);
      const T* data = values[operand.from].data;
      if (!operand.direct) {
        Index& left = waiting(state, operand);
        data = history(state, operand).newest_end() - left * in.size();
        left -= n;
      }
      joined.add(data, in);
    });
    joined.finish(own.end_operand - own.first_operand);
    values[v] = {place, n};
  }

  Stages stages_;
  Timing timing_;
  FrameShape wanted_ = FrameShape::any();
  Space space_ = Space::none;
  std::vector<Value> values_;      // value 0 is the input
  std::vector<Operand> operands_;  // of all joins
  std::vector<Index> layer_from_;  // the value that each layer takes
  Index layers_ = 0, buffers_ = 0;
};


EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_WIRED_HPP
