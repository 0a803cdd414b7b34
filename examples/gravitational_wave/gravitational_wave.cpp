// Looks for the chirp of two merging black holes in the strain of two detectors, second by second as it comes in: a
// whitening filter, windows of 1 s every 1/16 s, a small convolutional network on each of them, and the average of what
// overlapping windows say about the same moment. The strain is made here: noise, a chirp, and a glitch to be ignored.
//   gravitational_wave detector.safetensors [--snr 14] [--merger 41.3] [--block 2048] [-o gravitational_wave.svg]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <eigenstream.hpp>
#include <eigenstream/network/load_model.hpp>
#include <fstream>
#include <limits>
#include <numbers>
#include <random>
#include <sstream>
#include <string>
#include <unsupported/Eigen/FFT>
#include <vector>

namespace es = eigenstream;
using es::Index;
using std::numbers::pi;

constexpr Index num_detectors = 2;
constexpr double arrival_seconds[num_detectors] = {0, 0.007};  // after the first detector
constexpr double before_seconds = 4, after_seconds = 0.5;  // of a chirp around its merger
constexpr double dead_seconds = 1;                         // alarms that are closer are one

// ---------------------------------------------------------------------------------------- what the model file says

// The strain that the network was trained for: train.py writes it into the metadata.
struct Setting {
  double rate_hz;
  std::vector<double> asd;          // noise of the first detector at 0, 1, 2, ... Hz, one-sided, in 1e-21 / sqrt(Hz)
  std::vector<double> noise_scale;  // of each detector
  double threshold;                 // of the score, in log odds
  Index score_delay;                // score number r is about the stretch number r - score_delay

  // Noise of one detector at any frequency up to half the sampling rate.
  double noise(Index detector, double frequency_hz) const {
    const auto below = std::min(static_cast<std::size_t>(frequency_hz), asd.size() - 2);
    const double t = frequency_hz - static_cast<double>(below);
    return noise_scale[static_cast<std::size_t>(detector)] * ((1 - t) * asd[below] + t * asd[below + 1]);
  }
};

std::vector<double> numbers_of(const es::Model& model, const std::string& key) {
  const auto found = model.metadata.find(key);
  es::check(found != model.metadata.end(), "the model file's metadata has no \"", key, "\"");
  std::istringstream text(found->second);
  std::vector<double> numbers;
  for (double number = 0; text >> number;) numbers.push_back(number);
  es::check(text.eof() && !numbers.empty(), "the model file's metadata: \"", key, "\" is not a list of numbers");
  return numbers;
}

Setting setting_of(const es::Model& model) {
  Setting setting{.rate_hz = numbers_of(model, "sample_rate_hz").front(),
                  .asd = numbers_of(model, "noise_asd"),
                  .noise_scale = numbers_of(model, "noise_scale"),
                  .threshold = numbers_of(model, "threshold").front(),
                  .score_delay = static_cast<Index>(numbers_of(model, "score_delay").front())};
  es::check(2 * (static_cast<double>(setting.asd.size()) - 1) == setting.rate_hz, "the model file's metadata: ",
            setting.asd.size(), " values of noise_asd for a rate of ", setting.rate_hz, " Hz");
  es::check(setting.score_delay >= 0, "the model file's metadata: score_delay = ", setting.score_delay,
            ", must not be negative");
  es::check(setting.noise_scale.size() == static_cast<std::size_t>(num_detectors), "the model file's metadata: ",
            setting.noise_scale.size(), " values of noise_scale, this takes ", num_detectors);
  return setting;
}

// ------------------------------------------------------------------------------------------------------- the strain
// Formulas and sources as in train.py. Strain is in units of 1e-21.

using Signal = std::vector<double>;
using Strain = Eigen::Tensor<float, 2>;  // (detector, time)

// Normal random numbers by Box and Muller's transform: those of the standard library differ between its makers.
class Normal {
 public:
  explicit Normal(std::uint64_t seed) : bits_(seed) {}
  std::complex<double> pair() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return std::polar(radius, 2 * pi * uniform());
  }

 private:
  double uniform() { return (static_cast<double>(bits_() >> 11) + 1) * 0x1p-53; }  // in (0, 1]
  std::mt19937_64 bits_;
};

