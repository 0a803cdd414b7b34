#ifndef EIGENSTREAM_WINDOW_RECURRENT_HPP
#define EIGENSTREAM_WINDOW_RECURRENT_HPP

#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/activation.hpp"
#include "eigenstream/kernel/tap_sum.hpp"
#include "eigenstream/window/rearrange.hpp"
#include "eigenstream/window/window_net.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What a recurrent layer does with each frame.
enum class RecurrentCell { rnn_tanh, rnn_relu, gru, lstm };

/// Weights of one recurrent layer and direction, as PyTorch has them; G gates of H hidden units.
template <class T>
struct RecurrentWeights {
  Weights<T> input;        ///< weight_ih (G*H,C)
  Weights<T> hidden;       ///< weight_hh (G*H,H)
  Weights<T> input_bias;   ///< bias_ih (G*H), or empty
  Weights<T> hidden_bias;  ///< bias_hh (G*H), or empty
};

/// A recurrent layer over a window, from its first frame to its last; before the first, all it remembers is 0.
///   rnn    h = tanh(a),  a = W x + b + V h' + c           (or max(a, 0)); h' is h of the frame before
///   gru    r, z = sigmoid(a_r), sigmoid(a_z),  n = tanh(W_n x + b_n + r (V_n h' + c_n)),  h = (1 - z) n + z h'
///   lstm   i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o),  g = tanh(a_g),  c = f c' + i g,  h = o tanh(c)
/// Shapes   window (C,T) -> (H,T); the gates of the weights are in the order r, z, n and i, f, g, o
/// Errors   constructor: Error on shapes that do not belong together
/// Source   torch.nn.RNN, GRU and LSTM with one layer
/// Behind one another these are torch's num_layers; `bidirectional` puts two side by side.
template <class T>
class Recurrent {
 public:
  using Scalar = T;

  Recurrent(RecurrentCell cell, const RecurrentWeights<T>& w) : cell_(cell) {
    const Index gates = gates_of(cell);
    check(w.hidden.shape.size() == 2 && w.hidden.shape[1] >= 1 && w.hidden.shape[0] == gates * w.hidden.shape[1],
          "Recurrent: weight_hh has shape ", w.hidden.shape_text(), ", expected (", gates, "*hidden,hidden)");
    hidden_ = w.hidden.shape[1];
    check(w.input.shape.size() == 2 && w.input.shape[0] == gates * hidden_ && w.input.shape[1] >= 1,
          "Recurrent: weight_ih has shape ", w.input.shape_text(), ", expected (", gates * hidden_, ",channels)");
    in_ = w.input.shape[1];
    check(w.input_bias.empty() == w.hidden_bias.empty(), "Recurrent: bias_ih and bias_hh come together or not at all");
    const bool bias = !w.input_bias.empty();
    if (bias) {
      w.input_bias.expect("Recurrent", "bias_ih", {gates * hidden_});
      w.hidden_bias.expect("Recurrent", "bias_hh", {gates * hidden_});
    }
    const auto matrix = [&](const Weights<T>& weight, const Weights<T>& biases) {
      return TapSum<T>(
          gates * hidden_, 1, weight.shape[1], [&](Index o, Index, Index i) { return weight(o, i); },
          [&](Index o) { return bias ? biases(o) : T(0); });
    };
    from_input_ = matrix(w.input, w.input_bias);
    from_hidden_ = matrix(w.hidden, w.hidden_bias);
    parameters_ = w.input.size() + w.hidden.size() + w.input_bias.size() + w.hidden_bias.size();
    fingerprint_ = Fingerprint("Recurrent").add(static_cast<Index>(cell)).add(in_).add(hidden_);
    for (const Weights<T>* each : {&w.input, &w.hidden, &w.input_bias, &w.hidden_bias}) fingerprint_.add(each->span());
  }

  /// Gates of a cell: how often the hidden units are in the rows of its weights.
  static constexpr Index gates_of(RecurrentCell cell) noexcept {
    return cell == RecurrentCell::gru ? 3 : cell == RecurrentCell::lstm ? 4 : 1;
  }

