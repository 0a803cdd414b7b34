#ifndef EIGENSTREAM_IO_SAFETENSORS_HPP
#define EIGENSTREAM_IO_SAFETENSORS_HPP

// One of the few headers that need more than Eigen: the file's own header is JSON, read and written by nlohmann-json.

#include <Eigen/Core>         // half, bfloat16
#include <algorithm>          // sort, find_if, transform
#include <array>              // the table of dtypes
#include <bit>                // bit_cast
#include <cmath>              // isinf
#include <cstddef>            // byte
#include <cstdint>            // uint64_t
#include <filesystem>         // path
#include <limits>             // largest Index
#include <map>                // map
#include <nlohmann/json.hpp>  // json
#include <span>               // span
#include <string>             // string
#include <string_view>        // string_view
#include <utility>            // move
#include <vector>             // vector

#include "eigenstream/config.hpp"
#include "eigenstream/core/check.hpp"
#include "eigenstream/core/weights.hpp"  // WeightMap
#include "eigenstream/io/file.hpp"
#include "eigenstream/io/strict_json.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What a .safetensors file holds: tensors under their names, and text under its keys.
struct Safetensors {
  WeightMap tensors;
  std::map<std::string, std::string> metadata;

  bool operator==(const Safetensors&) const = default;
};

/// The longest JSON header that is read or written.
inline constexpr std::uint64_t max_safetensors_header_bytes = std::uint64_t{16} << 20;

/// The longest file that is read or written. Also keeps every offset within Index.
inline constexpr std::uint64_t max_safetensors_bytes =
    std::min(std::uint64_t{16} << 30, static_cast<std::uint64_t>(std::numeric_limits<Index>::max()));

namespace detail::safetensors {

using json = nlohmann::json;

inline constexpr std::string_view metadata_key = "__metadata__";

inline std::string in_quotes(const std::filesystem::path& path) { return detail::in_quotes(path.string()); }
inline std::string in_quotes(const std::string& text) { return detail::in_quotes(text); }

// ---- Values

template <class Bits>
Bits load_little_endian(const std::byte* from) {
  Bits bits = 0;
  for (std::size_t i = 0; i < sizeof(Bits); ++i)
    bits = static_cast<Bits>(bits | std::to_integer<Bits>(from[i]) << (8 * i));
  return bits;
}

template <class Bits>
void store_little_endian(std::byte* to, Bits bits) {
  for (std::size_t i = 0; i < sizeof(Bits); ++i) to[i] = static_cast<std::byte>(bits >> (8 * i) & 0xff);
}

inline float from_f32(std::uint32_t bits) { return std::bit_cast<float>(bits); }
inline double from_f64(std::uint64_t bits) { return std::bit_cast<double>(bits); }
inline float from_f16(std::uint16_t bits) { return static_cast<float>(std::bit_cast<Eigen::half>(bits)); }
inline float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

template <class Bits, auto value_of>
std::vector<float> decode(std::span<const std::byte> bytes, const std::string& at) {
  std::vector<float> values(bytes.size() / sizeof(Bits));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto exact = value_of(load_little_endian<Bits>(&bytes[i * sizeof(Bits)]));
    values[i] = static_cast<float>(exact);
    check(std::isinf(values[i]) == std::isinf(exact), at, "element ", i, " is ", exact, ", too large for a float");
  }
  return values;
}

struct Dtype {
  std::string_view name;
  Index item_bytes;
  std::vector<float> (*decode)(std::span<const std::byte> bytes, const std::string& at);
};

inline constexpr std::array<Dtype, 4> dtypes{{{"F32", 4, decode<std::uint32_t, from_f32>},
                                              {"F64", 8, decode<std::uint64_t, from_f64>},
                                              {"F16", 2, decode<std::uint16_t, from_f16>},
                                              {"BF16", 2, decode<std::uint16_t, from_bf16>}}};

/// Bytes of a tensor with no negative size, or -1 if item_bytes times the non-zero sizes overflows: so no product of
/// some of the sizes can overflow later.
inline Index tensor_bytes(const std::vector<Index>& shape, Index item_bytes) {
  Index bytes = item_bytes;
  bool empty = false;
  for (const Index size : shape) {
    if (size == 0)
      empty = true;
    else if (bytes > std::numeric_limits<Index>::max() / size)
      return -1;
    else
      bytes *= size;
  }
  return empty ? 0 : bytes;
}

// ---- Reading. `where` and `at` are how every message begins: the file, and the tensor in it.

struct Entry {
  std::string name;
  std::string at;
  const Dtype* dtype;
  std::vector<Index> shape;
  Index begin, end;  // in bytes of the data
};

struct Header {
  std::vector<Entry> entries;  // one after another in the data, without gaps
  std::map<std::string, std::string> metadata;
};

