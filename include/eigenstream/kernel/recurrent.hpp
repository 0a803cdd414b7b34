#ifndef EIGENSTREAM_KERNEL_RECURRENT_HPP
#define EIGENSTREAM_KERNEL_RECURRENT_HPP

#include <algorithm>  // min

#include "eigenstream/kernel/elementary.hpp"
#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What a recurrent layer does with each frame.
enum class RecurrentCell { rnn_tanh, rnn_relu, gru, lstm };

/// Gates of a cell: how often the hidden units are in the rows of its weights.
constexpr Index gates_of(RecurrentCell cell) noexcept {
  return cell == RecurrentCell::gru ? 3 : cell == RecurrentCell::lstm ? 4 : 1;
}

namespace kernel {

/// The next hidden units, from what the input (a) and the hidden units before (b) say of each gate; a and b hold the gates
/// one after the other, biases included. `before` and y may be the same; `cell` is read and written by an lstm only.
/// Order of operations, the same for every unit wherever it stands:
///   rnn    y = f(a + b)
///   gru    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z),  n = tanh(r b_n + a_n),  y = z (before - n) + n
///   lstm   i, f, o = sigmoid(a + b),  g = tanh(a_g + b_g),  cell = f cell + i g,  y = o tanh(cell)
template <RecurrentCell Cell, class T>
EIGENSTREAM_ALWAYS_INLINE void recurrent_step(const T* a, const T* b, Index hidden, const T* before, T* cell,
                                              T* y) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  const auto units = [&](const auto& load, const auto& store) EIGENSTREAM_INLINE_LAMBDA {
    const auto gate = [&](Index g) EIGENSTREAM_INLINE_LAMBDA { return load(a + g * hidden) + load(b + g * hidden); };
    if constexpr (Cell == RecurrentCell::rnn_tanh) {
      store(simd::tanh(gate(0)), y);
    } else if constexpr (Cell == RecurrentCell::rnn_relu) {
      store(simd::max(gate(0), P::broadcast(T(0))), y);
    } else if constexpr (Cell == RecurrentCell::gru) {
      const P r = simd::sigmoid(gate(0)), z = simd::sigmoid(gate(1));
      const P fresh = simd::tanh(multiply_add(r, load(b + 2 * hidden), load(a + 2 * hidden)));
      store(multiply_add(z, load(before) - fresh, fresh), y);
    } else {
      const P in = simd::sigmoid(gate(0)), forget = simd::sigmoid(gate(1)), out = simd::sigmoid(gate(3));
      const P kept = multiply_add(forget, load(static_cast<const T*>(cell)), in * simd::tanh(gate(2)));
      store(kept, cell);
      store(out * simd::tanh(kept), y);
    }
  };
  Index i = 0;
  for (; i + P::lanes <= hidden; i += P::lanes)
    units([&](const T* from) EIGENSTREAM_INLINE_LAMBDA { return P::load(from + i); },
          [&](P value, T* to) EIGENSTREAM_INLINE_LAMBDA { value.store(to + i); });
  if (i < hidden)
    units([&](const T* from) EIGENSTREAM_INLINE_LAMBDA { return P::load_first(from + i, hidden - i); },
          [&](P value, T* to) EIGENSTREAM_INLINE_LAMBDA { value.store_first(to + i, hidden - i); });
}

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_RECURRENT_HPP
