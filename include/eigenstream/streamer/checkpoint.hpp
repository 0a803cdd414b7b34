#ifndef EIGENSTREAM_STREAMER_CHECKPOINT_HPP
#define EIGENSTREAM_STREAMER_CHECKPOINT_HPP

// Needs nlohmann-json, as safetensors.hpp does.

#include <algorithm>    // find
#include <bit>          // bit_cast
#include <cstdio>       // snprintf
#include <filesystem>   // path
#include <memory>       // unique_ptr
#include <string>       // names
#include <type_traits>  // is_same_v
#include <utility>      // move, exchange
#include <vector>       // lists

#include "eigenstream/io/safetensors.hpp"
#include "eigenstream/streamer/optimizer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

namespace detail {

using json = nlohmann::json;
using ::eigenstream::detail::in_quotes;

/// Numbers as they are, bit for bit. A double is three whole numbers of 22, 21 and 21 bits, which a float holds.
template <class T>
Weights<float> exact(const T* values, Index rows, Index columns) {
  Weights<float> tensor;
  tensor.shape = {rows, columns};
  if constexpr (std::is_same_v<T, double>) {
    tensor.shape.push_back(3);
    for (Index i = 0; i < rows * columns; ++i) {
      const auto bits = std::bit_cast<std::uint64_t>(values[i]);
      for (const int shift : {42, 21, 0})
        tensor.values.push_back(static_cast<float>(shift == 42 ? bits >> 42 : bits >> shift & 0x1fffff));
    }
  } else {
    tensor.values.assign(values, values + rows * columns);
  }
  return tensor;
}
template <class T>
Weights<float> exact(const learn::Matrix<T>& values) {
  return exact(values.data(), values.rows(), values.cols());
}

/// The way back, of the expected size; rows -1: as many as there are.
template <class T>
learn::Matrix<T> from_exact(const WeightMap& tensors, const std::string& name, Index rows, Index columns) {
  const auto found = tensors.find(name);
  check(found != tensors.end(), "checkpoint: there is no tensor ", name);
  const Weights<float>& tensor = found->second;
  std::vector<Index> shape{rows < 0 && !tensor.shape.empty() ? tensor.shape[0] : rows, columns};
  if constexpr (std::is_same_v<T, double>) shape.push_back(3);
  Weights<float> wanted;
  wanted.shape = shape;
  check(tensor.shape == shape, "checkpoint: tensor ", name, " has shape ", tensor.shape_text(), ", expected ",
        wanted.shape_text());
  learn::Matrix<T> values(shape[0], columns);
  for (Index i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<T, double>) {
      std::uint64_t bits = 0;
      for (Index part = 0; part < 3; ++part) {
        const float digits = tensor.values[static_cast<std::size_t>(3 * i + part)];
        check(digits >= 0 && digits < float(1 << (part == 0 ? 22 : 21)), "checkpoint: tensor ", name, " is damaged at ",
              i);
        bits = bits << 21 | static_cast<std::uint64_t>(digits);
      }
      values.data()[i] = std::bit_cast<double>(bits);
    } else {
      values.data()[i] = tensor.values[static_cast<std::size_t>(i)];
    }
  }
  return values;
}
inline Weights<float> exact(const std::vector<double>& values) {
  return exact(values.data(), static_cast<Index>(values.size()), 1);
}

inline json arguments_json(const StreamerModelArguments& args) {
  return {{"max_layers", args.max_layers},
          {"feature_dim", args.feature_dim},
          {"evolve_every", args.evolve_every},
          {"buffer_size", args.buffer_size},
          {"loss_threshold", args.loss_threshold},
          {"lr", args.lr},
          {"snippet_size", args.snippet_size},
          {"demarcation_mode", name_of(args.demarcation_mode)},
          {"distance_mode", name_of(args.distance_mode)},
          {"force_base_dist", args.force_base_dist},
          {"window_size", args.window_size},
          {"modifier_type", name_of(args.modifier_type)},
          {"modifier", args.modifier},
          {"force_fixed_buffer", args.force_fixed_buffer},
          {"modality", args.modality},
          {"height", args.height},
          {"width", args.width},
          {"seed", args.seed}};
}

