#include "eigenstream/compose/prewarmed.hpp"

#include <cstring>

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/delay.hpp"
#include "eigenstream/layer/group_norm.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "eigenstream/network/any_graph.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using support::error_of;

namespace {

es::Conv1d<float> causal(Index in, Index out, Index taps, Index dilation, std::uint64_t seed) {
  return support::random_conv<es::Conv1d<float>>(
      in, out, taps, {.padding = es::Padding::causal(taps, dilation), .dilation = dilation}, true, seed);
}
es::Lstm<float> small_lstm(Index in, Index hidden) {
  support::Random random(3);
  es::RecurrentWeights<float> w{support::random_weights<float>({4 * hidden, in}, random, hidden),
                                support::random_weights<float>({4 * hidden, hidden}, random, hidden)};
  w.input_bias = w.hidden_bias = support::random_weights<float>({4 * hidden}, random);
  return es::Lstm<float>(w);
}
// Residual paths, a sum of skips, and histories that are longer than a tile or shorter.
es::AnyGraph<float> wavenet() {
  es::GraphBuilder<float> graph(1);
  auto y = graph.add(causal(1, 3, 1, 1, 1), graph.input());
  auto skips = y;
  for (const Index dilation : {1, 7, 40}) {
    const auto z = graph.add(es::Tanh<float>(), graph.add(causal(3, 3, 3, dilation, static_cast<std::uint64_t>(dilation)), y));
    y = graph.reduce(es::Reduce::sum, {graph.add(causal(3, 3, 1, 1, 9), z), y});
    skips = graph.reduce(es::Reduce::sum, {skips, z});
  }
  return graph.build(graph.add(causal(6, 1, 5, 1, 2), graph.reduce(es::Reduce::concat, {skips, y})));
}

// What a network gives for silence and then x, without what the silence gives.
template <class Net>
std::vector<float> after_silence(const Net& net, Index frames, const std::vector<float>& x, es::FrameShape in) {
  es::Stream<Net> stream(net, {.channels = in.channels, .batch = in.batch});
  std::vector<float> silent(static_cast<std::size_t>(frames * in.size())), out(static_cast<std::size_t>((frames + 1000) * stream.out_shape().size()));
  stream.process(es::Frames<const float>(silent.data(), in, frames), es::Frames<float>(out.data(), stream.out_shape(), frames));
  const Index n = static_cast<Index>(x.size()) / in.size();
  stream.process(es::Frames<const float>(x.data(), in, n), es::Frames<float>(out.data(), stream.out_shape(), n));
  out.resize(static_cast<std::size_t>(n * stream.out_shape().size()));
  return out;
}

template <class Net>
void check_prewarmed(const Net& net, Index frames, Index batch) {
  const es::Prewarmed<Net> warm(net, frames);
  const es::FrameShape in{.channels = net.wanted().channels, .batch = batch};
  support::Random random(5);
  const std::vector<float> x = support::random_values<float>(50 * in.size(), random);
  const std::vector<float> expected = after_silence(net, frames, x, in);
  es::Stream<es::Prewarmed<Net>> stream(warm, {.channels = in.channels, .batch = batch});
  std::vector<float> y(expected.size());
  const auto run = [&] {
    std::fill(y.begin(), y.end(), 0.0f);
    stream.process(es::Frames<const float>(x.data(), in, 50), es::Frames<float>(y.data(), stream.out_shape(), 50));
    return std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)) == 0;
  };
  CHECK(run());
  CHECK_FALSE(run());  // the signal goes on
  {
    const support::NoAllocation none;
    stream.reset();
    CHECK(none.count() == 0);
  }
  CHECK(run());
  stream.flush(es::Frames<float>(y.data(), stream.out_shape(), 0));
  CHECK(run());
  CHECK(stream.state_bytes() == es::Stream<Net>(net, {.channels = in.channels, .batch = batch}).state_bytes());
  CHECK(stream.memory_bytes() == es::Stream<Net>(net, {.channels = in.channels, .batch = batch}).memory_bytes());
}

}  // namespace

TEST_CASE("Prewarmed: any chunking gives the offline output", "[compose][property]") {
  for (const Index batch : {1, 3}) {
    support::check_contract(es::prewarmed(causal(2, 3, 4, 5, 1), 7), batch);
    support::check_contract(es::prewarmed(es::sequential(causal(2, 4, 3, 2, 1), small_lstm(4, 3)), 300), batch, {.exact = false});
    support::check_contract(es::prewarmed(wavenet(), 97), batch, {.exact = false});
    support::check_contract(es::sequential(es::prewarmed(es::residual(causal(2, 2, 3, 1, 1)), 2), es::Delay<float>(3)), batch, {.exact = false});
  }
}

TEST_CASE("Prewarmed: a signal begins as if silence had come before, in any batch", "[compose]") {
  const Index batch = GENERATE(1, 2, 5), frames = GENERATE(1, 3, 255, 256, 257, 1000);
  INFO("batch " << batch << ", " << frames << " frames");
  check_prewarmed(causal(2, 3, 4, 5, 1), frames, batch);
  check_prewarmed(small_lstm(2, 5), frames, batch);
  check_prewarmed(wavenet(), frames, batch);
  check_prewarmed(es::AnyLayer<float>(wavenet()), frames, batch);
}

TEST_CASE("Prewarmed: frames with space are columns of the same silence", "[compose]") {
  const auto warm = es::prewarmed(causal(2, 3, 4, 5, 1), 9);
  es::Stream wide(warm, {.channels = 2, .width = 3});
  es::Stream narrow(warm, {.channels = 2});
  Eigen::Tensor<float, 3> x(2, 3, 4);
  x.setZero();
  Eigen::Tensor<float, 2> one(2, 4);
  one.setZero();
  const Eigen::Tensor<float, 3> all = wide(x);
  const Eigen::Tensor<float, 2> single = narrow(one);
  for (Index t = 0; t < 4; ++t)
    for (Index w = 0; w < 3; ++w)
      for (Index c = 0; c < 3; ++c) CHECK(all(c, w, t) == single(c, t));
}

TEST_CASE("Prewarmed: without padding there is nothing before the signal", "[compose]") {
  const auto conv = causal(2, 3, 4, 5, 1);
  support::check_equal(es::without_padding(es::prewarmed(conv, 9)), conv.without_padding());
}

TEST_CASE("Prewarmed: what it refuses", "[compose]") {
  const auto conv = causal(2, 3, 4, 5, 1);
  CHECK_THAT(error_of([&] { es::prewarmed(conv, 0); }), Contains("frames = 0, must be from 1 to 4194304"));
  CHECK_THAT(error_of([&] { es::prewarmed(conv, (Index{1} << 22) + 1); }), Contains("must be from 1 to 4194304"));
  CHECK_THAT(error_of([&] { es::prewarmed(causal(64, 64, 5, 1, 1), Index{1} << 22); }), Contains("more than 2^34"));
  CHECK_THAT(error_of([&] { es::prewarmed(support::random_conv<es::Conv1d<float>>(2, 2, 3), 5); }),
             Contains("a frame for each that comes, at once"));
  CHECK_THAT(error_of([&] { es::prewarmed(support::random_conv<es::Conv1d<float>>(2, 2, 2, {.stride = 2}), 5); }),
             Contains("a frame for each that comes, at once"));
  CHECK_THAT(error_of([&] { es::prewarmed(es::Delay<float>(2), 5); }), Contains("a frame for each that comes, at once"));
  CHECK_THAT(error_of([&] { es::prewarmed(es::Tanh<float>(), 5); }), Contains("how many channels it takes"));
}
