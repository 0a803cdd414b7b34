// STREAMER on a made-up long signal: moves make actions, actions make scenes. It learns from twenty videos without
// labels and segments another; the scores of each layer stand beside those of events of equal length, and of events cut
// at random.
#include <algorithm>
#include <cstdio>
#include <eigenstream/streamer.hpp>
#include <eigenstream/streamer/hierarchy.hpp>
#include <vector>

namespace es = eigenstream;
namespace st = eigenstream::streamer;
using es::Index;
using Vector = es::learn::RowVector<float>;

constexpr Index width_of_input = 32, inputs_of_a_video = 600;
constexpr double seconds = 0.5;  // of an input

struct Video {
  std::vector<Vector> inputs;
  std::vector<std::vector<st::Segment>> truth{3};  // moves, actions, scenes
};

// What happens in a scene is a few actions, each of which is three moves in their order; a move is a direction and some
// noise.
Video make_video(std::uint64_t seed) {
  es::learn::Random world(1), random(seed);
  std::vector<Vector> moves(12, Vector(width_of_input));
  for (Vector& move : moves)
    for (float& each : move) each = static_cast<float>(world.normal());
  const auto draw = [&](int n) { return static_cast<int>((random.uniform(0.5) + 0.5) * n); };
  Video video;
  const auto now = [&] { return static_cast<double>(video.inputs.size()) * seconds; };
  while (static_cast<Index>(video.inputs.size()) < inputs_of_a_video) {
    const int scene = draw(3);
    const double scene_start = now();
    for (int left = 3 + draw(3); left > 0; --left) {
      const int action = 4 * scene + draw(4);
      const double action_start = now();
      for (int move = 0; move < 3; ++move) {
        const double move_start = now();
        for (int length = 4 + draw(4); length > 0; --length) {
          Vector x = moves[static_cast<std::size_t>((action + 5 * move) % 12)];
          for (float& each : x) each += 0.3f * static_cast<float>(random.normal());
          video.inputs.push_back(std::move(x));
        }
        video.truth[0].push_back({move_start, now(), "move"});
      }
      video.truth[1].push_back({action_start, now(), "action"});
    }
    video.truth[2].push_back({scene_start, now(), "scene"});
  }
  return video;
}

double score(const std::vector<st::Segment>& events, const std::vector<st::Segment>& truth, double duration) {
  return hierarchical_level_reduction({events}, truth, duration, {.fps = 10}).iou;
}

int main() {
  st::StreamerModelArguments args = st::command_line_arguments();
  args.feature_dim = width_of_input, args.snippet_size = seconds;
  args.max_layers = 2, args.evolve_every = 200, args.buffer_size = 20, args.lr = 1e-3;
  args.modifier_type = st::ModifierType::add, args.modifier = -0.1;  // surprised is who is clearly worse than before
  st::StreamerModel<float> model(args);
  st::StreamerOptimizer<float> optimizer(model, {.optimize_every = 1});
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    double sum = 0, count = 0;
    model.logger = [&](const st::StreamerEvent<float>& event) {
      if (event.layer == 0) sum += event.signal, ++count;
    };
    for (const Vector& x : make_video(seed).inputs) model.forward(x), optimizer.step();
    if (seed % 5 == 4)
      std::printf("video %d: %td layers, similarity of prediction and input %.3f\n", static_cast<int>(seed - 99),
                  model.get_num_layers(), sum / count);
    model.reset_model();
  }

  model.eval();
  const Video video = make_video(1);
  const double duration = static_cast<double>(video.inputs.size()) * seconds;
  for (const Vector& x : video.inputs) model.forward(x);
  const st::Hierarchy found = st::make_hierarchy(model.extract_rep(), "video", duration);
  es::learn::Random random(1);
  std::printf("\nIoU with          moves  actions  scenes\n");
  double best = 0;
  for (std::size_t k = 0; k < found.layers.size(); ++k) {
    const std::size_t n = found.layers[k].size();
    if (n == 0) continue;
    std::vector<double> equal{0}, cuts{0};
    for (std::size_t i = 1; i <= n; ++i) {
      equal.push_back(duration * static_cast<double>(i) / static_cast<double>(n));
      cuts.push_back(i == n ? duration : duration * (random.uniform(0.5) + 0.5));
    }
    std::sort(cuts.begin(), cuts.end());
    const auto others = st::make_hierarchy({equal, cuts}, "", duration).layers;
    const auto line = [&](const char* name, const std::vector<st::Segment>& events) {
      std::printf("  %-14s", name);
      for (const auto& truth : video.truth) std::printf("  %6.3f", score(events, truth, duration));
      std::printf("\n");
    };
    std::printf("%td events of layer %td\n", static_cast<Index>(n), static_cast<Index>(k));
    line("found", found.layers[k]);
    line("of equal length", others[0]);
    line("cut at random", others[1]);
    best =
        std::max(best, score(found.layers[k], video.truth[0], duration) / score(others[0], video.truth[0], duration));
  }
  std::fflush(stdout);
  es::check(best > 1.2, "no layer finds moves better than events of equal length");
}
