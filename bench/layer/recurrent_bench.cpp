#include "eigenstream/layer/recurrent.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "layer/recurrent_task.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

// Through Stream, as a user calls it.
template <class Net>
class Ours {
 public:
  explicit Ours(const RecurrentTask& task)
      : stream_(Net({.input = es::Weights<float>(task.weight),
                     .hidden = es::Weights<float>(task.recurrent),
                     .input_bias = es::Weights<float>(task.bias),
                     .hidden_bias = es::Weights<float>(task.recurrent_bias)})) {}
  Index operator()(In x, Out y) { return stream_.process(x, y); }

 private:
  es::Stream<Net> stream_;
};

template <Index Units>
void register_ours() {
  register_recurrent<Ours<es::Rnn<float, Units, Units>>>(Cell::rnn, "ours-static", Units);
  register_recurrent<Ours<es::Rnn<float>>>(Cell::rnn, "ours-dynamic", Units);
  register_recurrent<Ours<es::Gru<float, Units, Units>>>(Cell::gru, "ours-static", Units);
  register_recurrent<Ours<es::Gru<float>>>(Cell::gru, "ours-dynamic", Units);
  register_recurrent<Ours<es::Lstm<float, Units, Units>>>(Cell::lstm, "ours-static", Units);
  register_recurrent<Ours<es::Lstm<float>>>(Cell::lstm, "ours-dynamic", Units);
  register_recurrent<Ours<es::FastLstm<float>>>(Cell::fast_lstm, "ours-dynamic", Units);
}

const bool registered =
    (register_ours<8>(), register_ours<16>(), register_ours<32>(), register_ours<64>(), register_ours<128>(), true);

}  // namespace
}  // namespace bench
