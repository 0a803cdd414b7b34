#ifndef EIGENSTREAM_IMPORT_RTNEURAL_HPP
#define EIGENSTREAM_IMPORT_RTNEURAL_HPP

// Needs nlohmann-json, as safetensors.hpp does.

#include <algorithm>    // max
#include <cmath>        // pow, sqrt
#include <optional>     // what need not be there
#include <string>       // names
#include <string_view>  // file
#include <vector>       // test vectors

#include "eigenstream/import/graph_description.hpp"
#include "eigenstream/import/import_options.hpp"
#include "eigenstream/import/json_node.hpp"
#include "eigenstream/io/model_file.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Test vectors that a file carries for those who read it, with the network that they are of.
struct ImportTest {
  ModelFile model;
  std::vector<float> input, output;
};

namespace detail {

inline constexpr Index max_rtneural_extent = Index{1} << 20;

/// The layers of a file as RTNeural reads it, which is how Keras writes its own: weights by inputs, then outputs.
/// Source   https://github.com/jatinchowdhury18/RTNeural (python/model_utils.py, RTNeural/model_loader.h)
class RtNeuralLayers {
 public:
  using Value = GraphDescription::Value;

  RtNeuralLayers(GraphDescription& graph, const ImportOptions& options, Value from, Index channels)
      : graph_(graph), options_(options), value_(from), channels_(channels) {}

  Value value() const noexcept { return value_; }
  Index channels() const noexcept { return channels_; }

  void add(const JsonNode& layers) {
    layers.check(layers.size() <= static_cast<std::size_t>(max_imported_layers), "more than ", max_imported_layers, " layers");
    for (std::size_t k = 0; k < layers.size(); ++k) add_layer(layers[k], "layers." + std::to_string(k));
  }

 private:
  void add_layer(const JsonNode& layer, const std::string& path) {
    const std::string type = layer["type"].text();
    const JsonNode weights = layer["weights"];
    if (type == "unknown" && weights.size() == 0) return;  // what an exporter makes of Keras' InputLayer
    if (type == "activation") return add_activation(layer, path);
    const auto expect_weights = [&](std::size_t least, std::size_t most) {
      weights.check(weights.size() >= least && weights.size() <= most, "has ", weights.size(), " items, expected ", most);
    };
    if (type == "dense" || type == "time-distributed-dense") {
      expect_weights(1, 2);
      add_conv1d(layer, weights, path, 1, 1, 1);
    } else if (type == "conv1d") {
      expect_weights(1, 2);
      add_conv1d(layer, weights, path, last_integer(layer["kernel_size"]), last_integer(layer["dilation"]),
                 layer.integer_or("groups", 1, 1, max_rtneural_extent));
    } else if (type == "conv2d") {
      expect_weights(2, 2);
      add_conv2d(layer, weights, path);
    } else if (type == "gru") {
      expect_weights(3, 3);
      return add_gru(layer, weights, path);
    } else if (type == "lstm") {
      expect_weights(3, 3);
      return add_lstm(layer, weights, path);
    } else if (type == "prelu") {
      expect_weights(1, 1);
      return add_prelu(weights, path);
    } else if (type == "batchnorm" || type == "batchnorm2d") {
      weights.check(weights.size() == 2 || weights.size() == 4, "has ", weights.size(), " items, expected 2 or 4");
      return add_batch_norm(layer, weights, path, type == "batchnorm2d");
    } else {
      layer["type"].fail("unknown layer ", in_quotes(type));
    }
    add_activation(layer, path + ".activation");
  }

  // "kernel_size": [5], or 5.
  static Index last_integer(const JsonNode& node) {
    return node.is_array() ? node[std::max<std::size_t>(node.size(), 1) - 1].integer(1, max_rtneural_extent)
                           : node.integer(1, max_rtneural_extent);
  }
  static Index out_channels(const JsonNode& layer) {
    const JsonNode shape = layer["shape"];
    const std::size_t n = shape.size();
    shape.check(n >= 1, "is empty");
    const Index last = shape[n - 1].integer(1, max_rtneural_extent);
    if (n != 4) return last;
    const Index features = shape[2].integer(1, max_rtneural_extent);
    shape.check(features <= max_rtneural_extent / last, "has more than ", max_rtneural_extent, " numbers");
    return features * last;
  }

