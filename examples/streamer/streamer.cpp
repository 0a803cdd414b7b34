// STREAMER on long signals that are made up: moves make actions, actions make scenes. It learns from such signals
// without labels and segments another one; the scores of each layer stand beside those of as many events of equal
// length, and of as many cut at random. Three kinds: numbers, sound and images.
//   streamer [signals of numbers] [of sound] [of images] [folder for the pictures]      0: not that kind
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <eigenstream/draw/timeline.hpp>
#include <eigenstream/streamer.hpp>
#include <eigenstream/streamer/hierarchy.hpp>
#include <fstream>
#include <numbers>
#include <string>
#include <vector>

namespace es = eigenstream;
namespace st = eigenstream::streamer;
using es::Index;
using Vector = es::learn::RowVector<float>;

constexpr double seconds = 0.5;  // of an input
constexpr Index inputs_of_a_signal = 600, moves_of_all = 12;
enum class Kind { numbers, sound, images };
constexpr std::array<const char*, 3> names{"numbers", "sound", "images"};

struct Signal {
  std::vector<Vector> inputs;
  std::array<std::vector<st::Segment>, 3> truth;  // moves, actions, scenes
};

// Where the signal is: `move` is one of twelve, `since` the inputs since it began.
struct Moment {
  int scene, action, move, since;
};

// A direction for each move, and noise.
Vector numbers_at(const Moment& at, es::learn::Random& random) {
  static const std::vector<Vector> directions = [] {
    es::learn::Random world(1);
    std::vector<Vector> all(moves_of_all, Vector(32));
    for (Vector& each : all)
      for (float& number : each) number = static_cast<float>(world.normal());
    return all;
  }();
  Vector x = directions[static_cast<std::size_t>(at.move)];
  for (float& each : x) each += 0.3f * static_cast<float>(random.normal());
  return x;
}

// A tone for each move with overtones by its action, over the hum of its scene, in noise: 64 ms of 8 kHz with every
// input, as the logarithm of their power in 32 bands.
Vector sound_at(const Moment& at, es::learn::Random& random) {
  constexpr Index samples = 512, bands = 32;
  constexpr double rate_hz = 8000, turn = 2 * std::numbers::pi / rate_hz;
  const auto wave = [](double hz, Index t) { return std::sin(turn * hz * static_cast<double>(t)); };
  const double tone_hz = 300 * std::exp2(at.move / 6.), hum_hz = 110 + 45 * at.scene;
  std::array<double, samples> sound;
  for (Index t = 0; t < samples; ++t)
    sound[static_cast<std::size_t>(t)] =
        wave(tone_hz, t) + 0.3 * wave((2 + at.action % 4) * tone_hz, t) + 0.5 * wave(hum_hz, t) + 0.3 * random.normal();
  Vector x(bands);
  for (Index band = 0; band < bands; ++band) {
    const double hz = 90 * std::exp2(static_cast<double>(band) * 5.4 / bands);
    double re = 0, im = 0;
    for (Index t = 0; t < samples; ++t) {
      const double value = sound[static_cast<std::size_t>(t)];
      re += value * std::cos(turn * hz * static_cast<double>(t)), im += value * wave(hz, t);
    }
    x[band] = static_cast<float>(std::log(1 + (re * re + im * im) / samples));
  }
  return x.array() - x.mean();  // how loud it is tells nothing
}

// 16 x 16 pixels from -1 to 1: the scene is the colour behind, the action the colour of a square in front, the move the
// way it goes.
Vector image_at(const Moment& at, es::learn::Random& random) {
  constexpr Index side = 16;
  const double angle = 2 * std::numbers::pi * at.move / moves_of_all;
  const double x = 8 + (at.since - 3) * 1.6 * std::cos(angle), y = 8 + (at.since - 3) * 1.6 * std::sin(angle);
  Vector image(3 * side * side);
  for (Index c = 0; c < 3; ++c)
    for (Index i = 0; i < side; ++i)
      for (Index j = 0; j < side; ++j) {
        const bool inside = std::abs(static_cast<double>(i) - y) < 3 && std::abs(static_cast<double>(j) - x) < 3;
        const double colour = inside ? (at.action >> c & 1 ? 0.9 : -0.9) : (c == at.scene ? 0.3 : -0.3);
        image[(c * side + i) * side + j] = static_cast<float>(colour + 0.05 * random.normal());
      }
  return image;
}

// A scene is a few of its four actions, an action its three moves in their order, a move four to seven inputs.
Signal make_signal(Kind kind, std::uint64_t seed) {
  es::learn::Random random(seed);
  const auto draw = [&](int n) { return static_cast<int>((random.uniform(0.5) + 0.5) * n); };
  Signal signal;
  const auto now = [&] { return static_cast<double>(signal.inputs.size()) * seconds; };
  while (static_cast<Index>(signal.inputs.size()) < inputs_of_a_signal) {
    const int scene = draw(3);
    const double scene_start = now();
    for (int left = 3 + draw(3); left > 0; --left) {
      const int action = 4 * scene + draw(4);
      const double action_start = now();
      for (int i = 0; i < 3; ++i) {
        const double move_start = now();
        Moment at{scene, action, (action + 5 * i) % static_cast<int>(moves_of_all), 0};
        for (const int length = 4 + draw(4); at.since < length; ++at.since)
          signal.inputs.push_back(kind == Kind::numbers ? numbers_at(at, random)
                                  : kind == Kind::sound ? sound_at(at, random)
                                                        : image_at(at, random));
        signal.truth[0].push_back({move_start, now(), "move"});
      }
      signal.truth[1].push_back({action_start, now(), "action " + std::to_string(action)});
    }
    signal.truth[2].push_back({scene_start, now(), "scene " + std::to_string(scene)});
  }
  return signal;
}

