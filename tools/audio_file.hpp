#ifndef EIGENSTREAM_TOOLS_AUDIO_FILE_HPP
#define EIGENSTREAM_TOOLS_AUDIO_FILE_HPP

#include <fcntl.h>  // open
#include <sndfile.h>
#include <unistd.h>  // lseek

#include <algorithm>   // clamp
#include <cmath>       // lrint
#include <cstdint>     // int16_t
#include <cstdlib>     // strtoll
#include <filesystem>  // path
#include <memory>      // unique_ptr
#include <sstream>     // lines of a log
#include <string>      // string
#include <vector>      // samples as integers

#include "output_file.hpp"
#include "text.hpp"

namespace tool {

struct CloseSoundFile {
  void operator()(SNDFILE* file) const noexcept { sf_close(file); }
};
using SoundFile = std::unique_ptr<SNDFILE, CloseSoundFile>;

/// An audio file of any format that libsndfile reads, from front to back. Integers become numbers in [-1,1).
/// What a header says of the length may be wrong or missing: the frames that are there are read, and what it promised
/// beyond them is said in shortfall().
/// Errors   Error if it cannot be read, is no audio file, is damaged before its end, or holds no frames though it must
class AudioReader {
 public:
  explicit AudioReader(const std::filesystem::path& path, bool may_be_empty = false)
      : path_(path), name_(in_quotes(path.string())), may_be_empty_(may_be_empty) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    es::check(fs::status_known(status), name_, ": ", error.message());
    es::check(fs::exists(status), name_, ": no such file");
    es::check(!fs::is_directory(status), name_, ": is a directory");
    es::check(fs::is_regular_file(status), name_, ": is not a regular file");
    bytes_ = static_cast<Index>(fs::file_size(path, error));
    es::check(bytes_ > 0, name_, ": is empty");
    open_file();
    frames_ = info_.frames;
    // Beyond what any format can hold in a byte (FLAC's longest silence is below 6554), a length is none.
    if (frames_ / 8192 > bytes_) count_frames();
    if (frames_ > 0) {
      compare_with_header();
      return;
    }
    // What is no more than a header may be a part of a signal, and empty.
    constexpr Index longest_header = 4096;
    if (bytes_ > longest_header)
      shortfall_ = text(", going by its header, in ", bytes_, " bytes; was it cut off while it was written?");
    es::check(may_be_empty_, name_, ": holds no frames", shortfall_);
    if (!shortfall_.empty()) shortfall_ = "holds no frames" + shortfall_;
  }

  Index channels() const noexcept { return info_.channels; }
  Index sample_rate_hz() const noexcept { return info_.samplerate; }
  /// How many there are; fewer if the file ends before its header says.
  Index frames() const noexcept { return frames_; }

  /// The next n frames, channel fastest, as long as there are as many; fewer at the end of the file.
  Index read(float* to, Index n) {
    const Index got = sf_readf_float(file_.get(), to, n);
    seen_ += got;
    if (sf_error(file_.get()) != 0 || (got < n && seen_ < frames_)) end_early();
    return got;
  }

  /// What is missing of what the file's header promises, after all was read; empty if nothing is.
  std::string shortfall() const { return shortfall_.empty() ? "" : name_ + ": " + shortfall_; }

  static std::string reason(SNDFILE* file) {
    std::string said = sf_strerror(file);
    while (!said.empty() && (said.back() == '.' || said.back() == '\n' || said.back() == ' ')) said.pop_back();
    return said;
  }

