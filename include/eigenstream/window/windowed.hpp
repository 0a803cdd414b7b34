#ifndef EIGENSTREAM_WINDOW_WINDOWED_HPP
#define EIGENSTREAM_WINDOW_WINDOWED_HPP

#include "eigenstream/core/padding.hpp"
#include "eigenstream/memory/sliding_window.hpp"
#include "eigenstream/window/snapshotter.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct WindowedOptions {
  Padding padding = {};      ///< zeros before the first frame and behind the last one
  Index channels = Dynamic;  ///< of the input; needed only if the network takes any number
};

/// A signal cut into windows, and a network over each: `size` frames, every `stride` frames, are one frame with as many
/// columns. This is the way to stream what cannot be streamed: normalisation, softmax or pooling over time, recurrent
/// layers that run backwards.
///   y[w] = net(x[w*stride - left ... w*stride - left + size - 1]), frames outside of the signal are 0
/// What goes over time runs along the window, as over a signal of its own with its own padding: es::along(layer).
///   es::Windowed(es::sequential(es::along(conv), es::GroupNorm<float>(4, weight, bias), es::Relu<float>{},
///                               es::AdaptiveAvgPool1d<float>(1), linear),
///                4096, 1024)
/// OverlapAdd or OnlineAverager put its output back on a time line; of width 1, it is one already.
/// Shapes   x (C,T) or (C,B,T) -> y (C',W',n) or (C',W',B,n), as the network makes of (C,size);
///          n = floor((T + left + right - size) / stride) + 1
/// Timing   receptive_field size, delay size - 1 - left, rate 1/stride. Made from a Snapshotter, or with left =
///          size - stride, a window ends with each stride of the signal
/// Errors   constructor: Error on any impossible size, if the network cannot take such a window, or if it goes over time.
///          steps/flush: noexcept, no allocation
/// Source   torch: net(x.unfold(-1, size, stride))
/// Layout   the ring buffer, the network's block; as scratch, what is gathered of a batch, and the network's
template <Layer Net>
class Windowed {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;
  static constexpr Space space_of_type = Space::made;

  Windowed(Net net, Index size, Index stride, WindowedOptions options = {})
      : net_(std::move(net)), padding_(options.padding) {
    check_one_signal("Windowed", net_);
    check(size >= 1, "Windowed: size = ", size, ", must be at least 1");
    check(stride >= 1, "Windowed: stride = ", stride, ", must be at least 1");
    for (const Index padding : {padding_.left, padding_.right})
      check(padding >= 0 && padding < size, "Windowed: padding = ", padding, ", must be from 0 to size - 1 = ", size - 1);
    check(net_.timing().frame_by_frame(),
          "Windowed: the network goes over time, from window to window; what shall go along each window is ",
          "es::along(layer)");
    const Index own = net_.wanted().channels;
    channels_ = own != 0 ? own : options.channels;
    check(channels_ != Dynamic,
          "Windowed: this network takes any number of channels; say how many: "
          "Windowed(net, size, stride, {.channels = 2})");
    check(channels_ >= 1 && (options.channels == Dynamic || options.channels == channels_), "Windowed: channels = ",
          options.channels, ", but the network takes ", channels_);
    window_ = SlidingWindow(size, stride, padding_.left).roomy();
    out_ = net_.facts(window_shape(1)).out;
    fingerprint_ = Fingerprint("Windowed").add(size).add(stride).add(padding_.left).add(padding_.right);
    fingerprint_.add(std::uint64_t{net_.fingerprint()});
  }
  /// Over the windows that a snapshotter makes.
  Windowed(Net net, const Snapshotter<T>& snapshotter)
      : Windowed(std::move(net), snapshotter.snapshot_size(), snapshotter.stride_size(),
                 {.padding = {snapshotter.snapshot_size() - snapshotter.stride_size(), 0},
                  .channels = snapshotter.num_channels()}) {}

