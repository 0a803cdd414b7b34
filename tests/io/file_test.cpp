#include "eigenstream/io/file.hpp"

#include <array>
#include <cstring>
#include <string>

#if defined(__unix__)
#include <sys/stat.h>  // mkfifo
#endif

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

TEST_CASE("write_atomically: a link is written through, and permissions stay", "[io]") {
  const support::Scratch scratch;
  const auto text_of = [](const fs::path& path) {
    es::detail::InputFile file(path, "here: ");
    std::string read(static_cast<std::size_t>(file.bytes()), ' ');
    file.read(std::as_writable_bytes(std::span(read)));
    return read;
  };
  fs::create_directory(scratch / "folder");
  es::detail::write_atomically(scratch / "folder" / "real", bytes_of("old"));
  fs::create_symlink("folder/real", scratch / "link");
  fs::create_symlink(scratch / "link", scratch / "link_to_link");
  fs::create_symlink("folder/new", scratch / "to_nothing");
  const fs::perms mode = fs::perms::owner_read | fs::perms::owner_write;
  fs::permissions(scratch / "folder" / "real", mode);

  es::detail::write_atomically(scratch / "link_to_link", bytes_of("through"));
  CHECK(text_of(scratch / "folder" / "real") == "through");
  CHECK(fs::status(scratch / "folder" / "real").permissions() == mode);
  es::detail::write_atomically(scratch / "to_nothing", bytes_of("first"));
  CHECK(text_of(scratch / "folder" / "new") == "first");
  for (const char* link : {"link", "link_to_link", "to_nothing"}) CHECK(fs::is_symlink(scratch / link));
  CHECK(scratch.entries() == 4);
}

TEST_CASE("OutputFile: without keep the old file stays and nothing is left", "[io]") {
  const support::Scratch scratch;
  const fs::path path = scratch / "file";
  es::detail::write_atomically(path, bytes_of("old"));
  {
    es::detail::OutputFile file(path), other(path);
    CHECK(file.temporary() != other.temporary());
    file.write(bytes_of("half"));
    CHECK(fs::file_size(path) == 3);
  }
  CHECK(fs::file_size(path) == 3);
  CHECK(scratch.entries() == 1);
}

TEST_CASE("write_atomically and InputFile: what cannot be is an error that says why", "[io][error]") {
  const support::Scratch scratch;
  fs::create_directories(scratch / "folder" / "inner");
  const auto writing = [&](const fs::path& path) {
    return error_of([&] { es::detail::write_atomically(path, bytes_of("text")); });
  };
  const auto quoted = [&](const char* name) { return es::detail::path_in_quotes(scratch / name); };
  CHECK(writing(scratch / "absent" / "file") == quoted("absent/file") + ": there is no directory " + quoted("absent"));
  CHECK(writing(scratch / "folder") == quoted("folder") + ": is a directory");
  CHECK(writing(scratch / "folder" / "") == quoted("folder/") + ": is a directory");
  CHECK(writing(scratch / "absent" / "") == quoted("absent/") + ": there is no directory " + quoted("absent"));
  CHECK(scratch.entries() == 1);
#if defined(__unix__)
  REQUIRE(mkfifo((scratch / "pipe").c_str(), 0600) == 0);
  fs::create_symlink("pipe", scratch / "to_pipe");
  fs::create_symlink("circle", scratch / "circle");
  fs::create_symlink("absent/file", scratch / "to_absent");
  CHECK(writing(scratch / "pipe") == quoted("pipe") + ": is not a regular file");
  CHECK(writing(scratch / "to_pipe") == quoted("to_pipe") + ": is not a regular file");
  CHECK(fs::is_fifo(scratch / "pipe"));
  CHECK(writing("/dev/null") == "\"/dev/null\": is not a regular file");
  CHECK(writing("/dev/full") == "\"/dev/full\": is not a regular file");
  CHECK_FALSE(writing(scratch / "circle").empty());
  CHECK(writing(scratch / "to_absent").find("there is no directory") != std::string::npos);
  CHECK(scratch.entries() == 5);
#endif

  const auto opening = [&](const fs::path& path) { return error_of([&] { es::detail::InputFile(path, "here: "); }); };
  CHECK(opening(scratch / "absent") == "here: no such file");
  CHECK(opening(scratch / "folder") == "here: is a directory");
#if defined(__unix__)
  CHECK(opening("/dev/null") == "here: is not a regular file");
#endif
}
