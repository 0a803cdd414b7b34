#ifndef EIGENSTREAM_COMPOSE_CONDITIONAL_HPP
#define EIGENSTREAM_COMPOSE_CONDITIONAL_HPP

#include <algorithm>  // copy_n, fill_n, min, max
#include <new>        // placement
#include <numeric>    // lcm
#include <string>     // names
#include <utility>    // move
#include <vector>     // knobs

#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/room.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct ConditionalOptions {
  std::string name = "condition";  ///< of the knob: 0 chooses on_false, any other number on_true
  bool initial = false;            ///< whether a signal begins with on_true
  bool advance_both = false;       ///< both branches take every frame, so that a change is one of outputs only
};

/// One of two networks, by a knob that the owner of a stream sets between calls. Only the one that is chosen works. When the
/// other one is, after frames that it did not get, it is warmed up with frames of zeros, of which nothing is given out: as many
/// as until it can give an output in step with the other one.
///   y[m] = on_true(x)[m] or on_false(x)[m]
/// Shapes   x as the branches take it -> y as they give it
/// Timing   of the branches, whose outputs come with the same frames; where one gives more at the end of a signal than the
///          other, these are left out
/// Errors   constructor: Error if the outputs do not come with the same frames (a Delay in front of one may do it) or in a
///          regular way. facts: Error if the branches give different frames. steps/flush/set_control: noexcept, no
///          allocation; a call after a change works through up to as many more frames as the first output waits for, and
///          one cycle of the strides
/// Source   continual.Conditional; torch: if condition: y = a(x) else: y = b(x)
/// Layout   counts and places, the knob, the blocks of the branches; as scratch, a frame of zeros, frames that nobody
///          wants, the branches' own. Of a batch, the knob of the first signal counts
template <Layer A, Layer B>
class Conditional {
 public:
  using Scalar = typename A::Scalar;
  using T = Scalar;
  static_assert(std::is_same_v<T, typename B::Scalar>, "eigenstream: the branches have one scalar type");
  static constexpr Space space_of_type = space_beside(eigenstream::space_of_type<A>, eigenstream::space_of_type<B>);

  Conditional(A on_true, B on_false, ConditionalOptions options = {})
      : on_true_(std::move(on_true)),
        on_false_(std::move(on_false)),
        options_(std::move(options)),
        controls_{{options_.name, {options_.initial ? 1.0 : 0.0}}} {
    check_one_signal("Conditional", on_true_);
    check_one_signal("Conditional", on_false_);
    const Timing one = on_true_.timing(), other = on_false_.timing();
    first_ = one.first_output();
    check(one.rate() == other.rate() && first_ == other.first_output(),
          "Conditional: the branches give outputs with different frames: ", one.rate().outputs, " for ", one.rate().inputs,
          " frames, the first with frame ", first_, "; ", other.rate().outputs, " for ", other.rate().inputs,
          ", the first with frame ", other.first_output());
    cycle_ = std::lcm(one.cycle(), other.cycle());
    check(cycle_ <= 65536, "Conditional: the strides of the branches repeat only after ", cycle_, " frames");
    const auto at_end = [](const Timing& timing, Time n) { return timing.outputs_after(n, true) - timing.outputs_after(n); };
    const Time each_cycle = one.outputs_after(first_ + cycle_);
    for (const Timing* each : {&one, &other})
      for (Time n = first_; n < first_ + cycle_; ++n)
        check(each->outputs_after(n) == one.outputs_after(n) && at_end(*each, n + cycle_) == at_end(*each, n) &&
                  each->outputs_after(n + cycle_) - each->outputs_after(n) == each_cycle,
              "Conditional: a branch gives its outputs in an irregular way");
    Timing::Builder both;
    both.join({both.append(one, 0), both.append(other, 0)}, Alignment::lagging);
    timing_ = both.finish();
    const FrameShape in = frames_to_try(wanted(), space());
    if (in.channels != 0) (void)facts(in);
  }

