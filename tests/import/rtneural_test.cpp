#include "eigenstream/import/rtneural.hpp"

#include "eigenstream/import/import_model.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/imported.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using support::error_of;
using json = es::detail::json;

namespace {

es::ModelFile import_json(const json& file, const es::ImportOptions& options = {}) {
  const std::string text = file.dump();
  return es::import_model(std::as_bytes(std::span(text)), options, "file: ");
}
json file_of(const char* name) {
  for (const json& each : support::golden_cases("rtneural.json"))
    if (each["name"] == name) return each["file"];
  FAIL("there is no case " << name);
  return {};
}
// A file of the golden ones, changed: what is wrong with it.
template <class Change>
std::string changed_error(const char* name, Change&& change, const es::ImportOptions& options = {}) {
  json file = file_of(name);
  change(file);
  return error_of([&] { import_json(file, options); });
}
std::string changed_layer_error(const char* name, std::size_t k, const char* key, const json& value) {
  return changed_error(name, [&](json& file) { file["layers"][k][key] = value; });
}

}  // namespace

TEST_CASE("rtneural: every layer gives what its definition says", "[import][golden]") {
  for (const json& each : support::golden_cases("rtneural.json")) {
    INFO(each["name"]);
    support::check_golden(import_json(each["file"], {.fast_tanh = each["fast_tanh"].get<bool>()}), each);
  }
}

TEST_CASE("rtneural: test vectors in a file are of the network without its gains", "[import]") {
  const std::string text = file_of("aida").dump();
  const auto test = es::import_test(std::as_bytes(std::span(text)));
  REQUIRE(test.has_value());
  CHECK(support::largest_difference(support::run(test->model, test->input), {test->output.begin(), test->output.end()}) < 1e-6);
  for (const char* without : {"gru", "guitarml_lstm"}) {
    const std::string other = file_of(without).dump();
    CHECK_FALSE(es::import_test(std::as_bytes(std::span(other))).has_value());
  }
  CHECK_THAT(error_of([&] {
               json file = file_of("aida");
               file["input_batch"].erase(0);
               const std::string shorter = file.dump();
               es::import_test(std::as_bytes(std::span(shorter)), "file: ");
             }),
             Contains("file: input_batch has 23 items, output_batch 24"));
}

TEST_CASE("rtneural: knobs are controls", "[import]") {
  const es::Module network = es::build_model(import_json(file_of("guitarml_knobs"))).network;
  es::Stream<es::AnyLayer<float>> stream(network.layer);
  REQUIRE(stream.controls() == 2);
  CHECK(stream.control_info(0).name == "param1");
  CHECK(stream.control_info(1).name == "param2");
  CHECK(stream.control_info(0).initial == std::vector<double>{0.5});
  CHECK(es::Stream<es::AnyLayer<float>>(es::build_model(import_json(file_of("aida_knobs"))).network.layer).control_info(1).initial ==
        std::vector<double>{0.0});
}

TEST_CASE("rtneural: what a file says of itself is kept", "[import]") {
  const auto aida = import_json(file_of("aida")).metadata;
  CHECK(aida.at("name") == "small");
  CHECK(aida.at("sample_rate_hz") == "48000");  // players take a text for that
  CHECK(aida.at("imported_from") == "AIDA-X");
  CHECK(import_json(file_of("aida_gru")).metadata.at("sample_rate_hz") == "44100");
  CHECK_FALSE(import_json(file_of("conv1d")).metadata.contains("sample_rate_hz"));
}

