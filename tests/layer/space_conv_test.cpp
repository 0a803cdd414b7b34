#include "eigenstream/layer/space_conv.hpp"

#include <limits>

#include "eigenstream/compose/sequential.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"
#include "support/space.hpp"

namespace es = eigenstream;
using es::Conv2d;
using es::Conv2dOptions;
using es::Conv3d;
using es::Conv3dOptions;
using es::ConvTranspose2d;
using es::ConvTranspose2dOptions;
using es::ConvTranspose3d;
using es::ConvTranspose3dOptions;
using es::FrameShape;
using es::Index;
using es::Padding;
using es::PaddingMode;
using es::WindowAxis;
using support::counting;
using support::refuses;

namespace {

template <class T, int Axes>
struct Setup {
  es::Weights<T> weight, bias;
  es::SpaceConvOptions<Axes> options;
  es::SpaceConv<T, Axes> conv() const { return es::SpaceConv<T, Axes>(weight, bias, options); }
  WindowAxis axis(int a) const {
    return {weight.shape[static_cast<std::size_t>(a) + 2], options.stride[a], options.padding[a], options.dilation[a]};
  }
};

template <class T, int Axes>
Setup<T, Axes> random_setup(std::vector<Index> shape, es::SpaceConvOptions<Axes> options, bool bias = true) {
  support::Random random(5);
  Index inputs = 1;
  for (std::size_t d = 1; d < shape.size(); ++d) inputs *= shape[d];
  const Index out = shape[0];
  const auto weight = support::random_weights<T>(std::move(shape), random, inputs);
  return {weight, bias ? support::random_weights<T>({out}, random, inputs) : es::Weights<T>(), options};
}

// The definition.
template <class T, int Axes>
void check_naive(const Setup<T, Axes>& setup, const FrameShape& in, Index frames) {
  support::Random random(9);
  const support::Video<T> x(in, frames, random);
  const auto conv = setup.conv();
  const WindowAxis time = setup.axis(0), height = Axes == 3 ? setup.axis(1) : WindowAxis(), width = setup.axis(Axes - 1);
  const support::Video<T> y = support::offline(conv, x);
  INFO("frames of " << in.text() << ", time " << time.taps << "/" << time.stride << ", height " << height.taps << ", width "
                    << width.taps << "/" << width.stride << ", groups " << setup.options.groups);
  REQUIRE(y.count == (frames == 0 ? 0 : time.windows(frames)));
  REQUIRE(y.shape == FrameShape{setup.weight.shape[0], width.windows(in.width), height.windows(in.height), in.batch});
  const Index inputs = setup.weight.shape[1], outputs = y.shape.channels / setup.options.groups;
  const bool repeats = setup.options.padding_mode == PaddingMode::replicate;
  const auto at = [&](Index c, Index w, Index h, Index b, Index t) {
    const Index cw = std::clamp<Index>(w, 0, in.width - 1), ch = std::clamp<Index>(h, 0, in.height - 1),
                ct = std::clamp<Index>(t, 0, frames - 1);
    const bool within = cw == w && ch == h && ct == t;
    return within || repeats ? static_cast<double>(x(c, cw, ch, b, ct)) : setup.options.padding_value;
  };
  const double apart = support::difference(y, [&](Index o, Index w, Index h, Index b, Index m) {
    double sum = setup.bias.empty() ? 0 : static_cast<double>(setup.bias(o));
    for (Index i = 0; i < inputs; ++i) {
      Index k = 0;
      for (const Index kt : support::taps_of(time, m))
        for (const Index kh : support::taps_of(height, h))
          for (const Index kw : support::taps_of(width, w)) {
            const Index taps = time.taps * height.taps * width.taps;
            sum += static_cast<double>(setup.weight((o * inputs + i) * taps + k++)) *
                   at(o / outputs * inputs + i, kw, kh, b, kt);
          }
    }
    return sum;
  });
  CHECK(apart < support::tolerance<T>);
  CHECK(conv.weight() == setup.weight);
  CHECK(conv.bias() == setup.bias);
}

Conv2dOptions replicated_space(Conv2dOptions options) {
  options.padding_mode = PaddingMode::replicate;
  return options;
}

}  // namespace

