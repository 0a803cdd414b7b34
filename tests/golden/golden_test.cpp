// Every layer and option against PyTorch: each file of this folder holds networks with their weights, an input and the
// output that torch computed (make_golden.py wrote them), and each is run whole and in chunks.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include "eigenstream/io/model_file.hpp"
#include "eigenstream/io/safetensors.hpp"
#include "eigenstream/network/load_model.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

// Torch's (B,C,T), row-major, to (C,B,T), column-major.
Eigen::Tensor<float, 3> from_torch(const es::Weights<float>& x) {
  Eigen::Tensor<float, 3> y(x.shape[1], x.shape[0], x.shape[2]);
  for (Index b = 0; b < x.shape[0]; ++b)
    for (Index c = 0; c < x.shape[1]; ++c)
      for (Index t = 0; t < x.shape[2]; ++t) y(c, b, t) = x(b, c, t);
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
  const Eigen::Tensor<float, 3> x = from_torch(weights.at("x")), expected = from_torch(weights.at("y"));
  weights.erase("x");
  weights.erase("y");
  const es::Module network = registry.create(es::parse_module_spec(entry.at("network").dump()), weights);
  es::Stream stream(network.layer, {.channels = x.dimension(0), .batch = x.dimension(1)});

  const Eigen::Tensor<float, 3> whole = stream(x, es::final);
  REQUIRE(whole.dimension(0) == expected.dimension(0));
  REQUIRE(whole.dimension(1) == expected.dimension(1));
  REQUIRE(whole.dimension(2) == expected.dimension(2));
  float worst = 0;
  for (Index i = 0; i < whole.size(); ++i) {
    REQUIRE(std::isfinite(whole.data()[i]));
    // Absolute within [-1,1], relative beyond.
    const float scale = std::max(1.0f, std::abs(expected.data()[i]));
    worst = std::max(worst, std::abs(whole.data()[i] - expected.data()[i]) / scale);
  }
  CHECK(worst <= tolerance);

  for (const Index chunk : {1, 5}) {
    Index at = 0;
    for (Index t = 0; t < x.dimension(2); t += chunk) {
      const Index n = std::min(chunk, x.dimension(2) - t);
      const Eigen::TensorMap<const Eigen::Tensor<float, 3>> part(x.data() + t * x.dimension(0) * x.dimension(1),
                                                                 x.dimension(0), x.dimension(1), n);
      const Eigen::Tensor<float, 3> y = t + n == x.dimension(2) ? stream(part, es::final) : stream(part);
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
