#ifndef EIGENSTREAM_CORE_STATE_HPP
#define EIGENSTREAM_CORE_STATE_HPP

#include <algorithm>  // min
#include <cstddef>  // byte
#include <cstdint>  // uint64_t
#include <cstring>  // memcpy
#include <limits>   // numeric_limits
#include <span>     // saved bytes
#include <vector>   // owned bytes

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/fingerprint.hpp"
#include "eigenstream/core/frame_shape.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

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
  FrameShape shape() const {
    const Header all = header();
    return {all.channels, beyond_one(all.more_width), beyond_one(all.more_height), all.batch};
  }
  Time frames_seen() const { return header().frames_seen; }
  std::span<const std::byte> payload() const { return bytes().subspan(empty() ? 0 : sizeof(Header)); }

  /// Lays out a state with a payload of `size` bytes and lets `write` fill it.
  template <class Write>
  void assign(std::uint64_t fingerprint, FrameShape shape, Time frames_seen, std::size_t size, Write&& write) {
    bytes_.assign(sizeof(Header) + size, std::byte{});
    write(std::span(bytes_).subspan(sizeof(Header)));
    const auto extent = [](Index n) { return static_cast<std::int32_t>(n); };
    Header header{.magic = magic,
                  .version = version,
                  .fingerprint = fingerprint,
                  .channels = extent(shape.channels),
                  .more_width = extent(shape.width - 1),
                  .batch = extent(shape.batch),
                  .more_height = extent(shape.height - 1),
                  .frames_seen = frames_seen,
                  .payload = size,
                  .digest = 0};
    std::memcpy(bytes_.data(), &header, sizeof header);
    header.digest = digest();
    std::memcpy(bytes_.data(), &header, sizeof header);
  }

 private:
  struct Header {
    std::uint32_t magic;
    std::uint32_t version;
    std::uint64_t fingerprint;
    std::int32_t channels, more_width;  // beyond 1: states of before there were space axes have 0 there
    std::int32_t batch, more_height;
    std::int64_t frames_seen;
    std::uint64_t payload;
    std::uint64_t digest;  // of all bytes, itself taken as 0
  };
  static constexpr std::uint32_t magic = 0x54535345;  // "ESST"
  static constexpr std::uint32_t version = 1;

  static Index beyond_one(std::int32_t more) noexcept {
    return Index{std::min(more, std::numeric_limits<std::int32_t>::max() - 1)} + 1;
  }
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
