#ifndef EIGENSTREAM_ANALYSIS_PLOT_HPP
#define EIGENSTREAM_ANALYSIS_PLOT_HPP

#include <algorithm>    // min, max
#include <optional>     // marks
#include <string>       // the pictures
#include <string_view>  // characters
#include <tuple>        // which row shows most
#include <vector>       // runs

#include "eigenstream/analysis/dependency_matrix.hpp"
#include "eigenstream/core/timing.hpp"
#include "eigenstream/draw/drawing.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What a picture says of the network beside the matrix, in input frames.
struct DependencyMarks {
  Time receptive_field = 1;
  Time delay = 0;
  Rate rate = {};
};

inline DependencyMarks dependency_marks(const Timing& timing) {
  return {.receptive_field = timing.receptive_field(), .delay = timing.delay(), .rate = timing.rate()};
}

/// "1 output per 4 inputs"
inline std::string rate_text(Rate rate) {
  const auto count = [](Index n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); };
  return count(rate.outputs, "output") + " per " + (rate.inputs == 1 ? "input" : count(rate.inputs, "input"));
}

struct DependencyPlotOptions {
  std::string title = "Dependency plot";
  std::optional<DependencyMarks> marks = {};
};

struct DependencyTextOptions {
  Index width = 0;       ///< characters of a line, at least 24; 0: as many as there are inputs
  Index height = 0;      ///< lines, at least 6; 0: as many as there are outputs
  bool unicode = false;  ///< half blocks, two outputs to a line, instead of # and .
  bool colour = false;   ///< red, with the codes that terminals know
};

/// The picture of a DependencyMatrix. Input frames go to the right, output frames upwards; input i and output o meet in
/// [i, i+1] x [o, o+1], which is red if the output depends on the input. A causal network fills what is on the left of
/// the diagonal, and the diagonal.
class DependencyPlot {
 public:
  /// Errors   Error if the matrix is empty, or a mark is impossible
  DependencyPlot(DependencyMatrix matrix, DependencyPlotOptions options)
      : matrix_(std::move(matrix)), options_(std::move(options)) {
    check(matrix_.inputs() > 0 && matrix_.outputs() > 0, "plot_dependency_matrix: the matrix is empty (",
          matrix_.inputs(), " inputs, ", matrix_.outputs(), " outputs)");
    if (!options_.marks) return;
    const DependencyMarks& marks = *options_.marks;
    check(marks.receptive_field >= 0, "plot_dependency_matrix: receptive_field = ", marks.receptive_field,
          ", must not be negative");
    check(marks.rate.outputs >= 1 && marks.rate.inputs >= 1, "plot_dependency_matrix: rate = ", marks.rate.outputs, "/",
          marks.rate.inputs, ", both must be at least 1");
  }

  /// Axes in frames, with ticks at round numbers that stand at the middle of their frame. One frame is equally long on
  /// both axes, unless the shorter one would become too short to be read (below 120 units with frames below 20): then
  /// its frames are drawn longer, which the picture says.
  ///
  /// With marks: the row of one output, chosen where the ends of the signal don't cut it off, is framed; above it are
  /// its receptive field and its delay, from the end of the frame that the output belongs to, to the end of the one
  /// that releases it. A dashed line goes through where outputs belong: its slope is the rate.
  Drawing drawing() const;
  std::string svg() const { return svg_of(drawing()); }
  /// `scale` pixels for a unit of the drawing, which is about 800 units wide.
  Image pixels(double scale = 2) const { return pixels_of(drawing(), scale); }

  /// The matrix alone as a binary PGM image: squares of `cell` pixels, 0 (black) where there is a dependency, else 255;
  /// the last output on top.
  /// Errors   Error if cell < 1 or the image would have more than 2^28 pixels
  std::string pgm(Index cell = 1) const {
    const Index pixels = 268435456;
    check(cell >= 1 && cell <= 16384 && matrix_.inputs() * cell <= pixels / (matrix_.outputs() * cell),
          "pgm: ", matrix_.inputs(), " x ", matrix_.outputs(), " cells of ", cell,
          " pixels, must be at least 1, and at most 2^28 pixels in all");
    std::string image =
        "P5\n" + std::to_string(matrix_.inputs() * cell) + " " + std::to_string(matrix_.outputs() * cell) + "\n255\n";
    for (Index o = matrix_.outputs() - 1; o >= 0; --o) {
      std::string row;
      for (Index i = 0; i < matrix_.inputs(); ++i)
        row.append(static_cast<std::size_t>(cell), matrix_(i, o) ? '\0' : '\xff');
      for (Index k = 0; k < cell; ++k) image += row;
    }
    return image;
  }

