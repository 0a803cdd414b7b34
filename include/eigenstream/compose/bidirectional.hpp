#ifndef EIGENSTREAM_COMPOSE_BIDIRECTIONAL_HPP
#define EIGENSTREAM_COMPOSE_BIDIRECTIONAL_HPP

#include "eigenstream/compose/along.hpp"
#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/rearrange.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A layer along a window forwards and another one backwards, their channels one after the other:
///   es::Windowed(es::bidirectional(es::Gru<float>(w), es::Gru<float>(w_reverse)), size, stride)
/// Shapes   x (C,W,T) -> y (R + R',W,T)
/// Timing   none: a frame in, a frame out
/// Errors   those of Along and Parallel
/// Source   torch: bidirectional=True of recurrent layers
template <Layer Forwards, Layer Backwards>
auto bidirectional(const Forwards& forwards, const Backwards& backwards) {
  using T = typename Forwards::Scalar;
  return parallel(Reduce::concat, along(forwards), sequential(Reverse<T>(), along(backwards), Reverse<T>()));
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_BIDIRECTIONAL_HPP
