#include "eigenstream/import/nam.hpp"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "eigenstream/import/import_model.hpp"
#include "eigenstream/io/safetensors.hpp"
#include "eigenstream/network/load_model.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/imported.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using support::error_of;
using support::largest_difference;
using support::run;
using json = es::detail::json;

namespace {

json nam(const char* architecture, json config, const std::vector<float>& weights) {
  return {{"version", "0.5.4"}, {"architecture", architecture}, {"config", std::move(config)}, {"weights", weights}, {"sample_rate", 44100}};
}
std::vector<float> numbers(std::size_t n, std::uint64_t seed = 1) {
  support::Random random(seed);
  return support::random_values<float>(static_cast<Index>(n), random);
}
std::string nam_error(const json& file, const es::ImportOptions& options = {}) {
  return error_of([&] { es::import_nam(file.dump(), options, "file: "); });
}

}  // namespace

TEST_CASE("nam: Linear is a filter, the newest sample's weight first", "[import]") {
  const json file = nam("Linear", {{"receptive_field", 3}, {"bias", true}}, {4, 2, 1, 0.5});
  const std::vector<float> y = run(es::import_nam(file.dump()), {1, 0, 0, 0, 8});
  CHECK(y == std::vector<float>{4.5, 2.5, 1.5, 0.5, 32.5});
}

TEST_CASE("nam: LSTM begins with its own state and half a second of silence", "[import]") {
  constexpr Index hidden = 2, rows = 8;
  std::vector<float> weights = numbers(rows * 3 + rows + 4 + 2 + 1);
  const json file = nam("LSTM", {{"input_size", 1}, {"hidden_size", 2}, {"num_layers", 1}}, weights);
  const std::vector<float> x = numbers(40, 2);
  const std::vector<float> y = run(es::import_nam(file.dump()), x);

  double h[hidden], c[hidden];
  const auto w = [&](Index i) { return double{weights[static_cast<std::size_t>(i)]}; };
  for (Index k = 0; k < hidden; ++k) h[k] = w(rows * 4 + k), c[k] = w(rows * 4 + hidden + k);
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  std::vector<double> expected;
  for (Index t = -22050; t < 40; ++t) {
    double a[rows];
    const double in = t < 0 ? 0 : double{x[static_cast<std::size_t>(t)]};
    for (Index r = 0; r < rows; ++r) a[r] = w(rows * 3 + r) + w(r * 3) * in + w(r * 3 + 1) * h[0] + w(r * 3 + 2) * h[1];
    for (Index k = 0; k < hidden; ++k) {
      c[k] = sigmoid(a[hidden + k]) * c[k] + sigmoid(a[k]) * std::tanh(a[2 * hidden + k]);
      h[k] = sigmoid(a[3 * hidden + k]) * std::tanh(c[k]);
    }
    if (t >= 0) expected.push_back(w(rows * 4 + 4) * h[0] + w(rows * 4 + 5) * h[1] + w(rows * 4 + 6));
  }
  CHECK(largest_difference(y, expected) < 2e-6);
}

TEST_CASE("nam: what it says of itself is kept", "[import]") {
  json file = nam("Linear", {{"receptive_field", 1}, {"bias", false}}, {1});
  file["metadata"] = {{"loudness", -18.5}, {"name", "Amp"}, {"gain", nullptr}, {"training", {{"validation_esr", 0.01}, {"checks", {{"passed", true}}}}}};
  file["notes"] = {"anything"};
  const auto metadata = es::import_nam(file.dump()).metadata;
  CHECK(metadata.at("loudness") == "-18.5");
  CHECK(metadata.at("name") == "Amp");
  CHECK(metadata.at("training.validation_esr") == "0.01");
  CHECK(metadata.at("training.checks.passed") == "true");
  CHECK(metadata.at("sample_rate_hz") == "44100");
  CHECK(metadata.at("imported_from") == ".nam 0.5.4, Linear");
  CHECK_FALSE(metadata.contains("gain"));
  for (const json& unknown : {json(-1), json(0), json(nullptr)}) {
    file["sample_rate"] = unknown;
    CHECK(es::import_nam(file.dump()).metadata.at("sample_rate_hz") == "48000");
  }
}

