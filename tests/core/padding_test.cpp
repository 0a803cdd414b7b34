#include "eigenstream/core/padding.hpp"

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Padding;

TEST_CASE("Padding: none, both sides, each side, causal", "[core]") {
  CHECK((Padding().left == 0 && Padding().right == 0));
  CHECK((Padding(3).left == 3 && Padding(3).right == 3));
  CHECK((Padding(1, 2).left == 1 && Padding(1, 2).right == 2));
  CHECK((Padding::causal(3, 4).left == 8 && Padding::causal(3, 4).right == 0));
  CHECK(Padding::causal(1).left == 0);
}