  /// For a terminal: a line for each output, the last on top, a character for each input (# or .), and the numbers of
  /// the inputs below. What does not fit is thinned: then a character stands for a block of inputs and outputs, # if
  /// all of them depend, + if some do, and a last line says so. With half blocks, a character shows two outputs (or two
  /// blocks of them), each filled if any of it depends; the number of the line is that of the lower one.
  /// Errors   Error if width is below 24 or height below 6, but not 0
  std::string text(const DependencyTextOptions& options = {}) const;

 private:
  // Inputs first ... last of the matrix.
  struct Run {
    Index first, last;
    friend bool operator==(const Run&, const Run&) = default;
  };
  std::vector<Run> runs(Index output) const {
    std::vector<Run> all;
    for (Index i = 0; i < matrix_.inputs(); ++i) {
      if (!matrix_(i, output)) continue;
      if (!all.empty() && all.back().last == i - 1)
        all.back().last = i;
      else
        all.push_back({i, i});
    }
    return all;
  }
  // The true cells, each once. Runs of inputs that outputs one after another share are one rectangle.
  std::vector<Drawing::Rectangle> cells() const {
    struct Open {
      Run run;
      Index since;
    };
    std::vector<Drawing::Rectangle> all;
    std::vector<Open> open;
    for (Index o = 0; o <= matrix_.outputs(); ++o) {
      std::vector<Open> next;
      for (const Run& run : o < matrix_.outputs() ? runs(o) : std::vector<Run>()) next.push_back({run, o});
      std::size_t at = 0;  // both lists are in order
      for (const Open& each : open) {
        while (at < next.size() && next[at].run.first < each.run.first) ++at;
        if (at < next.size() && next[at].run == each.run)
          next[at].since = each.since;
        else
          all.push_back({static_cast<double>(each.run.first), static_cast<double>(each.since),
                         static_cast<double>(each.run.last - each.run.first + 1), static_cast<double>(o - each.since)});
      }
      open = std::move(next);
    }
    return all;
  }
  // The output whose row shows the marks best: its own frame and the one that releases it within the signal, its
  // receptive field whole, its last input as late as the delay says, in the upper part of the picture.
  struct Shown {
    Index output = -1, first = 0, last = 0;  // in inputs of the matrix
    bool in_time = false, whole = false, on_time = false;
  };
  Shown shown_output() const {
    const Index stride = matrix_.in_stride(), frames = matrix_.inputs() * stride, wanted = matrix_.outputs() * 7 / 10;
    const auto rank = [&](const Shown& s) {
      return std::tuple(s.in_time, s.whole, s.on_time, -std::abs(s.output - wanted));
    };
    Shown best;
    for (Index o = 0; o < matrix_.outputs(); ++o) {
      const std::vector<Run> all = runs(o);
      if (all.empty()) continue;
      Shown row{.output = o, .first = all.front().first, .last = all.back().last};
      row.in_time = own(o) < frames && release(o) >= -1 && release(o) < frames;
      row.whole = options_.marks->receptive_field == unbounded ||
                  (row.last - row.first + 1) * stride > options_.marks->receptive_field - stride;
      row.on_time = row.last == floor_div(release(o), stride);
      if (best.output < 0 || rank(row) > rank(best)) best = row;
    }
    return best;
  }
  // The frame that an output belongs to, and the one that releases it.
  Index own(Index output) const {
    return floor_div(output * options_.marks->rate.inputs, options_.marks->rate.outputs);
  }
  Index release(Index output) const { return own(output) + options_.marks->delay; }

  struct Canvas;
  void draw_axes(Canvas& canvas) const;
  void draw_cells(Canvas& canvas) const;
  void draw_legend(Canvas& canvas) const;
  void draw_marks(Canvas& canvas) const;
  void draw_title(Canvas& canvas) const;

