#ifndef EIGENSTREAM_TOOLS_TYPES_HPP
#define EIGENSTREAM_TOOLS_TYPES_HPP

#include <nlohmann/json.hpp>  // --json
#include <string>             // string
#include <vector>             // rows

#include "eigenstream/io/model_file.hpp"  // max_module_depth
#include "eigenstream/network/builtin_registry.hpp"
#include "text.hpp"

// The module types of model files, from the descriptions that the registry reads by: as text, as JSON for the exporter, and as
// the page docs/types.md.
namespace tool {

inline std::string with_commas(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  return all;
}

/// A paragraph in lines of so many columns.
inline std::string wrapped(std::string_view paragraph, std::size_t width) {
  std::string all, line;
  for (std::size_t at = 0; at < paragraph.size();) {
    const std::string word(paragraph.substr(at, paragraph.find(' ', at) - at));
    at += word.size() + 1;
    if (!line.empty() && columns(line) + 1 + columns(word) > width) {
      all += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return all + line + "\n";
}

/// A number as short as it can be written: 1, 1e-05, 14.769656459379492.
inline std::string number_text(double value) { return nlohmann::json(value).dump(); }
inline std::string whole_or_number(double value) {
  return value == std::round(value) && std::abs(value) < 1e15 ? std::to_string(static_cast<long long>(value))
                                                              : number_text(value);
}

inline std::string default_text(const es::ModuleField& field) {
  struct Writer {
    bool in_quotes;
    std::string operator()(es::Required) const { return "required"; }
    std::string operator()(es::Absent) const { return ""; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(Index value) const { return std::to_string(value); }
    std::string operator()(double value) const { return whole_or_number(value); }
    std::string operator()(std::string_view value) const {
      return in_quotes ? tool::in_quotes(std::string(value)) : std::string(value);
    }
  };
  return std::visit(Writer{field.kind == es::FieldKind::text}, field.otherwise);
}

/// 1 to 2^20, "a" or "b": what a field's value may be.
inline std::string range_text(const es::ModuleField& field) {
  const auto bound = [](double value) {
    const double size = std::abs(value);
    for (int power = 12; power < 53; ++power)
      if (size == std::ldexp(1.0, power)) return std::string(value < 0 ? "-2^" : "2^") + std::to_string(power);
    return whole_or_number(value);
  };
  std::vector<std::string> choices;
  for (const std::string_view choice : field.choices) choices.push_back(in_quotes(std::string(choice)));
  if (!choices.empty()) return with_commas(choices);
  const bool below = field.lowest > -es::ModuleField::endless, above = field.highest < es::ModuleField::endless;
  if (below && above) return bound(field.lowest) + " to " + bound(field.highest);
  return below ? "from " + bound(field.lowest) : above ? "to " + bound(field.highest) : "";
}

inline std::string space_text(es::Space space) {
  return space == es::Space::needed ? "needed" : space == es::Space::made ? "made" : space == es::Space::used ? "used" : "none";
}

inline nlohmann::ordered_json type_json(const es::ModuleType& type) {
  using json = nlohmann::ordered_json;
  struct Writer {
    json operator()(es::Required) const { return nullptr; }
    json operator()(es::Absent) const { return nullptr; }
    json operator()(bool value) const { return value; }
    json operator()(Index value) const { return value; }
    json operator()(double value) const { return value; }
    json operator()(std::string_view value) const { return value; }
  };
  json all;
  all["name"] = type.name;
  if (!type.torch.empty()) all["torch"] = type.torch;
  all["group"] = type.group;
  all["summary"] = type.summary;
  if (!type.formula.empty()) all["formula"] = type.formula;
  if (!type.notes.empty()) all["notes"] = type.notes;
  all["space"] = space_text(type.space);
  all["fields"] = json::array();
  for (const es::ModuleField& field : type.fields) {
    json own;
    own["name"] = field.name;
    own["kind"] = es::field_kind_names[static_cast<int>(field.kind)];
    own["required"] = field.is_required();
    const json otherwise = std::visit(Writer(), field.otherwise);
    if (!otherwise.is_null()) own["default"] = otherwise;
    const auto limit = [&](const char* name, double value) {
      if (std::abs(value) == es::ModuleField::endless) return;
      if (field.kind == es::FieldKind::number)
        own[name] = value;
      else
        own[name] = static_cast<std::int64_t>(value);
    };
    limit("lowest", field.lowest);
    limit("highest", field.highest);
    for (const std::string_view choice : field.choices) own["choices"].push_back(choice);
    if (field.axes > 0) own["axes"] = field.axes;
    own["meaning"] = field.meaning;
    all["fields"].push_back(std::move(own));
  }
  all["tensors"] = json::array();
  for (const es::ModuleTensor& tensor : type.tensors) {
    json own;
    own["name"] = tensor.name;
    own["shape"] = tensor.extents();
    if (!tensor.when.empty()) own["when"] = tensor.when;
    if (!tensor.meaning.empty()) own["meaning"] = tensor.meaning;
    all["tensors"].push_back(std::move(own));
  }
  return all;
}

/// All types, or one, and the limits that hold for all.
inline std::string types_json(const std::vector<es::ModuleType>& types) {
  nlohmann::ordered_json all;
  all["limits"] = {{"extent", es::max_extent},
                   {"reach", es::max_reach},
                   {"packed_weights", es::max_packed_weights},
                   {"window", es::max_window},
                   {"depth", es::max_module_depth}};
  all["types"] = nlohmann::ordered_json::array();
  for (const es::ModuleType& type : types) all["types"].push_back(type_json(type));
  return all.dump(1) + "\n";
}

inline std::string types_text(const std::vector<es::ModuleType>& types) {
  Table table({{"type"}, {"PyTorch"}, {"what it does"}});
  for (const es::ModuleType& type : types) {
    const std::string torch(type.torch.substr(0, type.torch.find(',')));
    table.add({type.name, torch, std::string(type.summary)});
  }
  return table.print();
}

/// One type in full.
inline std::string type_text(const es::ModuleType& type) {
  std::string all = type.name + ": " + std::string(type.summary) + "\n";
  if (!type.torch.empty()) all += "PyTorch: " + std::string(type.torch) + "\n";
  if (type.space == es::Space::needed) all += "inside a Windowed only\n";
  if (!type.formula.empty()) all += "\n" + std::string(type.formula) + "\n";
  if (!type.notes.empty()) all += "\n" + wrapped(type.notes, 100);
  if (!type.fields.empty()) {
    Table table({{"field"}, {"kind"}, {"default"}, {"range"}, {"meaning"}});
    for (const es::ModuleField& field : type.fields)
      table.add({std::string(field.name), std::string(es::field_kind_names[static_cast<int>(field.kind)]), default_text(field),
                 range_text(field), std::string(field.meaning)});
    all += "\n" + table.print(std::string::npos);
  }
  if (!type.tensors.empty()) {
    Table table({{"tensor"}, {"shape"}, {"with"}, {""}});
    for (const es::ModuleTensor& tensor : type.tensors)
      table.add({std::string(tensor.name), "(" + std::string(tensor.shape) + ")", std::string(tensor.when),
                 std::string(tensor.meaning)});
    all += "\n" + table.print(std::string::npos);
  }
  return all;
}

/// The page docs/types.md.
inline std::string types_markdown(const std::vector<es::ModuleType>& types) {
  const auto code = [](const std::string& raw) { return raw.empty() ? "" : "`" + raw + "`"; };
  std::string all =
      std::string("# The module types\n\n") +
      wrapped(
          "What the nodes of a [model file](model-file.md) may be: printed by `eigenstream types --markdown`, from the "
          "descriptions that files are read by. A field without a default is required, or may be absent where the column is "
          "empty. Ranges hold for each of several numbers. Texts are a list of texts. A padding is one integer for both sides or `[left, right]`, a node "
          "a module. Layers work on signals of shape (channels, time), each batch item alike: `x[c,t]` is an input, `y` the "
          "output, `n` the number of input frames; as many come out where nothing else is said. Tensors have PyTorch's shapes; "
          "`when` is the field with which they are there.",
          128);
  std::vector<std::string_view> groups;
  for (const es::ModuleType& type : types)
    if (std::find(groups.begin(), groups.end(), type.group) == groups.end()) groups.push_back(type.group);
  for (const std::string_view group : groups) {
    all += "\n## " + std::string(group) + "\n";
    if (group == "Layers over windows")
      all += "\nThey need a whole window, and so are refused over a stream: inside a Windowed only.\n";
    for (const es::ModuleType& type : types) {
      if (type.group != group) continue;
      const bool activation = group == "Activations";
      all += "\n### " + type.name + "\n\n";
      all += activation ? code("y = " + std::string(type.summary)) : std::string(type.summary);
      all += type.torch.empty() ? ".\n" : ". PyTorch: " + code(std::string(type.torch)) + ".\n";
      if (!type.formula.empty()) all += "\n```\n" + std::string(type.formula) + "\n```\n";
      if (!type.notes.empty()) all += "\n" + wrapped(type.notes, 128);
      if (!type.fields.empty()) {
        all += "\n| field | kind | default | range | meaning |\n| --- | --- | --- | --- | --- |\n";
        for (const es::ModuleField& field : type.fields)
          all += "| `" + std::string(field.name) + "` | " + std::string(es::field_kind_names[static_cast<int>(field.kind)]) +
                 " | " + (field.is_required() ? "required" : code(default_text(field))) + " | " + range_text(field) + " | " +
                 std::string(field.meaning) + " |\n";
      }
      if (!type.tensors.empty()) {
        all += "\n| tensor | shape | when | |\n| --- | --- | --- | --- |\n";
        for (const es::ModuleTensor& tensor : type.tensors)
          all += "| `" + std::string(tensor.name) + "` | (" + std::string(tensor.shape) + ") | " +
                 code(std::string(tensor.when)) + " | " + std::string(tensor.meaning) + " |\n";
      }
    }
  }
  return all;
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_TYPES_HPP
