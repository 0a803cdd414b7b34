#ifndef EIGENSTREAM_CORE_NETWORK_INPUT_HPP
#define EIGENSTREAM_CORE_NETWORK_INPUT_HPP

#include <vector>  // inputs

#include "eigenstream/core/frame_shape.hpp"
#include "eigenstream/core/rate.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A further input of a network, beside its main one: the shape of its frames, and how many there are for each frame of the
/// main input. Frame j is there with the main input's frame floor(j * inputs / outputs): of n frames, ceil(n * rate) are.
struct NetworkInput {
  FrameShape shape = {};  ///< but for the batch, which is the main input's
  Rate rate = {};
  /// Frames that come with the first n of the main input.
  Time frames_for(Time n) const noexcept { return ceil_div(n * rate.outputs, rate.inputs); }
};

/// The further inputs of a layer; most have none.
template <class L>
const std::vector<NetworkInput>& more_inputs_of(const L& layer) noexcept {
  static const std::vector<NetworkInput> none;
  if constexpr (requires { layer.more_inputs(); })
    return layer.more_inputs();
  else
    return none;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_NETWORK_INPUT_HPP
