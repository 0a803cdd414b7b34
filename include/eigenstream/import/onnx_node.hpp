#ifndef EIGENSTREAM_IMPORT_ONNX_NODE_HPP
#define EIGENSTREAM_IMPORT_ONNX_NODE_HPP

#include <algorithm>    // clamp, find
#include <cmath>        // isfinite
#include <string>       // texts
#include <string_view>  // names
#include <vector>       // numbers

#include "eigenstream/import/onnx_array.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx {

/// Reads the attributes and the constant inputs of a node. What it does not have is the default, and what it has of
/// another kind an error.
class NodeReader {
 public:
  NodeReader(const Node& node, const std::vector<Array>& inputs, Index opset)
      : node_(node), inputs_(inputs), opset_(opset) {}

  std::string_view op() const noexcept { return node_.op; }
  Index opset() const noexcept { return opset_; }
  const Node& node() const noexcept { return node_; }
  Index input_count() const noexcept { return static_cast<Index>(inputs_.size()); }
  bool has_input(Index k) const noexcept {
    return k < input_count() && !node_.inputs[static_cast<std::size_t>(k)].empty();
  }
  const Array& input(Index k) const {
    check(has_input(k), "has no input ", k);
    return inputs_[static_cast<std::size_t>(k)];
  }
  Index integer(std::string_view name, Index otherwise) const {
    const Attribute* const found = attribute(name, Attribute::Kind::integer);
    return found == nullptr ? otherwise : static_cast<Index>(found->integer);
  }
  double number(std::string_view name, double otherwise) const {
    const Attribute* const found = attribute(name, Attribute::Kind::number);
    check(found == nullptr || std::isfinite(found->number), name, " is not finite");
    return found == nullptr ? otherwise : found->number;
  }
  std::string text(std::string_view name, std::string_view otherwise) const {
    const Attribute* const found = attribute(name, Attribute::Kind::text);
    return found == nullptr ? std::string(otherwise) : found->text;
  }
  bool has(std::string_view name) const { return node_.attributes.contains(name); }
  std::vector<Index> integers(std::string_view name, std::vector<Index> otherwise = {}) const {
    const Attribute* const found = attribute(name, Attribute::Kind::integers);
    return found == nullptr ? otherwise : std::vector<Index>(found->integers.begin(), found->integers.end());
  }
  std::vector<std::string> texts(std::string_view name) const {
    const Attribute* const found = attribute(name, Attribute::Kind::texts);
    return found == nullptr ? std::vector<std::string>() : found->texts;
  }
  const Attribute* attribute(std::string_view name, Attribute::Kind kind) const {
    const auto found = node_.attributes.find(name);
    if (found == node_.attributes.end()) return nullptr;
    check(found->second.kind == kind, "attribute \"", name, "\" is of another kind");
    return &found->second;
  }
  /// An input of whole numbers that are known.
  std::vector<Index> known(Index k) const {
    check(input(k).constant(), "its input ", k, " depends on the signal, where known numbers are needed");
    std::vector<Index> numbers;
    for (const double each : input(k).numbers)
      numbers.push_back(static_cast<Index>(std::clamp(each, -9.0e15, 9.0e15)));  // "to the end" is the greatest integer
    return numbers;
  }
  /// Numbers that are an attribute in older versions, and an input in newer ones.
  std::vector<Index> listed(std::string_view name, Index k, std::vector<Index> otherwise = {}) const {
    if (has_input(k)) return known(k);
    return integers(name, std::move(otherwise));
  }
  /// An axis that may count from the end.
  Index axis(Index number, Index rank) const {
    check(number >= -rank && number < rank, "there is no axis ", number, " of ", rank);
    return number < 0 ? number + rank : number;
  }
  std::vector<Index> axes(std::vector<Index> numbers, Index rank) const {
    for (Index& each : numbers) each = axis(each, rank);
    return numbers;
  }

 private:
  const Node& node_;
  const std::vector<Array>& inputs_;
  Index opset_;
};

namespace detail {

inline bool holds(const std::vector<Index>& numbers, Index wanted) {
  return std::find(numbers.begin(), numbers.end(), wanted) != numbers.end();
}

}  // namespace detail

}  // namespace onnx

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_NODE_HPP
