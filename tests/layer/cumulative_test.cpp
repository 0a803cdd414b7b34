#include "eigenstream/layer/cumulative.hpp"

#include <cmath>
#include <limits>

#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/window/windowed.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Cumulative;
using es::Index;
using es::Reduce;

TEMPLATE_TEST_CASE("Cumulative: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  const Index channels = GENERATE(1, 3, 17), batch = GENERATE(1, 2);
  support::check_contract(Cumulative<T>(Reduce::sum), batch, {.channels = channels});
  for (const Reduce op : {Reduce::product, Reduce::max, Reduce::min})
    support::check_contract(Cumulative<T>(op), batch, {.channels = channels, .exact = false});
}

TEST_CASE("Cumulative: the law between other layers", "[layer][property]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 2, 5, {.padding = 2});
  support::check_contract(es::sequential(conv, Cumulative<float>(Reduce::sum), conv), 2);
  const auto mean = es::parallel(Reduce::quotient, Cumulative<float>(Reduce::sum),
                                 es::sequential(es::Affine<float>(0, 1), Cumulative<float>(Reduce::sum)));
  support::check_contract(mean, 2, {.channels = 3});
}

TEMPLATE_TEST_CASE("Cumulative: frame by frame", "[layer]", float, double) {
  using T = TestType;
  support::Random random(3);
  const auto x = support::random_tensor<T>(random, 5, 2, 100);
  for (const Reduce op : {Reduce::sum, Reduce::product, Reduce::max, Reduce::min}) {
    const auto y = support::offline(Cumulative<T>(op), x);
    for (Index b = 0; b < 2; ++b)
      for (Index c = 0; c < 5; ++c) {
        double all = es::kernel::neutral(op);
        for (Index t = 0; t < 100; ++t) {
          const double v = static_cast<double>(x(c, b, t));
          all = op == Reduce::sum ? all + v : op == Reduce::product ? all * v : op == Reduce::max ? std::max(all, v) : std::min(all, v);
          REQUIRE(y(c, b, t) == static_cast<T>(all));
        }
      }
  }
}

TEST_CASE("Cumulative: a long sum of floats does not stand still, and NaN stays", "[layer]") {
  es::Stream sum(Cumulative<float>(Reduce::sum), {.channels = 1});
  support::Signal<float> ones(1, 1, 1 << 20);
  ones.setConstant(1.0f);
  support::Signal<float> last;
  for (int i = 0; i < 20; ++i) last = sum(ones);
  CHECK(last(0, 0, (1 << 20) - 1) == 20.0f * (1 << 20));  // beyond 2^24, where a float gains nothing by 1

  const float nan = std::numeric_limits<float>::quiet_NaN();
  support::Signal<float> x(1, 1, 3);
  x.setValues({{{1.0f, nan, 5.0f}}});
  for (const Reduce op : {Reduce::sum, Reduce::product, Reduce::max, Reduce::min}) {
    const auto y = support::offline(Cumulative<float>(op), x);
    CHECK(y(0, 0, 0) == 1.0f);
    CHECK(std::isnan(y(0, 0, 1)));
    CHECK(std::isnan(y(0, 0, 2)));
  }
}

TEST_CASE("Cumulative: facts and errors", "[layer][error]") {
  const Cumulative<float> sum(Reduce::sum);
  CHECK(sum.timing().recursive());
  CHECK(sum.timing().receptive_field() == es::unbounded);
  CHECK(sum.timing().delay() == 0);
  CHECK(sum.fingerprint() != Cumulative<float>(Reduce::max).fingerprint());
  CHECK(support::error_of([] { Cumulative<float>(Reduce::mean); }) ==
        "Cumulative: op is mean, must be sum, product, max or min");
}
