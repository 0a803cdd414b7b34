#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "eigenstream/import/onnx.hpp"
#include "eigenstream/io/safetensors.hpp"
#include "eigenstream/network/builtin_registry.hpp"
#include "eigenstream/stream/stream.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using support::error_of;

namespace {

const std::string onnx_folder = std::string(EIGENSTREAM_SOURCE_DIR) + "/tests/import/";

std::vector<std::byte> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto* const first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

es::AnyLayer<float> network_of(const es::ModelFile& model) {
  return es::builtin_registry().create(model.network, model.weights).layer;
}

// x and y: (frames, numbers of a frame). The greatest difference of y to what the network gives in calls of `chunk`
// frames.
double difference(const es::AnyLayer<float>& network, const es::Weights<float>& x, const es::Weights<float>& y,
                  Index chunk) {
  es::FrameShape in = network.wanted();
  in = {in.channels, std::max<Index>(in.width, 1), std::max<Index>(in.height, 1), 1};
  const es::FrameShape out = network.facts(in).out;
  REQUIRE(in.size() == x.shape[1]);
  REQUIRE(out.size() == y.shape[1]);
  es::Stream stream(network);
  const Index frames = x.shape[0];
  std::vector<float> given(
      static_cast<std::size_t>((y.shape[0] + stream.max_outputs(chunk) + stream.max_flush()) * out.size()));
  Index count = 0;
  const auto room = [&] {
    return es::Frames<float>(given.data() + count * out.size(), out,
                             static_cast<Index>(given.size()) / out.size() - count);
  };
  for (Index at = 0; at < frames; at += chunk)
    count += stream.process(es::Frames<const float>(x.values.data() + at * in.size(), in, std::min(chunk, frames - at)),
                            room());
  count += stream.flush(room());
  REQUIRE(count == y.shape[0]);
  double greatest = 0;
  for (std::size_t k = 0; k < y.values.size(); ++k) {
    REQUIRE(std::isfinite(given[k]));
    greatest = std::max(greatest, std::fabs(static_cast<double>(given[k]) - static_cast<double>(y.values[k])));
  }
  return greatest;
}

es::OnnxOptions options_of(const std::string& name) {
  if (name == "Windows") return {.hop = 16};
  if (name == "WindowsOfFrames") return {.hop = 2, .time_axis = 1};
  if (name == "Tcn" || name == "Strided") return {.time_axis = 2};
  if (name == "WholeRecurrent") return {.time_axis = 1};
  if (name == "Overlapping") return {.hop = 4, .time_axis = 1};
  return {};
}

}  // namespace

// make_onnx.py wrote the files, with what torch gives.
TEST_CASE("import_onnx: networks of one call give what torch gives, in calls of any length", "[import][onnx]") {
  const es::WeightMap signals = es::read_safetensors(onnx_folder + "onnx.safetensors").tensors;
  Index networks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(onnx_folder + "onnx")) {
    if (entry.path().extension() != ".onnx") continue;
    const std::string name = entry.path().stem().string();
    INFO(name);
    const es::ModelFile model = es::import_onnx(bytes_of(entry.path().string()), options_of(name));
    const es::AnyLayer<float> network = network_of(model);
    for (const Index chunk : {1, 3, 100})
      CHECK(difference(network, signals.at(name + ".x"), signals.at(name + ".y"), chunk) < 2e-5);
    // And what is written to a model file is the same network.
    CHECK(network_of(es::parse_model(es::make_model(model))).fingerprint() == network.fingerprint());
    ++networks;
  }
  CHECK(networks == static_cast<Index>(signals.size()) / 2);
}

TEST_CASE("import_onnx: what windows have in common is worked out once", "[import][onnx]") {
  const es::WeightMap signals = es::read_safetensors(onnx_folder + "onnx.safetensors").tensors;
  for (const std::string name : {"WindowsOfFrames", "Overlapping"}) {
    INFO(name);
    es::OnnxOptions options = options_of(name);
    const std::vector<std::byte> bytes = bytes_of(onnx_folder + "onnx/" + name + ".onnx");
    const es::AnyLayer<float> windows = network_of(es::import_onnx(bytes, options));
    options.stream = true;
    const es::AnyLayer<float> stream = network_of(es::import_onnx(bytes, options));
    for (const Index chunk : {1, 3, 100})
      CHECK(difference(stream, signals.at(name + ".x"), signals.at(name + ".y"), chunk) < 2e-5);
    CHECK(stream.facts({stream.wanted().channels}).macs < 0.7 * windows.facts({windows.wanted().channels}).macs);
  }
  const std::vector<std::byte> bytes = bytes_of(onnx_folder + "onnx/Overlapping.onnx");
  CHECK(error_of([&] { static_cast<void>(es::import_onnx(bytes, {.stream = true, .time_axis = 1})); }).find("--hop") !=
        std::string::npos);
  CHECK(error_of([&] {
          static_cast<void>(es::import_onnx(bytes, {.hop = 3, .stream = true, .time_axis = 1}));
        }).find("comes every 2 frames, but windows begin every 3") != std::string::npos);
}

