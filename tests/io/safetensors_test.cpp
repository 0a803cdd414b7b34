#include "eigenstream/io/safetensors.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/scratch.hpp"

#if defined(__unix__)
#include <sys/resource.h>  // setrlimit: a disk that is full

#include <csignal>
#endif

namespace es = eigenstream;
namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const std::string& text) {
  Bytes bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

std::string text_of(const Bytes& bytes) {
  std::string text;
  for (const std::byte b : bytes) text += static_cast<char>(b);
  return text;
}

/// A file put together by hand, so that it can be anything but well-formed.
Bytes file_of(std::uint64_t header_bytes, const std::string& rest) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(header_bytes >> (8 * i) & 0xff);
  return bytes_of(text + rest);
}

Bytes file_of(const std::string& header, const std::string& data) { return file_of(header.size(), header + data); }

/// The header entry of one tensor.
std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

Bytes file_of_one(const std::string& dtype, const std::string& shape, const std::string& offsets,
                  const std::string& data) {
  return file_of(R"({"w":)" + entry(dtype, shape, offsets) + "}", data);
}

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const es::Error& error) {
    return error.what();
  }
  return "no error";
}

std::string error_of(const Bytes& file) {
  return error_of([&] { es::parse_safetensors(file); });
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

es::Safetensors sample() {
  es::Safetensors contents;
  contents.tensors["conv.weight"] = {{2, 1, 3}, {1, -2, 3.5f, 0, -0.0f, 1e-42f}};
  contents.tensors["conv.bias"] = {{2}, {7, 8}};
  contents.tensors["scale"] = {{}, {0.25f}};
  contents.tensors["none"] = {{4, 0, 2}, {}};
  contents.tensors["naïve \"名\"\n"] = {{1}, {1}};
  contents.metadata = {{"format", "pt"}, {"network", R"({"type":"Conv1d","args":[1,2]})"}, {"", ""}};
  contents.metadata["nul"] = std::string("a\0b", 3);
  return contents;
}

void put(const fs::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("safetensors: what is written is read back", "[io][property]") {
  const es::Safetensors contents = sample();
  const Bytes bytes = es::serialise_safetensors(contents);
  CHECK(es::parse_safetensors(bytes) == contents);
  CHECK(es::serialise_safetensors(es::parse_safetensors(bytes)) == bytes);
  CHECK(es::parse_safetensors(es::serialise_safetensors({})) == es::Safetensors{});

  const support::Scratch scratch;
  es::write_safetensors(scratch / "a.safetensors", contents);
  CHECK(es::read_safetensors(scratch / "a.safetensors") == contents);
  es::write_safetensors(scratch / "a.safetensors", {});
  CHECK(es::read_safetensors(scratch / "a.safetensors") == es::Safetensors{});
  CHECK(scratch.entries() == 1);
}

TEST_CASE("safetensors: every F32 bit pattern survives", "[io]") {
  const std::vector<std::uint32_t> bits{0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x7f7fffff,
                                        0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 0x3f800001};
  es::Safetensors contents;
  for (const std::uint32_t each : bits) contents.tensors["w"].values.push_back(std::bit_cast<float>(each));
  contents.tensors["w"].shape = {10};
  CHECK(bits_of(es::parse_safetensors(es::serialise_safetensors(contents)).tensors["w"].values) == bits);
}

TEST_CASE("safetensors: the bytes written are the documented ones", "[io]") {
  const std::string header = R"({"__metadata__":{"k":"v"},"w":{"data_offsets":[0,8],"dtype":"F32","shape":[1,2]}})";
  es::Safetensors contents;
  contents.tensors["w"] = {{1, 2}, {1.0f, -2.0f}};
  contents.metadata["k"] = "v";
  const std::string padding((8 - header.size() % 8) % 8, ' ');
  CHECK(text_of(es::serialise_safetensors(contents)) ==
        text_of(file_of(header + padding, std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8))));
}

TEST_CASE("safetensors: a file as the Python package writes it", "[io]") {
  // save_file({"w": arange(6.).reshape(2, 3), "b": tensor(1.5), "h": ones(2, dtype=half)}, metadata={"format": "pt"})
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},)"
      R"("h":{"dtype":"F16","shape":[2],"data_offsets":[28,32]}}    )";
  const unsigned char data[] = {0, 0, 0xc0, 0x3f, 0, 0, 0,    0,    0, 0, 0x80, 0x3f, 0, 0,    0, 0x40,
                                0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40, 0, 0, 0xa0, 0x40, 0, 0x3c, 0, 0x3c};
  es::Safetensors expected;
  expected.metadata = {{"format", "pt"}};
  expected.tensors["b"] = {{}, {1.5f}};
  expected.tensors["w"] = {{2, 3}, {0, 1, 2, 3, 4, 5}};
  expected.tensors["h"] = {{2}, {1, 1}};
  CHECK(es::parse_safetensors(file_of(header, std::string(std::begin(data), std::end(data)))) == expected);
}

