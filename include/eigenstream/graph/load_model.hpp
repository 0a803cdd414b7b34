#ifndef EIGENSTREAM_GRAPH_LOAD_MODEL_HPP
#define EIGENSTREAM_GRAPH_LOAD_MODEL_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/network/load_model.hpp"

#endif  // EIGENSTREAM_GRAPH_LOAD_MODEL_HPP
