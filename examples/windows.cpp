// What needs the whole signal, run over windows of an endless one: cut with a Snapshotter, as a function, as a stream
// and without a copy; a classifier with GroupNorm and a mean over time; a chain that cuts, works and puts back.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <eigenstream.hpp>
#include <numbers>
#include <vector>

namespace es = eigenstream;
using es::Index;
using Tensor = Eigen::Tensor<float, 2>;

es::Conv1d<float> conv(Index out, Index in, Index taps, es::Conv1dOptions options = {}) {
  const Eigen::Tensor<float, 3> weight = Eigen::Tensor<float, 3>(out, in, taps).setRandom() * 0.3f;
  const Eigen::VectorXf bias = Eigen::VectorXf::Random(out);
  return es::Conv1d<float>(weight, bias, options);
}

int main() {
  Tensor x(2, 4096);  // two channels
  x.setRandom();
  const es::Frames<const float> signal(x);

  // As in ml4gw: each update of 4 * 128 samples gives 4 windows of 1024, and the state for the next one.
  const es::Snapshotter<float> snapshotter(2, 1024, 128, 4);
  auto [first, state] = snapshotter(signal.slice(0, 512));
  auto [second, after] = snapshotter(signal.slice(512, 512), state);
  std::printf("function: %td windows of %td samples; the first %td hold zeros from before the start\n",
              second.dimension(2), second.dimension(1), snapshotter.incomplete());

  // The same as a stream, which takes updates of any length; a frame of it is a window.
  es::Stream windows(snapshotter);
  Tensor some = windows(signal.slice(0, 300));
  const Tensor more = windows(signal.slice(300, 724));
  const auto as_tensor = snapshotter.snapshots(some);  // (2, 1024, 2), no copy
  es::check(as_tensor(1, 1023, 1) == first(1, 1023, 1), "stream and function differ");
  es::check(std::equal(&more(0, 5), &more(0, 5) + more.dimension(0), &second(0, 0, 3)), "stream and function differ");

  // And without a copy: each window as a view into the ring buffer.
  es::Stream viewing(snapshotter);
  float loudest = 0;
  viewing.visit(signal, [&](es::Frames<const float> window) {
    float energy = 0;
    for (Index i = 0; i < window.scalars(); ++i) energy += window.data[i] * window.data[i];
    loudest = std::max(loudest, std::sqrt(energy / static_cast<float>(window.scalars())));
  });
  std::printf("views:    the loudest window has an RMS of %.3f\n", static_cast<double>(loudest));

  // A classifier that no stream could run: every output of GroupNorm and of the mean depends on the whole signal.
  // What goes over time elsewhere goes along each window.
  const auto classifier = es::sequential(
      es::along(conv(16, 2, 8, {.stride = 4, .padding = 2})), es::GroupNorm<float>(4, 16), es::Silu<float>{},
      es::residual(es::along(conv(16, 16, 3, {.padding = 1})), es::GroupNorm<float>(4, 16), es::Silu<float>{}),
      es::AdaptiveAvgPool1d<float>(1), es::Linear<float>(Eigen::MatrixXf::Random(3, 16)), es::Softmax<float>{});
  es::Stream classes(es::Windowed(classifier, snapshotter));
  const Tensor probabilities = classes.forward(x);
  std::printf("windowed: %td frames in, %td times %td probabilities out, one every %td frames\n", x.dimension(1),
              probabilities.dimension(1), probabilities.dimension(0), classes.stride());

  // Cut, do something to each window, weigh, and put back: the time line is the signal's own.
  std::vector<double> hann;
  for (Index p = 0; p < 256; ++p)
    hann.push_back(0.5 - 0.5 * std::cos(2 * std::numbers::pi * (static_cast<double>(p) + 0.5) / 256));
  const auto cut = es::Windowed(es::GroupNorm<float>(2, 2), 256, 64, {.padding = {192, 192}});
  const auto back = es::OverlapAdd<float>(2, 256, 64, {.window = hann, .normalise = true, .left = 192, .right = 192});
  es::Stream levelled(es::sequential(cut, back));
  const Tensor y = levelled.forward(x);
  es::check(y.dimension(1) == x.dimension(1), "not the signal's length");

  // All of it obeys the law: any chunks, the same bits.
  Index at = 0, same = 0;
  for (const es::Frames<const float> chunk : es::chunks(signal, 100)) {
    const bool last = at + chunk.count == signal.count;
    const Tensor part = last ? levelled(chunk, es::final) : levelled(chunk);
    es::check(std::equal(part.data(), part.data() + part.size(), &y(0, 0) + same), "the chunks differ");
    same += part.size();
    at += chunk.count;
  }
  es::check(same == y.size(), "frames are missing");
  std::printf("put back: %td frames, the same in chunks; delay %td frames\n", y.dimension(1), levelled.delay());
}