// Independent Fourier coefficients with the variance that the spectral density asks for.
Signal coloured_noise(const Setting& setting, Index detector, Index n, Normal& normal) {
  const double step_hz = setting.rate_hz / static_cast<double>(n);
  const double root = std::sqrt(static_cast<double>(n) * setting.rate_hz / 4);
  std::vector<std::complex<double>> spectrum(static_cast<std::size_t>(n / 2 + 1));
  for (std::size_t k = 1; k + 1 < spectrum.size(); ++k)
    spectrum[k] = root * setting.noise(detector, static_cast<double>(k) * step_hz) * normal.pair();
  Eigen::FFT<double> fft;
  fft.SetFlag(Eigen::FFT<double>::HalfSpectrum);
  Signal noise;
  fft.inv(noise, spectrum, n);
  return noise;
}

// Signal-to-noise ratio of a signal for the filter that knows it: rho^2 = 4 int |h(f)|^2 / S(f) df.
double matched_snr(const Setting& setting, Index detector, const Signal& h) {
  Eigen::FFT<double> fft;
  fft.SetFlag(Eigen::FFT<double>::HalfSpectrum);
  std::vector<std::complex<double>> spectrum;
  fft.fwd(spectrum, h);
  const double step_hz = setting.rate_hz / static_cast<double>(h.size());
  double sum = 0;
  for (std::size_t k = 1; k + 1 < spectrum.size(); ++k)
    sum += std::norm(spectrum[k] / setting.rate_hz / setting.noise(detector, static_cast<double>(k) * step_hz));
  return std::sqrt(4 * sum * step_hz);
}

// Two equal black holes spiral into each other: the quadrupole formula up to the light ring, then a damped oscillation.
// t in seconds from the merger, the chirp mass in solar masses; amplitude 1 at the merger.
double chirp(double t, double chirp_mass, double phase) {
  const double mass_seconds = chirp_mass * 4.925490947e-6;  // G M / c^3
  const double end_hz = 1 / (std::pow(3, 1.5) * pi * std::pow(2, 1.2) * mass_seconds);
  const double tau_end = 5.0 / 256 * std::pow(mass_seconds, -5.0 / 3) * std::pow(pi * end_hz, -8.0 / 3);
  const double tau = std::max(-t, 0.0) + tau_end, after = std::max(t, 0.0);
  const double angle = -2 * std::pow(tau / (5 * mass_seconds), 5.0 / 8) + 2 * pi * end_hz * after;
  const double amplitude = std::pow(tau / tau_end, -0.25) * std::exp(-pi * end_hz / 2 * after);
  const double fade_in = std::clamp((t + before_seconds) / 0.5, 0.0, 1.0);
  return 0.5 * (1 - std::cos(pi * fade_in)) * amplitude * std::cos(angle + phase);
}

double sine_gaussian(double t, double frequency_hz, double quality) {
  const double width = pi * frequency_hz * t / quality;
  return std::exp(-width * width) * std::sin(2 * pi * frequency_hz * t);
}

struct Scene {
  Index seconds = 64;
  double merger = 41.3;  // in seconds, at the first detector
  double chirp_mass = 15;
  double snr = 14;      // of both detectors together
  double glitch = 20.6;  // in seconds
  double glitch_snr = 20;
  std::uint64_t seed = 1;
};

struct Made {
  Strain strain, signal;  // all of it, and the chirp alone
};

