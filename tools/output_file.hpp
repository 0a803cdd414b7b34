#ifndef EIGENSTREAM_TOOLS_OUTPUT_FILE_HPP
#define EIGENSTREAM_TOOLS_OUTPUT_FILE_HPP

#include <unistd.h>  // unlink

#include <csignal>  // tidy up when stopped
#include <cstdio>   // fileno
#include <eigenstream/io/file.hpp>
#include <filesystem>    // path
#include <string>        // string
#include <system_error>  // error_code

#include "text.hpp"

namespace tool {

/// Errors   Error if the output would replace what it is made from
inline void check_not_the_same(const std::filesystem::path& output, const std::filesystem::path& source,
                               const char* role) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  // Neither need exist.
  const auto place = [&](const fs::path& path) { return fs::weakly_canonical(fs::absolute(path, ignored), ignored); };
  const bool same = fs::equivalent(output, source, ignored) || place(output) == place(source);
  es::check(!same, in_quotes(output.string()), ": is the ", role, " too; choose another name for the output");
}

/// The library's OutputFile, which also leaves nothing over when the program is interrupted. At most `most` at a time.
class OutputFile : public es::detail::OutputFile {
 public:
  static constexpr int most = 64;

  explicit OutputFile(const std::filesystem::path& path)
      : es::detail::OutputFile(path), doomed_name_(temporary().string()) {
    while (slot_ < most && doomed_[slot_] != nullptr) ++slot_;
    es::check(slot_ < most, name(), ": more than ", most, " files to write at once");
    remove_when_interrupted(doomed_name_.c_str());
  }
  ~OutputFile() { remove_when_interrupted(nullptr); }

  int descriptor() const noexcept { return fileno(stream()); }

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

  inline static const char* volatile doomed_[most] = {};
  std::string doomed_name_;
  int slot_ = 0;  // which of them is ours
};

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_OUTPUT_FILE_HPP
