#ifndef EIGENSTREAM_LEARN_LAYER_NORM_HPP
#define EIGENSTREAM_LEARN_LAYER_NORM_HPP

#include "eigenstream/learn/parameter.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace learn {

/// Each row brought to mean 0 and variance 1: y = weight (x - mean) / sqrt(var + 1e-5) + bias, var without Bessel's
/// correction.
/// Shapes   x (N,D) -> y (N,D); weight (D), bias (D), or neither
/// Errors   constructor: Error if D is below 1
/// Source   torch.nn.LayerNorm: weight 1 and bias 0 to begin with, elementwise_affine
template <class T>
class LayerNorm {
 public:
  struct Cache {
    Matrix<T> normalised;                       ///< before weight and bias
    Eigen::Matrix<T, Eigen::Dynamic, 1> scale;  ///< 1 / sqrt(var + 1e-5) of each row
  };

  LayerNorm() = default;
  explicit LayerNorm(Index features, bool affine = true) : affine_(affine) {
    check(features >= 1, "LayerNorm: ", features, " features");
    if (!affine) return;
    weight = Parameter<T>({features}), bias = Parameter<T>({features});
    weight.value.setOnes();
  }

  Matrix<T> forward(const Matrix<T>& x, Cache& cache) const {
    const T size = static_cast<T>(x.cols());
    cache.normalised = x.colwise() - (x.rowwise().sum() / size).eval();
    cache.scale = (cache.normalised.rowwise().squaredNorm().array() / size + T(1e-5)).sqrt().inverse();
    cache.normalised.array().colwise() *= cache.scale.array();
    if (!affine_) return cache.normalised;
    Matrix<T> y = cache.normalised.array().rowwise() * weight.value.row(0).array();
    y.rowwise() += bias.value.row(0);
    return y;
  }
  /// With u = weight dy and h the normalised row: dx = scale (u - mean(u) - h mean(u h)).
  Matrix<T> backward(const Matrix<T>& dy, const Cache& cache) {
    const Matrix<T>& h = cache.normalised;
    Matrix<T> dx = dy;
    if (affine_) {
      weight.gradient += dy.cwiseProduct(h).colwise().sum();
      bias.gradient += dy.colwise().sum();
      dx.array().rowwise() *= weight.value.row(0).array();
    }
    for (Index row = 0; row < dx.rows(); ++row) {
      const T mean = dx.row(row).mean(), slope = dx.row(row).dot(h.row(row)) / static_cast<T>(h.cols());
      dx.row(row) = cache.scale[row] * ((dx.row(row).array() - mean).matrix() - slope * h.row(row));
    }
    return dx;
  }
  void parameters(const std::string& prefix, Parameters<T>& out) {
    if (!affine_) return;
    out.push_back({prefix + "weight", &weight});
    out.push_back({prefix + "bias", &bias});
  }

  Parameter<T> weight, bias;

 private:
  bool affine_ = true;
};

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_LAYER_NORM_HPP
