#ifndef EIGENSTREAM_CORE_MODULE_SPEC_HPP
#define EIGENSTREAM_CORE_MODULE_SPEC_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/core/description.hpp"

#endif  // EIGENSTREAM_CORE_MODULE_SPEC_HPP
