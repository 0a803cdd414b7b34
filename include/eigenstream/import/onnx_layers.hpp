#ifndef EIGENSTREAM_IMPORT_ONNX_LAYERS_HPP
#define EIGENSTREAM_IMPORT_ONNX_LAYERS_HPP

#include <algorithm>  // clamp, sort
#include <cmath>      // sqrt
#include <limits>     // the greatest float
#include <map>        // fields
#include <optional>   // one number
#include <string>     // names
#include <utility>    // pair
#include <vector>     // axes

#include "eigenstream/import/onnx_recurrent.hpp"
#include "eigenstream/import/onnx_sliding.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

/// Makes the layers of one operation.
class LayerMaker : public Maker {
 public:
  using Maker::Maker;

  void run() {
    if (o_.op == "Normalise") return normalise(axes_of(o_.inputs[1]), o_.inputs[2].numbers[0], nullptr, nullptr);
    if (const char* const type = plain_type(o_.op)) return b_.pointwise(type, name(), {}, x(), out());
    if (is_among(o_.op, binary_ops)) return several();
    if (o_.op == "MatMul" || o_.op == "Gemm") return matrix();
    if (o_.op == "Conv") return SlidingMaker(*this).convolution();
    if (o_.op == "ConvTranspose") return SlidingMaker(*this).transposed_convolution();
    if (o_.op == "MaxPool" || o_.op == "AveragePool") return SlidingMaker(*this).pool();
    if (o_.op == "GlobalAveragePool" || o_.op == "GlobalMaxPool")
      return reduction(axes_from(2), o_.op == "GlobalMaxPool" ? "Max" : "Mean");
    if (o_.op.starts_with("Reduce")) return reduction(reduced_axes(r_), std::string_view(o_.op).substr(6));
    if (is_recurrent(o_.op)) return RecurrentMaker(*this).recurrent();
    if (o_.op == "Softmax" || o_.op == "LogSoftmax") return softmax();
    if (o_.op == "LayerNormalization") {
      const Index first = r_.axis(r_.integer("axis", -1), x().rank());
      check(o_.outputs.size() < 2 || o_.node->outputs.size() < 2, "its mean is used");
      return normalise(axes_from(first), r_.number("epsilon", 1e-5), r_.has_input(1) ? &o_.inputs[1] : nullptr,
                       r_.has_input(2) ? &o_.inputs[2] : nullptr);
    }
    if (o_.op == "BatchNormalization") return batch_norm();
    if (o_.op == "PRelu") {
      check(r_.input(1).constant(), "its slope depends on the signal");
      return b_.prelu(name(), x(), broadcast_to(r_.input(1), x().dims).numbers, out());
    }
    parameterised();
  }

 private:
  static const char* plain_type(std::string_view op) {
    static constexpr std::pair<std::string_view, const char*> types[] = {{"Relu", "ReLU"},
                                                                         {"Sigmoid", "Sigmoid"},
                                                                         {"Tanh", "Tanh"},
                                                                         {"Sqrt", "Sqrt"},
                                                                         {"Exp", "Exp"},
                                                                         {"Log", "Log"},
                                                                         {"Abs", "Abs"},
                                                                         {"Reciprocal", "Reciprocal"},
                                                                         {"Softplus", "Softplus"},
                                                                         {"Softsign", "Softsign"},
                                                                         {"HardSwish", "Hardswish"},
                                                                         {"Mish", "Mish"},
                                                                         {"Erf", "Erf"},
                                                                         {"Sin", "Sin"},
                                                                         {"Cos", "Cos"},
                                                                         {"Tan", "Tan"},
                                                                         {"Asin", "Asin"},
                                                                         {"Acos", "Acos"},
                                                                         {"Atan", "Atan"},
                                                                         {"Sinh", "Sinh"},
                                                                         {"Cosh", "Cosh"},
                                                                         {"Asinh", "Asinh"},
                                                                         {"Acosh", "Acosh"},
                                                                         {"Atanh", "Atanh"},
                                                                         {"Floor", "Floor"},
                                                                         {"Ceil", "Ceil"},
                                                                         {"Round", "Round"},
                                                                         {"Sign", "Sign"}};
    for (const auto& [own, type] : types)
      if (own == op) return type;
    return nullptr;
  }

