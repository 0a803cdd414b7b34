#include "eigenstream/layer/conv_transpose.hpp"

#include <cmath>
#include <limits>
#include <tuple>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::ConvTranspose1d;
using es::ConvTranspose1dOptions;
using es::Index;
using support::Calls;

namespace {

template <class T>
void check_naive_transposed(Index in, Index out, Index taps, ConvTranspose1dOptions options, bool bias) {
  INFO("in " << in << ", out " << out << ", taps " << taps << ", stride " << options.stride << ", dilation "
             << options.dilation << ", groups " << options.groups << ", padding " << options.padding.left << " and "
             << options.padding.right << ", output_padding " << options.output_padding);
  support::Random random(5);
  const Index inputs = out / options.groups * taps;
  const auto weight = support::random_weights<T>({in, out / options.groups, taps}, random, inputs);
  const auto bias_values = bias ? support::random_weights<T>({out}, random, inputs) : es::Weights<T>();
  const ConvTranspose1d<T> conv(weight, bias_values, options);
  for (const Index batch : {1, 2})
    for (const Index n : {0, 1, 2, 3, 4, 9, 20}) {
      const auto x = support::random_tensor<T>(random, in, batch, n);
      const auto expected =
          support::naive::conv_transpose(x, weight, bias_values, options.stride, options.padding,
                                         options.output_padding, options.dilation, options.groups);
      CHECK(support::difference(support::offline(conv, x), expected) < support::tolerance<T>);
    }
}

}  // namespace

TEMPLATE_TEST_CASE("ConvTranspose1d: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index taps = GENERATE(1, 2, 3, 5), stride = GENERATE(1, 2, 3), dilation = GENERATE(1, 2, 3);
  for (const Index padding : {0, 1, 4})
    for (Index extra = 0; extra < std::max(stride, dilation); ++extra)
      support::check_contract(
          support::random_conv_transpose<TestType>(
              2, 3, taps,
              {.stride = stride, .padding = padding, .output_padding = extra, .dilation = dilation}),
          padding == 1 ? 3 : 1, {.light = padding == 4 || extra > 1});
}

TEST_CASE("ConvTranspose1d: the law for every number of channels and for groups", "[layer][property]") {
  const auto [in, out, groups] = GENERATE(table<Index, Index, Index>(
      {{1, 1, 1}, {4, 4, 1}, {5, 3, 1}, {8, 16, 1}, {17, 2, 1}, {3, 33, 1}, {65, 64, 1}, {4, 4, 2}, {6, 9, 3},
       {8, 8, 8}, {3, 6, 3}, {34, 34, 2}}));
  const Index stride = GENERATE(1, 3);
  for (const Index batch : {1, 3})
    support::check_contract(
        support::random_conv_transpose<float>(in, out, 4, {.stride = stride, .padding = 1, .groups = groups}), batch,
        {.light = true});
}

TEST_CASE("ConvTranspose1d: strides and paddings beyond the field", "[layer][property]") {
  for (const auto& [taps, options] :
       {std::pair(1, ConvTranspose1dOptions{.stride = 5}), std::pair(2, ConvTranspose1dOptions{.stride = 7, .padding = 3}),
        std::pair(1, ConvTranspose1dOptions{.stride = 4, .padding = 9, .output_padding = 3}),
        std::pair(3, ConvTranspose1dOptions{.stride = 2, .padding = 30}),
        std::pair(2, ConvTranspose1dOptions{.stride = 3, .output_padding = 30, .dilation = 40})})
    support::check_contract(support::random_conv_transpose<float>(2, 2, taps, options), 1);
}

TEMPLATE_TEST_CASE("ConvTranspose1d: the scattered sum of the definition", "[layer]", float, double) {
  for (const Index taps : {1, 2, 3, 4})
    for (const Index stride : {1, 2, 3, 5})
      for (const Index dilation : {1, 2, 3})
        for (const Index padding : {0, 1, 3}) {
          const Index extra = std::max(stride, dilation) - 1;
          check_naive_transposed<TestType>(2, 3, taps, {.stride = stride, .padding = padding, .dilation = dilation}, true);
          check_naive_transposed<TestType>(2, 3, taps, {.stride = stride, .padding = {padding, 2}, .dilation = dilation}, true);
          check_naive_transposed<TestType>(
              4, 6, taps,
              {.stride = stride, .padding = padding, .output_padding = extra, .dilation = dilation, .groups = 2}, false);
        }
  check_naive_transposed<TestType>(33, 20, 4, {.stride = 2, .padding = 1}, true);
  check_naive_transposed<TestType>(8, 8, 4, {.stride = 2, .padding = 1, .groups = 8}, true);
}

