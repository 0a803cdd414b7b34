#ifndef EIGENSTREAM_LAYER_CONV_TRANSPOSE_HPP
#define EIGENSTREAM_LAYER_CONV_TRANSPOSE_HPP

#include <algorithm>  // find
#include <vector>     // runs

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/tap_sum.hpp"
#include "eigenstream/memory/sliding_window.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct ConvTranspose1dOptions {
  Index stride = 1;
  Padding padding = {};  ///< positions that are left out at the start and at the end
  Index output_padding = 0;
  Index dilation = 1;
  Index groups = 1;
};

/// One-dimensional transposed convolution over time: position i*stride + k*dilation accumulates w[:,:,k] x_i.
///   y[o,m] = bias[o] + sum over i, k with i*stride + k*dilation = m + left, and c, of w[c,o,k] * x[c,i]
/// Shapes   x (In,T) or (In,B,T) -> y (Out,T') or (Out,B,T'), T' = (T-1)*stride - left - right + reach + output_padding
///          weight (In, Out/groups, Taps), bias (Out) or empty; reach = (Taps-1)*dilation + 1
/// Timing   rate stride/1; a position is given as soon as no later input can reach it and it is certain to be part of
///          the result: with left 0 and right reach - stride, all that an input can reach of the result comes with it
/// Errors   constructor: Error on any impossible size, naming it. steps/flush: noexcept, no allocation
/// Source   torch.nn.ConvTranspose1d (one padding for both ends)
/// Gathered, not scattered: each input completes a block of `stride` positions. Neighbours in the block that are reached
/// from the same inputs are one column of an ordinary convolution over these inputs, with as many times Out outputs. Hence
/// the bias is added once, the carry-over is input history, the order of additions is fixed, and an output depends on
/// nothing but the inputs whose taps reach it.
template <class T>
class ConvTranspose1d {
 public:
  using Scalar = T;

  explicit ConvTranspose1d(const Weights<T>& weight, const Weights<T>& bias = {}, ConvTranspose1dOptions options = {})
      : options_(options), has_bias_(!bias.empty()) {
    check(weight.shape.size() == 3, "ConvTranspose1d: weight has shape ", weight.shape_text(),
          ", expected (in,out/groups,taps)");
    const Index groups = options.groups, stride = options.stride, dilation = options.dilation;
    check(groups >= 1, "ConvTranspose1d: groups = ", groups, ", must be at least 1");
    in_ = weight.shape[0], out_ = weight.shape[1] * groups, taps_ = weight.shape[2];
    check(out_ >= 1 && in_ >= 1 && taps_ >= 1, "ConvTranspose1d: weight has shape ", weight.shape_text(),
          ", none may be 0");
    check(in_ % groups == 0, "ConvTranspose1d: ", in_, " input channels cannot be split into ", groups, " groups");
    if (has_bias_) bias.expect("ConvTranspose1d", "bias", {out_});
    check(stride >= 1, "ConvTranspose1d: stride = ", stride, ", must be at least 1");
    check(dilation >= 1, "ConvTranspose1d: dilation = ", dilation, ", must be at least 1");
    const Padding padding = options.padding;
    for (const Index side : {padding.left, padding.right})
      check(side >= 0, "ConvTranspose1d: padding = ", side, ", must not be negative");
    check(options.output_padding >= 0 && options.output_padding < std::max(stride, dilation),
          "ConvTranspose1d: output_padding = ", options.output_padding, ", must be less than stride or dilation");

    const Index reach = (taps_ - 1) * dilation + 1;
    stage_ = {.kind = TimingStage::Kind::scatter,
              .reach = reach,
              .stride = stride,
              .left = padding.left,
              .right = padding.right,
              .extra = options.output_padding,
              .dilation = dilation};
    // Block i holds positions i*stride - held ... (i+1)*stride - held - 1: those that input i makes certain.
    skip_ = stage_.held_back() + padding.left;
    const Index oldest = lag_of(taps_ - 1);
    window_ = {oldest + 1, 1, oldest};
    std::vector<std::vector<Index>> taps_of(static_cast<std::size_t>(stride));  // of each phase, the latest tap first
    for (Index k = taps_ - 1; k >= 0; --k) taps_of[static_cast<std::size_t>(phase_of(k))].push_back(k);
    for (Index phase = 0; phase < stride; ++phase) {
      std::vector<Index> offsets;  // of the inputs, from the oldest on
      for (const Index k : taps_of[static_cast<std::size_t>(phase)]) offsets.push_back(oldest - lag_of(k));
      if (phase == 0 || offsets != runs_.back().offsets) runs_.push_back({phase, 0, std::move(offsets), {}});
      ++runs_.back().phases;
    }
    const Index out = out_ / groups, in = in_ / groups;
    for (Run& run : runs_)
      for (Index g = 0; g < groups; ++g)
        run.groups.emplace_back(
            run.phases * out, static_cast<Index>(run.offsets.size()), in,
            [&](Index o, Index t, Index i) {
              const Index k = taps_of[static_cast<std::size_t>(run.first + o / out)][static_cast<std::size_t>(t)];
              return weight(g * in + i, o % out, k);
            },
            [&](Index o) { return has_bias_ ? bias(g * out + o % out) : T(0); });
    block_bytes_ = static_cast<Index>(sizeof(T)) * stride * out_;
    fingerprint_ = Fingerprint("ConvTranspose1d").add(in_).add(out_).add(taps_).add(stride).add(dilation).add(groups);
    fingerprint_.add(padding.left).add(options.output_padding).add(weight.span()).add(bias.span());
    if (padding.right != padding.left) fingerprint_.add(padding.right);
  }