  void add_activation(const JsonNode& layer, const std::string& path) {
    const auto node = layer.find("activation");
    if (!node || node->text().empty()) return;
    const std::string name = node->text();
    for (const auto& [theirs, ours] : {std::pair("tanh", "Tanh"), {"relu", "ReLU"}, {"sigmoid", "Sigmoid"}, {"softmax", "Softmax"},
                                       {"elu", "ELU"}, {"linear", ""}})
      if (name == theirs) {
        if (*ours != 0) value_ = graph_.add(name == "tanh" && options_.fast_tanh ? "Fasttanh" : ours, path, value_);
        return;
      }
    node->fail("unknown activation ", in_quotes(name));
  }

  // Dense as well: a convolution of one tap, whose weights lack the first axis.
  void add_conv1d(const JsonNode& layer, const JsonNode& weights, const std::string& path, Index taps, Index dilation, Index groups) {
    const Index out = out_channels(layer);
    layer.check(channels_ % groups == 0 && out % groups == 0, channels_, " and ", out, " channels are not multiples of ", groups, " groups");
    layer.check(taps - 1 <= max_rtneural_extent / dilation, taps, " taps at a distance of ", dilation, " reach over more than ",
                max_rtneural_extent, " frames");
    const Index in = channels_ / groups;
    const bool dense = layer["type"].text() != "conv1d";
    const Weights<float> given = dense ? weights[std::size_t{0}].tensor({in, out}) : weights[std::size_t{0}].tensor({taps, in, out});
    Weights<float> weight({out, in, taps}, std::vector<float>(given.values.size()));
    for (Index k = 0; k < taps; ++k)
      for (Index i = 0; i < in; ++i)
        for (Index o = 0; o < out; ++o) weight.values[static_cast<std::size_t>((o * in + i) * taps + k)] = given((k * in + i) * out + o);
    Weights<float> bias;
    if (weights.size() == 2) bias = weights[std::size_t{1}].tensor({out});
    value_ = graph_.conv(path, value_, std::move(weight), std::move(bias), dilation, groups);
    channels_ = out;
  }

  // A frame is features by filters, the filter the fastest: channels by columns of a frame here.
  void add_conv2d(const JsonNode& layer, const JsonNode& weights, const std::string& path) {
    const auto extent = [&](const char* key) { return last_integer(layer[key]); };
    const Index filters = extent("num_filters_in"), features = extent("num_features_in"), out = extent("num_filters_out");
    const Index taps = extent("kernel_size_time"), width = extent("kernel_size_feature"), dilation = extent("dilation"), stride = extent("strides");
    layer.check(features <= max_rtneural_extent / filters && features * filters == channels_, "takes ", features, " features of ", filters,
                " filters, but ", channels_, " numbers come");
    layer.check(taps - 1 <= max_rtneural_extent / dilation, taps, " taps at a distance of ", dilation, " reach over more than ",
                max_rtneural_extent, " frames");
    const std::string padding = layer["padding"].text();
    layer["padding"].check(padding == "valid" || padding == "same", in_quotes(padding), " is neither valid nor same");
    Index left = 0, right = 0, out_features = (features + stride - 1) / stride;
    if (padding == "same") {
      const Index both = std::max<Index>(0, (out_features - 1) * stride + width - features);
      left = both / 2, right = both - left;
    } else {
      layer.check(width <= features, "kernel_size_feature is ", width, ", more than ", features, " features");
      out_features = (features - width) / stride + 1;
    }
    layer.check(out_channels(layer) == out_features * out, "shape says ", out_channels(layer), " numbers, but ", out_features * out, " come out");
    const Weights<float> given = weights[std::size_t{0}].tensor({taps, width, filters, out});
    Weights<float> weight({out, filters, taps, width}, std::vector<float>(given.values.size()));
    for (Index o = 0; o < out; ++o)
      for (Index i = 0; i < filters; ++i)
        for (Index k = 0; k < taps; ++k)
          for (Index f = 0; f < width; ++f)
            weight.values[static_cast<std::size_t>(((o * filters + i) * taps + k) * width + f)] = given(((k * width + f) * filters + i) * out + o);
    reshape(path + ".in", filters, features);
    using Numbers = std::vector<std::int64_t>;
    value_ = graph_.add("Conv2d", path, value_,
                        {{"in_channels", std::int64_t{filters}}, {"out_channels", std::int64_t{out}},
                         {"kernel_size", Numbers{taps, width}}, {"dilation", Numbers{dilation, 1}}, {"stride", Numbers{1, stride}},
                         {"padding", Numbers{(taps - 1) * dilation, 0, left, right}}});
    graph_.set_weight(path + ".weight", std::move(weight));
    graph_.set_weight(path + ".bias", weights[std::size_t{1}].tensor({out}));
    channels_ = out_features * out;
    reshape(path + ".out", channels_, 1);
  }
  void reshape(const std::string& path, Index channels, Index width) {
    value_ = graph_.add("Reshape", path, value_, {{"channels", std::int64_t{channels}}, {"width", std::int64_t{width}}});
  }

