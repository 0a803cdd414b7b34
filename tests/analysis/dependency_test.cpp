#include "eigenstream/analysis/dependency.hpp"

#include <Eigen/Core>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/pool.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::dependency_matrix;
using es::DependencyMatrix;
using es::Index;
using es::infer_dependency_matrix;
using es::InferOptions;
using es::InputGroups;
using Tensor2 = Eigen::Tensor<float, 2>;
using Tensor3 = Eigen::Tensor<float, 3>;
using Rule = std::function<bool(Index, Index)>;

namespace {

DependencyMatrix matrix_of(Index inputs, Index outputs, const Rule& rule, Index in_stride = 1) {
  DependencyMatrix matrix(inputs, outputs, in_stride);
  for (Index i = 0; i < inputs; ++i)
    for (Index o = 0; o < outputs; ++o) matrix.set(i, o, rule(i, o));
  return matrix;
}
// One line for each output, the last one on top.
std::string text(const DependencyMatrix& matrix) {
  std::string all;
  for (Index o = matrix.outputs() - 1; o >= 0; --o) {
    for (Index i = 0; i < matrix.inputs(); ++i) all += matrix(i, o) ? '#' : '.';
    all += '\n';
  }
  return all;
}

// A network without weights: each output frame is the sum of the inputs for which the rule says so.
auto sums(Index outputs, const Rule& rule) {
  return [=](const Tensor3& x) {
    Tensor3 y(x.dimension(0), x.dimension(1), outputs);
    y.setZero();
    for (Index o = 0; o < outputs; ++o)
      for (Index i = 0; i < x.dimension(2); ++i)
        if (rule(i, o)) y.chip(o, 2) += x.chip(i, 2);
    return y;
  };
}

}  // namespace

TEST_CASE("infer_dependency_matrix: the matrices of simple models", "[analysis]") {
  const auto [batch, seed] = GENERATE(table<Index, std::uint64_t>({{1, 1}, {3, 99}}));
  const auto check_rule = [&, batch = batch, seed = seed](Index frames, Index outputs, const Rule& rule) {
    const auto found = infer_dependency_matrix(sums(outputs, rule), {.channels = 2, .batch = batch, .frames = frames}, 1,
                                               {.seed = seed});
    CHECK(found == matrix_of(frames, outputs, rule));
  };
  check_rule(9, 9, [](Index i, Index o) { return i == o; });
  check_rule(9, 9, [](Index i, Index o) { return i <= o; });
  for (const Index stride : {1, 2, 3})
    check_rule(13, 12 / stride + 1, [=](Index i, Index o) { return o * stride - 2 <= i && i <= o * stride; });
  check_rule(6, 5, [](Index, Index) { return true; });
  check_rule(70, 70, [](Index i, Index o) { return o == 69 - i; });
  check_rule(16, 16, [](Index i, Index o) { return i / 4 == o / 4; });
  check_rule(3, 3, [](Index, Index) { return false; });
}

TEST_CASE("infer_dependency_matrix: a recurrence", "[analysis]") {
  const auto rnn = [](const Tensor2& x) {
    Tensor2 y(1, x.dimension(1));
    float h = 0;
    for (Index t = 0; t < x.dimension(1); ++t) y(0, t) = h = std::tanh(0.7f * h + x(0, t) - 0.5f * x(1, t));
    return y;
  };
  const auto found = infer_dependency_matrix(rnn, {.channels = 2, .frames = 8});
  CHECK(found == matrix_of(8, 8, [](Index i, Index o) { return o >= i; }));
  CHECK(es::is_causal(found));
}

TEST_CASE("infer_dependency_matrix: strides over the input", "[analysis]") {
  const auto identity = [](const Tensor3& x) { return x; };
  const es::SignalShape shape{.frames = 7};
  // Each second frame, and each second output: the unit matrix.
  const auto every_second = sums(4, [](Index i, Index o) { return i == 2 * o; });
  CHECK(infer_dependency_matrix(every_second, shape, 2) == matrix_of(4, 4, [](Index i, Index o) { return i == o; }, 2));
  // What depends on the other frame of a group stays invisible, unless the whole group is replaced.
  const auto single = infer_dependency_matrix(identity, shape, 2);
  CHECK(single == matrix_of(4, 7, [](Index i, Index o) { return 2 * i == o; }, 2));
  const auto grouped = infer_dependency_matrix(identity, shape, 2, {.groups = InputGroups::whole_group});
  CHECK(grouped == matrix_of(4, 7, [](Index i, Index o) { return i == o / 2; }, 2));
  CHECK(single.in_stride() == 2);
  CHECK(infer_dependency_matrix(identity, shape, 100).inputs() == 1);

  const auto conv = support::random_conv<es::Conv1d<float>>(1, 1, 3, {.padding = {2, 0}});
  for (const InputGroups groups : {InputGroups::first_frame, InputGroups::whole_group})
    for (const Index in_stride : {1, 2, 3, 70, 200})
      CHECK(dependency_matrix(conv, 150, in_stride, groups) ==
            infer_dependency_matrix(conv, {.frames = 150}, in_stride, {.groups = groups}));
}

