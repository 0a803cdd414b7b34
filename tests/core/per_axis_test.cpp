#include "eigenstream/core/per_axis.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Padding;
using es::PerAxis;
using es::WindowAxis;
using support::error_of;

TEST_CASE("PerAxis: one value for all axes, or one for each", "[core]") {
  const PerAxis<Index, 3> same = 2, listed = {1, 2, 3}, single = {4};
  for (int axis = 0; axis < 3; ++axis) {
    CHECK(same[axis] == 2);
    CHECK(listed[axis] == axis + 1);
    CHECK(single[axis] == 4);
  }
  const PerAxis<Padding, 2> sides = {{1, 0}, 2}, both = 3;
  CHECK(sides[0].left == 1);
  CHECK(sides[0].right == 0);
  CHECK(sides[1].left == 2);
  CHECK(sides[1].right == 2);
  CHECK(both[1].right == 3);
  CHECK_THAT(error_of([] { PerAxis<Index, 3>({1, 2}); }), Contains("3 axes has 2 values"));
}

TEST_CASE("WindowAxis: windows over an axis, and impossible ones by name", "[core]") {
  const WindowAxis axis{.taps = 3, .stride = 2, .padding = {1, 0}, .dilation = 2};
  CHECK(axis.reach() == 5);
  CHECK(axis.windows(3) == 0);
  CHECK(axis.windows(4) == 1);
  CHECK(axis.windows(5) == 1);
  CHECK(axis.windows(6) == 2);
  CHECK(!axis.is_plain());
  CHECK(WindowAxis().is_plain());
  CHECK(WindowAxis().windows(7) == 7);
  const auto refused = [](WindowAxis wrong) { return error_of([&] { wrong.check_sizes("Layer", "width"); }); };
  CHECK_THAT(refused({.taps = 0}), Contains("Layer: kernel_size = 0 in width"));
  CHECK_THAT(refused({.stride = 0}), Contains("Layer: stride = 0 in width"));
  CHECK_THAT(refused({.dilation = -1}), Contains("Layer: dilation = -1 in width"));
  CHECK_THAT(refused({.padding = {0, -2}}), Contains("Layer: padding = (0,-2) in width"));
}
