#ifndef EIGENSTREAM_DRAW_TIMELINE_HPP
#define EIGENSTREAM_DRAW_TIMELINE_HPP

#include <algorithm>  // min, max, minmax_element
#include <cmath>      // isfinite, floor
#include <cstdio>     // snprintf
#include <iterator>   // size
#include <string>     // names
#include <utility>    // move, pair
#include <variant>    // rows
#include <vector>     // spans, signals

#include "eigenstream/core/check.hpp"
#include "eigenstream/draw/drawing.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What lasts from start to end, in seconds.
struct TimelineSpan {
  double start = 0, end = 0;
  std::string label = {};
};

/// Spans side by side, in two shades of a colour by turns.
struct TimelineBand {
  std::string name = {};
  std::vector<TimelineSpan> spans = {};
  Colour colour = {31, 78, 160};
};

/// A curve, with the threshold that it is compared with and what came of that.
struct TimelineSignal {
  std::string name = {};
  std::vector<double> times = {};       ///< seconds, never backwards
  std::vector<double> values = {};      ///< one for each time; NaN: a gap
  std::vector<double> thresholds = {};  ///< none, or one for each time; NaN: a gap
  std::vector<double> boundaries = {};  ///< seconds
};

/// Bands and curves one below another over the same time.
struct Timeline {
  std::string title = {};
  double duration = 0;  ///< seconds that the picture shows, from 0 on
  std::vector<std::variant<TimelineBand, TimelineSignal>> rows = {};
};

/// A colour for the k-th of several bands.
constexpr Colour timeline_colour(Index k) {
  constexpr Colour colours[] = {{31, 78, 160},  {200, 96, 0},  {36, 128, 72},
                                {132, 60, 150}, {168, 40, 60}, {0, 124, 136}};
  return colours[static_cast<std::size_t>(k) % std::size(colours)];
}

namespace detail {

/// The picture while it is drawn.
class TimelinePainter {
 public:
  TimelinePainter(const Timeline& timeline, double width) : timeline_(timeline) {
    check(std::isfinite(timeline.duration) && timeline.duration > 0, "plot_timeline: the duration is ",
          timeline.duration, " seconds");
    check(width >= 300 && width <= 100000, "plot_timeline: ", width, " units wide, must be from 300 to 100000");
    for (const auto& row : timeline.rows) {
      const std::string& name = std::visit([](const auto& each) -> const std::string& { return each.name; }, row);
      left_ = std::max(left_, std::min(most_name, text_width(name, text_size)) + 24);
    }
    right_ = width - 24;
    drawing_.width = width;
  }

  Drawing draw() && {
    write(left_, 32, fitting(timeline_.title, right_ - left_, title_size), Drawing::Anchor::start, title_size, black);
    for (const auto& row : timeline_.rows) {
      std::visit([&](const auto& each) { add(each); }, row);
      y_ += gap;
    }
    axis();
    if (has_signals_) legend();
    drawing_.height = y_;
    return std::move(drawing_);
  }

 private:
  struct Point {
    double time, value;
  };

