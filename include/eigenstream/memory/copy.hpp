#ifndef EIGENSTREAM_MEMORY_COPY_HPP
#define EIGENSTREAM_MEMORY_COPY_HPP

#include <cstring>  // memcpy, memmove

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

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

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_MEMORY_COPY_HPP
