#include "eigenstream/kernel/cumulate.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;
using es::Reduce;

TEST_CASE("cumulate: in place, and in pieces, what it gives at once", "[kernel]") {
  support::Random random(1);
  for (const Reduce op : {Reduce::sum, Reduce::product, Reduce::max, Reduce::min})
    for (const Index size : {1, 3, 8, 21}) {
      const std::vector<float> x = support::random_values<float>(12 * size, random);
      std::vector<float> whole(x.size()), pieces = x;
      std::vector<double> running(static_cast<std::size_t>(size), es::kernel::neutral(op)), again = running;
      es::kernel::cumulate(op, x.data(), Index{12}, size, running.data(), whole.data());
      for (Index t = 0, n = 0; t < 12; t += n) {
        n = std::min<Index>(1 + t % 3, 12 - t);
        es::kernel::cumulate(op, pieces.data() + t * size, n, size, again.data(), pieces.data() + t * size);
      }
      CHECK(whole == pieces);
      CHECK(running == again);
    }
}