  double x_of(double time) const { return left_ + (right_ - left_) * time / timeline_.duration; }
  void line(double x1, double y1, double x2, double y2, Colour colour, double thick = 1, double dash = 0) {
    drawing_.shapes.push_back(Drawing::Line{x1, y1, x2, y2, colour, thick, dash});
  }
  void write(double x, double y, std::string text, Drawing::Anchor anchor, double size, Colour colour) {
    drawing_.shapes.push_back(Drawing::Text{x, y, std::move(text), size, anchor, colour});
  }
  void name_row(const std::string& name, double height) {
    write(left_ - 12, y_ + height / 2 + 5, fitting(name, most_name, text_size), Drawing::Anchor::end, text_size, ink);
  }
  static Colour lighter(Colour colour, double share) {
    const auto part = [&](std::uint8_t value) { return static_cast<std::uint8_t>(255 - share * (255 - value)); };
    return {part(colour.red), part(colour.green), part(colour.blue)};
  }
  // 1, 2 or 5 times a power of ten, at least `least`; above a second, what clocks show.
  static double round_step(double least, bool time) {
    constexpr double clock[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000, 86400};
    if (time && least > 0.5)
      for (const double each : clock)
        if (each >= least) return each;
    const double power = std::pow(10, std::floor(std::log10(least)));
    for (const double factor : {1., 2., 5.})
      if (factor * power >= least * (1 - 1e-9)) return factor * power;
    return 10 * power;
  }
  static std::string number(double value, double step) {
    if (std::abs(value) < step / 2) value = 0;  // not -0
    char digits[64];
    std::snprintf(digits, sizeof digits, "%.*f",
                  std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12), value);
    return digits;
  }
  std::string clock_time(double seconds, double step) const {
    if (timeline_.duration <= 90) return number(seconds, step);
    const auto whole = static_cast<long long>(std::llround(seconds));
    char digits[64];
    if (timeline_.duration < 3600)
      std::snprintf(digits, sizeof digits, "%lld:%02lld", whole / 60, whole % 60);
    else
      std::snprintf(digits, sizeof digits, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    return digits;
  }

  void add(const TimelineBand& band) {
    name_row(band.name, band_height);
    Drawing::Rectangles shades[] = {{lighter(band.colour, 0.55), 0, 0, 1, 1, {}},
                                    {lighter(band.colour, 0.3), 0, 0, 1, 1, {}}};
    for (std::size_t i = 0; i < band.spans.size(); ++i) {
      const TimelineSpan& span = band.spans[i];
      check(std::isfinite(span.start) && std::isfinite(span.end) && span.start <= span.end,
            "plot_timeline: ", band.name, ": a span from ", span.start, " to ", span.end);
      const auto [from, to] = shown(span);
      if (from <= to) shades[i % 2].all.push_back({x_of(from), y_, x_of(to) - x_of(from), band_height});
    }
    for (Drawing::Rectangles& each : shades)
      if (!each.all.empty()) drawing_.shapes.push_back(std::move(each));
    for (const TimelineSpan& span : band.spans) {
      const auto [from, to] = shown(span);
      if (from > to) continue;
      // Edges would hide spans that are hardly wider.
      if (x_of(to) - x_of(from) >= 4)
        for (const double x : {x_of(from), x_of(to)}) line(x, y_, x, y_ + band_height, band.colour, 1);
      const double room = x_of(to) - x_of(from) - 8;
      if (room >= std::min(readable, text_width(span.label, tick_size)) && !span.label.empty())
        write((x_of(from) + x_of(to)) / 2, y_ + band_height / 2 + 4, fitting(span.label, room, tick_size),
              Drawing::Anchor::middle, tick_size, black);
    }
    box(band_height, faint);
    y_ += band_height;
  }
  std::pair<double, double> shown(const TimelineSpan& span) const {
    return {std::max(0., span.start), std::min(timeline_.duration, span.end)};
  }

  void add(const TimelineSignal& signal) {
    const std::size_t n = signal.times.size();
    check(signal.values.size() == n && (signal.thresholds.empty() || signal.thresholds.size() == n),
          "plot_timeline: ", signal.name, ": ", n, " times, ", signal.values.size(), " values and ",
          signal.thresholds.size(), " thresholds");
    for (std::size_t i = 0; i < n; ++i)
      check(std::isfinite(signal.times[i]) && (i == 0 || signal.times[i - 1] <= signal.times[i]),
            "plot_timeline: ", signal.name, ": time ", i, " is ", signal.times[i]);
    has_signals_ = true;
    name_row(signal.name, signal_height);
    double least = 0, most = 0;
    bool any = false;
    for (const auto* values : {&signal.values, &signal.thresholds})
      for (std::size_t i = 0; i < values->size(); ++i) {
        const double value = (*values)[i];
        if (!std::isfinite(value) || signal.times[i] < 0 || signal.times[i] > timeline_.duration) continue;
        least = any ? std::min(least, value) : value, most = any ? std::max(most, value) : value;
        any = true;
      }
    const double margin = most > least ? 0.06 * (most - least) : std::max(0.5, std::abs(most) / 2);
    least -= margin, most += margin;
    const auto y_of = [&](double value) { return y_ + signal_height * (most - value) / (most - least); };

    if (any) {
      const double step = round_step((most - least) / 4, false);
      for (double i = std::ceil(least / step); i * step <= most; ++i) {
        const double y = y_of(i * step);
        line(left_, y, right_, y, faint);
        write(right_ + 4, y + 3, number(i * step, step), Drawing::Anchor::start, 9, grey);
        drawing_.width = std::max(drawing_.width, right_ + 12 + text_width(number(i * step, step), 9));
      }
    }
    // Where they stand too close to see anything between them, boundaries are marks at the top.
    const bool dense = static_cast<double>(signal.boundaries.size()) * 5 > right_ - left_;
    for (const double each : signal.boundaries) {
      check(std::isfinite(each), "plot_timeline: ", signal.name, ": a boundary at ", each);
      if (each >= 0 && each <= timeline_.duration)
        line(x_of(each), y_, x_of(each), y_ + (dense ? 6 : signal_height), boundary_colour);
    }
    curve(signal.times, signal.thresholds, y_of, threshold_colour, 1.5);
    curve(signal.times, signal.values, y_of, signal_colour, 1);
    box(signal_height, grey);
    y_ += signal_height;
  }

  // Of the points that share a unit of the drawing only the first, the least, the greatest and the last are drawn: the
  // picture is the same, and its size does not grow with the signal.
  template <class YOf>
  void curve(const std::vector<double>& times, const std::vector<double>& values, YOf&& y_of, Colour colour,
             double thick) {
    std::vector<Point> column;
    Point before{};
    bool joined = false;
    const auto flush = [&] {
      if (column.empty()) return;
      const auto [low, high] =
          std::minmax_element(column.begin(), column.end(), [](Point a, Point b) { return a.value < b.value; });
      const auto first = std::min(low, high), second = std::max(low, high);
      for (const Point& point : {column.front(), *first, *second, column.back()}) {
        if (joined && (point.time != before.time || point.value != before.value))
          line(x_of(before.time), y_of(before.value), x_of(point.time), y_of(point.value), colour, thick);
        before = point, joined = true;
      }
      column.clear();
    };
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Point point{times[i], values[i]};
      const bool there = std::isfinite(point.value) && point.time >= 0 && point.time <= timeline_.duration;
      if (!there || (!column.empty() && std::floor(x_of(point.time)) != std::floor(x_of(column.front().time)))) flush();
      if (there)
        column.push_back(point);
      else
        joined = false;
    }
    flush();
  }