  /// The same with padding and output_padding 0: nothing is taken away and nothing added.
  ConvTranspose1d without_padding() const {
    ConvTranspose1dOptions options = options_;
    options.padding = options.output_padding = 0;
    return ConvTranspose1d(weight(), bias(), options);
  }

  /// The parameters as they were given; the bias may be empty.
  Weights<T> weight() const {
    const Index in = in_ / options_.groups, out = out_ / options_.groups;
    std::vector<T> values;
    for (Index i = 0; i < in_; ++i)
      for (Index o = 0; o < out; ++o)
        for (Index k = 0; k < taps_; ++k) {
          const Run& run = run_of(phase_of(k));
          const auto offset = std::find(run.offsets.begin(), run.offsets.end(), window_.left - lag_of(k));
          values.push_back(run.groups[static_cast<std::size_t>(i / in)].weight(
              (phase_of(k) - run.first) * out + o, offset - run.offsets.begin(), i % in));
        }
    return {{in_, out, taps_}, std::move(values)};
  }
  Weights<T> bias() const {
    if (!has_bias_) return {};
    const Index out = out_ / options_.groups;
    std::vector<T> values;
    for (Index o = 0; o < out_; ++o)
      values.push_back(runs_.front().groups[static_cast<std::size_t>(o / out)].bias(o % out));
    return {{out_}, std::move(values)};
  }