double score(const std::vector<st::Segment>& events, const std::vector<st::Segment>& truth, double duration) {
  return hierarchical_level_reduction({events}, truth, duration, {.fps = 10}).iou;
}

es::TimelineBand band(std::string name, const std::vector<st::Segment>& events, Index colour) {
  es::TimelineBand band{.name = std::move(name), .colour = es::timeline_colour(colour)};
  for (const st::Segment& each : events) band.spans.push_back({each.start, each.end, each.action});
  return band;
}

// How much better than as many events of equal length the lowest layer finds moves.
double run(Kind kind, int signals, const std::string& folder) {
  const char* name = names[static_cast<std::size_t>(kind)];
  st::StreamerModelArguments args = st::command_line_arguments();
  args.feature_dim = 32, args.snippet_size = seconds;
  args.max_layers = 2, args.evolve_every = 200, args.buffer_size = 20, args.lr = 1e-3;
  args.modifier_type = st::ModifierType::add, args.modifier = -0.1;  // surprised is who is clearly worse than before
  if (kind == Kind::images) {
    args.modality = "video", args.height = args.width = 16, args.lr = 3e-4;
  }
  st::StreamerModel<float> model(args);
  st::StreamerOptimizer<float> optimizer(model, {.optimize_every = 1});
  const auto begin = std::chrono::steady_clock::now();
  double sum = 0, count = 0;
  model.logger = [&](const st::StreamerEvent<float>& event) {
    if (event.layer == 0) sum += event.signal, ++count;
  };
  for (int i = 0; i < signals; ++i) {
    sum = count = 0;
    for (const Vector& x : make_signal(kind, 100 + static_cast<std::uint64_t>(i)).inputs)
      model.forward(x), optimizer.step();
    if (i % 5 == 4 || i + 1 == signals)
      std::printf("%s, signal %d: %td layers, similarity of prediction and input %.3f\n", name, i + 1,
                  model.get_num_layers(), sum / count);
    model.reset_model();
  }
  std::printf("%.0f seconds\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());

  model.eval();
  const Signal signal = make_signal(kind, 1);
  const double duration = static_cast<double>(signal.inputs.size()) * seconds;
  es::TimelineSignal curve{.name = "similarity"};
  model.logger = [&](const st::StreamerEvent<float>& event) {
    if (event.layer != 0) return;
    const double time = static_cast<double>(model.base_counter) * seconds;
    curve.times.push_back(time), curve.values.push_back(event.signal);
    curve.thresholds.push_back(event.threshold.value_or(event.signal));
    if (event.boundary) curve.boundaries.push_back(time);
  };
  for (const Vector& x : signal.inputs) model.forward(x);
  const st::Hierarchy found = st::make_hierarchy(model.extract_rep(), name, duration);
  es::learn::Random random(1);
  std::printf("IoU with          moves  actions  scenes\n");
  double better = 0;
  es::Timeline picture{.title = std::string("STREAMER on made-up ") + name, .duration = std::min(duration, 120.)};
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
    const auto line = [&](const char* what, const std::vector<st::Segment>& events) {
      std::printf("  %-14s", what);
      for (const auto& truth : signal.truth) std::printf("  %6.3f", score(events, truth, duration));
      std::printf("\n");
    };
    std::printf("%td events of layer %td\n", static_cast<Index>(n), static_cast<Index>(k));
    line("found", found.layers[k]);
    line("of equal length", others[0]);
    line("cut at random", others[1]);
    if (k == 0)
      better = score(found.layers[0], signal.truth[0], duration) / score(others[0], signal.truth[0], duration);
  }
  std::printf("\n");
  if (folder.empty()) return better;
  constexpr std::array<const char*, 3> levels{"moves", "actions", "scenes"};
  for (std::size_t k = 3; k-- > 0;) picture.rows.push_back(band(levels[k], signal.truth[k], 1));
  for (std::size_t k = found.layers.size(); k-- > 0;) {
    auto events = found.layers[k];
    for (st::Segment& each : events) each.action.clear();
    picture.rows.push_back(band("layer " + std::to_string(k), events, 0));
  }
  picture.rows.push_back(curve);
  std::ofstream(folder + "/streamer_" + name + ".svg") << svg_of(plot_timeline(picture));
  return better;
}

int main(int count, char** words) {
  std::array<int, 3> signals{20, 20, 12};
  for (int i = 1; i < std::min(count, 4); ++i) signals[static_cast<std::size_t>(i - 1)] = std::atoi(words[i]);
  const std::string folder = count > 4 ? words[4] : "";
  for (const Kind kind : {Kind::numbers, Kind::sound, Kind::images}) {
    const int n = signals[static_cast<std::size_t>(kind)];
    if (n == 0) continue;
    const double better = run(kind, n, folder);
    std::fflush(stdout);
    es::check(kind != Kind::numbers || n < 20 || better > 1.2, "it finds moves no better than events of equal length");
  }
}
