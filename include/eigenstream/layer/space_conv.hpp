#ifndef EIGENSTREAM_LAYER_SPACE_CONV_HPP
#define EIGENSTREAM_LAYER_SPACE_CONV_HPP

#include <algorithm>  // find
#include <cmath>      // isfinite
#include <utility>    // pair
#include <vector>     // phases

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

/// For each axis, time first; in time the stride is 1 and there is no output_padding.
template <int Axes>
struct SpaceConvTransposeOptions {
  PerAxis<Index, Axes> stride = 1;
  PerAxis<Padding, Axes> padding = 0;  ///< positions that are left out at both ends
  PerAxis<Index, Axes> output_padding = 0;
  PerAxis<Index, Axes> dilation = 1;
  Index groups = 1;
};
using ConvTranspose2dOptions = SpaceConvTransposeOptions<2>;
using ConvTranspose3dOptions = SpaceConvTransposeOptions<3>;

namespace detail {

/// Where the outputs of a convolution lie along an axis of space, and what they read of the frames, which have a border around
/// them. Outputs whose taps lie alike are a phase: all of an ordinary convolution, every stride-th of a transposed one.
///   output first + q*out_step reads positions offset + q*in_step of the phase's taps
struct ConvAxis {
  struct Phase {
    Index first = 0;
    std::vector<Index> taps, offsets;  // by ascending offset
  };

  WindowAxis window = {};
  bool transposed = false;
  Index output_padding = 0;
  Padding border = {};
  Index in_step = 1, out_step = 1;
  std::vector<Phase> phases = {};

  static ConvAxis gather(const WindowAxis& window) {
    ConvAxis axis{.window = window, .border = window.padding, .in_step = window.stride};
    Phase& all = axis.phases.emplace_back();
    for (Index k = 0; k < window.taps; ++k) all.taps.push_back(k), all.offsets.push_back(k * window.dilation);
    return axis;
  }
  static ConvAxis scatter(const WindowAxis& window, Index output_padding) {
    const Index last = window.reach() - 1, stride = window.stride, left = window.padding.left;
    ConvAxis axis{.window = window,
                  .transposed = true,
                  .output_padding = output_padding,
                  .border = {std::max<Index>(0, ceil_div(last - left, stride)),
                             std::max<Index>(0, floor_div(last - window.padding.right + output_padding, stride))},
                  .out_step = stride};
    for (Index first = 0; first < stride; ++first) {
      Phase& own = axis.phases.emplace_back();
      own.first = first;
      for (Index k = window.taps - 1; k >= 0; --k) {
        const Index ahead = first + left - k * window.dilation;
        if (floor_div(ahead, stride) * stride != ahead) continue;
        own.taps.push_back(k), own.offsets.push_back(floor_div(ahead, stride) + axis.border.left);
      }
    }
    return axis;
  }

  Index outputs(Index n) const noexcept {
    if (!transposed) return window.windows(n);
    return (n - 1) * window.stride - window.padding.left - window.padding.right + window.reach() + output_padding;
  }
};

/// What convolutions over time and space share. Frames are kept with a border around them, so that all windows lie in them
/// whole; a row of outputs is one call of the kernel.
template <class T>
class FramedConv {
 public:
  using Scalar = T;
  static constexpr Space space_of_type = Space::used;