  static constexpr double greatest = std::numeric_limits<float>::max();

  void parameterised() {
    const auto plain = [&](const char* type, std::map<std::string, ModuleSpec::Value> fields) {
      b_.pointwise(type, name(), std::move(fields), x(), out());
    };
    const auto constant = [&](double number) {
      return std::vector<double>(static_cast<std::size_t>(x().size()), number);
    };
    if (o_.op == "Neg") return b_.affine(name(), x(), constant(-1), constant(0), out());
    if (o_.op == "LeakyRelu") return plain("LeakyReLU", {{"negative_slope", r_.number("alpha", 0.01)}});
    if (o_.op == "Elu") return plain("ELU", {{"alpha", r_.number("alpha", 1)}});
    if (o_.op == "Celu") return plain("CELU", {{"alpha", r_.number("alpha", 1)}});
    if (o_.op == "ThresholdedRelu") return plain("Threshold", {{"threshold", r_.number("alpha", 1)}, {"value", 0.0}});
    if (o_.op == "Gelu") return plain("GELU", {{"approximate", r_.text("approximate", "none")}});
    if (o_.op == "Clip" &&
        ((r_.has_input(1) && !r_.input(1).constant()) || (r_.has_input(2) && !r_.input(2).constant()))) {
      // Limits that depend on the signal.
      Array y = x();
      if (r_.has_input(1)) two("Max", y, broadcast_to(r_.input(1), x().dims)), y = result();
      if (r_.has_input(2)) two("Min", y, broadcast_to(r_.input(2), x().dims));
      return;
    }
    if (o_.op == "Clip") {
      const double least = limit("min", 1, -greatest), most = limit("max", 2, greatest);
      return plain("Hardtanh", {{"min_val", least}, {"max_val", most}});
    }
    if (o_.op == "Selu") {
      const double alpha = r_.number("alpha", 1.6732631921768188), gamma = r_.number("gamma", 1.0507010221481323);
      check(std::fabs(alpha - 1.67326324) < 1e-6 && std::fabs(gamma - 1.05070098) < 1e-6,
            "of other constants than SELU's");
      return plain("SELU", {});
    }
    if (o_.op == "HardSigmoid") {
      const double alpha = r_.number("alpha", 0.2), beta = r_.number("beta", 0.5);
      if (std::fabs(alpha - 1.0 / 6) < 1e-7 && beta == 0.5) return plain("Hardsigmoid", {});
      b_.affine(name(), x(), constant(alpha), constant(beta), out());
      const Array scaled = result();
      return b_.pointwise("Hardtanh", name(), {{"min_val", 0.0}, {"max_val", 1.0}}, scaled, out());
    }
    fail("is not among the operations that are read");
  }
  double limit(const char* attribute, Index k, double otherwise) const {
    if (!r_.has_input(k)) return std::clamp(r_.number(attribute, otherwise), -greatest, greatest);
    const std::optional<double> number = one_number(r_.input(k));
    check(number.has_value(), "its limits depend on the signal, or differ");
    return std::clamp(*number, -greatest, greatest);
  }
  // Sums, products and so on of two operands or more, the first two, then that and the next.
  void several() {
    const std::string_view op = o_.op == "Sum" || o_.op == "Mean" ? std::string_view("Add") : std::string_view(o_.op);
    check(!o_.inputs.empty(), "has no input");
    Array sum = broadcast_to(o_.inputs[0], out_dims());
    const auto count = static_cast<double>(o_.inputs.size());
    if (o_.inputs.size() == 1) two("Add", sum, Array{.dims = {}, .numbers = {0.0}});
    for (std::size_t k = 1; k < o_.inputs.size(); ++k) {
      two(op, sum, o_.inputs[k]);
      sum = result();
    }
    if (o_.op == "Mean") two("Mul", sum, Array{.dims = {}, .numbers = {1 / count}});
  }
  void two(std::string_view op, const Array& a, const Array& b) {
    if (!a.constant() && !b.constant()) {
      static constexpr std::pair<std::string_view, const char*> joins[] = {
          {"Add", "sum"},   {"Sub", "difference"}, {"Mul", "product"}, {"Div", "quotient"},
          {"Pow", "power"}, {"Max", "max"},        {"Min", "min"}};
      for (const auto& [own, join] : joins)
        if (own == op) return b_.join(join, name(), a, b, out());
      fail("is not among the operations that are read");
    }
    if (a.constant() && b.constant()) fail("of known numbers only");
    const bool first_known = a.constant();
    const Array &signal = first_known ? b : a, &known = first_known ? a : b;
    const Array x = broadcast_to(signal, out_dims());
    const std::vector<double> numbers = broadcast_to(known, out_dims()).numbers;
    const std::vector<double> ones(numbers.size(), 1.0), zeros(numbers.size(), 0.0);
    const auto each = [&](auto&& f) {
      std::vector<double> all;
      for (const double number : numbers) all.push_back(f(number));
      return all;
    };
    if (op == "Add") return b_.affine(name(), x, ones, numbers, out());
    if (op == "Mul") return b_.affine(name(), x, numbers, zeros, out());
    if (op == "Sub")
      return first_known ? b_.affine(name(), x, each([](double) { return -1.0; }), numbers, out())
                         : b_.affine(name(), x, ones, each([](double v) { return -v; }), out());
    if (op == "Div" && !first_known) return b_.affine(name(), x, each([](double v) { return 1 / v; }), zeros, out());
    if (op == "Div") {
      b_.pointwise("Reciprocal", name(), {}, x, out());
      return b_.affine(name(), result(), numbers, zeros, out());
    }
    const std::optional<double> number = one_number(known);
    check(number.has_value(), "its known numbers differ");
    if (op == "Max") return b_.pointwise("Hardtanh", name(), {{"min_val", *number}, {"max_val", greatest}}, x, out());
    if (op == "Min") return b_.pointwise("Hardtanh", name(), {{"min_val", -greatest}, {"max_val", *number}}, x, out());
    check(op == "Pow" && !first_known, "a known number to the power of the signal, which no layer does");
    if (*number == 2) return b_.pointwise("Square", name(), {}, x, out());
    if (*number == 0.5) return b_.pointwise("Sqrt", name(), {}, x, out());
    b_.pointwise("Power", name(), {{"exponent", *number}}, x, out());
  }

