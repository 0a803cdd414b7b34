#ifndef EIGENSTREAM_IMPORT_ONNX_SHAPE_HPP
#define EIGENSTREAM_IMPORT_ONNX_SHAPE_HPP

#include <algorithm>    // find, max
#include <string_view>  // operations
#include <vector>       // extents

#include "eigenstream/import/onnx_node.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

// Extents behind a convolution or pool over all axes but the first two.
struct Sliding {
  std::vector<Index> taps, strides, dilations, before, after;
};
inline Sliding sliding_of(const NodeReader& r, const std::vector<Index>& taps, const std::vector<Index>& dims,
                          bool transposed) {
  const std::size_t axes = taps.size();
  check(dims.size() == axes + 2, "input ", text_of(dims), " for ", axes, " axes");
  Sliding s{taps,
            r.integers("strides", std::vector<Index>(axes, 1)),
            r.integers("dilations", std::vector<Index>(axes, 1)),
            {},
            {}};
  const std::vector<Index> pads = r.integers("pads", std::vector<Index>(2 * axes, 0));
  check(s.strides.size() == axes && s.dilations.size() == axes && pads.size() == 2 * axes, "its attributes are not of ",
        axes, " axes");
  const std::string automatic = r.text("auto_pad", "NOTSET");
  check(automatic == "NOTSET" || automatic == "VALID" ||
            ((automatic == "SAME_UPPER" || automatic == "SAME_LOWER") && !transposed),
        "auto_pad \"", automatic, "\" is not read");
  for (std::size_t k = 0; k < axes; ++k) {
    check(taps[k] >= 1 && taps[k] <= (1 << 20) && s.strides[k] >= 1 && s.strides[k] <= (1 << 20) &&
              s.dilations[k] >= 1 && s.dilations[k] <= (1 << 20),
          "sizes that are not from 1 to 2^20");
    Index before = pads[k], after = pads[k + axes];
    if (automatic.starts_with("SAME")) {
      const Index reach = (taps[k] - 1) * s.dilations[k] + 1, n = dims[k + 2];
      const Index both = std::max<Index>(0, ((n - 1) / s.strides[k]) * s.strides[k] + reach - n);
      before = automatic == "SAME_UPPER" ? both / 2 : both - both / 2;
      after = both - before;
    }
    if (automatic == "VALID") before = after = 0;
    check(before >= 0 && after >= 0 && before <= (1 << 20) && after <= (1 << 20), "padding that is not from 0 to 2^20");
    s.before.push_back(before), s.after.push_back(after);
  }
  return s;
}
inline Index slid(const Sliding& s, std::size_t k, Index n, bool ceil_mode = false) {
  const Index room = n + s.before[k] + s.after[k] - (s.taps[k] - 1) * s.dilations[k] - 1;
  check(room >= 0, "a kernel that reaches over ", (s.taps[k] - 1) * s.dilations[k] + 1, " of ", n, " numbers");
  Index count = room / s.strides[k] + 1;
  if (ceil_mode && room % s.strides[k] != 0 && count * s.strides[k] < n + s.before[k]) ++count;
  return count;
}

inline std::vector<Index> conv_dims(const NodeReader& r, bool transposed) {
  const std::vector<Index>&x = r.input(0).dims, &w = r.input(1).dims;
  check(r.input(1).constant() && !r.input(0).constant(), "its kernel depends on the signal");
  check(w.size() >= 3 && x.size() == w.size(), "input ", text_of(x), " and weight ", text_of(w), " do not fit");
  const Index groups = r.integer("group", 1);
  check(groups >= 1 && x[1] % groups == 0 && (transposed ? w[0] == x[1] : w[1] * groups == x[1] && w[0] % groups == 0),
        "input ", text_of(x), " and weight ", text_of(w), " do not fit with ", groups, " groups");
  check(!r.has_input(2) || r.input(2).constant(), "its bias depends on the signal");
  const Sliding s = sliding_of(r, {w.begin() + 2, w.end()}, x, transposed);
  check(!transposed || !r.has("output_shape"), "output_shape is not read");
  const std::vector<Index> more = r.integers("output_padding", std::vector<Index>(w.size() - 2, 0));
  check(more.size() == w.size() - 2, "its output_padding is not of ", w.size() - 2, " axes");
  std::vector<Index> dims{x[0], transposed ? w[1] * groups : w[0]};
  for (std::size_t k = 0; k + 2 < x.size(); ++k) {
    if (transposed)
      dims.push_back((x[k + 2] - 1) * s.strides[k] + (s.taps[k] - 1) * s.dilations[k] + 1 + more[k] - s.before[k] -
                     s.after[k]);
    else
      dims.push_back(slid(s, k, x[k + 2]));
  }
  return dims;
}

inline std::vector<Index> matmul_dims(const NodeReader& r) {
  const std::vector<Index>&a = r.input(0).dims, &b = r.input(1).dims;
  check(!a.empty() && !b.empty(), "of a single number");
  std::vector<Index> left(a), right(b);
  if (left.size() == 1) left.insert(left.begin(), 1);
  if (right.size() == 1) right.push_back(1);
  check(left.back() == right[right.size() - 2], "shapes ", text_of(a), " and ", text_of(b), " do not fit");
  std::vector<Index> dims = broadcast(std::span(left).first(left.size() - 2), std::span(right).first(right.size() - 2));
  if (a.size() > 1) dims.push_back(left[left.size() - 2]);
  if (b.size() > 1) dims.push_back(right.back());
  return dims;
}