  FrameShape wanted() const noexcept { return FrameShape::any(in_); }
  Facts facts(const FrameShape& in) const {
    check_channels(name_, in_, in);
    check_fits(height_, "height", in.height);
    check_fits(width_, "width", in.width);
    const double most = static_cast<double>(Index{1} << 28);
    for (const auto& [width, height] : {std::pair(in.width + width_.border.left + width_.border.right,
                                                  in.height + height_.border.left + height_.border.right),
                                        std::pair(width_.outputs(in.width), height_.outputs(in.height))})
      check(static_cast<double>(std::max(in_, out_)) * static_cast<double>(width) * static_cast<double>(height) <= most, name_,
            ": a frame with its padding has more than 2^28 numbers");
    const FrameShape out{out_, width_.outputs(in.width), height_.outputs(in.height), in.batch}, kept = border_.around(in);
    const Index weights = in_ / groups_ * out_ * taps();
    return {.out = out,
            .state_bytes = remembers() ? window_.template state_bytes<T>(kept) : 0,
            .scratch_bytes = offset_bytes() + (!remembers() && !reads_input() ? frame_bytes(kept) : 0),
            .max_flush = window_.max_windows(time_.padding.right),
            .parameters = weights + (has_bias_ ? out_ : 0),
            .macs = static_cast<double>(weights) * static_cast<double>(width_.transposed ? in.columns() : out.columns()) /
                    static_cast<double>(time_.stride)};
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

  /// The bias as it was given; it may be empty.
  Weights<T> bias() const {
    if (!has_bias_) return {};
    std::vector<T> values;
    for (Index o = 0; o < out_; ++o) values.push_back(parts_.front().kernel.bias(o));
    return {{out_}, std::move(values)};
  }

 protected:
  struct Channels {
    Index in, out, groups;
  };
  struct Fill {
    PaddingMode mode = PaddingMode::zeros;
    T value = T(0);
  };
  /// weight(o, i, kt, kh, kw) gives the weight of output o, input i of its group and each axis's tap.
  template <class Weight>
  FramedConv(const char* name, Channels channels, WindowAxis time, ConvAxis height, ConvAxis width, Fill fill,
             const Weights<T>& bias, Weight&& weight)
      : name_(name),
        has_bias_(!bias.empty()),
        fill_(fill.value == T(0) ? T(0) : fill.value),  // no -0
        in_(channels.in),
        out_(channels.out),
        groups_(channels.groups),
        time_(time),
        height_(std::move(height)),
        width_(std::move(width)) {
    const bool repeats = fill.mode == PaddingMode::replicate;
    repeats_in_time_ = repeats && time_.padded();
    border_ = {width_.border, height_.border, repeats};
    window_ = {time_.reach(), time_.stride, time_.padding.left, repeats_in_time_};
    const Index inputs = in_ / groups_;
    for (const ConvAxis::Phase& rows : height_.phases)
      for (const ConvAxis::Phase& columns : width_.phases) {
        // Neighbours in a row lie one after another: one tap of so many times the inputs.
        const Index n = size(columns.taps), high = size(rows.taps), together = groups_ == 1 && n > 0 && is_run(columns.offsets) ? n : 1;
        const auto weight_of = [&](Index o, Index t, Index i) {
          const Index column = t * together % std::max<Index>(1, n) + i / inputs, row = t * together / n;
          return weight(o, i % inputs, row / high, rows.taps[static_cast<std::size_t>(row % high)],
                        columns.taps[static_cast<std::size_t>(column)]);
        };
        parts_.push_back({kernel::GroupedTapSum<T>(in_ * together, out_, time_.taps * high * n / together, groups_, weight_of,
                                                   [&](Index o) { return has_bias_ ? bias(o) : T(0); }),
                          rows, columns, together, offsets_});
        offsets_ += time_.taps * high * n / together;
      }
    fingerprint_ = Fingerprint(name).add(in_).add(out_).add(groups_).add(fill_).add(repeats);
    for (const WindowAxis& each : {time_, height_.window, width_.window})
      fingerprint_.add(each.taps).add(each.stride).add(each.dilation).add(each.padding.left).add(each.padding.right);
    fingerprint_.add(height_.output_padding).add(width_.output_padding).add(bias.span());
  }

  /// What is checked of the weights' shape and the groups, before anything else.
  static void check_shapes(const char* name, const Weights<T>& weight, std::size_t rank, const char* expected, Index groups) {
    check(weight.shape.size() == rank, name, ": weight has shape ", weight.shape_text(), ", expected ", expected);
    for (const Index extent : weight.shape)
      check(extent >= 1, name, ": weight has shape ", weight.shape_text(), ", none may be 0");
    check(groups >= 1, name, ": groups = ", groups, ", must be at least 1");
  }
  /// The weight of output o, input i of its group and each axis's tap, as it was given.
  T weight(Index o, Index i, Index kt, Index kh, Index kw) const {
    for (const Part& part : parts_) {
      const Index row = place_of(part.rows.taps, kh), column = place_of(part.columns.taps, kw);
      if (row < 0 || column < 0) continue;
      const Index tap = (kt * size(part.rows.taps) + row) * size(part.columns.taps) + column;
      return part.kernel.weight(o, tap / part.together, tap % part.together * (in_ / groups_) + i);
    }
    return T(0);
  }

  const char* name_;
  bool has_bias_;
  bool repeats_in_time_ = false;
  T fill_;  // what virtual frames and the border hold, unless they repeat
  Index in_, out_, groups_;
  WindowAxis time_;
  ConvAxis height_, width_;
  Fingerprint fingerprint_{""};

 private:
  // The outputs of one phase in height and one in width.
  struct Part {
    kernel::GroupedTapSum<T> kernel;
    ConvAxis::Phase rows, columns;
    Index together;       // taps of a row that the kernel takes as one
    Index first_offset;   // among those that place_taps writes
  };

  // Frames of one shape, with the border around them: scalars in a row, an image and a frame, and the outputs.
  struct Layout {
    Layout(const FramedConv& conv, const StateRef& state) noexcept {
      const FrameShape kept = conv.border_.around(state.shape);
      row = kept.channels * kept.width, image = row * kept.height, frame = image * kept.batch;
      batch = kept.batch, width = conv.width_.outputs(state.shape.width), height = conv.height_.outputs(state.shape.height);
    }
    SlidingWindow::At window(const StateRef& state) const noexcept { return {state.data, frame}; }
    Index row, image, frame;
    Index width, height, batch;
  };

  static Index size(const std::vector<Index>& of) noexcept { return static_cast<Index>(of.size()); }
  static bool is_run(const std::vector<Index>& offsets) noexcept { return offsets.back() - offsets.front() + 1 == size(offsets); }
  static Index place_of(const std::vector<Index>& taps, Index k) noexcept {
    const auto found = std::find(taps.begin(), taps.end(), k);
    return found == taps.end() ? -1 : static_cast<Index>(found - taps.begin());
  }
  void check_fits(const ConvAxis& axis, const char* axis_name, Index extent) const {
    const WindowAxis& window = axis.window;
    check(axis.outputs(extent) > 0, name_, ": the kernel reaches over ", window.reach(), " positions of the ", axis_name,
          ", of which there are ", extent, " with a padding of (", window.padding.left, ",", window.padding.right, ")");
  }
  Index taps() const noexcept { return time_.taps * height_.window.taps * width_.window.taps; }
  bool remembers() const noexcept { return !time_.is_plain(); }
  // Without memory, whether frames are read where they come from.
  bool reads_input() const noexcept { return border_.empty(); }
  Index offset_bytes() const noexcept { return aligned_bytes(offsets_ * static_cast<Index>(sizeof(Index))); }
  static Index frame_bytes(const FrameShape& kept) noexcept {
    return aligned_bytes(kept.size() * static_cast<Index>(sizeof(T))) + memory_alignment;  // loads may run over it
  }
  static Index* offsets(const StateRef& state) noexcept { return reinterpret_cast<Index*>(state.scratch); }

  // Where the taps lie depends on the shape of the frames; it is written to scratch memory with each call.
  void place_taps(const Layout& layout, const StateRef& state) const noexcept {
    Index* to = offsets(state);
    for (const Part& part : parts_)
      for (Index t = 0; t < time_.taps; ++t)
        for (const Index row : part.rows.offsets)
          for (Index k = 0; k < size(part.columns.offsets); k += part.together)
            *to++ = t * time_.dilation * layout.frame + row * layout.row + part.columns.offsets[static_cast<std::size_t>(k)] * in_;
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
  // Windows in time, from frames with their border.
  void convolve(const Layout& layout, const StateRef& state, const T* first, Index windows, T* y) const noexcept {
    for (const Part& part : parts_) convolve(part, layout, state, first, windows, y);
  }
  // Columns that are equally far apart, those of a row at least, go to the kernel together.
  void convolve(const Part& part, const Layout& layout, const StateRef& state, const T* first, Index windows,
                T* y) const noexcept {
    struct Axis {
      Index n, from, to;  // how many, and how far apart
    };
    const auto count = [](Index outputs, Index begin, Index step) { return std::max<Index>(0, ceil_div(outputs - begin, step)); };
    const Index out_row = layout.width * out_, out_image = out_row * layout.height;
    Axis columns{count(layout.width, part.columns.first, width_.out_step), width_.in_step * in_, width_.out_step * out_};
    Axis outer[] = {{count(layout.height, part.rows.first, height_.out_step), height_.in_step * layout.row, height_.out_step * out_row},
                    {layout.batch, layout.image, out_image},
                    {windows, time_.stride * layout.frame, out_image * layout.batch}};
    for (Axis& next : outer) {
      if (columns.n == 1) {
        columns = next;
      } else if (next.n != 1) {
        if (next.from != columns.n * columns.from || next.to != columns.n * columns.to) break;
        columns.n *= next.n;
      }
      next.n = 1;
    }
    const auto& [rows, images, frames] = outer;
    y += part.columns.first * out_ + part.rows.first * out_row;
    for (Index m = 0; m < frames.n; ++m)
      for (Index b = 0; b < images.n; ++b)
        for (Index r = 0; r < rows.n; ++r)
          part.kernel(first + m * frames.from + b * images.from + r * rows.from, columns.from,
                      {offsets(state) + part.first_offset, 1}, columns.n, y + m * frames.to + b * images.to + r * rows.to,
                      columns.to);
  }

  Border border_;
  SlidingWindow window_;
  std::vector<Part> parts_;
  Index offsets_ = 0;
};

}  // namespace detail

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
template <class T, int Axes>
class SpaceConv : public detail::FramedConv<T> {
  static_assert(Axes == 2 || Axes == 3);
  using Base = detail::FramedConv<T>;

