#ifndef EIGENSTREAM_MEMORY_HISTORY_HPP
#define EIGENSTREAM_MEMORY_HISTORY_HPP

#include <algorithm>  // fill_n, max
#include <cstdint>    // uint32_t
#include <cstring>    // memcpy

#include "eigenstream/core/state_block.hpp"
#include "eigenstream/core/state_codec.hpp"
#include "eigenstream/memory/copy.hpp"
#include "eigenstream/memory/room.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A view of a ring buffer in a stream's block that keeps the last `keep` frames and lies flat: the kept frames and the
/// new ones behind them are one contiguous run. New frames are appended; when the end is reached the kept ones move to
/// the front, so that no index ever wraps inside a window. On average that is keep / slack copies of each frame.
/// Layout   end and capacity (in frames, one cache line), then keep + slack frames, then one packet that SIMD loads may run over
template <class T>
class History {
 public:
  constexpr History(std::byte* block, Index frame_size, Index keep) noexcept
      : block_(block), frame_size_(frame_size), keep_(keep) {}

  /// `slack`: most frames that can be appended at a time.
  static constexpr Index bytes(Index frame_size, Index keep, Index slack) noexcept {
    return header_bytes + aligned_bytes((keep + slack) * frame_size * scalar_bytes + memory_alignment);
  }

  /// The same with the usual room.
  static constexpr Index bytes(Index frame_size, Index keep) noexcept {
    return bytes(frame_size, keep, slack_for<T>(frame_size, keep));
  }

  /// Most frames that `room` can give.
  Index max_frames() const noexcept { return head()->capacity - keep_; }

  /// Forgets all and pretends that `keep` frames of `fill` came. `slack` as in `bytes`. They lie further back in some histories
  /// than in others, so that those of a network do not all move to the front in the same call.
  void reset(Index slack, T fill = T(0)) noexcept {
    const std::uint32_t mixed = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(block_) / memory_alignment) * 0x9e3779b1u;
    const Index first = keep_ == 0 ? 0 : static_cast<Index>(mixed >> 8) % std::max<Index>(1, slack);
    *head() = {first + keep_, keep_ + slack};
    std::fill_n(frames() + first * frame_size_, keep_ * frame_size_, fill);
  }
  /// The same with the usual room.
  void reset() noexcept { reset(slack_for<T>(frame_size_, keep_)); }

  /// Where the next n frames go (n <= max_frames()): behind the kept ones.
  EIGENSTREAM_ALWAYS_INLINE T* room(Index n) noexcept {
    Index at = head()->end;
    if (at + n > head()->capacity) [[unlikely]]
      at = rewind(block_, frame_size_, keep_);
    return frames() + at * frame_size_;
  }

  /// Appends frames; copies them unless they were written to `room` already. Returns where they lie; the kept frames
  /// are right in front.
  EIGENSTREAM_ALWAYS_INLINE T* append(const T* x, Index n) noexcept {
    T* place = room(n);
    if (place != x) copy(x, n * frame_size_, place);
    head()->end += n;
    return place;
  }

  /// The next n frames are in `room` now.
  EIGENSTREAM_ALWAYS_INLINE void take(Index n) noexcept { head()->end += n; }

  /// Copies what is kept, and n frames behind it, to other memory. Returns where the latter lie; appends nothing.
  T* copy_before(const T* x, Index n, T* to) const noexcept {
    detail::copy_forward(newest_end() - keep_ * frame_size_, keep_ * frame_size_ * scalar_bytes, to);
    to += keep_ * frame_size_;
    detail::copy_forward(x, n * frame_size_ * scalar_bytes, to);
    return to;
  }

  /// Forgets all but `keep` frames, which are given and lie elsewhere.
  void restart(const T* x) noexcept {
    detail::copy_forward(x, keep_ * frame_size_ * scalar_bytes, frames());
    head()->end = keep_;
  }

  /// Appends n frames of one value.
  T* append_fill(T value, Index n) noexcept {
    T* place = room(n);
    std::fill_n(place, n * frame_size_, value);
    head()->end += n;
    return place;
  }

  /// Appends n times the newest frame (one at least is kept).
  T* append_repeat(Index n) noexcept {
    T* place = room(n);
    const T* last = place - frame_size_;
    for (Index i = 0; i < n; ++i) copy(last, frame_size_, place + i * frame_size_);
    head()->end += n;
    return place;
  }

  /// Pretends that the kept frames were all like this one, which lies elsewhere.
  void pretend(const T* x) noexcept {
    T* oldest = newest_end() - keep_ * frame_size_;
    for (Index i = 0; i < keep_; ++i) copy(x, frame_size_, oldest + i * frame_size_);
  }

  /// One past the newest frame.
  T* newest_end() const noexcept { return frames() + head()->end * frame_size_; }

  /// The kept frames are the state; where they lie is not.
  void exchange(StateCodec& codec) { codec.last_frames(frames(), head()->end, keep_, frame_size_); }

 private:
  static constexpr Index scalar_bytes = static_cast<Index>(sizeof(T));
  static constexpr Index header_bytes = memory_alignment;

  struct Head {
    Index end;       // one past the newest frame
    Index capacity;  // frames there is room for
  };
  Head* head() const noexcept { return reinterpret_cast<Head*>(block_); }
  T* frames() const noexcept { return reinterpret_cast<T*>(block_ + header_bytes); }

  // By value, so that a history lives in registers.
  static EIGENSTREAM_NO_INLINE Index rewind(std::byte* block, Index frame_size, Index keep) noexcept {
    History all(block, frame_size, keep);
    detail::copy_forward(all.newest_end() - keep * frame_size, keep * frame_size * scalar_bytes, all.frames());
    return all.head()->end = keep;
  }
  // A frame or a few are copied sooner than memcpy is called.
  static EIGENSTREAM_ALWAYS_INLINE void copy(const T* from, Index n, T* to) noexcept {
    constexpr Index step = Index{16} / scalar_bytes, few = 8 * step;
    if (n > few) {
      detail::copy_forward(from, n * scalar_bytes, to);
      return;
    }
    for (; n >= step; n -= step, from += step, to += step) std::memcpy(to, from, 16);
    for (; n > 0; --n) *to++ = *from++;
  }

  std::byte* block_;
  Index frame_size_;
  Index keep_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_MEMORY_HISTORY_HPP
