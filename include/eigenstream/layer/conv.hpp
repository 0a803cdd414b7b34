#ifndef EIGENSTREAM_LAYER_CONV_HPP
#define EIGENSTREAM_LAYER_CONV_HPP

#include <cmath>  // isfinite

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/grouped_tap_sum.hpp"
#include "eigenstream/memory/sliding_window.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct Conv1dOptions {
  Index stride = 1;
  Padding padding = {};
  Index dilation = 1;
  Index groups = 1;
  PaddingMode padding_mode = PaddingMode::zeros;
  double padding_value = 0;  ///< with PaddingMode::constant
};

namespace detail {
// What must hold whatever is known at compile time, so that it is compiled once for all of these.
template <class T>
EIGENSTREAM_NO_INLINE void check_conv1d(const Weights<T>& weight, const Weights<T>& bias, const Conv1dOptions& options) {
  check(weight.shape.size() == 3, "Conv1d: weight has shape ", weight.shape_text(), ", expected (out,in/groups,taps)");
  const Index groups = options.groups, out = weight.shape[0];
  check(groups >= 1, "Conv1d: groups = ", groups, ", must be at least 1");
  check(out >= 1 && weight.shape[1] * groups >= 1 && weight.shape[2] >= 1, "Conv1d: weight has shape ", weight.shape_text(),
        ", none may be 0");
  check(out % groups == 0, "Conv1d: ", out, " output channels cannot be split into ", groups, " groups");
  if (!bias.empty()) bias.expect("Conv1d", "bias", {out});
  check(options.stride >= 1, "Conv1d: stride = ", options.stride, ", must be at least 1");
  check(options.dilation >= 1, "Conv1d: dilation = ", options.dilation, ", must be at least 1");
  const Padding padding = options.padding;
  check(padding.left >= 0 && padding.right >= 0, "Conv1d: padding = (", padding.left, ",", padding.right, "), must not be negative");
  check(options.padding_mode == PaddingMode::constant || options.padding_value == 0, "Conv1d: padding_value = ",
        options.padding_value, " needs padding_mode constant");
  check(std::isfinite(static_cast<T>(options.padding_value)), "Conv1d: padding_value = ", options.padding_value, ", must be finite");
}
}  // namespace detail

/// One-dimensional convolution (cross-correlation) over time.
///   y[o,m] = bias[o] + sum_k sum_i w[o,i,k] * x[i, m*stride + k*dilation - left]
/// where x is 0 outside of the signal, or its nearest frame (replicate), or padding_value (constant)
/// Shapes   x (In,T) or (In,B,T) -> y (Out,T') or (Out,B,T'), T' = floor((T + left + right - reach) / stride) + 1
///          weight (Out, In/groups, Taps), bias (Out) or empty
/// Timing   receptive_field reach = (Taps-1)*dilation + 1, delay reach - 1 - left, rate 1/stride; in input frames
/// Errors   constructor: Error on any impossible size, naming it. steps/flush: noexcept, no allocation
/// Source   torch.nn.Conv1d (tap order, padding, groups), padding_mode zeros and replicate; constant is
///          torch.nn.ConstantPad1d in front of it
/// With a single tap, stride 1 and no padding nothing is remembered. Groups of one input and one output channel run in a
/// depthwise kernel. In, Out, Taps may be fixed at compile time (all three, with one group, or with as many groups as there are
/// channels in and out, and Groups fixed, too): the same results, with less overhead for single frames.
template <class T, Index In = Dynamic, Index Out = Dynamic, Index Taps = Dynamic, Index Groups = 1>
class Conv1d {
 public:
  using Scalar = T;

