#ifndef EIGENSTREAM_EXAMPLES_COUNT_ALLOCATIONS_HPP
#define EIGENSTREAM_EXAMPLES_COUNT_ALLOCATIONS_HPP

// Replaces the program's operator new by one that counts. Include it in one file of a program.
#include <cstdlib>
#include <new>

// NOLINTBEGIN(misc-definitions-in-headers): a replacement may not be inline.
inline long allocations = 0;

inline void* counted(void* memory) {
  ++allocations;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* operator new(std::size_t bytes) { return counted(std::malloc(bytes)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto a = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(a, (bytes + a - 1) / a * a));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

// NOLINTEND(misc-definitions-in-headers)

#endif  // EIGENSTREAM_EXAMPLES_COUNT_ALLOCATIONS_HPP
