#ifndef EIGENSTREAM_TOOLS_INFO_HPP
#define EIGENSTREAM_TOOLS_INFO_HPP

#include <algorithm>          // find_if
#include <array>              // known options
#include <nlohmann/json.hpp>  // --json
#include <string>             // string
#include <string_view>        // names of options
#include <variant>            // values of options
#include <vector>             // rows

#include "eigenstream/compose/prewarmed.hpp"
#include "model.hpp"
#include "text.hpp"

namespace tool {

/// One module of the network as `info` shows it.
struct ModuleRow {
  std::string path, type;
  std::size_t depth = 0;
  const es::ModuleSpec* spec = nullptr;
  es::FrameShape in, out;
  Index parameters = 0;
  double macs = 0;  // for each frame that the network takes
  Index value = -1;  // in a graph, the number of what it gives; 0 is what the graph is given
  bool in_window = false;  // inside a Windowed: a frame's columns are the window's frames
};

/// How the values of a graph's Reduce are joined.
inline es::Reduce reduce_of(const es::ModuleSpec& node) {
  const std::string& op = std::get<std::string>(node.fields.at("op"));
  const auto known = std::find(std::begin(es::reduce_names), std::end(es::reduce_names), op);
  return static_cast<es::Reduce>(known - std::begin(es::reduce_names));
}

/// The module and those inside it, in the order in which frames meet them. `rate` is how many frames the module takes
/// for each one that the network takes. Returns what it makes of a frame, and at which rate.
struct Listed {
  es::FrameShape out;
  double rate = 0;
};
inline Listed list_modules(const es::Module& module, const es::ModuleSpec& spec, const es::FrameShape& in, double rate,
                           std::size_t depth, bool in_window, std::vector<ModuleRow>& rows) {
  const es::Facts facts = module.layer.facts(in);
  const Listed listed{facts.out, rate * module.layer.timing().rate().value()};
  ModuleRow row{module.path, module.type, depth, &spec, in, facts.out, facts.parameters, rate * facts.macs};
  row.in_window = in_window;
  rows.push_back(row);
  std::size_t at = 0;
  if (module.type == "Windowed" && module.children.size() == 1) {
    const Index size = static_cast<Index>(std::get<std::int64_t>(spec.fields.at("size")));
    const double windows = in_window ? rate * static_cast<double>(facts.out.width) : listed.rate;
    list_modules(module.children.front(), spec.children.at("net").front(), {in.channels, size}, windows, depth + 1, true,
                 rows);
    return listed;
  }
  if (module.type == "Control" && module.children.size() == 1) {
    Index numbers = 0;
    for (const es::NetworkControl& each : module.layer.controls()) numbers += each.channels();
    list_modules(module.children.front(), spec.children.at("net").front(), {numbers}, 0, depth + 1, false, rows);
    return listed;
  }
  if (module.type == "Graph") {
    const std::vector<es::NetworkInput>& more = module.layer.more_inputs();
    es::ValueGraph<Listed> values(1 + static_cast<Index>(more.size()));
    values[0] = {in, rate};
    for (std::size_t k = 0; k < more.size(); ++k)
      values[static_cast<Index>(k) + 1] = {more[k].shape, rate * more[k].rate.value()};
    for (const es::ModuleSpec& node : spec.children.at("nodes")) {
      std::vector<es::PlainOperand> from;
      for (const std::int64_t value : std::get<std::vector<std::int64_t>>(node.fields.at("from"))) from.push_back({value});
      const Listed first = values[from.front().value];
      const std::size_t place = rows.size();
      Listed given = first;
      if (node.type == "Reduce") {
        given.out = es::FrameShape::any();
        for (const auto [value] : from) given.out = es::joined_shape(reduce_of(node), given.out, values[value].out);
        ModuleRow join{node.path, node.type, depth + 1, &node, first.out, given.out};
        join.in_window = in_window;
        rows.push_back(join);
      } else {
        given = list_modules(module.children[at++], node, first.out, first.rate, depth + 1, in_window, rows);
      }
      rows[place].value = values.add(given, from);
    }
    return listed;
  }
  Listed last{in, rate};
  for (const auto& [field, specs] : spec.children) {
    for (const es::ModuleSpec& child : specs) {
      const Listed given = list_modules(module.children[at++], child, last.out, last.rate, depth + 1, in_window, rows);
      if (module.type == "Sequential") last = given;  // elsewhere, all start from the container's input
    }
  }
  return listed;
}

/// Whether a field has the value that it has where it is not given, by the description of its type.
inline bool is_usual(const es::ModuleType& type, const es::ModuleSpec& spec, const std::string& name) {
  const es::ModuleField* const field = type.field(name);
  if (field == nullptr) return false;
  const es::ModuleSpec::Value& value = spec.fields.at(name);
  if (const auto* sides = std::get_if<std::vector<std::int64_t>>(&value))
    return field->kind == es::FieldKind::padding && *sides == std::vector<std::int64_t>{0, 0};
  struct Usual {
    const es::ModuleSpec& spec;
    const es::ModuleSpec::Value& value;
    bool operator()(es::Required) const { return false; }
    bool operator()(es::Absent) const { return false; }
    bool operator()(bool usual) const { return value == es::ModuleSpec::Value(usual); }
    bool operator()(Index usual) const { return value == es::ModuleSpec::Value(std::int64_t{usual}); }
    bool operator()(double usual) const {
      return value == es::ModuleSpec::Value(usual) || value == es::ModuleSpec::Value(static_cast<std::int64_t>(usual));
    }
    bool operator()(std::string_view usual) const {
      const auto same = spec.fields.find(std::string(usual));  // a text, or as another field
      return value == (same == spec.fields.end() ? es::ModuleSpec::Value(std::string(usual)) : same->second);
    }
  };
  return std::visit(Usual{spec, value}, field->otherwise);
}

/// A module's options without those that have their usual value: k=3 s=2 p=[1,0] no bias.
inline std::string options_text(const es::ModuleSpec& spec) {
  static const es::Registry known_types = es::builtin_registry();
  // How fields are called here, and in which order; those with an empty name have a column of the table.
  using Name = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Name, 23> known{{{"from", ""},
                                               {"in_channels", ""},
                                               {"out_channels", ""},
                                               {"in_features", ""},
                                               {"out_features", ""},
                                               {"num_features", ""},
                                               {"normalized_shape", ""},
                                               {"channels", ""},
                                               {"num_channels", ""},
                                               {"size", "size"},
                                               {"kernel_size", "k"},
                                               {"output_size", "to"},
                                               {"num_groups", "groups"},
                                               {"eps", "eps"},
                                               {"stride", "s"},
                                               {"padding", "p"},
                                               {"output_padding", "op"},
                                               {"dilation", "d"},
                                               {"groups", "g"},
                                               {"bias", "bias"},
                                               {"elementwise_affine", "affine"},
                                               {"ceil_mode", "ceil"},
                                               {"count_include_pad", "count pad"}}};
  struct Writer {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return text(value); }
    std::string operator()(const std::string& value) const { return printable(value); }
    std::string operator()(const std::vector<std::int64_t>& value) const {
      std::string list;
      for (const std::int64_t each : value) list += (list.empty() ? "[" : ",") + std::to_string(each);
      return list + "]";
    }
    std::string operator()(const std::vector<std::string>& value) const {
      std::string list;
      for (const std::string& each : value) list += (list.empty() ? "[" : ",") + printable(each);
      return list + "]";
    }
  };
  const es::ModuleType* const type = known_types.find(spec.type);
  std::vector<std::pair<std::size_t, std::string>> parts;  // in the order of the table above
  for (const auto& [name, value] : spec.fields) {
    const auto named = [&, own = std::string_view(name)](const Name& each) { return each.first == own; };
    const auto found = std::find_if(known.begin(), known.end(), named);
    const std::string shown(found == known.end() ? name : found->second);
    if (shown.empty() || (type != nullptr && is_usual(*type, spec, name))) continue;
    const bool* truth = std::get_if<bool>(&value);
    parts.emplace_back(found - known.begin(), truth != nullptr ? (*truth ? shown : "no " + shown)
                                                                : printable(shown) + "=" + std::visit(Writer(), value));
  }
  std::stable_sort(parts.begin(), parts.end(), [](const auto& one, const auto& other) { return one.first < other.first; });
  std::string all;
  for (const auto& [place, part] : parts) all += (all.empty() ? "" : " ") + part;
  return all;
}

