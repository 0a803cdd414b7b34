#include "eigenstream/layer/pool.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::AvgPool1d;
using es::Index;
using es::MaxPool1d;
using support::Calls;

TEMPLATE_TEST_CASE("AvgPool1d: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index taps = GENERATE(1, 2, 3, 5), stride = GENERATE(0, 1, 2, 7);
  for (Index padding = 0; padding <= taps / 2; ++padding)
    for (const bool ceil : {false, true})
      for (const bool include : {false, true})
        support::check_contract(
            AvgPool1d<TestType>(
                taps, {.stride = stride, .padding = padding, .ceil_mode = ceil, .count_include_pad = include}),
            ceil ? 1 : 3, {.channels = include ? 2 : 3, .light = !include});
}

TEMPLATE_TEST_CASE("MaxPool1d: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index taps = GENERATE(1, 2, 3, 5), stride = GENERATE(0, 1, 2, 7), dilation = GENERATE(1, 3);
  for (Index padding = 0; padding <= taps / 2; ++padding)
    for (const bool ceil : {false, true})
      support::check_contract(
          MaxPool1d<TestType>(taps, {.stride = stride, .padding = padding, .dilation = dilation, .ceil_mode = ceil}),
          ceil ? 1 : 3, {.channels = 2, .light = dilation > 1 && ceil});
}

TEST_CASE("Pools: the law for every number of channels", "[layer][property]") {
  const Index channels = GENERATE(1, 3, 4, 5, 8, 15, 16, 17, 33, 64, 65);
  for (const Index batch : {1, 3}) {
    support::check_contract(AvgPool1d<float>(3, {.stride = 2, .padding = 1, .ceil_mode = true}), batch,
                            {.channels = channels, .light = true});
    support::check_contract(MaxPool1d<float>(3, {.stride = 2, .padding = 1, .ceil_mode = true}), batch,
                            {.channels = channels, .light = true});
  }
}

TEST_CASE("Pools: the windows of the definition", "[layer]") {
  support::Random random(3);
  for (const Index taps : {1, 2, 3, 4, 5})
    for (const Index stride : {1, 2, 3, 7})
      for (Index padding = 0; padding <= taps / 2; ++padding)
        for (const bool ceil : {false, true})
          for (Index n = 0; n < 18; ++n) {
            INFO("taps " << taps << ", stride " << stride << ", padding " << padding << ", ceil " << ceil << ", frames "
                         << n);
            const auto x = support::random_tensor<float>(random, 3, 2, n);
            for (const bool include : {false, true})
              CHECK(support::difference(
                        support::offline(AvgPool1d<float>(taps, {stride, padding, ceil, include}), x),
                        support::naive::avg_pool(x, taps, stride, padding, ceil, include)) < 1e-5);
            for (const Index dilation : {1, 2, 3})
              CHECK(support::difference(
                        support::offline(MaxPool1d<float>(taps, {stride, padding, dilation, ceil}), x),
                        support::naive::max_pool(x, taps, stride, padding, dilation, ceil)) == 0);
          }
}

TEST_CASE("Pools: worked examples", "[layer]") {
  const std::vector<float> y{3, -1, 4, -1, 5, -9, 2, 6};
  const auto run = [&](auto pool) {
    es::Stream stream(pool, {.channels = 1});
    Calls given = support::calls(stream, y, {8, 0});
    for (auto& call : given)  // sixths, so that thirds are whole numbers
      for (float& value : call) value = std::round(value * 6e4f) / 1e4f;
    return given;
  };
  using Avg = AvgPool1d<float>;
  CHECK(run(Avg(3, {.stride = 2, .padding = 1})) == Calls{{4, 4, -10, -2}, {}});
  CHECK(run(Avg(3, {.stride = 2, .padding = 1, .count_include_pad = false})) == Calls{{6, 4, -10, -2}, {}});
  CHECK(run(Avg(3, {.stride = 2, .ceil_mode = true})) == Calls{{12, 16, -4}, {24}});
  CHECK(run(Avg(3, {.stride = 3, .padding = 1, .ceil_mode = true})) == Calls{{4, 16, -2}, {}});
  CHECK(run(Avg(4, {.stride = 3, .padding = 2, .ceil_mode = true})) == Calls{{3, 10.5, 6}, {12}});
  CHECK(run(Avg(4, {.stride = 3, .padding = 2, .ceil_mode = true, .count_include_pad = false})) ==
        Calls{{6, 10.5, 6}, {36}});
  CHECK(run(MaxPool1d<float>(2, {.stride = 1, .dilation = 2})) == Calls{{24, -6, 30, -6, 30, 36}, {}});
}

