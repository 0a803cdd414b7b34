#include "eigenstream/network/registry.hpp"

#include "eigenstream/network/builtin_registry.hpp"

#include <string>

#include "eigenstream/compose/along.hpp"
#include "eigenstream/compose/bidirectional.hpp"
#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "eigenstream/window/online_averager.hpp"
#include "eigenstream/window/windowed.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/facts.hpp"

namespace es = eigenstream;
using es::Index;
using support::error_of;

namespace {

es::Weights<float> filled(std::vector<Index> shape, float first = 0.5f) {
  Index size = 1;
  for (Index extent : shape) size *= extent;
  es::Weights<float> w;
  w.shape = std::move(shape);
  for (Index i = 0; i < size; ++i) w.values.push_back(first + 0.25f * static_cast<float>(i % 7));
  return w;
}

es::ModuleSpec conv(const std::string& path, std::int64_t in, std::int64_t out, std::int64_t taps) {
  return {"Conv1d", path, {{"in_channels", in}, {"out_channels", out}, {"kernel_size", taps}}, {}};
}
es::ModuleSpec sequential(std::vector<es::ModuleSpec> layers, const std::string& path = "") {
  return {"Sequential", path, {}, {{"layers", std::move(layers)}}};
}

bool mentions(const std::string& text, std::initializer_list<const char*> parts) {
  INFO(text);
  for (const char* part : parts) {
    INFO("expected: " << part);
    CHECK(text.find(part) != std::string::npos);
  }
  return !text.empty();
}

}  // namespace

TEST_CASE("registry: a description becomes the network that was described", "[network]") {
  const es::WeightMap weights{{"0.weight", filled({3, 2, 4})}, {"0.bias", filled({3})}};
  const es::Module network =
      es::builtin_registry().create(sequential({conv("0", 2, 3, 4), {"ELU", "1", {{"alpha", 0.5}}, {}}}), weights);
  CHECK(network.type == "Sequential");
  REQUIRE(network.children.size() == 2);
  CHECK(network.children[0].path == "0");
  CHECK(network.children[1].layer.as<es::Elu<float>>()->alpha == 0.5f);
  CHECK(network.children[1].layer.as<es::Relu<float>>() == nullptr);

  const auto by_hand =
      es::sequential(es::Conv1d<float>(weights.at("0.weight"), weights.at("0.bias")), es::Elu<float>(0.5f));
  CHECK(network.layer.fingerprint() == by_hand.fingerprint());

  Eigen::Tensor<float, 2> x(2, 50);
  x.setRandom();
  es::Stream a(network.layer);
  es::Stream b(by_hand);
  const Eigen::Tensor<float, 2> ya = a(x, es::final), yb = b(x, es::final);
  REQUIRE(ya.dimension(1) == 47);
  CHECK(std::equal(ya.data(), ya.data() + ya.size(), yb.data(), yb.data() + yb.size()));
}

TEST_CASE("registry: an empty sequence is the identity", "[network]") {
  es::Stream stream(es::builtin_registry().create(sequential({}), {}).layer, {.channels = 3});
  Eigen::Tensor<float, 2> x(3, 4000);
  x.setRandom();
  const Eigen::Tensor<float, 2> y = stream(x, es::final);
  REQUIRE(y.dimension(1) == 4000);
  CHECK(std::equal(x.data(), x.data() + x.size(), y.data()));
}

