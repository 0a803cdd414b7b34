#ifndef EIGENSTREAM_GRAPH_CREATE_STREAM_HPP
#define EIGENSTREAM_GRAPH_CREATE_STREAM_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/names/torch_streamer.hpp"

#endif  // EIGENSTREAM_GRAPH_CREATE_STREAM_HPP
