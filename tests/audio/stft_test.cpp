#include "eigenstream/audio/stft.hpp"

#include <limits>
#include <vector>

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"
#include "support/spectrum.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::SignalPadding;
using es::SpectrumScale;
using es::Stft;
using es::StftOptions;
using es::WindowFunction;
using support::error_of;

namespace {

// Sample t of a signal of n samples with what is before and behind it.
template <class T>
double padded(const support::Signal<T>& x, Index c, Index b, Index t, SignalPadding padding) {
  const Index n = x.dimension(2);
  if (t >= 0 && t < n) return static_cast<double>(x(c, b, t));
  if (padding == SignalPadding::zeros) return 0;
  if (padding == SignalPadding::replicate) return static_cast<double>(x(c, b, t < 0 ? 0 : n - 1));
  return static_cast<double>(x(c, b, t < 0 ? -t : 2 * (n - 1) - t));
}

}  // namespace

TEMPLATE_TEST_CASE("Stft: any chunking gives the offline output", "[audio][property]", float, double) {
  using T = TestType;
  const auto sizes = GENERATE(
      table<Index, Index, Index>({{1, 1, 1}, {4, 1, 4}, {5, 2, 5}, {8, 8, 6}, {12, 5, 12}, {16, 4, 10}, {6, 9, 6}, {40, 10, 40}}));
  const auto [n_fft, hop, length] = sizes;
  const SignalPadding padding = GENERATE(SignalPadding::zeros, SignalPadding::reflect, SignalPadding::replicate);
  const bool center = GENERATE(true, false);
  if (!center && padding != SignalPadding::reflect) return;
  INFO("n_fft " << n_fft << ", hop " << hop << ", window of " << length << ", padding " << static_cast<int>(padding) << ", center "
                << center);
  const Stft<T> stft(
      n_fft,
      {.hop_length = hop, .window = es::window_values(WindowFunction::hamming, length), .center = center, .pad_mode = padding});
  CHECK((stft.n_fft() == n_fft && stft.hop_length() == hop && stft.bins() == n_fft / 2 + 1));
  // What a window is 0 at shows in NaN alone; so do two samples that are mirrored into one another.
  support::check_contract(stft, 1,
                          {.channels = 1, .exact = length == n_fft && padding != SignalPadding::reflect, .columns = false});
  support::check_contract(
      stft, 2, {.channels = 3, .exact = length == n_fft && padding != SignalPadding::reflect, .light = true, .columns = false});
}