/// Fields of one JSON object, each of which must be there and be asked for.
class Fields {
 public:
  Fields(const json& node, const char* what) : node_(node), what_(what) {
    check(node.is_object(), "checkpoint: ", what, " is not an object");
  }
  template <class Value>
  Value get(const char* key) {
    const json& value = raw(key);
    if constexpr (std::is_same_v<Value, bool>)
      check(value.is_boolean(), "checkpoint: ", key, " is ", in_quotes(value.dump()));
    else if constexpr (std::is_integral_v<Value>)
      check(value.is_number_integer() && (std::is_same_v<Value, std::uint64_t> || value.get<std::int64_t>() >= -1),
            "checkpoint: ", key, " is ", in_quotes(value.dump()));
    else if constexpr (std::is_floating_point_v<Value>)
      check(value.is_number(), "checkpoint: ", key, " is ", in_quotes(value.dump()));
    else
      check(value.is_string(), "checkpoint: ", key, " is ", in_quotes(value.dump()));
    return value.get<Value>();
  }
  /// Whole numbers from `least` to below `end`.
  std::vector<std::int64_t> numbers(const char* key, std::int64_t least, std::int64_t end) {
    return numbers_of(raw(key), key, least, end);
  }
  static std::vector<std::int64_t> numbers_of(const json& value, const char* key, std::int64_t least,
                                              std::int64_t end) {
    check(value.is_array(), "checkpoint: ", key, " is no list");
    std::vector<std::int64_t> all;
    for (const json& each : value) {
      check(each.is_number_integer() && each.get<std::int64_t>() >= least && each.get<std::int64_t>() < end,
            "checkpoint: ", key, " holds ", in_quotes(each.dump()));
      all.push_back(each.get<std::int64_t>());
    }
    return all;
  }
  const json& raw(const char* key) {
    const auto found = node_.find(key);
    check(found != node_.end(), "checkpoint: ", what_, " has no ", key);
    ++asked_;
    return *found;
  }
  void done() const { check(asked_ == node_.size(), "checkpoint: ", what_, " has unknown fields"); }

 private:
  const json& node_;
  const char* what_;
  std::size_t asked_ = 0;
};

inline json root_of(const Safetensors& contents) {
  const auto found = contents.metadata.find("eigenstream_streamer");
  check(found != contents.metadata.end(), "checkpoint: its metadata has no \"eigenstream_streamer\"");
  json root = ::eigenstream::detail::strict_json(found->second, 8, "checkpoint: ", "the description");
  check(root.contains("version") && root["version"] == 1, "checkpoint: it is not of version 1");
  return root;
}

/// The tensors that are not of the resume section.
inline WeightMap plain(const WeightMap& tensors) {
  WeightMap all = tensors;
  std::erase_if(all, [](const auto& each) { return each.first.starts_with("resume."); });
  return all;
}

template <class Pointer>
std::int64_t place(const std::vector<Pointer>& all, const Pointer& one) {
  const auto found = std::find(all.begin(), all.end(), one);
  check(found != all.end(), "checkpoint: the model is not in training, so there is nothing to resume");
  return found - all.begin();
}

