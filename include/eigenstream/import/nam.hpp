#ifndef EIGENSTREAM_IMPORT_NAM_HPP
#define EIGENSTREAM_IMPORT_NAM_HPP

// Needs nlohmann-json, as safetensors.hpp does.

#include <algorithm>    // reverse
#include <charconv>     // from_chars
#include <cmath>        // sqrt
#include <map>          // metadata
#include <string>       // names
#include <string_view>  // file
#include <vector>       // weights

#include "eigenstream/import/nam_wavenet.hpp"
#include "eigenstream/io/model_file.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

inline NamPart append_nam(NamContext& context, const JsonNode& model, const std::string& prefix, GraphDescription::Value input,
                          Index channels);

inline NamPart append_nam_lstm(NamContext& context, const JsonNode& model, const JsonNode& config, NamWeights& weights,
                               const std::string& prefix, GraphDescription::Value input, Index channels) {
  config.expect_only({"input_size", "hidden_size", "num_layers", "in_channels", "out_channels", "train_burn_in", "train_truncate"});
  const Index in = config["input_size"].integer(1, max_nam_extent), hidden = config["hidden_size"].integer(1, max_nam_extent);
  const Index layers = config["num_layers"].integer(1, 64), out = config.integer_or("out_channels", 1, 1, max_nam_extent);
  config.check(config.integer_or("in_channels", in, 1, max_nam_extent) == in, "in_channels is not input_size");
  config.check(in == channels, "input_size is ", in, ", but ", channels, " channels come");

  GraphDescription& graph = context.graph;
  const std::string path = prefix + "lstm";
  ModuleSpec node{"LSTM", path, {{"input_size", std::int64_t{in}}, {"hidden_size", std::int64_t{hidden}}}, {}};
  if (layers > 1) node.fields["num_layers"] = std::int64_t{layers};
  if (context.options.fast_tanh) node.fields["fast_tanh"] = true;
  node.fields["initial_state"] = true;
  const Index rows = 4 * hidden;
  Weights<float> h0({0, hidden}, {}), c0({0, hidden}, {});
  Index columns = in;
  for (Index k = 0; k < layers; ++k, columns = hidden) {
    context.count_layer(config);
    const std::string end = "_l" + std::to_string(k);
    // One matrix for what comes in and what is remembered, and one bias for both.
    const Weights<float> both = weights.take({rows, columns + hidden}, path + ".weight" + end);
    Weights<float> ih({rows, columns}, std::vector<float>(static_cast<std::size_t>(rows * columns)));
    Weights<float> hh({rows, hidden}, std::vector<float>(static_cast<std::size_t>(rows * hidden)));
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < columns; ++c) ih.values[static_cast<std::size_t>(r * columns + c)] = both(r, c);
      for (Index c = 0; c < hidden; ++c) hh.values[static_cast<std::size_t>(r * hidden + c)] = both(r, columns + c);
    }
    graph.set_weight(path + ".weight_ih" + end, std::move(ih));
    graph.set_weight(path + ".weight_hh" + end, std::move(hh));
    graph.set_weight(path + ".bias_ih" + end, weights.take({rows}, path + ".bias" + end));
    graph.set_weight(path + ".bias_hh" + end, {{rows}, std::vector<float>(static_cast<std::size_t>(rows))});
    for (const auto& [initial, name] : {std::pair(&h0, ".h0"), std::pair(&c0, ".c0")}) {
      const Weights<float> own = weights.take({hidden}, path + name);
      initial->values.insert(initial->values.end(), own.values.begin(), own.values.end());
      initial->shape[0] = k + 1;
    }
  }
  graph.set_weight(path + ".h0", std::move(h0));
  graph.set_weight(path + ".c0", std::move(c0));
  NamPart part;
  part.output = graph.add(std::move(node), {input});
  part.output = nam_conv(context, weights, config, prefix + "head", part.output, hidden, out, 1, true);
  part.channels = out;
  // Half a second; of an unknown sample rate a single frame. What players do.
  const double rate = model.number_or("sample_rate", 0);
  part.prewarm_frames = std::max<std::int64_t>(1, static_cast<std::int64_t>(0.5 * std::min(std::max(rate, 0.0), 1e6)));
  return part;
}

