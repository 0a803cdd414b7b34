#include "eigenstream/import/import_model.hpp"

#include <fstream>

#include "eigenstream/network/load_model.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using support::error_of;

namespace {

constexpr std::string_view linear =
    R"({"version": "0.5.4", "architecture": "Linear", "config": {"receptive_field": 2, "bias": false}, "weights": [0.5, 0.25]})";

es::ModelFile import_text(const std::string& text, const es::ImportOptions& options = {}) {
  return es::import_model(std::as_bytes(std::span(text)), options, "file: ");
}
std::string text_error(const std::string& text, const es::ImportOptions& options = {}) {
  return error_of([&] { import_text(text, options); });
}
es::ModelFile own_model() {
  es::ModelFile model;
  model.network = {"Affine", "", {{"scale", 2.0}, {"offset", 0.0}}, {}};
  return model;
}

struct TemporaryFile {
  explicit TemporaryFile(std::span<const std::byte> bytes)
      : path(std::filesystem::temp_directory_path() / ("eigenstream_import_test_" + std::to_string(++number))) {
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::filesystem::path path;
  inline static int number = 0;
};

}  // namespace

TEST_CASE("import_model: the content tells the format", "[import]") {
  const std::vector<std::byte> own = es::serialise_safetensors(es::make_model(own_model()));
  CHECK(es::import_model(own).network.type == "Affine");
  CHECK(import_text(std::string(linear)).network.type == "Graph");
  CHECK(import_text("\xef\xbb\xbf \r\n\t" + std::string(linear) + "\n").network.type == "Graph");
  CHECK_THAT(text_error(""), Contains("file: neither a model file (.safetensors) nor one of ONNX or of JSON"));
  CHECK_THAT(text_error("hello"), Contains("neither a model file"));
  CHECK_THAT(text_error("[1, 2]"), Contains("neither a model file"));
  CHECK_THAT(text_error("{}"), Contains("this JSON is not a network that can be read"));
  CHECK_THAT(text_error("{\"a\": }"), Contains("the file is not valid JSON at its byte 7"));
  CHECK_THAT(text_error("{\"a\": NaN}"), Contains("not valid JSON"));
  CHECK_THAT(text_error("{\"a\": 1, \"a\": 2}"), Contains("duplicate key \"a\""));
  std::string deep = "{\"architecture\": ";
  for (int k = 0; k < 100000; ++k) deep += "{\"a\":";
  CHECK_THAT(text_error(deep), Contains("nested more than 64 deep"));
}

TEST_CASE("import_model: from a file", "[import]") {
  {
    const TemporaryFile file(std::as_bytes(std::span(linear)));
    const es::Model model = es::build_model(es::import_model(file.path));
    CHECK(model.network.layer.timing().receptive_field() == 2);
    CHECK(model.metadata.at("sample_rate_hz") == "48000");
  }
  {
    const TemporaryFile file(es::serialise_safetensors(es::make_model(own_model())));
    CHECK(es::import_model(file.path).network.type == "Affine");
  }
  for (const std::size_t bytes : {0, 1, 15, 16, 17}) {
    const TemporaryFile file(std::as_bytes(std::span(linear)).first(bytes));
    CHECK_THAT(error_of([&] { es::import_model(file.path); }), Contains("eigenstream_import_test_"));
  }
  CHECK_THAT(error_of([&] { es::import_model(std::filesystem::path("/nowhere/amp.nam")); }), Contains("/nowhere/amp.nam\": no such file"));
}

TEST_CASE("import_model: options that a file has no use for", "[import]") {
  const std::vector<std::byte> own = es::serialise_safetensors(es::make_model(own_model()));
  CHECK_THAT(error_of([&] { es::import_model(own, {.quality = 1.0}); }), Contains("leaves nothing to choose"));
  CHECK_THAT(error_of([&] { es::import_model(own, {.fast_tanh = true}); }), Contains("leaves nothing to choose"));
  CHECK_THAT(text_error(std::string(linear), {.quality = 1.0}), Contains("there is no quality to choose"));
}
