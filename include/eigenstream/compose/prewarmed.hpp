#ifndef EIGENSTREAM_COMPOSE_PREWARMED_HPP
#define EIGENSTREAM_COMPOSE_PREWARMED_HPP

#include <algorithm>  // min
#include <cstddef>    // byte
#include <utility>    // forward
#include <vector>     // what is remembered

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A network whose signals all begin as if a number of frames of silence had come before: its first output is what those
/// zeros have led to, not what zeros in every layer's history give. They are run through it once, when it is made; what it
/// remembers then belongs to the layer, and a stream that begins, is reset or flushed gets a copy.
///   y = net(frames zeros, then x), without its first `frames` outputs
/// Shapes   as of the network, which says how many channels it takes
/// Timing   that of the network, which gives a frame at once for each that comes
/// Errors   constructor: Error if it does not, has knobs or several inputs, or if the silence would take too long to run.
///          steps/flush/reset: noexcept, no allocation
/// Source   what players of amplifier models do before the first sample: https://github.com/sdatkinson/NeuralAmpModelerCore
template <Layer Net>
class Prewarmed {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;

  /// The longest silence, and most multiply-adds that it may take: files come from anywhere.
  static constexpr Time max_frames = Time{1} << 22;
  static constexpr double max_macs = 17179869184.0;  // 2^34

  Prewarmed(Net net, Time frames) : net_(std::move(net)), frames_(frames) {
    check_one_signal("Prewarm", net_);
    check(frames >= 1 && frames <= max_frames, "Prewarm: frames = ", frames, ", must be from 1 to ", max_frames);
    const Timing timing = net_.timing();
    const Time far = Time{1} << 20;
    check(timing.cycle() == 1 && timing.outputs_after(1) == 1 && timing.outputs_after(far) == far && timing.outputs_after(far, true) == far,
          "Prewarm: the network must give a frame for each that comes, at once");
    FrameShape in = frames_to_try(net_.wanted(), space_of(net_));
    check(space_of(net_) == Space::none && in.channels != 0, "Prewarm: the network must say how many channels it takes, and not work ",
          "over space");
    in = {.channels = in.channels};
    const double each = net_.facts(in).macs + 64;  // nothing costs nothing
    check(static_cast<double>(frames) * each <= max_macs, "Prewarm: ", frames, " frames of ", each,
          " multiply-adds take more than 2^34 of them");
    check_separable(in);
    remember(in);
  }

  const Net& net() const noexcept { return net_; }
  Time frames() const noexcept { return frames_; }
  FrameShape wanted() const { return net_.wanted(); }
  Facts facts(const FrameShape& in) const { return net_.facts(in); }
  Timing timing() const { return net_.timing(); }
  EIGENSTREAM_ALWAYS_INLINE Index max_outputs(Index n) const noexcept { return net_.max_outputs(n); }
  std::uint64_t fingerprint() const {
    if (frames_ == 0) return net_.fingerprint();
    return Fingerprint("Prewarm").add(std::uint64_t{net_.fingerprint()}).add(frames_);
  }
  /// The network without padding, and without the silence: whole windows of the signal have nothing before it.
  Prewarmed without_padding() const { return Prewarmed(eigenstream::without_padding(net_)); }

  void reset(StateRef state) const noexcept {
    net_.reset(state);
    if (frames_ == 0) return;
    StateCodec copies = StateCodec::spreader(after_silence_, state.shape.columns());
    net_.exchange(state, copies);
  }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    return net_.steps(state, x, y);
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const Index written = net_.flush(state, y);
    reset(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    const Time seen = codec.frames();
    codec.set_frames(seen + frames_);
    net_.exchange(state, codec);
    codec.set_frames(seen);
  }
  EIGENSTREAM_ALWAYS_INLINE T* input_room(StateRef state, Index n) const noexcept { return net_.input_room(state, n); }
  EIGENSTREAM_ALWAYS_INLINE bool in_place() const noexcept { return net_.in_place(); }
  bool keeps_channels() const noexcept { return eigenstream::keeps_channels(net_); }

 private:
  explicit Prewarmed(Net net) : net_(std::move(net)) {}

  // A batch begins with copies of one signal, so each of its signals must lie by itself.
  void check_separable(FrameShape in) const {
    in.batch = 2;
    StateMap map(in.batch);
    const StateBlock block = make_state(net_, in);
    StateCodec mapper = StateCodec::mapper(map, block.ref().data);
    net_.exchange(block.ref(), mapper);
    check(map.separable(), "Prewarm: the network remembers what is common to the signals of a batch");
  }
  void remember(const FrameShape& in) {
    constexpr Index tile = 256;
    const StateBlock block = make_state(net_, in);
    const FrameShape out = net_.facts(in).out;
    const std::vector<T> zeros(static_cast<std::size_t>(tile * in.size()));
    std::vector<T> ignored(static_cast<std::size_t>(tile * out.size()));
    for (Time left = frames_; left > 0; left -= tile) {
      const Index n = static_cast<Index>(std::min<Time>(left, tile));
      net_.steps(block.ref(), Frames<const T>(zeros.data(), in, n), Frames<T>(ignored.data(), out, n));
    }
    StateCodec count;
    count.set_frames(frames_);
    net_.exchange(block.ref(), count);
    after_silence_.resize(count.position());
    StateCodec writer = StateCodec::writer(after_silence_, frames_);
    net_.exchange(block.ref(), writer);
    check(writer.good(), "Prewarm: a layer counts other frames than follow from the layers' timing");
  }

  Net net_;
  Time frames_ = 0;
  std::vector<std::byte> after_silence_;  // what one signal remembers, as saved
};

/// A network after a number of frames of silence: prewarmed(net, frames).
template <class Net>
Prewarmed<std::remove_cvref_t<Net>> prewarmed(Net&& net, Time frames) {
  return Prewarmed<std::remove_cvref_t<Net>>(std::forward<Net>(net), frames);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_PREWARMED_HPP
