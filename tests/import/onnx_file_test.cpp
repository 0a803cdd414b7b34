#include "eigenstream/import/onnx_file.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using support::error_of;

namespace {

// Fields of the wire format: a number, or bytes.
std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 128; value >>= 7) text += static_cast<char>(value | 128);
  return text + static_cast<char>(value);
}
std::string integer(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}
std::string bytes(int field, const std::string& content) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(content.size()) + content;
}
std::string little(std::uint64_t bits, int count) {
  std::string text;
  for (int k = 0; k < count; ++k) text += static_cast<char>(bits >> (8 * k));
  return text;
}

es::onnx::File read(const std::string& text) { return es::onnx::parse(std::as_bytes(std::span(text)), "it: "); }
std::string error(const std::string& text) {
  return error_of([&] { static_cast<void>(read(text)); });
}
// A file of one tensor.
std::string with_tensor(const std::string& tensor) { return bytes(7, bytes(5, tensor)) + bytes(8, integer(2, 13)); }
std::vector<double> numbers(const std::string& tensor) { return read(with_tensor(tensor)).graph.tensors.at(0).numbers; }

}  // namespace

TEST_CASE("onnx::parse: numbers of every kind, packed or not, raw or in fields", "[import][onnx]") {
  const auto of_type = [](std::uint64_t type) { return integer(1, 2) + integer(2, type) + bytes(8, "w"); };
  const std::vector<double> expected{1.5, -2};
  CHECK(numbers(of_type(1) + bytes(9, little(0x3fc00000, 4) + little(0xc0000000, 4))) == expected);
  CHECK(numbers(of_type(1) + bytes(4, little(0x3fc00000, 4) + little(0xc0000000, 4))) == expected);
  CHECK(numbers(of_type(1) + varint(4 << 3 | 5) + little(0x3fc00000, 4) + varint(4 << 3 | 5) + little(0xc0000000, 4)) ==
        expected);
  CHECK(numbers(of_type(10) + bytes(9, little(0x3e00, 2) + little(0xc000, 2))) == expected);
  CHECK(numbers(of_type(10) + integer(5, 0x3e00) + integer(5, 0xc000)) == expected);
  CHECK(numbers(of_type(10) + bytes(9, little(0x0001, 2) + little(0x8000, 2)))[0] == std::ldexp(1.0, -24));
  CHECK(numbers(of_type(16) + bytes(9, little(0x3fc0, 2) + little(0xc000, 2))) == expected);
  CHECK(numbers(of_type(11) + bytes(9, little(0x3ff8000000000000, 8) + little(0xc000000000000000, 8))) == expected);
  CHECK(numbers(of_type(7) + bytes(9, little(3, 8) + little(~std::uint64_t{0}, 8))) == std::vector<double>{3, -1});
  CHECK(numbers(of_type(7) + integer(7, 3) + integer(7, ~std::uint64_t{0})) == std::vector<double>{3, -1});
  CHECK(numbers(of_type(6) + bytes(5, varint(3) + varint(~std::uint64_t{0}))) == std::vector<double>{3, -1});
  CHECK(numbers(of_type(3) + bytes(9, "\x03\xff")) == std::vector<double>{3, -1});
  CHECK(numbers(of_type(9) + bytes(9, std::string("\x01\x00", 2))) == std::vector<double>{1, 0});
  CHECK(read(with_tensor(of_type(9) + bytes(9, std::string("\x01\x00", 2)))).graph.tensors.at(0).whole);
}

