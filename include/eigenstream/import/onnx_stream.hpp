#ifndef EIGENSTREAM_IMPORT_ONNX_STREAM_HPP
#define EIGENSTREAM_IMPORT_ONNX_STREAM_HPP

#include <algorithm>  // find, max
#include <optional>   // what follows the time
#include <span>       // inputs
#include <string>     // messages
#include <vector>     // periods

#include "eigenstream/import/onnx_patterns.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

/// Turns a program for windows of a signal into one for the signal itself. Where the rows of a result along the time of
/// the window are the same of later and later frames, only the first is left, to be worked out once for all windows
/// that it is in: what was row r of it is now r frames later, in frames of the result's own. So a convolution without
/// padding runs over the stream, and only what looks at the whole window still does so. Its rate is that of its
/// strides.
class Streamer {
 public:
  /// `whole`: the program is not for a window but for all of a signal, of any length. Then what it pads with zeros
  /// along the time are the frames before the first and behind the last, and nothing may look at all of it.
  Streamer(Program& program, Index time_axis, bool whole)
      : program_(program), whole_(whole), lifts_(program.values.size()), periods_(program.values.size(), 1) {
    lift(program.inputs.front(), time_axis);
    for (Operation& operation : program.operations) {
      for (Array& input : operation.inputs) rewrite(input);
      const Index period = period_of(operation.inputs, operation.node->shown());
      bool lifted = false;
      for (Index axis = 0; !lifted && axis < static_cast<Index>(operation.dims[0].size()); ++axis)
        lifted = operation.dims[0][static_cast<std::size_t>(axis)] > 1 && lift_along(operation, axis, period);
      check(lifted || !whole_, operation.node->shown(),
            ": is not the same for every frame: it looks at the whole signal, or at its ends in another way than with "
            "zeros");
      if (!lifted)
        for (const Index output : operation.outputs) periods_[static_cast<std::size_t>(output)] = period;
    }
    for (auto& [name, array] : program.outputs) {
      rewrite(array);
      const Index period = period_of({&array, 1}, "the output \"" + name + "\"");
      ends_.push_back(whole_ ? end_of(name, array, period) : End{1, 0, period});
    }
  }

  /// Of an output: every so manieth frame of what it is made of, how many of a whole signal, and frames of the signal
  /// from one to the next.
  struct End {
    Index step = 1, rows = 0, period = 1;
  };
  const std::vector<End>& ends() const noexcept { return ends_; }

 private:
  struct Lift {
    Index axis = -1, stride = 1, extent = 1;
  };
  // How an input follows a result along one of its axes: row r needs rows begin + r stride ... and `count` of them.
  struct Follow {
    Index axis = -1, stride = 1, count = 1, begin = 0, pad_after = 0;
  };

  void lift(Index value, Index axis) {
    std::vector<Index>& dims = program_.values[static_cast<std::size_t>(value)].dims;
    const auto at = static_cast<std::size_t>(axis);
    lifts_[static_cast<std::size_t>(value)] = {axis, strides_of(dims)[at], dims[at]};
    dims[at] = 1;
  }
  void rewrite(Array& array) const {
    for (Element& each : array.elements) {
      if (each.value == Element::constant) continue;
      const Lift& own = lifts_[static_cast<std::size_t>(each.value)];
      if (own.axis < 0) continue;
      const std::int64_t row = each.index / own.stride % own.extent;
      each.index = each.index / (own.stride * own.extent) * own.stride + each.index % own.stride;
      each.lag -= static_cast<std::int32_t>(row);
    }
  }
  // Frames of the signal from one frame to the next of all that arrays are made of; `what` is for the message.
  Index period_of(std::span<const Array> arrays, const std::string& what) const {
    Index period = 0;
    for (const Array& array : arrays)
      for (const Element& each : array.elements) {
        if (each.value == Element::constant) continue;
        const Index own = periods_[static_cast<std::size_t>(each.value)];
        check(period == 0 || own == period, what, ": puts together what comes every ", period, " and every ", own,
              " frames of the signal");
        period = own;
      }
    return period;
  }

