#include "eigenstream/compose/residual.hpp"

#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using support::Calls;
using support::counting_conv;

TEST_CASE("Residual: any chunking gives the offline output", "[compose][property]") {
  const Index taps = GENERATE(1, 2, 3, 4), dilation = GENERATE(1, 3);
  const es::Padding paddings[] = {{}, {(taps - 1) * dilation / 2}, es::Padding::causal(taps, dilation)};
  for (const es::Padding padding : paddings)
    for (const Index batch : {1, 2}) {
      INFO("taps " << taps << ", dilation " << dilation << ", padding " << padding.left << " and " << padding.right);
      const auto conv =
          support::random_conv<Conv1d<float>>(3, 3, taps, {.padding = padding, .dilation = dilation});
      support::check_contract(es::residual(conv), batch);
      support::check_contract(es::residual(es::sequential(es::Elu<float>{}, conv, es::Tanh<float>{})), batch,
                              {.exact = false});
      support::check_contract(es::sequential(es::residual(conv), es::Tanh<float>{}, es::residual(conv)), batch,
                              {.exact = false});
    }
}

TEST_CASE("Residual: around pools, transposed convolutions, pointwise layers and itself", "[compose][property]") {
  for (const Index batch : {1, 2}) {
    support::check_contract(es::residual(es::AvgPool1d<float>(3, {.stride = 1})), batch, {.channels = 2});
    support::check_contract(es::residual(es::MaxPool1d<float>(3, {.stride = 1, .padding = 1})), batch,
                            {.channels = 2, .exact = false});
    support::check_contract(es::residual(support::random_conv_transpose<float>(2, 2, 3, {.padding = 1})), batch,
                            {.exact = false});
    support::check_contract(es::residual(support::random_conv_transpose<float>(2, 2, 3, {.padding = 2})), batch,
                            {.exact = false});
    support::check_contract(es::residual(es::Tanh<float>{}), batch, {.channels = 3, .exact = false});
    support::check_contract(
        es::residual(es::residual(support::random_conv<Conv1d<float>>(2, 2, 4, {.padding = es::Padding(1, 0)}))), batch,
        {.exact = false});
    support::check_contract(es::residual(es::AnySequential<float>()), batch, {.channels = 2});
    support::check_contract(
        es::residual(es::sequential(support::random_conv_transpose<float>(2, 2, 3), es::Tanh<float>{},
                                    support::random_conv<Conv1d<float>>(2, 2, 5))),
        batch, {.exact = false});
  }
}

TEST_CASE("Residual: around branches", "[compose][property]") {
  const auto conv = [](Index taps, std::uint64_t seed) {
    return support::random_conv<Conv1d<float>>(2, 2, taps, {}, true, seed);
  };
  for (const Index batch : {1, 2}) {
    const auto both = es::residual(es::parallel(es::Reduce::sum, conv(3, 1), conv(6, 2), es::Identity<float>()));
    CHECK(both.shrink() == 5);
    support::check_contract(both, batch, {.exact = false});
    const auto nested = es::residual(es::residual(conv(4, 3)), es::parallel(es::Reduce::max, conv(2, 4), conv(2, 5)));
    CHECK(nested.shrink() == 4);
    support::check_contract(nested, batch, {.exact = false});
  }
  CHECK(support::refuses([&] { es::residual(es::parallel(es::Reduce::sum, es::AvgPool1d<float>(2), es::MaxPool1d<float>(2))); },
                         {"stride 2"}));
}

TEST_CASE("Residual: worked examples", "[compose]") {
  const auto run = [](auto net, const std::vector<Index>& chunks) {
    es::Stream stream(es::residual(net), {.channels = 1});
    const Calls once = support::calls(stream, support::count_to(8), chunks);
    CHECK(support::calls(stream, support::count_to(8), chunks) == once);  // the next signal
    return once;
  };
  CHECK(run(counting_conv(2), {3, 2, 3}) == Calls{{6, 10}, {14, 18}, {22, 26, 30}});
  CHECK(run(counting_conv(3), {3, 2, 3}) == Calls{{16}, {23, 30}, {37, 44, 51}});
  CHECK(run(counting_conv(4), {3, 2, 3}) == Calls{{}, {32, 43}, {54, 65, 76}});
  CHECK(run(counting_conv(5, {.padding = 1}), {8, 0}) == Calls{{42, 58, 74, 90, 106}, {77}});
  CHECK(run(counting_conv(3, {.padding = 1}), {8, 0}) == Calls{{9, 16, 23, 30, 37, 44, 51}, {31}});
  CHECK(run(es::AnySequential<float>(), {3, 5}) == Calls{{2, 4, 6}, {8, 10, 12, 14, 16}});
}

