#ifndef EIGENSTREAM_KERNEL_PACKET_HPP
#define EIGENSTREAM_KERNEL_PACKET_HPP

#include <Eigen/Core>  // packet types and primitives
#include <cmath>        // sqrt of a lane
#include <cstdint>      // int32_t
#include <cstring>      // memcpy
#include <type_traits>  // is_same
#include <utility>      // index_sequence

#include "eigenstream/config.hpp"

// The library's only door to SIMD: Eigen's packets, which map to SSE, AVX, AVX-512, NEON and others, or to plain
// scalars where there is none. A packet of N lanes performs the same operation on N independent numbers.

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // vector types as template arguments lose nothing that matters
#endif

EIGENSTREAM_BEGIN_NAMESPACE

namespace simd {

namespace ei = Eigen::internal;

namespace detail {
template <class P>
inline constexpr int size = static_cast<int>(ei::unpacket_traits<P>::size);

// The native packet of T with N lanes, found by halving the widest.
template <class P, int N, bool found = (size<P> <= N)>
struct Narrow {
  using type = P;
};
template <class P, int N>
struct Narrow<P, N, false> : Narrow<typename ei::unpacket_traits<P>::half, N> {};
template <class P>
constexpr int narrowest() {
  using Half = typename ei::unpacket_traits<P>::half;
  if constexpr (size<Half> == size<P> || size<Half> * sizeof(typename ei::unpacket_traits<P>::type) < 16)
    return size<P>;
  else
    return narrowest<Half>();
}

// The first n lanes of a register, from memory and to it, by masks: overloads for the registers of machines that have them.
// These two, for machines with none, fit no call; deleted ones clang 14 would not let anybody ask for.
void load_masked();
void store_masked();
#if defined(__AVX512F__)
// Half a register by half a register's instruction: what was just stored so is not forwarded to a wider load.
EIGENSTREAM_ALWAYS_INLINE __m512 load_masked(const float* from, Index n, const __m512*) noexcept {
  if (n == 8) return _mm512_zextps256_ps512(_mm256_loadu_ps(from));
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), from);
}
EIGENSTREAM_ALWAYS_INLINE void store_masked(float* to, Index n, __m512 x) noexcept {
  if (n == 8) return _mm256_storeu_ps(to, _mm512_castps512_ps256(x));
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << n) - 1), x);
}
EIGENSTREAM_ALWAYS_INLINE __m512d load_masked(const double* from, Index n, const __m512d*) noexcept {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), from);
}
EIGENSTREAM_ALWAYS_INLINE void store_masked(double* to, Index n, __m512d x) noexcept {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << n) - 1), x);
}
#endif
#if defined(__AVX__)
// A window on this that begins 8 - n words in is a mask of n words.
alignas(64) inline constexpr std::int32_t mask_words[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
EIGENSTREAM_ALWAYS_INLINE const std::int32_t* mask_of(Index words) noexcept { return mask_words + 8 - words; }
EIGENSTREAM_ALWAYS_INLINE __m256i wide_mask(Index words) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask_of(words)));
}
EIGENSTREAM_ALWAYS_INLINE __m128i narrow_mask(Index words) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(mask_of(words)));
}
EIGENSTREAM_ALWAYS_INLINE __m256 load_masked(const float* from, Index n, const __m256*) noexcept {
  if (n == 4) return _mm256_zextps128_ps256(_mm_loadu_ps(from));
  return _mm256_maskload_ps(from, wide_mask(n));
}
EIGENSTREAM_ALWAYS_INLINE void store_masked(float* to, Index n, __m256 x) noexcept {
  if (n == 4) return _mm_storeu_ps(to, _mm256_castps256_ps128(x));
  _mm256_maskstore_ps(to, wide_mask(n), x);
}
EIGENSTREAM_ALWAYS_INLINE __m128 load_masked(const float* from, Index n, const __m128*) noexcept {
  return _mm_maskload_ps(from, narrow_mask(n));
}
EIGENSTREAM_ALWAYS_INLINE void store_masked(float* to, Index n, __m128 x) noexcept { _mm_maskstore_ps(to, narrow_mask(n), x); }
EIGENSTREAM_ALWAYS_INLINE __m256d load_masked(const double* from, Index n, const __m256d*) noexcept {
  return _mm256_maskload_pd(from, wide_mask(2 * n));
}
EIGENSTREAM_ALWAYS_INLINE void store_masked(double* to, Index n, __m256d x) noexcept { _mm256_maskstore_pd(to, wide_mask(2 * n), x); }
EIGENSTREAM_ALWAYS_INLINE __m128d load_masked(const double* from, Index n, const __m128d*) noexcept {
  return _mm_maskload_pd(from, narrow_mask(2 * n));
}
EIGENSTREAM_ALWAYS_INLINE void store_masked(double* to, Index n, __m128d x) noexcept { _mm_maskstore_pd(to, narrow_mask(2 * n), x); }
#endif

