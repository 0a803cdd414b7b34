#include "eigenstream/network/load_model.hpp"

#include <filesystem>
#include <memory>
#include <string>

#include "eigenstream/io/safetensors.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using support::error_of;

namespace {

struct TemporaryFile {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "eigenstream_load_model_test.safetensors";
  ~TemporaryFile() { std::filesystem::remove(path); }
};

// The example of docs/model-file.md.
es::Safetensors example() {
  es::Safetensors file;
  file.metadata["eigenstream"] = R"({"version": 1, "metadata": {"sample_rate_hz": "16000"}, "network":
      {"type": "Sequential", "path": "", "layers": [
        {"type": "Conv1d", "path": "0", "in_channels": 1, "out_channels": 2, "kernel_size": 3, "padding": [2, 0]},
        {"type": "ReLU", "path": "1"}]}})";
  file.tensors["0.weight"] = {{2, 1, 3}, {1, 2, 3, -1, 0, 1}};
  file.tensors["0.bias"] = {{2}, {0.5f, 0}};
  return file;
}

}  // namespace

TEST_CASE("load_model: the example of the format's page gives the numbers it promises", "[network]") {
  const TemporaryFile file;
  es::write_safetensors(file.path, example());
  const es::Model model = es::load_model(file.path);
  CHECK(model.metadata.at("sample_rate_hz") == "16000");

  es::Stream stream(model.network.layer);
  Eigen::Tensor<float, 2> x(1, 3);
  x.setValues({{1, 2, 3}});
  const Eigen::Tensor<float, 2> y = stream(x, es::final);
  REQUIRE(y.dimension(1) == 3);
  const float expected[] = {3.5f, 1, 8.5f, 2, 14.5f, 2};
  CHECK(std::equal(y.data(), y.data() + 6, expected));
  CHECK(stream.delay() == 0);
  CHECK(stream.receptive_field() == 3);
}

TEST_CASE("load_model: errors name the file and the module", "[network][errors]") {
  const TemporaryFile file;
  es::Safetensors damaged = example();
  damaged.tensors["0.weight"].shape = {2, 3, 1};
  es::write_safetensors(file.path, damaged);
  const std::string message = error_of([&] { es::load_model(file.path); });
  INFO(message);
  for (const char* part : {"eigenstream_load_model_test", "\"0\"", "Conv1d", "(2,3,1)", "(2,1,3)"})
    CHECK(message.find(part) != std::string::npos);

  CHECK(error_of([] { es::load_model("/nowhere/model.safetensors"); }).find("/nowhere/model") != std::string::npos);
}

TEST_CASE("load_model: a stream costs its state and little more, where the streams of a thread share scratch memory", "[network][memory]") {
  const es::Model model = es::load_model(EIGENSTREAM_SOURCE_DIR "/examples/denoise/denoiser.safetensors");
  const auto scratch = std::make_shared<es::Scratch>();
  const es::Stream stream(model.network.layer, {.scratch = scratch});
  CHECK(stream.state_bytes() == 104356);
  CHECK(2 * stream.memory_bytes() <= 3 * stream.state_bytes());
  CHECK(scratch->bytes() == stream.scratch_bytes());
}
