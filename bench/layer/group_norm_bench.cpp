#include "eigenstream/layer/group_norm.hpp"

#include <cmath>  // sqrt

#include "eigenstream/window/windowed.hpp"
#include "support/run.hpp"

// One item is one frame of a window; parameters: groups, channels, frames of a window. In place of a peer, the formula
// in Eigen's expressions, with sizes at run time.

namespace bench {
namespace {

namespace es = eigenstream;

struct Sizes {
  Index groups, channels, frames;
};

struct Parameters {
  explicit Parameters(const Sizes& s)
      : weight(Noise(2).signal(s.channels, 1)),
        bias(Noise(3).signal(s.channels, 1)),
        x(Noise(1).signal(s.channels, s.frames)) {}
  Signal weight, bias, x;
};

void plain(const Sizes& s, const Parameters& p, const Signal& x, Signal& y) {
  const Index members = s.channels / s.groups;
  for (Index g = 0; g < s.groups; ++g) {
    const auto in = x.middleRows(g * members, members).array();
    const float mean = in.mean();
    const float scale = 1 / std::sqrt((in - mean).square().mean() + 1e-5f);
    const Eigen::ArrayXf a = p.weight.middleRows(g * members, members).array() * scale;
    const Eigen::ArrayXf b = p.bias.middleRows(g * members, members).array() - mean * a;
    y.middleRows(g * members, members).array() = (in.colwise() * a).colwise() + b;
  }
}

void run_ours(benchmark::State& state, const Sizes& s) {
  const Parameters p(s);
  const es::GroupNorm<float> norm(s.groups, es::Weights<float>(p.weight.col(0)), es::Weights<float>(p.bias.col(0)));
  const es::FrameShape in{s.channels, s.frames};
  es::StateBlock scratch(0, in, norm.facts(in).scratch_bytes);
  const es::Frames<const float> from(p.x.data(), in, 1);
  Signal expected(s.channels, s.frames), y(s.channels, s.frames);
  const es::Frames<float> to(y.data(), in, 1);
  plain(s, p, p.x, expected);
  norm.steps(scratch.ref(), from, to);
  if ((y - expected).cwiseAbs().maxCoeff() > 1e-4f) return state.SkipWithError("differs from the formula");
  for (auto _ : state) {
    norm.steps(scratch.ref(), from, to);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * s.frames);
}
void run_plain(benchmark::State& state, const Sizes& s) {
  const Parameters p(s);
  Signal y(s.channels, s.frames);
  for (auto _ : state) {
    plain(s, p, p.x, y);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * s.frames);
}

const bool registered = [] {
  for (const Sizes s : {Sizes{4, 16, 512}, Sizes{4, 24, 128}, Sizes{4, 32, 64}, Sizes{8, 64, 256}, Sizes{3, 3, 2048}}) {
    const auto add = [&](const char* variant, void (*f)(benchmark::State&, const Sizes&)) {
      benchmark::RegisterBenchmark(name("GroupNorm", variant, {s.groups, s.channels, s.frames}).c_str(),
                                   [s, f](benchmark::State& state) { f(state, s); });
    };
    add("ours", run_ours);
    add("plain_Eigen", run_plain);
  }
  return true;
}();

}  // namespace
}  // namespace bench
