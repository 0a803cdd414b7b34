#ifndef EIGENSTREAM_IMPORT_NAM_PART_HPP
#define EIGENSTREAM_IMPORT_NAM_PART_HPP

// Needs nlohmann-json, as safetensors.hpp does.

#include <string>   // names
#include <utility>  // move
#include <vector>   // weights

#include "eigenstream/import/graph_description.hpp"
#include "eigenstream/import/import_options.hpp"
#include "eigenstream/import/json_node.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline constexpr Index max_nam_extent = Index{1} << 20;  // channels, taps, dilations

/// The flat list of weights of a .nam model, taken from the front.
/// Errors   Error from take if there are too few, from finish if any are left over
class NamWeights {
 public:
  explicit NamWeights(JsonNode list) : list_(std::move(list)), values_(list_.numbers()) {}

  /// The next ones, as a tensor of this shape. Nothing is allocated beyond what the list holds.
  Weights<float> take(std::vector<Index> shape, const std::string& what) {
    const std::size_t left = values_.size() - at_;
    std::size_t count = 1;
    for (const Index extent : shape) {
      const auto n = static_cast<std::size_t>(extent);
      list_.check(n != 0 && count <= left / n, "holds ", values_.size(), " numbers, too few: ", what, " begins at number ", at_);
      count *= n;
    }
    const auto first = values_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += count;
    return {std::move(shape), {first, first + static_cast<std::ptrdiff_t>(count)}};
  }
  float take_one(const std::string& what) { return take({1}, what).values.front(); }
  void finish() const { list_.check(at_ == values_.size(), "holds ", values_.size(), " numbers, the layers take ", at_); }

 private:
  JsonNode list_;
  std::vector<float> values_;
  std::size_t at_ = 0;
};

/// Where the layers of a .nam model go.
struct NamContext {
  GraphDescription& graph;
  const ImportOptions& options;
  Index layers = 0;  // so far

  void count_layer(const JsonNode& where) {
    where.check(++layers <= max_imported_layers, "more than ", max_imported_layers, " layers");
  }
};

/// What a .nam model has become: the value that it gives, and for how many frames of silence it runs before the first one.
struct NamPart {
  GraphDescription::Value output = 0;
  Index channels = 0;
  std::int64_t prewarm_frames = 0;
};

/// The next weights as those of a convolution.
inline Weights<float> nam_conv_weight(NamWeights& weights, const JsonNode& where, const std::string& what, Index in, Index out,
                                      Index taps, Index dilation = 1, Index groups = 1) {
  where.check(in % groups == 0 && out % groups == 0, what, ": ", in, " and ", out, " channels are not multiples of ", groups,
              " groups");
  where.check((taps - 1) <= max_nam_extent / dilation, what, ": ", taps, " taps at a distance of ", dilation,
              " reach over more than ", max_nam_extent, " frames");
  return weights.take({out, in / groups, taps}, what);
}
/// The next weights as a causal convolution with a bias or without.
inline GraphDescription::Value nam_conv(NamContext& context, NamWeights& weights, const JsonNode& where, const std::string& path,
                                        GraphDescription::Value from, Index in, Index out, Index taps, bool bias,
                                        Index dilation = 1, Index groups = 1) {
  Weights<float> weight = nam_conv_weight(weights, where, path + ".weight", in, out, taps, dilation, groups);
  Weights<float> offset;
  if (bias) offset = weights.take({out}, path + ".bias");
  return context.graph.conv(path, from, std::move(weight), std::move(offset), dilation, groups);
}

/// The layers of an activation, a name or an object with its parameters, over `channels` channels.
inline GraphDescription::Value nam_activation(NamContext& context, const JsonNode& node, const std::string& path,
                                              GraphDescription::Value from, Index channels) {
  GraphDescription& graph = context.graph;
  const bool plain = node.value().is_string();
  const std::string type = plain ? node.text() : node["type"].text();
  const auto number = [&](const char* key, double otherwise) { return plain ? otherwise : node.number_or(key, otherwise); };
  const auto expect_only = [&](std::initializer_list<std::string_view> keys) {
    if (!plain) node.expect_only(keys);
  };
  if (type == "LeakyReLU") {
    expect_only({"type", "negative_slope"});
    return graph.add(type, path, from, {{"negative_slope", number("negative_slope", 0.01)}});
  }
  if (type == "PReLU") {
    expect_only({"type", "negative_slope", "negative_slopes"});
    const auto slopes = plain ? std::nullopt : node.find("negative_slopes");
    if (!slopes) return graph.add("LeakyReLU", path, from, {{"negative_slope", number("negative_slope", 0.01)}});
    node.check(!node.find("negative_slope"), "has negative_slope and negative_slopes");
    Weights<float> weight({static_cast<Index>(slopes->size())}, slopes->numbers());
    slopes->check(weight.size() == channels || weight.size() == 1, "has ", weight.size(), " items for ", channels, " channels");
    const std::int64_t parameters = weight.size();
    graph.set_weight(path + ".weight", std::move(weight));
    return graph.add(type, path, from, {{"num_parameters", parameters}});
  }
  if (type == "LeakyHardtanh" || type == "LeakyHardTanh") {
    expect_only({"type", "min_val", "max_val", "min_slope", "max_slope"});
    return graph.add("LeakyHardtanh", path, from,
                     {{"min_val", number("min_val", -1)}, {"max_val", number("max_val", 1)},
                      {"min_slope", number("min_slope", 0.01)}, {"max_slope", number("max_slope", 0.01)}});
  }
  expect_only({"type"});
  if (type == "Tanh") return graph.add(context.options.fast_tanh ? "Fasttanh" : type, path, from);
  for (const char* known : {"Hardtanh", "Fasttanh", "ReLU", "Sigmoid", "SiLU", "Hardswish", "Softsign"})
    if (type == known) return graph.add(type, path, from);
  node.fail("unknown activation ", in_quotes(type));
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_NAM_PART_HPP
