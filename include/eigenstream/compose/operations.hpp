#ifndef EIGENSTREAM_COMPOSE_OPERATIONS_HPP
#define EIGENSTREAM_COMPOSE_OPERATIONS_HPP

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// What a plan calls of a layer whose type is known at run time only: plain functions, without a look-up for each frame. Null
/// where the layer has no such operation.
///   add_steps(state, x, n, addend, y)   as steps, but each output is added to the number at the same place of `addend`
///                                       unless that is null; addend may be y, but for depthwise kernels
///   map(x, y, n)                        the same to each of n numbers, which begin with channel 0; y may be x
///   is_sum()                            whether it is the sum of its two inputs
template <class T>
struct Operations {
  const void* layer = nullptr;
  Index (*add_steps)(const void*, const StateRef&, const T* x, Index n, const T* addend, T* y) noexcept = nullptr;
  void (*map)(const void*, const T* x, T* y, Index n) noexcept = nullptr;
  bool is_sum = false;  // of its two inputs, number by number
  T* (*input_room)(const void*, const StateRef&, Index n) noexcept = nullptr;
};

template <class L, class T = typename L::Scalar>
Operations<T> operations_of(const L& layer) noexcept {
  Operations<T> all{&layer};
  if constexpr (requires(const L& l, StateRef s, const T* x, T* y) { l.add_steps(s, x, Index{}, x, y); })
    all.add_steps = [](const void* l, const StateRef& s, const T* x, Index n, const T* addend, T* y) noexcept {
      return static_cast<const L*>(l)->add_steps(s, x, n, addend, y);
    };
  if constexpr (requires(const L& l, const T* x, T* y) { l.map(x, y, Index{}); })
    all.map = [](const void* l, const T* x, T* y, Index n) noexcept { static_cast<const L*>(l)->map(x, y, n); };
  if constexpr (requires { layer.is_sum(); }) all.is_sum = layer.is_sum();
  if constexpr (Layer<L>)
    all.input_room = [](const void* l, const StateRef& s, Index n) noexcept { return static_cast<const L*>(l)->input_room(s, n); };
  return all;
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_OPERATIONS_HPP
