#include "eigenstream/layer/glu.hpp"

#include <cmath>

#include "eigenstream/layer/softmax.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("GLU and Softmax: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index channels = GENERATE(2, 4, 6, 10, 16, 30, 32, 34, 66, 130);
  for (const Index batch : {1, 3}) {
    support::check_contract(es::Glu<TestType>(), batch, {.channels = channels, .light = channels > 4});
    support::check_contract(es::Softmax<TestType>(), batch, {.channels = channels, .light = channels > 4});
    support::check_contract(es::Softmax<TestType>(), batch,  // one channel is always 1
                            {.channels = channels - 1, .exact = channels > 2, .light = true});
    support::check_contract(es::LogSoftmax<TestType>(), batch, {.channels = channels, .light = channels > 4});
    support::check_contract(es::LogSoftmax<TestType>(), batch,
                            {.channels = channels - 1, .exact = channels > 2, .light = true});
  }
}

TEMPLATE_TEST_CASE("GLU and Softmax: the definitions", "[layer]", float, double) {
  using T = TestType;
  support::Random random(3);
  for (const Index channels : {2, 4, 10, 16, 34, 64, 66}) {
    auto x = support::random_tensor<T>(random, channels, 2, 5);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] *= T(8);
    support::Signal<double> glu(channels / 2, 2, 5), softmax(channels, 2, 5);
    for (Index t = 0; t < 5; ++t)
      for (Index b = 0; b < 2; ++b) {
        double sum = 0;
        for (Index c = 0; c < channels; ++c) sum += std::exp(static_cast<double>(x(c, b, t)));
        for (Index c = 0; c < channels; ++c) softmax(c, b, t) = std::exp(static_cast<double>(x(c, b, t))) / sum;
        for (Index c = 0; c < channels / 2; ++c)
          glu(c, b, t) = static_cast<double>(x(c, b, t)) / (1 + std::exp(-static_cast<double>(x(c + channels / 2, b, t))));
      }
    CHECK(support::difference(support::offline(es::Glu<T>(), x), glu) < support::tolerance<T>);
    CHECK(support::difference(support::offline(es::Softmax<T>(), x), softmax) < support::tolerance<T>);
    support::Signal<double> logarithm = softmax.log();
    CHECK(support::difference(support::offline(es::LogSoftmax<T>(), x), logarithm) < support::tolerance<T>);
  }
}
