#include "eigenstream/names/torch_streamer.hpp"

#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/pool.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using es::PaddingPolicy;
using es::Reduce;
using support::Calls;
using support::error_of;

namespace {

using Conv = es::Conv1d<float>;
using Tensor2 = Eigen::Tensor<float, 2>;

Tensor2 ramp(Index n) {
  Tensor2 x(1, n);
  for (Index i = 0; i < n; ++i) x(0, i) = static_cast<float>(i + 1);
  return x;
}

}  // namespace

TEST_CASE("Names of torch-streamer: each is a stream of its layer", "[names]") {
  support::Random random(1);
  const auto x = support::random_tensor<float>(random, 2, 40);
  const Conv conv = support::random_conv<Conv>(2, 2, 3);
  const auto same = [&](auto stream, const auto& layer) {
    const Tensor2 expected = es::Stream(layer, {.channels = 2}).forward(x);
    const Tensor2 y = stream(x, es::final);
    REQUIRE(y.size() == expected.size());
    return std::equal(y.data(), y.data() + y.size(), expected.data());
  };
  CHECK(same(es::Conv1dStream<>(conv), conv));
  const auto up = support::random_conv_transpose<float>(2, 2, 4, {.stride = 2});
  CHECK(same(es::ConvTranspose1dStream<>(up), up));
  const es::AvgPool1d<float> average(3);
  CHECK(same(es::Pool1dStream<es::AvgPool1d<float>>(average, {.channels = 2}), average));
  const es::MaxPool1d<float> greatest(3);
  CHECK(same(es::Pool1dStream<es::MaxPool1d<float>>(greatest, {.channels = 2}), greatest));
  CHECK(same(es::Elementwise1dStream(es::Tanh<float>(), {.channels = 2}), es::Tanh<float>()));
  CHECK(same(es::Elementwise1dStream(support::random_linear<float>(2, 3)), support::random_linear<float>(2, 3)));
  const auto chain = es::sequential(conv, es::Tanh<float>());
  CHECK(same(es::Sequential1dStream<Conv, es::Tanh<float>>(chain), chain));
  const es::Residual1d<Conv> residual(conv);
  CHECK(same(es::Residual1dStream<Conv>(residual), residual));
  const es::Resample<float> resample(3, 2);
  CHECK(same(es::ResampleStream<>(resample, {.channels = 2}), resample));
  CHECK(same(es::BaseStream<>(conv), conv));
  CHECK(same(es::create_stream(conv), conv));
  // Several layers, as Residual1d takes them.
  CHECK(same(es::Stream(es::residual(conv, es::Tanh<float>())), es::residual(chain)));
}

TEST_CASE("Elementwise1dStream: refuses what looks at other frames", "[names][error]") {
  CHECK(error_of([] { es::Elementwise1dStream(support::random_conv<Conv>(2, 2, 3, {.padding = 1})); }) ==
        "Elementwise1dStream: the layer is not elementwise: 1 outputs for 1 inputs, receptive field 3, padding 1");
  CHECK(error_of([] { es::Elementwise1dStream(es::AvgPool1d<float>(1, {.stride = 2}), {.channels = 1}); }) ==
        "Elementwise1dStream: the layer is not elementwise: 1 outputs for 2 inputs, receptive field 1, padding 0");
}

TEST_CASE("forward with a flag: nothing while nothing is ready, fresh after the last chunk", "[names]") {
  es::BaseStream<> stream = es::create_stream(support::counting_conv(3, {.stride = 2}));
  for (int signal = 0; signal < 2; ++signal) {
    const Tensor2 x = ramp(8);
    const auto part = [&](Index begin, Index n) {
      return Eigen::TensorMap<const Tensor2>(x.data() + begin, 1, n);
    };
    const auto first = stream.forward(part(0, 3), false);
    REQUIRE(first.has_value());
    CHECK(first->dimension(1) == 1);
    CHECK((*first)(0, 0) == 14);
    CHECK(!stream.forward(part(3, 1), false).has_value());
    CHECK((*stream.forward(part(4, 2), false))(0, 0) == 26);
    CHECK((*stream.forward(part(6, 2), true))(0, 0) == 38);
    CHECK(stream.frames_seen() == 0);
    CHECK(!stream.forward(part(0, 0), true).has_value());
  }
  // One channel may come as (T), and goes as (T).
  Eigen::Tensor<float, 1> x(6);
  x.setConstant(1.0f);
  const Eigen::Tensor<float, 1> y = stream(x, es::final);
  CHECK(y.dimension(0) == 2);
  CHECK(y(0) == 6);
  es::Stream wide(support::random_conv<Conv>(1, 2, 1));
  CHECK(error_of([&] { wide(x); }) ==
        "Stream: a signal (T) goes in, but 2 channels come out; give it as (1,T)");
}

