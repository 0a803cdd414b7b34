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
  constexpr bool is_lstm = is_lstm_cell(Cell);
  Index in = r.integer("input_size");
  const Index hidden = r.integer("hidden_size"), layers = r.integer("num_layers");
  const Index projected = is_lstm ? r.integer("proj_size") : 0;
  r.check(projected < hidden, "proj_size = ", projected, ", must be from 0 to ", hidden - 1);
  const Index out = projected > 0 ? projected : hidden, rows = gates_of(Cell) * hidden;
  const Index directions = both ? 2 : 1;
  const Weights<float> h0 = r.weight("h0", {layers * directions, out});
  const Weights<float> c0 = is_lstm ? r.weight("c0", {layers * directions, hidden}) : Weights<float>();
  const auto row = [](const Weights<float>& all, Index k) {
    if (all.empty()) return Weights<float>();
    const Index n = all.shape[1];
    return Weights<float>({n}, {all.values.begin() + k * n, all.values.begin() + (k + 1) * n});
  };
  for (Index k = 0; k < layers; ++k, in = directions * out) {
    const auto direction = [&](Index number, const std::string& suffix) {
      const std::string end = "_l" + std::to_string(k) + suffix;
      RecurrentWeights<float> w{r.weight("weight_ih" + end, {rows, in}), r.weight("weight_hh" + end, {rows, out})};
      w.input_bias = r.weight("bias_ih" + end, {rows});
      w.hidden_bias = r.weight("bias_hh" + end, {rows});
      if (is_lstm) w.projection = r.weight("weight_hr" + end, {out, hidden});
      w.h0 = row(h0, directions * k + number), w.c0 = row(c0, directions * k + number);
      return L(w);
    };
    const L forwards = direction(0, "");
    add(forwards, both ? std::optional<L>(direction(1, "_reverse")) : std::nullopt);
  }
}

template <RecurrentCell Cell>
Built build_recurrent(ModuleReader& r) {
  const bool both = r.boolean("bidirectional");
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

inline constexpr std::string_view cumulative_names[] = {"sum", "product", "max", "min"};
// A text that an RNN's activation is called by.
inline constexpr std::string_view nonlinearities[] = {"tanh", "relu"};

inline Built build_rnn(ModuleReader& r, const FrameShape&) {
  if (r.text("nonlinearity") == "tanh") return build_recurrent<RecurrentCell::rnn_tanh>(r);
  return build_recurrent<RecurrentCell::rnn_relu>(r);
}

inline Built build_lstm(ModuleReader& r, const FrameShape&) {
  if (r.boolean("fast_tanh")) return build_recurrent<RecurrentCell::lstm_fast>(r);
  return build_recurrent<RecurrentCell::lstm>(r);
}

/// Recurrent layers, and what else goes on for ever: the types that model files may hold.
inline void add_recurrent_types(Registry& registry) {
  using F = ModuleField;
  const F input = F::integer("input_size", required, "channels of x"), hidden = F::integer("hidden_size", required, "`H`");
  const F layers = F::integer("num_layers", 1, "one behind the other", 1, 64),
          bias = F::boolean("bias", true, "whether there are some");
  const F both =
      F::boolean("bidirectional", false, "whether a second layer runs backwards, its channels behind; inside a Windowed only");
  const F initial = F::boolean("initial_state", false, "whether every signal begins with `h0` and `c0`, else with 0");
  // With the rows of the gates.
  const auto add = [&](ModuleType type, std::string_view rows, std::string_view input_shape, std::string_view hidden_shape) {
    constexpr std::string_view later = "from the second layer on, as many columns as the one before gives channels";
    std::vector<ModuleTensor> tensors{
        {"weight_ih_l<k>", input_shape, "", later},
        {"weight_hh_l<k>", hidden_shape, ""},
        {"bias_ih_l<k>", rows, "bias"},
        {"bias_hh_l<k>", rows, "bias"},
        {"h0", "num_layers, hidden_size", "initial_state", "a row for each layer, two in both directions"}};
    type.tensors.insert(type.tensors.begin(), tensors.begin(), tensors.end());
    type.group = "Layers that remember";
    registry.add(std::move(type));
  };
  constexpr std::string_view notes =
      "PyTorch's: a frame out for each frame in, of that frame and all before it; the output is `h` of the last layer. "
      "Tensors are numbered by layer, `k` from 0 on; in both directions there are the same once more with `_reverse` behind. "
      "a[t] = weight_ih x[t] + bias_ih and b[t] = weight_hh h[t-1] + bias_hh hold the gates one after the other.";
  registry.add({.name = "Cumulative",
                .group = "Layers that remember",
                .summary = "What all frames so far give together, of each channel by itself, worked out in double",
                .formula = "y[c,t] = op over s = 0 ... t of x[c,s]",
                .fields = {F::text("op", required, "as torch.cumsum, cumprod, cummax and cummin", cumulative_names)},
                .build = [](ModuleReader& r, const FrameShape&) { return Built(Cumulative<float>(r.reduce("op"))); }});
  add({.name = "RNN",
       .torch = "torch.nn.RNN",
       .summary = "Plain recurrent layers",
       .formula = "h[t] = tanh(a[t] + b[t]), or max(a[t] + b[t], 0)",
       .notes = notes,
       .fields = {input, hidden, layers, bias, both,
                  F::text("nonlinearity", "tanh", "relu: the second of them", nonlinearities), initial},
       .build = build_rnn},
      "hidden_size", "hidden_size, input_size", "hidden_size, hidden_size");
  add({.name = "GRU",
       .torch = "torch.nn.GRU",
       .summary = "Gated recurrent units",
       .formula = "r = sigmoid(a_r + b_r),  z = sigmoid(a_z + b_z)    gates r, z, n\n"
                  "h[t] = (1 - z) * tanh(a_n + r * b_n) + z * h[t-1]",
       .notes = notes,
       .fields = {input, hidden, layers, bias, both, initial},
       .build = [](ModuleReader& r, const FrameShape&) { return build_recurrent<RecurrentCell::gru>(r); }},
      "3 * hidden_size", "3 * hidden_size, input_size", "3 * hidden_size, hidden_size");
  add({.name = "LSTM",
       .torch = "torch.nn.LSTM",
       .summary = "Long short-term memory",
       .formula = "c[t] = sigmoid(a_f + b_f) * c[t-1] + sigmoid(a_i + b_i) * tanh(a_g + b_g)    gates i, f, g, o\n"
                  "h[t] = sigmoid(a_o + b_o) * tanh(c[t])\n"
                  "h[t] = weight_hr (sigmoid(a_o + b_o) * tanh(c[t]))    with proj_size",
       .notes = notes,
       .fields = {input, hidden, layers, bias, both,
                  F::integer("proj_size", 0, "channels of h, less than `H`; 0: `H` of them", 0), initial,
                  F::boolean("fast_tanh", false, "whether Fasttanh stands for tanh, and (Fasttanh(x / 2) + 1) / 2 for sigmoid")},
       .tensors = {{"c0", "num_layers, hidden_size", "initial_state"},
                   {"weight_hr_l<k>", "proj_size, hidden_size", "proj_size"}},
       .build = build_lstm},
      "4 * hidden_size", "4 * hidden_size, input_size", "4 * hidden_size, hidden_size");
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_RECURRENT_HPP