Made make_strain(const Setting& setting, const Scene& scene) {
  const auto n = static_cast<Index>(static_cast<double>(scene.seconds) * setting.rate_hz);
  std::vector<Signal> noise, wave;
  Normal normal(scene.seed);
  double snr_squared = 0;
  for (Index d = 0; d < num_detectors; ++d) {
    noise.push_back(coloured_noise(setting, d, n, normal));
    // The arms of the second one point to nearly opposite directions.
    const double arrival = scene.merger + arrival_seconds[d], phase = d == 0 ? 0.8 : 0.8 + pi + 0.2;
    const double strength = d == 0 ? 1 : 0.9;
    Signal h(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < h.size(); ++i) {
      const double t = static_cast<double>(i) / setting.rate_hz - arrival;
      if (t > -before_seconds && t < after_seconds) h[i] = strength * chirp(t, scene.chirp_mass, phase);
    }
    const double snr = matched_snr(setting, d, h);
    snr_squared += snr * snr;
    wave.push_back(std::move(h));
  }
  Signal glitch(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < glitch.size(); ++i)
    glitch[i] = sine_gaussian(static_cast<double>(i) / setting.rate_hz - scene.glitch, 120, 8);
  const double glitch_scale = scene.glitch_snr / matched_snr(setting, 1, glitch);
  const double scale = scene.snr / std::sqrt(snr_squared);

  Made made{Strain(num_detectors, n), Strain(num_detectors, n)};
  for (Index d = 0; d < num_detectors; ++d)
    for (Index t = 0; t < n; ++t) {
      const auto detector = static_cast<std::size_t>(d), i = static_cast<std::size_t>(t);
      const double signal = scale * wave[detector][i];
      made.signal(d, t) = static_cast<float>(signal);
      made.strain(d, t) =
          static_cast<float>(noise[detector][i] + signal + (d == 1 ? glitch_scale * glitch[i] : 0));
    }
  return made;
}

// ------------------------------------------------------------------------------------------------------ the picture

/// A panel of a picture: a frame with axes, into which curves are drawn, all in the units of the axes.
class Panel {
 public:
  Panel(double top, double height, double x0, double x1, double y0, double y1)
      : top_(top), height_(height), x0_(x0), x1_(x1), y0_(y0), y1_(y1) {}

  /// Samples from time begin on, step apart; many of them in a pixel become a line from the least to the greatest.
  template <class Value>
  void curve(Index count, double begin, double step, Value&& value, const std::string& style) {
    out_ << "<polyline " << style << " points=\"";
    for (Index i = 0; i < count;) {
      const double x = x_of(begin + static_cast<double>(i) * step);
      double least = value(i), greatest = least;
      Index j = i + 1;
      for (; j < count && x_of(begin + static_cast<double>(j) * step) < x + 1; ++j) {
        least = std::min(least, static_cast<double>(value(j)));
        greatest = std::max(greatest, static_cast<double>(value(j)));
      }
      point(x, y_of(least));
      if (j > i + 1) point(x, y_of(greatest));
      i = j;
    }
    out_ << "\"/>\n";
  }
  void vertical(double x, const std::string& style) { line(x_of(x), top_, x_of(x), top_ + height_, style); }
  void horizontal(double y, const std::string& style) { line(left, y_of(y), left + width, y_of(y), style); }
  void circle(double x, double y, const std::string& style) {
    out_ << "<circle cx=\"" << x_of(x) << "\" cy=\"" << y_of(y) << "\" r=\"5\" " << style << "/>\n";
  }
  void label(double x, double y, const std::string& text, const std::string& style) {
    words(x_of(x) + 6, y_of(y), text, "start", style);
  }
  /// The frame, ticks every x_tick and y_tick, and the title.
  std::string finish(const std::string& title, double x_tick, double y_tick) {
    out_ << "<rect x=\"" << left << "\" y=\"" << top_ << "\" width=\"" << width << "\" height=\"" << height_
         << "\" fill=\"none\" stroke=\"#444\"/>\n";
    for (double x = std::ceil(x0_ / x_tick) * x_tick; x <= x1_ + 1e-9; x += x_tick) {
      line(x_of(x), top_ + height_, x_of(x), top_ + height_ + 4, "stroke=\"#444\"");
      words(x_of(x), top_ + height_ + 17, short_number(x), "middle", "fill=\"#444\"");
    }
    for (double y = std::ceil(y0_ / y_tick) * y_tick; y <= y1_ + 1e-9; y += y_tick) {
      line(left - 4, y_of(y), left, y_of(y), "stroke=\"#444\"");
      words(left - 8, y_of(y) + 4, short_number(y), "end", "fill=\"#444\"");
    }
    words(left, top_ - 8, title, "start", "font-weight=\"bold\"");
    return out_.str();
  }

