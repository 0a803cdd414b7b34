#ifndef EIGENSTREAM_LEARN_PARAMETER_HPP
#define EIGENSTREAM_LEARN_PARAMETER_HPP

#include <Eigen/Core>  // matrices
#include <cmath>       // log, sqrt, cos
#include <cstdint>     // seeds
#include <numbers>     // pi
#include <random>      // mt19937_64
#include <string>      // names
#include <utility>     // move
#include <vector>      // shapes, lists

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/weights.hpp"  // WeightMap

EIGENSTREAM_BEGIN_NAMESPACE

/// Networks that learn: each module has forward(x, cache), which keeps in the cache what its backward(dy, cache) needs,
/// and backward, which adds to the gradients of the module's parameters and gives that of x. The caches are the
/// caller's, so several calls may wait for their backward at once; it may come more than once, as long as the
/// parameters are what they were. Vectors are rows. Unlike layers, modules allocate.
namespace learn {

/// Row-major, so that a row is a vector in one piece, and a matrix read row by row is PyTorch's order.
template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using RowVector = Eigen::Matrix<T, 1, Eigen::Dynamic, Eigen::RowMajor>;

/// Numbers that are the same on every machine for the same seed, which those of the standard distributions are not.
/// Shapes   none
/// Errors   none
/// Source   std::mt19937_64; Box and Muller, A Note on the Generation of Random Normal Deviates, 1958
class Random {
 public:
  explicit Random(std::uint64_t seed = 0) : engine_(seed) {}
  /// In [-most, most).
  double uniform(double most) { return (static_cast<double>(engine_() >> 11) * 0x1p-52 - 1) * most; }
  /// Of mean 0 and variance 1.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(static_cast<double>((engine_() >> 11) + 1) * 0x1p-53));
    return radius * std::cos(std::numbers::pi * uniform(1));
  }

 private:
  std::mt19937_64 engine_;
};

/// What is learned: a tensor and the gradient that backward adds to. The matrix holds the first index in its rows and
/// all others in its columns; a vector is one row.
template <class T>
struct Parameter {
  std::vector<Index> shape;
  Matrix<T> value, gradient;

  Parameter() = default;
  explicit Parameter(std::vector<Index> extents) : shape(std::move(extents)) {
    Index rows = 1, columns = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) (i == 0 && shape.size() > 1 ? rows : columns) *= shape[i];
    value = gradient = Matrix<T>::Zero(rows, columns);
  }

  void fill_uniform(Random& random, double most) {
    for (Index i = 0; i < value.size(); ++i) value.data()[i] = static_cast<T>(random.uniform(most));
  }
  void fill_normal(Random& random) {
    for (Index i = 0; i < value.size(); ++i) value.data()[i] = static_cast<T>(random.normal());
  }
};

/// The parameters of a module, or of several, under their names and in a fixed order.
template <class T>
struct Named {
  std::string name;
  Parameter<T>* parameter;
};
template <class T>
using Parameters = std::vector<Named<T>>;

template <class T>
void zero_gradients(const Parameters<T>& parameters) {
  for (const auto& each : parameters) each.parameter->gradient.setZero();
}

/// Their values as ordinary layers take them.
/// Errors   Error if two have the same name
template <class T>
WeightMap to_weights(const Parameters<T>& parameters) {
  WeightMap weights;
  for (const auto& [name, parameter] : parameters) {
    const auto values = parameter->value.template cast<float>().eval();
    const bool is_new =
        weights.emplace(name, Weights<float>(parameter->shape, {values.data(), values.data() + values.size()})).second;
    check(is_new, "parameters: two have the name ", name);
  }
  return weights;
}

/// Takes over the values of those names.
/// Errors   Error, naming the tensor, if one is missing, has another shape, or is left over; then nothing is changed
template <class T>
void from_weights(const Parameters<T>& parameters, const WeightMap& weights) {
  for (const auto& [name, parameter] : parameters) {
    const auto found = weights.find(name);
    check(found != weights.end(), "parameters: there is no tensor ", name);
    Weights<float> wanted;
    wanted.shape = parameter->shape;
    check(found->second.shape == wanted.shape, "parameters: tensor ", name, " has shape ", found->second.shape_text(),
          ", expected ", wanted.shape_text());
  }
  if (weights.size() != parameters.size()) {
    WeightMap rest = weights;
    for (const auto& each : parameters) rest.erase(each.name);
    check(rest.empty(), "parameters: tensor ", rest.empty() ? "" : rest.begin()->first, " belongs to none of them");
  }
  for (const auto& [name, parameter] : parameters) {
    const std::vector<float>& values = weights.find(name)->second.values;
    Matrix<T>& to = parameter->value;
    to = Eigen::Map<const Matrix<float>>(values.data(), to.rows(), to.cols()).template cast<T>();
  }
}

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_PARAMETER_HPP
