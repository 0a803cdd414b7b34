#include "eigenstream/layer/delay.hpp"

#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Delay;
using es::Index;

TEMPLATE_TEST_CASE("Delay: any chunking gives the signal, later", "[layer][property]", float, double) {
  using T = TestType;
  const Index frames = GENERATE(0, 1, 3, 40), batch = GENERATE(1, 2);
  support::check_contract(Delay<T>(frames), batch, {.channels = 3});
  support::Random random(1);
  const auto x = support::random_tensor<T>(random, 3, batch, 70);
  const auto y = support::offline(Delay<T>(frames), x);
  REQUIRE(y.dimensions() == x.dimensions());
  CHECK(std::equal(x.data(), x.data() + x.size(), y.data()));
  const es::Timing timing = Delay<T>(frames).timing();
  CHECK(timing.delay() == frames);
  CHECK(timing.receptive_field() == 1);
  CHECK(timing.outputs_after(100) == 100 - frames);
  CHECK(timing.outputs_after(100, true) == 100);
  CHECK(timing.frame_by_frame() == (frames == 0));
}

TEST_CASE("Delay: within networks, and beside what is aligned with it", "[layer][property]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 2, 5, {.padding = 2});
  support::check_contract(es::sequential(conv, Delay<float>(3), conv), 2);
  const auto both = es::parallel(es::Reduce::sum, Delay<float>(7), conv);
  support::check_contract(both, 2, {.exact = false});
  CHECK(both.timing().delay() == 7);
  support::Random random(1);
  const auto x = support::random_tensor<float>(random, 2, 1, 50);
  const auto y = support::offline(both, x), z = support::offline(conv, x);
  for (Index i = 0; i < y.size(); ++i) CHECK(y.data()[i] == x.data()[i] + z.data()[i]);
}

TEST_CASE("Delay: impossible numbers are errors", "[layer][error]") {
  CHECK(support::error_of([] { Delay<float>(-1); }) == "Delay: -1 frames, must be from 0 to 2^26");
}