TEST_CASE("registry: every mistake is an error that names the module", "[network][errors]") {
  const es::Registry registry = es::builtin_registry();
  const auto create = [&](const es::ModuleSpec& spec, const es::WeightMap& weights) {
    return error_of([&] { registry.create(spec, weights); });
  };
  const es::WeightMap good{{"0.weight", filled({3, 2, 4})}, {"0.bias", filled({3})}};
  REQUIRE(create(sequential({conv("0", 2, 3, 4)}), good).empty());

  SECTION("tensors") {
    mentions(create(sequential({conv("0", 2, 3, 5)}), good), {"\"0\"", "Conv1d", "0.weight", "(3,2,4)", "(3,2,5)"});
    mentions(create(sequential({conv("1", 2, 3, 4)}), good), {"\"1\"", "1.weight", "missing", "(3,2,4)"});
    es::WeightMap more = good;
    more["7.weight"] = filled({2});
    mentions(create(sequential({conv("0", 2, 3, 4)}), more), {"7.weight", "(2)", "no module"});
    mentions(create(sequential({conv("0", 2, 3, 4), conv("0", 2, 3, 4)}), good), {"0.weight", "another module"});
    es::WeightMap infinite = good;
    infinite["0.weight"].values[3] = std::numeric_limits<float>::infinity();
    mentions(create(sequential({conv("0", 2, 3, 4)}), infinite), {"0.weight", "not finite"});
  }
  SECTION("fields") {
    es::ModuleSpec spec = conv("0", 2, 3, 4);
    const auto with = [&](const char* name, es::ModuleSpec::Value value) {
      es::ModuleSpec changed = spec;
      changed.fields[name] = std::move(value);
      return create(changed, {{"0.weight", filled({3, 2, 4})}, {"0.bias", filled({3})}});
    };
    mentions(with("stripe", std::string("reflect")), {"\"0\"", "unknown field", "stripe"});
    mentions(with("padding_mode", std::string("reflect")), {"\"0\"", "padding_mode", "\"reflect\"", "\"replicate\""});
    mentions(with("padding_mode", std::int64_t{1}), {"\"0\"", "padding_mode", "text"});
    mentions(with("padding_value", 1.0), {"\"0\"", "unknown field", "padding_value"});
    mentions(with("stride", std::int64_t{0}), {"stride", "0"});
    mentions(with("stride", 1.5), {"stride", "not an integer"});
    mentions(with("stride", std::int64_t{1} << 40), {"stride", "1048576"});
    mentions(with("padding", std::vector<std::int64_t>{1, 2, 3}), {"padding", "3 numbers"});
    mentions(with("padding", std::vector<std::int64_t>{-1, 2}), {"padding", "-1"});
    mentions(with("bias", std::int64_t{1}), {"bias", "true or false"});
    mentions(with("groups", std::int64_t{2}), {"groups = 2"});
    spec.fields.erase("kernel_size");
    mentions(create(spec, good), {"kernel_size", "missing"});
    spec = sequential({});
    spec.children.clear();
    mentions(create(spec, {}), {"layers", "missing"});
    mentions(create({"Sequential", "", {{"layers", std::int64_t{1}}}, {}}, {}), {"layers"});
    mentions(create({"ReLU", "r", {}, {{"extra", {}}}}, {}), {"\"r\"", "extra"});
    mentions(create({"GELU", "g", {{"approximate", std::string("fast")}}, {}}, {}), {"\"g\"", "fast"});
    mentions(create({"Softplus", "s", {{"beta", 1e300}}, {}}, {}), {"\"s\"", "beta", "finite"});
  }
  SECTION("fields of layers without a namesake") {
    const std::int64_t one = 1, two = 2;
    mentions(create({"Pad", "p", {{"mode", std::string("circular")}}, {}}, {}), {"\"p\"", "mode", "circular", "Windowed", "reflect"});
    mentions(create({"Pad", "p", {{"mode", std::string("reflect")}, {"left", std::int64_t{-1}}}, {}}, {}), {"\"p\"", "left = -1"});
    mentions(create({"Pad", "p", {{"multiple", std::int64_t{0}}}, {}}, {}), {"\"p\"", "multiple = 0"});
    mentions(create({"Compare", "p", {{"op", std::string("above")}}, {}}, {}), {"\"p\"", "op = \"above\"", "greater_equal"});
    mentions(create({"Cumulative", "p", {{"op", std::string("mean")}}, {}}, {}), {"\"p\"", "op is mean", "product"});
    mentions(create({"Embedding", "p", {{"num_embeddings", std::int64_t{3}}, {"embedding_dim", std::int64_t{2}}}, {}}, {}),
             {"\"p\"", "p.weight", "(3,2)"});
    mentions(create({"Pad", "p", {{"mode", std::string("replicate")}, {"value", 2.0}}, {}}, {}), {"\"p\"", "value"});
    mentions(create({"Pad", "p", {{"left", std::int64_t{1} << 40}}, {}}, {}), {"\"p\"", "left", "1048576"});
    mentions(create({"Threshold", "t", {{"threshold", 0.5}}, {}}, {}), {"\"t\"", "value", "missing"});
    mentions(create({"Affine", "a", {{"channels", two}, {"scale", 2.0}}, {}},
                    {{"a.weight", filled({2})}, {"a.bias", filled({2})}}),
             {"\"a\"", "unknown field", "scale"});
    mentions(create({"Affine", "a", {{"channels", two}}, {}}, {{"a.weight", filled({3})}, {"a.bias", filled({2})}}),
             {"\"a\"", "a.weight", "(3)", "(2)"});
    mentions(create({"ChannelSlice", "c", {{"start", one}}, {}}, {}), {"\"c\"", "channels", "missing"});
    mentions(create(sequential({conv("0", 2, 3, 4), {"ChannelSlice", "1", {{"start", two}, {"channels", two}}, {}}}), good),
             {"\"1\"", "2 to 3", "only 3"});
    mentions(create({"CELU", "c", {{"alpha", 0.0}}, {}}, {}), {"\"c\"", "alpha"});
  }
  SECTION("types and structure") {
    mentions(create({"GroopNorm", "net.3", {}, {}}, {}), {"net.3", "GroopNorm", "unknown module type"});
    es::WeightMap both = good;
    both["1.weight"] = filled({2, 4, 1});
    both["1.bias"] = filled({2});
    mentions(create(sequential({conv("0", 2, 3, 4), conv("1", 4, 2, 1)}), both), {"\"1\"", "takes 4", "not 3"});
    es::ModuleSpec strided = conv("r.net", 2, 2, 3);
    strided.fields["stride"] = std::int64_t{2};
    mentions(create({"Residual", "r", {}, {{"net", {strided}}}},
                    {{"r.net.weight", filled({2, 2, 3})}, {"r.net.bias", filled({2})}}),
             {"\"r\"", "Residual", "stride 2"});
    mentions(create({"Residual", "r", {}, {{"net", {conv("r.net", 2, 4, 1)}}}},
                    {{"r.net.weight", filled({4, 2, 1})}, {"r.net.bias", filled({4})}}),
             {"\"r\"", "2 channels into 4"});
  }
  SECTION("sizes are bounded before anything is allocated") {
    es::ModuleSpec transposed{"ConvTranspose1d", "t", {}, {}};
    for (const char* name : {"in_channels", "out_channels"}) transposed.fields[name] = std::int64_t{64};
    transposed.fields["kernel_size"] = std::int64_t{2};
    transposed.fields["stride"] = std::int64_t{1} << 20;
    mentions(create(transposed, {{"t.weight", filled({64, 64, 2})}, {"t.bias", filled({64})}}), {"\"t\"", "stride"});
    mentions(create({"MaxPool1d", "p", {{"kernel_size", std::int64_t{1} << 20}, {"dilation", std::int64_t{1} << 20}}, {}},
                    {}),
             {"\"p\"", "frames"});
  }
}

TEST_CASE("registry: user types are added, names are not taken twice", "[network]") {
  es::Registry registry = es::builtin_registry();
  registry.add("Twice", [](es::ModuleReader& reader, const es::FrameShape&) {
    return es::Built(es::LeakyRelu<float>(2.0f * reader.number("factor", 1)));
  });
  const es::Module network = registry.create({"Twice", "t", {{"factor", std::int64_t{3}}}, {}}, {});
  CHECK(network.layer.as<es::LeakyRelu<float>>()->slope == 6.0f);
  mentions(error_of([&] { registry.add("ReLU", nullptr); }), {"ReLU", "already"});
  registry.replace("ReLU", [](es::ModuleReader& reader, const es::FrameShape&) {
    return es::Built(es::LeakyRelu<float>(reader.number("slope", 0.5)));
  });
  CHECK(registry.find("ReLU")->described() == false);  // the old description would not be true any more
  CHECK(registry.create({"ReLU", "r", {{"slope", 0.25}}, {}}, {}).layer.as<es::LeakyRelu<float>>()->slope == 0.25f);
  mentions(error_of([&] { registry.replace("Relu", nullptr); }), {"Relu", "no factory"});
}

// Behind a layer that takes any number of channels, and makes frames of a width that is known only then.
TEST_CASE("registry: an Input behind what says nothing of its frames tells what comes", "[network]") {
  using Fields = std::map<std::string, es::ModuleSpec::Value>;
  const auto n = [](std::int64_t value) { return es::ModuleSpec::Value(value); };
  const es::ModuleSpec windows{"Stft", "s", Fields{{"n_fft", n(8)}, {"hop_length", n(4)}}, {}},
      input{"Input", "i", {{"channels", n(2)}, {"width", n(5)}}, {}},
      pool{"AdaptiveAvgPool1d", "p", {{"output_size", n(1)}}, {}};
  const auto network =
      es::builtin_registry().create({"Sequential", "", {}, {{"layers", {windows, {"Sequential", "", {}, {{"layers", {input, pool}}}}}}}}, {});
  CHECK(network.layer.facts({1}).out == es::FrameShape{2});
  mentions(error_of([&] { network.layer.facts({2}); }), {"Input", "2 channels"});
}

