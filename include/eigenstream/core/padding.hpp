#ifndef EIGENSTREAM_CORE_PADDING_HPP
#define EIGENSTREAM_CORE_PADDING_HPP

#include <string_view>  // names

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Virtual frames before the first frame and after the last. One number means both.
struct Padding {
  Index left = 0;
  Index right = 0;
  constexpr Padding() = default;
  constexpr Padding(Index both) : left(both), right(both) {}
  constexpr Padding(Index left_, Index right_) : left(left_), right(right_) {}
  /// As many frames before the signal as the taps reach back, none after it: no output waits for a later input.
  static constexpr Padding causal(Index taps, Index dilation = 1) { return {(taps - 1) * dilation, 0}; }
};

/// What virtual frames hold: zeros, the nearest frame of the signal (its first or its last one), or a given number.
enum class PaddingMode { zeros, replicate, constant };
inline constexpr std::string_view padding_mode_names[] = {"zeros", "replicate", "constant"};

/// What becomes of the padding in time that the layers of a network have: Conv1d's padding, ConvTranspose1d's padding
/// and output_padding, padding and ceil_mode of the pools, positive amounts of Pad.
enum class PaddingPolicy {
  exact,  ///< kept: the outputs are those of the offline network
  valid,  ///< taken away everywhere: only what whole windows of the signal give, as torch-streamer does
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_PADDING_HPP
