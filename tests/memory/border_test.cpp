#include "eigenstream/memory/border.hpp"

#include <vector>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("Border: a value or the nearest column, around each frame and signal", "[memory]") {
  const bool repeats = GENERATE(false, true);
  const es::FrameShape in{3, 2, 4, 2};
  const es::Border border{{1, 2}, {0, 3}, repeats};
  CHECK(!border.empty());
  CHECK(es::Border().empty());
  const es::FrameShape around = border.around(in);
  CHECK(around == es::FrameShape{3, 5, 7, 2});
  const Index frames = 2;
  std::vector<float> x, y(static_cast<std::size_t>(frames * around.size() + 1), 99.0f);
  for (Index i = 0; i < frames * in.size(); ++i) x.push_back(static_cast<float>(i));
  border.copy(x.data(), in, frames, -1.5f, y.data());
  CHECK(y.back() == 99.0f);
  std::size_t at = 0;
  for (Index image = 0; image < frames * in.batch; ++image)
    for (Index h = 0; h < around.height; ++h)
      for (Index w = 0; w < around.width; ++w)
        for (Index c = 0; c < 3; ++c, ++at) {
          const Index row = std::min<Index>(h, 3), column = std::clamp<Index>(w - 1, 0, 1);
          const bool within = row == h && column == w - 1;
          const std::size_t from = static_cast<std::size_t>(((image * 4 + row) * 2 + column) * 3 + c);
          CHECK(y[at] == (within || repeats ? x[from] : -1.5f));
        }
}
