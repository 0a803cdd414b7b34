#ifndef EIGENSTREAM_COMPOSE_JOIN_HPP
#define EIGENSTREAM_COMPOSE_JOIN_HPP

#include <algorithm>  // min, max, copy_n, fill_n

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/frame_shape.hpp"
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

namespace detail {

/// Joins frames: Join(op, shape of what comes out, where, frames), then add(frames, shape) for each operand, then
/// finish(operands). `alike` says that all operands have the extents of what comes out, but for the channels.
template <class T>
class Join {
 public:
  EIGENSTREAM_ALWAYS_INLINE Join(Reduce op, const FrameShape& out, T* y, Index frames, bool alike) noexcept
      : op_(op), out_(out), y_(y), frames_(frames), alike_(alike) {}

  EIGENSTREAM_ALWAYS_INLINE void add(const T* x, const FrameShape& in) noexcept {
    if (alike_)
      add_columns(x, in.channels, frames_ * out_.columns());
    else
      add_rows(x, in);
  }
  EIGENSTREAM_ALWAYS_INLINE void finish(Index operands) noexcept {
    if (op_ == Reduce::mean) kernel::divide_all(y_, out_.size() * frames_, static_cast<T>(operands));
  }

 private:
  EIGENSTREAM_ALWAYS_INLINE void add_columns(const T* x, Index channels, Index columns) noexcept {
    if (op_ == Reduce::concat) {
      kernel::copy_columns(x, channels, y_ + channels_, out_.channels, columns);
      channels_ += channels;
    } else if (sum_ == nullptr) {
      sum_ = x, channels_ = channels;  // it is not copied, but read where it is with the next
    } else {
      const Index both = std::max(channels_, channels);
      kernel::reduce_pair(op_, sum_, channels_, x, channels, y_, both, columns);
      sum_ = y_, channels_ = both;
    }
  }
  // Row by row, as something is left out along an axis, or repeated.
  EIGENSTREAM_OUTLINED void add_rows(const T* x, const FrameShape& in) noexcept {
    const bool one_column = in.width == 1 && out_.width > 1, one_row = in.height == 1 && out_.height > 1;
    const Index left = one_column ? 0 : (in.width - out_.width) / 2, top = one_row ? 0 : (in.height - out_.height) / 2;
    T* y = y_;
    for (Index frame = 0; frame < frames_ * out_.batch; ++frame, x += in.channels * in.width * in.height)
      for (Index h = 0; h < out_.height; ++h, y += out_.channels * out_.width) {
        const T* row = x + ((one_row ? 0 : h + top) * in.width + left) * in.channels;
        if (!one_column) {
          add_row(row, in.channels, y, out_.width);
        } else {
          for (Index w = 0; w < out_.width; ++w) add_row(row, in.channels, y + w * out_.channels, 1);
        }
      }
    sum_ = y_;
    if (op_ == Reduce::concat) channels_ += in.channels;
  }
  void add_row(const T* x, Index channels, T* y, Index columns) const noexcept {
    if (op_ == Reduce::concat) return kernel::copy_columns(x, channels, y + channels_, out_.channels, columns);
    if (sum_ != nullptr) return kernel::reduce_pair(op_, y, out_.channels, x, channels, y, out_.channels, columns);
    if (channels == out_.channels) return void(std::copy_n(x, channels * columns, y));
    for (Index c = 0; c < columns; ++c) std::fill_n(y + c * out_.channels, out_.channels, x[c]);
  }

  Reduce op_;
  FrameShape out_;
  T* y_;
  Index frames_;
  bool alike_;
  const T* sum_ = nullptr;  // what the operands so far give
  Index channels_ = 0;      // its channels; for concat, those that are done
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_JOIN_HPP
