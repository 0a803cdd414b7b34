#include "eigenstream/layer/affine.hpp"

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Affine;
using es::Index;

namespace {

template <class T>
Affine<T> random_affine(Index channels) {
  support::Random random(3);
  const auto scale = support::random_weights<T>({channels}, random);
  return Affine<T>(scale, support::random_weights<T>({channels}, random));
}

}  // namespace

TEMPLATE_TEST_CASE("Affine: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index channels = GENERATE(1, 2, 3, 5, 8, 16, 17, 33, 65);
  for (const Index batch : {1, 3}) {
    const support::ContractOptions options{.channels = channels, .light = channels > 3};
    support::check_contract(Affine<TestType>(1.7, -0.3), batch, options);
    support::check_contract(random_affine<TestType>(channels), batch, options);
  }
}

TEMPLATE_TEST_CASE("Affine: the definition", "[layer]", float, double) {
  using T = TestType;
  support::Random random(2);
  for (const Index channels : {1, 3, 17, 40}) {
    const auto scale = support::random_weights<T>({channels}, random), offset = support::random_weights<T>({channels}, random);
    const auto x = support::random_tensor<T>(random, channels, 2, 9);
    support::Signal<double> each(channels, 2, 9), same(channels, 2, 9);
    for (Index t = 0; t < 9; ++t)
      for (Index b = 0; b < 2; ++b)
        for (Index c = 0; c < channels; ++c) {
          each(c, b, t) = double(x(c, b, t)) * double(scale(c)) + double(offset(c));
          same(c, b, t) = double(x(c, b, t)) * -2.5 + 0.25;
        }
    CHECK(support::difference(support::offline(Affine<T>(scale, offset), x), each) < support::tolerance<T>);
    CHECK(support::difference(support::offline(Affine<T>(-2.5, 0.25), x), same) < support::tolerance<T>);
  }
}

TEST_CASE("Affine: a channel's result does not depend on its neighbours", "[layer]") {
  support::Random random(8);
  const auto x = support::random_tensor<float>(random, 19, 1, 50);
  const auto same = support::offline(Affine<float>(0.7f, 0.1f), x);
  es::Weights<float> scale, offset;
  scale.shape = offset.shape = {19};
  scale.values.assign(19, 0.7f);
  offset.values.assign(19, 0.1f);
  const auto each = support::offline(Affine<float>(scale, offset), x);
  CHECK(std::equal(same.data(), same.data() + same.size(), each.data()));
}

TEST_CASE("Affine: counts, fingerprints and errors", "[layer][error]") {
  using support::counting;
  using support::refuses;
  const Affine<float> one(2, 3), each(counting({3}), counting({3}));
  CHECK(one.wanted().channels == 0);
  CHECK(one.facts({7}).out.channels == 7);
  CHECK(support::facts_of(one).parameters == 0);
  CHECK(each.wanted().channels == 3);
  CHECK(support::facts_of(each).parameters == 6);
  CHECK(each.facts({3}).macs == 3);
  CHECK(one.fingerprint() == Affine<float>(2, 3).fingerprint());
  CHECK(one.fingerprint() != Affine<float>(3, 2).fingerprint());
  CHECK(one.fingerprint() != each.fingerprint());
  CHECK(refuses([&] { each.facts({4}); }, {"Affine", "3 channels", "not 4"}));
  CHECK(refuses([] { Affine<float>(counting({3, 1}), counting({3})); }, {"Affine", "scale", "(3,1)"}));
  CHECK(refuses([] { Affine<float>(counting({3}), counting({2})); }, {"Affine", "offset", "(2)", "(3)"}));
  CHECK(refuses([] { Affine<float>(es::Weights<float>(), es::Weights<float>()); }, {"Affine", "scale"}));
}
