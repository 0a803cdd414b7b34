#include "eigenstream/io/model_file.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using support::error_of;

namespace {

es::Safetensors with_description(const std::string& text) {
  es::Safetensors file;
  file.metadata["eigenstream"] = text;
  return file;
}
std::string description_error(const std::string& text) {
  return error_of([&] { es::parse_model(with_description(text), "file: "); });
}
std::string with_network(const std::string& node) { return R"({"version": 1, "network": )" + node + "}"; }

}  // namespace

TEST_CASE("model_file: fields keep their kinds", "[io]") {
  const es::ModelFile model = es::parse_model(with_description(with_network(
      R"({"type": "T", "path": "a.b", "i": -3, "f": 1e-05, "t": true, "s": "tanh", "l": [2, 0], "w": ["a", ""],
          "net": {"type": "U", "path": "a.b.c"}, "layers": [{"type": "V", "path": "d"}, {"type": "W", "path": "e"}],
          "none": []})")));
  const es::ModuleSpec& spec = model.network;
  CHECK(spec.type == "T");
  CHECK(spec.path == "a.b");
  CHECK(std::get<std::int64_t>(spec.fields.at("i")) == -3);
  CHECK(std::get<double>(spec.fields.at("f")) == 1e-5);
  CHECK(std::get<bool>(spec.fields.at("t")));
  CHECK(std::get<std::string>(spec.fields.at("s")) == "tanh");
  CHECK(std::get<std::vector<std::int64_t>>(spec.fields.at("l")) == std::vector<std::int64_t>{2, 0});
  CHECK(std::get<std::vector<std::string>>(spec.fields.at("w")) == std::vector<std::string>{"a", ""});
  REQUIRE(spec.children.at("net").size() == 1);
  CHECK(spec.children.at("net")[0].type == "U");
  REQUIRE(spec.children.at("layers").size() == 2);
  CHECK(spec.children.at("layers")[1].path == "e");
  CHECK(spec.children.at("none").empty());
}

TEST_CASE("model_file: what is no description is refused", "[io][errors]") {
  const auto says = [](const std::string& message, const char* part) {
    INFO(message);
    CHECK(message.find("file: ") == 0);
    CHECK(message.find(part) != std::string::npos);
  };
  says(error_of([] { es::parse_model({}, "file: "); }), "not a model file");
  says(description_error("[]"), "does not begin with '{'");
  says(description_error(with_network(R"({"type": "T", "path": "p", "w": ["a", 1]})")), "\"1\" is not a text");
  says(description_error(R"({"version": 1)"), "not valid JSON");
  says(description_error(R"({"version": 2, "network": {"type": "T", "path": ""}})"), "version 2");
  says(description_error(R"({"version": 1})"), "no network");
  says(description_error(R"({"network": {"type": "T", "path": ""}})"), "no version");
  says(description_error(R"({"version": 1, "network": {"type": "T", "path": ""}, "more": 1})"),
       "unknown field \"more\"");
  says(description_error(R"({"version": 1, "version": 1, "network": {"type": "T", "path": ""}})"), "duplicate key");
  says(description_error(R"({"version": 1, "metadata": {"a": 1}, "network": {"type": "T", "path": ""}})"), "\"a\"");
  says(description_error(R"({"version": 1, "metadata": 1, "network": {"type": "T", "path": ""}})"), "metadata");
  says(description_error(with_network("3")), "not an object");
  says(description_error(with_network(R"({"path": ""})")), "no type");
  says(description_error(with_network(R"({"type": "T"})")), "no path");
  says(description_error(with_network(R"({"type": 1, "path": ""})")), "no type");
  says(description_error(with_network(R"({"type": "T", "path": "", "x": null})")), "null");
  says(description_error(with_network(R"({"type": "T", "path": "", "x": [1, "a"]})")), "not an integer");
  says(description_error(with_network(R"({"type": "T", "path": "", "x": [1.5, 2]})")), "not an integer");
  says(description_error(with_network(R"({"type": "T", "path": "", "x": 18446744073709551615})")), "too large");
  says(description_error(with_network(R"({"type": "T", "path": "", "x": [{"type": "U", "path": ""}, 3]})")),
       "not an object");

  std::string deep = R"({"type": "U", "path": ""})";
  for (int i = 0; i < 70; ++i) deep = R"({"type": "R", "path": "", "net": [)" + deep + "]}";
  says(description_error(with_network(deep)), "nested");
}

TEST_CASE("model_file: what is written is what is read", "[io]") {
  es::ModelFile model;
  model.network = {"Sequential", "", {}, {{"layers", {{"Residual", "r", {}, {{"net", {{"T", "r.net", {}, {}}}}}}}}}};
  es::ModuleSpec& inner = model.network.children["layers"][0].children["net"][0];
  inner.fields = {{"i", std::int64_t{-3}},
                  {"f", 1.0},
                  {"t", true},
                  {"s", std::string("tanh")},
                  {"l", std::vector<std::int64_t>{2, 0}},
                  {"w", std::vector<std::string>{"a", ""}}};
  model.weights["r.net.weight"] = {{2, 1}, {0.5f, -1}};
  model.metadata["name"] = "\"x\"";
  const auto path = std::filesystem::temp_directory_path() / "eigenstream_model_file_test.safetensors";
  es::write_model(path, model);
  const es::ModelFile read = es::read_model(path);
  std::filesystem::remove(path);
  CHECK(read.weights == model.weights);
  CHECK(read.metadata == model.metadata);
  const es::ModuleSpec& same = read.network.children.at("layers").at(0).children.at("net").at(0);
  CHECK(same.type == "T");
  CHECK(same.path == "r.net");
  CHECK(same.fields == inner.fields);
  model.network.children["layers"][0].children["net"].clear();
  CHECK(error_of([&] { es::make_model(model); }) == "model file: module \"r\" has 0 networks");
}
