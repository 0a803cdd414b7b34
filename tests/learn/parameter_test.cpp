#include "eigenstream/learn/parameter.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
namespace learn = eigenstream::learn;
using es::Index;

TEST_CASE("Parameter: the first index in rows, all others in columns, row-major", "[learn]") {
  const learn::Parameter<double> tensor({4, 3, 2}), vector({5});
  CHECK(tensor.value.rows() == 4);
  CHECK(tensor.value.cols() == 6);
  CHECK(&tensor.value(1, 0) - &tensor.value(0, 0) == 6);
  CHECK(vector.value.rows() == 1);
  CHECK(vector.value.cols() == 5);
  CHECK(tensor.gradient.isZero(0));
}

TEST_CASE("learn::Random: the distributions, and the same numbers everywhere", "[learn]") {
  learn::Random random(7), same(7), other(8);
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0, largest = 0;
  constexpr int count = 20000;
  for (int i = 0; i < count; ++i) {
    const double uniform = random.uniform(2), normal = random.normal();
    largest = std::max(largest, std::abs(uniform));
    sum += uniform, squares += uniform * uniform, normal_sum += normal, normal_squares += normal * normal;
  }
  CHECK(largest <= 2);
  CHECK(largest > 1.99);
  CHECK(std::abs(sum / count) < 0.05);
  CHECK(squares / count == Approx(4. / 3).epsilon(0.05));
  CHECK(std::abs(normal_sum / count) < 0.03);
  CHECK(normal_squares / count == Approx(1.0).epsilon(0.05));
  const double first = same.uniform(1);
  CHECK(first == learn::Random(7).uniform(1));
  CHECK(first != other.uniform(1));
}

TEST_CASE("Parameters: as weights and back, or not at all", "[learn][error]") {
  learn::Parameter<double> weight({2, 3}), bias({2});
  learn::Random random(1);
  weight.fill_uniform(random, 1), bias.fill_normal(random);
  const learn::Parameters<double> all{{"a.weight", &weight}, {"a.bias", &bias}};
  const es::WeightMap weights = to_weights(all);
  REQUIRE(weights.size() == 2);
  CHECK(weights.at("a.weight").shape == std::vector<Index>{2, 3});
  CHECK(weights.at("a.weight")(1, 2) == static_cast<float>(weight.value(1, 2)));
  CHECK(weights.at("a.bias").shape == std::vector<Index>{2});

  const auto before = weight.value;
  weight.value.setZero(), weight.gradient.setOnes();
  from_weights(all, weights);
  CHECK((weight.value - before).cwiseAbs().maxCoeff() < 1e-7);
  learn::zero_gradients(all);
  CHECK(weight.gradient.isZero(0));

  const auto error = [&](es::WeightMap changed) {
    const auto old = weight.value;
    for (auto& [name, tensor] : changed) std::fill(tensor.values.begin(), tensor.values.end(), 9.f);
    const std::string message = support::error_of([&] { from_weights(all, changed); });
    CHECK(weight.value == old);
    return message;
  };
  es::WeightMap missing = weights, more = weights, bent = weights;
  missing.erase("a.bias");
  more["b"] = es::Weights<float>({1}, {0});
  bent["a.weight"].shape = {3, 2};
  CHECK(error(missing) == "parameters: there is no tensor a.bias");
  CHECK(error(more) == "parameters: tensor b belongs to none of them");
  CHECK(error(bent) == "parameters: tensor a.weight has shape (3,2), expected (2,3)");
  CHECK(support::error_of([&] {
          to_weights(learn::Parameters<double>{{"a", &weight}, {"a", &bias}});
        }) == "parameters: two have the name a");
}
