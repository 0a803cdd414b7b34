#ifndef EIGENSTREAM_COMPOSE_CHAIN_HPP
#define EIGENSTREAM_COMPOSE_CHAIN_HPP

#include <cstring>  // memcpy
#include <vector>   // rates

#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/room.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Layers one after another; what the two kinds of sequence, of layers known at compile time and at run time, share.
/// A long chunk goes through the whole chain a tile of frames at a time, so that what lies between two layers stays in
/// the first-level caches and a stream's memory does not depend on the chunk. A layer writes straight into the history
/// of the next one, pointwise layers work where the numbers lie, and the last layer writes into the caller's memory.
///
/// `Stages` gives for_each(f) and for_each_from(i, f), calling f(i, layer) in order, and next_keeper(i, f), calling f(j, layer) for the first
/// layer from i on that does not work in place, if there is one.
/// Shapes   x of the first layer's input -> y of the last layer's output
/// Timing   that of the layers, composed
/// Errors   constructor: Error if a layer cannot take the channels of the one before. steps/flush: noexcept, no allocation
/// Source   torch.nn.Sequential
/// Layout   table (tile, scratch size, then offset, flush and input shape of each stage), the layers' blocks; as scratch, two
///          buffers for what finds no place in a history, then the layers' own, which work in turn and share it
template <class T, class Stages>
class Chain {
 public:
  using Scalar = T;

  explicit Chain(Stages stages) : stages_(std::move(stages)) {
    Timing::Builder timing;
    Index value = 0;
    FrameShape shape;
    bool known = false, kept = true, like = true;
    stages_.for_each([&](auto, const auto& layer) {
      check_one_signal("Sequential", layer);
      rates_.push_back(timing.rate(value).value());
      value = timing.append(layer.timing(), value);
      const FrameShape wanted = layer.wanted();
      if (kept && wanted_.channels == 0) wanted_.channels = wanted.channels;
      if (like && wanted_.width == 0) wanted_.width = wanted.width;
      if (like && wanted_.height == 0) wanted_.height = wanted.height;
      if (kept && space_ == Space::none && !known && wanted_.channels != 0)
        known = true, shape = frames_to_try(wanted_, Space::none);
      space_ = space_behind(space_, space_of(layer));
      if (space_of(layer) == Space::used && !shape.has_space()) known = false;
      kept = kept && eigenstream::keeps_channels(layer);
      like = like && layer.in_place() && eigenstream::keeps_channels(layer);
      if (known && space_ != Space::needed) shape = layer.facts(shape).out;  // whether it can take what comes
    });
    keeps_channels_ = kept;
    timing_ = timing.finish();
    timing_.check_bounds();
  }

  /// The channels that the first layer which minds asks for; any if none does, or if a layer before it changes their
  /// number. Space as the first layer asks for it.
  FrameShape wanted() const noexcept { return wanted_; }
  Facts facts(const FrameShape& in) const { return lay_out(in, nullptr); }
  Timing timing() const { return timing_; }
  Space space() const noexcept { return space_; }
  EIGENSTREAM_ALWAYS_INLINE Index max_outputs(Index n) const noexcept {
    stages_.for_each([&](auto, const auto& layer) EIGENSTREAM_INLINE_LAMBDA { n = layer.max_outputs(n); });
    return n;
  }
  std::uint64_t fingerprint() const {
    Fingerprint all("Sequential");
    stages_.for_each([&](auto, const auto& layer) { all.add(std::uint64_t{layer.fingerprint()}); });
    return all;
  }