TEMPLATE_TEST_CASE("Stft: the definition", "[audio]", float, double) {
  using T = TestType;
  const auto sizes =
      GENERATE(table<Index, Index, Index>({{1, 1, 1}, {7, 3, 7}, {16, 4, 16}, {64, 20, 50}, {31, 8, 12}, {80, 20, 80}}));
  const auto [n_fft, hop, length] = sizes;
  const SignalPadding padding = GENERATE(SignalPadding::zeros, SignalPadding::reflect, SignalPadding::replicate);
  const bool center = GENERATE(true, false);
  const SpectrumScale scale = GENERATE(SpectrumScale::none, SpectrumScale::frame_length, SpectrumScale::window);
  INFO("n_fft " << n_fft << ", hop " << hop << ", window of " << length << ", padding " << static_cast<int>(padding) << ", center "
                << center);
  const std::vector<double> window = es::window_values(WindowFunction::hann, length);
  const Stft<T> stft(n_fft, {.hop_length = hop, .window = window, .center = center, .pad_mode = padding, .scale = scale});
  double factor = 1, squares = 0;
  for (const double value : window) squares += value * value;
  if (scale == SpectrumScale::frame_length) factor = 1 / std::sqrt(static_cast<double>(n_fft));
  if (scale == SpectrumScale::window) factor = 1 / std::sqrt(squares);
  constexpr Index channels = 2, batch = 2;
  const Index left = center ? n_fft / 2 : 0;
  for (const Index frames : {left + 1, Index{100}}) {
    support::Random random(3);
    const auto x = support::random_tensor<T>(random, channels, batch, frames);
    es::Stream stream(stft, {.channels = channels, .batch = batch});
    const es::FrameShape out = stream.out_shape();
    REQUIRE((out.channels == 2 * channels && out.width == stft.bins() && out.batch == batch));
    const Index expected = frames + 2 * left < n_fft ? 0 : (frames + 2 * left - n_fft) / hop + 1;
    std::vector<T> y(static_cast<std::size_t>((expected + 1) * out.size()));
    REQUIRE(stream.process(es::Frames<const T>(x), es::Frames<T>(y.data(), out, expected), es::final) == expected);
    for (Index j = 0; j < expected; ++j)
      for (Index b = 0; b < batch; ++b)
        for (Index c = 0; c < channels; ++c) {
          std::vector<double> cut(static_cast<std::size_t>(n_fft)), zero(cut);
          for (Index p = 0; p < length; ++p) {
            const Index at = (n_fft - length) / 2 + p;
            cut[static_cast<std::size_t>(at)] =
                factor * window[static_cast<std::size_t>(p)] * padded(x, c, b, j * hop + at - left, padding);
          }
          const support::Spectrum all = support::spectrum(cut, zero, stft.bins());
          double worst = 0;
          for (Index k = 0; k < stft.bins(); ++k) {
            const T* bin = y.data() + j * out.size() + (b * out.width + k) * out.channels + 2 * c;
            worst = std::max({worst, std::abs(static_cast<double>(bin[0]) - all.re[static_cast<std::size_t>(k)]),
                              std::abs(static_cast<double>(bin[1]) - all.im[static_cast<std::size_t>(k)])});
          }
          CHECK(worst < support::tolerance<T>);
        }
  }
}

TEST_CASE("Stft: with reflect, a signal that cannot be mirrored gives nothing", "[audio]") {
  const Stft<float> stft(8, {.hop_length = 2});
  es::Stream stream(stft, {.channels = 1});
  const std::vector<float> x(5, 1.0f);
  std::vector<float> y(static_cast<std::size_t>(4 * stream.out_shape().size()));
  const es::Frames<float> to(y.data(), stream.out_shape(), 4);
  CHECK(stft.timing().outputs_after(4, true) == 0);
  CHECK(stream.process(es::Frames<const float>(x.data(), es::FrameShape{1, 1, 1, 1}, 4), to, es::final) == 0);
  CHECK(stft.timing().outputs_after(5, true) == 3);
  CHECK(stream.process(es::Frames<const float>(x.data(), es::FrameShape{1, 1, 1, 1}, 5), to, es::final) == 3);
}

TEST_CASE("Stft: impossible sizes are refused", "[audio][errors]") {
  const auto window = es::window_values(WindowFunction::hann, 8);
  CHECK_THAT(error_of([] { Stft<float>(0); }), Contains("Stft: n_fft = 0, must be from 1 to 2^22"));
  CHECK_THAT(error_of([] { Stft<float>(Index{1} << 23); }), Contains("Stft: n_fft = 8388608"));
  CHECK_THAT(error_of([] { Stft<float>(8, {.hop_length = -1}); }), Contains("Stft: hop_length = -1, must be at least 1"));
  CHECK_THAT(error_of([&] { Stft<float>(7, {.window = window}); }), Contains("Stft: a window of 8 values for n_fft = 7"));
  CHECK_THAT(error_of([] { Stft<float>(1, {.window = {std::numeric_limits<double>::infinity()}}); }), Contains("not finite"));
  CHECK_THAT(error_of([] { Stft<float>(2, {.window = {0, 0}, .scale = SpectrumScale::window}); }), Contains("the window is zero"));
  CHECK_THAT(error_of([] { Stft<float>(8).facts({.channels = 1, .width = 3}); }), Contains("Stft: takes a plain signal"));
}
