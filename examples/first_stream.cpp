// Builds a small network by hand and streams a signal through it: however the signal is cut, the result is the same.
#include <algorithm>
#include <cstdio>
#include <eigenstream.hpp>
#include <vector>

namespace es = eigenstream;
using es::Index;

// Random weights in PyTorch's shapes: (out, in, taps) and (out).
Eigen::Tensor<float, 3> weight(Index out, Index in, Index taps) {
  return Eigen::Tensor<float, 3>(out, in, taps).setRandom() * 0.2f;
}
Eigen::VectorXf bias(Index out) { return Eigen::VectorXf::Random(out); }

int main() {
  // Two channels in, eight inside, one out at half the rate; each output waits for two later frames.
  auto block = es::residual(
      es::sequential(es::Conv1d<float>(weight(8, 8, 3), bias(8), {.padding = es::Padding::causal(3, 4), .dilation = 4}),
                     es::Elu<float>{}, es::Conv1d<float>(weight(8, 8, 1), bias(8))));
  auto net = es::sequential(es::Conv1d<float>(weight(8, 2, 4), bias(8), {.stride = 2, .padding = 1}), es::Elu<float>{},
                            block, es::Linear<float>(Eigen::MatrixXf::Random(1, 8)));

  auto stream = es::Stream(net);       // shares the weights, has a state of its own
  Eigen::Tensor<float, 2> x(2, 1000);  // (channels, frames)
  x.setRandom();

  // The whole signal in one call.
  Eigen::Tensor<float, 2> whole = stream.forward(x);

  // The same in pieces of any length. The last call also gives what was waiting for the end; the stream is fresh again.
  es::Frames<const float> signal(x);
  Eigen::Tensor<float, 2> a = stream(signal.slice(0, 300));
  Eigen::Tensor<float, 2> b = stream(signal.slice(300, 1));
  Eigen::Tensor<float, 2> c = stream(signal.from(301), es::final);
  std::vector<float> pieces(a.data(), a.data() + a.size());
  pieces.insert(pieces.end(), b.data(), b.data() + b.size());
  pieces.insert(pieces.end(), c.data(), c.data() + c.size());

  // The same into memory of one's own, 64 frames at a time: no allocation, no lock, no system call.
  std::vector<float> memory(static_cast<std::size_t>(stream.outputs_after(1000, true)));
  es::Frames<float> y(memory.data(), stream.out_shape(), static_cast<Index>(memory.size()));
  Index written = 0;
  for (Index at = 0; at < 1000; at += 64)
    written += stream.process(signal.slice(at, std::min<Index>(64, 1000 - at)), y.from(written));
  written += stream.flush(y.from(written));

  // Equal to the last bit.
  const float *begin = whole.data(), *end = begin + whole.size();
  es::check(std::equal(begin, end, pieces.begin(), pieces.end()), "the pieces differ");
  es::check(std::equal(begin, end, memory.begin(), memory.end()), "the blocks differ");
  std::printf("%td frames in, %td out; receptive field %td, delay %td frames; state %td bytes\n", signal.count, written,
              stream.receptive_field(), stream.delay(), stream.state_bytes());
}
