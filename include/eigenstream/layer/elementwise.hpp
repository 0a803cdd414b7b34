#ifndef EIGENSTREAM_LAYER_ELEMENTWISE_HPP
#define EIGENSTREAM_LAYER_ELEMENTWISE_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/layer/channel_pointwise.hpp"
#include "eigenstream/layer/glu.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/softmax.hpp"

#endif  // EIGENSTREAM_LAYER_ELEMENTWISE_HPP
