#ifndef EIGENSTREAM_CORE_LAYER_HPP
#define EIGENSTREAM_CORE_LAYER_HPP

#include <algorithm>  // max
#include <concepts>   // same_as
#include <cstddef>    // byte
#include <cstdint>    // uint64_t
#include <new>        // placement
#include <span>       // memory of the caller's
#include <type_traits>  // integral_constant

#include "eigenstream/core/facts.hpp"
#include "eigenstream/core/fingerprint.hpp"
#include "eigenstream/core/frames.hpp"
#include "eigenstream/core/network_control.hpp"
#include "eigenstream/core/network_output.hpp"
#include "eigenstream/core/state_block.hpp"
#include "eigenstream/core/state_codec.hpp"
#include "eigenstream/core/stateless_layer.hpp"
#include "eigenstream/core/timing_builder.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {
/// What every layer says and does, however many signals it takes.
template <class L>
concept LayerOfAnyInputs =
    std::copy_constructible<L> && requires(const L& layer, StateRef state, Frames<typename L::Scalar> y, StateCodec& codec, Index n) {
      typename L::Scalar;
      { layer.wanted() } -> std::same_as<FrameShape>;
      { layer.timing() } -> std::same_as<Timing>;
      { layer.max_outputs(n) } -> std::same_as<Index>;
      { layer.fingerprint() } -> std::same_as<std::uint64_t>;
      { layer.reset(state) } noexcept;
      { layer.flush(state, y) } noexcept -> std::same_as<Index>;
      layer.exchange(state, codec);
      { layer.in_place() } noexcept -> std::same_as<bool>;
    };
}  // namespace detail

/// The one concept: what every layer, container and network is. A layer holds parameters only and never changes after
/// construction; what a stream remembers lives in a block that the caller owns (StateRef).
///
///   Scalar                   element type
///   wanted()                 shape of the frames that it takes; 0 in an axis: any
///   facts(shape)             what follows from the shape of its input frames: Facts. Error if it cannot take them
///   timing()                 when outputs come and what they depend on
///   max_outputs(n)           most frames that one `steps` with n frames can give
///   fingerprint()            digest of what it computes
///   reset(state)             initial state, also of a block that holds anything
///   steps(state, x, y)       takes x.count frames, writes those that they determine to y, returns how many
///   flush(state, y)          writes what only the end of the signal releases, then resets; returns how many
///   exchange(state, codec)   counts, writes or reads what is remembered, or notes where it lies; counts of frames with
///                            codec.count, which refuses forged ones, several frames in a row with codec.frames
///   input_room(state, n)     where a producer may write the next n frames, so that `steps` need not copy them; null if
///                            it does not keep its input. Valid until the next call with this state; n at most
///                            max_room
///   in_place()               true if `steps` may be called with y.data == x.data (one output per input, same size)
///   without_padding()        optional: the same layer without any padding in time; without it, it has none
///   keeps_channels()         optional: true if the output has as many channels as the input; without it, in_place says
///   space()                  optional: whether it works over space axes that frames of a plain signal do not have, or
///                            makes them; see Space
///
/// Preconditions of steps and flush, asserted only: x has the shape of the state, y has room for max_outputs(x.count)
/// or the exact number, x and y do not overlap unless in_place. Both are noexcept, and neither allocates, locks, or
/// calls the system.
template <class L>
concept Layer = detail::LayerOfAnyInputs<L> &&
                requires(const L& layer, StateRef state, Frames<const typename L::Scalar> x, Frames<typename L::Scalar> y,
                         FrameShape shape, Index n) {
                  { layer.facts(shape) } -> std::same_as<Facts>;
                  { layer.steps(state, x, y) } noexcept -> std::same_as<Index>;
                  { layer.input_room(state, n) } noexcept -> std::same_as<typename L::Scalar*>;
                };

/// A layer that takes several signals, frame by frame: what joins branches, attends, or is conditioned. As Layer, but for
///
///   inputs()                 how many signals it takes; a Layer without it takes one
///   facts(shapes)            what follows from the shapes of its inputs' frames
///   steps(state, x, y)       takes equally many frames of each; the graph that it is in aligns them
///
/// The shape of the state is that of the first input's frames.
template <class L>
concept JoinLayer = detail::LayerOfAnyInputs<L> &&
                    requires(const L& layer, StateRef state, std::span<const Frames<const typename L::Scalar>> x,
                             Frames<typename L::Scalar> y, std::span<const FrameShape> shapes) {
                      { layer.inputs() } -> std::same_as<Index>;
                      { layer.facts(shapes) } -> std::same_as<Facts>;
                      { layer.steps(state, x, y) } noexcept -> std::same_as<Index>;
                    };