TEST_CASE("create_stream: valid takes all padding in time away", "[names][property]") {
  const Conv padded = support::random_conv<Conv>(2, 2, 5, {.padding = es::Padding(3, 1)});
  const Conv plain = support::random_conv<Conv>(2, 2, 5);
  const auto up_with = [](es::ConvTranspose1dOptions options) {
    return support::random_conv_transpose<float>(2, 2, 4, options);
  };
  const auto up = up_with({.stride = 2, .padding = 1, .output_padding = 1});
  const auto up_plain = up_with({.stride = 2});
  const es::MaxPool1d<float> pool(3, {.stride = 2, .padding = 1, .dilation = 2, .ceil_mode = true});
  const es::MaxPool1d<float> pool_plain(3, {.stride = 2, .dilation = 2});
  const es::AvgPool1d<float> mean(3, {.stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false});
  const es::AvgPool1d<float> mean_plain(3, {.stride = 2, .count_include_pad = false});
  const es::Pad<float> pad(3, -2), pad_plain(0, -2);

  support::check_equal(es::without_padding(padded), plain);
  support::check_equal(es::without_padding(es::sequential(padded, es::Tanh<float>(), up, es::residual(padded), pool, mean, pad)),
                       es::sequential(plain, es::Tanh<float>(), up_plain, es::residual(plain), pool_plain, mean_plain,
                                      pad_plain));
  support::check_equal(es::without_padding(es::parallel(Reduce::sum, padded, es::Identity<float>(), es::residual(padded))),
                       es::parallel(Reduce::sum, plain, es::Identity<float>(), es::residual(plain)));
  const auto graph = [](const Conv& conv, const es::ConvTranspose1d<float>& back) {
    es::GraphBuilder<float> builder;
    const auto x = builder.input();
    const auto half = builder.add(es::AvgPool1d<float>(2), builder.add(conv, x));
    return builder.build(builder.reduce(Reduce::concat, {x, builder.add(back, half)}));
  };
  support::check_equal(es::without_padding(graph(padded, up)), graph(plain, up_plain));

  // As streams, and from a type that is not known.
  const es::AnyLayer<float> any(es::AnySequential<float>({padded, es::AnyLayer<float>(es::Tanh<float>()), up}));
  es::BaseStream<> exact = es::create_stream(any), valid = es::create_stream(any, PaddingPolicy::valid);
  CHECK(exact.outputs_after(20, true) == 41);
  CHECK(valid.outputs_after(20, true) == 34);
  CHECK(es::create_stream(es::Tanh<float>(), PaddingPolicy::valid, {.channels = 2}).outputs_after(5) == 5);
}

TEST_CASE("create_stream: the interior of a padded network of stride 1", "[names]") {
  // For stride 1 the valid outputs are those of the padded network that see no padding.
  const auto net = es::sequential(support::random_conv<Conv>(1, 3, 5, {.padding = 2}), es::Tanh<float>(),
                                  support::random_conv<Conv>(3, 1, 3, {.padding = 1}));
  support::Random random(2);
  const auto x = support::random_tensor<float>(random, 1, 30);
  const Tensor2 exact = es::create_stream(net)(x, es::final), valid = es::create_stream(net, PaddingPolicy::valid)(x, es::final);
  REQUIRE(exact.dimension(1) == 30);
  REQUIRE(valid.dimension(1) == 24);
  CHECK(std::equal(valid.data(), valid.data() + 24, exact.data() + 3));
}

TEST_CASE("register_streamer: types of the user's, built-in ones only if it is said", "[names]") {
  es::Registry registry = es::builtin_registry();
  const es::Registry::Factory twice = [](es::ModuleReader& reader, const es::FrameShape&) {
    return es::Built(es::AvgPool1d<float>(reader.integer("n"), {.stride = 1}));
  };
  es::register_streamer(registry, "Smooth", twice);
  const es::ModuleSpec spec{"Smooth", "s", {{"n", std::int64_t{2}}}, {}};
  es::BaseStream<> stream = es::create_stream(registry, spec, {}, PaddingPolicy::exact, {.channels = 1});
  CHECK(support::calls(stream, support::count_to(4), {2, 2}) == Calls{{1.5f}, {2.5f, 3.5f}});
  CHECK(error_of([&] { es::register_streamer(registry, "Smooth", twice); }) ==
        "registry: there is a factory for Smooth already (replace() takes its place)");
  CHECK(error_of([&] { es::register_streamer(registry, "Tanh", twice); }) ==
        "registry: there is a factory for Tanh already (replace() takes its place)");
  es::register_streamer(registry, "Tanh", twice, es::replace);
  CHECK(registry.create({"Tanh", "", {{"n", std::int64_t{3}}}, {}}, {}).layer.timing().receptive_field() == 3);
  CHECK(es::builtin_registry().create({"Tanh", "", {}, {}}, {}).layer.timing().receptive_field() == 1);
  CHECK(error_of([&] { es::register_streamer(registry, "Smoth", twice, es::replace); }) ==
        "registry: there is no factory for Smoth to replace");
  CHECK(registry.contains("Smooth"));
  CHECK(!es::builtin_registry().contains("Smooth"));
}

TEST_CASE("create_stream: valid takes padding away before modules are put together", "[names]") {
  // Padded, the inside of the residual is longer than its input.
  es::ModuleSpec conv{"Conv1d", "net", {}, {}};
  conv.fields = {{"in_channels", 1}, {"out_channels", 1}, {"kernel_size", 3}, {"padding", 2}, {"bias", false}};
  es::ModuleSpec residual{"Residual", "", {}, {}};
  residual.children["net"] = {conv};
  es::ModuleSpec net{"Sequential", "", {}, {}};
  net.children["layers"] = {residual};
  const es::WeightMap weights{{"net.weight", {{1, 1, 3}, {1, 2, 3}}}};
  const es::Registry registry = es::builtin_registry();
  CHECK(error_of([&] { es::create_stream(registry, net, weights); }) ==
        "module \"\" (Residual): Residual: the network's output is 2 frames longer than its input (without its padding "
        "it may fit: residual(without_padding(net)))");
  for (const es::ModuleSpec& spec : {residual, net}) {
    const Tensor2 y = es::create_stream(registry, spec, weights, PaddingPolicy::valid)(ramp(8), es::final);
    REQUIRE(y.dimension(1) == 6);
    for (Index m = 0; m < 6; ++m) CHECK(y(0, m) == static_cast<float>(16 + 7 * m));
  }
}
