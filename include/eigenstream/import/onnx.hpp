#ifndef EIGENSTREAM_IMPORT_ONNX_HPP
#define EIGENSTREAM_IMPORT_ONNX_HPP

// Needs nlohmann-json, as model_file.hpp does.

#include <algorithm>  // all_of
#include <cstddef>    // byte
#include <deque>      // operations that are ready
#include <map>        // cells
#include <optional>   // streamer
#include <set>        // what is needed
#include <span>       // bytes
#include <string>     // names
#include <vector>     // axes

#include "eigenstream/import/onnx_layers.hpp"
#include "eigenstream/import/onnx_stream.hpp"
#include "eigenstream/io/model_file.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

// The axes of a tensor that become channels, width and height of a frame: those of more than one number. Of two, the
// smaller is the channels.
inline std::vector<std::vector<Index>> frame_axes(const std::vector<Index>& dims, Index channels_axis,
                                                  const std::string& what) {
  std::vector<Index> large;
  for (std::size_t axis = 0; axis < dims.size(); ++axis)
    if (dims[axis] > 1) large.push_back(static_cast<Index>(axis));
  check(large.size() <= 3, what, " has shape ", text_of(dims), ", more axes than a frame");
  Index channels = channels_axis;
  if (channels < 0 && !large.empty()) {
    channels = large.front();
    if (large.size() == 2 && dims[static_cast<std::size_t>(large[1])] < dims[static_cast<std::size_t>(large[0])])
      channels = large[1];
  }
  check(channels_axis < static_cast<Index>(dims.size()), what, " has shape ", text_of(dims), ", and no axis ",
        channels_axis);
  std::vector<std::vector<Index>> axes(3);
  if (channels >= 0) axes[0] = {channels};
  std::erase(large, channels);
  check(large.size() <= 2, what, " has shape ", text_of(dims), ", more axes than a frame");
  if (!large.empty()) axes[1] = {large.back()};
  if (large.size() > 1) axes[2] = {large.front()};
  return axes;
}

// The frames of the signal, and those that a call takes: windows of them, or each by itself.
struct Input {
  FrameShape frame, call;
  std::vector<std::vector<Index>> axes;  // of the call's tensor, as channels, width and height
  Index time = -1;                       // of a window
};
inline Input input_of(const Value& signal, const OnnxOptions& options, const std::string& where) {
  const std::string what = where + "input \"" + signal.name + "\"";
  Input input{.frame = {}, .call = {}, .axes = {}};
  if (options.hop == 0 && options.time_axis < 0) {
    input.axes = frame_axes(signal.dims, options.channels_axis, what);
    input.frame = input.call = Builder::shape_of(signal.dims, input.axes);
    return input;
  }
  if (options.hop == 0) {  // all of a signal: a frame is what there is beside the time
    std::vector<Index> dims = signal.dims;
    check(options.time_axis < static_cast<Index>(dims.size()), what, " has shape ", text_of(dims), ", and no axis ",
          options.time_axis);
    input.time = options.time_axis;
    dims[static_cast<std::size_t>(input.time)] = 1;
    input.axes = frame_axes(dims, options.channels_axis, what);
    input.frame = input.call = Builder::shape_of(dims, input.axes);
    return input;
  }
  std::vector<Index> large;
  for (std::size_t axis = 0; axis < signal.dims.size(); ++axis)
    if (signal.dims[axis] > 1) large.push_back(static_cast<Index>(axis));
  Index time = options.time_axis;
  if (time < 0 && large.size() == 1) time = large.front();
  check(time >= 0 && time < static_cast<Index>(signal.dims.size()), what, " has shape ", text_of(signal.dims),
        ": say which axis are the frames of a window (--time-axis)");
  std::erase(large, time);
  check(options.channels_axis < 0 || (large.size() == 1 && large.front() == options.channels_axis), what, " has shape ",
        text_of(signal.dims), ": of a window, the channels are the axis beside the time, not ", options.channels_axis);
  check(large.size() <= 1, what, " has shape ", text_of(signal.dims),
        ": windows of frames with axes of space are not read");
  const Index size = signal.dims[static_cast<std::size_t>(time)];
  check(options.hop >= 1 && options.hop <= size, what, ": windows of ", size, " frames, one every ", options.hop);
  input.axes = large.empty() ? std::vector<std::vector<Index>>{{time}} : std::vector<std::vector<Index>>{large, {time}};
  input.call = Builder::shape_of(signal.dims, input.axes);
  input.time = time;
  input.frame = {large.empty() ? Index{1} : signal.dims[static_cast<std::size_t>(large.front())], 1, 1, 1};
  return input;
}
// The value of the call's tensor. Windows begin so that each ends with its newest frames, and the last one is filled
// with zeros.
inline Index add_input(Layout& layout, const Input& input, Index hop, bool stream) {
  using Values = std::map<std::string, ModuleSpec::Value>;
  const auto number = [](Index value) { return std::int64_t{value}; };
  const Index begin = layout.graph().input();
  if (hop == 0) {
    if (!input.frame.has_space()) return begin;
    const Values fields{{"channels", number(input.frame.channels)},
                        {"width", number(input.frame.width)},
                        {"height", number(input.frame.height)}};
    return layout.add("Input", "input", fields, begin, input.frame);
  }
  const bool merge = input.frame.channels == 1;
  const Index size = input.call.size() / input.frame.channels;
  const Index whole =
      layout.add("Pad", "whole_windows", Values{{"left", number(0)}, {"right", number(0)}, {"multiple", number(hop)}},
                 begin, input.frame);
  if (stream)
    return layout.add("Pad", "first_window", Values{{"left", number(size - hop)}, {"right", number(0)}}, whole,
                      input.frame);
  ModuleSpec windows{"Windowed",
                     layout.path("windows"),
                     {{"size", number(size)},
                      {"stride", number(hop)},
                      {"channels", number(input.frame.channels)},
                      {"merge", merge},
                      {"padding", std::vector<std::int64_t>{size - hop, 0}}},
                     {}};
  windows.children["net"] = {ModuleSpec{"Sequential", layout.path("windows/all"), {}, {}}};
  windows.children["net"].front().children["layers"];
  return layout.add(std::move(windows), {whole}, input.call);
}