  explicit Conv1d(const Weights<T>& weight, const Weights<T>& bias = {}, Conv1dOptions options = {})
      : has_bias_(!bias.empty()), options_(options) {
    detail::check_conv1d(weight, bias, options);
    const Index groups = options.groups, stride = options.stride, dilation = options.dilation;
    out_ = weight.shape[0], in_ = weight.shape[1] * groups, taps_ = weight.shape[2];
    check(In == Dynamic || in_ == In, "Conv1d: the weight takes ", in_, " input channels, the type ", In);
    check(Out == Dynamic || out_ == Out, "Conv1d: the weight gives ", out_, " output channels, the type ", Out);
    check(Taps == Dynamic || taps_ == Taps, "Conv1d: the weight has ", taps_, " taps, the type ", Taps);
    check(!is_static || groups == Groups, "Conv1d: groups = ", groups, ", the type has ", Groups);
    const Padding padding = options.padding;
    fill_ = static_cast<T>(options.padding_value);
    const bool padded = padding.left > 0 || padding.right > 0;
    if (!padded || fill_ == T(0)) fill_ = T(0);  // no -0
    replicates_ = padded && options.padding_mode == PaddingMode::replicate;
    const Index reach = (taps_ - 1) * dilation + 1;
    window_ = {reach, stride, padding.left, replicates_};

    kernel_ = Kernel(
        in_, out_, taps_, groups, [&](Index o, Index k, Index i) { return weight(o, i, k); },
        [&](Index o) { return has_bias_ ? bias(o) : T(0); });
    pointwise_ = reach == 1 && stride == 1 && padding.left == 0 && padding.right == 0;
    fingerprint_ = Fingerprint("Conv1d").add(in_).add(out_).add(taps_).add(stride).add(dilation).add(groups);
    fingerprint_.add(padding.left).add(padding.right).add(weight.span()).add(bias.span());
    if (replicates_) fingerprint_.bytes("replicate", 9);
    if (fill_ != T(0)) fingerprint_.add(fill_);
  }

  /// The same convolution without any padding: only what whole windows of the signal give.
  Conv1d without_padding() const {
    Conv1dOptions options = options_;
    options.padding = {};
    options.padding_mode = PaddingMode::zeros;
    options.padding_value = 0;
    return Conv1d(weight(), bias(), options);
  }

  /// The parameters as they were given; the bias may be empty.
  Weights<T> weight() const {
    const Index in = in_ / options_.groups;
    std::vector<T> values;
    for (Index o = 0; o < out_; ++o)
      for (Index i = 0; i < in; ++i)
        for (Index k = 0; k < taps_; ++k) values.push_back(kernel_.weight(o, k, i));
    return {{out_, in, taps_}, std::move(values)};
  }
  Weights<T> bias() const {
    if (!has_bias_) return {};
    std::vector<T> values;
    for (Index o = 0; o < out_; ++o) values.push_back(kernel_.bias(o));
    return {{out_}, std::move(values)};
  }