inline NamPart append_nam_convnet(NamContext& context, const JsonNode& config, NamWeights& weights, const std::string& prefix,
                                  GraphDescription::Value input, Index channels) {
  config.expect_only({"channels", "dilations", "batchnorm", "activation", "groups", "in_channels", "out_channels"});
  const Index inside = config["channels"].integer(1, max_nam_extent), groups = config.integer_or("groups", 1, 1, max_nam_extent);
  const Index in = config.integer_or("in_channels", 1, 1, max_nam_extent), out = config.integer_or("out_channels", 1, 1, max_nam_extent);
  config.check(in == channels, "in_channels is ", in, ", but ", channels, " come");
  const bool normalised = config["batchnorm"].boolean();
  const JsonNode dilations = config["dilations"];
  dilations.check(dilations.size() > 0, "is empty");
  NamPart part{input, channels, 1};
  for (std::size_t k = 0; k < dilations.size(); ++k, part.channels = inside) {
    context.count_layer(config);
    const Index dilation = dilations[k].integer(1, max_nam_extent);
    const std::string path = prefix + "blocks." + std::to_string(k) + ".";
    Weights<float> weight = nam_conv_weight(weights, config, path + "conv.weight", part.channels, inside, 2, dilation, groups), bias;
    if (normalised) {
      // Its scale and offset go into the convolution, in double.
      const Weights<float> mean = weights.take({inside}, path + "mean"), variance = weights.take({inside}, path + "variance");
      const Weights<float> scale = weights.take({inside}, path + "scale"), offset = weights.take({inside}, path + "offset");
      const double epsilon = double{weights.take_one(path + "epsilon")};
      bias = offset;
      const Index columns = weight.size() / inside;
      for (Index c = 0; c < inside; ++c) {
        const double spread = double{variance(c)} + epsilon;
        config.check(spread > 0, path, "variance is not positive in channel ", c);
        const double factor = double{scale(c)} / std::sqrt(spread);
        bias.values[static_cast<std::size_t>(c)] = static_cast<float>(double{offset(c)} - factor * double{mean(c)});
        for (Index i = 0; i < columns; ++i) {
          float& value = weight.values[static_cast<std::size_t>(c * columns + i)];
          value = static_cast<float>(factor * double{value});
        }
      }
    } else {
      bias = weights.take({inside}, path + "conv.bias");
    }
    part.output = context.graph.conv(path + "conv", part.output, std::move(weight), std::move(bias), dilation, groups);
    part.output = nam_activation(context, config["activation"], path + "activation", part.output, inside);
    part.prewarm_frames += dilation;
  }
  part.output = nam_conv(context, weights, config, prefix + "head", part.output, inside, out, 1, true);
  part.channels = out;
  return part;
}

inline NamPart append_nam_linear(NamContext& context, const JsonNode& config, NamWeights& weights, const std::string& prefix,
                                 GraphDescription::Value input, Index channels) {
  config.expect_only({"receptive_field", "bias", "implementation", "in_channels", "out_channels"});
  context.count_layer(config);
  for (const char* key : {"in_channels", "out_channels"})
    config.check(config.integer_or(key, 1, 1, max_nam_extent) == 1, key, ": only 1 is known for Linear");
  config.check(channels == 1, "takes one channel, but ", channels, " come");
  const Index taps = config["receptive_field"].integer(1, max_nam_extent);
  Weights<float> weight = weights.take({1, 1, taps}, prefix + "filter.weight"), bias;
  std::reverse(weight.values.begin(), weight.values.end());  // the newest sample's comes first
  if (config["bias"].boolean()) bias = weights.take({1}, prefix + "filter.bias");
  return {context.graph.conv(prefix + "filter", input, std::move(weight), std::move(bias)), 1, 0};
}

// "0.5.4": what this reads is 0.5 to 0.7, and what later patches of these added without changing what was there.
inline void check_nam_version(const JsonNode& version) {
  const std::string text = version.text();
  int parts[3] = {-1, -1, -1};
  const char *at = text.data(), *const end = at + text.size();
  for (int& part : parts) {
    const auto [stop, error] = std::from_chars(at, end, part);
    version.check(error == std::errc() && part >= 0 && (stop == end) == (&part == &parts[2]) && (stop == end || *stop == '.'),
                  in_quotes(text), " is not a version such as 0.5.4");
    at = stop == end ? end : stop + 1;
  }
  version.check(parts[0] == 0 && parts[1] >= 5 && parts[1] <= 7, "is ", text, ", this reads 0.5 to 0.7");
}

// The model of a container that a quality chooses.
inline JsonNode chosen_nam_model(const JsonNode& model, const ImportOptions& options) {
  if (model["architecture"].text() != "SlimmableContainer") return model;
  check_nam_version(model["version"]);
  const JsonNode config = model["config"];
  config.expect_only({"submodels"});
  if (const auto weights = model.find("weights")) weights->check(weights->size() == 0, "of a container is not empty");
  const JsonNode all = config["submodels"];
  all.check(all.size() > 0, "is empty");
  const double quality = options.quality.value_or(1.0);
  std::size_t chosen = all.size() - 1;
  double before = 0;
  for (std::size_t k = all.size(); k-- > 0;) {
    all[k].expect_only({"max_value", "model"});
    const double most = all[k]["max_value"].number();
    all.check(k + 1 < all.size() ? most < before : most >= 1, "max_value does not rise up to 1");
    if (quality < most) chosen = k;
    before = most;
  }
  return chosen_nam_model(all[chosen]["model"], options);
}