  static constexpr double left = 60, width = 900;

 private:
  double x_of(double x) const { return left + width * (x - x0_) / (x1_ - x0_); }
  double y_of(double y) const { return top_ + height_ * (y1_ - std::clamp(y, y0_, y1_)) / (y1_ - y0_); }
  void point(double x, double y) { out_ << std::round(x * 10) / 10 << ',' << std::round(y * 10) / 10 << ' '; }
  void line(double x0, double y0, double x1, double y1, const std::string& style) {
    out_ << "<line x1=\"" << x0 << "\" y1=\"" << y0 << "\" x2=\"" << x1 << "\" y2=\"" << y1 << "\" " << style << "/>\n";
  }
  void words(double x, double y, const std::string& text, const char* anchor, const std::string& style) {
    out_ << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\" " << style << ">" << text
         << "</text>\n";
  }
  static std::string short_number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", std::abs(value) < 1e-9 ? 0 : value);
    return text;
  }

  double top_, height_, x0_, x1_, y0_, y1_;
  std::ostringstream out_;
};

struct Alarm {
  double time_seconds;   // the middle of the stretch that the score is about
  double known_seconds;  // how much strain had come in when the score was complete
  float score;
};

struct Picture {
  const Setting& setting;
  const Scene& scene;
  const Made& made;
  const Eigen::Tensor<float, 2>&whitened, &whitened_signal, &scores;
  const std::vector<Alarm>& alarms;
  double score_step_seconds;
};