 public:
  using Options = SpaceConvOptions<Axes>;

  explicit SpaceConv(const Weights<T>& weight, const Weights<T>& bias = {}, Options options = {})
      // In braces: what is wrong with the weights' shape must be said first.
      : Base{name, channels(weight, bias, options), axis(0, weight, options),
             detail::ConvAxis::gather(Axes == 3 ? axis(1, weight, options) : WindowAxis()),
             detail::ConvAxis::gather(axis(Axes - 1, weight, options)), fill(options), bias,
             [&](Index o, Index i, Index kt, Index kh, Index kw) {
               const Index width = weight.shape[Axes + 1], height = Axes == 3 ? weight.shape[3] : 1;
               return weight((((o * weight.shape[1] + i) * weight.shape[2] + kt) * height + kh) * width + kw);
             }},
        options_(options) {
    this->fingerprint_.add(weight.span());
  }

  /// The same convolution without padding in time; that in space stays.
  SpaceConv without_padding() const {
    Options options = options_;
    options.padding[0] = {};
    return SpaceConv(weight(), this->bias(), options);
  }
  /// The weights as they were given.
  Weights<T> weight() const {
    const Index inputs = this->in_ / this->groups_, height = this->height_.window.taps, width = this->width_.window.taps;
    std::vector<Index> shape{this->out_, inputs, this->time_.taps, width};
    if (Axes == 3) shape.insert(shape.end() - 1, height);
    std::vector<T> values;
    for (Index o = 0; o < this->out_; ++o)
      for (Index i = 0; i < inputs; ++i)
        for (Index kt = 0; kt < this->time_.taps; ++kt)
          for (Index kh = 0; kh < height; ++kh)
            for (Index kw = 0; kw < width; ++kw) values.push_back(Base::weight(o, i, kt, kh, kw));
    return {std::move(shape), std::move(values)};
  }
  const Options& options() const noexcept { return options_; }

