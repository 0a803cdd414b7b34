#ifndef EIGENSTREAM_CORE_STATE_BLOCK_HPP
#define EIGENSTREAM_CORE_STATE_BLOCK_HPP

#include <cstddef>  // byte
#include <cstring>  // memcpy, memset
#include <new>      // aligned operator new
#include <utility>  // swap

#include "eigenstream/core/frame_shape.hpp"

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
  static constexpr FrameLayout no_shape{};

  /// For layers that remember nothing and ask for no shape.
  StateRef() noexcept : StateRef(nullptr, no_shape) {}
  /// The shape stays where it is: three words are handed on from layer to layer, with every frame.
  EIGENSTREAM_ALWAYS_INLINE StateRef(std::byte* data_, const FrameLayout& shape_, std::byte* scratch_ = nullptr) noexcept
      : data(data_), shape(shape_), scratch(scratch_) {}
  StateRef(std::byte* data_, const FrameLayout&& shape_, std::byte* scratch_ = nullptr) = delete;

  std::byte* data;
  const FrameLayout& shape;  ///< of the layer's input frames
  std::byte* scratch;        ///< may be null for layers that want none
};

/// Owns the block of one stream and its scratch memory. Copying copies the bytes of the block, not the scratch; assigning
/// one of equal size allocates nothing.
class StateBlock {
 public:
  StateBlock() = default;
  StateBlock(Index bytes, const FrameShape& shape, Index scratch_bytes = 0)
      : bytes_(aligned_bytes(bytes)), scratch_bytes_(aligned_bytes(scratch_bytes)), shape_(shape) {
    if (this->bytes() == 0) return;
    data_ = static_cast<std::byte*>(::operator new(static_cast<std::size_t>(this->bytes()), alignment));
    std::memset(data_, 0, static_cast<std::size_t>(this->bytes()));
    scratch_ = data_ + bytes_;
  }
  /// With scratch memory that belongs to somebody else.
  StateBlock(Index bytes, const FrameShape& shape, std::byte* scratch) : StateBlock(bytes, shape) {
    scratch_ = scratch, shares_scratch_ = true;
  }
  StateBlock(const StateBlock& other) : StateBlock(other.bytes_, other.shape_, other.scratch_bytes_) {
    if (other.shares_scratch_) scratch_ = other.scratch_, shares_scratch_ = true;
    copy(other);
  }
  StateBlock(StateBlock&& other) noexcept { swap(other); }
  StateBlock& operator=(const StateBlock& other) {
    if (this == &other) return *this;
    if (bytes_ == other.bytes_ && scratch_bytes_ == other.scratch_bytes_ && shares_scratch_ == other.shares_scratch_) {
      shape_ = other.shape_;
      if (shares_scratch_) scratch_ = other.scratch_;
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

  StateRef ref() const noexcept { return {data_, shape_, scratch_}; }
  /// All that is occupied, scratch included.
  Index bytes() const noexcept { return bytes_ + scratch_bytes_; }

 private:
  static constexpr std::align_val_t alignment{static_cast<std::size_t>(memory_alignment)};
  void copy(const StateBlock& other) noexcept {
    if (bytes_ != 0) std::memcpy(data_, other.data_, static_cast<std::size_t>(bytes_));
  }
  void swap(StateBlock& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(scratch_, other.scratch_);
    std::swap(shares_scratch_, other.shares_scratch_);
    std::swap(bytes_, other.bytes_);
    std::swap(scratch_bytes_, other.scratch_bytes_);
    std::swap(shape_, other.shape_);
  }

  std::byte* data_ = nullptr;
  std::byte* scratch_ = nullptr;  // behind the block, unless it is shared
  bool shares_scratch_ = false;
  Index bytes_ = 0, scratch_bytes_ = 0;
  FrameLayout shape_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_STATE_BLOCK_HPP