template <class T>
json layer_json(const StreamerModel<T>& model, Index k, WeightMap& tensors) {
  const StreamerLayer<T>& layer = model.layer(k);
  const std::string prefix = "resume." + std::to_string(k) + ".";
  std::vector<std::shared_ptr<Frame<T>>> frames = layer.encoded_frames();
  const auto number_of = [&](const std::shared_ptr<Frame<T>>& frame) {
    const auto found = std::find(frames.begin(), frames.end(), frame);
    if (found == frames.end()) return frames.push_back(frame), static_cast<std::int64_t>(frames.size()) - 1;
    return static_cast<std::int64_t>(found - frames.begin());
  };
  json summaries = json::array(), gathered = json::array(), context = json::array(), slots = json::array();
  std::vector<learn::RowVector<T>> gradients;
  for (const auto& each : layer.summaries()) {
    json of = json::array();
    for (const auto& frame : each->frames) of.push_back(number_of(frame));
    summaries.push_back(std::move(of));
    gathered.push_back(each->gradient.size() > 0 ? 1 : 0);
    if (each->gradient.size() > 0) gradients.push_back(each->gradient);
  }
  std::vector<double> errs;
  for (const auto& slot : layer.buffer.state.slots) slots.push_back(number_of(slot.input)), errs.push_back(slot.err);
  if (layer.context != nullptr)
    for (std::size_t j = 0; j < layer.context->made_of.size(); ++j)
      context.push_back(place(model.layer(static_cast<Index>(j)).summaries(), layer.context->made_of[j]));

  const auto rows = [](const std::vector<learn::RowVector<T>>& all, Index columns) {
    learn::Matrix<T> matrix(static_cast<Index>(all.size()), columns);
    for (Index i = 0; i < matrix.rows(); ++i) matrix.row(i) = all[static_cast<std::size_t>(i)];
    return exact(matrix);
  };
  json frames_gathered = json::array();
  std::vector<learn::RowVector<T>> inputs, frame_gradients;
  for (const auto& frame : frames) {
    inputs.push_back(frame->x);
    frames_gathered.push_back(frame->gradient.size() > 0 ? 1 : 0);
    if (frame->gradient.size() > 0) frame_gradients.push_back(frame->gradient);
  }
  const Index features = model.arguments().feature_dim;
  tensors[prefix + "inputs"] = rows(inputs, k == 0 ? model.input_size() : features);
  tensors[prefix + "input_gradients"] = rows(frame_gradients, features);
  tensors[prefix + "summary_gradients"] = rows(gradients, features);
  tensors[prefix + "errs"] = exact(errs);
  const auto& window = layer.demarcation.state.window;
  tensors[prefix + "window"] = exact(std::vector<double>(window.begin(), window.end()));
  tensors[prefix + "accumulated"] = exact(std::vector<double>{layer.demarcation.state.accumulated});
  tensors[prefix + "boundaries"] = exact(layer.hierarchy_boundaries);
  return {{"inputs_gathered", frames_gathered},
          {"summaries", summaries},
          {"summaries_gathered", gathered},
          {"representation", layer.representation == nullptr ? -1 : place(layer.summaries(), layer.representation)},
          {"context", context},
          {"slots", slots},
          {"order", layer.buffer.state.order},
          {"buffer_counter", layer.buffer.state.counter},
          {"last_base_counter", layer.last_base_counter},
          {"layer_creator", layer.layer_creator.counter},
          {"steps_f", layer.f.adam.steps},
          {"steps_p", layer.p.adam.steps}};
}

}  // namespace detail

