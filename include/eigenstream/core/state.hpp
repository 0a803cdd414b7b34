#ifndef EIGENSTREAM_CORE_STATE_HPP
#define EIGENSTREAM_CORE_STATE_HPP

#include <algorithm>    // equal
#include <bit>          // bit_cast
#include <cstddef>      // byte
#include <cstdint>      // uint64_t
#include <cstring>      // memcpy, memset
#include <new>          // aligned operator new
#include <span>         // span
#include <string_view>  // names in fingerprints
#include <type_traits>  // is_trivially_copyable
#include <utility>      // swap
#include <vector>       // saved bytes

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/frames.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Alignment of every part of a stream's memory, in bytes: a cache line, and the widest SIMD register.
inline constexpr Index memory_alignment = 64;

/// `bytes` rounded up to the alignment.
constexpr Index aligned_bytes(Index bytes) noexcept {
  return (bytes + memory_alignment - 1) / memory_alignment * memory_alignment;
}

/// The memory of one stream or of one layer within it: a piece of a flat block whose size and layout the layer knows
/// from the frame shape alone. Holds no pointers into itself, so a copy of the bytes is a copy of the stream. Scratch
/// memory goes with it, for numbers that are forgotten when a call returns; layers that work in turn share it.
struct StateRef {
  std::byte* data = nullptr;
  FrameShape shape;              ///< of the layer's input frames
  std::byte* scratch = nullptr;  ///< may be null for layers that want none
};

/// Owns the block of one stream and its scratch memory. Copying copies the bytes of the block, not the scratch; assigning
/// one of equal size allocates nothing.
class StateBlock {
 public:
  StateBlock() = default;
  StateBlock(Index bytes, FrameShape shape, Index scratch_bytes = 0)
      : bytes_(aligned_bytes(bytes)), scratch_bytes_(aligned_bytes(scratch_bytes)), shape_(shape) {
    if (this->bytes() == 0) return;
    data_ = static_cast<std::byte*>(::operator new(static_cast<std::size_t>(this->bytes()), alignment));
    std::memset(data_, 0, static_cast<std::size_t>(this->bytes()));
  }
  StateBlock(const StateBlock& other) : StateBlock(other.bytes_, other.shape_, other.scratch_bytes_) { copy(other); }
  StateBlock(StateBlock&& other) noexcept { swap(other); }
  StateBlock& operator=(const StateBlock& other) {
    if (this == &other) return *this;
    if (bytes_ == other.bytes_ && scratch_bytes_ == other.scratch_bytes_) {
      shape_ = other.shape_;
      copy(other);
    } else {
      StateBlock fresh(other);
      swap(fresh);
    }
    return *this;
  }
  StateBlock& operator=(StateBlock&& other) noexcept {
    swap(other);
    return *this;
  }
  ~StateBlock() {
    if (data_ != nullptr) ::operator delete(data_, alignment);
  }

  StateRef ref() const noexcept { return {data_, shape_, data_ + bytes_}; }
  /// All that is occupied, scratch included.
  Index bytes() const noexcept { return bytes_ + scratch_bytes_; }

 private:
  static constexpr std::align_val_t alignment{static_cast<std::size_t>(memory_alignment)};
  void copy(const StateBlock& other) noexcept {
    if (bytes_ != 0) std::memcpy(data_, other.data_, static_cast<std::size_t>(bytes_));
  }
  void swap(StateBlock& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(scratch_bytes_, other.scratch_bytes_);
    std::swap(shape_, other.shape_);
  }

  std::byte* data_ = nullptr;
  Index bytes_ = 0, scratch_bytes_ = 0;
  FrameShape shape_;
};

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
  static StateCodec writer(std::span<std::byte> out, Index frames) {
    return StateCodec(out.data(), nullptr, out.size(), frames);
  }
  static StateCodec reader(std::span<const std::byte> in, Index frames) {
    return StateCodec(nullptr, in.data(), in.size(), frames);
  }

  bool reading() const noexcept { return in_ != nullptr; }
  /// False once a number was not what it must be, or the bytes were too few. Nothing is written or read after that.
  bool good() const noexcept { return good_; }
  /// Bytes counted, written or read so far.
  std::size_t position() const noexcept { return position_; }

  /// Frames that the layer whose turn it is has taken since its signal began. A container whose layers do not all take
  /// its own input sets it before each of them, and back to what it was at the end.
  Index frames() const noexcept { return frames_; }
  void set_frames(Index frames) noexcept { frames_ = frames; }

  /// A number that follows from frames() alone, as every count of frames does: it must be `expected`.
  void count(Index& value, Index expected) {
    if (out_ != nullptr && value != expected) good_ = false;
    counter(value, expected, expected);
  }
  /// A number that depends on what the frames held; it must lie in [least, most] when read. Not for counts of frames.
  void counter(Index& value, Index least, Index most) {
    std::int64_t raw = value;
    values(&raw, 1);
    if (!reading()) return;
    good_ = good_ && raw >= least && raw <= most;
    if (good_) value = static_cast<Index>(raw);
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
  StateCodec(std::byte* out, const std::byte* in, std::size_t size, Index frames)
      : out_(out), in_(in), size_(size), frames_(frames) {}

  std::byte* out_ = nullptr;
  const std::byte* in_ = nullptr;
  std::size_t size_ = 0;
  std::size_t position_ = 0;
  Index frames_ = 0;
  bool good_ = true;
};

