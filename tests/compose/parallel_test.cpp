#include "eigenstream/compose/parallel.hpp"

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/pool.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using es::Reduce;
using support::Calls;

namespace {

Conv1d<float> conv(Index in, Index out, Index taps, es::Conv1dOptions options = {}, std::uint64_t seed = 1) {
  return support::random_conv<Conv1d<float>>(in, out, taps, options, true, seed);
}

}  // namespace

TEST_CASE("Parallel: any chunking gives the offline output", "[compose][property]") {
  const Reduce op = GENERATE(Reduce::sum, Reduce::mean, Reduce::product, Reduce::max, Reduce::min, Reduce::concat);
  for (const Index batch : {1, 3}) {
    INFO(es::name_of(op));
    // Always together, one late, one shorter, and one of each.
    support::check_contract(es::parallel(op, conv(3, 4, 1), conv(3, 4, 3, {.padding = es::Padding::causal(3)}, 2)), batch,
                            {.exact = false});
    support::check_contract(es::parallel(op, conv(3, 4, 3, {.padding = 1}), conv(3, 4, 5, {.padding = 2}, 2)), batch,
                            {.exact = false});
    support::check_contract(es::parallel(op, conv(3, 4, 2), conv(3, 4, 6, {}, 2), conv(3, 4, 3, {}, 3)), batch,
                            {.exact = false});
    support::check_contract(
        es::parallel(op, conv(3, 4, 2, {.padding = es::Padding(3, 0)}), conv(3, 4, 6, {}, 2), conv(3, 4, 3, {.padding = 1})),
        batch, {.exact = false});
  }
}

TEST_CASE("Parallel: across matching strides", "[compose][property]") {
  const auto down = conv(2, 4, 4, {.stride = 2, .padding = 1});
  const auto up = support::random_conv_transpose<float>(4, 2, 4, {.stride = 2, .padding = 1});
  for (const Index batch : {1, 2}) {
    const auto unet = es::parallel(Reduce::concat, es::Identity<float>(), es::sequential(down, es::Tanh<float>{}, up));
    support::check_contract(unet, batch, {.exact = false});
    CHECK(unet.timing().rate() == es::Rate{1, 1});
    support::check_contract(es::parallel(Reduce::sum, conv(2, 3, 3, {.stride = 3}), conv(2, 3, 4, {.stride = 3}, 5),
                                         es::sequential(conv(2, 3, 1), es::AvgPool1d<float>(3))),
                            batch, {.exact = false});
    // Two levels, with a skip at each.
    const auto inner = es::parallel(Reduce::sum, es::Identity<float>(),
                                    es::sequential(conv(4, 4, 2, {.stride = 2}),
                                                   support::random_conv_transpose<float>(4, 4, 2, {.stride = 2})));
    support::check_contract(es::parallel(Reduce::sum, es::Identity<float>(), es::sequential(down, inner, up)), batch,
                            {.exact = false});
  }
}

TEST_CASE("Parallel: an identity beside a network is a residual", "[compose][property]") {
  for (const Index taps : {1, 2, 3, 4, 5}) {
    const auto net = conv(3, 3, taps);
    es::Stream one(es::residual(net));
    es::Stream other(es::parallel(Reduce::sum, net, es::Identity<float>()));
    support::Random random(1);
    const auto x = support::random_tensor<float>(random, 3, 40);
    const Eigen::Tensor<float, 2> y1 = one.forward(x), y2 = other.forward(x);
    REQUIRE(y1.size() == y2.size());
    CHECK(std::memcmp(y1.data(), y2.data(), sizeof(float) * static_cast<std::size_t>(y1.size())) == 0);
  }
}

TEST_CASE("Parallel: worked examples", "[compose]") {
  const auto run = [](auto net, const std::vector<Index>& chunks) {
    es::Stream stream(net, {.channels = 1});
    const Calls once = support::calls(stream, support::count_to(8), chunks);
    CHECK(support::calls(stream, support::count_to(8), chunks) == once);
    return once;
  };
  const es::Identity<float> x;
  // The branch without padding is shorter by one and by two frames.
  CHECK(run(es::parallel(Reduce::sum, support::counting_conv(2), x), {3, 2, 3}) == Calls{{6, 10}, {14, 18}, {22, 26, 30}});
  CHECK(run(es::parallel(Reduce::difference, support::counting_conv(3), x), {3, 2, 3}) ==
        Calls{{12}, {17, 22}, {27, 32, 37}});
  CHECK(run(es::parallel(Reduce::quotient, x, x), {3, 5}) == Calls{{1, 1, 1}, {1, 1, 1, 1, 1}});
  CHECK(run(es::parallel(Reduce::mean, x, x, es::AvgPool1d<float>(3, {.stride = 1, .padding = 1, .count_include_pad = false})),
            {8}) == Calls{{1 + 0.5f / 3, 2, 3, 4, 5, 6, 7, 8 - 0.5f / 3}});
}

TEST_CASE("Parallel: what does not fit is refused", "[compose][error]") {
  CHECK(support::refuses([] { es::parallel(Reduce::sum, es::Identity<float>(), es::AvgPool1d<float>(2)); },
                         {"rate 1/1", "delay 0", "rate 1/2", "delay 1"}));
  CHECK(support::refuses([] { es::parallel(Reduce::sum, conv(3, 4, 1), conv(3, 5, 1)); }, {"4 and 5 channels"}));
  CHECK(support::refuses([] { es::parallel(Reduce::sum, conv(3, 4, 1), conv(2, 4, 1)); }, {"takes 2 channels", "not 3"}));
  CHECK(support::refuses([] { es::parallel(Reduce::sum, conv(3, 4, 1)); }, {"1 operands"}));
  CHECK(support::refuses(
      [] { es::parallel(Reduce::quotient, es::Identity<float>(), es::Identity<float>(), es::Identity<float>()); },
      {"3 operands", "quotient"}));
}
