#ifndef EIGENSTREAM_CORE_PER_AXIS_HPP
#define EIGENSTREAM_CORE_PER_AXIS_HPP

#include <concepts>          // convertible_to
#include <initializer_list>  // one for each axis
#include <span>              // the same at run time
#include <string>            // messages

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/padding.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// An option of a layer over time and space, for each of its axes in torch's order: time, then height, then width. One value
/// stands for all of them.
/// Errors   Error for another number of values
template <class X, int Axes>
class PerAxis {
 public:
  template <std::convertible_to<X> Value>
  constexpr PerAxis(const Value& all) {
    for (X& each : values_) each = all;
  }
  constexpr PerAxis(std::initializer_list<X> each) : PerAxis(std::span<const X>(each.begin(), each.size())) {}
  constexpr PerAxis(std::span<const X> each) {
    check(each.size() == 1 || each.size() == Axes, "an option for ", Axes, " axes has ", each.size(), " values");
    for (int axis = 0; axis < Axes; ++axis) values_[axis] = each[each.size() == 1 ? 0 : static_cast<std::size_t>(axis)];
  }

  constexpr const X& operator[](int axis) const noexcept { return values_[axis]; }
  constexpr X& operator[](int axis) noexcept { return values_[axis]; }

 private:
  X values_[Axes] = {};
};

/// What a window does along one axis: where its taps lie, and where it goes.
///   window m covers positions m*stride - left + k*dilation, k < taps
struct WindowAxis {
  Index taps = 1;
  Index stride = 1;
  Padding padding = {};
  Index dilation = 1;

  constexpr Index reach() const noexcept { return (taps - 1) * dilation + 1; }
  constexpr bool padded() const noexcept { return padding.left > 0 || padding.right > 0; }
  /// Whether it gives back each position as it is reached.
  constexpr bool is_plain() const noexcept { return taps == 1 && stride == 1 && !padded(); }
  /// Windows over n positions; 0 if none fits.
  constexpr Index windows(Index n) const noexcept {
    const Index room = n + padding.left + padding.right - reach();
    return room < 0 ? 0 : room / stride + 1;
  }
  /// Errors   Error naming the layer and the axis
  void check_sizes(const char* name, const char* axis) const {
    check(taps >= 1, name, ": kernel_size = ", taps, " in ", axis, ", must be at least 1");
    check(stride >= 1, name, ": stride = ", stride, " in ", axis, ", must be at least 1");
    check(dilation >= 1, name, ": dilation = ", dilation, " in ", axis, ", must be at least 1");
    check(padding.left >= 0 && padding.right >= 0, name, ": padding = (", padding.left, ",", padding.right, ") in ", axis,
          ", must not be negative");
  }
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_PER_AXIS_HPP