TEMPLATE_TEST_CASE("Conv2d: the sum of the definition", "[layer]", float, double) {
  using T = TestType;
  const Index time = GENERATE(1, 2, 3), width = GENERATE(1, 3, 4);
  for (const Conv2dOptions& options :
       {Conv2dOptions{}, Conv2dOptions{.padding = {{2, 1}, 1}}, Conv2dOptions{.stride = {2, 3}, .padding = {1, {0, 2}}},
        Conv2dOptions{.padding = {0, {3, 4}}, .dilation = {3, 2}}, replicated_space({.stride = {1, 2}, .padding = {2, {3, 1}}}),
        Conv2dOptions{.padding = {1, 2}, .padding_mode = PaddingMode::constant, .padding_value = -1.5}})
    for (const Index batch : {1, 2}) {
      check_naive(random_setup<T, 2>({5, 3, time, width}, options), {3, 7, 1, batch}, 9);
      Conv2dOptions grouped = options;
      grouped.groups = 2;
      check_naive(random_setup<T, 2>({6, 2, time, width}, grouped, false), {4, 9, 1, batch}, 8);
      grouped.groups = 17;
      check_naive(random_setup<T, 2>({17, 1, time, width}, grouped), {17, 8, 2, batch}, 7);  // a height is further columns
    }
  check_naive(random_setup<T, 2>({33, 16, time, width}, {.padding = {0, 1}}), {16, 20, 1, 1}, 4);
  check_naive(random_setup<T, 2>({4, 1, time, width}, {.padding = 3}), {1, 1, 1, 1}, 5);
}

TEMPLATE_TEST_CASE("Conv3d: the sum of the definition, random sizes", "[layer]", float, double) {
  support::Random random(3);
  for (int round = 0; round < 60; ++round) {
    const Index groups = random.pick({1, 1, 1, 2, 3}), kind = random.integer(0, 3);
    const Index in = groups * random.pick({1, 1, 3, 8}), out = groups * random.pick({1, 1, 2, 5, 16});
    const std::vector<Index> shape{out, in / groups, random.integer(1, 3), random.integer(1, 3), random.integer(1, 4)};
    Conv3dOptions options{.groups = groups};
    for (int a = 0; a < 3; ++a) {
      options.stride[a] = random.pick({1, 1, 2, 3});
      options.dilation[a] = random.pick({1, 1, 2});
      options.padding[a] = {random.integer(0, 3), random.integer(0, 2)};
      if (kind == 0) options.padding[a] = {};
    }
    if (kind == 2) options.padding_mode = PaddingMode::replicate;
    if (kind == 3) options.padding_mode = PaddingMode::constant, options.padding_value = 0.75;
    const FrameShape frame{in, random.integer(7, 10), random.integer(5, 8), random.integer(1, 2)};
    check_naive(random_setup<TestType, 3>(shape, options, random.chance(0.5)), frame, random.integer(0, 9));
  }
}

TEST_CASE("Conv2d: any chunking gives the offline output", "[layer][property]") {
  const auto [time, width] = GENERATE(table<Index, Index>({{1, 3}, {3, 1}, {3, 3}, {2, 4}}));
  for (const Conv2dOptions& options :
       {Conv2dOptions{}, Conv2dOptions{.padding = 1}, Conv2dOptions{.stride = {2, 2}, .padding = {{2, 0}, 1}},
        replicated_space({.padding = {1, 2}}), Conv2dOptions{.padding = {{1, 2}, 1}, .dilation = {2, 1}}})
    for (const Index batch : {1, 2})
      support::check_contract(random_setup<float, 2>({3, 2, time, width}, options).conv(), batch,
                              {.light = batch == 2, .width = 5});
  support::check_contract(random_setup<float, 2>({17, 1, time, width}, {.padding = {1, 2}, .groups = 17}).conv(), 1,
                          {.light = true, .width = 4, .height = 2});
  support::check_contract(random_setup<double, 2>({16, 16, time, width}, {.padding = {0, 2}}).conv(), 1,
                          {.light = true, .width = 13});
}