  const A& on_true() const noexcept { return on_true_; }
  const B& on_false() const noexcept { return on_false_; }
  const std::vector<NetworkControl>& controls() const noexcept { return controls_; }
  /// The same without padding inside.
  auto without_padding() const {
    return eigenstream::Conditional(eigenstream::without_padding(on_true_), eigenstream::without_padding(on_false_), options_);
  }

  FrameShape wanted() const {
    const FrameShape one = on_true_.wanted();
    return one.channels != 0 ? one : on_false_.wanted();
  }
  Facts facts(const FrameShape& in) const {
    const Facts one = on_true_.facts(in), other = on_false_.facts(in);
    check(one.out == other.out, "Conditional: one branch turns frames of ", in, " into ", one.out, ", the other into ",
          other.out);
    return {.out = one.out,
            .state_bytes = own_bytes(in) + aligned_bytes(one.state_bytes) + aligned_bytes(other.state_bytes),
            .scratch_bytes = own_scratch(in, one, other) + std::max(one.scratch_bytes, other.scratch_bytes),
            .max_flush = std::max(one.max_flush, other.max_flush),
            .parameters = one.parameters + other.parameters,
            .macs = options_.advance_both ? one.macs + other.macs : std::max(one.macs, other.macs)};
  }
  Space space() const noexcept { return space_beside(space_of(on_true_), space_of(on_false_)); }
  Timing timing() const { return timing_; }
  Index max_outputs(Index n) const noexcept { return std::max(on_true_.max_outputs(n), on_false_.max_outputs(n)); }
  std::uint64_t fingerprint() const {
    return Fingerprint("Conditional").add(std::uint64_t{on_true_.fingerprint()}).add(std::uint64_t{on_false_.fingerprint()})
        .add(options_.initial).add(options_.advance_both);
  }

  void reset(StateRef state) const noexcept {
    const Facts one = on_true_.facts(state.shape), other = on_false_.facts(state.shape);
    Head& own = *new (state.data) Head{};
    own.second = own_bytes(state.shape) + aligned_bytes(other.state_bytes);
    own.inner_scratch = own_scratch(state.shape, one, other);
    own.out = FrameLayout(one.out);
    std::fill_n(knob(state), state.shape.batch, options_.initial ? T(1) : T(0));
    reset_branches(state);
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index chosen = choice(state);
    catch_up(state, chosen);
    const Index written = take(state, chosen, x, y);
    const Index most = options_.advance_both ? tile(state.shape) : Index{1};
    for (Index at = 0; options_.advance_both && at < x.count; at += most)
      take(state, 1 - chosen, x.slice(at, std::min(most, x.count - at)), unwanted(state));
    head(state).seen += x.count;
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const Index chosen = choice(state);
    catch_up(state, chosen);
    const Time seen = head(state).seen;
    const Frames<T> rest = unwanted(state);
    Index count = 0;
    with_branch(chosen, [&](const auto& layer) { count = layer.flush(branch(state, chosen), rest); });
    count = static_cast<Index>(std::min<Time>(count, timing_.outputs_after(seen, true) - timing_.outputs_after(seen)));
    std::copy_n(rest.data, count * rest.frame_size(), y.data);
    std::fill_n(knob(state), state.shape.batch, options_.initial ? T(1) : T(0));
    reset_branches(state);
    return count;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    const Time seen = codec.frames();
    codec.count(head(state).seen, seen);
    codec.values(knob(state), state.shape.batch);
    for (const Index k : {Index{0}, Index{1}}) {
      codec.counter(head(state).taken[k], options_.advance_both ? seen : 0, seen);
      codec.set_frames(head(state).taken[k]);
      with_branch(k, [&](const auto& layer) { layer.exchange(branch(state, k), codec); });
    }
    codec.set_frames(seen);
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }
  bool keeps_channels() const noexcept {
    return eigenstream::keeps_channels(on_true_) && eigenstream::keeps_channels(on_false_);
  }

