#include "eigenstream/layer/embedding.hpp"

#include <limits>

#include "eigenstream/compose/sequential.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Embedding;
using es::Index;

TEMPLATE_TEST_CASE("Embedding: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  support::Random random(1);
  const auto weight = support::random_weights<T>({5, 3}, random, 3);
  for (const Index channels : {1, 2})
    support::check_contract(Embedding<T>(weight), channels, {.channels = channels, .exact = false, .carries = false});
}

TEST_CASE("Embedding: the rows by their numbers, the nearest for what is no number of one", "[layer]") {
  const Embedding<float> table(es::Weights<float>({3, 2}, {0, 1, 10, 11, 20, 21}));
  CHECK(table.facts({4}).out.channels == 8);
  CHECK(table.facts({4}).parameters == 6);
  support::Signal<float> x(2, 1, 4);
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  x.setValues({{{0, 2, -7, inf}}, {{1, 1, 1e30f, nan}}});
  const auto y = support::offline(table, x);
  const float expected[4][4] = {{0, 1, 10, 11}, {20, 21, 10, 11}, {0, 1, 20, 21}, {20, 21, 0, 1}};
  for (Index t = 0; t < 4; ++t)
    for (Index c = 0; c < 4; ++c) CHECK(y(c, 0, t) == expected[t][c]);
}

TEST_CASE("Embedding: impossible shapes are errors", "[layer][error]") {
  CHECK(support::refuses([] { Embedding<float>(support::counting({6})); }, {"Embedding", "(6)"}));
  CHECK(support::refuses([] { Embedding<float>({}); }, {"Embedding", "weight"}));
}
