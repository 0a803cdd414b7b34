#include "eigenstream/layer/channel_select.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::ChannelSelect;
using es::Index;

TEMPLATE_TEST_CASE("ChannelSelect: any chunking gives the offline output", "[layer][property]", float, double) {
  std::vector<Index> backwards;
  for (Index c = 33; c >= 0; --c) backwards.push_back(c);
  for (const Index batch : {1, 3}) {
    support::check_contract(ChannelSelect<TestType>({0}), batch, {.channels = 1});
    support::check_contract(ChannelSelect<TestType>({4, 0, 0, 2}), batch, {.channels = 5});
    support::check_contract(ChannelSelect<TestType>(backwards), batch, {.channels = 34, .light = true});
  }
  support::check_contract(ChannelSelect<TestType>({2, 0, 1, 1}), 2, {.channels = 3, .width = 2, .height = 3});
}

TEST_CASE("ChannelSelect: exactly these channels", "[layer]") {
  support::Random random;
  const auto x = support::random_tensor<float>(random, 7, 3, 20);
  const std::vector<Index> wanted{6, 2, 2, 0, 5, 1, 3, 4, 6};
  const auto y = support::offline(ChannelSelect<float>(wanted), x);
  REQUIRE(y.dimension(0) == 9);
  for (Index t = 0; t < 20; ++t)
    for (Index b = 0; b < 3; ++b)
      for (Index c = 0; c < 9; ++c) REQUIRE(y(c, b, t) == x(wanted[static_cast<std::size_t>(c)], b, t));
}

TEST_CASE("ChannelSelect: counts, fingerprints and errors", "[layer][error]") {
  using support::refuses;
  const ChannelSelect<float> layer({3, 1});
  CHECK(layer.facts({4}).out.channels == 2);
  CHECK(layer.facts({4}).parameters == 0);
  CHECK(layer.fingerprint() == ChannelSelect<float>({3, 1}).fingerprint());
  CHECK(layer.fingerprint() != ChannelSelect<float>({1, 3}).fingerprint());
  CHECK(refuses([&] { layer.facts({3}); }, {"ChannelSelect", "channel 3", "only 3"}));
  CHECK(refuses([] { ChannelSelect<float>({0, -1}); }, {"ChannelSelect", "channel -1"}));
  CHECK(refuses([] { ChannelSelect<float>(std::vector<Index>()); }, {"ChannelSelect", "no channels"}));
}
