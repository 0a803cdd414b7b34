#ifndef EIGENSTREAM_GRAPH_ANY_LAYER_HPP
#define EIGENSTREAM_GRAPH_ANY_LAYER_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/network/any_layer.hpp"

#endif  // EIGENSTREAM_GRAPH_ANY_LAYER_HPP