 private:
  void open_file() {
    info_ = {};
    descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ >= 0) file_.reset(sf_open_fd(descriptor_, SFM_READ, &info_, SF_TRUE));
    if (file_ == nullptr) {  // some formats are known by the file's name only
      descriptor_ = -1;
      info_ = {};
      file_.reset(sf_open(path_.c_str(), SFM_READ, &info_));
    }
    es::check(file_ != nullptr, name_, ": cannot be read as an audio file: ", reason(nullptr));
    seen_ = 0;
  }

  // The first trouble counts.
  void note(const std::string& what) {
    if (shortfall_.empty()) shortfall_ = what;
  }

  // Where no length is known: the file is read once for it alone, so that nothing that follows needs to guess.
  void count_frames() {
    const bool unknown = frames_ == SF_COUNT_MAX;
    std::vector<float> ignored(std::size_t{4096} * static_cast<std::size_t>(channels()));
    while (read(ignored.data(), 4096) > 0) {
    }
    frames_ = seen_;
    if (frames_ > 0 && !unknown)
      note(text("ends after ", frames_, " frames, far from what its header promises"));
    else if (frames_ > 0 && (info_.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG)  // whose last page bears the length
      note(text("ends after ", frames_, " frames without an end mark; was it cut off?"));
    open_file();
  }

  // Fewer frames than asked for: the end of a file that was cut off, or of what can be read of a damaged one.
  void end_early() {
    const bool failed = sf_error(file_.get()) != 0, unknown = frames_ / 8192 > bytes_;
    const std::string why = failed ? reason(file_.get()) : "";
    if (failed) {
      const bool at_end = descriptor_ >= 0 && lseek(descriptor_, 0, SEEK_CUR) >= bytes_;
      es::check(at_end, name_, ": cannot be read beyond frame ", seen_, ": ", why);
    } else if (!unknown) {
      float last[1024];  // libsndfile's most channels
      const bool ends_well =
          sf_seek(file_.get(), frames_ - 1, SEEK_SET) >= 0 && sf_readf_float(file_.get(), last, 1) == 1;
      es::check(!ends_well, name_, ": is damaged: only ", seen_, " of its ", frames_, " frames can be read");
    } else {
      return;
    }
    const std::string cause = failed ? " (" + why + ")" : "";
    es::check(seen_ > 0 || may_be_empty_, name_, ": holds ",
              unknown ? "no frames" : text("none of the ", frames_, " frames that its header promises"), cause);
    note(unknown ? text("is cut off after ", seen_, " frames", cause)
                 : text("ends after ", seen_, " of the ", frames_, " frames that its header promises", cause));
  }

  // Where a file is shorter than its header says, libsndfile takes what is there, and tells only in its log.
  void compare_with_header() {
    std::string log(16384, '\0');
    log.resize(static_cast<std::size_t>(
        std::max(0, sf_command(file_.get(), SFC_GET_LOG_INFO, log.data(), static_cast<int>(log.size())))));
    const int type = info_.format & SF_FORMAT_TYPEMASK;
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t begin = line.find_first_not_of(' '), colon = line.find(':');
      if (begin == line.npos || colon == line.npos) continue;
      const std::string name = line.substr(begin, line.find_last_not_of(' ', colon - 1) + 1 - begin);
      Index header = 0;  // of the chunk, which some formats count along with the samples
      if (name == "data")
        header = type == SF_FORMAT_W64 ? 24 : type == SF_FORMAT_CAF ? 4 : 0;
      else if (name == "SSND")
        header = 8;
      else if (name != "BODY" && name != "Data Size" && name != "Data size")
        continue;
      const Index size = std::strtoll(line.c_str() + colon + 1, nullptr, 10) - header;
      if (stands_for_unknown(size)) return;
      const Index frame_bytes = bytes_of_sample() * channels();
      const std::size_t real = line.find("(should be ");
      if (frame_bytes > 0) {
        if (size / frame_bytes > frames_)
          note(text("ends after ", frames_, " of the ", size / frame_bytes, " frames that its header promises"));
      } else if (real != line.npos) {
        const Index there = std::strtoll(line.c_str() + real + 11, nullptr, 10) - header;
        if (there < size)
          note(text("ends ", size - there, " bytes before its header says, after ", frames_, " frames"));
      }
      return;
    }
  }

  // What writers that cannot go back leave in a header of 32 bits: -1, or the largest number that they dare to write.
  static bool stands_for_unknown(Index size) {
    constexpr Index near = 8192, half = Index{1} << 31, full = Index{1} << 32, never = Index{1} << 60;
    return size <= 0 || (size > half - near && size < half + near) || (size > full - near && size < full) ||
           size > never;
  }

  // 0 where samples are not of one size each.
  Index bytes_of_sample() const {
    switch (info_.format & SF_FORMAT_SUBMASK) {
      case SF_FORMAT_PCM_S8:
      case SF_FORMAT_PCM_U8:
      case SF_FORMAT_ULAW:
      case SF_FORMAT_ALAW:
        return 1;
      case SF_FORMAT_PCM_16:
        return 2;
      case SF_FORMAT_PCM_24:
        return 3;
      case SF_FORMAT_PCM_32:
      case SF_FORMAT_FLOAT:
        return 4;
      case SF_FORMAT_DOUBLE:
        return 8;
      default:
        return 0;
    }
  }

  std::filesystem::path path_;
  std::string name_;
  bool may_be_empty_;
  Index bytes_ = 0;  // of the file
  SF_INFO info_ = {};
  SoundFile file_;
  int descriptor_ = -1;  // of the same file; it belongs to file_
  Index frames_ = 0, seen_ = 0;
  std::string shortfall_;
};

