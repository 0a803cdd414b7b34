#ifndef EIGENSTREAM_COMPOSE_CHAIN_HPP
#define EIGENSTREAM_COMPOSE_CHAIN_HPP

#include <cstring>  // memcpy

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
/// Layout   table (tile, scratch size, then offset and channels of each stage), the layers' blocks; as scratch, two
///          buffers for what finds no place in a history, then the layers' own, which work in turn and share it
template <class T, class Stages>
class Chain {
 public:
  using Scalar = T;

  explicit Chain(Stages stages) : stages_(std::move(stages)) {
    Timing::Builder timing;
    Index value = 0, channels = Dynamic;
    bool known = false, kept = true;
    stages_.for_each([&](auto, const auto& layer) {
      value = timing.append(layer.timing(), value);
      max_flush_ = layer.max_outputs(max_flush_) + layer.max_flush();
      const Index wanted = layer.in_channels();
      if (!known && wanted != Dynamic) known = true, channels = wanted;
      if (kept && in_channels_ == Dynamic) in_channels_ = wanted;
      kept = kept && eigenstream::keeps_channels(layer);
      if (known) channels = layer.out_channels(channels);
    });
    keeps_channels_ = kept;
    timing_ = timing.finish();
    timing_.check_bounds();
  }

  /// The channels that the first layer which minds asks for; Dynamic if none does, or if a layer before it changes
  /// their number.
  Index in_channels() const noexcept { return in_channels_; }
  Index out_channels(Index in) const {
    stages_.for_each([&](auto, const auto& layer) { in = layer.out_channels(in); });
    return in;
  }
  Timing timing() const { return timing_; }
  EIGENSTREAM_ALWAYS_INLINE Index max_outputs(Index n) const noexcept {
    stages_.for_each([&](auto, const auto& layer) EIGENSTREAM_INLINE_LAMBDA { n = layer.max_outputs(n); });
    return n;
  }
  Index max_flush() const noexcept { return max_flush_; }
  Index parameters() const noexcept {
    Index n = 0;
    stages_.for_each([&](auto, const auto& layer) { n += layer.parameters(); });
    return n;
  }
  double macs(Index in) const {
    double all = 0, rate = 1;
    stages_.for_each([&](auto, const auto& layer) {
      all += rate * layer.macs(in);
      rate *= layer.timing().rate().value();
      in = layer.out_channels(in);
    });
    return all;
  }
  std::uint64_t fingerprint() const {
    Fingerprint all("Sequential");
    stages_.for_each([&](auto, const auto& layer) { all.add(std::uint64_t{layer.fingerprint()}); });
    return all;
  }

  Index state_bytes(FrameShape shape) const { return footprint(shape).state; }
  Index scratch_bytes(FrameShape shape) const { return footprint(shape).scratch; }
  Footprint footprint(FrameShape shape) const { return lay_out(shape, nullptr); }
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
      Frames<T> released(destination(state, next(i), layer.max_flush(), nullptr, rest), out_shape(state, i), 0);
      released.count = layer.max_flush();
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
      codec.set_frames(layer.timing().outputs_after(codec.frames()));
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
    Index offset;    // of the layer's block, in bytes
    Index channels;  // of its input
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
    return {state.data + own->offset, {own->channels, state.shape.batch}, state.scratch + 2 * head(state)->scratch};
  }
  static EIGENSTREAM_ALWAYS_INLINE FrameShape out_shape(StateRef state, Index i) noexcept {
    return {slot(state.data, i + 1)->channels, state.shape.batch};
  }
  template <class I>
  static constexpr auto next(I i) noexcept {
    return Stages::next(i);
  }

  // The frames that may lie in front of each layer, and with them the size of the scratch buffers: what a tile grows
  // to, and what a flush releases further up.
  template <class Visit>
  void for_each_boundary(FrameShape shape, Index tile, Visit&& visit) const noexcept {
    Index frames = tile, flushed = 0, channels = shape.channels;
    stages_.for_each([&](auto, const auto& layer) {
      frames = layer.max_outputs(frames);
      flushed = std::max(layer.max_outputs(flushed), layer.max_flush());
      channels = layer.out_channels(channels);
      visit(frames, std::max(frames, flushed) * channels * shape.batch * static_cast<Index>(sizeof(T)));
    });
  }

  // Sizes; writes the table if there is a block.
  Footprint lay_out(FrameShape shape, std::byte* block) const {
    constexpr Index largest = 65536;  // bytes between two layers
    Index tile = room_for(shape.size(), static_cast<Index>(sizeof(T)));
    for (; tile > 1; tile /= 2) {
      Index most = 0;
      for_each_boundary(shape, tile, [&](Index frames, Index) { most = std::max(most, frames); });
      bool fits = true;
      for_each_boundary(shape, tile, [&](Index, Index bytes) { fits = fits && bytes <= largest; });
      if (fits && most <= 16 * max_room) break;
    }
    Index scratch = 0;
    for_each_boundary(shape, tile, [&](Index, Index bytes) { scratch = std::max(scratch, aligned_bytes(bytes)); });
    scratch += memory_alignment;  // packets may run over the end

    Index offset = table_bytes(), channels = shape.channels, inner_scratch = 0;
    if (block != nullptr) *reinterpret_cast<Head*>(block) = {tile, scratch};
    stages_.for_each([&](Index i, const auto& layer) {
      if (block != nullptr) *slot(block, i) = {offset, channels};
      const Footprint inner = eigenstream::footprint(layer, {channels, shape.batch});
      offset += inner.state;
      inner_scratch = std::max(inner_scratch, inner.scratch);
      channels = layer.out_channels(channels);
    });
    if (block != nullptr) *slot(block, stages_.size()) = {offset, channels};
    return {offset, 2 * scratch + inner_scratch};
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
  Index in_channels_ = Dynamic, max_flush_ = 0;
  bool keeps_channels_ = true;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_CHAIN_HPP
