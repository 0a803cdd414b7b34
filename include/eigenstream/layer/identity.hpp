#ifndef EIGENSTREAM_LAYER_IDENTITY_HPP
#define EIGENSTREAM_LAYER_IDENTITY_HPP

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Gives what it gets: the branch of a network that does nothing.
/// Shapes   x (C,T) or (C,B,T) -> y of the same
/// Timing   none: a frame in, a frame out
/// Errors   none
/// Source   torch.nn.Identity
template <class T>
struct Identity : PassingLayer<T> {
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept { return {.out = in}; }
  std::uint64_t fingerprint() const { return Fingerprint("Identity"); }
};

static_assert(Layer<Identity<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_IDENTITY_HPP
