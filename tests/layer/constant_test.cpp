#include "eigenstream/layer/constant.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("Constant: any chunking gives as many frames of one number", "[layer][property]") {
  const Index batch = GENERATE(1, 3);
  support::check_contract(es::Constant<float>(2.5), batch, {.channels = 3, .exact = false, .carries = false});
  support::Signal<float> x(2, batch, 5);
  x.setConstant(std::numeric_limits<float>::quiet_NaN());
  const auto y = support::offline(es::Constant<float>(-1), x);
  REQUIRE(y.dimensions() == x.dimensions());
  for (Index i = 0; i < y.size(); ++i) CHECK(y.data()[i] == -1.0f);
}