// x times 2 to the power of k, or of -k, where k is what the last bits of n say: they are shifted to the exponent.
template <class Native>
  requires(std::is_same_v<typename ei::unpacket_traits<Native>::type, float> && size<Native> > 1)
EIGENSTREAM_ALWAYS_INLINE Native raised(Native x, Native n) noexcept {
  using Bits = typename ei::unpacket_traits<Native>::integer_packet;
  return ei::preinterpret<Native>(
      ei::padd(ei::preinterpret<Bits>(x), ei::plogical_shift_left<23>(ei::preinterpret<Bits>(n))));
}
template <class Native>
  requires(std::is_same_v<typename ei::unpacket_traits<Native>::type, float> && size<Native> > 1)
EIGENSTREAM_ALWAYS_INLINE Native lowered(Native x, Native n) noexcept {
  using Bits = typename ei::unpacket_traits<Native>::integer_packet;
  return ei::preinterpret<Native>(
      ei::psub(ei::preinterpret<Bits>(x), ei::plogical_shift_left<23>(ei::preinterpret<Bits>(n))));
}
#if defined(EIGEN_VECTORIZE_AVX512)
EIGENSTREAM_ALWAYS_INLINE __m512d raised(__m512d x, __m512d n) noexcept {
  return _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(x), _mm512_slli_epi64(_mm512_castpd_si512(n), 52)));
}
EIGENSTREAM_ALWAYS_INLINE __m512d lowered(__m512d x, __m512d n) noexcept {
  return _mm512_castsi512_pd(_mm512_sub_epi64(_mm512_castpd_si512(x), _mm512_slli_epi64(_mm512_castpd_si512(n), 52)));
}
#endif
#if defined(EIGEN_VECTORIZE_AVX2)
EIGENSTREAM_ALWAYS_INLINE __m256d raised(__m256d x, __m256d n) noexcept {
  return _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(x), _mm256_slli_epi64(_mm256_castpd_si256(n), 52)));
}
EIGENSTREAM_ALWAYS_INLINE __m256d lowered(__m256d x, __m256d n) noexcept {
  return _mm256_castsi256_pd(_mm256_sub_epi64(_mm256_castpd_si256(x), _mm256_slli_epi64(_mm256_castpd_si256(n), 52)));
}
#endif
#if defined(EIGEN_VECTORIZE_SSE2)
EIGENSTREAM_ALWAYS_INLINE __m128d raised(__m128d x, __m128d n) noexcept {
  return _mm_castsi128_pd(_mm_add_epi64(_mm_castpd_si128(x), _mm_slli_epi64(_mm_castpd_si128(n), 52)));
}
EIGENSTREAM_ALWAYS_INLINE __m128d lowered(__m128d x, __m128d n) noexcept {
  return _mm_castsi128_pd(_mm_sub_epi64(_mm_castpd_si128(x), _mm_slli_epi64(_mm_castpd_si128(n), 52)));
}
#endif
}  // namespace detail

/// Lanes of the widest packet of T, and of the narrowest one worth its name (16 bytes; 1 without SIMD).
template <class T>
inline constexpr int max_lanes = detail::size<typename ei::packet_traits<T>::type>;
template <class T>
inline constexpr int min_lanes = detail::narrowest<typename ei::packet_traits<T>::type>();

static_assert(EIGENSTREAM_SIMD_BYTES == (max_lanes<float> == 1 ? 0 : max_lanes<float> * static_cast<int>(sizeof(float))),
              "eigenstream: Eigen was told to use other SIMD registers than the compiler (EIGEN_MAX_ALIGN_BYTES, "
              "EIGEN_DONT_VECTORIZE): define such macros for the whole program, or leave them alone");
static_assert(std::is_same_v<Index, Eigen::Index>, "eigenstream: EIGEN_DEFAULT_DENSE_INDEX_TYPE must stay std::ptrdiff_t");

