#ifndef EIGENSTREAM_LAYER_POOL1D_HPP
#define EIGENSTREAM_LAYER_POOL1D_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/layer/pool.hpp"

#endif  // EIGENSTREAM_LAYER_POOL1D_HPP
