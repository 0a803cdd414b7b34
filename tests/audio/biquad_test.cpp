#include "eigenstream/audio/biquad.hpp"

#include <cmath>
#include <complex>

#include "eigenstream/layer/recursive_filter.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Biquad;
using es::BiquadKind;

namespace {

// How a frequency comes out, in dB.
double response_db(const Biquad& f, double hz, double sample_rate) {
  const std::complex<double> z = std::polar(1.0, -2 * std::numbers::pi * hz / sample_rate);
  return 20 * std::log10(std::abs((f.b0 + f.b1 * z + f.b2 * z * z) / (f.a0 + f.a1 * z + f.a2 * z * z)));
}

}  // namespace

TEST_CASE("biquad: what each kind lets through", "[audio]") {
  constexpr double rate = 48000, hz = 1000, low = 1, high = 23999;
  const double q = std::sqrt(0.5);
  const auto of = [&](BiquadKind kind, double at, double gain = 0) {
    return response_db(es::biquad(kind, rate, hz, q, gain), at, rate);
  };
  CHECK(of(BiquadKind::lowpass, low) == Approx(0).margin(1e-3));
  CHECK(of(BiquadKind::lowpass, hz) == Approx(-3.0103).margin(1e-3));
  CHECK(of(BiquadKind::lowpass, high) < -100);
  CHECK(of(BiquadKind::highpass, high) == Approx(0).margin(1e-3));
  CHECK(of(BiquadKind::highpass, hz) == Approx(-3.0103).margin(1e-3));
  CHECK(of(BiquadKind::highpass, low) < -100);
  CHECK(of(BiquadKind::bandpass, hz) == Approx(0).margin(1e-6));
  CHECK(of(BiquadKind::bandpass_skirt, hz) == Approx(20 * std::log10(q)).margin(1e-6));
  CHECK(of(BiquadKind::bandreject, hz) < -100);
  CHECK(of(BiquadKind::bandreject, low) == Approx(0).margin(1e-3));
  for (const double at : {low, hz, high}) CHECK(of(BiquadKind::allpass, at) == Approx(0).margin(1e-6));
  CHECK(of(BiquadKind::equalizer, hz, 6) == Approx(6).margin(1e-6));
  CHECK(of(BiquadKind::equalizer, low, 6) == Approx(0).margin(1e-3));
  CHECK(of(BiquadKind::bass, low, -4) == Approx(-4).margin(1e-3));
  CHECK(of(BiquadKind::bass, high, -4) == Approx(0).margin(1e-3));
  CHECK(of(BiquadKind::treble, high, 5) == Approx(5).margin(1e-3));
  CHECK(of(BiquadKind::treble, low, 5) == Approx(0).margin(1e-3));
}

TEST_CASE("biquad_cascade: several sections for all channels", "[audio][property]") {
  const es::BiquadCascade cascade =
      es::biquad_cascade({es::biquad(BiquadKind::highpass, 16000, 80), es::biquad(BiquadKind::equalizer, 16000, 1000, 2, 3),
                          es::biquad(BiquadKind::treble, 16000, 5000, 0.7, -6)});
  const es::RecursiveFilter<float> layer(cascade.b, cascade.a);
  CHECK(layer.sections() == 3);
  support::check_contract(layer, 2, {.channels = 2});
}

TEST_CASE("biquad: what is impossible is refused", "[audio][errors]") {
  const auto made = [](double rate, double hz, double q) {
    return support::error_of([=] { static_cast<void>(es::biquad(BiquadKind::lowpass, rate, hz, q)); });
  };
  CHECK_THAT(made(16000, 8000, 1), Contains("biquad: 8000 Hz at a sample rate of 16000 Hz"));
  CHECK_THAT(made(16000, 0, 1), Contains("biquad: 0 Hz"));
  CHECK_THAT(made(16000, 100, 0), Contains("q = 0"));
  CHECK_THAT(support::error_of([] { es::biquad_cascade({}); }), Contains("no sections"));
}
