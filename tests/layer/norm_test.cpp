#include "eigenstream/layer/norm.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::BatchNorm1d;
using es::Index;
using es::LayerNorm;

TEMPLATE_TEST_CASE("Norms: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index channels = GENERATE(1, 2, 3, 4, 5, 8, 15, 16, 17, 33, 64, 65);
  for (const Index batch : {1, 3}) {
    support::check_contract(support::random_batch_norm<TestType>(channels, channels != 3), batch,
                            {.light = channels > 4});
    // Few channels hardly change: one is always the mean, two are always one apart from it.
    support::check_contract(support::random_layer_norm<TestType>(channels), batch,
                            {.exact = channels > 2, .light = channels > 4});
  }
}

TEMPLATE_TEST_CASE("BatchNorm1d: the definition", "[layer]", float, double) {
  using T = TestType;
  support::Random random(2);
  for (const Index channels : {1, 3, 17, 40})
    for (const bool affine : {true, false}) {
      const auto mean = support::random_weights<T>({channels}, random);
      auto var = support::random_weights<T>({channels}, random);
      for (T& value : var.values) value = value * value + T(0.01);
      const auto weight = support::random_weights<T>({channels}, random), bias = support::random_weights<T>({channels}, random);
      const double eps = 0.03;
      const auto norm = affine ? BatchNorm1d<T>(mean, var, weight, bias, eps) : BatchNorm1d<T>(mean, var, {}, {}, eps);
      const auto x = support::random_tensor<T>(random, channels, 2, 9);
      support::Signal<double> expected(channels, 2, 9);
      for (Index t = 0; t < 9; ++t)
        for (Index b = 0; b < 2; ++b)
          for (Index c = 0; c < channels; ++c)
            expected(c, b, t) = (double(x(c, b, t)) - double(mean(c))) / std::sqrt(double(var(c)) + eps) *
                                    (affine ? double(weight(c)) : 1) +
                                (affine ? double(bias(c)) : 0);
      CHECK(support::difference(support::offline(norm, x), expected) < support::tolerance<T>);
    }
}

TEMPLATE_TEST_CASE("LayerNorm: the definition, each frame by itself", "[layer]", float, double) {
  using T = TestType;
  support::Random random(3);
  for (const Index channels : {1, 2, 3, 8, 15, 16, 17, 33, 100})
    for (const int parts : {0, 1, 2}) {  // of weight and bias
      const double eps = 1e-3;
      const auto weight = parts > 0 ? support::random_weights<T>({channels}, random) : es::Weights<T>();
      const auto bias = parts > 1 ? support::random_weights<T>({channels}, random) : es::Weights<T>();
      const LayerNorm<T> norm(channels, weight, bias, eps);
      CHECK(support::facts_of(norm).parameters == parts * channels);
      const auto x = support::random_tensor<T>(random, channels, 2, 5);
      support::Signal<double> expected(channels, 2, 5);
      for (Index t = 0; t < 5; ++t)
        for (Index b = 0; b < 2; ++b) {
          double mean = 0, var = 0;
          for (Index c = 0; c < channels; ++c) mean += double(x(c, b, t)) / double(channels);
          for (Index c = 0; c < channels; ++c) var += (double(x(c, b, t)) - mean) * (double(x(c, b, t)) - mean) / double(channels);
          for (Index c = 0; c < channels; ++c)
            expected(c, b, t) = (double(x(c, b, t)) - mean) / std::sqrt(var + eps) * (parts > 0 ? double(weight(c)) : 1) +
                                (parts > 1 ? double(bias(c)) : 0);
        }
      CHECK(support::difference(support::offline(norm, x), expected) < support::tolerance<T>);
    }
}

TEST_CASE("LayerNorm: an offset hardly costs precision, and a constant frame is the bias", "[layer]") {
  support::Signal<float> x(5, 1, 1), y(5, 1, 1);
  for (Index c = 0; c < 5; ++c) x(c, 0, 0) = 1000 + static_cast<float>(c);
  const LayerNorm<float> norm(5);
  y = support::offline(norm, x);
  for (Index c = 0; c < 5; ++c) CHECK(std::abs(y(c, 0, 0) - static_cast<float>(c - 2) / std::sqrt(2.0f)) < 1e-4f);
  x.setConstant(3);
  y = support::offline(LayerNorm<float>(es::Weights<float>({5}, {1, 1, 1, 1, 1}), es::Weights<float>({5}, {1, 2, 3, 4, 5})), x);
  for (Index c = 0; c < 5; ++c) CHECK(y(c, 0, 0) == static_cast<float>(c + 1));
}

TEST_CASE("Norms: counts, fingerprints and errors", "[layer][error]") {
  using support::counting;
  using support::refuses;
  const BatchNorm1d<float> batch(counting({3}), counting({3}), counting({3}), counting({3}));
  CHECK(batch.wanted().channels == 3);
  CHECK(support::facts_of(batch).parameters == 6);
  CHECK(support::facts_of(BatchNorm1d<float>(counting({3}), counting({3}))).parameters == 0);
  CHECK(batch.fingerprint() != BatchNorm1d<float>(counting({3}), counting({3})).fingerprint());
  CHECK(LayerNorm<float>(3).fingerprint() != LayerNorm<float>(3, 1e-3).fingerprint());
  CHECK(LayerNorm<float>(3).fingerprint() != LayerNorm<float>(4).fingerprint());

  CHECK(refuses([] { BatchNorm1d<float>(counting({3, 1}), counting({3})); }, {"BatchNorm1d", "running_mean", "(3,1)"}));
  CHECK(refuses([] { BatchNorm1d<float>(counting({3}), counting({4})); }, {"BatchNorm1d", "running_var", "(4)", "(3)"}));
  CHECK(refuses([] { BatchNorm1d<float>({}, {}); }, {"BatchNorm1d", "running_mean"}));
  CHECK(refuses([] { BatchNorm1d<float>(counting({3}), counting({3}), counting({2}), counting({3})); },
                {"BatchNorm1d", "weight", "(2)", "(3)"}));
  CHECK(refuses([] { BatchNorm1d<float>(counting({3}), counting({3}), counting({3}), counting({2})); },
                {"BatchNorm1d", "bias", "(2)", "(3)"}));
  CHECK(refuses([] { BatchNorm1d<float>(counting({3}), counting({3}), counting({3})); }, {"BatchNorm1d", "bias"}));
  CHECK(refuses([] { BatchNorm1d<float>(counting({2}), es::Weights<float>({2}, {1, -1})); },
                {"BatchNorm1d", "channel 1", "positive"}));
  CHECK(refuses([&] { batch.facts({4}); }, {"BatchNorm1d", "3 channels", "not 4"}));
  CHECK(refuses([] { LayerNorm<float>(0); }, {"LayerNorm", "0 channels"}));
  CHECK(refuses([] { LayerNorm<float>(3, -1.0); }, {"LayerNorm", "eps = -1"}));
  CHECK(refuses([] { LayerNorm<float>(counting({3}), counting({4})); }, {"LayerNorm", "bias", "(4)", "(3)"}));
  CHECK(refuses([] { LayerNorm<float>(counting({3, 1}), {}); }, {"LayerNorm", "weight", "(3,1)"}));
  CHECK(refuses([] { LayerNorm<float>(3).facts({2}); }, {"LayerNorm", "3 channels", "not 2"}));
}