  Index in_channels() const noexcept { return in_; }
  WindowShape out_window(WindowShape in) const {
    check(in.channels == in_, "Recurrent: takes ", in_, " channels, not ", in.channels);
    return {hidden_, in.frames};
  }
  Index scratch_bytes(WindowShape in) const noexcept {
    return bytes(gates() * in.frames) + bytes(gates()) + 2 * bytes(hidden_);
  }
  void apply(WindowShape in, const T* x, T* y, std::byte* scratch) const noexcept {
    T* projected = reinterpret_cast<T*>(scratch);  // of all frames, ahead: one matrix product
    T* recurrent = reinterpret_cast<T*>(scratch + bytes(gates() * in.frames));
    T* cell = reinterpret_cast<T*>(scratch + bytes(gates() * in.frames) + bytes(gates()));
    T* zero = reinterpret_cast<T*>(scratch + bytes(gates() * in.frames) + bytes(gates()) + bytes(hidden_));
    static constexpr Index lag = 0;
    from_input_(x, in_, {&lag, 0}, in.frames, projected, gates());
    std::fill_n(cell, hidden_, T(0));
    std::fill_n(zero, hidden_, T(0));
    const T* before = zero;
    for (Index t = 0; t < in.frames; ++t, y += hidden_, projected += gates()) {
      from_hidden_(before, hidden_, {&lag, 0}, 1, recurrent, gates());
      step(projected, recurrent, before, cell, y);
      before = y;
    }
  }
  static constexpr bool in_place() noexcept { return false; }
  Index parameters() const noexcept { return parameters_; }
  double macs(WindowShape in) const noexcept {
    return static_cast<double>(gates() * (in_ + hidden_)) * static_cast<double>(in.frames);
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  using P = simd::Packet<T, simd::max_lanes<T>>;

  Index gates() const noexcept { return gates_of(cell_) * hidden_; }
  static Index bytes(Index numbers) noexcept {
    return aligned_bytes(numbers * static_cast<Index>(sizeof(T))) + memory_alignment;
  }
  // The next hidden units from what the input and the last ones say of each gate.
  void step(const T* a, const T* b, const T* before, T* cell, T* y) const noexcept {
    for (Index i = 0; i < hidden_; i += P::lanes) {
      const Index n = std::min<Index>(P::lanes, hidden_ - i);
      const auto load = [&](const T* from) { return n == P::lanes ? P::load(from + i) : P::load_first(from + i, n); };
      const auto store = [&](P value, T* to) {
        return n == P::lanes ? value.store(to + i) : value.store_first(to + i, n);
      };
      const auto gate = [&](Index g) { return load(a + g * hidden_) + load(b + g * hidden_); };
      switch (cell_) {
        case RecurrentCell::rnn_tanh:
          store(simd::tanh(gate(0)), y);
          break;
        case RecurrentCell::rnn_relu:
          store(simd::max(gate(0), P::broadcast(T(0))), y);
          break;
        case RecurrentCell::gru: {
          const P r = simd::sigmoid(gate(0)), z = simd::sigmoid(gate(1));
          const P fresh = simd::tanh(multiply_add(r, load(b + 2 * hidden_), load(a + 2 * hidden_)));
          store(multiply_add(z, load(before) - fresh, fresh), y);
          break;
        }
        case RecurrentCell::lstm: {
          const P in = simd::sigmoid(gate(0)), forget = simd::sigmoid(gate(1)), out = simd::sigmoid(gate(3));
          const P c = multiply_add(forget, load(cell), in * simd::tanh(gate(2)));
          store(c, cell);
          store(out * simd::tanh(c), y);
          break;
        }
      }
    }
  }

  RecurrentCell cell_;
  Index in_ = 0, hidden_ = 0, parameters_ = 0;
  TapSum<T> from_input_, from_hidden_;
  Fingerprint fingerprint_{""};
};

/// A layer over a window forwards and another one backwards, their channels one after the other.
/// Source   torch: bidirectional=True
template <class T>
WindowNet<T> bidirectional(const WindowNet<T>& forwards, const WindowNet<T>& backwards) {
  return WindowNet<T>::parallel(Reduce::concat, {forwards, {Reverse<T>(), backwards, Reverse<T>()}});
}

static_assert(!Layer<Recurrent<float>> && WindowLayer<Recurrent<float>> && WindowLayer<Recurrent<double>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_RECURRENT_HPP
