#ifndef EIGENSTREAM_CORE_NETWORK_CONTROL_HPP
#define EIGENSTREAM_CORE_NETWORK_CONTROL_HPP

#include <string>  // names
#include <vector>  // values

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A knob of a network: some numbers without a time, which the owner of a stream sets between calls.
struct NetworkControl {
  std::string name;
  std::vector<double> initial;  ///< what each of its numbers is when a signal begins; exact for float

  Index channels() const noexcept { return static_cast<Index>(initial.size()); }
  friend bool operator==(const NetworkControl&, const NetworkControl&) = default;
};

/// The knobs of a layer; most have none. One that has some is a Layer, and has besides
///   controls()                        what they are
///   set_control(state, k, values, same)   gives knob k these values, (channels) of each batch entry or the same for all, from
///                                     the next frame on. noexcept, no allocation
///   control(state, k)                 what they are now, in the same form
template <class L>
const std::vector<NetworkControl>& controls_of(const L& layer) noexcept {
  static const std::vector<NetworkControl> none;
  if constexpr (requires { layer.controls(); })
    return layer.controls();
  else
    return none;
}

/// Error if a layer has knobs: for containers that cannot hand on what they are set to.
template <class L>
void check_no_controls(const char* who, const L& layer) {
  const std::vector<NetworkControl>& all = controls_of(layer);
  if (!all.empty()) fail(who, ": a layer with a knob, \"", all.front().name, "\"; only a graph hands on what it is set to");
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_NETWORK_CONTROL_HPP
