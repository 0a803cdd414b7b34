#ifndef EIGENSTREAM_WINDOW_WINDOW_LAYER_HPP
#define EIGENSTREAM_WINDOW_WINDOW_LAYER_HPP

#include <memory>  // shared_ptr

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The shape of a window: so many frames of so many channels, channel fastest.
struct WindowShape {
  Index channels = 1;
  Index frames = 1;

  constexpr Index size() const noexcept { return channels * frames; }
  friend constexpr bool operator==(const WindowShape&, const WindowShape&) = default;
};

/// What can be done to a whole window but not to an endless stream: a function from windows of one shape to windows of
/// another, without memory. Holds parameters only.
///
///   Scalar                     element type
///   in_channels()              channels it takes, Dynamic if any number will do
///   out_window(in)             shape of what it makes of a window; Error if it cannot take `in`
///   scratch_bytes(in)          scratch memory that `apply` needs, in bytes
///   apply(in, x, y, scratch)   makes window y of window x; they do not overlap, unless in_place. May read a
///                              packet beyond x, but writes y only
///   in_place()                 true if `apply` may be called with y == x (then the shape stays)
///   parameters(), macs(in)     trainable numbers, and multiply-adds per window (for reports)
///   fingerprint()              digest of what it computes
///
/// `apply` is noexcept, and neither allocates, locks, nor calls the system. The result for a window depends on nothing
/// but the window, so that a stream of windows obeys the law.
template <class P>
concept WindowLayer =
    std::copy_constructible<P> && requires(const P& layer, WindowShape in, const typename P::Scalar* x,
                                           typename P::Scalar* y, std::byte* scratch) {
      { layer.in_channels() } -> std::same_as<Index>;
      { layer.out_window(in) } -> std::same_as<WindowShape>;
      { layer.scratch_bytes(in) } -> std::same_as<Index>;
      { layer.apply(in, x, y, scratch) } noexcept;
      { layer.in_place() } noexcept -> std::same_as<bool>;
      { layer.parameters() } -> std::same_as<Index>;
      { layer.macs(in) } -> std::same_as<double>;
      { layer.fingerprint() } -> std::same_as<std::uint64_t>;
    };

/// A layer or network of the streaming kind, run over each window as over a whole signal.
/// Shapes   window (C,T) -> (C',T'), as the layer says of a signal of T frames
/// Timing   a window in, a window out
/// Errors   out_window: Error if the layer cannot take such a signal, or it is too short
/// Source   torch: the layer, applied to the window
template <Layer L>
class Whole {
 public:
  using Scalar = typename L::Scalar;
  using T = Scalar;

  explicit Whole(L layer) : layer_(std::move(layer)), timing_(layer_.timing()) {}

  const L& layer() const noexcept { return layer_; }
  Index in_channels() const { return layer_.in_channels(); }
  WindowShape out_window(WindowShape in) const {
    const WindowShape out = shape_of(in);
    if (out.frames < 1 && timing_.recursive())
      fail("a window of ", in.frames, " frames is too short: the first output needs ", timing_.first_output() + 1);
    if (out.frames < 1)
      fail("a window of ", in.frames, " frames is too short for a receptive field of ", timing_.receptive_field());
    return out;
  }
  Index scratch_bytes(WindowShape in) const {
    const auto [state, scratch] = footprint(layer_, frame(in));
    return state + scratch;
  }
  void apply(WindowShape in, const T* x, T* y, std::byte* scratch) const noexcept {
    const StateRef state{scratch, frame(in), scratch + footprint(layer_, frame(in)).state};
    const WindowShape out = shape_of(in);
    const Frames<T> all(y, {out.channels, 1}, out.frames);
    layer_.reset(state);
    const Index written = layer_.steps(state, Frames<const T>(x, frame(in), in.frames), all);
    layer_.flush(state, all.from(written));
  }
  bool in_place() const noexcept { return layer_.in_place(); }
  Index parameters() const { return layer_.parameters(); }
  double macs(WindowShape in) const { return layer_.macs(in.channels) * static_cast<double>(in.frames); }
  std::uint64_t fingerprint() const { return layer_.fingerprint(); }

 private:
  static FrameShape frame(WindowShape in) noexcept { return {in.channels, 1}; }
  WindowShape shape_of(WindowShape in) const {
    return {layer_.out_channels(in.channels), timing_.outputs_after(in.frames, true)};
  }

  L layer_;
  Timing timing_;
};

/// A window layer of any type, also made of any streaming layer. Copies share it; it never changes.
/// Shapes   as the layer says
/// Timing   a window in, a window out
/// Errors   those of the layer
/// Source   torch: a module of any type
template <class T>
class AnyWindowLayer {
 public:
  using Scalar = T;

  template <class P>
    requires(!std::is_same_v<std::remove_cvref_t<P>, AnyWindowLayer> &&
             std::is_same_v<typename std::remove_cvref_t<P>::Scalar, T>)
  AnyWindowLayer(P&& layer) {
    using Plain = std::remove_cvref_t<P>;
    if constexpr (Layer<Plain>) {
      layer_ = std::make_shared<const Model<Whole<Plain>>>(Whole<Plain>(std::forward<P>(layer)));
    } else {
      static_assert(WindowLayer<Plain>, "eigenstream: this is neither a Layer nor a WindowLayer");
      layer_ = std::make_shared<const Model<Plain>>(std::forward<P>(layer));
    }
  }

  Index in_channels() const { return layer_->in_channels(); }
  WindowShape out_window(WindowShape in) const { return layer_->out_window(in); }
  Index scratch_bytes(WindowShape in) const { return layer_->scratch_bytes(in); }
  void apply(WindowShape in, const T* x, T* y, std::byte* scratch) const noexcept { layer_->apply(in, x, y, scratch); }
  bool in_place() const noexcept { return layer_->in_place(); }
  Index parameters() const { return layer_->parameters(); }
  double macs(WindowShape in) const { return layer_->macs(in); }
  std::uint64_t fingerprint() const { return layer_->fingerprint(); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual Index in_channels() const = 0;
    virtual WindowShape out_window(WindowShape) const = 0;
    virtual Index scratch_bytes(WindowShape) const = 0;
    virtual void apply(WindowShape, const T*, T*, std::byte*) const noexcept = 0;
    virtual bool in_place() const noexcept = 0;
    virtual Index parameters() const = 0;
    virtual double macs(WindowShape) const = 0;
    virtual std::uint64_t fingerprint() const = 0;
  };
  template <class P>
  struct Model final : Base {
    explicit Model(P p) : layer(std::move(p)) {}
    Index in_channels() const override { return layer.in_channels(); }
    WindowShape out_window(WindowShape in) const override { return layer.out_window(in); }
    Index scratch_bytes(WindowShape in) const override { return layer.scratch_bytes(in); }
    void apply(WindowShape in, const T* x, T* y, std::byte* scratch) const noexcept override {
      layer.apply(in, x, y, scratch);
    }
    bool in_place() const noexcept override { return layer.in_place(); }
    Index parameters() const override { return layer.parameters(); }
    double macs(WindowShape in) const override { return layer.macs(in); }
    std::uint64_t fingerprint() const override { return layer.fingerprint(); }
    P layer;
  };

  std::shared_ptr<const Base> layer_;
};

static_assert(WindowLayer<AnyWindowLayer<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_WINDOW_LAYER_HPP
