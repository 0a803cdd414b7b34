#ifndef EIGENSTREAM_NETWORK_SIMD_CHOICE_HPP
#define EIGENSTREAM_NETWORK_SIMD_CHOICE_HPP

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/description.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/weights.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct Module;
class Registry;

/// Bytes of the SIMD registers that networks are built for: those of the compiler's flags; in a program that links an
/// eigenstream::compiled with several (EIGENSTREAM_SIMD_CHOICE), the widest that the library has and the processor,
/// too.
EIGENSTREAM_LINKAGE Index simd_bytes();
/// Builds networks for narrower registers from now on: 16, 32 or 64 bytes. What was built stays as it is. Not while
/// another thread builds some. Errors   Error if there are none of that width, here or in the library
EIGENSTREAM_LINKAGE void set_simd_bytes(Index bytes);

namespace detail {

/// The functions that build networks, of one width. They are those of this header's types under other names, as the
/// namespace says the width, with the same members in the same places: the library is compiled from one source by one
/// compiler.
struct OtherWidth {
  Index bytes;
  Registry (*builtin_registry)();
  Module (*create)(const Registry&, const ModuleSpec&, const WeightMap&, PaddingPolicy);
};

/// The functions of another width, if that is chosen; null for our own.
#if defined(EIGENSTREAM_SIMD_CHOICE)
const OtherWidth* other_width();
#else
constexpr const OtherWidth* other_width() { return nullptr; }
#endif

}  // namespace detail

#if EIGENSTREAM_DEFINITIONS && !defined(EIGENSTREAM_SIMD_CHOICE)
EIGENSTREAM_LINKAGE Index simd_bytes() { return EIGENSTREAM_SIMD_BYTES; }
EIGENSTREAM_LINKAGE void set_simd_bytes(Index bytes) {
  check(bytes == EIGENSTREAM_SIMD_BYTES, "this program has SIMD registers of ", EIGENSTREAM_SIMD_BYTES,
        " bytes only, none of ", bytes);
}
#endif

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_SIMD_CHOICE_HPP
