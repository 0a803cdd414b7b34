#ifndef EIGENSTREAM_TESTS_SUPPORT_SCRATCH_HPP
#define EIGENSTREAM_TESTS_SUPPORT_SCRATCH_HPP

#include <filesystem>
#include <iterator>
#include <random>
#include <string>

namespace support {

/// An empty directory that goes away with everything in it.
class Scratch {
 public:
  Scratch()
      : path_(std::filesystem::temp_directory_path() / ("eigenstream_" + std::to_string(std::random_device{}()))) {
    std::filesystem::create_directory(path_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path_); }

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  auto entries() const {
    return std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator());
  }

 private:
  std::filesystem::path path_;
};

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_SCRATCH_HPP
