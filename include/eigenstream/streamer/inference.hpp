#ifndef EIGENSTREAM_STREAMER_INFERENCE_HPP
#define EIGENSTREAM_STREAMER_INFERENCE_HPP

// Needs nlohmann-json, as checkpoint.hpp does.

#include <cmath>       // trunc
#include <filesystem>  // path
#include <memory>      // unique_ptr
#include <span>        // inputs
#include <string>      // names
#include <utility>     // move

#include "eigenstream/streamer/checkpoint.hpp"
#include "eigenstream/streamer/hierarchy.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// Every how many frames of a video there is an input.
/// Errors   Error if that is less than one
inline Index frame_stride(double fps, double snippet_size) {
  const double stride = std::trunc(fps * snippet_size);
  check(stride >= 1 && stride < 1e9, "streamer: ", snippet_size, " seconds at ", fps,
        " frames per second are no frame");
  return static_cast<Index>(stride);
}

/// A trained model that segments one video after another and learns nothing more. Images are to be scaled to the size
/// of training and from 0..1 to 2 p - 1, as they were there.
/// Shapes   as StreamerModel
/// Errors   constructor: those of read_safetensors and load_model
/// Source   STREAMER
template <class T>
class InferenceModel {
 public:
  explicit InferenceModel(const std::filesystem::path& checkpoint)
      : InferenceModel(load_model<T>(read_safetensors(checkpoint))) {}
  explicit InferenceModel(std::unique_ptr<StreamerModel<T>> model) : model_(std::move(model)) { model_->eval(); }

  /// The next input of the video.
  void forward(std::span<const T> x) { model_->forward(x); }
  void forward(const learn::RowVector<T>& x) { model_->forward(x); }
  /// The video is over: its hierarchy; the next input begins another. `close`: what comes behind the last boundary is
  /// an event, too.
  Hierarchy finish(std::string file, double duration, bool close = false) {
    Hierarchy hierarchy = make_hierarchy(model_->extract_rep(), std::move(file), duration, close);
    model_->reset_model();
    return hierarchy;
  }
  const StreamerModel<T>& model() const noexcept { return *model_; }

 private:
  std::unique_ptr<StreamerModel<T>> model_;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_INFERENCE_HPP
