#include "eigenstream/learn/adam.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;

TEST_CASE("Adam: the formula, step by step", "[learn]") {
  learn::Parameter<double> weight({3});
  weight.value << 1, -2, 0.5;
  learn::Adam<double> adam({{"weight", &weight}}, {.lr = 0.1});
  double value[3] = {1, -2, 0.5}, mean[3] = {}, square[3] = {};
  for (int step = 1; step <= 5; ++step) {
    for (int i = 0; i < 3; ++i) {
      const double gradient = std::sin(step + i) * (i == 2 ? 1e-9 : 1);
      weight.gradient(0, i) = gradient;
      mean[i] = 0.9 * mean[i] + 0.1 * gradient;
      square[i] = 0.999 * square[i] + 0.001 * gradient * gradient;
      value[i] -= 0.1 / (1 - std::pow(0.9, step)) * mean[i] /
                  (std::sqrt(square[i]) / std::sqrt(1 - std::pow(0.999, step)) + 1e-8);
    }
    adam.step();
    for (int i = 0; i < 3; ++i) CHECK(weight.value(0, i) == Approx(value[i]).epsilon(1e-12));
  }
  CHECK(adam.steps == 5);
  CHECK(adam.moments[0].mean(0, 1) == Approx(mean[1]));
}

TEST_CASE("Adam: the first step is lr long, however small the gradient", "[learn]") {
  learn::Parameter<double> weight({2});
  weight.gradient << 1e-3, -1e3;
  learn::Adam<double> adam({{"weight", &weight}}, {.lr = 0.01});
  adam.step();
  CHECK(weight.value(0, 0) == Approx(-0.01).epsilon(1e-4));
  CHECK(weight.value(0, 1) == Approx(0.01).epsilon(1e-4));
}

TEST_CASE("Adam: numbers out of range", "[learn][error]") {
  CHECK(support::error_of([] { learn::Adam<double>({}, {.lr = -1}); }) == "Adam: lr is -1");
  CHECK(support::error_of([] { learn::Adam<double>({}, {.beta2 = 1}); }) == "Adam: beta2 is 1, not from 0 to below 1");
  CHECK(support::error_of([] { learn::Adam<double>({}, {.epsilon = 0}); }) == "Adam: epsilon is 0");
}
