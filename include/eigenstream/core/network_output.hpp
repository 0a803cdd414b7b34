#ifndef EIGENSTREAM_CORE_NETWORK_OUTPUT_HPP
#define EIGENSTREAM_CORE_NETWORK_OUTPUT_HPP

#include <string>  // names
#include <vector>  // outputs

#include "eigenstream/core/timing.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// One of the outputs of a network that has several: its name, and when its frames come, by the frames of the main input.
struct NetworkOutput {
  std::string name;
  Timing timing;
  Rate rate;            ///< the timing's
  Time rise = 0;        ///< most by which its frames ever catch up with the rate, times rate.inputs
  Index max_flush = 0;  ///< most frames that the end of the signal releases
  /// Most frames that n of the main input can bring.
  Index max_outputs(Index n) const noexcept {
    return n == 0 ? 0 : static_cast<Index>((n * rate.outputs + rise) / rate.inputs);
  }
};

/// All outputs of a network that says what they are, the main one first. Nothing for any other layer: it has one, of which its
/// facts and timing tell.
///
/// Such a network is a Layer, whose `steps` and `flush` give its main output, and has besides
///   all_outputs()                       what they are
///   out_shapes(shape)                   the shape of the frames of each, for that of the input's
///   steps(state, x, y, written)         as steps, into y[k], how many frames to written[k]; x: frames of each input
///   flush(state, y, written)            as flush, behind the written[k] frames that are in y[k], to which it adds
template <class L>
const std::vector<NetworkOutput>& all_outputs_of(const L& layer) noexcept {
  static const std::vector<NetworkOutput> none;
  if constexpr (requires { layer.all_outputs(); })
    return layer.all_outputs();
  else
    return none;
}

/// Error if a layer gives several signals: for containers that would have to drop all but one.
template <class L>
void check_one_output(const char* who, const L& layer) {
  const std::vector<NetworkOutput>& all = all_outputs_of(layer);
  check(all.size() <= 1, who, ": a network of ", all.size(),
        " outputs, of which only one would be used; a stream has them all, in another network build it with the one that is wanted");
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_NETWORK_OUTPUT_HPP
