#ifndef EIGENSTREAM_COMPOSE_CONTROL_HPP
#define EIGENSTREAM_COMPOSE_CONTROL_HPP

#include <algorithm>  // fill
#include <cstring>    // memcpy
#include <string>     // names
#include <utility>    // move
#include <vector>     // knobs

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Knobs: for each frame of x the same frame again, which a network makes of numbers that the owner of a stream sets between
/// calls. It is worked out once, when they are set; of x nothing is used but when it comes, so that what is given here can
/// meet x number by number.
///   y[m] = net(values of all knobs, one behind the other)
/// With equal names, several in one graph are one knob.
/// Shapes   x (C,T), with a batch or without, of any number of channels -> y (C',T), as the network gives
/// Timing   none: a frame out for each frame in. A new value is in all frames that come from then on
/// Errors   constructor: Error if there is no knob, two have the same name, or the network does not take them or is not one
///          that makes one frame of one, by itself. steps/flush/set_control: noexcept, no allocation
/// Source   torch: an argument of a forward that has no axis of time
/// Layout   the knobs' values, what the network takes, what it gives, its state
template <Layer Net>
class Control {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;

  explicit Control(std::vector<NetworkControl> controls, Net net) : controls_(std::move(controls)), net_(std::move(net)) {
    check(!controls_.empty(), "Control: no knob");
    for (std::size_t k = 0; k < controls_.size(); ++k) {
      check(!controls_[k].name.empty() && controls_[k].channels() > 0, "Control: a knob without a name or without numbers");
      for (std::size_t i = 0; i < k; ++i)
        check(controls_[i].name != controls_[k].name, "Control: two knobs are called ", controls_[k].name);
      size_ += controls_[k].channels();
    }
    check_one_signal("Control", net_);
    check(net_.timing().frame_by_frame() && !net_.timing().recursive() && space_of(net_) == Space::none,
          "Control: the network of a knob makes one frame of one, by itself; this one looks at others");
    out_ = net_.facts({.channels = size_}).out;
  }

  const std::vector<NetworkControl>& controls() const noexcept { return controls_; }
  const Net& net() const noexcept { return net_; }

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    Facts all = net_.facts({.channels = size_, .batch = in.batch});
    all.state_bytes += offset_of_net(in.batch);
    all.max_flush = 0;
    all.macs = 0;
    return all;
  }
  Timing timing() const { return {}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const {
    Fingerprint all("Control");
    for (const NetworkControl& each : controls_) {
      all.bytes(each.name.data(), each.name.size());
      all.add(std::span<const double>(each.initial));
    }
    return all.add(std::uint64_t{net_.fingerprint()});
  }

  void reset(StateRef state) const noexcept {
    const FrameLayout shape = net_shape(state);
    net_.reset(net_state(state, shape));
    for (Index k = 0; k < static_cast<Index>(controls_.size()); ++k) {
      T* to = place(state, k);
      for (Index b = 0; b < state.shape.batch; ++b)
        for (const double value : controls_[static_cast<std::size_t>(k)].initial) *to++ = static_cast<T>(value);
    }
    work_out(state);
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const std::size_t bytes = static_cast<std::size_t>(result_size(state)) * sizeof(T);
    for (Index t = 0; t < x.count; ++t) std::memcpy(y.frame(t), result(state), bytes);
    return x.count;
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    for (Index k = 0; k < static_cast<Index>(controls_.size()); ++k)
      codec.values(place(state, k), channels(k) * state.shape.batch);
    codec.derived(result(state), result_size(state));
    if (codec.reading() && codec.good()) work_out(state);
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr bool keeps_channels() noexcept { return false; }

  /// Gives knob k these values, (channels, batch), or (channels) if they are the same for all of the batch.
  void set_control(StateRef state, Index k, const T* given, bool same) const noexcept {
    const Index n = channels(k);
    for (Index b = 0; b < state.shape.batch; ++b)
      std::memcpy(place(state, k) + b * n, given + (same ? 0 : b * n), static_cast<std::size_t>(n) * sizeof(T));
    work_out(state);
  }
  const T* control(StateRef state, Index k) const noexcept { return place(state, k); }

 private:
  static Index bytes_of(Index numbers) noexcept { return aligned_bytes(numbers * static_cast<Index>(sizeof(T))) + memory_alignment; }
  Index offset_of_net(Index batch) const noexcept { return 2 * bytes_of(size_ * batch) + bytes_of(out_.size() * batch); }
  Index channels(Index k) const noexcept { return controls_[static_cast<std::size_t>(k)].channels(); }
  Index result_size(StateRef state) const noexcept { return out_.size() * state.shape.batch; }

  static T* values(StateRef state) noexcept { return reinterpret_cast<T*>(state.data); }
  T* taken(StateRef state) const noexcept { return reinterpret_cast<T*>(state.data + bytes_of(size_ * state.shape.batch)); }
  T* result(StateRef state) const noexcept { return reinterpret_cast<T*>(state.data + 2 * bytes_of(size_ * state.shape.batch)); }
  T* place(StateRef state, Index k) const noexcept {
    Index before = 0;
    for (Index i = 0; i < k; ++i) before += channels(i);
    return values(state) + before * state.shape.batch;
  }
  FrameLayout net_shape(StateRef state) const noexcept {
    return FrameShape{.channels = size_, .batch = state.shape.batch};
  }
  StateRef net_state(StateRef state, const FrameLayout& shape) const noexcept {
    return {state.data + offset_of_net(state.shape.batch), shape, state.scratch};
  }
  // What the network makes of the values.
  void work_out(StateRef state) const noexcept {
    const FrameLayout shape = net_shape(state);
    T* to = taken(state);
    for (Index b = 0; b < state.shape.batch; ++b)
      for (Index k = 0; k < static_cast<Index>(controls_.size()); ++k) {
        const Index n = channels(k);
        std::memcpy(to, place(state, k) + b * n, static_cast<std::size_t>(n) * sizeof(T));
        to += n;
      }
    net_.steps(net_state(state, shape), Frames<const T>(taken(state), shape, 1),
               Frames<T>(result(state), out_.with_batch(state.shape.batch), 1));
  }

  std::vector<NetworkControl> controls_;
  Net net_;
  Index size_ = 0;  // numbers of all knobs
  FrameShape out_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_CONTROL_HPP
