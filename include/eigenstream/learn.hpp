#ifndef EIGENSTREAM_LEARN_HPP
#define EIGENSTREAM_LEARN_HPP

// All of learn/.
#include "eigenstream/learn/adam.hpp"
#include "eigenstream/learn/dense.hpp"
#include "eigenstream/learn/embedding.hpp"
#include "eigenstream/learn/image.hpp"
#include "eigenstream/learn/layer_norm.hpp"
#include "eigenstream/learn/loss.hpp"
#include "eigenstream/learn/parameter.hpp"
#include "eigenstream/learn/product.hpp"
#include "eigenstream/learn/transformer.hpp"

#endif  // EIGENSTREAM_LEARN_HPP
