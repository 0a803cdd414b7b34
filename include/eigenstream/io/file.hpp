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
#include <utility>       // exchange

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

/// A file that appears complete or not at all: it is written under another name beside its own, and renamed by keep().
/// Without keep(), what was there before stays and nothing is left over. A link is written through, and a file that is
/// replaced hands its permissions on. Nothing waits for the disk, so a power cut right after may still lose the file.
/// Errors   Error, beginning with the path, if it is a directory or anything else that is no regular file (a device, a
///          pipe), is not writable, or its directory is missing; and what the system reports
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path) : path_(path), name_(path_in_quotes(path)) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::file_status before = fs::status(path_, error);
    check(fs::status_known(before), name_, ": ", error.message());
    const bool replaces = fs::exists(before);
    if (replaces) {
      check(!fs::is_directory(before), name_, ": is a directory");
      check(fs::is_regular_file(before), name_, ": is not a regular file");
      path_ = fs::canonical(path_, error);
      check(!error, name_, ": ", error.message());
      std::FILE* writable = std::fopen(path_.string().c_str(), "r+b");  // changes nothing
      check_system(writable != nullptr, ": ");
      std::fclose(writable);
    } else {
      while (fs::is_symlink(path_, error))
        path_ = path_.parent_path() / fs::read_symlink(path_, error);  // to nothing yet
      const fs::path parent = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
      check(fs::is_directory(parent, error), name_, ": there is no directory ", path_in_quotes(parent));
      check(path_.has_filename(), name_, ": is not the name of a file");
    }
    // The temporary file must be new, or two writers could share one.
    for (int attempt = 0; file_ == nullptr; ++attempt) {
      temporary_ = path_;
      temporary_ += ".tmp" + std::to_string(attempt);
      file_ = std::fopen(temporary_.string().c_str(), "wbx");
      check_system(file_ != nullptr || (errno == EEXIST && attempt < 1000), ": cannot be created: ");
    }
    std::setvbuf(file_, nullptr, _IONBF, 0);  // what is written comes in large pieces
    if (replaces) fs::permissions(temporary_, before.permissions(), error);
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile() {
    if (file_ != nullptr) std::fclose(file_);
    std::error_code ignored;
    if (!temporary_.empty()) std::filesystem::remove(temporary_, ignored);
  }

  /// The path in quotes, for messages.
  const std::string& name() const noexcept { return name_; }
  /// Where the bytes are until keep().
  const std::filesystem::path& temporary() const noexcept { return temporary_; }
  std::FILE* stream() const noexcept { return file_; }

  void write(std::span<const std::byte> bytes) {
    check_system(std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size(), ": cannot be written: ");
  }

  /// Everything is written: the file takes its place.
  void keep() {
    std::FILE* file = std::exchange(file_, nullptr);
    check_system(std::fclose(file) == 0, ": cannot be written: ");
    std::error_code error;
    std::filesystem::rename(temporary_, path_, error);
    check(!error, name_, ": cannot be written: ", error.message());
    temporary_.clear();
  }

 private:
  // Fails with what the system said, unless ok.
  void check_system(bool ok, const char* what) const {
    const std::error_code error(errno, std::generic_category());
    check(ok, name_, what, error.message());
  }

  std::filesystem::path path_;
  std::string name_;
  std::filesystem::path temporary_;
  std::FILE* file_ = nullptr;
};

/// Puts the bytes under the path all at once, see OutputFile: readers see the old file or the new one.
inline void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  OutputFile file(path);
  file.write(bytes);
  file.keep();
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
