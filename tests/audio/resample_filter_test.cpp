#include "eigenstream/audio/resample_filter.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using es::ResampleMethod;
using es::ResampleOptions;
using es::ResampleQuality;

namespace {

ResampleOptions hann(Index width) { return {.method = ResampleMethod::hann, .lowpass_filter_width = width, .rolloff = 0.99}; }
ResampleOptions kaiser(Index width) { return {.method = ResampleMethod::kaiser, .lowpass_filter_width = width, .rolloff = 0.99}; }

}  // namespace

TEST_CASE("ResampleFilter: worked taps", "[audio]") {
  const auto check = [](const ResampleOptions& options, std::initializer_list<double> taps) {
    const es::ResampleFilter kernel(2, 1, options);
    CHECK(kernel.padding() == 5);
    Index d = 0;
    for (const double tap : taps) {
      CHECK(std::abs(kernel(d) - tap) < 1e-6);
      CHECK(kernel(d) == kernel(-d));
      ++d;
    }
    CHECK(kernel(5) == 0);
    CHECK(kernel(static_cast<Index>(kernel.reach())) != 0);
    CHECK(kernel(static_cast<Index>(kernel.reach()) + 1) == 0);
  };
  check(hann(2), {0.495, 0.272541, 0.002539, -0.016414, -1e-6});
  check(kaiser(2), {0.495, 0.204278, 0.000775, -0.000992});
  for (const double x : {0.0, 0.1, 1.0, 5.0, 14.769656459379492, 30.0, 300.0})
    CHECK(std::abs(es::ResampleFilter::bessel_i0(x) / std::cyl_bessel_i(0.0, x) - 1) < 1e-13);
}

TEST_CASE("resample_method, resample_quality: names", "[audio]") {
  for (const char* name : {"hann", "sinc_interp_hann", "sinc_interpolation"})
    CHECK(es::resample_method(name) == ResampleMethod::hann);
  for (const char* name : {"kaiser", "sinc_interp_kaiser", "kaiser_window"})
    CHECK(es::resample_method(name) == ResampleMethod::kaiser);
  CHECK(es::resample_method(es::name_of(ResampleMethod::kaiser)) == ResampleMethod::kaiser);
  for (const ResampleQuality quality : {ResampleQuality::standard, ResampleQuality::low, ResampleQuality::medium,
                                        ResampleQuality::high, ResampleQuality::very_high})
    CHECK(es::resample_quality(es::name_of(quality)) == quality);
  CHECK(support::refuses([] { es::resample_method("cubic"); }, {"method", "\"cubic\"", "sinc_interp_hann"}));
  CHECK(support::refuses([] { es::resample_quality("best"); }, {"quality", "\"best\"", "very_high"}));
}

