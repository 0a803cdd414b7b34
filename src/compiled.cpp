// What eigenstream::compiled holds: the functions of the headers that are no templates and large, with every layer that
// they build, compiled once. Programs that link it see their declarations only.

#include "eigenstream/network/load_model.hpp"

#if defined(EIGENSTREAM_SIMD_CHOICE)

#include <atomic>  // the choice

namespace es = eigenstream;

// Of src/other_width.cpp, compiled for each.
extern "C" {
extern const es::detail::OtherWidth eigenstream_width_32, eigenstream_width_64;
}

namespace {

// The widest that the processor has; our own, which is null, if it has no wider ones.
const es::detail::OtherWidth* width_of_processor() {
  const bool has_32 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool has_64 = has_32 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  return has_64 ? &eigenstream_width_64 : has_32 ? &eigenstream_width_32 : nullptr;
}

std::atomic<const es::detail::OtherWidth*>& chosen_width() {
  static std::atomic<const es::detail::OtherWidth*> chosen = width_of_processor();
  return chosen;
}

es::Index bytes_of(const es::detail::OtherWidth* width) {
  return width == nullptr ? EIGENSTREAM_SIMD_BYTES : width->bytes;
}

}  // namespace

EIGENSTREAM_BEGIN_NAMESPACE

const detail::OtherWidth* detail::other_width() { return chosen_width(); }

Index simd_bytes() { return bytes_of(chosen_width()); }

void set_simd_bytes(Index bytes) {
  const Index most = bytes_of(width_of_processor());
  for (const detail::OtherWidth* const each :
       {static_cast<const detail::OtherWidth*>(nullptr), &eigenstream_width_32, &eigenstream_width_64}) {
    if (bytes_of(each) != bytes || bytes > most) continue;
    chosen_width() = each;
    return;
  }
  fail("there are SIMD registers of ", EIGENSTREAM_SIMD_BYTES, " to ", most, " bytes here, none of ", bytes);
}

EIGENSTREAM_END_NAMESPACE

#endif
