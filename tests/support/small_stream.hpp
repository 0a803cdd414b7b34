#ifndef EIGENSTREAM_TESTS_SUPPORT_SMALL_STREAM_HPP
#define EIGENSTREAM_TESTS_SUPPORT_SMALL_STREAM_HPP

#include <algorithm>
#include <cstdint>

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "support/random.hpp"

namespace support {

/// Two channels in, three out at half the rate.
inline auto small_net() {
  using Conv = es::Conv1d<float>;
  return es::sequential(random_conv<Conv>(2, 4, 3, {.padding = 1}), es::Tanh<float>{},
                        random_conv<Conv>(4, 3, 2, {.stride = 2}));
}

inline Eigen::Tensor<float, 2> signal(Index channels, Index frames, std::uint64_t seed = 1) {
  Random random(seed);
  return random_tensor<float>(random, channels, frames);
}

inline bool same(const Eigen::Tensor<float, 2>& a, const Eigen::Tensor<float, 2>& b) {
  return a.dimension(0) == b.dimension(0) && a.dimension(1) == b.dimension(1) &&
         std::equal(a.data(), a.data() + a.size(), b.data());
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_SMALL_STREAM_HPP