// What is known of files that leave it open: Silero's detector of speech, versions 5 and 6, by its three inputs.
inline OnnxOptions with_what_is_known(const File& file, OnnxOptions options,
                                      std::map<std::string, std::string>& metadata) {
  const auto has = [&](const char* name) {
    for (const Port& port : file.graph.inputs)
      if (port.name == name) return true;
    return false;
  };
  if (file.graph.inputs.size() != 3 || !has("input") || !has("state") || !has("sr")) return options;
  if (options.shapes.contains("input") || options.hop != 0) return options;
  const double rate = options.constants.try_emplace("sr", 16000).first->second;
  const Index hop = rate == 8000 ? 256 : 512;
  options.shapes["input"] = {1, hop + hop / 8};
  options.hop = hop;
  metadata["sample_rate_hz"] = rate == 8000 ? "8000" : "16000";
  return options;
}

/// Puts the operations that the outputs need in an order in which each comes behind what it needs, and makes their
/// layers.
inline void make_layers(Builder& builder, const Program& program, Index opset, const std::string& where) {
  const auto count = program.operations.size();
  std::map<std::size_t, Cell> cells;
  std::vector<std::set<std::size_t>> needs(count), needed_by(count);
  std::vector<char> met(count);
  std::vector<std::size_t> left;
  const auto look = [&](const Array& array, auto&& found) {
    Index last = -1;
    for (const Element& each : array.elements) {
      if (each.value == Element::constant || each.value == last) continue;
      last = each.value;
      const Index operation = program.values[static_cast<std::size_t>(each.value)].operation;
      if (operation >= 0) found(static_cast<std::size_t>(operation));
    }
  };
  const auto reach = [&](std::size_t operation) {
    if (met[operation] == 0) left.push_back(operation);
    met[operation] = 1;
  };
  for (const auto& [name, array] : program.outputs) look(array, reach);
  std::size_t alive = 0;
  while (!left.empty()) {
    const std::size_t own = left.back();
    left.pop_back();
    ++alive;
    const Operation& operation = program.operations[own];
    const auto need = [&](std::size_t other) {
      needs[own].insert(other), needed_by[other].insert(own);
      reach(other);
    };
    if (std::optional<Cell> cell = lstm_cell(program, operation)) {
      look(cells.emplace(own, std::move(*cell)).first->second.input, need);
      continue;
    }
    const std::size_t inputs = is_recurrent(operation.op) ? 1 : operation.inputs.size();
    for (std::size_t k = 0; k < inputs; ++k) look(operation.inputs[k], need);
  }
  std::deque<std::size_t> ready;
  for (std::size_t k = 0; k < count; ++k)
    if (met[k] != 0 && needs[k].empty()) ready.push_back(k);
  std::size_t made = 0;
  for (; !ready.empty(); ++made) {
    const std::size_t own = ready.front();
    ready.pop_front();
    const Operation& operation = program.operations[own];
    const std::string at = where + operation.node->shown() + ": ";
#if EIGENSTREAM_EXCEPTIONS
    try {
#endif
      builder.layout().set_moment(operation.rows, operation.time_stride);
      LayerMaker maker(builder, program, operation, opset);
      const auto cell = cells.find(own);
      if (cell != cells.end())
        RecurrentMaker(maker).cell(cell->second);
      else
        maker.run();
#if EIGENSTREAM_EXCEPTIONS
    } catch (const Error& error) {
      fail(at, error.what());
    }
#endif
    for (const std::size_t next : needed_by[own])
      if (needs[next].erase(own), needs[next].empty()) ready.push_back(next);
  }
  if (made == alive) return;
  for (std::size_t k = 0; k < count; ++k)
    check(met[k] == 0 || needs[k].empty(), where, program.operations[k].node->shown(),
          ": needs what it gave at an earlier call, a feedback that no layer is known for");
}

