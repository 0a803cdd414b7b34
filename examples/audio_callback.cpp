// A stereo effect as an audio host sees it: one buffer per channel, blocks of any length, in place, on a thread that
// must not allocate. The network goes down to an eighth of the rate and up again, so it gives its outputs eight at a
// time; the block adapter gives the host as many frames as it takes, and tells it by how much they are late.
#include <cmath>
#include <cstdio>
#include <eigenstream.hpp>
#include <vector>

#include "count_allocations.hpp"

namespace es = eigenstream;
using es::Index;

auto make_network() {
  const Eigen::Tensor<float, 3> down = Eigen::Tensor<float, 3>(8, 2, 16).setRandom() * 0.3f;
  const Eigen::Tensor<float, 3> up = Eigen::Tensor<float, 3>(8, 2, 16).setRandom() * 0.1f;
  return es::sequential(es::Conv1d<float>(down, {}, {.stride = 8, .padding = 4}), es::Tanh<float>{},
                        es::ConvTranspose1d<float>(up, {}, {.stride = 8, .padding = 4}));
}

class Effect {
 public:
  // Not on the audio thread: weights are packed and all memory is taken when the effect is made.
  void prepare() { adapter_.reset(); }
  // What a host asks for to line the effect up with other tracks.
  Index latency_frames() const { return adapter_.latency(); }
  // On the audio thread: no allocation, no lock, no system call.
  void process(float* const* channels, Index frames) {
    const es::FlushDenormals guard;
    adapter_.process_planar(channels, frames, channels);
  }

 private:
  decltype(es::BlockAdapter(make_network())) adapter_{make_network()};
};

int main() {
  constexpr Index calls = 500, longest = 100;  // hosts may cut blocks short, for automation or at the end of a loop
  Effect effect;
  effect.prepare();

  std::vector<float> left(longest), right(longest);
  float* channels[] = {left.data(), right.data()};
  float phase = 0, loudest = 0;
  Index silence = 0;  // frames before the first sound
  const long before = allocations;
  for (Index call = 0; call < calls; ++call) {
    const Index frames = call % 7 == 6 ? 13 : longest;
    for (Index t = 0; t < frames; ++t, phase += 0.05f) channels[0][t] = channels[1][t] = 0.5f * std::cos(phase);
    effect.process(channels, frames);
    for (Index t = 0; t < frames; ++t) {
      loudest = std::fmax(loudest, std::fabs(channels[0][t]));
      if (loudest == 0) ++silence;
    }
  }
  es::check(allocations == before, "the callback allocated ", allocations - before, " times");
  es::check(silence == effect.latency_frames(), silence, " frames of silence, latency ", effect.latency_frames());
  es::check(loudest > 0 && std::isfinite(loudest), "no sound");
  std::printf("%td calls of up to %td frames, latency %td frames, no allocation, loudest sample %.3f\n", calls, longest,
              effect.latency_frames(), static_cast<double>(loudest));
}