  static constexpr double side = 640, lane = 24, text_size = 14, tick_size = 12,
                          title_size = 19;  // units of the drawing
  static constexpr Colour red{255, 0, 0}, white{255, 255, 255}, black{0, 0, 0}, ink{38, 38, 38}, grey{128, 128, 128},
      faint{226, 226, 226}, blue{31, 78, 160};

  DependencyMatrix matrix_;
  DependencyPlotOptions options_;
};

/// The picture of which outputs depend on which inputs, as a drawing, SVG, PGM and text; plot_png.hpp makes it PNG.
/// Errors   Error if the matrix is empty, or a mark is impossible
inline DependencyPlot plot_dependency_matrix(DependencyMatrix matrix, DependencyPlotOptions options = {}) {
  return DependencyPlot(std::move(matrix), std::move(options));
}

/// The picture while it is drawn: where frames are, and shapes to add.
struct DependencyPlot::Canvas {
  explicit Canvas(const DependencyPlot& plot) {
    const DependencyMatrix& matrix = plot.matrix_;
    in_stride = static_cast<double>(matrix.in_stride());
    inputs = static_cast<double>(matrix.inputs()) * in_stride;
    outputs = static_cast<double>(matrix.outputs());
    // Whole half units where there is room, so that cells meet the pixels.
    const auto snapped = [](double scale) { return scale >= 0.5 ? std::floor(scale * 2) / 2 : scale; };
    x_scale = y_scale = snapped(std::min(40.0, side / std::max(inputs, outputs)));
    const double shorter = std::min(inputs, outputs);
    if (x_scale * shorter < 120 && x_scale < 20)
      (inputs < outputs ? x_scale : y_scale) *= std::max(1.0, std::floor(std::min(40.0, 200 / shorter) / x_scale));
    if (plot.options_.marks) top += 2 * lane + 4;
    right = left + inputs * x_scale;
    bottom = top + outputs * y_scale;
    drawing.width = right + (plot.options_.marks ? 92 : 24);
    drawing.height = bottom + 82;
  }

  double x_of(double frame) const { return left + frame * x_scale; }
  double y_of(double frame) const { return bottom - frame * y_scale; }
  bool shows_cells() const { return x_scale * in_stride >= 8 && y_scale >= 8; }

  void line(double x1, double y1, double x2, double y2, Colour colour, double thick = 1, double dash = 0) {
    drawing.shapes.push_back(Drawing::Line{x1, y1, x2, y2, colour, thick, dash});
  }
  void frame(double x1, double y1, double x2, double y2, Colour colour, double thick) {
    const double h = thick / 2;
    line(x1 - h, y1, x2 + h, y1, colour, thick);
    line(x1 - h, y2, x2 + h, y2, colour, thick);
    line(x1, y1, x1, y2, colour, thick);
    line(x2, y1, x2, y2, colour, thick);
  }
  void write(double x, double y, std::string text, Drawing::Anchor anchor = Drawing::Anchor::start,
             double size = text_size, Colour colour = ink, bool upwards = false) {
    drawing.shapes.push_back(Drawing::Text{x, y, std::move(text), size, anchor, colour, upwards});
  }
  void widen(double to) { drawing.width = std::max(drawing.width, to); }

  // A dimension line at height y, with its text beyond the guides at first and last, or in its middle where there is no
  // room; if there is none, either, the picture becomes wider.
  void dimension(double y, double from, double to, double first, double last, const std::string& text, Colour colour) {
    const double x1 = x_of(from), x2 = x_of(to), middle = (x1 + x2) / 2, needed = text_width(text, text_size) + 20;
    const double before = x_of(first), behind = x_of(last);
    for (const double x : {x1, x2}) line(x, y - 5, x, y + 5, colour, 1.5);
    if (behind + needed > drawing.width && before < needed && x2 - x1 > needed) {
      line(x1, y, middle - needed / 2, y, colour, 1.5);
      line(middle + needed / 2, y, x2, y, colour, 1.5);
      write(middle, y + 5, text, Drawing::Anchor::middle, text_size, colour);
      return;
    }
    line(x1, y, x2, y, colour, 1.5);
    if (behind + needed > drawing.width && before >= needed)
      write(before - 10, y + 5, text, Drawing::Anchor::end, text_size, colour);
    else
      write(behind + 10, y + 5, text, Drawing::Anchor::start, text_size, colour);
    if (before < needed) widen(behind + needed);
  }

