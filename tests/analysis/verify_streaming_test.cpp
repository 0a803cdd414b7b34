#include "eigenstream/analysis/verify_streaming.hpp"

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::StreamingVerdict;
using es::verify_streaming;
using Tensor2 = Eigen::Tensor<float, 2>;
using Tensor3 = Eigen::Tensor<float, 3>;

namespace {

constexpr es::SignalShape stereo{.channels = 2, .frames = 100};

// y[t] = x[t] + x[t-1] + x[t-2], without padding: two frames fewer. Written as a user would, with what can go wrong.
struct Sum {
  bool forgets = false;         // what the chunk before left
  bool stays = false;           // keeps its history after the end
  Index loses = 0;              // outputs of the call that is the last
  Index widens = 0;             // channels too many, in chunks after the first
  bool noisy = false;
  double drift = 0;             // error of every call
  std::vector<Eigen::VectorXf> history = {};
  Index calls = 0;

  Eigen::MatrixXf operator()(const Eigen::MatrixXf& x, bool last) {
    if (forgets) history.clear();
    for (Index t = 0; t < x.cols(); ++t) history.push_back(x.col(t));
    const Index n = std::max<Index>(0, static_cast<Index>(history.size()) - 2);
    Eigen::MatrixXf y(x.rows() + (calls > 1 ? widens : 0), n);
    y.setZero();
    for (Index t = 0; t < n; ++t)
      for (Index k = 0; k < 3; ++k) y.col(t).head(x.rows()) += history[static_cast<std::size_t>(t + k)];
    ++calls;
    if (n > 0 && noisy) y(1, n - 1) += static_cast<float>(calls);
    if (n > 0) y(0, 0) += static_cast<float>(drift);
    history.erase(history.begin(), history.begin() + n);
    if (last && !stays) history.clear();
    return last ? Eigen::MatrixXf(y.leftCols(std::max<Index>(0, n - loses))) : y;
  }
};
Eigen::MatrixXf offline(const Eigen::MatrixXf& x) {
  const Index n = std::max<Index>(0, x.cols() - 2);
  return x.leftCols(n) + x.middleCols(1, n) + x.rightCols(n);
}

}  // namespace

TEST_CASE("verify_streaming: what obeys the law passes", "[analysis]") {
  const StreamingVerdict verdict = verify_streaming(Sum(), stereo);
  INFO(verdict.message);
  CHECK(verdict.holds());
  CHECK(verdict);
  CHECK(verdict.message.empty());
  CHECK(verdict.trials == 20);
  CHECK(verdict.calls > 200);
  CHECK(verdict.largest_difference == 0);
  CHECK(verdict.output_frame == -1);
  for (const Index frames : {3, 4, 10, 1000}) CHECK(verify_streaming(Sum(), {.channels = 2, .frames = frames}));
}

TEST_CASE("verify_streaming: against an offline reference", "[analysis]") {
  // The order of the additions differs, hence the last bits.
  const StreamingVerdict close = verify_streaming(Sum(), offline, stereo, {.tolerance = {.absolute = 1e-6}});
  INFO(close.message);
  CHECK(close);
  CHECK(close.largest_difference <= 1e-6);
  // What never gives the end of the signal agrees with itself, but not with the reference.
  Sum lossy{.loses = 3};
  const StreamingVerdict lost = verify_streaming(lossy, offline, stereo, {.tolerance = {.absolute = 1e-6}});
  CHECK(lost.message == "gives 95 frames in all, offline 98");
  CHECK(lost.chunking.name == "one call");
  CHECK(lost.chunking.chunks == std::vector<Index>{100});
  Sum drifting{.drift = 1e-3};
  const StreamingVerdict wrong = verify_streaming(drifting, offline, stereo, {.tolerance = {.absolute = 1e-6}});
  CHECK_THAT(wrong.message, Contains("output frame 0, channel 0 is ") && Contains(", offline "));
  CHECK(std::abs(wrong.largest_difference - 1e-3) < 1e-5);
}

TEST_CASE("verify_streaming: one that forgets what came before", "[analysis]") {
  const StreamingVerdict verdict = verify_streaming(Sum{.forgets = true}, stereo);
  CHECK(!verdict.holds());
  CHECK(verdict.message == "chunking 1 (single frames), gives 0 frames in all, in one call 98");
  CHECK(verdict.chunking.name == "single frames");
  CHECK(verdict.chunking.chunks == std::vector<Index>(100, 1));
  CHECK(verdict.trials == 1);
}

