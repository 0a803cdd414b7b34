#include "eigenstream/analysis/dependency_matrix.hpp"

#include <tuple>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::DependencyMatrix;
using es::Index;

TEST_CASE("DependencyMatrix: what is set is found, nothing else", "[analysis]") {
  const auto [inputs, outputs] = GENERATE(table<Index, Index>({{1, 1}, {5, 3}, {64, 2}, {65, 130}}));
  DependencyMatrix matrix(inputs, outputs, 4);
  CHECK(matrix.inputs() == inputs);
  CHECK(matrix.outputs() == outputs);
  CHECK(matrix.in_stride() == 4);
  const auto wanted = [](Index i, Index o) { return (i * 7 + o * 3) % 5 == 0; };
  for (Index i = 0; i < inputs; ++i)
    for (Index o = 0; o < outputs; ++o) matrix.set(i, o);
  for (Index i = 0; i < inputs; ++i)
    for (Index o = 0; o < outputs; ++o) matrix.set(i, o, wanted(i, o));
  bool same = true;
  for (Index i = 0; i < inputs; ++i)
    for (Index o = 0; o < outputs; ++o) same = same && matrix(i, o) == wanted(i, o);
  CHECK(same);
  const DependencyMatrix before = matrix;
  CHECK(matrix == before);
  matrix.set(inputs - 1, outputs - 1, !matrix(inputs - 1, outputs - 1));
  CHECK(!(matrix == before));
}

TEST_CASE("DependencyMatrix: impossible sizes are errors", "[analysis]") {
  using Catch::Matchers::Contains;
  CHECK_THAT(support::error_of([] { return DependencyMatrix(-1, 2); }), Contains("-1 x 2"));
  CHECK_THAT(support::error_of([] { return DependencyMatrix(2, -1); }), Contains("2 x -1"));
  CHECK_THAT(support::error_of([] { return DependencyMatrix(2, 2, 0); }), Contains("in_stride = 0"));
}