TEST_CASE("infer_dependency_matrix: every form of a model", "[analysis]") {
  const auto expected = matrix_of(5, 5, [](Index i, Index o) { return i == o; });
  const es::SignalShape mono{.frames = 5}, stereo{.channels = 2, .frames = 5};
  CHECK(infer_dependency_matrix([](const Eigen::Tensor<double, 1>& x) { return x; }, mono) == expected);
  CHECK(infer_dependency_matrix([](Tensor2 x) { return x; }, stereo) == expected);
  CHECK(infer_dependency_matrix([](const Eigen::MatrixXd& x) -> Eigen::MatrixXd { return 2 * x; }, stereo) == expected);
  CHECK(infer_dependency_matrix([](Eigen::Ref<const Eigen::MatrixXf> x) -> Eigen::RowVectorXf { return x.row(1); }, stereo) ==
        expected);
  CHECK(infer_dependency_matrix([](es::Frames<const float> x) { return x; }, stereo) == expected);
  CHECK(infer_dependency_matrix([](const auto& x) { return x; }, stereo) == expected);
  CHECK(infer_dependency_matrix<Tensor2>([](const auto& x) { return Tensor2(x * 2.0f); }, stereo) == expected);
  const std::function<Tensor3(const Tensor3&)> erased = [](const Tensor3& x) { return x; };
  CHECK(infer_dependency_matrix(erased, stereo) == expected);
  // One that remembers what it is called with, and gives another type of number.
  struct Counting {
    Index calls = 0;
    Eigen::Tensor<double, 2> operator()(const Tensor2& x) {
      ++calls;
      return x.cast<double>();
    }
  } counting;
  CHECK(infer_dependency_matrix(counting, stereo, 2, {.trials = 3}).outputs() == 5);
  CHECK(counting.calls == 3 * (2 + 3));
  // A stream is not touched.
  es::Stream stream(support::random_conv<es::Conv1d<float>>(2, 2, 1), {});
  const es::State before = stream.get_state();
  CHECK(infer_dependency_matrix(stream, stereo) == expected);
  CHECK(dependency_matrix(stream, 5) == expected);
  CHECK(stream.get_state() == before);
}

TEST_CASE("infer_dependency_matrix: the seed decides", "[analysis]") {
  std::vector<float> first;
  std::vector<std::vector<float>> runs;
  for (const std::uint64_t seed : {7u, 7u, 8u}) {
    std::vector<float>& seen = runs.emplace_back();
    infer_dependency_matrix(
        [&](const Tensor2& x) {
          seen.insert(seen.end(), x.data(), x.data() + x.size());
          return x;
        },
        {.frames = 4}, 1, {.amplitude = 3, .seed = seed});
    CHECK(*std::min_element(seen.begin(), seen.end()) >= 0);
    CHECK(*std::max_element(seen.begin(), seen.end()) < 3);
    CHECK(*std::max_element(seen.begin(), seen.end()) > 1);
  }
  CHECK(runs[0] == runs[1]);
  CHECK(runs[0] != runs[2]);
}

TEST_CASE("infer_dependency_matrix: what hides a dependency, and what shows it", "[analysis]") {
  const auto unit = matrix_of(6, 6, [](Index i, Index o) { return i == o; });
  const auto none = matrix_of(6, 6, [](Index, Index) { return false; });
  const es::SignalShape shape{.frames = 6};
  // Off for all that is not negative.
  const auto off = [](const Tensor2& x) { return Tensor2((-x).cwiseMax(0.0f)); };
  CHECK(infer_dependency_matrix(off, shape) == none);
  CHECK(infer_dependency_matrix(off, shape, 1, {.trials = 20, .symmetric = true}) == unit);
  // Off below 2.
  const auto above = [](const Tensor2& x) { return Tensor2((x - 2.0f).cwiseMax(0.0f)); };
  CHECK(infer_dependency_matrix(above, shape) == none);
  CHECK(infer_dependency_matrix(above, shape, 1, {.trials = 20, .amplitude = 10}) == unit);
  // A maximum shows the greatest only, NaN shows all.
  const es::MaxPool1d<float> pool(4, {.stride = 1});
  const es::SignalShape longer{.frames = 40};
  const DependencyMatrix exact = dependency_matrix(pool, 40);
  CHECK(!(infer_dependency_matrix(pool, longer) == exact));
  CHECK(infer_dependency_matrix(pool, longer, 1, {.nan = true}) == exact);
  CHECK(infer_dependency_matrix(pool, longer, 1, {.trials = 60}) == exact);
  // Influences below the tolerance are not seen.
  const auto faint = [](const Tensor2& x) {
    Tensor2 y = x;
    for (Index t = 0; t < x.dimension(1); ++t) y(0, t) = 1 + 1e-6f * x(0, t);
    return y;
  };
  CHECK(infer_dependency_matrix(faint, shape) == none);
  CHECK(infer_dependency_matrix(faint, shape, 1, {.trials = 10, .rtol = 0, .atol = 0}) == unit);
}

