#ifndef EIGENSTREAM_IMPORT_ONNX_SLIDING_HPP
#define EIGENSTREAM_IMPORT_ONNX_SLIDING_HPP

#include <algorithm>  // all_of, clamp
#include <optional>   // taps
#include <utility>    // swap
#include <vector>     // axes

#include "eigenstream/import/onnx_maker.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

/// Makes convolutions and pools.
class SlidingMaker : public Maker {
 public:
  explicit SlidingMaker(const Maker& maker) : Maker(maker) {}

  void convolution() {
    const Array& w = r_.input(1);
    const Sliding s = sliding({w.dims.begin() + 2, w.dims.end()}, false);
    if (is_matrix(s)) {
      const Index units = out_dims()[1];
      const std::vector<double> bias = r_.has_input(2) ? r_.input(2).numbers : std::vector<double>();
      const Index made = linear(b_.arranged(x(), {{1}, others(x(), {1})}), w.numbers, bias, units);
      return b_.settle(out(), made, {{1}, others(x(), {1})});
    }
    const Field field = field_of(s, false);
    sliding_layer(field, s, field.space.empty() ? "Conv1d" : field.space.size() == 1 ? "Conv2d" : "Conv3d", false);
  }
  void transposed_convolution() {
    const Array& w = r_.input(1);
    const Sliding s = sliding({w.dims.begin() + 2, w.dims.end()}, true);
    const Field field = field_of(s, true);
    // Over time alone it is a convolution whose taps are turned round.
    const bool plain = field.space.empty();
    check(!plain || r_.integer("group", 1) == 1, "groups of a transposed convolution over time alone are not read");
    sliding_layer(field, s, plain ? "Conv1d" : field.space.size() == 1 ? "ConvTranspose2d" : "ConvTranspose3d", true);
  }
  void pool() {
    check(o_.node->outputs.size() < 2 || o_.node->outputs[1].empty(), "its indices are used");
    const bool most = o_.op == "MaxPool";
    const Sliding s = sliding(r_.integers("kernel_shape"), false);
    const Field field = field_of(s, false, false);
    for (std::size_t k = 0; k < s.before.size(); ++k)
      check(s.before[k] == s.after[k] && 2 * s.before[k] <= s.taps[k], "padding ", s.before[k], " and ", s.after[k],
            " of a pool of ", s.taps[k]);
    const char* const types[2][3] = {{"AvgPool1d", "AvgPool2d", "AvgPool3d"}, {"MaxPool1d", "MaxPool2d", "MaxPool3d"}};
    ModuleSpec spec{types[most ? 1 : 0][field.space.size()], layout_.path(name()), {}, {}};
    const auto set = [&](const char* key, const std::vector<std::int64_t>& numbers) {
      if (field.space.empty())
        spec.fields[key] = numbers.front();
      else
        spec.fields[key] = numbers;
    };
    set("kernel_size", per_axis(field, field.taps.count, [&](std::size_t k) { return s.taps[k]; }));
    set("stride", per_axis(field, field.stride, [&](std::size_t k) { return s.strides[k]; }));
    set("padding", per_axis(field, 0, [&](std::size_t k) { return s.before[k]; }));
    spec.fields["ceil_mode"] = r_.integer("ceil_mode", 0) != 0;
    const auto dilations = per_axis(field, field.taps.dilation, [&](std::size_t k) { return s.dilations[k]; });
    if (most)
      set("dilation", dilations);
    else
      for (const std::int64_t each : dilations) check(each == 1, "a mean of every ", each, " numbers is not read");
    if (!most) spec.fields["count_include_pad"] = r_.integer("count_include_pad", 0) != 0;
    const Index made = layout_.add(std::move(spec), {field.from}, result_shape(field));
    if (o_.rows > 0) layout_.set_length(made, o_.rows);
    b_.settle(out(), made, frame_axes(field));
  }

 private:
  // Its sizes; along an axis that became time the input holds its padding.
  Sliding sliding(const std::vector<Index>& taps, bool transposed) const {
    Sliding s = sliding_of(r_, taps, x().dims, transposed);
    if (o_.time_axis >= 2) {
      const auto axis = static_cast<std::size_t>(o_.time_axis - 2);
      s.before[axis] = s.after[axis] = 0;
      s.strides[axis] = 1;
    }
    return s;
  }

