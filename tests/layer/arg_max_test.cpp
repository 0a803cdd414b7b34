#include "eigenstream/layer/arg_max.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::ArgMax;
using es::Index;

TEMPLATE_TEST_CASE("ArgMax: any chunking gives the offline output", "[layer][property]", float, double) {
  for (const Index channels : {1, 2, 9})
    for (const bool least : {false, true})
      support::check_contract(ArgMax<TestType>(least), 2, {.channels = channels, .exact = false, .carries = false});
}

TEST_CASE("ArgMax: the first of the greatest or of the least, NaN before all", "[layer]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  support::Signal<float> x(3, 1, 4);
  x.setValues({{{1, 5, 2, nan}}, {{3, 5, nan, nan}}, {{2, 1, 9, 0}}});
  const auto most = support::offline(ArgMax<float>(), x), least = support::offline(ArgMax<float>(true), x);
  const float expected[4][2] = {{1, 0}, {0, 2}, {1, 1}, {0, 0}};
  for (Index t = 0; t < 4; ++t) {
    CHECK(most(0, 0, t) == expected[t][0]);
    CHECK(least(0, 0, t) == expected[t][1]);
  }
  CHECK(ArgMax<float>().fingerprint() != ArgMax<float>(true).fingerprint());
}
