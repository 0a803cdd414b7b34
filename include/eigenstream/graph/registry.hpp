#ifndef EIGENSTREAM_GRAPH_REGISTRY_HPP
#define EIGENSTREAM_GRAPH_REGISTRY_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/network/builtin_registry.hpp"

#endif  // EIGENSTREAM_GRAPH_REGISTRY_HPP
