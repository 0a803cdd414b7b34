#include "eigenstream/layer/positional_encoding.hpp"

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;

TEMPLATE_TEST_CASE("RecyclingPositionalEncoding: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  support::Random random(1);
  const auto table = support::random_weights<T>({5, 3}, random);
  const es::RecyclingPositionalEncoding<T> layer(table);
  support::check_contract(layer, 2);
  const auto x = support::random_tensor<T>(random, Index{3}, Index{2}, Index{13});
  const auto y = support::offline(layer, x);
  for (Index t = 0; t < 13; ++t)
    for (Index c = 0; c < 3; ++c) CHECK(y(c, 1, t) == x(c, 1, t) + table(t % 5, c));
}

TEST_CASE("RecyclingPositionalEncoding: what does not add up is an error that names it", "[layer][error]") {
  CHECK_THAT(support::error_of([] { es::RecyclingPositionalEncoding<float>(es::Weights<float>({3}, {1, 2, 3})); }),
             Contains("weight has shape (3), expected (num_embeds,embed_dim)"));
  const es::RecyclingPositionalEncoding<float> layer(es::Weights<float>({1, 2}, {1, 2}));
  CHECK_THAT(support::error_of([&] { layer.facts({3}); }), Contains("takes 2 channels, not 3"));
}