  // Columns of gates in Keras' order become rows in PyTorch's: order[g] is where gate g is there.
  static Weights<float> gates(const JsonNode& node, Index in, Index hidden, std::initializer_list<Index> order) {
    const Index count = static_cast<Index>(order.size());
    const Weights<float> given = node.tensor({in, count * hidden});
    Weights<float> rows({count * hidden, in}, std::vector<float>(given.values.size()));
    for (Index g = 0; g < count; ++g)
      for (Index u = 0; u < hidden; ++u)
        for (Index i = 0; i < in; ++i)
          rows.values[static_cast<std::size_t>((g * hidden + u) * in + i)] = given(i, order.begin()[g] * hidden + u);
    return rows;
  }
  static Weights<float> without_last(Weights<float> column) {
    column.shape.pop_back();
    return column;
  }
  void add_recurrent(const char* type, const std::string& path, Index hidden, bool fast) {
    ModuleSpec node{type, path, {{"input_size", std::int64_t{channels_}}, {"hidden_size", std::int64_t{hidden}}}, {}};
    if (fast) node.fields["fast_tanh"] = true;
    value_ = graph_.add(std::move(node), {value_});
    channels_ = hidden;
  }
  void add_gru(const JsonNode& layer, const JsonNode& weights, const std::string& path) {
    const Index hidden = out_channels(layer);
    layer.check(!options_.fast_tanh, "there is no gru with another tanh");
    const std::initializer_list<Index> order{1, 0, 2};  // theirs: z, r, h
    graph_.set_weight(path + ".weight_ih_l0", gates(weights[std::size_t{0}], channels_, hidden, order));
    graph_.set_weight(path + ".weight_hh_l0", gates(weights[std::size_t{1}], hidden, hidden, order));
    const JsonNode bias = weights[std::size_t{2}];
    bias.check(bias.size() == 2 && bias[std::size_t{0}].is_array(), "is one bias, expected two: the reset gate must come after the product");
    for (std::size_t k = 0; k < 2; ++k) {
      const Weights<float> given = bias[k].tensor({3 * hidden});
      Weights<float> own({3 * hidden}, given.values);
      for (Index g = 0; g < 3; ++g)
        for (Index u = 0; u < hidden; ++u) own.values[static_cast<std::size_t>(g * hidden + u)] = given(order.begin()[g] * hidden + u);
      graph_.set_weight(path + (k == 0 ? ".bias_ih_l0" : ".bias_hh_l0"), std::move(own));
    }
    add_recurrent("GRU", path, hidden, false);
  }
  void add_lstm(const JsonNode& layer, const JsonNode& weights, const std::string& path) {
    const Index hidden = out_channels(layer);
    const std::initializer_list<Index> order{0, 1, 2, 3};
    graph_.set_weight(path + ".weight_ih_l0", gates(weights[std::size_t{0}], channels_, hidden, order));
    graph_.set_weight(path + ".weight_hh_l0", gates(weights[std::size_t{1}], hidden, hidden, order));
    graph_.set_weight(path + ".bias_ih_l0", weights[std::size_t{2}].tensor({4 * hidden}));
    graph_.set_weight(path + ".bias_hh_l0", {{4 * hidden}, std::vector<float>(static_cast<std::size_t>(4 * hidden))});
    add_recurrent("LSTM", path, hidden, options_.fast_tanh);
  }

