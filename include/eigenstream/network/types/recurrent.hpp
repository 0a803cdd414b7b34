#ifndef EIGENSTREAM_NETWORK_TYPES_RECURRENT_HPP
#define EIGENSTREAM_NETWORK_TYPES_RECURRENT_HPP

#include "eigenstream/compose/bidirectional.hpp"
#include "eigenstream/layer/cumulative.hpp"
#include "eigenstream/layer/recurrent.hpp"
#include "eigenstream/network/registry.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

// torch's RNN, GRU or LSTM of several layers: add(k, forwards, backwards) puts each of them behind the one before. The
// second is there if `bidirectional` is true, which only what sees the whole signal allows.
template <RecurrentCell Cell, class Add>
void read_recurrent(ModuleReader& r, bool both, Add&& add) {
  using L = Recurrent<Cell, float>;
  constexpr bool is_lstm = Cell == RecurrentCell::lstm;
  Index in = r.integer("input_size");
  const Index hidden = r.integer("hidden_size"), layers = r.integer("num_layers", 1, 1, 64);
  const Index projected = is_lstm && hidden > 1 ? r.integer("proj_size", 0, 0, hidden - 1)
                          : is_lstm             ? r.integer("proj_size", 0, 0, 0)
                                                : 0;
  const Index out = projected > 0 ? projected : hidden, rows = gates_of(Cell) * hidden;
  const Index directions = both ? 2 : 1;
  const bool bias = r.boolean("bias", true), initial = r.boolean("initial_state", false);
  const Weights<float> h0 = r.weight_if(initial, "h0", {layers * directions, out});
  const Weights<float> c0 = r.weight_if(initial && is_lstm, "c0", {layers * directions, hidden});
  const auto row = [](const Weights<float>& all, Index k) {
    if (all.empty()) return Weights<float>();
    const Index n = all.shape[1];
    return Weights<float>({n}, {all.values.begin() + k * n, all.values.begin() + (k + 1) * n});
  };
  for (Index k = 0; k < layers; ++k, in = directions * out) {
    const auto direction = [&](Index number, const std::string& suffix) {
      const std::string end = "_l" + std::to_string(k) + suffix;
      RecurrentWeights<float> w{r.weight("weight_ih" + end, {rows, in}), r.weight("weight_hh" + end, {rows, out})};
      w.input_bias = r.weight_if(bias, "bias_ih" + end, {rows});
      w.hidden_bias = r.weight_if(bias, "bias_hh" + end, {rows});
      w.projection = r.weight_if(projected > 0, "weight_hr" + end, {out, hidden});
      w.h0 = row(h0, directions * k + number), w.c0 = row(c0, directions * k + number);
      return L(w);
    };
    const L forwards = direction(0, "");
    add(forwards, both ? std::optional<L>(direction(1, "_reverse")) : std::nullopt);
  }
}

template <RecurrentCell Cell>
Built build_recurrent(ModuleReader& r) {
  const bool both = r.boolean("bidirectional", false);
  r.check(!both || r.in_window(),
          "runs in both directions, so it needs the whole signal and cannot run over a stream: put it inside a Windowed");
  std::vector<AnyLayer<float>> layers;
  read_recurrent<Cell>(r, both, [&](const auto& forwards, const auto& backwards) {
    if (backwards)
      layers.emplace_back(bidirectional(forwards, *backwards));
    else
      layers.emplace_back(forwards);
  });
  if (layers.size() == 1) return Built(std::move(layers.front()));
  return Built(AnySequential<float>(std::move(layers)));
}

// An RNN's activation.
inline bool reads_tanh(ModuleReader& r) {
  const std::string nonlinearity = r.text("nonlinearity", "tanh");
  r.check(nonlinearity == "tanh" || nonlinearity == "relu", "nonlinearity = \"", nonlinearity,
          "\", must be \"tanh\" or \"relu\"");
  return nonlinearity == "tanh";
}

/// Recurrent layers, and what else goes on for ever: the types that model files may hold.
inline void add_recurrent_types(Registry& registry) {
  registry.add("RNN", [](ModuleReader& r, const FrameShape&) {
    return reads_tanh(r) ? build_recurrent<RecurrentCell::rnn_tanh>(r)
                                 : build_recurrent<RecurrentCell::rnn_relu>(r);
  });
  registry.add("GRU", [](ModuleReader& r, const FrameShape&) { return build_recurrent<RecurrentCell::gru>(r); });
  registry.add("Cumulative", [](ModuleReader& r, const FrameShape&) { return Built(Cumulative<float>(r.reduce("op"))); });
  registry.add("LSTM", [](ModuleReader& r, const FrameShape&) { return build_recurrent<RecurrentCell::lstm>(r); });
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_RECURRENT_HPP