void write_svg(const std::string& path, const Picture& picture) {
  const std::string colours[] = {"#1f77b4", "#d9822b"};
  const auto stroke = [&](Index d, double opacity, double line_width) {
    std::ostringstream style;
    style << "fill=\"none\" stroke=\"" << colours[d] << "\" stroke-opacity=\"" << opacity << "\" stroke-width=\""
          << line_width << "\"";
    return style.str();
  };
  const std::string at_merger = "stroke=\"#2a8a2a\" stroke-dasharray=\"5 4\"";
  const Scene& scene = picture.scene;
  const double step = 1 / picture.setting.rate_hz, seconds = static_cast<double>(scene.seconds);
  const Index n = picture.made.strain.dimension(1);
  std::string panels;

  double greatest = 0;
  for (Index i = 0; i < picture.made.strain.size(); ++i)
    greatest = std::max(greatest, std::abs(static_cast<double>(picture.made.strain.data()[i])));
  const double reach = std::ceil(greatest / 4) * 4;
  Panel strain(40, 120, 0, seconds, -reach, reach);
  for (const Index d : {Index(1), Index(0)})
    strain.curve(n, 0, step, [&](Index t) { return picture.made.strain(d, t); }, stroke(d, 0.6, 1));
  if (scene.snr > 0) strain.vertical(scene.merger, at_merger);
  panels += strain.finish("strain / 1e-21 (blue: first detector, orange: second)", 8, reach / 2);

  Panel white(210, 120, 0, seconds, -8, 8);
  for (const Index d : {Index(1), Index(0)})
    white.curve(n, 0, step, [&](Index t) { return picture.whitened(d, t); }, stroke(d, 0.6, 1));
  if (scene.snr > 0) white.vertical(scene.merger, at_merger);
  if (scene.glitch_snr > 0) white.label(scene.glitch, 6.2, "glitch in one detector", "fill=\"#444\"");
  panels += white.finish("whitened strain / standard deviations of the noise", 8, 4);

  const Index delay = picture.setting.score_delay;
  const Index count = picture.scores.dimension(1) - delay;
  float top = static_cast<float>(picture.setting.threshold), bottom = 0;
  for (Index b = 0; b < count; ++b) {
    top = std::max(top, picture.scores(0, b + delay));
    bottom = std::min(bottom, picture.scores(0, b + delay));
  }
  Panel score(380, 120, 0, seconds, std::floor(bottom / 5) * 5.0, std::ceil((top + 1) / 5) * 5.0);
  score.curve(count, picture.score_step_seconds / 2, picture.score_step_seconds,
              [&](Index b) { return picture.scores(0, b + delay); }, "fill=\"none\" stroke=\"#333\"");
  score.horizontal(picture.setting.threshold, "stroke=\"#c00\" stroke-dasharray=\"2 3\"");
  if (scene.snr > 0) score.vertical(scene.merger, at_merger);
  for (const Alarm& alarm : picture.alarms) {
    score.circle(alarm.time_seconds, alarm.score, "fill=\"none\" stroke=\"#c00\" stroke-width=\"2\"");
    char text[80];
    std::snprintf(text, sizeof text, "seen at %.2f s", alarm.time_seconds);
    score.label(alarm.time_seconds, alarm.score, text, "fill=\"#c00\"");
  }
  panels += score.finish("score / log odds of a merger (dotted: threshold, dashed: where the chirp was put)", 8, 5);

  // The last moments before the merger, the injected chirp alone drawn over the data that hide it.
  const double from = std::max(0.0, scene.merger - 0.5), to = std::min(seconds, scene.merger + 0.1);
  const auto begin = static_cast<Index>(from / step);
  const Index some = std::max<Index>(0, std::min(n - begin, static_cast<Index>((to - from) / step)));
  for (Index d = 0; d < num_detectors; ++d) {
    Panel close(550 + 150 * static_cast<double>(d), 100, from, to, -5, 5);
    const double first = static_cast<double>(begin) * step;
    close.curve(some, first, step, [&](Index t) { return picture.whitened(d, begin + t); }, stroke(d, 0.45, 1));
    close.curve(some, first, step, [&](Index t) { return picture.whitened_signal(d, begin + t); },
                "fill=\"none\" stroke=\"#000\" stroke-width=\"1.5\"");
    close.vertical(scene.merger + arrival_seconds[d], at_merger);
    panels += close.finish(d == 0 ? "first detector, whitened (black: the injected chirp without noise)"
                                  : "second detector, whitened; time / s",
                           0.1, 4);
  }

  std::ofstream file(path);
  file << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1000 830\" width=\"1000\" height=\"830\" "
          "font-family=\"sans-serif\" font-size=\"12\">\n"
          "<rect width=\"1000\" height=\"830\" fill=\"#fff\"/>\n"
       << panels << "</svg>\n";
  file.close();
  es::check(file.good(), path, ": cannot be written");
}

// -------------------------------------------------------------------------------------------------------- the search

struct Streamed {
  Eigen::Tensor<float, 2> scores;
  double seconds = 0;       // to compute all of it
  double slowest_call = 0;  // in seconds
};

// One pass over the signal, in blocks. Leaves the stream fresh.
template <class Stream>
Streamed run(Stream& stream, const Strain& strain, Index block) {
  using Clock = std::chrono::steady_clock;
  const es::FlushDenormals guard;
  const es::Frames<const float> signal(strain);
  Streamed result;
  result.scores = Eigen::Tensor<float, 2>(1, stream.outputs_after(signal.count, true));
  const es::Frames<float> scores(result.scores);
  Index written = 0;
  for (Index at = 0; at < signal.count; at += block) {
    const es::Frames<const float> x = signal.slice(at, std::min(block, signal.count - at));
    const auto begin = Clock::now();
    written += at + x.count < signal.count ? stream.process(x, scores.from(written))
                                           : stream.process(x, scores.from(written), es::final);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    result.seconds += seconds;
    result.slowest_call = std::max(result.slowest_call, seconds);
  }
  es::check(written == scores.count, "the stream gave ", written, " scores where ", scores.count, " were announced");
  return result;
}

