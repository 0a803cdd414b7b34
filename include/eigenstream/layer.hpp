#ifndef EIGENSTREAM_LAYER_HPP
#define EIGENSTREAM_LAYER_HPP

// All of layer/.
#include "eigenstream/layer/adaptive_pool.hpp"
#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/arg_max.hpp"
#include "eigenstream/layer/channel_pointwise.hpp"
#include "eigenstream/layer/channel_select.hpp"
#include "eigenstream/layer/channel_slice.hpp"
#include "eigenstream/layer/constant.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/conv_transpose.hpp"
#include "eigenstream/layer/cumulative.hpp"
#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/embedding.hpp"
#include "eigenstream/layer/glu.hpp"
#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/input.hpp"
#include "eigenstream/layer/join.hpp"
#include "eigenstream/layer/lambda.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/norm.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/layer/rearrange.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "eigenstream/layer/reflection_pad.hpp"
#include "eigenstream/layer/softmax.hpp"
#include "eigenstream/layer/space_conv.hpp"

#endif  // EIGENSTREAM_LAYER_HPP
