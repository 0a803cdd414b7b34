#ifndef EIGENSTREAM_NETWORK_HPP
#define EIGENSTREAM_NETWORK_HPP

// All of network/.
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/network/any_layer.hpp"
#include "eigenstream/network/builtin_registry.hpp"
#include "eigenstream/network/module.hpp"
#include "eigenstream/network/module_reader.hpp"
#include "eigenstream/network/module_type.hpp"
#include "eigenstream/network/registry.hpp"
#include "eigenstream/network/simd_choice.hpp"

#endif  // EIGENSTREAM_NETWORK_HPP
