#include "eigenstream/names/continual_attention.hpp"

#include <cmath>

#include "eigenstream/names/continual.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
namespace co = eigenstream::continual;
using Catch::Matchers::Contains;
using es::Index;
using support::error_of;
using Signal = Eigen::Tensor<float, 3>;
using Space = Eigen::Tensor<float, 4>;

namespace {

es::Weights<float> identity(Index n, Index times = 1) {
  es::Weights<float> w;
  w.shape = {times * n, n};
  for (Index r = 0; r < times * n; ++r)
    for (Index c = 0; c < n; ++c) w.values.push_back(r % n == c ? 1.0f : 0.0f);
  return w;
}
es::WeightMap identities() { return {{"in_proj_weight", identity(2, 3)}, {"out_proj.weight", identity(2)}}; }

es::WeightMap random_encoder(Index layers, Index embed, Index hidden, bool norm, std::uint64_t seed = 1) {
  support::Random random(seed);
  es::WeightMap all;
  const auto add = [&](const std::string& name, std::vector<Index> shape, Index inputs = 1) {
    all[name] = support::random_weights<float>(std::move(shape), random, inputs);
  };
  for (Index k = 0; k < layers; ++k) {
    const std::string own = "layers." + std::to_string(k) + ".";
    add(own + "self_attn.in_proj_weight", {3 * embed, embed}, 2), add(own + "self_attn.in_proj_bias", {3 * embed});
    add(own + "self_attn.out_proj.weight", {embed, embed}, 2), add(own + "self_attn.out_proj.bias", {embed});
    add(own + "linear1.weight", {hidden, embed}, 2), add(own + "linear1.bias", {hidden});
    add(own + "linear2.weight", {embed, hidden}, 2), add(own + "linear2.bias", {embed});
    for (const char* each : {"norm1", "norm2"}) add(own + each + ".weight", {embed}), add(own + each + ".bias", {embed});
  }
  if (norm) add("norm.weight", {embed}), add("norm.bias", {embed});
  return all;
}
es::WeightMap layer_of(const es::WeightMap& encoder, Index k) {
  es::WeightMap own;
  for (const auto& [name, values] : encoder)
    if (name.starts_with("layers." + std::to_string(k) + ".")) own[name.substr(9)] = values;
  return own;
}

Signal random_signal(Index channels, Index batch, Index n) {
  support::Random random(4);
  return support::random_tensor<float>(random, channels, batch, n);
}
Signal part(const Signal& x, Index from, Index n) {
  return x.slice(Eigen::array<Index, 3>{0, 0, from}, Eigen::array<Index, 3>{x.dimension(0), x.dimension(1), n});
}

// The step at each frame is what the ordinary encoder makes of the frame of the last n that lies `lag` before the newest.
void check_steps(co::Module module, const Signal& x, Index n, Index lag) {
  CHECK(module.first_output() == n - 1);
  const auto steps = module.forward_steps(x);
  REQUIRE(steps);
  REQUIRE(steps->dimension(2) == x.dimension(2) - n + 1);
  module.clean_state();
  for (Index t = 0; t < x.dimension(2); ++t) {
    const auto step = module.forward_steps(part(x, t, 1));
    CHECK(step.has_value() == (t >= n - 1));
    if (!step) continue;
    const Signal whole = module.forward(part(x, t - n + 1, n));
    const Index at = whole.dimension(2) - 1 - lag;
    for (Index b = 0; b < x.dimension(1); ++b)
      for (Index c = 0; c < step->dimension(0); ++c) {
        CHECK((*step)(c, b, 0) == (*steps)(c, b, t - n + 1));
        CHECK(std::abs((*step)(c, b, 0) - whole(c, b, at)) < 1e-5f);
      }
  }
}

}  // namespace