TEST_CASE("verify_streaming: one that looks ahead within its chunk", "[analysis]") {
  // y[t] = x[t+1], and x[t] where there is no further frame: right in one call.
  const auto ahead = [](const Tensor3& x, bool) {
    Tensor3 y = x;
    for (Index t = 0; t + 1 < x.dimension(2); ++t) y.chip(t, 2) = x.chip(t + 1, 2);
    return y;
  };
  const StreamingVerdict verdict = verify_streaming(ahead, {.channels = 2, .batch = 3, .frames = 40});
  CHECK_THAT(verdict.message, Contains("chunking 1 (single frames), the cut at input frame 0, next chunk of 1: output "
                                       "frame 0, batch entry 0, channel 0 is ") && Contains(", in one call "));
  CHECK(verdict.output_frame == 0);
  CHECK(verdict.batch_entry == 0);
  CHECK(verdict.channel == 0);
  CHECK(verdict.largest_difference > 0.1);
  CHECK(verdict.largest_difference < 2);
  // With a tolerance that is no help.
  CHECK(!verify_streaming(ahead, {.frames = 40}, {.tolerance = {.relative = 0.01}}));
  CHECK(verify_streaming(ahead, {.frames = 40}, {.tolerance = {.absolute = 2}}));
}

TEST_CASE("verify_streaming: one that drops the tail when the last chunk is empty", "[analysis]") {
  // Each frame comes one later; the last one with the end.
  std::optional<Eigen::VectorXf> held;
  const auto late = [&](const Eigen::MatrixXf& x, bool last) -> std::optional<Eigen::MatrixXf> {
    if (x.cols() == 0) {
      if (last) held.reset();
      return std::nullopt;
    }
    Eigen::MatrixXf y(x.rows(), x.cols() + 1);
    y.col(0) = held.value_or(Eigen::VectorXf::Zero(x.rows()));
    y.rightCols(x.cols()) = x;
    const bool first = !held;
    held = x.col(x.cols() - 1);
    if (last) held.reset();
    return Eigen::MatrixXf(y.middleCols(first ? 1 : 0, x.cols() - (first ? 1 : 0) + (last ? 1 : 0)));
  };
  const StreamingVerdict verdict = verify_streaming(late, stereo);
  CHECK(verdict.message == "chunking 2 (primes, the last one empty), gives 99 frames in all, in one call 100");
  CHECK(verdict.trials == 2);
  CHECK(verdict.chunking.chunks.back() == 0);
}

TEST_CASE("verify_streaming: one that is not fresh after the end, or not deterministic", "[analysis]") {
  CHECK_THAT(verify_streaming(Sum{.stays = true}, stereo).message,
             Contains("the same signal once more, after its last call: ") && Contains("output frame 0, channel 0 is ") &&
                 Contains("(it is not fresh after the last call)"));
  const StreamingVerdict noisy = verify_streaming(Sum{.noisy = true}, stereo);
  CHECK_THAT(noisy.message, Contains("the same signal once more") && Contains("output frame 97, channel 1 is ") &&
                                Contains("(each time another output: it is not deterministic"));
  CHECK(noisy.output_frame == 97);
  CHECK(noisy.channel == 1);
  CHECK(noisy.calls == 3);
  CHECK(noisy.chunking.name == "one call");
}

TEST_CASE("verify_streaming: one that gives other channels, or too many frames", "[analysis]") {
  CHECK(verify_streaming(Sum{.widens = 1}, stereo).message ==
        "chunking 1 (single frames), the cut at input frame 2, next chunk of 1: gives 3 channels, in one call 2");
  const auto split = [](const Tensor3& x, bool) {
    return x.dimension(2) == 100 ? x : Tensor3(x.reshape(Eigen::array<Index, 3>{2, 2, x.dimension(2)}));
  };
  CHECK_THAT(verify_streaming(split, {.channels = 4, .frames = 100}).message,
             Contains("gives 2 channels and a batch of 2, in one call 4 and 1"));
  // One more frame with every chunk.
  const auto growing = [](const Tensor2& x, bool last) {
    Tensor2 y(x.dimension(0), x.dimension(1) + (last ? 0 : 1));
    y.setZero();
    return y;
  };
  CHECK_THAT(verify_streaming(growing, {.frames = 10}).message,
             Contains("next chunk of 1: gives 2 frames, 12 in all, in one call 10"));
}

TEST_CASE("verify_streaming: every form of a callable", "[analysis]") {
  const auto same = [](const auto& x, bool) { return x; };
  CHECK(verify_streaming(same, stereo));
  CHECK(verify_streaming<Tensor2>(same, stereo));
  CHECK(verify_streaming<Eigen::MatrixXd>(same, [](const auto& x) { return x; }, stereo));
  CHECK(verify_streaming([](const Eigen::Tensor<double, 1>& x, bool) { return x; }, {.frames = 30}));
  CHECK(verify_streaming([](es::Frames<const float> x, bool) { return x; }, {.channels = 3, .batch = 2, .frames = 30}));
  // An empty tensor of no shape, or nothing at all, where no frames are ready.
  CHECK(verify_streaming([](const Tensor2& x, bool) { return x.dimension(1) == 0 ? Tensor2(0, 0) : x; }, stereo));
  CHECK(verify_streaming(
      [](const Tensor2& x, bool) { return x.dimension(1) == 0 ? std::nullopt : std::optional(x); }, stereo));
}