/// The network of a graph that is followed for one call, or with `length` for a whole signal of so many frames.
inline ModelFile network_of(const File& file, const OnnxOptions& options, Index length, const std::string& where) {
  OnnxOptions own = options;
  const Port* const first = file.graph.inputs.empty() ? nullptr : &file.graph.inputs.front();
  if (length > 0 && first != nullptr && !own.shapes.contains(first->name)) {
    const auto at = static_cast<std::size_t>(options.time_axis);
    check(at < first->dims.size() && first->dims[at] < 0, where, "input \"", first->name, "\" does not leave its axis ",
          options.time_axis,
          " open, as a signal of any length does: for windows, say how many "
          "frames later the next one begins (--hop)");
    std::vector<Index> dims = first->dims;
    dims[at] = length;
    for (std::size_t axis = 0; axis < dims.size(); ++axis)
      if (dims[axis] < 0 && axis == 0) dims[axis] = 1;
    if (std::all_of(dims.begin(), dims.end(), [](Index extent) { return extent > 0; })) own.shapes[first->name] = dims;
  }
  Program program = trace(file, own, where);
  const auto names_of_inputs = [&] {
    std::string names;
    for (const Index each : program.inputs)
      names += (names.empty() ? "\"" : ", \"") + program.values[static_cast<std::size_t>(each)].name + '"';
    return names;
  };
  check(program.inputs.size() == 1, where, "the inputs ", names_of_inputs(),
        " are all signals; say which are states (--state INPUT=OUTPUT) or known numbers (--set INPUT=NUMBER)");
  find_norms(program);

  const Value signal = program.values[static_cast<std::size_t>(program.inputs.front())];
  const Input input = input_of(signal, options, where);
  std::optional<Streamer> streamer;
#if EIGENSTREAM_EXCEPTIONS
  try {
#endif
    if (options.stream || length > 0) streamer.emplace(program, input.time, length > 0);
#if EIGENSTREAM_EXCEPTIONS
  } catch (const Error& error) {
    fail(where, error.what());
  }
#endif
  Builder builder(program, input.frame, length);
  Layout& layout = builder.layout();
  std::vector<std::vector<Index>> axes = input.axes;
  if (options.stream && input.frame.channels == 1) axes = {{}};  // a window of one sample
  if (options.stream && axes.size() > 1) axes.resize(1);
  const Index begin = add_input(layout, input, options.hop, options.stream);
  builder.settle(program.inputs.front(), begin, axes);
  make_layers(builder, program, file.opset, where);

  std::vector<std::int64_t> outputs;
  std::vector<std::string> names;
  for (std::size_t k = 0; k < program.outputs.size(); ++k) {
    const auto& [name, array] = program.outputs[k];
    const std::string what = where + "output \"" + name + "\"";
    if (streamer) layout.set_moment(streamer->ends()[k].rows, streamer->ends()[k].step);
    const bool alike = array.dims == signal.dims && !streamer;
    Index value = builder.arranged(array, alike ? input.axes : frame_axes(array.dims, -1, what));
    if (streamer && options.hop > 0) {
      const Index period = streamer->ends()[k].period;
      check(options.hop % period == 0, what, ": comes every ", period, " frames, but windows begin every ", options.hop,
            ": import it without --stream");
      value = layout.every(value, options.hop / period);
    }
    outputs.push_back(value);
    names.push_back(name);
  }
  ModelFile model;
  model.network = std::move(layout.graph()).network();
  const auto last = static_cast<std::int64_t>(model.network.children["nodes"].size());
  if (outputs.size() > 1 || outputs.front() != last) model.network.fields["outputs"] = outputs;
  if (outputs.size() > 1) model.network.fields["output_names"] = names;
  model.weights = std::move(layout.graph()).weights();
  return model;
}

