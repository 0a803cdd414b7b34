#include "eigenstream/draw/drawing.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Drawing;
using es::Index;

namespace {

constexpr es::Colour white{255, 255, 255}, red{255, 0, 0}, blue{0, 0, 255};

Index count(const es::Image& image, es::Colour colour) {
  Index n = 0;
  for (Index y = 0; y < image.height; ++y)
    for (Index x = 0; x < image.width; ++x) n += image.at(x, y) == colour ? 1 : 0;
  return n;
}

Drawing drawing_of(Drawing::Shape shape) { return {.width = 30, .height = 20, .shapes = {std::move(shape)}}; }

}  // namespace

TEST_CASE("pixels_of: rectangles fill the pixels that they touch", "[draw]") {
  const auto pixels = [](Drawing::Rectangle one, double scale) {
    return es::pixels_of(drawing_of(Drawing::Rectangles{red, 0, 0, 1, 1, {one}}), scale);
  };
  es::Image image = pixels({3, 5, 4, 2}, 2);
  CHECK(image.width == 60);
  CHECK(image.height == 40);
  CHECK(count(image, red) == 8 * 4);
  CHECK(count(image, white) == 60 * 40 - 8 * 4);
  CHECK(image.at(6, 10) == red);
  CHECK(image.at(13, 13) == red);
  CHECK(image.at(14, 13) == white);
  image = pixels({3.4, 5.4, 0.01, 0.01}, 1);  // none is lost
  CHECK(count(image, red) == 1);
  CHECK(image.at(3, 5) == red);
  CHECK(count(pixels({-5, -5, 100, 100}, 1), red) == 600);  // none is written beyond the image
}

TEST_CASE("pixels_of: rectangles have coordinates of their own", "[draw]") {
  const es::Image image = es::pixels_of(drawing_of(Drawing::Rectangles{red, 10, 20, 2, -3, {{1, 2, 3, 1}}}), 1);
  CHECK(count(image, red) == 6 * 3);
  CHECK(image.at(12, 11) == red);
  CHECK(image.at(17, 13) == red);
  CHECK(image.at(12, 14) == white);
}

TEST_CASE("pixels_of: lines along the axes have sharp edges", "[draw]") {
  CHECK(count(es::pixels_of(drawing_of(Drawing::Line{2, 5, 12, 5, blue, 1}), 2), blue) == 20 * 2);
  CHECK(count(es::pixels_of(drawing_of(Drawing::Line{5, 12, 5, 2, blue, 3}), 1), blue) == 10 * 3);
  CHECK(count(es::pixels_of(drawing_of(Drawing::Line{0, 5, 30, 5, blue, 1, 3}), 1), blue) == 15);  // dashes
  const es::Image across = es::pixels_of(drawing_of(Drawing::Line{0, 0, 20, 20, blue, 3}), 1);
  for (Index k = 2; k < 18; ++k) CHECK(across.at(k, k) == blue);
  CHECK(across.at(10, 15) == white);
}

TEST_CASE("pixels_of: later shapes cover earlier ones", "[draw]") {
  Drawing drawing = drawing_of(Drawing::Rectangles{red, 0, 0, 1, 1, {{0, 0, 30, 20}}});
  drawing.shapes.push_back(Drawing::Line{0, 10, 30, 10, blue, 2});
  const es::Image image = es::pixels_of(drawing, 1);
  CHECK(count(image, blue) == 60);
  CHECK(count(image, red) == 540);
}

TEST_CASE("pixels_of: text stands where its anchor says", "[draw]") {
  const auto box = [](Drawing::Anchor anchor, bool upwards) {
    const Drawing drawing{
        .width = 100, .height = 100, .shapes = {Drawing::Text{50, 50, "HIH", 10, anchor, {}, upwards}}};
    const es::Image image = es::pixels_of(drawing, 4);
    Index left = 400, right = -1, top = 400, bottom = -1;
    for (Index y = 0; y < 400; ++y)
      for (Index x = 0; x < 400; ++x)
        if (!(image.at(x, y) == white)) {
          left = std::min(left, x), right = std::max(right, x);
          top = std::min(top, y), bottom = std::max(bottom, y);
        }
    return std::array{left, right + 1, top, bottom + 1};
  };
  const auto near = [](std::array<Index, 4> got, std::array<Index, 4> wanted) {
    for (std::size_t k = 0; k < 4; ++k)
      if (std::abs(got[k] - wanted[k]) > 2) return false;
    return true;
  };
  const Index w = 4 * es::width_in_dots(U"HIH"), h = 4 * 7;  // a dot is a unit
  CHECK(near(box(Drawing::Anchor::start, false), {200, 200 + w, 200 - h, 200}));
  CHECK(near(box(Drawing::Anchor::middle, false), {200 - w / 2, 200 + w / 2, 200 - h, 200}));
  CHECK(near(box(Drawing::Anchor::end, false), {200 - w, 200, 200 - h, 200}));
  CHECK(near(box(Drawing::Anchor::start, true), {200 - h, 200, 200 - w, 200}));
  CHECK(near(box(Drawing::Anchor::end, true), {200 - h, 200, 200, 200 + w}));
}

TEST_CASE("svg_of: shapes as they are", "[draw]") {
  const auto svg = [](Drawing::Shape shape) { return es::svg_of(drawing_of(std::move(shape))); };
  CHECK_THAT(svg(Drawing::Line{1.5, 2, 3, 4, blue, 0.5, 3}),
             Contains("<line x1=\"1.5\" y1=\"2\" x2=\"3\" y2=\"4\" stroke=\"#0000ff\" stroke-width=\"0.5\" "
                      "stroke-dasharray=\"3\"/>"));
  CHECK_THAT(svg(Drawing::Rectangles{red, 10, 20, 2, -2, {{0, 1, 2, 3}}}),
             Contains("<g fill=\"#ff0000\" transform=\"translate(10 20) scale(2 -2)\" shape-rendering=\"crispEdges\">\n"
                      "<rect x=\"0\" y=\"1\" width=\"2\" height=\"3\"/>\n</g>"));
  // Thin ones have a rim of half a unit, the same on both axes.
  CHECK_THAT(svg(Drawing::Rectangles{red, 10, 20, 0.25, -0.25, {{0, 1, 2, 3}}}),
             Contains("scale(0.25 -0.25)\" stroke=\"#ff0000\" stroke-width=\"2\">\n<rect x=\"0\" y=\"1\" width=\"2\""));
  CHECK_THAT(svg(Drawing::Rectangles{red, 0, 20, 0.25, -10, {{0, 1, 2, 3}}}),
             Contains("scale(0.25 -0.25)\" stroke=\"#ff0000\" stroke-width=\"2\">\n"
                      "<rect x=\"0\" y=\"40\" width=\"2\" height=\"120\"/>"));
  CHECK_THAT(svg(Drawing::Text{1, 2, "<a> & \xc3\xbc\x01", 12, Drawing::Anchor::end, red, true}),
             Contains("text-anchor=\"end\" transform=\"rotate(-90 1 2)\">&lt;a&gt; &amp; &#252;&#65533;</text>"));
}

TEST_CASE("pixels_of: impossible sizes are errors", "[draw]") {
  const Drawing drawing = drawing_of(Drawing::Line{});
  CHECK_THAT(support::error_of([&] { return es::pixels_of(drawing, 0); }), Contains("30 x 20"));
  CHECK_THAT(support::error_of([&] { return es::pixels_of(drawing, 1000); }), Contains("2^28"));
}
