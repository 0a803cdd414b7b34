#ifndef EIGENSTREAM_TESTS_SUPPORT_SPACE_HPP
#define EIGENSTREAM_TESTS_SUPPORT_SPACE_HPP

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "eigenstream/core/per_axis.hpp"
#include "eigenstream/stream/stream.hpp"
#include "support/random.hpp"

namespace support {

/// Frames with space axes: number (c, w, h, b, t) of a signal.
template <class T>
struct Video {
  es::FrameShape shape;
  Index count = 0;
  std::vector<T> values;

  Video(const es::FrameShape& shape_, Index count_)
      : shape(shape_), count(count_), values(static_cast<std::size_t>(shape_.size() * count_)) {}
  Video(const es::FrameShape& shape_, Index count_, Random& random) : Video(shape_, count_) {
    for (T& value : values) value = static_cast<T>(random.real());
  }
  T& operator()(Index c, Index w, Index h, Index b, Index t) {
    return values[static_cast<std::size_t>((((t * shape.batch + b) * shape.height + h) * shape.width + w) * shape.channels + c)];
  }
  const T& operator()(Index c, Index w, Index h, Index b, Index t) const { return const_cast<Video&>(*this)(c, w, h, b, t); }
};

/// What a layer makes of a whole signal.
template <class L, class T>
Video<T> offline(const L& layer, const Video<T>& x) {
  es::Stream stream(layer, {.channels = x.shape.channels, .batch = x.shape.batch, .width = x.shape.width, .height = x.shape.height});
  Video<T> y(stream.out_shape(), stream.outputs_after(x.count, true));
  const Index written = stream.process(es::Frames<const T>(x.values.data(), x.shape, x.count),
                                       es::Frames<T>(y.values.data(), y.shape, y.count), es::final);
  es::check(written == y.count, "fewer frames than outputs_after says");
  return y;
}

/// Calls f(c, w, h, b, t) for each number.
template <class T, class F>
void for_each_number(const Video<T>& x, F&& f) {
  for (Index t = 0; t < x.count; ++t)
    for (Index b = 0; b < x.shape.batch; ++b)
      for (Index h = 0; h < x.shape.height; ++h)
        for (Index w = 0; w < x.shape.width; ++w)
          for (Index c = 0; c < x.shape.channels; ++c) f(c, w, h, b, t);
}

/// Greatest difference from value(c, w, h, b, t), relative beyond 1; infinite where one is NaN and the other is not.
template <class T, class Value>
double difference(const Video<T>& y, Value&& value) {
  double most = 0;
  for_each_number(y, [&](Index c, Index w, Index h, Index b, Index t) {
    const double actual = static_cast<double>(y(c, w, h, b, t)), expected = value(c, w, h, b, t);
    if (actual == expected || (std::isnan(actual) && std::isnan(expected))) return;
    const double apart = std::abs(actual - expected) / std::max(1.0, std::abs(expected));
    most = std::isnan(apart) ? std::numeric_limits<double>::infinity() : std::max(most, apart);
  });
  return most;
}

/// The taps of window m along an axis, as positions; some may be outside.
inline std::vector<Index> taps_of(const es::WindowAxis& axis, Index m) {
  std::vector<Index> all;
  for (Index k = 0; k < axis.taps; ++k) all.push_back(m * axis.stride - axis.padding.left + k * axis.dilation);
  return all;
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_SPACE_HPP
