// A network by continual-inference's names: over a clip as a whole, or over its frames one by one as they come.
#include <cstdio>
#include <eigenstream.hpp>
#include <eigenstream/names.hpp>
#include <optional>

namespace es = eigenstream;
namespace co = eigenstream::continual;

es::Weights<float> weight(es::Index out, es::Index in, es::Index taps) {
  Eigen::Tensor<float, 3> values(out, in, taps);
  values.setRandom();
  return values;
}

int main() {
  co::Module net = co::Sequential({
      {"stem", co::Conv1d(weight(8, 2, 3), {}, {.padding = 1})},
      {"scales", co::BroadcastReduce({co::Conv1d(weight(8, 8, 5), {}, {.padding = 2}), co::Conv1d(weight(8, 8, 1)), co::Identity()})},
      {"bound", es::Tanh<float>()},  // any layer of the library's is a module
      {"block", co::Residual(co::Conv1d(weight(8, 8, 3), {}, {.padding = 1}))},
      {"pool", co::AvgPool1d(2)},
  });
  std::printf("receptive field %td, stride %td, padding %td, delay %td frames\n", static_cast<std::ptrdiff_t>(net.receptive_field()),
              static_cast<std::ptrdiff_t>(net.stride()), static_cast<std::ptrdiff_t>(net.padding()),
              static_cast<std::ptrdiff_t>(net.delay()));

  Eigen::Tensor<float, 3> clip(2, 4, 32);  // (channels, batch, frames)
  clip.setRandom();
  const Eigen::Tensor<float, 3> whole = net.forward(clip);

  es::Index outputs = 0;
  for (es::Index t = 0; t < 32; ++t) {
    const Eigen::Tensor<float, 2> frame = clip.chip<2>(t);
    const std::optional<Eigen::Tensor<float, 2>> y = net.forward_step(frame);
    if (!y) continue;  // warming up, or between two outputs
    for (es::Index i = 0; i < y->size(); ++i)
      es::check(y->data()[i] == whole.data()[outputs * y->size() + i], "a step differs from the whole");
    ++outputs;
  }

  // What the end of the clip would add, worked out on a copy; what the state is now, to come back to.
  const auto rest = net.forward_steps(Eigen::Tensor<float, 3>(2, 4, 0), true);
  const std::optional<es::State> state = net.get_state();
  outputs += rest->dimension(2);
  es::check(outputs == whole.dimension(2), "an output is missing");
  net.clean_state();
  net.set_state(state);
  std::printf("%td outputs, the state has %zu bytes\n", outputs, state->bytes().size());
}
