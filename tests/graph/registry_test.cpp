#include "eigenstream/graph/registry.hpp"

#include <string>

#include "eigenstream/compose/stream.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

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

TEST_CASE("registry: a description becomes the network that was described", "[graph]") {
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

TEST_CASE("registry: an empty sequence is the identity", "[graph]") {
  es::Stream stream(es::builtin_registry().create(sequential({}), {}).layer, {.channels = 3});
  Eigen::Tensor<float, 2> x(3, 4000);
  x.setRandom();
  const Eigen::Tensor<float, 2> y = stream(x, es::final);
  REQUIRE(y.dimension(1) == 4000);
  CHECK(std::equal(x.data(), x.data() + x.size(), y.data()));
}

TEST_CASE("registry: every mistake is an error that names the module", "[graph][errors]") {
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
  SECTION("types and structure") {
    mentions(create({"GroupNorm", "net.3", {}, {}}, {}), {"net.3", "GroupNorm", "unknown module type"});
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

TEST_CASE("registry: user types are added, names are not taken twice", "[graph]") {
  es::Registry registry = es::builtin_registry();
  registry.add("Twice", [](es::ModuleReader& reader, Index) {
    return es::Built(es::LeakyRelu<float>(2.0f * reader.number("factor", 1)));
  });
  const es::Module network = registry.create({"Twice", "t", {{"factor", std::int64_t{3}}}, {}}, {});
  CHECK(network.layer.as<es::LeakyRelu<float>>()->slope == 6.0f);
  mentions(error_of([&] { registry.add("ReLU", nullptr); }), {"ReLU", "already"});
}
