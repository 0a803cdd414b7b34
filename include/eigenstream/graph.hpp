#ifndef EIGENSTREAM_GRAPH_HPP
#define EIGENSTREAM_GRAPH_HPP

// All of graph/.
#include "eigenstream/graph/any_graph.hpp"
#include "eigenstream/graph/any_layer.hpp"
#include "eigenstream/graph/create_stream.hpp"
#include "eigenstream/graph/registry.hpp"

#endif  // EIGENSTREAM_GRAPH_HPP
