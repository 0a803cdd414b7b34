#ifndef EIGENSTREAM_IMPORT_IMPORT_MODEL_HPP
#define EIGENSTREAM_IMPORT_IMPORT_MODEL_HPP

// Needs nlohmann-json, as safetensors.hpp does.

#include <algorithm>    // min
#include <cstddef>      // byte
#include <filesystem>   // path
#include <optional>     // bytes, test vectors
#include <span>         // bytes
#include <string>       // file
#include <string_view>  // text
#include <vector>       // bytes

#include "eigenstream/import/nam.hpp"
#include "eigenstream/import/onnx.hpp"
#include "eigenstream/import/rtneural.hpp"
#include "eigenstream/io/file.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

// A .safetensors file begins with the length of its header, of which the upper bytes are 0; the formats of text have no such byte.
inline bool is_safetensors(std::span<const std::byte> bytes) {
  return bytes.size() >= 9 && bytes[7] == std::byte{0} && bytes[8] == std::byte{'{'};
}
// From the first brace on; none if there is something else before it.
inline std::string_view json_part(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '{' ? text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first) : std::string_view();
}

// All of a file; nothing of one that is a .safetensors file.
inline std::optional<std::vector<std::byte>> read_foreign(const std::filesystem::path& path, const std::string& where) {
  InputFile file(path, where);
  constexpr std::uint64_t first = 16;
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(first, file.bytes())));
  if (!bytes.empty()) file.read(bytes);
  if (is_safetensors(bytes)) return std::nullopt;
  check(file.bytes() <= max_imported_file_bytes, where, "has ", file.bytes(), " bytes, more than ", max_imported_file_bytes);
  bytes.resize(static_cast<std::size_t>(file.bytes()));
  if (file.bytes() > first) file.read(std::span(bytes).subspan(static_cast<std::size_t>(first)));
  return bytes;
}

inline void check_no_options(const ImportOptions& options, const std::string& where) {
  check(!options.quality && !options.fast_tanh && options.onnx == OnnxOptions(), where,
        "a model file is what it is: it leaves nothing to choose");
}
// An ONNX file begins with the version of its format, a field of one byte; no text does.
inline bool is_onnx(std::span<const std::byte> bytes) { return !bytes.empty() && bytes[0] == std::byte{8}; }

inline ModelFile import_json(std::string_view text, const ImportOptions& options, const std::string& where) {
  check(text.size() <= max_json_bytes, where, "has ", text.size(), " bytes of JSON, more than ", max_json_bytes);
  const json root = strict_json(text, max_module_depth, where, "the file");
  if (root.contains("architecture")) return import_nam(root, options, where);
  if (root.contains("layers")) return import_rtneural(root, options, where);
  if (root.contains("model_data")) return import_guitarml(root, options, where);
  fail(where, "this JSON is not a network that can be read: that of Neural Amp Modeler has \"architecture\", RTNeural's and AIDA-X's "
       "\"layers\", GuitarML's \"model_data\"");
}

}  // namespace detail

/// The network of a file in any format that is known here, which its content tells: a model file, ONNX, .nam, or the JSON of RTNeural,
/// AIDA-X and GuitarML. `where` begins every message.
/// Errors   Error naming the place in the file; for an option that it has no use for
inline ModelFile import_model(std::span<const std::byte> bytes, const ImportOptions& options = {}, const std::string& where = "") {
  if (detail::is_safetensors(bytes)) {
    detail::check_no_options(options, where);
    return parse_model(parse_safetensors(bytes), where);
  }
  if (detail::is_onnx(bytes)) {
    check(!options.quality && !options.fast_tanh, where, "an ONNX file leaves neither a quality nor a tanh to choose");
    return import_onnx(bytes, options.onnx, where);
  }
  check(options.onnx == OnnxOptions(), where, "shapes, states, known inputs and windows are for ONNX files, which this is not");
  const std::string_view text = detail::json_part(bytes);
  check(!text.empty(), where, "neither a model file (.safetensors) nor one of ONNX or of JSON (.nam, .json, .aidax)");
  return detail::import_json(text, options, where);
}

/// The same of a file.
/// Errors   those, and of a path that is not a readable regular file; beginning with the path
inline ModelFile import_model(const std::filesystem::path& path, const ImportOptions& options = {}) {
  const std::string where = detail::path_in_quotes(path) + ": ";
  const auto bytes = detail::read_foreign(path, where);
  if (bytes) return import_model(*bytes, options, where);
  detail::check_no_options(options, where);
  return read_model(path);  // tensor by tensor
}

/// Test vectors that a file carries; none in most formats.
/// Errors   those of import_model
inline std::optional<ImportTest> import_test(std::span<const std::byte> bytes, const std::string& where = "") {
  const std::string_view text = detail::json_part(bytes);
  if (detail::is_safetensors(bytes) || text.empty() || text.size() > max_json_bytes) return std::nullopt;
  const detail::json root = detail::strict_json(text, max_module_depth, where, "the file");
  if (root.contains("architecture") || !root.contains("layers")) return std::nullopt;
  return detail::rtneural_test(root, where);
}
inline std::optional<ImportTest> import_test(const std::filesystem::path& path) {
  const std::string where = detail::path_in_quotes(path) + ": ";
  const auto bytes = detail::read_foreign(path, where);
  return bytes ? import_test(*bytes, where) : std::nullopt;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_IMPORT_MODEL_HPP