TEST_CASE("nam: a container has a network for each quality", "[import]") {
  const auto part = [](double most, float weight) {
    return json{{"max_value", most}, {"model", nam("Linear", {{"receptive_field", 1}, {"bias", false}}, {weight})}};
  };
  json file = nam("SlimmableContainer", {{"submodels", {part(0.5, 1), part(0.75, 2), part(1, 3)}}}, {});
  const auto chosen = [&](std::optional<double> quality) { return run(es::import_nam(file.dump(), {.quality = quality}), {1}).front(); };
  CHECK(chosen({}) == 3);
  CHECK(chosen(0.0) == 1);
  CHECK(chosen(0.49) == 1);
  CHECK(chosen(0.5) == 2);
  CHECK(chosen(0.75) == 3);
  CHECK(chosen(1.0) == 3);
  CHECK_THAT(nam_error(file, {.quality = 1.5}), Contains("quality = 1.5, must be from 0 to 1"));
  file["config"]["submodels"][1]["max_value"] = 0.5;
  CHECK_THAT(nam_error(file), Contains("config.submodels: max_value does not rise up to 1"));
  file["config"]["submodels"] = json::array();
  CHECK_THAT(nam_error(file), Contains("config.submodels: is empty"));
}

TEST_CASE("nam: every architecture and option gives what its definition says", "[import][golden]") {
  for (const json& each : support::golden_cases("nam.json")) {
    INFO(each["name"]);
    const es::ModelFile file = es::import_nam(each["file"].dump(), {.fast_tanh = each["fast_tanh"].get<bool>()}, "file: ");
    support::check_golden(file, each);
  }
}

TEST_CASE("nam: the runtimes of others give the same", "[import][golden]") {
  const std::filesystem::path models = std::filesystem::path(EIGENSTREAM_SOURCE_DIR) / ".." / "shared" / "models";
  if (!std::filesystem::exists(models / "nam")) {
    WARN("skipped: there are no models of others beside this tree");
    return;
  }
  struct Reference {
    const char *model, *reference, *output;
    double bound;
    es::ImportOptions options = {};
  };
  const es::ImportOptions fast{.fast_tanh = true};
  for (const auto& [model, reference, output, bound, options] : {
           Reference{"A2", "A2", "y", 1e-6},
           {"A2", "A2", "y_small", 3e-6, {.quality = 0.0}},
           {"wavenet_a1_standard", "wavenet_a1_standard", "y_exact_tanh", 2e-5},
           {"wavenet_a1_standard", "wavenet_a1_standard", "y_fast_tanh", 2e-5, fast},
           {"lstm", "lstm", "y_exact_tanh", 1e-6},
           {"lstm", "lstm", "y_fast_tanh", 2e-6, fast},
           {"slimmable_container", "slimmable_container", "y", 5e-6},
           {"wavenet", "wavenet", "y_exact_tanh", 1e-6},
           {"wavenet", "wavenet", "y_fast_tanh", 1e-6, fast},
           {"wavenet_a2_max", "wavenet_a2_max", "y", 5e-5},
           {"wavenet_condition_dsp", "wavenet_condition_dsp", "y_exact_tanh", 1e-6},
           {"wavenet_condition_dsp", "wavenet_condition_dsp", "y_fast_tanh", 1e-6, fast}}) {
    INFO(model << " " << output);
    const auto tensors = es::read_safetensors(models / "reference" / ("nam_" + std::string(reference) + ".safetensors")).tensors;
    const std::vector<float>& y = tensors.at(output).values;
    const es::ModelFile file = es::import_model(models / "nam" / (std::string(model) + ".nam"), options);
    CHECK(largest_difference(run(file, tensors.at("x").values), {y.begin(), y.end()}) < bound);
  }
}