TEST_CASE("safetensors: every dtype becomes the nearest float", "[io]") {
  const auto read = [](const std::string& dtype, const auto& patterns) {
    std::string data;
    for (const auto pattern : patterns)
      for (std::size_t i = 0; i < sizeof(pattern); ++i) data += static_cast<char>(pattern >> (8 * i) & 0xff);
    const std::string count = std::to_string(patterns.size());
    const Bytes file = file_of_one(dtype, "[" + count + "]", "[0," + std::to_string(data.size()) + "]", data);
    return es::parse_safetensors(file).tensors.at("w").values;
  };
  using Bits = std::vector<std::uint32_t>;

  SECTION("F16, all 65536 of them") {
    std::vector<std::uint16_t> patterns;
    for (unsigned i = 0; i < 0x10000; ++i) patterns.push_back(static_cast<std::uint16_t>(i));
    const std::vector<float> values = read("F16", patterns);
    std::size_t wrong = 0;
    for (unsigned i = 0; i < 0x10000; ++i) {
      const int exponent = i >> 10 & 31, fraction = i & 1023;
      const float magnitude = exponent == 0   ? std::ldexp(static_cast<float>(fraction), -24)
                              : exponent < 31 ? std::ldexp(static_cast<float>(1024 + fraction), exponent - 25)
                              : fraction == 0 ? std::numeric_limits<float>::infinity()
                                              : std::numeric_limits<float>::quiet_NaN();
      const bool sign_right = std::signbit(values[i]) == (i >= 0x8000);
      wrong += !sign_right || (std::isnan(magnitude) ? !std::isnan(values[i]) : std::abs(values[i]) != magnitude);
    }
    CHECK(wrong == 0);
    CHECK(bits_of({values[0x0001], values[0x83ff], values[0x7bff], values[0xfc00], values[0x8000]}) ==
          Bits{0x33800000, 0xb87fc000, 0x477fe000, 0xff800000, 0x80000000});
  }
  SECTION("BF16") {
    const std::vector<std::uint16_t> patterns{0x3f80, 0xc049, 0x0001, 0x8000, 0x7f80, 0xff80, 0x7fc1, 0x7f7f};
    CHECK(bits_of(read("BF16", patterns)) ==
          Bits{0x3f800000, 0xc0490000, 0x00010000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc10000, 0x7f7f0000});
  }
  SECTION("F64") {
    const std::vector<double> doubles{
        1.0, -0.1, 1e-45, 1e-60, -0.0, 3.4028234663852886e38, std::numeric_limits<double>::infinity()};
    std::vector<std::uint64_t> patterns;
    for (const double each : doubles) patterns.push_back(std::bit_cast<std::uint64_t>(each));
    CHECK(bits_of(read("F64", patterns)) ==
          Bits{0x3f800000, 0xbdcccccd, 0x00000001, 0x00000000, 0x80000000, 0x7f7fffff, 0x7f800000});
    CHECK(std::isnan(read("F64", std::vector<std::uint64_t>{0x7ff8000000000000})[0]));
    const std::vector<std::uint64_t> huge{0, std::bit_cast<std::uint64_t>(-1e300)};
    CHECK(error_of([&] { read("F64", huge); }) ==
          "safetensors: tensor \"w\": element 1 is -1e+300, too large for a float");
  }
  SECTION("others are refused, by name") {
    const std::string dtype = GENERATE("I64", "U8", "BOOL", "F8_E4M3", "f32", "F32 ", "");
    const std::string error = error_of(file_of_one(dtype, "[1]", "[0,8]", "12345678"));
    CHECK(holds(error, "tensor \"w\": dtype \"" + dtype + "\" is not supported"));
  }
}