TEST_CASE("infer_dependency_matrix: NaN and infinity are values like others", "[analysis]") {
  const es::SignalShape shape{.frames = 5};
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const float value : {nan, inf, -inf}) {
    const auto constant = [=](const Tensor2& x) { return Tensor2(x.constant(value)); };
    CHECK(infer_dependency_matrix(constant, shape) == matrix_of(5, 5, [](Index, Index) { return false; }));
    // Special if the input is above one half: changes in some trial, and only then counts.
    const auto sometimes = [=](const Tensor2& x) {
      return Tensor2((x > 0.5f).select(x.constant(value), x.constant(1)));
    };
    CHECK(infer_dependency_matrix(sometimes, shape, 1, {.trials = 20}) ==
          matrix_of(5, 5, [](Index i, Index o) { return i == o; }));
  }
  const auto signs = [=](const Tensor2& x) {
    return Tensor2((x > 0.5f).select(x.constant(inf), x.constant(-inf)));
  };
  CHECK(infer_dependency_matrix(signs, shape, 1, {.trials = 20}) ==
        matrix_of(5, 5, [](Index i, Index o) { return i == o; }));
}

TEST_CASE("infer_dependency_matrix: errors", "[analysis]") {
  const auto identity = [](const Tensor3& x) { return x; };
  const auto error = [](auto model, es::SignalShape shape, Index in_stride = 1, InferOptions options = {}) {
    return support::error_of([&] { infer_dependency_matrix(model, shape, in_stride, options); });
  };
  CHECK(error(identity, {.frames = 3}).empty());
  CHECK_THAT(error(identity, {.frames = 0}), Contains("a signal of 1 channels, a batch of 1 and 0 frames"));
  CHECK_THAT(error(identity, {.channels = 0, .frames = 3}), Contains("a signal of 0 channels"));
  CHECK_THAT(error(identity, {.frames = 3}, 0), Contains("in_stride = 0"));
  CHECK_THAT(error(identity, {.frames = 3}, 1, {.trials = 0}), Contains("trials = 0"));
  CHECK_THAT(error(identity, {.frames = 3}, 1, {.amplitude = 0}), Contains("amplitude = 0"));
  CHECK_THAT(error(identity, {.frames = 3}, 1, {.rtol = -1}), Contains("rtol = -1"));
  const auto noisy = [n = 0.0f](const Tensor3& x) mutable {
    Tensor3 y = x;
    if (++n > 1) y(1, 0, 2) += n;
    return y;
  };
  CHECK_THAT(error(noisy, {.channels = 2, .frames = 3}), Contains("the model is not deterministic"));
  CHECK_THAT(error(noisy, {.channels = 2, .frames = 3}), Contains("in output frame 2, channel 1"));
  const auto growing = [n = Index{0}](const Tensor3& x) mutable {
    Tensor3 y(1, 1, x.dimension(2) + (++n > 2 ? 1 : 0));
    y.setZero();
    return y;
  };
  CHECK_THAT(error(growing, {.frames = 3}), Contains("gives 1 channels and 4 frames, in an earlier call 1 and 3"));
  const auto widening = [n = Index{0}](const Tensor3& x) mutable {
    Tensor3 y(++n, 1, x.dimension(2));
    y.setZero();
    return y;
  };
  CHECK_THAT(error(widening, {.frames = 3}), Contains("gives 2 channels and 3 frames, in an earlier call 1 and 3"));
  const auto merging = [](const Tensor3& x) { return Tensor2(x.chip(0, 1)); };
  CHECK_THAT(error(merging, {.batch = 2, .frames = 3}), Contains("gives a batch of 1 for one of 2"));
  CHECK_THAT(error([](const Tensor2& x) { return x; }, {.batch = 2, .frames = 3}), Contains("cannot take a batch of 2"));
  CHECK_THAT(error(es::Relu<float>(), {.frames = 0}), Contains("0 frames"));
  CHECK_THAT(error(support::random_conv<es::Conv1d<float>>(2, 2, 1), {.channels = 3, .frames = 4}), Contains("takes 2 channels"));
}

