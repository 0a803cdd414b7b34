#include "eigenstream/layer/pool.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"
#include "support/space.hpp"

namespace es = eigenstream;
using es::AvgPool1d;
using es::Index;
using es::MaxPool1d;
using es::WindowAxis;
using support::Calls;
using support::Video;

namespace {

// What a window takes along an axis: positions that exist, and how many count in an average.
struct Taps {
  std::vector<Index> real;
  Index counted = 0;
};
Taps window_of(const WindowAxis& axis, Index m, Index n, bool include_pad) {
  Taps taps;
  for (const Index at : support::taps_of(axis, m)) {
    if (at >= 0 && at < n) taps.real.push_back(at);
    taps.counted += include_pad ? at < n + axis.padding.right : at >= 0 && at < n;
  }
  return taps;
}
Taps part_of(Index parts, Index m, Index n) {
  Taps taps;
  const double from = static_cast<double>(n) / static_cast<double>(parts);
  const Index first = parts == 0 ? m : static_cast<Index>(std::floor(static_cast<double>(m) * from + 1e-9));
  const Index end = parts == 0 ? m + 1 : static_cast<Index>(std::ceil(static_cast<double>(m + 1) * from - 1e-9));
  for (Index at = first; at < end; ++at) taps.real.push_back(at);
  taps.counted = end - first;
  return taps;
}

// The definition of a pool: `taps(axis, m)` of time, height and width.
template <class T, class L, class TapsOf>
void check_space_pool(const L& pool, const Video<T>& x, bool greatest, Index divisor, TapsOf&& taps) {
  const Video<T> y = support::offline(pool, x);
  const double apart = support::difference(y, [&](Index c, Index w, Index h, Index b, Index t) {
    const Taps times = taps(0, t), rows = taps(1, h), columns = taps(2, w);
    double sum = 0, most = -std::numeric_limits<double>::infinity();
    for (const Index kt : times.real)
      for (const Index kh : rows.real)
        for (const Index kw : columns.real) {
          sum += static_cast<double>(x(c, kw, kh, b, kt));
          most = std::max(most, static_cast<double>(x(c, kw, kh, b, kt)));
        }
    return greatest ? most
                    : sum / static_cast<double>(divisor > 0 ? divisor : times.counted * rows.counted * columns.counted);
  });
  CHECK(apart < support::tolerance<T>);
}

}  // namespace

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

TEMPLATE_TEST_CASE("AvgPool2d, AvgPool3d, MaxPool2d, MaxPool3d: the windows of the definition", "[layer]", float, double) {
  using T = TestType;
  support::Random random(4);
  for (int round = 0; round < 150; ++round) {
    const bool ceil = random.chance(0.5), include = random.chance(0.5), two = random.chance(0.3), plain = random.chance(0.2);
    const Index divisor = random.chance(0.3) ? random.integer(1, 9) : 0;
    es::PerAxis<Index, 3> taps = 1, stride = 0, padding = 0, dilation = 1;
    for (int a = plain ? 1 : 0; a < 3; ++a) {
      if (a == 1 && two) continue;
      taps[a] = random.integer(1, 4), stride[a] = random.integer(0, 3), padding[a] = random.integer(0, taps[a] / 2);
      dilation[a] = random.integer(1, 2);
    }
    const es::FrameShape frame{random.pick({1, 3, 16, 21}), random.integer(7, 11), random.integer(7, 9), random.integer(1, 2)};
    const Video<T> x(frame, random.integer(1, 12), random);
    const auto axis = [&](int a) { return WindowAxis{taps[a], stride[a] == 0 ? taps[a] : stride[a], padding[a], dilation[a]}; };
    const Index extents[] = {x.count, frame.height, frame.width};
    INFO("round " << round << ", " << frame.text() << ", " << x.count << " frames");
    const auto check_both = [&](const auto& average, const auto& most) {
      const auto check_shape = [&](const auto& pool) {
        const es::FrameShape out = pool.facts(frame).out;
        const auto count = [&](int a) {
          const WindowAxis own = axis(a);
          return support::naive::windows(extents[a], own.taps, own.stride, own.padding.left, own.dilation, ceil);
        };
        CHECK(out == es::FrameShape{frame.channels, count(2), count(1), frame.batch});
        CHECK(support::offline(pool, x).count == count(0));
      };
      check_shape(average);
      check_shape(most);
      check_space_pool(average, x, false, divisor, [&](int a, Index m) { return window_of(axis(a), m, extents[a], include); });
      check_space_pool(most, x, true, 0, [&](int a, Index m) { return window_of(axis(a), m, extents[a], include); });
    };
    if (two)
      check_both(es::AvgPool2d<T>({taps[0], taps[2]}, {{stride[0], stride[2]}, {padding[0], padding[2]}, ceil, include, divisor, {dilation[0], dilation[2]}}),
                 es::MaxPool2d<T>({taps[0], taps[2]}, {{stride[0], stride[2]}, {padding[0], padding[2]}, {dilation[0], dilation[2]}, ceil}));
    else
      check_both(es::AvgPool3d<T>(taps, {stride, padding, ceil, include, divisor, dilation}),
                 es::MaxPool3d<T>(taps, {stride, padding, dilation, ceil}));
  }
}

