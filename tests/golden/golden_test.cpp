// Every layer and option against PyTorch: each file of this folder holds networks with their weights, an input and the
// output that torch computed (make_golden.py wrote them), and each is run whole and in chunks.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "eigenstream/io/model_file.hpp"
#include "eigenstream/io/safetensors.hpp"
#include "eigenstream/network/load_model.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

struct Signal {
  es::FrameShape shape;
  Index count = 0;
  std::vector<float> values;
  es::Frames<const float> frames() const { return {values.data(), shape, count}; }
};

// Torch's (B,C,T), (B,C,T,W) or (B,C,T,H,W), row-major, to frames.
Signal from_torch(const es::Weights<float>& x) {
  const std::vector<Index>& axes = x.shape;
  REQUIRE((axes.size() >= 3 && axes.size() <= 5));
  const Index width = axes.size() > 3 ? axes.back() : 1, height = axes.size() > 4 ? axes[3] : 1;
  Signal y{{axes[1], width, height, axes[0]}, axes[2], std::vector<float>(x.values.size())};
  Index at = 0;
  for (Index b = 0; b < axes[0]; ++b)
    for (Index c = 0; c < axes[1]; ++c)
      for (Index t = 0; t < axes[2]; ++t)
        for (Index h = 0; h < height; ++h)
          for (Index w = 0; w < width; ++w)
            y.values[static_cast<std::size_t>((((t * axes[0] + b) * height + h) * width + w) * axes[1] + c)] = x(at++);
  return y;
}

es::WeightMap with_prefix(const es::WeightMap& all, const std::string& prefix) {
  es::WeightMap own;
  for (const auto& [name, values] : all)
    if (name.starts_with(prefix)) own[name.substr(prefix.size())] = values;
  return own;
}

void check_case(const es::Registry& registry, const nlohmann::json& entry, const es::WeightMap& tensors,
                float tolerance) {
  const std::string name = entry.at("name");
  INFO("case " << name);
  es::WeightMap weights = with_prefix(tensors, name + "/");
  const Signal x = from_torch(weights.at("x")), expected = from_torch(weights.at("y"));
  weights.erase("x");
  weights.erase("y");
  const es::Module network = registry.create(es::parse_module_spec(entry.at("network").dump()), weights);
  es::Stream stream(network.layer, {.channels = x.shape.channels, .batch = x.shape.batch});
  REQUIRE(stream.in_shape() == x.shape);
  REQUIRE(same_layout(stream.out_shape(), expected.shape));

  const auto whole = stream(x.frames(), es::final);
  REQUIRE(whole.size() == expected.shape.size() * expected.count);
  float worst = 0;
  for (Index i = 0; i < whole.size(); ++i) {
    REQUIRE(std::isfinite(whole.data()[i]));
    // Absolute within [-1,1], relative beyond.
    const float wanted = expected.values[static_cast<std::size_t>(i)], scale = std::max(1.0f, std::abs(wanted));
    worst = std::max(worst, std::abs(whole.data()[i] - wanted) / scale);
  }
  CHECK(worst <= tolerance);

  for (const Index chunk : {1, 5}) {
    Index at = 0;
    for (Index t = 0; t < x.count; t += chunk) {
      const Index n = std::min(chunk, x.count - t);
      const es::Frames<const float> part = x.frames().slice(t, n);
      const auto y = t + n == x.count ? stream(part, es::final) : stream(part);
      REQUIRE(at + y.size() <= whole.size());
      if (y.size() > 0)  // an empty tensor has no memory to compare
        CHECK(std::memcmp(y.data(), whole.data() + at, sizeof(float) * static_cast<std::size_t>(y.size())) == 0);
      at += y.size();
    }
    CHECK(at == whole.size());
  }
}

}  // namespace

TEST_CASE("Every layer and option gives what PyTorch gives", "[golden]") {
  const es::Registry registry = es::builtin_registry();
  int files = 0, cases = 0;
  for (const auto& file : std::filesystem::directory_iterator(EIGENSTREAM_SOURCE_DIR "/tests/golden")) {
    if (file.path().extension() != ".safetensors") continue;
    INFO("file " << file.path().filename().string());
    const es::Safetensors golden = es::read_safetensors(file.path());
    // Those that only move numbers, or add them in the same order, give the same ones.
    const std::string kind = file.path().stem().string();
    const float tolerance = kind == "Snapshotter" || kind == "OnlineAverager" ? 0.0f : 1e-5f;
    for (const auto& entry : nlohmann::json::parse(golden.metadata.at("cases"))) {
      check_case(registry, entry, golden.tensors, tolerance);
      ++cases;
    }
    ++files;
  }
  CHECK(files >= 53);
  CHECK(cases >= 640);
}