 private:
  static constexpr const char* name = Axes == 2 ? "Conv2d" : "Conv3d";

  static typename Base::Channels channels(const Weights<T>& weight, const Weights<T>& bias, const Options& options) {
    Base::check_shapes(name, weight, Axes + 2,
                       Axes == 2 ? "(out,in/groups,taps in time,in width)" : "(out,in/groups,taps in time,in height,in width)",
                       options.groups);
    const Index out = weight.shape[0];
    check(out % options.groups == 0, name, ": ", out, " output channels cannot be split into ", options.groups, " groups");
    if (!bias.empty()) bias.expect(name, "bias", {out});
    return {weight.shape[1] * options.groups, out, options.groups};
  }
  static WindowAxis axis(int a, const Weights<T>& weight, const Options& options) {
    const WindowAxis own{weight.shape[static_cast<std::size_t>(a) + 2], options.stride[a], options.padding[a], options.dilation[a]};
    own.check_sizes(name, a == 0 ? "time" : a == Axes - 1 ? "width" : "height");
    return own;
  }
  static typename Base::Fill fill(const Options& options) {
    check(options.padding_mode == PaddingMode::constant || options.padding_value == 0, name,
          ": padding_value = ", options.padding_value, " needs padding_mode constant");
    const T value = static_cast<T>(options.padding_value);
    check(std::isfinite(value), name, ": padding_value = ", options.padding_value, ", must be finite");
    return {options.padding_mode, value};
  }

