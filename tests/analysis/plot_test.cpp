#include "eigenstream/analysis/plot.hpp"

#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "eigenstream/core/timing_builder.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::DependencyMatrix;
using es::Index;

namespace {

// Output o reads the inputs from o * inputs_per_output - before to the same + after.
DependencyMatrix band(Index inputs, Index outputs, Index before, Index after, Index step = 1, Index in_stride = 1) {
  DependencyMatrix matrix(inputs, outputs, in_stride);
  for (Index o = 0; o < outputs; ++o)
    for (Index i = 0; i < inputs; ++i)
      if (i * in_stride >= o * step - before && i * in_stride <= o * step + after) matrix.set(i, o);
  return matrix;
}

DependencyMatrix random_matrix(Index inputs, Index outputs, double density) {
  DependencyMatrix matrix(inputs, outputs);
  std::mt19937 generator(7);
  std::bernoulli_distribution draw(density);
  for (Index o = 0; o < outputs; ++o)
    for (Index i = 0; i < inputs; ++i) matrix.set(i, o, draw(generator));
  return matrix;
}

// The cells that the rectangles cover; -1 inputs if one is covered twice or lies outside.
DependencyMatrix covered(const es::Drawing& drawing, const DependencyMatrix& like) {
  DependencyMatrix matrix(like.inputs(), like.outputs(), like.in_stride());
  const auto& cells = *std::find_if(drawing.shapes.begin(), drawing.shapes.end(), [](const es::Drawing::Shape& shape) {
    return std::holds_alternative<es::Drawing::Rectangles>(shape);
  });
  for (const es::Drawing::Rectangle& each : std::get<es::Drawing::Rectangles>(cells).all)
    for (Index o = 0; o < each.height; ++o)
      for (Index i = 0; i < each.width; ++i) {
        const Index in = static_cast<Index>(each.x) + i, out = static_cast<Index>(each.y) + o;
        REQUIRE(in < like.inputs());
        REQUIRE(out < like.outputs());
        REQUIRE(!matrix(in, out));
        matrix.set(in, out);
      }
  return matrix;
}

std::vector<std::string> texts(const es::Drawing& drawing) {
  std::vector<std::string> all;
  for (const es::Drawing::Shape& shape : drawing.shapes)
    if (const auto* text = std::get_if<es::Drawing::Text>(&shape)) all.push_back(text->text);
  return all;
}
bool says(const es::Drawing& drawing, const std::string& wanted) {
  const std::vector<std::string> all = texts(drawing);
  return std::any_of(all.begin(), all.end(), [&](const std::string& t) { return t.find(wanted) != t.npos; });
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Columns of the longest line; bytes that continue a character do not count.
Index width_of(const std::string& text) {
  Index most = 0, now = 0;
  for (const char c : text) {
    now = c == '\n' ? 0 : now + ((static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0);
    most = std::max(most, now);
  }
  return most;
}

}  // namespace

TEST_CASE("plot_dependency_matrix: the rectangles cover the true cells, each once", "[analysis]") {
  const auto matrix =
      GENERATE(band(1, 1, 0, 0), band(16, 16, 2, 0), band(40, 10, 3, 4, 4), random_matrix(37, 23, 0.5),
               random_matrix(64, 65, 0.02), random_matrix(20, 20, 1), random_matrix(9, 9, 0), band(10, 40, 9, 3, 1, 4));
  const es::Drawing drawing = es::plot_dependency_matrix(matrix).drawing();
  CHECK(covered(drawing, matrix) == matrix);
}

TEST_CASE("plot_dependency_matrix: every pixel of a cell is red or not", "[analysis]") {
  const DependencyMatrix matrix = random_matrix(30, 20, 0.4);
  const es::DependencyPlot plot = es::plot_dependency_matrix(matrix);
  const es::Drawing drawing = plot.drawing();
  const auto* cells = std::get_if<es::Drawing::Rectangles>(&*std::find_if(
      drawing.shapes.begin(), drawing.shapes.end(),
      [](const es::Drawing::Shape& shape) { return std::holds_alternative<es::Drawing::Rectangles>(shape); }));
  CHECK(cells->x_scale == -cells->y_scale);  // y upwards, one frame as long as on the x axis
  CHECK(cells->y_scale < 0);
  const es::Image image = plot.pixels(2);
  for (Index o = 0; o < matrix.outputs(); ++o)
    for (Index i = 0; i < matrix.inputs(); ++i) {
      const double x = cells->left + (static_cast<double>(i) + 0.5) * cells->x_scale;
      const double y = cells->top + (static_cast<double>(o) + 0.5) * cells->y_scale;
      const es::Colour colour = image.at(static_cast<Index>(2 * x), static_cast<Index>(2 * y));
      CHECK(colour == (matrix(i, o) ? es::Colour{255, 0, 0} : es::Colour{255, 255, 255}));
    }
}

TEST_CASE("plot_dependency_matrix: a banded matrix of 2000 frames stays small and within its picture", "[analysis]") {
  for (const auto& matrix : {band(2000, 2000, 12, 0), band(2000, 2000, 600, 32), band(2000, 7, 0, 511, 256)}) {
    const es::DependencyPlot plot = es::plot_dependency_matrix(matrix);
    CHECK(plot.svg().size() < 200000);
    CHECK(plot.drawing().width < 850);
    CHECK(plot.drawing().height < 850);
    CHECK(plot.drawing().height > 200);  // also of seven outputs
  }
}

TEST_CASE("plot_dependency_matrix: axes, ticks and title", "[analysis]") {
  es::Drawing drawing = es::plot_dependency_matrix(band(16, 16, 2, 0), {.title = "a <name>"}).drawing();
  for (const char* text : {"a <name>", "input frame", "output frame", "15", "0", "output depends on input"})
    CHECK(says(drawing, text));
  CHECK(!says(drawing, "receptive"));
  CHECK(!says(drawing, "Not to scale"));
  CHECK_THAT(es::svg_of(drawing), Contains("a &lt;name&gt;"));
  drawing = es::plot_dependency_matrix(band(500, 2000, 9, 0, 1, 4)).drawing();
  for (const char* text : {"800", "1200", "1600"}) CHECK(says(drawing, text));  // of frames, not of columns
  drawing = es::plot_dependency_matrix(band(2000, 7, 0, 511, 256)).drawing();
  CHECK(says(drawing, "Not to scale: 1 output frame is drawn as long as 89 input frames"));
  drawing = es::plot_dependency_matrix(band(7, 2000, 0, 1)).drawing();
  CHECK(says(drawing, "Not to scale: 1 input frame is drawn as long as"));
}

TEST_CASE("plot_dependency_matrix: a title that is too long is cut between characters", "[analysis]") {
  std::string title;
  for (int k = 0; k < 200; ++k) title += "\xc3\xbc";
  const es::Drawing drawing = es::plot_dependency_matrix(band(16, 16, 2, 0), {.title = title}).drawing();
  const std::string shown = texts(drawing).back();
  CHECK(shown.size() < 200);
  CHECK(shown.substr(shown.size() - 3) == "...");
  CHECK(es::code_points(shown).find(U'\ufffd') == std::u32string::npos);
}

TEST_CASE("plot_dependency_matrix: marks stand where the frames are", "[analysis]") {
  // Output o reads o-8 ... o+4.
  const es::DependencyMarks marks{.receptive_field = 13, .delay = 4};
  es::Drawing drawing = es::plot_dependency_matrix(band(64, 64, 8, 4), {.marks = marks}).drawing();
  CHECK(says(drawing, "receptive field 13 frames"));
  CHECK(says(drawing, "delay 4 frames"));
  CHECK(says(drawing, "1 output per input"));
  CHECK(says(drawing, "output 44"));
  // 74 units on the left, 10 for a frame: from the start of frame 36 to the end of 48; from the end of 44 to that
  // of 48.
  const auto has_line = [&](double x1, double x2) {
    return std::any_of(drawing.shapes.begin(), drawing.shapes.end(), [&](const es::Drawing::Shape& shape) {
      const auto* line = std::get_if<es::Drawing::Line>(&shape);
      return line != nullptr && line->y1 == line->y2 && line->y1 < 100 && line->x1 == x1 && line->x2 == x2;
    });
  };
  CHECK(has_line(74 + 360, 74 + 490));
  CHECK(has_line(74 + 450, 74 + 490));

  drawing = es::plot_dependency_matrix(band(16, 16, 2, 0), {.marks = {{.receptive_field = 3, .delay = 0}}}).drawing();
  CHECK(says(drawing, "delay 0 frames (causal)"));
  drawing =
      es::plot_dependency_matrix(band(20, 20, 32, 32), {.marks = {{.receptive_field = 65, .delay = 32}}}).drawing();
  CHECK(says(drawing, "receptive field 65 frames, cut off by the signal's ends"));
  CHECK(says(drawing, "delay 32 frames"));
  drawing = es::plot_dependency_matrix(random_matrix(9, 9, 0), {.marks = marks}).drawing();
  CHECK(says(drawing, "receptive field 13"));
  CHECK(!says(drawing, "output 6"));  // no output depends on anything
}

TEST_CASE("plot_dependency_matrix: all texts are inside the picture", "[analysis]") {
  const auto matrix =
      GENERATE(band(1, 1, 0, 0), band(16, 16, 2, 0), band(20, 20, 32, 32), band(2000, 2000, 600, 32),
               band(64, 16, 3, 4, 4), band(2000, 7, 0, 511, 256), band(3, 1500, 2, 0), band(500, 500, 490, 0));
  const Index before = GENERATE(2, 600), delay = GENERATE(-3, 0, 4, 511);
  const es::Drawing drawing =
      es::plot_dependency_matrix(matrix, {.marks = {{.receptive_field = before, .delay = delay, .rate = {1, 4}}}})
          .drawing();
  for (const es::Drawing::Shape& shape : drawing.shapes) {
    const auto* text = std::get_if<es::Drawing::Text>(&shape);
    if (text == nullptr || text->upwards) continue;
    const double width = es::text_width(text->text, text->size);
    const double left = text->x - (text->anchor == es::Drawing::Anchor::start ? 0
                                   : text->anchor == es::Drawing::Anchor::end ? width
                                                                              : width / 2);
    CAPTURE(text->text);
    CHECK(left >= 0);
    CHECK(left + width <= drawing.width);
    CHECK(text->y <= drawing.height);
  }
}

TEST_CASE("dependency_marks: what the timing says", "[analysis]") {
  using Stage = es::TimingStage;
  const es::DependencyMarks marks =
      es::dependency_marks(es::Timing(Stage{.reach = 8, .stride = 4, .left = 2, .right = 2}));
  CHECK(marks.receptive_field == 8);
  CHECK(marks.delay == 5);
  CHECK(marks.rate == es::Rate{1, 4});
  CHECK(es::rate_text({1, 4}) == "1 output per 4 inputs");
  CHECK(es::rate_text({4, 1}) == "4 outputs per input");
  CHECK(es::rate_text({3, 2}) == "3 outputs per 2 inputs");
}

TEST_CASE("text: a line for each output, the last on top", "[analysis]") {
  CHECK(es::plot_dependency_matrix(band(4, 4, 1, 0)).text() ==
        "3 |..##\n"
        "2 |.##.\n"
        "1 |##..\n"
        "0 |#...\n"
        "   0\n");
  CHECK(es::plot_dependency_matrix(band(12, 11, 0, 1)).text() ==
        "10 |..........##\n"
        " 9 |.........##.\n"
        " 8 |........##..\n"
        " 7 |.......##...\n"
        " 6 |......##....\n"
        " 5 |.....##.....\n"
        " 4 |....##......\n"
        " 3 |...##.......\n"
        " 2 |..##........\n"
        " 1 |.##.........\n"
        " 0 |##..........\n"
        "    0         10\n");
  CHECK(es::plot_dependency_matrix(band(12, 2, 0, 100, 1, 4)).text() ==
        "1 |.###########\n"
        "0 |############\n"
        "   0         40\n");
}

TEST_CASE("text: half blocks show two outputs in a line", "[analysis]") {
  CHECK(es::plot_dependency_matrix(band(4, 3, 1, 0)).text({.unicode = true}) ==
        "2 | \u2584\u2584\n"
        "0 |\u2588\u2580\n"
        "   0\n");
}

TEST_CASE("text: colours only if asked for", "[analysis]") {
  CHECK(es::plot_dependency_matrix(band(4, 2, 1, 0)).text({.colour = true}) ==
        "1 |\x1b[31m##\x1b[0m..\n"
        "0 |\x1b[31m#\x1b[0m...\n"
        "   0\n");
}

TEST_CASE("text: what does not fit is thinned, and says so", "[analysis]") {
  // Blocks of 2 x 4: all of it, some of it, nothing.
  DependencyMatrix matrix(44, 12);
  for (Index o = 0; o < 4; ++o)
    for (Index i = 0; i < 3; ++i) matrix.set(i, o);
  CHECK(es::plot_dependency_matrix(matrix).text({.width = 26, .height = 6}) ==
        " 9 |......................\n"
        " 6 |......................\n"
        " 3 |++....................\n"
        " 0 |#+....................\n"
        "    0         20        40\n"
        "thinned: a character stands for 2 inputs x 3 outputs (# all, + some)\n");
  for (const bool unicode : {false, true}) {
    for (const auto& each :
         {band(2000, 2000, 600, 32), band(2000, 7, 0, 511, 256), band(7, 2000, 3, 0), band(70, 70, 2, 0)}) {
      for (const Index width : {24, 40, 80, 200}) {
        for (const Index height : {6, 24, 50}) {
          const std::string text =
              es::plot_dependency_matrix(each).text({.width = width, .height = height, .unicode = unicode});
          const std::size_t note = text.find("thinned");
          CHECK(width_of(text.substr(0, note)) <= width);
          CHECK(lines(text) <= static_cast<std::size_t>(height));
          CHECK((note != text.npos) == (width < each.inputs() + 6 || height - 2 < each.outputs() / (unicode ? 2 : 1)));
        }
      }
    }
  }
}

TEST_CASE("text: thinning loses no dependency", "[analysis]") {
  const DependencyMatrix matrix = random_matrix(300, 200, 0.001);
  std::istringstream text(es::plot_dependency_matrix(matrix).text({.width = 79, .height = 40}));
  std::string line;
  std::vector<std::string> rows;
  while (std::getline(text, line) && line.find('|') != line.npos) rows.push_back(line.substr(line.find('|') + 1));
  text.clear();
  const Index wide = es::ceil_div(300, 74), columns = static_cast<Index>(rows.front().size());
  REQUIRE(columns == es::ceil_div(300, wide));
  const Index high = es::ceil_div(200, static_cast<Index>(rows.size()));
  for (Index row = 0; row < static_cast<Index>(rows.size()); ++row)
    for (Index column = 0; column < columns; ++column) {
      bool any = false;
      for (Index o = row * high; o < std::min<Index>(200, (row + 1) * high); ++o)
        for (Index i = column * wide; i < std::min<Index>(300, (column + 1) * wide); ++i) any = any || matrix(i, o);
      const char shown = rows[rows.size() - 1 - static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
      CHECK((shown != '.') == any);
    }
}

TEST_CASE("pgm: the cells alone, the last output on top", "[analysis]") {
  const std::string image = es::plot_dependency_matrix(band(3, 2, 1, 0)).pgm(2);
  const std::string top("\0\0\0\0\xff\xff", 6), bottom("\0\0\xff\xff\xff\xff", 6);
  CHECK(image == "P5\n6 4\n255\n" + top + top + bottom + bottom);
}

TEST_CASE("plot_dependency_matrix: what cannot be drawn is an error", "[analysis]") {
  const auto error = [](auto&& f) { return support::error_of(f); };
  CHECK_THAT(error([] { return es::plot_dependency_matrix(DependencyMatrix(0, 5)); }),
             Contains("empty (0 inputs, 5 outputs)"));
  CHECK_THAT(error([] { return es::plot_dependency_matrix(DependencyMatrix(5, 0)); }),
             Contains("empty (5 inputs, 0 outputs)"));
  const DependencyMatrix one = band(4, 4, 1, 0);
  CHECK_THAT(error([&] {
               return es::plot_dependency_matrix(one, {.marks = {{.rate = {0, 1}}}});
             }),
             Contains("rate = 0/1"));
  CHECK_THAT(error([&] { return es::plot_dependency_matrix(one, {.marks = {{.receptive_field = -1}}}); }),
             Contains("-1"));
  const es::DependencyPlot plot = es::plot_dependency_matrix(one);
  CHECK_THAT(error([&] { return plot.pgm(0); }), Contains("cells of 0"));
  CHECK_THAT(error([&] { return plot.pgm(10000); }), Contains("2^28"));
  CHECK_THAT(error([&] { return plot.text({.width = 23}); }), Contains("width = 23"));
  CHECK_THAT(error([&] { return plot.text({.height = 5}); }), Contains("height = 5"));
  CHECK_THAT(error([&] { return plot.pixels(-1); }), Contains("-1 pixels"));
}