  void reset(StateRef state) const noexcept {
    lay_out(state.shape, state.data);
    stages_.for_each([&](Index i, const auto& layer) { layer.reset(stage_state(state, i)); });
  }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    if (x.count > head(state)->tile) return many_tiles(state, x, y);
    return run(state, x, y);
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    Index written = 0;
    stages_.for_each([&](auto i, const auto& layer) {
      const StateRef own = stage_state(state, i);
      Frames<T> rest = y.from(written);
      const Index most = slot(state.data, i)->max_flush;
      Frames<T> released(destination(state, next(i), most, nullptr, rest), out_shape(state, i), most);
      if (released.data == rest.data) released.count = rest.count;
      released.count = layer.flush(own, released);
      written += run_from(state, next(i), released, true, rest);
    });
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    const Time seen = codec.frames();
    stages_.for_each([&](Index i, const auto& layer) {
      layer.exchange(stage_state(state, i), codec);
      if (codec.compares_frames()) codec.set_frames(layer.timing().outputs_after(codec.frames()));
    });
    codec.set_frames(seen);
  }
  EIGENSTREAM_ALWAYS_INLINE T* input_room(StateRef state, Index n) const noexcept {
    T* room = nullptr;
    if (n <= head(state)->tile)
      stages_.first([&](const auto& layer)
                        EIGENSTREAM_INLINE_LAMBDA { room = layer.input_room(stage_state(state, 0), n); });
    return room;
  }
  EIGENSTREAM_ALWAYS_INLINE bool in_place() const noexcept {
    bool all = true;
    stages_.for_each([&](auto, const auto& layer) EIGENSTREAM_INLINE_LAMBDA { all = all && layer.in_place(); });
    return all;
  }
  bool keeps_channels() const noexcept { return keeps_channels_; }

  const Stages& stages() const noexcept { return stages_; }

 private:
  struct Head {
    Index tile;     // most input frames at a time
    Index scratch;  // bytes of each scratch buffer
  };
  struct Slot {
    Index offset;      // of the layer's block, in bytes
    Index max_flush;   // of the layer
    FrameLayout shape;  // of its input
  };
  static EIGENSTREAM_ALWAYS_INLINE Head* head(StateRef state) noexcept { return reinterpret_cast<Head*>(state.data); }
  static EIGENSTREAM_ALWAYS_INLINE Slot* slot(std::byte* block, Index i) noexcept {
    return reinterpret_cast<Slot*>(block + sizeof(Head)) + i;
  }
  Index table_bytes() const noexcept {
    return aligned_bytes(static_cast<Index>(sizeof(Head) + (static_cast<std::size_t>(stages_.size()) + 1) * sizeof(Slot)));
  }
  static EIGENSTREAM_ALWAYS_INLINE StateRef stage_state(StateRef state, Index i) noexcept {
    const Slot* own = slot(state.data, i);
    return {state.data + own->offset, own->shape, state.scratch + 2 * head(state)->scratch};
  }
  static EIGENSTREAM_ALWAYS_INLINE const FrameLayout& out_shape(StateRef state, Index i) noexcept {
    return slot(state.data, i + 1)->shape;
  }
  template <class I>
  static constexpr auto next(I i) noexcept {
    return Stages::next(i);
  }

  // All that follows from the input's shape; writes the table if there is a block. Each layer is asked once, as it may be
  // a chain itself: what passes between two layers is worked out for tiles of several sizes side by side.
  Facts lay_out(const FrameShape& in, std::byte* block) const {
    constexpr Index largest = 65536;  // bytes between two layers
    constexpr int sizes = 9;          // tiles from max_room down to 1
    static_assert(max_room >> (sizes - 1) == 0);
    struct {
      Index tile, frames, scratch = 0;
      bool fits = true;
    } of[sizes];
    Index tile = room_for(in.size(), static_cast<Index>(sizeof(T)));
    for (auto& each : of) each.tile = each.frames = tile, tile /= 2;

    Facts all{.out = in, .state_bytes = table_bytes()};
    Index released = 0, inner_scratch = 0;  // most frames that a flush brings further up, at a time
    stages_.for_each([&](Index i, const auto& layer) {
      const Facts own = layer.facts(all.out);
      if (block != nullptr) *slot(block, i) = {all.state_bytes, own.max_flush, all.out};
      all.state_bytes += aligned_bytes(own.state_bytes);
      inner_scratch = std::max(inner_scratch, aligned_bytes(own.scratch_bytes));
      all.max_flush = layer.max_outputs(all.max_flush) + own.max_flush;
      all.parameters += own.parameters;
      all.macs += rates_[static_cast<std::size_t>(i)] * own.macs;
      all.out = own.out;
      released = std::max(layer.max_outputs(released), own.max_flush);
      for (auto& each : of) {
        each.frames = layer.max_outputs(each.frames);
        const Index bytes = std::max(each.frames, released) * own.out.size() * static_cast<Index>(sizeof(T));
        each.scratch = std::max(each.scratch, aligned_bytes(bytes));
        each.fits = each.fits && bytes <= largest && each.frames <= 16 * max_room;
      }
    });
    int chosen = 0;
    while (of[chosen].tile > 1 && !of[chosen].fits) ++chosen;
    const Index scratch = of[chosen].scratch + memory_alignment;  // packets may run over the end
    if (block != nullptr) {
      *reinterpret_cast<Head*>(block) = {of[chosen].tile, scratch};
      *slot(block, stages_.size()) = {all.state_bytes, 0, all.out};
    }
    all.scratch_bytes = 2 * scratch + inner_scratch;
    return all;
  }

  // Where layers from i on want their input: in the history of the first one that keeps it, in a scratch buffer, or,
  // behind the last layer, in y. `source` is where the numbers are now, so the other scratch buffer is taken.
  template <class I>
  EIGENSTREAM_ALWAYS_INLINE T* destination(StateRef state, I i, Index n, const T* source, Frames<T> y) const noexcept {
    T* place = y.data;
    stages_.next_keeper(i, [&](Index j, const auto& layer) EIGENSTREAM_INLINE_LAMBDA {
      place = layer.input_room(stage_state(state, j), n);
      if (place != nullptr) return;
      T* scratch = reinterpret_cast<T*>(state.scratch);
      T* other = reinterpret_cast<T*>(state.scratch + head(state)->scratch);
      place = source == scratch ? other : scratch;
    });
    return place;
  }

  // A long chunk, a tile at a time. Out of line, and by value, so that in the other path everything stays in registers.
  EIGENSTREAM_OUTLINED Index many_tiles(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index tile = head(state)->tile;
    Index written = 0;
    for (Index at = 0; at < x.count; at += tile)
      written += run_from(state, Stages::begin(), x.slice(at, std::min(tile, x.count - at)), false, y.from(written));
    return written;
  }

  // Sends x through layer i: x becomes what came out. `ours` says that x lies in memory that may be overwritten.
  template <class I, class L>
  EIGENSTREAM_ALWAYS_INLINE void pass(StateRef state, I i, const L& layer, Frames<const T>& x, bool& ours,
                                      Frames<T> y) const noexcept {
    if (x.count == 0) return;
    const Index most = layer.max_outputs(x.count);
    T* place = ours && layer.in_place() ? const_cast<T*>(x.data) : destination(state, next(i), most, x.data, y);
    Frames<T> out(place, out_shape(state, i), place == y.data ? y.count : most);
    out.count = layer.steps(stage_state(state, i), x, out);
    x = out;
    ours = true;
  }
  template <class I, class L>
  EIGENSTREAM_OUTLINED void pass_outlined(StateRef state, I i, const L& layer, Frames<const T>& x, bool& ours,
                                          Frames<T> y) const noexcept {
    pass(state, i, layer, x, ours, y);
  }

  // A tile through all layers, everything inlined: the path that single frames and short chunks take.
  EIGENSTREAM_ALWAYS_INLINE Index run(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    bool ours = false;
    stages_.for_each([&](auto i, const auto& layer)
                         EIGENSTREAM_INLINE_LAMBDA { pass(state, i, layer, x, ours, y); });
    return deliver(x, y);
  }
  // Frames through the layers from `begin` on, a call for each.
  template <class I>
  Index run_from(StateRef state, I begin, Frames<const T> x, bool ours, Frames<T> y) const noexcept {
    stages_.for_each_from(begin, [&](auto i, const auto& layer)
                                     EIGENSTREAM_INLINE_LAMBDA { pass_outlined(state, i, layer, x, ours, y); });
    return deliver(x, y);
  }
  static EIGENSTREAM_ALWAYS_INLINE Index deliver(Frames<const T> x, Frames<T> y) noexcept {
    if (x.count > 0 && x.data != y.data)
      std::memcpy(y.data, x.data, static_cast<std::size_t>(x.scalars()) * sizeof(T));
    return x.count;
  }

  Stages stages_;
  Timing timing_;
  std::vector<double> rates_;  // frames that each stage takes for each one of the input
  FrameShape wanted_ = FrameShape::any();
  Space space_ = Space::none;
  bool keeps_channels_ = true;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_CHAIN_HPP
