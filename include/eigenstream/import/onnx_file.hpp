#ifndef EIGENSTREAM_IMPORT_ONNX_FILE_HPP
#define EIGENSTREAM_IMPORT_ONNX_FILE_HPP

#include <bit>          // bit_cast
#include <cmath>        // ldexp, isfinite
#include <cstddef>      // byte
#include <cstdint>      // uint64_t
#include <cstring>      // memcpy
#include <limits>       // infinity
#include <map>          // attributes, metadata
#include <span>         // bytes
#include <string>       // names
#include <string_view>  // keys
#include <vector>       // nodes

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What an ONNX file holds, as far as networks need it.
/// Source   the message definitions of onnx.proto3; field numbers are theirs
namespace onnx {

/// A tensor of numbers. Every kind that is read fits a double, but for whole numbers beyond 2^53, which only stand for
/// "to the end" in real files.
struct Tensor {
  std::string name;
  std::vector<Index> dims;
  bool whole = false;  ///< integers or truth values
  std::vector<double> numbers;
};

struct Graph;

struct Attribute {
  enum class Kind { none, number, integer, text, tensor, graph, numbers, integers, texts };
  Kind kind = Kind::none;
  double number = 0;
  std::int64_t integer = 0;
  std::string text;
  Tensor tensor;
  std::vector<Graph> graph;  ///< one, if any
  std::vector<double> numbers;
  std::vector<std::int64_t> integers;
  std::vector<std::string> texts;
};

struct Node {
  std::string op, name;
  std::vector<std::string> inputs, outputs;  ///< "" for one that is left out
  std::map<std::string, Attribute, std::less<>> attributes;

