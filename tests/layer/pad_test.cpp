#include "eigenstream/layer/pad.hpp"

#include <limits>
#include <utility>

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using es::Pad;
using es::PaddingMode;
using es::PadOptions;
using support::Calls;

namespace {

constexpr PadOptions replicate{.mode = PaddingMode::replicate};

template <class T>
void check_naive(Index left, Index right, PadOptions options) {
  INFO("left " << left << ", right " << right << ", replicate " << (options.mode == PaddingMode::replicate));
  support::Random random(4);
  for (const Index channels : {1, 3})
    for (const Index batch : {1, 2})
      for (const Index n : {0, 1, 2, 5, 6, 7, 40, 3000}) {
        const auto x = support::random_tensor<T>(random, channels, batch, n);
        const auto y = support::offline(Pad<T>(left, right, options), x);
        const auto expected = support::naive::pad(x, left, right, options.mode, options.value);
        REQUIRE(y.dimension(2) == expected.dimension(2));
        CHECK(std::equal(y.data(), y.data() + y.size(), expected.data()));
      }
}

}  // namespace

TEMPLATE_TEST_CASE("Pad: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index left = GENERATE(-4, -1, 0, 1, 6), right = GENERATE(-5, -2, 0, 1, 4);
  for (const Index batch : {1, 3}) {
    support::check_contract(Pad<TestType>(left, right, {.value = 0.5}), batch, {.channels = 2, .light = batch > 1});
    support::check_contract(Pad<TestType>(left, right, replicate), batch,
                            {.channels = 2, .light = batch > 1});
  }
}

TEST_CASE("Pad: up to a multiple, any chunking gives the offline output", "[layer][property]") {
  const Index left = GENERATE(-4, 0, 3), right = GENERATE(0, 2);
  for (const auto& [multiple, offset] : {std::pair<Index, Index>(2, 0), {5, 0}, {5, 13}, {4, -3}}) {
    const support::ContractOptions two{.channels = 2, .light = support::small_target && right != 0};
    support::check_contract(Pad<float>(left, right, {.value = 0.5, .multiple = multiple, .offset = offset}), 1, two);
    support::check_contract(Pad<float>(left, right, {.mode = PaddingMode::replicate, .multiple = multiple, .offset = offset}), 2, two);
  }
  const auto down = support::random_conv<es::Conv1d<float>>(2, 2, 8, {.stride = 4});
  const auto up = support::random_conv_transpose<float>(2, 2, 8, {.stride = 4});
  const auto smooth = support::random_conv<es::Conv1d<float>>(2, 2, 3, {.padding = 1});
  const auto net = es::sequential(Pad<float>(0, 0, {.multiple = 16, .offset = 36}), smooth, down, smooth, down, up, smooth, up);
  support::check_contract(net, 2);
  for (Index n = 30; n < 70; ++n) CHECK(net.timing().outputs_after(n, true) == (n <= 36 ? 36 : n <= 52 ? 52 : n <= 68 ? 68 : 84));
}

TEST_CASE("Pad: the law for many frames and channels", "[layer][property]") {
  for (const auto& [left, right] : {std::pair(-700, -300), std::pair(900, -130), std::pair(-3, 5000), std::pair(5000, 7)})
    for (const PadOptions& options : {PadOptions{.value = 2}, replicate})
      support::check_contract(Pad<float>(left, right, options), 1, {.channels = 33, .light = true});
}

TEST_CASE("Pad: the law between other layers", "[layer][property]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 2, 3);
  const auto up = support::random_conv_transpose<float>(2, 2, 4, {.stride = 2});
  for (const Index batch : {1, 3}) {
    support::check_contract(es::sequential(Pad<float>(1, 1, replicate), conv), batch);
    support::check_contract(es::sequential(conv, Pad<float>(-2, -1), conv, Pad<float>(3, 0)), batch);
    support::check_contract(es::sequential(Pad<float>(2, 3), up, Pad<float>(-4, -3), conv), batch);
    support::check_contract(es::residual(es::sequential(Pad<float>(1, 1), conv)), batch);
    support::check_contract(es::residual(Pad<float>(-2, -1)), batch, {.channels = 2});
    support::check_contract(es::residual(es::sequential(conv, Pad<float>(-3, 1), es::Tanh<float>())), batch);
  }
  // What a convolution does by itself.
  support::Random random(6);
  const auto x = support::random_tensor<float>(random, 2, 2, 30);
  for (const PaddingMode mode : {PaddingMode::replicate, PaddingMode::constant}) {
    const double value = mode == PaddingMode::constant ? -2 : 0;
    es::Conv1dOptions options{.stride = 2, .padding = {4, 3}};
    options.padding_mode = mode;
    options.padding_value = value;
    const auto one = support::random_conv<es::Conv1d<float>>(2, 3, 3, options);
    const auto two = es::sequential(Pad<float>(4, 3, {mode, value}), one.without_padding());
    const auto y1 = support::offline(one, x), y2 = support::offline(two, x);
    REQUIRE(y1.dimension(2) == y2.dimension(2));
    CHECK(std::equal(y1.data(), y1.data() + y1.size(), y2.data()));
  }
}

TEMPLATE_TEST_CASE("Pad: the definition", "[layer]", float, double) {
  for (const Index left : {-6, -1, 0, 2, 700})
    for (const Index right : {-6, -1, 0, 3, 700}) {
      check_naive<TestType>(left, right, {});
      check_naive<TestType>(left, right, {.value = -1.5});
      check_naive<TestType>(left, right, replicate);
    }
}

