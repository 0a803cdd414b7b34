#include "eigenstream/learn/loss.hpp"

#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
using support::MatrixD;

TEST_CASE("cosine_similarity: of two vectors, and the mean of many", "[learn]") {
  MatrixD y(2, 1), x(2, 1), dy;
  y << 3, 4;
  x << 1, 2;
  CHECK(learn::cosine_similarity(y, x, &dy) == Approx(0.983869910).epsilon(1e-9));
  CHECK(dy(0) == Approx(-0.028621670).epsilon(1e-7));
  CHECK(dy(1) == Approx(0.021466253).epsilon(1e-7));
  const MatrixD zero = MatrixD::Zero(2, 1);
  CHECK(learn::cosine_similarity(zero, x, &dy) == 0);
  CHECK(dy(0) == Approx(1e8 / std::sqrt(5.)));
  MatrixD images(2, 2), targets(2, 2);
  images << 3, 1, 4, 0;
  targets << 1, 0, 2, 1;
  CHECK(learn::cosine_similarity(images, targets) == Approx(0.983869910 / 2).epsilon(1e-9));
}

TEST_CASE("losses: gradients", "[learn][gradient]") {
  auto y = support::as_parameter(support::random_matrix(3, 4));
  const MatrixD x = support::random_matrix(3, 4, 2);
  const bool cosine = GENERATE(true, false);
  const auto loss = [&](MatrixD* dy) {
    return cosine ? learn::cosine_similarity(y.value, x, dy) : learn::mean_squared_error(y.value, x, dy);
  };
  loss(&y.gradient);
  support::check_gradients({{"y", &y}}, [&] { return loss(nullptr); });
}

TEST_CASE("mean_squared_error: over all numbers", "[learn]") {
  MatrixD y(1, 2), x(1, 2);
  y << 1, 2;
  x << 3, 5;
  CHECK(learn::mean_squared_error(y, x) == 6.5);
}

TEST_CASE("normalise: length 1, and its gradient", "[learn][gradient]") {
  learn::RowVector<double> z(2), dz(2);
  z << 3, 4;
  dz << 1, 0;
  const double norm = learn::normalise(z);
  learn::normalise_backward(dz, z, norm);
  CHECK(norm == 5);
  CHECK(z(0) == Approx(0.6));
  CHECK(dz(0) == Approx(0.128));
  CHECK(dz(1) == Approx(-0.096));

  z << 0, 1e-13;
  dz << 1, 1;
  const double bound = learn::normalise(z);
  learn::normalise_backward(dz, z, bound);
  CHECK(z(1) == Approx(0.1));
  CHECK(dz(1) == Approx(1e12));
}

TEST_CASE("losses: shapes that differ", "[learn][error]") {
  const MatrixD one = MatrixD::Ones(2, 1), other = MatrixD::Ones(1, 2);
  CHECK(support::error_of([&] { learn::cosine_similarity(one, other); }) == "cosine_similarity: (2,1) against (1,2)");
  CHECK(support::error_of([&] { learn::mean_squared_error(one, other); }) == "mean_squared_error: (2,1) against (1,2)");
}
