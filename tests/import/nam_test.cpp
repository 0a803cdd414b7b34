#include "eigenstream/import/nam.hpp"

#include <cmath>

#include "eigenstream/network/load_model.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using support::error_of;
using json = es::detail::json;

namespace {

std::vector<float> run(const es::ModelFile& file, const std::vector<float>& x) {
  const es::Model model = es::build_model(file);
  es::Stream<es::AnyLayer<float>> stream(model.network.layer, {.channels = 1});
  std::vector<float> y(x.size());
  stream.process(es::Frames<const float>(x.data(), {.channels = 1}, static_cast<Index>(x.size())),
                 es::Frames<float>(y.data(), {.channels = 1}, static_cast<Index>(x.size())));
  return y;
}
json nam(const char* architecture, json config, const std::vector<float>& weights) {
  return {{"version", "0.5.4"}, {"architecture", architecture}, {"config", std::move(config)}, {"weights", weights}, {"sample_rate", 44100}};
}
std::vector<float> numbers(std::size_t n, std::uint64_t seed = 1) {
  support::Random random(seed);
  return support::random_values<float>(static_cast<Index>(n), random);
}
double largest_difference(const std::vector<float>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double{a[i]} - b[i]));
  return most;
}
std::string nam_error(const json& file, const es::ImportOptions& options = {}) {
  return error_of([&] { es::import_nam(file.dump(), options, "file: "); });
}

}  // namespace

TEST_CASE("nam: Linear is a filter, the newest sample's weight first", "[import]") {
  const json file = nam("Linear", {{"receptive_field", 3}, {"bias", true}}, {4, 2, 1, 0.5});
  const std::vector<float> y = run(es::import_nam(file.dump()), {1, 0, 0, 0, 8});
  CHECK(y == std::vector<float>{4.5, 2.5, 1.5, 0.5, 32.5});
}

TEST_CASE("nam: LSTM begins with its own state and half a second of silence", "[import]") {
  constexpr Index hidden = 2, rows = 8;
  std::vector<float> weights = numbers(rows * 3 + rows + 4 + 2 + 1);
  const json file = nam("LSTM", {{"input_size", 1}, {"hidden_size", 2}, {"num_layers", 1}}, weights);
  const std::vector<float> x = numbers(40, 2);
  const std::vector<float> y = run(es::import_nam(file.dump()), x);

  double h[hidden], c[hidden];
  const auto w = [&](Index i) { return double{weights[static_cast<std::size_t>(i)]}; };
  for (Index k = 0; k < hidden; ++k) h[k] = w(rows * 4 + k), c[k] = w(rows * 4 + hidden + k);
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  std::vector<double> expected;
  for (Index t = -22050; t < 40; ++t) {
    double a[rows];
    const double in = t < 0 ? 0 : double{x[static_cast<std::size_t>(t)]};
    for (Index r = 0; r < rows; ++r) a[r] = w(rows * 3 + r) + w(r * 3) * in + w(r * 3 + 1) * h[0] + w(r * 3 + 2) * h[1];
    for (Index k = 0; k < hidden; ++k) {
      c[k] = sigmoid(a[hidden + k]) * c[k] + sigmoid(a[k]) * std::tanh(a[2 * hidden + k]);
      h[k] = sigmoid(a[3 * hidden + k]) * std::tanh(c[k]);
    }
    if (t >= 0) expected.push_back(w(rows * 4 + 4) * h[0] + w(rows * 4 + 5) * h[1] + w(rows * 4 + 6));
  }
  CHECK(largest_difference(y, expected) < 2e-6);
}

TEST_CASE("nam: what it says of itself is kept", "[import]") {
  json file = nam("Linear", {{"receptive_field", 1}, {"bias", false}}, {1});
  file["metadata"] = {{"loudness", -18.5}, {"name", "Amp"}, {"gain", nullptr}, {"training", {{"validation_esr", 0.01}, {"checks", {{"passed", true}}}}}};
  file["notes"] = {"anything"};
  const auto metadata = es::import_nam(file.dump()).metadata;
  CHECK(metadata.at("loudness") == "-18.5");
  CHECK(metadata.at("name") == "Amp");
  CHECK(metadata.at("training.validation_esr") == "0.01");
  CHECK(metadata.at("training.checks.passed") == "true");
  CHECK(metadata.at("sample_rate_hz") == "44100");
  CHECK(metadata.at("imported_from") == ".nam 0.5.4, Linear");
  CHECK_FALSE(metadata.contains("gain"));
}

TEST_CASE("nam: a container has a network for each quality", "[import]") {
  const auto part = [](double most, float weight) {
    return json{{"max_value", most}, {"model", nam("Linear", {{"receptive_field", 1}, {"bias", false}}, {weight})}};
  };
  json file = nam("SlimmableContainer", {{"submodels", {part(0.5, 1), part(0.75, 2), part(1, 3)}}}, {});
  const auto chosen = [&](std::optional<double> quality) { return run(es::import_nam(file.dump(), {.quality = quality}), {1}).front(); };
  CHECK(chosen({}) == 3);
  CHECK(chosen(0.0) == 1);
  CHECK(chosen(0.49) == 1);
  CHECK(chosen(0.5) == 2);
  CHECK(chosen(0.75) == 3);
  CHECK(chosen(1.0) == 3);
  CHECK_THAT(nam_error(file, {.quality = 1.5}), Contains("quality = 1.5, must be from 0 to 1"));
  file["config"]["submodels"][1]["max_value"] = 0.5;
  CHECK_THAT(nam_error(file), Contains("config.submodels: max_value does not rise up to 1"));
  file["config"]["submodels"] = json::array();
  CHECK_THAT(nam_error(file), Contains("config.submodels: is empty"));
}
