// An amplifier model in a plug-in: the calls that a host makes, whatever it is called there, around a .nam file.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <eigenstream/import/import_model.hpp>
#include <eigenstream/kernel/flush_denormals.hpp>
#include <eigenstream/network/load_model.hpp>
#include <eigenstream/stream.hpp>
#include <string>
#include <vector>

#include "../count_allocations.hpp"

namespace es = eigenstream;
using es::Index;

class Amp {
 public:
  // Not on the audio thread. Errors   es::Error naming the place in the file
  explicit Amp(const std::string& path) : model_(es::build_model(es::import_model(path), path + ": ")), stream_(model_.network.layer) {
    es::check(stream_.in_shape().size() == 1 && stream_.out_shape().size() == 1, path, ": a mono amplifier is wanted");
    const auto loudness = model_.metadata.find("loudness");  // of a standard input, in dB; hosts bring models to one level
    if (loudness != model_.metadata.end()) gain_ = static_cast<float>(std::pow(10.0, (-18.0 - std::stod(loudness->second)) / 20));
  }
  double sample_rate_hz() const { return std::stod(model_.metadata.at("sample_rate_hz")); }
  Index latency_frames() const { return stream_.delay(); }
  // Back to the state after silence, where a signal begins: no memory is taken.
  void reset() noexcept { stream_.reset(); }
  // On the audio thread, in place, blocks of any length: no allocation, no lock, no system call.
  void process(float* samples, Index frames) {
    const es::FlushDenormals guard;
    constexpr Index most = 256;
    for (Index at = 0; at < frames; at += most) {
      const Index n = std::min(most, frames - at);
      stream_.process(es::Frames<const float>(samples + at, {.channels = 1}, n), es::Frames<float>(block_, {.channels = 1}, n));
      for (Index t = 0; t < n; ++t) samples[at + t] = gain_ * block_[t];
    }
  }

 private:
  es::Model model_;
  es::Stream<es::AnyLayer<float>> stream_;
  float gain_ = 1, block_[256] = {};
};

int main(int argc, char** argv) {
  Amp amp(argc > 1 ? argv[1] : "examples/amp/overdrive.nam");
  std::vector<float> sound(48000), whole, parts;
  for (std::size_t t = 0; t < sound.size(); ++t)
    sound[t] = 0.3f * std::exp(-static_cast<float>(t) / 20000) * std::sin(0.0144f * static_cast<float>(t));
  whole = parts = sound;
  amp.process(whole.data(), static_cast<Index>(whole.size()));
  amp.reset();
  const long before = allocations;
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t at = 0; at < parts.size(); at += 64) amp.process(parts.data() + at, 64);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  es::check(allocations == before, "the audio thread allocated");
  es::check(parts == whole, "blocks of 64 give another sound than one call");
  const float loudest = *std::max_element(parts.begin(), parts.end());
  es::check(loudest > 0.01f && std::isfinite(loudest), "no sound");
  std::printf("%s: latency %td samples, blocks of 64 take %.2f %% of real time, loudest sample %.3f\n", argc > 1 ? argv[1] : "overdrive.nam",
              amp.latency_frames(), 100 * seconds * amp.sample_rate_hz() / static_cast<double>(parts.size()), static_cast<double>(loudest));
}
