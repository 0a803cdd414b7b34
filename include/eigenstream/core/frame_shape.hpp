#ifndef EIGENSTREAM_CORE_FRAME_SHAPE_HPP
#define EIGENSTREAM_CORE_FRAME_SHAPE_HPP

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The shape of one frame: everything that arrives at one time step. The channel is the fastest index in memory.
struct FrameShape {
  Index channels = 1;
  Index batch = 1;

  /// Scalars in a frame.
  constexpr Index size() const noexcept { return channels * batch; }
  friend constexpr bool operator==(const FrameShape&, const FrameShape&) = default;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_FRAME_SHAPE_HPP