TEST_CASE("nam: nothing is made of what leads nowhere", "[import]") {
  json file;
  for (const json& each : support::golden_cases("nam.json"))
    if (each["name"] == "a1") file = each["file"];
  const es::ModelFile model = es::import_nam(file.dump());
  REQUIRE(model.network.type == "Prewarm");
  for (const es::ModuleSpec& node : model.network.children.at("net").front().children.at("nodes")) {
    INFO(node.path);
    CHECK(node.path != "layers.1.0.layer1x1");  // behind the last layer
    CHECK(node.path != "layers.1.0.residual");
  }
  CHECK(model.weights.contains("layers.0.1.layer1x1.weight"));
  CHECK_FALSE(model.weights.contains("layers.1.0.layer1x1.weight"));
}

namespace {

// A file of the golden ones, changed: what is wrong with it.
template <class Change>
std::string changed_error(const char* name, Change&& change) {
  for (const json& each : support::golden_cases("nam.json"))
    if (each["name"] == name) {
      json file = each["file"];
      change(file);
      return nam_error(file);
    }
  return "there is no such case";
}

}  // namespace

TEST_CASE("nam: errors name the place", "[import]") {
  const auto stack = [](json& file) -> json& { return file["config"]["layers"][0]; };
  const auto error = [&](auto&& change) { return changed_error("a1", change); };
  CHECK_THAT(error([&](json& f) { f.erase("version"); }), Contains("file: has no version"));
  CHECK_THAT(error([&](json& f) { f["version"] = "0.8.0"; }), Contains("file: version: is 0.8.0, this reads 0.5 to 0.7"));
  CHECK_THAT(error([&](json& f) { f["version"] = "0.5"; }), Contains("\"0.5\" is not a version such as 0.5.4"));
  CHECK_THAT(error([&](json& f) { f["version"] = "0.5.4.1"; }), Contains("is not a version"));
  CHECK_THAT(error([&](json& f) { f["version"] = 0.5; }), Contains("version: 0.5 is not a text"));
  CHECK_THAT(error([&](json& f) { f["architecture"] = "Transformer"; }), Contains("architecture: unknown architecture \"Transformer\""));
  CHECK_THAT(error([&](json& f) { f["config"] = 3; }), Contains("file: config: 3 is not an object"));
  CHECK_THAT(error([&](json& f) { f["weights"].push_back(1); }), Contains("file: weights: holds "));
  CHECK_THAT(error([&](json& f) { f["weights"].erase(5); }), Contains("file: weights: holds "));
  CHECK_THAT(error([&](json& f) { f["weights"][7] = nullptr; }), Contains("file: weights[7]: null is not a number"));
  CHECK_THAT(error([&](json& f) { f["weights"][7] = "x"; }), Contains("file: weights[7]: \"x\" is not a number"));
  CHECK_THAT(error([&](json& f) { f["weights"][7] = 1e39; }), Contains("file: weights[7]: 1e+39 is beyond the range of float"));
  CHECK_THAT(error([&](json& f) { f["weights"] = "many"; }), Contains("file: weights: \"many\" is not a list"));
  CHECK_THAT(error([&](json& f) { f["config"]["tempo"] = 1; }), Contains("file: config: unknown key \"tempo\""));
  CHECK_THAT(error([&](json& f) { f["config"]["layers"] = json::array(); }), Contains("config.layers: is empty"));
  CHECK_THAT(error([&](json& f) { f["config"]["in_channels"] = 0; }), Contains("config.in_channels: 0, must be from 1"));
  CHECK_THAT(error([&](json& f) { stack(f)["dropout"] = 0.1; }), Contains("config.layers[0]: unknown key \"dropout\""));
  CHECK_THAT(error([&](json& f) { stack(f)["channels"] = 2000000000; }), Contains("channels: 2000000000, must be from 1 to 1048576"));
  CHECK_THAT(error([&](json& f) { stack(f)["channels"] = 1048576; }), Contains("too few: layers.0.rechannel"));
  CHECK_THAT(error([&](json& f) { stack(f)["channels"] = -4; }), Contains("must be from 1"));
  CHECK_THAT(error([&](json& f) { stack(f)["channels"] = 4.0; }), Contains("channels: 4.0 is not an integer"));
  CHECK_THAT(error([&](json& f) { stack(f)["input_size"] = 2; }), Contains("input_size is 2, but 1 channels come"));
  CHECK_THAT(error([&](json& f) { stack(f)["condition_size"] = 2; }), Contains("condition_size is 2, but 1 channels come"));
  CHECK_THAT(error([&](json& f) { stack(f)["kernel_sizes"] = {3, 3}; }), Contains("must have either kernel_size or kernel_sizes"));
  CHECK_THAT(error([&](json& f) { stack(f).erase("kernel_size"); }), Contains("must have either kernel_size or kernel_sizes"));
  CHECK_THAT(error([&](json& f) { stack(f)["kernel_size"] = 1048576, stack(f)["dilations"][0] = 1048576; }), Contains("reach over more than"));
  CHECK_THAT(error([&](json& f) { stack(f)["dilations"] = json::array(); }), Contains("dilations: is empty"));
  CHECK_THAT(error([&](json& f) { stack(f)["dilations"] = std::vector<int>(2000, 1); }), Contains("at most 1024"));
  CHECK_THAT(error([&](json& f) { stack(f)["dilations"][0] = 0; }), Contains("dilations[0]: 0, must be from 1"));
  CHECK_THAT(error([&](json& f) { stack(f)["activation"] = "Wiggle"; }), Contains("activation: unknown activation \"Wiggle\""));
  CHECK_THAT(error([&](json& f) { stack(f)["activation"] = {{"type", "Tanh"}, {"gain", 2}}; }), Contains("unknown key \"gain\""));
  CHECK_THAT(error([&](json& f) { stack(f)["activation"] = {"Tanh"}; }), Contains("activation: has 1 items for 2 layers"));
  CHECK_THAT(error([&](json& f) { stack(f)["activation"] = {{"type", "PReLU"}, {"negative_slopes", {0.1, 0.2}}}; }),
             Contains("negative_slopes: has 2 items for 4 channels"));
  CHECK_THAT(error([&](json& f) { stack(f)["gating_mode"] = "maybe"; }), Contains("gating_mode: \"maybe\" is not none, gated or blended"));
  CHECK_THAT(error([&](json& f) { stack(f)["groups_input"] = 3; }), Contains("4 and 4 channels are not multiples of 3 groups"));
  CHECK_THAT(error([&](json& f) { stack(f)["head"] = {{"out_channels", 1}, {"kernel_size", 1}, {"bias", true}}; }),
             Contains("has both head and head_size or head_bias"));
  CHECK_THAT(error([&](json& f) { stack(f).erase("head_size"); }), Contains("has no head_size"));
  CHECK_THAT(error([&](json& f) { stack(f)["layer1x1"] = {{"active", false}}; stack(f)["bottleneck"] = 2; }),
             Contains("layer1x1: is not active, so that bottleneck must be channels"));
  CHECK_THAT(error([&](json& f) { stack(f)["layer1x1"] = {{"active", false}}; stack(f)["layer1x1_post_film"] = {{"active", true}}; }),
             Contains("layer1x1_post_film is active, but layer1x1 is not"));
  CHECK_THAT(error([&](json& f) { stack(f)["head1x1_post_film"] = {{"active", true}}; }), Contains("head1x1_post_film is active, but head1x1 is not"));
  CHECK_THAT(error([&](json& f) { stack(f)["conv_pre_film"] = {{"active", true}, {"amount", 2}}; }), Contains("conv_pre_film: unknown key \"amount\""));
  CHECK_THAT(error([&](json& f) { stack(f)["head_size"] = 2; }), Contains("to the head, the stack before it 2"));
  CHECK_THAT(error([&](json& f) { f["config"]["head_scale"] = "loud"; }), Contains("config.head_scale: \"loud\" is not a number"));
  CHECK_THAT(error([&](json& f) { f["metadata"] = 3; }), Contains("file: metadata: is not an object"));
  CHECK_THAT(error([&](json& f) { f["sample_rate"] = "fast"; }), Contains("file: sample_rate: \"fast\" is not a number"));
}

