#ifndef EIGENSTREAM_IMPORT_ONNX_LAYERS_HPP
#define EIGENSTREAM_IMPORT_ONNX_LAYERS_HPP

#include <algorithm>  // max
#include <cmath>      // sqrt
#include <limits>     // the greatest float
#include <map>        // simple operations
#include <optional>   // axis of time
#include <string>     // names
#include <utility>    // exchange
#include <vector>     // axes

#include "eigenstream/import/onnx_builder.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

/// Makes the layers of one operation.
class LayerMaker {
 public:
  LayerMaker(Builder& builder, const Program& program, const Operation& operation, Index opset)
      : b_(builder), layout_(builder.layout()), program_(program), o_(operation), r_(*operation.node, operation.inputs, opset) {}

  void run() {
    if (o_.op == "Normalise") return normalise(axes_of(o_.inputs[1]), o_.inputs[2].numbers[0], nullptr, nullptr);
    if (const char* const type = plain_type(o_.op)) return b_.pointwise(type, name(), {}, x(), out());
    if (is_among(o_.op, binary_ops)) return several();
    if (o_.op == "MatMul" || o_.op == "Gemm") return matrix();
    if (o_.op == "Conv") return convolution();
    if (o_.op == "ConvTranspose") return transposed_convolution();
    if (o_.op == "MaxPool" || o_.op == "AveragePool") return pool();
    if (o_.op == "GlobalAveragePool" || o_.op == "GlobalMaxPool") return reduction(axes_from(2), o_.op == "GlobalMaxPool" ? "Max" : "Mean");
    if (o_.op.starts_with("Reduce")) return reduction(reduced_axes(r_), std::string_view(o_.op).substr(6));
    if (o_.op == "LSTM" || o_.op == "GRU" || o_.op == "RNN") return recurrent();
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

  /// A recurrent cell that was written out.
  void cell(const Cell& cell) {
    const Index hidden = static_cast<Index>(cell.x.size()) / 4, in = cell.input.size();
    const std::string path = layout_.path(name());
    const auto rows = [&](const char* own, const std::vector<std::vector<double>>& from) {
      std::vector<double> numbers;
      for (const auto& row : from) numbers.insert(numbers.end(), row.begin(), row.end());
      b_.set(path + own, {4 * hidden, static_cast<Index>(from.front().size())}, numbers);
    };
    rows(".weight_ih_l0", cell.x), rows(".weight_hh_l0", cell.h);
    b_.set(path + ".bias_ih_l0", {4 * hidden}, cell.bias);
    b_.set(path + ".bias_hh_l0", {4 * hidden}, std::vector<double>(static_cast<std::size_t>(4 * hidden), 0.0));
    const Index from = b_.arranged(cell.input, {all_axes(cell.input)});
    const Index made = layout_.add(ModuleSpec{"LSTM", path, {{"input_size", std::int64_t{in}}, {"hidden_size", std::int64_t{hidden}}}, {}},
                                   {from}, {hidden, 1, 1, 1});
    b_.settle(out(), made, {all_axes(program_.values[static_cast<std::size_t>(out())].dims.size())});
  }

 private:
  const Array& x() const { return r_.input(0); }
  Index out() const { return o_.outputs.front(); }
  const std::vector<Index>& out_dims() const { return o_.dims.front(); }
  std::string name() const { return o_.node->name.empty() ? o_.node->outputs.front() : o_.node->name; }

  static std::vector<Index> all_axes(std::size_t rank) {
    std::vector<Index> axes(rank);
    std::iota(axes.begin(), axes.end(), Index{0});
    return axes;
  }
  static std::vector<Index> all_axes(const Array& array) { return all_axes(array.dims.size()); }
  std::vector<Index> axes_from(Index first) const {
    std::vector<Index> axes;
    for (Index axis = first; axis < x().rank(); ++axis) axes.push_back(axis);
    return axes;
  }
  static std::vector<Index> axes_of(const Array& numbers) {
    std::vector<Index> axes;
    for (const double each : numbers.numbers) axes.push_back(static_cast<Index>(each));
    return axes;
  }
  static std::vector<Index> others(const Array& array, const std::vector<Index>& axes) {
    std::vector<Index> rest;
    for (Index axis = 0; axis < array.rank(); ++axis)
      if (!holds(axes, axis)) rest.push_back(axis);
    return rest;
  }

  static const char* plain_type(std::string_view op) {
    static constexpr std::pair<std::string_view, const char*> types[] = {
        {"Relu", "ReLU"},         {"Sigmoid", "Sigmoid"},   {"Tanh", "Tanh"},         {"Sqrt", "Sqrt"},   {"Exp", "Exp"},
        {"Log", "Log"},           {"Abs", "Abs"},           {"Reciprocal", "Reciprocal"}, {"Softplus", "Softplus"},
        {"Softsign", "Softsign"}, {"HardSwish", "Hardswish"}, {"Mish", "Mish"},       {"Erf", "Erf"},     {"Sin", "Sin"},
        {"Cos", "Cos"},           {"Tan", "Tan"},           {"Asin", "Asin"},         {"Acos", "Acos"},   {"Atan", "Atan"},
        {"Sinh", "Sinh"},         {"Cosh", "Cosh"},         {"Asinh", "Asinh"},       {"Acosh", "Acosh"}, {"Atanh", "Atanh"},
        {"Floor", "Floor"},       {"Ceil", "Ceil"},         {"Round", "Round"},       {"Sign", "Sign"}};
    for (const auto& [own, type] : types)
      if (own == op) return type;
    return nullptr;
  }

  static constexpr double greatest = std::numeric_limits<float>::max();

  void parameterised() {
    const auto plain = [&](const char* type, std::map<std::string, ModuleSpec::Value> fields) {
      b_.pointwise(type, name(), std::move(fields), x(), out());
    };
    const auto constant = [&](double number) { return std::vector<double>(static_cast<std::size_t>(x().size()), number); };
    if (o_.op == "Neg") return b_.affine(name(), x(), constant(-1), constant(0), out());
    if (o_.op == "LeakyRelu") return plain("LeakyReLU", {{"negative_slope", r_.number("alpha", 0.01)}});
    if (o_.op == "Elu") return plain("ELU", {{"alpha", r_.number("alpha", 1)}});
    if (o_.op == "Celu") return plain("CELU", {{"alpha", r_.number("alpha", 1)}});
    if (o_.op == "ThresholdedRelu") return plain("Threshold", {{"threshold", r_.number("alpha", 1)}, {"value", 0.0}});
    if (o_.op == "Gelu") return plain("GELU", {{"approximate", r_.text("approximate", "none")}});
    if (o_.op == "Clip" && ((r_.has_input(1) && !r_.input(1).constant()) || (r_.has_input(2) && !r_.input(2).constant()))) {
      // Limits that depend on the signal.
      Array y = x();
      if (r_.has_input(1)) two("Max", y, broadcast_to(r_.input(1), x().dims)), y = array_of(out());
      if (r_.has_input(2)) two("Min", y, broadcast_to(r_.input(2), x().dims));
      return;
    }
    if (o_.op == "Clip") {
      const double least = limit("min", 1, -greatest), most = limit("max", 2, greatest);
      return plain("Hardtanh", {{"min_val", least}, {"max_val", most}});
    }
    if (o_.op == "Selu") {
      const double alpha = r_.number("alpha", 1.6732631921768188), gamma = r_.number("gamma", 1.0507010221481323);
      check(std::fabs(alpha - 1.67326324) < 1e-6 && std::fabs(gamma - 1.05070098) < 1e-6, "of other constants than SELU's");
      return plain("SELU", {});
    }
    if (o_.op == "HardSigmoid") {
      const double alpha = r_.number("alpha", 0.2), beta = r_.number("beta", 0.5);
      if (std::fabs(alpha - 1.0 / 6) < 1e-7 && beta == 0.5) return plain("Hardsigmoid", {});
      b_.affine(name(), x(), constant(alpha), constant(beta), out());
      const Array scaled = array_of(out());
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
  Array array_of(Index value) const {
    const std::vector<Index>& dims = program_.values[static_cast<std::size_t>(value)].dims;
    Array array{.dims = dims};
    for (Index k = 0; k < static_cast<Index>(size_of(dims)); ++k)
      array.elements.push_back({.value = static_cast<std::int32_t>(value), .index = k});
    return array;
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
      sum = array_of(out());
    }
    if (o_.op == "Mean") two("Mul", sum, Array{.dims = {}, .numbers = {1 / count}});
  }
  void two(std::string_view op, const Array& a, const Array& b) {
    if (!a.constant() && !b.constant()) {
      static constexpr std::pair<std::string_view, const char*> joins[] = {
          {"Add", "sum"}, {"Sub", "difference"}, {"Mul", "product"}, {"Div", "quotient"}, {"Pow", "power"}, {"Max", "max"}, {"Min", "min"}};
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
      return b_.affine(name(), array_of(out()), numbers, zeros, out());
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
          weight[static_cast<std::size_t>(n * in + k)] = alpha * known.numbers[static_cast<std::size_t>(k_last ? n * in + k : k * units + n)];
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
        two("Add", array_of(out()), more);
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
      if (beta * c.numbers[static_cast<std::size_t>(k)] != numbers[static_cast<std::size_t>(k / stride % extent)]) return {};
    return numbers;
  }
  Index linear(Index from, const std::vector<double>& weight, const std::vector<double>& bias, Index units) {
    const FrameShape in = layout_.shape(from);
    const std::string path = layout_.path(name());
    b_.set(path + ".weight", {units, in.channels}, weight);
    if (!bias.empty()) b_.set(path + ".bias", {units}, bias);
    ModuleSpec spec{"Linear", path, {{"in_features", std::int64_t{in.channels}}, {"out_features", std::int64_t{units}}, {"bias", !bias.empty()}}, {}};
    return layout_.add(std::move(spec), {from}, in.with_channels(units));
  }

  void batch_norm() {
    check(o_.node->outputs.size() < 2 || r_.integer("training_mode", 0) == 0, "in training");
    std::vector<Index> shape(x().dims.size(), 1);
    check(x().rank() >= 2, "of shape ", text_of(x().dims));
    shape[1] = x().dims[1];
    const double eps = r_.number("epsilon", 1e-5);
    std::vector<double> scale, offset;
    for (Index k = 1; k < 5; ++k)
      check(r_.input(k).constant() && r_.input(k).size() == shape[1], "its input ", k, " is not ", shape[1], " known numbers");
    for (Index c = 0; c < shape[1]; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const double factor = r_.input(1).numbers[at] / std::sqrt(r_.input(4).numbers[at] + eps);
      check(std::isfinite(factor), "its variance of channel ", c, " is ", r_.input(4).numbers[at]);
      scale.push_back(factor);
      offset.push_back(r_.input(2).numbers[at] - r_.input(3).numbers[at] * factor);
    }
    const auto spread = [&](std::vector<double> numbers) { return broadcast_to(Array{.dims = shape, .numbers = std::move(numbers)}, x().dims).numbers; };
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
    ModuleSpec spec{"LayerNorm", path, {{"normalized_shape", std::int64_t{n}}, {"eps", eps}, {"elementwise_affine", scale != nullptr}}, {}};
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
    const Index made = layout_.add(o_.op == "Softmax" ? "Softmax" : "LogSoftmax", name(), {}, from, layout_.shape(from));
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
        const Index mean = layout_.add("AdaptiveAvgPool1d", name(), {{"output_size", std::int64_t{1}}}, wide, layout_.shape(wide).with_width(1));
        return b_.settle(out(), mean, {result_axes});
      }
      const Index from = b_.arranged(x(), {axes, rest});
      const std::vector<double> weight(static_cast<std::size_t>(count), how == "Mean" ? 1 / count : 1.0);
      return b_.settle(out(), linear(from, weight, {}, 1), {{}, result_axes});
    }
    Index from = b_.arranged(x(), {rest, axes});
    const auto negated = [&](Index value) {
      return how == "Max" ? value : layout_.add("Affine", name(), {{"scale", -1.0}, {"offset", 0.0}}, value, layout_.shape(value));
    };
    from = negated(from);
    from = layout_.add("AdaptiveMaxPool1d", name(), {{"output_size", std::int64_t{1}}}, from, layout_.shape(from).with_width(1));
    b_.settle(out(), negated(from), {result_axes});
  }

  // Which axis of an array is time: along it the numbers are those of the same places so many frames ago. lags[k] is how long
  // ago at k, -1 everywhere if there is no such axis.
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
    bool backwards = false;   // whether the first of the kernel is the latest
  };
  std::optional<Taps> taps_of(const TimeAxis& time, const Sliding& s, bool transposed) const {
    const auto axis = static_cast<std::size_t>(time.axis - 2);
    if (out_dims()[axis + 2] != 1) return std::nullopt;
    Taps taps{.count = s.taps[axis], .backwards = transposed};
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
    Index before = 0, stride = 1;  // zeros before the first frame, and frames from one result to the next
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
      if (taps && (may_pad || (taps->count - 1) * taps->dilation + taps->latest <= 0)) field.taps = *taps, field.time = time.axis;
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
    field.from = b_.arranged(in, frame_axes(field));
    field.before = (field.taps.count - 1) * field.taps.dilation;
    // What is later than now takes the place of zeros before the first frame.
    const Index later = std::clamp<Index>(-field.taps.latest, 0, field.before);
    field.before -= later;
    field.from = layout_.late(field.from, field.taps.latest + later);
    field.stride = o_.time_stride;
    if (field.time < 0) field.from = layout_.every(field.from, std::exchange(field.stride, 1));
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
      return field.space.size() > from_end ? out_dims()[static_cast<std::size_t>(field.space[field.space.size() - 1 - from_end])] : Index{1};
    };
    return {out_dims()[1], extent(0), extent(1), 1};
  }
  // The kernel with its axes in the layer's order, from the earliest tap on.
  void set_kernel(const std::string& path, const Field& field, bool turn, bool swap) {
    const Array& w = r_.input(1);
    const std::vector<Index> strides = strides_of(w.dims);
    std::vector<Index> dims{w.dims[0], w.dims[1], field.taps.count};
    std::vector<Index> steps{strides[0], strides[1], field.time < 0 ? 0 : strides[static_cast<std::size_t>(field.time)]};
    for (const Index axis : field.space) dims.push_back(w.dims[static_cast<std::size_t>(axis)]), steps.push_back(strides[static_cast<std::size_t>(axis)]);
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

  void convolution() {
    const Array& w = r_.input(1);
    const Sliding s = sliding_of(r_, {w.dims.begin() + 2, w.dims.end()}, x().dims, false);
    if (is_matrix(s)) {
      const Index units = out_dims()[1];
      const std::vector<double> bias = r_.has_input(2) ? r_.input(2).numbers : std::vector<double>();
      const Index made = linear(b_.arranged(x(), {{1}, others(x(), {1})}), w.numbers, bias, units);
      return b_.settle(out(), made, {{1}, others(x(), {1})});
    }
    const Field field = field_of(s, false);
    sliding_layer(field, s, field.space.empty() ? "Conv1d" : field.space.size() == 1 ? "Conv2d" : "Conv3d", false);
  }
  // Whether it takes each place by itself.
  bool is_matrix(const Sliding& s) const {
    const auto all = [](const std::vector<Index>& numbers, Index wanted) {
      return std::all_of(numbers.begin(), numbers.end(), [&](Index each) { return each == wanted; });
    };
    return r_.integer("group", 1) == 1 && all(s.taps, 1) && all(s.strides, 1) && all(s.before, 0) && all(s.after, 0);
  }
  void transposed_convolution() {
    const Array& w = r_.input(1);
    const Sliding s = sliding_of(r_, {w.dims.begin() + 2, w.dims.end()}, x().dims, true);
    const Field field = field_of(s, true);
    // Over time alone it is a convolution whose taps are turned round.
    const bool plain = field.space.empty();
    check(!plain || r_.integer("group", 1) == 1, "groups of a transposed convolution over time alone are not read");
    sliding_layer(field, s, plain ? "Conv1d" : field.space.size() == 1 ? "ConvTranspose2d" : "ConvTranspose3d", true);
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
      spec.fields["padding"] = std::vector<std::int64_t>{before, 0};
      spec.fields["stride"] = std::int64_t{field.stride};
    } else {
      spec.fields["kernel_size"] = per_axis(field, field.taps.count, [&](std::size_t k) { return s.taps[k]; });
      spec.fields["stride"] = per_axis(field, field.stride, [&](std::size_t k) { return s.strides[k]; });
      spec.fields["dilation"] = per_axis(field, field.taps.dilation, [&](std::size_t k) { return s.dilations[k]; });
      std::vector<std::int64_t> padding = transposed ? std::vector<std::int64_t>{0, before} : std::vector<std::int64_t>{before, 0};
      for (const Index axis : field.space)
        for (const std::vector<Index>& side : {s.before, s.after}) padding.push_back(side[static_cast<std::size_t>(axis - 2)]);
      spec.fields["padding"] = padding;
      const std::vector<Index> more = r_.integers("output_padding", std::vector<Index>(s.taps.size(), 0));
      if (transposed) spec.fields["output_padding"] = per_axis(field, 0, [&](std::size_t k) { return more[k]; });
    }
    set_kernel(path, field, turned, turned);
    if (r_.has_input(2)) b_.set(path + ".bias", {out_dims()[1]}, r_.input(2).numbers);
    const Index made = layout_.add(std::move(spec), {field.from}, result_shape(field));
    b_.settle(out(), made, frame_axes(field));
  }

  void pool() {
    check(o_.node->outputs.size() < 2 || o_.node->outputs[1].empty(), "its indices are used");
    const bool most = o_.op == "MaxPool";
    const Sliding s = sliding_of(r_, r_.integers("kernel_shape"), x().dims, false);
    const Field field = field_of(s, false, false);
    for (std::size_t k = 0; k < s.before.size(); ++k)
      check(s.before[k] == s.after[k] && 2 * s.before[k] <= s.taps[k], "padding ", s.before[k], " and ", s.after[k], " of a pool of ", s.taps[k]);
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
    b_.settle(out(), made, frame_axes(field));
  }

  void recurrent() {
    const Array &w = r_.input(1), &u = r_.input(2);
    const bool is_lstm = o_.op == "LSTM", is_gru = o_.op == "GRU";
    const Index gates = is_lstm ? 4 : is_gru ? 3 : 1, directions = w.dims[0], hidden = w.dims[1] / gates, in = w.dims[2];
    const Index frames = x().dims[0], batch = x().dims[1];
    check(w.constant() && u.constant() && (!r_.has_input(3) || r_.input(3).constant()), "its weights depend on the signal");
    check(u.dims == std::vector<Index>({directions, gates * hidden, hidden}), "recurrent weight ", text_of(u.dims), " of ", gates, " gates of ",
          hidden);
    check(!r_.has_input(4) || one_number(r_.input(4)) == static_cast<double>(frames), "lengths of its own for each sequence are not read");
    check(!r_.has_input(7) || one_number(r_.input(7)) == 0.0, "peepholes are not read");
    check(!r_.has("clip") && r_.integer("input_forget", 0) == 0, "clip and input_forget are not read");
    check(!is_gru || r_.integer("linear_before_reset", 0) != 0, "a GRU that resets before its product (linear_before_reset 0) is not read");
    const std::string direction = r_.text("direction", "forward");
    check(direction == "forward" || direction == "bidirectional" || direction == "reverse", "direction \"", direction, "\" is not read");
    std::string nonlinearity = "tanh";
    check_activations(is_lstm, is_gru, directions, nonlinearity);

    const std::string path = layout_.path(name());
    const char* const type = is_lstm ? "LSTM" : is_gru ? "GRU" : "RNN";
    ModuleSpec spec{type, path, {}, {}};
    spec.fields["input_size"] = std::int64_t{in};
    spec.fields["hidden_size"] = std::int64_t{hidden};
    if (!is_lstm && !is_gru) spec.fields["nonlinearity"] = nonlinearity;
    static constexpr Index lstm_order[] = {0, 2, 3, 1}, gru_order[] = {1, 0, 2}, rnn_order[] = {0};  // theirs, in torch's order
    const Index* const order = is_lstm ? lstm_order : is_gru ? gru_order : rnn_order;
    for (Index d = 0; d < directions; ++d) {
      const std::string end = d == 0 ? "_l0" : "_l0_reverse";
      const auto rows = [&](const Array& from, Index columns, Index first) {
        std::vector<double> numbers;
        for (Index gate = 0; gate < gates; ++gate) {
          const auto begin = static_cast<std::size_t>(first + order[gate] * hidden * columns);
          numbers.insert(numbers.end(), from.numbers.begin() + static_cast<std::ptrdiff_t>(begin),
                         from.numbers.begin() + static_cast<std::ptrdiff_t>(begin + static_cast<std::size_t>(hidden * columns)));
        }
        return numbers;
      };
      b_.set(path + ".weight_ih" + end, {gates * hidden, in}, rows(w, in, d * gates * hidden * in));
      b_.set(path + ".weight_hh" + end, {gates * hidden, hidden}, rows(u, hidden, d * gates * hidden * hidden));
      if (r_.has_input(3)) {
        check(r_.input(3).size() == directions * 2 * gates * hidden, "bias ", text_of(r_.input(3).dims), " of ", gates, " gates of ", hidden);
        b_.set(path + ".bias_ih" + end, {gates * hidden}, rows(r_.input(3), 1, d * 2 * gates * hidden));
        b_.set(path + ".bias_hh" + end, {gates * hidden}, rows(r_.input(3), 1, (d * 2 + 1) * gates * hidden));
      }
    }
    spec.fields["bias"] = r_.has_input(3);
    const Array* const h0 = r_.has_input(5) ? &r_.input(5) : nullptr;
    const bool goes_on = h0 != nullptr && !h0->constant();
    const Index y = o_.outputs[0], y_h = o_.outputs[1];
    if (goes_on) {
      check(directions == 1 && direction == "forward", "goes on from call to call in both directions");
      check(frames == 1, "takes ", frames, " frames a call and goes on from call to call: one frame a call is read");
      check(follows(*h0, y, y_h), "begins with something else than its own h of the call before");
      check(!is_lstm || (r_.has_input(6) && whole_value(program_, r_.input(6), 1) == o_.outputs[2]),
            "begins with something else than its own c of the call before");
      const Index from = b_.arranged(x(), {{2}, {1}});
      const Index made = layout_.add(std::move(spec), {from}, {hidden, batch, 1, 1});
      b_.settle(y, made, {{3}, {2}});
      return b_.settle(y_h, made, {{2}, {1}});
    }
    check(batch == 1, "runs over ", batch, " sequences at once within a call");
    spec.fields["bidirectional"] = directions == 2;
    if (h0 != nullptr && one_number(*h0) != 0.0) fail("begins with known numbers other than 0");
    check(!is_lstm || !r_.has_input(6) || one_number(r_.input(6)) == 0.0, "begins with a c other than 0");
    const Index from = b_.arranged(x(), {{2}, {0}});
    ModuleSpec each{"EachFrame", layout_.path(name() + "/frame"), {{"channels", std::int64_t{in}}, {"width", std::int64_t{frames}}}, {}};
    if (direction == "reverse") {
      ModuleSpec turned{"Sequential", layout_.path(name() + "/turned"), {}, {}};
      turned.children["layers"] = {ModuleSpec{"Reverse", layout_.path(name() + "/reverse"), {}, {}}, std::move(spec),
                                   ModuleSpec{"Reverse", layout_.path(name() + "/reverse"), {}, {}}};
      each.children["net"] = {std::move(turned)};
    } else {
      each.children["net"] = {std::move(spec)};
    }
    const Index made = layout_.add(std::move(each), {from}, {directions * hidden, frames, 1, 1});
    // Channels: direction, then unit.
    b_.settle(y, made, {{1, 3}, {0}});
    if (direction == "forward") settle_last(y_h, made, directions, hidden, frames);
  }
  // h behind the last frame.
  void settle_last(Index y_h, Index made, Index directions, Index hidden, Index frames) {
    if (directions != 1) return;
    std::vector<std::int64_t> positions;
    for (Index k = 0; k < hidden; ++k) positions.push_back((frames - 1) * hidden + k);
    b_.settle_places(y_h, made, std::move(positions));
  }
  bool follows(const Array& h0, Index y, Index y_h) const {
    return whole_value(program_, h0, 1) == y_h || whole_value(program_, h0, 1) == y;
  }
  void check_activations(bool is_lstm, bool is_gru, Index directions, std::string& nonlinearity) const {
    const std::vector<std::string> activations = r_.texts("activations");
    for (std::size_t k = 0; k < activations.size(); ++k) {
      std::string own = activations[k];
      for (char& each : own) each = static_cast<char>(each >= 'A' && each <= 'Z' ? each - 'A' + 'a' : each);
      const std::size_t per_direction = activations.size() / static_cast<std::size_t>(directions);
      const bool is_gate = (is_lstm || is_gru) && k % std::max<std::size_t>(per_direction, 1) == 0;
      if (!is_lstm && !is_gru && own == "relu") nonlinearity = "relu";
      check(own == (is_gate ? "sigmoid" : nonlinearity), "activation \"", activations[k], "\" is not read");
    }
  }

  Builder& b_;
  Layout& layout_;
  const Program& program_;
  const Operation& o_;
  NodeReader r_;
};

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_LAYERS_HPP
