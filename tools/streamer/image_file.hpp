#ifndef EIGENSTREAM_TOOLS_STREAMER_IMAGE_FILE_HPP
#define EIGENSTREAM_TOOLS_STREAMER_IMAGE_FILE_HPP

#include <png.h>

#include <algorithm>   // max, min
#include <cmath>       // abs
#include <csetjmp>     // how libjpeg's errors come back
#include <cstdio>      // FILE
#include <filesystem>  // path
#include <memory>      // unique_ptr
#include <string>      // messages
#include <vector>      // pixels

#include "eigenstream/draw/drawing.hpp"  // Image
#include "text.hpp"

// Needs FILE and std::size_t before it.
#include <jpeglib.h>

namespace tool::streamer {

/// The longest side of an image that is read, in pixels.
inline constexpr Index longest_side = 16384;

namespace detail {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

inline es::Image read_png(const std::string& path, const std::string& name) {
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  struct Free {
    png_image* header;
    ~Free() { png_image_free(header); }
  } const freed{&header};
  es::check(png_image_begin_read_from_file(&header, path.c_str()) != 0, name, ": ", header.message);
  es::check(header.width <= longest_side && header.height <= longest_side, name, ": ", header.width, " x ",
            header.height, " pixels are too many");
  header.format = PNG_FORMAT_RGB;
  es::Image image{static_cast<Index>(header.width), static_cast<Index>(header.height), {}};
  image.rgb.resize(PNG_IMAGE_SIZE(header));
  const png_color black = {};  // what is transparent lies on it
  es::check(png_image_finish_read(&header, &black, image.rgb.data(), 0, nullptr) != 0, name, ": ", header.message);
  return image;
}

struct JpegError {
  jpeg_error_mgr manager;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};

// No object with a destructor lives between setjmp and longjmp. Returns whether all went well.
inline bool decode_jpeg(std::FILE* file, jpeg_decompress_struct& jpeg, JpegError& error, es::Image& image) {
  jpeg.err = jpeg_std_error(&error.manager);
  const auto give_up = [](j_common_ptr info) {
    auto* const said = reinterpret_cast<JpegError*>(info->err);
    info->err->format_message(info, said->message);
    std::longjmp(said->back, 1);
  };
  error.manager.error_exit = give_up;
  error.manager.emit_message = [](j_common_ptr info, int level) {  // below 0: the data are damaged, or end early
    if (level < 0) info->err->error_exit(info);
  };
  if (setjmp(error.back) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_stdio_src(&jpeg, file);
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  image.width = static_cast<Index>(jpeg.output_width), image.height = static_cast<Index>(jpeg.output_height);
  if (image.width > longest_side || image.height > longest_side) {
    std::snprintf(error.message, sizeof error.message, "%u x %u pixels are too many", jpeg.output_width,
                  jpeg.output_height);
    return false;
  }
  image.rgb.resize(static_cast<std::size_t>(3 * image.width * image.height));
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = image.rgb.data() + static_cast<std::size_t>(3 * image.width) * jpeg.output_scanline;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  return true;
}

inline es::Image read_jpeg(const std::string& path, const std::string& name) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  check_system(file != nullptr, name, ": ");
  jpeg_decompress_struct jpeg = {};
  JpegError error = {};
  es::Image image;
  const bool read = decode_jpeg(file.get(), jpeg, error, image);
  jpeg_destroy_decompress(&jpeg);
  es::check(read, name, ": ", error.message);
  return image;
}

}  // namespace detail

inline bool is_image_name(const std::filesystem::path& path) {
  std::string suffix = path.extension().string();
  for (char& each : suffix) each = each >= 'A' && each <= 'Z' ? static_cast<char>(each - 'A' + 'a') : each;
  return suffix == ".png" || suffix == ".jpg" || suffix == ".jpeg";
}

/// A PNG or JPEG file, whichever it is by its content, in 8 bits of red, green and blue.
/// Errors   Error, beginning with the path, with what the library says
inline es::Image read_image(const std::filesystem::path& path) {
  const std::string name = in_quotes(path.string());
  unsigned char first[8] = {};
  {
    const std::unique_ptr<std::FILE, detail::CloseFile> file(std::fopen(path.c_str(), "rb"));
    check_system(file != nullptr, name, ": ");
    es::check(std::fread(first, 1, sizeof first, file.get()) == sizeof first, name, ": is no PNG or JPEG file");
  }
  if (png_sig_cmp(first, 0, sizeof first) == 0) return detail::read_png(path.string(), name);
  es::check(first[0] == 0xff && first[1] == 0xd8, name, ": is no PNG or JPEG file");
  return detail::read_jpeg(path.string(), name);
}

/// Planes of red, green and blue from -1 to 1, of the given size. Pixels are the mean of those they cover, with weights
/// that fall off linearly over one of the coarser of the two grids (Pillow's BILINEAR).
inline void to_planes(const es::Image& image, Index height, Index width, float* to) {
  struct Weighted {
    Index first;
    std::vector<float> weights;
  };
  const auto table = [](Index from, Index into) {
    std::vector<Weighted> all;
    const double scale = static_cast<double>(from) / static_cast<double>(into), reach = std::max(1.0, scale);
    for (Index i = 0; i < into; ++i) {
      const double middle = (static_cast<double>(i) + 0.5) * scale;
      const Index first = std::max<Index>(0, static_cast<Index>(middle - reach + 0.5)),
                  end = std::min(from, static_cast<Index>(middle + reach + 0.5));
      Weighted& each = all.emplace_back(Weighted{first, {}});
      double sum = 0;
      for (Index k = first; k < end; ++k) {
        const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(k) + 0.5 - middle) / reach);
        each.weights.push_back(static_cast<float>(weight));
        sum += weight;
      }
      for (float& weight : each.weights) weight = static_cast<float>(weight / sum);
    }
    return all;
  };
  const std::vector<Weighted> columns = table(image.width, width), rows = table(image.height, height);
  std::vector<float> across(static_cast<std::size_t>(image.height * width));
  for (Index c = 0; c < 3; ++c) {
    for (Index y = 0; y < image.height; ++y)
      for (Index x = 0; x < width; ++x) {
        const Weighted& column = columns[static_cast<std::size_t>(x)];
        float sum = 0;
        for (std::size_t k = 0; k < column.weights.size(); ++k)
          sum += column.weights[k] *
                 image.rgb[static_cast<std::size_t>(3 * (y * image.width + column.first + static_cast<Index>(k)) + c)];
        across[static_cast<std::size_t>(y * width + x)] = sum;
      }
    for (Index y = 0; y < height; ++y)
      for (Index x = 0; x < width; ++x) {
        const Weighted& row = rows[static_cast<std::size_t>(y)];
        float sum = 0;
        for (std::size_t k = 0; k < row.weights.size(); ++k)
          sum += row.weights[k] * across[static_cast<std::size_t>((row.first + static_cast<Index>(k)) * width + x)];
        *to++ = 2 * (sum / 255) - 1;
      }
  }
}

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_IMAGE_FILE_HPP
