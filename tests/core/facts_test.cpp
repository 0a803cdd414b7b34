#include "eigenstream/core/facts.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using support::error_of;

TEST_CASE("check_channels: a layer's own number, or any", "[core]") {
  es::check_channels("Layer", 3, {3, 5});
  es::check_channels("Layer", 0, {7});
  CHECK(error_of([] { es::check_channels("Layer", 3, {4}); }) == "Layer: takes 3 channels, not 4");
}

TEST_CASE("Facts: nothing is remembered, released or trained unless it says so", "[core]") {
  const es::Facts facts{.out = {2, 3}};
  CHECK(facts.out.size() == 6);
  CHECK((facts.state_bytes == 0 && facts.scratch_bytes == 0 && facts.max_flush == 0 && facts.parameters == 0));
  CHECK(facts.macs == 0);
}
