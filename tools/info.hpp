#ifndef EIGENSTREAM_TOOLS_INFO_HPP
#define EIGENSTREAM_TOOLS_INFO_HPP

#include <array>              // known options
#include <nlohmann/json.hpp>  // --json
#include <string>             // string
#include <string_view>        // names of options
#include <variant>            // values of options
#include <vector>             // rows

#include "model.hpp"
#include "text.hpp"

namespace tool {

/// One module of the network as `info` shows it.
struct ModuleRow {
  std::string path, type;
  std::size_t depth = 0;
  const es::ModuleSpec* spec = nullptr;
  Index in = 0, out = 0;  // channels
  Index parameters = 0;
  double macs = 0;  // for each frame that the network takes
  Index value = -1;  // in a graph, the number of what it gives; 0 is what the graph is given
  Index in_frames = 0, out_frames = 0;  // of a window, inside a Windowed
};

/// How the values of a graph's Reduce are joined.
inline es::Reduce reduce_of(const es::ModuleSpec& node) {
  const std::string& op = std::get<std::string>(node.fields.at("op"));
  const auto known = std::find(std::begin(es::reduce_names), std::end(es::reduce_names), op);
  return static_cast<es::Reduce>(known - std::begin(es::reduce_names));
}

/// A module inside a Windowed and those inside it, in the order in which windows meet them. `rate` is how many windows
/// there are for each frame that the network takes. Returns what the module makes of a window.
inline es::WindowShape list_windows(const es::WindowModule& module, const es::ModuleSpec& spec, es::WindowShape in, double rate,
                                    std::size_t depth, std::vector<ModuleRow>& rows) {
  const es::WindowNet<float>::Plan plan(module.net, in);
  const auto row_of = [&](const es::ModuleSpec& own, es::WindowShape from, es::WindowShape to) {
    ModuleRow row{own.path, own.type, depth, &own, from.channels, to.channels};
    row.in_frames = from.frames, row.out_frames = to.frames;
    return row;
  };
  rows.push_back(row_of(spec, in, plan.out()));
  rows.back().parameters = module.net.parameters();
  rows.back().macs = rate * plan.macs();
  ++depth;
  if (module.type == "Graph") {
    std::vector<es::WindowShape> shapes{in};
    std::size_t at = 0;
    for (const es::ModuleSpec& node : spec.children.at("nodes")) {
      const auto& from = std::get<std::vector<std::int64_t>>(node.fields.at("from"));
      const es::WindowShape first = shapes[static_cast<std::size_t>(from.front())];
      const std::size_t row = rows.size();
      if (node.type == "Reduce") {
        es::WindowShape out{0, 0};
        for (const std::int64_t value : from)
          out = es::joined_window(reduce_of(node), out, shapes[static_cast<std::size_t>(value)]);
        rows.push_back(row_of(node, first, out));
        shapes.push_back(out);
      } else {
        shapes.push_back(list_windows(module.children[at++], node, first, rate, depth, rows));
      }
      rows[row].value = static_cast<Index>(shapes.size()) - 1;
    }
    return plan.out();
  }
  std::size_t at = 0;
  for (const auto& [field, specs] : spec.children) {
    for (const es::ModuleSpec& child_spec : specs) {
      const es::WindowShape out = list_windows(module.children[at++], child_spec, in, rate, depth, rows);
      if (module.type == "Sequential") in = out;  // elsewhere, all start from the container's input
    }
  }
  return plan.out();
}

/// The module and those inside it, in the order in which frames meet them. `rate` is how many frames the module takes
/// for each one that the network takes.
inline void list_modules(const es::Module& module, const es::ModuleSpec& spec, Index in, double rate, std::size_t depth,
                         std::vector<ModuleRow>& rows) {
  const Net& layer = module.layer;
  rows.push_back(
      {module.path, module.type, depth, &spec, in, layer.out_channels(in), layer.parameters(), rate * layer.macs(in)});
  if (module.type == "Windowed" && module.windows.size() == 1) {
    const Index size = static_cast<Index>(std::get<std::int64_t>(spec.fields.at("size")));
    list_windows(module.windows.front(), spec.children.at("net").front(), {in, size},
                 rate * layer.timing().rate().value(), depth + 1, rows);
    return;
  }
  std::size_t at = 0;
  if (module.type == "Graph") {
    std::vector<Index> channels{in};
    std::vector<double> rates{rate};
    for (const es::ModuleSpec& node : spec.children.at("nodes")) {
      const auto& from = std::get<std::vector<std::int64_t>>(node.fields.at("from"));
      const std::size_t first = static_cast<std::size_t>(from.front()), row = rows.size();
      if (node.type == "Reduce") {
        Index out = 0;
        for (const std::int64_t value : from)
          out = es::joined_channels(reduce_of(node), out, channels[static_cast<std::size_t>(value)]);
        rows.push_back({node.path, node.type, depth + 1, &node, channels[first], out});
        rates.push_back(rates[first]);
        channels.push_back(out);
      } else {
        const es::Module& child = module.children[at++];
        list_modules(child, node, channels[first], rates[first], depth + 1, rows);
        rates.push_back(rates[first] * child.layer.timing().rate().value());
        channels.push_back(child.layer.out_channels(channels[first]));
      }
      rows[row].value = static_cast<Index>(channels.size()) - 1;
    }
    return;
  }
  for (const auto& [field, specs] : spec.children) {
    for (const es::ModuleSpec& child_spec : specs) {
      const es::Module& child = module.children[at++];
      list_modules(child, child_spec, in, rate, depth + 1, rows);
      if (module.type != "Sequential") continue;  // elsewhere, all start from the container's input
      in = child.layer.out_channels(in);
      rate *= child.layer.timing().rate().value();
    }
  }
}

/// A module's options without those that have their usual value: k=3 s=2 p=[1,0] no bias.
inline std::string options_text(const es::ModuleSpec& spec) {
  struct Known {
    std::string_view name, shown;
    std::string_view usual;  // "" if there is none
  };
  // An empty `shown`: the table has a column for it.
  static constexpr std::array<Known, 25> known{{{"from", "", ""},
                                                {"in_channels", "", ""},
                                                {"out_channels", "", ""},
                                                {"in_features", "", ""},
                                                {"out_features", "", ""},
                                                {"num_features", "", ""},
                                                {"normalized_shape", "", ""},
                                                {"channels", "", ""},
                                                {"num_channels", "", ""},
                                                {"size", "size", ""},
                                                {"kernel_size", "k", ""},
                                                {"output_size", "to", ""},
                                                {"num_groups", "groups", ""},
                                                {"eps", "eps", "1e-05"},
                                                {"stride", "s", "1"},
                                                {"padding", "p", "0"},
                                                {"padding", "p", "[0,0]"},
                                                {"output_padding", "op", "0"},
                                                {"dilation", "d", "1"},
                                                {"groups", "g", "1"},
                                                {"bias", "bias", "true"},
                                                {"affine", "affine", "true"},
                                                {"elementwise_affine", "affine", "true"},
                                                {"ceil_mode", "ceil", "false"},
                                                {"count_include_pad", "count pad", "true"}}};
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
  };
  std::vector<std::pair<std::size_t, std::string>> parts;  // in the order of the table above
  for (const auto& [name, value] : spec.fields) {
    const std::string written = std::visit(Writer(), value);
    std::string shown = name;
    bool skip = false;
    std::size_t place = known.size();
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (known[i].name != name) continue;
      shown = known[i].shown;
      place = std::min(place, i);
      // A pool's stride is its kernel size, unless it says otherwise: always shown.
      skip =
          skip || shown.empty() || (known[i].usual == written && !(name == "stride" && spec.type.ends_with("Pool1d")));
    }
    if (skip) continue;
    const bool* truth = std::get_if<bool>(&value);
    parts.emplace_back(place, truth != nullptr ? (*truth ? shown : "no " + shown) : printable(shown) + "=" + written);
  }
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
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
  list_modules(model.network, model.spec, channels, 1, 0, rows);

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
    const auto shape = [](Index channels_, Index frames) {
      return frames == 0 ? text(channels_) : text(channels_, " x ", frames);
    };
    const std::string taken = shape(row.in, row.in_frames), given = shape(row.out, row.out_frames);
    windows = windows || row.in_frames > 0;
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

  const double macs = model.layer().macs(channels);
  const es::Rate rate = stream.rate();
  all += "\n";
  const auto fact = [&](const std::string& name, const std::string& value) {
    all += name + std::string(17 - std::min<std::size_t>(17, columns(name)), ' ') + value + "\n";
  };
  fact("channels", text(model.layer().in_channels() == es::Dynamic ? "any; all this is for " : "",
                        stream.in_shape().channels, " in, ", stream.out_shape().channels, " out"));
  fact("parameters", text(model.layer().parameters()));
  fact("MACs",
       short_number(macs) + " per input frame" + (rate_hz ? ", " + short_number(macs * *rate_hz) + " per second" : ""));
  fact("receptive field", frames_text(stream.receptive_field(), rate_hz));
  fact("delay", frames_text(stream.delay(), rate_hz));
  fact("rate", text(rate.outputs, rate.outputs == 1 ? " output frame for " : " output frames for ", rate.inputs,
                    rate.inputs == 1 ? " input frame" : " input frames"));
  fact("state", text(stream.state_bytes(), " bytes to save"));
  fact("memory", text(stream.memory_bytes(), " bytes for each stream"));
  bool first = true;
  for (const auto& [key, value] : model.metadata) {
    const std::string whole = printable(value), shown = cut(whole, 103);
    fact(first ? "metadata" : "", printable(key) + " = " + shown +
                                      (shown != whole ? text(" (", value.size(), " characters)") : ""));
    first = false;
  }
  return all;
}

