// Any text as the description of a network, and the rest as its weights: the first two bytes say where it ends.
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t length = std::min<std::size_t>(size - 2, data[0] + 256u * data[1]);
  fuzz::allow_errors([&] {
    fuzz::es::Safetensors file;
    file.metadata["eigenstream"] = std::string(reinterpret_cast<const char*>(data) + 2, length);
    // Weights for a convolution, a linear layer and such by the names "weight" and "bias", of what shapes the bytes say.
    const std::uint8_t* rest = data + 2 + length;
    std::size_t left = size - 2 - length;
    for (const char* name : {"weight", "bias", "0.weight", "0.bias", "1.weight", "1.bias"}) {
      if (left < 3) break;
      fuzz::es::Weights<float> weights;
      fuzz::Index count = 1;
      for (std::size_t axis = 0; axis < rest[0] % 4u; ++axis) {
        weights.shape.push_back(1 + rest[1 + axis % 2] % 7u);
        count *= weights.shape.back();
      }
      weights.values.assign(static_cast<std::size_t>(count), 0.125f);
      file.tensors[name] = std::move(weights);
      rest += 3, left -= 3;
    }
    fuzz::build_and_run(fuzz::es::parse_model(std::move(file), "file: "));
  });
  return 0;
}