TEST_CASE("Residual: the caller's chunk stays as it is", "[compose]") {
  es::Stream stream(es::residual(es::Relu<float>{}), {.channels = 2});
  support::Random random(2);
  const auto x = support::random_tensor<float>(random, 2, 300);
  const Eigen::Tensor<float, 2> before = x;
  (void)stream(x);
  CHECK(std::equal(x.data(), x.data() + x.size(), before.data()));
}

TEST_CASE("Residual: timing is the network's, the input included", "[compose]") {
  CHECK(es::residual(counting_conv(3)).shrink() == 2);
  CHECK(es::residual(counting_conv(3)).timing().delay() == 2);
  CHECK(es::residual(counting_conv(3, {.padding = 1})).timing().delay() == 1);
  CHECK(es::residual(counting_conv(3, {.padding = es::Padding::causal(3)})).timing().delay() == 0);
  CHECK(es::residual(counting_conv(3)).fingerprint() != counting_conv(3).fingerprint());
}

TEST_CASE("Residual: what cannot be added is refused", "[compose][error]") {
  CHECK(support::refuses([] { es::residual(counting_conv(3, {.stride = 2})); }, {"Residual", "stride 2", "outside"}));
  CHECK(support::refuses([] { es::residual(support::random_conv_transpose<float>(1, 1, 3, {.stride = 2})); },
                         {"Residual", "stride 2"}));
  CHECK(support::refuses([] { es::residual(es::MaxPool1d<float>(2)); }, {"Residual", "stride 2"}));
  CHECK(support::refuses([] { es::residual(counting_conv(3, {.padding = 2})); }, {"Residual", "2 frames longer"}));
  CHECK(support::refuses([] { es::residual(support::random_conv<Conv1d<float>>(2, 4, 1)); },
                         {"Residual", "2 channels into 4"}));
  CHECK(support::refuses([] { es::Stream(es::residual(es::Glu<float>{}), {.channels = 4}); },
                         {"Residual", "4 channels into 2"}));
}

TEST_CASE("Residual: centred, lagging or leading", "[compose][property]") {
  // All ones, k = 3, of 1, 2, 3, ...: three of them, plus the one that the alignment says.
  const es::Conv1d<float> sum(es::Weights<float>({1, 1, 3}, {1, 1, 1}), es::Weights<float>());
  Eigen::Tensor<float, 2> x(1, 8);
  for (Index t = 0; t < 8; ++t) x(0, t) = static_cast<float>(t + 1);
  const auto given = [&](es::Alignment alignment) {
    const es::Residual<es::Conv1d<float>> net(sum, alignment);
    support::check_contract(net, 2);
    const Eigen::Tensor<float, 2> y = es::Stream(net).forward(x);
    es::GraphBuilder<float> graph;
    const auto all = graph.reduce(es::Reduce::sum, {graph.add(sum, graph.input()), graph.input()}, alignment);
    const auto built = graph.build(all);
    support::check_contract(built, 2);
    const Eigen::Tensor<float, 2> z = es::Stream(built).forward(x);
    CHECK(std::equal(y.data(), y.data() + y.size(), z.data(), z.data() + z.size()));
    CHECK(es::without_padding(built).fingerprint() == built.fingerprint());
    return std::vector<float>(y.data(), y.data() + y.size());
  };
  CHECK(given(es::Alignment::lagging) == std::vector<float>{7, 11, 15, 19, 23, 27});
  CHECK(given(es::Alignment::centred) == std::vector<float>{8, 12, 16, 20, 24, 28});
  CHECK(given(es::Alignment::leading) == std::vector<float>{9, 13, 17, 21, 25, 29});
}