/// How many signals a layer takes.
template <class L>
Index inputs_of(const L& layer) noexcept {
  if constexpr (requires { layer.inputs(); })
    return layer.inputs();
  else
    return 1;
}

/// Error unless a layer takes one signal and gives one, and has no knobs: for containers that have only that to give and pass on.
template <class L>
void check_one_signal(const char* who, const L& layer) {
  check_one_output(who, layer);
  check_no_controls(who, layer);
  check(inputs_of(layer) == 1, who, ": a layer of ", inputs_of(layer), " inputs; only a graph has several signals to give");
}

/// What a layer has to do with the space axes of frames. One that needs them, as GroupNorm does, works over all frames of
/// a window at once; over a plain signal it would need the whole of it, so that a stream refuses it. What makes them, as
/// Snapshotter does, may come before it. One that uses them, as Conv2d does, goes over time as well, but whether it can take
/// frames shows only when it is known how wide they are.
enum class Space { none, used, needed, made };
/// What a layer's type says; `space()` of one that holds others of any type may say more.
template <class L>
inline constexpr Space space_of_type = [] {
  if constexpr (requires { std::integral_constant<Space, L::space_of_type>(); })
    return L::space_of_type;
  else
    return Space::none;
}();
template <class L>
Space space_of(const L& layer) noexcept {
  if constexpr (requires { layer.space(); })
    return layer.space();
  else
    return space_of_type<L>;
}
/// Of layers one after another, from what was before: the first that has to do with space decides.
constexpr Space space_behind(Space before, Space next) noexcept {
  return before == Space::none || (before == Space::used && next == Space::needed) ? next : before;
}
/// Of layers side by side.
constexpr Space space_beside(Space one, Space other) noexcept {
  for (const Space either : {Space::needed, Space::used})
    if (one == either || other == either) return either;
  return one == other ? one : Space::none;
}
/// Frames by which a network can be tried before it is known which ones come: as wide as it asks for, or without space. None
/// if that says nothing of those that will come; `channels` is then 0.
constexpr FrameShape frames_to_try(const FrameShape& wanted, Space space) noexcept {
  const bool known = wanted.width != 0 || wanted.height != 0;
  if (space == Space::needed || (space == Space::used && !known)) return {0, 1, 1, 1};
  return {wanted.channels, std::max<Index>(1, wanted.width), std::max<Index>(1, wanted.height), 1};
}

namespace detail {
/// True; what needs whole windows does not compile.
template <class L>
inline constexpr bool runs_over_streams = [] {
  static_assert(space_of_type<L> != Space::needed,
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

/// The memory of a new stream of a layer or network, in its initial state.
template <Layer L>
StateBlock make_state(const L& layer, FrameShape shape) {
  const Facts facts = layer.facts(shape);
  StateBlock block(facts.state_bytes, shape, facts.scratch_bytes);
  layer.reset(block.ref());
  return block;
}

/// The same in memory of the caller's, for programs without a heap: state, scratch, and a cache line for the shape.
/// Errors   Error if the memory is too small or not aligned to memory_alignment
template <Layer L>
StateRef place_state(const L& layer, FrameShape shape, std::span<std::byte> memory) {
  const Facts facts = layer.facts(shape);
  const Index bytes = aligned_bytes(facts.state_bytes), scratch = aligned_bytes(facts.scratch_bytes);
  const Index needed = bytes + scratch + memory_alignment;
  check(needed <= static_cast<Index>(memory.size()), "state: ", memory.size(), " bytes of memory where ", needed,
        " are needed");
  check(reinterpret_cast<std::uintptr_t>(memory.data()) % static_cast<std::uintptr_t>(memory_alignment) == 0,
        "state: the memory is not aligned to ", memory_alignment, " bytes");
  const FrameLayout& kept = *new (memory.data() + bytes + scratch) FrameLayout(shape);
  const StateRef state{memory.data(), kept, memory.data() + bytes};
  layer.reset(state);
  return state;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_LAYER_HPP