inline std::vector<Index> parse_sizes(const json& value, const std::string& at, std::string_view key) {
  check(value.is_array(), at, key, " is not an array");
  std::vector<Index> sizes;
  for (const json& item : value) {
    const auto* size = item.get_ptr<const json::number_unsigned_t*>();
    check(size != nullptr && *size <= static_cast<std::uint64_t>(std::numeric_limits<Index>::max()), at, key, " holds ",
          in_quotes(item.dump(-1, ' ', true)), ", not a size");
    sizes.push_back(static_cast<Index>(*size));
  }
  return sizes;
}

inline Entry parse_entry(const std::string& name, const json& value, Index data_bytes, const std::string& where) {
  Entry entry{name, where + "tensor " + in_quotes(name) + ": ", nullptr, {}, 0, 0};
  const std::string& at = entry.at;
  check(value.is_object(), at, "its entry in the header is not an object");
  for (const auto& item : value.items())
    check(item.key() == "dtype" || item.key() == "shape" || item.key() == "data_offsets", at, "unknown key ",
          in_quotes(item.key()));
  check(value.size() == 3, at, "dtype, shape or data_offsets is missing");

  const auto* dtype = value["dtype"].get_ptr<const std::string*>();
  check(dtype != nullptr, at, "dtype is not a string");
  const auto known = std::find_if(dtypes.begin(), dtypes.end(), [&](const Dtype& each) { return each.name == *dtype; });
  check(known != dtypes.end(), at, "dtype ", in_quotes(*dtype), " is not supported (F32, F64, F16 and BF16 are)");
  entry.dtype = &*known;

  entry.shape = parse_sizes(value["shape"], at, "shape");
  const std::vector<Index> offsets = parse_sizes(value["data_offsets"], at, "data_offsets");
  check(offsets.size() == 2, at, "data_offsets has ", offsets.size(), " values, not 2");
  entry.begin = offsets[0];
  entry.end = offsets[1];
  check(entry.begin <= entry.end && entry.end <= data_bytes, at, "data_offsets ", entry.begin, " to ", entry.end,
        " are not within the ", data_bytes, " bytes of data");

  const Index bytes = tensor_bytes(entry.shape, entry.dtype->item_bytes);
  check(bytes >= 0, at, "the product of its shape is too large");
  check(bytes == entry.end - entry.begin, at, "its shape takes ", bytes, " bytes, its data_offsets span ",
        entry.end - entry.begin);
  return entry;
}

inline std::map<std::string, std::string> parse_metadata(const json& value, const std::string& where) {
  check(value.is_object(), where, metadata_key, " is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& item : value.items()) {
    const auto* text = item.value().get_ptr<const std::string*>();
    check(text != nullptr, where, metadata_key, " ", in_quotes(item.key()), " is not a string");
    metadata.emplace(item.key(), *text);
  }
  return metadata;
}

