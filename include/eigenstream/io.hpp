#ifndef EIGENSTREAM_IO_HPP
#define EIGENSTREAM_IO_HPP

// All of io/.
#include "eigenstream/io/file.hpp"
#include "eigenstream/io/state_file.hpp"

#endif  // EIGENSTREAM_IO_HPP
