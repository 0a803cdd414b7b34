#include "eigenstream/layer/linear.hpp"

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using es::Linear;

TEMPLATE_TEST_CASE("Linear: any chunking gives the offline output", "[layer][property]", float, double) {
  const auto [in, out] = GENERATE(table<Index, Index>(
      {{1, 1}, {2, 3}, {4, 4}, {5, 16}, {8, 17}, {16, 16}, {17, 5}, {32, 33}, {64, 65}, {65, 2}, {3, 130}}));
  for (const Index batch : {1, 3})
    support::check_contract(support::random_linear<TestType>(in, out, in != 4), batch, {.light = in > 8});
}

TEMPLATE_TEST_CASE("Linear: a 1-tap convolution", "[layer]", float, double) {
  using T = TestType;
  support::Random random;
  for (const auto& [in, out] : {std::pair<Index, Index>(3, 2), {1, 7}, {16, 40}, {33, 8}}) {
    const auto weight = support::random_weights<T>({out, in}, random, in), bias = support::random_weights<T>({out}, random);
    const es::Weights<T> taps({out, in, 1}, weight.values);
    const auto x = support::random_tensor<T>(random, in, 2, 13);
    CHECK(support::difference(support::offline(Linear<T>(weight, bias), x),
                              support::naive::conv(x, taps, bias, 1, 0, 0, 1, 1)) < support::tolerance<T>);
    CHECK(support::difference(support::offline(Linear<T>(weight), x), support::naive::conv(x, taps, {}, 1, 0, 0, 1, 1)) <
          support::tolerance<T>);
  }
}

TEST_CASE("Linear: counts, fingerprint and errors", "[layer][error]") {
  using support::counting;
  using support::refuses;
  const Linear<float> linear(counting({2, 3}), counting({2}));
  CHECK(linear.wanted().channels == 3);
  CHECK(linear.facts({3}).out.channels == 2);
  CHECK(support::facts_of(linear).parameters == 8);
  CHECK(linear.facts({3}).macs == 6);
  CHECK(linear.timing().receptive_field() == 1);
  CHECK(linear.fingerprint() != Linear<float>(counting({2, 3})).fingerprint());
  CHECK(linear.fingerprint() != Linear<float>(counting({3, 2}), counting({3})).fingerprint());
  CHECK(refuses([] { Linear<float>(counting({2, 3, 1})); }, {"Linear", "(2,3,1)"}));
  CHECK(refuses([] { Linear<float>(counting({0, 3})); }, {"Linear", "(0,3)"}));
  CHECK(refuses([] { Linear<float>(counting({2, 3}), counting({3})); }, {"Linear", "bias", "(3)", "(2)"}));
  CHECK(refuses([&] { linear.facts({2}); }, {"Linear", "3 channels", "not 2"}));
}
