#ifndef EIGENSTREAM_KERNEL_CUMULATE_HPP
#define EIGENSTREAM_KERNEL_CUMULATE_HPP

#include <cmath>   // isnan
#include <limits>  // infinity

#include "eigenstream/kernel/reduce.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// What an operation over nothing gives: sum, product, max or min.
constexpr double neutral(Reduce op) noexcept {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return op == Reduce::max ? -infinity : op == Reduce::min ? infinity : op == Reduce::product ? 1.0 : 0.0;
}

/// y = op(all before, x), frame by frame, number by number, for n frames of `size` numbers. `running` is what was before, and
/// becomes what is before the next frame: in double, so that a sum of floats without end does not stand still soon. NaN stays
/// NaN. y may be x.
template <class T>
void cumulate(Reduce op, const T* x, Index n, Index size, double* running, T* y) noexcept {
  const auto each = [&](auto f) {
    for (Index t = 0; t < n; ++t, x += size, y += size)
      for (Index i = 0; i < size; ++i) {
        running[i] = f(running[i], static_cast<double>(x[i]));
        y[i] = static_cast<T>(running[i]);
      }
  };
  switch (op) {
    case Reduce::product: return each([](double all, double v) { return all * v; });
    case Reduce::max: return each([](double all, double v) { return v > all || std::isnan(v) ? v : all; });
    case Reduce::min: return each([](double all, double v) { return v < all || std::isnan(v) ? v : all; });
    default: return each([](double all, double v) { return all + v; });
  }
}

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_CUMULATE_HPP