  std::optional<Follow> follow(const Operation& operation, std::size_t k, Index axis) const {
    const Array& input = operation.inputs[k];
    const NodeReader r(*operation.node, operation.inputs, 13);
    const std::string_view op = operation.op;
    const Index rank = static_cast<Index>(operation.dims[0].size()), own = axis - (rank - input.rank());
    const auto same = [&]() -> std::optional<Follow> {
      if (own < 0 || input.dims[static_cast<std::size_t>(own)] == 1) return Follow{};
      return Follow{own, 1, 1};
    };
    if (op == "Softmax" || op == "LogSoftmax")
      return r.axis(r.integer("axis", -1), rank) == axis || !r.has("axis") ? std::nullopt : same();
    if (op == "Normalise") {
      if (k > 0) return Follow{};
      const std::vector<double>& axes = operation.inputs[1].numbers;
      return std::find(axes.begin(), axes.end(), static_cast<double>(axis)) != axes.end() ? std::nullopt : same();
    }
    if (op == "LayerNormalization")
      return axis >= r.axis(r.integer("axis", -1), rank) ? std::nullopt : k == 0 ? same() : Follow{};
    if (op == "BatchNormalization") return axis == 1 ? std::nullopt : k == 0 ? same() : Follow{};
    if (is_among(op, unary_ops) || is_among(op, binary_ops)) return same();
    if (op == "Conv" || op == "MaxPool" || op == "AveragePool") {
      if (k > 0) return Follow{};
      if (axis < 2) return std::nullopt;
      const auto at = static_cast<std::size_t>(axis - 2);
      const std::vector<Index> taps = op == "Conv"
                                          ? std::vector<Index>(r.input(1).dims.begin() + 2, r.input(1).dims.end())
                                          : r.integers("kernel_shape");
      const Sliding s = sliding_of(r, taps, input.dims, false);
      const bool pads = s.before[at] != 0 || s.after[at] != 0;
      if ((pads && (op != "Conv" || !whole_)) || r.integer("ceil_mode", 0) != 0) return std::nullopt;
      return Follow{axis, s.strides[at], (s.taps[at] - 1) * s.dilations[at] + 1, -s.before[at], s.after[at]};
    }
    if (op == "MatMul" || (op == "Gemm" && r.integer("transA", 0) == 0)) {
      if (k > 0) return input.constant() ? std::optional(Follow{}) : std::nullopt;
      return axis == rank - 1 || input.rank() != rank ? std::nullopt : std::optional(Follow{axis, 1, 1});
    }
    if (is_recurrent(op)) {
      if (k > 0) return Follow{};
      return whole_ && axis == 0 && r.text("direction", "forward") == "forward" ? std::optional(Follow{0, 1, 1})
                                                                                : std::nullopt;
    }
    if (op.starts_with("Reduce")) {
      if (k > 0) return Follow{};
      const std::vector<Index> axes = reduced_axes(r);
      if (r.integer("keepdims", 1) != 0) return holds(axes, axis) ? std::nullopt : std::optional(Follow{axis, 1, 1});
      Index left = axis;
      for (Index each = 0; each < input.rank(); ++each)
        if (!holds(axes, each) && left-- == 0) return Follow{each, 1, 1};
    }
    return std::nullopt;
  }