// The loudest score of each time the score is above the threshold; nothing louder within dead_seconds of it.
std::vector<Alarm> find_alarms(const Eigen::Tensor<float, 2>& scores, const Setting& setting, Index stride,
                               Index stream_delay) {
  const double step_seconds = static_cast<double>(stride) / setting.rate_hz;
  const auto dead = static_cast<Index>(dead_seconds / step_seconds);
  std::vector<Alarm> alarms;
  Index last = -dead - 1;
  for (Index r = setting.score_delay; r < scores.dimension(1); ++r) {
    const float score = scores(0, r);
    if (score <= static_cast<float>(setting.threshold) || r - last <= dead) continue;
    bool loudest = true;
    for (Index i = std::max<Index>(0, r - dead); i < std::min(scores.dimension(1), r + dead + 1); ++i)
      loudest = loudest && scores(0, i) <= score;
    if (!loudest) continue;
    last = r;
    alarms.push_back({(static_cast<double>(r - setting.score_delay) + 0.5) * step_seconds,
                      static_cast<double>(r * stride + stream_delay + 1) / setting.rate_hz, score});
  }
  return alarms;
}

struct Options {
  std::string model, out = "gravitational_wave.svg";
  Index block = 2048;
  int passes = 3;
  double tolerance = 0.1;  // in seconds
  Scene scene;
};

int search(const Options& options) {
  const es::Model model = es::load_model(options.model);
  const Setting setting = setting_of(model);
  const Scene& scene = options.scene;
  es::check(scene.merger >= before_seconds && scene.merger + 2 <= static_cast<double>(scene.seconds),
            "the merger at ", scene.merger, " s must be at least ", before_seconds,
            " s after the begin and 2 s before the end at ", scene.seconds, " s");
  es::check(scene.glitch >= 0 && scene.glitch <= static_cast<double>(scene.seconds), "the glitch at ", scene.glitch,
            " s is outside of the ", scene.seconds, " s of strain");
  const Made made = make_strain(setting, scene);

  auto stream = es::Stream(model.network.layer);
  es::check(stream.in_shape().channels == num_detectors && stream.out_shape().channels == 1, options.model, ": takes ",
            stream.in_shape().channels, " channels and gives ", stream.out_shape().channels, ", this takes ",
            num_detectors, " and 1");
  const Index stride = stream.rate().inputs / stream.rate().outputs;

  Streamed streamed = run(stream, made.strain, options.block);
  std::vector<double> seconds{streamed.seconds};
  for (int pass = 1; pass < options.passes; ++pass) seconds.push_back(run(stream, made.strain, options.block).seconds);
  std::sort(seconds.begin(), seconds.end());

  // In one call, compared bit by bit.
  const Streamed whole = run(stream, made.strain, made.strain.dimension(1));
  const Eigen::Tensor<float, 2>&a = streamed.scores, &b = whole.scores;
  const bool same = std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
  float difference = 0;
  for (Index i = 0; i < a.size(); ++i) difference = std::max(difference, std::abs(a.data()[i] - b.data()[i]));

  const std::vector<Alarm> alarms = find_alarms(streamed.scores, setting, stride, stream.delay());
  const auto near = [&](const Alarm& alarm) {
    return scene.snr > 0 && std::abs(alarm.time_seconds - scene.merger) <= options.tolerance;
  };
  const auto found = std::find_if(alarms.begin(), alarms.end(), near);
  const auto false_alarms = alarms.size() - static_cast<std::size_t>(found != alarms.end());

  if (!options.out.empty()) {
    // The network's first stage, by itself.
    es::check(!model.network.children.empty(), options.model, ": not a sequence of stages");
    const auto whitener = es::Stream(model.network.children.front().layer);
    const Eigen::Tensor<float, 2> whitened = whitener.forward(made.strain);
    const Eigen::Tensor<float, 2> whitened_signal = whitener.forward(made.signal);
    write_svg(options.out, {setting, scene, made, whitened, whitened_signal, streamed.scores, alarms,
                            static_cast<double>(stride) / setting.rate_hz});
  }

  const auto ll = [](Index value) { return static_cast<long long>(value); };
  const double duration = static_cast<double>(scene.seconds);
  const double median = seconds[seconds.size() / 2];
  // From the first sample of a stretch to its complete score.
  const Index latency = setting.score_delay * stride + stream.delay() + 1;
  std::printf("network   %lld parameters, %.1f million multiply-adds per second of strain\n",
              ll(stream.facts().parameters), stream.facts().macs * setting.rate_hz * 1e-6);
  std::printf("strain    %lld s of %lld detectors at %g Hz, in blocks of %lld samples\n", ll(scene.seconds),
              ll(num_detectors), setting.rate_hz, ll(options.block));
  if (scene.snr > 0)
    std::printf("put in    chirp of %g solar masses, SNR %g, merger at %.3f s\n", scene.chirp_mass, scene.snr,
                scene.merger);
  if (scene.glitch_snr > 0)
    std::printf("          glitch of SNR %g in the second detector alone at %.3f s\n", scene.glitch_snr, scene.glitch);
  for (const Alarm& alarm : alarms)
    std::printf("seen      %s at %.3f s with score %.2f (threshold %.2f), known when %.3f s were in\n",
                near(alarm) ? "chirp" : "FALSE ALARM", alarm.time_seconds, static_cast<double>(alarm.score),
                setting.threshold, alarm.known_seconds);
  if (alarms.empty()) std::printf("seen      nothing\n");
  std::printf(
      "latency   %.3f s from the begin of a stretch to its score: the filter's %lld samples, the stretch itself, and\n"
      "          %lld more windows for the average; up to a block of %.3f s in addition\n",
      static_cast<double>(latency) / setting.rate_hz, ll(stream.delay() + 1 - stride), ll(setting.score_delay),
      static_cast<double>(options.block) / setting.rate_hz);
  std::printf("speed     %.0f times faster than real time on one core (median of %d passes); slowest call %.2f ms\n",
              duration / median, options.passes, 1e3 * streamed.slowest_call);
  std::printf("law       blocks and one call, %lld scores: largest difference %g\n", ll(a.size()),
              static_cast<double>(difference));
  if (!options.out.empty()) std::printf("written   %s\n", options.out.c_str());
  std::fflush(stdout);

  es::check(same, "the streamed scores differ from those of one call");
  es::check(false_alarms == 0, "false alarms: ", false_alarms);
  es::check(scene.snr == 0 || found != alarms.end(), "the chirp at ", scene.merger, " s was not seen");
  return 0;
}

