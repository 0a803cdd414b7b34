#ifndef EIGENSTREAM_DRAW_DRAWING_HPP
#define EIGENSTREAM_DRAW_DRAWING_HPP

#include <algorithm>    // clamp
#include <charconv>     // numbers, whatever the locale
#include <cmath>        // hypot
#include <cstdint>      // uint8_t
#include <string>       // SVG
#include <string_view>  // parts of it
#include <variant>      // shapes
#include <vector>       // shapes, pixels

#include "eigenstream/core/check.hpp"
#include "eigenstream/draw/glyphs.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
  friend bool operator==(const Colour&, const Colour&) = default;
};

/// A picture of a few kinds of shapes on white, later ones over earlier ones: x to the right, y downwards.
struct Drawing {
  struct Rectangle {
    double x = 0, y = 0, width = 0, height = 0;
  };
  /// Rectangles of one colour, in coordinates of their own: (x, y) is drawn at (left + x x_scale, top + y y_scale).
  /// Those that would be too thin to be seen are drawn thicker.
  struct Rectangles {
    Colour fill = {};
    double left = 0, top = 0, x_scale = 1, y_scale = 1;
    std::vector<Rectangle> all = {};
  };
  struct Line {
    double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
    Colour colour = {};
    double width = 1;
    double dash = 0;  ///< length of the dashes and of the gaps; 0: none
  };
  enum class Anchor { start, middle, end };
  /// A line of text in UTF-8. (x, y) is on its base line; size is that of the font, 10 dots of a Glyph.
  struct Text {
    double x = 0, y = 0;
    std::string text = {};
    double size = 12;
    Anchor anchor = Anchor::start;
    Colour colour = {};
    bool upwards = false;
  };
  using Shape = std::variant<Rectangles, Line, Text>;

  double width = 0, height = 0;
  std::vector<Shape> shapes = {};
};

/// Width of a text, roughly: that of the glyphs, which is close to that of common fonts.
inline double text_width(std::string_view text, double size) { return size / 10 * width_in_dots(code_points(text)); }

/// The text, or its beginning and three dots where it would be wider than there is room.
inline std::string fitting(std::string text, double room, double size) {
  if (text_width(text, size) <= room) return text;
  const auto continues = [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; };
  while (!text.empty() && text_width(text + "...", size) > room) {
    while (text.size() > 1 && continues(text.back())) text.pop_back();
    text.pop_back();
  }
  return text + "...";
}

/// A drawing as SVG.
inline std::string svg_of(const Drawing& drawing) {
  const auto number = [](double value) {
    char digits[64];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), value, std::chars_format::fixed, 4).ptr;
    std::string written(digits, end);
    written.erase(written.find_last_not_of('0') + 1);
    if (written.back() == '.') written.pop_back();
    return written == "-0" ? std::string("0") : written;
  };
  const auto colour = [](Colour c) {
    constexpr char digits[] = "0123456789abcdef";
    std::string written = "#";
    for (const std::uint8_t part : {c.red, c.green, c.blue}) (written += digits[part >> 4]) += digits[part & 15];
    return written;
  };
  const auto escaped = [](std::string_view raw) {
    std::string written;
    for (const char32_t point : code_points(raw)) {
      if (point == U'&')
        written += "&amp;";
      else if (point == U'<')
        written += "&lt;";
      else if (point == U'>')
        written += "&gt;";
      else if (point < 0x80)
        written += static_cast<char>(point);
      else
        written += "&#" + std::to_string(static_cast<std::uint32_t>(point)) + ";";
    }
    return written;
  };

  struct Writer {
    std::string& out;
    decltype(number)& num;
    decltype(colour)& col;
    decltype(escaped)& esc;

    void operator()(const Drawing::Rectangles& shape) const {
      // Below one unit a rim: no seams between neighbours, no row too thin to be seen. Its width is scaled, too, so
      // both axes get the smaller scale, and the coordinates of the other one make up for it.
      const double scale = std::min(std::abs(shape.x_scale), std::abs(shape.y_scale));
      const bool thin = scale < 1;
      const double x = thin ? std::abs(shape.x_scale) / scale : 1, y = thin ? std::abs(shape.y_scale) / scale : 1;
      out += "<g fill=\"" + col(shape.fill) + "\"";
      if (shape.left != 0 || shape.top != 0 || shape.x_scale != 1 || shape.y_scale != 1)
        out += " transform=\"translate(" + num(shape.left) + " " + num(shape.top) + ") scale(" +
               num(shape.x_scale / x) + " " + num(shape.y_scale / y) + ")\"";
      out += thin ? " stroke=\"" + col(shape.fill) + "\" stroke-width=\"" + num(0.5 / scale) + "\">\n"
                  : " shape-rendering=\"crispEdges\">\n";
      for (const Drawing::Rectangle& each : shape.all)
        out += "<rect x=\"" + num(x * each.x) + "\" y=\"" + num(y * each.y) + "\" width=\"" + num(x * each.width) +
               "\" height=\"" + num(y * each.height) + "\"/>\n";
      out += "</g>\n";
    }
    void operator()(const Drawing::Line& shape) const {
      out += "<line x1=\"" + num(shape.x1) + "\" y1=\"" + num(shape.y1) + "\" x2=\"" + num(shape.x2) + "\" y2=\"" +
             num(shape.y2) + "\" stroke=\"" + col(shape.colour) + "\" stroke-width=\"" + num(shape.width) + "\"";
      if (shape.dash > 0) out += " stroke-dasharray=\"" + num(shape.dash) + "\"";
      out += "/>\n";
    }
    void operator()(const Drawing::Text& shape) const {
      constexpr std::string_view anchors[] = {"start", "middle", "end"};
      out += "<text x=\"" + num(shape.x) + "\" y=\"" + num(shape.y) + "\" font-size=\"" + num(shape.size) +
             "\" fill=\"" + col(shape.colour) + "\" text-anchor=\"" +
             std::string(anchors[static_cast<int>(shape.anchor)]) + "\"";
      if (shape.upwards) out += " transform=\"rotate(-90 " + num(shape.x) + " " + num(shape.y) + ")\"";
      out += ">" + esc(shape.text) + "</text>\n";
    }
  };

  const std::string width = number(drawing.width), height = number(drawing.height);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width + "\" height=\"" + height +
                    "\" viewBox=\"0 0 " + width + " " + height + "\" font-family=\"Helvetica, Arial, sans-serif\">\n" +
                    "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  for (const Drawing::Shape& shape : drawing.shapes) std::visit(Writer{out, number, colour, escaped}, shape);
  return out + "</svg>\n";
}

