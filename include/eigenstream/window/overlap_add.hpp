#ifndef EIGENSTREAM_WINDOW_OVERLAP_ADD_HPP
#define EIGENSTREAM_WINDOW_OVERLAP_ADD_HPP

#include <algorithm>  // min, max, clamp
#include <cmath>      // isfinite
#include <vector>     // weights

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/aligned_vector.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// The sums of windows that overlap, of layers that take a window with each frame: it lies `stride` frames behind the one
/// before and adds `size` frames. Between two windows, `keep` = size - stride frames are open.
/// Layout   windows so far, then the open sums
template <class T>
class OverlapSum {
 public:
  using Scalar = T;

  void reset(StateRef state) const noexcept {
    windows(state) = 0;
    std::fill_n(open(state), open_size(state.shape), T(0));
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(windows(state), codec.frames(), {.from = size_ / stride_ + 1});
    codec.frames(open(state), keep(), sums(state.shape).size());
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }

 protected:
  OverlapSum(Index channels, Index size, Index stride) : channels_(channels), size_(size), stride_(stride) {}

  Index state_bytes(const FrameShape& shape) const noexcept {
    return memory_alignment + aligned_bytes(open_size(shape) * static_cast<Index>(sizeof(T)));
  }
  FrameShape sums(const FrameShape& shape) const noexcept { return {.channels = channels_, .batch = shape.batch}; }
  Index keep() const noexcept { return size_ - stride_; }
  Index open_size(const FrameShape& shape) const noexcept { return keep() * sums(shape).size(); }
  static Time& windows(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  /// The open sums, oldest first.
  static T* open(StateRef state) noexcept { return reinterpret_cast<T*>(state.data + memory_alignment); }

  /// Adds the next window, of which every batch entry has `numbers` from x on, in one pass: the first `stride` frames are
  /// complete then and go to y, but for `skip` of them; the others are the open sums. add(x, at, sums, to, n) writes n sums
  /// with what stands from number `at` of a window on, x, to `to`; `sums` is null where none are open yet.
  template <class Add>
  void advance(StateRef state, const T* x, Index numbers, Index skip, T* y, Add&& add) const noexcept {
    const Index batch = state.shape.batch, frame = channels_ * batch;
    const Index both = std::min(keep(), stride_), either = std::max(keep(), stride_);
    T* open_sums = open(state);
    for (Index begin = skip; const Index end : {both, either, size_}) {
      const T* from = begin < keep() ? open_sums + begin * frame : nullptr;
      T* to = begin < stride_ ? y + (begin - skip) * frame : open_sums + (begin - stride_) * frame;
      if (batch == 1) {
        if (begin < end) add(x + begin * channels_, begin * channels_, from, to, (end - begin) * channels_);
      } else {
        for (Index b = 0; b < batch; ++b)
          for (Index p = begin; p < end; ++p) {
            const Index at = (p - begin) * frame + b * channels_;
            add(x + b * numbers + p * channels_, p * channels_, from == nullptr ? from : from + at, to + at, channels_);
          }
      }
      begin = end;
    }
    ++windows(state);
  }

  Index channels_, size_, stride_;
};

}  // namespace detail

struct OverlapAddOptions {
  std::vector<double> window = {};  ///< weight of each frame of a window; empty: 1
  bool normalise = false;           ///< divide by the sum of the weights that met in a frame
  Index left = 0;                   ///< frames to leave out at the start
  Index right = 0;                  ///< frames to leave out at the end
};

/// Puts windows that overlap back onto one time line and adds them: the inverse of cutting a signal into windows.
///   y[t] = sum over the windows w of g[p] * x_w[p], p = t + left - w*stride, 0 <= p < size; g = window
/// With `normalise`, that sum over the same sum of g[p] alone: a weighted mean of what the windows that reach t say, at
/// the ends of fewer of them; 0 where all their weights are.
/// Shapes   x (channels,size,T) or (channels,size,B,T), a window for each frame, as Snapshotter and Windowed give them, or
///          its numbers in one row, channel fastest -> y (channels,T') or (channels,B,T'), T' = (T-1)*stride + size - left - right
/// Timing   a window completes `stride` frames; the end of the signal gives the rest. rate stride/1. Cutting with
///          .padding = {left, right} and adding with the same left and right gives the signal's own time line
/// Errors   constructor: Error on any impossible size: a stride beyond the size would leave gaps; left and right can be
///          at most size - stride. steps/flush: noexcept, no allocation
/// Source   torch.nn.functional.fold over one axis; with a window and normalise, the last step of torch.istft
template <class T>
class OverlapAdd : public detail::OverlapSum<T> {
  using Base = detail::OverlapSum<T>;
  using Base::channels_, Base::size_, Base::stride_;
  using Base::keep, Base::open, Base::sums, Base::windows;

