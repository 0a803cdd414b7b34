#ifndef EIGENSTREAM_COMPOSE_ALONG_HPP
#define EIGENSTREAM_COMPOSE_ALONG_HPP

#include <utility>  // forward

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A layer or network of the streaming kind, run along the width of each frame as over a whole signal, with its own padding
/// at both ends: along a window, or over the bins of a spectrum. Rows and batch entries are signals of their own.
/// Shapes   x (C,W,T), (C,W,H,T), with a batch or without -> y (C',W',T) ..., as the layer says of a signal of W frames
/// Timing   none: a frame in, a frame out
/// Errors   facts: Error if the layer cannot take such a signal, or it is too short
/// Source   torch: the layer, applied to each window
template <Layer L>
class Along {
 public:
  using Scalar = typename L::Scalar;
  using T = Scalar;
  static constexpr Space space_of_type = Space::needed;

  /// Errors   Error if the layer needs space itself
  explicit Along(L layer) : layer_(std::move(layer)), timing_(layer_.timing()) {
    check_one_signal("Along", layer_);
    check(space_of(layer_) != Space::needed, "Along: the layer works over space itself; only what runs over a stream can ",
          "run along a window");
  }

  const L& layer() const noexcept { return layer_; }
  FrameShape wanted() const { return FrameShape::any(layer_.wanted().channels); }
  Facts facts(const FrameShape& in) const {
    const Index width = timing_.outputs_after(in.width, true);
    if (width < 1 && timing_.recursive())
      fail("a window of ", in.width, " frames is too short: the first output needs ", timing_.first_output() + 1);
    if (width < 1)
      fail("a window of ", in.width, " frames is too short for a receptive field of ", timing_.receptive_field());
    Facts all = layer_.facts(signal(in));
    check(!all.out.has_space(), "Along: the layer gives frames of ", all.out, ", which have no place in a frame");
    all.out = {all.out.channels, width, in.height, in.batch};
    all.scratch_bytes = aligned_bytes(all.state_bytes) + aligned_bytes(all.scratch_bytes);
    all.state_bytes = all.max_flush = 0;
    all.macs *= static_cast<double>(in.width * in.height * in.batch);
    return all;
  }
  Timing timing() const { return {}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const { return Fingerprint("Along").add(std::uint64_t{layer_.fingerprint()}); }

  void reset(StateRef) const noexcept {}
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Facts facts = layer_.facts(signal(x));
    const FrameLayout one = signal(x);
    const StateRef inner{state.scratch, one, state.scratch + aligned_bytes(facts.state_bytes)};
    const Index width = x.width, out_width = y.width;
    const T* from = x.data;
    T* to = y.data;
    layer_.reset(inner);
    for (Index i = 0; i < x.count * x.height * x.batch; ++i) {
      const Frames<T> row(to, facts.out, out_width);
      const Index written = layer_.steps(inner, Frames<const T>(from, one, width), row);
      layer_.flush(inner, row.from(written));
      from += width * one.channels, to += out_width * facts.out.channels;
    }
    return x.count;
  }
  Index flush(StateRef, Frames<T>) const noexcept { return 0; }
  void exchange(StateRef, StateCodec&) const {}
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  bool in_place() const noexcept { return layer_.in_place(); }
  bool keeps_channels() const noexcept { return eigenstream::keeps_channels(layer_); }

 private:
  static FrameShape signal(const FrameShape& in) noexcept { return {.channels = in.channels}; }

  L layer_;
  Timing timing_;
};

/// A layer along the width of each frame: along(layer).
template <class L>
Along<std::remove_cvref_t<L>> along(L&& layer) {
  return Along<std::remove_cvref_t<L>>(std::forward<L>(layer));
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_ALONG_HPP
