#include "eigenstream/layer/conv.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "layer/conv1d_task.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

// Through Stream, as a user calls it.
template <class Net>
class Ours {
 public:
  Ours(const Conv1dTask& task, Index) : stream_(net(task)) {}
  Index operator()(In x, Out y) { return stream_.process(x, y); }

 private:
  static Net net(const Conv1dTask& task) {
    const Index channels = task.channels(), taps = Conv1dTask::taps;
    es::Weights<float> weight({channels, channels, taps},
                              std::vector<float>(static_cast<std::size_t>(channels * channels * taps)));
    for (Index o = 0, at = 0; o < channels; ++o)
      for (Index i = 0; i < channels; ++i)
        for (Index k = 0; k < taps; ++k, ++at)
          weight.values[static_cast<std::size_t>(at)] = task.weight[static_cast<std::size_t>(k)](o, i);
    return Net(weight, es::Weights<float>(task.bias), {.padding = es::Padding::causal(taps)});
  }
  es::Stream<Net> stream_;
};

template <Index Channels>
void register_ours() {
  register_conv1d<Ours<es::Conv1d<float, Channels, Channels, Conv1dTask::taps>>>("ours-static", Channels);
  register_conv1d<Ours<es::Conv1d<float>>>("ours-dynamic", Channels);
}

const bool registered =
    (register_ours<4>(), register_ours<8>(), register_ours<16>(), register_ours<32>(), register_ours<64>(),
     register_ours<128>(), true);

}  // namespace
}  // namespace bench
