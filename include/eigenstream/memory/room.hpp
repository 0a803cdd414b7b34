#ifndef EIGENSTREAM_MEMORY_ROOM_HPP
#define EIGENSTREAM_MEMORY_ROOM_HPP

#include <algorithm>  // clamp, max

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Most frames for which `input_room` is asked at a time: the longest tile that a container hands on.
inline constexpr Index max_room = 128;

/// Frames that a producer may hand over at a time without a copy: about 16 KiB, so that the tile and its result stay
/// in the first-level cache; at most max_room, and at least 16 frames, so that weights are read seldom. Frames of more than
/// 4 KiB have space, over which weights are read seldom, too: of those about 64 KiB, but at least 2.
constexpr Index room_for(Index frame_size, Index scalar_bytes) noexcept {
  const Index bytes = std::max<Index>(1, frame_size * scalar_bytes);
  return std::clamp<Index>(Index{16384} / bytes, std::clamp<Index>(Index{65536} / bytes, 2, 16), max_room);
}

/// Frames that a history of `keep` frames has room for behind them: so many that on average no frame is moved more than
/// once, and not fewer than a producer hands over at a time, or than `least`.
template <class T>
constexpr Index slack_for(Index frame_size, Index keep, Index least = 1) noexcept {
  return std::max({keep, least, room_for(frame_size, static_cast<Index>(sizeof(T)))});
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_MEMORY_ROOM_HPP