TEST_CASE("Pools: a ceil_mode window may hang over a signal that is shorter than it", "[layer]") {
  const std::vector<float> x{2, 4};
  es::Stream avg(AvgPool1d<float>(3, {.stride = 3, .ceil_mode = true}), {.channels = 1});
  CHECK(support::calls(avg, x, {1}) == Calls{{2}});
  CHECK(support::calls(avg, x, {2}) == Calls{{3}});
  es::Stream max(MaxPool1d<float>(4, {.stride = 3, .ceil_mode = true}), {.channels = 1});
  CHECK(support::calls(max, x, {1}) == Calls{{}});
  CHECK(support::calls(max, x, {2}) == Calls{{4}});
}

TEST_CASE("MaxPool1d: NaN and infinities as in PyTorch", "[layer]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  support::Signal<float> x(2, 1, 6);
  x.setConstant(-inf);
  x(0, 0, 2) = nan;
  x(1, 0, 0) = inf;
  x(1, 0, 5) = 7;
  for (const Index batch : {1, 2}) {
    support::Signal<float> more(2, batch, 6);
    for (Index b = 0; b < batch; ++b) more.chip(b, 1) = x.chip(0, 1);
    const auto y = support::offline(MaxPool1d<float>(3, {.stride = 1, .padding = 1}), more);
    CHECK(support::difference(y, support::naive::max_pool(more, 3, 1, 1, 1, false)) == 0);
    CHECK(std::isnan(y(0, 0, 1)));
    CHECK(std::isnan(y(0, 0, 2)));
    CHECK(std::isnan(y(0, 0, 3)));
    CHECK(y(0, 0, 4) == -inf);
    CHECK(y(1, 0, 0) == inf);
    CHECK(y(1, 0, 5) == 7);
  }
}

TEST_CASE("Pools: counts and timing", "[layer]") {
  const MaxPool1d<float> pool(3, {.stride = 2, .padding = 1, .dilation = 4});
  CHECK(pool.timing().receptive_field() == 9);
  CHECK(pool.timing().delay() == 7);
  CHECK(pool.timing().padding() == 1);
  CHECK(pool.timing().rate() == es::Rate{1, 2});
  CHECK(pool.wanted().channels == 0);
  CHECK(pool.facts({5}).out.channels == 5);
  CHECK(support::facts_of(pool).parameters == 0);
  CHECK(AvgPool1d<float>(4).timing().stride() == 4);  // as long as the window
}

TEST_CASE("Pools: fingerprints tell options apart", "[layer]") {
  const auto avg = AvgPool1d<float>(4, {.stride = 2}).fingerprint();
  CHECK(avg == AvgPool1d<float>(4, {.stride = 2}).fingerprint());
  CHECK(AvgPool1d<float>(4).fingerprint() == AvgPool1d<float>(4, {.stride = 4}).fingerprint());
  CHECK(avg != AvgPool1d<float>(4, {.stride = 3}).fingerprint());
  CHECK(avg != AvgPool1d<float>(4, {.stride = 2, .padding = 1}).fingerprint());
  CHECK(avg != AvgPool1d<float>(4, {.stride = 2, .ceil_mode = true}).fingerprint());
  CHECK(avg != AvgPool1d<float>(4, {.stride = 2, .count_include_pad = false}).fingerprint());
  CHECK(avg != MaxPool1d<float>(4, {.stride = 2}).fingerprint());
}

TEST_CASE("Pools: impossible windows are refused by name", "[layer][error]") {
  using support::refuses;
  CHECK(refuses([] { AvgPool1d<float>(0, {.stride = 1}); }, {"AvgPool1d", "0 frames"}));
  CHECK(refuses([] { AvgPool1d<float>(0); }, {"AvgPool1d", "0 frames"}));
  CHECK(refuses([] { MaxPool1d<float>(-2); }, {"MaxPool1d", "-2"}));
  CHECK(refuses([] { AvgPool1d<float>(3, {.stride = -1}); }, {"AvgPool1d", "stride = -1"}));
  CHECK(refuses([] { MaxPool1d<float>(3, {.dilation = 0}); }, {"MaxPool1d", "dilation = 0"}));
  CHECK(refuses([] { AvgPool1d<float>(3, {.padding = 2}); }, {"AvgPool1d", "padding = 2", "3"}));
  CHECK(refuses([] { MaxPool1d<float>(3, {.padding = -1}); }, {"MaxPool1d", "padding = -1"}));
}

TEST_CASE("Pools: without_padding() is the same without padding", "[layer]") {
  const AvgPool1d<float> avg = AvgPool1d<float>(4, {3, 2, true, false}).without_padding();
  CHECK(avg.fingerprint() == AvgPool1d<float>(4, {3, 0, false, false}).fingerprint());
  support::check_equal(avg, AvgPool1d<float>(4, {3, 0, false, false}), 1, {.channels = 2});
  const MaxPool1d<float> max = MaxPool1d<float>(4, {3, 2, 5, true}).without_padding();
  CHECK(max.fingerprint() == MaxPool1d<float>(4, {3, 0, 5, false}).fingerprint());
  support::check_equal(max, MaxPool1d<float>(4, {3, 0, 5, false}), 2, {.channels = 2});
}
