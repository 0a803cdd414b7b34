#include "eigenstream/learn/dense.hpp"

#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
using eigenstream::Index;
using support::MatrixD;

TEST_CASE("learn::Dense: the formula, of all rows of the weight or of some", "[learn]") {
  learn::Random random(3);
  const learn::Dense<double> dense(5, 7, random);
  const MatrixD x = support::random_matrix(3, 5), y = dense.forward(x);
  for (Index n = 0; n < 3; ++n) {
    for (Index o = 0; o < 7; ++o) {
      double sum = dense.bias.value(0, o);
      for (Index i = 0; i < 5; ++i) sum += dense.weight.value(o, i) * x(n, i);
      CHECK(y(n, o) == Approx(sum).epsilon(1e-12));
    }
  }
  CHECK((dense.forward(x, 2, 3) - y.middleCols(2, 3)).cwiseAbs().maxCoeff() < 1e-14);
  CHECK(dense.weight.value.cwiseAbs().maxCoeff() <= 1 / std::sqrt(5.));
  CHECK(dense.bias.value.cwiseAbs().maxCoeff() > 0);
}

TEST_CASE("learn::Dense: gradients", "[learn][gradient]") {
  learn::Random random(3);
  learn::Dense<double> dense(5, 7, random);
  auto x = support::as_parameter(support::random_matrix(3, 5));
  const bool some = GENERATE(false, true);
  const Index first = some ? 2 : 0, count = some ? 4 : 7;
  const MatrixD weights = support::random_matrix(3, count, 2);
  x.gradient = dense.backward(weights, x.value, first);
  learn::Parameters<double> all{{"x", &x}};
  dense.parameters("", all);
  support::check_gradients(all, [&] { return dense.forward(x.value, first, count).cwiseProduct(weights).sum(); });
  const MatrixD once = dense.weight.gradient;
  dense.backward(weights, x.value, first);
  CHECK((dense.weight.gradient - 2 * once).cwiseAbs().maxCoeff() < 1e-13);  // gradients add up
}

TEST_CASE("learn::relu: nothing passes at 0", "[learn]") {
  MatrixD x(1, 4), dy(1, 4);
  x << -1, 0, 2, -0.5;
  dy << 1, 2, 3, 4;
  learn::relu(x);
  learn::relu_backward(dy, x);
  CHECK(x == (MatrixD(1, 4) << 0, 0, 2, 0).finished());
  CHECK(dy == (MatrixD(1, 4) << 0, 0, 3, 0).finished());
}

TEST_CASE("learn::Dense: impossible sizes", "[learn][error]") {
  learn::Random random;
  CHECK(support::error_of([&] { learn::Dense<double>(0, 2, random); }) ==
        "Dense: 0 inputs and 2 outputs, neither may be below 1");
}