/// A WAV file of 32-bit floats or 16-bit integers (RF64 where 4 GiB are too few). Equal samples make equal files, byte
/// for byte. Integers are clipped at [-1,1), and what is not a number becomes 0; both are counted.
/// Errors   Error if a number is beyond what a WAV file can hold, or the disk is full
class WavWriter {
 public:
  enum class Format { float32, pcm16 };

  /// `frames` are how many will come, at most.
  WavWriter(OutputFile& output, Index channels, Index sample_rate_hz, Index frames, Format format)
      : output_(output), channels_(channels), format_(format) {
    constexpr Index most_channels = 1024;  // of libsndfile
    es::check(channels <= most_channels, output.name(), ": ", channels, " channels are more than the ", most_channels,
              " that can be written to a WAV file");
    constexpr double room_bytes = 4294967295.0 - 4096;
    const double bytes =
        static_cast<double>(frames) * static_cast<double>(channels * (format == Format::pcm16 ? 2 : 4));
    SF_INFO info = {};
    info.channels = static_cast<int>(channels);
    info.samplerate = static_cast<int>(sample_rate_hz);
    info.format = (bytes < room_bytes ? SF_FORMAT_WAV : SF_FORMAT_RF64) |
                  (format == Format::pcm16 ? SF_FORMAT_PCM_16 : SF_FORMAT_FLOAT);
    file_.reset(sf_open_fd(output.descriptor(), SFM_WRITE, &info, SF_FALSE));
    es::check(file_ != nullptr, output.name(), ": cannot be written: ", AudioReader::reason(nullptr));
    sf_command(file_.get(), SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);  // it holds the time of day
    sf_command(file_.get(), SFC_RF64_AUTO_DOWNGRADE, nullptr, SF_TRUE);  // in case that far fewer frames come
  }

  void write(const float* from, Index n) {
    if (n == 0) return;
    const auto count = static_cast<std::size_t>(n * channels_);
    Index written = 0;
    if (format_ == Format::float32) {
      written = sf_writef_float(file_.get(), from, n);
    } else {
      integers_.resize(count);
      for (std::size_t i = 0; i < count; ++i) integers_[i] = to_integer(from[i]);
      written = sf_writef_short(file_.get(), integers_.data(), n);
    }
    es::check(written == n, output_.name(), ": cannot be written: ", AudioReader::reason(file_.get()));
  }

  /// The last frame was written.
  void finish() {
    sf_command(file_.get(), SFC_UPDATE_HEADER_NOW, nullptr, 0);
    const bool good = sf_error(file_.get()) == 0;
    const std::string said = AudioReader::reason(file_.get());
    es::check(good && sf_close(file_.release()) == 0, output_.name(), ": cannot be written: ", said);
  }

  Index clipped() const noexcept { return clipped_; }
  Index not_numbers() const noexcept { return not_numbers_; }

 private:
  std::int16_t to_integer(float value) {
    if (std::isnan(value)) {
      ++not_numbers_;
      return 0;
    }
    const float scaled = value * 32768;
    if (scaled < -32768.5f || scaled > 32767.5f) ++clipped_;
    return static_cast<std::int16_t>(std::lrint(std::clamp(scaled, -32768.0f, 32767.0f)));
  }

  OutputFile& output_;
  Index channels_;
  Format format_;
  SoundFile file_;
  std::vector<std::int16_t> integers_;
  Index clipped_ = 0, not_numbers_ = 0;
};

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_AUDIO_FILE_HPP
