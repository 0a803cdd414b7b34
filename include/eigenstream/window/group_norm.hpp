#ifndef EIGENSTREAM_WINDOW_GROUP_NORM_HPP
#define EIGENSTREAM_WINDOW_GROUP_NORM_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/layer/group_norm.hpp"

#endif  // EIGENSTREAM_WINDOW_GROUP_NORM_HPP
