#ifndef EIGENSTREAM_CORE_STATELESS_LAYER_HPP
#define EIGENSTREAM_CORE_STATELESS_LAYER_HPP

#include <cstring>  // memcpy

#include "eigenstream/core/frames.hpp"
#include "eigenstream/core/state_block.hpp"
#include "eigenstream/core/state_codec.hpp"
#include "eigenstream/core/timing.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What the layers without memory have in common: one output frame for each input frame, nothing to remember.
template <class T>
struct StatelessLayer {
  using Scalar = T;
  Timing timing() const { return {}; }
  Index max_outputs(Index n) const noexcept { return n; }
  void reset(StateRef) const noexcept {}
  Index flush(StateRef, Frames<T>) const noexcept { return 0; }
  void exchange(StateRef, StateCodec&) const {}
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
};

/// And of those that give the numbers of each frame as they are.
template <class T>
struct PassingLayer : StatelessLayer<T> {
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    if (x.data != y.data && x.count > 0)
      std::memcpy(y.data, x.data, static_cast<std::size_t>(x.scalars()) * sizeof(T));
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_STATELESS_LAYER_HPP