/// N numbers of type T in one register; N a power of two from min_lanes to max_lanes.
template <class T, int N>
struct Packet {
  using Scalar = T;
  using Native = typename detail::Narrow<typename ei::packet_traits<T>::type, N>::type;
  static constexpr int lanes = N;
  static_assert(detail::size<Native> == N, "eigenstream: there is no such packet on this machine");

  Native native;

  /// No alignment is ever assumed: the same instructions run for every address, and on current machines cost the same.
  static EIGENSTREAM_ALWAYS_INLINE Packet load(const T* from) noexcept { return {ei::ploadu<Native>(from)}; }
  static EIGENSTREAM_ALWAYS_INLINE Packet broadcast(T value) noexcept { return {ei::pset1<Native>(value)}; }
  EIGENSTREAM_ALWAYS_INLINE void store(T* to) const noexcept { ei::pstoreu(to, native); }

  /// The first n lanes, n < lanes; the others are zero.
  static EIGENSTREAM_ALWAYS_INLINE Packet load_first(const T* from, Index n) noexcept {
    if constexpr (requires(const Native* one) { detail::load_masked(from, n, one); }) {
      return {detail::load_masked(from, n, static_cast<const Native*>(nullptr))};
    } else {
      T buffer[N] = {};
      std::memcpy(buffer, from, static_cast<std::size_t>(n) * sizeof(T));
      return load(buffer);
    }
  }
  /// Stores the first n lanes, n < lanes.
  EIGENSTREAM_ALWAYS_INLINE void store_first(T* to, Index n) const noexcept {
    if constexpr (requires { detail::store_masked(to, n, native); }) {
      detail::store_masked(to, n, native);
    } else {
      T buffer[N];
      store(buffer);
      std::memcpy(to, buffer, static_cast<std::size_t>(n) * sizeof(T));
    }
  }

  friend EIGENSTREAM_ALWAYS_INLINE Packet operator+(Packet a, Packet b) noexcept {
    return {ei::padd(a.native, b.native)};
  }
  friend EIGENSTREAM_ALWAYS_INLINE Packet operator-(Packet a, Packet b) noexcept {
    return {ei::psub(a.native, b.native)};
  }
  friend EIGENSTREAM_ALWAYS_INLINE Packet operator*(Packet a, Packet b) noexcept {
    return {ei::pmul(a.native, b.native)};
  }
  friend EIGENSTREAM_ALWAYS_INLINE Packet operator/(Packet a, Packet b) noexcept {
    return {ei::pdiv(a.native, b.native)};
  }
};

/// The same numbers, in a register from here on: compilers load again what they could keep where it saves them a copy, and a
/// loop that multiplies what it loaded by several others is then bound by loads.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> in_register(Packet<T, N> a) noexcept {
#if (defined(__GNUC__) || defined(__clang__)) && defined(EIGEN_VECTORIZE_AVX512)
  if constexpr (N > 1) asm("" : "+v"(a.native));
#elif (defined(__GNUC__) || defined(__clang__)) && defined(EIGEN_VECTORIZE_SSE2)
  if constexpr (N > 1) asm("" : "+x"(a.native));
#endif
  return a;
}

/// The first lane.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE T first(Packet<T, N> a) noexcept {
  return ei::pfirst(a.native);
}
/// a * b + c, rounded once where the machine can.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> multiply_add(Packet<T, N> a, Packet<T, N> b, Packet<T, N> c) noexcept {
  return {ei::pmadd(a.native, b.native, c.native)};
}
/// The greater one; NaN if either is.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> max(Packet<T, N> a, Packet<T, N> b) noexcept {
  return {ei::pmax<Eigen::PropagateNaN>(a.native, b.native)};
}
/// The smaller one; NaN if either is.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> min(Packet<T, N> a, Packet<T, N> b) noexcept {
  return {ei::pmin<Eigen::PropagateNaN>(a.native, b.native)};
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> abs(Packet<T, N> a) noexcept {
  return {ei::pabs(a.native)};
}
/// f on each lane, for functions that have no packet form.
template <class T, int N, class F>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> lanewise(Packet<T, N> x, F&& f) noexcept {
  T buffer[N];
  x.store(buffer);
  for (T& value : buffer) value = f(value);
  return Packet<T, N>::load(buffer);
}
/// The same of two numbers each.
template <class T, int N, class F>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> lanewise(Packet<T, N> x, Packet<T, N> y, F&& f) noexcept {
  T first[N], second[N];
  x.store(first), y.store(second);
  for (int k = 0; k < N; ++k) first[k] = f(first[k], second[k]);
  return Packet<T, N>::load(first);
}

