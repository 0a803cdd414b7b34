#ifndef EIGENSTREAM_LEARN_PRODUCT_HPP
#define EIGENSTREAM_LEARN_PRODUCT_HPP

#include "eigenstream/learn/parameter.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace learn {

/// A matrix or a part of one, whose rows lie in one piece.
template <class T>
using In = Eigen::Ref<const Matrix<T>, 0, Eigen::OuterStride<>>;
template <class T>
using Out = Eigen::Ref<Matrix<T>, 0, Eigen::OuterStride<>>;

// The only three kinds of products that there are, so that a program has Eigen's multiplication three times. As none is
// inline, a program may also say `extern template` and compile them elsewhere.

/// y += a b
template <class T>
void add_product(const In<T>& a, const In<T>& b, Out<T> y) {
  y.noalias() += a * b;
}
/// y += a b^T
template <class T>
void add_product_transposed(const In<T>& a, const In<T>& b, Out<T> y) {
  y.noalias() += a * b.transpose();
}
/// y += a^T b
template <class T>
void add_transposed_product(const In<T>& a, const In<T>& b, Out<T> y) {
  y.noalias() += a.transpose() * b;
}

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_PRODUCT_HPP
