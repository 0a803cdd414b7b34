#ifndef EIGENSTREAM_IO_MODEL_FILE_HPP
#define EIGENSTREAM_IO_MODEL_FILE_HPP

// Needs nlohmann-json, as safetensors.hpp does.

#include <filesystem>  // path
#include <map>         // metadata
#include <string>      // names
#include <variant>     // visit

#include "eigenstream/core/description.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/io/safetensors.hpp"
#include "eigenstream/io/strict_json.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What a model file holds: the description of a network, its weights, and the user's own texts.
struct ModelFile {
  ModuleSpec network;
  WeightMap weights;
  std::map<std::string, std::string> metadata;
};

/// Deepest nesting of modules in a model file.
inline constexpr std::size_t max_module_depth = 64;

namespace detail {

inline ModuleSpec parse_module(const json& node, const std::string& where) {
  check(node.is_object(), where, "a module is ", in_quotes(node.dump()), ", not an object");
  ModuleSpec spec;
  const auto text = [&](const char* key) {
    const auto found = node.find(key);
    check(found != node.end() && found->is_string(), where, "a module has no ", key, ": ", in_quotes(node.dump()));
    return found->get<std::string>();
  };
  spec.type = text("type");
  spec.path = text("path");
  for (const auto& item : node.items()) {
    const std::string& key = item.key();
    const json& value = item.value();
    std::string at = where;
    at.append("module ").append(in_quotes(spec.path)).append(" (").append(spec.type).append("): ").append(key) += ": ";
    if (key == "type" || key == "path") continue;
    if (value.is_object()) {
      spec.children[key] = {parse_module(value, where)};
    } else if (value.is_array() && (value.empty() || value.front().is_object())) {
      auto& list = spec.children[key];
      for (const json& child : value) list.push_back(parse_module(child, where));
    } else if (value.is_array() && value.front().is_string()) {
      std::vector<std::string> texts;
      for (const json& each : value) {
        check(each.is_string(), at, in_quotes(each.dump()), " is not a text");
        texts.push_back(each.get<std::string>());
      }
      spec.fields[key] = texts;
    } else if (value.is_array()) {
      std::vector<std::int64_t> numbers;
      for (const json& number : value) {
        check(number.is_number_integer() && (!number.is_number_unsigned() || number.get<std::uint64_t>() >> 63 == 0),
              at, in_quotes(number.dump()), " is not an integer");
        numbers.push_back(number.get<std::int64_t>());
      }
      spec.fields[key] = numbers;
    } else if (value.is_boolean()) {
      spec.fields[key] = value.get<bool>();
    } else if (value.is_number_integer()) {
      check(!value.is_number_unsigned() || value.get<std::uint64_t>() >> 63 == 0, at, value.dump(), " is too large");
      spec.fields[key] = value.get<std::int64_t>();
    } else if (value.is_number_float()) {
      spec.fields[key] = value.get<double>();
    } else {
      check(value.is_string(), at, in_quotes(value.dump()), " is no value of a field");
      spec.fields[key] = value.get<std::string>();
    }
  }
  return spec;
}

inline json module_json(const ModuleSpec& spec) {
  json node = {{"type", spec.type}, {"path", spec.path}};
  for (const auto& [key, value] : spec.fields)
    node[key] = std::visit([](const auto& held) { return json(held); }, value);
  for (const auto& [key, children] : spec.children) {
    const bool one = key == "net";
    check(!one || children.size() == 1, "model file: module ", in_quotes(spec.path), " has ", children.size(),
          " networks");
    json list = json::array();
    for (const ModuleSpec& child : children) list.push_back(module_json(child));
    node[key] = one ? list.front() : list;
  }
  return node;
}

}  // namespace detail

/// The description of a network from its JSON node. `where` begins every message.
/// Errors   Error if the text is not such a node
inline ModuleSpec parse_module_spec(std::string_view text, const std::string& where = "") {
  return detail::parse_module(detail::strict_json(text, 2 * max_module_depth + 1, where, "the network"), where);
}

/// Takes a model file's contents apart; docs/model-file.md has the format.
/// Errors   Error if it has no description or one of another version; the message begins with `where`
inline ModelFile parse_model(Safetensors file, const std::string& where = "") {
  using detail::in_quotes;
  const auto found = file.metadata.find("eigenstream");
  check(found != file.metadata.end(), where,
        "not a model file: its metadata has no \"eigenstream\" (write one with python/eigenstream_export.py)");
  const auto root = detail::strict_json(found->second, 2 * max_module_depth + 2, where, "the description");
  ModelFile model;
  for (const auto& item : root.items()) {
    if (item.key() == "version") {
      check(item.value() == 1, where, "model file version ", item.value().dump().substr(0, 40),
            ", this reads version 1");
    } else if (item.key() == "metadata") {
      check(item.value().is_object(), where, "metadata is not an object");
      for (const auto& entry : item.value().items()) {
        check(entry.value().is_string(), where, "metadata ", in_quotes(entry.key()), " is not a string");
        model.metadata[entry.key()] = entry.value().get<std::string>();
      }
    } else if (item.key() == "network") {
      model.network = detail::parse_module(item.value(), where);
    } else {
      fail(where, "unknown field ", in_quotes(item.key()), " in the description");
    }
  }
  check(root.contains("version"), where, "the description has no version");
  check(root.contains("network"), where, "the description has no network");
  model.weights = std::move(file.tensors);
  return model;
}

/// Reads a model file.
/// Errors   those of read_safetensors and parse_model, beginning with the path
inline ModelFile read_model(const std::filesystem::path& path) {
  return parse_model(read_safetensors(path), detail::in_quotes(path.string()) + ": ");
}

/// The way back of parse_model.
inline Safetensors make_model(const ModelFile& model) {
  detail::json root = {{"version", 1}, {"network", detail::module_json(model.network)}};
  if (!model.metadata.empty()) root["metadata"] = model.metadata;
  return {.tensors = model.weights, .metadata = {{"eigenstream", root.dump()}}};
}

/// Writes a model file, all at once.
/// Errors   those of write_safetensors
inline void write_model(const std::filesystem::path& path, const ModelFile& model) {
  write_safetensors(path, make_model(model));
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IO_MODEL_FILE_HPP