TEST_CASE("Conv3d: any chunking gives the offline output", "[layer][property]") {
  const Conv3dOptions options[] = {{.padding = 1},
                                   {.stride = {2, 1, 2}, .padding = {{2, 0}, 1, {0, 1}}},
                                   {.padding = {0, 1, 0}, .dilation = {1, 2, 1}},
                                   {.padding = 1, .padding_mode = PaddingMode::replicate}};
  for (const Conv3dOptions& each : options)
    for (const Index times : {1, 3})
      support::check_contract(random_setup<float, 3>({3, 2, times, 3, 2}, each).conv(), 2, {.width = 4, .height = 5});
  // A frame that is larger than what a history has room for.
  support::check_contract(random_setup<float, 3>({2, 4, 2, 3, 3}, {.padding = 1}).conv(), 1,
                          {.light = true, .width = 40, .height = 30});
}

TEST_CASE("Conv2d: the worked tables", "[layer]") {
  struct Row {
    Index taps;
    Padding padding;
    Index stride;
    PaddingMode mode;
    std::vector<float> outputs;
  };
  const auto zeros = PaddingMode::zeros;
  const Row rows[] = {{3, 1, 1, zeros, {8, 14, 20, 26, 32, 38, 44, 23}}, {3, 1, 2, zeros, {8, 20, 32, 44}},
                      {3, 0, 2, zeros, {14, 26, 38}},                    {3, 2, 1, zeros, {3, 8, 14, 20, 26, 32, 38, 44, 23, 8}},
                      {3, 2, 2, zeros, {3, 14, 26, 38, 23}},             {3, 1, 3, zeros, {8, 26, 44}},
                      {2, 1, 2, zeros, {2, 8, 14, 20, 8}},               {4, 1, 2, zeros, {20, 40, 60, 44}},
                      {5, 2, 2, zeros, {26, 55, 85, 70}},                {5, 2, 3, zeros, {26, 70, 70}},
                      {1, 0, 2, zeros, {1, 3, 5, 7}},
                      {3, 1, 1, PaddingMode::replicate, {9, 14, 20, 26, 32, 38, 44, 47}}};
  for (const Row& row : rows) {
    support::Video<float> x({1, 2}, 8);
    for (Index t = 0; t < 8; ++t) x(0, 0, 0, 0, t) = static_cast<float>(t + 1), x(0, 1, 0, 0, t) = 2 * x(0, 0, 0, 0, t);
    const Conv2d<float> conv(counting({1, 1, row.taps, 1}), {},
                             {.stride = {row.stride, 1}, .padding = {row.padding, 0}, .padding_mode = row.mode});
    const auto y = support::offline(conv, x);
    REQUIRE(y.count == static_cast<Index>(row.outputs.size()));
    for (Index t = 0; t < y.count; ++t)
      for (Index w = 0; w < 2; ++w)
        CHECK(y(0, w, 0, 0, t) == static_cast<float>(w + 1) * row.outputs[static_cast<std::size_t>(t)]);
    // The same along the width of one frame.
    support::Video<float> line({1, 8}, 1);
    for (Index w = 0; w < 8; ++w) line(0, w, 0, 0, 0) = static_cast<float>(w + 1);
    const Conv2d<float> along(counting({1, 1, 1, row.taps}), {},
                              {.stride = {1, row.stride}, .padding = {0, row.padding}, .padding_mode = row.mode});
    CHECK(support::offline(along, line).values == row.outputs);
  }
}

