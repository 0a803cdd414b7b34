// Which outputs depend on which inputs: read off a network's structure, found by trying, drawn; and whether a streaming
// function of one's own gives the same however its signal is cut.
#include <cstdio>
#include <eigenstream.hpp>
#include <eigenstream/analysis.hpp>
#include <fstream>

namespace es = eigenstream;
using es::Index;
using Tensor = Eigen::Tensor<float, 2>;

// A moving average over four frames that was written for one call: it begins anew with every chunk.
Tensor forgetful(const Tensor& x) {
  Tensor y(x.dimension(0), x.dimension(1));
  for (Index t = 0; t < x.dimension(1); ++t)
    for (Index c = 0; c < x.dimension(0); ++c) {
      float sum = 0;
      for (Index k = std::max<Index>(0, t - 3); k <= t; ++k) sum += x(c, k);
      y(c, t) = sum / 4;
    }
  return y;
}

int main(int argc, char** argv) {
  const Eigen::Tensor<float, 3> weight = Eigen::Tensor<float, 3>(1, 1, 3).setRandom();
  const auto net = es::sequential(es::Conv1d<float>(weight, {}, {.padding = 4, .dilation = 4}), es::Tanh<float>{},
                                  es::Conv1d<float>(weight, {}, {.padding = {2, 0}}));

  // Exactly, without running it.
  const es::DependencyMatrix exact = es::dependency_matrix(net, 24);
  const es::DependencyPlot plot =
      es::plot_dependency_matrix(exact, {.title = "two convolutions", .marks = es::dependency_marks(net.timing())});
  std::printf("%s\n", plot.text().c_str());
  if (argc > 1) std::ofstream(argv[1]) << plot.svg();

  // By trying, for anything that can be called: here the same network, which must show the same.
  const es::DependencyMatrix found = es::infer_dependency_matrix(net, {.channels = 1, .frames = 24});
  es::check(found == exact, "what the structure says is not what happens");
  std::printf("looks ahead %td frames, back %td\n\n", es::lookahead(exact), es::max_history(exact));

  // A function of one's own: offline it looks right, in chunks it is not.
  const es::DependencyMatrix own = es::infer_dependency_matrix(forgetful, {.channels = 2, .frames = 24});
  es::check(es::is_causal(own), "a moving average looks ahead");
  const auto in_chunks = [](const Tensor& chunk, bool) { return forgetful(chunk); };
  const es::StreamingVerdict verdict = es::verify_streaming(in_chunks, {.channels = 2, .frames = 100});
  es::check(!verdict, "it forgets, and nobody noticed");
  std::printf("forgetful: %s\n", verdict.message.c_str());

  // And one that keeps what it needs.
  es::Stream stream(es::AvgPool1d<float>(4, {.stride = 1}), {.channels = 2});
  const auto streaming = [&](const Tensor& chunk, bool last) {
    return last ? stream(chunk, es::final) : stream(chunk);
  };
  const es::StreamingVerdict good = es::verify_streaming(streaming, {.channels = 2, .frames = 100});
  es::check(good.holds(), good.message);
  std::printf("streaming: the law holds, %td chunkings in %td calls\n", good.trials, good.calls);
}
