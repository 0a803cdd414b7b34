#include "eigenstream/audio/istft.hpp"

#include <cmath>
#include <vector>

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Istft;
using es::IstftOptions;
using es::SpectrumScale;
using es::Stft;
using es::WindowFunction;
using support::error_of;

namespace {

std::vector<double> hann(Index n) { return es::window_values(WindowFunction::hann, n); }
std::vector<double> hamming(Index n) { return es::window_values(WindowFunction::hamming, n); }

}  // namespace

TEMPLATE_TEST_CASE("Istft: any chunking gives the offline output", "[audio][property]", float, double) {
  using T = TestType;
  const auto sizes = GENERATE(table<Index, Index, bool>({{1, 1, false},
                                                         {2, 1, true},
                                                         {5, 2, true},
                                                         {8, 4, true},
                                                         {8, 8, false},
                                                         {12, 3, true},
                                                         {9, 1, true},
                                                         {16, 5, false},
                                                         {40, 10, true}}));
  const auto [n_fft, hop, center] = sizes;
  INFO("n_fft " << n_fft << ", hop " << hop << ", center " << center);
  const Istft<T> istft(n_fft, {.hop_length = hop, .window = hamming(n_fft), .center = center});
  CHECK((istft.n_fft() == n_fft && istft.hop_length() == hop && istft.bins() == n_fft / 2 + 1));
  support::check_contract(istft, 1, {.channels = 2, .width = istft.bins(), .columns = false});
  support::check_contract(istft, 2, {.channels = 6, .light = true, .width = istft.bins(), .columns = false});
  const Istft<T> longer(
      n_fft, {.hop_length = hop, .window = hamming(n_fft), .center = center, .right = center ? n_fft - n_fft / 2 - hop : 0});
  support::check_contract(longer, 1, {.channels = 2, .light = true, .width = istft.bins(), .columns = false});
}

TEMPLATE_TEST_CASE("Istft: behind an Stft of the same options it gives the signal", "[audio]", float, double) {
  using T = TestType;
  const auto sizes =
      GENERATE(table<Index, Index, Index>({{8, 2, 8}, {16, 4, 12}, {31, 7, 31}, {64, 16, 64}, {512, 128, 512}, {320, 160, 320}}));
  const auto [n_fft, hop, length] = sizes;
  const SpectrumScale scale = GENERATE(SpectrumScale::none, SpectrumScale::frame_length, SpectrumScale::window);
  INFO("n_fft " << n_fft << ", hop " << hop << ", window of " << length);
  const auto net = es::sequential(Stft<T>(n_fft, {.hop_length = hop, .window = hann(length), .scale = scale}),
                                  Istft<T>(n_fft, {.hop_length = hop, .window = hann(length), .scale = scale}));
  support::Random random(5);
  const auto x = support::random_tensor<T>(random, 2, 3, 1700);
  const auto y = support::offline(net, x);
  const Index odd = n_fft % 2;  // then there is one sample more than whole hops
  support::Signal<double> expected(2, 3, (1700 - odd) / hop * hop + odd);
  REQUIRE(y.dimension(2) == expected.dimension(2));
  for (Index i = 0; i < expected.size(); ++i) expected.data()[i] = static_cast<double>(x.data()[i]);
  CHECK(support::difference(y, expected) < support::tolerance<T>);
}

TEST_CASE("Istft: with other windows on either side, and all that there is at the end", "[audio]") {
  constexpr Index n_fft = 32, hop = 8;
  // Up to the end of the last hop, which the last window's middle begins.
  const auto net = es::sequential(
      Stft<float>(n_fft, {.hop_length = hop, .window = hamming(n_fft)}),
      Istft<float>(n_fft, {.hop_length = hop, .window = hann(n_fft), .analysis_window = hamming(n_fft), .right = n_fft / 2 - hop}));
  support::Random random(6);
  const auto x = support::random_tensor<float>(random, 1, 1, 100);
  const auto y = support::offline(net, x);
  REQUIRE(y.dimension(2) == 104);
  for (Index t = 0; t < 100; ++t) CHECK(y(0, 0, t) == Approx(x(0, 0, t)).margin(1e-5));
}

TEST_CASE("Istft: what cannot be put together is refused", "[audio][errors]") {
  CHECK_THAT(error_of([] { Istft<float>(0); }), Contains("Istft: n_fft = 0"));
  CHECK_THAT(error_of([] { Istft<float>(8, {.hop_length = 9}); }), Contains("Istft: hop_length = 9 is beyond n_fft = 8"));
  CHECK_THAT(error_of([] { Istft<float>(8, {.hop_length = 5}); }), Contains("leaves out 4 samples at the start and 4 at the end"));
  CHECK_THAT(
      error_of([] { Istft<float>(8, {.hop_length = 2, .window = hann(8), .center = false}); }),
      Contains("Istft: the windows do not add up: where sample 0 of the signal of 1 spectra is, their products sum up to 0"));
  CHECK_THAT(error_of([] { Istft<float>(8, {.hop_length = 4, .window = {1, 1}}); }), Contains("the windows do not add up"));
  const Istft<float> istft(8, {.hop_length = 2, .window = hann(8)});
  CHECK_THAT(error_of([&] { istft.facts({.channels = 2, .width = 4}); }),
             Contains("takes frames of real and imaginary parts and 5 bins, not"));
  CHECK_THAT(error_of([&] { istft.facts({.channels = 3, .width = 5}); }), Contains("takes frames of real and imaginary parts"));
}