  FrameShape wanted() const noexcept { return FrameShape::any(in_); }
  Facts facts(const FrameShape& in) const {
    check_channels("Conv1d", in_, in);
    return {.out = in.with_channels(out_),
            .state_bytes = pointwise_ ? 0 : window_.template state_bytes<T>(in),
            .scratch_bytes = pointwise_ ? 0 : window_.template scratch_bytes<T>(in),
            .max_flush = window_.max_windows(options_.padding.right),
            .parameters = weights() + (has_bias_ ? out_ : 0),
            .macs = static_cast<double>(weights() * in.columns()) / static_cast<double>(window_.stride)};
  }
  const Conv1dOptions& options() const noexcept { return options_; }
  Index taps() const noexcept { return taps_; }
  Timing timing() const {
    return TimingStage{.reach = window_.reach,
                       .stride = window_.stride,
                       .left = window_.left,
                       .right = options_.padding.right,
                       .dilation = options_.dilation,
                       .replicates = replicates_};
  }
  EIGENSTREAM_ALWAYS_INLINE Index max_outputs(Index n) const noexcept { return window_.max_windows(n); }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    if (!pointwise_) window_.reset(state, fill_);
  }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    if (pointwise_) {
      convolve(x.data, x.count, state.shape.columns(), y.data);
      return x.count;
    }
    if constexpr (Kernel::is_static_depthwise) {
      if (x.count == 1 && state.shape.columns() == 1 && window_.one_is_due(state)) {
        window_.template advance_due<T>({state.data, In}, [&](T* first) EIGENSTREAM_INLINE_LAMBDA {
          kernel_.append(first, options_.dilation * In, x.data, y.data);
        });
        return 1;
      }
    } else if constexpr (is_static)
      if (x.count == 1 && state.shape.columns() == 1 && window_.one_at_a_time(state))
        return window_.template advance_one<T>({state.data, In}, x.data, [&](const T* first)
                                                   EIGENSTREAM_INLINE_LAMBDA {
          kernel_.column(first, offsets(1), y.data);
        });
    return many_steps(StateRef(state.data, state.shape, state.scratch), x.data, x.count, y.data, nullptr);
  }
  /// As steps, but each output is added to the number of `addend` at its place, unless that is null. A sum that follows in a
  /// network costs next to nothing so.
  EIGENSTREAM_ALWAYS_INLINE Index add_steps(StateRef state, const T* x, Index n, const T* addend, T* y) const noexcept
    requires(In == Dynamic || Out == Dynamic || Taps == Dynamic)
  {
    const bool one = n == 1 && state.shape.columns() == 1;
    if (pointwise_) {
      if (one)
        kernel_.column(x, offsets(1), y, addend);
      else
        convolve(x, n, state.shape.columns(), y, addend);
      return n;
    }
    if (one && window_.one_at_a_time(state))
      return window_.template advance_one<T>({state.data, in()}, x, [&](const T* first) EIGENSTREAM_INLINE_LAMBDA {
        kernel_.column(first, offsets(1), y, addend);
      });
    return many_steps(state, x, n, y, addend);
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    Index written = 0;
    if (pointwise_) return written;
    if (window_.seen(state) > 0) {
      const auto emit = [&](const T* first, Index windows, Index done) {
        convolve(first, windows, state.shape.columns(), y.frame(done));
      };
      written = replicates_ ? window_.template advance_repeat<T>(state, options_.padding.right, emit)
                            : window_.advance_fill(state, fill_, options_.padding.right, emit);
    }
    reset(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    if (!pointwise_) window_.template exchange<T>(state, codec);
  }
  EIGENSTREAM_ALWAYS_INLINE T* input_room(StateRef state, Index n) const noexcept {
    if (pointwise_) return nullptr;
    History<T> history = window_.template history<T>(state);
    return n <= history.max_frames() ? history.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  Index weights() const noexcept { return in_ / options_.groups * out_ * taps_; }
  // The few arguments that fit into registers, and a copy of the state made for this call, so that the other path, of single
  // frames, has everything in registers.
  EIGENSTREAM_OUTLINED Index many_steps(const StateRef& state, const T* x, Index n, T* y, const T* addend) const noexcept {
    const Index columns = state.shape.columns();
    const SlidingWindow::At at(state.data, in() * columns);
    if (replicates_ && n > 0 && !window_.one_at_a_time(at)) [[unlikely]]  // the first frame
      window_.template repeat_before<T>(at, x);
    if (kernel_.is_depthwise() && window_.is_beside(at, x, n))
      return window_.advance_beside(at, x, n, [&](const T* first, Index windows, Index done) {
        const Index to = done * out_ * columns;
        convolve(first, windows, columns, y + to, addend == nullptr ? addend : addend + to);
      });
    return window_.template advance<T>(
        at, x, n, state.scratch,
        [&](const T* first, Index windows, Index done) {
          const Index to = done * out_ * columns;
          convolve(first, windows, columns, y + to, addend == nullptr ? addend : addend + to);
        },
        true);
  }

  using Kernel = kernel::GroupedTapSum<T, Out, Taps, In, Groups>;
  static constexpr bool is_static = Kernel::is_static;

  EIGENSTREAM_ALWAYS_INLINE void convolve(const T* first, Index windows, Index per_frame, T* y,
                                          const T* addend = nullptr) const noexcept {
    const Index stride = window_.stride;
    // Space and batch are further columns; with a stride they are contiguous only within a frame.
    if (stride == 1) return kernel_(first, in(), offsets(per_frame), windows * per_frame, y, addend);
    strided(first, windows, per_frame, y, addend);
  }
  EIGENSTREAM_OUTLINED void strided(const T* first, Index windows, Index per_frame, T* y, const T* addend) const noexcept {
    const Index stride = window_.stride;
    if (per_frame == 1) return kernel_(first, stride * in(), offsets(1), windows, y, addend);
    for (Index m = 0; m < windows; ++m) {
      const Index to = m * per_frame * out_;
      kernel_(first + m * stride * in() * per_frame, in(), offsets(per_frame), per_frame, y + to, addend == nullptr ? addend : addend + to);
    }
  }
  EIGENSTREAM_ALWAYS_INLINE kernel::TapOffsets offsets(Index per_frame) const noexcept {
    return {nullptr, options_.dilation * in() * per_frame};
  }
  EIGENSTREAM_ALWAYS_INLINE Index in() const noexcept { return In != Dynamic ? In : in_; }

  // What every frame needs comes first.
  // One tap, no stride, no padding: nothing to remember.
  bool pointwise_ = false;
  bool replicates_ = false;
  bool has_bias_;
  T fill_ = T(0);  // what the virtual frames hold, unless they replicate
  Index in_ = 0, out_ = 0, taps_ = 0;
  Conv1dOptions options_;
  SlidingWindow window_;
  Kernel kernel_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Conv1d<float>> && Layer<Conv1d<float, 3, 2, 5>> && Layer<Conv1d<float, 3, 3, 5, 3>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CONV_HPP