  // What row 0 of a result needs of an input, if every further row needs the same of `step` frames later: in `first`.
  // Of a whole signal, a zero stands for a frame that there is not. step: 0 if it is not known yet.
  bool goes_on(const Array& input, const Follow& follow, Index rows, Index& step, Array& first) const {
    if (follow.axis < 0) {
      first = input;
      return input.constant();
    }
    const auto axis = static_cast<std::size_t>(follow.axis);
    const std::vector<Index> strides = strides_of(input.dims);
    const Index extent = input.dims[axis];
    const auto at = [&](Index base, Index row) {
      return row < 0 || row >= extent ? Element{} : input.at(base + row * strides[axis]);
    };
    std::vector<Index> dims = input.dims;
    dims[axis] = follow.count;
    std::vector<Element> elements;
    bool fits = true;
    for_each_place(dims, [&](std::span<const Index> where) {
      if (!fits) return;
      Index base = 0;
      for (std::size_t d = 0; d < where.size(); ++d) base += d == axis ? 0 : where[d] * strides[d];
      const auto needed = [&](Index row) { return at(base, follow.begin + row * follow.stride + where[axis]); };
      Index known = 0;
      while (known < rows && needed(known).value == Element::constant) ++known;
      if (known == rows) {  // the same number at all times
        for (Index row = 1; row < rows; ++row) fits = fits && needed(row) == needed(0);
        elements.push_back(needed(0));
        return;
      }
      Element own = needed(known);
      for (Index row = known + 1; step == 0 && row < rows; ++row)
        if (const Element next = needed(row); next.value == own.value && (own.lag - next.lag) % (row - known) == 0)
          step = (own.lag - next.lag) / (row - known);
      fits = fits && step > 0;
      own.lag += static_cast<std::int32_t>(known * step);
      const Index length = lifts_[static_cast<std::size_t>(own.value)].extent;
      for (Index row = 0; fits && row < rows; ++row) {
        const Element next = needed(row);
        const Index time = row * step - own.lag;
        if (next.value != Element::constant)
          fits = next.value == own.value && next.index == own.index && next.lag == -time;
        else
          fits = whole_ && next.number == 0 && (time < 0 || time >= length);
      }
      elements.push_back(own);
    });
    if (!fits) return false;
    first = Array::of(std::move(dims), std::move(elements));
    first.whole = input.whole;
    return true;
  }

  bool lift_along(Operation& operation, Index axis, Index period) {
    const Index rows = operation.dims[0][static_cast<std::size_t>(axis)];
    const bool recurrent = is_recurrent(operation.op);
    std::vector<Array> firsts(operation.inputs.size());
    Index step = 0, pad_after = 0;
    for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
      if (operation.inputs[k].size() == 0) continue;
      const std::optional<Follow> own = follow(operation, k, axis);
      if (!own || !goes_on(operation.inputs[k], *own, rows, step, firsts[k])) return false;
      pad_after = std::max(pad_after, own->pad_after);
    }
    if (step == 0 || (recurrent && step != 1)) return false;
    for (std::size_t k = 0; k < firsts.size(); ++k)
      if (operation.inputs[k].size() != 0) operation.inputs[k] = std::move(firsts[k]);
    operation.time_stride = step;
    operation.time_axis = axis;
    operation.pad_after = pad_after;
    if (whole_) operation.rows = rows;
    for (std::size_t k = 0; k < (recurrent ? 1 : operation.outputs.size()); ++k) {
      lift(operation.outputs[k], axis);
      operation.dims[k][static_cast<std::size_t>(axis)] = 1;
      periods_[static_cast<std::size_t>(operation.outputs[k])] = period * step;
    }
    return true;
  }
  // An output of a whole signal: its first row, and how it goes on.
  End end_of(const std::string& name, Array& array, Index period) const {
    for (Index axis = 0; axis < array.rank(); ++axis) {
      const Index rows = array.dims[static_cast<std::size_t>(axis)];
      Index step = 0;
      Array first;
      if (rows < 2 || !goes_on(array, {axis, 1, 1}, rows, step, first) || step == 0) continue;
      array = std::move(first);
      return {step, rows, period * step};
    }
    fail("the output \"", name, "\" has no frames of the signal's");
  }

  Program& program_;
  bool whole_;
  std::vector<Lift> lifts_;     // of each value: the axis that became time
  std::vector<Index> periods_;  // of each value: frames of the signal from one of its own to the next
  std::vector<End> ends_;       // of each output
};

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_STREAM_HPP
