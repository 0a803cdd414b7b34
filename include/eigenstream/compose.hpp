#ifndef EIGENSTREAM_COMPOSE_HPP
#define EIGENSTREAM_COMPOSE_HPP

// All of compose/.
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/compose/stream.hpp"

#endif  // EIGENSTREAM_COMPOSE_HPP
