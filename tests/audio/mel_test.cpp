#include "eigenstream/audio/mel.hpp"

#include <vector>

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::MelSpectrogram;
using es::Mfcc;
using support::error_of;

namespace {

es::StftOptions framing(Index n_fft, Index hop, bool center = true) {
  return {.hop_length = hop, .window = es::window_values(es::WindowFunction::hann, n_fft), .center = center};
}

// All that a layer makes of a signal of one channel.
template <class L>
std::vector<double> features(const L& layer, const std::vector<double>& x) {
  es::Stream stream(layer, {.channels = 1});
  const Index n = static_cast<Index>(x.size()), room = stream.max_outputs(n) + stream.max_flush();
  std::vector<double> y(static_cast<std::size_t>(room * stream.out_shape().size()));
  const Index frames = stream.process(es::Frames<const double>(x.data(), es::FrameShape{}, n),
                                      es::Frames<double>(y.data(), stream.out_shape(), room), es::final);
  y.resize(static_cast<std::size_t>(frames * stream.out_shape().size()));
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("MelSpectrogram, Mfcc: any chunking gives the offline output", "[audio][property]", float, double) {
  const bool center = GENERATE(true, false);
  const es::MelOptions mel{.n_mels = 6, .sample_rate = 1000, .f_min = 10};
  for (const auto power : {es::SpectrumPower::magnitude, es::SpectrumPower::power}) {
    const MelSpectrogram<TestType> layer(40, framing(40, 16, center), mel, power);
    support::check_contract(layer, 1, {.channels = 1, .exact = false, .columns = false});
    support::check_contract(layer, 2, {.channels = 2, .exact = false, .light = true, .columns = false});
  }
  for (const bool log_mels : {false, true}) {
    const Mfcc<TestType> layer(40, framing(40, 16, center), mel, {.n_mfcc = 5, .log_mels = log_mels});
    // A maximum lets no NaN through.
    support::check_contract(layer, 1, {.channels = 1, .exact = false, .carries = log_mels, .columns = false});
    support::check_contract(layer, 3, {.channels = 2, .exact = false, .carries = log_mels, .light = true, .columns = false});
  }
}

TEST_CASE("Mfcc: the cosine transform of the mel spectrum's logarithms", "[audio]") {
  constexpr Index n_mels = 12, n_mfcc = 7;
  const es::MelOptions mel{.n_mels = n_mels};
  std::vector<double> x;
  for (int t = 0; t < 900; ++t) x.push_back(std::sin(0.05 * t) + 0.3 * std::sin(0.9 * t * t / 900));
  const auto spectra = features(MelSpectrogram<double>(256, framing(256, 100), mel), x);
  for (const bool ortho : {true, false})
    for (const bool log_mels : {true, false}) {
      const auto y =
          features(Mfcc<double>(256, framing(256, 100), mel, {.n_mfcc = n_mfcc, .ortho = ortho, .log_mels = log_mels}), x);
      REQUIRE(y.size() * n_mels == spectra.size() * n_mfcc);
      for (std::size_t j = 0; j < y.size() / n_mfcc; ++j)
        for (std::size_t i = 0; i < n_mfcc; ++i) {
          double sum = 0;
          for (std::size_t m = 0; m < n_mels; ++m) {
            const double value = spectra[j * n_mels + m];
            sum += 2 * std::cos(std::numbers::pi / n_mels * (static_cast<double>(m) + 0.5) * static_cast<double>(i)) *
                   (log_mels ? std::log(value + 1e-6) : 10 * std::log10(std::max(value, 1e-10)));
          }
          if (ortho) sum *= std::sqrt((i == 0 ? 0.25 : 0.5) / n_mels);
          CHECK(y[j * n_mfcc + i] == Approx(sum).margin(1e-9));
        }
    }
}

TEST_CASE("MelSpectrogram, Mfcc: impossible options are refused by name", "[audio][errors]") {
  CHECK_THAT(error_of([] { MelSpectrogram<float>(0, {}); }), Contains("MelSpectrogram: n_fft = 0"));
  CHECK_THAT(error_of([] { MelSpectrogram<float>(8, {}, {.n_mels = 0}); }), Contains("MelSpectrogram: n_mels = 0"));
  CHECK_THAT(error_of([] { MelSpectrogram<float>(8, {}, {}, static_cast<es::SpectrumPower>(0)); }),
             Contains("MelSpectrogram: power = 0"));
  CHECK_THAT(error_of([] { Mfcc<float>(8, {}, {.n_mels = 5}, {.n_mfcc = 6}); }),
             Contains("Mfcc: n_mfcc = 6, must be from 1 to n_mels = 5"));
  CHECK_THAT(error_of([] { Mfcc<float>(8, {}).facts({.channels = 1, .width = 2}); }), Contains("Mfcc: takes a plain signal"));
}
