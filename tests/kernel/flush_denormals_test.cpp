#include "eigenstream/kernel/flush_denormals.hpp"

#include <limits>

#include "support/catch.hpp"

namespace es = eigenstream;

#if defined(__SSE2__) || defined(__aarch64__)
TEST_CASE("flush_denormals: tiny numbers are zero within the scope, and the mode returns", "[kernel]") {
  volatile float tiny = std::numeric_limits<float>::min();
  const auto half = [&] { return tiny * 0.5f; };
  REQUIRE(half() > 0);
  {
    const es::FlushDenormals outer;
    CHECK(half() == 0);
    {
      const es::FlushDenormals inner;
      CHECK(half() == 0);
    }
    CHECK(half() == 0);
  }
  CHECK(half() > 0);
}
#endif
