#include "eigenstream/audio/spectrogram.hpp"

#include <vector>

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using es::Spectrogram;
using es::SpectrumPower;

TEMPLATE_TEST_CASE("Spectrogram: any chunking gives the offline output", "[audio][property]", float, double) {
  const SpectrumPower power = GENERATE(SpectrumPower::magnitude, SpectrumPower::power);
  const bool center = GENERATE(true, false);
  const auto sizes = GENERATE(table<Index, Index>({{1, 1}, {8, 3}, {24, 24}, {40, 10}}));
  const auto [n_fft, hop] = sizes;
  const Spectrogram<TestType> layer(
      n_fft, {.hop_length = hop, .window = es::window_values(es::WindowFunction::hamming, n_fft), .center = center}, power);
  support::check_contract(layer, 1, {.channels = 1, .exact = false, .columns = false});
  support::check_contract(layer, 2, {.channels = 3, .exact = false, .light = true, .columns = false});
}

TEST_CASE("Spectrogram: what an Stft gives, without its phase", "[audio]") {
  const es::StftOptions options{.hop_length = 7, .window = es::window_values(es::WindowFunction::hann, 20)};
  support::Random random(4);
  const auto x = support::random_tensor<float>(random, 2, 3, 90);
  const es::Stft<float> stft(20, options);
  for (const SpectrumPower power : {SpectrumPower::magnitude, SpectrumPower::power}) {
    es::Stream one(stft, {.channels = 2, .batch = 3});
    es::Stream other(Spectrogram<float>(20, options, power), {.channels = 2, .batch = 3});
    std::vector<float> spectra(static_cast<std::size_t>(20 * one.out_shape().size())), y(spectra.size() / 2);
    const Index n = one.process(es::Frames<const float>(x), es::Frames<float>(spectra.data(), one.out_shape(), 20), es::final);
    REQUIRE(other.process(es::Frames<const float>(x), es::Frames<float>(y.data(), other.out_shape(), 20), es::final) == n);
    REQUIRE(n == 13);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n * other.out_shape().size()); ++i) {
      const float square = spectra[2 * i] * spectra[2 * i] + spectra[2 * i + 1] * spectra[2 * i + 1];
      CHECK(y[i] == Approx(power == SpectrumPower::power ? square : std::sqrt(square)).epsilon(1e-6));
    }
  }
}

TEST_CASE("Spectrogram: impossible options are refused by its name", "[audio][errors]") {
  using Catch::Matchers::Contains;
  CHECK_THAT(support::error_of([] { Spectrogram<float>(0); }), Contains("Spectrogram: n_fft = 0"));
  CHECK_THAT(support::error_of([] { Spectrogram<float>(8, {}, static_cast<SpectrumPower>(3)); }),
             Contains("Spectrogram: power = 3, must be 1 or 2"));
  CHECK_THAT(support::error_of([] { Spectrogram<float>(8).facts({.channels = 1, .width = 2}); }),
             Contains("Spectrogram: takes a plain signal"));
}
