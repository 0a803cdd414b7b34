#include "eigenstream/compose/chain.hpp"

#include "eigenstream/compose/stages.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("Chain: layers of one type in a list, and none at all", "[compose][property]") {
  using Conv = es::Conv1d<float>;
  using Convs = es::detail::VectorStages<Conv>;
  const auto conv = [](Index in, Index out) { return support::random_conv<Conv>(in, out, 3, {.padding = 1}); };
  const es::Chain<float, Convs> chain(Convs{{conv(2, 5), conv(5, 3), conv(3, 3)}});
  support::check_contract(chain, 2);
  CHECK(chain.wanted().channels == 2);
  CHECK(chain.facts({2}).out.channels == 3);
  CHECK(chain.timing().receptive_field() == 7);
  CHECK(support::facts_of(chain).max_flush == 3);

  const es::Chain<float, Convs> empty(Convs{});
  support::check_contract(empty, 1, {.channels = 4});
  CHECK(empty.wanted().channels == 0);
  CHECK(empty.keeps_channels());
}
