#ifndef EIGENSTREAM_CORE_FACTS_HPP
#define EIGENSTREAM_CORE_FACTS_HPP

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/frame_shape.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What a layer says of itself for input frames of one shape.
struct Facts {
  FrameShape out = {};      ///< shape of its output frames
  Index state_bytes = 0;    ///< size of its block
  Index scratch_bytes = 0;  ///< scratch memory that a call needs
  Index max_flush = 0;      ///< most frames that `flush` can give
  Index parameters = 0;     ///< trainable numbers (for reports)
  double macs = 0;          ///< multiply-adds per input frame (for reports)
};

/// Error unless the frames have as many channels as a layer takes; 0 takes any.
inline void check_channels(const char* name, Index wanted, const FrameShape& in) {
  check(in.channels == wanted || wanted == 0, name, ": takes ", wanted, " channels, not ", in.channels);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_FACTS_HPP
