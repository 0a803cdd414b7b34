#include "eigenstream/analysis/plot_png.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

es::Image decoded(const std::string& file) {
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&header, file.data(), file.size()) != 0);
  CHECK(header.format == PNG_FORMAT_RGB);
  es::Image image;
  image.width = static_cast<Index>(header.width);
  image.height = static_cast<Index>(header.height);
  image.rgb.resize(PNG_IMAGE_SIZE(header));
  REQUIRE(png_image_finish_read(&header, nullptr, image.rgb.data(), 0, nullptr) != 0);
  return image;
}

}  // namespace

TEST_CASE("png_of: every pixel comes back", "[analysis]") {
  const auto [width, height] = GENERATE(table<Index, Index>({{1, 1}, {3, 2}, {257, 129}}));
  es::Image image{width, height, {}};
  for (Index k = 0; k < 3 * width * height; ++k) image.rgb.push_back(static_cast<std::uint8_t>(k * 97 % 251));
  const es::Image back = decoded(es::png_of(image));
  CHECK(back.width == width);
  CHECK(back.height == height);
  CHECK(back.rgb == image.rgb);
}

TEST_CASE("png_of: a plot's pixels", "[analysis]") {
  es::DependencyMatrix matrix(16, 16);
  for (Index o = 0; o < 16; ++o)
    for (Index i = std::max<Index>(0, o - 2); i <= o; ++i) matrix.set(i, o);
  const es::DependencyPlot plot = es::plot_dependency_matrix(matrix);
  const std::string file = es::png_of(plot);
  CHECK(file.size() < 200000);
  const es::Image back = decoded(file);
  CHECK(back.rgb == plot.pixels(2).rgb);
  // The cells begin 74 units from the left and 52 from the top, 40 units each.
  const auto cell = [&](Index in, Index out) {
    return back.at(2 * (74 + 40 * in + 20), 2 * (52 + 40 * (15 - out) + 20));
  };
  for (Index o = 0; o < 16; ++o)
    for (Index i = 0; i < 16; ++i)
      CHECK(cell(i, o) == (matrix(i, o) ? es::Colour{255, 0, 0} : es::Colour{255, 255, 255}));
}

TEST_CASE("png_of: an image that is none is an error", "[analysis]") {
  using Catch::Matchers::Contains;
  CHECK_THAT(support::error_of([] { return es::png_of(es::Image{}); }), Contains("0 x 0"));
  CHECK_THAT(support::error_of([] {
               return es::png_of(es::Image{2, 2, {1, 2, 3}});
             }),
             Contains("2 x 2 pixels with 3 bytes"));
}
