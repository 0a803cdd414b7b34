#ifndef EIGENSTREAM_CORE_LAYER_HPP
#define EIGENSTREAM_CORE_LAYER_HPP

#include <algorithm>  // max
#include <concepts>   // same_as
#include <cstddef>    // byte
#include <cstdint>    // uint64_t
#include <span>       // memory of the caller's

#include "eigenstream/core/fingerprint.hpp"
#include "eigenstream/core/frames.hpp"
#include "eigenstream/core/state_block.hpp"
#include "eigenstream/core/state_codec.hpp"
#include "eigenstream/core/stateless_layer.hpp"
#include "eigenstream/core/timing.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The one concept: what every layer, container and network is. A layer holds parameters only and never changes after
/// construction; what a stream remembers lives in a block that the caller owns (StateRef).
///
///   Scalar                   element type
///   in_channels()            channels it takes, Dynamic if any number will do
///   out_channels(in)         channels it gives for `in`; Error if it cannot take `in`
///   timing()                 when outputs come and what they depend on
///   max_outputs(n)           most frames that one `steps` with n frames can give
///   max_flush()              most frames that `flush` can give
///   parameters()             trainable numbers (for reports)
///   macs(in)                 multiply-adds per input frame and batch entry (for reports)
///   fingerprint()            digest of what it computes
///   state_bytes(shape)       size of its block for input frames of this shape, a multiple of memory_alignment
///   scratch_bytes(shape)     optional: scratch memory that a call needs, in bytes; without it, none
///   footprint(shape)         optional: state_bytes and scratch_bytes in one, both aligned; for containers
///   reset(state)             initial state, also of a block that holds anything
///   steps(state, x, y)       takes x.count frames, writes those that they determine to y, returns how many
///   flush(state, y)          writes what only the end of the signal releases, then resets; returns how many
///   exchange(state, codec)   counts, writes or reads what is remembered; counts of frames with codec.count, which
///                            refuses forged ones
///   input_room(state, n)     where a producer may write the next n frames, so that `steps` need not copy them; null if
///                            it does not keep its input. Valid until the next call with this state; n at most
///                            max_room
///   in_place                 true if `steps` may be called with y.data == x.data (one output per input, same size)
///   without_padding()                  optional: the same layer without any padding in time; without it, it has none
///   keeps_channels           optional: true if the output has as many channels as the input; without it, in_place says
///
/// Preconditions of steps and flush, asserted only: x has the shape of the state, y has room for max_outputs(x.count)
/// or the exact number, x and y do not overlap unless in_place. Both are noexcept, and neither allocates, locks, or
/// calls the system.
template <class L>
concept Layer = std::copy_constructible<L> &&
                requires(const L& layer, StateRef state, Frames<const typename L::Scalar> x,
                         Frames<typename L::Scalar> y, FrameShape shape, StateCodec& codec, Index n) {
                  typename L::Scalar;
                  { layer.in_channels() } -> std::same_as<Index>;
                  { layer.out_channels(n) } -> std::same_as<Index>;
                  { layer.timing() } -> std::same_as<Timing>;
                  { layer.max_outputs(n) } -> std::same_as<Index>;
                  { layer.max_flush() } -> std::same_as<Index>;
                  { layer.parameters() } -> std::same_as<Index>;
                  { layer.macs(n) } -> std::same_as<double>;
                  { layer.fingerprint() } -> std::same_as<std::uint64_t>;
                  { layer.state_bytes(shape) } -> std::same_as<Index>;
                  { layer.reset(state) } noexcept;
                  { layer.steps(state, x, y) } noexcept -> std::same_as<Index>;
                  { layer.flush(state, y) } noexcept -> std::same_as<Index>;
                  layer.exchange(state, codec);
                  { layer.input_room(state, n) } noexcept -> std::same_as<typename L::Scalar*>;
                  { layer.in_place() } noexcept -> std::same_as<bool>;
                };

namespace detail {
/// True; what takes whole windows only (a WindowLayer) does not compile.
template <class L>
inline constexpr bool runs_over_streams = [] {
  constexpr bool whole_windows = requires { &L::out_window; } && !requires(const L& layer) { layer.timing(); };
  static_assert(!whole_windows,
                "eigenstream: this layer needs the whole signal, so it cannot run over a stream; run it over windows: "
                "Windowed(net, size, stride)");
  return true;
}();
}  // namespace detail

/// Whether a layer that takes any number of channels gives as many.
template <class L>
bool keeps_channels(const L& layer) noexcept {
  if constexpr (requires { layer.keeps_channels(); })
    return layer.keeps_channels();
  else
    return layer.in_place();
}

/// The same network without any padding in time: what whole windows of the signal give. Layers that do not pad are what
/// they were.
template <class L>
auto without_padding(const L& layer) {
  if constexpr (requires { layer.without_padding(); })
    return layer.without_padding();
  else
    return layer;
}

/// Scratch memory that a layer's calls need, in bytes.
template <class L>
Index scratch_bytes(const L& layer, FrameShape shape) {
  if constexpr (requires { layer.scratch_bytes(shape); })
    return aligned_bytes(layer.scratch_bytes(shape));
  else
    return 0;
}

/// What a stream of a layer occupies, in bytes.
struct Footprint {
  Index state = 0, scratch = 0;
};
/// Both at once: a container, which has to lay out all that is in it for each of them, answers in one walk.
template <class L>
Footprint footprint(const L& layer, FrameShape shape) {
  if constexpr (requires { layer.footprint(shape); })
    return layer.footprint(shape);
  else
    return {aligned_bytes(layer.state_bytes(shape)), scratch_bytes(layer, shape)};
}

/// The memory of a new stream of a layer or network, in its initial state.
template <Layer L>
StateBlock make_state(const L& layer, FrameShape shape) {
  const Footprint bytes = footprint(layer, shape);
  StateBlock block(bytes.state, shape, bytes.scratch);
  layer.reset(block.ref());
  return block;
}

/// The same in memory of the caller's, for programs without a heap.
/// Errors   Error if the memory is too small or not aligned to memory_alignment
template <Layer L>
StateRef place_state(const L& layer, FrameShape shape, std::span<std::byte> memory) {
  const auto [bytes, scratch] = footprint(layer, shape);
  check(bytes + scratch <= static_cast<Index>(memory.size()), "state: ", memory.size(), " bytes of memory where ",
        bytes + scratch, " are needed");
  check(reinterpret_cast<std::uintptr_t>(memory.data()) % static_cast<std::uintptr_t>(memory_alignment) == 0,
        "state: the memory is not aligned to ", memory_alignment, " bytes");
  const StateRef state{memory.data(), shape, memory.data() + bytes};
  layer.reset(state);
  return state;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_LAYER_HPP
