#ifndef EIGENSTREAM_LAYER_CIRCULAR_PAD_HPP
#define EIGENSTREAM_LAYER_CIRCULAR_PAD_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/copy.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Goes around: puts columns from a window's end before its start, and from its start behind its end.
///   y[m] = x[(m - left) mod W]
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y (C, W + left + right, T); neither left nor right is beyond W
/// Timing   none: a frame in, a frame out. A signal has no end that could be put before its start: over windows only
/// Errors   constructor: Error if a number is negative or beyond 2^26; facts: if the frames are narrower
/// Source   torch.nn.functional.pad(mode="circular"), torch.nn.CircularPad1d
template <class T>
class CircularPad : public StatelessLayer<T> {
 public:
  static constexpr Space space_of_type = Space::needed;

  CircularPad(Index left, Index right) : left_(left), right_(right) {
    constexpr Index most = Index{1} << 26;
    check(left >= 0 && left <= most && right >= 0 && right <= most, "CircularPad: left = ", left, ", right = ", right,
          ", must be from 0 to 2^26");
  }

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    check(left_ <= in.width && right_ <= in.width, "CircularPad: left = ", left_, " and right = ", right_, " of only ",
          Index{in.width}, " columns");
    return {.out = in.with_width(in.width + left_ + right_)};
  }
  bool keeps_channels() const noexcept { return true; }
  std::uint64_t fingerprint() const noexcept { return Fingerprint("CircularPad").add(left_).add(right_); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const Index column = x.channels, row = column * x.width;
    const auto copy = [](const T* from, Index n, T*& to) {
      detail::copy_forward(from, n * static_cast<Index>(sizeof(T)), to);
      to += n;
    };
    const T* from = x.data;
    T* to = y.data;
    for (Index rows = x.count * x.height * x.batch; rows > 0; --rows, from += row) {
      copy(from + row - left_ * column, left_ * column, to);
      copy(from, row, to);
      copy(from, right_ * column, to);
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  Index left_, right_;
};

static_assert(Layer<CircularPad<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CIRCULAR_PAD_HPP
