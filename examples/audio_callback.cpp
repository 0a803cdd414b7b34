// A stereo effect as an audio host sees it: one buffer per channel, a fixed block, in place, on a thread that must not
// allocate. The network has one output per input and looks no further ahead than it tells the host.
#include <cmath>
#include <cstdio>
#include <eigenstream.hpp>
#include <vector>

#include "count_allocations.hpp"

namespace es = eigenstream;
using es::Index;

// Looks two frames ahead and six back.
auto make_network() {
  const Eigen::Tensor<float, 3> first = Eigen::Tensor<float, 3>(8, 2, 5).setRandom() * 0.3f;
  const Eigen::Tensor<float, 3> second = Eigen::Tensor<float, 3>(2, 8, 5).setRandom() * 0.1f;
  return es::sequential(es::Conv1d<float>(first, {}, {.padding = {2, 2}}), es::Tanh<float>{},
                        es::Conv1d<float>(second, {}, {.padding = es::Padding::causal(5)}));
}

class Effect {
 public:
  // Not on the audio thread: weights are packed and the stream's memory is taken here. The zeros that warm_up feeds
  // stand for the silence before the signal: from then on every call gives as many frames as it takes.
  void prepare() {
    stream_.clean_state();
    stream_.warm_up();
  }
  // What a host asks for to line the effect up with other tracks.
  Index latency_frames() const { return stream_.delay(); }
  // On the audio thread: no allocation, no lock, no system call.
  void process(float* const* channels, Index frames) {
    const es::FlushDenormals guard;
    const Index written = stream_.process_planar(channels, frames, channels);
    if (written != frames) wrong_calls_ += 1;
  }
  int wrong_calls() const { return wrong_calls_; }

 private:
  decltype(es::Stream(make_network())) stream_{make_network()};
  int wrong_calls_ = 0;
};

int main() {
  constexpr Index block = 64, blocks = 500;
  Effect effect;
  effect.prepare();

  std::vector<float> left(block), right(block);
  float* channels[] = {left.data(), right.data()};
  float phase = 0, loudest = 0;
  const long before = allocations;
  for (Index call = 0; call < blocks; ++call) {
    for (std::size_t t = 0; t < left.size(); ++t, phase += 0.05f) left[t] = right[t] = 0.5f * std::sin(phase);
    effect.process(channels, block);
    for (const float sample : left) loudest = std::fmax(loudest, std::fabs(sample));
  }
  es::check(allocations == before, "the callback allocated ", allocations - before, " times");
  es::check(effect.wrong_calls() == 0, effect.wrong_calls(), " calls gave too few or too many frames");
  es::check(loudest > 0 && std::isfinite(loudest), "no sound");
  std::printf("%td calls of %td frames, latency %td frames, no allocation, loudest sample %.3f\n", blocks, block,
              effect.latency_frames(), static_cast<double>(loudest));
}