int main(int argc, char** argv) try {
  Options options;
  Scene& scene = options.scene;
  CLI::App app("Looks for a chirp in the simulated strain of two detectors, block by block.", "gravitational_wave");
  app.add_option("model", options.model, "the detector, a model file")->required();
  app.add_option("--seconds", scene.seconds, "of strain")->capture_default_str()->check(CLI::Range(8, 4096));
  app.add_option("--merger", scene.merger, "when the chirp ends, in seconds")->capture_default_str();
  app.add_option("--chirp-mass", scene.chirp_mass, "in solar masses; the network knows 8 to 30")
      ->capture_default_str()
      ->check(CLI::Range(5., 50.));
  app.add_option("--snr", scene.snr, "of the chirp in both detectors together; 0 is no chirp")
      ->capture_default_str()
      ->check(CLI::Range(0., 1000.));
  app.add_option("--glitch", scene.glitch, "when the glitch is, in seconds")->capture_default_str();
  app.add_option("--glitch-snr", scene.glitch_snr, "of the glitch in the second detector; 0 is no glitch")
      ->capture_default_str()
      ->check(CLI::Range(0., 1000.));
  app.add_option("--seed", scene.seed, "of the noise")->capture_default_str();
  app.add_option("--block", options.block, "samples per call")->capture_default_str()->check(CLI::Range(1, 1 << 24));
  app.add_option("--passes", options.passes, "how often the strain is streamed; the time is the median over the passes")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("-o,--out", options.out, "where the picture goes, SVG; nowhere if empty")->capture_default_str();
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("gravitational_wave: error: ") + error.what() + " (--help shows the options)\n";
  });
  CLI11_PARSE(app, argc, argv);
  return search(options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "gravitational_wave: error: %s\n", error.what());
  return 1;
}
