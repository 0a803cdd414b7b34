#ifndef EIGENSTREAM_KERNEL_FUNCTION_HPP
#define EIGENSTREAM_KERNEL_FUNCTION_HPP

#include <cmath>        // the functions
#include <string_view>  // names

#include "eigenstream/kernel/elementary.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Functions of one number, by their names in mathematics. round goes to the even one of two that are equally near.
enum class Function {
  expm1, log1p, erf, tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh, sign, floor, ceil, round, trunc
};
inline constexpr const char* function_names[] = {"Expm1", "Log1p", "Erf",   "Tan",   "Asin", "Acos",  "Atan", "Sinh",  "Cosh",
                                                 "Asinh", "Acosh", "Atanh", "Sign",  "Floor", "Ceil", "Round", "Trunc"};

/// How a number compares with another.
enum class Comparison { greater, greater_equal, less, less_equal, equal, not_equal };
inline constexpr std::string_view comparison_names[] = {"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"};

namespace kernel {

/// One of the functions; the standard library's, lane by lane, where there is no packet form.
template <class T, Function f>
struct Elementary {
  static constexpr const char* name = function_names[static_cast<int>(f)];
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    if constexpr (f == Function::expm1) {  // near the greatest numbers, too
      const P one = P::broadcast(T(1));
      return select_greater(x, one, simd::exp_whole_range(x) - one, simd::expm1(x));
    }
    if constexpr (f == Function::log1p) return simd::log1p(x);
    if constexpr (f == Function::erf) return simd::erf(x);
    if constexpr (f == Function::tan) return lanewise(x, [](T v) { return std::tan(v); });
    if constexpr (f == Function::asin) return lanewise(x, [](T v) { return std::asin(v); });
    if constexpr (f == Function::acos) return lanewise(x, [](T v) { return std::acos(v); });
    if constexpr (f == Function::atan) return lanewise(x, [](T v) { return std::atan(v); });
    if constexpr (f == Function::sinh) return lanewise(x, [](T v) { return std::sinh(v); });
    if constexpr (f == Function::cosh) return lanewise(x, [](T v) { return std::cosh(v); });
    if constexpr (f == Function::asinh) return lanewise(x, [](T v) { return std::asinh(v); });
    if constexpr (f == Function::acosh) return lanewise(x, [](T v) { return std::acosh(v); });
    if constexpr (f == Function::atanh) return lanewise(x, [](T v) { return std::atanh(v); });
    if constexpr (f == Function::floor) return lanewise(x, [](T v) { return std::floor(v); });
    if constexpr (f == Function::ceil) return lanewise(x, [](T v) { return std::ceil(v); });
    if constexpr (f == Function::round) return lanewise(x, [](T v) { return std::nearbyint(v); });
    if constexpr (f == Function::trunc) return lanewise(x, [](T v) { return std::trunc(v); });
    if constexpr (f == Function::sign) {
      const P zero = P::broadcast(T(0));
      return select_greater(x, zero, P::broadcast(T(1)), select_greater(zero, x, P::broadcast(T(-1)), zero));
    }
  }
};

/// x to the power of a number
template <class T>
struct Power {
  static constexpr const char* name = "Power";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return lanewise(x, [this](T v) { return std::pow(v, exponent); });
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(exponent);
  }
  T exponent = T(1);
};

/// 1 where x compares with the value as said, else 0
template <class T>
struct Compare {
  static constexpr const char* name = "Compare";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    const P v = P::broadcast(value), yes = P::broadcast(T(1)), no = P::broadcast(T(0));
    switch (op) {
      case Comparison::greater: return select_greater(x, v, yes, no);
      case Comparison::greater_equal: return select_greater(x, v, yes, select_equal(x, v, yes, no));
      case Comparison::less: return select_greater(v, x, yes, no);
      case Comparison::less_equal: return select_greater(v, x, yes, select_equal(x, v, yes, no));
      case Comparison::equal: return select_equal(x, v, yes, no);
      default: return select_equal(x, v, no, yes);
    }
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(static_cast<T>(static_cast<int>(op))); visit(value);
  }
  Comparison op = Comparison::greater;
  T value = T(0);
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_FUNCTION_HPP
