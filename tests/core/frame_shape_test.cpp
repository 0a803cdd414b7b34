#include "eigenstream/core/frame_shape.hpp"

#include "support/catch.hpp"

namespace es = eigenstream;
using es::FrameShape;

TEST_CASE("FrameShape: its size, and equality in every extent", "[core]") {
  CHECK(FrameShape{}.size() == 1);
  CHECK(FrameShape{3, 2}.size() == 6);
  CHECK(FrameShape{3, 2} == FrameShape{3, 2});
  CHECK(FrameShape{3, 2} != FrameShape{2, 3});
}