inline NamPart append_nam(NamContext& context, const JsonNode& model, const std::string& prefix, GraphDescription::Value input,
                          Index channels) {
  check_nam_version(model["version"]);
  const std::string architecture = model["architecture"].text();
  const JsonNode config = model["config"];
  NamWeights weights(model["weights"]);
  NamPart part;
  if (architecture == "WaveNet") {
    part = NamWaveNet::append(context, config, weights, prefix, input, channels,
                              [&](const JsonNode& inner, const std::string& own_prefix, GraphDescription::Value from, Index own) {
                                return append_nam(context, inner, own_prefix, from, own);
                              });
  } else if (architecture == "LSTM") {
    part = append_nam_lstm(context, model, config, weights, prefix, input, channels);
  } else if (architecture == "ConvNet") {
    part = append_nam_convnet(context, config, weights, prefix, input, channels);
  } else if (architecture == "Linear") {
    part = append_nam_linear(context, config, weights, prefix, input, channels);
  } else {
    model["architecture"].fail("unknown architecture ", in_quotes(architecture));
  }
  weights.finish();
  return part;
}

// Texts and numbers under their names, those inside of objects as "training.validation_esr".
inline void keep_metadata(const JsonNode& node, const std::string& prefix, std::map<std::string, std::string>& metadata) {
  constexpr std::size_t most = 256;
  for (const auto& item : node.value().items()) {
    const json& value = item.value();
    if (value.is_object()) keep_metadata(JsonNode(value, node.place()), prefix + item.key() + ".", metadata);
    if (value.is_structured() || value.is_null()) continue;
    node.check(metadata.size() < most, "holds more than ", most, " texts");
    metadata[prefix + item.key()] = value.is_string() ? value.get<std::string>() : value.dump();
  }
}

/// From a parsed file; `where` begins every message.
inline ModelFile import_nam(const json& root, const ImportOptions& options, const std::string& where) {
  const JsonNode file(root, where);
  if (options.quality) check(*options.quality >= 0 && *options.quality <= 1, where, "quality = ", *options.quality, ", must be from 0 to 1");
  const JsonNode model = chosen_nam_model(file, options);
  const bool container = &model.value() != &file.value();
  check(container || !options.quality, where, "the file holds one network, so there is no quality to choose");
  const JsonNode config = model["config"];
  const bool is_lstm = model["architecture"].text() == "LSTM";
  const Index channels = config.integer_or(is_lstm ? "input_size" : "in_channels", 1, 1, max_nam_extent);
  GraphDescription graph(channels);
  NamContext context{graph, options};
  const NamPart part = append_nam(context, model, "", graph.input(), channels);

  ModelFile result;
  result.network = std::move(graph).network();
  result.weights = std::move(graph).weights();
  if (part.prewarm_frames > 0) {
    ModuleSpec prewarm{"Prewarm", "", {{"frames", part.prewarm_frames}}, {}};
    prewarm.children["net"].push_back(std::move(result.network));
    result.network = std::move(prewarm);
  }
  for (const JsonNode& each : {file, model})  // what is said of the chosen one comes after what is said of all
    if (const auto metadata = each.find("metadata")) {
      metadata->check(metadata->value().is_object(), "is not an object");
      keep_metadata(*metadata, "", result.metadata);
    }
  // Old files do not say; they are all made for 48 kHz.
  result.metadata["sample_rate_hz"] = sample_rate_text(model.number_or("sample_rate", file.number_or("sample_rate", 0)));
  result.metadata["imported_from"] = ".nam " + model["version"].text() + ", " + model["architecture"].text();
  return result;
}

}  // namespace detail

/// A .nam file, a model of Neural Amp Modeler: WaveNet (all that A1 and A2 use), LSTM, ConvNet, Linear, or a container of
/// several of them. Its loudness and what else it says of itself becomes metadata; nothing of that is applied to the signal.
/// `where` begins every message.
/// Errors   Error naming the place in the file: not JSON, another version, an unknown key that says something of the network,
///          too few weights or too many, numbers that are not finite, sizes that nothing holds
/// Source   https://github.com/sdatkinson/NeuralAmpModelerCore (the file format and what it means)
inline ModelFile import_nam(std::string_view text, const ImportOptions& options = {}, const std::string& where = "") {
  return detail::import_nam(detail::strict_json(text, max_module_depth, where, "the file"), options, where);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_NAM_HPP
