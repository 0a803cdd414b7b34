#ifndef EIGENSTREAM_LEARN_IMAGE_HPP
#define EIGENSTREAM_LEARN_IMAGE_HPP

#include <algorithm>  // max, min
#include <cmath>      // sqrt

#include "eigenstream/learn/parameter.hpp"
#include "eigenstream/learn/product.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace learn {

/// One image is a matrix (C, H W): a row for each channel, which holds the image row by row.
struct ImageSize {
  Index height = 0, width = 0;
  Index pixels() const noexcept { return height * width; }
};

/// Convolution of 3 x 3 with a pixel of zeros around the image.
///   y[o,i,j] = bias[o] + sum_c sum_a sum_b weight[o,c,a,b] x[c, i + a - 1, j + b - 1]
/// The cache is x itself, which the caller keeps.
/// Shapes   x (In,HW) -> y (Out,HW); weight (Out,In,3,3), bias (Out)
/// Errors   constructor: Error if a size is below 1
/// Source   torch.nn.Conv2d(In, Out, 3, padding=1), with its initial values: uniform within 1/sqrt(9 In), the bias, too
template <class T>
class Conv3x3 {
 public:
  Conv3x3() = default;
  Conv3x3(Index in, Index out, Random& random) {
    check(in >= 1 && out >= 1, "Conv3x3: ", in, " and ", out, " channels, neither may be below 1");
    weight = Parameter<T>({out, in, 3, 3}), bias = Parameter<T>({out});
    const double most = 1 / std::sqrt(9 * static_cast<double>(in));
    weight.fill_uniform(random, most);
    bias.fill_uniform(random, most);
  }

  Matrix<T> forward(const Matrix<T>& x, ImageSize size) const {
    Matrix<T> y = bias.value.row(0).transpose().replicate(1, x.cols());
    add_product<T>(weight.value, unfolded(x, size), y);
    return y;
  }
  Matrix<T> backward(const Matrix<T>& dy, const Matrix<T>& x, ImageSize size, bool wants_dx = true) {
    add_product_transposed<T>(dy, unfolded(x, size), weight.gradient);
    bias.gradient.row(0) += dy.rowwise().sum().transpose();
    Matrix<T> dx;
    if (!wants_dx) return dx;
    Matrix<T> dunfolded = Matrix<T>::Zero(9 * x.rows(), x.cols());
    add_transposed_product<T>(weight.value, dy, dunfolded);
    dx = Matrix<T>::Zero(x.rows(), x.cols());
    for_each_run(x.rows(), size, [&](Index row, Index channel, Index to, Index from, Index count) {
      dx.row(channel).segment(from, count) += dunfolded.row(row).segment(to, count);
    });
    return dx;
  }
  void parameters(const std::string& prefix, Parameters<T>& out) {
    out.push_back({prefix + "weight", &weight});
    out.push_back({prefix + "bias", &bias});
  }

  Parameter<T> weight, bias;

 private:
  // What each weight meets at each pixel: (9 In, HW).
  static Matrix<T> unfolded(const Matrix<T>& x, ImageSize size) {
    Matrix<T> columns = Matrix<T>::Zero(9 * x.rows(), x.cols());
    for_each_run(x.rows(), size, [&](Index row, Index channel, Index to, Index from, Index count) {
      columns.row(row).segment(to, count) = x.row(channel).segment(from, count);
    });
    return columns;
  }
  // take(row of the unfolded matrix, channel, first pixel of a line of outputs, first pixel of its inputs, how many)
  template <class Take>
  static void for_each_run(Index channels, ImageSize size, Take&& take) {
    for (Index row = 0; row < 9 * channels; ++row) {
      const Index down = row % 9 / 3 - 1, right = row % 3 - 1;
      const Index left = std::max<Index>(0, -right), count = size.width - (right != 0 ? 1 : 0);
      for (Index i = std::max<Index>(0, -down); i < std::min(size.height, size.height - down); ++i)
        take(row, row / 9, i * size.width + left, (i + down) * size.width + left + right, count);
    }
  }
};

/// The largest of each 2 x 2 pixels; a last odd row or column is left out. The gradient goes to the first of the
/// largest.
/// Shapes   x (C,HW) -> y (C, floor(H/2) floor(W/2)); where: for each of y, which pixel of x it is
/// Errors   none
/// Source   torch.nn.MaxPool2d(2)
template <class T>
Matrix<T> max_pool(const Matrix<T>& x, ImageSize size, Matrix<Index>& where) {
  const Index height = size.height / 2, width = size.width / 2;
  Matrix<T> y(x.rows(), height * width);
  where.resize(x.rows(), height * width);
  for (Index c = 0; c < x.rows(); ++c) {
    for (Index i = 0; i < height; ++i) {
      for (Index j = 0; j < width; ++j) {
        const Index corner = 2 * i * size.width + 2 * j;
        Index best = corner;
        for (const Index other : {corner + 1, corner + size.width, corner + size.width + 1})
          if (x(c, other) > x(c, best)) best = other;
        y(c, i * width + j) = x(c, best);
        where(c, i * width + j) = best;
      }
    }
  }
  return y;
}
template <class T>
Matrix<T> max_pool_backward(const Matrix<T>& dy, ImageSize size, const Matrix<Index>& where) {
  Matrix<T> dx = Matrix<T>::Zero(dy.rows(), size.pixels());
  for (Index c = 0; c < dy.rows(); ++c)
    for (Index at = 0; at < dy.cols(); ++at) dx(c, where(c, at)) += dy(c, at);
  return dx;
}

/// Each pixel becomes 2 x 2.
/// Shapes   x (C,HW) -> y (C, 2H 2W)
/// Errors   none
/// Source   torch.nn.Upsample(scale_factor=2, mode="nearest")
template <class T>
Matrix<T> upsample(const Matrix<T>& x, ImageSize size) {
  Matrix<T> y(x.rows(), 4 * x.cols());
  for (Index c = 0; c < x.rows(); ++c)
    for (Index i = 0; i < 2 * size.height; ++i)
      for (Index j = 0; j < 2 * size.width; ++j) y(c, i * 2 * size.width + j) = x(c, i / 2 * size.width + j / 2);
  return y;
}
/// `size` is that of x.
template <class T>
Matrix<T> upsample_backward(const Matrix<T>& dy, ImageSize size) {
  Matrix<T> dx = Matrix<T>::Zero(dy.rows(), size.pixels());
  for (Index c = 0; c < dy.rows(); ++c)
    for (Index i = 0; i < 2 * size.height; ++i)
      for (Index j = 0; j < 2 * size.width; ++j) dx(c, i / 2 * size.width + j / 2) += dy(c, i * 2 * size.width + j);
  return dx;
}

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_IMAGE_HPP
