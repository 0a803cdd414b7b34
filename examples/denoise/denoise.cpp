// Streams a WAV file through a network, block by block, as a real-time host would, and reports what that costs and
// what it brings. The program behind scripts/demo.
//   denoise model.safetensors noisy.wav [--clean clean.wav] [--block 128] [-o denoised.wav]
#include <unistd.h>  // isatty

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <eigenstream.hpp>
#include <eigenstream/network/load_model.hpp>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "../mono_wav.hpp"

namespace es = eigenstream;
using es::Index;

// Scale-invariant signal-to-distortion ratio in dB, of signals whose mean was taken away:
//   10 log10(|a s|^2 / |e - a s|^2) with a = <e,s> / |s|^2, s the clean signal and e the estimate.
// Source: Le Roux, Wisdom, Erdogan, Hershey, "SDR - half-baked or well done?", ICASSP 2019.
double si_sdr_db(const std::vector<float>& estimate, const std::vector<float>& clean, Index n) {
  const auto centred = [n](const std::vector<float>& x) -> Eigen::VectorXd {
    const Eigen::VectorXd wide = Eigen::Map<const Eigen::VectorXf>(x.data(), n).cast<double>();
    return wide.array() - wide.mean();
  };
  const Eigen::VectorXd s = centred(clean), e = centred(estimate);
  const Eigen::VectorXd target = e.dot(s) / s.squaredNorm() * s;
  return 10 * std::log10(target.squaredNorm() / (e - target).squaredNorm());
}

// A bar on stderr: redrawn in place on a terminal, growing by one sign at a time in a log.
class Progress {
 public:
  explicit Progress(Index total) : total_(total), terminal_(isatty(fileno(stderr)) != 0) { add(0); }
  void add(Index done) {
    done_ += done;
    const int length = static_cast<int>(width * done_ / total_);
    if (length == length_) return;
    if (terminal_)
      std::fprintf(stderr, "\rstreaming [%-*.*s] %3d %%", width, length, signs, static_cast<int>(100 * done_ / total_));
    else
      std::fprintf(stderr, "%s%.*s", length_ < 0 ? "streaming [" : "", length - std::max(0, length_), signs);
    if (length == width) std::fputs(terminal_ ? "\n" : "]\n", stderr);
    length_ = length;
  }

 private:
  static constexpr int width = 50;
  static constexpr const char* signs = "##################################################";
  Index total_, done_ = 0;
  int length_ = -1;
  bool terminal_;
};

struct Cost {
  double seconds = 0;       // of the whole signal
  double slowest_call = 0;  // in seconds
};

