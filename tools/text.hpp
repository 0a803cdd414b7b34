#ifndef EIGENSTREAM_TOOLS_TEXT_HPP
#define EIGENSTREAM_TOOLS_TEXT_HPP

#include <unistd.h>  // isatty

#include <algorithm>  // max
#include <cerrno>     // why standard output failed
#include <chrono>     // how often the bar moves
#include <cmath>      // round
#include <cstdio>     // standard output and error
#include <cstring>    // strerror
#include <numeric>    // accumulate
#include <sstream>    // text
#include <string>     // string
#include <vector>     // rows

#include "eigenstream/core/check.hpp"

namespace tool {

namespace es = eigenstream;
using es::Index;

/// A mistake in how the tool was called, as opposed to one in a file: exit code 2.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The parts one after another, as a stream writes them.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

inline std::string fixed(double value, int digits) {
  std::ostringstream out;
  out.setf(std::ios::fixed);
  out.precision(digits);
  out << value;
  return out.str();
}

/// Three significant digits and a prefix: 12.3 k, 869 M.
inline std::string short_number(double value) {
  const char* const prefixes[] = {"", " k", " M", " G", " T", " P"};
  std::size_t prefix = 0;
  for (; value >= 999.5 && prefix < 5; ++prefix) value /= 1000;
  const bool whole = prefix == 0 && value == std::round(value);
  return fixed(value, whole || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2) + prefixes[prefix];
}

/// On one line and without anything that a terminal would obey.
inline std::string printable(const std::string& raw) {
  std::string shown;
  for (const char c : raw) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code != 0x7f) {
      shown += c;
    } else {
      constexpr char digits[] = "0123456789abcdef";
      shown += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string("\\x") + digits[code >> 4] + digits[code & 15];
    }
  }
  return shown;
}

inline std::string in_quotes(const std::string& raw) { return "\"" + printable(raw) + "\""; }

/// Fails with what the system said, unless ok.
template <class... Parts>
void check_system(bool ok, const Parts&... parts) {
  const int error = errno;
  if (!ok) es::fail(parts..., std::strerror(error));
}

/// Nobody reads what we say any more, as after `| head`: no mistake, but there is nothing left to do.
struct NobodyReads {};

inline void check_standard_output(bool ok) {
  if (!ok && errno == EPIPE) throw NobodyReads();
  check_system(ok, "standard output: ");
}
/// Writes to standard output. Errors   Error if nothing takes it (a full disk), NobodyReads if it is a closed pipe
inline void say(const std::string& line) {
  check_standard_output(std::fwrite(line.data(), 1, line.size(), stdout) == line.size());
}
inline void finish_saying() { check_standard_output(std::fflush(stdout) == 0); }

/// A line on standard error: "eigenstream: ...".
inline void complain(const std::string& message) {
  std::fprintf(stderr, "eigenstream: %s\n", printable(message).c_str());
}
/// What is done, but not as one would expect. Nothing if the message is empty.
inline void warn(const std::string& message) {
  if (!message.empty()) complain("warning: " + message);
}

/// Columns on a terminal: a character is a byte that does not continue another one in UTF-8.
inline std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// The text within a number of columns: its end gives way to dots.
inline std::string cut(const std::string& text, std::size_t width) {
  if (columns(text) <= width) return text;
  std::string shown;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80 && columns(shown) + 3 >= width) break;
    shown += c;
  }
  return shown + "...";
}

/// A table with a header line. Cells of text are flush left, numbers flush right; two spaces between columns. Where it
/// would be too wide for a terminal, the longest texts are cut.
class Table {
 public:
  struct Column {
    std::string name;
    bool number = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  std::string print(std::size_t widest = 100) const {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      std::size_t width = columns(columns_[c].name);
      for (const auto& row : rows_) width = std::max(width, columns(row[c]));
      widths.push_back(width);
    }
    const auto total = [&] { return std::accumulate(widths.begin(), widths.end(), 2 * (widths.size() - 1)); };
    while (total() > widest) {
      std::size_t longest = 0;
      for (std::size_t c = 1; c < columns_.size(); ++c)
        if (!columns_[c].number && (columns_[longest].number || widths[c] > widths[longest])) longest = c;
      if (columns_[longest].number || widths[longest] <= columns(columns_[longest].name)) break;
      --widths[longest];
    }
    std::string all;
    const auto line = [&](auto&& cell) {
      std::string made;
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        const std::string shown = cut(cell(c), widths[c]);
        const std::string blanks(widths[c] - columns(shown), ' ');
        made += (c == 0 ? "" : "  ") + (columns_[c].number ? blanks + shown : shown + blanks);
      }
      all += made.substr(0, made.find_last_not_of(' ') + 1) + "\n";
    };
    line([&](std::size_t c) { return columns_[c].name; });
    for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
    return all;
  }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// A bar on standard error while it is a terminal; otherwise nothing. Gone without a trace at the end.
class Progress {
 public:
  Progress(Index total, bool wanted)
      : total_(std::max<Index>(1, total)), shown_(wanted && isatty(STDERR_FILENO) == 1) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  /// Makes room for a line.
  void clear() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }
  /// `note` stands behind the bar.
  void reached(Index done, const std::string& note = "") {
    if (!shown_) return;
    const auto now = std::chrono::steady_clock::now();
    if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    drawn_ = true;
    constexpr std::size_t width = 50;
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
    const auto full = static_cast<std::size_t>(share * width);
    std::fprintf(stderr, "\r[%s%s] %3d %%%s", std::string(full, '#').c_str(), std::string(width - full, '.').c_str(),
                 static_cast<int>(share * 100), note.empty() ? "" : ("  " + note + "\033[K").c_str());
    std::fflush(stderr);
  }

 private:
  Index total_;
  bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_TEXT_HPP
