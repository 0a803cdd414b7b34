#include "eigenstream/draw/timeline.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <variant>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Drawing;
using es::Index;

namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

es::Timeline timeline_of(std::variant<es::TimelineBand, es::TimelineSignal> row, double duration = 10) {
  return {.title = "t", .duration = duration, .rows = {std::move(row)}};
}

// All rectangles of a drawing, in the order of their left edges.
std::vector<Drawing::Rectangle> rectangles_of(const Drawing& drawing) {
  std::vector<Drawing::Rectangle> all;
  for (const Drawing::Shape& shape : drawing.shapes)
    if (const auto* some = std::get_if<Drawing::Rectangles>(&shape))
      all.insert(all.end(), some->all.begin(), some->all.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.x < b.x; });
  return all;
}

std::vector<Drawing::Line> lines_of(const Drawing& drawing, es::Colour colour) {
  std::vector<Drawing::Line> all;
  for (const Drawing::Shape& shape : drawing.shapes)
    if (const auto* one = std::get_if<Drawing::Line>(&shape); one != nullptr && one->colour == colour)
      all.push_back(*one);
  return all;
}

std::vector<std::string> texts_of(const Drawing& drawing) {
  std::vector<std::string> all;
  for (const Drawing::Shape& shape : drawing.shapes)
    if (const auto* one = std::get_if<Drawing::Text>(&shape)) all.push_back(one->text);
  return all;
}

bool says(const Drawing& drawing, const std::string& text) {
  const auto all = texts_of(drawing);
  return std::find(all.begin(), all.end(), text) != all.end();
}

constexpr es::Colour signal_colour{31, 78, 160}, threshold_colour{230, 120, 0}, boundary_colour{214, 140, 140};

}  // namespace

TEST_CASE("plot_timeline: spans are as long as they last and side by side", "[draw]") {
  const Drawing drawing = es::plot_timeline(
      timeline_of(es::TimelineBand{"layer 0", {{0, 2}, {2, 3, "boil"}, {3, 7}}, es::timeline_colour(1)}));
  const auto spans = rectangles_of(drawing);
  REQUIRE(spans.size() == 3);
  const double second = spans[1].width;
  CHECK(second > 60);
  CHECK(spans[0].width == Approx(2 * second));
  CHECK(spans[2].width == Approx(4 * second));
  CHECK(spans[1].x == Approx(spans[0].x + 2 * second));
  CHECK(spans[2].x == Approx(spans[1].x + second));
  CHECK(says(drawing, "layer 0"));
  CHECK(says(drawing, "boil"));
  CHECK(says(drawing, "seconds"));
  CHECK_FALSE(says(drawing, "threshold"));  // no curve, no legend of curves
  // Neighbours can be told apart.
  const es::Image image = es::pixels_of(drawing, 1);
  const auto colour = [&](std::size_t k, double y) {
    return image.at(static_cast<Index>(spans[k].x + 8), static_cast<Index>(spans[k].y + y));
  };
  CHECK_FALSE(colour(0, 5) == colour(1, 5));
  CHECK(colour(0, 5) == colour(2, 5));
}

TEST_CASE("plot_timeline: what lies outside of the picture is cut off", "[draw]") {
  const auto spans = rectangles_of(es::plot_timeline(timeline_of(es::TimelineBand{"b", {{-5, 1}, {9, 20}, {11, 12}}})));
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].width == Approx(spans[1].width));
  const Drawing drawing =
      es::plot_timeline(timeline_of(es::TimelineSignal{"s", {-1, 0, 1, 12}, {100, 1, 2, 100}, {}, {-1, 3, 11}}));
  CHECK(lines_of(drawing, boundary_colour).size() == 1 + 1);  // and the legend's
  CHECK_FALSE(says(drawing, "100"));
}

TEST_CASE("plot_timeline: a curve goes through its points and breaks where there is none", "[draw]") {
  const Drawing drawing = es::plot_timeline(timeline_of(es::TimelineSignal{
      "surprise", {0, 1, 2, 3, 4, 5}, {0, 1, nothing, 1, 0.5, 0}, {nothing, nothing, 0.5, 0.5, 0.5, 0.5}, {3}}));
  const auto curve = lines_of(drawing, signal_colour), threshold = lines_of(drawing, threshold_colour);
  REQUIRE(curve.size() == 1 + 2 + 1);  // the last is the legend's
  REQUIRE(threshold.size() == 3 + 1);
  CHECK(curve[0].y1 > curve[0].y2);  // upwards
  CHECK(curve[1].x1 == Approx(curve[0].x1 + 3 * (curve[0].x2 - curve[0].x1)));
  CHECK(curve[1].y2 == Approx((curve[0].y1 + curve[0].y2) / 2));
  for (std::size_t i = 0; i < 3; ++i) CHECK(threshold[i].y1 == Approx(curve[1].y2));
  const auto boundaries = lines_of(drawing, boundary_colour);
  REQUIRE(boundaries.size() == 2);
  CHECK(boundaries[0].x1 == Approx(curve[1].x1));
  CHECK(boundaries[0].y2 - boundaries[0].y1 > 100);
  for (const char* const name : {"signal", "threshold", "boundary", "surprise"}) CHECK(says(drawing, name));
}