  double in_stride, inputs, outputs;  // frames
  double x_scale, y_scale;            // units for a frame
  double left = 74, top = 52, right, bottom;
  Drawing drawing = {};
};

inline Drawing DependencyPlot::drawing() const {
  Canvas canvas(*this);
  draw_axes(canvas);
  draw_cells(canvas);
  draw_legend(canvas);
  if (options_.marks) draw_marks(canvas);
  draw_title(canvas);
  return std::move(canvas.drawing);
}

inline void DependencyPlot::draw_axes(Canvas& canvas) const {
  // Ticks at round numbers, 1, 2 or 5 times a power of ten (times in_stride).
  const auto step_of = [](double frames, double scale, double apart, double unit) {
    double step = unit;
    for (int k = 0; step * scale < apart && step < frames; ++k) step *= k % 3 == 1 ? 2.5 : 2;
    return step;
  };
  const auto digits = [](double n) { return text_width(std::to_string(static_cast<Index>(n)), tick_size); };
  double x_step = step_of(canvas.inputs, canvas.x_scale, digits(canvas.inputs) + 14, canvas.in_stride),
         y_step = step_of(canvas.outputs, canvas.y_scale, 26, 1);
  if (canvas.x_scale == canvas.y_scale && canvas.in_stride == 1) x_step = y_step = std::max(x_step, y_step);
  for (double v = 0; v < canvas.inputs; v += x_step) {
    const double x = canvas.x_of(v + canvas.in_stride / 2);
    if (!canvas.shows_cells()) canvas.line(x, canvas.top, x, canvas.bottom, faint);
    canvas.line(x, canvas.bottom, x, canvas.bottom + 5, ink);
    canvas.write(x, canvas.bottom + 19, std::to_string(static_cast<Index>(v)), Drawing::Anchor::middle, tick_size);
  }
  for (double v = 0; v < canvas.outputs; v += y_step) {
    const double y = canvas.y_of(v + 0.5);
    if (!canvas.shows_cells()) canvas.line(canvas.left, y, canvas.right, y, faint);
    canvas.line(canvas.left - 5, y, canvas.left, y, ink);
    canvas.write(canvas.left - 9, y + 0.35 * tick_size, std::to_string(static_cast<Index>(v)), Drawing::Anchor::end,
                 tick_size);
  }
  canvas.write((canvas.left + canvas.right) / 2, canvas.bottom + 42, "input frame", Drawing::Anchor::middle);
  canvas.write(26, (canvas.top + canvas.bottom) / 2, "output frame", Drawing::Anchor::middle, text_size, ink, true);
}

inline void DependencyPlot::draw_cells(Canvas& canvas) const {
  canvas.drawing.shapes.push_back(Drawing::Rectangles{red, canvas.left, canvas.bottom,
                                                      canvas.x_scale * canvas.in_stride, -canvas.y_scale, cells()});
  if (canvas.shows_cells()) {
    for (Index i = 1; i < matrix_.inputs(); ++i)
      canvas.line(canvas.x_of(static_cast<double>(i) * canvas.in_stride), canvas.top,
                  canvas.x_of(static_cast<double>(i) * canvas.in_stride), canvas.bottom, grey, 0.5);
    for (Index o = 1; o < matrix_.outputs(); ++o)
      canvas.line(canvas.left, canvas.y_of(static_cast<double>(o)), canvas.right, canvas.y_of(static_cast<double>(o)),
                  grey, 0.5);
  }
  canvas.frame(canvas.left, canvas.top, canvas.right, canvas.bottom, ink, 1);
}

