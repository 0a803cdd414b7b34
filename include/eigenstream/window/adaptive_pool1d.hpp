#ifndef EIGENSTREAM_WINDOW_ADAPTIVE_POOL1D_HPP
#define EIGENSTREAM_WINDOW_ADAPTIVE_POOL1D_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/layer/adaptive_pool.hpp"

#endif  // EIGENSTREAM_WINDOW_ADAPTIVE_POOL1D_HPP
