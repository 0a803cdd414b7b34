#ifndef EIGENSTREAM_CORE_HPP
#define EIGENSTREAM_CORE_HPP

// All of core/.
#include "eigenstream/core/check.hpp"
#include "eigenstream/core/frames.hpp"
#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/module_spec.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/state.hpp"
#include "eigenstream/core/timing.hpp"
#include "eigenstream/core/weights.hpp"

#endif  // EIGENSTREAM_CORE_HPP