TEST_CASE("safetensors: a file cut short anywhere is an error", "[io][damage]") {
  const Bytes whole = es::serialise_safetensors(sample());
  const support::Scratch scratch;
  const fs::path path = scratch / "cut.safetensors";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    CAPTURE(length);
    CHECK(error_of(cut).starts_with("safetensors: "));
    put(path, cut);
    CHECK(error_of([&] { es::read_safetensors(path); }).starts_with("safetensors file "));
  }
}

TEST_CASE("safetensors: a damaged byte in the header gives an Error or a sound value", "[io][damage]") {
  const Bytes whole = es::serialise_safetensors(sample());
  const std::size_t header_end =
      8 + std::to_integer<std::size_t>(whole[0]) + 256 * std::to_integer<std::size_t>(whole[1]);
  std::size_t errors = 0, others = 0;
  for (std::size_t at = 0; at < header_end; ++at) {
    for (const unsigned flip : {0x01u, 0x02u, 0x04u, 0x08u, 0x10u, 0x20u, 0x40u, 0x80u, 0xffu}) {
      Bytes damaged = whole;
      damaged[at] ^= static_cast<std::byte>(flip);
      CAPTURE(at, flip);
      try {
        const es::Safetensors read = es::parse_safetensors(damaged);
        CHECK(es::parse_safetensors(es::serialise_safetensors(read)) == read);
        ++others;
      } catch (const es::Error& error) {
        CHECK_FALSE(holds(error.what(), "\n"));
        ++errors;
      }
    }
  }
  CHECK(errors > 1000);
  CHECK(others > 100);  // a letter of a name, say
}

TEST_CASE("safetensors: a header length that cannot be", "[io][damage]") {
  CHECK(error_of(Bytes{}) == "safetensors: only 0 bytes long, too short");
  CHECK(holds(error_of(file_of(0, "")), "does not begin with '{'"));
  CHECK(holds(error_of(file_of(3, "{}")), "the header claims 3 bytes, the file has 2 left"));
  CHECK(holds(error_of(file_of((16 << 20) + 1, "{}")), "more than the allowed 16777216"));
  CHECK(holds(error_of(file_of(std::uint64_t{1} << 63, "{}")), "more than the allowed 16777216"));
  CHECK(holds(error_of(file_of(~std::uint64_t{0}, "{}")), "more than the allowed 16777216"));
}

TEST_CASE("safetensors: a header that is not the right JSON", "[io][damage]") {
  const std::string w = R"("w":)" + entry("F32", "[]", "[0,4]");
  const auto error = [](const std::string& header) { return error_of(file_of(header, "1234")); };
  REQUIRE(error("{" + w + "}  \n\t") == "no error");

  CHECK(holds(error("[1]"), "does not begin with '{'"));
  CHECK(holds(error(" {" + w + "}"), "does not begin with '{'"));
  CHECK(holds(error("\xef\xbb\xbf{" + w + "}"), "does not begin with '{'"));
  CHECK(holds(error("{" + w + "}" + std::string("\0x", 2)), "NUL"));
  CHECK(error("{" + w) == "safetensors: the header is not valid JSON at its byte " + std::to_string(w.size() + 2));
  CHECK(holds(error("{" + w + ",}"), "not valid JSON"));
  CHECK(holds(error("{" + w + "} {}"), "not valid JSON"));
  CHECK(holds(error("{" + w + "} // so"), "not valid JSON"));
  CHECK(holds(error("{\"\xff\":1," + w + "}"), "not valid JSON"));
  CHECK(holds(error("{" + w + R"(,"x":1e999})"), "not valid JSON"));

  CHECK(holds(error("{" + w + "," + w + "}"), "duplicate key \"w\""));
  CHECK(holds(error("{" + w + R"(,"\u0077":1})"), "duplicate key \"w\""));
  CHECK(holds(error(R"({"w":{"shape":[],"dtype":"F32","shape":[],"data_offsets":[0,4]}})"), "duplicate key \"shape\""));
  CHECK(holds(error("{" + w + R"(,"__metadata__":{"a":"","a":""}})"), "duplicate key \"a\""));
  CHECK(holds(error("{" + w + R"(,"__metadata__":{},"__metadata__":{}})"), "duplicate key \"__metadata__\""));

  CHECK(holds(error("{" + w + R"(,"x":{"shape":[[]]}})"), "nested more than 3 deep"));
  CHECK(holds(error(R"({"x":)" + std::string(1000000, '[')), "nested more than 3 deep"));
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += R"({"":)";
  CHECK(holds(error(deep), "nested more than 3 deep"));

  CHECK(holds(error("{" + w + R"(,"__metadata__":null})"), "__metadata__ is not an object"));
  CHECK(holds(error("{" + w + R"(,"__metadata__":["a"]})"), "__metadata__ is not an object"));
  CHECK(holds(error("{" + w + R"(,"__metadata__":{"a":1}})"), "__metadata__ \"a\" is not a string"));
  CHECK(holds(error("{" + w + R"(,"__metadata__":{"a":{}}})"), "__metadata__ \"a\" is not a string"));
}

