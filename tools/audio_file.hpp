#ifndef EIGENSTREAM_TOOLS_AUDIO_FILE_HPP
#define EIGENSTREAM_TOOLS_AUDIO_FILE_HPP

#include <sndfile.h>

#include <algorithm>   // clamp
#include <cmath>       // lrint
#include <cstdint>     // int16_t
#include <filesystem>  // path
#include <memory>      // unique_ptr
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
/// Errors   Error if it cannot be read, is no audio file, or holds no frames though it must
class AudioReader {
 public:
  explicit AudioReader(const std::filesystem::path& path, bool may_be_empty = false) : name_(in_quotes(path.string())) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    es::check(fs::status_known(status), name_, ": ", error.message());
    es::check(fs::exists(status), name_, ": no such file");
    es::check(!fs::is_directory(status), name_, ": is a directory");
    es::check(fs::is_regular_file(status), name_, ": is not a regular file");
    es::check(fs::file_size(path, error) > 0 || error, name_, ": is empty");
    file_.reset(sf_open(path.c_str(), SFM_READ, &info_));
    es::check(file_ != nullptr, name_, ": cannot be read as an audio file: ", reason(nullptr));
    es::check(info_.frames > 0 || may_be_empty, name_, ": holds no frames");
  }

  Index channels() const noexcept { return info_.channels; }
  Index sample_rate_hz() const noexcept { return info_.samplerate; }
  Index frames() const noexcept { return info_.frames; }

  /// The next n frames, channel fastest; fewer at the end of the file.
  Index read(float* to, Index n) {
    const Index got = sf_readf_float(file_.get(), to, n);
    es::check(sf_error(file_.get()) == 0, name_, ": cannot be read beyond frame ", seen_, ": ", reason(file_.get()));
    seen_ += got;
    es::check(got == n || seen_ == info_.frames, name_, ": ends after ", seen_, " of its ", info_.frames, " frames");
    return got;
  }

  static std::string reason(SNDFILE* file) {
    std::string said = sf_strerror(file);
    while (!said.empty() && (said.back() == '.' || said.back() == '\n' || said.back() == ' ')) said.pop_back();
    return said;
  }

 private:
  std::string name_;
  SF_INFO info_ = {};
  SoundFile file_;
  Index seen_ = 0;
};

/// A WAV file of 32-bit floats or 16-bit integers (RF64 where 4 GiB are too few). Equal samples make equal files, byte
/// for byte. Integers are clipped at [-1,1), and what is not a number becomes 0; both are counted.
/// Errors   Error if a number is beyond what a WAV file can hold, or the disk is full
class WavWriter {
 public:
  enum class Format { float32, pcm16 };

  /// `frames` are how many will come.
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