/// A model as it is now: arguments, height, and all tensors under the original's names (PyTorch's, "above." once for
/// each layer below), as floats. With the optimiser, also all that a run needs that goes on bit for bit as if it had
/// not been interrupted.
/// Errors   Error if an optimiser is given and its step for the last input is still to come
template <class T>
Safetensors make_checkpoint(const StreamerModel<T>& model, const StreamerOptimizer<T>* optimizer = nullptr) {
  using detail::json;
  Safetensors contents;
  contents.tensors = to_weights(model.parameters());
  const Index n = model.get_num_layers();
  json root = {{"version", 1}, {"arguments", detail::arguments_json(model.arguments())}, {"layers", n}};
  if (optimizer != nullptr) {
    json layers = json::array();
    for (Index k = 0; k < n; ++k) {
      const StreamerLayer<T>& layer = model.layer(k);
      check(!layer.objective.ready, "checkpoint: the optimiser's step for the last input is still to come");
      layers.push_back(detail::layer_json(model, k, contents.tensors));
      const std::string above = "resume." + std::to_string(k) + ".";
      for (const auto* adam : {&layer.f.adam, &layer.p.adam}) {
        const std::string prefix = above + (adam == &layer.f.adam ? "f." : "p.");
        for (std::size_t i = 0; i < adam->moments.size(); ++i) {
          const auto& [name, parameter] = adam->parameters()[i];
          contents.tensors[prefix + name + ".gradient"] = detail::exact(parameter->gradient);
          contents.tensors[prefix + name + ".mean"] = detail::exact(adam->moments[i].mean);
          contents.tensors[prefix + name + ".square"] = detail::exact(adam->moments[i].square);
          if (!std::is_same_v<T, float>) contents.tensors[prefix + name + ".value"] = detail::exact(parameter->value);
        }
      }
    }
    const auto& args = optimizer->arguments();
    const auto& counters = optimizer->counters;
    root["resume"] = {{"scalar", std::is_same_v<T, float> ? "float" : "double"},
                      {"layers", layers},
                      {"base_counter", model.base_counter},
                      {"checkpoints", model.checkpoints},
                      {"alpha", args.alpha},
                      {"optimize_every", args.optimize_every},
                      {"average_every", args.average_every},
                      {"hgn_timescale", args.hgn_timescale},
                      {"hgn_reach", args.hgn_reach},
                      {"counters_f", counters.f},
                      {"counters_p", counters.p},
                      {"counters_steps", counters.steps},
                      {"since_average", counters.since_average}};
  }
  contents.metadata["eigenstream_streamer"] = root.dump();
  return contents;
}

/// The arguments that a checkpoint's model was made by, with its height in init_layers.
/// Errors   Error if it is none of ours, or an argument is missing, unknown or impossible
inline StreamerModelArguments checkpoint_arguments(const Safetensors& contents) {
  const detail::json root = detail::root_of(contents);
  detail::Fields top(root, "the description");
  detail::Fields fields(top.raw("arguments"), "the arguments");
  StreamerModelArguments args;
  args.max_layers = fields.get<Index>("max_layers"), args.feature_dim = fields.get<Index>("feature_dim");
  args.evolve_every = fields.get<std::int64_t>("evolve_every"), args.buffer_size = fields.get<Index>("buffer_size");
  args.loss_threshold = fields.get<double>("loss_threshold"), args.lr = fields.get<double>("lr");
  args.snippet_size = fields.get<double>("snippet_size");
  args.demarcation_mode = demarcation_mode(fields.get<std::string>("demarcation_mode"));
  args.distance_mode = distance_mode(fields.get<std::string>("distance_mode"));
  args.force_base_dist = fields.get<bool>("force_base_dist"), args.window_size = fields.get<Index>("window_size");
  args.modifier_type = modifier_type(fields.get<std::string>("modifier_type")),
  args.modifier = fields.get<double>("modifier");
  args.force_fixed_buffer = fields.get<bool>("force_fixed_buffer");
  args.modality = fields.get<std::string>("modality");
  args.height = fields.get<Index>("height"), args.width = fields.get<Index>("width");
  args.seed = fields.get<std::uint64_t>("seed");
  fields.done();
  args.init_layers = top.get<Index>("layers");
  check_arguments(args);
  // So that nothing is allocated that the file does not hold.
  Index held = 0;
  for (const auto& each : contents.tensors) held += each.second.size();
  const double wanted = static_cast<double>(args.init_layers) * 2 * static_cast<double>(args.feature_dim) *
                        static_cast<double>(args.feature_dim);
  check(wanted <= static_cast<double>(held), "checkpoint: its tensors are too small for ", args.init_layers,
        " layers of ", args.feature_dim, " features");
  check(static_cast<double>(args.buffer_size + args.max_layers) <= static_cast<double>(held) &&
            (args.modality != "video" ||
             static_cast<double>(args.height) * static_cast<double>(args.width) <= static_cast<double>(held)),
        "checkpoint: its tensors are too small for its arguments");
  return args;
}