TEST_CASE("registry: a number for each axis, or one for all", "[network]") {
  const es::Registry registry = es::builtin_registry();
  using List = std::vector<std::int64_t>;
  using Fields = std::map<std::string, es::ModuleSpec::Value>;
  const auto n = [](std::int64_t value) { return es::ModuleSpec::Value(value); };
  const auto create = [&](Fields fields, std::vector<Index> shape) {
    fields.insert({{"in_channels", n(2)}, {"out_channels", n(3)}, {"bias", false}});
    const es::ModuleSpec frames{"Input", "", {{"channels", n(2)}, {"width", n(9)}, {"height", n(7)}}, {}};
    return registry.create({"Sequential", "", {}, {{"layers", {frames, {"Conv3d", "x", std::move(fields), {}}}}}},
                           {{"x.weight", filled(std::move(shape))}}).layer;
  };
  const es::FrameShape in{2, 9, 7};
  CHECK(create({{"kernel_size", n(3)}}, {3, 2, 3, 3, 3}).facts(in).out == es::FrameShape{3, 7, 5});
  const auto listed = create({{"kernel_size", List{4, 1, 3}}, {"stride", List{1, 2, 3}}, {"padding", List{3, 0, 1}}}, {3, 2, 4, 1, 3});
  CHECK(listed.facts(in).out == es::FrameShape{3, 3, 4});
  CHECK(listed.timing().padding() == 3);
  CHECK(listed.wanted() == es::FrameShape{2, 9, 7, 0});
  const auto sides = create({{"kernel_size", n(3)}, {"padding", List{2, 0, 1, 1, 0, 2}}}, {3, 2, 3, 3, 3});
  CHECK(sides.facts(in).out == es::FrameShape{3, 9, 7});
  CHECK(sides.timing().delay() == 0);
  const auto error = [&](Fields fields, std::vector<Index> shape = {3, 2, 3, 3, 3}) {
    return error_of([&] { create(std::move(fields), std::move(shape)); });
  };
  CHECK(error({{"kernel_size", List{3, 3}}}) == "module \"x\" (Conv3d): kernel_size has 2 numbers, expected one or 3, for time and space");
  CHECK(error({{"kernel_size", n(3)}, {"stride", List{1, 0, 1}}}) == "module \"x\" (Conv3d): stride holds 0, must be from 1 to 1048576");
  CHECK(error({{"kernel_size", n(3)}, {"stride", n(0)}}) == "module \"x\" (Conv3d): stride = 0, must be from 1 to 1048576");
  mentions(error({{"kernel_size", n(3)}, {"padding", List{1, 1, 1, 1}}}), {"padding has 4 numbers", "6 for both sides"});
  mentions(error({{"kernel_size", List{3, 8, 3}}}, {3, 2, 3, 8, 3}), {"(Conv3d)", "reaches over 8", "height"});
  mentions(error({{"kernel_size", List{3, 3, 1}}}), {"x.weight", "(3,2,3,3,3)", "(3,2,3,3,1)"});
  mentions(error_of([&] {
    registry.create({"AdaptiveAvgPool2d", "p", {{"output_size", n(2)}, {"kernel_size", n(3)}}, {}}, {});
  }), {"output_size begins with 2"});
}

TEST_CASE("registry: a described type reads by its description", "[network]") {
  using Field = es::ModuleField;
  static constexpr std::string_view kinds[] = {"plain", "fancy"};
  es::Registry registry;
  std::string kind;
  registry.add({.name = "Own",
                .summary = "a test's",
                .fields = {Field::integer("channels", es::required, "", 1, 8), Field::integer("more", "2 * channels / 4", ""),
                           Field::integer("perhaps", es::absent, ""), Field::number("factor", 2, "", 0, 3),
                           Field::boolean("bias", true, ""), Field::text("kind", "plain", "", kinds), Field::integers("list", "", 0, 2)},
                .tensors = {{"bias", "channels, more", "bias"}, {"w_<k>", "3", "perhaps"}},
                .build = [&](es::ModuleReader& r, const es::FrameShape&) {
                  const Index more = r.integer("more");
                  kind = r.text("kind") + std::to_string(more) + std::to_string(r.integer("perhaps")) +
                         std::to_string(r.weight("bias").size()) + std::to_string(r.weight("w_0", {3}).size()) +
                         std::to_string(r.values("list").size());
                  return es::Built(es::LeakyRelu<float>(r.number("factor")));
                }});
  const auto n = [](std::int64_t value) { return es::ModuleSpec::Value(value); };
  const auto built = [&](std::map<std::string, es::ModuleSpec::Value> fields, const es::WeightMap& weights = {}) {
    return error_of([&] { registry.create({"Own", "", std::move(fields), {}}, weights); });
  };
  CHECK(built({{"channels", n(4)}}, {{"bias", filled({4, 2})}}).empty());
  CHECK(kind == "plain2-1800");
  CHECK(built({{"channels", n(4)}, {"more", n(7)}, {"perhaps", n(9)}, {"bias", false}, {"kind", std::string("fancy")},
               {"list", std::vector<std::int64_t>{0, 2}}},
              {{"w_0", filled({3})}}).empty());
  CHECK(kind == "fancy79032");
  CHECK(built({{"channels", n(9)}}) == "module \"\" (Own): channels = 9, must be from 1 to 8");
  CHECK(built({}) == "module \"\" (Own): field \"channels\" is missing");
  CHECK(built({{"channels", n(4)}, {"bias", false}, {"factor", 3.5}}) == "module \"\" (Own): factor = 3.5, must be at most 3");
  CHECK(built({{"channels", n(4)}, {"bias", false}, {"factor", -1.0}}) == "module \"\" (Own): factor = -1, must be at least 0");
  CHECK(built({{"channels", n(4)}, {"bias", false}, {"kind", std::string("odd")}}) ==
        "module \"\" (Own): kind = \"odd\", must be \"plain\" or \"fancy\"");
  CHECK(built({{"channels", n(4)}, {"bias", false}, {"list", std::vector<std::int64_t>{3}}}) ==
        "module \"\" (Own): list holds 3, must be from 0 to 2");
  CHECK(built({{"channels", n(4)}}, {{"bias", filled({2, 4})}}) ==
        "module \"\" (Own): tensor \"bias\" has shape (2,4), expected (4,2)");
}

namespace {

// A node of a graph: a module with the values it takes.
es::ModuleSpec from(es::ModuleSpec spec, std::vector<std::int64_t> values) {
  spec.fields["from"] = std::move(values);
  return spec;
}
es::ModuleSpec reduce(const std::string& path, const std::string& op, std::vector<std::int64_t> values) {
  return from({"Reduce", path, {{"op", op}}, {}}, std::move(values));
}
es::ModuleSpec graph(std::vector<es::ModuleSpec> nodes) { return {"Graph", "", {}, {{"nodes", std::move(nodes)}}}; }
const es::ModuleSpec tanh_spec{"Tanh", "act", {}, {}};

}  // namespace