TEMPLATE_TEST_CASE("AdaptiveAvgPool2d, 3d, AdaptiveMaxPool2d, 3d: the parts of the definition", "[layer]", float, double) {
  using T = TestType;
  support::Random random(4);
  for (int round = 0; round < 60; ++round) {
    const Index window = random.integer(1, 3), padding = random.integer(0, window / 2), stride = random.integer(1, 2),
                dilation = random.integer(1, 2), rows = random.pick({0, 1, 2, 5}), columns = random.pick({0, 1, 3, 11});
    const es::FrameShape frame{random.pick({1, 3, 16, 21}), random.integer(1, 9), random.integer(1, 9), random.integer(1, 2)};
    const Video<T> x(frame, random.integer(6, 9), random);
    const WindowAxis time{window, stride, padding, dilation};
    INFO("round " << round << ", " << frame.text() << " to " << rows << " x " << columns);
    const auto check_both = [&](const auto& average, const auto& most, Index height) {
      const es::FrameShape out{frame.channels, columns == 0 ? Index{frame.width} : columns,
                               height == 0 ? Index{frame.height} : height, frame.batch};
      CHECK(average.facts(frame).out == out);
      const auto taps = [&](int a, Index m) {
        if (a == 0) return window_of(time, m, x.count, true);
        return a == 1 ? part_of(height, m, frame.height) : part_of(columns, m, frame.width);
      };
      check_space_pool(average, x, false, 0, taps);
      check_space_pool(most, x, true, 0, taps);
    };
    const es::AdaptivePoolOptions options{stride, padding, dilation};
    check_both(es::AdaptiveAvgPool2d<T>(columns, window, options), es::AdaptiveMaxPool2d<T>(columns, window, options), 0);
    check_both(es::AdaptiveAvgPool3d<T>({rows, columns}, window, options),
               es::AdaptiveMaxPool3d<T>({rows, columns}, window, options), rows);
  }
}

TEST_CASE("Pools over space: any chunking gives the offline output", "[layer][property]") {
  const Index time = GENERATE(1, 2, 3), padding = GENERATE(0, 1);
  const bool ceil = GENERATE(false, true);
  if (2 * padding > time) return;
  const support::ContractOptions frames{.channels = 3, .width = 5, .height = 4};
  support::check_contract(es::AvgPool2d<float>({time, 2}, {.stride = {1, 2}, .padding = {padding, 1}, .ceil_mode = ceil}), 1, frames);
  support::check_contract(es::AvgPool3d<float>({time, 2, 3}, {.padding = {padding, 0, 1}, .ceil_mode = ceil, .count_include_pad = false}),
                          2, frames);
  support::check_contract(es::AvgPool3d<double>({time, 2, 3}, {.padding = {padding, 1, 1}, .divisor_override = 5}), 1, frames);
  support::check_contract(es::MaxPool2d<float>({time, 3}, {.stride = 2, .padding = {padding, 1}, .dilation = {2, 1}, .ceil_mode = ceil}),
                          2, frames);
  support::check_contract(es::MaxPool3d<float>({time, 1, 1}, {.stride = 1, .padding = {padding, 0, 0}}), 1, frames);
  support::check_contract(es::AdaptiveAvgPool3d<float>({2, 0}, time, {.padding = padding, .dilation = ceil ? 2 : 1}), 1, frames);
  support::check_contract(es::AdaptiveMaxPool2d<float>(1, time, {.stride = 2, .padding = padding}), 1, frames);
  // Frames of which a history has room for few.
  support::check_contract(es::AvgPool3d<float>({time, 2, 2}, {.stride = 1}), 1,
                          {.channels = 4, .light = true, .width = 40, .height = 30});
}

