#include "eigenstream/learn/image.hpp"

#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
using eigenstream::Index;
using support::MatrixD;

TEST_CASE("Conv3x3: the formula, with zeros around the image", "[learn]") {
  const auto [height, width] = GENERATE(table<Index, Index>({{4, 5}, {1, 1}, {1, 3}, {2, 1}}));
  learn::Random random(2);
  const learn::Conv3x3<double> conv(2, 3, random);
  const MatrixD x = support::random_matrix(2, height * width), y = conv.forward(x, {height, width});
  double worst = 0;
  for (Index o = 0; o < 3; ++o) {
    for (Index i = 0; i < height; ++i) {
      for (Index j = 0; j < width; ++j) {
        double sum = conv.bias.value(0, o);
        for (Index c = 0; c < 2; ++c)
          for (Index a = 0; a < 3; ++a)
            for (Index b = 0; b < 3; ++b)
              if (i + a >= 1 && i + a <= height && j + b >= 1 && j + b <= width)
                sum += conv.weight.value(o, (c * 3 + a) * 3 + b) * x(c, (i + a - 1) * width + j + b - 1);
        worst = std::max(worst, std::abs(sum - y(o, i * width + j)));
      }
    }
  }
  CHECK(worst < 1e-14);
}

TEST_CASE("Conv3x3: gradients", "[learn][gradient]") {
  learn::Random random(2);
  learn::Conv3x3<double> conv(2, 3, random);
  auto x = support::as_parameter(support::random_matrix(2, 12));
  const MatrixD weights = support::random_matrix(3, 12, 2);
  x.gradient = conv.backward(weights, x.value, {3, 4});
  learn::Parameters<double> all{{"x", &x}};
  conv.parameters("", all);
  support::check_gradients(all, [&] { return conv.forward(x.value, {3, 4}).cwiseProduct(weights).sum(); });
  const MatrixD once = conv.weight.gradient;
  CHECK(conv.backward(weights, x.value, {3, 4}, false).size() == 0);
  CHECK((conv.weight.gradient - 2 * once).cwiseAbs().maxCoeff() < 1e-13);
}

TEST_CASE("max_pool: the first of the largest, and what is odd is left out", "[learn]") {
  MatrixD x(1, 15), dy(1, 2);
  x << 1, 1, 5, 2, 99,  //
      1, 1, 3, 5, 99,   //
      99, 99, 99, 99, 99;
  learn::Matrix<Index> where;
  const MatrixD y = learn::max_pool(x, {3, 5}, where);
  CHECK(y == (MatrixD(1, 2) << 1, 5).finished());
  dy << 7, 8;
  const MatrixD dx = learn::max_pool_backward(dy, {3, 5}, where);
  CHECK(dx(0, 0) == 7);
  CHECK(dx(0, 2) == 8);
  CHECK(dx.sum() == 15);
}

TEST_CASE("upsample: each pixel four times, and the sum of four back", "[learn]") {
  MatrixD x(1, 4), wanted(4, 4);
  x << 1, 2, 3, 4;
  wanted << 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4;
  const MatrixD y = learn::upsample(x, {2, 2});
  CHECK(y == MatrixD(Eigen::Map<MatrixD>(wanted.data(), 1, 16)));
  CHECK(learn::upsample_backward(y, {2, 2}) == MatrixD(4 * x));
}

TEST_CASE("Conv3x3: impossible sizes", "[learn][error]") {
  learn::Random random;
  CHECK(support::error_of([&] { learn::Conv3x3<double>(3, 0, random); }) ==
        "Conv3x3: 3 and 0 channels, neither may be below 1");
}
