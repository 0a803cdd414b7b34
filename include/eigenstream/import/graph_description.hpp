#ifndef EIGENSTREAM_IMPORT_GRAPH_DESCRIPTION_HPP
#define EIGENSTREAM_IMPORT_GRAPH_DESCRIPTION_HPP

#include <map>      // fields
#include <string>   // names
#include <utility>  // move
#include <vector>   // operands

#include "eigenstream/core/description.hpp"
#include "eigenstream/core/weights.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// The description of a Graph with its weights, put together node by node. Values are numbered as in the model file: 0 is the
/// input, k what node k - 1 gives.
/// Errors   none: what does not fit shows when the network is built
class GraphDescription {
 public:
  using Value = Index;

  explicit GraphDescription(Index in_channels) {
    graph_.type = "Graph";
    graph_.fields["in_channels"] = std::int64_t{in_channels};
    graph_.children["nodes"];
  }

  Value input() const noexcept { return 0; }
  Value add(ModuleSpec node, const std::vector<Value>& from) {
    node.fields["from"] = std::vector<std::int64_t>(from.begin(), from.end());
    auto& nodes = graph_.children["nodes"];
    nodes.push_back(std::move(node));
    return static_cast<Value>(nodes.size());
  }
  /// A layer without weights.
  Value add(const std::string& type, const std::string& path, Value from,
            std::map<std::string, ModuleSpec::Value> fields = {}) {
    return add(ModuleSpec{type, path, std::move(fields), {}}, {from});
  }
  Value join(const char* op, const std::string& path, const std::vector<Value>& from) {
    return add(ModuleSpec{"Reduce", path, {{"op", std::string(op)}}, {}}, from);
  }
  /// A causal convolution. weight: (out, in / groups, taps); no bias: an empty one.
  Value conv(const std::string& path, Value from, Weights<float> weight, Weights<float> bias, Index dilation = 1,
             Index groups = 1) {
    const Index out = weight.shape[0], in = weight.shape[1] * groups, taps = weight.shape[2];
    ModuleSpec node{"Conv1d", path, {}, {}};
    const auto set = [&](const char* key, Index value, Index otherwise) {
      if (value != otherwise) node.fields[key] = std::int64_t{value};
    };
    set("in_channels", in, 0), set("out_channels", out, 0), set("kernel_size", taps, 0);
    set("dilation", dilation, 1), set("groups", groups, 1);
    if (taps > 1) node.fields["padding"] = std::vector<std::int64_t>{(taps - 1) * dilation, 0};
    node.fields["bias"] = !bias.empty();
    set_weight(path + ".weight", std::move(weight));
    if (!bias.empty()) set_weight(path + ".bias", std::move(bias));
    return add(std::move(node), {from});
  }
  void set_weight(const std::string& name, Weights<float> weight) { weights_[name] = std::move(weight); }

  ModuleSpec&& network() && { return std::move(graph_); }
  WeightMap&& weights() && { return std::move(weights_); }

 private:
  ModuleSpec graph_;
  WeightMap weights_;
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_GRAPH_DESCRIPTION_HPP