  void add_prelu(const JsonNode& weights, const std::string& path) {
    JsonNode slopes = weights[std::size_t{0}];
    while (slopes.size() == 1 && slopes[std::size_t{0}].is_array()) slopes = slopes[std::size_t{0}];  // [[0.1, 0.2]]
    slopes.check(static_cast<Index>(slopes.size()) == channels_ || slopes.size() == 1, "has ", slopes.size(), " items for ", channels_, " channels");
    const std::int64_t count = static_cast<std::int64_t>(slopes.size());
    graph_.set_weight(path + ".weight", slopes.tensor({count}));
    value_ = graph_.add("PReLU", path, value_, {{"num_parameters", count}});
  }
  // Becomes a factor and an offset, worked out in double.
  void add_batch_norm(const JsonNode& layer, const JsonNode& weights, const std::string& path, bool space) {
    const Index own = space ? last_integer(layer["num_filters_in"]) : channels_;
    const Index features = space ? last_integer(layer["num_features_in"]) : 1;
    layer.check(features <= max_rtneural_extent / own && features * own == channels_, "takes ", features, " features of ", own,
                " filters, but ", channels_, " numbers come");
    const double epsilon = layer["epsilon"].number();
    const bool affine = weights.size() == 4;
    const auto list = [&](std::size_t k) { return weights[k].tensor({own}); };
    const Weights<float> mean = list(affine ? 2 : 0), variance = list(affine ? 3 : 1);
    const Weights<float> gamma = affine ? list(0) : Weights<float>(), beta = affine ? list(1) : Weights<float>();
    Weights<float> scale({own}, mean.values), offset({own}, mean.values);
    for (Index c = 0; c < own; ++c) {
      const double spread = double{variance(c)} + epsilon;
      layer.check(spread > 0, "variance is not positive in channel ", c);
      const double factor = (affine ? double{gamma(c)} : 1.0) / std::sqrt(spread);
      scale.values[static_cast<std::size_t>(c)] = static_cast<float>(factor);
      offset.values[static_cast<std::size_t>(c)] = static_cast<float>((affine ? double{beta(c)} : 0.0) - factor * double{mean(c)});
    }
    if (space) reshape(path + ".in", own, features);
    graph_.set_weight(path + ".weight", std::move(scale));
    graph_.set_weight(path + ".bias", std::move(offset));
    value_ = graph_.add("Affine", path, value_, {{"channels", std::int64_t{own}}});
    if (space) reshape(path + ".out", channels_, 1);
  }

