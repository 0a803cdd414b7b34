// The one place where the learning stack is compiled.
#include <utility>  // move

#include "streamer/scoring.hpp"
#include "streamer/segmenting.hpp"
#include "streamer/training.hpp"

namespace tool::streamer {

int train(TrainOptions options) { return Training(std::move(options)).run(); }
void segment(const SegmentOptions& options) { segment_recording(options); }
void score(const ScoreOptions& options) { score_files(options); }

}  // namespace tool::streamer
