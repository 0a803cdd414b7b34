#ifndef EIGENSTREAM_STREAM_HPP
#define EIGENSTREAM_STREAM_HPP

// All of stream/.
#include "eigenstream/stream/block_adapter.hpp"
#include "eigenstream/stream/chunks.hpp"
#include "eigenstream/stream/planar.hpp"
#include "eigenstream/stream/stream.hpp"
#include "eigenstream/stream/tensor_calls.hpp"

#endif  // EIGENSTREAM_STREAM_HPP