TEST_CASE("Pools over space: the worked tables, in time and along the width", "[layer]") {
  const std::vector<float> y{3, -1, 4, -1, 5, -9, 2, 6};
  const auto check = [&](const auto& in_time, const auto& in_width, const std::vector<double>& expected) {
    Video<float> signal({1, 1}, 8), line({1, 8}, 1);
    signal.values = line.values = y;
    for (const Video<float>& outputs : {support::offline(in_time, signal), support::offline(in_width, line)}) {
      REQUIRE(outputs.values.size() == expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) CHECK(outputs.values[i] == Approx(expected[i]));
    }
  };
  using Average = es::AvgPool2d<float>;
  using Most = es::MaxPool2d<float>;
  const auto third = [](double a) { return a / 3; };
  check(Average({3, 1}, {.stride = 1, .padding = {1, 0}}), Average({1, 3}, {.stride = 1, .padding = {0, 1}}),
        {third(2), 2, third(2), third(8), third(-5), third(-2), third(-1), third(8)});
  check(Average({3, 1}, {.stride = 1, .padding = {1, 0}, .count_include_pad = false}),
        Average({1, 3}, {.stride = 1, .padding = {0, 1}, .count_include_pad = false}),
        {1, 2, third(2), third(8), third(-5), third(-2), third(-1), 4});
  check(Average({3, 1}, {.stride = {2, 1}, .ceil_mode = true}), Average({1, 3}, {.stride = {1, 2}, .ceil_mode = true}),
        {2, third(8), third(-2), 4});
  check(Most({3, 1}, {.stride = 1, .padding = {1, 0}}), Most({1, 3}, {.stride = 1, .padding = {0, 1}}), {3, 4, 4, 5, 5, 5, 6, 6});
  check(Most({3, 1}, {.stride = {2, 1}, .padding = {1, 0}}), Most({1, 3}, {.stride = {1, 2}, .padding = {0, 1}}), {3, 4, 5, 6});
  check(Most({3, 1}, {.stride = 1, .dilation = {2, 1}}), Most({1, 3}, {.stride = 1, .dilation = {1, 2}}), {5, -1, 5, 6});
}

TEST_CASE("Pools over space: counts, timing and fingerprints", "[layer]") {
  const es::MaxPool3d<float> pool({3, 2, 2}, {.stride = {2, 1, 2}, .padding = {1, 0, 1}, .dilation = {2, 1, 1}});
  CHECK(pool.timing().receptive_field() == 5);
  CHECK(pool.timing().delay() == 3);
  CHECK(pool.timing().rate() == es::Rate{1, 2});
  CHECK(pool.facts({4, 6, 5, 2}).out == es::FrameShape{4, 4, 4, 2});
  CHECK(es::AvgPool3d<float>({1, 2, 2}, {.stride = {1, 2, 2}}).facts({4, 6, 6}).state_bytes == 0);
  CHECK(es::AvgPool2d<float>(2).fingerprint() == es::AvgPool2d<float>(2, {.stride = 2}).fingerprint());
  CHECK(es::AvgPool2d<float>(2).fingerprint() != es::AvgPool2d<float>({2, 3}, {.stride = 2}).fingerprint());
  CHECK(es::AvgPool2d<float>(2).fingerprint() != es::AvgPool2d<float>(2, {.divisor_override = 4}).fingerprint());
  CHECK(es::AvgPool2d<float>(2).fingerprint() != es::MaxPool2d<float>(2).fingerprint());
  const es::AvgPool2d<float> padded(2, {.stride = 1, .padding = 1});
  CHECK(padded.without_padding().fingerprint() == es::AvgPool2d<float>(2, {.stride = 1, .padding = {0, 1}}).fingerprint());
  support::check_equal(padded.without_padding(), es::AvgPool2d<float>(2, {.stride = 1, .padding = {0, 1}}), 2, {.channels = 3, .width = 4});
}

TEST_CASE("Pools over space: impossible windows are refused by name", "[layer][error]") {
  using support::refuses;
  CHECK(refuses([] { es::AvgPool2d<float>({2, 0}); }, {"AvgPool2d", "kernel_size = 0 in width"}));
  CHECK(refuses([] { es::AvgPool3d<float>({2, 0, 1}); }, {"AvgPool3d", "kernel_size = 0 in height"}));
  CHECK(refuses([] { es::AvgPool2d<float>(2, {.stride = {-1, 1}}); }, {"AvgPool2d", "stride = -1 in time"}));
  CHECK(refuses([] { es::AvgPool2d<float>(3, {.padding = {1, 2}}); }, {"AvgPool2d", "padding = 2 in width", "half"}));
  CHECK(refuses([] { es::AvgPool2d<float>(3, {.divisor_override = -2}); }, {"AvgPool2d", "divisor_override = -2"}));
  CHECK(refuses([] { es::MaxPool3d<float>(3, {.dilation = {1, 0, 1}}); }, {"MaxPool3d", "dilation = 0 in height"}));
  CHECK(refuses([] { return es::MaxPool2d<float>({1, 4}, {.padding = {0, 1}}).facts({1, 1}); }, {"MaxPool2d", "reaches over 4", "width"}));
  CHECK(refuses([] { es::AdaptiveAvgPool2d<float>(-1, 2); }, {"AdaptiveAvgPool2d", "output_size = -1"}));
  CHECK(refuses([] { es::AdaptiveMaxPool3d<float>(1, 0); }, {"AdaptiveMaxPool3d", "kernel_size = 0 in time"}));
}