inline std::string macs_text(double macs) { return fixed(macs, macs == std::round(macs) ? 0 : macs < 1000 ? 2 : 1); }

inline std::string info_text(const OpenedModel& model) {
  const Index channels = model.channels();
  const es::Stream<Net> stream(model.layer(), {.channels = channels});
  const std::optional<double> rate_hz = model.sample_rate_hz();
  std::vector<ModuleRow> rows;
  list_modules(model.network, model.spec, stream.in_shape(), 1, 0, false, rows);

  // A network with branches says what each module gives and takes.
  const bool branches = std::any_of(rows.begin(), rows.end(), [](const ModuleRow& row) { return row.value >= 0; });
  std::vector<Table::Column> columns_shown{{"module"}};
  if (branches) columns_shown.insert(columns_shown.end(), {{"gives", true}, {"takes"}});
  columns_shown.insert(columns_shown.end(),
                       {{"path"}, {"options"}, {"channels"}, {"parameters", true}, {"MACs/frame", true}});
  Table table(columns_shown);
  std::string used = " ";  // options of all modules
  bool windows = false;
  for (const ModuleRow& row : rows) {
    const std::string options = options_text(*row.spec);
    used += options + " ";
    std::vector<std::string> cells{std::string(2 * row.depth, ' ') + printable(row.type)};
    if (branches && row.value < 0) cells.insert(cells.end(), {"", ""});
    if (row.value >= 0) {
      std::string takes;
      for (const std::int64_t value : std::get<std::vector<std::int64_t>>(row.spec->fields.at("from")))
        takes += (takes.empty() ? "" : " ") + std::to_string(value);
      cells.insert(cells.end(), {text(row.value), takes});
    }
    const auto shape = [&](const es::FrameShape& frame) {
      std::string all_ = text(Index{frame.channels});
      if (row.in_window || frame.has_space()) all_ += text(" x ", Index{frame.width});
      return frame.height == 1 ? all_ : all_ + text(" x ", Index{frame.height});
    };
    const std::string taken = shape(row.in), given = shape(row.out);
    windows = windows || row.in_window;
    cells.insert(cells.end(), {printable(row.path), options, taken == given ? taken : taken + " -> " + given,
                               text(row.parameters), macs_text(row.macs)});
    table.add(std::move(cells));
  }
  std::string all = table.print();
  std::string legend;
  for (const std::string name : {"k kernel", "s stride", "p padding", "op output padding", "d dilation", "g groups"})
    if (used.find(" " + name.substr(0, name.find(' ')) + "=") != used.npos)
      legend += (legend.empty() ? "" : ", ") + name;
  if (!legend.empty()) all += legend + "\n";
  if (branches) all += "gives and takes: the numbers of the values within a Graph; 0 is what it is given\n";

  if (windows) all += "inside Windowed, channels are those of a window x its frames\n";

  const es::Facts& facts = stream.facts();
  const double macs = facts.macs;
  const es::Rate rate = stream.rate();
  all += "\n";
  const auto fact = [&](const std::string& name, const std::string& value) {
    all += name + std::string(17 - std::min<std::size_t>(17, columns(name)), ' ') + value + "\n";
  };
  fact("channels", text(model.layer().wanted().channels == 0 ? "any; all this is for " : "",
                        Index{stream.in_shape().channels}, " in, ", Index{stream.out_shape().channels}, " out"));
  for (const es::NetworkInput& input : model.layer().more_inputs())
    fact("and beside them", text(Index{input.shape.channels}, " in, ", input.rate.outputs, " for every ", input.rate.inputs,
                                 input.rate.inputs == 1 ? " frame" : " frames"));
  if (stream.outputs() > 1)
    for (Index k = 0; k < stream.outputs(); ++k) {
      const es::FrameShape shape = stream.out_shape(k);
      std::string extents = text(Index{shape.channels});
      if (shape.has_space()) extents += text(" x ", Index{shape.width});
      if (shape.height != 1) extents += text(" x ", Index{shape.height});
      const es::Rate own = stream.rate(k);
      fact(k == 0 ? "outputs" : "", text(printable(stream.output_name(k)), ": ", extents, shape.size() == 1 ? " channel, " : " channels, ",
                                         own.outputs, " for every ", own.inputs, own.inputs == 1 ? " frame" : " frames",
                                         ", delay ", frames_text(stream.delay(k), rate_hz)));
    }
  for (Index k = 0; k < stream.controls(); ++k) {
    const es::NetworkControl& control = stream.control_info(k);
    std::string values;
    for (const double value : control.initial) values += (values.empty() ? "" : ",") + text(static_cast<float>(value));
    fact(k == 0 ? "knobs" : "", text(printable(control.name), " = ", cut(values, 60), control.channels() == 1 ? "" : text(" (", control.channels(), " numbers)")));
  }
  fact("parameters", text(facts.parameters));
  fact("MACs",
       short_number(macs) + " per input frame" + (rate_hz ? ", " + short_number(macs * *rate_hz) + " per second" : ""));
  fact("receptive field", frames_text(stream.receptive_field(), rate_hz));
  fact("delay", frames_text(stream.delay(), rate_hz));
  fact("rate", text(rate.outputs, rate.outputs == 1 ? " output frame for " : " output frames for ", rate.inputs,
                    rate.inputs == 1 ? " input frame" : " input frames"));
  fact("state", text(stream.state_bytes(), " bytes to save"));
  fact("memory", text(stream.memory_bytes(), " bytes for each stream"));
  fact("scratch", text(stream.scratch_bytes(), " bytes of them, which the streams of a thread can share"));
  bool first = true;
  for (const auto& [key, value] : model.metadata) {
    const std::string whole = printable(value), shown = cut(whole, 103);
    fact(first ? "metadata" : "", printable(key) + " = " + shown +
                                      (shown != whole ? text(" (", value.size(), " characters)") : ""));
    first = false;
  }
  return all;
}