  Options options_;
};

/// Transposed convolution over time and the space axes of frames; ConvTranspose2d and ConvTranspose3d below. Along each axis an
/// input at i reaches positions i*stride + k*dilation - left of the output.
/// Shapes   ConvTranspose2d: x (In,W,T) -> y (Out,W',T'), weight (In, Out/groups, taps in time, in width); a height is further
///          columns
///          ConvTranspose3d: x (In,W,H,T) -> y (Out,W',H',T'), weight (In, Out/groups, taps in time, in height, in width)
///          with a batch or without; n' = (n-1)*stride - left - right + reach + output_padding along each axis, reach =
///          (taps-1)*dilation + 1; bias (Out) or empty
/// Timing   receptive_field reach in time, delay -left: a frame comes out as soon as no later one can reach it; with one tap in
///          time there is nothing to remember
/// Errors   constructor: Error on any impossible size, a stride or output_padding in time, or a padding there of reach or more;
///          facts: if nothing is left of the frames. steps/flush: noexcept, no allocation
/// Source   torch.nn.ConvTranspose2d over (B,C,T,W) and torch.nn.ConvTranspose3d over (B,C,T,H,W)
/// Gathered, not scattered: the outputs of each phase of the strides are an ordinary convolution.
template <class T, int Axes>
class SpaceConvTranspose : public detail::FramedConv<T> {
  static_assert(Axes == 2 || Axes == 3);
  using Base = detail::FramedConv<T>;

 public:
  using Options = SpaceConvTransposeOptions<Axes>;

  explicit SpaceConvTranspose(const Weights<T>& weight, const Weights<T>& bias = {}, Options options = {})
      : Base{name, channels(weight, bias, options), time(weight, options),
             Axes == 3 ? space(1, weight, options) : detail::ConvAxis::gather({}), space(Axes - 1, weight, options), {}, bias,
             [&](Index o, Index i, Index kt, Index kh, Index kw) {
               const Index outputs = weight.shape[1], inputs = weight.shape[0] / options.groups, taps = weight.shape[2];
               const Index width = weight.shape[Axes + 1], height = Axes == 3 ? weight.shape[3] : 1;
               const Index from = o / outputs * inputs + i, to = o % outputs;
               return weight((((from * outputs + to) * taps + taps - 1 - kt) * height + kh) * width + kw);
             }},
        options_(options) {
    this->fingerprint_.add(weight.span());
  }

