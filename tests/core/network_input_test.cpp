#include "eigenstream/core/network_input.hpp"

#include "support/catch.hpp"

namespace es = eigenstream;

TEST_CASE("NetworkInput: a frame is there with the main input's frame that it belongs to", "[core]") {
  const es::NetworkInput quarter{.rate = {1, 4}}, twice{.rate = {2, 1}}, odd{.rate = {3, 2}};
  CHECK((quarter.frames_for(0) == 0 && quarter.frames_for(1) == 1 && quarter.frames_for(4) == 1 && quarter.frames_for(5) == 2));
  CHECK((twice.frames_for(0) == 0 && twice.frames_for(7) == 14));
  CHECK((odd.frames_for(1) == 2 && odd.frames_for(2) == 3 && odd.frames_for(3) == 5));
}

TEST_CASE("more_inputs_of: most layers have none", "[core]") {
  CHECK(es::more_inputs_of(0).empty());
}
