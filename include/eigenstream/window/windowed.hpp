#ifndef EIGENSTREAM_WINDOW_WINDOWED_HPP
#define EIGENSTREAM_WINDOW_WINDOWED_HPP

#include "eigenstream/core/padding.hpp"
#include "eigenstream/memory/sliding_window.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "eigenstream/window/window_net.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct WindowedOptions {
  Padding padding = {};      ///< zeros before the first frame and behind the last one
  Index channels = Dynamic;  ///< of the input; needed only if the network takes any number
};

/// A network that needs the whole of what it looks at, run over windows of a stream: `size` frames, every `stride`
/// frames. This is the way to stream what cannot be streamed: normalisation, softmax or pooling over time, recurrent
/// layers that run backwards.
///   y[w] = net(x[w*stride - left ... w*stride - left + size - 1]), frames outside of the signal are 0
/// The network sees each window as a signal of its own, with its own padding at both ends. Its output (C',T'), channel
/// fastest, becomes one frame of C'*T' channels; OverlapAdd or OnlineAverager put such frames back on a time line, and
/// with T' = 1 it is one already.
/// Shapes   x (C,T) or (C,B,T) -> y (C'*T',W) or (C'*T',B,W), W = floor((T + left + right - size) / stride) + 1
/// Timing   receptive_field size, delay size - 1 - left, rate 1/stride. Made from a Snapshotter, or with left =
///          size - stride, a window ends with each stride of the signal
/// Errors   constructor: Error on any impossible size, or if the network cannot take such a window. steps/flush:
///          noexcept, no allocation
/// Source   torch: net(x.unfold(-1, size, stride))
template <class T>
class Windowed {
 public:
  using Scalar = T;

  Windowed(const WindowNet<T>& net, Index size, Index stride, WindowedOptions options = {})
      : padding_(options.padding), plan_(net, shape_of(net, size, stride, options)) {
    window_ = {size, stride, padding_.left};
    fingerprint_ = Fingerprint("Windowed").add(size).add(stride).add(padding_.left).add(padding_.right);
    fingerprint_.add(plan_.net().fingerprint());
  }
  /// Over the windows that a snapshotter makes.
  Windowed(const WindowNet<T>& net, const Snapshotter<T>& snapshotter)
      : Windowed(net, snapshotter.snapshot_size(), snapshotter.stride_size(),
                 {.padding = {snapshotter.snapshot_size() - snapshotter.stride_size(), 0},
                  .channels = snapshotter.num_channels()}) {}

  /// The same network over windows of real frames only. What is padded inside the windows belongs to the network.
  Windowed without_padding() const { return Windowed(net(), size(), stride(), {.channels = plan_.in().channels}); }

  const WindowNet<T>& net() const noexcept { return plan_.net(); }
  Index size() const noexcept { return window_.reach; }
  Index stride() const noexcept { return window_.stride; }
  Padding padding() const noexcept { return padding_; }
  WindowShape in_window() const noexcept { return plan_.in(); }
  WindowShape out_window() const noexcept { return plan_.out(); }

  Index in_channels() const noexcept { return plan_.in().channels; }
  Index out_channels(Index in) const {
    check(in == in_channels(), "Windowed: takes ", in_channels(), " channels, not ", in);
    return plan_.out().size();
  }
  Timing timing() const {
    return TimingStage{.reach = size(), .stride = stride(), .left = padding_.left, .right = padding_.right};
  }
  Index max_outputs(Index n) const noexcept { return window_.max_windows(n); }
  Index max_flush() const noexcept { return window_.max_windows(padding_.right); }
  Index parameters() const { return net().parameters(); }
  double macs(Index) const { return plan_.macs() / static_cast<double>(stride()); }
  std::uint64_t fingerprint() const { return fingerprint_; }

  Index state_bytes(FrameShape shape) const noexcept { return window_.template state_bytes<T>(shape); }
  Index scratch_bytes(FrameShape shape) const noexcept { return gathered_bytes(shape.batch) + plan_.scratch_bytes(); }
  void reset(StateRef state) const noexcept { window_.reset(state, T(0)); }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    return window_.template advance<T>(state, x, [&](const T* first, Index windows, Index done) {
      run(state, first, windows, y.from(done));
    });
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    Index written = 0;
    if (window_.seen(state) > 0)
      written = window_.advance_fill(state, T(0), padding_.right, [&](const T* first, Index windows, Index done) {
        run(state, first, windows, y.from(done));
      });
    reset(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const { window_.template exchange<T>(state, codec); }
  T* input_room(StateRef state, Index n) const noexcept {
    History<T> history = window_.template history<T>(state);
    return n <= history.max_frames() ? history.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  static WindowShape shape_of(const WindowNet<T>& net, Index size, Index stride, const WindowedOptions& options) {
    check(size >= 1, "Windowed: size = ", size, ", must be at least 1");
    check(stride >= 1, "Windowed: stride = ", stride, ", must be at least 1");
    for (const Index padding : {options.padding.left, options.padding.right})
      check(padding >= 0 && padding < size, "Windowed: padding = ", padding,
            ", must be from 0 to size - 1 = ", size - 1);
    const Index own = net.in_channels(), channels = own != Dynamic ? own : options.channels;
    check(channels != Dynamic,
          "Windowed: this network takes any number of channels; say how many: "
          "Windowed(net, size, stride, {.channels = 2})");
    check(channels >= 1 && (options.channels == Dynamic || options.channels == channels), "Windowed: channels = ",
          options.channels, ", but the network takes ", channels);
    return {channels, size};
  }

  // A window of one signal of a batch lies scattered in the ring buffer; it is gathered here.
  Index gathered_bytes(Index batch) const noexcept {
    return batch == 1 ? 0 : aligned_bytes(plan_.in().size() * static_cast<Index>(sizeof(T))) + memory_alignment;
  }
  void run(StateRef state, const T* first, Index windows, Frames<T> y) const noexcept {
    const Index channels = state.shape.channels, batch = state.shape.batch, frame = channels * batch;
    std::byte* scratch = state.scratch + gathered_bytes(batch);
    for (Index w = 0; w < windows; ++w) {
      const T* window = first + w * stride() * frame;
      for (Index b = 0; b < batch; ++b) {
        T* to = y.frame(w) + b * y.channels;
        if (batch == 1) {
          plan_.apply(window, to, scratch);
        } else {
          T* gathered = reinterpret_cast<T*>(state.scratch);
          detail::pack_columns(window + b * channels, frame, channels, size(), gathered);
          plan_.apply(gathered, to, scratch);
        }
      }
    }
  }

  Padding padding_;
  typename WindowNet<T>::Plan plan_;
  SlidingWindow window_;
  Fingerprint fingerprint_{""};
};

template <class Net>
Windowed(const Net&, Index, Index, WindowedOptions = {}) -> Windowed<typename Net::Scalar>;
template <class Net, class T>
Windowed(const Net&, const Snapshotter<T>&) -> Windowed<T>;

static_assert(Layer<Windowed<float>> && Layer<Windowed<double>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_WINDOWED_HPP
