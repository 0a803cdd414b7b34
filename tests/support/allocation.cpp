#include "support/allocation.hpp"

#include <cerrno>
#include <cstdlib>
#include <new>
#if defined(__GLIBC__)
#include <malloc.h>  // malloc_usable_size
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EIGENSTREAM_TESTS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define EIGENSTREAM_TESTS_SANITIZED 1
#endif
#endif
#if !defined(EIGENSTREAM_TESTS_SANITIZED)
#define EIGENSTREAM_TESTS_SANITIZED 0
#endif

namespace {

thread_local int watchers = 0;
thread_local std::int64_t seen = 0, held = 0;

#if !EIGENSTREAM_TESTS_SANITIZED
void notice() noexcept {
  if (watchers > 0) ++seen;
}
#if defined(__GLIBC__)
void* noticed(void* block) noexcept {
  notice();
  if (watchers > 0) held += static_cast<std::int64_t>(malloc_usable_size(block));
  return block;
}
void release(void* block) noexcept {
  if (watchers > 0) held -= static_cast<std::int64_t>(malloc_usable_size(block));
}
#endif
#endif

}  // namespace

namespace support {

bool allocations_are_seen() noexcept { return !EIGENSTREAM_TESTS_SANITIZED; }

NoAllocation::NoAllocation() noexcept : before_(seen), held_before_(held) { ++watchers; }
NoAllocation::~NoAllocation() { --watchers; }
std::int64_t NoAllocation::count() const noexcept { return seen - before_; }
std::int64_t NoAllocation::bytes() const noexcept { return held - held_before_; }

}  // namespace support

#if EIGENSTREAM_TESTS_SANITIZED
// Nothing is replaced.
#elif defined(__GLIBC__)

// The names that a program sees first are its own; glibc's implementations stay reachable under these.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the names that glibc gives them
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

void* malloc(std::size_t size) noexcept { return noticed(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) noexcept { return noticed(__libc_calloc(count, size)); }
void* realloc(void* block, std::size_t size) noexcept {
  release(block);
  return noticed(__libc_realloc(block, size));
}
void* memalign(std::size_t alignment, std::size_t size) noexcept { return noticed(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return noticed(__libc_memalign(alignment, size));
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
  if (alignment % sizeof(void*) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  void* const fresh = noticed(__libc_memalign(alignment, size));
  if (fresh == nullptr) return ENOMEM;
  *block = fresh;
  return 0;
}
void free(void* block) noexcept {
  if (block != nullptr) notice();
  release(block);
  __libc_free(block);
}
}

#else

void* operator new(std::size_t size) {
  notice();
  if (void* const block = std::malloc(size == 0 ? 1 : size)) return block;
#if defined(__cpp_exceptions)
  throw std::bad_alloc();
#else
  std::abort();
#endif
}
void operator delete(void* block) noexcept {
  if (block != nullptr) notice();
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

#endif
