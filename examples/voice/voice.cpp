// A voice, block by block as a microphone gives it: cleaned of noise by GTCRN or DTLN, and cut into what is speech and
// what is not by Silero's detector. The networks are other people's, read from the ONNX files that they publish;
// README.md says where they are.
//   voice --vad silero_vad.onnx speech.wav [--gtcrn gtcrn_simple.onnx | --dtln model_1.onnx --dtln model_2.onnx] [--out
//   clean.wav]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <eigenstream.hpp>
#include <eigenstream/draw.hpp>
#include <eigenstream/import/import_model.hpp>
#include <eigenstream/network/load_model.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "../mono_wav.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

constexpr int rate_hz = 16000;

// The modules of an imported network below a path of their own, where another's cannot be in their way.
es::ModelFile below(const std::string& path, es::ModelFile model) {
  const auto rename = [&](auto&& self, es::ModuleSpec& spec) -> void {
    spec.path = spec.path.empty() ? path : path + "." + spec.path;
    for (auto& [name, children] : spec.children)
      for (es::ModuleSpec& child : children) self(self, child);
  };
  rename(rename, model.network);
  es::WeightMap weights;
  for (auto& [name, values] : model.weights) weights[path + "." + name] = std::move(values);
  model.weights = std::move(weights);
  return model;
}

using Fields = std::map<std::string, es::ModuleSpec::Value>;

es::ModuleSpec module(const char* type, const char* path, Fields fields = {}) {
  return {type, path, std::move(fields), {}};
}
es::ModuleSpec node(es::ModuleSpec spec, std::vector<std::int64_t> from) {
  spec.fields["from"] = std::move(from);
  return spec;
}

// GTCRN makes spectra of spectra: windows of 512 samples, every 256.
es::Model gtcrn(const std::string& path) {
  const Fields framing{
      {"n_fft", std::int64_t{512}}, {"hop_length", std::int64_t{256}}, {"window", std::string("sqrt_hann")}};
  es::ModelFile network = below("gtcrn", es::import_model(std::filesystem::path(path)));
  es::ModelFile whole{.network = module("Sequential", ""), .weights = std::move(network.weights), .metadata = {}};
  whole.network.children["layers"] = {module("Stft", "stft", framing), std::move(network.network),
                                      module("Istft", "istft", framing)};
  return es::build_model(std::move(whole), path + ": ");
}

// DTLN has two networks: one makes a mask of the magnitudes of a window's spectrum, one cleans the window that this
// gives. Windows of 512 samples, every 128, without a taper, are added where they overlap.
es::Model dtln(const std::string& first, const std::string& second) {
  const auto framing = [](std::int64_t hop) {
    return Fields{
        {"n_fft", std::int64_t{512}}, {"hop_length", hop}, {"window", std::string("rectangular")}, {"center", false}};
  };
  const auto shape = [](std::int64_t channels, std::int64_t width) {
    return Fields{{"channels", channels}, {"width", width}};
  };
  es::ModelFile mask = below("mask", es::import_model(std::filesystem::path(first)));
  es::ModelFile cleaner = below("cleaner", es::import_model(std::filesystem::path(second)));
  es::ModelFile whole{.network = module("Graph", "", {{"in_channels", std::int64_t{1}}}),
                      .weights = std::move(mask.weights),
                      .metadata = {}};
  whole.weights.merge(cleaner.weights);
  whole.weights["power.weight"] = {{1, 2}, {1, 1}};
  es::ModuleSpec windows =
      module("Windowed", "windows",
             {{"size", std::int64_t{512}}, {"stride", std::int64_t{512}}, {"channels", std::int64_t{1}}});
  windows.children["net"] = {module("Sequential", "windows.all")};
  windows.children["net"].front().children["layers"];
  whole.network.children["nodes"] = {
      node(module("Pad", "begin", {{"left", std::int64_t{384}}, {"right", std::int64_t{0}}}), {0}),
      node(module("Stft", "stft", framing(128)), {1}),  // real and imaginary part, 257 bins
      node(module("Square", "squares"), {2}),
      node(module("Linear", "power",
                  {{"in_features", std::int64_t{2}}, {"out_features", std::int64_t{1}}, {"bias", false}}),
           {3}),
      node(module("Sqrt", "magnitudes"), {4}),
      node(module("Reshape", "bins", shape(257, 1)), {5}),
      node(std::move(mask.network), {6}),
      node(module("Reshape", "mask_of_bins", shape(1, 257)), {7}),
      node(module("Reduce", "masked", {{"op", std::string("product")}}), {2, 8}),
      node(module("Istft", "istft", framing(512)), {9}),  // each window for itself, one behind the other
      node(std::move(windows), {10}),
      node(std::move(cleaner.network), {11}),
      node(module("OverlapAdd", "added",
                  {{"channels", std::int64_t{1}},
                   {"size", std::int64_t{512}},
                   {"stride", std::int64_t{128}},
                   {"padding", std::vector<std::int64_t>{384, 0}}}),
           {12})};
  return es::build_model(std::move(whole), first + " and " + second + ": ");
}

