#ifndef EIGENSTREAM_CORE_STATE_CODEC_HPP
#define EIGENSTREAM_CORE_STATE_CODEC_HPP

#include <cstddef>      // byte
#include <cstdint>      // int64_t
#include <cstring>      // memcpy
#include <limits>       // any count
#include <span>         // saved bytes
#include <type_traits>  // is_trivially_copyable

#include "eigenstream/config.hpp"
#include "eigenstream/core/state_map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Walks through what a layer remembers, in one fixed order, to count, write or read it, or to note where it lies. A layer
/// describes its state once (`exchange`), and saving, loading, comparing, and taking batches apart cannot differ. Values that
/// only speed things up, such as a ring buffer's position, are not part of it: two streams that were given the same frames
/// have the same state, however the frames were cut.
///
/// Saved bytes may come from anywhere, and a wrong count of frames lets a layer write more than its caller made room
/// for. So each count is compared with what it must be after `frames()` frames; a container tells the codec how many
/// frames each of its layers has taken.
class StateCodec {
 public:
  /// Counts bytes only.
  StateCodec() = default;
  /// Writes to, or reads from, the saved state of a layer that has taken `frames` frames of its signal.
  static StateCodec writer(std::span<std::byte> out, Time frames) {
    return StateCodec(out.data(), nullptr, out.size(), frames);
  }
  static StateCodec reader(std::span<const std::byte> in, Time frames) {
    return StateCodec(nullptr, in.data(), in.size(), frames);
  }

  /// Puts what one signal remembers, as it was saved, into a block, for each of its `signals`. The bytes are the caller's own:
  /// counts are taken as they are.
  static StateCodec spreader(std::span<const std::byte> in, Index signals) {
    StateCodec codec = reader(in, 0);
    codec.signals_ = signals;
    return codec;
  }

  /// Notes where everything lies in a block for `map.batch()` signals.
  static StateCodec mapper(StateMap& map, const std::byte* block) {
    StateCodec codec;
    codec.map_ = &map, codec.block_ = block;
    return codec;
  }

  bool reading() const noexcept { return in_ != nullptr; }
  /// False once a number was not what it must be, or the bytes were too few. Nothing is written or read after that.
  bool good() const noexcept { return good_; }
  /// Bytes counted, written or read so far.
  std::size_t position() const noexcept { return position_; }

  /// Frames that the layer whose turn it is has taken since its signal began. A container whose layers do not all take
  /// its own input sets it before each of them, and back to what it was at the end.
  Time frames() const noexcept { return frames_; }
  void set_frames(Time frames) noexcept { frames_ = frames; }
  /// Whether anything is compared with frames(). A container need not set it otherwise, and must not allocate then: a block may
  /// be filled while a stream runs.
  bool compares_frames() const noexcept { return map_ == nullptr && signals_ == 0; }

  /// A number that follows from frames() alone, as every count of frames does: it must be `expected`. `recurrence`: which other
  /// numbers mean the same for all frames to come, so that signals that began at different times can be in one batch.
  template <class Count>
  void count(Count& value, Time expected, const Recurrence& recurrence = {}) {
    if (out_ != nullptr && value != expected) good_ = false;
    if (map_ != nullptr)
      map_->add_count(place_of(&value), sizeof value == sizeof(std::int64_t), recurrence);
    else if (signals_ != 0)
      exchange_number(value, std::numeric_limits<Time>::min(), std::numeric_limits<Time>::max());
    else
      exchange_number(value, expected, expected);
  }
  /// A number that depends on what the frames held; it must lie in [least, most] when read. Not for counts of frames. Signals
  /// that may have different ones cannot be in one batch.
  template <class Count>
  void counter(Count& value, Time least, Time most) {
    if (map_ != nullptr) {
      map_->add_count(place_of(&value), sizeof value == sizeof(std::int64_t), {});
      map_->not_separable();
    } else {
      exchange_number(value, least, most);
    }
  }
  /// `n` plain values in a row; in a batch, those of one signal after those of another, as a frame has them.
  template <class T>
  void values(T* data, Index n) {
    frames(data, 1, n);
  }
  /// `n` frames of `size` plain values in a row; in each, those of one signal of the batch after those of another.
  template <class T>
  void frames(T* data, Index n, Index size) {
    if (map_ != nullptr)
      map_->add(place_of(data), bytes_of_one<T>(size), n);
    else
      exchange_frames(data, n, size);
  }
  /// The same for the last `n` of the frames that lie in a row from `data` on, of which there are `end`.
  template <class T>
  void last_frames(T* data, const Index& end, Index n, Index size) {
    if (map_ != nullptr) return map_->add_sliding(place_of(data), bytes_of_one<T>(size), n, place_of(&end));
    exchange_frames(data + (end - n) * size, n, size);
  }
  /// `n` values, as `values`, that follow from those before: not saved, but worked out anew when these have been read.
  template <class T>
  void derived(T* data, Index n) {
    if (map_ != nullptr) map_->add(place_of(data), bytes_of_one<T>(n), 1, true);
  }

 private:
  StateCodec(std::byte* out, const std::byte* in, std::size_t size, Time frames)
      : out_(out), in_(in), size_(size), frames_(frames) {}

  template <class Count>
  void exchange_number(Count& value, Time least, Time most) {
    std::int64_t raw = value;
    exchange_values(&raw, 1);
    if (!reading()) return;
    good_ = good_ && raw >= least && raw <= most;
    if (good_) value = static_cast<Count>(raw);
  }
  template <class T>
  void exchange_frames(T* data, Index n, Index size) {
    if (signals_ <= 1) return exchange_values(data, n * size);
    const Index one = size / signals_;
    for (Index i = 0; i < n; ++i) {
      const std::size_t before = position_;
      for (Index signal = 0; signal < signals_; ++signal, data += one) {
        position_ = before;
        exchange_values(data, one);
      }
    }
  }
  template <class T>
  void exchange_values(T* data, Index n) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(n);
    if ((out_ != nullptr || in_ != nullptr) && bytes > size_ - position_) good_ = false;
    if (good_ && bytes != 0) {
      if (out_ != nullptr) std::memcpy(out_ + position_, data, bytes);
      if (in_ != nullptr) std::memcpy(data, in_ + position_, bytes);
    }
    if (good_) position_ += bytes;
  }
  Index place_of(const void* data) const noexcept { return static_cast<const std::byte*>(data) - block_; }
  // What each signal of the batch has of `n` values.
  template <class T>
  Index bytes_of_one(Index n) noexcept {
    if (n % map_->batch() != 0) map_->not_separable();
    return n / map_->batch() * static_cast<Index>(sizeof(T));
  }

  std::byte* out_ = nullptr;
  const std::byte* in_ = nullptr;
  StateMap* map_ = nullptr;
  const std::byte* block_ = nullptr;
  std::size_t size_ = 0;
  std::size_t position_ = 0;
  Time frames_ = 0;
  Index signals_ = 0;  // for each of which the bytes are read; 0: they are those of the whole batch
  bool good_ = true;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_STATE_CODEC_HPP