TEST_CASE("verify_streaming: layers, networks and streams", "[analysis]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 3, 5, {.stride = 2, .padding = {1, 3}, .dilation = 2});
  CHECK(verify_streaming(conv, {.channels = 2, .frames = 300}));
  CHECK(verify_streaming(conv, {.channels = 2, .batch = 3, .frames = 30}));
  const auto net = es::sequential(es::residual(support::random_conv<es::Conv1d<float>>(2, 2, 3)), es::Tanh<float>());
  CHECK(verify_streaming(net, stereo));
  es::Stream stream(net);
  const Tensor2 x(2, 7);
  stream(x);
  const es::State before = stream.get_state();
  CHECK(verify_streaming(stream, stereo));
  CHECK(stream.get_state() == before);
  // As a callable that gives frames or nothing.
  es::Stream called(conv);
  const auto forward = [&](const Tensor2& chunk, bool last) -> std::optional<Tensor2> {
    const Tensor2 y = last ? called(chunk, es::final) : called(chunk);
    return y.dimension(1) > 0 ? std::optional(y) : std::nullopt;
  };
  const auto whole = [&](const Tensor2& all) { return called.forward(all); };
  CHECK(verify_streaming(forward, whole, stereo));
}

namespace {

// y = x, and one frame fewer than timing() says, or another one than before.
struct Faulty : es::StatelessLayer<float> {
  bool early = false, wrong = false;
  es::FrameShape wanted() const { return es::FrameShape::any(); }
  es::Facts facts(const es::FrameShape& in) const { return {.out = in}; }
  es::Timing timing() const { return early ? es::Timing(es::TimingStage{.reach = 2}) : es::Timing(); }
  std::uint64_t fingerprint() const { return 1; }
  Index steps(es::StateRef, es::Frames<const float> x, es::Frames<float> y) const noexcept {
    std::copy_n(x.data, x.scalars(), y.data);
    if (wrong && x.count == 5) y.data[x.scalars() - 1] = std::nextafter(y.data[x.scalars() - 1], 2.0f);
    return x.count;
  }
  bool in_place() const noexcept { return false; }
  bool keeps_channels() const noexcept { return true; }
};
static_assert(es::Layer<Faulty>);

}  // namespace

TEST_CASE("verify_streaming: a layer that breaks the law", "[analysis]") {
  Faulty layer;
  CHECK(verify_streaming(layer, stereo));
  layer.wrong = true;
  const StreamingVerdict verdict = verify_streaming(layer, stereo);
  CHECK_THAT(verdict.message, Contains("chunking 2 (primes, the last one empty), the cut at input frame 5, next chunk of 5: "
                                       "output frame 9, channel 1 is "));
  CHECK(verdict.largest_difference > 0);
  CHECK(verdict.largest_difference < 1e-6);
  CHECK(verify_streaming(layer, stereo, {.tolerance = {.absolute = 1e-6}}));
  layer.wrong = false;
  layer.early = true;
  CHECK(verify_streaming(layer, stereo).message == "a signal of 100 frames gives 100 frames, timing() says 99");
}

TEST_CASE("verify_streaming: errors", "[analysis]") {
  const auto error = [](es::SignalShape shape, es::VerifyOptions options = {}) {
    return support::error_of([&] { verify_streaming(Sum(), shape, options); });
  };
  CHECK(error(stereo).empty());
  CHECK_THAT(error({.channels = 2, .frames = 0}), Contains("verify_streaming: a signal of 2 channels"));
  CHECK_THAT(error({.channels = 2, .frames = 2}), Contains("gives no output, so there is nothing to compare"));
  CHECK_THAT(error({.channels = 2, .batch = 2, .frames = 20}), Contains("cannot take a batch of 2"));
  CHECK_THAT(error(stereo, {.trials = 0}), Contains("trials = 0"));
  CHECK_THAT(error(stereo, {.tolerance = {.relative = -1}}), Contains("must not be negative"));
  const auto merging = [](const Tensor3& x, bool) { return Tensor2(x.chip(0, 1)); };
  CHECK_THAT(support::error_of([&] { verify_streaming(merging, {.batch = 2, .frames = 9}); }),
             Contains("one call gives a batch of 1 for one of 2"));
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 3, 5);
  CHECK_THAT(support::error_of([&] { verify_streaming(conv, {.channels = 3, .frames = 20}); }), Contains("takes 2 channels"));
}

TEST_CASE("make_chunking: the chunks give back the signal's length", "[analysis]") {
  std::mt19937_64 random(3);
  for (const Index frames : {1, 2, 17, 1000}) {
    for (Index trial = 0; trial < 40; ++trial) {
      const es::Chunking chunking = es::make_chunking(trial, frames, random);
      INFO(chunking.name);
      Index sum = 0, least = 0;
      for (const Index chunk : chunking.chunks) sum += chunk, least = std::min(least, chunk);
      CHECK(sum == frames);
      CHECK(least == 0);
    }
  }
}
