#ifndef EIGENSTREAM_CORE_RATE_HPP
#define EIGENSTREAM_CORE_RATE_HPP

#include <numeric>  // gcd

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Quotient rounded towards minus infinity, for a positive divisor.
constexpr Index floor_div(Index a, Index b) noexcept { return a >= 0 ? a / b : -((b - 1 - a) / b); }
/// Quotient rounded towards plus infinity, for a positive divisor.
constexpr Index ceil_div(Index a, Index b) noexcept { return -floor_div(-a, b); }

/// Outputs per input, in lowest terms.
struct Rate {
  Index outputs = 1;
  Index inputs = 1;

  static constexpr Rate of(Index outputs, Index inputs) noexcept {
    const Index g = std::gcd(outputs, inputs);
    return {outputs / g, inputs / g};
  }
  constexpr double value() const noexcept { return static_cast<double>(outputs) / static_cast<double>(inputs); }
  friend constexpr Rate operator*(Rate a, Rate b) noexcept { return of(a.outputs * b.outputs, a.inputs * b.inputs); }
  friend constexpr bool operator==(const Rate&, const Rate&) = default;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_RATE_HPP
