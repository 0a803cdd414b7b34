#ifndef EIGENSTREAM_IMPORT_ONNX_MAKER_HPP
#define EIGENSTREAM_IMPORT_ONNX_MAKER_HPP

#include <numeric>  // iota
#include <string>   // names
#include <vector>   // axes

#include "eigenstream/import/onnx_builder.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

/// What makers of layers have in common: the operation, and what it is put into.
class Maker {
 public:
  Maker(Builder& builder, const Program& program, const Operation& operation, Index opset)
      : b_(builder),
        layout_(builder.layout()),
        program_(program),
        o_(operation),
        r_(*operation.node, operation.inputs, opset) {}

 protected:
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
  // The result, for what is made of it in a second step.
  Array result() const { return array_of(program_, out()); }

  Index linear(Index from, const std::vector<double>& weight, const std::vector<double>& bias, Index units) {
    const FrameShape in = layout_.shape(from);
    const std::string path = layout_.path(name());
    b_.set(path + ".weight", {units, in.channels}, weight);
    if (!bias.empty()) b_.set(path + ".bias", {units}, bias);
    ModuleSpec spec{
        "Linear",
        path,
        {{"in_features", std::int64_t{in.channels}}, {"out_features", std::int64_t{units}}, {"bias", !bias.empty()}},
        {}};
    return layout_.add(std::move(spec), {from}, in.with_channels(units));
  }

  Builder& b_;
  Layout& layout_;
  const Program& program_;
  const Operation& o_;
  NodeReader r_;
};

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_MAKER_HPP
