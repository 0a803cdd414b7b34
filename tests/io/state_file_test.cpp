#include "eigenstream/io/state_file.hpp"

#include <cstring>
#include <fstream>
#include <string>

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"
#include "support/scratch.hpp"

namespace es = eigenstream;
namespace fs = std::filesystem;
using support::error_of;
using Bytes = std::vector<std::byte>;

namespace {

void put(const fs::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

bool holds(const std::string& text, const std::string& part) {
  UNSCOPED_INFO(text);
  return text.find(part) != std::string::npos;
}

es::State some_state() {
  es::Stream stream(support::counting_conv(4));
  (void)support::calls(stream, support::count_to(6), {6}, false);
  return stream.get_state();
}

}  // namespace

TEST_CASE("State files: a stream goes on where another one stopped", "[io]") {
  const support::Scratch scratch;
  const fs::path path = scratch / "stream.state";
  es::Stream whole(support::counting_conv(4));
  const support::Calls expected = support::calls(whole, support::count_to(12), {5, 7});

  es::Stream first(support::counting_conv(4)), second(support::counting_conv(4));
  CHECK(support::calls(first, support::count_to(5), {5}, false).front() == expected[0]);
  es::write_state(path, first.get_state());
  second.set_state(es::read_state(path));
  CHECK(second.frames_seen() == 5);
  CHECK(support::calls(second, {6, 7, 8, 9, 10, 11, 12}, {7}).front() == expected[1]);

  es::Stream other(support::counting_conv(3));
  CHECK(holds(error_of([&] { other.set_state(es::read_state(path)); }), "another network"));
}

TEST_CASE("State files: the note comes back, whatever it is", "[io]") {
  const support::Scratch scratch;
  const fs::path path = scratch / "s";
  const es::State state = some_state();
  for (const std::string& note : {std::string(), std::string("16000 Hz"), std::string("a\0b\n", 4),
                                  std::string(es::max_state_note_bytes, 'n')}) {
    es::write_state(path, state, note);
    const es::StateFile file = es::read_state_file(path);
    CHECK(file.note == note);
    CHECK(file.state == state);
    CHECK(es::read_state(path) == state);
  }
  CHECK(scratch.entries() == 1);
  CHECK(holds(error_of([&] { es::write_state(path, state, std::string(es::max_state_note_bytes + 1, 'n')); }), "65537"));
  CHECK(holds(error_of([&] { es::write_state(path, es::State()); }), "empty"));
  CHECK(es::read_state(path) == state);  // as it was
}

TEST_CASE("State files: every cut, every changed byte, every added one is found", "[io][error]") {
  const Bytes good = es::serialise_state(some_state(), "a note");
  REQUIRE(es::parse_state_file(good).note == "a note");
  const auto error = [](const Bytes& bytes) { return error_of([&] { es::parse_state_file(bytes); }); };
  for (std::size_t n = 0; n < good.size(); ++n) {
    const std::string message = error({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n)});
    REQUIRE(holds(message, n < 32 ? "too short" : "cut off"));
  }
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const std::byte flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      Bytes bad = good;
      bad[i] ^= flip;
      REQUIRE_FALSE(error(bad).empty());
    }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  CHECK(holds(error(longer), "damaged"));

  Bytes other = good;
  other[0] ^= std::byte{1};
  CHECK(holds(error(other), "not a state file"));
  other = good;
  other[4] = std::byte{2};
  CHECK(holds(error(other), "version 2, this reads version 1"));
  other = good;
  other[good.size() - 1] ^= std::byte{1};
  CHECK(holds(error(other), "damaged"));
  other = good;
  other[32 + 6 + 4] = std::byte{9};  // of the state itself
  CHECK(holds(error(other), "version 9"));
}

TEST_CASE("State files: errors name the file, and nothing is taken for a size that is not there", "[io][error]") {
  const support::Scratch scratch;
  const auto error = [&](const char* name) {
    const std::string message = error_of([&] { es::read_state(scratch / name); });
    CHECK(holds(message, name));
    return message;
  };
  fs::create_directory(scratch / "folder");
  Bytes bytes = es::serialise_state(some_state());
  put(scratch / "short", std::span(bytes).first(31));
  put(scratch / "cut", std::span(bytes).first(bytes.size() - 1));
  put(scratch / "text", std::as_bytes(std::span("this is a text, not a state, though it is long enough")));
  const std::uint64_t huge = ~std::uint64_t{0} - 31;
  Bytes claims = bytes;
  std::memcpy(claims.data() + 16, &huge, sizeof huge);
  put(scratch / "claims", claims);
  put(scratch / "large", bytes);
  fs::resize_file(scratch / "large", es::max_state_file_bytes + 1);  // without occupying it
  CHECK(holds(error("absent"), "no such file"));
  CHECK(holds(error("folder"), "is a directory"));
  CHECK(holds(error("short"), "31 bytes"));
  CHECK(holds(error("cut"), "cut off"));
  CHECK(holds(error("text"), "not a state file"));
  CHECK(holds(error("claims"), "claims"));
  CHECK(holds(error("large"), "4294967297"));
  CHECK(holds(error_of([&] { es::write_state(scratch / "absent" / "s", some_state()); }), "there is no directory"));
}
