// Any bytes as an audio file, as the tool reads them.
#include <unistd.h>
#include <cstdio>
#include <string>
#include <vector>

#include "../../tools/audio_file.hpp"
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path = "/tmp/eigenstream_fuzz_" + std::to_string(getpid()) + ".wav";
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return 0;
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  fuzz::allow_errors([&] {
    tool::AudioReader reader(path, true);
    std::vector<float> frames(static_cast<std::size_t>(64 * reader.channels()));
    for (int k = 0; k < 1000 && reader.read(frames.data(), 64) == 64; ++k) {
    }
    static_cast<void>(reader.shortfall());
  });
  return 0;
}