  /// The same network over windows of real frames only. What is padded inside the windows belongs to the network.
  Windowed without_padding() const { return Windowed(net_, size(), stride(), {.channels = channels_}); }

  const Net& net() const noexcept { return net_; }
  Index size() const noexcept { return window_.reach; }
  Index stride() const noexcept { return window_.stride; }
  Padding padding() const noexcept { return padding_; }
  /// What the network is given, and what it gives.
  FrameShape in_window() const noexcept { return window_shape(1); }
  FrameShape out_window() const noexcept { return out_; }

  FrameShape wanted() const noexcept { return {channels_, 1, 1, 0}; }
  Facts facts(const FrameShape& in) const {
    check_channels("Windowed", channels_, in);
    check(!in.has_space(), "Windowed: takes frames without space, not ", in);
    Facts all = net_.facts(window_shape(in.batch));
    all.state_bytes = ring_bytes(in) + aligned_bytes(all.state_bytes);
    all.scratch_bytes = gathered_bytes(in.batch) + aligned_bytes(all.scratch_bytes);
    all.max_flush = window_.max_windows(padding_.right);
    all.macs /= static_cast<double>(stride());
    return all;
  }
  Timing timing() const {
    return TimingStage{.reach = size(), .stride = stride(), .left = padding_.left, .right = padding_.right};
  }
  Index max_outputs(Index n) const noexcept { return window_.max_windows(n); }
  std::uint64_t fingerprint() const { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    window_.reset(state, T(0));
    const FrameLayout window = window_shape(state.shape.batch);
    net_.reset(inner(state, window));
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    return window_.template advance<T>(state, x, nullptr, [&](const T* first, Index windows, Index done) {
      run(state, first, windows, y.from(done));
    });
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    Index written = 0;
    if (window_.seen(state) > 0)
      written = window_.advance_fill(state, T(0), padding_.right, [&](const T* first, Index windows, Index done) {
        run(state, first, windows, y.from(done));
      });
    window_.reset(state, T(0));
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const { window_.template exchange<T>(state, codec); }
  T* input_room(StateRef state, Index n) const noexcept {
    History<T> history = window_.template history<T>(state);
    return n <= history.max_frames() ? history.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  FrameShape window_shape(Index batch) const noexcept { return {channels_, size(), 1, batch}; }
  Index ring_bytes(const FrameShape& in) const noexcept { return aligned_bytes(window_.template state_bytes<T>(in)); }
  // Windows of a batch lie scattered in the ring buffer; they are gathered here.
  Index gathered_bytes(Index batch) const noexcept {
    return batch == 1 ? 0 : aligned_bytes(window_shape(batch).size() * static_cast<Index>(sizeof(T))) + memory_alignment;
  }
  StateRef inner(StateRef state, const FrameLayout& window) const noexcept {
    return {state.data + ring_bytes(state.shape), window, state.scratch + gathered_bytes(window.batch)};
  }
  void run(StateRef state, const T* first, Index windows, Frames<T> y) const noexcept {
    const Index batch = state.shape.batch, frame = channels_ * batch;
    const FrameLayout shape = window_shape(batch);
    const StateRef own = inner(state, shape);
    FrameShape out = out_;
    out.batch = batch;
    for (Index w = 0; w < windows; ++w) {
      const T* window = first + w * stride() * frame;
      if (batch > 1) {
        T* gathered = reinterpret_cast<T*>(state.scratch);
        for (Index b = 0; b < batch; ++b)
          detail::pack_columns(window + b * channels_, frame, channels_, size(), gathered + b * channels_ * size());
        window = gathered;
      }
      net_.steps(own, Frames<const T>(window, shape, 1), Frames<T>(y.frame(w), out, 1));
    }
  }

  Net net_;
  Padding padding_;
  Index channels_ = 1;
  FrameShape out_;  // of one signal
  SlidingWindow window_;
  Fingerprint fingerprint_{""};
};

static_assert(Space::made == space_of_type<Snapshotter<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_WINDOWED_HPP
