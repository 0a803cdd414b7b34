#include "eigenstream/learn/embedding.hpp"

#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
using support::MatrixD;

TEST_CASE("learn::Embedding: what is looked up is shortened in the table", "[learn]") {
  learn::Random random;
  learn::Embedding<double> table(3, 2, random);
  table.weight.value << 3, 4, .3, .4, 6, 8;
  const MatrixD found = table.forward(2);
  CHECK(found(0, 0) == Approx(0.6).epsilon(1e-7));
  CHECK(found(0, 1) == Approx(0.8).epsilon(1e-7));
  CHECK(found(1, 0) == 0.3);
  CHECK(table.weight.value.topRows(2) == found);
  CHECK(table.weight.value(2, 1) == 8);  // nobody looked
  CHECK(table.forward(2) == found);      // once is enough

  // Rows 0, 1 and 0 were looked up, and the sum of all is the objective.
  table.backward(MatrixD::Ones(2, 2));
  table.backward(MatrixD::Ones(1, 2));
  CHECK(table.weight.gradient == (MatrixD(3, 2) << 2, 2, 1, 1, 0, 0).finished());
}

TEST_CASE("learn::Embedding: impossible sizes", "[learn][error]") {
  learn::Random random;
  learn::Embedding<double> table(3, 2, random);
  CHECK(support::error_of([&] { table.forward(4); }) == "Embedding: 4 rows of a table that has 3");
  CHECK(support::error_of([&] { table.backward(MatrixD::Ones(4, 2)); }) == "Embedding: 4 rows of a table that has 3");
  CHECK(support::error_of([&] { learn::Embedding<double>(0, 2, random); }) ==
        "Embedding: 0 rows of 2 features, neither may be below 1");
}