inline std::vector<Index> reduced_axes(const NodeReader& r) {
  const Index rank = r.input(0).rank();
  std::vector<Index> axes = r.axes(r.listed("axes", 1), rank);
  if (axes.empty() && r.integer("noop_with_empty_axes", 0) == 0)
    for (Index axis = 0; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}
inline std::vector<Index> reduced_dims(const NodeReader& r) {
  const std::vector<Index> axes = reduced_axes(r);
  std::vector<Index> dims;
  for (Index axis = 0; axis < r.input(0).rank(); ++axis) {
    if (!holds(axes, axis))
      dims.push_back(r.input(0).dims[static_cast<std::size_t>(axis)]);
    else if (r.integer("keepdims", 1) != 0)
      dims.push_back(1);
  }
  return dims;
}

inline std::vector<std::vector<Index>> recurrent_dims(const NodeReader& r) {
  const std::vector<Index>&x = r.input(0).dims, &w = r.input(1).dims;
  check(x.size() == 3 && w.size() == 3 && w[2] == x[2], "input ", text_of(x), " and weight ", text_of(w),
        " do not fit");
  check(r.integer("layout", 0) == 0, "layout 1 is not read");
  const Index gates = r.op() == "LSTM" ? 4 : r.op() == "GRU" ? 3 : 1, hidden = w[1] / gates;
  check(w[1] % gates == 0 && r.integer("hidden_size", hidden) == hidden, "weight ", text_of(w), " is not of ", gates,
        " gates");
  std::vector<std::vector<Index>> dims{{x[0], w[0], x[1], hidden}, {w[0], x[1], hidden}};
  if (r.op() == "LSTM") dims.push_back({w[0], x[1], hidden});
  return dims;
}

inline constexpr std::string_view unary_ops[] = {"Relu",
                                                 "Sigmoid",
                                                 "Tanh",
                                                 "Sqrt",
                                                 "Exp",
                                                 "Log",
                                                 "Abs",
                                                 "Neg",
                                                 "Reciprocal",
                                                 "LeakyRelu",
                                                 "Elu",
                                                 "Selu",
                                                 "Celu",
                                                 "Softplus",
                                                 "Softsign",
                                                 "HardSigmoid",
                                                 "HardSwish",
                                                 "Gelu",
                                                 "Mish",
                                                 "Erf",
                                                 "Sin",
                                                 "Cos",
                                                 "Tan",
                                                 "Asin",
                                                 "Acos",
                                                 "Atan",
                                                 "Sinh",
                                                 "Cosh",
                                                 "Asinh",
                                                 "Acosh",
                                                 "Atanh",
                                                 "Floor",
                                                 "Ceil",
                                                 "Round",
                                                 "Sign",
                                                 "Clip",
                                                 "PRelu",
                                                 "ThresholdedRelu",
                                                 "Softmax",
                                                 "LogSoftmax",
                                                 "BatchNormalization",
                                                 "LayerNormalization"};
inline constexpr std::string_view binary_ops[] = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"};

inline bool is_among(std::string_view op, std::span<const std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

inline bool is_recurrent(std::string_view op) { return op == "LSTM" || op == "GRU" || op == "RNN"; }

/// Extents of what a node computes; none if it is not known.
inline std::vector<std::vector<Index>> result_dims(const NodeReader& r) {
  const std::string_view op = r.op();
  if (is_among(op, unary_ops)) return {r.input(0).dims};
  if (is_among(op, binary_ops)) {
    std::vector<Index> dims = r.input(0).dims;
    for (Index k = 1; k < r.input_count(); ++k) dims = broadcast(dims, r.input(k).dims);
    return {dims};
  }
  if (op == "Conv" || op == "ConvTranspose") return {conv_dims(r, op == "ConvTranspose")};
  if (op == "MatMul") return {matmul_dims(r)};
  if (op == "Gemm") {
    const std::vector<Index>&a = r.input(0).dims, &b = r.input(1).dims;
    check(a.size() == 2 && b.size() == 2, "shapes ", text_of(a), " and ", text_of(b), " are not of 2 axes");
    const bool ta = r.integer("transA", 0) != 0, tb = r.integer("transB", 0) != 0;
    check(a[ta ? 0 : 1] == b[tb ? 1 : 0], "shapes ", text_of(a), " and ", text_of(b), " do not fit");
    return {{a[ta ? 1 : 0], b[tb ? 0 : 1]}};
  }
  if (op == "MaxPool" || op == "AveragePool") {
    const Array& x = r.input(0);
    const Sliding s = sliding_of(r, r.integers("kernel_shape"), x.dims, false);
    std::vector<Index> dims{x.dims[0], x.dims[1]};
    for (std::size_t k = 0; k + 2 < x.dims.size(); ++k)
      dims.push_back(slid(s, k, x.dims[k + 2], r.integer("ceil_mode", 0) != 0));
    return {dims};
  }
  if (op == "GlobalAveragePool" || op == "GlobalMaxPool") {
    std::vector<Index> dims = r.input(0).dims;
    for (std::size_t k = 2; k < dims.size(); ++k) dims[k] = 1;
    return {dims};
  }
  if (op == "ReduceMean" || op == "ReduceSum" || op == "ReduceMax" || op == "ReduceMin") return {reduced_dims(r)};
  if (is_recurrent(op)) return recurrent_dims(r);
  return {};
}

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_SHAPE_HPP