  FrameShape wanted() const noexcept { return FrameShape::any(in_); }
  Facts facts(const FrameShape& in) const {
    check_channels("ConvTranspose1d", in_, in);
    return {.out = in.with_channels(out_),
            .state_bytes = memory_alignment + window_.template state_bytes<T>(in),
            .scratch_bytes = spare_bytes(in) + window_.template scratch_bytes<T>(in),
            .max_flush = std::max<Index>(0, stage_.reach - stage_.stride - stage_.right + stage_.extra + stage_.held_back()),
            .parameters = weights() + (has_bias_ ? out_ : 0),
            .macs = static_cast<double>(weights() * in.columns())};
  }
  const ConvTranspose1dOptions& options() const noexcept { return options_; }
  Timing timing() const { return stage_; }
  Index max_outputs(Index n) const noexcept { return n * stage_.stride; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    to_skip(state) = skip_;
    window_.reset(inputs(state), T(0));
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    Index written = 0;
    window_.template advance<T>(inputs(state), x, state.scratch + spare_bytes(state.shape), [&](const T* first, Index blocks, Index) {
      written += emit(state, first, blocks, y.from(written));
    });
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    Index written = 0;
    const Time n = window_.seen(inputs(state));
    if (n > 0) {
      // What is left of the result, in blocks of stride that only virtual zero inputs remain to reach.
      const Index last = stage_.outputs_in_all(n) - stage_.outputs_after(n);
      y.count = last;
      const Time positions = n * stage_.stride - stage_.held_back();
      const Time end = stage_.outputs_in_all(n) + stage_.left;
      window_.advance_fill(inputs(state), T(0), last > 0 ? static_cast<Index>(ceil_div(end - positions, stage_.stride)) : 0,
                           [&](const T* first, Index blocks, Index) {
                             written += emit(state, first, blocks, y.from(written));
                           });
    }
    reset(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(to_skip(state), std::max<Time>(0, skip_ - codec.frames() * stage_.stride));
    window_.template exchange<T>(inputs(state), codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    History<T> history = window_.template history<T>(inputs(state));
    return n <= history.max_frames() ? history.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  // Neighbouring phases of a block, each `out` channels wide, that are reached from the same inputs.
  struct Run {
    Index first, phases;
    std::vector<Index> offsets;     // of these inputs in the window
    std::vector<kernel::TapSum<T>> groups;  // the kernel of each group of channels
  };
  // Tap k of an input reaches the block that is complete `lag` inputs later, in a fixed place.
  Index lag_of(Index k) const noexcept { return (k * stage_.dilation + stage_.held_back()) / stage_.stride; }
  Index phase_of(Index k) const noexcept { return (k * stage_.dilation + stage_.held_back()) % stage_.stride; }
  const Run& run_of(Index phase) const noexcept {
    std::size_t r = 0;
    while (phase >= runs_[r].first + runs_[r].phases) ++r;
    return runs_[r];
  }

  Index weights() const noexcept { return in_ / options_.groups * out_ * taps_; }
  // The state: positions still to be dropped at the start, input history. The scratch: two blocks of outputs, the window's.
  static Index& to_skip(StateRef state) noexcept { return *reinterpret_cast<Index*>(state.data); }
  Index spare_bytes(const FrameShape& in) const noexcept { return aligned_bytes(2 * block_bytes_ * in.columns()); }
  static T* spare(StateRef state) noexcept { return reinterpret_cast<T*>(state.scratch); }
  StateRef inputs(StateRef state) const noexcept { return {state.data + memory_alignment, state.shape}; }

  // Writes the blocks that start with the window at `first`, without what is dropped at the start and what exceeds
  // y.count (at the end). Whole blocks go straight to y, cut ones through the spare block.
  Index emit(StateRef state, const T* first, Index blocks, Frames<T> y) const noexcept {
    const Index stride = stage_.stride, frame = out_ * state.shape.columns(), in_frame = state.shape.size();
    Index& skip = to_skip(state);
    Index written = 0;
    while (blocks > 0) {
      const Index whole = skip > 0 ? 0 : std::min(blocks, (y.count - written) / stride);
      if (whole > 0) {
        if (state.shape.columns() == 1 && options_.groups == 1)
          for (const Run& run : runs_)
            run.groups.front()(first, in_, {run.offsets.data(), in_frame}, whole, y.frame(written + run.first),
                               stride * out_);
        else
          for (Index m = 0; m < whole; ++m) spread(state, first + m * in_frame, y.frame(written + m * stride));
        written += whole * stride;
      } else {
        const Index dropped = std::min(skip, stride), kept = std::min(stride - dropped, y.count - written);
        if (kept > 0) {
          spread(state, first, spare(state));
          std::memcpy(y.frame(written), spare(state) + dropped * frame,
                      static_cast<std::size_t>(kept * frame) * sizeof(T));
          written += kept;
        }
        skip -= dropped;
      }
      const Index taken = std::max<Index>(1, whole);
      blocks -= taken;
      first += taken * in_frame;
    }
    return written;
  }

  // One block: a column per column of a frame, run and group, computed aside, and its frames put where they belong in y.
  void spread(StateRef state, const T* first, T* y) const noexcept {
    const Index columns = state.shape.columns();
    const Index in = in_ / options_.groups, out = out_ / options_.groups;
    T* aside = spare(state) + stage_.stride * out_ * columns;
    for (const Run& run : runs_)
      for (Index g = 0; g < options_.groups; ++g) {
        run.groups[static_cast<std::size_t>(g)](first + g * in, in_, {run.offsets.data(), state.shape.size()}, columns,
                                                aside, run.phases * out);
        for (Index b = 0; b < columns; ++b)
          for (Index phase = 0; phase < run.phases; ++phase)
            std::memcpy(y + ((run.first + phase) * columns + b) * out_ + g * out, aside + (b * run.phases + phase) * out,
                        static_cast<std::size_t>(out) * sizeof(T));
      }
  }

  ConvTranspose1dOptions options_;
  bool has_bias_;
  Index in_ = 0, out_ = 0, taps_ = 0;
  TimingStage stage_;
  Index skip_ = 0;         // positions before the first output
  Index block_bytes_ = 0;  // of `stride` output frames, one column
  SlidingWindow window_;
  std::vector<Run> runs_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<ConvTranspose1d<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CONV_TRANSPOSE_HPP