  // Products with a known matrix: the axis that it sums over becomes the channels.
  void matrix() {
    const Array &a = r_.input(0), &w = r_.input(1);
    const bool is_gemm = o_.op == "Gemm";
    if (a.constant() != w.constant()) {
      const bool from_left = a.constant();  // known times signal
      const Array &signal = from_left ? w : a, &known = from_left ? a : w;
      check(known.rank() == 2 || (known.rank() == 1 && !from_left), "the known factor has shape ", text_of(known.dims));
      check(!from_left || signal.rank() == 2, "the signal's factor has shape ", text_of(signal.dims));
      const bool ta = is_gemm && r_.integer("transA", 0) != 0, tb = is_gemm && r_.integer("transB", 0) != 0;
      // y[n] = sum over k of known[k, n] signal[k], where both have k along one of their axes.
      const Index inner = from_left ? (tb ? 1 : 0) : (is_gemm && ta ? 0 : signal.rank() - 1);
      const bool k_last = from_left ? !ta : tb;
      const Index in = signal.dims[static_cast<std::size_t>(inner)], units = known.size() / in;
      const double alpha = is_gemm ? r_.number("alpha", 1) : 1;
      std::vector<double> weight(known.numbers.size()), bias;
      for (Index n = 0; n < units; ++n)
        for (Index k = 0; k < in; ++k)
          weight[static_cast<std::size_t>(n * in + k)] =
              alpha * known.numbers[static_cast<std::size_t>(k_last ? n * in + k : k * units + n)];
      const bool has_bias = is_gemm && r_.has_input(2);
      const Array c = has_bias ? broadcast_to(r_.input(2), out_dims()) : Array{};
      const Index out_axis = from_left ? 0 : static_cast<Index>(out_dims().size()) - 1;
      const bool has_axis = known.rank() == 2;
      if (has_bias && c.constant() && has_axis) bias = along(c, out_axis);
      const Index from = b_.arranged(signal, {{inner}, others(signal, {inner})});
      const Index made = linear(from, weight, bias, units);
      std::vector<Index> columns;
      for (Index axis = 0; axis < static_cast<Index>(out_dims().size()); ++axis)
        if (!has_axis || axis != out_axis) columns.push_back(axis);
      b_.settle(out(), made, {has_axis ? std::vector<Index>{out_axis} : std::vector<Index>{}, columns});
      if (has_bias && bias.empty()) {
        const double beta = r_.number("beta", 1);
        check(beta == 1 || c.constant(), "beta ", beta, " of a signal");
        Array more = c;
        for (double& each : more.numbers) each *= beta;
        two("Add", result(), more);
      }
      return;
    }
    fail("multiplies two matrices that both depend on the signal: attention is not read from this format");
  }
  // What an array is along one axis, if along all others it is the same; else nothing.
  std::vector<double> along(const Array& c, Index axis) const {
    const double beta = r_.number("beta", 1);
    const std::vector<Index> strides = strides_of(c.dims);
    const Index extent = c.dims[static_cast<std::size_t>(axis)], stride = strides[static_cast<std::size_t>(axis)];
    std::vector<double> numbers;
    for (Index k = 0; k < extent; ++k) numbers.push_back(beta * c.numbers[static_cast<std::size_t>(k * stride)]);
    for (Index k = 0; k < c.size(); ++k)
      if (beta * c.numbers[static_cast<std::size_t>(k)] != numbers[static_cast<std::size_t>(k / stride % extent)])
        return {};
    return numbers;
  }
  void batch_norm() {
    check(o_.node->outputs.size() < 2 || r_.integer("training_mode", 0) == 0, "in training");
    std::vector<Index> shape(x().dims.size(), 1);
    check(x().rank() >= 2, "of shape ", text_of(x().dims));
    shape[1] = x().dims[1];
    const double eps = r_.number("epsilon", 1e-5);
    std::vector<double> scale, offset;
    for (Index k = 1; k < 5; ++k)
      check(r_.input(k).constant() && r_.input(k).size() == shape[1], "its input ", k, " is not ", shape[1],
            " known numbers");
    for (Index c = 0; c < shape[1]; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const double factor = r_.input(1).numbers[at] / std::sqrt(r_.input(4).numbers[at] + eps);
      check(std::isfinite(factor), "its variance of channel ", c, " is ", r_.input(4).numbers[at]);
      scale.push_back(factor);
      offset.push_back(r_.input(2).numbers[at] - r_.input(3).numbers[at] * factor);
    }
    const auto spread = [&](std::vector<double> numbers) {
      return broadcast_to(Array{.dims = shape, .numbers = std::move(numbers)}, x().dims).numbers;
    };
    b_.affine(name(), x(), spread(scale), spread(offset), out());
  }

