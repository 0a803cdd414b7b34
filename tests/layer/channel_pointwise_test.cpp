#include "eigenstream/layer/channel_pointwise.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("Layers with a parameter for each channel: any chunking gives the offline output",
                   "[layer][property]", float, double) {
  const Index channels = GENERATE(1, 2, 3, 5, 8, 16, 17, 33, 65);
  for (const Index batch : {1, 3}) {
    const support::ContractOptions options{.channels = channels, .light = channels > 3};
    support::check_contract(support::random_prelu<TestType>(channels), batch, options);
    support::check_contract(support::random_snake<TestType>(channels), batch, options);
  }
}

TEMPLATE_TEST_CASE("PReLU and Snake: each channel has its own parameter", "[layer]", float, double) {
  using T = TestType;
  support::Random random(2);
  for (const Index channels : {2, 3, 17, 40}) {
    auto weight = support::random_weights<T>({channels}, random);
    const auto x = support::random_tensor<T>(random, channels, 2, 6);
    support::Signal<double> prelu(channels, 2, 6), snake(channels, 2, 6);
    for (Index t = 0; t < 6; ++t)
      for (Index b = 0; b < 2; ++b)
        for (Index c = 0; c < channels; ++c) {
          const double v = static_cast<double>(x(c, b, t)), w = static_cast<double>(weight(c));
          prelu(c, b, t) = v > 0 ? v : w * v;
          snake(c, b, t) = v + std::sin(w * v) * std::sin(w * v) / w;
        }
    CHECK(support::difference(support::offline(es::Prelu<T>(weight), x), prelu) < support::tolerance<T>);
    CHECK(support::difference(support::offline(es::Snake<T>(weight), x), snake) < support::tolerance<T>);
  }
}