  void set_control(StateRef state, Index, const T* values, bool same) const noexcept {
    for (Index b = 0; b < state.shape.batch; ++b) knob(state)[b] = values[same ? 0 : b];
  }
  const T* control(StateRef state, Index) const noexcept { return knob(state); }

 private:
  struct Head {
    Time seen = 0;           // frames of the signal
    Time taken[2] = {0, 0};  // by on_false and on_true, with those of zeros
    Index second = 0;        // offset of the block of on_true
    Index inner_scratch = 0;
    FrameLayout out;
  };
  static Head& head(StateRef state) noexcept { return *reinterpret_cast<Head*>(state.data); }
  static constexpr Index head_bytes = aligned_bytes(static_cast<Index>(sizeof(Head)));
  static T* knob(StateRef state) noexcept { return reinterpret_cast<T*>(state.data + head_bytes); }
  static Index choice(StateRef state) noexcept { return knob(state)[0] != T(0) ? 1 : 0; }
  static Index bytes_of(Index numbers) noexcept {
    return aligned_bytes(numbers * static_cast<Index>(sizeof(T))) + memory_alignment;
  }
  static Index own_bytes(const FrameShape& in) noexcept { return head_bytes + bytes_of(in.batch); }
  static Index tile(const FrameShape& in) noexcept { return room_for(in.size(), static_cast<Index>(sizeof(T))); }

  // Scratch: a frame of zeros, then what nobody wants, or what the end of the signal releases.
  Index own_scratch(const FrameShape& in, const Facts& one, const Facts& other) const noexcept {
    return bytes_of(in.size()) + bytes_of(std::max({max_outputs(tile(in)), one.max_flush, other.max_flush}) * one.out.size());
  }
  Frames<T> unwanted(StateRef state) const noexcept {
    const FrameLayout& out = head(state).out;
    const Index begin = bytes_of(state.shape.size());
    const Index room = (head(state).inner_scratch - begin) / (out.size() * static_cast<Index>(sizeof(T)));
    return {reinterpret_cast<T*>(state.scratch + begin), out, room};
  }

  template <class F>
  void with_branch(Index k, F&& f) const {
    if (k == 0)
      f(on_false_);
    else
      f(on_true_);
  }
  StateRef branch(StateRef state, Index k) const noexcept {
    return {state.data + (k == 0 ? own_bytes(state.shape) : head(state).second), state.shape,
            state.scratch + head(state).inner_scratch};
  }
  void reset_branches(StateRef state) const noexcept {
    head(state).seen = 0;
    for (const Index k : {Index{0}, Index{1}}) {
      head(state).taken[k] = 0;
      with_branch(k, [&](const auto& layer) { layer.reset(branch(state, k)); });
    }
  }
  Index take(StateRef state, Index k, Frames<const T> x, Frames<T> y) const noexcept {
    Index written = 0;
    with_branch(k, [&](const auto& layer) { written = layer.steps(branch(state, k), x, y); });
    head(state).taken[k] += x.count;
    return written;
  }
  // Until it gives an output with the same frames as if it had been given all of them.
  void catch_up(StateRef state, Index k) const noexcept {
    const Time& taken = head(state).taken[k];
    if (taken == head(state).seen) return;
    T* const zeros = reinterpret_cast<T*>(state.scratch);
    std::fill_n(zeros, state.shape.size(), T(0));
    while (taken < head(state).seen && (taken < first_ || (head(state).seen - taken) % cycle_ != 0))
      take(state, k, Frames<const T>(zeros, state.shape, 1), unwanted(state));
  }

  A on_true_;
  B on_false_;
  ConditionalOptions options_;
  std::vector<NetworkControl> controls_;
  Timing timing_;
  Time first_ = 0, cycle_ = 1;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_CONDITIONAL_HPP
