#ifndef EIGENSTREAM_IO_FILE_HPP
#define EIGENSTREAM_IO_FILE_HPP

#include <cerrno>        // why a file could not be created
#include <cstddef>       // byte
#include <cstdint>       // uint64_t
#include <cstdio>        // fopen: creates exclusively, which no stream does
#include <filesystem>    // path
#include <fstream>       // ifstream
#include <span>          // span
#include <string>        // string
#include <system_error>  // error_code

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// A path for messages: on one line, whatever its name.
inline std::string path_in_quotes(const std::filesystem::path& path) {
  constexpr char digits[] = "0123456789abcdef";
  std::string shown = "\"";
  for (const char c : path.string()) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') shown += '\\';
    if (code >= 0x20 && code != 0x7f)
      shown += c;
    else
      shown.append("\\u00").append(1, digits[code >> 4]).append(1, digits[code & 15]);
  }
  return shown + '"';
}

/// Puts the bytes under the path all at once: readers see the old file or the new one. On failure the old one stays.
/// Does not wait for the disk, so a power cut right after may still lose the file.
inline void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  // The temporary file must be new, or two writers could share one.
  std::filesystem::path temporary;
  std::FILE* file = nullptr;
  errno = EEXIST;
  for (int attempt = 0; file == nullptr && errno == EEXIST && attempt < 1000; ++attempt) {
    temporary = path;
    temporary += ".tmp" + std::to_string(attempt);
    errno = 0;
    file = std::fopen(temporary.string().c_str(), "wbx");
  }
  std::error_code error(errno, std::generic_category());
  check(file != nullptr, "cannot create ", path_in_quotes(temporary), ": ", error.message());

  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  error.assign(errno, std::generic_category());
  const bool closed = std::fclose(file) == 0;
  if (written && !closed) error.assign(errno, std::generic_category());
  if (written && closed) std::filesystem::rename(temporary, path, error);
  if (!written || !closed || error) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    fail("cannot write ", path_in_quotes(path), ": ", error.message());
  }
}

/// A file that is read from front to back.
/// Errors   Error, beginning with `where`, if the path is not that of a readable regular file
class InputFile {
 public:
  InputFile(const std::filesystem::path& path, const std::string& where) : where_(where) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    check(std::filesystem::status_known(status), where, error.message());
    check(std::filesystem::exists(status), where, "no such file");
    check(!std::filesystem::is_directory(status), where, "is a directory");
    check(std::filesystem::is_regular_file(status), where, "is not a regular file");
    file_.open(path, std::ios::binary | std::ios::ate);
    check(file_.is_open(), where, "cannot be opened for reading");
    const auto size = static_cast<std::streamoff>(file_.tellg());  // of the open file: the path may be replaced
    file_.seekg(0);
    check(file_.good() && size >= 0, where, "its size cannot be found");
    bytes_ = static_cast<std::uint64_t>(size);
  }

  /// How many there are in all.
  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Fills `to` with the next bytes.
  void read(std::span<std::byte> to) {
    file_.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()));
    check(file_.good(), where_, "cannot be read to its end");
  }

 private:
  std::string where_;
  std::ifstream file_;
  std::uint64_t bytes_ = 0;
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IO_FILE_HPP
