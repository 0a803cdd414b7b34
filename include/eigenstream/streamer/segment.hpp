#ifndef EIGENSTREAM_STREAMER_SEGMENT_HPP
#define EIGENSTREAM_STREAMER_SEGMENT_HPP

#include <string>  // action

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// An event, from start to end in seconds.
struct Segment {
  double start = 0, end = 0;
  std::string action = "N/A";
  bool operator==(const Segment&) const = default;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_SEGMENT_HPP