// Below the axes; the picture is at least as wide.
inline void DependencyPlot::draw_legend(Canvas& canvas) const {
  constexpr double line_height = 22;
  double x = canvas.left, y = canvas.bottom + 66;
  const auto entry = [&](double sample, const std::string& text) {
    canvas.write(x + sample, y, text);
    const double end = x + sample + text_width(text, text_size);
    canvas.widen(end + 24);
    return end;
  };
  canvas.drawing.shapes.push_back(Drawing::Rectangles{red, 0, 0, 1, 1, {{x, y - 11, 12, 12}}});
  const double end = entry(20, "output depends on input") + 28;
  if (options_.marks) {
    const std::string belongs = "where outputs belong in time: " + rate_text(options_.marks->rate);
    if (end + 38 + text_width(belongs, text_size) > std::max(canvas.right, 494.0))
      y += line_height;
    else
      x = end;
    canvas.line(x, y - 5, x + 30, y - 5, blue, 2, 6);
    entry(38, belongs);
  }
  if (canvas.x_scale != canvas.y_scale) {
    const bool tall = canvas.y_scale > canvas.x_scale;
    const double ratio = tall ? canvas.y_scale / canvas.x_scale : canvas.x_scale / canvas.y_scale;
    x = canvas.left;
    y += line_height;
    entry(0, std::string("Not to scale: 1 ") + (tall ? "output" : "input") + " frame is drawn as long as " +
                 std::to_string(std::lround(ratio)) + (tall ? " input" : " output") + " frames");
  }
  canvas.drawing.height = y + 16;
}

inline void DependencyPlot::draw_marks(Canvas& canvas) const {
  const DependencyMarks& marks = *options_.marks;
  // Where outputs belong: through the lower left corner of the cell of output o and its input, as far as both go.
  const double slope = marks.rate.value();
  const double end = std::min(canvas.inputs, canvas.outputs / slope);
  canvas.line(canvas.x_of(0), canvas.y_of(0), canvas.x_of(end), canvas.y_of(end * slope), white, 4, 6);
  canvas.line(canvas.x_of(0), canvas.y_of(0), canvas.x_of(end), canvas.y_of(end * slope), blue, 2, 6);

  const Shown shown = shown_output();
  const auto frames_text = [](Time n) { return std::to_string(n) + (n == 1 ? " frame" : " frames"); };
  const std::string field =
      "receptive field " + (marks.receptive_field == unbounded ? "unbounded" : frames_text(marks.receptive_field));
  const std::string delay = "delay " + frames_text(marks.delay) + (marks.delay == 0 ? " (causal)" : "");
  const double field_y = 62, delay_y = field_y + lane;
  if (shown.output < 0) {
    canvas.write(canvas.left, field_y + 5, field);
    canvas.write(canvas.left, delay_y + 5, delay);
    canvas.widen(canvas.left + std::max(text_width(field, text_size), text_width(delay, text_size)) + 20);
  } else {
    const double row = static_cast<double>(shown.output), row_top = canvas.y_of(row + 1);
    const double first = static_cast<double>(shown.first) * canvas.in_stride,
                 last = static_cast<double>(shown.last + 1) * canvas.in_stride;
    const double belongs_end = static_cast<double>(own(shown.output) + 1),
                 released = static_cast<double>(release(shown.output) + 1);
    const auto guide = [&](double at, double y, Colour colour) {
      canvas.line(canvas.x_of(at), y + 5, canvas.x_of(at), row_top, colour, 1, 3);
    };
    guide(first, field_y, ink);
    guide(last, field_y, ink);
    const double earliest = shown.in_time ? std::min({first, belongs_end, released}) : first;
    const double latest = shown.in_time ? std::max({last, belongs_end, released}) : last;
    canvas.dimension(field_y, first, last, earliest, latest,
                     field + (shown.whole ? "" : ", cut off by the signal's ends"), black);
    if (shown.in_time) {
      guide(belongs_end, delay_y, blue);
      if (released != last) guide(released, delay_y, blue);
      canvas.dimension(delay_y, std::min(belongs_end, released), std::max(belongs_end, released), earliest, latest,
                       delay, blue);
    } else {
      canvas.write(canvas.x_of(first) + 10, delay_y + 5, delay, Drawing::Anchor::start, text_size, blue);
      canvas.widen(canvas.x_of(first) + text_width(delay, text_size) + 20);
    }
    canvas.frame(canvas.x_of(first), row_top, canvas.x_of(last), canvas.y_of(row), black, canvas.y_scale >= 8 ? 2 : 1);
    const double row_y = canvas.y_of(row + 0.5);
    canvas.line(canvas.x_of(last), row_y, canvas.right + 6, row_y, ink, 1, 3);
    canvas.write(canvas.right + 9, row_y + 0.35 * tick_size, "output " + std::to_string(shown.output),
                 Drawing::Anchor::start, tick_size);
  }
}

