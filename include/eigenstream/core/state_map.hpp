#ifndef EIGENSTREAM_CORE_STATE_MAP_HPP
#define EIGENSTREAM_CORE_STATE_MAP_HPP

#include <cassert>  // assert
#include <cstddef>  // byte
#include <cstdint>  // int64_t
#include <cstring>  // memcpy
#include <limits>   // numeric_limits
#include <vector>   // pieces

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {
/// Copies bytes, few of them sooner than memcpy is called.
EIGENSTREAM_ALWAYS_INLINE void copy_few(const std::byte* from, Index bytes, std::byte* to) noexcept {
  constexpr Index step = 16, few = 8 * step;
  if (bytes > few) {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
    return;
  }
  for (; bytes >= step; bytes -= step, from += step, to += step) std::memcpy(to, from, static_cast<std::size_t>(step));
  for (; bytes >= 4; bytes -= 4, from += 4, to += 4) std::memcpy(to, from, 4);
  for (; bytes > 0; --bytes) *to++ = *from++;
}
}  // namespace detail

/// What a layer makes of a number that it counts: streams whose numbers are both `from` at least and differ by a multiple of
/// `period` go on alike. By default only those with equal ones do.
struct Recurrence {
  Time from = std::numeric_limits<Time>::max();
  Time period = 1;
};

/// Where in the block of a stream lies what it remembers: `exchange`, walked once and written down. By it states are packed and
/// unpacked in a few copies, and one stream is lifted out of a batch or put into one. A packed state is what Stream saves of
/// one signal, byte for byte, and behind it what follows from that.
/// The map holds for every block of one network and one shape of frames, whatever it has been given.
class StateMap {
 public:
  /// A number that counts frames; signals of a batch have it in common. Packed, it has 8 bytes.
  struct Count {
    Index place;   // in the block, in bytes
    Index packed;  // in the packed state
    bool wide;     // has 8 bytes in the block, too, not 4
    Recurrence recurrence;

    /// Whether a stream that counts `a` and one that counts `b` go on alike.
    bool alike(std::int64_t a, std::int64_t b) const noexcept {
      return a == b || (a >= recurrence.from && b >= recurrence.from && (a - b) % recurrence.period == 0);
    }
  };

  explicit StateMap(Index batch = 1) noexcept : batch_(batch) {}

  Index batch() const noexcept { return batch_; }
  /// Bytes of the packed state of one signal, and how many of these are what a Stream of one signal saves.
  Index packed_bytes() const noexcept { return saved_bytes_ + derived_bytes_; }
  Index saved_bytes() const noexcept { return saved_bytes_; }
  /// Whether each signal of a batch can be told apart from the others, and nothing but the frames that came decides how they go on
  /// together.
  bool separable() const noexcept { return separable_; }
  const std::vector<Count>& counts() const noexcept { return counts_; }

  /// A stream of batch 1, packed and unpacked.
  void lift(const std::byte* block, std::byte* packed) const noexcept {
    assert(batch_ == 1);
    for (const Piece& piece : pieces_) detail::copy_few(block + begin(piece, block), piece.bytes * piece.times, packed + piece.packed);
    for (const Count& count : counts_) set_packed(count, packed, get(count, block));
  }
  void put(const std::byte* packed, std::byte* block) const noexcept {
    assert(batch_ == 1);
    for (const Piece& piece : pieces_) {
      // What slides begins anew, at the front.
      if (piece.slides) std::memcpy(block + piece.end, &piece.keep, sizeof piece.keep);
      detail::copy_few(packed + piece.packed, piece.bytes * piece.times, block + piece.place);
    }
    for (const Count& count : counts_) set(count, block, get_packed(count, packed));
  }
  /// Signal number `entry` of a batch; its counts, which belong to all of the batch, stay as they are on both sides.
  void lift_entry(const std::byte* block, Index entry, std::byte* packed) const noexcept {
    for (const Piece& piece : pieces_) {
      const std::byte* from = block + begin(piece, block) + entry * piece.bytes;
      std::byte* to = packed + piece.packed;
      for (Index i = 0; i < piece.times; ++i, from += batch_ * piece.bytes, to += piece.bytes) detail::copy_few(from, piece.bytes, to);
    }
  }
  void put_entry(const std::byte* packed, std::byte* block, Index entry) const noexcept {
    for (const Piece& piece : pieces_) {
      std::byte* to = block + begin(piece, block) + entry * piece.bytes;
      const std::byte* from = packed + piece.packed;
      for (Index i = 0; i < piece.times; ++i, from += piece.bytes, to += batch_ * piece.bytes) detail::copy_few(from, piece.bytes, to);
    }
  }

  static std::int64_t get(const Count& count, const std::byte* block) noexcept {
    return count.wide ? load<std::int64_t>(block + count.place) : load<std::int32_t>(block + count.place);
  }
  static void set(const Count& count, std::byte* block, std::int64_t value) noexcept {
    const auto narrow = static_cast<std::int32_t>(value);
    if (count.wide)
      std::memcpy(block + count.place, &value, sizeof value);
    else
      std::memcpy(block + count.place, &narrow, sizeof narrow);
  }
  static std::int64_t get_packed(const Count& count, const std::byte* packed) noexcept {
    return load<std::int64_t>(packed + count.packed);
  }
  static void set_packed(const Count& count, std::byte* packed, std::int64_t value) noexcept {
    std::memcpy(packed + count.packed, &value, sizeof value);
  }

  // For StateCodec: what it meets, in order.

  /// `times` runs one after another, in each of which all signals of the batch have `bytes`.
  void add(Index place, Index bytes, Index times, bool derived = false) {
    add(Piece{.place = place, .bytes = bytes, .times = times}, derived);
  }
  /// The same of runs that end in front of the one whose number the block has at `end`, an Index; there is room for more.
  void add_sliding(Index place, Index bytes, Index times, Index end) {
    add(Piece{.place = place, .bytes = bytes, .times = times, .slides = true, .end = end, .keep = times}, false);
  }
  void add_count(Index place, bool wide, const Recurrence& recurrence) {
    counts_.push_back({place, saved_bytes_, wide, recurrence});
    saved_bytes_ += static_cast<Index>(sizeof(std::int64_t));
  }
  void not_separable() noexcept { separable_ = false; }
  /// After the last one.
  void finish() noexcept {
    for (Piece& piece : pieces_)
      if (piece.derived) piece.packed += saved_bytes_;
  }

 private:
  struct Piece {
    Index place = 0;   // in the block, in bytes
    Index packed = 0;  // in the packed state
    Index bytes = 0, times = 0;
    bool slides = false, derived = false;
    Index end = 0, keep = 0;
  };

  void add(Piece piece, bool derived) {
    if (piece.bytes * piece.times == 0) return;
    Index& size = derived ? derived_bytes_ : saved_bytes_;
    piece.packed = size, piece.derived = derived;
    size += piece.bytes * piece.times;
    pieces_.push_back(piece);
  }
  EIGENSTREAM_ALWAYS_INLINE Index begin(const Piece& piece, const std::byte* block) const noexcept {
    return piece.slides ? piece.place + (load<Index>(block + piece.end) - piece.keep) * batch_ * piece.bytes : piece.place;
  }
  template <class Number>
  static Number load(const std::byte* from) noexcept {
    Number value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }

  Index batch_;
  std::vector<Piece> pieces_;
  std::vector<Count> counts_;
  Index saved_bytes_ = 0, derived_bytes_ = 0;
  bool separable_ = true;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_STATE_MAP_HPP
