#ifndef EIGENSTREAM_AUDIO_FRAME_CUTTER_HPP
#define EIGENSTREAM_AUDIO_FRAME_CUTTER_HPP

#include <algorithm>    // copy_n, fill_n, max, min
#include <string_view>  // names

#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/history.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What stands before a signal and behind it, where windows reach beyond its ends: zeros, its own samples in reverse order without
/// the outermost once more, or the outermost.
enum class SignalPadding { zeros, reflect, replicate };
inline constexpr std::string_view signal_padding_names[] = {"constant", "reflect", "replicate"};

namespace detail {

/// Cuts a signal into windows that a layer transforms where they lie in the history: `size` frames every `hop`, window j from
/// j * hop - left on, up to `right` frames behind the end.
/// Timing   as a convolution of `size` taps; with reflect, nothing comes before max(left, right) + 1 frames are there, and nothing
///          of a signal that has fewer
/// Layout   frames seen, then their history
template <class T>
class FrameCutter {
 public:
  /// Errors   Error naming the layer if a size is impossible
  FrameCutter(const char* who, Index size, Index hop, Index left, Index right, SignalPadding padding)
      : size_(size), hop_(hop), left_(left), right_(right), padding_(padding) {
    constexpr Index most = Index{1} << 22;
    check(size >= 1 && size <= most, who, ": windows of ", size, " samples, must be from 1 to 2^22");
    check(hop >= 1 && hop <= most, who, ": a hop of ", hop, " samples, must be from 1 to 2^22");
    check(left >= 0 && left < size && right >= 0 && right < size, who, ": padding of ", left, " and ", right,
          " samples, must be less than a window");
    first_ = padding == SignalPadding::reflect ? std::max(left, right) : 0;
    keep_ = std::max({size - 1, left + first_, right + 1});
  }

  Index size() const noexcept { return size_; }
  Index hop() const noexcept { return hop_; }
  Timing timing() const {
    const bool reflects = padding_ == SignalPadding::reflect && first_ > 0;
    TimingStage cut{.reach = size_, .stride = hop_, .left = left_, .right = right_};
    if (!reflects) {
      cut.replicates = padding_ == SignalPadding::replicate;
      return cut;
    }
    cut.left = cut.right = 0;
    return Timing(TimingStage{.left = left_, .right = right_, .reflects = true}).then(cut);
  }
  Index max_windows(Index n) const noexcept {
    if (n == 0) return 0;
    return std::max<Index>(ceil_div(n, hop_), static_cast<Index>(whole_windows(first_ + n + left_)));  // or those that come first, at once
  }
  Index max_flush() const noexcept { return ceil_div(right_, hop_); }
  void add_to(Fingerprint& print) const noexcept {
    print.add(size_).add(hop_).add(left_).add(right_);
    if (left_ > 0 || right_ > 0) print.add(static_cast<int>(padding_));
  }

  Index state_bytes(const FrameShape& in) const noexcept { return memory_alignment + History<T>::bytes(in.size(), keep_); }
  void reset(StateRef state) const noexcept {
    seen(state) = 0;
    history(state).reset();
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(seen(state), codec.frames(), {.from = size_ + left_ + first_ + 1, .period = hop_});
    history(state).exchange(codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    History<T> frames = history(state);
    return n <= frames.max_frames() ? frames.room(n) : nullptr;
  }

  /// Takes frames and calls each(where its first frame lies, how many windows of this call came before it) for every window that
  /// is complete now. Returns how many are.
  template <class Each>
  Index advance(StateRef state, Frames<const T> x, Each&& each) const noexcept {
    History<T> frames = history(state);
    const Index frame = x.frame_size();
    Index done = 0;
    for (Index at = 0; at < x.count;) {
      const Index n = std::min(x.count - at, frames.max_frames());
      T* const place = frames.append(x.frame(at), n);
      const Time before = seen(state), after = before + n;
      if (before <= first_ && after > first_) pad_start(place - static_cast<Index>(before) * frame, frame);
      seen(state) = after;
      done += windows(windows_after(before), windows_after(after), place, before, frame, done, each);
      at += n;
    }
    return done;
  }
  /// The same at the end of the signal, for the windows that reach beyond it; then resets.
  template <class Each>
  Index flush(StateRef state, Each&& each) const noexcept {
    const Time n = seen(state), before = windows_after(n), after = n > first_ ? whole_windows(n + left_ + right_) : 0;
    Index done = 0;
    if (after > before) {
      History<T> frames = history(state);
      const Index frame = state.shape.size();
      T* place = frames.room(right_);
      frames.take(right_);
      const T* last = place - frame;
      for (Index i = 0; i < right_; ++i) {
        if (padding_ == SignalPadding::zeros)
          std::fill_n(place + i * frame, frame, T(0));
        else
          std::copy_n(padding_ == SignalPadding::reflect ? last - (i + 1) * frame : last, frame, place + i * frame);
      }
      done = windows(before, after, place, n, frame, 0, each);
    }
    reset(state);
    return done;
  }

 private:
  static Time& seen(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  History<T> history(StateRef state) const noexcept { return History<T>(state.data + memory_alignment, state.shape.size(), keep_); }
  Time whole_windows(Time n) const noexcept { return n < size_ ? 0 : (n - size_) / hop_ + 1; }
  Time windows_after(Time n) const noexcept { return n > first_ ? whole_windows(n + left_) : 0; }
  // What lies before the signal, whose first frame is at `start`. (Zeros are there already.)
  void pad_start(T* start, Index frame) const noexcept {
    if (padding_ == SignalPadding::zeros) return;
    for (Index i = 1; i <= left_; ++i)
      std::copy_n(padding_ == SignalPadding::reflect ? start + i * frame : start, frame, start - i * frame);
  }
  // Windows first ... end - 1; frame `number` lies at `place`.
  template <class Each>
  Index windows(Time first, Time end, const T* place, Time number, Index frame, Index done, Each& each) const noexcept {
    for (Time j = first; j < end; ++j)
      each(place + static_cast<Index>(j * hop_ - left_ - number) * frame, done + static_cast<Index>(j - first));
    return static_cast<Index>(end - first);
  }

  Index size_, hop_, left_, right_;
  SignalPadding padding_;
  Index first_ = 0;  // frames before the one with which outputs begin
  Index keep_ = 0;
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_FRAME_CUTTER_HPP
