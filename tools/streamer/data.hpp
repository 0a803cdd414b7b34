#ifndef EIGENSTREAM_TOOLS_STREAMER_DATA_HPP
#define EIGENSTREAM_TOOLS_STREAMER_DATA_HPP

#include <filesystem>  // path
#include <memory>      // unique_ptr
#include <span>        // inputs
#include <string>      // names
#include <utility>     // move

#include "streamer/options.hpp"

namespace tool::streamer {

/// A recording as inputs one after another.
/// Errors   Error, naming the file, if it cannot be read on, or an input holds a number that is not finite
class Video {
 public:
  explicit Video(std::string name) : name_(std::move(name)) {}
  Video(const Video&) = delete;
  Video& operator=(const Video&) = delete;
  virtual ~Video() = default;

  virtual Index inputs() const = 0;
  virtual double duration_seconds() const = 0;
  /// The next input.
  void next(std::span<float> to);
  /// Goes to another place, not backwards.
  void go_to(Index input) { at_ = input; }
  /// The path in quotes, for messages.
  const std::string& name() const noexcept { return name_; }

 private:
  virtual void read(Index input, std::span<float> to) = 0;

  std::string name_;
  Index at_ = 0;
};

/// What the model and the data options must be for data like these; what was not given is taken from them.
/// Errors   Error if the data do not go with what was given
void settle(const std::filesystem::path& data, bool feature_dim_given, st::StreamerModelArguments& model,
            DataOptions& options);

/// A sound file, a folder of images, numbered images ("frames/%05d.png"), or a .safetensors file with one tensor (T,D)
/// or (T,3,H,W). Errors   Error, naming the path, if it is none of these or does not go with the model
std::unique_ptr<Video> open_video(const std::filesystem::path& path, const st::StreamerModelArguments& model,
                                  const DataOptions& options);

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_DATA_HPP