/// Correctly rounded; NaN below 0. (Eigen's is an estimate that turns infinity to NaN.)
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> sqrt(Packet<T, N> a) noexcept {
#if defined(EIGEN_VECTORIZE_AVX512)
  if constexpr (std::is_same_v<T, float> && N == 16) return {_mm512_sqrt_ps(a.native)};
  if constexpr (std::is_same_v<T, double> && N == 8) return {_mm512_sqrt_pd(a.native)};
#endif
#if defined(EIGEN_VECTORIZE_AVX)
  if constexpr (std::is_same_v<T, float> && N == 8) return {_mm256_sqrt_ps(a.native)};
  if constexpr (std::is_same_v<T, double> && N == 4) return {_mm256_sqrt_pd(a.native)};
#endif
#if defined(EIGEN_VECTORIZE_SSE)
  if constexpr (std::is_same_v<T, float> && N == 4) return {_mm_sqrt_ps(a.native)};
  if constexpr (std::is_same_v<T, double> && N == 2) return {_mm_sqrt_pd(a.native)};
#endif
  return lanewise(a, [](T v) { return std::sqrt(v); });
}
/// Where a > b, `yes`; elsewhere, and where either is NaN, `no`.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> select_greater(Packet<T, N> a, Packet<T, N> b, Packet<T, N> yes,
                                                      Packet<T, N> no) noexcept {
  return {ei::pselect(ei::pcmp_lt(b.native, a.native), yes.native, no.native)};
}
/// Where a is b, `yes`; elsewhere, and where either is NaN, `no`.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> select_equal(Packet<T, N> a, Packet<T, N> b, Packet<T, N> yes,
                                                    Packet<T, N> no) noexcept {
  return {ei::pselect(ei::pcmp_eq(a.native, b.native), yes.native, no.native)};
}

/// x * 2^k and x * 2^-k, where k is the integer in the last bits of n (as many as an exponent has) and the result is a normal
/// number: it is added to the exponent. The packets that have it:
template <class T, int N>
concept HasPowersOfTwo = requires(typename Packet<T, N>::Native native) { detail::raised(native, native); };
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> raised(Packet<T, N> x, Packet<T, N> n) noexcept {
  return {detail::raised(x.native, n.native)};
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> lowered(Packet<T, N> x, Packet<T, N> n) noexcept {
  return {detail::lowered(x.native, n.native)};
}

/// out[k] = from[k] in every lane, for four k. With AVX, one load and four shuffles instead of four loads: a single
/// column of a convolution is bound by loads. (Eigen has no such primitive.)
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void broadcast4(const T* from, Packet<T, N> (&out)[4]) noexcept {
#if defined(EIGEN_VECTORIZE_AVX512)
  if constexpr (std::is_same_v<T, float> && N == 16) {
    const __m512 four = _mm512_broadcast_f32x4(_mm_loadu_ps(from));
    out[0].native = _mm512_permute_ps(four, 0x00);
    out[1].native = _mm512_permute_ps(four, 0x55);
    out[2].native = _mm512_permute_ps(four, 0xaa);
    out[3].native = _mm512_permute_ps(four, 0xff);
    return;
  }
#endif
#if defined(EIGEN_VECTORIZE_AVX)
  if constexpr (std::is_same_v<T, float> && N == 8) {
    const __m256 four = _mm256_broadcast_ps(reinterpret_cast<const __m128*>(from));
    out[0].native = _mm256_permute_ps(four, 0x00);
    out[1].native = _mm256_permute_ps(four, 0x55);
    out[2].native = _mm256_permute_ps(four, 0xaa);
    out[3].native = _mm256_permute_ps(four, 0xff);
    return;
  }
#endif
  for (int k = 0; k < 4; ++k) out[k] = Packet<T, N>::broadcast(from[k]);
}

/// The lanes in reverse order.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE Packet<T, N> reversed(Packet<T, N> a) noexcept {
  return {ei::preverse(a.native)};
}
/// Numbers that lie in pairs, the first of each pair in `even` and the second in `odd`; and back.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void load_pairs(const T* from, Packet<T, N>& even, Packet<T, N>& odd) noexcept {
  [[maybe_unused]] const Packet<T, N> a = Packet<T, N>::load(from), b = Packet<T, N>::load(from + N);
