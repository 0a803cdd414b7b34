#include "eigenstream/learn/product.hpp"

#include "learn/gradients.hpp"

EIGENSTREAM_BEGIN_NAMESPACE
namespace learn {
template void add_product<double>(const In<double>&, const In<double>&, Out<double>);
template void add_product_transposed<double>(const In<double>&, const In<double>&, Out<double>);
template void add_transposed_product<double>(const In<double>&, const In<double>&, Out<double>);
}  // namespace learn
EIGENSTREAM_END_NAMESPACE

namespace learn = eigenstream::learn;
using eigenstream::Index;
using support::MatrixD;

TEST_CASE("products: of whole matrices and of parts, small and large", "[learn]") {
  const auto [rows, depth, columns] = GENERATE(
      table<Index, Index, Index>({{1, 1, 1}, {1, 7, 5}, {5, 7, 1}, {3, 1, 4}, {0, 3, 2}, {11, 16, 3}, {33, 40, 35}}));
  const MatrixD a = support::random_matrix(rows, depth + 3), b = support::random_matrix(depth, columns + 2, 2);
  const MatrixD before = support::random_matrix(rows, columns + 4, 3);
  MatrixD wanted = before, plain = before, right = before, left = before;
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < columns; ++j)
      for (Index k = 0; k < depth; ++k) wanted(i, 1 + j) += a(i, 2 + k) * b(k, 1 + j);
  const auto part = a.middleCols(2, depth);
  const auto other = b.middleCols(1, columns);
  const MatrixD part_turned = part.transpose(), other_turned = other.transpose();
  learn::add_product<double>(part, other, plain.middleCols(1, columns));
  learn::add_product_transposed<double>(part, other_turned, right.middleCols(1, columns));
  learn::add_transposed_product<double>(part_turned, other, left.middleCols(1, columns));
  for (const MatrixD& result : {plain, right, left})
    CHECK((rows == 0 || (result - wanted).cwiseAbs().maxCoeff() < 1e-13));
}
