#include "eigenstream/compose/sequential.hpp"

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/layer/pool.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using support::Calls;
using support::counting_conv;

TEST_CASE("Sequential: any chunking gives the offline output", "[compose][property]") {
  for (const Index batch : {1, 3}) {
    support::check_contract(es::sequential(support::random_conv<Conv1d<float>>(3, 5, 3)), batch);
    support::check_contract(es::sequential(support::random_conv<Conv1d<float>>(2, 4, 4, {.stride = 2, .padding = 1}),
                                           es::Tanh<float>{},
                                           support::random_conv_transpose<float>(4, 3, 4, {.stride = 2, .padding = 1})),
                            batch, {.exact = false});
    support::check_contract(es::sequential(support::random_conv<Conv1d<float, 2, 8, 3>>(2, 8, 3, {.padding = 1}),
                                           es::Glu<float>{}, es::Glu<float>{}, support::random_linear<float>(2, 3),
                                           es::Sigmoid<float>{}, es::Softmax<float>{}),
                            batch, {.exact = false});
    support::check_contract(es::sequential(es::AvgPool1d<float>(3, {.stride = 1, .padding = 1}),
                                           support::random_batch_norm<float>(2), es::MaxPool1d<float>(2)),
                            batch, {.exact = false});
    support::check_contract(
        es::sequential(es::sequential(es::Elu<float>{}, support::random_conv<Conv1d<float>>(2, 2, 2)),
                       es::sequential(es::Tanh<float>{}), support::random_conv<Conv1d<float>>(2, 1, 3)),
        batch, {.exact = false});
  }
  support::check_contract(es::sequential(support::random_conv<Conv1d<double>>(2, 3, 3), es::Tanh<double>{}), 1,
                          {.exact = false});
}

TEST_CASE("Sequential: pointwise layers alone take any number of channels", "[compose][property]") {
  support::check_contract(es::sequential(es::Elu<float>{}, es::Tanh<float>{}), 2, {.channels = 5, .exact = false});
  CHECK(es::sequential(es::Elu<float>{}, es::Tanh<float>{}).wanted().channels == 0);
  CHECK(es::sequential(es::Elu<float>{}, support::random_linear<float>(3, 2)).wanted().channels == 3);
  // GLU halves the channels, so what comes before it cannot be told from what comes behind.
  CHECK(es::sequential(es::Glu<float>{}, support::random_linear<float>(3, 2)).wanted().channels == 0);
}

TEST_CASE("Sequential: 300 random networks of up to 8 layers", "[compose][property]") {
  for (std::uint64_t seed = 1; seed <= support::cases<std::uint64_t>(300); ++seed) {
    const support::RandomNetwork network = support::random_network(seed);
    INFO("seed " << seed << ": " << network.text);
    support::check_contract(es::AnyLayer<float>(network.net), seed % 3 == 0 ? 2 : 1,
                            {.channels = network.channels, .exact = false, .light = seed % 10 != 0, .seed = seed});
  }
}

TEST_CASE("Sequential: a chunk longer than a tile, and layers that raise the rate a great deal", "[compose][property]") {
  const auto net = es::sequential(support::random_conv<Conv1d<float>>(1, 3, 5, {.stride = 3}), es::Tanh<float>{},
                                  support::random_conv_transpose<float>(3, 2, 500, {.stride = 300}),
                                  support::random_conv<Conv1d<float>>(2, 1, 7, {.stride = 50, .padding = 3}));
  support::Random random(3);
  const auto x = support::random_tensor<float>(random, 1, 6000);
  es::Stream stream(net);
  const Eigen::Tensor<float, 2> whole = stream.forward(x);
  CHECK(whole.dimension(1) == stream.outputs_after(6000, true));
  std::vector<float> pieces;
  for (Index at = 0, n = 1; at < 6000; at += n, n = std::min<Index>(2 * n + 1, 6000 - at)) {
    const Eigen::TensorMap<const Eigen::Tensor<float, 2>> chunk(x.data() + at, 1, n);
    const Eigen::Tensor<float, 2> y = at + n == 6000 ? stream(chunk, es::final) : stream(chunk);
    pieces.insert(pieces.end(), y.data(), y.data() + y.size());
  }
  REQUIRE(pieces.size() == static_cast<std::size_t>(whole.size()));
  CHECK(std::equal(pieces.begin(), pieces.end(), whole.data()));
}