TEST_CASE("dependency_matrix: worked examples", "[analysis]") {
  const auto conv = [](Index taps, es::Conv1dOptions options) { return support::random_conv<es::Conv1d<float>>(1, 1, taps, options); };
  CHECK(text(dependency_matrix(conv(2, {.padding = {1, 0}}), 4)) == "..##\n.##.\n##..\n#...\n");
  CHECK(text(dependency_matrix(conv(3, {.padding = {2, 2}, .dilation = 2}), 5)) == "..#.#\n.#.#.\n#.#.#\n.#.#.\n#.#..\n");
  CHECK(text(dependency_matrix(conv(2, {.stride = 2}), 5)) == "..##.\n##...\n");
  // Frames that repeat the first or the last one depend on it.
  CHECK(text(dependency_matrix(es::Pad<float>(2, 1, {.mode = es::PaddingMode::replicate}), 3)) ==
        "..#\n..#\n.#.\n#..\n#..\n#..\n");
  CHECK(text(dependency_matrix(es::Pad<float>(2, 1), 3)) == "...\n..#\n.#.\n#..\n...\n...\n");
  CHECK(text(dependency_matrix(es::Pad<float>(-1, -1), 4)) == "..#.\n.#..\n");
  es::Conv1dOptions replicated{.padding = {2, 2}};
  replicated.padding_mode = es::PaddingMode::replicate;
  CHECK(text(dependency_matrix(conv(2, replicated), 3)) == "..#\n..#\n.##\n##.\n#..\n#..\n");
  // A window that hangs over the end.
  CHECK(text(dependency_matrix(es::AvgPool1d<float>(2, {.ceil_mode = true}), 3)) == "..#\n##.\n");
  // Up by two: every output reads one or two inputs.
  const auto up = support::random_conv_transpose<float>(1, 1, 3, {.stride = 2});
  CHECK(text(dependency_matrix(up, 3)) == "..#\n..#\n.##\n.#.\n##.\n#..\n#..\n");
  // A branch that is longer by two loses one frame on each side; a diamond of what both read.
  CHECK(text(dependency_matrix(es::residual(conv(3, {})), 5)) == "..###\n.###.\n###..\n");
  CHECK(text(dependency_matrix(es::residual(conv(2, {.dilation = 2})), 5)) == "..###\n.###.\n###..\n");
  CHECK(text(dependency_matrix(es::Timing(), 2)) == ".#\n#.\n");
}

TEST_CASE("dependency_matrix: agrees with what is inferred, layer by layer", "[analysis][property]") {
  // Through whatever hides a number: by NaN; the contract test holds every layer of the library to this, also by numbers.
  const auto check_layer = [](const auto& layer, Index channels, bool by_numbers = true) {
    const DependencyMatrix exact = dependency_matrix(layer, 60);
    const es::SignalShape shape{.channels = channels, .batch = 2, .frames = 60};
    CHECK(infer_dependency_matrix(layer, shape, 1, {.nan = true}) == exact);
    if (by_numbers) CHECK(infer_dependency_matrix(layer, shape, 1, {.trials = 3, .rtol = 1e-7}) == exact);
    const DependencyMatrix thin = dependency_matrix(layer, 60, 7, InputGroups::whole_group);
    CHECK(infer_dependency_matrix(layer, shape, 7, {.groups = InputGroups::whole_group, .nan = true}) == thin);
  };
  const Index stride = GENERATE(1, 2, 3), dilation = GENERATE(1, 2, 5);
  for (const es::PaddingMode mode : {es::PaddingMode::zeros, es::PaddingMode::replicate}) {
    es::Conv1dOptions options{.stride = stride, .padding = {3, 4}, .dilation = dilation};
    options.padding_mode = mode;
    check_layer(support::random_conv<es::Conv1d<float>>(2, 3, 3, options), 2);
    check_layer(es::residual(es::sequential(support::random_conv<es::Conv1d<float>>(2, 2, 3, {.dilation = dilation}),
                                            es::Tanh<float>())), 2);
    check_layer(es::sequential(es::Pad<float>(stride, dilation, {.mode = mode == es::PaddingMode::zeros
                                                                             ? es::PaddingMode::constant
                                                                             : mode}),
                               support::random_conv<es::Conv1d<float>>(2, 3, 4, options)), 2);
  }
  for (const bool ceil : {false, true}) {
    check_layer(es::MaxPool1d<float>(3, {.stride = stride, .padding = 1, .dilation = dilation, .ceil_mode = ceil}), 1, false);
    check_layer(es::AvgPool1d<float>(3, {.stride = stride, .padding = 1, .ceil_mode = ceil}), 1);
  }
  check_layer(es::Resample<float>(stride, dilation, {.lowpass_filter_width = 2}), 1, false);
}

