#ifndef EIGENSTREAM_KERNEL_GROUPED_TAP_SUM_HPP
#define EIGENSTREAM_KERNEL_GROUPED_TAP_SUM_HPP

#include <type_traits>  // conditional_t
#include <vector>       // groups

#include "eigenstream/kernel/depthwise.hpp"
#include "eigenstream/kernel/tap_sum.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// What every convolution layer computes, channels in groups: a TapSum for each group or, where groups have one channel in and
/// one out, Depthwise for all of them.
///   y[o] = bias[o] + sum over taps t, inputs i of o's group of w[o][t][i] * x[offset(t) + i]
/// With sizes fixed at compile time there is one group.
template <class T, Index Out = Dynamic, Index Taps = Dynamic, Index In = Dynamic>
class GroupedTapSum {
 public:
  static constexpr bool is_static = In != Dynamic && Out != Dynamic && Taps != Dynamic;

  GroupedTapSum() = default;
  /// w(o, t, i) gives the weight, i counting the inputs of a group; bias(o) the bias. `groups` divides `in` and `out`.
  template <class Weight, class Bias>
  GroupedTapSum(Index in, Index out, Index taps, Index groups, Weight&& weight, Bias&& bias)
      : in_(in / groups), out_(out / groups), all_out_(out) {
    if (groups > 1 && in_ == 1 && out_ == 1) {
      depthwise_ = Depthwise<T>(out, taps, [&](Index c, Index t) { return weight(c, t, 0); }, bias);
      return;
    }
    for (Index g = 0; g < groups; ++g)
      groups_.emplace_back(
          out_, taps, in_, [&](Index o, Index t, Index i) { return weight(g * out_ + o, t, i); },
          [&](Index o) { return bias(g * out_ + o); });
  }

  /// Depthwise may load beyond the last channel, into the next frame or the packet of slack behind a history; TapSum reads
  /// nothing but its inputs.
  bool is_depthwise() const noexcept { return groups_.empty(); }
  /// The weight w(o, t, i) and the bias that were given.
  T weight(Index o, Index t, Index i) const noexcept {
    return is_depthwise() ? depthwise_.weight(o, t) : groups_[static_cast<std::size_t>(o / out_)].weight(o % out_, t, i);
  }
  T bias(Index o) const noexcept {
    return is_depthwise() ? depthwise_.bias(o) : groups_[static_cast<std::size_t>(o / out_)].bias(o % out_);
  }

  /// Computes `columns` columns, `x_step` scalars apart, to y, where they lie one after another.
  EIGENSTREAM_ALWAYS_INLINE void operator()(const T* x, Index x_step, TapOffsets offsets, Index columns, T* y) const noexcept {
    if constexpr (is_static)
      groups_.front()(x, x_step, offsets, columns, y, Out);
    else
      (*this)(x, x_step, offsets, columns, y, all_out_);
  }
  /// The same to columns that are `y_step` scalars apart.
  EIGENSTREAM_ALWAYS_INLINE void operator()(const T* x, Index x_step, TapOffsets offsets, Index columns, T* y,
                                            Index y_step) const noexcept
    requires(!is_static)
  {
    if (groups_.empty()) return depthwise_(x, x_step, offsets, columns, y, y_step);
    for (std::size_t g = 0; g < groups_.size(); ++g)
      groups_[g](x + static_cast<Index>(g) * in_, x_step, offsets, columns, y + static_cast<Index>(g) * out_, y_step);
  }
  /// One column, with sizes fixed at compile time.
  EIGENSTREAM_ALWAYS_INLINE void column(const T* x, TapOffsets offsets, T* y) const noexcept
    requires(is_static)
  {
    groups_.front().column(x, offsets, y);
  }

 private:
  using Kernel = std::conditional_t<is_static, TapSum<T, Out, Taps, In>, TapSum<T>>;

  Index in_ = 0, out_ = 0;  // of a group
  Index all_out_ = 0;
  std::vector<Kernel> groups_;
  Depthwise<T> depthwise_;
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_GROUPED_TAP_SUM_HPP