TEST_CASE("safetensors: an entry that is not right names its tensor", "[io][damage]") {
  const auto error = [](const std::string& value) {
    const std::string message = error_of(file_of(R"({"a\nb":)" + value + "}", "1234"));
    CHECK(message.starts_with(R"(safetensors: tensor "a\nb": )"));
    return message;
  };
  CHECK(holds(error("1"), "is not an object"));
  CHECK(holds(error("[]"), "is not an object"));
  CHECK(holds(error("{}"), "missing"));
  CHECK(holds(error(R"({"dtype":"F32","shape":[1]})"), "missing"));
  CHECK(holds(error(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]})"), "unknown key \"strides\""));
  CHECK(holds(error(R"({"dtype":"F32","Shape":[1],"data_offsets":[0,4]})"), "unknown key \"Shape\""));
  CHECK(holds(error(R"({"dtype":3,"shape":[1],"data_offsets":[0,4]})"), "dtype is not a string"));
  CHECK(holds(error(R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})"), "shape is not an array"));
  CHECK(holds(error(R"({"dtype":"F32","shape":{"a":1},"data_offsets":[0,4]})"), "shape is not an array"));

  const std::string size = GENERATE("-1", "-0", "1.0", "1e0", "null", "true", "\"1\"", "9223372036854775808",
                                    "18446744073709551616", "99999999999999999999999999");
  CHECK(holds(error(entry("F32", "[" + size + "]", "[0,4]")), ", not a size"));
  CHECK(holds(error(entry("F32", "[1]", "[0," + size + "]")), ", not a size"));
}

TEST_CASE("safetensors: shapes and offsets that do not agree", "[io][damage]") {
  const auto error = [](const std::string& shape, const std::string& offsets) {
    return error_of(file_of_one("F32", shape, offsets, std::string(16, '\0')));
  };
  REQUIRE(error("[2,2]", "[0,16]") == "no error");
  CHECK(holds(error("[4]", "[]"), "data_offsets has 0 values, not 2"));
  CHECK(holds(error("[4]", "[0,16,16]"), "data_offsets has 3 values, not 2"));
  CHECK(holds(error("[4]", "[16,0]"), "16 to 0 are not within the 16 bytes"));
  CHECK(holds(error("[5]", "[0,20]"), "0 to 20 are not within the 16 bytes"));
  CHECK(holds(error("[4]", "[9223372036854775792,9223372036854775807]"), "are not within the 16 bytes"));
  CHECK(holds(error("[3]", "[0,16]"), "its shape takes 12 bytes, its data_offsets span 16"));
  CHECK(holds(error("[]", "[0,16]"), "its shape takes 4 bytes"));
  CHECK(holds(error("[0]", "[0,16]"), "its shape takes 0 bytes"));
  CHECK(holds(error("[4]", "[4,16]"), "its shape takes 16 bytes, its data_offsets span 12"));

  CHECK(holds(error("[9223372036854775807]", "[0,16]"), "product of its shape is too large"));
  CHECK(holds(error("[4611686018427387905,4]", "[0,16]"), "product of its shape is too large"));
  CHECK(holds(error("[4294967296,4294967296,4]", "[0,16]"), "product of its shape is too large"));
  CHECK(holds(error("[0,4294967296,4294967296]", "[0,0]"), "product of its shape is too large"));
  CHECK(holds(error("[4294967296,4294967296,0]", "[0,0]"), "product of its shape is too large"));
}