struct Passed {
  std::vector<float> signal;
  double seconds = 0, slowest_call = 0;
};

// A recording through a network, block by block.
Passed stream(const es::AnyLayer<float>& network, const std::vector<float>& x, Index block) {
  es::Stream stream(network, {.channels = 1});
  const es::FrameShape mono{.channels = 1};
  const Index frames = static_cast<Index>(x.size());
  Passed passed;
  passed.signal.resize(static_cast<std::size_t>(stream.outputs_after(frames, true) * stream.out_shape().size()));
  const es::Frames<float> room(passed.signal.data(), stream.out_shape(), stream.outputs_after(frames, true));
  const es::FlushDenormals guard;
  Index written = 0;
  for (Index at = 0; at < frames; at += block) {
    const es::Frames<const float> part(x.data() + at, mono, std::min(block, frames - at));
    const auto begin = std::chrono::steady_clock::now();
    written += at + part.count < frames ? stream.process(part, room.from(written))
                                        : stream.process(part, room.from(written), es::final);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    passed.seconds += seconds;
    passed.slowest_call = std::max(passed.slowest_call, seconds);
  }
  es::check(written == room.count, "the stream gave ", written, " frames where ", room.count, " were announced");
  return passed;
}

void report(const char* what, const es::AnyLayer<float>& network, const Passed& passed, double duration, Index block) {
  const es::Timing timing = network.timing();
  std::printf(
      "%-9s %lld parameters, delay %.0f ms, real-time factor %.4f on one core, slowest call %.3f ms of %.1f ms\n", what,
      static_cast<long long>(network.facts({1}).parameters), 1e3 * static_cast<double>(timing.delay()) / rate_hz,
      passed.seconds / duration, 1e3 * passed.slowest_call, 1e3 * static_cast<double>(block) / rate_hz);
}

// Speech begins where the probability reaches 0.5 and ends where it stays below 0.35 for a tenth of a second; shorter
// than a quarter of a second it is none. Where a segment begins and ends, 30 ms are left around it.
std::vector<es::TimelineSpan> segments(const std::vector<float>& probability, double step, double duration) {
  constexpr double silence = 0.1, least = 0.25, margin = 0.03;
  std::vector<es::TimelineSpan> found;
  double begin = -1, quiet_since = -1;
  const auto end = [&](double at) {
    if (at - begin >= least) found.push_back({std::max(0.0, begin - margin), std::min(duration, at + margin), ""});
    begin = quiet_since = -1;
  };
  for (std::size_t k = 0; k < probability.size(); ++k) {
    const double now = static_cast<double>(k) * step;
    if (begin < 0 && probability[k] >= 0.5f) begin = now;
    if (begin < 0) continue;
    if (probability[k] >= 0.35f)
      quiet_since = -1;
    else if (quiet_since < 0)
      quiet_since = now;
    if (quiet_since >= 0 && now + step - quiet_since >= silence) end(quiet_since);
  }
  if (begin >= 0) end(duration);
  return found;
}

es::TimelineSignal curve(const char* name, const std::vector<float>& values, double step, double offset = 0) {
  es::TimelineSignal signal{.name = name};
  for (std::size_t k = 0; k < values.size(); ++k) {
    signal.times.push_back(offset + static_cast<double>(k) * step);
    signal.values.push_back(static_cast<double>(values[k]));
  }
  return signal;
}

struct Options {
  std::string recording, vad, gtcrn, out, picture;
  std::vector<std::string> dtln;
  Index block = 256;
};

