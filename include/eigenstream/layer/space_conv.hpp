#ifndef EIGENSTREAM_LAYER_SPACE_CONV_HPP
#define EIGENSTREAM_LAYER_SPACE_CONV_HPP

#include <cmath>   // isfinite
#include <vector>  // weights

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/per_axis.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/grouped_tap_sum.hpp"
#include "eigenstream/memory/border.hpp"
#include "eigenstream/memory/sliding_window.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// For each axis, time first: {time, width} or {time, height, width}.
template <int Axes>
struct SpaceConvOptions {
  PerAxis<Index, Axes> stride = 1;
  PerAxis<Padding, Axes> padding = 0;
  PerAxis<Index, Axes> dilation = 1;
  Index groups = 1;
  PaddingMode padding_mode = PaddingMode::zeros;
  double padding_value = 0;  ///< with PaddingMode::constant
};
using Conv2dOptions = SpaceConvOptions<2>;
using Conv3dOptions = SpaceConvOptions<3>;

/// Convolution (cross-correlation) over time and the space axes of frames; Conv2d and Conv3d below.
///   y[o,w,h,m] = bias[o] + sum over k, i of weight[o,i,k] * x[i, w', h', t'], where along each axis an output at m reads
///   positions m*stride - left + k*dilation, and beyond its ends x is 0, the nearest number (replicate) or padding_value
/// Shapes   Conv2d: x (In,W,T) -> y (Out,W',T'), weight (Out, In/groups, taps in time, in width); a height is further columns
///          Conv3d: x (In,W,H,T) -> y (Out,W',H',T'), weight (Out, In/groups, taps in time, in height, in width)
///          with a batch or without; n' = floor((n + left + right - reach) / stride) + 1 along each axis; bias (Out) or empty
/// Timing   receptive_field reach = (taps-1)*dilation + 1 in time, delay reach - 1 - left, rate 1/stride; a frame in, a frame
///          out and nothing to remember with one tap in time, stride 1 and no padding there
/// Errors   constructor: Error on any impossible size; facts: if the kernel does not fit into the frames. steps/flush:
///          noexcept, no allocation
/// Source   torch.nn.Conv2d over (B,C,T,W) and torch.nn.Conv3d over (B,C,T,H,W); padding_mode zeros and replicate, constant is
///          torch.nn.ConstantPad2d or 3d in front of it
/// Frames are kept with their border around them, so that all windows lie in them whole.
template <class T, int Axes>
class SpaceConv {
  static_assert(Axes == 2 || Axes == 3);

 public:
  using Scalar = T;
  using Options = SpaceConvOptions<Axes>;
  static constexpr Space space_of_type = Space::used;

  explicit SpaceConv(const Weights<T>& weight, const Weights<T>& bias = {}, Options options = {})
      : options_(options), has_bias_(!bias.empty()) {
    check(weight.shape.size() == Axes + 2, name, ": weight has shape ", weight.shape_text(), ", expected ",
          Axes == 2 ? "(out,in/groups,taps in time,in width)" : "(out,in/groups,taps in time,in height,in width)");
    for (const Index extent : weight.shape)
      check(extent >= 1, name, ": weight has shape ", weight.shape_text(), ", none may be 0");
    const Index groups = options.groups;
    check(groups >= 1, name, ": groups = ", groups, ", must be at least 1");
    out_ = weight.shape[0], in_ = weight.shape[1] * groups;
    check(out_ % groups == 0, name, ": ", out_, " output channels cannot be split into ", groups, " groups");
    if (has_bias_) bias.expect(name, "bias", {out_});
    const auto axis = [&](int a, const char* axis_name) {
      const WindowAxis own{weight.shape[static_cast<std::size_t>(a) + 2], options.stride[a], options.padding[a],
                           options.dilation[a]};
      own.check_sizes(name, axis_name);
      return own;
    };
    time_ = axis(0, "time");
    if (Axes == 3) height_ = axis(1, "height");
    width_ = axis(Axes - 1, "width");

    const PaddingMode mode = options.padding_mode;
    check(mode == PaddingMode::constant || options.padding_value == 0, name, ": padding_value = ", options.padding_value,
          " needs padding_mode constant");
    fill_ = static_cast<T>(options.padding_value);
    check(std::isfinite(fill_), name, ": padding_value = ", options.padding_value, ", must be finite");
    if (fill_ == T(0)) fill_ = T(0);  // no -0
    const bool repeats = mode == PaddingMode::replicate;
    repeats_in_time_ = repeats && time_.padded();
    border_ = {width_.padding, height_.padding, repeats};
    window_ = {time_.reach(), time_.stride, time_.padding.left, repeats_in_time_};

    // Neighbours in a row lie one after another: one tap of so many times the inputs.
    together_ = groups == 1 && width_.dilation == 1 ? width_.taps : 1;
    const Index inputs = in_ / groups, taps = time_.taps * height_.taps * width_.taps;
    kernel_ = kernel::GroupedTapSum<T>(
        in_ * together_, out_, taps / together_, groups,
        [&](Index o, Index k, Index i) { return weight((o * inputs + i % inputs) * taps + k * together_ + i / inputs); },
        [&](Index o) { return has_bias_ ? bias(o) : T(0); });
    fingerprint_ = Fingerprint(name).add(groups).add(fill_).add(repeats);
    for (const Index extent : weight.shape) fingerprint_.add(extent);
    for (const WindowAxis& each : {time_, height_, width_})
      fingerprint_.add(each.stride).add(each.dilation).add(each.padding.left).add(each.padding.right);
    fingerprint_.add(weight.span()).add(bias.span());
  }