TEST_CASE("MultiheadAttention: the worked tables", "[names]") {
  const float frames[5][2] = {{1, 0}, {0, 1}, {1, 1}, {-1, 2}, {2, -1}};
  const float table[3][3][2] = {{{0.802224f, 0.598888f}, {0.598888f, 0.802224f}, {0.751745f, 0.751745f}},
                                {{-0.255235f, 1.503490f}, {0.255235f, 1.248255f}, {-0.798059f, 1.848191f}},
                                {{0.751745f, 0.751745f}, {-0.883695f, 1.939412f}, {1.939412f, -0.883695f}}};
  co::Module retroactive = co::RetroactiveMultiheadAttention(identities(), {.sequence_len = 3});
  std::vector<co::Module> single;
  for (const Index qi : {0, -2, -1}) single.push_back(co::SingleOutputMultiheadAttention(identities(), {.sequence_len = 3, .query_index = qi}));
  CHECK(retroactive.receptive_field() == 3);
  CHECK(retroactive.delay() == 2);
  CHECK(single[2].delay() == 0);
  CHECK(single[0].delay() == 2);
  for (int t = 0; t < 5; ++t) {
    Space frame(2, 1, 1, 1);
    Signal one(2, 1, 1);
    for (int c = 0; c < 2; ++c) frame(c, 0, 0, 0) = one(c, 0, 0) = frames[t][c];
    const auto all = retroactive.forward_steps(frame);
    CHECK(all.has_value() == (t >= 2));
    for (int k = 0; k < 3; ++k) {
      const auto y = single[static_cast<std::size_t>(k)].forward_steps(one);
      CHECK(y.has_value() == (t >= 2));
      for (int c = 0; c < 2 && y; ++c) {
        CHECK((*y)(c, 0, 0) == Approx(table[t - 2][k][c]).margin(2e-6));
        CHECK((*all)(c, k, 0, 0) == Approx(table[t - 2][k][c]).margin(2e-6));
      }
    }
  }
}

TEST_CASE("MultiheadAttention: a step is the query of the window's", "[names]") {
  const auto weights = random_encoder(1, 6, 4, false);
  es::WeightMap own;
  for (const auto& [name, values] : weights)
    if (name.starts_with("layers.0.self_attn.")) own[name.substr(19)] = values;
  for (const auto& [n, qi] : {std::pair<Index, Index>(1, -1), {4, -1}, {5, -3}, {5, 0}, {20, 7}}) {
    const co::TransformerOptions options{.num_heads = 2, .sequence_len = n, .query_index = qi};
    check_steps(co::SingleOutputMultiheadAttention(own, options), random_signal(6, 2, n + 5), n, options.lag());
  }
}

TEST_CASE("TransformerEncoder: a step is the newest frame of the ordinary encoder", "[names]") {
  for (const Index layers : {1, 2, 4})
    for (const bool norm_first : {false, true}) {
      co::TransformerOptions options{.num_heads = 2, .sequence_len = 5, .norm_first = norm_first};
      if (layers == 2) options.activation = "gelu";
      check_steps(co::TransformerEncoder(random_encoder(layers, 4, 7, layers > 1), options), random_signal(4, 2, 12), 5, 0);
    }
  const auto one = layer_of(random_encoder(1, 4, 7, false), 0);
  for (const Index qi : {-1, -3, 0}) {
    const co::TransformerOptions options{.num_heads = 2, .sequence_len = 6, .query_index = qi};
    check_steps(co::SingleOutputTransformerEncoderLayer(one, options), random_signal(4, 1, 13), 6, options.lag());
  }
}

TEST_CASE("TransformerEncoderLayerFactory: layers of each kind by the same options", "[names]") {
  const auto weights = random_encoder(2, 4, 7, false);
  const co::TransformerEncoderLayerFactory factory{{.num_heads = 2, .sequence_len = 4, .activation = "gelu"}};
  check_steps(factory.single_output(layer_of(weights, 0)), random_signal(4, 1, 9), 4, 0);
  const Signal x = random_signal(4, 2, 4);
  const Signal last = factory.single_output_forward(layer_of(weights, 0)).forward(x);
  REQUIRE(last.dimension(2) == 1);
  const Signal all = factory.single_output(layer_of(weights, 0)).forward(x);
  for (Index c = 0; c < 4; ++c) CHECK(last(c, 1, 0) == Approx(all(c, 1, 3)).margin(1e-6));

  // The tokens of two layers, of which the newest one is the encoder's step.
  co::Module tokens = co::Sequential({factory.retroactive(layer_of(weights, 0)), factory.regular(layer_of(weights, 1))});
  co::Module encoder = co::TransformerEncoder(weights, factory);
  const Signal long_one = random_signal(4, 2, 9);
  const auto steps = encoder.forward_steps(long_one);
  Space columns(4, 1, 2, 9);
  std::copy_n(long_one.data(), long_one.size(), columns.data());
  const auto layers = tokens.forward_steps(columns);
  REQUIRE((steps && layers));
  REQUIRE(layers->dimension(1) == 4);
  REQUIRE(layers->dimension(3) == steps->dimension(2));
  for (Index t = 0; t < steps->dimension(2); ++t)
    for (Index b = 0; b < 2; ++b)
      for (Index c = 0; c < 4; ++c) CHECK((*layers)(c, 3, b, t) == Approx((*steps)(c, b, t)).margin(1e-5));
}