  void box(double height, Colour colour) {
    for (const double y : {y_, y_ + height}) line(left_, y, right_, y, colour);
    for (const double x : {left_, right_}) line(x, y_, x, y_ + height, colour);
  }
  void axis() {
    const double widest = text_width(clock_time(timeline_.duration, 0.01), tick_size) + 24;
    const double step = round_step(timeline_.duration * widest / (right_ - left_), true);
    line(left_, y_, right_, y_, ink);
    for (double i = 0; i * step <= timeline_.duration * (1 + 1e-9); ++i) {
      const double x = x_of(i * step);
      line(x, y_, x, y_ + 5, ink);
      write(x, y_ + 18, clock_time(i * step, step), Drawing::Anchor::middle, tick_size, ink);
    }
    y_ += 36;
    write((left_ + right_) / 2, y_,
          timeline_.duration <= 90    ? "seconds"
          : timeline_.duration < 3600 ? "minutes:seconds"
                                      : "hours:minutes:seconds",
          Drawing::Anchor::middle, text_size, ink);
    y_ += 14;
  }
  void legend() {
    double x = left_;
    y_ += 12;
    for (const auto& [name, colour] : {std::pair("signal", signal_colour), std::pair("threshold", threshold_colour),
                                       std::pair("boundary", boundary_colour)}) {
      line(x, y_ - 4, x + 24, y_ - 4, colour, 2);
      write(x + 30, y_, name, Drawing::Anchor::start, tick_size, ink);
      x += 30 + text_width(name, tick_size) + 28;
    }
    y_ += 14;
  }

  static constexpr double band_height = 30, signal_height = 120, gap = 10, most_name = 180,
                          readable = 40;  // units of the drawing
  static constexpr double text_size = 13, tick_size = 11, title_size = 18;
  static constexpr Colour black{0, 0, 0}, ink{38, 38, 38}, grey{128, 128, 128}, faint{226, 226, 226};
  static constexpr Colour signal_colour{31, 78, 160}, threshold_colour{230, 120, 0}, boundary_colour{214, 140, 140};

  const Timeline& timeline_;
  double left_ = 60, right_ = 0, y_ = 52;
  bool has_signals_ = false;
  Drawing drawing_ = {};
};

}  // namespace detail

/// Bands and curves over time, as a drawing `width` units wide: svg_of and pixels_of make pictures of it. A curve of
/// any length is drawn with at most a few strokes for each unit of the width. What lies outside of 0 to the duration is
/// cut off.
/// Errors   Error if the duration is not positive, the width not from 300 to 100000, a time not finite, a span ends
///          before it starts, times run backwards, or a signal's lists differ in length
inline Drawing plot_timeline(const Timeline& timeline, double width = 1000) {
  return detail::TimelinePainter(timeline, width).draw();
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_DRAW_TIMELINE_HPP
