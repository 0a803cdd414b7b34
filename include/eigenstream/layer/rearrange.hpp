#ifndef EIGENSTREAM_LAYER_REARRANGE_HPP
#define EIGENSTREAM_LAYER_REARRANGE_HPP

#include <algorithm>  // copy_n, min

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// What the layers below share: they only move the numbers of a frame, `Derived` those of one signal of a batch.
template <class T, class Derived>
struct Rearrangement : StatelessLayer<T> {
  static constexpr Space space_of_type = Space::needed;
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const { return {.out = static_cast<const Derived&>(*this).out_of(in)}; }
  std::uint64_t fingerprint() const noexcept { return Fingerprint(Derived::name); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const FrameShape one = x.one();
    for (Index i = 0; i < x.count * x.batch; ++i)
      static_cast<const Derived&>(*this).move(one, x.data + i * one.size(), y.data + i * one.size());
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }

 protected:
  // y[row,column] = x[column,row], in squares that stay in the cache.
  static void transpose(Index rows, Index columns, const T* x, T* y) noexcept {
    constexpr Index side = 16;
    for (Index c0 = 0; c0 < columns; c0 += side)
      for (Index r0 = 0; r0 < rows; r0 += side)
        for (Index r = r0; r < std::min(rows, r0 + side); ++r)
          for (Index c = c0; c < std::min(columns, c0 + side); ++c) y[r * columns + c] = x[c * rows + r];
  }
};

}  // namespace detail

/// Exchanges channels and width of a frame, so that what a layer does to channels it does to the frames of a window:
///   es::sequential(es::Transpose<float>{}, es::Softmax<float>{}, es::Transpose<float>{})   // softmax over a window
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y (W,C,T), (W,C,H,T)
/// Timing   none: a frame in, a frame out
/// Errors   none
/// Source   torch: x.transpose(1, 2)
template <class T>
struct Transpose : detail::Rearrangement<T, Transpose<T>> {
  static constexpr const char* name = "Transpose";
  FrameShape out_of(const FrameShape& in) const noexcept { return {in.width, in.channels, in.height, in.batch}; }
  void move(const FrameShape& in, const T* x, T* y) const noexcept {
    for (Index h = 0; h < in.height; ++h, x += in.channels * in.width, y += in.channels * in.width)
      this->transpose(in.channels, in.width, x, y);
  }
};

/// A frame's numbers as channels of a single column, in PyTorch's order: all columns of the first channel, then those of
/// the second, so that a Linear behind it has torch's weights.
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y (C*W*H,T)
/// Timing   none: a frame in, a frame out
/// Errors   facts: Error beyond 2^31 - 1 numbers
/// Source   torch.nn.Flatten
template <class T>
struct Flatten : detail::Rearrangement<T, Flatten<T>> {
  static constexpr const char* name = "Flatten";
  FrameShape out_of(const FrameShape& in) const {
    check(static_cast<double>(in.channels) * static_cast<double>(in.width) * static_cast<double>(in.height) < 2147483648.0,
          "Flatten: a frame of ", in, " has more than 2^31 - 1 numbers");
    return {.channels = in.channels * in.width * in.height, .batch = in.batch};
  }
  void move(const FrameShape& in, const T* x, T* y) const noexcept {
    this->transpose(in.channels, in.width * in.height, x, y);
  }
};

/// The columns of a frame in reverse, so that a layer runs backwards along a window:
///   es::sequential(es::Reverse<float>{}, es::along(layer), es::Reverse<float>{})
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y of the same shape
/// Timing   none: a frame in, a frame out
/// Errors   none
/// Source   torch: x.flip(-1)
template <class T>
struct Reverse : detail::Rearrangement<T, Reverse<T>> {
  static constexpr const char* name = "Reverse";
  static constexpr bool keeps_channels() noexcept { return true; }
  FrameShape out_of(const FrameShape& in) const noexcept { return in; }
  void move(const FrameShape& in, const T* x, T* y) const noexcept {
    const Index row = in.channels * in.width;
    for (Index h = 0; h < in.height; ++h, x += row, y += row)
      for (Index w = 0; w < in.width; ++w)
        std::copy_n(x + w * in.channels, in.channels, y + (in.width - 1 - w) * in.channels);
  }
};

/// A frame's numbers as channels of a single column, in the order in which they lie: all channels of the first column, then
/// those of the second.
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y (C*W*H,T)
/// Timing   none: a frame in, a frame out
/// Errors   facts: Error beyond 2^31 - 1 numbers
/// Source   torch: x.transpose(1, 2).flatten(1)
template <class T>
struct Merge : PassingLayer<T> {
  static constexpr bool keeps_channels() noexcept { return false; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const { return {.out = Flatten<T>().out_of(in)}; }
  std::uint64_t fingerprint() const { return Fingerprint("Merge"); }
};

/// The numbers of a frame, in the order in which they lie, as a frame of another shape: the channel is the fastest, then come
/// width and height. It gives a plain signal the space that a Conv2d goes over, or takes space away as Merge does.
/// Shapes   x (C,T), (C,W,T), (C,W,H,T), with a batch or without -> y of the given shape with as many numbers
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error if an extent is below 1; facts: if frames have another number of numbers
/// Source   torch: x.permute(0, 3, 2, 1, 4).reshape(batch, height, width, channels, time).permute(0, 3, 1, 2, 4)
template <class T>
class Reshape : public PassingLayer<T> {
 public:
  static constexpr Space space_of_type = Space::made;
  explicit Reshape(FrameShape shape) : shape_{shape.channels, shape.width, shape.height, 0} {
    check(shape.channels >= 1 && shape.width >= 1 && shape.height >= 1, "Reshape: frames of ", shape,
          ", each extent must be at least 1");
  }
  Space space() const noexcept { return shape_.has_space() ? Space::made : Space::none; }
  static constexpr bool keeps_channels() noexcept { return false; }
  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    const FrameShape out = shape_.with_batch(in.batch);
    check(in.one().size() == out.one().size(), "Reshape: a frame of ", in, " has ", in.one().size(), " numbers, one of ", out, " has ",
          out.one().size());
    return {.out = out};
  }
  std::uint64_t fingerprint() const {
    return Fingerprint("Reshape").add(Index{shape_.channels}).add(Index{shape_.width}).add(Index{shape_.height});
  }

 private:
  FrameShape shape_;
};

static_assert(Layer<Merge<float>> && Layer<Reshape<float>> && Layer<Transpose<float>> && Layer<Flatten<float>> && Layer<Reverse<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_REARRANGE_HPP
