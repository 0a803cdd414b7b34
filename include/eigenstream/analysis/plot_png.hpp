#ifndef EIGENSTREAM_ANALYSIS_PLOT_PNG_HPP
#define EIGENSTREAM_ANALYSIS_PLOT_PNG_HPP

#include <png.h>  // needs libpng: link eigenstream::png

#include <string>  // the file

#include "eigenstream/analysis/plot.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// An image as the bytes of a PNG file (8 bits each of red, green and blue).
/// Errors   Error if the image is empty or does not hold what its size says, or with what libpng says
inline std::string png_of(const Image& image) {
  check(image.width > 0 && image.height > 0 && image.width <= 1048576 && image.height <= 1048576 &&
            image.rgb.size() == static_cast<std::size_t>(3 * image.width * image.height),
        "png_of: ", image.width, " x ", image.height, " pixels with ", image.rgb.size(), " bytes");
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::string file(bytes, '\0');
  const bool written = png_image_write_to_memory(&header, file.data(), &bytes, 0, image.rgb.data(), 0, nullptr) != 0;
  const std::string said = header.message;
  png_image_free(&header);
  check(written, "png_of: ", said);
  file.resize(bytes);
  return file;
}

/// The picture of a DependencyMatrix as the bytes of a PNG file, the same as its SVG, `scale` pixels for a unit.
/// Errors   Error if the scale is not positive or the image would have more than 2^28 pixels
inline std::string png_of(const DependencyPlot& plot, double scale = 2) { return png_of(plot.pixels(scale)); }

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_ANALYSIS_PLOT_PNG_HPP