TEST_CASE("safetensors: every byte of the data belongs to exactly one tensor", "[io][damage]") {
  const auto error = [](const std::string& a, const std::string& b, std::size_t data_bytes) {
    return error_of(file_of(R"({"a":)" + a + R"(,"b":)" + b + "}", std::string(data_bytes, '\0')));
  };
  const auto f32 = [](int begin, int end) {
    return entry("F32", "[" + std::to_string((end - begin) / 4) + "]",
                 "[" + std::to_string(begin) + "," + std::to_string(end) + "]");
  };
  CHECK(error(f32(0, 8), f32(8, 12), 12) == "no error");
  CHECK(error(f32(4, 12), f32(0, 4), 12) == "no error");
  CHECK(error(f32(4, 4), f32(0, 4), 4) == "no error");
  CHECK(error(f32(0, 4), f32(0, 0), 4) == "no error");
  CHECK(error(f32(0, 8), f32(4, 12), 12) == "safetensors: tensor \"b\": overlaps another tensor at byte 4 of the data");
  CHECK(holds(error(f32(0, 8), f32(0, 8), 8), "tensor \"b\": overlaps"));
  CHECK(holds(error(f32(0, 8), f32(4, 8), 8), "tensor \"b\": overlaps"));
  CHECK(holds(error(f32(0, 8), f32(4, 4), 8), "tensor \"b\": overlaps"));
  CHECK(holds(error(f32(0, 4), f32(8, 12), 12), "tensor \"b\": the 4 bytes before its data are no tensor's"));
  CHECK(holds(error(f32(4, 8), f32(8, 12), 12), "tensor \"a\": the 4 bytes before its data are no tensor's"));
  CHECK(holds(error(f32(0, 4), f32(4, 8), 9), "the last 1 bytes of the data are no tensor's"));
  CHECK(holds(error_of(file_of("{}", "x")), "the last 1 bytes of the data are no tensor's"));
}

TEST_CASE("safetensors: a header of many tensors is read in reasonable time", "[io]") {
  es::Safetensors contents;
  for (int i = 0; i < 20000; ++i) contents.tensors["layer." + std::to_string(i)] = {{1}, {static_cast<float>(i)}};
  CHECK(es::parse_safetensors(es::serialise_safetensors(contents)) == contents);
}

TEST_CASE("safetensors: a long name is cut in the message", "[io]") {
  const std::string error = error_of(file_of(R"({")" + std::string(100000, 'x') + R"(":1})", ""));
  CHECK(error.size() < 400);
}

TEST_CASE("safetensors: what could not be read back is not written", "[io]") {
  // Field by field: the constructor would refuse a shape that does not fit.
  struct Raw {
    std::vector<es::Index> shape;
    std::vector<float> values;
  };
  const auto error = [](const std::string& name, const Raw& raw) {
    es::Safetensors contents;
    contents.tensors[name].shape = raw.shape;
    contents.tensors[name].values = raw.values;
    return error_of([&] { es::serialise_safetensors(contents); });
  };
  REQUIRE(error("w", {{2}, {1, 2}}) == "no error");
  CHECK(holds(error("w", {{3}, {1, 2}}), "tensor \"w\": its shape takes 3 values, it has 2"));
  CHECK(holds(error("w", {{}, {}}), "its shape takes 1 values, it has 0"));
  CHECK(holds(error("w", {{-1, -2}, {1, 2}}), "its shape holds -1"));
  CHECK(holds(error("w", {{es::Index{1} << 40, es::Index{1} << 40, 0}, {}}), "product of its shape is too large"));
  CHECK(holds(error("__metadata__", {{}, {1}}), "reserved"));
  CHECK(holds(error("\xc3(", {{}, {1}}), "not UTF-8"));
  CHECK(holds(error("\xed\xa0\x80", {{}, {1}}), "not UTF-8"));
  CHECK(error("\xef\xbf\xbd", {{}, {1}}) == "no error");

  es::Safetensors contents;
  contents.metadata["k"] = "\xff";
  CHECK(holds(error_of([&] { es::serialise_safetensors(contents); }), "metadata \"k\" is not UTF-8"));
  contents.metadata["k"] = std::string(16 << 20, 'x');
  CHECK(holds(error_of([&] { es::serialise_safetensors(contents); }), "more than the allowed 16777216"));
}