inline void DependencyPlot::draw_title(Canvas& canvas) const {
  canvas.write(canvas.left, 32, fitting(options_.title, canvas.drawing.width - canvas.left - 24, title_size),
               Drawing::Anchor::start, title_size, black);
}

inline std::string DependencyPlot::text(const DependencyTextOptions& options) const {
  check(options.width == 0 || options.width >= 24, "text: width = ", options.width, ", must be 0 or at least 24");
  check(options.height == 0 || options.height >= 6, "text: height = ", options.height, ", must be 0 or at least 6");
  const Index inputs = matrix_.inputs(), outputs = matrix_.outputs();
  const Index label = static_cast<Index>(std::to_string(outputs - 1).size());
  const Index columns = options.width == 0 ? inputs : options.width - label - 2;
  const Index lines = options.height == 0 ? ceil_div(outputs, options.unicode ? 2 : 1) : options.height - 2;

  // Blocks of `wide` inputs and `high` outputs. Characters are about twice as high as wide: a block of a thinned
  // picture is, too, but never so high or wide that a short axis is less than eight characters.
  Index wide = 1, high = options.unicode ? 2 : 1;
  if (ceil_div(inputs, wide) > columns || ceil_div(outputs, high) > lines) {
    wide = std::max(ceil_div(inputs, columns), ceil_div(ceil_div(outputs, lines), 2));
    high = std::max(ceil_div(outputs, lines), std::min(2 * wide, std::max<Index>(1, outputs / 8)));
    wide = std::max(ceil_div(inputs, columns), std::min(wide, std::max<Index>(1, inputs / 8)));
    if (options.unicode) high = 2 * ceil_div(high, 2);
  }
  const auto count = [&](Index in, Index out, Index tall) {
    Index n = 0;
    for (Index o = out; o < std::min(out + tall, outputs); ++o)
      for (Index i = in; i < std::min(in + wide, inputs); ++i) n += matrix_(i, o) ? 1 : 0;
    return n;
  };
  const auto character = [&](Index in, Index out) -> std::string_view {
    if (options.unicode) {
      constexpr std::string_view blocks[] = {" ", "\u2584", "\u2580", "\u2588"};
      const bool lower = count(in, out, high / 2) > 0, upper = count(in, out + high / 2, high / 2) > 0;
      return blocks[(lower ? 1 : 0) + (upper ? 2 : 0)];
    }
    const Index n = count(in, out, high), all = std::min(wide, inputs - in) * std::min(high, outputs - out);
    return n == 0 ? "." : n == all ? "#" : "+";
  };

  std::string all;
  for (Index out = (outputs - 1) / high * high; out >= 0; out -= high) {
    const std::string number = std::to_string(out);
    all += std::string(static_cast<std::size_t>(label) - number.size(), ' ') + number + " |";
    bool lit = false;
    for (Index in = 0; in < inputs; in += wide) {
      const std::string_view each = character(in, out);
      const bool filled = each != "." && each != " ";
      if (options.colour && filled != lit) all += filled ? "\x1b[31m" : "\x1b[0m";
      lit = filled;
      all += each;
    }
    if (options.colour && lit) all += "\x1b[0m";
    while (all.back() == ' ') all.pop_back();
    all += "\n";
  }
  std::string ticks(static_cast<std::size_t>(label + 2), ' ');
  for (Index in = 0; in < inputs; in += 10 * wide) {
    const std::string number = std::to_string(in * matrix_.in_stride());
    const std::size_t at = static_cast<std::size_t>(label + 2 + in / wide);
    if (in > 0 && (ticks.size() >= at || (options.width > 0 && static_cast<Index>(at + number.size()) > options.width)))
      continue;
    ticks.resize(at, ' ');
    ticks += number;
  }
  all += ticks + "\n";
  if (wide > 1 || high > (options.unicode ? 2 : 1)) {
    const auto frames = [](Index n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); };
    const Index tall = options.unicode ? high / 2 : high;
    all += std::string(options.unicode ? "thinned: half a character stands for " : "thinned: a character stands for ") +
           frames(wide, "input") + " x " + frames(tall, "output") + (options.unicode ? "\n" : " (# all, + some)\n");
  }
  return all;
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_ANALYSIS_PLOT_HPP
