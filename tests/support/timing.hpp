#ifndef EIGENSTREAM_TESTS_SUPPORT_TIMING_HPP
#define EIGENSTREAM_TESTS_SUPPORT_TIMING_HPP

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "eigenstream/core/timing_stage.hpp"

namespace support {

namespace es = eigenstream;
using es::Index;
using es::TimingStage;

// What a signal of n frames gives, and which of its inputs output j reads, from the definitions.
inline Index whole(const TimingStage& s, Index n) {
  if (n <= 0) return 0;
  if (s.kind == TimingStage::Kind::resample) {
    Index count = 0;
    while (count * s.stride < n * s.up) ++count;  // those that begin before the signal's end
    return count;
  }
  if (s.kind == TimingStage::Kind::scatter) return std::max<Index>(0, (n - 1) * s.stride + s.reach - s.left - s.right + s.extra);
  if (n < (s.reflects ? 1 + std::max(s.left, s.right + s.multiple - 1) : 1)) return 0;
  if (s.multiple > 1) {
    Index frames = n + s.left + s.right;
    while ((frames - s.offset) % s.multiple != 0) ++frames;
    return frames;
  }
  Index count = 0;
  while (s.ceil ? count * s.stride - s.left < n && (count - 1) * s.stride - s.left + s.reach < n + s.right
                : count * s.stride - s.left + s.reach <= n + s.right)
    ++count;
  return count;
}
inline std::vector<Index> inputs(const TimingStage& s, Index j) {
  std::vector<Index> all;
  if (s.kind == TimingStage::Kind::resample) {
    for (Index i = -60; i < 200; ++i)
      if (std::abs(i * s.up - j * s.stride) <= s.reach) all.push_back(i);
  } else if (s.kind == TimingStage::Kind::gather) {
    for (Index k = 0; k < s.reach; k += s.dilation) all.push_back(j * s.stride - s.left + k);
  } else {
    for (Index back = s.reach - 1; back >= 0; back -= s.dilation) {
      const Index position = j + s.left - back;
      if (es::floor_div(position, s.stride) * s.stride == position) all.push_back(es::floor_div(position, s.stride));
    }
  }
  return all;
}
// An output is determined once no later input can reach it, and it is there however the signal goes on. What lies
// behind the last tap of the last input waits, though output_padding may make it certain.
inline Index determined(const TimingStage& s, Index n) {
  if (n <= 0) return 0;
  Index count = 0;
  if (s.kind == TimingStage::Kind::resample) {
    if (!s.soon)  // whole blocks, once `left` further inputs are there
      while ((count / s.up + 1) * s.stride + s.left <= n) count += s.up;
    else
      while (inputs(s, count).back() < n) ++count;
    return count;
  }
  for (;; ++count) {
    for (Index longer = n; longer <= n + 40; ++longer)
      if (whole(s, longer) <= count) return count;
    const Index last = s.kind == TimingStage::Kind::gather ? count * s.stride - s.left + s.reach - 1
                                              : es::floor_div(count + s.left, s.stride);  // through the first tap
    if (last >= n) return count;
    if (s.kind == TimingStage::Kind::scatter && count + s.left >= (n - 1) * s.stride + s.reach) return count;
  }
}

template <class F>
void for_all_stages(F&& f) {
  for (const auto& [up, down] : {std::pair<Index, Index>(1, 2), {2, 1}, {1, 3}, {3, 1}, {2, 3}, {3, 2}, {5, 3}})
    for (const Index reach : {std::max(up, down) - 1, 2 * std::max(up, down), 7 * up + 1})
      for (const bool soon : {false, true})
        f(TimingStage{.kind = TimingStage::Kind::resample,
                      .reach = reach,
                      .stride = down,
                      .left = reach / up + 1,
                      .up = up,
                      .soon = soon});
  for (const Index left : {0, 1, 4})
    for (const Index right : {0, 2, 7})
      for (const auto& [multiple, offset] : {std::pair<Index, Index>(1, 0), {2, 0}, {4, 0}, {4, 7}, {3, -2}})
        for (const bool reflects : {false, true})
          f(TimingStage{.left = left, .right = right, .reflects = reflects, .multiple = multiple, .offset = offset});
  for (const Index taps : {1, 2, 3, 5})
    for (const Index stride : {1, 2, 3, 7})
      for (const Index dilation : {1, 2, 3}) {
        const Index reach = (taps - 1) * dilation + 1;
        for (const Index left : {0, 1, 2, 5})
          for (const Index right : {0, 1, 3})
            f(TimingStage{.reach = reach, .stride = stride, .left = left, .right = right, .dilation = dilation});
        for (const Index left : {0, -1, -4})
          for (const Index right : {-1, -3})
            f(TimingStage{.reach = reach, .stride = stride, .left = left, .right = right, .dilation = dilation});
        for (Index padding = 0; padding <= taps / 2; ++padding)
          f(TimingStage{.reach = reach,
                        .stride = stride,
                        .left = padding,
                        .right = padding,
                        .dilation = dilation,
                        .ceil = true});
        for (const Index padding : {0, 1, 2, 6})
          for (Index extra = 0; extra < std::max(stride, dilation); ++extra)
            f(TimingStage{.kind = TimingStage::Kind::scatter,
                          .reach = reach,
                          .stride = stride,
                          .left = padding,
                          .right = padding,
                          .extra = extra,
                          .dilation = dilation});
      }
}

inline std::string text(const TimingStage& s) {
  const char* const kinds[] = {"gather", "scatter", "resample"};
  return std::string(kinds[static_cast<int>(s.kind)]) + " up " + std::to_string(s.up) + (s.soon ? " soon" : "") + " reach " +
         std::to_string(s.reach) + " stride " +
         std::to_string(s.stride) + " left " + std::to_string(s.left) + " right " + std::to_string(s.right) + " extra " +
         std::to_string(s.extra) + " dilation " + std::to_string(s.dilation) + " ceil " + std::to_string(s.ceil) +
         " multiple " + std::to_string(s.multiple) + " offset " + std::to_string(s.offset) + (s.reflects ? " reflects" : "");
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_TIMING_HPP
