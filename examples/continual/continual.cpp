// Live video and sound, frame by frame: a 3-D network that says how a shape moves, and one of convolutions over time and
// frequency with a GRU that says how a tone sounds. Both were trained on clips, as always, and stream as they are. Beside each,
// what a program spends that runs the network on the last clip again for every frame.
//   continual motion.safetensors sound.safetensors [--frames 400] [--clip 16]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <eigenstream.hpp>
#include <eigenstream/network/load_model.hpp>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace es = eigenstream;
using es::Index;

// ------------------------------------------------------------------------------------------------ what is seen and heard
// As in train.py, but for the random numbers.

class Random {
 public:
  explicit Random(std::uint32_t seed) : bits_(seed) {}
  float uniform(double low, double high) {
    return static_cast<float>(low + (high - low) * (static_cast<double>(bits_()) + 0.5) / 4294967296.0);
  }
  float normal() { return std::sqrt(-2 * std::log(uniform(0, 1))) * std::cos(6.2831853f * uniform(0, 1)); }
  Index below(Index n) { return std::min(n - 1, static_cast<Index>(uniform(0, static_cast<double>(n)))); }

 private:
  std::mt19937 bits_;
};

constexpr Index scene_frames = 40;  // before something else comes

/// A disc or a square that moves somehow, in noise: (1, W, H).
class Video {
 public:
  static constexpr es::FrameShape shape{1, 32, 32};
  Index truth() const { return motion_; }
  void next(float* frame) {
    if (frame_++ % scene_frames == 0) {
      motion_ = random_.below(5), is_disc_ = random_.uniform(0, 1) < 0.5f;
      speed_ = random_.uniform(0.5, 1.5), radius_ = random_.uniform(3, 6), light_ = random_.uniform(0.6, 1);
    }
    constexpr float directions[5][2] = {{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    x_ += speed_ * directions[motion_][0], y_ += speed_ * directions[motion_][1];
    for (Index row = 0; row < shape.height; ++row)
      for (Index column = 0; column < shape.width; ++column) {
        const float x = apart(static_cast<float>(column), x_), y = apart(static_cast<float>(row), y_);
        const float far = is_disc_ ? std::hypot(x, y) : std::max(std::abs(x), std::abs(y));
        *frame++ = light_ * std::clamp(radius_ - far + 0.5f, 0.0f, 1.0f) + 0.1f * random_.normal();
      }
  }

 private:
  static float apart(float a, float b) { return std::remainder(a - b, 32.0f); }  // what leaves on one side comes back on the other

  Random random_{1};
  Index frame_ = 0, motion_ = 0;
  float x_ = 16, y_ = 16, speed_ = 0, radius_ = 0, light_ = 0;
  bool is_disc_ = false;
};

/// Nothing, or a tone that rises, falls or stands, in noise: (1, bins).
class Sound {
 public:
  static constexpr es::FrameShape shape{1, 40};
  Index truth() const { return sound_; }
  void next(float* frame) {
    if (frame_++ % scene_frames == 0) {
      sound_ = random_.below(4), slope_ = random_.uniform(0.3, 1), place_ = random_.uniform(0, 40), level_ = random_.uniform(0.8, 1.5);
    }
    place_ += slope_ * (sound_ == 1 ? 1.0f : sound_ == 2 ? -1.0f : 0.0f);
    for (Index bin = 0; bin < shape.width; ++bin) {
      const float far = std::remainder(static_cast<float>(bin) - place_, 40.0f) / 1.5f;
      *frame++ = (sound_ == 0 ? 0.0f : level_ * std::exp(-far * far)) + 0.2f * random_.normal();
    }
  }

 private:
  Random random_{2};
  Index frame_ = 0, sound_ = 0;
  float slope_ = 0, place_ = 0, level_ = 0;
};

// ------------------------------------------------------------------------------------------------------------- streaming

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point begin) { return std::chrono::duration<double, std::micro>(Clock::now() - begin).count(); }

/// Runs a network over `frames` frames of a source, step by step; the share of frames whose class is right.
template <class Source>
double run(const std::string& path, Index frames, Index clip) {
  const es::Model model = es::load_model(path);
  es::Stream stream(model.network.layer);
  std::istringstream text(model.metadata.contains("classes") ? model.metadata.at("classes") : "");
  const std::vector<std::string> classes(std::istream_iterator<std::string>(text), {});
  const Index numbers = stream.in_shape().size(), scores = stream.out_shape().size();
  es::check(stream.in_shape() == Source::shape, path, ": takes frames of ", stream.in_shape(), ", here are ", Source::shape);
  es::check(stream.rate() == es::Rate() && scores == static_cast<Index>(classes.size()), path, ": gives ", scores, " scores for ",
            classes.size(), " classes");

  // All that comes, so that what makes it is not timed.
  Source source;
  std::vector<float> signal(static_cast<std::size_t>(frames * numbers));
  std::vector<Index> truth;
  for (Index t = 0; t < frames; ++t) source.next(signal.data() + t * numbers), truth.push_back(source.truth());

  // The output that frame t makes ready is about frame t - delay.
  std::vector<float> output(static_cast<std::size_t>(scores));
  std::vector<double> step_us;
  Index right = 0, judged = 0;
  std::printf("%s\n", path.c_str());
  for (Index t = 0; t < frames; ++t) {
    const auto begin = Clock::now();
    const Index ready = stream.process({signal.data() + t * numbers, stream.in_shape(), 1}, {output.data(), stream.out_shape(), 1});
    step_us.push_back(microseconds_since(begin));
    if (ready == 0) continue;
    const Index about = t - stream.delay(), now = std::max_element(output.begin(), output.end()) - output.begin();
    const Index since = about % scene_frames;
    if (since >= 15 && since < scene_frames - 6) judged += 1, right += now == truth[static_cast<std::size_t>(about)];
    if (since == 20 && about < 10 * scene_frames)
      std::printf("  frame %4td  %-8s%s\n", about, classes[static_cast<std::size_t>(now)].c_str(),
                  now == truth[static_cast<std::size_t>(about)] ? "" : ("  but it is " + classes[static_cast<std::size_t>(truth[static_cast<std::size_t>(about)])]).c_str());
  }
  es::check(judged > 0, path, ": ", frames, " frames are too few");

  // The same network on a clip, which ends with the newest frame, as one call of an offline network does it.
  std::vector<double> clip_us;
  std::vector<float> clip_output(static_cast<std::size_t>((stream.max_outputs(clip) + stream.max_flush()) * scores));
  es::Stream offline(model.network.layer);
  for (Index t = clip; t < std::min(frames, clip + 50); ++t) {
    const auto begin = Clock::now();
    offline.process({signal.data() + (t - clip) * numbers, stream.in_shape(), clip},
                    {clip_output.data(), stream.out_shape(), stream.max_outputs(clip) + stream.max_flush()}, es::final);
    clip_us.push_back(microseconds_since(begin));
  }
  const auto median = [](std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
  };
  const double macs = stream.facts().macs, step = median(step_us), whole = median(clip_us);
  std::printf("  right              %.1f %% of %td frames\n", 100.0 * static_cast<double>(right) / static_cast<double>(judged), judged);
  std::printf("  delay              %td frames\n", static_cast<Index>(stream.delay()));
  std::printf("  multiply-adds      %.3f M for each frame; %.3f M on clips of %td, %.1f times as many\n", macs / 1e6,
              macs * static_cast<double>(clip) / 1e6, clip, static_cast<double>(clip));
  std::printf("  time               %.1f us for each frame; %.1f us on clips, %.1f times as long\n\n", step, whole, whole / step);
  return static_cast<double>(right) / static_cast<double>(judged);
}

int main(int argc, char** argv) {
  CLI::App app("Live video and sound, frame by frame");
  std::string motion, sound;
  Index frames = 400, clip = 16;
  app.add_option("motion", motion, "motion.safetensors of this folder")->required()->check(CLI::ExistingFile);
  app.add_option("sound", sound, "sound.safetensors of this folder")->required()->check(CLI::ExistingFile);
  app.add_option("--frames", frames, "How many frames come (400)")->check(CLI::Range(100, 1000000));
  app.add_option("--clip", clip, "Frames that a program without streams looks at for each (16)")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  try {
    const double seen = run<Video>(motion, frames, std::min(clip, frames)), heard = run<Sound>(sound, frames, std::min(clip, frames));
    return seen > 0.9 && heard > 0.9 ? 0 : 1;
  } catch (const es::Error& error) {
    std::fprintf(stderr, "continual: error: %s\n", error.what());
    return 1;
  }
}