  // Which axis of an array is time: along it the numbers are those of the same places so many frames ago. lags[k] is
  // how long ago at k, -1 everywhere if there is no such axis.
  struct TimeAxis {
    Index axis = -1;
    std::vector<std::int64_t> lags = {};
  };
  TimeAxis time_axis() const {
    const std::vector<Index> strides = strides_of(x().dims);
    for (Index axis = 2; axis < x().rank(); ++axis) {
      const Index extent = x().dims[static_cast<std::size_t>(axis)], stride = strides[static_cast<std::size_t>(axis)];
      if (extent == 1) continue;
      TimeAxis time{axis};
      for (Index k = 0; k < extent; ++k) time.lags.push_back(x().at(k * stride).lag);
      bool fits = time.lags.front() != time.lags.back();
      for (Index k = 0; fits && k < x().size(); ++k) {
        const Index along = k / stride % extent;
        const Element own = x().at(k), first = x().at(k - along * stride);
        fits = own.value != Element::constant && own.value == first.value && own.index == first.index &&
               own.lag == time.lags[static_cast<std::size_t>(along)];
      }
      if (fits) return time;
    }
    return {};
  }
  // Taps of a kernel along the axis of time, each on the frame so long ago, from the earliest on with equal steps.
  struct Taps {
    Index count = 1, dilation = 1;
    std::int64_t latest = 0;  // how long ago the last one is
    Index at = 0;             // the place along the axis that it takes
  };
  std::optional<Taps> taps_of(const TimeAxis& time, const Sliding& s, bool transposed) const {
    const auto axis = static_cast<std::size_t>(time.axis - 2);
    if (out_dims()[axis + 2] != 1) return std::nullopt;
    Taps taps{.count = s.taps[axis]};
    std::vector<std::int64_t> lags;
    for (Index k = 0; k < taps.count; ++k) {
      const Index at = transposed ? s.before[axis] - k * s.dilations[axis] : k * s.dilations[axis] - s.before[axis];
      if (at < 0 || at >= static_cast<Index>(time.lags.size())) return std::nullopt;
      lags.push_back(time.lags[static_cast<std::size_t>(at)]);
      if (k == (transposed ? 0 : taps.count - 1)) taps.at = at, taps.latest = lags.back();
    }
    for (std::size_t k = 1; k < lags.size(); ++k) {
      const std::int64_t step = transposed ? lags[k] - lags[k - 1] : lags[k - 1] - lags[k];
      if (step < 1 || (k > 1 && step != taps.dilation)) return std::nullopt;
      taps.dilation = static_cast<Index>(step);
    }
    if (transposed && s.strides[axis] != 1) return std::nullopt;
    return taps;
  }

  // What a convolution or pool works on: frames whose height and width are the axes of space, and the taps over time.
  struct Field {
    std::vector<Index> space;  // axes, the width last
    Index time = -1;           // the axis of time, if any
    Taps taps = {};
    Index before = 0, after = 0;  // zeros before the first frame and behind the last
    Index stride = 1;             // frames from one result to the next
    Index from = 0;
  };
  // With may_pad false, an axis of time only if the taps need no frames before the first.
  Field field_of(const Sliding& s, bool transposed, bool may_pad = true) {
    check(x().dims[0] == 1, "of shape ", text_of(x().dims), " is of several signals at once");
    Field field;
    Array in = x();
    const TimeAxis time = time_axis();
    if (time.axis >= 0) {
      const std::optional<Taps> taps = taps_of(time, s, transposed);
      if (taps && (may_pad || (taps->count - 1) * taps->dilation + taps->latest <= 0))
        field.taps = *taps, field.time = time.axis;
    }
    for (Index axis = 2; axis < in.rank(); ++axis)
      if (axis != field.time) field.space.push_back(axis);
    // An axis of one number under one tap: there is nothing to slide over.
    std::erase_if(field.space, [&](Index axis) {
      const auto k = static_cast<std::size_t>(axis - 2);
      return in.dims[k + 2] == 1 && s.taps[k] == 1 && s.before[k] + s.after[k] == 0;
    });
    check(field.space.size() <= 2, "slides over more than two axes within a frame");
    if (field.time >= 0 && in.dims[static_cast<std::size_t>(field.time)] > 1) {
      std::vector<Cut> cuts = whole_of(in);
      cuts[static_cast<std::size_t>(field.time)] = {field.taps.at, 1, 1};
      in = cut(in, cuts);
      for (Element& each : in.elements) each.lag = 0;
    }
    if (field.time < 0) {
      field.from = b_.arranged(in, frame_axes(field));
      return field;
    }
    // The layer takes all frames, and pads: what is later than now takes the place of zeros before the first frame.
    layout_.set_moment(0, 1);
    field.from = b_.arranged(in, frame_axes(field));
    field.stride = o_.time_stride;
    const std::int64_t before = (field.taps.count - 1) * field.taps.dilation + field.taps.latest;
    if (o_.rows > 0) {
      const std::int64_t reach = (field.taps.count - 1) * field.taps.dilation + 1;
      const std::int64_t least = (o_.rows - 1) * field.stride + reach - layout_.length(field.from) - before;
      const std::int64_t after = std::clamp<std::int64_t>(o_.pad_after, least, least + field.stride - 1);
      field.from = layout_.padded(field.from, std::min<std::int64_t>(before, 0), std::min<std::int64_t>(after, 0));
      field.before = std::max<std::int64_t>(before, 0), field.after = std::max<std::int64_t>(after, 0);
    } else {
      const Index later = std::clamp<Index>(-field.taps.latest, 0, (field.taps.count - 1) * field.taps.dilation);
      field.before = (field.taps.count - 1) * field.taps.dilation - later;
      field.from = layout_.late(field.from, field.taps.latest + later);
    }
    return field;
  }
  // Channels, width, height.
  static std::vector<std::vector<Index>> frame_axes(const Field& field) {
    std::vector<std::vector<Index>> axes{{1}, {}, {}};
    if (!field.space.empty()) axes[1] = {field.space.back()};
    if (field.space.size() > 1) axes[2] = {field.space.front()};
    return axes;
  }
  // A number for each axis of a layer: time first, then height and width.
  template <class Of>
  static std::vector<std::int64_t> per_axis(const Field& field, std::int64_t time, Of&& of) {
    std::vector<std::int64_t> numbers{time};
    for (const Index axis : field.space) numbers.push_back(of(static_cast<std::size_t>(axis - 2)));
    return numbers;
  }
  FrameShape result_shape(const Field& field) const {
    const auto extent = [&](std::size_t from_end) {
      return field.space.size() > from_end
                 ? out_dims()[static_cast<std::size_t>(field.space[field.space.size() - 1 - from_end])]
                 : Index{1};
    };
    return {out_dims()[1], extent(0), extent(1), 1};
  }
  // The kernel with its axes in the layer's order, from the earliest tap on.
  void set_kernel(const std::string& path, const Field& field, bool turn, bool swap) {
    const Array& w = r_.input(1);
    const std::vector<Index> strides = strides_of(w.dims);
    std::vector<Index> dims{w.dims[0], w.dims[1], field.taps.count};
    std::vector<Index> steps{strides[0], strides[1],
                             field.time < 0 ? 0 : strides[static_cast<std::size_t>(field.time)]};
    for (const Index axis : field.space)
      dims.push_back(w.dims[static_cast<std::size_t>(axis)]), steps.push_back(strides[static_cast<std::size_t>(axis)]);
    if (swap) std::swap(dims[0], dims[1]), std::swap(steps[0], steps[1]);
    std::vector<double> numbers;
    for_each_place(dims, [&](std::span<const Index> where) {
      Index k = 0;
      for (std::size_t axis = 0; axis < where.size(); ++axis)
        k += (axis == 2 && turn ? field.taps.count - 1 - where[axis] : where[axis]) * steps[axis];
      numbers.push_back(w.numbers[static_cast<std::size_t>(k)]);
    });
    b_.set(path + ".weight", dims, numbers);
  }

