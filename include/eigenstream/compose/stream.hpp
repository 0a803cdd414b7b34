#ifndef EIGENSTREAM_COMPOSE_STREAM_HPP
#define EIGENSTREAM_COMPOSE_STREAM_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/stream/planar.hpp"
#include "eigenstream/stream/tensor_calls.hpp"

#endif  // EIGENSTREAM_COMPOSE_STREAM_HPP
