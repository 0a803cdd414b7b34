#ifndef EIGENSTREAM_TESTS_SUPPORT_IMPORTED_HPP
#define EIGENSTREAM_TESTS_SUPPORT_IMPORTED_HPP

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eigenstream/io/model_file.hpp"
#include "eigenstream/network/load_model.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"

namespace support {

namespace es = eigenstream;
using es::Index;

/// What a network gives for a signal, frames one behind the other; `block` frames a call, or all in one.
inline std::vector<float> run(const es::Module& network, const std::vector<float>& x, Index block = 0) {
  es::Stream<es::AnyLayer<float>> stream(network.layer);
  const es::FrameShape in = stream.in_shape(), out = stream.out_shape();
  const Index frames = static_cast<Index>(x.size()) / in.size();
  std::vector<float> y(static_cast<std::size_t>(frames * out.size()));
  const es::Frames<const float> from(x.data(), in, frames);
  const es::Frames<float> to(y.data(), out, frames);
  for (Index at = 0, n = block > 0 ? block : frames; at < frames; at += n) {
    n = std::min(n, frames - at);
    stream.process(es::Frames<const float>(from.frame(at), in, n), es::Frames<float>(to.frame(at), out, n));
  }
  return y;
}
inline std::vector<float> run(const es::ModelFile& file, const std::vector<float>& x) { return run(es::build_model(file).network, x); }

inline double largest_difference(const std::vector<float>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i])) return 1e300;
    most = std::max(most, std::abs(double{a[i]} - b[i]));
  }
  return most;
}

/// The cases of a file in tests/import/golden, which its script makes.
inline nlohmann::json golden_cases(const std::string& name) {
  std::ifstream file(std::string(EIGENSTREAM_SOURCE_DIR) + "/tests/import/golden/" + name);
  nlohmann::json all = nlohmann::json::parse(file);
  REQUIRE(!all.empty());
  return all;
}
/// An imported file gives the output of its case, in any blocks, and is the same after it was written and read as a model file.
inline void check_golden(const es::ModelFile& file, const nlohmann::json& golden) {
  const std::vector<float> x = golden["x"].get<std::vector<float>>();
  const es::Module network = es::build_model(file).network;
  const std::vector<float> y = run(network, x);
  CHECK(largest_difference(y, golden["y"].get<std::vector<double>>()) < 2e-6);
  const auto same = [&](const std::vector<float>& other) {
    return other.size() == y.size() && std::memcmp(other.data(), y.data(), y.size() * sizeof(float)) == 0;
  };
  for (const Index block : {1, 3, 7}) CHECK(same(run(network, x, block)));
  const es::ModelFile again = es::parse_model(es::parse_safetensors(es::serialise_safetensors(es::make_model(file))));
  CHECK(same(run(again, x)));
  CHECK(again.metadata == file.metadata);
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_IMPORTED_HPP
