#ifndef EIGENSTREAM_KERNEL_REDUCE_HPP
#define EIGENSTREAM_KERNEL_REDUCE_HPP

#include <algorithm>    // max
#include <cmath>        // pow, atan2, fmod
#include <cstring>      // memcpy
#include <string_view>  // names

#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How the branches of a network become one: number by number, from the first branch to the last, or their channels one
/// after the other. Those behind `concat` are of two, as are difference and quotient: a > b, a >= b and a == b (1 or 0), a
/// where b is not 0 and a where b is 0 (elsewhere 0, whatever a is), a to the power of b, the angle of (b, a), and what is
/// left of a behind whole multiples of b (of b's sign).
enum class Reduce {
  sum, mean, product, max, min, difference, quotient, concat,
  greater, greater_equal, equal, where, where_not, power, atan2, remainder
};

inline constexpr std::string_view reduce_names[] = {
    "sum",     "mean",          "product", "max",   "min",       "difference", "quotient", "concat",
    "greater", "greater_equal", "equal",   "where", "where_not", "power",      "atan2",    "remainder"};
/// Whether it is of exactly two.
constexpr bool of_two(Reduce op) noexcept { return op == Reduce::difference || op == Reduce::quotient || op > Reduce::concat; }
constexpr std::string_view name_of(Reduce op) noexcept { return reduce_names[static_cast<int>(op)]; }

/// The channels of a join, operand by operand: what `so_far` (0 at first) and one of `own` channels give together, 0 if
/// they do not fit.
constexpr Index joined_channels(Reduce op, Index so_far, Index own) noexcept {
  if (op == Reduce::concat) return so_far + own;
  return so_far <= 1 || own == 1 || own == so_far ? std::max(so_far, own) : 0;
}

namespace kernel {

/// y[i] = op(a[i], b[i]) for columns of `channels` numbers, of which a or b may have one for all. y may be a.
template <class T, class Op>
EIGENSTREAM_ALWAYS_INLINE void map_pairs(const T* a, Index a_channels, const T* b, Index b_channels, T* y,
                                         Index channels, Index columns, Op&& op) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  if (a_channels == channels && b_channels == channels) {
    const Index n = channels * columns;
    Index i = 0;
    for (; i + P::lanes <= n; i += P::lanes) op(P::load(a + i), P::load(b + i)).store(y + i);
    if (i < n) op(P::load_first(a + i, n - i), P::load_first(b + i, n - i)).store_first(y + i, n - i);
    return;
  }
  // From the last column to the first: if y is a and a is narrower, none of its numbers is overwritten before its turn.
  for (Index c = columns - 1; c >= 0; --c) {
    const T* left = a + c * a_channels;
    const T* right = b + c * b_channels;
    const P one_left = P::broadcast(left[0]), one_right = P::broadcast(right[0]);
    for (Index i = 0; i < channels; i += P::lanes) {
      const Index n = std::min<Index>(P::lanes, channels - i);
      op(a_channels == 1 ? one_left : P::load_first(left + i, n), b_channels == 1 ? one_right : P::load_first(right + i, n))
          .store_first(y + c * channels + i, n);
    }
  }
}

/// op(a, b) of the operations of two that are seldom.
template <class T, int N>
simd::Packet<T, N> paired(Reduce op, simd::Packet<T, N> a, simd::Packet<T, N> b) noexcept {
  using P = simd::Packet<T, N>;
  const P zero = P::broadcast(T(0)), one = P::broadcast(T(1));
  switch (op) {
    case Reduce::greater: return select_greater(a, b, one, zero);
    case Reduce::greater_equal: return select_greater(a, b, one, select_equal(a, b, one, zero));
    case Reduce::equal: return select_equal(a, b, one, zero);
    case Reduce::where: return select_equal(b, zero, zero, a);
    case Reduce::where_not: return select_equal(b, zero, a, zero);
    case Reduce::power: return lanewise(a, b, [](T p, T q) { return std::pow(p, q); });
    case Reduce::atan2: return lanewise(a, b, [](T p, T q) { return std::atan2(p, q); });
    default:
      return lanewise(a, b, [](T p, T q) {
        const T rest = std::fmod(p, q);
        return rest != T(0) && (rest < T(0)) != (q < T(0)) ? rest + q : rest;
      });
  }
}

/// y = op(a, b) for columns of `channels` numbers (`mean` adds; divide at the end). y may be a.
template <class T>
void reduce_pair(Reduce op, const T* a, Index a_channels, const T* b, Index b_channels, T* y, Index channels,
                 Index columns) noexcept {
  const auto map = [&](auto f) { map_pairs(a, a_channels, b, b_channels, y, channels, columns, f); };
  switch (op) {
    case Reduce::sum:
    case Reduce::mean: return map([](auto p, auto q) { return p + q; });
    case Reduce::product: return map([](auto p, auto q) { return p * q; });
    case Reduce::difference: return map([](auto p, auto q) { return p - q; });
    case Reduce::quotient: return map([](auto p, auto q) { return p / q; });
    case Reduce::max: return map([](auto p, auto q) { return simd::max(p, q); });
    case Reduce::min: return map([](auto p, auto q) { return simd::min(p, q); });
    case Reduce::concat: return;  // not number by number
    default: return map([op](auto p, auto q) { return paired(op, p, q); });
  }
}

/// y[i] /= divisor for n numbers.
template <class T>
void divide_all(T* y, Index n, T divisor) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  const P by = P::broadcast(divisor);
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes) (P::load(y + i) / by).store(y + i);
  if (i < n) (P::load_first(y + i, n - i) / by).store_first(y + i, n - i);
}

/// Copies columns of x_channels numbers to where columns of y_channels numbers have place for them.
template <class T>
EIGENSTREAM_ALWAYS_INLINE void copy_columns(const T* x, Index x_channels, T* y, Index y_channels,
                                            Index columns) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  if (x_channels % P::lanes == 0) {
    for (Index c = 0; c < columns; ++c, x += x_channels, y += y_channels)
      for (Index i = 0; i < x_channels; i += P::lanes) P::load(x + i).store(y + i);
  } else {
    for (Index c = 0; c < columns; ++c, x += x_channels, y += y_channels)
      std::memcpy(y, x, static_cast<std::size_t>(x_channels) * sizeof(T));
  }
}

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_REDUCE_HPP