TEST_CASE("rtneural: errors name the place", "[import]") {
  CHECK_THAT(changed_error("dense", [](json& f) { f.erase("in_shape"); }), Contains("file: has no in_shape"));
  CHECK_THAT(changed_error("dense", [](json& f) { f["in_shape"] = {2}; }), Contains("file: in_shape: has 1 items"));
  CHECK_THAT(changed_error("dense", [](json& f) { f["in_shape"] = {nullptr, nullptr, 0}; }), Contains("file: in_shape[2]: 0, must be from 1"));
  CHECK_THAT(changed_error("dense", [](json& f) { f["in_shape"] = {nullptr, nullptr, 1048576, 1048576}; }), Contains("more than 1048576 numbers"));
  CHECK_THAT(changed_error("dense", [](json& f) { f["in_shape"] = {nullptr, nullptr, 3}; }), Contains("file: layers[1].weights[0]: has 2 items, expected 3"));
  CHECK_THAT(changed_layer_error("dense", 1, "type", "bidirectional"), Contains("file: layers[1].type: unknown layer \"bidirectional\""));
  CHECK_THAT(changed_layer_error("dense", 1, "activation", "swish"), Contains("file: layers[1].activation: unknown activation \"swish\""));
  CHECK_THAT(changed_layer_error("dense", 1, "shape", json::array()), Contains("file: layers[1].shape: is empty"));
  CHECK_THAT(changed_layer_error("dense", 1, "weights", json::array()), Contains("layers[1].weights: has 0 items, expected 2"));
  CHECK_THAT(changed_layer_error("dense", 0, "weights", {1}), Contains("layers[0].type: unknown layer \"unknown\""));
  CHECK_THAT(changed_layer_error("conv1d", 0, "kernel_size", {0}), Contains("kernel_size[0]: 0, must be from 1"));
  CHECK_THAT(changed_layer_error("conv1d", 0, "kernel_size", json::array()), Contains("kernel_size: has 0 items"));
  CHECK_THAT(changed_layer_error("conv1d", 0, "dilation", 1048576), Contains("3 taps at a distance of 1048576 reach over more than"));
  CHECK_THAT(changed_layer_error("conv1d", 2, "groups", 3), Contains("4 and 2 channels are not multiples of 3 groups"));
  CHECK_THAT(changed_layer_error("conv1d", 1, "epsilon", -2.0), Contains("layers[1]: variance is not positive in channel"));
  CHECK_THAT(changed_layer_error("conv2d", 0, "padding", "reflect"), Contains("padding: \"reflect\" is neither valid nor same"));
  CHECK_THAT(changed_layer_error("conv2d", 0, "num_features_in", 8), Contains("takes 8 features of 1 filters, but 7 numbers come"));
  CHECK_THAT(changed_layer_error("conv2d", 2, "kernel_size_feature", 5), Contains("kernel_size_feature is 5, more than 4 features"));
  CHECK_THAT(changed_layer_error("conv2d", 0, "shape", {nullptr, nullptr, 5, 2}), Contains("shape says 10 numbers, but 8 come out"));
  CHECK_THAT(changed_error("gru", [](json& f) { f["layers"][0]["weights"][2] = f["layers"][0]["weights"][2][0]; }),
             Contains("layers[0].weights[2]: is one bias, expected two"));
  CHECK_THAT(changed_error("gru", [](json&) {}, {.fast_tanh = true}), Contains("there is no gru with another tanh"));
  CHECK_THAT(changed_error("gru", [](json&) {}, {.quality = 0.5}), Contains("there is no quality to choose"));
  CHECK_THAT(changed_error("lstm", [](json& f) { f["layers"][0]["weights"][0][1][2] = 1e300; }), Contains("weights[0][1][2]: 1e+300 is beyond the range"));
  CHECK_THAT(changed_error("lstm", [](json& f) { f["layers"][0]["shape"] = {nullptr, 1000000}; }), Contains("expected 4000000 of a tensor"));
  CHECK_THAT(changed_error("aida", [](json& f) { f["in_skip"] = 2; }), Contains("file: in_skip: 2, must be from 0 to 1"));
  CHECK_THAT(changed_error("aida", [](json& f) { f["in_gain"] = 1000; }), Contains("a gain of 1000 dB, must be from -200 to 200"));
}

TEST_CASE("guitarml: errors name the place", "[import]") {
  const auto error = [](auto&& change) { return changed_error("guitarml_lstm", change); };
  CHECK_THAT(error([](json& f) { f.erase("state_dict"); }), Contains("file: has no state_dict"));
  CHECK_THAT(error([](json& f) { f["model_data"]["model"] = "WaveNet"; }), Contains("model_data.model: \"WaveNet\" is not SimpleRNN"));
  CHECK_THAT(error([](json& f) { f["model_data"]["unit_type"] = "RNN"; }), Contains("model_data.unit_type: \"RNN\" is neither LSTM nor GRU"));
  CHECK_THAT(error([](json& f) { f["model_data"]["unit_type"] = "GRU"; }), Contains("state_dict.rec.weight_ih_l0: has 12 items, expected 9"));
  CHECK_THAT(error([](json& f) { f["model_data"]["input_size"] = 4; }), Contains("model_data.input_size: 4, must be from 1 to 3"));
  CHECK_THAT(error([](json& f) { f["model_data"]["output_size"] = 2; }), Contains("model_data.output_size: must be 1"));
  CHECK_THAT(error([](json& f) { f["model_data"]["skip"] = 2; }), Contains("model_data.skip: 2, must be from 0 to 1"));
  CHECK_THAT(error([](json& f) { f["model_data"]["hidden_size"] = 5; }), Contains("expected 20"));
  CHECK_THAT(error([](json& f) { f["model_data"]["num_layers"] = 2; }), Contains("state_dict: has no rec.weight_ih_l1"));
  CHECK_THAT(error([](json& f) { f["model_data"]["dropout"] = 1; }), Contains("model_data: unknown key \"dropout\""));
  CHECK_THAT(error([](json& f) { f["state_dict"]["rec.weight_ih_l1"] = {1}; }), Contains("state_dict: holds 7 tensors, the layers take 6"));
  CHECK_THAT(error([](json& f) { f["state_dict"]["lin.bias"][0] = "loud"; }), Contains("state_dict.lin.bias[0]: \"loud\" is not a number"));
  CHECK_THAT(changed_error("guitarml_gru", [](json&) {}, {.fast_tanh = true}), Contains("there is no GRU with another tanh"));
}
