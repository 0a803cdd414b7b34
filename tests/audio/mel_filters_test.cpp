#include "eigenstream/audio/mel_filters.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::MelNorm;
using es::MelScale;

TEST_CASE("mel: there and back, and what is known of the scales", "[audio]") {
  for (const MelScale scale : {MelScale::htk, MelScale::slaney, MelScale::kaldi})
    for (const double hz : {0.0, 20.0, 999.0, 1000.0, 1001.0, 8000.0}) {
      CHECK(es::hz_of_mel(es::mel_of_hz(hz, scale), scale) == Approx(hz).margin(1e-9));
      CHECK(es::mel_of_hz(hz + 1, scale) > es::mel_of_hz(hz, scale));
    }
  CHECK(es::mel_of_hz(1000, MelScale::htk) == Approx(999.9855));
  CHECK(es::mel_of_hz(1000, MelScale::kaldi) == Approx(999.9907));
  CHECK(es::mel_of_hz(1000, MelScale::slaney) == Approx(15));
  CHECK(es::mel_of_hz(6400, MelScale::slaney) == Approx(42));
}

TEST_CASE("mel_weights: triangles that add up to one between the first peak and the last", "[audio]") {
  constexpr Index n_fft = 512, bins = n_fft / 2 + 1;
  for (const MelScale scale : {MelScale::htk, MelScale::slaney, MelScale::kaldi}) {
    const es::MelOptions options{.n_mels = 20, .f_min = 100, .f_max = 7000, .scale = scale};
    const auto weights = es::mel_weights("Test", n_fft, options);
    REQUIRE(static_cast<Index>(weights.size()) == 20 * bins);
    const double step = (es::mel_of_hz(7000, scale) - es::mel_of_hz(100, scale)) / 21;
    const double first = es::hz_of_mel(es::mel_of_hz(100, scale) + step, scale),
                 last = es::hz_of_mel(es::mel_of_hz(7000, scale) - step, scale);
    for (Index k = 0; k < bins; ++k) {
      double sum = 0;
      for (Index m = 0; m < 20; ++m) {
        const double weight = weights[static_cast<std::size_t>(m * bins + k)];
        CHECK((weight >= 0 && weight <= 1));
        sum += weight;
      }
      const double hz = 16000.0 * static_cast<double>(k) / n_fft;
      if (hz > first && hz < last) CHECK(sum == Approx(1));
      if (hz < 100 || hz > 7000) CHECK(sum == 0);
    }
  }
}

TEST_CASE("mel_weights: with slaney's norm each filter has the same area", "[audio]") {
  constexpr Index n_fft = 8192, bins = n_fft / 2 + 1;
  const auto weights = es::mel_weights("Test", n_fft, {.n_mels = 10, .norm = MelNorm::slaney});
  for (Index m = 0; m < 10; ++m) {
    double area = 0;
    for (Index k = 0; k < bins; ++k) area += weights[static_cast<std::size_t>(m * bins + k)] * 16000 / n_fft;
    CHECK(area == Approx(1).epsilon(1e-3));
  }
}

TEST_CASE("mel_weights: impossible options are refused", "[audio][errors]") {
  const auto made = [](es::MelOptions options, Index n_fft = 512) {
    return support::error_of([&] { es::mel_weights("Someone", n_fft, options); });
  };
  CHECK_THAT(made({.n_mels = 0}), Contains("Someone: n_mels = 0"));
  CHECK_THAT(made({.n_mels = 4097}), Contains("Someone: n_mels = 4097"));
  CHECK_THAT(made({.sample_rate = 0}), Contains("Someone: sample_rate = 0"));
  CHECK_THAT(made({.f_min = -1}), Contains("Someone: filters from -1 Hz to 8000 Hz"));
  CHECK_THAT(made({.f_min = 9000}), Contains("Someone: filters from 9000 Hz to 8000 Hz"));
  CHECK_THAT(made({.f_max = 17000}), Contains("to 17000 Hz"));
  CHECK_THAT(made({.n_mels = 4096}, 1 << 20), Contains("more than 2^22 weights"));
}

TEST_CASE("BandMatrix: the product with the whole matrix", "[audio]") {
  constexpr Index rows = 5, columns = 70;
  std::vector<double> matrix(rows * columns);
  std::vector<double> x;
  for (Index k = 0; k < columns; ++k) x.push_back(std::sin(static_cast<double>(k)));
  // One all of whose numbers are zero, one with a single one, others with a run of them.
  const Index from[] = {0, 3, 10, 0, 69}, to[] = {0, 20, 11, 70, 70};
  for (Index r = 0; r < rows; ++r)
    for (Index k = from[r]; k < to[r]; ++k)
      matrix[static_cast<std::size_t>(r * columns + k)] = std::cos(static_cast<double>(r * k)) + 2;
  const es::detail::BandMatrix<double> band(rows, columns, matrix);
  CHECK((band.rows() == rows && band.weights() == 17 + 1 + 70 + 1));
  std::vector<double> y(2 * rows, -7);
  band(x.data(), y.data(), 2, [](double sum) { return 3 * sum; });
  for (std::size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (std::size_t k = 0; k < columns; ++k) sum += matrix[r * columns + k] * x[k];
    CHECK(y[2 * r] == Approx(3 * sum));
    CHECK(y[2 * r + 1] == -7);
  }
}
