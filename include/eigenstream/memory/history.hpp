#ifndef EIGENSTREAM_MEMORY_HISTORY_HPP
#define EIGENSTREAM_MEMORY_HISTORY_HPP

#include <algorithm>  // min, max, fill_n
#include <cstring>    // memcpy, memmove

#include "eigenstream/core/layer.hpp"  // max_room
#include "eigenstream/core/state.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Frames that a producer may hand over at a time without a copy: about 16 KiB, so that the tile and its result stay
/// in the first-level cache; at least 16 frames, so that weights are read seldom; at most max_room.
constexpr Index room_for(Index frame_size, Index scalar_bytes) noexcept {
  return std::clamp<Index>(Index{16384} / std::max<Index>(1, frame_size * scalar_bytes), 16, max_room);
}

namespace detail {

/// Copies bytes to where they do not lie yet, or to before where they lie. As memcpy and memmove, but without `rep movsb`,
/// which some libraries use from a few KB on and which on AMD's Zen 4 is many times slower where the addresses agree in
/// their last 12 bits, as those of ring buffers do (glibc bug 30994).
inline void copy_forward(const void* source, Index bytes, void* destination) noexcept {
  constexpr Index block = 64, blocks = 4;
  const char* from = static_cast<const char*>(source);
  char* to = static_cast<char*>(destination);
  if (bytes < 1024) {
    if (bytes > 0) std::memmove(to, from, static_cast<std::size_t>(bytes));
    return;
  }
  // Four blocks at a time, so that compilers do not see a memcpy in it.
  for (; bytes >= blocks * block; bytes -= blocks * block, from += blocks * block, to += blocks * block) {
    char a[block], b[block], c[block], d[block];
    std::memcpy(a, from, block);
    std::memcpy(b, from + block, block);
    std::memcpy(c, from + 2 * block, block);
    std::memcpy(d, from + 3 * block, block);
    std::memcpy(to, a, block);
    std::memcpy(to + block, b, block);
    std::memcpy(to + 2 * block, c, block);
    std::memcpy(to + 3 * block, d, block);
  }
  std::memmove(to, from, static_cast<std::size_t>(bytes));
}

}  // namespace detail

/// A view of a ring buffer in a stream's block that keeps the last `keep` frames and lies flat: the kept frames and the
/// new ones behind them are one contiguous run. New frames are appended; when the end is reached the kept ones move to
/// the front. The buffer is at least twice as long as what it keeps, so that is at most one copy per frame on average,
/// and no index ever wraps inside a window.
/// Layout   end and capacity (in frames, one cache line), then keep + slack frames, then one packet that SIMD loads may run over
template <class T>
class History {
 public:
  /// `least_room`: frames that it must be possible to append at a time.
  constexpr History(std::byte* block, Index frame_size, Index keep, Index least_room = 1) noexcept
      : block_(block), frame_size_(frame_size), keep_(keep), least_room_(least_room) {}

  static constexpr Index bytes(Index frame_size, Index keep, Index least_room = 1) noexcept {
    return header_bytes +
           aligned_bytes((keep + slack(frame_size, keep, least_room)) * frame_size * scalar_bytes + memory_alignment);
  }

  /// Most frames that `room` can give.
  Index max_frames() const noexcept { return head()->capacity - keep_; }

  /// Forgets all and pretends that `keep` frames of `fill` came.
  void reset(T fill = T(0)) noexcept {
    *head() = {keep_, keep_ + slack(frame_size_, keep_, least_room_)};
    std::fill_n(frames(), keep_ * frame_size_, fill);
  }