#if defined(EIGEN_VECTORIZE_AVX512)
  if constexpr (std::is_same_v<T, float> && N == 16) {
    const __m512i first = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(1));
    even.native = _mm512_permutex2var_ps(a.native, first, b.native);
    odd.native = _mm512_permutex2var_ps(a.native, second, b.native);
    return;
  }
#endif
#if defined(EIGEN_VECTORIZE_AVX)
  if constexpr (std::is_same_v<T, float> && N == 8) {
    const __m256 low = _mm256_permute2f128_ps(a.native, b.native, 0x20), high = _mm256_permute2f128_ps(a.native, b.native, 0x31);
    even.native = _mm256_shuffle_ps(low, high, 0x88);
    odd.native = _mm256_shuffle_ps(low, high, 0xdd);
    return;
  }
#endif
#if defined(EIGEN_VECTORIZE_SSE)
  if constexpr (std::is_same_v<T, float> && N == 4) {
    even.native = _mm_shuffle_ps(a.native, b.native, 0x88);
    odd.native = _mm_shuffle_ps(a.native, b.native, 0xdd);
    return;
  }
#endif
  T evens[N], odds[N];
  for (int k = 0; k < N; ++k) evens[k] = from[2 * k], odds[k] = from[2 * k + 1];
  even = Packet<T, N>::load(evens), odd = Packet<T, N>::load(odds);
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void store_pairs(T* to, Packet<T, N> even, Packet<T, N> odd) noexcept {
#if defined(EIGEN_VECTORIZE_AVX512)
  if constexpr (std::is_same_v<T, float> && N == 16) {
    const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
    _mm512_storeu_ps(to, _mm512_permutex2var_ps(even.native, first, odd.native));
    _mm512_storeu_ps(to + 16, _mm512_permutex2var_ps(even.native, second, odd.native));
    return;
  }
#endif
#if defined(EIGEN_VECTORIZE_AVX)
  if constexpr (std::is_same_v<T, float> && N == 8) {
    const __m256 low = _mm256_unpacklo_ps(even.native, odd.native), high = _mm256_unpackhi_ps(even.native, odd.native);
    _mm256_storeu_ps(to, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_storeu_ps(to + 8, _mm256_permute2f128_ps(low, high, 0x31));
    return;
  }
#endif
#if defined(EIGEN_VECTORIZE_SSE)
  if constexpr (std::is_same_v<T, float> && N == 4) {
    _mm_storeu_ps(to, _mm_unpacklo_ps(even.native, odd.native));
    _mm_storeu_ps(to + 4, _mm_unpackhi_ps(even.native, odd.native));
    return;
  }
#endif
  T evens[N], odds[N];
  even.store(evens), odd.store(odds);
  for (int k = 0; k < N; ++k) to[2 * k] = evens[k], to[2 * k + 1] = odds[k];
}
/// rows[i] lane k becomes rows[k] lane i.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void transpose(Packet<T, N> (&rows)[N]) noexcept {
  using Block = ei::PacketBlock<typename Packet<T, N>::Native, N>;
  if constexpr (requires(Block& block) { ei::ptranspose(block); }) {
    [&]<std::size_t... I>(std::index_sequence<I...>) EIGENSTREAM_INLINE_LAMBDA {
      Block block{{rows[I].native...}};
      ei::ptranspose(block);
      ((rows[I].native = block.packet[I]), ...);
    }(std::make_index_sequence<N>());
  } else {
    T all[N][N], turned[N];
    for (int i = 0; i < N; ++i) rows[i].store(all[i]);
    for (int i = 0; i < N; ++i) {
      for (int k = 0; k < N; ++k) turned[k] = all[k][i];
      rows[i] = Packet<T, N>::load(turned);
    }
  }
}

/// SIMD registers of the machine.
#if defined(EIGEN_VECTORIZE_AVX512) || (defined(EIGEN_VECTORIZE_NEON) && EIGEN_ARCH_ARM64)
inline constexpr int registers = 32;
#else
inline constexpr int registers = 16;
#endif

}  // namespace simd

EIGENSTREAM_END_NAMESPACE

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif  // EIGENSTREAM_KERNEL_PACKET_HPP
