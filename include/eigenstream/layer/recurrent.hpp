#ifndef EIGENSTREAM_LAYER_RECURRENT_HPP
#define EIGENSTREAM_LAYER_RECURRENT_HPP

#include <algorithm>  // copy_n, min
#include <vector>     // initial state

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/recurrent.hpp"
#include "eigenstream/kernel/tap_sum.hpp"
#include "eigenstream/memory/room.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Weights of one recurrent layer, as PyTorch has them; G gates of H hidden units, R outputs (H without a projection).
template <class T>
struct RecurrentWeights {
  Weights<T> input;            ///< weight_ih (G*H,C)
  Weights<T> hidden;           ///< weight_hh (G*H,R)
  Weights<T> input_bias = {};   ///< bias_ih (G*H), or empty
  Weights<T> hidden_bias = {};  ///< bias_hh (G*H), or empty
  Weights<T> projection = {};   ///< weight_hr (R,H) of an LSTM, or empty
  Weights<T> h0 = {};           ///< (R) that a signal starts with, or empty for zeros
  Weights<T> c0 = {};           ///< (H) of an LSTM, or empty for zeros
};

/// A recurrent layer over time: what it gives for a frame depends on all frames before.
///   rnn    h = tanh(a),  a = W x + b + V h' + c           (or max(a, 0)); h' is h of the frame before
///   gru    r, z = sigmoid(a_r), sigmoid(a_z),  n = tanh(W_n x + b_n + r (V_n h' + c_n)),  h = (1 - z) n + z h'
///   lstm   i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o),  g = tanh(a_g),  c = f c' + i g,  h = o tanh(c), or with
///          a projection P o tanh(c); lstm_fast: with rational functions near tanh and the sigmoid
/// Before the first frame h' and c' are 0, or h0 and c0.
/// Shapes   x (C,T) or (C,B,T) -> y (R,T) or (R,B,T); the gates of the weights are in the order r, z, n and i, f, g, o
/// Timing   a frame in, a frame out, at once; the receptive field is unbounded
/// Errors   constructor: Error on shapes that do not belong together. steps/flush: noexcept, no allocation
/// Source   torch.nn.RNN, GRU and LSTM with one layer; several behind one another are num_layers. In both directions they
///          need the whole signal: `bidirectional`, over windows
/// What the input says of a tile of frames is one matrix product ahead, but with few units: there the step itself takes
/// the frame. The state is h, and c of an LSTM. C and R may be fixed at compile time (both, without a projection): the
/// same results.
template <RecurrentCell Cell, class T, Index In = Dynamic, Index Hidden = Dynamic>
class Recurrent {
 public:
  using Scalar = T;

