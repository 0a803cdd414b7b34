#ifndef EIGENSTREAM_IMPORT_ONNX_PATTERNS_HPP
#define EIGENSTREAM_IMPORT_ONNX_PATTERNS_HPP

#include <array>     // gates
#include <cmath>     // fabs
#include <map>       // rows of gates
#include <optional>  // what was found
#include <vector>    // operations

#include "eigenstream/import/onnx_trace.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

/// The value that an array is all of, in order, `lag` frames ago; -1 if it is not that.
inline Index whole_value(const Program& program, const Array& array, std::int32_t lag = 0) {
  if (array.constant()) return -1;
  const Element& first = array.elements.front();
  if (first.value == Element::constant || first.index != 0 || first.lag != lag) return -1;
  if (size_of(program.values[static_cast<std::size_t>(first.value)].dims) != static_cast<double>(array.size()))
    return -1;
  for (std::size_t k = 1; k < array.elements.size(); ++k) {
    const Element& each = array.elements[k];
    if (each.value != first.value || each.lag != lag || each.index != static_cast<std::int64_t>(k)) return -1;
  }
  return first.value;
}

/// The operation that gives all of an array at this very call; null if there is none.
inline const Operation* source_of(const Program& program, const Array& array, std::string_view op) {
  const Index value = whole_value(program, array);
  if (value < 0) return nullptr;
  const Index number = program.values[static_cast<std::size_t>(value)].operation;
  if (number < 0) return nullptr;
  const Operation& source = program.operations[static_cast<std::size_t>(number)];
  return source.op == op && source.outputs.front() == value ? &source : nullptr;
}

inline bool same_elements(const Array& a, const Array& b) { return !a.constant() && a.elements == b.elements; }

/// Whether an array is one number, known and everywhere the same.
inline std::optional<double> one_number(const Array& array) {
  if (!array.constant() || array.numbers.empty()) return std::nullopt;
  for (const double each : array.numbers)
    if (each != array.numbers.front()) return std::nullopt;
  return array.numbers.front();
}

// (x - mean) / sqrt(variance + eps), written out: the operation becomes a Normalise over the axes of the two means.
inline void find_norms(Program& program) {
  const auto mean_of = [&](const Array& array, std::vector<Index>& axes) -> const Operation* {
    const Operation* const mean = source_of(program, array, "ReduceMean");
    if (mean == nullptr) return nullptr;
    axes = reduced_axes(NodeReader(*mean->node, mean->inputs, 13));
    return mean;
  };
  for (Operation& operation : program.operations) {
    if (operation.op != "Div" || operation.inputs.size() != 2) continue;
    const Operation* const centred = source_of(program, operation.inputs[0], "Sub");
    const Operation* root = source_of(program, operation.inputs[1], "Sqrt");
    if (centred == nullptr || root == nullptr) continue;
    const Operation* const shifted = source_of(program, root->inputs[0], "Add");
    if (shifted == nullptr) continue;
    std::optional<double> eps = one_number(shifted->inputs[1]);
    const Array& spread = shifted->inputs[eps ? 0 : 1];
    if (!eps) eps = one_number(shifted->inputs[0]);
    std::vector<Index> axes, axes_of_variance;
    const Operation* const mean = mean_of(centred->inputs[1], axes);
    const Operation* const variance = mean_of(spread, axes_of_variance);
    if (!eps || mean == nullptr || variance == nullptr || axes != axes_of_variance) continue;
    const Array& x = centred->inputs[0];
    const auto is_centred = [&](const Array& array) {
      const Operation* const other = source_of(program, array, "Sub");
      if (other == nullptr || !same_elements(other->inputs[0], x)) return false;
      std::vector<Index> own;
      const Operation* const again = mean_of(other->inputs[1], own);
      return again != nullptr && same_elements(again->inputs[0], x) && own == axes;
    };
    const Operation* square = source_of(program, variance->inputs[0], "Mul");
    bool is_square = square != nullptr && same_elements(square->inputs[0], square->inputs[1]);
    if (square == nullptr) {
      square = source_of(program, variance->inputs[0], "Pow");
      is_square = square != nullptr && one_number(square->inputs[1]) == 2.0;
    }
    if (!is_square || !is_centred(square->inputs[0]) || !same_elements(mean->inputs[0], x) ||
        mean->inputs[0].dims != x.dims)
      continue;
    Array input = x, axes_array{.dims = {static_cast<Index>(axes.size())}, .whole = true};
    for (const Index axis : axes) axes_array.numbers.push_back(static_cast<double>(axis));
    operation.op = "Normalise";
    operation.inputs = {std::move(input), std::move(axes_array), Array{.dims = {}, .numbers = {*eps}}};
  }
}

/// Sums of matrix products, element by element.
class LinearForm {
 public:
  LinearForm(const Program& program, Index state) : program_(program), state_(state) {}