  /// For messages: the operation, and the name or else the first output.
  std::string shown() const {
    const std::string& own = !name.empty() || outputs.empty() ? name : outputs.front();
    return "node \"" + own + "\" (" + op + ")";
  }
};

/// An input or output: its extents, -1 for one that the file leaves open, whose name is in `symbols`.
struct Port {
  std::string name;
  std::vector<Index> dims;
  std::vector<std::string> symbols;
  bool whole = false;
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<Tensor> tensors;
  std::vector<Port> inputs, outputs;
};

struct File {
  Graph graph;
  Index opset = 0;  ///< of the standard operations
  std::string producer;
  std::map<std::string, std::string> metadata;
};

namespace detail {

/// Walks the fields of one message of Google's wire format. Everything it hands out lies within the file's bytes.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  /// Goes to the next field; false at the end.
  bool next() {
    if (bytes_.empty()) return false;
    const std::uint64_t key = varint();
    number_ = static_cast<int>(key >> 3);
    switch (key & 7) {
      case 0:
        value_ = varint();
        wire_ = 0;
        break;
      case 1:
        data_ = take(8);
        wire_ = 1;
        break;
      case 2:
        data_ = take(varint());
        wire_ = 2;
        break;
      case 5:
        data_ = take(4);
        wire_ = 5;
        break;
      default:
        fail(where_, "damaged: a field of unknown kind ", key & 7);
    }
    return true;
  }
  int number() const noexcept { return number_; }
  std::int64_t integer() const {
    check(wire_ == 0, where_, "damaged: field ", number_, " is no integer");
    return static_cast<std::int64_t>(value_);
  }
  std::span<const std::byte> bytes() const {
    check(wire_ == 2, where_, "damaged: field ", number_, " is no message or text");
    return data_;
  }
  std::string text() const {
    const std::span<const std::byte> own = bytes();
    return {reinterpret_cast<const char*>(own.data()), own.size()};
  }
  /// A number of 4 bytes, or all of a packed field.
  void floats(std::vector<double>& to) const {
    check(wire_ == 5 || (wire_ == 2 && data_.size() % 4 == 0), where_, "damaged: field ", number_, " holds no floats");
    for (std::size_t at = 0; at < data_.size(); at += 4) to.push_back(little<float>(data_.subspan(at)));
  }
  void doubles(std::vector<double>& to) const {
    check(wire_ == 1 || (wire_ == 2 && data_.size() % 8 == 0), where_, "damaged: field ", number_, " holds no doubles");
    for (std::size_t at = 0; at < data_.size(); at += 8) to.push_back(little<double>(data_.subspan(at)));
  }
  template <class T>
  void integers(std::vector<T>& to) const {
    if (wire_ == 0) {
      to.push_back(static_cast<T>(static_cast<std::int64_t>(value_)));
      return;
    }
    for (Fields packed(bytes(), where_); !packed.bytes_.empty();)
      to.push_back(static_cast<T>(static_cast<std::int64_t>(packed.varint())));
  }
  /// A number at the beginning of bytes, little end first.
  template <class T>
  static double little(std::span<const std::byte> from) noexcept {
    using Bits =
        std::conditional_t<sizeof(T) == 8, std::uint64_t,
                           std::conditional_t<sizeof(T) == 4, std::uint32_t,
                                              std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint8_t>>>;
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < sizeof(T); ++k) bits |= std::to_integer<std::uint64_t>(from[k]) << (8 * k);
    return static_cast<double>(std::bit_cast<T>(static_cast<Bits>(bits)));
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      check(!bytes_.empty(), where_, "ends too early");
      check(shift < 64, where_, "damaged: an integer of more than 64 bits");
      const auto byte = std::to_integer<std::uint64_t>(bytes_.front());
      bytes_ = bytes_.subspan(1);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
  std::span<const std::byte> take(std::uint64_t count) {
    check(count <= bytes_.size(), where_, "ends too early");
    const auto taken = bytes_.first(static_cast<std::size_t>(count));
    bytes_ = bytes_.subspan(static_cast<std::size_t>(count));
    return taken;
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  int number_ = 0, wire_ = 0;
  std::uint64_t value_ = 0;
  std::span<const std::byte> data_;
};

/// Half precision, by its bits.
inline double half(std::uint16_t bits) noexcept {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

inline Tensor read_tensor(std::span<const std::byte> bytes, const std::string& where) {
  Tensor tensor;
  std::int64_t type = 0;
  std::span<const std::byte> raw;
  bool has_raw = false;
  std::vector<double> small;  // int32_data: integers, truth values and bits of half precision
  for (Fields field(bytes, where); field.next();) switch (field.number()) {
      case 1:
        field.integers(tensor.dims);
        break;
      case 2:
        type = field.integer();
        break;
      case 4:
        field.floats(tensor.numbers);
        break;
      case 5:
        field.integers(small);
        break;
      case 7:
        field.integers(tensor.numbers);
        break;
      case 8:
        tensor.name = field.text();
        break;
      case 9:
        raw = field.bytes(), has_raw = true;
        break;
      case 10:
        field.doubles(tensor.numbers);
        break;
      case 14:
        check(field.integer() == 0, where, "the numbers of a tensor lie in another file: put all into one first");
        break;
      default:
        break;
    }
  const std::string named = where + "tensor \"" + tensor.name + "\": ";
  const auto numbers = [&]<class T>(T, auto&& decoded) {
    check(raw.size() % sizeof(T) == 0, named, raw.size(), " bytes are no numbers of ", sizeof(T), " bytes");
    for (std::size_t at = 0; at < raw.size(); at += sizeof(T))
      tensor.numbers.push_back(decoded(Fields::little<T>(raw.subspan(at))));
  };
  const auto plain = [](double number) { return number; };
  const auto from_half = [](double bits) { return half(static_cast<std::uint16_t>(bits)); };
  const auto from_bfloat = [](double bits) {
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
  };
  switch (type) {
    case 1:
      if (has_raw) numbers(0.0F, plain);
      break;
    case 2:
    case 9:
      if (has_raw) numbers(std::uint8_t{}, plain);
      break;
    case 3:
      if (has_raw) numbers(std::int8_t{}, plain);
      break;
    case 6:
      if (has_raw) numbers(std::int32_t{}, plain);
      break;
    case 7:
      if (has_raw) numbers(std::int64_t{}, plain);
      break;
    case 10:
    case 16:
      if (has_raw) numbers(std::uint16_t{}, plain), std::swap(small, tensor.numbers);
      for (const double bits : small) {
        check(bits >= 0 && bits < 65536, named, "damaged: no number of 16 bits");
        tensor.numbers.push_back(type == 10 ? from_half(bits) : from_bfloat(bits));
      }
      small.clear();
      break;
    case 11:
      if (has_raw) numbers(0.0, plain);
      break;
    default:
      fail(named, "numbers of kind ", type, " of the format are not read (floats and integers are)");
  }
  tensor.numbers.insert(tensor.numbers.end(), small.begin(), small.end());
  tensor.whole = type == 2 || type == 3 || type == 6 || type == 7 || type == 9;
  double count = 1;
  for (const Index extent : tensor.dims) {
    check(extent >= 0, named, "an extent of ", extent);
    count *= static_cast<double>(extent);
  }
  check(count == static_cast<double>(tensor.numbers.size()), named, "holds ", tensor.numbers.size(),
        " numbers, expected ", count);
  for (const double number : tensor.numbers) check(std::isfinite(number), named, "holds a number that is not finite");
  return tensor;
}

inline constexpr int deepest_graph = 16;
inline Graph read_graph(std::span<const std::byte> bytes, const std::string& where, int depth);

inline Attribute read_attribute(std::span<const std::byte> bytes, const std::string& where, std::string& name,
                                int depth) {
  using Kind = Attribute::Kind;
  Attribute attribute;
  std::int64_t type = 0;
  bool has_tensor = false;
  for (Fields field(bytes, where); field.next();) switch (field.number()) {
      case 1:
        name = field.text();
        break;
      case 2: {
        std::vector<double> one;
        field.floats(one);
        check(one.size() == 1, where, "damaged: an attribute of ", one.size(), " numbers");
        attribute.number = one.front();
        break;
      }
      case 3:
        attribute.integer = field.integer();
        break;
      case 4:
        attribute.text = field.text();
        break;
      case 5:
        attribute.tensor = read_tensor(field.bytes(), where), has_tensor = true;
        break;
      case 6:
        attribute.graph = {read_graph(field.bytes(), where, depth + 1)};
        break;
      case 7:
        field.floats(attribute.numbers);
        break;
      case 8:
        field.integers(attribute.integers);
        break;
      case 9:
        attribute.texts.push_back(field.text());
        break;
      case 20:
        type = field.integer();
        break;
      default:
        break;
    }
  constexpr Kind kinds[] = {Kind::none,  Kind::number,  Kind::integer,  Kind::text, Kind::tensor,
                            Kind::graph, Kind::numbers, Kind::integers, Kind::texts};
  if (type >= 1 && type <= 8) attribute.kind = kinds[type];
  check(attribute.kind != Kind::tensor || has_tensor, where, "damaged: attribute \"", name, "\" has no tensor");
  check(attribute.kind != Kind::graph || attribute.graph.size() == 1, where, "damaged: attribute \"", name,
        "\" has no graph");
  return attribute;
}

inline Node read_node(std::span<const std::byte> bytes, const std::string& where, int depth) {
  Node node;
  std::string domain;
  for (Fields field(bytes, where); field.next();) switch (field.number()) {
      case 1:
        node.inputs.push_back(field.text());
        break;
      case 2:
        node.outputs.push_back(field.text());
        break;
      case 3:
        node.name = field.text();
        break;
      case 4:
        node.op = field.text();
        break;
      case 5: {
        std::string name;
        Attribute attribute = read_attribute(field.bytes(), where, name, depth);
        node.attributes[name] = std::move(attribute);
        break;
      }
      case 7:
        domain = field.text();
        break;
      default:
        break;
    }
  check(domain.empty() || domain == "ai.onnx", where, node.shown(), ": is of the extension \"", domain,
        "\", which is not read");
  return node;
}

inline Port read_port(std::span<const std::byte> bytes, const std::string& where) {
  Port port;
  const auto each = [&](std::span<const std::byte> message, int wanted, auto&& found) {
    for (Fields field(message, where); field.next();)
      if (field.number() == wanted) found(field);
  };
  const auto dimension = [&](const Fields& entry) {
    Index extent = -1;
    std::string symbol;
    for (Fields field(entry.bytes(), where); field.next();) {
      if (field.number() == 1) extent = static_cast<Index>(field.integer());
      if (field.number() == 2) symbol = field.text();
    }
    port.dims.push_back(extent > 0 ? extent : -1);
    port.symbols.push_back(std::move(symbol));
  };
  each(bytes, 1, [&](const Fields& name) { port.name = name.text(); });
  each(bytes, 2, [&](const Fields& type) {
    each(type.bytes(), 1, [&](const Fields& tensor) {
      each(tensor.bytes(), 1, [&](const Fields& kind) {
        const std::int64_t number = kind.integer();
        port.whole = number != 1 && number != 10 && number != 11 && number != 16;
      });
      each(tensor.bytes(), 2, [&](const Fields& shape) { each(shape.bytes(), 1, dimension); });
    });
  });
  return port;
}

inline Graph read_graph(std::span<const std::byte> bytes, const std::string& where, int depth) {
  check(depth <= deepest_graph, where, "graphs are nested more than ", deepest_graph, " deep");
  Graph graph;
  for (Fields field(bytes, where); field.next();) switch (field.number()) {
      case 1:
        graph.nodes.push_back(read_node(field.bytes(), where, depth));
        break;
      case 5:
        graph.tensors.push_back(read_tensor(field.bytes(), where));
        break;
      case 11:
        graph.inputs.push_back(read_port(field.bytes(), where));
        break;
      case 12:
        graph.outputs.push_back(read_port(field.bytes(), where));
        break;
      case 15:
        fail(where, "holds sparse tensors, which are not read");
      default:
        break;
    }
  return graph;
}

}  // namespace detail

/// Takes the bytes of an ONNX file apart. `where` begins every message.
/// Errors   Error if they are damaged, end too early, hold numbers that are not finite or of a kind that is not read,
/// or use
///          extensions of the format
inline File parse(std::span<const std::byte> bytes, const std::string& where = "") {
  File file;
  bool has_graph = false;
  for (detail::Fields field(bytes, where); field.next();) switch (field.number()) {
      case 2:
        file.producer = field.text();
        break;
      case 7:
        file.graph = detail::read_graph(field.bytes(), where, 0), has_graph = true;
        break;
      case 8: {
        std::string domain;
        std::int64_t version = 0;
        for (detail::Fields own(field.bytes(), where); own.next();) {
          if (own.number() == 1) domain = own.text();
          if (own.number() == 2) version = own.integer();
        }
        if (domain.empty() || domain == "ai.onnx") file.opset = static_cast<Index>(version);
        break;
      }
      case 14: {
        std::string key, value;
        for (detail::Fields own(field.bytes(), where); own.next();) {
          if (own.number() == 1) key = own.text();
          if (own.number() == 2) value = own.text();
        }
        file.metadata[key] = value;
        break;
      }
      default:
        break;
    }
  check(has_graph && file.opset > 0, where, "is no ONNX file: it has no ", has_graph ? "version" : "graph");
  return file;
}

}  // namespace onnx

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_FILE_HPP