/// Pixels in rows from the top, red, green and blue of each.
struct Image {
  Index width = 0, height = 0;
  std::vector<std::uint8_t> rgb = {};

  Colour at(Index x, Index y) const {
    const std::size_t first = static_cast<std::size_t>(3 * (y * width + x));
    return {rgb[first], rgb[first + 1], rgb[first + 2]};
  }
};

/// Paints the shapes of a drawing one by one. The lines of characters are drawn, too: as with a pen of one dot's width
/// that goes from each dot of the glyph to its neighbours, so that they are smooth in every size.
class Painter {
 public:
  /// A white image with `scale` pixels for a unit of the drawing.
  Painter(double width, double height, double scale) : scale_(scale) {
    image_.width = static_cast<Index>(std::ceil(width * scale));
    image_.height = static_cast<Index>(std::ceil(height * scale));
    image_.rgb.assign(static_cast<std::size_t>(3 * image_.width * image_.height), 255);
  }

  /// Every pixel that a rectangle touches, so that none is too thin to be seen.
  void operator()(const Drawing::Rectangles& shape) {
    for (const Drawing::Rectangle& each : shape.all) {
      const auto [x0, x1] =
          std::minmax({shape.left + each.x * shape.x_scale, shape.left + (each.x + each.width) * shape.x_scale});
      const auto [y0, y1] =
          std::minmax({shape.top + each.y * shape.y_scale, shape.top + (each.y + each.height) * shape.y_scale});
      fill(shape.fill, down(x0), down(y0), up(x1), up(y1));
    }
  }
  void operator()(const Drawing::Line& shape) {
    const double x1 = shape.x1 * scale_, y1 = shape.y1 * scale_, x2 = shape.x2 * scale_, y2 = shape.y2 * scale_;
    const double length = std::hypot(x2 - x1, y2 - y1), width = std::max(1.0, shape.width * scale_);
    const double dash = shape.dash > 0 ? shape.dash * scale_ : length + 1;
    for (double from = 0; from < length; from += 2 * dash) {
      const double a = from / length, b = std::min(length, from + dash) / length;
      segment(shape.colour, width, x1 + a * (x2 - x1), y1 + a * (y2 - y1), x1 + b * (x2 - x1), y1 + b * (y2 - y1));
    }
  }
  void operator()(const Drawing::Text& shape) {
    const std::u32string characters = code_points(shape.text);
    const double dot = shape.size / 10 * scale_;
    const double shift = shape.anchor == Drawing::Anchor::start ? 0 : shape.anchor == Drawing::Anchor::end ? 1 : 0.5;
    double at = 0.5 - shift * width_in_dots(characters);  // where the next column of dots is, in dots
    for (const char32_t character : characters) {
      const Glyph& glyph = glyph_of(character);
      const GlyphColumns columns = columns_of(glyph);
      const auto set = [&](int column, int row) {
        return column >= 0 && column < 5 && row >= 0 && row < 9 &&
               (glyph[static_cast<std::size_t>(row)] >> (4 - column) & 1) != 0;
      };
      std::vector<Segment> strokes;
      const auto stroke = [&](int column, int row, int to_column, int to_row) {
        const auto x = [&](int c) { return (at + c - columns.first) * dot; };
        const auto y = [&](int r) { return (r - 6.5) * dot; };  // row 6 stands on the base line
        const double ax = x(column), ay = y(row), bx = x(to_column), by = y(to_row);
        const double left = shape.x * scale_, base = shape.y * scale_;
        strokes.push_back(shape.upwards ? Segment{left + ay, base - ax, left + by, base - bx}
                                        : Segment{left + ax, base + ay, left + bx, base + by});
      };
      for (int row = 0; row < 9; ++row) {
        for (int column = 0; column < 5; ++column) {
          if (!set(column, row)) continue;
          stroke(column, row, column, row);
          if (set(column + 1, row)) stroke(column, row, column + 1, row);
          if (set(column, row + 1)) stroke(column, row, column, row + 1);
          for (const int side : {-1, 1})  // across, unless the way around the corner is there
            if (set(column + side, row + 1) && !set(column + side, row) && !set(column, row + 1))
              stroke(column, row, column + side, row + 1);
        }
      }
      pen(shape.colour, std::max(1.2, dot), strokes);
      at += columns.end - columns.first + 1;
    }
  }