  explicit Recurrent(const RecurrentWeights<T>& w) {
    const Weights<T>& hh = w.hidden;
    check(hh.shape.size() == 2 && hh.shape[0] >= gate_count && hh.shape[0] % gate_count == 0 && hh.shape[1] >= 1, name,
          ": weight_hh has shape ", hh.shape_text(), ", expected (", gate_count, "*hidden,hidden)");
    hidden_ = hh.shape[0] / gate_count, out_ = hh.shape[1];
    if (w.projection.empty()) {
      check(out_ == hidden_, name, ": weight_hh has shape ", hh.shape_text(), ", expected (", gate_count,
            "*hidden,hidden)");
    } else {
      check(is_lstm, name, ": a projection belongs to an LSTM only");
      w.projection.expect(name, "weight_hr", {out_, hidden_});
      check(!is_static, name, ": sizes fixed at compile time allow no projection");
    }
    check(w.input.shape.size() == 2 && w.input.shape[0] == gates() && w.input.shape[1] >= 1, name,
          ": weight_ih has shape ", w.input.shape_text(), ", expected (", gates(), ",channels)");
    in_ = w.input.shape[1];
    check(In == Dynamic || in_ == In, name, ": the weight takes ", in_, " input channels, the type ", In);
    check(Hidden == Dynamic || hidden_ == Hidden, name, ": the weight has ", hidden_, " hidden units, the type ",
          Hidden);
    check(w.input_bias.empty() == w.hidden_bias.empty(), name, ": bias_ih and bias_hh come together or not at all");
    const bool bias = !w.input_bias.empty();
    if (bias) {
      w.input_bias.expect(name, "bias_ih", {gates()});
      w.hidden_bias.expect(name, "bias_hh", {gates()});
    }
    if (!w.h0.empty()) w.h0.expect(name, "h0", {out_});
    check(is_lstm || w.c0.empty(), name, ": c0 belongs to an LSTM only");
    if (!w.c0.empty()) w.c0.expect(name, "c0", {hidden_});

    // Both biases are one, but that of a gru's n, of which r multiplies one only.
    const auto bias_of = [&](Index o) {
      if (!bias) return T(0);
      return is_gru && o >= 2 * hidden_ ? w.input_bias(o) : w.input_bias(o) + w.hidden_bias(o);
    };
    steps_ = Steps(
        hidden_, in_, out_, [&](Index o, Index i) { return w.input(o, i); },
        [&](Index o, Index i) { return w.hidden(o, i); }, bias_of,
        [&](Index o) { return bias ? w.hidden_bias(o) : T(0); });
    if (!fused())
      from_input_ = FromInput(
          gates(), 1, in_, [&](Index o, Index, Index i) { return w.input(o, i); }, bias_of);
    if (!w.projection.empty())
      projection_ = kernel::TapSum<T>(
          out_, 1, hidden_, [&](Index o, Index, Index i) { return w.projection(o, i); }, [](Index) { return T(0); });
    projects_ = !w.projection.empty();
    initial_.assign(static_cast<std::size_t>(remembered()), T(0));
    std::copy(w.h0.values.begin(), w.h0.values.end(), initial_.begin());
    std::copy(w.c0.values.begin(), w.c0.values.end(), initial_.begin() + out_);
    parameters_ = w.input.size() + w.hidden.size() + w.input_bias.size() + w.hidden_bias.size() + w.projection.size() +
                  w.h0.size() + w.c0.size();
    fingerprint_ = Fingerprint("Recurrent").add(static_cast<Index>(Cell)).add(in_).add(hidden_);
    for (const Weights<T>* each : {&w.input, &w.hidden, &w.input_bias, &w.hidden_bias}) fingerprint_.add(each->span());
    if (projects_) fingerprint_.add(w.projection.span());
    fingerprint_.add(std::span<const T>(initial_));
  }

  Index hidden_size() const noexcept { return hidden_; }
  FrameShape wanted() const noexcept { return FrameShape::any(in_); }
  Facts facts(const FrameShape& in) const {
    check_channels(name, in_, in);
    const Index columns = in.columns();
    return {.out = in.with_channels(out_),
            .state_bytes = bytes(remembered() * columns),
            .scratch_bytes = bytes(fused() ? 0 : gates() * columns * tile(in) + Steps::overrun) +
                             bytes(projects_ ? hidden_ * columns : 0),
            .parameters = parameters_,
            .macs = static_cast<double>((gates() * (in_ + out_) + (projects_ ? hidden_ * out_ : 0)) * columns)};
  }
  Timing timing() const { return TimingStage{.recursive = true}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    const Index columns = state.shape.columns();
    for (Index b = 0; b < columns; ++b) {
      std::copy_n(initial_.data(), out_, h(state) + b * out_);
      if constexpr (is_lstm) std::copy_n(initial_.data() + out_, hidden_, c(state) + b * hidden_);
    }
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    static constexpr Index lag = 0;
    const Index columns = x.columns(), most = fused() ? x.count : tile(x.shape());
    T* projected = reinterpret_cast<T*>(state.scratch);
    T* unprojected = projected + bytes(fused() ? 0 : gates() * columns * most + Steps::overrun) / size;
    for (Index at = 0; at < x.count; at += most) {
      const Index n = std::min(most, x.count - at), from_size = fused() ? x.size() : gates() * columns;
      const T* from = x.frame(at);
      if (!fused()) from_input_(from, in_, {&lag, 0}, n * columns, projected, gates()), from = projected;
      if (!projects_) {
        const bool ends = at + n == x.count;
        steps_(from, n, columns, at == 0 ? h(state) : y.frame(at - 1), c(state), y.frame(at),
               ends ? h(state) : nullptr);
        continue;
      }
      for (Index t = 0; t < n; ++t) {
        steps_(from + t * from_size, 1, columns, h(state), c(state), unprojected, nullptr);
        projection_(unprojected, hidden_, {&lag, 0}, columns, h(state), out_);
        std::copy_n(h(state), out_ * columns, y.frame(at + t));
      }
    }
    return x.count;
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    const Index columns = state.shape.columns();
    codec.values(h(state), out_ * columns);
    if constexpr (is_lstm) codec.values(c(state), hidden_ * columns);
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }

 private:
  static constexpr Index gate_count = gates_of(Cell);
  static constexpr bool is_lstm = is_lstm_cell(Cell), is_gru = Cell == RecurrentCell::gru;
  static constexpr bool is_static = In != Dynamic && Hidden != Dynamic;
  static constexpr const char* name = Cell == RecurrentCell::gru ? "GRU" : is_lstm ? "LSTM" : "RNN";
  static constexpr Index size = static_cast<Index>(sizeof(T));
  static constexpr Index fixed_gates = is_static ? gate_count * Hidden : Dynamic, one = is_static ? 1 : Dynamic;
  using FromInput = kernel::TapSum<T, fixed_gates, one, is_static ? In : Dynamic>;
  using Steps = kernel::RecurrentSteps<Cell, T>;

  Index gates() const noexcept { return gate_count * hidden_; }
  Index remembered() const noexcept { return out_ + (is_lstm ? hidden_ : 0); }
  bool fused() const noexcept { return Steps::fuses(is_static ? Hidden : hidden_, is_static ? In : in_); }
  // Packets may run over the end.
  static Index bytes(Index numbers) noexcept { return aligned_bytes(numbers * size) + memory_alignment; }
  // Frames whose gates are worked out from the input at a time.
  Index tile(const FrameShape& shape) const noexcept { return room_for(gates() * shape.columns(), size); }
  static T* h(StateRef state) noexcept { return reinterpret_cast<T*>(state.data); }
  T* c(StateRef state) const noexcept { return h(state) + out_ * state.shape.columns(); }

  Index in_ = 0, hidden_ = 0, out_ = 0, parameters_ = 0;
  bool projects_ = false;
  FromInput from_input_;
  Steps steps_;
  kernel::TapSum<T> projection_;
  std::vector<T> initial_;  // h, then c
  Fingerprint fingerprint_{""};
};

template <class T, Index In = Dynamic, Index Hidden = Dynamic>
using Rnn = Recurrent<RecurrentCell::rnn_tanh, T, In, Hidden>;
template <class T, Index In = Dynamic, Index Hidden = Dynamic>
using RnnRelu = Recurrent<RecurrentCell::rnn_relu, T, In, Hidden>;
template <class T, Index In = Dynamic, Index Hidden = Dynamic>
using Gru = Recurrent<RecurrentCell::gru, T, In, Hidden>;
template <class T, Index In = Dynamic, Index Hidden = Dynamic>
using Lstm = Recurrent<RecurrentCell::lstm, T, In, Hidden>;
/// With FastTanh in the place of tanh, and of the sigmoid by tanh(x / 2): what players of amplifier models do.
template <class T, Index In = Dynamic, Index Hidden = Dynamic>
using FastLstm = Recurrent<RecurrentCell::lstm_fast, T, In, Hidden>;

static_assert(Layer<Rnn<float>> && Layer<RnnRelu<float>> && Layer<Gru<float>> && Layer<Gru<float, 3, 8>> &&
              Layer<Lstm<float>> && Layer<Lstm<float, 2, 16>> && Layer<FastLstm<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_RECURRENT_HPP
