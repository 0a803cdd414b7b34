#ifndef EIGENSTREAM_COMPOSE_EACH_FRAME_HPP
#define EIGENSTREAM_COMPOSE_EACH_FRAME_HPP

#include <utility>  // forward

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A layer over the space axes of frames, in a stream whose frames have such axes from the start: GroupNorm over the bins
/// of each spectrum, say. Without it a stream refuses the layer, since torch's layer of that name goes over time as well.
/// Shapes   as of the layer
/// Timing   as of the layer
/// Errors   those of the layer
/// Source   torch: the layer, applied to each frame
template <Layer L>
class EachFrame : public L {
 public:
  static constexpr Space space_of_type = Space::none;
  explicit EachFrame(L layer) : L(std::move(layer)) {}

  static constexpr Space space() noexcept { return Space::none; }
  std::uint64_t fingerprint() const { return Fingerprint("EachFrame").add(std::uint64_t{L::fingerprint()}); }
};

/// A layer over the space axes of each frame of a stream: each_frame(layer).
template <class L>
EachFrame<std::remove_cvref_t<L>> each_frame(L&& layer) {
  return EachFrame<std::remove_cvref_t<L>>(std::forward<L>(layer));
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_EACH_FRAME_HPP
