#ifndef EIGENSTREAM_COMPOSE_RESIDUAL_HPP
#define EIGENSTREAM_COMPOSE_RESIDUAL_HPP

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/map.hpp"
#include "eigenstream/memory/history.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A network plus its own input, aligned by itself.
///   y[m] = net(x)[m] + x[m + floor(shrink / 2)]
/// where shrink is the number of frames by which the network's output is shorter than its input: the input is cropped
/// by floor(shrink/2) frames at the start and ceil(shrink/2) at the end, or as the alignment says. With padding that keeps the length, nothing is.
/// Shapes   x (C,T) or (C,B,T) -> y (C,T - shrink) or (C,B,T - shrink); the network keeps the extents of a frame
/// Timing   that of the network; it depends on the input that is added, too
/// Errors   constructor: Error if a layer inside has a stride, if the output is longer than the input, or if the
///          numbers of channels differ. steps/flush: noexcept, no allocation
/// Source   torch: net(x) + x, cropped as a convolution without padding needs it (He et al. 2016, "Deep residual learning")
/// Layout   counter and queue of inputs, unless every output comes with its input; the network's block
template <class Net>
class Residual {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;
  static constexpr Space space_of_type = eigenstream::space_of_type<Net>;

  explicit Residual(Net net, Alignment alignment = Alignment::centred) : net_(std::move(net)), alignment_(alignment) {
    check_one_signal("Residual", net_);
    const Timing timing = net_.timing();
    for (Index value = 1; value <= timing.size(); ++value) {
      const Rate rate = timing.stage(value).rate();
      check(rate == Rate(), "Residual: a layer inside has stride ", std::max(rate.inputs, rate.outputs),
            "; the input can only be added to an output of the same rate (put the strided layer outside)");
    }
    timing.check_bounds();
    Timing::Builder both;
    const Index output = both.append(timing, 0);
    shrink_ = both.ended(0).least_lead(both.ended(output));
    check(shrink_ >= 0, "Residual: the network's output is ", -shrink_, " frames longer than its input (without its padding it may fit: residual(without_padding(net)))");
    const FrameShape in = frames_to_try(net_.wanted(), space());
    if (in.channels != 0) (void)facts(in);
    crop_ = alignment == Alignment::centred ? shrink_ / 2 : alignment == Alignment::leading ? shrink_ : 0;
    keep_ = std::max<Index>(0, timing.first_output() - crop_);  // most are waiting just before the first output
    both.join({output, 0}, alignment);
    timing_ = both.finish();
  }

  const Net& net() const noexcept { return net_; }
  /// The same without padding inside.
  Residual without_padding() const { return Residual(eigenstream::without_padding(net_), alignment_); }
  /// Whether inputs have to wait for the network's outputs. If not, an output comes with each input.
  EIGENSTREAM_ALWAYS_INLINE bool waits() const noexcept { return keep_ > 0 || crop_ > 0; }
  /// Frames by which the output is shorter than the input.
  Index shrink() const noexcept { return shrink_; }

  FrameShape wanted() const { return net_.wanted(); }
  Facts facts(const FrameShape& in) const {
    Facts all = net_.facts(in);
    check(all.out.channels == in.channels, "Residual: the network turns ", in.channels, " channels into ",
          all.out.channels, ", they cannot be added");
    check(all.out == in, "Residual: the network turns frames of ", in, " into ", all.out,
          ", they cannot be added (parallel(Reduce::sum, net, Identity) crops and broadcasts)");
    all.state_bytes = aligned_bytes(all.state_bytes) + own_bytes(in);
    return all;
  }
  Space space() const noexcept { return space_of(net_); }
  Timing timing() const { return timing_; }
  EIGENSTREAM_ALWAYS_INLINE Index max_outputs(Index n) const noexcept { return net_.max_outputs(n); }
  std::uint64_t fingerprint() const { return Fingerprint("Residual").add(std::uint64_t{net_.fingerprint()}).add(crop_); }

  void reset(StateRef state) const noexcept {
    if (waits()) reset_queue(state);
    net_.reset(inner(state));
  }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    if (waits()) return waiting_steps(state, x, y);
    net_.steps(state, x, y);  // x is still there: in the caller's memory, or where the network itself keeps it
    kernel::add_pointwise(x.data, y.data, x.scalars());
    return x.count;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    if (!waits()) return net_.flush(state, y);
    const Index written = add(state, net_.flush(inner(state), y), y);
    reset_queue(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    if (waits()) {
      codec.count(lead(state), codec.frames() - timing_.outputs_after(codec.frames()));
      queue(state).exchange(codec);
    }
    net_.exchange(inner(state), codec);
  }
  EIGENSTREAM_ALWAYS_INLINE T* input_room(StateRef state, Index n) const noexcept {
    if (!waits()) return net_.input_room(state, n);
    History<T> inputs = queue(state);
    return n <= inputs.max_frames() ? inputs.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr bool keeps_channels() noexcept { return true; }

 private:
  EIGENSTREAM_OUTLINED Index waiting_steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    History<T> inputs = queue(state);
    Index written = 0;
    for (Index at = 0; at < x.count;) {
      const Index n = std::min(x.count - at, inputs.max_frames());
      const Frames<const T> kept(inputs.append(x.frame(at), n), x.shape(), n);
      lead(state) += n;
      written += add(state, net_.steps(inner(state), kept, y.from(written)), y.from(written));
      at += n;
    }
    return written;
  }

  // Inputs that came minus outputs that left.
  static Index& lead(StateRef state) noexcept { return *reinterpret_cast<Index*>(state.data); }
  History<T> queue(StateRef state) const noexcept {
    return History<T>(state.data + memory_alignment, state.shape.size(), keep_);
  }
  void reset_queue(StateRef state) const noexcept {
    lead(state) = 0;
    queue(state).reset();
  }
  EIGENSTREAM_ALWAYS_INLINE Index own_bytes(const FrameLayout& shape) const noexcept {
    return waits() ? memory_alignment + History<T>::bytes(shape.size(), keep_) : 0;
  }
  EIGENSTREAM_ALWAYS_INLINE StateRef inner(StateRef state) const noexcept {
    return {state.data + own_bytes(state.shape), state.shape, state.scratch};
  }
  Index add(StateRef state, Index n, Frames<T> y) const noexcept {
    if (n > 0)
      kernel::add_pointwise(queue(state).newest_end() - (lead(state) - crop_) * y.frame_size(), y.data, n * y.frame_size());
    lead(state) -= n;
    return n;
  }

  Net net_;
  Alignment alignment_;
  Timing timing_;
  Index shrink_ = 0, crop_ = 0;
  Index keep_ = 0;  // inputs that may still be wanted when new ones come
};

/// A network plus its own input: residual(net).
template <class Net>
Residual<std::remove_cvref_t<Net>> residual(Net&& net) {
  return Residual<std::remove_cvref_t<Net>>(std::forward<Net>(net));
}
/// Several layers, one after the other, plus their input: residual(a, b, c).
template <class First, class Second, class... Rest>
auto residual(First&& first, Second&& second, Rest&&... rest) {
  return residual(
      sequential(std::forward<First>(first), std::forward<Second>(second), std::forward<Rest>(rest)...));
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_RESIDUAL_HPP
