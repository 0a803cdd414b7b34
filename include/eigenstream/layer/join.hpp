#ifndef EIGENSTREAM_LAYER_JOIN_HPP
#define EIGENSTREAM_LAYER_JOIN_HPP

#include <algorithm>  // min, max, copy_n, fill_n
#include <span>       // operands

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/reduce.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The shape of a join, operand by operand: what `so_far` (FrameShape::any() at first) and one more give together. An
/// extent of 1 serves for all; along an axis of space, an operand that is longer than the shortest by q loses the first
/// floor(q/2) and the last ceil(q/2).
/// Errors   Error if the channels do not fit, or the batches differ
inline FrameShape joined_shape(Reduce op, const FrameShape& so_far, const FrameShape& own) {
  if (so_far.batch == 0) return own;
  const Index channels = joined_channels(op, so_far.channels, own.channels);
  check(channels > 0, "Reduce: ", name_of(op), " of ", so_far.channels, " and ", own.channels, " channels");
  check(so_far.batch == own.batch, "Reduce: ", name_of(op), " of batches of ", so_far.batch, " and ", own.batch);
  const auto both = [](Index a, Index b) { return a == 1 || b == 1 ? std::max(a, b) : std::min(a, b); };
  return {channels, both(so_far.width, own.width), both(so_far.height, own.height), own.batch};
}

/// Several signals into one, number by number or their channels one after the other.
///   y = op(x_1, x_2, ...), from the first to the last
/// Shapes   x_k (C,T), with space, a batch or neither -> y, as joined_shape says
/// Timing   none: a frame of each in, a frame out
/// Errors   constructor: Error on too few or too many inputs. facts: Error on shapes that do not fit
/// Source   torch: x + y, x * y, torch.cat([x, y], 1), ...
template <class T>
class Join : public StatelessLayer<T> {
 public:
  Join(Reduce op, Index inputs) : op_(op), inputs_(inputs) {
    check(inputs >= 2, "Reduce: ", inputs, " operands, must be at least 2");
    check(inputs == 2 || !of_two(op), "Reduce: ", inputs, " operands for a ",
          name_of(op), ", must be 2");
  }

  Reduce op() const noexcept { return op_; }
  bool is_sum() const noexcept { return op_ == Reduce::sum && inputs_ == 2; }
  Index inputs() const noexcept { return inputs_; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(std::span<const FrameShape> in) const {
    FrameShape all = FrameShape::any();
    for (const FrameShape& own : in) all = joined_shape(op_, all, own);
    return {.out = all};
  }
  std::uint64_t fingerprint() const { return Fingerprint("Reduce").add(static_cast<int>(op_)).add(inputs_); }
  bool keeps_channels() const noexcept { return op_ != Reduce::concat; }
  /// Of two signals, y may be the memory of either, if both and y have equal extents and that one as many channels as y.
  bool in_place() const noexcept { return inputs_ == 2 && op_ != Reduce::concat; }

  Index steps(StateRef, std::span<const Frames<const T>> x, Frames<T> y) const noexcept {
    const Index n = x.front().count;
    bool alike = true;  // but for the channels
    for (const Frames<const T>& in : x) alike = alike && in.width == y.width && in.height == y.height;
    if (alike)
      join_columns(x, y, n * y.columns());
    else
      join_rows(x, y, n);
    if (op_ == Reduce::mean) kernel::divide_all(y.data, y.size() * n, static_cast<T>(x.size()));
    return n;
  }

 private:
  void join_columns(std::span<const Frames<const T>> x, const Frames<T>& y, Index columns) const noexcept {
    if (op_ == Reduce::concat) {
      T* to = y.data;
      for (const Frames<const T>& in : x) {
        kernel::copy_columns(in.data, in.channels, to, y.channels, columns);
        to += in.channels;
      }
      return;
    }
    const T* sum = x[0].data;  // the first is not copied, but read where it is with the second
    Index channels = x[0].channels;
    for (std::size_t k = 1; k < x.size(); ++k) {
      const Index both = std::max<Index>(channels, x[k].channels);
      kernel::reduce_pair(op_, sum, channels, x[k].data, x[k].channels, y.data, both, columns);
      sum = y.data, channels = both;
    }
  }
  // Row by row, as something is left out along an axis, or repeated.
  EIGENSTREAM_OUTLINED void join_rows(std::span<const Frames<const T>> x, const Frames<T>& y, Index n) const noexcept {
    Index channel = 0;  // of concat
    for (std::size_t k = 0; k < x.size(); ++k) {
      const FrameShape& in = x[k].shape();
      const bool one_column = in.width == 1 && y.width > 1, one_row = in.height == 1 && y.height > 1;
      const Index left = one_column ? 0 : (in.width - y.width) / 2, top = one_row ? 0 : (in.height - y.height) / 2;
      const T* from = x[k].data;
      T* to = y.data + channel;
      for (Index frame = 0; frame < n * y.batch; ++frame, from += in.channels * in.width * in.height)
        for (Index h = 0; h < y.height; ++h, to += y.channels * y.width) {
          const T* row = from + ((one_row ? 0 : h + top) * in.width + left) * in.channels;
          if (!one_column) {
            join_row(k == 0, row, in.channels, to, y.channels, y.width);
          } else {
            for (Index w = 0; w < y.width; ++w) join_row(k == 0, row, in.channels, to + w * y.channels, y.channels, 1);
          }
        }
      if (op_ == Reduce::concat) channel += in.channels;
    }
  }
  void join_row(bool first, const T* x, Index channels, T* y, Index all, Index columns) const noexcept {
    if (op_ == Reduce::concat) return kernel::copy_columns(x, channels, y, all, columns);
    if (!first) return kernel::reduce_pair(op_, y, all, x, channels, y, all, columns);
    if (channels == all) return void(std::copy_n(x, channels * columns, y));
    for (Index c = 0; c < columns; ++c) std::fill_n(y + c * all, all, x[c]);
  }

  Reduce op_;
  Index inputs_;
};

static_assert(JoinLayer<Join<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_JOIN_HPP
