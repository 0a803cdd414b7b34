// Recordings of one channel, through libsndfile, for the examples.
#ifndef EIGENSTREAM_EXAMPLES_MONO_WAV_HPP
#define EIGENSTREAM_EXAMPLES_MONO_WAV_HPP

#include <sndfile.h>

#include <cstdio>
#include <eigenstream/core/check.hpp>
#include <eigenstream/core/frames.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace es = eigenstream;
using es::Index;

struct Recording {
  SF_INFO info{};
  std::vector<float> samples;

  Index frames() const { return static_cast<Index>(samples.size()); }
  es::Frames<const float> view() const { return {samples.data(), {.channels = 1}, frames()}; }
};

using SoundFile = std::unique_ptr<SNDFILE, int (*)(SNDFILE*)>;

inline Recording read_mono(const std::string& path) {
  Recording recording;
  const SoundFile file(sf_open(path.c_str(), SFM_READ, &recording.info), sf_close);
  es::check(file != nullptr, path, ": ", sf_strerror(nullptr));
  es::check(recording.info.channels == 1, path, ": has ", recording.info.channels, " channels, this takes one");
  es::check(recording.info.frames > 0, path, ": holds no samples");
  // What a header says of the length may be unknown or wrong: grow with what is really there.
  constexpr sf_count_t piece = 65536;
  for (sf_count_t got = piece; got == piece;) {
    const std::size_t before = recording.samples.size();
    recording.samples.resize(before + piece);
    got = sf_readf_float(file.get(), recording.samples.data() + before, piece);
    recording.samples.resize(before + static_cast<std::size_t>(got));
  }
  es::check(!recording.samples.empty(), path, ": holds no samples");
  if (recording.info.frames != SF_COUNT_MAX && recording.frames() < recording.info.frames)
    std::fprintf(stderr, "%s: ends after %lld of the %lld samples that its header promises\n", path.c_str(),
                 static_cast<long long>(recording.frames()), static_cast<long long>(recording.info.frames));
  return recording;
}

// Appears under `path` whole or not at all.
inline void write_mono(const std::string& path, const std::vector<float>& samples, SF_INFO info) {
  const std::string partial = path + ".partial";
  SoundFile file(sf_open(partial.c_str(), SFM_WRITE, &info), sf_close);
  es::check(file != nullptr, path, ": ", sf_strerror(nullptr));
  sf_command(file.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
  const auto count = static_cast<sf_count_t>(samples.size());
  bool good = sf_writef_float(file.get(), samples.data(), count) == count;
  good = sf_close(file.release()) == 0 && good;
  std::error_code error;
  if (good) std::filesystem::rename(partial, path, error);
  if (good && !error) return;
  std::filesystem::remove(partial, error);
  es::fail(path, ": cannot be written");
}

#endif  // EIGENSTREAM_EXAMPLES_MONO_WAV_HPP
