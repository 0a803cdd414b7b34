#ifndef EIGENSTREAM_COMPOSE_HPP
#define EIGENSTREAM_COMPOSE_HPP

// All of compose/.
#include "eigenstream/compose/along.hpp"
#include "eigenstream/compose/bidirectional.hpp"
#include "eigenstream/compose/chain.hpp"
#include "eigenstream/compose/conditional.hpp"
#include "eigenstream/compose/control.hpp"
#include "eigenstream/compose/each_frame.hpp"
#include "eigenstream/compose/operations.hpp"
#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/plan_step.hpp"
#include "eigenstream/compose/prewarmed.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/compose/stages.hpp"
#include "eigenstream/compose/wired.hpp"
#include "eigenstream/compose/wired_plan.hpp"
#include "eigenstream/compose/wiring.hpp"

#endif  // EIGENSTREAM_COMPOSE_HPP