inline std::string info_json(const OpenedModel& model) {
  using json = nlohmann::ordered_json;
  const Index channels = model.channels();
  const es::Stream<Net> stream(model.layer(), {.channels = channels});
  const std::optional<double> rate_hz = model.sample_rate_hz();
  std::vector<ModuleRow> rows;
  list_modules(model.network, model.spec, channels, 1, 0, rows);

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
                              {"in_channels", row.in},
                              {"out_channels", row.out},
                              {"parameters", row.parameters},
                              {"macs_per_input_frame", row.macs}});
    if (row.value >= 0) all["modules"].back()["value"] = row.value;
    if (row.in_frames > 0) {
      all["modules"].back()["in_frames"] = row.in_frames;
      all["modules"].back()["out_frames"] = row.out_frames;
    }
  }
  all["takes_any_channels"] = model.layer().in_channels() == es::Dynamic;
  all["in_channels"] = stream.in_shape().channels;
  all["out_channels"] = stream.out_shape().channels;
  all["parameters"] = model.layer().parameters();
  all["macs_per_input_frame"] = model.layer().macs(channels);
  const bool unbounded = stream.timing().recursive();
  if (unbounded)
    all["receptive_field_frames"] = "unbounded";
  else
    all["receptive_field_frames"] = stream.receptive_field();
  all["delay_frames"] = stream.delay();
  if (rate_hz) {
    all["sample_rate_hz"] = *rate_hz;
    all["macs_per_second"] = model.layer().macs(channels) * *rate_hz;
    if (!unbounded) all["receptive_field_ms"] = 1000 * static_cast<double>(stream.receptive_field()) / *rate_hz;
    all["delay_ms"] = 1000 * static_cast<double>(stream.delay()) / *rate_hz;
  }
  all["rate"] = {{"outputs", stream.rate().outputs}, {"inputs", stream.rate().inputs}};
  all["state_bytes"] = stream.state_bytes();
  all["memory_bytes"] = stream.memory_bytes();
  all["metadata"] = model.metadata;
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_INFO_HPP