int run(const Options& options) {
  const Recording recording = read_mono(options.recording);
  es::check(recording.info.samplerate == rate_hz, options.recording, ": sampled at ", recording.info.samplerate,
            " Hz; these networks are made for ", rate_hz, " (eigenstream resample changes it)");
  const double duration = static_cast<double>(recording.frames()) / rate_hz;
  std::printf("signal    %.2f s at %d Hz, in blocks of %lld\n", duration, rate_hz,
              static_cast<long long>(options.block));

  std::vector<float> voice = recording.samples;
  es::Timeline picture{
      .title = options.recording, .duration = duration, .rows = {curve("recording", recording.samples, 1.0 / rate_hz)}};
  es::check(options.out.empty() || !options.gtcrn.empty() || !options.dtln.empty(),
            "--out is for a cleaned recording: say by which network (--gtcrn or --dtln)");
  if (!options.gtcrn.empty() || !options.dtln.empty()) {
    const bool is_gtcrn = !options.gtcrn.empty();
    const es::Model denoiser = is_gtcrn ? gtcrn(options.gtcrn) : dtln(options.dtln.at(0), options.dtln.at(1));
    const Passed passed = stream(denoiser.network.layer, recording.samples, options.block);
    report(is_gtcrn ? "GTCRN" : "DTLN", denoiser.network.layer, passed, duration, options.block);
    voice = passed.signal;
    voice.resize(recording.samples.size());
    picture.rows.emplace_back(curve("denoised", voice, 1.0 / rate_hz));
    if (!options.out.empty()) write_mono(options.out, voice, recording.info);
  }

  const es::Model detector = es::build_model(es::import_model(std::filesystem::path(options.vad)), options.vad + ": ");
  es::check(detector.network.layer.wanted().channels == 1, options.vad,
            ": is no detector of speech in one channel of samples");
  const Passed heard = stream(detector.network.layer, voice, options.block);
  report("Silero", detector.network.layer, heard, duration, options.block);
  constexpr double step = 512.0 / rate_hz;  // a probability for each
  es::TimelineBand speech{.name = "speech", .spans = segments(heard.signal, step, duration)};
  std::printf("\nsegment   from       to         length\n");
  for (std::size_t k = 0; k < speech.spans.size(); ++k) {
    es::TimelineSpan& span = speech.spans[k];
    span.label = std::to_string(k + 1);
    std::printf("%7zu   %7.3f s  %7.3f s  %7.3f s\n", k + 1, span.start, span.end, span.end - span.start);
  }
  if (speech.spans.empty()) std::printf("      none\n");

  es::TimelineSignal probability = curve("probability", heard.signal, step, step);
  probability.thresholds.assign(probability.times.size(), 0.5);
  picture.rows.emplace_back(std::move(probability));
  picture.rows.emplace_back(std::move(speech));
  if (!options.picture.empty()) {
    std::ofstream file(options.picture, std::ios::binary);
    file << es::svg_of(es::plot_timeline(picture));
    es::check(static_cast<bool>(file.flush()), options.picture, ": cannot be written");
    std::printf("\nwritten   %s\n", options.picture.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  CLI::App app(
      "Finds speech in a recording, and cleans it, block by block, with networks from other people's ONNX files.",
      "voice");
  app.add_option("recording", options.recording, "a WAV file of one channel at 16 kHz")->required();
  app.add_option("--vad", options.vad, "Silero's detector (silero_vad*.onnx)")->required();
  CLI::Option* const of_gtcrn =
      app.add_option("--gtcrn", options.gtcrn, "cleans before with GTCRN (gtcrn_simple.onnx)");
  app.add_option("--dtln", options.dtln, "cleans before with DTLN, which has two files (model_1.onnx model_2.onnx)")
      ->expected(2)
      ->excludes(of_gtcrn);
  app.add_option("--block", options.block, "samples per call")->capture_default_str()->check(CLI::Range(1, 1 << 20));
  app.add_option("-o,--out", options.out, "where the cleaned recording goes");
  app.add_option("--picture", options.picture, "an .svg of recording, probability and segments");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("voice: error: ") + error.what() + " (--help shows the options)\n";
  });
  CLI11_PARSE(app, argc, argv);
  return run(options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "voice: error: %s\n", error.what());
  return 1;
}