/// The graph that a network runs as; null if it is one layer.
inline const es::AnyGraph<float>* running_graph(const Net& layer) {
  if (const auto* prewarmed = layer.as<es::Prewarmed<Net>>()) return running_graph(prewarmed->net());
  return layer.as<es::AnyGraph<float>>();
}

/// How frames run through the network: the layers that run together, and the values between them.
inline std::string plan_text(const OpenedModel& model) {
  const auto* graph = running_graph(model.layer());
  if (graph == nullptr) return "\nplan             one layer, which runs by itself\n";
  const auto plan = graph->plan();
  Table table({{"step", true}, {"layers"}, {"takes"}, {"gives", true}});
  Index layers = 0, number = 0;
  for (const auto& step : plan) {
    std::string names, takes;
    for (const std::string& name : step.layers) names += (names.empty() ? "" : ", ") + printable(name);
    for (const Index value : step.takes) takes += (takes.empty() ? "" : " ") + text(value);
    layers += static_cast<Index>(step.layers.size());
    table.add({text(++number), names, takes, text(step.gives)});
  }
  return text("\nplan             ", layers, layers == 1 ? " layer in " : " layers in ", number, number == 1 ? " step" : " steps",
              "; values are numbered anew, without containers, and bit for bit those of the layers one by one\n", table.print());
}