TEST_CASE("registry: a graph becomes the network that was described", "[network]") {
  const es::WeightMap weights{{"a.weight", filled({2, 2, 3})}, {"a.bias", filled({2})}};
  const es::Module network = es::builtin_registry().create(
      graph({from(conv("a", 2, 2, 3), {0}), from(tanh_spec, {1}), reduce("add", "sum", {0, 2}), reduce("cat", "concat", {3, 0, 2})}),
      weights);
  CHECK(network.children.size() == 2);
  const es::Conv1d<float> layer(weights.at("a.weight"), weights.at("a.bias"));
  es::GraphBuilder<float> builder;
  const auto x = builder.input(), y = builder.add(es::Tanh<float>(), builder.add(layer, x));
  const auto by_hand = builder.build(builder.reduce(es::Reduce::concat, {builder.reduce(es::Reduce::sum, {x, y}), x, y}));
  CHECK(network.layer.fingerprint() == by_hand.fingerprint());
  CHECK(network.layer.wanted().channels == 2);
  CHECK(network.layer.facts({2}).out.channels == 6);

  const es::Module parallel = es::builtin_registry().create(
      {"Parallel", "p", {{"reduce", std::string("mean")}}, {{"branches", {conv("a", 2, 2, 3), tanh_spec}}}}, weights);
  CHECK(parallel.layer.fingerprint() ==
        es::parallel(es::Reduce::mean, layer, es::Tanh<float>()).fingerprint());
  CHECK(es::builtin_registry().create(graph({}), {}).layer.timing().receptive_field() == 1);
  es::ModuleSpec wide = graph({from(tanh_spec, {0})});
  wide.fields["in_channels"] = std::int64_t{7};
  CHECK(es::builtin_registry().create(wide, {}).layer.wanted().channels == 7);
}

TEST_CASE("registry: a layer of several signals in a graph", "[network]") {
  const auto attention = [](std::int64_t queries) {
    const es::ModuleSpec layer{
        "CausalAttention", "a", {{"head_size", std::int64_t{2}}, {"context", std::int64_t{3}}, {"inputs", std::int64_t{3}}}, {}};
    const auto part = [](const char* path, std::int64_t start, std::int64_t channels) {
      return from({"ChannelSlice", path, {{"start", start}, {"channels", channels}}, {}}, {0});
    };
    es::ModuleSpec spec = graph({part("q", 0, queries), part("k", 2, 2), part("v", 4, 2), from(layer, {1, 2, 3})});
    spec.fields["in_channels"] = std::int64_t{6};
    return es::builtin_registry().create(spec, {}).layer;
  };
  es::Stream separate(attention(2));
  es::Stream packed(es::CausalAttention<float>(2, 3));
  Eigen::Tensor<float, 2> x(6, 9);
  x.setRandom();
  const Eigen::Tensor<float, 2> ya = separate(x, es::final), yb = packed(x, es::final);
  REQUIRE(ya.dimension(1) == 9);
  CHECK(std::equal(ya.data(), ya.data() + ya.size(), yb.data(), yb.data() + yb.size()));
  CHECK(error_of([&] { attention(3); }) ==
        "module \"a\" (CausalAttention): CausalAttention: takes queries of 2 channels, not 3");
}

TEST_CASE("registry: a graph with several outputs", "[network]") {
  const es::WeightMap weights{{"a.weight", filled({3, 2, 3})}, {"a.bias", filled({3})}};
  const auto create = [&](std::vector<std::int64_t> outputs, std::vector<std::string> names) {
    es::ModuleSpec spec = graph({from(conv("a", 2, 3, 3), {0}), from(tanh_spec, {1})});
    if (!outputs.empty()) spec.fields["outputs"] = std::move(outputs);
    if (!names.empty()) spec.fields["output_names"] = std::move(names);
    return es::builtin_registry().create(spec, weights).layer;
  };
  const auto message = [&](std::vector<std::int64_t> outputs, std::vector<std::string> names) {
    return error_of([&] { create(outputs, names); });
  };
  es::Stream stream(create({1, 2, 0}, {"linear", "bent", "as it was"}));
  CHECK(stream.outputs() == 3);
  CHECK((stream.output_name(0) == "linear" && stream.output_name(2) == "as it was"));
  CHECK((stream.out_shape(1).channels == 3 && stream.out_shape(2).channels == 2));
  CHECK(es::Stream(create({2, 1}, {})).output_name(1) == "1");
  CHECK(es::Stream(create({2}, {"only"})).output_name(0) == "only");
  // What was saved before there were several outputs goes on.
  CHECK(create({2}, {"only"}).fingerprint() == create({}, {}).fingerprint());
  CHECK(create({2, 1}, {}).fingerprint() != create({}, {}).fingerprint());
  CHECK(create({2, 1}, {}).fingerprint() != create({1, 2}, {}).fingerprint());
  CHECK(message({3, 1}, {}) == "module \"\" (Graph): outputs holds 3, must be from 0 to 2");
  CHECK(message({-1}, {}) == "module \"\" (Graph): outputs holds -1, must be from 0 to 1048576");
  CHECK(message({2, 1}, {"a"}) == "module \"\" (Graph): output_names holds 1 texts, expected 2: one for each of outputs");
  CHECK(message({}, {"a"}) == "module \"\" (Graph): output_names holds 1 texts, expected 0: one for each of outputs");
  CHECK(message({2, 1}, {"a", "a"}) == "module \"\" (Graph): Graph: two outputs are called a");
  CHECK(message({1}, {}) == "module \"\" (Graph): Graph: value 2 is not used");
  es::ModuleSpec inner = graph({from(tanh_spec, {0})});
  inner.fields["outputs"] = std::vector<std::int64_t>{1, 0};
  CHECK(error_of([&] {
          es::builtin_registry().create({"Sequential", "", {}, {{"layers", {inner}}}}, {});
        }).starts_with("module \"\" (Sequential): Sequential: a network of 2 outputs"));
  es::ModuleSpec wrong = graph({from(tanh_spec, {0})});
  wrong.fields["output_names"] = std::vector<std::int64_t>{1};
  CHECK(error_of([&] { es::builtin_registry().create(wrong, {}); }) ==
        "module \"\" (Graph): output_names is not a list of texts");
}

