#ifndef EIGENSTREAM_MEMORY_HPP
#define EIGENSTREAM_MEMORY_HPP

// All of memory/.
#include "eigenstream/memory/history.hpp"

#endif  // EIGENSTREAM_MEMORY_HPP
