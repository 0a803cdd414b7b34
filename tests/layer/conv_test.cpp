#include "eigenstream/layer/conv.hpp"

#include <cmath>
#include <limits>
#include <tuple>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Conv1dOptions;
using es::Index;
using es::Padding;
using es::PaddingMode;
using support::Calls;
using support::counting_conv;

namespace {

// Options by name, as a user writes them.
Conv1dOptions with(Index stride, Index dilation, Padding padding = {}, Index groups = 1) {
  return {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups};
}

Conv1dOptions replicated(Conv1dOptions options) {
  options.padding_mode = PaddingMode::replicate;
  return options;
}
Conv1dOptions filled(Conv1dOptions options, double value) {
  options.padding_mode = PaddingMode::constant;
  options.padding_value = value;
  return options;
}

template <class T>
void check_naive(Index in, Index out, Index taps, Conv1dOptions options, bool bias) {
  INFO("in " << in << ", out " << out << ", taps " << taps << ", stride " << options.stride << ", dilation "
             << options.dilation << ", groups " << options.groups << ", padding " << options.padding.left << " and "
             << options.padding.right);
  support::Random random(5);
  const Index inputs = in / options.groups * taps;
  const auto weight = support::random_weights<T>({out, in / options.groups, taps}, random, inputs);
  const auto bias_values = bias ? support::random_weights<T>({out}, random, inputs) : es::Weights<T>();
  const Conv1d<T> conv(weight, bias_values, options);
  for (const Index batch : {1, 2})
    for (const Index n : {0, 1, 2, 3, 4, 9, 40}) {
      const auto x = support::random_tensor<T>(random, in, batch, n);
      const auto padded = support::naive::pad(x, options.padding.left, options.padding.right, options.padding_mode,
                                              options.padding_value);
      const auto expected =
          support::naive::conv(padded, weight, bias_values, options.stride, 0, 0, options.dilation, options.groups);
      CHECK(support::difference(support::offline(conv, x), expected) < support::tolerance<T>);
    }
}

template <Index In, Index Out, Index Taps, class T = float>
void check_static(Conv1dOptions options) {
  INFO("Conv1d<" << In << "," << Out << "," << Taps << ">, stride " << options.stride << ", dilation "
                 << options.dilation << ", padding " << options.padding.left << " and " << options.padding.right);
  const auto fixed = support::random_conv<Conv1d<T, In, Out, Taps>>(In, Out, Taps, options);
  const auto dynamic = support::random_conv<Conv1d<T>>(In, Out, Taps, options);
  for (const Index batch : {1, 3}) {
    support::check_contract(fixed, batch);
    support::check_equal(fixed, dynamic, batch);
  }
}

template <Index Channels, Index Taps, class T = float>
void check_static_depthwise(Conv1dOptions options) {
  INFO("Channels " << Channels << ", taps " << Taps << ", stride " << options.stride << ", dilation " << options.dilation
                   << ", padding " << options.padding.left << " and " << options.padding.right);
  const auto fixed = support::random_conv<Conv1d<T, Channels, Channels, Taps, Channels>>(Channels, Channels, Taps, options);
  const auto dynamic = support::random_conv<Conv1d<T>>(Channels, Channels, Taps, options);
  for (const Index batch : {1, 3}) {
    support::check_contract(fixed, batch);
    support::check_equal(fixed, dynamic, batch);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("Conv1d: any chunking gives the offline output", "[layer][property]", (Conv1d<float>),
                   (Conv1d<double>), (Conv1d<float, 3>), (Conv1d<float, 3, 2>)) {
  const Index taps = GENERATE(1, 2, 3, 5), stride = GENERATE(1, 2, 3), dilation = GENERATE(1, 4);
  for (const Index batch : {1, 3})
    support::check_contract(support::random_conv<TestType>(3, 2, taps, with(stride, dilation)), batch);
}

TEST_CASE("Conv1d: the law for every number of channels", "[layer][property]") {
  const auto [in, out] = GENERATE(table<Index, Index>({{1, 1}, {1, 5}, {2, 3}, {3, 1}, {4, 4}, {5, 8}, {8, 8}, {8, 2},
                                                       {16, 16}, {17, 16}, {16, 17}, {33, 3}, {3, 33}, {32, 32},
                                                       {64, 65}, {65, 64}, {2, 130}}));
  const Index taps = GENERATE(1, 3);
  for (const Index batch : {1, 3})
    support::check_contract(support::random_conv<Conv1d<float>>(in, out, taps, with(1, 1, 1), taps > 1),
                            batch, {.light = true});
}

TEST_CASE("Conv1d: the law for a channel by itself, with chunks read where they are and sizes fixed", "[layer][property]") {
  const Index stride = GENERATE(1, 2), dilation = GENERATE(1, 3);
  const Padding padding = GENERATE(Padding{}, Padding{2, 1}, Padding{8, 0});
  check_static_depthwise<4, 3>(with(stride, dilation, padding, 4));
  check_static_depthwise<17, 5>(with(stride, dilation, padding, 17));
  if (support::small_target) return;
  check_static_depthwise<32, 2>(replicated(with(stride, dilation, padding, 32)));
  // So wide that even short chunks are not copied.
  support::check_contract(support::random_conv<Conv1d<float>>(600, 600, 3, with(stride, dilation, padding, 600)), 1, {.light = true});
  support::check_contract(support::random_conv<Conv1d<float>>(48, 48, 3, with(stride, dilation, padding, 48)), 6, {.light = true});
}

TEST_CASE("Conv1d: the law for every padding", "[layer][property]") {
  const Index left = GENERATE(0, 1, 2, 4, 5, 9), right = GENERATE(0, 1, 3, 6), stride = GENERATE(1, 2, 3, 7);
  support::check_contract(support::random_conv<Conv1d<float>>(2, 3, 3, with(stride, 2, {left, right})), 1);
  support::check_contract(support::random_conv<Conv1d<float>>(2, 3, 5, with(stride, 1, {left, right})), 2,
                          {.light = true});
}

TEST_CASE("Conv1d: the law for frames repeated before and after, or of a given number", "[layer][property]") {
  const Index left = GENERATE(0, 1, 4, 9), right = GENERATE(0, 1, 6), stride = GENERATE(1, 2, 7);
  if (support::small_target && (left == 1 || right == 1)) return;
  const Conv1dOptions options = with(stride, 2, {left, right});
  const support::ContractOptions light{.light = true}, once{.light = support::small_target && stride != 2};
  support::check_contract(support::random_conv<Conv1d<float>>(2, 3, 3, replicated(options)), 1, once);
  support::check_contract(support::random_conv<Conv1d<float>>(2, 3, 3, filled(options, -1.5)), 1, once);
  for (const Index batch : {1, 3}) {
    if (support::small_target && batch == 3 && stride != 2) continue;
    support::check_contract(support::random_conv<Conv1d<float>>(2, 3, 1, replicated(options)), batch, light);
    support::check_contract(support::random_conv<Conv1d<float>>(6, 6, 4, replicated(with(stride, 1, {left, right}, 3))),
                            batch, light);
    support::check_contract(
        support::random_conv<Conv1d<float>>(17, 17, 3, replicated(with(stride, 1, {left, right}, 17))), batch, light);
    support::check_contract(
        support::random_conv<Conv1d<float>>(5, 5, 3, filled(with(stride, 2, {left, right}, 5), 0.75)), batch,
        {.light = true});
  }
  if (left == 9)  // longer than a tile of the history
    support::check_contract(support::random_conv<Conv1d<float>>(1, 1, 2, replicated(with(1, 1, {5000, 5000}))), 1,
                            {.exact = false, .light = true});
}

TEST_CASE("Conv1d: the law for groups, one channel per group and several outputs per input", "[layer][property]") {
  const auto [in, out, groups] = GENERATE(table<Index, Index, Index>({{4, 4, 2}, {6, 9, 3}, {2, 2, 2}, {8, 8, 8},
                                                                      {17, 17, 17}, {65, 65, 65}, {4, 8, 4}, {3, 9, 3},
                                                                      {16, 48, 2}, {34, 34, 2}}));
  const Index stride = GENERATE(1, 2);
  for (const Index batch : {1, 3})
    support::check_contract(support::random_conv<Conv1d<float>>(in, out, 3, with(stride, 2, {1, 2}, groups)), batch,
                            {.light = in > 10});
}

TEST_CASE("Conv1d: a stride beyond the field, and fields of many frames", "[layer][property]") {
  for (const auto& [taps, options] : {std::pair(1, with(4, 1)), std::pair(2, with(7, 2)), std::pair(1, with(2, 9)),
                                      std::pair(2, with(1, 60)), std::pair(3, with(2, 40, {70, 10}))})
    support::check_contract(support::random_conv<Conv1d<float>>(2, 2, taps, options), 1);
  // Longer than the history is at first, and wider than a tile.
  support::check_contract(support::random_conv<Conv1d<float>>(1, 1, 2, with(1, 700, {5, 5})), 1, {.light = true});
}

TEST_CASE("Conv1d: sizes fixed at compile time", "[layer][property]") {
  for (const Conv1dOptions& options : {with(1, 1), with(2, 3, {2, 1}), with(5, 1)}) {
    check_static<1, 1, 1>(options.padding.left > 0 ? with(1, 1) : options);
    check_static<3, 2, 2>(options);
    check_static<4, 4, 3>(options);
    check_static<8, 16, 3>(options);
    check_static<17, 33, 2>(options);
    check_static<2, 3, 5, double>(options);
  }
  for (const Conv1dOptions& options : {replicated(with(1, 2, {3, 1})), replicated(with(1, 1, {9, 7})),
                                       replicated(with(2, 1, {0, 2})), filled(with(1, 1, {2, 2}), 3)}) {
    check_static<1, 1, 1>(options);
    check_static<3, 2, 2>(options);
    check_static<8, 8, 3>(options);
  }
  // Types that name some of the sizes.
  support::check_equal(support::random_conv<Conv1d<float, 3>>(3, 2, 4), support::random_conv<Conv1d<float>>(3, 2, 4));
  support::check_equal(support::random_conv<Conv1d<float, 3, 2>>(3, 2, 4),
                       support::random_conv<Conv1d<float>>(3, 2, 4), 2);
}

TEMPLATE_TEST_CASE("Conv1d: the sum of the definition", "[layer]", float, double) {
  for (const Index taps : {1, 2, 3, 4, 5})
    for (const Index stride : {1, 2, 5})
      for (const Index dilation : {1, 2}) {
        const Index reach = (taps - 1) * dilation;
        check_naive<TestType>(3, 5, taps, with(stride, dilation), true);
        check_naive<TestType>(4, 16, taps, with(stride, dilation, {reach, 0}), false);
        check_naive<TestType>(6, 6, taps, with(stride, dilation, {reach / 2, reach + 1}, 3), true);
        check_naive<TestType>(20, 20, taps, with(stride, dilation, reach / 2, 20), taps % 2 == 0);
        for (const Padding& padding : {Padding(reach, 0), Padding(reach / 2), Padding(3, 1), Padding(0, reach + 5)}) {
          check_naive<TestType>(3, 5, taps, replicated(with(stride, dilation, padding)), true);
          check_naive<TestType>(4, 4, taps, replicated(with(stride, dilation, padding, 4)), true);
          check_naive<TestType>(3, 5, taps, filled(with(stride, dilation, padding), 1.75), false);
        }
      }
  check_naive<TestType>(33, 65, 3, with(1, 1, 1), true);
  check_naive<TestType>(64, 40, 4, with(2, 2, 1), true);
}

TEST_CASE("Conv1d: worked examples", "[layer]") {
  struct Row {
    Index taps;
    Conv1dOptions options;
    std::vector<Index> chunks;
    Calls calls;
  };
  const Row rows[] = {
      {3, with(2, 1), {3, 1, 2, 2}, {{14}, {}, {26}, {38}}},
      {2, with(3, 1), {1, 1, 2, 2, 1, 1}, {{}, {5}, {}, {14}, {}, {23}}},
      {2, with(1, 3), {2, 3, 3}, {{}, {9, 12}, {15, 18, 21}}},
      {3, with(1, 1, 1), {8, 0}, {{8, 14, 20, 26, 32, 38, 44}, {23}}},
      {3, with(2, 1, 1), {8, 0}, {{8, 20, 32, 44}, {}}},
      {4, with(1, 1, {1, 2}), {8, 0}, {{20, 30, 40, 50, 60, 70}, {44, 23}}},
      {3, with(1, 1, Padding::causal(3)), {1, 2, 0, 1}, {{3}, {8, 14}, {}, {20}}},
      {3, replicated(with(1, 1, 1)), {8, 0}, {{9, 14, 20, 26, 32, 38, 44}, {47}}},
      {3, replicated(with(1, 1, 1)), {1, 0}, {{}, {6}}},
      {3, replicated(with(1, 1, {2, 3})), {1, 1}, {{6}, {9, 11, 12, 12}}},
      {1, replicated(with(1, 1, {1, 2})), {2, 0, 0}, {{1, 1, 2}, {}, {2, 2}}},
      {3, filled(with(1, 1, 1), 10), {2, 1}, {{18}, {14, 38}}},
      {3, with(1, 1), {2, 0}, {{}, {}}},  // shorter than the field: nothing
  };
  for (const Row& row : rows) {
    es::Stream stream(counting_conv(row.taps, row.options));
    CHECK(support::calls(stream, support::count_to(8), row.chunks) == row.calls);
    CHECK(support::calls(stream, support::count_to(8), row.chunks) == row.calls);  // the next signal
  }
}

TEST_CASE("Conv1d: shapes, counts and timing", "[layer]") {
  const auto conv = support::random_conv<Conv1d<float>>(4, 6, 3, with(2, 3, {2, 5}, 2));
  CHECK(conv.wanted().channels == 4);
  CHECK(conv.facts({4}).out.channels == 6);
  CHECK(conv.taps() == 3);
  CHECK(support::facts_of(conv).parameters == 6 * 2 * 3 + 6);
  CHECK(conv.facts({4}).macs == 18);
  CHECK(conv.timing().receptive_field() == 7);
  CHECK(conv.timing().padding() == 2);
  CHECK(conv.timing().delay() == 4);
  CHECK(conv.timing().stride() == 2);
  CHECK(conv.timing().rate() == es::Rate{1, 2});
  CHECK(support::facts_of(support::random_conv<Conv1d<float>>(4, 6, 3, {}, false)).parameters == 72);
  CHECK(Padding::causal(3, 4).left == 8);
  CHECK(Padding::causal(3, 4).right == 0);
}

TEST_CASE("Conv1d: fingerprints tell options and weights apart", "[layer]") {
  const auto print = [](Conv1dOptions options, std::uint64_t seed = 1) {
    return support::random_conv<Conv1d<float>>(2, 2, 3, options, true, seed).fingerprint();
  };
  const auto base = print({});
  CHECK(base == print({}));
  CHECK(base != print({}, 2));
  for (const Conv1dOptions& options : {with(2, 1), with(1, 2), with(1, 1, {1, 0}), with(1, 1, {0, 1})})
    CHECK(base != print(options));
}

TEST_CASE("Conv1d: virtual frames that hold zeros are zeros, and where there are none their kind is nothing", "[layer]") {
  const auto print = [](const Conv1dOptions& options) {
    return support::random_conv<Conv1d<float>>(2, 2, 3, options).fingerprint();
  };
  const auto padded = print(with(1, 1, 1));
  CHECK(padded == print(filled(with(1, 1, 1), 0)));
  CHECK(padded == print(filled(with(1, 1, 1), -0.0)));
  CHECK(padded != print(filled(with(1, 1, 1), 1)));
  CHECK(padded != print(replicated(with(1, 1, 1))));
  CHECK(print(filled(with(1, 1, 1), 1)) != print(filled(with(1, 1, 1), 2)));
  CHECK(print(with(1, 1)) == print(replicated(with(1, 1))));
  CHECK(print(with(1, 1)) == print(filled(with(1, 1), 1)));
}

TEST_CASE("Conv1d: the state before the first frame is the initial one", "[layer]") {
  es::Stream stream(counting_conv(3, replicated(with(1, 1, 2))));
  const es::State fresh = stream.get_state();
  CHECK(support::calls(stream, {5}, {0, 0}, false) == Calls{{}, {}});
  CHECK(stream.get_state() == fresh);
  CHECK(support::calls(stream, {5}, {1}, false) == Calls{{30}});
  CHECK(stream.get_state() != fresh);
}

TEMPLATE_TEST_CASE("Conv1d: without_padding() is the same convolution without padding", "[layer]", (Conv1d<float>),
                   (Conv1d<double>), (Conv1d<float, 6, 6, 3>)) {
  using T = typename TestType::Scalar;
  for (const Index groups : {1, 2, 6}) {
    if (groups > 1 && std::is_same_v<TestType, Conv1d<float, 6, 6, 3>>) continue;
    for (const bool bias : {false, true}) {
      const auto plain = support::random_conv<TestType>(6, 6, 3, with(2, 3, {}, groups), bias);
      for (const Conv1dOptions& options : {with(2, 3, {2, 3}, groups), replicated(with(2, 3, {2, 3}, groups)),
                                           filled(with(2, 3, {0, 3}, groups), 2), replicated(with(2, 3, {}, groups))}) {
        const TestType valid = support::random_conv<TestType>(6, 6, 3, options, bias).without_padding();
        CHECK(valid.fingerprint() == plain.fingerprint());
        CHECK(valid.options().padding.left + valid.options().padding.right == 0);
        support::check_equal(valid, plain, 2);
      }
    }
  }
  // Every way in which weights are packed.
  for (const Index out : {1, 3, 5, 8, 9, 16, 17, 31, 33, 64, 65, 130})
    for (const Index in : {1, 2, 4, 7, 8})
      for (const Index taps : {1, 2, 3, 5, 8}) {
        support::Random random(3);
        const auto weight = support::random_weights<T>({out, in, taps}, random);
        const auto bias = support::random_weights<T>({out}, random);
        const Conv1d<T> conv(weight, bias, with(1, 1, 1));
        REQUIRE(conv.weight() == weight);
        REQUIRE(conv.bias() == bias);
      }
}

TEST_CASE("Conv1d: what is not finite stays in its windows and groups", "[layer]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Index groups : {2, 6}) {
    const auto conv = support::random_conv<Conv1d<float>>(6, 6, 2, with(1, 2, {}, groups));
    support::Random random;
    support::Signal<float> x = support::random_tensor<float>(random, 6, 1, 10);
    x(0, 0, 5) = nan;
    const auto y = support::offline(conv, x);
    for (Index t = 0; t < y.dimension(2); ++t)
      for (Index c = 0; c < 6; ++c)
        CHECK(std::isnan(y(c, 0, t)) == ((t == 5 || t == 3) && c < 6 / groups));
  }
}

TEST_CASE("Conv1d: impossible sizes are refused by name", "[layer][error]") {
  using support::counting;
  using support::refuses;
  const auto conv = [](std::vector<Index> weight, std::vector<Index> bias, Conv1dOptions options) {
    return Conv1d<float>(counting(std::move(weight)), bias.empty() ? es::Weights<float>() : counting(std::move(bias)),
                         options);
  };
  CHECK(refuses([&] { conv({3, 2}, {}, {}); }, {"Conv1d", "(3,2)"}));
  CHECK(refuses([&] { conv({0, 2, 3}, {}, {}); }, {"Conv1d", "(0,2,3)"}));
  CHECK(refuses([&] { conv({2, 0, 3}, {}, {}); }, {"Conv1d", "(2,0,3)"}));
  CHECK(refuses([&] { conv({2, 3, 0}, {}, {}); }, {"Conv1d", "(2,3,0)"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {3}, {}); }, {"Conv1d", "bias", "(3)", "(2)"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {1, 2}, {}); }, {"Conv1d", "bias", "(1,2)", "(2)"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}, with(0, 1)); }, {"Conv1d", "stride = 0"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}, with(-1, 1)); }, {"Conv1d", "stride = -1"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}, with(1, 0)); }, {"Conv1d", "dilation = 0"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}, with(1, 1, {}, 0)); }, {"Conv1d", "groups = 0"}));
  CHECK(refuses([&] { conv({5, 3, 4}, {}, with(1, 1, {}, 2)); }, {"Conv1d", "5", "2 groups"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}, with(1, 1, {-1, 0})); }, {"Conv1d", "padding = (-1,0)"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}, with(1, 1, {0, -2})); }, {"Conv1d", "padding = (0,-2)"}));
  CHECK_FALSE(support::caught([&] { conv({2, 3, 4}, {}, with(1, 2, {70, 100})); }));
  Conv1dOptions value = with(1, 1, 1);
  value.padding_value = 2;
  CHECK(refuses([&] { conv({2, 3, 4}, {}, value); }, {"Conv1d", "padding_value = 2", "constant"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}, filled(with(1, 1, 1), 1e300)); }, {"Conv1d", "padding_value", "finite"}));
  CHECK(refuses([&] { conv({2, 3, 4}, {}, {}).facts({2}); }, {"Conv1d", "3 channels", "not 2"}));

  using Fixed = Conv1d<float, 3, 2, 4>;
  CHECK(refuses([&] { Fixed(counting({2, 2, 4})); }, {"Conv1d", "2 input channels", "type 3"}));
  CHECK(refuses([&] { Fixed(counting({3, 3, 4})); }, {"Conv1d", "3 output channels", "type 2"}));
  CHECK(refuses([&] { Fixed(counting({2, 3, 5})); }, {"Conv1d", "5 taps", "type 4"}));
  CHECK(refuses([&] { Conv1d<float, 4, 2, 3>(counting({2, 2, 3}), {}, with(1, 1, {}, 2)); }, {"Conv1d", "groups"}));
}
