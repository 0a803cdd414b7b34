#ifndef EIGENSTREAM_TESTS_SUPPORT_REFERENCE_HPP
#define EIGENSTREAM_TESTS_SUPPORT_REFERENCE_HPP

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <unsupported/Eigen/CXX11/Tensor>
#include <vector>

#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

// Second opinions: the definitions, written as plain loops that accumulate in double.

namespace support {

namespace es = eigenstream;
using es::Index;

template <class T>
using Signal = Eigen::Tensor<T, 3>;  // (C,B,T)

/// What a layer makes of a whole signal.
template <class L, class T>
Signal<T> offline(const L& layer, const Signal<T>& x) {
  es::Stream stream(layer, {.channels = x.dimension(0), .batch = x.dimension(1)});
  return stream.forward(x);
}

/// Greatest difference, relative beyond 1; infinite if the shapes differ or one is NaN where the other is not.
template <class T>
double difference(const Signal<T>& y, const Signal<double>& expected) {
  for (int d = 0; d < 3; ++d)
    if (y.dimension(d) != expected.dimension(d)) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (Index i = 0; i < y.size(); ++i) {
    const double a = static_cast<double>(y.data()[i]), b = expected.data()[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double apart = std::abs(a - b) / std::max(1.0, std::abs(b));
    most = std::isnan(apart) ? std::numeric_limits<double>::infinity() : std::max(most, apart);
  }
  return most;
}

/// Differences that rounding explains.
template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;

namespace naive {

template <class T>
double at(const Signal<T>& x, Index c, Index b, Index t) {
  return t < 0 || t >= x.dimension(2) ? 0 : static_cast<double>(x(c, b, t));
}

/// The signal between virtual frames; negative numbers of them crop it. Nothing if nothing is left of it.
template <class T>
Signal<T> pad(const Signal<T>& x, Index left, Index right, es::PaddingMode mode, double value = 0) {
  const Index n = x.dimension(2), begin = std::max<Index>(0, -left), end = n - std::max<Index>(0, -right);
  Signal<T> y(x.dimension(0), x.dimension(1), begin < end ? n + left + right : 0);
  for (Index m = 0; m < y.dimension(2); ++m)
    for (Index b = 0; b < y.dimension(1); ++b)
      for (Index c = 0; c < y.dimension(0); ++c) {
        const Index t = m - left, nearest = std::clamp<Index>(t, begin, end - 1);
        y(c, b, m) = t == nearest || mode == es::PaddingMode::replicate ? x(c, b, nearest) : static_cast<T>(value);
      }
  return y;
}

template <class T>
Signal<double> conv(const Signal<T>& x, const es::Weights<T>& w, const es::Weights<T>& bias, Index stride, Index left,
                    Index right, Index dilation, Index groups) {
  const Index out = w.shape[0], in = w.shape[1], taps = w.shape[2], reach = (taps - 1) * dilation + 1;
  const Index room = x.dimension(2) + left + right - reach;
  Signal<double> y(out, x.dimension(1), x.dimension(2) == 0 || room < 0 ? 0 : room / stride + 1);
  for (Index m = 0; m < y.dimension(2); ++m)
    for (Index b = 0; b < y.dimension(1); ++b)
      for (Index o = 0; o < out; ++o) {
        double sum = bias.empty() ? 0 : static_cast<double>(bias(o));
        for (Index k = 0; k < taps; ++k)
          for (Index i = 0; i < in; ++i)
            sum += static_cast<double>(w(o, i, k)) * at(x, o / (out / groups) * in + i, b, m * stride - left + k * dilation);
        y(o, b, m) = sum;
      }
  return y;
}

template <class T>
Signal<double> conv_transpose(const Signal<T>& x, const es::Weights<T>& w, const es::Weights<T>& bias, Index stride,
                              es::Padding padding, Index output_padding, Index dilation, Index groups) {
  const Index in = w.shape[0], out = w.shape[1] * groups, taps = w.shape[2], n = x.dimension(2);
  const Index count = n == 0 ? 0 : (n - 1) * stride - padding.left - padding.right + (taps - 1) * dilation + output_padding + 1;
  Signal<double> y(out, x.dimension(1), std::max<Index>(0, count));
  for (Index m = 0; m < y.dimension(2); ++m)
    for (Index b = 0; b < y.dimension(1); ++b)
      for (Index o = 0; o < out; ++o) y(o, b, m) = bias.empty() ? 0 : static_cast<double>(bias(o));
  for (Index t = 0; t < n; ++t)
    for (Index k = 0; k < taps; ++k) {
      const Index m = t * stride + k * dilation - padding.left;
      if (m < 0 || m >= y.dimension(2)) continue;
      for (Index b = 0; b < y.dimension(1); ++b)
        for (Index i = 0; i < in; ++i)
          for (Index o = 0; o < w.shape[1]; ++o)
            y(i / (in / groups) * w.shape[1] + o, b, m) += static_cast<double>(w(i, o, k)) * at(x, i, b, t);
    }
  return y;
}

/// Windows of a pool, as PyTorch counts them.
inline Index windows(Index n, Index taps, Index stride, Index padding, Index dilation, bool ceil) {
  if (n == 0) return 0;
  const Index reach = (taps - 1) * dilation + 1;
  const double room = static_cast<double>(n + 2 * padding - reach) / static_cast<double>(stride);
  Index count = static_cast<Index>(ceil ? std::ceil(room) : std::floor(room)) + 1;
  if (ceil && (count - 1) * stride >= n + padding) --count;
  return std::max<Index>(0, count);
}

template <class T>
Signal<double> avg_pool(const Signal<T>& x, Index taps, Index stride, Index padding, bool ceil, bool include_pad) {
  const Index n = x.dimension(2);
  Signal<double> y(x.dimension(0), x.dimension(1), windows(n, taps, stride, padding, 1, ceil));
  for (Index m = 0; m < y.dimension(2); ++m)
    for (Index b = 0; b < y.dimension(1); ++b)
      for (Index c = 0; c < y.dimension(0); ++c) {
        double sum = 0, divisor = 0;
        for (Index t = m * stride - padding; t < m * stride - padding + taps; ++t) {
          sum += at(x, c, b, t);
          const bool real = t >= 0 && t < n, pad = t >= -padding && t < n + padding;
          divisor += include_pad ? pad : real;
        }
        y(c, b, m) = sum / divisor;
      }
  return y;
}

template <class T>
Signal<double> max_pool(const Signal<T>& x, Index taps, Index stride, Index padding, Index dilation, bool ceil) {
  const Index n = x.dimension(2);
  Signal<double> y(x.dimension(0), x.dimension(1), windows(n, taps, stride, padding, dilation, ceil));
  for (Index m = 0; m < y.dimension(2); ++m)
    for (Index b = 0; b < y.dimension(1); ++b)
      for (Index c = 0; c < y.dimension(0); ++c) {
        double most = -std::numeric_limits<double>::infinity();
        for (Index k = 0; k < taps; ++k) {
          const Index t = m * stride - padding + k * dilation;
          if (t < 0 || t >= n) continue;
          const double value = static_cast<double>(x(c, b, t));
          if (std::isnan(most) || std::isnan(value))
            most = std::numeric_limits<double>::quiet_NaN();
          else
            most = std::max(most, value);
        }
        y(c, b, m) = most;
      }
  return y;
}

}  // namespace naive

/// What each call of a one-channel stream returns: the chunks, then, unless the last one is `final`, nothing more.
using Calls = std::vector<std::vector<float>>;

template <class Stream>
Calls calls(Stream& stream, const std::vector<float>& x, const std::vector<Index>& chunks, bool final_with_last = true) {
  Calls all;
  Index at = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const Eigen::TensorMap<const Eigen::Tensor<float, 2>> chunk(x.data() + at, 1, chunks[i]);
    const Eigen::Tensor<float, 2> y =
        final_with_last && i + 1 == chunks.size() ? stream(chunk, es::final) : stream(chunk);
    all.emplace_back(y.data(), y.data() + y.size());
    at += chunks[i];
  }
  return all;
}

/// 1, 2, ..., n, as in the worked tables.
inline std::vector<float> count_to(Index n) {
  std::vector<float> x;
  for (Index i = 1; i <= n; ++i) x.push_back(static_cast<float>(i));
  return x;
}

/// Weights of the given shape with the values 1, 2, ...
inline es::Weights<float> counting(std::vector<Index> shape) {
  Index size = 1;
  for (const Index extent : shape) size *= extent;
  return {std::move(shape), count_to(size)};
}

/// A convolution of one channel with the weights 1, 2, ... and no bias.
inline es::Conv1d<float> counting_conv(Index taps, es::Conv1dOptions options = {}) {
  return es::Conv1d<float>(counting({1, 1, taps}), {}, options);
}

/// True if f throws an Error whose message holds all the parts.
template <class F>
bool refuses(F&& f, std::initializer_list<const char*> parts) {
  const std::optional<std::string> message = caught(f);
  if (!message) {
    UNSCOPED_INFO("nothing was refused");
    return false;
  }
  for (const char* part : parts)
    if (message->find(part) == std::string::npos) {
      UNSCOPED_INFO("the message \"" << *message << "\" lacks \"" << part << "\"");
      return false;
    }
  return true;
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_REFERENCE_HPP