TEST_CASE("registry: knobs", "[network]") {
  const es::WeightMap weights{{"k.default0", filled({2})}, {"k.default1", filled({1})}};
  const es::ModuleSpec nothing{"Sequential", "k.net", {}, {{"layers", {}}}};
  const auto knob = [&](std::vector<std::string> names, std::vector<std::int64_t> channels) {
    es::ModuleSpec spec{"Control", "k", {}, {{"net", {nothing}}}};
    if (!names.empty()) spec.fields["names"] = std::move(names);
    if (!channels.empty()) spec.fields["channels"] = std::move(channels);
    return from(std::move(spec), {0});
  };
  const auto message = [&](es::ModuleSpec spec) {
    return error_of([&] { es::builtin_registry().create(graph({spec, reduce("r", "product", {0, 1})}), weights); });
  };
  es::ModuleSpec net = graph({knob({"gain", "tone"}, {2, 1}), reduce("r", "product", {0, 1})});
  net.fields["in_channels"] = std::int64_t{3};
  es::Stream stream(es::builtin_registry().create(net, weights).layer);
  CHECK((stream.controls() == 2 && stream.control_info(1).name == "tone" && stream.control("gain").size() == 2));
  CHECK(stream.control(0)[0] == weights.at("k.default0").values[0]);
  const std::string who = "module \"k\" (Control): ";
  CHECK(message(knob({}, {2, 1})) == who + "names holds 0 texts and channels 2 numbers, expected one for each knob");
  CHECK(message(knob({"a"}, {2, 1})) == who + "names holds 1 texts and channels 2 numbers, expected one for each knob");
  CHECK(message(knob({"a", "a"}, {2, 1})) == who + "Control: two knobs are called a");
  CHECK(message(knob({"", "a"}, {2, 1})) == who + "Control: a knob without a name or without numbers");
  CHECK(message(knob({"a", "b"}, {1, 1})) == who + "tensor \"k.default0\" has shape (2), expected (1)");
  CHECK(message(knob({"a", "b"}, {0, 1})) == who + "channels holds 0, must be from 1 to 1048576");
  es::ModuleSpec alone = knob({"gain", "tone"}, {2, 1});
  alone.fields.erase("from");
  CHECK(error_of([&] {
          es::builtin_registry().create({"Sequential", "", {}, {{"layers", {alone}}}}, weights);
        }) == "module \"\" (Sequential): Sequential: a layer with a knob, \"gain\"; only a graph hands on what it is set to");
  CHECK(error_of([&] {
          es::builtin_registry().create({"Windowed", "", {{"size", std::int64_t{4}}, {"stride", std::int64_t{2}}, {"channels", std::int64_t{1}}}, {{"net", {alone}}}}, weights);
        }) == who + "has no place in a window: a knob is turned from one frame of a stream to the next");
}

TEST_CASE("registry: a graph's mistakes are named", "[network][error]") {
  const es::WeightMap weights{{"a.weight", filled({2, 2, 3})}, {"a.bias", filled({2})}};
  const auto message = [&](std::vector<es::ModuleSpec> nodes) {
    return error_of([&] { es::builtin_registry().create(graph(std::move(nodes)), weights); });
  };
  const es::ModuleSpec a = conv("a", 2, 2, 3);
  CHECK(message({a}) == "module \"a\" (Conv1d): field \"from\" is missing");
  CHECK(message({from(a, {1})}) == "module \"a\" (Conv1d): from holds 1, must be from 0 to 0, the values before it");
  CHECK(message({from(a, {-1})}) == "module \"a\" (Conv1d): from holds -1, must be from 0 to 0, the values before it");
  CHECK(message({from(a, {0, 0})}) == "module \"a\" (Conv1d): from holds 2 values, expected one");
  CHECK(message({from(a, {0}), from(tanh_spec, {0})}) == "module \"\" (Graph): Graph: value 1 is not used");
  CHECK(message({from(a, {0}), reduce("r", "add", {0, 1})}) ==
        "module \"r\" (Reduce): op = \"add\", must be \"sum\", \"mean\", \"product\", \"max\", \"min\", \"difference\", "
        "\"quotient\", \"concat\", \"greater\", \"greater_equal\", \"equal\", \"where\", \"where_not\", \"power\", \"atan2\" or "
        "\"remainder\"");
  CHECK(message({from(a, {0}), reduce("r", "sum", {1})}) == "module \"r\" (Reduce): Reduce: 1 operands, must be at least 2");
  es::ModuleSpec strided = a;
  strided.fields["stride"] = std::int64_t{2};
  CHECK(message({from(strided, {0}), reduce("r", "sum", {0, 1})}) ==
        "module \"r\" (Reduce): the branches cannot be aligned: one has rate 1/1 and delay 0, another rate 1/2 and delay 2 "
        "(outputs per input, input frames)");
  CHECK(message({from(a, {0}), reduce("c", "concat", {0, 1}), reduce("r", "sum", {1, 2})}) ==
        "module \"r\" (Reduce): its operands have 2 and 4 channels");
  es::ModuleSpec extra = reduce("r", "sum", {0, 1});
  extra.fields["weight"] = 0.5;
  CHECK(message({from(a, {0}), extra}) == "module \"r\" (Reduce): unknown field \"weight\"");
  CHECK(message({from(a, {0}), from(conv("b", 3, 2, 1), {1})}) ==
        "module \"b\" (Conv1d): tensor \"b.weight\" is missing, expected shape (2,3,1)");
  es::ModuleSpec wide = graph({from(tanh_spec, {0})});
  wide.fields["in_channels"] = std::int64_t{7};
  CHECK(error_of([&] {
          es::builtin_registry().create({"Sequential", "", {}, {{"layers", {a, wide}}}}, weights);
        }) == "module \"\" (Graph): in_channels = 7, but 2 come");
}

TEST_CASE("registry: weight norm is folded over the axis that it has", "[network]") {
  const auto folded = [](es::WeightMap weights, es::ModuleSpec spec) {
    const es::Module module = es::builtin_registry().create(spec, weights);
    return module.layer.as<es::Conv1d<float>>()->weight();
  };
  es::ModuleSpec spec = conv("c", 2, 2, 1);
  spec.fields["bias"] = false;
  const es::Weights<float> v({2, 2, 1}, {3, 4, 1, 0});
  CHECK(folded({{"c.weight_g", es::Weights<float>({2, 1, 1}, {10, 2})}, {"c.weight_v", v}}, spec).values ==
        std::vector<float>{6, 8, 2, 0});
  CHECK(folded({{"c.parametrizations.weight.original0", es::Weights<float>({2, 1, 1}, {10, 2})},
                {"c.parametrizations.weight.original1", v}},
               spec)
            .values == std::vector<float>{6, 8, 2, 0});
  const es::Weights<float> w({2, 2, 1}, {3, 0, 4, 2});
  CHECK(folded({{"c.weight_g", es::Weights<float>({1, 2, 1}, {5, 3})}, {"c.weight_v", w}}, spec).values ==
        std::vector<float>{3, 0, 4, 3});
  const es::Weights<float> all({2, 2, 1}, {2, 4, 5, 6});  // of norm 9
  for (const std::vector<Index>& shape : {std::vector<Index>{}, {1}, {1, 1, 1}})
    CHECK(folded({{"c.weight_g", es::Weights<float>(shape, {18})}, {"c.weight_v", all}}, spec).values ==
          std::vector<float>{4, 8, 10, 12});

  const auto message = [&](es::WeightMap weights) {
    return error_of([&] { es::builtin_registry().create(spec, weights); });
  };
  CHECK(message({{"c.weight_g", es::Weights<float>({2, 1, 1}, {1, 1})}, {"c.weight_v", filled({2, 2, 3})}}) ==
        "module \"c\" (Conv1d): tensor \"c.weight_v\" has shape (2,2,3), expected (2,2,1)");
  CHECK(message({{"c.weight_g", es::Weights<float>({2, 2, 1}, {1, 1, 1, 1})}, {"c.weight_v", v}}) ==
        "module \"c\" (Conv1d): tensor \"c.weight_g\" has shape (2,2,1), which does not belong to (2,2,1)");
  CHECK(message({{"c.weight_g", es::Weights<float>({2, 1, 1}, {1, 1})}, {"c.weight_v", es::Weights<float>({2, 2, 1}, {0, 0, 1, 1})}}) ==
        "module \"c\" (Conv1d): tensor \"c.weight_v\" has a direction of norm 0");
  CHECK(message({{"c.weight", v}, {"c.weight_g", filled({2, 1, 1})}, {"c.weight_v", v}}) ==
        "tensor \"c.weight_g\" (2,1,1) belongs to no module");
}