TEST_CASE("plot_timeline: long signals keep their extremes, and the picture its size", "[draw]") {
  es::TimelineSignal signal{"s", {}, {}, {}, {}};
  for (int i = 0; i < 200000; ++i) signal.times.push_back(i * 0.1), signal.values.push_back(std::sin(i));
  signal.values[123456] = 5, signal.values[77777] = -5;
  for (int i = 0; i < 5000; ++i) signal.boundaries.push_back(i * 4);
  const Drawing drawing = es::plot_timeline(timeline_of(signal, 20000));
  const auto curve = lines_of(drawing, signal_colour);
  CHECK(curve.size() > 1000);
  CHECK(curve.size() < 4100);
  double top = 1e9, bottom = 0;
  for (std::size_t i = 0; i + 1 < curve.size(); ++i)
    top = std::min({top, curve[i].y1, curve[i].y2}), bottom = std::max({bottom, curve[i].y1, curve[i].y2});
  CHECK(bottom - top == Approx(120 / 1.12));
  const auto boundaries = lines_of(drawing, boundary_colour);
  CHECK(boundaries[0].y2 - boundaries[0].y1 == Approx(6));  // marks only
  CHECK(says(drawing, "hours:minutes:seconds"));
  CHECK(says(drawing, "0:30:00"));
}

TEST_CASE("plot_timeline: ticks are round numbers for every duration", "[draw]") {
  const auto [duration, unit, tick] =
      GENERATE(table<double, std::string, std::string>({{0.02, "seconds", "0.002"},
                                                        {1, "seconds", "0.10"},
                                                        {9, "seconds", "1.0"},
                                                        {75, "seconds", "10"},
                                                        {600, "minutes:seconds", "1:00"},
                                                        {7200, "hours:minutes:seconds", "0:10:00"},
                                                        {1e7, "hours:minutes:seconds", "0:00:00"}}));
  CAPTURE(duration);
  const Drawing drawing = es::plot_timeline(timeline_of(es::TimelineBand{"b", {}}, duration));
  CHECK(says(drawing, unit));
  CHECK(says(drawing, tick));
  CHECK(texts_of(drawing).size() < 40);
  CHECK(texts_of(drawing).size() > 5);
}

TEST_CASE("plot_timeline: constant, empty and absent signals are no trouble", "[draw]") {
  for (const es::TimelineSignal& signal :
       {es::TimelineSignal{"constant", {1, 2}, {3, 3}, {}, {}}, es::TimelineSignal{"empty", {}, {}, {}, {}},
        es::TimelineSignal{"absent", {1, 2}, {nothing, nothing}, {nothing, nothing}, {}}}) {
    const es::Image image = es::pixels_of(es::plot_timeline(timeline_of(signal)), 1);
    CHECK(image.height > 120);
  }
  CHECK(es::plot_timeline({.title = "", .duration = 1, .rows = {}}).height > 0);
}

TEST_CASE("plot_timeline: long names and labels give way to dots", "[draw]") {
  const std::string name(200, 'w');
  const Drawing drawing = es::plot_timeline(timeline_of(es::TimelineBand{name, {{0, 1, name}, {1, 1.05, name}}}));
  for (const std::string& text : texts_of(drawing)) CHECK(es::text_width(text, 13) < 200);
  CHECK(drawing.width == 1000);
  CHECK(texts_of(drawing).size() == 1 + 1 + 1 + 11 + 1);  // title, name, one label, ticks and their unit
  CHECK(es::fitting("abc", 1000, 10) == "abc");
  const std::string umlauts = "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc", one = "\xc3\xbc...";
  CHECK(es::fitting(umlauts, es::text_width(one, 10) + 0.5, 10) == one);
  CHECK(es::fitting("abc", 1, 10) == "...");
}

TEST_CASE("plot_timeline: impossible data are errors", "[draw]") {
  const auto error = [](std::variant<es::TimelineBand, es::TimelineSignal> row, double duration = 10) {
    return support::error_of([&] { (void)es::plot_timeline(timeline_of(std::move(row), duration)); });
  };
  CHECK_THAT(error(es::TimelineBand{}, 0), Contains("the duration is 0"));
  CHECK_THAT(error(es::TimelineBand{}, nothing), Contains("duration"));
  CHECK_THAT(error(es::TimelineBand{"layer 2", {{3, 2}}}), Contains("layer 2: a span from 3 to 2"));
  CHECK_THAT(error(es::TimelineBand{"b", {{0, nothing}}}), Contains("b: a span"));
  CHECK_THAT(error(es::TimelineSignal{"s", {1, 2}, {1}, {}, {}}), Contains("s: 2 times, 1 values and 0 thresholds"));
  CHECK_THAT(error(es::TimelineSignal{"s", {1}, {1}, {1, 2}, {}}), Contains("1 values and 2 thresholds"));
  CHECK_THAT(error(es::TimelineSignal{"s", {2, 1}, {1, 1}, {}, {}}), Contains("s: time 1 is 1"));
  CHECK_THAT(error(es::TimelineSignal{"s", {1}, {1}, {}, {nothing}}), Contains("s: a boundary"));
  CHECK_THAT(support::error_of([&] { (void)es::plot_timeline({"", 1, {}}, 20); }), Contains("20 units wide"));
}