TEST_CASE("ConvTranspose1d: different padding at both ends", "[layer][property]") {
  const auto [left, right] = GENERATE(table<Index, Index>({{0, 1}, {0, 2}, {0, 5}, {3, 0}, {1, 4}, {0, 20}}));
  for (const Index stride : {1, 2, 3})
    for (const Index extra : {Index{0}, stride - 1})
      support::check_contract(support::random_conv_transpose<float>(
                                  2, 3, 4, {.stride = stride, .padding = {left, right}, .output_padding = extra}),
                              1, {.light = true});
}

TEST_CASE("ConvTranspose1d: what is cut off at the end costs no delay", "[layer]") {
  for (const Index stride : {1, 2, 3, 8})
    for (const Index taps : {stride, stride + 1, 2 * stride, 2 * stride + 3}) {
      const auto up = support::random_conv_transpose<float>(2, 2, taps, {.stride = stride, .padding = {0, taps - stride}});
      CHECK(up.timing().delay() == 0);
      CHECK(support::facts_of(up).max_flush == 0);
      CHECK(up.timing().outputs_after(7) == 7 * stride);
    }
}

TEST_CASE("ConvTranspose1d: NaN and infinity reach what their taps reach, and nothing else", "[layer][property]") {
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
  for (const Index taps : {1, 2, 3, 4, 5, 7})
    for (const Index stride : {1, 2, 3, 4, 6})
      for (const Index dilation : {1, 2, 3, 4})
        for (const Index groups : {1, 2})
          for (const es::Padding padding : {es::Padding(0), es::Padding(2), es::Padding(0, 3)}) {
            const Index extra = std::max(stride, dilation) - 1;
            INFO("taps " << taps << ", stride " << stride << ", dilation " << dilation << ", groups " << groups);
            const auto conv = support::random_conv_transpose<float>(
                4, 6, taps,
                {.stride = stride, .padding = padding, .output_padding = extra, .dilation = dilation, .groups = groups});
            support::Random random(3);
            for (const Index batch : {1, 2}) {
              auto x = support::random_tensor<float>(random, 4, batch, 9);
              const Index at = 4, channel = 3;
              x(channel, batch - 1, at) = bad;
              const auto y = support::offline(conv, x);
              for (Index m = 0; m < y.dimension(2); ++m)
                for (Index b = 0; b < batch; ++b)
                  for (Index o = 0; o < 6; ++o) {
                    const Index back = m + padding.left - at * stride;
                    const bool reached = back >= 0 && back % dilation == 0 && back / dilation < taps &&
                                         b == batch - 1 && o / (6 / groups) == channel / (4 / groups);
                    REQUIRE(std::isfinite(y(o, b, m)) == !reached);
                  }
            }
          }
}

TEST_CASE("ConvTranspose1d: worked examples", "[layer]") {
  struct Row {
    Index taps, stride, dilation, padding, extra;
    Calls calls;  // of 1, 2, 3, one at a time, the last one final
  };
  const Row rows[] = {
      {3, 1, 1, 0, 0, {{11}, {14}, {20, 22, 19}}},
      {3, 2, 1, 0, 0, {{11, 12}, {15, 14}, {19, 16, 19}}},
      {2, 3, 1, 0, 0, {{11, 12}, {10, 12, 14}, {10, 13, 16}}},
      {1, 3, 1, 0, 0, {{11}, {10, 10, 12}, {10, 10, 13}}},
      {2, 1, 2, 0, 0, {{11}, {12}, {15, 14, 16}}},
      {3, 2, 1, 1, 0, {{12}, {15, 14}, {19, 16}}},
      {3, 2, 1, 1, 1, {{12}, {15, 14}, {19, 16, 19}}},
      {2, 3, 1, 0, 2, {{11, 12}, {10, 12, 14}, {10, 13, 16, 10, 10}}},
      {4, 2, 1, 2, 1, {{}, {15, 18}, {19, 24, 19}}},
  };
  for (const Row& row : rows) {
    INFO("taps " << row.taps << ", stride " << row.stride << ", dilation " << row.dilation << ", padding "
                 << row.padding << ", output_padding " << row.extra);
    es::Stream stream(ConvTranspose1d<float>(
        support::counting({1, 1, row.taps}), es::Weights<float>({1}, {10.0f}),
        {.stride = row.stride, .padding = row.padding, .output_padding = row.extra, .dilation = row.dilation}));
    CHECK(support::calls(stream, {1, 2, 3}, {1, 1, 1}) == row.calls);
    CHECK(support::calls(stream, {1, 2, 3}, {1, 1, 1}) == row.calls);  // the next signal
    std::vector<float> whole;
    for (const auto& call : row.calls) whole.insert(whole.end(), call.begin(), call.end());
    CHECK(support::calls(stream, {1, 2, 3}, {3}) == Calls{whole});
  }
}