namespace {

es::ModuleSpec windowed(es::ModuleSpec net, std::int64_t size, std::int64_t stride, const std::string& path = "") {
  return {"Windowed", path, {{"size", size}, {"stride", stride}}, {{"net", {std::move(net)}}}};
}
es::ModuleSpec leaf(const std::string& type, const std::string& path, std::map<std::string, es::ModuleSpec::Value> fields = {}) {
  return {type, path, std::move(fields), {}};
}

}  // namespace

TEST_CASE("registry: a network over windows becomes the one that was described", "[network]") {
  const es::WeightMap weights{{"w.0.weight", filled({6, 2, 3})},  {"w.0.bias", filled({6})},
                              {"w.1.weight", filled({6})},        {"w.1.bias", filled({6})},
                              {"w.3.net.weight", filled({6, 6, 3})}, {"w.3.net.bias", filled({6})},
                              {"w.6.weight", filled({3, 24})},    {"w.6.bias", filled({3})}};
  es::ModuleSpec same = conv("w.3.net", 6, 6, 3);
  same.fields["padding"] = std::int64_t{1};
  const es::ModuleSpec net = sequential(
      {conv("w.0", 2, 6, 3), leaf("GroupNorm", "w.1", {{"num_groups", std::int64_t{2}}, {"num_channels", std::int64_t{6}}}),
       leaf("Tanh", "w.2"), {"Residual", "w.3", {}, {{"net", {same}}}},
       leaf("AdaptiveAvgPool1d", "w.4", {{"output_size", std::int64_t{4}}}), leaf("Flatten", "w.5"),
       leaf("Linear", "w.6", {{"in_features", std::int64_t{24}}, {"out_features", std::int64_t{3}}})},
      "w");
  es::ModuleSpec whole = windowed(net, 20, 5);
  whole.fields["padding"] = std::vector<std::int64_t>{15, 2};
  const es::Module module = es::builtin_registry().create(whole, weights);
  REQUIRE(module.children.size() == 1);
  REQUIRE(module.children[0].children.size() == 7);
  CHECK(module.children[0].children[1].path == "w.1");

  es::GraphBuilder<float> residual;
  const auto inside = residual.add(
      es::along(es::Conv1d<float>(weights.at("w.3.net.weight"), weights.at("w.3.net.bias"), {.padding = 1})),
      residual.input());
  const es::Windowed by_hand(
      es::sequential(es::along(es::Conv1d<float>(weights.at("w.0.weight"), weights.at("w.0.bias"))),
                     es::GroupNorm<float>(2, weights.at("w.1.weight"), weights.at("w.1.bias")), es::Tanh<float>(),
                     residual.build(residual.reduce(es::Reduce::sum, {inside, residual.input()})),
                     es::AdaptiveAvgPool1d<float>(4), es::Flatten<float>(),
                     es::Linear<float>(weights.at("w.6.weight"), weights.at("w.6.bias"))),
      20, 5, {.padding = {15, 2}});
  CHECK(module.layer.fingerprint() == by_hand.fingerprint());
  CHECK(module.layer.facts({2}).out.channels == 3);
}

TEST_CASE("registry: graphs and branches over windows", "[network]") {
  const es::WeightMap weights{{"a.weight", filled({4, 4, 1})}, {"a.bias", filled({4})}};
  es::ModuleSpec a = conv("a", 4, 4, 1), pool = leaf("AdaptiveMaxPool1d", "b", {{"output_size", std::int64_t{1}}}),
                 join = leaf("Reduce", "c", {{"op", std::string("product")}}), back = leaf("Reverse", "d");
  a.fields["from"] = std::vector<std::int64_t>{0};
  pool.fields["from"] = std::vector<std::int64_t>{1};
  join.fields["from"] = std::vector<std::int64_t>{1, 2};
  back.fields["from"] = std::vector<std::int64_t>{3};
  const es::ModuleSpec graph{"Graph", "", {{"in_channels", std::int64_t{4}}}, {{"nodes", {a, pool, join, back}}}};
  const es::Module module = es::builtin_registry().create(windowed(graph, 9, 3), weights);
  es::GraphBuilder<float> net(4);
  const auto x = net.add(es::Conv1d<float>(weights.at("a.weight"), weights.at("a.bias")), net.input());  // one tap: every column
  const auto y = net.add(es::Reverse<float>(),
                         net.reduce(es::Reduce::product, {x, net.add(es::AdaptiveMaxPool1d<float>(1), x)}));
  const auto merged = [](const auto& windows) { return es::sequential(windows, es::Merge<float>()).fingerprint(); };
  CHECK(module.layer.fingerprint() == merged(es::Windowed(net.build(y), 9, 3)));
  REQUIRE(module.children[0].children.size() == 3);

  es::ModuleSpec parallel{"Parallel", "", {{"reduce", std::string("concat")}}, {{"branches", {leaf("Tanh", "0"), leaf("Transpose", "1")}}}};
  es::ModuleSpec square = windowed(parallel, 4, 3);
  square.fields["channels"] = std::int64_t{4};
  const es::Module branches = es::builtin_registry().create(square, {});
  CHECK(branches.layer.fingerprint() ==
        merged(es::Windowed(es::parallel(es::Reduce::concat, es::Tanh<float>(), es::Transpose<float>()), 4, 3,
                            {.channels = 4})));
  // With its axes.
  square.fields["merge"] = false;
  CHECK(es::builtin_registry().create(square, {}).layer.facts({4}).out == es::FrameShape{8, 4});
}

