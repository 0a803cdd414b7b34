#ifndef EIGENSTREAM_NETWORK_HPP
#define EIGENSTREAM_NETWORK_HPP

// All of network/.
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/network/any_layer.hpp"
#include "eigenstream/network/registry.hpp"

#endif  // EIGENSTREAM_NETWORK_HPP
