#ifndef EIGENSTREAM_HPP
#define EIGENSTREAM_HPP

// The whole library but for what needs more than Eigen: model files are in <eigenstream/model.hpp>.

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/compose/stream.hpp"
#include "eigenstream/graph/any_layer.hpp"
#include "eigenstream/layer/conv1d.hpp"
#include "eigenstream/layer/conv_transpose1d.hpp"
#include "eigenstream/layer/elementwise.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/norm.hpp"
#include "eigenstream/layer/pool1d.hpp"
#include "eigenstream/version.hpp"

#endif  // EIGENSTREAM_HPP