TEST_CASE("Conv3d: shapes, counts and timing", "[layer]") {
  const auto conv = random_setup<float, 3>({6, 2, 3, 3, 5}, {.stride = {2, 1, 2}, .padding = {{2, 5}, 1, 2}, .dilation = {3, 1, 1},
                                                             .groups = 2}).conv();
  const es::Facts facts = conv.facts({4, 16, 9, 2});
  CHECK(conv.wanted() == FrameShape{4, 0, 0, 0});
  CHECK(facts.out == FrameShape{6, 8, 9, 2});
  CHECK(facts.parameters == 6 * 2 * 45 + 6);
  CHECK(facts.macs == 6 * 2 * 45 * 8 * 9 * 2 / 2.0);
  CHECK(conv.timing().receptive_field() == 7);
  CHECK(conv.timing().padding() == 2);
  CHECK(conv.timing().delay() == 4);
  CHECK(conv.timing().rate() == es::Rate{1, 2});
  // One tap in time: nothing is remembered.
  const auto each = random_setup<float, 3>({6, 4, 1, 3, 3}, {.padding = {0, 1, 1}}).conv();
  CHECK(each.facts({4, 16, 9}).state_bytes == 0);
  CHECK(each.timing().frame_by_frame());
}

TEST_CASE("Conv2d: fingerprints tell options and weights apart", "[layer]") {
  const auto print = [](const Conv2dOptions& options, std::vector<Index> shape = {2, 2, 3, 3}) {
    return random_setup<float, 2>(std::move(shape), options).conv().fingerprint();
  };
  const auto base = print({});
  CHECK(base == print({}));
  for (const Conv2dOptions& options : {Conv2dOptions{.stride = {2, 1}}, Conv2dOptions{.stride = {1, 2}},
                                       Conv2dOptions{.padding = {{1, 0}, 0}}, Conv2dOptions{.padding = {0, {0, 1}}},
                                       Conv2dOptions{.dilation = {1, 2}}})
    CHECK(base != print(options));
  CHECK(print({.padding = 1}) != print(replicated_space({.padding = 1})));
  CHECK(print({}, {2, 2, 1, 9}) != print({}, {2, 2, 9, 1}));
}

TEST_CASE("Conv2d: without_padding() leaves the padding in space", "[layer]") {
  for (const Index groups : {1, 3}) {
    const auto valid = random_setup<float, 2>({6, 6 / groups, 3, 2}, replicated_space({.padding = {2, 1}, .groups = groups})).conv().without_padding();
    const auto plain = random_setup<float, 2>({6, 6 / groups, 3, 2}, replicated_space({.padding = {0, 1}, .groups = groups})).conv();
    CHECK(valid.fingerprint() == plain.fingerprint());
    support::check_equal(valid, plain, 2, {.width = 5});
  }
}

TEST_CASE("Conv2d: one after the other in a network", "[layer][property]") {
  const auto first = random_setup<float, 2>({4, 2, 3, 3}, {.padding = {{2, 0}, 1}}).conv();
  const auto valid = random_setup<float, 2>({3, 4, 2, 3}, {.stride = {1, 2}}).conv();
  const auto last = random_setup<float, 2>({5, 3, 1, 2}, {}).conv();
  support::check_contract(es::sequential(first, valid, last), 1, {.width = 5});
}

TEST_CASE("Conv2d: what is not finite stays in its windows", "[layer]") {
  const auto conv = random_setup<float, 2>({6, 3, 2, 3}, {.padding = {0, 1}, .groups = 2}).conv();
  support::Random random;
  support::Video<float> x({6, 8}, 6, random);
  x(0, 4, 0, 0, 3) = std::numeric_limits<float>::quiet_NaN();
  const auto y = support::offline(conv, x);
  support::for_each_number(y, [&](Index c, Index w, Index h, Index b, Index t) {
    CHECK(std::isnan(y(c, w, h, b, t)) == (c < 3 && w >= 3 && w <= 5 && (t == 2 || t == 3)));
  });
}

