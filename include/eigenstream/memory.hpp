#ifndef EIGENSTREAM_MEMORY_HPP
#define EIGENSTREAM_MEMORY_HPP

// All of memory/.
#include "eigenstream/memory/border.hpp"
#include "eigenstream/memory/copy.hpp"
#include "eigenstream/memory/history.hpp"
#include "eigenstream/memory/room.hpp"
#include "eigenstream/memory/sliding_window.hpp"

#endif  // EIGENSTREAM_MEMORY_HPP