TEST_CASE("import_onnx: what is made obeys the law", "[import][onnx]") {
  for (const std::string name : {"CachedConv", "Recurrent", "WrittenCell", "Windows", "Tcn", "Strided"}) {
    INFO(name);
    support::check_contract(
        network_of(es::import_onnx(bytes_of(onnx_folder + "onnx/" + name + ".onnx"), options_of(name))), 1,
        {.exact = false, .light = true, .name = name});
  }
}

TEST_CASE("import_onnx: a file that is cut off anywhere, or changed, is an error or another network",
          "[import][onnx]") {
  const std::vector<std::byte> whole = bytes_of(onnx_folder + "onnx/CachedConv.onnx");
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_THROWS_AS(es::import_onnx(std::span(whole).first(size), {}, "it: "), es::Error);
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const unsigned change : {0x01U, 0x80U, 0xffU}) {
      std::vector<std::byte> changed = whole;
      changed[at] ^= static_cast<std::byte>(change);
      const std::string error = error_of([&] { static_cast<void>(es::import_onnx(changed, {}, "it: ")); });
      CHECK((error.empty() || error.starts_with("it: ")));
    }
}

TEST_CASE("import_onnx: says what it cannot read, and what has to be said", "[import][onnx]") {
  const std::vector<std::byte> cached = bytes_of(onnx_folder + "onnx/CachedConv.onnx"),
                               windows = bytes_of(onnx_folder + "onnx/Windows.onnx");
  CHECK(error_of([&] {
          static_cast<void>(es::import_onnx(cached, {.states = {{"state0", "elsewhere"}}}, "a.onnx: "));
        }) == "a.onnx: there is no output \"elsewhere\" for the state \"state0\"");
  CHECK(error_of([&] {
          static_cast<void>(es::import_onnx(cached, {.states = {{"state0", "y"}}}));
        }).find("differ in shape") != std::string::npos);
  CHECK(error_of([&] {
          static_cast<void>(es::import_onnx(cached, {.constants = {{"sr", 1}}}));
        }) == "there is no input \"sr\" to set to 1");
  CHECK(error_of([&] {
          static_cast<void>(es::import_onnx(windows, {.hop = 41}));
        }).find("windows of 40 frames, one every 41") != std::string::npos);
  CHECK(error_of([&] {
          static_cast<void>(es::import_onnx(windows, {.hop = 16, .channels_axis = 0}));
        }).find("the channels are the axis beside the time, not 0") != std::string::npos);
  CHECK(error_of([&] { static_cast<void>(es::import_onnx({}, {}, "a.onnx: ")); }) ==
        "a.onnx: is no ONNX file: it has no graph");
}

TEST_CASE("import_onnx: of whole signals, what is not the same for every frame is refused", "[import][onnx]") {
  const auto error = [](const std::string& name, const es::OnnxOptions& options) {
    return error_of(
        [&] { static_cast<void>(es::import_onnx(bytes_of(onnx_folder + "onnx/" + name + ".onnx"), options, "it: ")); });
  };
  for (const std::string name : {"MeanOverTime", "ReflectedEnds"})
    CHECK(error("refused/" + name, {.time_axis = 2}).find("is not the same for every frame") != std::string::npos);
  CHECK(error("CachedConv", {.time_axis = 2}).find("does not leave its axis 2 open") != std::string::npos);
  CHECK(error("Tcn", {.time_axis = 7}).find("does not leave its axis 7 open") != std::string::npos);
  CHECK(error("Tcn", {}).find("leaves its axis 2 open (\"T\")") != std::string::npos);
}