  // (x - mean) / sqrt(variance + eps) over some axes, which become the channels.
  void normalise(const std::vector<Index>& axes, double eps, const Array* scale, const Array* offset) {
    const Array& in = o_.inputs[0];
    std::vector<Index> own = axes;
    std::sort(own.begin(), own.end());
    const std::vector<Index> rest = others(in, own);
    Builder::Home home;
    FrameShape shape;
    double columns = 1;
    for (const Index axis : rest) columns *= static_cast<double>(in.dims[static_cast<std::size_t>(axis)]);
    const bool whole = columns == 1;  // in any order then
    if (whole) {
      home = b_.native(in);
      check(layout_.shape(home.value).size() == in.size(), "normalises numbers that are there several times");
      shape = layout_.shape(home.value);
      home.value = layout_.reshaped(home.value, {in.size(), 1, 1, 1});
    } else {
      home.value = b_.arranged(in, {own, rest});
      shape = layout_.shape(home.value);
    }
    const Index n = layout_.shape(home.value).channels;
    const std::string path = layout_.path(name());
    ModuleSpec spec{"LayerNorm",
                    path,
                    {{"normalized_shape", std::int64_t{n}}, {"eps", eps}, {"elementwise_affine", scale != nullptr}},
                    {}};
    if (scale != nullptr) {
      const std::vector<Index> extents(in.dims.end() - static_cast<std::ptrdiff_t>(own.size()), in.dims.end());
      check(scale->constant() && (offset == nullptr || offset->constant()), "its scale depends on the signal");
      std::vector<double> weight(static_cast<std::size_t>(n)), bias(static_cast<std::size_t>(n));
      const Array s = broadcast_to(*scale, extents), t = offset == nullptr ? Array{} : broadcast_to(*offset, extents);
      for (Index k = 0; k < n; ++k) {
        const auto at = static_cast<std::size_t>(whole ? home.positions[static_cast<std::size_t>(k)] : k);
        weight[at] = s.numbers[static_cast<std::size_t>(k)];
        bias[at] = offset == nullptr ? 0.0 : t.numbers[static_cast<std::size_t>(k)];
      }
      b_.set(path + ".weight", {n}, weight), b_.set(path + ".bias", {n}, bias);
    }
    const Index made = layout_.add(std::move(spec), {home.value}, layout_.shape(home.value));
    if (whole)
      b_.settle_places(out(), layout_.reshaped(made, shape), std::move(home.positions));
    else
      b_.settle(out(), made, {own, rest});
  }