/// A model from a checkpoint.
/// Errors   Error if that is damaged, or its tensors are not those of such a model
template <class T>
std::unique_ptr<StreamerModel<T>> load_model(const Safetensors& contents, LayerBuilt<T> layer_built = {}) {
  auto model = std::make_unique<StreamerModel<T>>(checkpoint_arguments(contents), std::move(layer_built));
  from_weights(model->parameters(), detail::plain(contents.tensors));
  return model;
}

/// A model by its arguments, which begins with what the checkpoint in init_ckpt had learned, if there is one.
/// Errors   those of read_safetensors; Error if the checkpoint has more layers than may be, or other tensors
template <class T>
std::unique_ptr<StreamerModel<T>> open_model(StreamerModelArguments args, LayerBuilt<T> layer_built = {}) {
  const std::string path = std::exchange(args.init_ckpt, "");
  if (path.empty()) return std::make_unique<StreamerModel<T>>(args, std::move(layer_built));
  const Safetensors contents = read_safetensors(path);
  args.init_layers = checkpoint_arguments(contents).init_layers;
  auto model = std::make_unique<StreamerModel<T>>(args, std::move(layer_built));
  from_weights(model->parameters(), detail::plain(contents.tensors));
  return model;
}

/// Brings a model of load_model, and an optimiser of it with the arguments of that time, to where they were.
/// Errors   Error if there is no such section, it is damaged, or of another scalar or other arguments; the model is
/// then not to be
///          used any more
template <class T>
void resume(const Safetensors& contents, StreamerModel<T>& model, StreamerOptimizer<T>& optimizer) {
  using detail::json;
  const json root = detail::root_of(contents);
  check(root.contains("resume"), "checkpoint: it has no section to resume from");
  detail::Fields fields(root["resume"], "the resume section");
  check(fields.get<std::string>("scalar") == (std::is_same_v<T, float> ? "float" : "double"),
        "checkpoint: it is to be resumed in another scalar");
  const auto& args = optimizer.arguments();
  const auto same = [](bool is, const char* name) { check(is, "checkpoint: ", name, " is not what it was"); };
  same(fields.get<double>("alpha") == args.alpha, "alpha");
  same(fields.get<std::int64_t>("optimize_every") == args.optimize_every, "optimize_every");
  same(fields.get<std::int64_t>("average_every") == args.average_every, "average_every");
  same(fields.get<bool>("hgn_timescale") == args.hgn_timescale, "hgn_timescale");
  same(fields.get<bool>("hgn_reach") == args.hgn_reach, "hgn_reach");
  constexpr std::int64_t most = std::int64_t{1} << 62;
  const auto n = static_cast<std::size_t>(model.arguments().max_layers);
  for (const auto& [to, key] : {std::pair(&optimizer.counters.f, "counters_f"),
                                {&optimizer.counters.p, "counters_p"},
                                {&optimizer.counters.steps, "counters_steps"}}) {
    *to = fields.numbers(key, 0, most);
    check(to->size() == n, "checkpoint: ", key, " has ", to->size(), " numbers, not ", n);
  }
  optimizer.counters.since_average = fields.get<std::int64_t>("since_average");
  model.base_counter = fields.get<std::int64_t>("base_counter"),
  model.checkpoints = fields.get<std::int64_t>("checkpoints");
  const json& layers = fields.raw("layers");
  fields.done();
  check(layers.is_array() && static_cast<Index>(layers.size()) == model.get_num_layers(), "checkpoint: ", layers.size(),
        " layers to resume, of ", model.get_num_layers());
  const Index features = model.arguments().feature_dim;
  const WeightMap& tensors = contents.tensors;

  // First what is learned, then what is computed by it.
  for (Index k = 0; k < model.get_num_layers(); ++k) {
    StreamerLayer<T>& layer = model.layer(k);
    for (auto* adam : {&layer.f.adam, &layer.p.adam}) {
      const bool of_f = adam == &layer.f.adam;
      const std::string prefix = "resume." + std::to_string(k) + (of_f ? ".f." : ".p.");
      for (std::size_t i = 0; i < adam->moments.size(); ++i) {
        const auto& [name, parameter] = adam->parameters()[i];
        const Index rows = parameter->value.rows(), columns = parameter->value.cols();
        parameter->gradient = detail::from_exact<T>(tensors, prefix + name + ".gradient", rows, columns);
        adam->moments[i].mean = detail::from_exact<T>(tensors, prefix + name + ".mean", rows, columns);
        adam->moments[i].square = detail::from_exact<T>(tensors, prefix + name + ".square", rows, columns);
        if (!std::is_same_v<T, float>)
          parameter->value = detail::from_exact<T>(tensors, prefix + name + ".value", rows, columns);
      }
    }
  }
  std::vector<std::vector<std::int64_t>> contexts;
  for (Index k = 0; k < model.get_num_layers(); ++k) {
    StreamerLayer<T>& layer = model.layer(k);
    const std::string prefix = "resume." + std::to_string(k) + ".";
    detail::Fields of(layers[static_cast<std::size_t>(k)], "a layer to resume");
    const learn::Matrix<T> inputs =
        detail::from_exact<T>(tensors, prefix + "inputs", -1, k == 0 ? model.input_size() : features);
    std::vector<std::shared_ptr<Frame<T>>> frames;
    for (Index i = 0; i < inputs.rows(); ++i) {
      frames.push_back(std::make_shared<Frame<T>>());
      frames.back()->x = inputs.row(i);
    }
    // Row by row to those that have gathered a gradient.
    const auto distribute = [&](const char* key, const char* tensor, const auto& to) {
      const auto gathered = of.numbers(key, 0, 2);
      const learn::Matrix<T> gradients = detail::from_exact<T>(tensors, prefix + tensor, -1, features);
      Index row = 0;
      check(gathered.size() == to.size(), "checkpoint: ", key, " has ", gathered.size(), " numbers, not ", to.size());
      for (std::size_t i = 0; i < to.size(); ++i) {
        if (gathered[i] == 0) continue;
        check(row < gradients.rows(), "checkpoint: ", tensor, " has only ", row, " rows");
        to[i]->gradient = gradients.row(row++);
      }
      check(row == gradients.rows(), "checkpoint: ", tensor, " has ", gradients.rows(), " rows, not ", row);
    };
    distribute("inputs_gathered", "input_gradients", frames);
    Representations<T> summaries;
    const auto count = static_cast<std::int64_t>(frames.size());
    check(of.raw("summaries").is_array(), "checkpoint: summaries is no list");
    for (const json& each : layers[static_cast<std::size_t>(k)]["summaries"]) {
      summaries.push_back(std::make_shared<Representation<T>>());
      for (const std::int64_t frame : detail::Fields::numbers_of(each, "summaries", 0, count))
        summaries.back()->frames.push_back(frames[static_cast<std::size_t>(frame)]);
    }
    layer.restore(summaries, frames);
    distribute("summaries_gathered", "summary_gradients", summaries);
    const auto representation = of.get<std::int64_t>("representation");
    check(representation < static_cast<std::int64_t>(summaries.size()), "checkpoint: there is no summary ",
          representation);
    if (representation >= 0) layer.representation = summaries[static_cast<std::size_t>(representation)];
    contexts.push_back(of.numbers("context", 0, most));

    auto& buffer = layer.buffer.state;
    const learn::Matrix<double> errs = detail::from_exact<double>(tensors, prefix + "errs", -1, 1);
    const auto slots = of.numbers("slots", 0, count);
    const auto order = of.numbers("order", 0, static_cast<std::int64_t>(slots.size()));
    check(static_cast<Index>(slots.size()) == errs.rows() && order.size() == slots.size() &&
              static_cast<Index>(slots.size()) <= model.arguments().buffer_size,
          "checkpoint: the buffer of layer ", k, " is damaged");
    buffer = {};
    for (std::size_t i = 0; i < slots.size(); ++i) {
      buffer.slots.push_back({frames[static_cast<std::size_t>(slots[i])], errs(static_cast<Index>(i), 0)});
      check(
          std::find(buffer.order.begin(), buffer.order.end(), static_cast<std::size_t>(order[i])) == buffer.order.end(),
          "checkpoint: the buffer of layer ", k, " is damaged");
      buffer.order.push_back(static_cast<std::size_t>(order[i]));
    }
    buffer.counter = of.get<std::int64_t>("buffer_counter");
    const learn::Matrix<double> window = detail::from_exact<double>(tensors, prefix + "window", -1, 1);
    check(window.rows() <= model.arguments().window_size, "checkpoint: the window of layer ", k, " is too long");
    layer.demarcation.state.window.assign(window.data(), window.data() + window.size());
    layer.demarcation.state.accumulated = detail::from_exact<double>(tensors, prefix + "accumulated", 1, 1)(0, 0);
    const learn::Matrix<double> boundaries = detail::from_exact<double>(tensors, prefix + "boundaries", -1, 1);
    check(boundaries.rows() >= 1, "checkpoint: layer ", k, " has no boundaries");
    layer.hierarchy_boundaries.assign(boundaries.data(), boundaries.data() + boundaries.size());
    layer.last_base_counter = of.get<std::int64_t>("last_base_counter");
    layer.layer_creator.counter = of.get<std::int64_t>("layer_creator");
    layer.f.adam.steps = of.get<std::int64_t>("steps_f"), layer.p.adam.steps = of.get<std::int64_t>("steps_p");
    of.done();
  }
  for (Index k = 0; k < model.get_num_layers(); ++k) {
    const auto& made_of = contexts[static_cast<std::size_t>(k)];
    if (made_of.empty()) continue;
    check(static_cast<Index>(made_of.size()) > k && static_cast<Index>(made_of.size()) <= model.get_num_layers(),
          "checkpoint: the prediction of layer ", k, " is of ", made_of.size(), " layers");
    Representations<T> summaries;
    for (std::size_t j = 0; j < made_of.size(); ++j) {
      const auto& all = model.layer(static_cast<Index>(j)).summaries();
      check(made_of[j] < static_cast<std::int64_t>(all.size()), "checkpoint: layer ", j, " has no summary ",
            made_of[j]);
      summaries.push_back(all[static_cast<std::size_t>(made_of[j])]);
    }
    model.layer(k).predict(std::move(summaries));
  }
}

/// Writes it all at once: a program that is killed leaves the old file or the new one.
template <class T>
void write_checkpoint(const std::filesystem::path& path, const StreamerModel<T>& model,
                      const StreamerOptimizer<T>* optimizer = nullptr) {
  write_safetensors(path, make_checkpoint(model, optimizer));
}

/// Where the next numbered checkpoint goes: model_000.safetensors and so on in the model's ckpt_dir. The model counts it
/// as written, so that a resumed run counts on.
template <class T>
std::filesystem::path next_checkpoint(StreamerModel<T>& model) {
  char name[48];
  std::snprintf(name, sizeof name, "model_%03lld.safetensors", static_cast<long long>(model.checkpoints));
  ++model.checkpoints;
  return std::filesystem::path(model.arguments().ckpt_dir) / name;
}

/// Writes the next numbered checkpoint; only by the main one of several processes. Returns its path, or an empty one.
template <class T>
std::filesystem::path save_model(StreamerModel<T>& model, const StreamerOptimizer<T>* optimizer = nullptr) {
  if (!model.arguments().main) return {};
  const std::filesystem::path path = next_checkpoint(model);
  write_checkpoint(path, model, optimizer);
  return path;
}

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_CHECKPOINT_HPP
