#include "eigenstream/streamer.hpp"

#include <benchmark/benchmark.h>

#include <map>
#include <memory>

namespace bench {
namespace {

namespace st = eigenstream::streamer;
using eigenstream::Index;
using Vector = eigenstream::learn::RowVector<float>;

// Three layers that learn, with an event every ten inputs, whatever they hold: so that PyTorch's stack
// (streamer_torch.py) does the same. One item is one input.
class Stack {
 public:
  explicit Stack(bool images) : model_(arguments(images)), optimizer_(model_), inputs_(7, Vector(model_.input_size())) {
    eigenstream::learn::Random random(1);
    for (Vector& input : inputs_)
      for (float& each : input) each = static_cast<float>(random.uniform(1));
    for (int i = 0; i < 21; ++i) step();  // all layers have had an input
  }
  void step() {
    model_.forward(inputs_[static_cast<std::size_t>(model_.base_counter % 7)]);
    optimizer_.step();
  }

 private:
  static st::StreamerModelArguments arguments(bool images) {
    auto args = st::command_line_arguments();
    args.feature_dim = images ? 1024 : 128, args.modality = images ? "video" : "audio";
    args.buffer_size = 10, args.init_layers = args.max_layers = 3;
    args.modifier_type = st::ModifierType::add, args.modifier = -10, args.force_fixed_buffer = true;
    return args;
  }
  st::StreamerModel<float> model_;
  st::StreamerOptimizer<float> optimizer_;
  std::vector<Vector> inputs_;
};

void streamer(benchmark::State& state, bool images) {
  static std::map<bool, std::unique_ptr<Stack>> stacks;  // which take seconds to build
  std::unique_ptr<Stack>& stack = stacks[images];
  if (stack == nullptr) stack = std::make_unique<Stack>(images);
  for (auto _ : state) stack->step();
  state.SetItemsProcessed(state.iterations());
}

// Whole events, so that what an event's end costs is in every figure.
const bool registered =
    (benchmark::RegisterBenchmark("Streamer/ours/vectors:128", streamer, false)->Iterations(500),
     benchmark::RegisterBenchmark("Streamer/ours/images:128", streamer, true)->Iterations(10), true);

}  // namespace
}  // namespace bench