  /// Where the next n frames go (n <= max_frames()): behind the kept ones.
  EIGENSTREAM_ALWAYS_INLINE T* room(Index n) noexcept {
    Index at = head()->end;
    if (at + n > head()->capacity) [[unlikely]]
      at = rewind();
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

  /// Forgets all but `keep` frames, which are given.
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
  T* newest_end() noexcept { return frames() + head()->end * frame_size_; }

  /// The kept frames are the state; where they lie is not.
  void exchange(StateCodec& codec) {
    if (codec.reading()) head()->end = keep_;
    codec.values(newest_end() - keep_ * frame_size_, keep_ * frame_size_);
  }

 private:
  static constexpr Index scalar_bytes = static_cast<Index>(sizeof(T));
  static constexpr Index header_bytes = memory_alignment;

  static constexpr Index slack(Index frame_size, Index keep, Index least_room) noexcept {
    return std::max({keep, least_room, room_for(frame_size, scalar_bytes)});
  }
  struct Head {
    Index end;       // one past the newest frame
    Index capacity;  // frames there is room for
  };
  Head* head() const noexcept { return reinterpret_cast<Head*>(block_); }
  T* frames() const noexcept { return reinterpret_cast<T*>(block_ + header_bytes); }

  EIGENSTREAM_NO_INLINE Index rewind() noexcept {
    detail::copy_forward(newest_end() - keep_ * frame_size_, keep_ * frame_size_ * scalar_bytes, frames());
    return head()->end = keep_;
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
  Index least_room_;
};

/// A window of `reach` frames that slides over a stream in steps of `stride`, with `left` virtual frames before the
/// first: what convolutions and pools have in common. The kernel is handed as many windows as are complete, all of
/// them in one contiguous run.
///   window j covers frames j*stride - left ... j*stride - left + reach - 1
/// If the virtual frames repeat the nearest real one, the first frame is announced by `repeat_before`, and the newest one
/// is kept in any case.
struct SlidingWindow {
  Index reach = 1;
  Index stride = 1;
  Index left = 0;

  constexpr SlidingWindow() = default;
  constexpr SlidingWindow(Index reach_, Index stride_, Index left_, bool repeats = false) noexcept
      : reach(reach_),
        stride(stride_),
        left(left_),
        keep_(in_lines(std::max({reach_ - 1, left_, Index{repeats}}))),
        first_due_(std::min(reach_ - left_, repeats ? Index{0} : reach_)) {}

  constexpr Index keep() const noexcept { return keep_; }

  template <class T>
  Index state_bytes(FrameShape shape) const noexcept {
    return memory_alignment + History<T>::bytes(shape.size(), keep());
  }
  template <class T>
  void reset(StateRef state, T fill) const noexcept {
    *position(state) = {first_due_, 0};
    history<T>(state).reset(fill);
  }
  template <class T>
  EIGENSTREAM_ALWAYS_INLINE History<T> history(StateRef state) const noexcept {
    return History<T>(state.data + memory_alignment, state.shape.size(), keep());
  }
  /// Frames since the last reset.
  Index seen(StateRef state) const noexcept { return position(state)->seen; }

  /// Windows that n further frames will complete.
  EIGENSTREAM_ALWAYS_INLINE Index completes(StateRef state, Index n) const noexcept {
    const Index due = position(state)->due;
    if (n < due || n == 0) return 0;
    return stride == 1 ? n - due + 1 : (n - due) / stride + 1;
  }
  EIGENSTREAM_ALWAYS_INLINE constexpr Index max_windows(Index n) const noexcept {
    const Index last = n - 1 + std::max<Index>(0, left - reach + 1);
    return n == 0 ? 0 : stride == 1 ? last + 1 : last / stride + 1;
  }

  /// Appends x and calls kernel(first frame of the first window, windows, windows before) for the completed windows.
  /// If the kernel reads nothing but its windows (`exact_reads`), those that lie within x are read where they are.
  template <class T, class Kernel>
  EIGENSTREAM_ALWAYS_INLINE Index advance(StateRef state, Frames<const T> x, Kernel&& kernel,
                                          bool exact_reads = false) const noexcept {
    History<T> frames = history<T>(state);
    Index done = 0;
    if (exact_reads && keep() > 0 && x.count >= 4 * keep() && keep() <= frames.max_frames() &&
        x.data != frames.room(std::min(x.count, frames.max_frames()))) {
      // Windows that begin in front of x need what was kept and as many new frames; the others only x itself.
      done = slide(state, frames.append(x.data, keep()), keep(), 0, kernel);
      done += slide(state, x.frame(keep()), x.count - keep(), done, kernel);
      frames.restart(x.frame(x.count - keep()));
      position(state)->seen += x.count;
      return done;
    }
    for (Index at = 0; at < x.count;) {
      const Index n = std::min(x.count - at, frames.max_frames());
      done += slide(state, frames.append(x.frame(at), n), n, done, kernel);
      at += n;
    }
    position(state)->seen += x.count;
    return done;
  }

  /// The same for a kernel that only copies, and takes each window in two pieces: kernel(number, what was kept, its frames,
  /// the rest, which lies in x). At least keep() frames must come, so that none of them needs to be appended.
  template <class T, class Kernel>
  Index advance_in_pieces(StateRef state, Frames<const T> x, Kernel&& kernel) const noexcept {
    History<T> frames = history<T>(state);
    Position& at = *position(state);
    const Index windows = completes(state, x.count);
    for (Index w = 0; w < windows; ++w) {
      const Index end = at.due + w * stride, old = std::clamp<Index>(reach - end, 0, reach);
      kernel(w, frames.newest_end() - old * x.frame_size(), old, x.frame(end - reach + old));
    }
    at.due += windows * stride - x.count;
    at.seen += x.count;
    frames.restart(x.frame(x.count - keep()));
    return windows;
  }

  /// The same for one frame that completes at most one window, which all but the first do: kernel(first frame).
  template <class T, class Kernel>
  EIGENSTREAM_ALWAYS_INLINE Index advance_one(StateRef state, const T* x, Kernel&& kernel) const noexcept {
    const T* place = history<T>(state).append(x, 1);
    Position& at = *position(state);
    ++at.seen;
    if (at.due > 1) {
      --at.due;
      return 0;
    }
    at.due = stride;
    kernel(place - (reach - 1) * state.shape.size());
    return 1;
  }
  /// True if the next frame completes at most one window.
  bool one_at_a_time(StateRef state) const noexcept { return position(state)->due >= 1; }

  /// The same with n virtual frames, as after the end of the signal; they do not count as seen.
  template <class T, class Kernel>
  Index advance_fill(StateRef state, T fill, Index n, Kernel&& kernel) const noexcept {
    History<T> frames = history<T>(state);
    Index done = 0;
    while (n > 0) {
      const Index some = std::min(n, frames.max_frames());
      done += slide(state, frames.append_fill(fill, some), some, done, kernel);
      n -= some;
    }
    return done;
  }

  /// The same with n times the last frame; `keep()` is not 0.
  template <class T, class Kernel>
  Index advance_repeat(StateRef state, Index n, Kernel&& kernel) const noexcept {
    History<T> frames = history<T>(state);
    Index done = 0;
    while (n > 0) {
      const Index some = std::min(n, frames.max_frames());
      done += slide(state, frames.append_repeat(some), some, done, kernel);
      n -= some;
    }
    return done;
  }
  /// Fills the virtual frames before the first one, x, with its likes; to be called before it comes, which is while
  /// one_at_a_time is false.
  template <class T>
  EIGENSTREAM_NO_INLINE void repeat_before(StateRef state, const T* x) const noexcept {
    position(state)->due = reach - left;
    history<T>(state).pretend(x);
  }

  template <class T>
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(position(state)->due, due_after(codec.frames()));
    codec.count(position(state)->seen, codec.frames());
    history<T>(state).exchange(codec);
  }

 private:
  struct Position {
    Index due;   // frames still to come until the next window is complete; below 1 only before the first frame
    Index seen;  // real frames since the start
  };
  static Position* position(StateRef state) noexcept { return reinterpret_cast<Position*>(state.data); }
  // `due` when n frames have come.
  constexpr Index due_after(Index n) const noexcept {
    const Index first = reach - left;
    if (n == 0) return first_due_;
    return n < first ? first - n : stride - (n - first) % stride;
  }

  template <class T, class Kernel>
  EIGENSTREAM_ALWAYS_INLINE Index slide(StateRef state, const T* place, Index n, Index done,
                                        Kernel& kernel) const noexcept {
    Index& due = position(state)->due;
    const Index windows = completes(state, n);
    if (windows > 0) kernel(place + (due - reach) * state.shape.size(), windows, done);
    due += windows * stride - n;
    return windows;
  }

  // Many frames are kept in whole cache lines, so that windows of round sizes and strides begin with one.
  static constexpr Index in_lines(Index keep) noexcept { return keep < 256 ? keep : (keep + 15) / 16 * 16; }

  Index keep_ = 0;
  Index first_due_ = 1;  // before the first frame
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_MEMORY_HISTORY_HPP
