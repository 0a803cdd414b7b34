#ifndef EIGENSTREAM_TOOLS_STREAMER_OPTIONS_HPP
#define EIGENSTREAM_TOOLS_STREAMER_OPTIONS_HPP

#include <filesystem>  // paths
#include <set>         // options given
#include <string>      // names
#include <vector>      // data

#include "eigenstream/streamer/arguments.hpp"
#include "text.hpp"

namespace tool::streamer {

namespace st = es::streamer;

/// How files become inputs.
struct DataOptions {
  Index mels = 0;  ///< bands of a spectrum; 0: the largest divisor of feature_dim up to 64
  double window_seconds = 0.025;
  double hop_seconds = 0.01;
  Index sample_rate_hz = 0;     ///< of sound; 0: that of the first file
  std::string image_size = {};  ///< "128x128", height first; empty: as the first image is
  bool normalize_imgs = false;  ///< each pixel is divided by its norm over the channels
  double fps = 0;               ///< of images; 0: each is an input
};

struct TrainOptions {
  std::vector<std::string> data = {};
  std::filesystem::path output = {};
  bool resume = false;
  st::StreamerModelArguments model = st::command_line_arguments();
  st::StreamerOptimizerArguments optimizer = {};
  DataOptions input = {};
  Index epochs = 1, save_every = 1000, log_base_every = 1000;
  std::filesystem::path ckpt_dir = {};     ///< a folder for numbered checkpoints
  std::filesystem::path curves = {};       ///< a .csv file
  std::filesystem::path hierarchies = {};  ///< a folder for those that are found on the way
  std::set<std::string> given = {};        ///< names of the options that the user wrote
};

struct SegmentOptions {
  std::filesystem::path model, data, output, plot = {}, truth = {};
  double fps = 0;
  bool close = false;  ///< what comes behind the last boundary is an event, too
};

struct ScoreOptions {
  std::filesystem::path hierarchy, annotations;
  double fps = 0;  ///< of the video; 0: by its name
  bool best_layer = false, merge = false, json = false;
};

/// Returns the exit code: 0, or 128 and the signal that stopped it after it had saved.
int train(TrainOptions options);
void segment(const SegmentOptions& options);
void score(const ScoreOptions& options);

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_OPTIONS_HPP
