#include "eigenstream/compose/bidirectional.hpp"

#include <cmath>

#include "eigenstream/layer/recurrent.hpp"
#include "support/catch.hpp"
#include "support/reference.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("bidirectional: backwards is forwards of the window reversed", "[compose]") {
  support::Random random(3);
  const auto gru = [&] {
    const auto weights = [&](std::vector<Index> shape) { return support::random_weights<float>(std::move(shape), random, 3); };
    return es::Gru<float>({weights({9, 2}), weights({9, 3}), weights({9}), weights({9})});
  };
  const es::Gru<float> ahead = gru(), back = gru();
  const auto x = support::random_tensor<float>(random, 2, 11);
  const Eigen::Tensor<float, 2> reversed = x.reverse(Eigen::array<bool, 2>{false, true});
  const auto y = support::run_window(es::bidirectional(ahead, back), x);
  REQUIRE((y.dimension(0) == 6 && y.dimension(1) == 11));
  const auto a = support::run_window(es::along(ahead), x), b = support::run_window(es::along(back), reversed);
  for (Index t = 0; t < 11; ++t)
    for (Index u = 0; u < 3; ++u) {
      CHECK(y(u, t) == a(u, t));
      CHECK(y(3 + u, t) == b(u, 10 - t));
    }
}