  // Whether it takes each place by itself.
  bool is_matrix(const Sliding& s) const {
    const auto all = [](const std::vector<Index>& numbers, Index wanted) {
      return std::all_of(numbers.begin(), numbers.end(), [&](Index each) { return each == wanted; });
    };
    return r_.integer("group", 1) == 1 && all(s.taps, 1) && all(s.strides, 1) && all(s.before, 0) && all(s.after, 0);
  }
  void sliding_layer(const Field& field, const Sliding& s, const char* type, bool transposed) {
    const Index groups = r_.integer("group", 1), before = field.before;
    const bool plain = field.space.empty(), turned = transposed && plain;
    const std::string path = layout_.path(name());
    ModuleSpec spec{type, path, {}, {}};
    spec.fields["in_channels"] = std::int64_t{x().dims[1]};
    spec.fields["out_channels"] = std::int64_t{out_dims()[1]};
    spec.fields["groups"] = std::int64_t{groups};
    spec.fields["bias"] = r_.has_input(2);
    if (plain) {
      spec.fields["kernel_size"] = std::int64_t{field.taps.count};
      spec.fields["dilation"] = std::int64_t{field.taps.dilation};
      spec.fields["padding"] = std::vector<std::int64_t>{before, field.after};
      spec.fields["stride"] = std::int64_t{field.stride};
    } else {
      spec.fields["kernel_size"] = per_axis(field, field.taps.count, [&](std::size_t k) { return s.taps[k]; });
      spec.fields["stride"] = per_axis(field, field.stride, [&](std::size_t k) { return s.strides[k]; });
      spec.fields["dilation"] = per_axis(field, field.taps.dilation, [&](std::size_t k) { return s.dilations[k]; });
      std::vector<std::int64_t> padding =
          transposed ? std::vector<std::int64_t>{0, before} : std::vector<std::int64_t>{before, field.after};
      for (const Index axis : field.space)
        for (const std::vector<Index>& side : {s.before, s.after})
          padding.push_back(side[static_cast<std::size_t>(axis - 2)]);
      spec.fields["padding"] = padding;
      const std::vector<Index> more = r_.integers("output_padding", std::vector<Index>(s.taps.size(), 0));
      if (transposed) spec.fields["output_padding"] = per_axis(field, 0, [&](std::size_t k) { return more[k]; });
    }
    set_kernel(path, field, turned, turned);
    if (r_.has_input(2)) b_.set(path + ".bias", {out_dims()[1]}, r_.input(2).numbers);
    const Index made = layout_.add(std::move(spec), {field.from}, result_shape(field));
    if (o_.rows > 0) layout_.set_length(made, o_.rows);
    b_.settle(out(), made, frame_axes(field));
  }
};

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_SLIDING_HPP