namespace {

template <class T, int Axes>
es::SpaceConvTranspose<T, Axes> random_transpose(std::vector<Index> shape, const es::SpaceConvTransposeOptions<Axes>& options,
                                                 bool bias = true) {
  support::Random random(5);
  Index inputs = shape[0];
  for (std::size_t d = 2; d < shape.size(); ++d) inputs *= shape[d];
  const Index out = shape[1] * options.groups;
  const auto weight = support::random_weights<T>(std::move(shape), random, inputs);
  return es::SpaceConvTranspose<T, Axes>(weight, bias ? support::random_weights<T>({out}, random, inputs) : es::Weights<T>(), options);
}

// The definition: each input is spread over what it reaches.
template <class T, int Axes>
void check_scattered(const es::SpaceConvTranspose<T, Axes>& conv, const FrameShape& in, Index frames) {
  support::Random random(9);
  const support::Video<T> x(in, frames, random);
  const support::Video<T> y = support::offline(conv, x);
  const es::Weights<T> weight = conv.weight(), bias = conv.bias();
  const auto& options = conv.options();
  struct Own {
    Index taps = 1, stride = 1, left = 0, dilation = 1;
  } axes[3];
  for (int a = 0; a < Axes; ++a)
    axes[a == 0 ? 0 : a + 3 - Axes] = {weight.shape[static_cast<std::size_t>(a) + 2], options.stride[a], options.padding[a].left,
                                       options.dilation[a]};
  const auto length = [&](int a, Index n, int axis) {
    const Own& own = axes[axis];
    return (n - 1) * own.stride - own.left - options.padding[a].right + (own.taps - 1) * own.dilation + 1 + options.output_padding[a];
  };
  const Index groups = options.groups, outputs = weight.shape[1], inputs = weight.shape[0] / groups;
  INFO("frames of " << in.text() << ", weight " << weight.shape_text() << ", groups " << groups);
  REQUIRE(y.count == (frames == 0 ? 0 : std::max<Index>(0, length(0, frames, 0))));
  REQUIRE(y.shape == FrameShape{outputs * groups, length(Axes - 1, in.width, 2), Axes == 3 ? length(1, in.height, 1) : Index{in.height},
                                in.batch});
  support::Video<double> sum(y.shape, y.count);
  support::for_each_number(sum, [&](Index o, Index w, Index h, Index b, Index t) {
    sum(o, w, h, b, t) = bias.empty() ? 0 : static_cast<double>(bias(o));
  });
  support::for_each_number(x, [&](Index i, Index w, Index h, Index b, Index t) {
    Index k = 0;
    for (Index o = 0; o < outputs; ++o)
      for (Index kt = 0; kt < axes[0].taps; ++kt)
        for (Index kh = 0; kh < axes[1].taps; ++kh)
          for (Index kw = 0; kw < axes[2].taps; ++kw, ++k) {
            const Index to_t = t + kt * axes[0].dilation - axes[0].left, to_h = h * axes[1].stride + kh * axes[1].dilation - axes[1].left,
                        to_w = w * axes[2].stride + kw * axes[2].dilation - axes[2].left;
            if (to_t < 0 || to_t >= y.count || to_h < 0 || to_h >= y.shape.height || to_w < 0 || to_w >= y.shape.width) continue;
            const Index per_input = outputs * axes[0].taps * axes[1].taps * axes[2].taps;
            sum(i / inputs * outputs + o, to_w, to_h, b, to_t) +=
                static_cast<double>(weight(i * per_input + k)) * static_cast<double>(x(i, w, h, b, t));
          }
  });
  CHECK(support::difference(y, [&](Index c, Index w, Index h, Index b, Index t) { return sum(c, w, h, b, t); }) < support::tolerance<T>);
}

}  // namespace

