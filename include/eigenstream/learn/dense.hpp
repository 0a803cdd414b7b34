#ifndef EIGENSTREAM_LEARN_DENSE_HPP
#define EIGENSTREAM_LEARN_DENSE_HPP

#include <cmath>  // sqrt

#include "eigenstream/learn/parameter.hpp"
#include "eigenstream/learn/product.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace learn {

/// A matrix applied to each row: y = x W^T + b. The cache is x itself, which the caller keeps.
/// Shapes   x (N,In) -> y (N,Out); weight (Out,In), bias (Out)
/// Errors   constructor: Error if a size is below 1
/// Source   torch.nn.Linear, with its initial values: uniform within 1/sqrt(In), the bias, too
template <class T>
class Dense {
 public:
  Dense() = default;
  Dense(Index in, Index out, Random& random) {
    check(in >= 1 && out >= 1, "Dense: ", in, " inputs and ", out, " outputs, neither may be below 1");
    weight = Parameter<T>({out, in}), bias = Parameter<T>({out});
    const double most = 1 / std::sqrt(static_cast<double>(in));
    weight.fill_uniform(random, most);
    bias.fill_uniform(random, most);
  }

  /// Of rows `first` to `first + count` of the weight only, all when not told.
  Matrix<T> forward(const In<T>& x, Index first = 0, Index count = -1) const {
    if (count < 0) count = weight.value.rows();
    Matrix<T> y = bias.value.row(0).segment(first, count).replicate(x.rows(), 1);
    add_product_transposed<T>(x, weight.value.middleRows(first, count), y);
    return y;
  }
  /// dx = dy W; dW += dy^T x; db += the sum of dy's rows.
  Matrix<T> backward(const Matrix<T>& dy, const In<T>& x, Index first = 0) {
    const Index count = dy.cols();
    add_transposed_product<T>(dy, x, weight.gradient.middleRows(first, count));
    bias.gradient.row(0).segment(first, count) += dy.colwise().sum();
    Matrix<T> dx = Matrix<T>::Zero(x.rows(), x.cols());
    add_product<T>(dy, weight.value.middleRows(first, count), dx);
    return dx;
  }
  void parameters(const std::string& prefix, Parameters<T>& out) {
    out.push_back({prefix + "weight", &weight});
    out.push_back({prefix + "bias", &bias});
  }

  Parameter<T> weight, bias;
};

/// max(x, 0), in place: what comes out is also what backward needs.
template <class T>
void relu(Matrix<T>& x) {
  x = x.cwiseMax(T(0));
}
/// dx = dy where the output is above 0, in place.
template <class T>
void relu_backward(Matrix<T>& dy, const Matrix<T>& y) {
  dy = (y.array() > T(0)).select(dy, T(0));
}

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_DENSE_HPP