  Array input;                            ///< what the products are with, besides h of the frame before
  std::vector<std::vector<double>> x, h;  ///< rows of the two matrices
  std::vector<double> bias;

  /// Adds a row: what an element is of `input` and h. False if it is no such sum.
  bool add(const Element& element) {
    x.emplace_back(), h.emplace_back(), bias.push_back(0);
    return follow(element, 0);
  }

 private:
  bool follow(const Element& element, int depth) {
    if (element.value == Element::constant) {
      bias.back() += element.number;
      return true;
    }
    const Index number = program_.values[static_cast<std::size_t>(element.value)].operation;
    if (element.lag != 0 || number < 0 || depth > 16) return false;
    const Operation& operation = program_.operations[static_cast<std::size_t>(number)];
    if (operation.op == "Add") {
      for (const Array& operand : operation.inputs)
        if (!follow(operand.at(broadcast_place(operand.dims, operation.dims[0], element.index)), depth + 1))
          return false;
      return true;
    }
    if (operation.op != "MatMul" && operation.op != "Gemm") return false;
    const NodeReader r(*operation.node, operation.inputs, 13);
    const Array &a = operation.inputs[0], &w = operation.inputs[1];
    if (!w.constant() || w.rank() != 2 || r.integer("transA", 0) != 0) return false;
    const bool across = r.integer("transB", 0) != 0;
    const Index rows = w.dims[across ? 0 : 1], columns = w.dims[across ? 1 : 0];
    if (a.size() != columns) return false;  // of one frame
    const double alpha = r.number("alpha", 1);
    std::vector<double> row;
    for (Index k = 0; k < columns; ++k)
      row.push_back(
          alpha * w.numbers[static_cast<std::size_t>(across ? element.index * columns + k : k * rows + element.index)]);
    if (operation.inputs.size() > 2 && operation.inputs[2].size() > 0) {
      if (!operation.inputs[2].constant()) return false;
      const Array& c = operation.inputs[2];
      bias.back() += r.number("beta", 1) * c.at(broadcast_place(c.dims, operation.dims[0], element.index)).number;
    }
    if (whole_value(program_, a, 1) == state_) return put(h.back(), std::move(row));
    if (input.dims.empty()) input = a;
    return same_elements(input, a) && put(x.back(), std::move(row));
  }
  static bool put(std::vector<double>& to, std::vector<double> row) {
    if (!to.empty()) return false;
    to = std::move(row);
    return true;
  }

  const Program& program_;
  Index state_;
};

/// A recurrent cell that is written out, as a layer: the rows of its gates in torch's order.
struct Cell {
  Array input;
  std::vector<std::vector<double>> x, h;
  std::vector<double> bias;
};

// An LSTM cell:  h = sigmoid(o) tanh(c),  c = sigmoid(f) c[t-1] + sigmoid(i) tanh(g),  where i, f, g, o are sums of
// products with x and h[t-1].
inline std::optional<Cell> lstm_cell(const Program& program, const Operation& operation) {
  if (operation.op != "Mul" || operation.inputs.size() != 2) return std::nullopt;
  const Index h = operation.outputs.front();
  const auto pair = [&](const Operation& product, std::string_view first, std::string_view second,
                        std::array<const Operation*, 2>& found) {
    for (const int k : {0, 1}) {
      found = {source_of(program, product.inputs[static_cast<std::size_t>(k)], first),
               source_of(program, product.inputs[static_cast<std::size_t>(1 - k)], second)};
      if (found[0] != nullptr && found[1] != nullptr) return true;
    }
    return false;
  };
  std::array<const Operation*, 2> outer{}, sum{}, gated{};
  if (!pair(operation, "Sigmoid", "Tanh", outer)) return std::nullopt;
  const Operation* const c = source_of(program, outer[1]->inputs[0], "Add");
  if (c == nullptr || !pair(*c, "Mul", "Mul", sum)) return std::nullopt;
  for (const std::size_t k : {0, 1}) {
    const Operation &kept = *sum[k], &added = *sum[1 - k];
    if (kept.inputs.size() != 2 || !pair(added, "Sigmoid", "Tanh", gated)) continue;
    for (const std::size_t l : {0, 1}) {
      const Operation* const forget = source_of(program, kept.inputs[l], "Sigmoid");
      if (forget == nullptr || whole_value(program, kept.inputs[1 - l], 1) != c->outputs.front()) continue;
      LinearForm form(program, h);
      for (const Operation* gate : {gated[0], forget, gated[1], outer[0]})
        for (const Element& element : gate->inputs[0].all_elements())
          if (!form.add(element)) return std::nullopt;
      for (const auto& rows : {form.x, form.h})
        for (const auto& row : rows)
          if (row.size() != rows.front().size() || row.empty()) return std::nullopt;
      return Cell{form.input, form.x, form.h, form.bias};
    }
  }
  return std::nullopt;
}

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_PATTERNS_HPP
