#ifndef EIGENSTREAM_TOOLS_OUTPUT_FILE_HPP
#define EIGENSTREAM_TOOLS_OUTPUT_FILE_HPP

#include <fcntl.h>     // open
#include <sys/stat.h>  // fchmod
#include <unistd.h>    // write, close, unlink

#include <cerrno>      // what the system says
#include <csignal>     // tidy up when stopped
#include <cstddef>     // byte
#include <filesystem>  // path
#include <span>        // bytes
#include <string>      // string

#include "text.hpp"

namespace tool {

/// An output file that appears complete or not at all: it is written under another name beside its own, and renamed by
/// keep(). Without keep(), also when the program is interrupted, what was there before stays and nothing is left over.
/// At most two at a time.
/// Errors   Error if the path is a directory or a device, is not writable, or its directory is missing
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path) : path_(path), name_(in_quotes(path.string())) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::file_status before = fs::status(path_, error);
    if (fs::exists(before)) {
      es::check(!fs::is_directory(before), name_, ": is a directory");
      es::check(fs::is_regular_file(before), name_, ": is not a regular file");
      check_system(access(path_.c_str(), W_OK) == 0, name_, ": ");
      path_ = fs::canonical(path_);  // write through a link, do not replace it
    } else {
      const fs::path parent = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
      es::check(fs::is_directory(parent, error), name_, ": there is no directory ", in_quotes(parent.string()));
      es::check(path_.has_filename(), name_, ": is not the name of a file");
    }
    for (int attempt = 0; file_ < 0; ++attempt) {
      temporary_ = path_.string() + ".tmp" + std::to_string(attempt);
      file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      check_system(file_ >= 0 || (errno == EEXIST && attempt < 1000), name_, ": cannot be created: ");
    }
    slot_ = doomed_[0] == nullptr ? 0 : 1;
    remove_when_interrupted(temporary_.c_str());
    if (fs::exists(before)) (void)fchmod(file_, static_cast<mode_t>(before.permissions()));
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile() {
    remove_when_interrupted(nullptr);
    if (file_ >= 0) close(file_);
    if (!temporary_.empty()) unlink(temporary_.c_str());
  }

  int descriptor() const noexcept { return file_; }
  /// The path in quotes, for messages.
  const std::string& name() const noexcept { return name_; }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      check_system(written >= 0, name_, ": cannot be written: ");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  /// Everything is written: the file takes its place.
  void keep() {
    const bool closed = close(file_) == 0;
    file_ = -1;
    check_system(closed, name_, ": cannot be written: ");
    check_system(std::rename(temporary_.c_str(), path_.c_str()) == 0, name_, ": cannot be written: ");
    temporary_.clear();
  }

 private:
  void remove_when_interrupted(const char* path) {
    doomed_[slot_] = path;
    if (path == nullptr) return;
    struct sigaction action = {};
    action.sa_handler = [](int signal) {
      for (const char* const volatile& each : doomed_)
        if (const char* const doomed = each) unlink(doomed);
      raise(signal);  // and now as without a handler
    };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    for (const int each : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction before = {};
      // What the caller asked to ignore (nohup) stays ignored.
      if (sigaction(each, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(each, &action, nullptr);
    }
  }

  inline static const char* volatile doomed_[2] = {};
  int slot_ = 0;  // which of them is ours
  std::filesystem::path path_;
  std::string name_;
  std::string temporary_;
  int file_ = -1;
};

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_OUTPUT_FILE_HPP
