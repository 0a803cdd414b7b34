#include "eigenstream/learn/layer_norm.hpp"

#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
using support::MatrixD;

TEST_CASE("learn::LayerNorm: mean 0, variance 1", "[learn]") {
  const learn::LayerNorm<double> norm(4, false);
  learn::LayerNorm<double>::Cache cache;
  MatrixD x(2, 4);
  x << 1, 2, 3, 4, 5, 5, 5, 5;
  const MatrixD y = norm.forward(x, cache);
  const double scale = 1 / std::sqrt(1.25 + 1e-5);
  for (int i = 0; i < 4; ++i) {
    CHECK(y(0, i) == Approx((i - 1.5) * scale).epsilon(1e-13));
    CHECK(y(1, i) == 0);
  }
}

TEST_CASE("learn::LayerNorm: gradients", "[learn][gradient]") {
  const bool affine = GENERATE(true, false);
  learn::LayerNorm<double> norm(6, affine);
  learn::LayerNorm<double>::Cache cache, other;
  auto x = support::as_parameter(support::random_matrix(3, 6));
  const MatrixD weights = support::random_matrix(3, 6, 2);
  if (affine) norm.weight.value += support::random_matrix(1, 6, 3), norm.bias.value += support::random_matrix(1, 6, 4);
  norm.forward(x.value, cache);
  x.gradient = norm.backward(weights, cache);
  learn::Parameters<double> all{{"x", &x}};
  norm.parameters("", all);
  CHECK(all.size() == (affine ? 3u : 1u));
  support::check_gradients(all, [&] { return norm.forward(x.value, other).cwiseProduct(weights).sum(); });
}

TEST_CASE("learn::LayerNorm: impossible sizes", "[learn][error]") {
  CHECK(support::error_of([] { learn::LayerNorm<double>(0); }) == "LayerNorm: 0 features");
}
