// Builds a small network by hand and streams a signal through it: however the signal is cut, the result is the same.
#include <algorithm>
#include <cstdio>
#include <eigenstream.hpp>
#include <vector>

namespace es = eigenstream;
using Weight = Eigen::Tensor<float, 3>;  // in PyTorch's shape: (out, in, taps)

int main() {
  // Two channels in, eight inside, one out at half the rate; the block adds its input, aligned by itself.
  const Weight enter = Weight(8, 2, 4).setRandom() * 0.2f, inner = Weight(8, 8, 3).setRandom() * 0.2f;
  auto block = es::residual(es::Conv1d<float>(inner, {}, {.padding = 4, .dilation = 4}), es::Tanh<float>{});
  auto net = es::sequential(es::Conv1d<float>(enter, {}, {.stride = 2, .padding = 1}), es::Elu<float>{}, block,
                            es::Linear<float>(Eigen::MatrixXf::Random(1, 8)));

  auto stream = es::Stream(net);       // shares the weights, has a state of its own
  Eigen::Tensor<float, 2> x(2, 1000);  // (channels, frames)
  x.setRandom();
  Eigen::Tensor<float, 2> whole = stream.forward(x);  // in one call, as offline

  // In pieces, as tensors; or into memory of one's own, without allocation, lock or system call.
  es::Frames<const float> signal(x);
  Eigen::Tensor<float, 2> first = stream(signal.slice(0, 300));
  std::vector<float> pieces(first.data(), first.data() + first.size());
  std::vector<float> rest(static_cast<std::size_t>(stream.outputs_after(1000, true) - first.size()));
  es::Frames<float> y(rest.data(), stream.out_shape(), static_cast<es::Index>(rest.size()));
  es::Index written = 0;
  for (es::Index at = 300; at < 1000; at += 7) written += stream.process(signal.slice(at, 7), y.from(written));
  written += stream.flush(y.from(written));  // what waited for the end; the stream is fresh again
  pieces.insert(pieces.end(), rest.begin(), rest.end());

  es::check(std::equal(pieces.begin(), pieces.end(), whole.data(), whole.data() + whole.size()), "the pieces differ");
  std::printf("%td frames in, %zu out; receptive field %td, delay %td frames; state %td bytes\n", signal.count, pieces.size(),
              stream.receptive_field(), stream.delay(), stream.state_bytes());
}