TEST_CASE("ConvTranspose1d: shapes, counts and timing", "[layer]") {
  const auto conv =
      support::random_conv_transpose<float>(4, 6, 3, {.stride = 2, .padding = 1, .output_padding = 1, .groups = 2});
  CHECK(conv.wanted().channels == 4);
  CHECK(conv.facts({4}).out.channels == 6);
  CHECK(support::facts_of(conv).parameters == 4 * 3 * 3 + 6);
  CHECK(conv.timing().rate() == es::Rate{2, 1});
  CHECK(conv.timing().stride() == 1);
  CHECK(conv.timing().receptive_field() == 2);
  CHECK(conv.timing().delay() == 1);  // output 1 is position 2, input 1's first
  const auto gap = support::random_conv_transpose<float>(1, 1, 1, {.stride = 3});
  CHECK(gap.timing().receptive_field() == 1);
  CHECK(gap.timing().delay() == 1);  // whether the gap exists, only the next input shows
}

TEST_CASE("ConvTranspose1d: fingerprints tell options and weights apart", "[layer]") {
  const auto print = [](ConvTranspose1dOptions options, std::uint64_t seed = 1) {
    return support::random_conv_transpose<float>(2, 2, 3, options, true, seed).fingerprint();
  };
  const auto base = print({.stride = 2});
  CHECK(base == print({.stride = 2}));
  CHECK(base != print({.stride = 2}, 2));
  for (const ConvTranspose1dOptions& options :
       {ConvTranspose1dOptions{.stride = 3}, {.stride = 2, .padding = 1}, {.stride = 2, .output_padding = 1},
        {.stride = 2, .dilation = 2}, {.stride = 2, .padding = {0, 1}}, {.stride = 2, .padding = {1, 0}}})
    CHECK(base != print(options));
}

TEST_CASE("ConvTranspose1d: impossible sizes are refused by name", "[layer][error]") {
  using support::counting;
  using support::refuses;
  const auto conv = [](std::vector<Index> weight, ConvTranspose1dOptions options) {
    return ConvTranspose1d<float>(counting(std::move(weight)), {}, options);
  };
  CHECK(refuses([&] { conv({3, 2}, {}); }, {"ConvTranspose1d", "(3,2)"}));
  CHECK(refuses([&] { conv({3, 0, 2}, {}); }, {"ConvTranspose1d", "(3,0,2)"}));
  CHECK(refuses([&] { conv({3, 2, 0}, {}); }, {"ConvTranspose1d", "(3,2,0)"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {.stride = 0}); }, {"ConvTranspose1d", "stride = 0"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {.padding = -1}); }, {"ConvTranspose1d", "padding = -1"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {.padding = {0, -2}}); }, {"ConvTranspose1d", "padding = -2"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {.dilation = 0}); }, {"ConvTranspose1d", "dilation = 0"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {.groups = 0}); }, {"ConvTranspose1d", "groups = 0"}));
  CHECK(refuses([&] { conv({3, 3, 4}, {.groups = 2}); }, {"ConvTranspose1d", "3", "2 groups"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {.stride = 2, .output_padding = 2}); },
                {"ConvTranspose1d", "output_padding = 2"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {.output_padding = -1}); }, {"ConvTranspose1d", "output_padding = -1"}));
  CHECK_FALSE(support::caught([&] { conv({2, 3, 4}, {.output_padding = 1, .dilation = 2}); }));
  CHECK(refuses([&] { ConvTranspose1d<float>(counting({2, 3, 4}), counting({2})); },
                {"ConvTranspose1d", "bias", "(2)", "(3)"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}).facts({3}); }, {"ConvTranspose1d", "2 channels", "not 3"}));
}

TEST_CASE("ConvTranspose1d: without_padding() is the same without padding", "[layer]") {
  for (const Index taps : {1, 2, 3, 5, 7})
    for (const Index stride : {1, 2, 3, 6})
      for (const Index dilation : {1, 2, 5})
        for (const Index groups : {1, 2})
          for (const bool bias : {false, true}) {
            es::ConvTranspose1dOptions options{.stride = stride, .dilation = dilation, .groups = groups};
            const auto plain = support::random_conv_transpose<float>(4, 6, taps, options, bias);
            options.padding = {4, taps};
            options.output_padding = std::max(stride, dilation) - 1;
            const auto valid = support::random_conv_transpose<float>(4, 6, taps, options, bias).without_padding();
            REQUIRE(valid.fingerprint() == plain.fingerprint());
            support::check_equal(valid, plain, 2);
          }
}
