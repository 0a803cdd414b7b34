#ifndef EIGENSTREAM_TESTS_SUPPORT_ALLOCATION_HPP
#define EIGENSTREAM_TESTS_SUPPORT_ALLOCATION_HPP

#include <cstdint>

namespace support {

/// Whether allocations are seen at all. With glibc malloc and all its relatives are, and through them operator new;
/// elsewhere operator new only. Under a sanitizer, which has its own malloc, nothing is, and NoAllocation counts 0.
bool allocations_are_seen() noexcept;

/// Counts what this thread asks of the heap, allocations and releases, from its construction on.
class NoAllocation {
 public:
  NoAllocation() noexcept;
  NoAllocation(const NoAllocation&) = delete;
  NoAllocation& operator=(const NoAllocation&) = delete;
  ~NoAllocation();

  std::int64_t count() const noexcept;
  /// By how much more what this thread took outweighs what it gave back; 0 where there is no glibc.
  std::int64_t bytes() const noexcept;

 private:
  std::int64_t before_, held_before_;
};

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_ALLOCATION_HPP