inline Header parse_header(std::string_view text, Index data_bytes, const std::string& where) {
  const json root = strict_json(text, 3, where, "the header");  // header, tensor, shape

  Header header;
  for (const auto& item : root.items()) {
    if (item.key() == metadata_key)
      header.metadata = parse_metadata(item.value(), where);
    else
      header.entries.push_back(parse_entry(item.key(), item.value(), data_bytes, where));
  }

  std::sort(header.entries.begin(), header.entries.end(),
            [](const Entry& a, const Entry& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
  Index covered = 0;
  for (const Entry& entry : header.entries) {
    check(entry.begin >= covered, entry.at, "overlaps another tensor at byte ", entry.begin, " of the data");
    check(entry.begin == covered, entry.at, "the ", entry.begin - covered, " bytes before its data are no tensor's");
    covered = entry.end;
  }
  check(covered == data_bytes, where, "the last ", data_bytes - covered, " bytes of the data are no tensor's");
  return header;
}

/// Reads from front to back. take(n) gives the next n bytes, valid until it is called again; file_bytes is how many
/// there really are, and nothing larger is asked for.
template <class Take>
Safetensors read(std::uint64_t file_bytes, const std::string& where, Take take) {
  constexpr std::uint64_t prefix_bytes = 8;
  check(file_bytes >= prefix_bytes, where, "only ", file_bytes, " bytes long, too short");
  check(file_bytes <= max_safetensors_bytes, where, file_bytes, " bytes long, more than ", max_safetensors_bytes);
  const auto header_bytes = load_little_endian<std::uint64_t>(take(prefix_bytes).data());
  check(header_bytes <= max_safetensors_header_bytes, where, "not a safetensors file, or a damaged one: the header claims ",
        header_bytes, " bytes, more than the allowed ", max_safetensors_header_bytes);
  check(header_bytes <= file_bytes - prefix_bytes, where, "the header claims ", header_bytes, " bytes, the file has ",
        file_bytes - prefix_bytes, " left");

  const std::span<const std::byte> text = take(static_cast<std::size_t>(header_bytes));
  Header header = parse_header({reinterpret_cast<const char*>(text.data()), text.size()},
                               static_cast<Index>(file_bytes - prefix_bytes - header_bytes), where);
  Safetensors result;
  result.metadata = std::move(header.metadata);
  for (Entry& entry : header.entries) {
    const std::span<const std::byte> bytes = take(static_cast<std::size_t>(entry.end - entry.begin));
    result.tensors[entry.name] = {std::move(entry.shape), entry.dtype->decode(bytes, entry.at)};
  }
  return result;
}

// ---- Writing

/// Whether JSON can carry the text: what the writer has to leave out does not come back.
inline bool is_utf8(const std::string& text) {
  const json value = text;
  return json::parse(value.dump(-1, ' ', false, json::error_handler_t::ignore), nullptr, false) == value;
}

}  // namespace detail::safetensors

/// Reads a .safetensors file from memory. F32, F64, F16 and BF16 become float, rounded to nearest.
/// Errors   Error on anything that the format does not allow (a wrong or duplicate key, a size or offset that does not
///          match, an overlap, a gap, trailing bytes), on any other dtype, on an F64 value beyond the range of float.
///          The message is one line and names the tensor. Memory stays in proportion to the size of the input
/// Source   https://github.com/huggingface/safetensors#format
inline Safetensors parse_safetensors(std::span<const std::byte> bytes) {
  return detail::safetensors::read(bytes.size(), "safetensors: ", [&](std::size_t count) {
    const std::span<const std::byte> taken = bytes.first(count);
    bytes = bytes.subspan(count);
    return taken;
  });
}

/// As parse_safetensors, from a file, one tensor at a time.
/// Errors   Those, also naming the path; and a path that is not a readable regular file
inline Safetensors read_safetensors(const std::filesystem::path& path) {
  const std::string where = "safetensors file " + detail::safetensors::in_quotes(path) + ": ";
  detail::InputFile file(path, where);
  std::vector<std::byte> buffer;
  const auto take = [&](std::size_t count) -> std::span<const std::byte> {
    buffer.resize(count);
    file.read(buffer);
    return buffer;
  };
  return detail::safetensors::read(file.bytes(), where, take);
}

/// The bytes of a .safetensors file, every tensor as F32, in the order of the names. Reading them gives the same value.
/// Errors   Error if a shape does not fit its data, a name or text is not UTF-8, or the file would be too long to read
inline std::vector<std::byte> serialise_safetensors(const Safetensors& contents) {
  namespace io = detail::safetensors;
  const std::string where = "safetensors: ";
  constexpr Index item_bytes = 4;

  io::json header = io::json::object();
  Index data_bytes = 0;
  for (const auto& [name, tensor] : contents.tensors) {
    const std::string at = where + "tensor " + io::in_quotes(name) + ": ";
    check(io::is_utf8(name), at, "the name is not UTF-8");
    check(name != io::metadata_key, at, "the name is reserved");
    for (const Index size : tensor.shape) check(size >= 0, at, "its shape holds ", size);
    const auto values = static_cast<Index>(tensor.values.size());
    const Index bytes = io::tensor_bytes(tensor.shape, item_bytes);
    check(bytes >= 0, at, "the product of its shape is too large");
    check(bytes / item_bytes == values, at, "its shape takes ", bytes / item_bytes, " values, it has ", values);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {data_bytes, data_bytes + bytes}}};
    data_bytes += bytes;
  }
  for (const auto& [key, text] : contents.metadata)
    check(io::is_utf8(key) && io::is_utf8(text), where, "metadata ", io::in_quotes(key), " is not UTF-8");
  if (!contents.metadata.empty()) header[std::string(io::metadata_key)] = contents.metadata;

  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // aligns the data
  check(text.size() <= max_safetensors_header_bytes, where, "the header would take ", text.size(),
        " bytes, more than the allowed ", max_safetensors_header_bytes);
  const std::uint64_t file_bytes = 8 + text.size() + static_cast<std::uint64_t>(data_bytes);
  check(file_bytes <= max_safetensors_bytes, where, file_bytes, " bytes long, more than ", max_safetensors_bytes);

  std::vector<std::byte> result(static_cast<std::size_t>(file_bytes));
  std::byte* to = result.data();
  io::store_little_endian(to, std::uint64_t{text.size()});
  to = std::transform(text.begin(), text.end(), to + 8, [](char c) { return static_cast<std::byte>(c); });
  for (const auto& [name, tensor] : contents.tensors) {
    for (const float value : tensor.values) {
      io::store_little_endian(to, std::bit_cast<std::uint32_t>(value));
      to += item_bytes;
    }
  }
  return result;
}

/// Writes the file all at once: it goes to a temporary file beside the path, which is then renamed over it.
/// Errors   Those of serialise_safetensors, and what the system reports; what was under the path stays, nothing is left
inline void write_safetensors(const std::filesystem::path& path, const Safetensors& contents) {
  detail::write_atomically(path, serialise_safetensors(contents));
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IO_SAFETENSORS_HPP