// Trained by others: their files lie beside the project where it is developed, and nowhere else.
TEST_CASE("import_onnx: Silero, DTLN and GTCRN give what their runtime gave", "[import][onnx]") {
  const std::string models = std::string(EIGENSTREAM_SOURCE_DIR) + "/../shared/models/";
  if (!std::filesystem::exists(models)) {
    WARN("skipped: there is no " << models);
    return;
  }
  const auto read = [&](const std::string& name) { return network_of(es::import_onnx(bytes_of(models + name))); };
  const auto reference = [&](const std::string& name) {
    return es::read_safetensors(models + "reference/" + name + ".safetensors").tensors;
  };
  // (rows, columns) to (columns, rows).
  const auto turned = [](const es::Weights<float>& x) {
    es::Weights<float> y({x.shape[1], x.shape[0]}, std::vector<float>(x.values.size()));
    for (Index r = 0; r < x.shape[0]; ++r)
      for (Index c = 0; c < x.shape[1]; ++c) y.values[static_cast<std::size_t>(c * x.shape[0] + r)] = x(r, c);
    return y;
  };
  SECTION("Silero") {
    const es::WeightMap r = reference("silero_v6");
    const es::AnyLayer<float> network = read("silero/silero_vad_op18_ifless.onnx");
    for (const Index chunk : {100, 512, 5000})
      CHECK(difference(network, turned(r.at("x")), turned(r.at("y")), chunk) < 5e-5);
  }
  SECTION("DTLN") {
    // Windows of 512 samples, every 128, the first with 384 zeros: magnitudes, mask, back, the second network, added.
    const es::WeightMap r = reference("dtln");
    const es::Weights<float>&x = r.at("x"), &mask = r.at("mask"), &y = r.at("y");
    const es::AnyLayer<float> masks = read("dtln/model_1.onnx"), cleans = read("dtln/model_2.onnx");
    constexpr Index size = 512, hop = 128, bins = 257;
    const Index windows = x.size() / hop;
    std::vector<double> re(static_cast<std::size_t>(windows * bins)), im(re.size());
    std::vector<float> magnitudes(re.size()), masked(re.size());
    const auto angle = [](Index k, Index n) {
      return 2 * 3.14159265358979323846 * static_cast<double>(k * n % size) / size;
    };
    for (Index w = 0, at = 0; w < windows; ++w)
      for (Index k = 0; k < bins; ++k, ++at) {
        double real = 0, imaginary = 0;
        for (Index n = std::max<Index>(0, size - hop - w * hop); n < size; ++n) {
          const double value = static_cast<double>(x(w * hop + n - (size - hop)));
          real += value * std::cos(angle(k, n)), imaginary -= value * std::sin(angle(k, n));
        }
        const auto place = static_cast<std::size_t>(at);
        re[place] = real, im[place] = imaginary, magnitudes[place] = static_cast<float>(std::hypot(real, imaginary));
      }
    es::Stream first(masks), second(cleans);
    first.process(es::Frames<const float>(magnitudes.data(), {bins}, windows),
                  es::Frames<float>(masked.data(), {bins}, windows));
    double apart = 0;
    for (Index w = 0; w < windows; ++w)
      for (Index k = 0; k < bins; ++k)
        apart = std::max(apart, std::fabs(static_cast<double>(masked[static_cast<std::size_t>(w * bins + k)]) -
                                          static_cast<double>(mask(k, w))));
    CHECK(apart < 2e-5);
    std::vector<float> samples(static_cast<std::size_t>(windows * size)), cleaned(samples.size());
    for (Index w = 0; w < windows; ++w)
      for (Index n = 0; n < size; ++n) {
        double sum = 0;
        for (Index k = 0; k < bins; ++k) {
          const auto at = static_cast<std::size_t>(w * bins + k);
          const double both = (k == 0 || k == bins - 1 ? 1.0 : 2.0) * static_cast<double>(masked[at]) / size;
          sum += both * (re[at] * std::cos(angle(k, n)) - im[at] * std::sin(angle(k, n)));
        }
        samples[static_cast<std::size_t>(w * size + n)] = static_cast<float>(sum);
      }
    second.process(es::Frames<const float>(samples.data(), {size}, windows),
                   es::Frames<float>(cleaned.data(), {size}, windows));
    std::vector<double> added(static_cast<std::size_t>(x.size() + size), 0.0);
    for (Index w = 0; w < windows; ++w)
      for (Index n = 0; n < size; ++n)
        added[static_cast<std::size_t>(w * hop + n)] +=
            static_cast<double>(cleaned[static_cast<std::size_t>(w * size + n)]);
    apart = 0;
    for (Index k = 0; k < y.size(); ++k)
      apart = std::max(apart, std::fabs(added[static_cast<std::size_t>(k)] - static_cast<double>(y(k))));
    CHECK(apart < 2e-6);
  }
  SECTION("GTCRN") {
    const es::WeightMap r = reference("gtcrn");
    const auto frames = [](const es::Weights<float>& x) {  // (2, bins, frames) to frames of 2 channels
      es::Weights<float> y({x.shape[2], 2 * x.shape[1]}, std::vector<float>(x.values.size()));
      for (Index c = 0; c < 2; ++c)
        for (Index f = 0; f < x.shape[1]; ++f)
          for (Index t = 0; t < x.shape[2]; ++t)
            y.values[static_cast<std::size_t>((t * x.shape[1] + f) * 2 + c)] = x(c, f, t);
      return y;
    };
    const es::AnyLayer<float> network = read("gtcrn/gtcrn_simple.onnx");
    for (const Index chunk : {1, 8})
      CHECK(difference(network, frames(r.at("spec_in")), frames(r.at("spec_out")), chunk) < 1e-4);
  }
}
