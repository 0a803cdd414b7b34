#ifndef EIGENSTREAM_CONFIG_HPP
#define EIGENSTREAM_CONFIG_HPP

// Sums in another order, quotients by reciprocals and "there are no NaNs" change results from one loop to the next, and so
// from one way of cutting a signal to another.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__) || defined(_M_FP_FAST)
#if !defined(EIGENSTREAM_ALLOW_FAST_MATH)
#error "eigenstream: -ffast-math, -Ofast and their like (-funsafe-math-optimizations, -fassociative-math, \
-freciprocal-math, -ffinite-math-only, -fno-signed-zeros, /fp:fast) break the law that a streamed output is bit for bit the \
one-call output, and the handling of NaN. Build what includes eigenstream without them (-fno-fast-math behind them; \
-O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast are fine), or define EIGENSTREAM_ALLOW_FAST_MATH and do without."
#endif
#endif

#include <cstddef>      // ptrdiff_t
#include <cstdint>      // int64_t
#include <type_traits>  // conditional_t

#include "eigenstream/version.hpp"

#if defined(__cpp_exceptions)
#define EIGENSTREAM_EXCEPTIONS 1
#else
#define EIGENSTREAM_EXCEPTIONS 0
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define EIGENSTREAM_ALWAYS_INLINE __forceinline
#define EIGENSTREAM_NO_INLINE __declspec(noinline)
#define EIGENSTREAM_OUTLINED __declspec(noinline)
#define EIGENSTREAM_OUTLINED_WHOLE __declspec(noinline)
#define EIGENSTREAM_INLINE_LAMBDA
#define EIGENSTREAM_RESTRICT __restrict
#else
#define EIGENSTREAM_ALWAYS_INLINE inline __attribute__((always_inline))
#define EIGENSTREAM_NO_INLINE __attribute__((noinline, cold))
#if defined(__clang__)
#define EIGENSTREAM_OUTLINED __attribute__((noinline))
#else
#define EIGENSTREAM_OUTLINED __attribute__((noinline, noclone))  // once, not once more for each constant that is handed over
#endif
#define EIGENSTREAM_OUTLINED_WHOLE __attribute__((noinline, flatten))  // with all that it calls
#define EIGENSTREAM_INLINE_LAMBDA __attribute__((always_inline))
#define EIGENSTREAM_RESTRICT __restrict__
#endif

// Functions that are large and no templates are compiled once into eigenstream::compiled, for programs that link it (the target
// defines EIGENSTREAM_COMPILED); for others they are in the headers.
#if defined(EIGENSTREAM_COMPILING)
#define EIGENSTREAM_LINKAGE
#define EIGENSTREAM_EXTERN_TEMPLATE(name) template name
#define EIGENSTREAM_DEFINITIONS 1
#elif defined(EIGENSTREAM_COMPILED)
#define EIGENSTREAM_LINKAGE
#define EIGENSTREAM_EXTERN_TEMPLATE(name) extern template name
#define EIGENSTREAM_DEFINITIONS 0
#else
#define EIGENSTREAM_LINKAGE inline
#define EIGENSTREAM_EXTERN_TEMPLATE(name) static_assert(true)
#define EIGENSTREAM_DEFINITIONS 1
#endif

// Everything lives in an inline namespace named after the ABI version and after what changes the layout of packed
// weights (the SIMD width), so that translation units built differently cannot silently share symbols.
#define EIGENSTREAM_ABI_JOIN2(a, b) a##b
#define EIGENSTREAM_ABI_JOIN(a, b) EIGENSTREAM_ABI_JOIN2(a, b)
// The width is what Eigen will choose by the same macros; kernel/packet.hpp checks that it does.
#if defined(EIGEN_DONT_VECTORIZE)
#define EIGENSTREAM_SIMD_BYTES 0
#elif defined(__AVX512F__)
#define EIGENSTREAM_SIMD_BYTES 64
#elif defined(__AVX__)
#define EIGENSTREAM_SIMD_BYTES 32
#elif defined(__SSE2__) || defined(_M_X64) || (defined(_M_IX86_FP) && _M_IX86_FP >= 2) || defined(__ARM_NEON) || \
    defined(__ALTIVEC__) || defined(__VSX__)
#define EIGENSTREAM_SIMD_BYTES 16
#else
#define EIGENSTREAM_SIMD_BYTES 0
#endif
#define EIGENSTREAM_ABI EIGENSTREAM_ABI_JOIN(abi0_simd, EIGENSTREAM_SIMD_BYTES)

#define EIGENSTREAM_BEGIN_NAMESPACE \
  namespace eigenstream {           \
  inline namespace EIGENSTREAM_ABI {
#define EIGENSTREAM_END_NAMESPACE \
  }                               \
  }

EIGENSTREAM_BEGIN_NAMESPACE

/// Signed length or position, in frames unless the name says otherwise.
using Index = std::ptrdiff_t;  // Eigen's Index

/// A position in time or a count of frames since a signal began: 64 bits on every target, for 32 are full after twelve hours of
/// sound.
using Time = std::conditional_t<sizeof(Index) == 8, Index, std::int64_t>;

/// A size that is known at run time only.
inline constexpr Index Dynamic = -1;  // Eigen's Dynamic

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CONFIG_HPP