  GraphDescription& graph_;
  const ImportOptions& options_;
  Value value_;
  Index channels_;
};

// The signal and, up to so many channels, knobs called param1, param2 that begin at `initial`.
inline GraphDescription::Value with_knobs(GraphDescription& graph, GraphDescription::Value signal, Index channels, float initial) {
  if (channels == 1) return signal;
  ModuleSpec knobs{"Control", "knobs", {}, {}};
  std::vector<std::string> names;
  for (Index k = 1; k < channels; ++k) {
    names.push_back("param" + std::to_string(k));
    graph.set_weight("knobs.default" + std::to_string(k - 1), {{1}, {initial}});
  }
  knobs.fields["channels"] = std::vector<std::int64_t>(names.size(), 1);
  knobs.fields["names"] = std::move(names);
  ModuleSpec plain{"Sequential", "knobs.net", {}, {}};
  plain.children["layers"];
  knobs.children["net"].push_back(std::move(plain));
  const GraphDescription::Value values = graph.add(std::move(knobs), {graph.input()});
  return graph.join("concat", "with_knobs", {signal, values});
}
/// A file in RTNeural's form, or that of AIDA-X, which adds gains, a skip and knobs. `plain`: without the gains, which is what
/// its test vectors are of.
inline ModelFile import_rtneural(const json& root, const ImportOptions& options, const std::string& where, bool plain = false) {
  const JsonNode file(root, where);
  check(!options.quality, where, "the file holds one network, so there is no quality to choose");
  const JsonNode shape = file["in_shape"];
  shape.check(shape.size() >= 2, "has ", shape.size(), " items, expected [null, n] or [null, null, n]");
  Index channels = shape[shape.size() - 1].integer(1, max_rtneural_extent);
  if (shape.size() == 4) {
    const Index features = shape[2].integer(1, max_rtneural_extent);
    shape.check(features <= max_rtneural_extent / channels, "has more than ", max_rtneural_extent, " numbers");
    channels *= features;
  }
  // Only an amplifier has knobs; other networks may have any number of channels.
  bool amp = false;
  for (const char* key : {"in_skip", "in_gain", "out_gain", "input_batch", "samplerate"}) amp = amp || file.find(key).has_value();
  amp = amp && channels <= 3;
  const double in_gain = plain ? 0 : file.number_or("in_gain", 0), out_gain = plain ? 0 : file.number_or("out_gain", 0);
  const Index skip = file.integer_or("in_skip", 0, 0, 1);
  file.check(skip == 0 || amp, "in_skip is 1, which is for at most 3 channels, not ", channels);
  for (const double gain : {in_gain, out_gain}) check(std::abs(gain) <= 200, where, "a gain of ", gain, " dB, must be from -200 to 200");
  const auto factor = [](double decibel) { return std::pow(10.0, decibel / 20); };

  GraphDescription graph(amp ? 1 : channels);
  const auto scaled = [&](const char* path, GraphDescription::Value value, double gain) {
    return gain == 0 ? value : graph.add("Affine", path, value, {{"scale", factor(gain)}});
  };
  const GraphDescription::Value signal = scaled("in_gain", graph.input(), in_gain);
  const GraphDescription::Value all = amp ? with_knobs(graph, signal, channels, 0.0f) : signal;
  RtNeuralLayers layers(graph, options, all, channels);
  layers.add(file["layers"]);
  GraphDescription::Value y = layers.value();
  file.check(skip == 0 || layers.channels() == 1, "in_skip is 1, but ", layers.channels(), " channels come out");
  if (skip == 1) y = graph.join("sum", "in_skip", {y, signal});
  scaled("out_gain", y, out_gain);

  ModelFile result;
  const auto metadata = file.find("metadata");
  if (metadata && metadata->value().is_object())
    for (const auto& item : metadata->value().items()) {
      if (item.value().is_structured() || item.value().is_null()) continue;
      check(result.metadata.size() < 256, where, "metadata holds more than 256 texts");
      result.metadata[item.key()] = item.value().is_string() ? item.value().get<std::string>() : item.value().dump();
    }
  // Players take a sample rate that is a text, or missing, for 48 kHz.
  std::optional<JsonNode> rate = file.find("samplerate");
  if (!rate && metadata && metadata->value().is_object()) rate = metadata->find("samplerate");
  if (amp) result.metadata["sample_rate_hz"] = sample_rate_text(rate && rate->value().is_number() ? rate->number() : 0);
  result.metadata["imported_from"] = amp ? "AIDA-X" : "RTNeural";
  result.network = std::move(graph).network();
  result.weights = std::move(graph).weights();
  return result;
}

/// A file of GuitarML's trainer (Proteus, NeuralPi): PyTorch's own tensors.
/// Source   https://github.com/GuitarML/Automated-GuitarAmpModelling
inline ModelFile import_guitarml(const json& root, const ImportOptions& options, const std::string& where) {
  const JsonNode file(root, where);
  check(!options.quality, where, "the file holds one network, so there is no quality to choose");
  const JsonNode data = file["model_data"], state = file["state_dict"];
  data.expect_only({"model", "input_size", "skip", "output_size", "unit_type", "num_layers", "hidden_size", "bias_fl"});
  const std::string model = data["model"].text(), unit = data["unit_type"].text();
  data["model"].check(model == "SimpleRNN", in_quotes(model), " is not SimpleRNN");
  data["unit_type"].check(unit == "LSTM" || unit == "GRU", in_quotes(unit), " is neither LSTM nor GRU");
  check(unit == "LSTM" || !options.fast_tanh, where, "there is no GRU with another tanh");
  const auto extent = [&](const char* key, Index most) { return data[key].integer(1, most); };
  const Index in = extent("input_size", 3), hidden = extent("hidden_size", max_rtneural_extent / 4), count = extent("num_layers", 64);
  const Index skip = data["skip"].integer(0, 1), gate_count = unit == "LSTM" ? 4 : 3;
  data["output_size"].check(data["output_size"].integer(1, max_rtneural_extent) == 1, "must be 1");
  const auto bias_given = data.find("bias_fl");
  const bool biased = !bias_given || (bias_given->value().is_boolean() ? bias_given->boolean() : bias_given->integer(0, 1) == 1);

  GraphDescription graph(1);
  const GraphDescription::Value x = with_knobs(graph, graph.input(), in, 0.5f);
  ModuleSpec node{unit, "rec", {{"input_size", std::int64_t{in}}, {"hidden_size", std::int64_t{hidden}}}, {}};
  if (count > 1) node.fields["num_layers"] = std::int64_t{count};
  if (options.fast_tanh) node.fields["fast_tanh"] = true;
  std::size_t used = 0;
  const auto take = [&](const std::string& name, const std::vector<Index>& shape) {
    ++used;
    graph.set_weight(name, state[name].tensor(shape));
  };
  for (Index k = 0; k < count; ++k) {
    const std::string end = "_l" + std::to_string(k);
    take("rec.weight_ih" + end, {gate_count * hidden, k == 0 ? in : hidden});
    take("rec.weight_hh" + end, {gate_count * hidden, hidden});
    take("rec.bias_ih" + end, {gate_count * hidden});
    take("rec.bias_hh" + end, {gate_count * hidden});
  }
  GraphDescription::Value y = graph.add(std::move(node), {x});
  y = graph.add("Linear", "lin", y, {{"in_features", std::int64_t{hidden}}, {"out_features", std::int64_t{1}}, {"bias", biased}});
  take("lin.weight", {1, hidden});
  if (biased) take("lin.bias", {1});
  state.check(state.value().size() == used, "holds ", state.value().size(), " tensors, the layers take ", used);
  if (skip == 1) graph.join("sum", "skip", {y, graph.input()});

  ModelFile result;
  result.network = std::move(graph).network();
  result.weights = std::move(graph).weights();
  result.metadata["imported_from"] = "GuitarML";
  return result;
}

/// Those of an AIDA-X file; none if it has none. Knobs are at 0, where they begin.
inline std::optional<ImportTest> rtneural_test(const json& root, const std::string& where) {
  const JsonNode file(root, where);
  const auto input = file.find("input_batch"), output = file.find("output_batch");
  if (!input || !output) return std::nullopt;
  ImportTest test{import_rtneural(root, {}, where, true), input->numbers(), output->numbers()};
  check(test.input.size() == test.output.size() && !test.input.empty(), where, "input_batch has ", test.input.size(),
        " items, output_batch ", test.output.size());
  return test;
}

}  // namespace detail

/// A file in RTNeural's JSON, as Keras' weights are exported; with the gains, the skip and the knobs of AIDA-X. A knob is a
/// control of the network: param1, param2. `where` begins every message.
/// Errors   Error naming the place in the file: not JSON, an unknown layer or activation, tensors of another shape, numbers that
///          are not finite, sizes that nothing holds
/// Source   https://github.com/jatinchowdhury18/RTNeural, https://github.com/AidaDSP/AIDA-X (the file formats)
inline ModelFile import_rtneural(std::string_view text, const ImportOptions& options = {}, const std::string& where = "") {
  return detail::import_rtneural(detail::strict_json(text, max_module_depth, where, "the file"), options, where);
}
/// A file of GuitarML's trainer: Proteus, NeuralPi. Knobs, which begin at 0.5, as above.
/// Errors   as above
/// Source   https://github.com/GuitarML/Automated-GuitarAmpModelling (the file format)
inline ModelFile import_guitarml(std::string_view text, const ImportOptions& options = {}, const std::string& where = "") {
  return detail::import_guitarml(detail::strict_json(text, max_module_depth, where, "the file"), options, where);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_RTNEURAL_HPP
