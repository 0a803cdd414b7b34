#ifndef EIGENSTREAM_COMPOSE_HPP
#define EIGENSTREAM_COMPOSE_HPP

// All of compose/.
#include "eigenstream/compose/block_adapter.hpp"
#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/compose/stream.hpp"
#include "eigenstream/compose/wired.hpp"

#endif  // EIGENSTREAM_COMPOSE_HPP
