#ifndef EIGENSTREAM_MEMORY_SLIDING_WINDOW_HPP
#define EIGENSTREAM_MEMORY_SLIDING_WINDOW_HPP

#include <algorithm>  // min, max, clamp
#include <limits>     // numeric_limits

#include "eigenstream/core/frames.hpp"
#include "eigenstream/core/state_block.hpp"
#include "eigenstream/core/state_codec.hpp"
#include "eigenstream/memory/history.hpp"
#include "eigenstream/memory/room.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A window of `reach` frames that slides over a stream in steps of `stride`, with `left` virtual frames before the
/// first: what convolutions and pools have in common. The kernel is handed as many windows as are complete, all of
/// them in one contiguous run.
///   window j covers frames j*stride - left ... j*stride - left + reach - 1
/// If the virtual frames repeat the nearest real one, the first frame is announced by `repeat_before`, and the newest one
/// is kept in any case.
/// A stream's block has room for what is kept and little more. A chunk that is longer than this room is put behind what was
/// kept in scratch memory, or read where it is; only long histories, which cost more to move than a chunk does, have more.
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
        first_due_(std::min(reach_ - left_, repeats ? Index{0} : reach_)),
        early_(std::max<Index>(0, left_ - reach_ + 1)) {}

  /// The window's own block, and the numbers in a frame: two registers.
  struct At {
    std::byte* data;
    Index frame_size;
    EIGENSTREAM_ALWAYS_INLINE At(std::byte* data_, Index frame_size_) noexcept : data(data_), frame_size(frame_size_) {}
    EIGENSTREAM_ALWAYS_INLINE At(const StateRef& state) noexcept : At(state.data, state.shape.size()) {}
  };

  /// The same with as much room as what is kept: for windows that are handed on as they are, so that moving frames is all
  /// that is done with them.
  constexpr SlidingWindow roomy() const noexcept {
    SlidingWindow other = *this;
    other.roomy_ = true;
    return other;
  }

  constexpr Index keep() const noexcept { return keep_; }

  template <class T>
  Index state_bytes(const FrameShape& shape) const noexcept {
    return memory_alignment + History<T>::bytes(shape.size(), keep(), slack<T>(shape.size()));
  }
  /// Scratch memory that `advance` needs.
  template <class T>
  Index scratch_bytes(const FrameShape& shape) const noexcept {
    return uses_scratch<T>(shape.size())
               ? aligned_bytes((keep() + scratch_room<T>(shape.size())) * shape.size() * scalar_bytes<T>) + memory_alignment
               : 0;
  }
  template <class T>
  void reset(At state, T fill) const noexcept {
    *position(state) = {first_due_, 0};
    history<T>(state).reset(slack<T>(state.frame_size), fill);
  }
  template <class T>
  EIGENSTREAM_ALWAYS_INLINE History<T> history(At state) const noexcept {
    return History<T>(state.data + memory_alignment, state.frame_size, keep());
  }
  /// Frames since the last reset.
  Time seen(At state) const noexcept { return position(state)->seen; }

  /// Windows that n further frames will complete.
  EIGENSTREAM_ALWAYS_INLINE Index completes(At state, Index n) const noexcept {
    const Index due = position(state)->due;
    if (n < due || n == 0) return 0;
    return stride == 1 ? n - due + 1 : (n - due) / stride + 1;
  }
  EIGENSTREAM_ALWAYS_INLINE constexpr Index max_windows(Index n) const noexcept {
    const Index last = n - 1 + early_;
    return n == 0 ? 0 : stride == 1 ? last + 1 : last / stride + 1;
  }

  /// Appends x and calls kernel(first frame of the first window, windows, windows before) for the completed windows.
  /// `scratch`: scratch_bytes. If the kernel reads nothing but its windows (`exact_reads`), those that lie within x are
  /// read where they are.
  template <class T, class Kernel>
  EIGENSTREAM_ALWAYS_INLINE Index advance(At state, Frames<const T> x, std::byte* scratch, Kernel&& kernel,
                                          bool exact_reads = false) const noexcept {
    return advance<T>(state, x.data, x.count, scratch, kernel, exact_reads);
  }
  template <class T, class Kernel>
  EIGENSTREAM_ALWAYS_INLINE Index advance(At state, const T* x, Index count, std::byte* scratch, Kernel&& kernel,
                                          bool exact_reads = false) const noexcept {
    History<T> frames = history<T>(state);
    position(state)->seen += count;
    if (count <= frames.max_frames()) [[likely]]
      return slide(state, frames.append(x, count), count, 0, kernel);
    return advance_long<T>(state, x, count, scratch, kernel, exact_reads);
  }

  /// The same for a kernel that reads nothing but its windows and does so little that a copy of x is felt: windows that lie
  /// within x are read where they are, and first. What was stored just now, in other pieces than are loaded, would have to be
  /// waited for; until the windows that begin in front of x are read, it is in the cache. For x that is_beside.
  template <class T, class Kernel>
  EIGENSTREAM_ALWAYS_INLINE Index advance_beside(At state, const T* x, Index count, Kernel&& kernel) const noexcept {
    History<T> frames = history<T>(state);
    Position& at = *position(state);
    const Index windows = completes(state, count), first = at.due - reach;
    const Index across = std::min(windows, first < 0 ? (-first + stride - 1) / stride : 0);
    const T* place = frames.append(x, keep());
    if (across < windows) kernel(x + (first + across * stride) * state.frame_size, windows - across, across);
    if (across > 0) kernel(place + first * state.frame_size, across, 0);
    at.due += windows * stride - count;
    at.seen += count;
    frames.restart(x + (count - keep()) * state.frame_size);
    return windows;
  }
  /// Whether x is so long that few windows begin in front of it and a copy costs more than a second call (2 KB of floats), and is not
  /// where `append` would copy it to.
  template <class T>
  EIGENSTREAM_ALWAYS_INLINE bool is_beside(At state, const T* x, Index count) const noexcept {
    const History<T> frames = history<T>(state);
    return count > 2 * keep() && count * state.frame_size >= 512 && keep() > 0 && keep() <= frames.max_frames() &&
           x != frames.newest_end();
  }

  /// The same for a kernel that only copies, and takes each window in two pieces: kernel(number, what was kept, its frames,
  /// the rest, which lies in x). At least keep() frames must come, so that none of them needs to be appended.
  template <class T, class Kernel>
  Index advance_in_pieces(At state, Frames<const T> x, Kernel&& kernel) const noexcept {
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
  EIGENSTREAM_ALWAYS_INLINE Index advance_one(At state, const T* x, Kernel&& kernel) const noexcept {
    const T* place = history<T>(state).append(x, 1);
    Position& at = *position(state);
    ++at.seen;
    if (at.due > 1) {
      --at.due;
      return 0;
    }
    at.due = stride;
    kernel(place - (reach - 1) * state.frame_size);
    return 1;
  }
  /// The same for a frame that completes a window for certain (one_is_due) and that the kernel itself copies to its place:
  /// kernel(first frame), which ends with that place.
  template <class T, class Kernel>
  EIGENSTREAM_ALWAYS_INLINE void advance_due(At state, Kernel&& kernel) const noexcept {
    History<T> frames = history<T>(state);
    kernel(frames.room(1) - (reach - 1) * state.frame_size);
    frames.take(1);
    Position& at = *position(state);
    ++at.seen;
    if (stride > 1) at.due = stride;  // it is 1 already
  }
  bool one_is_due(At state) const noexcept { return position(state)->due == 1; }
  /// True if the next frame completes at most one window.
  bool one_at_a_time(At state) const noexcept { return position(state)->due >= 1; }

  /// The same with n virtual frames, as after the end of the signal; they do not count as seen.
  template <class T, class Kernel>
  Index advance_fill(At state, T fill, Index n, Kernel&& kernel) const noexcept {
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
  Index advance_repeat(At state, Index n, Kernel&& kernel) const noexcept {
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
  EIGENSTREAM_NO_INLINE void repeat_before(At state, const T* x) const noexcept {
    position(state)->due = reach - left;
    history<T>(state).pretend(x);
  }

  template <class T>
  void exchange(At state, StateCodec& codec) const {
    codec.count(position(state)->due, due_after(codec.frames()));
    codec.count(position(state)->seen, codec.frames(), {.from = 0});  // only the end of the signal asks for it
    history<T>(state).exchange(codec);
  }

 private:
  struct Position {
    Index due;   // frames still to come until the next window is complete; below 1 only before the first frame
    Time seen;  // real frames since the start
  };
  static Position* position(At state) noexcept { return reinterpret_cast<Position*>(state.data); }
  // `due` when n frames have come.
  constexpr Index due_after(Time n) const noexcept {
    const Index first = reach - left;
    if (n == 0) return first_due_;
    return n < first ? first - n : stride - (n - first) % stride;
  }

  template <class T, class Kernel>
  EIGENSTREAM_ALWAYS_INLINE Index slide(At state, const T* place, Index n, Index done,
                                        Kernel& kernel) const noexcept {
    Index& due = position(state)->due;
    const Index windows = completes(state, n);
    if (windows > 0) kernel(place + (due - reach) * state.frame_size, windows, done);
    due += windows * stride - n;
    return windows;
  }

  template <class T>
  static constexpr Index scalar_bytes = static_cast<Index>(sizeof(T));
  // When the room is used up, what is kept moves to the front. Small frames have room for many, as little is done with one,
  // short histories as much as they keep; on average three frames at most are moved for each that comes.
  template <class T>
  constexpr Index slack(Index frame_size) const noexcept {
    if (roomy_) return slack_for<T>(frame_size, keep_);
    const Index bytes = std::min<Index>(frame_size * scalar_bytes<T>, 4096);
    const Index few = std::clamp<Index>((Index{1} << 19) / (bytes * bytes), 4, max_room);
    const Index as_kept = std::min(keep_, 4096 / bytes);
    return std::max({few, as_kept, keep_ / 3, is_long<T>(frame_size) ? room_for(frame_size, scalar_bytes<T>) : 0});
  }
  template <class T>
  constexpr bool is_long(Index frame_size) const noexcept {
    return keep_ >= 2 * room_for(frame_size, scalar_bytes<T>);
  }
  template <class T>
  constexpr bool uses_scratch(Index frame_size) const noexcept {
    return !roomy_ && !is_long<T>(frame_size);
  }
  // Frames that find room there behind what was kept.
  template <class T>
  constexpr Index scratch_room(Index frame_size) const noexcept {
    return std::max(keep_, room_for(frame_size, scalar_bytes<T>));
  }

  // A chunk that is longer than the room behind what is kept.
  template <class T, class Kernel>
  EIGENSTREAM_OUTLINED Index advance_long(At state, const T* x, Index count, std::byte* scratch, Kernel& kernel,
                                          bool exact_reads) const noexcept {
    History<T> frames = history<T>(state);
    const bool aside = uses_scratch<T>(state.frame_size);
    T* const place = reinterpret_cast<T*>(scratch);
    const auto append = [&](const T* from, Index n) { return aside ? frames.copy_before(from, n, place) : frames.append(from, n); };
    Index at = 0, done = 0;
    const auto append_and_slide = [&](Index n) {
      const T* first = append(x + at * state.frame_size, n);
      done += slide(state, first, n, done, kernel);
      at += n;
      return first + n * state.frame_size;
    };
    const Index kept = keep() * state.frame_size;
    if (exact_reads && count >= 2 * keep() && (aside || keep() <= frames.max_frames())) {
      // Windows that begin in front of x need what was kept and as many new frames; the others only x itself.
      if (keep() > 0) append_and_slide(keep());
      done += slide(state, x + at * state.frame_size, count - at, done, kernel);
      frames.restart(x + count * state.frame_size - kept);
      return done;
    }
    const Index most = aside ? scratch_room<T>(state.frame_size) : frames.max_frames();
    while (at < count) {
      const T* end = append_and_slide(std::min(count - at, most));
      if (aside) frames.restart(end - kept);
    }
    return done;
  }

  // Many frames are kept in whole cache lines, so that windows of round sizes and strides begin with one.
  static constexpr Index in_lines(Index keep) noexcept { return keep < 256 ? keep : (keep + 15) / 16 * 16; }

  Index keep_ = 0;
  Index first_due_ = 1;  // before the first frame
  Index early_ = 0;      // windows complete with the first frame, beyond one
  bool roomy_ = false;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_MEMORY_SLIDING_WINDOW_HPP