/// The network of a graph for signals of any length: what is found for one length has to be what is found for others.
/// Without exceptions, which cannot be tried twice, one length and twice that.
inline ModelFile network_of_signals(const File& file, const OnnxOptions& options, const std::string& where) {
  const auto check_alike = [&](const ModelFile& model, Index length, const ModelFile& other, Index other_length) {
    const auto text = [](const ModelFile& own) { return eigenstream::detail::module_json(own.network).dump(); };
    check(text(model) == text(other) && model.weights == other.weights, where, "the graph is another for a signal of ",
          other_length, " frames than for one of ", length);
  };
#if EIGENSTREAM_EXCEPTIONS
  std::string reason;
  const auto attempt = [&](Index length) -> std::optional<ModelFile> {
    try {
      return network_of(file, options, length, where);
    } catch (const Error& error) {
      reason = error.what();
      return std::nullopt;
    }
  };
  for (const Index length : {240, 960, 3840}) {  // long enough for something that is not at an end
    std::optional<ModelFile> model = attempt(length);
    if (!model) continue;
    check_alike(*model, length, network_of(file, options, 2 * length, where), 2 * length);
    // If any length will do, and not only multiples of something.
    if (const std::optional<ModelFile> other = attempt(length + 1)) check_alike(*model, length, *other, length + 1);
    return std::move(*model);
  }
  fail(reason);
#else
  constexpr Index length = 960;
  ModelFile model = network_of(file, options, length, where);
  check_alike(model, length, network_of(file, options, 2 * length, where), 2 * length);
  return model;
#endif
}

}  // namespace onnx::detail

/// The network of an ONNX file that computes one frame at a call: inputs and outputs that carry a state from call to
/// call become layers that remember. Convolutions over what a state kept of earlier frames become convolutions over
/// time, LSTM and GRU (an LSTM also where it is written out) layers over time, and what only moves numbers about is
/// worked out here. Of a graph for windows (`hop`) the same within each window, and of one for whole signals
/// (`time_axis` without `hop`) what is the same for every frame. `where` begins every message.
/// Shapes   a frame is the first input at one call, without the axis of time: its axes of more than one number, of two
///          the smaller one as channels
/// Errors   Error naming the node or input, for a damaged file, for what no layer does, and for what has to be said
/// Source   the operators of ONNX (github.com/onnx/onnx, docs/Operators.md), opset 9 to 21
inline ModelFile import_onnx(std::span<const std::byte> bytes, const OnnxOptions& given = {},
                             const std::string& where = "") {
  namespace d = onnx::detail;
  const onnx::File file = onnx::parse(bytes, where);
  std::map<std::string, std::string> metadata = file.metadata;
  const OnnxOptions options = d::with_what_is_known(file, given, metadata);
  check(!options.stream || options.hop > 0, where,
        "what windows have in common is worked out once where there are windows (--hop)");
  const bool whole = options.hop == 0 && options.time_axis >= 0;
  ModelFile model = whole ? d::network_of_signals(file, options, where) : d::network_of(file, options, 0, where);
  model.metadata = std::move(metadata);
  return model;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_HPP