TEST_CASE("registry: what cuts and puts back windows", "[network]") {
  const es::Registry registry = es::builtin_registry();
  const auto built = [&](const es::ModuleSpec& spec, const es::WeightMap& weights = {}) {
    return registry.create(spec, weights).layer.fingerprint();
  };
  const auto n = [](std::int64_t value) { return es::ModuleSpec::Value(value); };
  CHECK(built(leaf("Snapshotter", "", {{"num_channels", n(2)}, {"snapshot_size", n(6)}, {"stride_size", n(2)}})) ==
        es::sequential(es::Snapshotter<float>(2, 6, 2), es::Merge<float>()).fingerprint());
  CHECK(built(leaf("Snapshotter", "", {{"num_channels", n(2)}, {"snapshot_size", n(6)}, {"stride_size", n(2)}, {"merge", false}})) ==
        es::Snapshotter<float>(2, 6, 2).fingerprint());
  CHECK(built(leaf("OnlineAverager", "", {{"update_size", n(2)}, {"num_updates", n(3)}, {"num_channels", n(1)}})) ==
        es::OnlineAverager<float>(2, 1, 3, 1).fingerprint());
  CHECK(built(leaf("OnlineAverager", "", {{"update_size", n(2)}, {"num_updates", n(3)}, {"num_channels", n(1)}, {"offset", n(4)}, {"normalise_start", true}})) ==
        es::OnlineAverager<float>(2, 1, 3, 1, {.offset = 4, .normalise_start = true}).fingerprint());
  CHECK(built(leaf("OverlapAdd", "", {{"channels", n(2)}, {"size", n(6)}, {"stride", n(2)}, {"padding", std::vector<std::int64_t>{4, 1}}, {"normalise", true}})) ==
        es::OverlapAdd<float>(2, 6, 2, {.normalise = true, .left = 4, .right = 1}).fingerprint());
  CHECK(built(leaf("OverlapAdd", "", {{"channels", n(1)}, {"size", n(2)}, {"stride", n(1)}, {"weighted", true}}),
              {{"window", {{2}, {0.25f, 0.75f}}}}) == es::OverlapAdd<float>(1, 2, 1, {.window = {0.25, 0.75}}).fingerprint());
}

TEST_CASE("registry: errors about windows name the module", "[network]") {
  const es::Registry registry = es::builtin_registry();
  const auto create = [&](const es::ModuleSpec& spec, const es::WeightMap& weights = {}) {
    return error_of([&] { registry.create(spec, weights); });
  };
  const auto n = [](std::int64_t value) { return es::ModuleSpec::Value(value); };
  mentions(create(sequential({leaf("GroupNorm", "3.norm", {{"num_groups", n(1)}, {"num_channels", n(2)}})})),
           {"module \"3.norm\" (GroupNorm)", "runs over whole windows only", "Windowed"});
  mentions(create(leaf("Flatten", "")), {"Windowed"});
  mentions(create(windowed(leaf("Nonsense", "0"), 4, 2)), {"module \"0\" (Nonsense)", "unknown module type"});
  mentions(create(windowed(leaf("Tanh", "0"), 4, 2)), {"(Windowed)", "\"channels\" is missing"});
  const es::WeightMap weights{{"0.weight", filled({4, 2, 9})}, {"0.bias", filled({4})}};
  mentions(create(windowed(sequential({conv("0", 2, 4, 9)}), 8, 2), weights),
           {"module \"0\" (Conv1d)", "a window of 8 frames is too short"});
  mentions(create(windowed(sequential({conv("0", 2, 4, 9), leaf("GroupNorm", "1", {{"num_groups", n(1)}, {"num_channels", n(3)}, {"affine", false}})}), 9, 2), weights),
           {"module \"1\" (GroupNorm)", "takes 3 channels, not 4"});
  es::ModuleSpec huge = windowed(leaf("Tanh", "0"), 1 << 20, 1);
  huge.fields["channels"] = n(1 << 10);
  mentions(create(huge), {"windows of 1024 channels and 1048576 frames are more than can be kept"});
  mentions(create(windowed(leaf("AdaptiveAvgPool1d", "0", {{"output_size", n(0)}}), 4, 2)), {"module \"0\"", "output_size = 0"});
  for (const char* type : {"Residual", "Parallel"}) {
    es::ModuleSpec aligned{type, "a", {{"align", std::string("lagging")}, {"reduce", std::string("sum")}}, {}};
    if (type == std::string("Residual")) aligned.fields.erase("reduce"), aligned.children["net"] = {leaf("Tanh", "a.0")};
    else aligned.children["branches"] = {leaf("Tanh", "a.0"), leaf("Tanh", "a.1")};
    es::ModuleSpec spec = windowed(aligned, 4, 2);
    spec.fields["channels"] = n(2);
    mentions(create(spec), {"module \"a\"", "align: along a window, operands are centred"});
  }
  mentions(create(leaf("OverlapAdd", "x", {{"channels", n(1)}, {"size", n(2)}, {"stride", n(3)}})), {"module \"x\" (OverlapAdd)", "gaps"});
}

TEST_CASE("registry: recurrent layers over windows have torch's names", "[network]") {
  const auto n = [](std::int64_t value) { return es::ModuleSpec::Value(value); };
  es::WeightMap weights;
  const auto add = [&](const std::string& end, Index in) {
    es::RecurrentWeights<float> own{filled({9, in}), filled({9, 3}), filled({9}), filled({9}, 0.1f)};
    weights["g.weight_ih_l" + end] = own.input, weights["g.weight_hh_l" + end] = own.hidden;
    weights["g.bias_ih_l" + end] = own.input_bias, weights["g.bias_hh_l" + end] = own.hidden_bias;
    return es::Gru<float>(own);
  };
  const auto by_hand = es::sequential(es::bidirectional(add("0", 2), add("0_reverse", 2)),
                                      es::bidirectional(add("1", 6), add("1_reverse", 6)));
  const es::ModuleSpec gru = leaf("GRU", "g", {{"input_size", n(2)}, {"hidden_size", n(3)}, {"num_layers", n(2)}, {"bidirectional", true}});
  CHECK(es::builtin_registry().create(windowed(gru, 7, 3), weights).layer.fingerprint() ==
        es::sequential(es::Windowed(by_hand, 7, 3), es::Merge<float>()).fingerprint());
  weights.erase("g.bias_hh_l1_reverse");
  mentions(error_of([&] { es::builtin_registry().create(windowed(gru, 7, 3), weights); }),
           {"module \"g\" (GRU)", "\"g.bias_hh_l1_reverse\" is missing"});
  mentions(error_of([&] { es::builtin_registry().create(gru, weights); }), {"(GRU)", "both directions", "Windowed"});
  mentions(error_of([&] {
             es::builtin_registry().create(windowed(leaf("RNN", "r", {{"input_size", n(2)}, {"hidden_size", n(3)}, {"nonlinearity", std::string("sin")}}), 7, 3), {});
           }),
           {"(RNN)", "nonlinearity = \"sin\""});
}