inline nlohmann::ordered_json plan_json(const OpenedModel& model) {
  using json = nlohmann::ordered_json;
  json all = json::array();
  if (const auto* graph = running_graph(model.layer()))
    for (const auto& step : graph->plan()) all.push_back({{"layers", step.layers}, {"takes", step.takes}, {"gives", step.gives}});
  return all;
}

inline std::string info_json(const OpenedModel& model) {
  using json = nlohmann::ordered_json;
  const Index channels = model.channels();
  const es::Stream<Net> stream(model.layer(), {.channels = channels});
  const std::optional<double> rate_hz = model.sample_rate_hz();
  std::vector<ModuleRow> rows;
  list_modules(model.network, model.spec, stream.in_shape(), 1, 0, false, rows);

  json all;
  all["file"] = model.path.string();
  all["modules"] = json::array();
  for (const ModuleRow& row : rows) {
    json options = json::object();
    for (const auto& [name, value] : row.spec->fields)
      std::visit([&, &key = name](const auto& v) { options[key] = v; }, value);
    all["modules"].push_back({{"path", row.path},
                              {"type", row.type},
                              {"depth", row.depth},
                              {"options", std::move(options)},
                              {"in_channels", Index{row.in.channels}},
                              {"out_channels", Index{row.out.channels}},
                              {"parameters", row.parameters},
                              {"macs_per_input_frame", row.macs}});
    if (row.value >= 0) all["modules"].back()["value"] = row.value;
    if (row.in_window) {
      all["modules"].back()["in_frames"] = Index{row.in.width};
      all["modules"].back()["out_frames"] = Index{row.out.width};
    }
  }
  all["plan"] = plan_json(model);
  all["takes_any_channels"] = model.layer().wanted().channels == 0;
  const es::Facts& facts = stream.facts();
  all["in_channels"] = Index{stream.in_shape().channels};
  all["out_channels"] = Index{stream.out_shape().channels};
  if (stream.out_shape().has_space()) all["out_width"] = Index{stream.out_shape().width};
  if (stream.controls() > 0) {
    all["controls"] = json::array();
    for (Index k = 0; k < stream.controls(); ++k)
      all["controls"].push_back({{"name", stream.control_info(k).name}, {"default", stream.control_info(k).initial}});
  }
  if (!model.layer().all_outputs().empty()) {
    all["outputs"] = json::array();
    for (Index k = 0; k < stream.outputs(); ++k) {
      const es::FrameShape shape = stream.out_shape(k);
      json own{{"name", stream.output_name(k)}, {"channels", Index{shape.channels}}};
      if (shape.has_space()) own["width"] = Index{shape.width}, own["height"] = Index{shape.height};
      own["delay_frames"] = stream.delay(k);
      if (stream.timing(k).recursive())
        own["receptive_field_frames"] = "unbounded";
      else
        own["receptive_field_frames"] = stream.receptive_field(k);
      own["rate"] = {{"outputs", stream.rate(k).outputs}, {"inputs", stream.rate(k).inputs}};
      all["outputs"].push_back(std::move(own));
    }
  }
  all["parameters"] = facts.parameters;
  all["macs_per_input_frame"] = facts.macs;
  const bool unbounded = stream.timing().recursive();
  if (unbounded)
    all["receptive_field_frames"] = "unbounded";
  else
    all["receptive_field_frames"] = stream.receptive_field();
  all["delay_frames"] = stream.delay();
  if (rate_hz) {
    all["sample_rate_hz"] = *rate_hz;
    all["macs_per_second"] = facts.macs * *rate_hz;
    if (!unbounded) all["receptive_field_ms"] = 1000 * static_cast<double>(stream.receptive_field()) / *rate_hz;
    all["delay_ms"] = 1000 * static_cast<double>(stream.delay()) / *rate_hz;
  }
  all["rate"] = {{"outputs", stream.rate().outputs}, {"inputs", stream.rate().inputs}};
  all["state_bytes"] = stream.state_bytes();
  all["memory_bytes"] = stream.memory_bytes();
  all["scratch_bytes"] = stream.scratch_bytes();
  all["metadata"] = model.metadata;
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_INFO_HPP