TEMPLATE_TEST_CASE("ConvTranspose2d, ConvTranspose3d: the sum of the definition", "[layer]", float, double) {
  support::Random random(3);
  for (int round = 0; round < 80; ++round) {
    const Index groups = random.pick({1, 1, 1, 2, 5}), in = groups * random.pick({1, 3, 8}), out = random.pick({1, 2, 16});
    const bool two = random.chance(0.4);
    std::vector<Index> shape{in, out, random.integer(1, 3), random.integer(1, 4), random.integer(1, 5)};
    ConvTranspose3dOptions options{.groups = groups};
    for (int a = 0; a < 3; ++a) {
      options.dilation[a] = random.pick({1, 1, 2});
      const Index last = (shape[static_cast<std::size_t>(a) + 2] - 1) * options.dilation[a];
      options.padding[a] = {random.integer(0, std::min<Index>(3, last)), random.integer(0, std::min<Index>(3, last))};
      if (a == 0) continue;
      options.stride[a] = random.pick({1, 2, 3});
      options.output_padding[a] = random.integer(0, std::max(options.stride[a], options.dilation[a]) - 1);
    }
    const FrameShape frame{in, random.integer(7, 9), random.integer(7, 8), random.integer(1, 2)};
    if (two) {
      shape.erase(shape.begin() + 3);
      check_scattered(random_transpose<TestType, 2>(shape, {{1, options.stride[2]}, {options.padding[0], options.padding[2]},
                                                            {0, options.output_padding[2]}, {options.dilation[0], options.dilation[2]}, groups},
                                                    random.chance(0.5)), frame, random.integer(0, 5));
    } else {
      check_scattered(random_transpose<TestType, 3>(shape, options, random.chance(0.5)), frame, random.integer(0, 5));
    }
  }
  // More padding than the kernel reaches over, and a stride beyond it.
  check_scattered(random_transpose<TestType, 2>({2, 3, 1, 2}, {.stride = {1, 2}, .padding = {0, {5, 4}}}), {2, 9}, 2);
  check_scattered(random_transpose<TestType, 2>({2, 3, 1, 2}, {.stride = {1, 5}}), {2, 3}, 2);
}

TEST_CASE("ConvTranspose2d, ConvTranspose3d: any chunking gives the offline output", "[layer][property]") {
  const Index times = GENERATE(1, 2, 3);
  const Padding causal{0, times - 1};
  for (const Index batch : {1, 2}) {
    support::check_contract(random_transpose<float, 2>({3, 2, times, 4}, {.stride = {1, 2}, .padding = {causal, 1}}).without_padding(), batch,
                            {.width = 4});
    support::check_contract(random_transpose<float, 2>({3, 2, times, 4}, {.stride = {1, 2}, .padding = {causal, 1}}), batch, {.width = 4});
    support::check_contract(random_transpose<float, 3>({4, 2, times, 2, 3}, {.stride = {1, 3, 1}, .padding = {0, 0, 2}, .groups = 2}), batch,
                            {.light = true, .width = 4, .height = 3});
    support::check_contract(random_transpose<float, 3>({5, 1, times, 2, 3}, {.stride = {1, 1, 2}, .dilation = {2, 1, 1}, .groups = 5}), batch,
                            {.light = true, .width = 4, .height = 3});
  }
  CHECK(random_transpose<float, 2>({3, 2, times, 4}, {.stride = {1, 2}, .padding = {causal, 1}}).timing().delay() == 0);
}

TEST_CASE("ConvTranspose2d: shapes, and impossible sizes by name", "[layer][error]") {
  const auto conv = [](std::vector<Index> weight, const ConvTranspose2dOptions& options) {
    return ConvTranspose2d<float>(counting(std::move(weight)), {}, options);
  };
  const auto plain = conv({4, 3, 2, 3}, {.stride = {1, 2}, .padding = {0, 1}, .output_padding = {0, 1}, .groups = 2});
  CHECK(plain.wanted() == FrameShape{4, 0, 0, 0});
  CHECK(plain.facts({4, 5}).out == FrameShape{6, 10});
  CHECK(plain.facts({4, 5}).parameters == 4 * 3 * 2 * 3);
  CHECK(plain.timing().receptive_field() == 2);
  CHECK(plain.fingerprint() != conv({4, 3, 2, 3}, {.stride = {1, 2}, .padding = {0, 1}, .groups = 2}).fingerprint());
  CHECK(refuses([&] { conv({2, 3, 4}, {}); }, {"ConvTranspose2d", "(2,3,4)", "(in,out/groups,taps in time,in width)"}));
  CHECK(refuses([&] { ConvTranspose3d<float>(counting({2, 3, 4, 1})); }, {"ConvTranspose3d", "in height"}));
  CHECK(refuses([&] { conv({3, 2, 1, 1}, {.groups = 2}); }, {"ConvTranspose2d", "3 input channels", "2 groups"}));
  CHECK(refuses([&] { conv({3, 2, 2, 1}, {.stride = {2, 1}}); }, {"ConvTranspose2d", "stride = 2 in time, must be 1"}));
  CHECK(refuses([&] { conv({3, 2, 2, 1}, {.output_padding = {1, 0}, .dilation = {2, 1}}); }, {"ConvTranspose2d", "output_padding = 1 in time"}));
  CHECK(refuses([&] { conv({3, 2, 1, 2}, {.output_padding = {0, 1}}); }, {"ConvTranspose2d", "output_padding = 1 in width"}));
  CHECK(refuses([&] { conv({3, 2, 2, 1}, {.padding = {{0, 2}, 0}}); }, {"ConvTranspose2d", "padding = (0,2) in time", "2 frames"}));
  CHECK(refuses([&] { return conv({3, 2, 1, 2}, {.padding = {0, 2}}).facts({3, 2}); }, {"ConvTranspose2d", "width"}));
}

