#include "eigenstream/core/frame_shape.hpp"

#include <type_traits>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::FrameShape;
using es::Index;

static_assert(sizeof(FrameShape) == 16 && std::is_trivially_copyable_v<FrameShape>);

TEST_CASE("FrameShape: its size, and equality in every extent", "[core]") {
  CHECK(FrameShape{}.size() == 1);
  const FrameShape shape{.channels = 3, .width = 5, .height = 7, .batch = 2};
  CHECK(shape.size() == 210);
  CHECK(shape.columns() == 70);
  CHECK(shape == FrameShape{3, 5, 7, 2});
  for (const FrameShape& other : {FrameShape{4, 5, 7, 2}, FrameShape{3, 4, 7, 2}, FrameShape{3, 5, 1, 2}, FrameShape{3, 5, 7, 1}})
    CHECK(shape != other);
  CHECK(shape.with_channels(9) == FrameShape{9, 5, 7, 2});
  CHECK(shape.with_width(9) == FrameShape{3, 9, 7, 2});
  CHECK(shape.one() == FrameShape{3, 5, 7, 1});
  CHECK(shape.has_space());
  CHECK_FALSE(FrameShape{.channels = 3, .batch = 2}.has_space());
}

TEST_CASE("FrameShape: products are as wide as an Index", "[core]") {
  if (sizeof(Index) < 8) return;
  const FrameShape large{1 << 20, 1 << 20, 1, 4};
  CHECK(static_cast<double>(large.size()) == 4398046511104.0);
}

TEST_CASE("same_layout: axes of extent 1 do not count, others do, in their order", "[core]") {
  CHECK(same_layout(FrameShape{3, 5, 1, 1}, FrameShape{3, 1, 1, 5}));
  CHECK(same_layout(FrameShape{3, 5, 4, 1}, FrameShape{3, 5, 1, 4}));
  CHECK(same_layout(FrameShape{3, 1, 1, 1}, FrameShape{3}));
  CHECK(same_layout(FrameShape{3, 5, 4, 2}, FrameShape{3, 5, 4, 2}));
  CHECK_FALSE(same_layout(FrameShape{3, 5, 4, 1}, FrameShape{3, 4, 5, 1}));
  CHECK_FALSE(same_layout(FrameShape{3, 20, 1, 1}, FrameShape{3, 5, 4, 1}));
  CHECK_FALSE(same_layout(FrameShape{3, 5, 1, 1}, FrameShape{4, 5, 1, 1}));
  CHECK_FALSE(same_layout(FrameShape{3, 5, 1, 1}, FrameShape{3}));
}

TEST_CASE("FrameShape: in messages, space only where there is some", "[core]") {
  CHECK(FrameShape{.channels = 3, .batch = 2}.text() == "3 channels and a batch of 2");
  CHECK(FrameShape{3, 257}.text() == "3 channels, width 257 and a batch of 1");
  CHECK(FrameShape{3, 1, 4, 1}.text() == "3 channels, width 1, height 4 and a batch of 1");
}
