#ifndef EIGENSTREAM_CORE_FINGERPRINT_HPP
#define EIGENSTREAM_CORE_FINGERPRINT_HPP

#include <cstdint>      // uint64_t
#include <span>         // weights
#include <string_view>  // names
#include <type_traits>  // is_arithmetic

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

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

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_FINGERPRINT_HPP
