#include "eigenstream/streamer/score.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace streamer = eigenstream::streamer;
using streamer::hierarchical_level_reduction;
using streamer::Segment;

namespace {
using Layers = std::vector<std::vector<Segment>>;
const Layers layers{{{0, 2}, {2, 3}, {3, 6}, {6, 10}}, {{0, 3}, {3, 10}}};
const std::vector<Segment> truths{{0, 1.5, "a"}, {1.5, 3, "b"}, {3.5, 6, "c"}, {6.5, 9, "d"}};
}  // namespace

TEST_CASE("score: each part from the layer that suits it best", "[streamer]") {
  const auto score = hierarchical_level_reduction(layers, truths, 11, {.fps = 50});
  CHECK(score.iou == Approx(0.71875));
  CHECK(score.mof == Approx(9. / 11));
  std::string kept;
  for (const auto& [segment, truth] : score.kept)
    kept += truth.action + std::to_string(static_cast<int>(segment.start));
  CHECK(kept == "a0b2c3d6");
}

TEST_CASE("score: the upper event where it is better than those it is made of", "[streamer]") {
  const auto score = hierarchical_level_reduction({{{0, 1}, {1, 4}}, {{0, 4}}}, {{0, 3.8}, {3.8, 4}}, 4, {.fps = 10});
  CHECK(score.iou == Approx(0.95));
  REQUIRE(score.kept.size() == 1);
  CHECK(score.kept[0].first == Segment{0, 4});
}

TEST_CASE("score: layer by layer, and merged truths", "[streamer]") {
  const auto best = hierarchical_level_reduction(layers, truths, 11, {.fps = 50, .best_layer = true});
  const auto lower = hierarchical_level_reduction({layers[0]}, truths, 11, {.fps = 50});
  CHECK(lower.iou == Approx((.75 + 2. / 3 + 5. / 6 + .625) / 4));
  CHECK(best.iou == lower.iou);
  const std::vector<Segment> still{{0, 1, "still x"}, {1, 3, "x"}, {3, 4, "x"}, {4, 9, "y"}, {9, 10, "still y"}};
  const auto merged = hierarchical_level_reduction({{{0, 4}, {4, 9}}}, still, 10, {.merge = true});
  CHECK(merged.iou == Approx(1.0));
  CHECK(merged.kept.size() == 2);
}

TEST_CASE("score: nothing matches, nothing is there, one layer stops early", "[streamer]") {
  CHECK(hierarchical_level_reduction({{{0, 1}}}, {{2, 3}}, 3).iou == 0);
  CHECK(hierarchical_level_reduction({}, truths, 11).mof == 0);
  CHECK(hierarchical_level_reduction({{}, {{0, 3}}}, {{0, 3}}, 3).iou == 1);
  CHECK(hierarchical_level_reduction({{{0, 1}}, {{0, 1}, {1, 3}}}, {{1, 3}}, 3).iou == 1);
}

TEST_CASE("score: frames per second by the name", "[streamer]") {
  CHECK(streamer::fps_of_name("P01_11.mp4") == 59.94);
  CHECK(streamer::fps_of_name("P01_101.mp4") == 50);
  CHECK(streamer::fps_of_name("video.mp4") == 60);
  CHECK(streamer::fps_of_name("") == 60);
}

TEST_CASE("score: events that do not nest", "[streamer][error]") {
  CHECK(support::error_of([] {
          hierarchical_level_reduction({{{0, 2}, {2, 5}}, {{0, 3}, {3, 5}}}, truths, 5);
        }) == "score: layer 0 has an event from 2 to 5, which is not within that from 0 to 3 above it");
  CHECK(support::error_of([] { hierarchical_level_reduction(layers, truths, 0); }) == "score: the duration is 0");
  CHECK(support::error_of([] { hierarchical_level_reduction(layers, truths, 5, {.fps = -1}); }) == "score: fps is -1");
}