TEST_CASE("Sequential: the end reaches every layer", "[compose]") {
  // A convolution that gives nothing for the last frame in front of a transposed one with a tail: 18 outputs, then 2.
  es::Stream stream(es::sequential(counting_conv(3, {.stride = 2}),
                                   es::ConvTranspose1d<float>(support::counting({1, 1, 4}), {}, {.stride = 2})));
  const Calls calls = support::calls(stream, support::count_to(20), {19, 1});
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].size() == 18);
  CHECK(calls[1].size() == 2);
}

TEST_CASE("Sequential: a layer that occurs twice is two layers", "[compose]") {
  const Conv1d<float> conv = counting_conv(2);
  es::Stream stream(es::sequential(conv, conv));
  // 1 2 of 1, 2, 3, ... twice: 5 8 11 14, then 21 30 39.
  CHECK(support::calls(stream, support::count_to(5), {3, 2}) == Calls{{21}, {30, 39}});
}

TEST_CASE("Sequential: timing, counts and fingerprint", "[compose]") {
  const auto net = es::sequential(counting_conv(3, {.padding = 1}), es::MaxPool1d<float>(2, {.stride = 2}),
                                  counting_conv(3, {.stride = 2, .padding = 1}));
  CHECK(net.timing().receptive_field() == 8);
  CHECK(net.timing().delay() == 4);
  CHECK(net.timing().padding() == 3);
  CHECK(net.timing().stride() == 4);
  CHECK(net.timing().outputs_after(30) == 7);
  CHECK(net.timing().outputs_after(30, true) == 8);
  CHECK(support::facts_of(net).parameters == 6);
  CHECK(net.facts({1}).macs == 3 + 3.0 / 4);
  CHECK(net.layer<0>().taps() == 3);
  CHECK(es::sequential(counting_conv(2), counting_conv(3)).fingerprint() !=
        es::sequential(counting_conv(3), counting_conv(2)).fingerprint());
}

TEST_CASE("Sequential: memory does not depend on the chunk, and what is remembered is small", "[compose]") {
  es::Stream stream(es::sequential(support::random_conv<Conv1d<float>>(4, 4, 3), es::Tanh<float>{},
                                   support::random_conv<Conv1d<float>>(4, 4, 3)));
  const Index before = stream.memory_bytes();
  support::Random random(3);
  (void)stream(support::random_tensor<float>(random, 4, 50000));
  CHECK(stream.memory_bytes() == before);
  CHECK(stream.state_bytes() == 2 * (2 * 8 + 2 * 4 * 4));  // two histories of two frames, two counters each
}

TEST_CASE("Sequential: layers that do not fit are refused", "[compose][error]") {
  CHECK(support::refuses([] { es::sequential(support::random_linear<float>(2, 3), support::random_linear<float>(4, 1)); },
                         {"Linear", "takes 4 channels", "not 3"}));
  CHECK(support::refuses(
      [] {
        es::sequential(support::random_linear<float>(2, 3), es::Glu<float>{});
      },
      {"GLU", "even", "3"}));
  // Strides that multiply to more than anybody can stream.
  const auto up = [] { return support::random_conv_transpose<float>(1, 1, 1, {.stride = 2048}); };
  CHECK(support::refuses([&] { es::sequential(up(), up()); }, {"rate"}));
  const auto down = [] { return support::random_conv<Conv1d<float>>(1, 1, 1, {.stride = 1 << 20}); };
  CHECK(support::refuses([&] { es::sequential(down(), down(), down()); }, {"2^40"}));
  // Up and down by the same factor again and again repeats at once.
  const auto again = [] { return support::random_conv<Conv1d<float>>(1, 1, 1, {.stride = 2048}); };
  CHECK(es::sequential(up(), again(), up(), again(), up(), again()).timing().period() == 1);
}
