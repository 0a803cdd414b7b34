#ifndef EIGENSTREAM_KERNEL_GROUPED_TAP_SUM_HPP
#define EIGENSTREAM_KERNEL_GROUPED_TAP_SUM_HPP

#include <type_traits>  // conditional_t
#include <vector>       // groups

#include "eigenstream/kernel/depthwise.hpp"
#include "eigenstream/kernel/map.hpp"
#include "eigenstream/kernel/tap_sum.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// What every convolution layer computes, channels in groups: a TapSum for each group or, where groups have one channel in and
/// one out, Depthwise for all of them.
///   y[o] = bias[o] + sum over taps t, inputs i of o's group of w[o][t][i] * x[offset(t) + i]
/// With sizes fixed at compile time there is one group, or as many as channels.
template <class T, Index Out = Dynamic, Index Taps = Dynamic, Index In = Dynamic, Index Groups = 1>
class GroupedTapSum {
 public:
  static constexpr bool is_static = In != Dynamic && Out != Dynamic && Taps != Dynamic;
  static constexpr bool is_static_depthwise = is_static && Groups > 1;
  static_assert(Groups == 1 || (is_static && Groups == In && Groups == Out),
                "eigenstream: groups fixed at compile time need In, Out and Taps, and as many channels in and out");

  GroupedTapSum() = default;
  /// w(o, t, i) gives the weight, i counting the inputs of a group; bias(o) the bias. `groups` divides `in` and `out`.
  template <class Weight, class Bias>
  GroupedTapSum(Index in, Index out, Index taps, Index groups, Weight&& weight, Bias&& bias)
      : in_(in / groups), out_(out / groups), all_out_(out) {
    if (groups > 1 && in_ == 1 && out_ == 1) {
      is_depthwise_ = true;
      depthwise_ = Channelwise(out, taps, [&](Index c, Index t) { return weight(c, t, 0); }, bias);
      return;
    }
    for (Index g = 0; g < groups; ++g) {
      Kernel kernel(
          out_, taps, in_, [&](Index o, Index t, Index i) { return weight(g * out_ + o, t, i); },
          [&](Index o) { return bias(g * out_ + o); });
      if (g == 0)
        first_ = std::move(kernel);
      else
        others_.push_back(std::move(kernel));
    }
  }

  bool is_depthwise() const noexcept { return is_depthwise_; }
  /// The weight w(o, t, i) and the bias that were given.
  T weight(Index o, Index t, Index i) const noexcept {
    return is_depthwise() ? depthwise_.weight(o, t) : group(o / out_).weight(o % out_, t, i);
  }
  T bias(Index o) const noexcept {
    return is_depthwise() ? depthwise_.bias(o) : group(o / out_).bias(o % out_);
  }

  /// Computes `columns` columns, `x_step` scalars apart, to y, where they lie one after another. `addend`, unless null, is added
  /// at the end; it lies as y does, and may be y unless the kernel is depthwise.
  EIGENSTREAM_ALWAYS_INLINE void operator()(const T* x, Index x_step, TapOffsets offsets, Index columns, T* y,
                                            const T* addend = nullptr) const noexcept {
    if constexpr (is_static_depthwise)
      depthwise_(x, x_step, offsets, columns, y, Out);
    else if constexpr (is_static)
      first_(x, x_step, offsets, columns, y, Out, addend);
    else
      (*this)(x, x_step, offsets, columns, y, all_out_, addend);
  }
  /// The same to columns that are `y_step` scalars apart.
  EIGENSTREAM_ALWAYS_INLINE void operator()(const T* x, Index x_step, TapOffsets offsets, Index columns, T* y, Index y_step,
                                            const T* addend = nullptr) const noexcept
    requires(!is_static)
  {
    if (is_depthwise_) {
      depthwise_(x, x_step, offsets, columns, y, y_step);
      if (addend != nullptr) add_pointwise(addend, y, columns * y_step);
      return;
    }
    first_(x, x_step, offsets, columns, y, y_step, addend);
    for (const Kernel& other : others_) {
      x += in_, y += out_;
      if (addend != nullptr) addend += out_;
      other(x, x_step, offsets, columns, y, y_step, addend);
    }
  }
  /// One column.
  EIGENSTREAM_ALWAYS_INLINE void column(const T* x, TapOffsets offsets, T* y, const T* addend = nullptr) const noexcept
    requires(!is_static_depthwise)
  {
    if constexpr (!is_static)
      if (is_depthwise_ || !others_.empty()) [[unlikely]]
        return (*this)(x, 0, offsets, 1, y, all_out_, addend);
    first_.column(x, offsets, y, addend);
  }
  /// One column, one group a channel, with sizes fixed at compile time; see Depthwise::append.
  EIGENSTREAM_ALWAYS_INLINE void append(T* first, Index step, const T* newest, T* y) const noexcept
    requires(is_static_depthwise)
  {
    depthwise_.append(first, step, newest, y);
  }

 private:
  using Kernel = std::conditional_t<is_static && !is_static_depthwise, TapSum<T, Out, Taps, In>, TapSum<T>>;
  using Channelwise = std::conditional_t<is_static_depthwise, Depthwise<T, Out, Taps>, Depthwise<T>>;

  const Kernel& group(Index g) const noexcept { return g == 0 ? first_ : others_[static_cast<std::size_t>(g - 1)]; }

  bool is_depthwise_ = false;
  Kernel first_;  // not with the others, so that it is found at once
  std::vector<Kernel> others_;
  Index in_ = 0, out_ = 0;  // of a group
  Index all_out_ = 0;
  Channelwise depthwise_;
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_GROUPED_TAP_SUM_HPP