TEST_CASE("MultiheadAttention: three streams, of other widths", "[names]") {
  support::Random random(3);
  const auto weights = [&](std::vector<Index> shape) { return support::random_weights<float>(std::move(shape), random); };
  const es::WeightMap own{{"q_proj_weight", weights({4, 4})}, {"k_proj_weight", weights({4, 3})}, {"v_proj_weight", weights({4, 2})},
                          {"in_proj_bias", weights({12})},    {"out_proj.weight", weights({4, 4})}};
  const co::Module attention = co::SingleOutputMultiheadAttention(own, {.num_heads = 2, .sequence_len = 3}, 3);
  CHECK(attention.shape() == co::Module::Shape::joins);
  CHECK_THAT(error_of([&] { co::SingleOutputMultiheadAttention(own, {.num_heads = 3, .sequence_len = 3}); }),
             Contains("embed_dim = 4 is no multiple of num_heads = 3"));
}

TEST_CASE("TransformerEncoder: what does not add up is an error that names it", "[names][error]") {
  const auto error = [](co::TransformerOptions options, auto&& change) {
    auto weights = random_encoder(2, 4, 7, false);
    change(weights);
    return error_of([&] { co::TransformerEncoder(weights, options); });
  };
  CHECK_THAT(error({.sequence_len = 0, .query_index = 0}, [](auto&) {}), Contains("query_index"));
  CHECK_THAT(error({.sequence_len = 3, .query_index = -3}, [](auto&) {}), Contains("must be that of the newest frame"));
  CHECK_THAT(error({.num_heads = 2, .sequence_len = 3, .activation = "tanh"}, [](auto&) {}), Contains("must be relu or gelu"));
  CHECK_THAT(error({.sequence_len = 3}, [](auto& w) { w.erase("layers.1.norm1.weight"); }), Contains("\"layers.1.norm1.weight\" is missing"));
  CHECK_THAT(error({.sequence_len = 3}, [](auto& w) { w["layers.0.self_attn.bias_k"] = es::Weights<float>({1}, {1}); }), Contains("bias_k"));
  CHECK_THAT(error_of([] { co::SingleOutputMultiheadAttention(identities(), {.sequence_len = 3, .query_index = 3}); }),
             Contains("query_index = 3, must be from -3 to 2"));
  CHECK_THAT(error_of([] { co::SingleOutputMultiheadAttention(identities(), {.sequence_len = 0}); }), Contains("sequence_len = 0"));
}

TEST_CASE("RecyclingPositionalEncoding: rows go on with the frames, and a signal as a whole begins anew", "[names]") {
  es::Weights<float> rows;
  rows.shape = {5, 1}, rows.values = {0, 1, 2, 3, 4};
  co::Module module = co::RecyclingPositionalEncoding(rows);
  const Signal zeros = Signal(1, 1, 4).setZero();
  const auto row = [](const Signal& y) { return std::vector<float>(y.data(), y.data() + y.size()); };
  CHECK(row(module.forward(zeros)) == std::vector<float>{0, 1, 2, 3});
  CHECK(row(*module.forward_steps(zeros)) == std::vector<float>{0, 1, 2, 3});
  CHECK(row(*module.forward_steps(zeros, false, false)) == std::vector<float>{4, 0, 1, 2});
  CHECK(row(module.forward(zeros)) == std::vector<float>{0, 1, 2, 3});
  CHECK(row(*module.forward_steps(zeros)) == std::vector<float>{4, 0, 1, 2});
  const Signal longer = Signal(1, 1, 6).setZero();
  CHECK_THAT(error_of([&] { module.forward(longer); }), Contains("6 frames, more than its 5 rows"));

  co::Module waves = co::RecyclingPositionalEncoding(8, 20);
  const Signal y = *waves.forward_steps(Signal(Signal(8, 1, 40).setZero()));
  for (Index t = 0; t < 20; ++t)
    for (Index c = 0; c < 8; ++c) {
      CHECK(std::abs(y(c, 0, t)) < 2.0f);
      CHECK(y(c, 0, t) == y(c, 0, t + 20));
    }
}
