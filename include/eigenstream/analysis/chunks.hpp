#ifndef EIGENSTREAM_ANALYSIS_CHUNKS_HPP
#define EIGENSTREAM_ANALYSIS_CHUNKS_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/stream/chunks.hpp"

#endif  // EIGENSTREAM_ANALYSIS_CHUNKS_HPP