TEST_CASE("dependency_matrix: of a transposed convolution", "[analysis][property]") {
  // Here NaN spreads over a block, for a tap that does not reach a place is a weight of zero: numbers show it.
  const Index stride = GENERATE(1, 2, 3, 5), taps = GENERATE(1, 2, 4), dilation = GENERATE(1, 2, 3);
  for (const Index padding : {0, 2}) {
    const auto layer = support::random_conv_transpose<float>(
        3, 2, taps, {.stride = stride, .padding = padding, .dilation = dilation});
    CHECK(infer_dependency_matrix(layer, {.channels = 3, .batch = 2, .frames = 30}, 1, {.trials = 2}) ==
          dependency_matrix(layer, 30));
  }
}

TEST_CASE("Queries: first and last input, lookahead, history, causality", "[analysis]") {
  const auto centred = support::random_conv<es::Conv1d<float>>(1, 1, 5, {.padding = {3, 1}});
  const DependencyMatrix matrix = dependency_matrix(centred, 200);
  CHECK(es::first_input(matrix, 0) == 0);
  CHECK(es::last_input(matrix, 0) == 1);
  CHECK(es::first_input(matrix, 100) == 97);
  CHECK(es::last_input(matrix, 100) == 101);
  CHECK(es::lookahead(matrix) == 1);
  CHECK(es::lookahead(matrix) == centred.timing().delay());
  CHECK(es::max_history(matrix) == 3);
  CHECK(!es::is_causal(matrix));

  const auto causal = support::random_conv<es::Conv1d<float>>(1, 1, 5, {.padding = {4, 0}});
  CHECK(es::is_causal(dependency_matrix(causal, 50)));
  CHECK(es::lookahead(dependency_matrix(causal, 50)) == 0);
  CHECK(es::max_history(dependency_matrix(causal, 50)) == 4);
  // With other rates, an output belongs to the frame at its place.
  const auto down = support::random_conv<es::Conv1d<float>>(1, 1, 3, {.stride = 2, .padding = {2, 0}});
  CHECK(es::is_causal(dependency_matrix(down, 50), down.timing().rate()));
  CHECK(!es::is_causal(dependency_matrix(down, 50)));
  const auto up = support::random_conv_transpose<float>(1, 1, 2, {.stride = 2});
  CHECK(es::is_causal(dependency_matrix(up, 50), up.timing().rate()));
  CHECK(es::max_history(dependency_matrix(up, 50), up.timing().rate()) == 0);
  // In frames also where the inputs are thinned.
  const DependencyMatrix thin = dependency_matrix(centred, 200, 10);
  CHECK(es::first_input(thin, 100) == 100);
  CHECK(es::last_input(thin, 99) == 100);
  CHECK(!es::first_input(thin, 95));
  CHECK(!es::last_input(thin, 95));
  // Only what came before; nothing at all.
  CHECK(es::lookahead(dependency_matrix(es::Pad<float>(3, 0), 10)) == -3);
  CHECK(es::max_history(dependency_matrix(es::Pad<float>(3, 0), 10)) == 3);
  CHECK(es::max_history(dependency_matrix(es::Pad<float>(-3, 0), 10)) == -3);
  CHECK(es::lookahead(DependencyMatrix(4, 4)) == 0);
  CHECK(es::max_history(DependencyMatrix(4, 4)) == 0);
  CHECK(es::is_causal(DependencyMatrix(4, 4)));
}

TEST_CASE("dependency_matrix: errors", "[analysis]") {
  const es::Relu<float> relu;
  CHECK_THAT(support::error_of([&] { dependency_matrix(relu, 0); }), Contains("a signal of 0 frames"));
  CHECK_THAT(support::error_of([&] { dependency_matrix(relu, 5, 0); }), Contains("in_stride = 0"));
  CHECK_THAT(support::error_of([&] { dependency_matrix(relu, Index{1} << 30); }), Contains("more than 16 GiB"));
  // A signal that is too short gives nothing, which is no error.
  CHECK(dependency_matrix(es::MaxPool1d<float>(4), 3).outputs() == 0);
}
