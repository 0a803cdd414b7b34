#ifndef EIGENSTREAM_WINDOW_REARRANGE_HPP
#define EIGENSTREAM_WINDOW_REARRANGE_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/layer/rearrange.hpp"

#endif  // EIGENSTREAM_WINDOW_REARRANGE_HPP
