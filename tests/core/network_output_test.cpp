#include "eigenstream/core/network_output.hpp"

#include "eigenstream/core/timing_builder.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;

TEST_CASE("NetworkOutput: most frames at once", "[core]") {
  const es::NetworkOutput half{.name = "half", .timing = es::TimingStage{.stride = 2}, .rate = {1, 2}, .rise = 1};
  CHECK((half.max_outputs(0) == 0 && half.max_outputs(1) == 1 && half.max_outputs(2) == 1 && half.max_outputs(3) == 2));
}

TEST_CASE("all_outputs_of: most layers do not say", "[core]") {
  CHECK(es::all_outputs_of(0).empty());
  es::check_one_output("Sequential", 0);
  struct Two {
    std::vector<es::NetworkOutput> all = {{.name = "a", .timing = {}, .rate = {}}, {.name = "b", .timing = {}, .rate = {}}};
    const std::vector<es::NetworkOutput>& all_outputs() const noexcept { return all; }
  };
  CHECK(support::error_of([] { es::check_one_output("Sequential", Two()); }) ==
        "Sequential: a network of 2 outputs, of which only one would be used; a stream has them all, in another network build it "
        "with the one that is wanted");
}