  Image finish() && { return std::move(image_); }

 private:
  struct Segment {
    double x1, y1, x2, y2;

    double distance(double x, double y) const {
      const double dx = x2 - x1, dy = y2 - y1, square = dx * dx + dy * dy;
      const double along = square > 0 ? std::clamp(((x - x1) * dx + (y - y1) * dy) / square, 0.0, 1.0) : 0.0;
      return std::hypot(x - x1 - along * dx, y - y1 - along * dy);
    }
  };

  // To whole pixels, without those that only rounding touches.
  Index down(double position) const { return static_cast<Index>(std::floor(position * scale_ + 1e-6)); }
  Index up(double position) const { return static_cast<Index>(std::ceil(position * scale_ - 1e-6)); }

  void fill(Colour colour, Index x0, Index y0, Index x1, Index y1) {
    for (Index y = std::max<Index>(0, y0); y < std::min(y1, image_.height); ++y)
      for (Index x = std::max<Index>(0, x0); x < std::min(x1, image_.width); ++x) blend(x, y, colour, 1);
  }
  void blend(Index x, Index y, Colour colour, double share) {
    std::uint8_t* pixel = image_.rgb.data() + 3 * (y * image_.width + x);
    const std::uint8_t parts[] = {colour.red, colour.green, colour.blue};
    for (int k = 0; k < 3; ++k)
      pixel[k] = static_cast<std::uint8_t>(std::lround(pixel[k] + share * (parts[k] - pixel[k])));
  }
  // With straight ends; in whole pixels if it runs along an axis.
  void segment(Colour colour, double width, double x1, double y1, double x2, double y2) {
    const Index thick = static_cast<Index>(std::lround(width));
    const auto edge = [&](double middle) { return static_cast<Index>(std::lround(middle - width / 2)); };
    const auto [x_least, x_most] = std::minmax({std::lround(x1), std::lround(x2)});
    const auto [y_least, y_most] = std::minmax({std::lround(y1), std::lround(y2)});
    if (x1 == x2)
      fill(colour, edge(x1), y_least, edge(x1) + thick, y_most);
    else if (y1 == y2)
      fill(colour, x_least, edge(y1), x_most, edge(y1) + thick);
    else
      pen(colour, width, {{x1, y1, x2, y2}});
  }
  // Strokes with a round pen: each pixel by how far it is from the nearest of them.
  void pen(Colour colour, double width, const std::vector<Segment>& strokes) {
    if (strokes.empty()) return;
    Segment box = strokes.front();
    for (const Segment& each : strokes)
      box = {std::min({box.x1, each.x1, each.x2}), std::min({box.y1, each.y1, each.y2}),
             std::max({box.x2, each.x1, each.x2}), std::max({box.y2, each.y1, each.y2})};
    const double around = width / 2 + 1;
    const auto first = [&](double least) { return std::max<Index>(0, static_cast<Index>(std::floor(least - around))); };
    const auto end = [&](double most, Index size) {
      return std::min(size, static_cast<Index>(std::ceil(most + around)));
    };
    for (Index y = first(box.y1); y < end(box.y2, image_.height); ++y) {
      for (Index x = first(box.x1); x < end(box.x2, image_.width); ++x) {
        double nearest = around;
        for (const Segment& each : strokes)
          nearest = std::min(nearest, each.distance(static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5));
        const double share = std::clamp(width / 2 + 0.5 - nearest, 0.0, 1.0);
        if (share > 0) blend(x, y, colour, share);
      }
    }
  }

  double scale_;
  Image image_;
};

/// A drawing as pixels, `scale` of them for a unit.
/// Errors   Error if the scale is not positive or the image would have more than 2^28 pixels
inline Image pixels_of(const Drawing& drawing, double scale = 2) {
  check(scale > 0 && drawing.width * scale * drawing.height * scale <= 268435456.0, "drawing: ", drawing.width, " x ",
        drawing.height, " units at ", scale, " pixels each, must be more than 0 and at most 2^28 pixels in all");
  Painter painter(drawing.width, drawing.height, scale);
  for (const Drawing::Shape& shape : drawing.shapes) std::visit(painter, shape);
  return std::move(painter).finish();
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_DRAW_DRAWING_HPP
