#ifndef EIGENSTREAM_LEARN_ADAM_HPP
#define EIGENSTREAM_LEARN_ADAM_HPP

#include <cmath>    // pow, sqrt
#include <utility>  // move
#include <vector>   // moments

#include "eigenstream/learn/parameter.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace learn {

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
};

/// A step down the gradient, by its running mean over the root of its running mean square:
///   m = beta1 m + (1 - beta1) g,  s = beta2 s + (1 - beta2) g^2
///   w -= lr / (1 - beta1^i) * m / (sqrt(s) / sqrt(1 - beta2^i) + epsilon)   in the i-th step
/// Shapes   whatever the parameters have
/// Errors   constructor: Error if a number is out of its range
/// Source   torch.optim.Adam; Kingma and Ba, https://arxiv.org/abs/1412.6980
template <class T>
class Adam {
 public:
  struct Moments {
    Matrix<T> mean, square;
  };

  Adam() = default;
  Adam(Parameters<T> parameters, AdamOptions options) : parameters_(std::move(parameters)), options_(options) {
    check(options.lr >= 0, "Adam: lr is ", options.lr);
    check(options.beta1 >= 0 && options.beta1 < 1, "Adam: beta1 is ", options.beta1, ", not from 0 to below 1");
    check(options.beta2 >= 0 && options.beta2 < 1, "Adam: beta2 is ", options.beta2, ", not from 0 to below 1");
    check(options.epsilon > 0, "Adam: epsilon is ", options.epsilon);
    for (const auto& each : parameters_) {
      const Matrix<T>& value = each.parameter->value;
      Moments& own = moments.emplace_back();
      own.mean.setZero(value.rows(), value.cols()), own.square.setZero(value.rows(), value.cols());
    }
  }

  void step() {
    ++steps;
    const T beta1 = static_cast<T>(options_.beta1), beta2 = static_cast<T>(options_.beta2);
    const T rate = static_cast<T>(options_.lr / (1 - std::pow(options_.beta1, static_cast<double>(steps))));
    const T root = static_cast<T>(std::sqrt(1 - std::pow(options_.beta2, static_cast<double>(steps))));
    const T epsilon = static_cast<T>(options_.epsilon);
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      auto mean = moments[i].mean.array(), square = moments[i].square.array();
      const auto gradient = parameters_[i].parameter->gradient.array();
      mean = beta1 * mean + (T(1) - beta1) * gradient;
      square = beta2 * square + (T(1) - beta2) * gradient.square();
      parameters_[i].parameter->value.array() -= rate * mean / (square.sqrt() / root + epsilon);
    }
  }
  const Parameters<T>& parameters() const noexcept { return parameters_; }

  std::int64_t steps = 0;
  std::vector<Moments> moments;  ///< of each parameter

 private:
  Parameters<T> parameters_;
  AdamOptions options_;
};

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_ADAM_HPP
