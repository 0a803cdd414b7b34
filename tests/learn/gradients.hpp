#ifndef EIGENSTREAM_TESTS_LEARN_GRADIENTS_HPP
#define EIGENSTREAM_TESTS_LEARN_GRADIENTS_HPP

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "eigenstream/learn/parameter.hpp"
#include "eigenstream/learn/product.hpp"
#include "support/catch.hpp"

// Compiled once for all tests of a folder: in learn/product_test.cpp, streamer/model_test.cpp.
EIGENSTREAM_BEGIN_NAMESPACE
namespace learn {
extern template void add_product<double>(const In<double>&, const In<double>&, Out<double>);
extern template void add_product_transposed<double>(const In<double>&, const In<double>&, Out<double>);
extern template void add_transposed_product<double>(const In<double>&, const In<double>&, Out<double>);
}  // namespace learn
EIGENSTREAM_END_NAMESPACE

namespace support {

namespace es = eigenstream;
using es::Index;
using MatrixD = es::learn::Matrix<double>;

inline MatrixD random_matrix(Index rows, Index columns, std::uint64_t seed = 1) {
  es::learn::Random random(seed);
  MatrixD matrix(rows, columns);
  for (Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = random.uniform(1);
  return matrix;
}

/// A parameter to hold an input in, so that its gradient is checked like the others.
inline es::learn::Parameter<double> as_parameter(const MatrixD& value) {
  es::learn::Parameter<double> parameter({value.rows(), value.cols()});
  parameter.value = value;
  return parameter;
}

/// Compares the gradients that are there with how `loss` changes when each value is moved a little, both ways. No more
/// than `most` values of each parameter are moved.
inline void check_gradients(const es::learn::Parameters<double>& parameters, const std::function<double()>& loss,
                            Index most = 60) {
  constexpr double step = 1e-5;
  double largest = 0;
  for (const auto& [name, parameter] : parameters) {
    INFO(name);
    REQUIRE(parameter->value.size() > 0);
    const Index stride = std::max<Index>(1, parameter->value.size() / most);
    double worst = 0;
    for (Index i = 0; i < parameter->value.size(); i += stride) {
      double& value = parameter->value.data()[i];
      const double before = value;
      value = before + step;
      const double above = loss();
      value = before - step;
      const double below = loss();
      value = before;
      worst = std::max(worst, std::abs((above - below) / (2 * step) - parameter->gradient.data()[i]));
      largest = std::max(largest, std::abs(parameter->gradient.data()[i]));
    }
    CHECK(worst < 1e-8 * std::max(1.0, largest));
  }
  CHECK(largest > 1e-3);  // there was something to compare
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_LEARN_GRADIENTS_HPP
