#ifndef EIGENSTREAM_CORE_RATE_HPP
#define EIGENSTREAM_CORE_RATE_HPP

#include <concepts>     // signed_integral
#include <numeric>      // gcd
#include <type_traits>  // type_identity_t

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Quotient rounded towards minus infinity, for a positive divisor.
template <std::signed_integral I>
constexpr I floor_div(I a, std::type_identity_t<I> b) noexcept {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}
/// Quotient rounded towards plus infinity, for a positive divisor.
template <std::signed_integral I>
constexpr I ceil_div(I a, std::type_identity_t<I> b) noexcept {
  return -floor_div<I>(-a, b);
}

/// Outputs per input, in lowest terms.
struct Rate {
  Time outputs = 1;
  Time inputs = 1;

  static constexpr Rate of(Time outputs, Time inputs) noexcept {
    const Time g = std::gcd(outputs, inputs);
    return {outputs / g, inputs / g};
  }
  constexpr double value() const noexcept { return static_cast<double>(outputs) / static_cast<double>(inputs); }
  friend constexpr Rate operator*(Rate a, Rate b) noexcept { return of(a.outputs * b.outputs, a.inputs * b.inputs); }
  friend constexpr bool operator==(const Rate&, const Rate&) = default;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_RATE_HPP
