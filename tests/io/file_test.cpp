#include "eigenstream/io/file.hpp"

#include <array>
#include <cstring>
#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/scratch.hpp"

namespace es = eigenstream;
namespace fs = std::filesystem;
using support::error_of;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("path_in_quotes: one line, whatever the name", "[io]") {
  CHECK(es::detail::path_in_quotes("a b") == "\"a b\"");
  CHECK(es::detail::path_in_quotes("a\n\x1b[1m\"\\") == "\"a\\u000a\\u001b[1m\\\"\\\\\"");
}

TEST_CASE("write_atomically and InputFile: what is written is read", "[io]") {
  const support::Scratch scratch;
  const fs::path path = scratch / "file";
  for (const std::string& text : {std::string("some text"), std::string(), std::string(100000, 'x')}) {
    es::detail::write_atomically(path, bytes_of(text));
    es::detail::InputFile file(path, "here: ");
    REQUIRE(file.bytes() == text.size());
    std::string read(text.size(), ' ');
    file.read(std::as_writable_bytes(std::span(read)));
    CHECK(read == text);
    std::array<std::byte, 1> more;
    CHECK(error_of([&] { file.read(more); }) == "here: cannot be read to its end");
  }
  CHECK(scratch.entries() == 1);
}

TEST_CASE("write_atomically and InputFile: what cannot be is an error that says why", "[io][error]") {
  const support::Scratch scratch;
  fs::create_directories(scratch / "folder" / "inner");
  const auto writing = [&](const fs::path& path) {
    return error_of([&] { es::detail::write_atomically(path, bytes_of("text")); });
  };
  CHECK(writing(scratch / "absent" / "file").find("cannot create") == 0);
  CHECK(writing(scratch / "folder").find("cannot write") == 0);
  CHECK(scratch.entries() == 1);

  const auto opening = [&](const fs::path& path) { return error_of([&] { es::detail::InputFile(path, "here: "); }); };
  CHECK(opening(scratch / "absent") == "here: no such file");
  CHECK(opening(scratch / "folder") == "here: is a directory");
#if defined(__unix__)
  CHECK(opening("/dev/null") == "here: is not a regular file");
#endif
}