TEST_CASE("Pad: worked examples", "[layer]") {
  struct Row {
    Pad<float> pad;
    std::vector<Index> chunks;
    Calls calls;
  };
  const PadOptions nine{.value = 9};
  const Row rows[] = {
      {Pad<float>(2, 1, nine), {1, 1, 0}, {{9, 9, 1}, {2}, {9}}},
      {Pad<float>(2, 1, replicate), {0, 2, 0}, {{}, {1, 1, 1, 2}, {2}}},
      {Pad<float>(-1, 2, replicate), {1, 1, 1}, {{}, {2}, {3, 3, 3}}},
      {Pad<float>(-1, -1), {2, 1, 1}, {{}, {2}, {3}}},
      {Pad<float>(1, -2, replicate), {2, 1, 1}, {{}, {1, 1}, {2}}},
      {Pad<float>(1, -2, nine), {2, 0}, {{}, {}}},   // shorter than, or as short as the crop: nothing
      {Pad<float>(-2, 1, nine), {2, 0}, {{}, {}}},
      {Pad<float>(3, 3, nine), {0, 0}, {{}, {}}},    // a signal without frames is none
      {Pad<float>(0, 0), {2, 1}, {{1, 2}, {3}}},
      {Pad<float>(0, 0, {.value = 9, .multiple = 4}), {3, 0}, {{1, 2, 3}, {9}}},
      {Pad<float>(1, 1, {.mode = PaddingMode::replicate, .multiple = 4, .offset = 1}), {2, 1}, {{1, 1, 2}, {3, 3}}},
      {Pad<float>(0, 0, {.value = 9, .multiple = 4}), {0, 0}, {{}, {}}},
  };
  for (const Row& row : rows) {
    es::Stream stream(row.pad, {.channels = 1});
    for (int signal = 0; signal < 2; ++signal)
      CHECK(support::calls(stream, support::count_to(4), row.chunks) == row.calls);
  }
}

TEST_CASE("Pad: counts, timing, memory", "[layer]") {
  const Pad<float> pad(3, -2);
  CHECK(pad.left() == 3);
  CHECK(pad.right() == -2);
  CHECK(pad.timing().delay() == -1);
  CHECK(pad.timing().padding() == 3);
  CHECK(pad.timing().first_output() == 2);
  CHECK(pad.timing().receptive_field() == 1);
  CHECK(pad.wanted().channels == 0);
  CHECK(pad.facts({4}).out.channels == 4);
  CHECK(support::facts_of(pad).parameters == 0);
  CHECK(pad.facts({4}).macs == 0);
  CHECK(Pad<float>(-3, -2).timing().delay() == 5);
  // Only a crop at the end needs a queue, and only a repeated last frame must be remembered.
  CHECK(Pad<float>(3, 2).facts({8}).state_bytes == es::memory_alignment);
  CHECK(Pad<float>(-3, 0).facts({8}).state_bytes == es::memory_alignment);
  CHECK(Pad<float>(3, 2, replicate).facts({8}).state_bytes == 2 * es::memory_alignment);
}

TEST_CASE("Pad: without_padding() keeps the crops only", "[layer]") {
  for (const auto& [pad, left, right] : {std::tuple(Pad<float>(3, 2, replicate), 0, 0),
                                         std::tuple(Pad<float>(-3, 2, replicate), -3, 0),
                                         std::tuple(Pad<float>(1, -4, {.value = 2}), 0, -4),
                                         std::tuple(Pad<float>(-1, -4), -1, -4)}) {
    const Pad<float> valid = pad.without_padding();
    CHECK(valid.left() == left);
    CHECK(valid.right() == right);
    CHECK(valid.fingerprint() == Pad<float>(left, right).fingerprint());
  }
}

TEST_CASE("Pad: fingerprints tell options apart where they make a difference", "[layer]") {
  const auto print = [](Index left, Index right, PadOptions options = {}) {
    return Pad<float>(left, right, options).fingerprint();
  };
  CHECK(print(1, 2) == print(1, 2));
  CHECK(print(1, 2) != print(2, 1));
  CHECK(print(1, 2) != print(1, 2, replicate));
  CHECK(print(1, 2) != print(1, 2, {.value = 1}));
  CHECK(print(1, 2) == print(1, 2, {.mode = PaddingMode::zeros}));
  CHECK(print(-1, -2) == print(-1, -2, replicate));
  CHECK(print(0, 0) != print(0, 0, {.multiple = 2}));
  CHECK(print(0, 0, {.multiple = 2}) != print(0, 0, {.multiple = 2, .offset = 1}));
}

TEST_CASE("Pad: infinite values are values, other mistakes are refused", "[layer][error]") {
  using support::refuses;
  const double inf = std::numeric_limits<double>::infinity();
  es::Stream stream(Pad<float>(1, 0, {.value = -inf}), {.channels = 1});
  CHECK(support::calls(stream, {5}, {1}) == Calls{{-std::numeric_limits<float>::infinity(), 5}});
  CHECK(refuses([&] { Pad<float>(1, 0, {.value = inf - inf}); }, {"Pad", "not a number"}));
  CHECK(refuses([] { Pad<float>(1, 0, {.mode = PaddingMode::replicate, .value = 2}); }, {"Pad", "value = 2", "constant"}));
  if (sizeof(Index) == 8)
    CHECK(refuses([] { Pad<float>(0, static_cast<Index>(es::Time{1} << 41)); }, {"Pad", "right = 2199023255552"}));
  CHECK(refuses([] { Pad<float>(0, 1, {.multiple = 0}); }, {"Pad", "multiple = 0"}));
  CHECK(refuses([] { Pad<float>(0, 1, {.offset = 2}); }, {"Pad", "offset = 2", "multiple"}));
  CHECK(refuses([] { Pad<float>(0, -1, {.multiple = 2}); }, {"Pad", "multiple = 2", "right = -1"}));
  CHECK(refuses([] { es::residual(Pad<float>(0, 1)); }, {"Residual", "1 frames longer"}));
}