  /// The same convolution without padding in time; that in space stays.
  SpaceConv without_padding() const {
    Options options = options_;
    options.padding[0] = {};
    return SpaceConv(weight(), bias(), options);
  }
  /// The parameters as they were given; the bias may be empty.
  Weights<T> weight() const {
    const Index inputs = in_ / options_.groups, all = taps();
    std::vector<T> values;
    for (Index o = 0; o < out_; ++o)
      for (Index i = 0; i < inputs; ++i)
        for (Index k = 0; k < all; ++k) values.push_back(kernel_.weight(o, k / together_, k % together_ * inputs + i));
    std::vector<Index> shape{out_, inputs, time_.taps};
    if (Axes == 3) shape.push_back(height_.taps);
    shape.push_back(width_.taps);
    return {std::move(shape), std::move(values)};
  }
  Weights<T> bias() const {
    if (!has_bias_) return {};
    std::vector<T> values;
    for (Index o = 0; o < out_; ++o) values.push_back(kernel_.bias(o));
    return {{out_}, std::move(values)};
  }
  const Options& options() const noexcept { return options_; }

  FrameShape wanted() const noexcept { return FrameShape::any(in_); }
  Facts facts(const FrameShape& in) const {
    check_channels(name, in_, in);
    check_fits(height_, "height", in.height);
    check_fits(width_, "width", in.width);
    check(static_cast<double>(in_) * static_cast<double>(in.width + width_.padding.left + width_.padding.right) *
                  static_cast<double>(in.height + height_.padding.left + height_.padding.right) <=
              static_cast<double>(Index{1} << 28),
          name, ": a frame with its padding has more than 2^28 numbers");
    const FrameShape out{out_, width_.windows(in.width), height_.windows(in.height), in.batch}, kept = border_.around(in);
    const Index weights = in_ / options_.groups * out_ * taps();
    return {.out = out,
            .state_bytes = remembers() ? window_.template state_bytes<T>(kept) : 0,
            .scratch_bytes = offset_bytes() + (!remembers() && !reads_input() ? frame_bytes(kept) : 0),
            .max_flush = window_.max_windows(time_.padding.right),
            .parameters = weights + (has_bias_ ? out_ : 0),
            .macs = static_cast<double>(weights * out.columns()) / static_cast<double>(time_.stride)};
  }
  Timing timing() const {
    return TimingStage{.reach = time_.reach(),
                       .stride = time_.stride,
                       .left = time_.padding.left,
                       .right = time_.padding.right,
                       .dilation = time_.dilation,
                       .replicates = repeats_in_time_};
  }
  Index max_outputs(Index n) const noexcept { return window_.max_windows(n); }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    if (remembers()) window_.reset(Layout(*this, state).window(state), fill_);
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Layout layout(*this, state);
    place_taps(layout, state);
    if (!remembers()) return frame_by_frame(layout, state, x, y);
    const SlidingWindow::At at = layout.window(state);
    History<T> history = window_.template history<T>(at);
    Index written = 0;
    for (Index begin = 0; begin < x.count;) {
      const Index n = std::min(x.count - begin, history.max_frames());
      const T* from = x.frame(begin);
      if (!border_.empty()) {
        T* const place = history.room(n);
        border_.copy(from, x.shape(), n, fill_, place);
        from = place;
      }
      if (repeats_in_time_ && !window_.one_at_a_time(at))  // the first frame
        window_.template repeat_before<T>(at, from);
      written += window_.template advance<T>(at, from, n, nullptr, [&](const T* first, Index windows, Index done) {
        convolve(layout, state, first, windows, y.frame(written + done));
      });
      begin += n;
    }
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    if (!remembers()) return 0;
    const Layout layout(*this, state);
    place_taps(layout, state);
    const SlidingWindow::At at = layout.window(state);
    Index written = 0;
    if (window_.seen(at) > 0) {
      const auto emit = [&](const T* first, Index windows, Index done) {
        convolve(layout, state, first, windows, y.frame(done));
      };
      written = repeats_in_time_ ? window_.template advance_repeat<T>(at, time_.padding.right, emit)
                                 : window_.advance_fill(at, fill_, time_.padding.right, emit);
    }
    window_.reset(at, fill_);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    if (remembers()) window_.template exchange<T>(Layout(*this, state).window(state), codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    if (!remembers() || !border_.empty()) return nullptr;
    History<T> history = window_.template history<T>(state);
    return n <= history.max_frames() ? history.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  static constexpr const char* name = Axes == 2 ? "Conv2d" : "Conv3d";

  // Frames of one shape, with the border around them: scalars in a row, an image and a frame, and the outputs.
  struct Layout {
    Layout(const SpaceConv& conv, const StateRef& state) noexcept {
      const FrameShape kept = conv.border_.around(state.shape);
      row = kept.channels * kept.width, image = row * kept.height, frame = image * kept.batch;
      batch = kept.batch, width = conv.width_.windows(state.shape.width), height = conv.height_.windows(state.shape.height);
    }
    SlidingWindow::At window(const StateRef& state) const noexcept { return {state.data, frame}; }
    Index row, image, frame;
    Index width, height, batch;
  };

  void check_fits(const WindowAxis& axis, const char* axis_name, Index extent) const {
    check(axis.windows(extent) > 0, name, ": the kernel reaches over ", axis.reach(), " positions of the ", axis_name,
          ", of which there are ", extent, " with a padding of (", axis.padding.left, ",", axis.padding.right, ")");
  }
  Index taps() const noexcept { return time_.taps * height_.taps * width_.taps; }
  bool remembers() const noexcept { return !time_.is_plain(); }
  // Without memory, whether frames are read where they come from.
  bool reads_input() const noexcept { return border_.empty() && !kernel_.is_depthwise(); }
  Index offset_bytes() const noexcept { return aligned_bytes(taps() / together_ * static_cast<Index>(sizeof(Index))); }
  static Index frame_bytes(const FrameShape& kept) noexcept {
    return aligned_bytes(kept.size() * static_cast<Index>(sizeof(T))) + memory_alignment;  // loads may run over it
  }
  static Index* offsets(const StateRef& state) noexcept { return reinterpret_cast<Index*>(state.scratch); }

  // Where the taps lie depends on the shape of the frames; it is written to scratch memory with each call.
  void place_taps(const Layout& layout, const StateRef& state) const noexcept {
    Index* to = offsets(state);
    for (Index t = 0; t < time_.taps; ++t)
      for (Index h = 0; h < height_.taps; ++h)
        for (Index w = 0; w < width_.taps; w += together_)
          *to++ = t * time_.dilation * layout.frame + h * height_.dilation * layout.row + w * width_.dilation * in_;
  }
  Index frame_by_frame(const Layout& layout, const StateRef& state, Frames<const T> x, Frames<T> y) const noexcept {
    if (reads_input()) {
      convolve(layout, state, x.data, x.count, y.data);
      return x.count;
    }
    T* const place = reinterpret_cast<T*>(state.scratch + offset_bytes());
    for (Index i = 0; i < x.count; ++i) {
      border_.copy(x.frame(i), x.shape(), 1, fill_, place);
      convolve(layout, state, place, 1, y.frame(i));
    }
    return x.count;
  }
  // Windows in time, from frames with their border. Columns that are equally far apart, those of a row at least, go to the
  // kernel together.
  void convolve(const Layout& layout, const StateRef& state, const T* first, Index windows, T* y) const noexcept {
    Index columns = layout.width, step = width_.stride * in_, rows = layout.height, images = layout.batch;
    const auto join = [&](Index& n, Index apart) {
      if (columns == 1) step = apart;
      if (apart == columns * step) columns *= n, n = 1;
      return n == 1;
    };
    static_cast<void>(join(rows, height_.stride * layout.row) && join(images, layout.image) &&
                      join(windows, time_.stride * layout.frame));
    for (Index m = 0; m < windows; ++m)
      for (Index b = 0; b < images; ++b)
        for (Index r = 0; r < rows; ++r, y += columns * out_)
          kernel_(first + m * time_.stride * layout.frame + b * layout.image + r * height_.stride * layout.row, step,
                  {offsets(state), 1}, columns, y);
  }

  Options options_;
  bool has_bias_;
  bool repeats_in_time_ = false;
  T fill_ = T(0);  // what virtual frames and the border hold, unless they repeat
  Index in_ = 0, out_ = 0;
  WindowAxis time_, height_, width_;
  Index together_ = 1;  // taps of a row that the kernel takes as one
  Border border_;
  SlidingWindow window_;
  kernel::GroupedTapSum<T> kernel_;
  Fingerprint fingerprint_{""};
};

/// Over time and the width of frames: spectra, or windows.
template <class T>
using Conv2d = SpaceConv<T, 2>;
/// Over time, height and width: pictures.
template <class T>
using Conv3d = SpaceConv<T, 3>;

static_assert(Layer<Conv2d<float>> && Layer<Conv3d<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_SPACE_CONV_HPP