TEST_CASE("registry: recurrent layers run over streams", "[network]") {
  const auto n = [](std::int64_t value) { return es::ModuleSpec::Value(value); };
  // Two layers of an LSTM with projection, no biases, and a state to start from.
  const es::WeightMap weights{{"r.weight_ih_l0", filled({12, 2}, -0.4f)}, {"r.weight_hh_l0", filled({12, 2}, -0.3f)},
                              {"r.weight_hr_l0", filled({2, 3}, -0.2f)},  {"r.weight_ih_l1", filled({12, 2}, -0.6f)},
                              {"r.weight_hh_l1", filled({12, 2}, -0.1f)}, {"r.weight_hr_l1", filled({2, 3}, 0.1f)},
                              {"r.h0", es::Weights<float>({2, 2}, {0.1f, 0.2f, 0.3f, 0.4f})},
                              {"r.c0", es::Weights<float>({2, 3}, {1, 2, 3, 4, 5, 6})}};
  es::ModuleSpec spec = leaf("LSTM", "r", {{"input_size", n(2)}, {"hidden_size", n(3)}, {"num_layers", n(2)}, {"bias", false},
                                           {"proj_size", n(2)}, {"initial_state", true}});
  const auto layer = [&](const std::string& k, std::vector<float> h0, std::vector<float> c0) {
    es::RecurrentWeights<float> w{weights.at("r.weight_ih_l" + k), weights.at("r.weight_hh_l" + k)};
    w.projection = weights.at("r.weight_hr_l" + k);
    w.h0 = es::Weights<float>({2}, h0), w.c0 = es::Weights<float>({3}, c0);
    return es::Lstm<float>(w);
  };
  const es::AnyLayer<float> built = es::builtin_registry().create(spec, weights).layer;
  CHECK(built.fingerprint() == es::sequential(layer("0", {0.1f, 0.2f}, {1, 2, 3}), layer("1", {0.3f, 0.4f}, {4, 5, 6})).fingerprint());
  CHECK(built.timing().recursive());
  CHECK(built.facts({2}).out.channels == 2);
  spec.fields["proj_size"] = n(3);
  mentions(error_of([&] { es::builtin_registry().create(spec, weights); }),
           {"module \"r\" (LSTM)", "proj_size = 3, must be from 0 to 2"});
  spec = leaf("GRU", "r", {{"input_size", n(2)}, {"hidden_size", n(3)}, {"proj_size", n(2)}});
  mentions(error_of([&] { es::builtin_registry().create(spec, {}); }), {"(GRU)", "weight_ih_l0\" is missing"});
}

TEST_CASE("registry: weight norm of a vector has a norm for each element", "[network]") {
  // As torch does for a parameter of one axis: w = g v / |v|, element by element; over all if g is one number.
  const auto slopes = [](es::WeightMap weights) {
    const es::ModuleSpec spec = leaf("PReLU", "p", {{"num_parameters", std::int64_t{3}}});
    Eigen::Tensor<float, 2> x(3, 1);
    x.setConstant(-1.0f);
    const Eigen::Tensor<float, 2> y = es::Stream(es::builtin_registry().create(spec, weights).layer).forward(x);
    return std::vector<float>{-y(0, 0), -y(1, 0), -y(2, 0)};
  };
  const es::Weights<float> v({3}, {1, -2, 2});
  for (const auto& [g, direction] : {std::pair("p.weight_g", "p.weight_v"),
                                     std::pair("p.parametrizations.weight.original0", "p.parametrizations.weight.original1")}) {
    CHECK(slopes({{g, es::Weights<float>({3}, {0.25f, 0.5f, 4})}, {direction, v}}) == std::vector<float>{0.25f, -0.5f, 4});
    CHECK(slopes({{g, es::Weights<float>({}, {6})}, {direction, v}}) == std::vector<float>{2, -4, 4});
    CHECK(slopes({{g, es::Weights<float>({1}, {6})}, {direction, v}}) == std::vector<float>{2, -4, 4});
  }
}

TEST_CASE("registry: transposed convolutions have one padding or two", "[network]") {
  const es::WeightMap weights{{"u.weight", filled({1, 1, 6})}, {"u.bias", filled({1})}};
  const auto built = [&](es::ModuleSpec::Value padding) {
    es::ModuleSpec spec = conv("u", 1, 1, 6);
    spec.type = "ConvTranspose1d";
    spec.fields["stride"] = std::int64_t{3};
    spec.fields["padding"] = std::move(padding);
    return es::builtin_registry().create(spec, weights).layer;
  };
  const auto with = [&](es::Padding padding) {
    return es::ConvTranspose1d<float>(weights.at("u.weight"), weights.at("u.bias"), {.stride = 3, .padding = padding});
  };
  CHECK(built(std::int64_t{2}).fingerprint() == with(2).fingerprint());
  CHECK(built(std::vector<std::int64_t>{2, 2}).fingerprint() == with(2).fingerprint());
  CHECK(built(std::vector<std::int64_t>{0, 3}).fingerprint() == with({0, 3}).fingerprint());
  CHECK(built(std::vector<std::int64_t>{0, 3}).timing().delay() == 0);
  CHECK(error_of([&] { built(std::vector<std::int64_t>{0, -1}); }) ==
        "module \"u\" (ConvTranspose1d): padding = -1, must be from 0 to 1048576");
  CHECK(error_of([&] { built(std::vector<std::int64_t>{1, 2, 3}); }) ==
        "module \"u\" (ConvTranspose1d): padding has 3 numbers, expected one or [left, right]");
}

TEST_CASE("registry: containers in containers take no longer than what is in them", "[network]") {
  // Were anything asked for twice at each level, none of these would ever be done.
  const auto wrap = [](const std::string& type, es::ModuleSpec inner) -> es::ModuleSpec {
    if (type == "Sequential") return sequential({std::move(inner)});
    if (type == "Residual") return {"Residual", "", {}, {{"net", {std::move(inner)}}}};
    if (type == "Parallel")
      return {"Parallel", "", {{"reduce", std::string("sum")}}, {{"branches", {std::move(inner), sequential({})}}}};
    inner.fields["from"] = std::vector<std::int64_t>{0};
    return {"Graph", "", {}, {{"nodes", {std::move(inner)}}}};
  };
  const std::vector<std::string> types{"Sequential", "Residual", "Parallel", "Graph"};
  const auto nested = [&](es::ModuleSpec spec, auto&& type_of) {
    for (std::size_t level = 0; level < 60; ++level) spec = wrap(type_of(level), std::move(spec));
    return spec;
  };
  es::ModuleSpec inside = conv("c", 1, 1, 3);
  inside.fields["padding"] = std::int64_t{1};
  const es::WeightMap weights{{"c.weight", es::Weights<float>({1, 1, 3}, {0.25f, 0.5f, 0.25f})},
                              {"c.bias", es::Weights<float>({1}, {0})}};
  const auto runs = [&](const es::ModuleSpec& spec) {
    const es::Module network = es::builtin_registry().create(spec, weights);
    es::Stream stream(network.layer);
    Eigen::Tensor<float, 2> x(1, 20);
    x.setConstant(1.0f);
    CHECK(stream(x, es::final).dimension(1) >= 1);
    stream.reset();
    stream.set_state(stream.get_state());
    CHECK(support::facts_of(network.layer).parameters == 4);
    CHECK(network.layer.facts({1}).macs > 0);
  };
  for (const std::string& type : types) runs(nested(inside, [&](std::size_t) { return type; }));
  runs(nested(inside, [&](std::size_t level) { return types[level % types.size()]; }));
  // And the same within a window.
  es::ModuleSpec windows = nested(inside, [&](std::size_t level) { return types[level % types.size()]; });
  runs(windowed(windows, 8, 8));
}