/// A 64-bit FNV-1a digest of what a network computes: layer names, sizes, options, weights. Two networks with the same
/// fingerprint may exchange states; static or run-time sizes and the SIMD width make no difference.
class Fingerprint {
 public:
  explicit Fingerprint(std::string_view name) { bytes(name.data(), name.size()); }

  template <class T>
    requires std::is_arithmetic_v<T>
  Fingerprint& add(T value) {
    if constexpr (std::is_integral_v<T>) {
      const std::int64_t wide = static_cast<std::int64_t>(value);
      bytes(&wide, sizeof wide);
    } else {
      bytes(&value, sizeof value);
    }
    return *this;
  }
  Fingerprint& add(std::uint64_t value) {
    bytes(&value, sizeof value);
    return *this;
  }
  template <class T>
  Fingerprint& add(std::span<const T> values) {
    add(static_cast<Index>(values.size()));
    bytes(values.data(), values.size_bytes());
    return *this;
  }
  operator std::uint64_t() const noexcept { return hash_; }

  void bytes(const void* data, std::size_t n) noexcept {
    const unsigned char* p = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < n; ++i) hash_ = (hash_ ^ p[i]) * 0x100000001b3u;
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

/// All that one stream remembers, as a value: copy it, compare it, send its bytes elsewhere. Two streams of the same
/// network that were given the same frames have equal states, however the frames were cut into chunks.
/// Bytes    magic, version, fingerprint, shape, frames seen, payload length, digest; then the payload, in the byte
///          order of the machine (another order is refused as damaged).
class State {
 public:
  State() = default;

  /// Takes bytes that were saved.
  /// Errors   Error if they are truncated, damaged or of another version.
  static State from_bytes(std::span<const std::byte> bytes) {
    Header header;
    check(bytes.size() >= sizeof header, "state: ", bytes.size(), " bytes are too few for a saved state");
    std::memcpy(&header, bytes.data(), sizeof header);
    check(header.magic == magic, "state: these bytes are not a saved state");
    check(header.version == version, "state: saved as version ", header.version, ", this is version ", version);
    check(header.payload == bytes.size() - sizeof header, "state: ", bytes.size() - sizeof header,
          " payload bytes where the header says ", header.payload);
    State state;
    state.bytes_.assign(bytes.begin(), bytes.end());
    check(state.digest() == header.digest, "state: the bytes are damaged (their digest differs)");
    return state;
  }

  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  bool empty() const noexcept { return bytes_.empty(); }
  friend bool operator==(const State&, const State&) = default;

  // For whoever saves and restores a stream.

  std::uint64_t fingerprint() const { return header().fingerprint; }
  FrameShape shape() const { return {header().channels, header().batch}; }
  Index frames_seen() const { return header().frames_seen; }
  std::span<const std::byte> payload() const { return bytes().subspan(empty() ? 0 : sizeof(Header)); }

  /// Lays out a state with a payload of `size` bytes and lets `write` fill it.
  template <class Write>
  void assign(std::uint64_t fingerprint, FrameShape shape, Index frames_seen, std::size_t size, Write&& write) {
    bytes_.assign(sizeof(Header) + size, std::byte{});
    write(std::span(bytes_).subspan(sizeof(Header)));
    Header header{magic, version, fingerprint, shape.channels, shape.batch, frames_seen, size, 0};
    std::memcpy(bytes_.data(), &header, sizeof header);
    header.digest = digest();
    std::memcpy(bytes_.data(), &header, sizeof header);
  }

 private:
  struct Header {
    std::uint32_t magic;
    std::uint32_t version;
    std::uint64_t fingerprint;
    std::int64_t channels, batch, frames_seen;
    std::uint64_t payload;
    std::uint64_t digest;  // of all bytes, itself taken as 0
  };
  static constexpr std::uint32_t magic = 0x54535345;  // "ESST"
  static constexpr std::uint32_t version = 1;

  Header header() const {
    check(!empty(), "state: this state is empty");
    Header header;
    std::memcpy(&header, bytes_.data(), sizeof header);
    return header;
  }
  std::uint64_t digest() const {
    Header header = this->header();
    header.digest = 0;
    Fingerprint all("state");
    all.bytes(&header, sizeof header);
    all.add(payload());
    return all;
  }

  std::vector<std::byte> bytes_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_STATE_HPP
