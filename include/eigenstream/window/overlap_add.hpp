#ifndef EIGENSTREAM_WINDOW_OVERLAP_ADD_HPP
#define EIGENSTREAM_WINDOW_OVERLAP_ADD_HPP

#include <cmath>   // isfinite
#include <vector>  // weights

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/map.hpp"
#include "eigenstream/memory/history.hpp"
#include "eigenstream/memory/room.hpp"

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
    history(state).reset(slack(sums(state.shape).size()));
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(windows(state), codec.frames());
    history(state).exchange(codec);
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }

 protected:
  OverlapSum(Index channels, Index size, Index stride) : channels_(channels), size_(size), stride_(stride) {}

  Index state_bytes(const FrameShape& shape) const noexcept {
    const Index frame = sums(shape).size();
    return memory_alignment + History<T>::bytes(frame, keep(), slack(frame));
  }
  FrameShape sums(const FrameShape& shape) const noexcept { return {.channels = channels_, .batch = shape.batch}; }
  Index keep() const noexcept { return size_ - stride_; }
  Index slack(Index frame) const noexcept { return slack_for<T>(frame, keep(), stride_); }
  static Time& windows(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  History<T> history(StateRef state) const noexcept {
    return History<T>(state.data + memory_alignment, sums(state.shape).size(), keep());
  }
  /// Makes room for the next window and adds it with add(sums); the first `stride` frames there are complete then.
  template <class Add>
  const T* advance(StateRef state, Add&& add) const noexcept {
    T* begin = history(state).append_fill(T(0), stride_) - keep() * sums(state.shape).size();
    add(begin);
    ++windows(state);
    return begin;
  }
  /// The open sums, oldest first.
  const T* open(StateRef state) const noexcept {
    return history(state).newest_end() - keep() * sums(state.shape).size();
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
      const Time before = windows(state);
      const T* done = this->advance(state, [&](T* to) { add(x.frame(w), x.batch, to); });
      written += emit(done, before, shape, before * stride_, stride_, y.from(written));
    }
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const FrameShape shape = sums(state.shape);
    const Time came = windows(state);
    Index written = 0;
    // Behind the last window's first `stride` frames, up to what is left out.
    if (came > 0)
      written = emit(open(state), came - 1, shape, came * stride_, keep() - right_, y);
    this->reset(state);
    return written;
  }

 private:
  void add(const T* x, Index batch, T* to) const noexcept {
    if (batch == 1) return add_weighted(x, 0, to, channels_ * size_);
    for (Index b = 0; b < batch; ++b)
      for (Index p = 0; p < size_; ++p, x += channels_)
        add_weighted(x, p * channels_, to + (p * batch + b) * channels_, channels_);
  }
  // n numbers that begin with number `at` of a window.
  void add_weighted(const T* x, Index at, T* to, Index n) const noexcept {
    if (spread_.empty()) return kernel::add_pointwise(x, to, n);
    kernel::add_weighted(x, spread_.data() + at, to, n);
  }

  // Writes `count` sums that begin at position `at` of the time line, but for what is left out at the start. Of the
  // windows that have come, number `newest` is the last.
  Index emit(const T* from, Time newest, const FrameShape& shape, Time at, Index count, Frames<T> y) const noexcept {
    const Index skip = std::clamp<Time>(left_ - at, 0, count), n = count - skip;
    std::copy_n(from + skip * shape.size(), n * shape.size(), y.data);
    if (normalise_)
      for (Index i = 0; i < n; ++i) normalise(y.frame(i), shape.size(), at + skip + i, newest);
    return n;
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
  std::vector<T> weights_;  // of each frame of a window
  std::vector<T> spread_;   // of each number of a window of one batch entry
  Fingerprint fingerprint_{""};
};

static_assert(Layer<OverlapAdd<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_OVERLAP_ADD_HPP