// One pass over the signal, in memory that is there beforehand. Leaves the stream fresh.
template <class Stream>
Cost run(Stream& stream, es::Frames<const float> signal, Index block, es::Frames<float> out, Progress& progress) {
  using Clock = std::chrono::steady_clock;
  const es::FlushDenormals guard;
  Cost cost;
  Index written = 0;
  for (Index at = 0; at < signal.count; at += block) {
    const es::Frames<const float> x = signal.slice(at, std::min(block, signal.count - at));
    const auto begin = Clock::now();
    written += at + x.count < signal.count ? stream.process(x, out.from(written))
                                           : stream.process(x, out.from(written), es::final);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    cost.seconds += seconds;
    cost.slowest_call = std::max(cost.slowest_call, seconds);
    progress.add(x.count);
  }
  es::check(written == out.count, "the stream gave ", written, " frames where ", out.count, " were announced");
  return cost;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Options {
  std::string model, noisy, clean, out;
  Index block = 128;
  int passes = 7;
};

int demo(const Options& options) {
  const es::Model model = es::load_model(options.model);
  const Recording noisy = read_mono(options.noisy);
  const double rate_hz = noisy.info.samplerate;
  if (const auto rate = model.metadata.find("sample_rate_hz"); rate != model.metadata.end())
    es::check(rate->second == std::to_string(noisy.info.samplerate), options.noisy, ": sampled at ",
              noisy.info.samplerate, " Hz, the network is made for ", rate->second);
  std::optional<Recording> clean;
  if (!options.clean.empty()) {
    clean = read_mono(options.clean);
    es::check(clean->info.samplerate == noisy.info.samplerate, options.clean, ": sampled at ", clean->info.samplerate,
              " Hz, ", options.noisy, " at ", noisy.info.samplerate);
  }

  auto stream = es::Stream(model.network.layer, {.channels = 1});
  es::check(stream.out_shape().channels == 1, options.model, ": gives ", stream.out_shape().channels,
            " channels, this takes one");
  es::check(stream.rate() == es::Rate{1, 1}, options.model, ": gives ", stream.rate().outputs, " frames for ",
            stream.rate().inputs, ", this takes one for one");

  // Streamed: everything that the passes touch is allocated here.
  const es::FrameShape mono{.channels = 1};
  std::vector<float> streamed(static_cast<std::size_t>(stream.outputs_after(noisy.frames(), true)));
  std::vector<double> seconds, slowest_calls;
  Progress progress(options.passes * noisy.frames());
  for (int pass = 0; pass < options.passes; ++pass) {
    const Cost cost = run(stream, noisy.view(), options.block,
                          es::Frames<float>(streamed.data(), mono, static_cast<Index>(streamed.size())), progress);
    seconds.push_back(cost.seconds);
    slowest_calls.push_back(cost.slowest_call);
  }

  // In one call, compared bit by bit.
  Eigen::Tensor<float, 2> whole;
  {
    const es::FlushDenormals guard;
    whole = stream.forward(noisy.view());
  }
  const std::size_t bytes = streamed.size() * sizeof(float);
  const bool same = whole.size() == static_cast<Index>(streamed.size()) &&
                    (bytes == 0 || std::memcmp(whole.data(), streamed.data(), bytes) == 0);
  double difference = whole.size() == static_cast<Index>(streamed.size()) ? 0 : std::numeric_limits<double>::infinity();
  for (Index t = 0; t < std::min(whole.size(), static_cast<Index>(streamed.size())); ++t)
    difference =
        std::max(difference, std::abs(static_cast<double>(whole(0, t)) - streamed[static_cast<std::size_t>(t)]));

  // The network pads as offline networks do, so output t belongs to input t; a stride may shorten the end.
  double before = std::numeric_limits<double>::quiet_NaN(), after = before;
  if (clean) {
    const Index n = std::min({clean->frames(), noisy.frames(), static_cast<Index>(streamed.size())});
    before = si_sdr_db(noisy.samples, clean->samples, n);
    after = si_sdr_db(streamed, clean->samples, n);
  }
  if (!options.out.empty()) write_mono(options.out, streamed, noisy.info);

  const double duration = static_cast<double>(noisy.frames()) / rate_hz;
  const double real_time_factor = median(seconds) / duration;
  const Index latency = stream.delay() + options.block;
  const double latency_ms = 1e3 * static_cast<double>(latency) / rate_hz;
  const double block_ms = 1e3 * static_cast<double>(options.block) / rate_hz;
  const auto ll = [](Index value) { return static_cast<long long>(value); };

  std::printf("network   %lld parameters, %.1f million multiply-adds per second of signal\n",
              ll(stream.facts().parameters), stream.facts().macs * rate_hz * 1e-6);
  std::printf("signal    %lld frames at %g Hz: %.2f s\n", ll(noisy.frames()), rate_hz, duration);
  std::printf("block     %lld frames: %.2f ms\n", ll(options.block), block_ms);
  std::printf(
      "latency   %.2f ms = %lld frames of algorithmic delay in the network + %lld frames of block;\n"
      "          the time to compute and the sound device are not in it\n",
      latency_ms, ll(stream.delay()), ll(options.block));
  std::printf("state     %lld bytes to save; the stream occupies %lld bytes with its buffers, whatever the block\n",
              ll(stream.state_bytes()), ll(stream.memory_bytes()));
  std::printf("speed     real-time factor %.4f on one core (%d passes, median); slowest call %.3f ms of %.2f ms\n",
              real_time_factor, options.passes, 1e3 * median(slowest_calls), block_ms);
  if (clean) std::printf("quality   SI-SDR %.2f dB in, %.2f dB out: %+.2f dB\n", before, after, after - before);
  std::printf("law       streamed and one-call output, %lld frames: largest difference %g\n", ll(whole.size()),
              difference);
  if (!options.out.empty()) std::printf("written   %s\n", options.out.c_str());
  std::printf(
      "demo: frames=%lld block=%lld latency_ms=%.2f state_bytes=%lld rtf=%.5f si_sdr_in_db=%.2f "
      "si_sdr_out_db=%.2f max_abs_diff=%g\n",
      ll(noisy.frames()), ll(options.block), latency_ms, ll(stream.state_bytes()), real_time_factor, before, after,
      difference);
  std::fflush(stdout);
  es::check(same, "the streamed output differs from the one-call output");
  return 0;
}

int main(int argc, char** argv) try {
  Options options;
  CLI::App app("Streams a mono WAV file through a network, block by block, and compares with one call.", "denoise");
  app.add_option("model", options.model, "the network, a model file")->required();
  app.add_option("noisy", options.noisy, "the recording to clean")->required();
  app.add_option("--clean", options.clean, "what it should sound like: SI-SDR is measured against this");
  app.add_option("--block", options.block, "frames per call")->capture_default_str()->check(CLI::Range(1, 1 << 20));
  app.add_option("--passes", options.passes, "how often the file is streamed; times are medians over the passes")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("-o,--out", options.out, "where the result goes, in the format of the recording");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("denoise: error: ") + error.what() + " (--help shows the options)\n";
  });
  CLI11_PARSE(app, argc, argv);
  return demo(options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "denoise: error: %s\n", error.what());
  return 1;
}
