#ifndef EIGENSTREAM_CORE_STATE_CODEC_HPP
#define EIGENSTREAM_CORE_STATE_CODEC_HPP

#include <cstddef>      // byte
#include <cstdint>      // int64_t
#include <cstring>      // memcpy
#include <span>         // saved bytes
#include <type_traits>  // is_trivially_copyable

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Walks through what a layer remembers, in one fixed order, to count, write or read it. A layer describes its state
/// once (`exchange`), and saving, loading and comparing cannot drift apart. Values that only speed things up, such as
/// a ring buffer's position, are not part of it: two streams that were given the same frames have the same state,
/// however the frames were cut.
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

  bool reading() const noexcept { return in_ != nullptr; }
  /// False once a number was not what it must be, or the bytes were too few. Nothing is written or read after that.
  bool good() const noexcept { return good_; }
  /// Bytes counted, written or read so far.
  std::size_t position() const noexcept { return position_; }

  /// Frames that the layer whose turn it is has taken since its signal began. A container whose layers do not all take
  /// its own input sets it before each of them, and back to what it was at the end.
  Time frames() const noexcept { return frames_; }
  void set_frames(Time frames) noexcept { frames_ = frames; }

  /// A number that follows from frames() alone, as every count of frames does: it must be `expected`.
  template <class Count>
  void count(Count& value, Time expected) {
    if (out_ != nullptr && value != expected) good_ = false;
    counter(value, expected, expected);
  }
  /// A number that depends on what the frames held; it must lie in [least, most] when read. Not for counts of frames.
  template <class Count>
  void counter(Count& value, Time least, Time most) {
    std::int64_t raw = value;
    values(&raw, 1);
    if (!reading()) return;
    good_ = good_ && raw >= least && raw <= most;
    if (good_) value = static_cast<Count>(raw);
  }
  /// `n` plain values in a row.
  template <class T>
  void values(T* data, Index n) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(n);
    if ((out_ != nullptr || in_ != nullptr) && bytes > size_ - position_) good_ = false;
    if (good_ && bytes != 0) {
      if (out_ != nullptr) std::memcpy(out_ + position_, data, bytes);
      if (in_ != nullptr) std::memcpy(data, in_ + position_, bytes);
    }
    if (good_) position_ += bytes;
  }

 private:
  StateCodec(std::byte* out, const std::byte* in, std::size_t size, Time frames)
      : out_(out), in_(in), size_(size), frames_(frames) {}

  std::byte* out_ = nullptr;
  const std::byte* in_ = nullptr;
  std::size_t size_ = 0;
  std::size_t position_ = 0;
  Time frames_ = 0;
  bool good_ = true;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_STATE_CODEC_HPP
