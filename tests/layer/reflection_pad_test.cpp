#include "eigenstream/layer/reflection_pad.hpp"

#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using es::ReflectionPad;
using support::Calls;

TEMPLATE_TEST_CASE("ReflectionPad: any chunking gives the offline output", "[layer][property]", float, double) {
  const Index left = GENERATE(0, 1, 3, 6), right = GENERATE(0, 1, 4);
  for (const Index batch : {1, 3})
    support::check_contract(ReflectionPad<TestType>(left, right), batch, {.channels = 2, .light = batch > 1});
  support::check_contract(ReflectionPad<TestType>(left, right, 4, left), 1, {.channels = 2});
  support::check_contract(ReflectionPad<TestType>(left, right, 3, -1), 2, {.channels = 1});
}

TEST_CASE("ReflectionPad: the law for many frames and channels", "[layer][property]") {
  support::check_contract(ReflectionPad<float>(900, 130), 1, {.channels = 33, .light = true});
  support::check_contract(ReflectionPad<float>(3, 5000, 64, 7), 1, {.channels = 5, .light = true});
}

TEST_CASE("ReflectionPad: the law between other layers, and beside them", "[layer][property]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 2, 7);
  const auto down = support::random_conv<es::Conv1d<float>>(2, 2, 4, {.stride = 2});
  for (const Index batch : {1, 2}) {
    support::check_contract(es::sequential(ReflectionPad<float>(3, 3), conv), batch);
    support::check_contract(es::sequential(ReflectionPad<float>(3, 3), conv, ReflectionPad<float>(3, 3), conv), batch);
    support::check_contract(es::sequential(ReflectionPad<float>(2, 0, 2, 0), down, ReflectionPad<float>(1, 2), conv), batch);
    support::check_contract(es::parallel(es::Reduce::sum, es::sequential(ReflectionPad<float>(3, 3), conv),
                                         support::random_conv<es::Conv1d<float>>(2, 2, 3, {.padding = 1})),
                            batch);
  }
}

TEMPLATE_TEST_CASE("ReflectionPad: frame by frame", "[layer]", float, double) {
  using T = TestType;
  support::Random random(4);
  for (const Index left : {0, 1, 5})
    for (const Index right : {0, 2, 6})
      for (const Index n : {0, 1, 2, 5, 6, 7, 8, 40, 3000}) {
        const auto x = support::random_tensor<T>(random, 3, 2, n);
        const auto y = support::offline(ReflectionPad<T>(left, right), x);
        if (n <= std::max(left, right)) {
          CHECK(y.dimension(2) == 0);
          continue;
        }
        REQUIRE(y.dimension(2) == left + n + right);
        for (Index m = 0; m < y.dimension(2); ++m) {
          const Index i = m < left ? left - m : m - left < n ? m - left : 2 * (n - 1) - (m - left);
          for (Index c = 0; c < 3; ++c) REQUIRE(y(c, 1, m) == x(c, 1, i));
        }
      }
}

TEST_CASE("ReflectionPad: worked examples", "[layer]") {
  struct Row {
    ReflectionPad<float> pad;
    std::vector<Index> chunks;
    Calls calls;
  };
  const Row rows[] = {
      {{2, 1}, {1, 1, 1, 1, 0}, {{}, {}, {3, 2, 1, 2, 3}, {4}, {3}}},
      {{1, 2}, {2, 1, 0}, {{}, {2, 1, 2, 3}, {2, 1}}},
      {{1, 0}, {1, 0}, {{}, {}}},                               // too short
      {{0, 0, 4, 0}, {3, 2}, {{}, {1, 2, 3, 4, 5, 4, 3, 2}}},   // up to a multiple
      {{0, 0, 4, 1}, {3, 2}, {{}, {1, 2, 3, 4, 5}}},
      {{0, 0}, {2, 1}, {{1, 2}, {3}}},
  };
  for (const Row& row : rows) {
    es::Stream stream(row.pad, {.channels = 1});
    for (int signal = 0; signal < 2; ++signal)
      CHECK(support::calls(stream, support::count_to(5), row.chunks) == row.calls);
  }
}

TEST_CASE("ReflectionPad: facts and errors", "[layer][error]") {
  using support::refuses;
  const ReflectionPad<float> pad(3, 2);
  CHECK(pad.left() == 3);
  CHECK(pad.right() == 2);
  CHECK(pad.timing().delay() == -3);  // as any pad: it comes as late as it must, and no later
  CHECK(pad.timing().first_output() == 3);
  CHECK(pad.timing().padding() == 3);
  CHECK(pad.timing().receptive_field() == 1);
  CHECK(pad.without_padding().timing().frame_by_frame());
  CHECK(pad.fingerprint() != ReflectionPad<float>(2, 3).fingerprint());
  CHECK(pad.fingerprint() != ReflectionPad<float>(3, 2, 2).fingerprint());
  CHECK(refuses([] { ReflectionPad<float>(-1, 2); }, {"ReflectionPad", "left = -1"}));
  CHECK(refuses([] { ReflectionPad<float>(1, 2, 0); }, {"ReflectionPad", "multiple = 0"}));
  CHECK(refuses([] { ReflectionPad<float>(1, 2, 1, 3); }, {"ReflectionPad", "offset = 3"}));
}