  /// The same without padding in time: nothing is left out there.
  SpaceConvTranspose without_padding() const {
    Options options = options_;
    options.padding[0] = {};
    return SpaceConvTranspose(weight(), this->bias(), options);
  }
  /// The weights as they were given.
  Weights<T> weight() const {
    const Index outputs = this->out_ / this->groups_, inputs = this->in_ / this->groups_, taps = this->time_.taps;
    const Index height = this->height_.window.taps, width = this->width_.window.taps;
    std::vector<Index> shape{this->in_, outputs, taps, width};
    if (Axes == 3) shape.insert(shape.end() - 1, height);
    std::vector<T> values;
    for (Index i = 0; i < this->in_; ++i)
      for (Index o = 0; o < outputs; ++o)
        for (Index kt = 0; kt < taps; ++kt)
          for (Index kh = 0; kh < height; ++kh)
            for (Index kw = 0; kw < width; ++kw)
              values.push_back(Base::weight(i / inputs * outputs + o, i % inputs, taps - 1 - kt, kh, kw));
    return {std::move(shape), std::move(values)};
  }
  const Options& options() const noexcept { return options_; }

 private:
  static constexpr const char* name = Axes == 2 ? "ConvTranspose2d" : "ConvTranspose3d";

  static typename Base::Channels channels(const Weights<T>& weight, const Weights<T>& bias, const Options& options) {
    Base::check_shapes(name, weight, Axes + 2,
                       Axes == 2 ? "(in,out/groups,taps in time,in width)" : "(in,out/groups,taps in time,in height,in width)",
                       options.groups);
    const Index in = weight.shape[0], out = weight.shape[1] * options.groups;
    check(in % options.groups == 0, name, ": ", in, " input channels cannot be split into ", options.groups, " groups");
    if (!bias.empty()) bias.expect(name, "bias", {out});
    return {in, out, options.groups};
  }
  static WindowAxis axis(int a, const Weights<T>& weight, const Options& options) {
    const WindowAxis own{weight.shape[static_cast<std::size_t>(a) + 2], options.stride[a], options.padding[a], options.dilation[a]};
    own.check_sizes(name, a == 0 ? "time" : a == Axes - 1 ? "width" : "height");
    return own;
  }
  // In time, the same as a convolution with the taps the other way round, over as many more frames as they reach.
  static WindowAxis time(const Weights<T>& weight, const Options& options) {
    WindowAxis own = axis(0, weight, options);
    const Index last = own.reach() - 1;
    check(own.stride == 1, name, ": stride = ", own.stride, " in time, must be 1");
    check(options.output_padding[0] == 0, name, ": output_padding = ", options.output_padding[0], " in time, must be 0");
    check(own.padding.left <= last && own.padding.right <= last, name, ": padding = (", own.padding.left, ",", own.padding.right,
          ") in time, must be less than what the kernel reaches over, ", own.reach(), " frames");
    own.padding = {last - own.padding.left, last - own.padding.right};
    return own;
  }
  static detail::ConvAxis space(int a, const Weights<T>& weight, const Options& options) {
    const WindowAxis own = axis(a, weight, options);
    const Index extra = options.output_padding[a];
    check(extra >= 0 && extra < std::max(own.stride, own.dilation), name, ": output_padding = ", extra, " in ",
          a == Axes - 1 ? "width" : "height", ", must be less than stride or dilation");
    return detail::ConvAxis::scatter(own, extra);
  }

  Options options_;
};

/// Over time and the width of frames: spectra, or windows.
template <class T>
using Conv2d = SpaceConv<T, 2>;
template <class T>
using ConvTranspose2d = SpaceConvTranspose<T, 2>;
/// Over time, height and width: pictures.
template <class T>
using Conv3d = SpaceConv<T, 3>;
template <class T>
using ConvTranspose3d = SpaceConvTranspose<T, 3>;

static_assert(Layer<Conv2d<float>> && Layer<Conv3d<float>> && Layer<ConvTranspose2d<float>> && Layer<ConvTranspose3d<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_SPACE_CONV_HPP
