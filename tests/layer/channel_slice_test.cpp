#include "eigenstream/layer/channel_slice.hpp"

#include "eigenstream/compose/sequential.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::ChannelSlice;
using es::Index;

TEMPLATE_TEST_CASE("ChannelSlice: any chunking gives the offline output", "[layer][property]", float, double) {
  const auto [start, channels, of] =
      GENERATE(table<Index, Index, Index>({{0, 1, 1}, {0, 1, 2}, {1, 1, 2}, {0, 3, 3}, {2, 5, 9}, {7, 17, 24}, {1, 64, 66}}));
  for (const Index batch : {1, 3})
    support::check_contract(ChannelSlice<TestType>(start, channels), batch, {.channels = of, .light = of > 3});
}

TEST_CASE("ChannelSlice: the law in a sequence that writes into a history", "[layer][property]") {
  const auto net = es::sequential(ChannelSlice<float>(1, 3), support::random_conv<es::Conv1d<float>>(3, 5, 3),
                                  ChannelSlice<float>(4, 1));
  CHECK(net.wanted().channels == 0);
  CHECK(net.facts({4}).out.channels == 1);
  for (const Index batch : {1, 3}) support::check_contract(net, batch, {.channels = 6});
}

TEST_CASE("ChannelSlice: exactly these channels", "[layer]") {
  support::Random random;
  const auto x = support::random_tensor<float>(random, 7, 3, 20);
  const auto y = support::offline(ChannelSlice<float>(2, 4), x);
  REQUIRE(y.dimension(0) == 4);
  for (Index t = 0; t < 20; ++t)
    for (Index b = 0; b < 3; ++b)
      for (Index c = 0; c < 4; ++c) REQUIRE(y(c, b, t) == x(c + 2, b, t));
}

TEST_CASE("ChannelSlice: counts, fingerprints and errors", "[layer][error]") {
  using support::refuses;
  const ChannelSlice<float> slice(2, 4);
  CHECK(slice.start() == 2);
  CHECK(slice.channels() == 4);
  CHECK(slice.facts({6}).out.channels == 4);
  CHECK(slice.facts({6}).parameters == 0);
  CHECK(slice.facts({6}).macs == 0);
  CHECK(slice.fingerprint() == ChannelSlice<float>(2, 4).fingerprint());
  CHECK(slice.fingerprint() != ChannelSlice<float>(4, 2).fingerprint());
  CHECK(refuses([&] { slice.facts({5}); }, {"ChannelSlice", "2 to 5", "only 5"}));
  CHECK(refuses([] { ChannelSlice<float>(-1, 2); }, {"ChannelSlice", "start = -1"}));
  CHECK(refuses([] { ChannelSlice<float>(1, 0); }, {"ChannelSlice", "0 channels"}));
  if (sizeof(Index) == 8) {
    constexpr Index far = static_cast<Index>(es::Time{1} << 62);
    CHECK(refuses([] { ChannelSlice<float>(far, far); }, {"ChannelSlice", "2^40"}));
  }
}