TEST_CASE("nam: errors of other architectures", "[import]") {
  CHECK_THAT(changed_error("lstm", [](json& f) { f["config"]["hidden_size"] = 4; }), Contains("file: weights: holds"));
  CHECK_THAT(changed_error("lstm", [](json& f) { f["config"]["num_layers"] = 65; }), Contains("num_layers: 65, must be from 1 to 64"));
  CHECK_THAT(changed_error("lstm", [](json& f) { f["config"]["input_size"] = 0; }), Contains("input_size: 0, must be from 1"));
  CHECK_THAT(changed_error("lstm", [](json& f) { f["config"]["dropout"] = 1; }), Contains("config: unknown key \"dropout\""));
  CHECK_THAT(changed_error("convnet_norm", [](json& f) { f["config"]["batchnorm"] = false; }), Contains("file: weights: holds"));
  CHECK_THAT(changed_error("convnet", [](json& f) { f["config"]["groups"] = 2; }), Contains("are not multiples of 2 groups"));
  CHECK_THAT(changed_error("convnet_norm", [](json& f) { for (json& w : f["weights"]) w = -1; }), Contains("variance is not positive in channel 0"));
  CHECK_THAT(changed_error("linear", [](json& f) { f["config"]["receptive_field"] = 9; }), Contains("file: weights: holds 8 numbers, too few"));
  CHECK_THAT(changed_error("linear", [](json& f) { f["config"]["in_channels"] = 2; }), Contains("in_channels: only 1 is known for Linear"));
  CHECK_THAT(changed_error("heads", [](json& f) { f["config"]["head"]["kernel_sizes"] = json::array(); }), Contains("config.head.kernel_sizes: is empty"));
  CHECK_THAT(changed_error("heads", [](json& f) { f["config"]["head"]["in_channels"] = 7; }), Contains("config.head: in_channels is 7, but 3 channels come"));
  CHECK_THAT(changed_error("film_groups", [](json& f) { f["config"]["condition_dsp"]["weights"].push_back(1); }),
             Contains("file: config.condition_dsp.weights: holds"));
  CHECK_THAT(changed_error("film_groups", [](json& f) { f["config"]["condition_dsp"]["version"] = "1.0.0"; }),
             Contains("file: config.condition_dsp.version: is 1.0.0"));
}

TEST_CASE("nam: a truncated file is an error at every length", "[import]") {
  std::string text;
  for (const json& each : support::golden_cases("nam.json"))
    if (each["name"] == "linear") text = each["file"].dump();
  for (std::size_t length = 0; length < text.size(); ++length) {
    INFO(length << " bytes");
    CHECK_FALSE(error_of([&] { es::import_nam(text.substr(0, length), {}, "file: "); }).empty());
  }
}

TEST_CASE("nam: silence that would take too long is refused when the network is built", "[import]") {
  json file = nam("WaveNet", {{"layers", {{{"input_size", 1}, {"condition_size", 1}, {"channels", 1}, {"kernel_size", 2}, {"head_size", 1},
                                           {"head_bias", false}, {"dilations", std::vector<int>(1000, 1048575)}, {"activation", "ReLU"}}}},
                              {"head_scale", 1}},
                  std::vector<float>(1 + 1000 * 6 + 1 + 1));
  const es::ModelFile model = es::import_nam(file.dump());
  CHECK_THAT(error_of([&] { es::build_model(model); }), Contains("frames = 1048575001, must be from 1 to 4194304"));
}
