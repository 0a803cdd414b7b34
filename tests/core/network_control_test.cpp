#include "eigenstream/core/network_control.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;

TEST_CASE("controls_of: most layers have none", "[core]") {
  CHECK(es::controls_of(0).empty());
  es::check_no_controls("Sequential", 0);
  CHECK(es::NetworkControl{"gain", {1, 2}}.channels() == 2);
  struct Knob {
    std::vector<es::NetworkControl> all = {{"gain", {1}}};
    const std::vector<es::NetworkControl>& controls() const noexcept { return all; }
  };
  CHECK(support::error_of([] { es::check_no_controls("Sequential", Knob()); }) ==
        "Sequential: a layer with a knob, \"gain\"; only a graph hands on what it is set to");
}
