#ifndef EIGENSTREAM_TESTS_SUPPORT_FACTS_HPP
#define EIGENSTREAM_TESTS_SUPPORT_FACTS_HPP

#include <algorithm>

#include "eigenstream/core/layer.hpp"

namespace support {

/// What a layer says of frames as it wants them, with 1 wherever it takes any extent.
template <class L>
eigenstream::Facts facts_of(const L& layer) {
  eigenstream::FrameShape in = layer.wanted();
  for (eigenstream::Extent* extent : {&in.channels, &in.width, &in.height, &in.batch})
    *extent = std::max<eigenstream::Index>(1, *extent);
  return layer.facts(in);
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_FACTS_HPP
