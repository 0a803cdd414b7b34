#ifndef EIGENSTREAM_LEARN_LOSS_HPP
#define EIGENSTREAM_LEARN_LOSS_HPP

#include <algorithm>  // max
#include <cmath>      // sqrt

#include "eigenstream/learn/parameter.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace learn {

/// The cosine between y and x: sum(y x) / (max(|y|, 1e-8) max(|x|, 1e-8)), of vectors that lie along the columns, and
/// the mean of all. A row vector of features is such a matrix when it is transposed; an image has one vector for each
/// pixel.
/// Shapes   y, x (D,N) -> a number; dy (D,N), no gradient to x
/// Errors   Error if the shapes differ
/// Source   torch.nn.functional.cosine_similarity
template <class Y, class X>
typename Y::Scalar cosine_similarity(const Y& y, const X& x, Matrix<typename Y::Scalar>* dy = nullptr) {
  using T = typename Y::Scalar;
  check(y.rows() == x.rows() && y.cols() == x.cols() && y.cols() > 0, "cosine_similarity: (", y.rows(), ",", y.cols(),
        ") against (", x.rows(), ",", x.cols(), ")");
  T sum = 0;
  if (dy != nullptr) dy->resize(y.rows(), y.cols());
  const T count = static_cast<T>(y.cols()), least = T(1e-8);
  for (Index n = 0; n < y.cols(); ++n) {
    const T y_norm = y.col(n).norm(), y_bound = std::max(y_norm, least), x_bound = std::max(x.col(n).norm(), least);
    const T cosine = y.col(n).dot(x.col(n)) / (y_bound * x_bound);
    sum += cosine;
    if (dy == nullptr) continue;
    dy->col(n) = x.col(n) / (x_bound * y_bound * count);
    if (y_norm > least)
      dy->col(n) -= y.col(n) * (cosine / (y_bound * y_bound * count));  // else the bound does not change
  }
  return sum / count;
}

/// The mean of (y - x)^2.
/// Shapes   y, x (N,M) -> a number; dy (N,M), no gradient to x
/// Errors   Error if the shapes differ
/// Source   torch.nn.functional.mse_loss
template <class Y, class X>
typename Y::Scalar mean_squared_error(const Y& y, const X& x, Matrix<typename Y::Scalar>* dy = nullptr) {
  using T = typename Y::Scalar;
  check(y.rows() == x.rows() && y.cols() == x.cols() && y.size() > 0, "mean_squared_error: (", y.rows(), ",", y.cols(),
        ") against (", x.rows(), ",", x.cols(), ")");
  if (dy != nullptr) *dy = (y - x) * (T(2) / static_cast<T>(y.size()));
  return (y - x).squaredNorm() / static_cast<T>(y.size());
}

/// Makes a vector one of length 1, in place: z / max(|z|, 1e-12). Returns what it was divided by.
template <class Z>
typename Z::Scalar normalise(Z& z) {
  using T = typename Z::Scalar;
  const T norm = std::max(z.norm(), T(1e-12));
  z /= norm;
  return norm;
}
/// From the gradient of the result to that of z, in place.
template <class Z, class D>
void normalise_backward(D& dz, const Z& normalised, typename Z::Scalar norm) {
  using T = typename Z::Scalar;
  if (norm > T(1e-12)) dz -= normalised * normalised.dot(dz);  // else it was divided by a constant
  dz /= norm;
}

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_LOSS_HPP
