#ifndef EIGENSTREAM_IMPORT_ONNX_STREAM_HPP
#define EIGENSTREAM_IMPORT_ONNX_STREAM_HPP

#include <algorithm>  // sort
#include <optional>   // what follows the time
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
  Streamer(Program& program, Index time_axis)
      : program_(program), lifts_(program.values.size()), periods_(program.values.size(), 1) {
    lift(program.inputs.front(), time_axis);
    for (Operation& operation : program.operations) {
      for (Array& input : operation.inputs) rewrite(input);
      const Index period = period_of(operation);
      bool lifted = false;
      for (Index axis = 0; !lifted && axis < static_cast<Index>(operation.dims[0].size()); ++axis)
        lifted = operation.dims[0][static_cast<std::size_t>(axis)] > 1 && lift_along(operation, axis, period);
      if (!lifted)
        for (const Index output : operation.outputs) periods_[static_cast<std::size_t>(output)] = period;
    }
    for (auto& [name, array] : program.outputs) rewrite(array);
  }

  /// Frames of the signal from one frame of a value to the next.
  Index period(Index value) const { return periods_[static_cast<std::size_t>(value)]; }
  Index period(const Array& array) const {
    Index period = 0;
    for (const Element& each : array.elements) {
      if (each.value == Element::constant) continue;
      const Index own = periods_[static_cast<std::size_t>(each.value)];
      check(period == 0 || own == period, "puts together what comes every ", period, " and every ", own,
            " frames: import it without --stream");
      period = own;
    }
    return period;
  }

 private:
  struct Lift {
    Index axis = -1, stride = 1, extent = 1;
  };
  // How an input follows a result along one of its axes: row r needs rows r stride ... r stride + count - 1.
  struct Follow {
    Index axis = -1, stride = 1, count = 1;
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
  Index period_of(const Operation& operation) const {
    Index period = 0;
    for (const Array& input : operation.inputs) {
      const Index own = this->period(input);
      check(period == 0 || own == 0 || own == period, operation.node->shown(), ": puts together what comes every ",
            period, " and every ", own, " frames: import it without --stream");
      if (own != 0) period = own;
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
      if (s.before[at] != 0 || s.after[at] != 0 || r.integer("ceil_mode", 0) != 0) return std::nullopt;
      return Follow{axis, s.strides[at], (s.taps[at] - 1) * s.dilations[at] + 1};
    }
    if (op == "MatMul" || (op == "Gemm" && r.integer("transA", 0) == 0)) {
      if (k > 0) return input.constant() ? std::optional(Follow{}) : std::nullopt;
      return axis == rank - 1 || input.rank() != rank ? std::nullopt : std::optional(Follow{axis, 1, 1});
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

  // The frames of its values that an input goes on from one row of the result to the next, if it does nothing but that;
  // 0 if all rows need the same known numbers.
  static std::optional<Index> shift(const Array& input, const Follow& follow, Index rows) {
    if (follow.axis < 0) return input.constant() ? std::optional<Index>(0) : std::nullopt;
    const auto axis = static_cast<std::size_t>(follow.axis);
    const Index stride = strides_of(input.dims)[axis], extent = input.dims[axis];
    std::optional<Index> found;
    for (Index k = 0; k < input.size(); ++k) {
      const Index row = k / stride % extent;
      if (row >= follow.count) continue;
      const Element first = input.at(k);
      for (Index r = 1; r < rows; ++r) {
        const Element own = input.at(k + r * follow.stride * stride);
        if (own.value != first.value || own.index != first.index || own.number != first.number) return std::nullopt;
        const Index step = own.value == Element::constant ? 0 : first.lag - own.lag;
        if (own.value != Element::constant && (step < r || step % r != 0)) return std::nullopt;
        if (own.value == Element::constant) continue;
        if (found && *found != step / r) return std::nullopt;
        found = step / r;
      }
    }
    return found.value_or(0);
  }

  bool lift_along(Operation& operation, Index axis, Index period) {
    const Index rows = operation.dims[0][static_cast<std::size_t>(axis)];
    std::vector<Follow> follows;
    Index step = 0;
    for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
      if (operation.inputs[k].size() == 0) {
        follows.push_back({});
        continue;
      }
      const std::optional<Follow> own = follow(operation, k, axis);
      const std::optional<Index> shifts = own ? shift(operation.inputs[k], *own, rows) : std::nullopt;
      if (!shifts || (*shifts != 0 && step != 0 && *shifts != step)) return false;
      if (*shifts != 0) step = *shifts;
      follows.push_back(*own);
    }
    if (step == 0) return false;
    for (std::size_t k = 0; k < follows.size(); ++k) {
      if (follows[k].axis < 0) continue;
      std::vector<Cut> cuts = whole_of(operation.inputs[k]);
      cuts[static_cast<std::size_t>(follows[k].axis)] = {0, follows[k].count, 1};
      operation.inputs[k] = cut(operation.inputs[k], cuts);
    }
    operation.time_stride = step;
    for (std::size_t k = 0; k < operation.outputs.size(); ++k) {
      lift(operation.outputs[k], axis);
      operation.dims[k][static_cast<std::size_t>(axis)] = 1;
      periods_[static_cast<std::size_t>(operation.outputs[k])] = period * step;
    }
    return true;
  }

  Program& program_;
  std::vector<Lift> lifts_;     // of each value: the axis that became time
  std::vector<Index> periods_;  // of each value
};

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_STREAM_HPP