TEST_CASE("Conv2d, Conv3d: impossible sizes are refused by name", "[layer][error]") {
  const auto conv = [](std::vector<Index> weight, const Conv2dOptions& options, std::vector<Index> bias = {}) {
    return Conv2d<float>(counting(std::move(weight)), bias.empty() ? es::Weights<float>() : counting(std::move(bias)), options);
  };
  CHECK(refuses([&] { conv({2, 3, 4}, {}); }, {"Conv2d", "(2,3,4)", "taps in time,in width"}));
  CHECK(refuses([&] { Conv3d<float>(counting({2, 3, 4, 1})); }, {"Conv3d", "(2,3,4,1)", "in height"}));
  CHECK(refuses([&] { conv({2, 3, 0, 1}, {}); }, {"Conv2d", "(2,3,0,1)", "none may be 0"}));
  CHECK(refuses([&] { conv({2, 3, 1, 1}, {}, {3}); }, {"Conv2d", "bias", "(3)", "(2)"}));
  CHECK(refuses([&] { conv({2, 3, 1, 1}, {.groups = 0}); }, {"Conv2d", "groups = 0"}));
  CHECK(refuses([&] { conv({5, 3, 1, 1}, {.groups = 2}); }, {"Conv2d", "5", "2 groups"}));
  CHECK(refuses([&] { conv({2, 3, 1, 1}, {.stride = {1, 0}}); }, {"Conv2d", "stride = 0 in width"}));
  CHECK(refuses([&] { conv({2, 3, 1, 1}, {.stride = {0, 1}}); }, {"Conv2d", "stride = 0 in time"}));
  CHECK(refuses([&] { conv({2, 3, 1, 1}, {.dilation = {1, -1}}); }, {"Conv2d", "dilation = -1 in width"}));
  CHECK(refuses([&] { conv({2, 3, 1, 1}, {.padding = {0, {0, -1}}}); }, {"Conv2d", "padding = (0,-1) in width"}));
  CHECK(refuses([&] { conv({2, 3, 1, 1}, {.padding_value = 2}); }, {"Conv2d", "padding_value = 2", "constant"}));
  CHECK(refuses([&] { return conv({2, 3, 1, 1}, {}).facts({2, 5}); }, {"Conv2d", "3 channels", "not 2"}));
  CHECK(refuses([&] { return conv({2, 3, 1, 4}, {.padding = {0, {1, 0}}}).facts({3, 2}); },
                {"Conv2d", "reaches over 4", "width", "2 with a padding of (1,0)"}));
  CHECK(refuses([&] { return Conv3d<float>(counting({2, 1, 1, 3, 1})).facts({1, 9, 2}); }, {"Conv3d", "reaches over 3", "height"}));
  CHECK(refuses([&] { return conv({1, 1, 1, 1}, {.padding = {0, 1 << 20}}).facts({1, 1, 1 << 20}); }, {"Conv2d", "2^28"}));
}