 public:
  OverlapAdd(Index channels, Index size, Index stride, const OverlapAddOptions& options = {})
      : Base(channels, size, stride), left_(options.left), right_(options.right), normalise_(options.normalise) {
    check(channels >= 1, "OverlapAdd: channels = ", channels, ", must be at least 1");
    check(stride >= 1, "OverlapAdd: stride = ", stride, ", must be at least 1");
    check(size >= stride, "OverlapAdd: size = ", size, ", must not be less than the stride of ", stride,
          " (there would be gaps)");
    for (const auto& [name, crop] : {std::pair("left", left_), std::pair("right", right_)})
      check(crop >= 0 && crop <= size - stride, "OverlapAdd: ", name, " = ", crop,
            ", must be from 0 to size - stride = ", size - stride);
    check(options.window.empty() || static_cast<Index>(options.window.size()) == size, "OverlapAdd: a window of ",
          options.window.size(), " weights for windows of ", size, " frames");
    for (const double weight : options.window)
      check(std::isfinite(weight), "OverlapAdd: the window holds a weight that is not finite");
    for (const double weight : options.window) {
      weights_.push_back(static_cast<T>(weight));
      spread_.insert(spread_.end(), static_cast<std::size_t>(channels), static_cast<T>(weight));
    }
    fingerprint_ = Fingerprint("OverlapAdd").add(channels).add(size).add(stride).add(left_).add(right_);
    fingerprint_.add(normalise_).add(std::span<const T>(weights_));
  }

  FrameShape wanted() const noexcept { return FrameShape::any(channels_ * size_); }
  Facts facts(const FrameShape& in) const {
    check(in.height == 1 && in.channels * in.width == channels_ * size_ && (in.width == 1 || in.width == size_),
          "OverlapAdd: takes windows of ", size_, " frames of ", channels_, " channels, ", channels_ * size_,
          " numbers, not ", in.channels * in.width * in.height);
    return {.out = sums(in),
            .state_bytes = this->state_bytes(in),
            .max_flush = keep() - right_,
            .macs = static_cast<double>(in.size())};
  }
  Timing timing() const {
    return TimingStage{.kind = TimingStage::Kind::scatter,
                       .reach = size_,
                       .stride = stride_,
                       .left = left_,
                       .right = right_};
  }
  Index max_outputs(Index n) const noexcept { return n * stride_; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const FrameShape shape = sums(x.shape());
    Index written = 0;
    for (Index w = 0; w < x.count; ++w) {
      const Time before = windows(state), at = before * stride_;
      const Index skip = skipped(at, stride_);
      const Frames<T> out = y.slice(written, stride_ - skip);
      this->advance(state, x.frame(w), channels_ * size_, skip, out.data,
                    [&](const T* window, Index number, const T* so_far, T* to, Index n) {
                      add(window, number, so_far, to, n);
                    });
      normalise(out, shape, at + skip, before);
      written += out.count;
    }
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const FrameShape shape = sums(state.shape);
    const Time came = windows(state);
    if (came == 0) return 0;
    // Behind the last window's first `stride` frames, up to what is left out.
    const Time at = came * stride_;
    const Index count = keep() - right_, skip = skipped(at, count);
    const Frames<T> out = y.slice(0, count - skip);
    std::copy_n(open(state) + skip * shape.size(), out.count * shape.size(), out.data);
    normalise(out, shape, at + skip, came - 1);
    this->reset(state);
    return out.count;
  }

 private:
  // Numbers of a window from number `at` on, weighted, and what was added there before.
  void add(const T* x, Index at, const T* so_far, T* to, Index n) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const P zero = P::broadcast(T(0));
    const T* weights = spread_.data() + at;
    if (spread_.empty()) {
      if (so_far != nullptr) return kernel::map_two(so_far, x, to, n, [](P sum, P value) { return sum + value; });
      return kernel::map_pointwise(x, to, n, [&](P value) { return zero + value; });
    }
    if (so_far != nullptr) return kernel::add_weighted(x, weights, so_far, to, n);
    kernel::map_two(x, weights, to, n, [&](P value, P weight) { return multiply_add(value, weight, zero); });
  }

  // How many of the `count` frames from position `at` of the time line on are left out at the start.
  Index skipped(Time at, Index count) const noexcept { return static_cast<Index>(std::clamp<Time>(left_ - at, 0, count)); }
  // Divides frames, the first of them at position t, by the weights of windows 0 ... newest that reach them.
  void normalise(Frames<T> y, const FrameShape& shape, Time t, Time newest) const noexcept {
    if (!normalise_) return;
    for (Index i = 0; i < y.count; ++i) normalise(y.frame(i), shape.size(), t + i, newest);
  }
  // Divides the frame at position t by the weights of windows 0 ... newest that reach it.
  void normalise(T* y, Index n, Time t, Time newest) const noexcept {
    const Time first = std::max<Time>(0, ceil_div(t - size_ + 1, stride_));
    const Time last = std::min(newest, t / stride_);
    T weight = 0;
    for (Time w = first; w <= last; ++w)
      weight += weights_.empty() ? T(1) : weights_[static_cast<std::size_t>(t - w * stride_)];
    const T scale = weight == T(0) ? T(0) : T(1) / weight;
    kernel::map_pointwise(y, y, n, [&](auto v) { return v * decltype(v)::broadcast(scale); });
  }

  Index left_, right_;
  bool normalise_;
  std::vector<T> weights_;           // of each frame of a window
  kernel::AlignedVector<T> spread_;  // of each number of a window of one batch entry
  Fingerprint fingerprint_{""};
};

static_assert(Layer<OverlapAdd<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_OVERLAP_ADD_HPP
