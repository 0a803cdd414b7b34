#include "eigenstream/compose/conditional.hpp"

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/delay.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using support::error_of;

namespace {

using Conv = es::Conv1d<float>;
using Tensor2 = Eigen::Tensor<float, 2>;

// A stream with the condition as it is said for each frame, in chunks that end where it changes and every `longest` frames.
template <class Net>
std::vector<float> outputs(const Net& net, const std::vector<float>& x, const std::vector<int>& condition, std::size_t longest) {
  es::Stream stream(net, {.channels = 1});
  std::vector<float> all;
  const auto add = [&](const Tensor2& y) { all.insert(all.end(), y.data(), y.data() + y.size()); };
  for (std::size_t at = 0, n = 0; at < x.size(); at += n) {
    for (n = 1; at + n < x.size() && n < longest && condition[at + n] == condition[at];) ++n;
    stream.set_control("condition", {static_cast<float>(condition[at])});
    const Eigen::TensorMap<const Tensor2> chunk(x.data() + at, 1, static_cast<Index>(n));
    const es::State before = stream.get_state();  // saved and loaded between any two
    stream.set_state(before);
    add(at + n == x.size() ? Tensor2(stream(chunk, es::final)) : Tensor2(stream(chunk)));
  }
  return all;
}

}  // namespace

TEST_CASE("Conditional: each branch under the law", "[compose][property]") {
  const bool initial = GENERATE(false, true), both = GENERATE(false, true);
  const Index batch = GENERATE(1, 2);
  const support::ContractOptions options{.channels = 2, .exact = false, .carries = false};
  const Conv conv = support::random_conv<Conv>(2, 2, 5, {.padding = 2});
  support::check_contract(es::Conditional(conv, es::Delay<float>(2), {.initial = initial, .advance_both = both}), batch, options);
  const Conv half = support::random_conv<Conv>(2, 2, 4, {.stride = 2, .padding = 1});
  const auto other = es::sequential(es::Delay<float>(1), support::random_conv<Conv>(2, 2, 2, {.stride = 2}));
  support::check_contract(es::Conditional(half, other, {.initial = initial, .advance_both = both}), batch, options);
}

TEST_CASE("Conditional: with both branches advancing, each output is that of the one chosen", "[compose]") {
  const Conv conv = support::counting_conv(3, {.padding = 1});
  const auto x = support::count_to(40);
  const Tensor2 yes = es::Stream(conv).forward(Eigen::TensorMap<const Tensor2>(x.data(), 1, 40));
  std::vector<int> condition(40);
  support::Random random(3);
  for (std::size_t t = 0; t < 40; ++t) condition[t] = t > 0 && !random.chance(0.3) ? condition[t - 1] : random.chance(0.5);
  const es::Conditional net(conv, es::Delay<float>(1), {.advance_both = true});
  for (const std::size_t longest : {1u, 3u, 40u}) {
    const std::vector<float> y = outputs(net, x, condition, longest);
    REQUIRE(y.size() == 40);
    for (std::size_t m = 0; m < 40; ++m) {
      const bool chosen = condition[std::min<std::size_t>(m + 1, 39)] != 0;
      CHECK(y[m] == (chosen ? yes.data()[m] : x[m]));
    }
  }
}

TEST_CASE("Conditional: a branch that is chosen later is warmed up with zeros, and goes on", "[compose]") {
  const Conv conv = support::counting_conv(3, {.padding = 1});
  const es::Conditional net(conv, es::Delay<float>(1), {.initial = true});
  // on_true 1 2 3 | on_false 4 5 | on_true 6 7 8
  const std::vector<float> expected{8, 14, 0, 4, 3 * 6 + 2 * 3 + 2, 3 * 7 + 2 * 6 + 3, 44, 23};
  for (const std::size_t longest : {1u, 2u, 8u})
    CHECK(outputs(net, support::count_to(8), {1, 1, 1, 0, 0, 1, 1, 1}, longest) == expected);
  // With a stride, outputs stay at their frames.
  const es::Conditional half(support::counting_conv(3, {.stride = 2, .padding = 1}),
                             es::sequential(es::Delay<float>(1), support::counting_conv(1, {.stride = 2})), {.initial = true});
  CHECK(outputs(half, support::count_to(8), {1, 1, 1, 1, 0, 0, 0, 0}, 8) == std::vector<float>{8, 20, 5, 7});
  CHECK(outputs(half, support::count_to(8), {1, 1, 1, 0, 0, 0, 0, 0}, 1).size() == 4);
}

TEST_CASE("Conditional: without_padding() is that of the branches", "[compose]") {
  const auto conv = [](Index padding) { return support::random_conv<Conv>(2, 2, 3, {.padding = padding}); };
  support::check_equal(es::without_padding(es::Conditional(conv(1), es::sequential(conv(1), es::Delay<float>(0)), {.initial = true})),
                       es::Conditional(conv(0), es::sequential(conv(0), es::Delay<float>(0)), {.initial = true}));
}

TEST_CASE("Conditional: branches that do not fit are errors", "[compose][error]") {
  const Conv conv = support::random_conv<Conv>(2, 2, 3, {.padding = 1});
  CHECK(error_of([&] { es::Conditional(conv, es::Delay<float>(2)); }) ==
        "Conditional: the branches give outputs with different frames: 1 for 1 frames, the first with frame 1; 1 for 1, the first "
        "with frame 2");
  CHECK(error_of([&] { es::Conditional(conv, support::random_conv<Conv>(2, 3, 3, {.padding = 1})); }) ==
        "Conditional: one branch turns frames of 2 channels and a batch of 1 into 2 channels and a batch of 1, the other into 3 channels "
        "and a batch of 1");
  CHECK(support::refuses([&] { es::Conditional(es::Conditional(conv, conv), conv); }, {"Conditional: a layer with a knob, \"condition\""}));
}