  void softmax() {
    const Index rank = x().rank(), axis = r_.axis(r_.integer("axis", r_.opset() >= 13 ? -1 : 1), rank);
    std::vector<Index> over{axis};
    if (r_.opset() < 13) over = axes_from(axis);
    const std::vector<Index> rest = others(x(), over);
    const Index from = b_.arranged(x(), {over, rest});
    const Index made =
        layout_.add(o_.op == "Softmax" ? "Softmax" : "LogSoftmax", name(), {}, from, layout_.shape(from));
    b_.settle(out(), made, {over, rest});
  }

  void reduction(std::vector<Index> axes, std::string_view how) {
    std::sort(axes.begin(), axes.end());
    const std::vector<Index> rest = others(x(), axes);
    double count = 1;
    for (const Index axis : axes) count *= static_cast<double>(x().dims[static_cast<std::size_t>(axis)]);
    // The axes that stay, numbered as in the result.
    std::vector<Index> result_axes = all_axes(out_dims().size());
    if (count == 1) {  // nothing to reduce
      if (b_.settle_like(out(), x())) return;
      const Index from = b_.arranged(x(), {all_axes(x())});
      return b_.settle(out(), from, {result_axes});
    }
    check(how == "Mean" || how == "Sum" || how == "Max" || how == "Min", "is not among the operations that are read");
    const bool sums = how == "Mean" || how == "Sum";
    if (sums) {
      if (how == "Mean" && b_.lies(x(), {rest, axes})) {
        const Index wide = b_.arranged(x(), {rest, axes});
        const Index mean = layout_.add("AdaptiveAvgPool1d", name(), {{"output_size", std::int64_t{1}}}, wide,
                                       layout_.shape(wide).with_width(1));
        return b_.settle(out(), mean, {result_axes});
      }
      const Index from = b_.arranged(x(), {axes, rest});
      const std::vector<double> weight(static_cast<std::size_t>(count), how == "Mean" ? 1 / count : 1.0);
      return b_.settle(out(), linear(from, weight, {}, 1), {{}, result_axes});
    }
    Index from = b_.arranged(x(), {rest, axes});
    const auto negated = [&](Index value) {
      return how == "Max"
                 ? value
                 : layout_.add("Affine", name(), {{"scale", -1.0}, {"offset", 0.0}}, value, layout_.shape(value));
    };
    from = negated(from);
    from = layout_.add("AdaptiveMaxPool1d", name(), {{"output_size", std::int64_t{1}}}, from,
                       layout_.shape(from).with_width(1));
    b_.settle(out(), negated(from), {result_axes});
  }
};

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_LAYERS_HPP
