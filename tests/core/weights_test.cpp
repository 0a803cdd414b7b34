#include "eigenstream/core/weights.hpp"

#include <Eigen/Core>
#include <unsupported/Eigen/CXX11/Tensor>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using es::Weights;
using Shape = std::vector<Index>;

TEST_CASE("Weights: index by index from tensors and matrices of any storage order", "[core]") {
  Eigen::Tensor<float, 3> columns(2, 3, 4);
  Eigen::Tensor<float, 3, Eigen::RowMajor> rows(2, 3, 4);
  for (Index o = 0; o < 2; ++o)
    for (Index i = 0; i < 3; ++i)
      for (Index k = 0; k < 4; ++k) columns(o, i, k) = rows(o, i, k) = static_cast<float>(100 * o + 10 * i + k);
  for (const Weights<float>& w : {Weights<float>(columns), Weights<float>(rows)}) {
    CHECK(w.shape == Shape{2, 3, 4});
    CHECK(w.size() == 24);
    CHECK_FALSE(w.empty());
    for (Index o = 0; o < 2; ++o)
      for (Index i = 0; i < 3; ++i)
        for (Index k = 0; k < 4; ++k) CHECK(w(o, i, k) == static_cast<float>(100 * o + 10 * i + k));
    CHECK(w.values[5] == 11);  // the last index is the fastest
  }
  const Eigen::TensorMap<const Eigen::Tensor<float, 3>> map(columns.data(), 2, 3, 4);
  CHECK(Weights<float>(map).values == Weights<float>(columns).values);

  Eigen::Matrix<float, 2, 3> matrix;
  matrix << 1, 2, 3, 4, 5, 6;
  const Weights<float> from_matrix(matrix);
  CHECK(from_matrix.shape == Shape{2, 3});
  CHECK(from_matrix.values == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(from_matrix(1, 0) == 4);
  CHECK(Weights<float>(matrix.transpose()).values == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(Weights<float>(2 * matrix).values[5] == 12);  // an expression

  const Eigen::VectorXf vector = Eigen::VectorXf::LinSpaced(3, 1, 3);
  CHECK(Weights<float>(vector).shape == Shape{3});
  CHECK(Weights<float>(vector)(2) == 3);
  CHECK(Weights<double>(vector)(2) == 3);  // another scalar type
  CHECK(Weights<float>().empty());
}

TEST_CASE("Weights: a shape that does not hold the values is refused", "[core][error]") {
  CHECK(support::refuses([] { Weights<float>({2, 3}, {1, 2, 3}); }, {"(2,3)", "3 values"}));
  CHECK(support::refuses([] { Weights<float>({}, {1, 2}); }, {"()", "2 values"}));
  const Weights<float> w({2, 1}, {1, 2});
  CHECK(w.shape_text() == "(2,1)");
  CHECK_FALSE(support::caught([&] { w.expect("Layer", "weight", {2, 1}); }));
  CHECK(support::refuses([&] { w.expect("Layer", "weight", {2}); }, {"Layer", "weight", "(2,1)", "expected (2)"}));
}