TEST_CASE("safetensors: a path that cannot be read is named", "[io]") {
  const support::Scratch scratch;
  const auto error = [](const fs::path& path) {
    const std::string message = error_of([&] { es::read_safetensors(path); });
    CHECK(holds(message, path.filename().string()));
    CHECK_FALSE(holds(message, "\n"));
    return message;
  };
  fs::create_directory(scratch / "folder");
  put(scratch / "plain", bytes_of("no tensors here"));
  CHECK(holds(error(scratch / "absent"), "no such file"));
  CHECK(holds(error(scratch / "plain" / "below"), "no such file"));
  CHECK(holds(error(scratch / "folder"), "is a directory"));
  CHECK(holds(error(scratch / "plain"), "the header claims"));
  CHECK(error_of([] { es::read_safetensors(""); }) != "no error");
#if defined(__unix__)
  CHECK(holds(error("/dev/null"), "is not a regular file"));
  fs::permissions(scratch / "plain", fs::perms::none);
  if (!std::ifstream(scratch / "plain").is_open())  // root may read everything
    CHECK(holds(error(scratch / "plain"), "cannot be opened"));
#endif
}

TEST_CASE("safetensors: a write that fails leaves nothing behind", "[io]") {
  const support::Scratch scratch;
  const auto error = [&](const fs::path& path) { return error_of([&] { es::write_safetensors(path, sample()); }); };
  SECTION("the directory is missing") {
    CHECK(holds(error(scratch / "absent" / "a.safetensors"), "there is no directory"));
    CHECK(scratch.entries() == 0);
  }
  SECTION("a directory is in the way") {
    fs::create_directories(scratch / "folder" / "inner");
    CHECK(holds(error(scratch / "folder"), "is a directory"));
    CHECK(scratch.entries() == 1);
  }
  SECTION("the contents are wrong: the old file stays") {
    const fs::path path = scratch / "a.safetensors";
    es::write_safetensors(path, sample());
    es::Safetensors wrong;
    wrong.tensors["w"].shape = {2};
    CHECK(holds(error_of([&] { es::write_safetensors(path, wrong); }), "tensor \"w\""));
    CHECK(es::read_safetensors(path) == sample());
    CHECK(scratch.entries() == 1);
  }
#if defined(__unix__)
  SECTION("the disk is full: the old file stays") {
    const fs::path path = scratch / "a.safetensors";
    es::write_safetensors(path, sample());
    rlimit usual{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &usual) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit tight{100, usual.rlim_max};
    setrlimit(RLIMIT_FSIZE, &tight);
    const std::string message = error(path);
    setrlimit(RLIMIT_FSIZE, &usual);
    std::signal(SIGXFSZ, handler);
    CHECK(holds(message, "cannot be written: File too large"));
    CHECK(es::read_safetensors(path) == sample());
    CHECK(scratch.entries() == 1);
  }
#endif
}

TEST_CASE("safetensors: another's temporary file is left alone", "[io]") {
  const support::Scratch scratch;
  put(scratch / "a.safetensors.tmp0", bytes_of("theirs"));
  es::write_safetensors(scratch / "a.safetensors", sample());
  CHECK(es::read_safetensors(scratch / "a.safetensors") == sample());
  CHECK(fs::file_size(scratch / "a.safetensors.tmp0") == 6);
  CHECK(scratch.entries() == 2);
}

TEST_CASE("safetensors: a reader never meets a half-written file", "[io]") {
  const support::Scratch scratch;
  const fs::path path = scratch / "a.safetensors";
  es::Safetensors small = sample(), large = sample();
  large.tensors["large"] = {{10000}, std::vector<float>(10000, 1.0f)};
  es::write_safetensors(path, small);

  std::vector<std::thread> writers;
  for (const es::Safetensors* contents : {&small, &large})
    writers.emplace_back([&path, contents] {
      for (int i = 0; i < 50; ++i) es::write_safetensors(path, *contents);
    });
  for (int i = 0; i < 50; ++i) {
    const es::Safetensors read = es::read_safetensors(path);
    CHECK((read == small || read == large));
  }
  for (auto& writer : writers) writer.join();
  CHECK(scratch.entries() == 1);
}