TEST_CASE("onnx::parse: what is damaged is an error that names it", "[import][onnx]") {
  const std::string w = bytes(8, "w");
  CHECK(error("") == "it: is no ONNX file: it has no graph");
  CHECK(error(bytes(7, "")) == "it: is no ONNX file: it has no version");
  CHECK(error(std::string("\x3a\x05x", 3)) == "it: ends too early");
  CHECK(error(std::string("\x0b", 1)) == "it: damaged: a field of unknown kind 3");
  CHECK(error(std::string(11, '\xff')) == "it: damaged: an integer of more than 64 bits");
  CHECK(error(integer(7, 1)) == "it: damaged: field 7 is no message or text");
  CHECK(error(with_tensor(w + integer(2, 8))) ==
        "it: tensor \"w\": numbers of kind 8 of the format are not read (floats and integers are)");
  CHECK(error(with_tensor(w + integer(2, 1) + integer(1, 3) + bytes(9, little(0, 8)))) ==
        "it: tensor \"w\": holds 2 numbers, expected 3");
  CHECK(error(with_tensor(w + integer(2, 1) + integer(1, ~std::uint64_t{0}))) == "it: tensor \"w\": an extent of -1");
  CHECK(error(with_tensor(w + integer(2, 1) + integer(1, 1) + bytes(9, little(0x7fc00000, 4)))) ==
        "it: tensor \"w\": holds a number that is not finite");
  CHECK(error(with_tensor(w + integer(2, 1) + integer(1, 1) + bytes(9, little(0, 3)))) ==
        "it: tensor \"w\": 3 bytes are no numbers of 4 bytes");
  CHECK(error(with_tensor(w + integer(2, 1) + integer(14, 1))) ==
        "it: the numbers of a tensor lie in another file: put all into one first");
  CHECK(error(with_tensor(w + integer(2, 1) + integer(1, std::uint64_t{1} << 62) + integer(1, std::uint64_t{1} << 62)))
            .find("holds 0 numbers") != std::string::npos);
  const std::string node = bytes(3, "n") + bytes(4, "Op") + bytes(7, "com.example");
  CHECK(error(bytes(7, bytes(1, node))) ==
        "it: node \"n\" (Op): is of the extension \"com.example\", which is not read");
  const auto of_kind = [](std::uint64_t kind) { return bytes(7, bytes(1, bytes(5, bytes(1, "a") + integer(20, kind)))); };
  CHECK(error(of_kind(4)) == "it: damaged: attribute \"a\" has no tensor");
  CHECK(error(of_kind(5)) == "it: damaged: attribute \"a\" has no graph");
  std::string graph;
  for (int depth = 0; depth < 40; ++depth) graph = bytes(1, bytes(5, bytes(1, "g") + bytes(6, graph)));
  CHECK(error(bytes(7, graph)) == "it: graphs are nested more than 16 deep");
}

TEST_CASE("onnx::parse: nodes, attributes, inputs and metadata", "[import][onnx]") {
  const std::string attribute = bytes(1, "pads") + bytes(8, varint(1) + varint(2)) + integer(20, 7);
  const std::string node = bytes(1, "x") + bytes(1, "") + bytes(2, "y") + bytes(4, "Pad") + bytes(5, attribute);
  const std::string shape = bytes(1, integer(1, 4)) + bytes(1, bytes(2, "T"));
  const std::string port = bytes(1, "x") + bytes(2, bytes(1, integer(1, 1) + bytes(2, shape)));
  const es::onnx::File file = read(bytes(7, bytes(1, node) + bytes(11, port)) + bytes(8, integer(2, 17)) +
                                   bytes(2, "me") + bytes(14, bytes(1, "a") + bytes(2, "b")));
  CHECK(file.opset == 17);
  CHECK(file.producer == "me");
  CHECK(file.metadata.at("a") == "b");
  const es::onnx::Node& read_node = file.graph.nodes.at(0);
  CHECK(read_node.inputs == std::vector<std::string>{"x", ""});
  CHECK(read_node.shown() == "node \"y\" (Pad)");
  CHECK(read_node.attributes.at("pads").integers == std::vector<std::int64_t>{1, 2});
  CHECK(file.graph.inputs.at(0).dims == std::vector<Index>{4, -1});
  CHECK(file.graph.inputs.at(0).symbols == std::vector<std::string>{"", "T"});
  CHECK_FALSE(file.graph.inputs.at(0).whole);
}
