// Writes a model file without Python, loads it, and looks inside. docs/model-file.md describes the format.
#include <cstdio>
#include <eigenstream.hpp>
#include <eigenstream/io/safetensors.hpp>
#include <eigenstream/network/load_model.hpp>
#include <filesystem>
#include <string>

namespace es = eigenstream;
using es::Index;

void print(const es::Module& module, int depth = 0) {
  const Index channels = module.layer.wanted().channels;
  std::printf("%*s%s \"%s\" takes %s channels\n", 2 * depth, "", module.type.c_str(), module.path.c_str(),
              channels == 0 ? "any number of" : std::to_string(channels).c_str());
  for (const es::Module& child : module.children) print(child, depth + 1);
}

int main() {
  const auto path = std::filesystem::temp_directory_path() / "eigenstream_model_file.safetensors";

  // A convolution that looks back two frames, and a ReLU: the description as JSON, the weights under their names.
  es::Safetensors contents;
  contents.metadata["eigenstream"] = R"({
    "version": 1,
    "metadata": {"sample_rate_hz": "16000"},
    "network": {"type": "Sequential", "path": "", "layers": [
      {"type": "Conv1d", "path": "0", "in_channels": 1, "out_channels": 2, "kernel_size": 3, "padding": [2, 0]},
      {"type": "ReLU", "path": "1"}]}})";
  contents.tensors["0.weight"] = es::Weights<float>({2, 1, 3}, {1, 2, 3, -1, 0, 1});
  contents.tensors["0.bias"] = es::Weights<float>({2}, {0.5f, 0});
  es::write_safetensors(path, contents);

  const es::Model model = es::load_model(path);
  print(model.network);
  auto stream = es::Stream(model.network.layer);
  Eigen::Tensor<float, 2> x(1, 3);
  x.setValues({{1, 2, 3}});
  const Eigen::Tensor<float, 2> y = stream(x, es::final);
  es::check(y(0, 0) == 3.5f && y(0, 1) == 8.5f && y(0, 2) == 14.5f, "channel 0 is wrong");
  es::check(y(1, 0) == 1.0f && y(1, 1) == 2.0f && y(1, 2) == 2.0f, "channel 1 is wrong");
  es::check(model.metadata.at("sample_rate_hz") == "16000", "the metadata is wrong");

  // Loading is strict: a tensor of the wrong shape is named, with both shapes.
  contents.tensors["0.bias"] = es::Weights<float>({3}, {0, 0, 0});
  es::write_safetensors(path, contents);
  std::string message = "none";
  try {
    es::load_model(path);
  } catch (const es::Error& error) {
    message = error.what();
  }
  std::filesystem::remove(path);
  std::printf("refused: %s\n", message.c_str());
  es::check(message.find("\"0.bias\" has shape (3), expected (2)") != std::string::npos, "unexpected message");
}
