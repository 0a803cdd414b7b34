#ifndef EIGENSTREAM_KERNEL_FLUSH_DENORMALS_HPP
#define EIGENSTREAM_KERNEL_FLUSH_DENORMALS_HPP

#include <cstdint>  // uint64_t

#include "eigenstream/config.hpp"

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>  // MXCSR
#endif

EIGENSTREAM_BEGIN_NAMESPACE

/// While it lives, this thread's floating-point unit takes and gives zero for numbers too small to be normal. Such
/// numbers are up to a hundred times slower on many machines, and a recurrent or decaying signal is full of them.
/// The mode of before returns at the end of the scope. Where the machine has no such mode, nothing happens.
/// Results differ from those without the guard by numbers below the smallest normal one; the law holds either way, as
/// long as a stream is run in one mode.
class FlushDenormals {
 public:
  FlushDenormals() noexcept : before_(read()) { write(before_ | flush_bits); }
  ~FlushDenormals() { write(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__) || defined(_M_X64)
  static constexpr std::uint64_t flush_bits = 0x8040;  // FTZ and DAZ
  static std::uint64_t read() noexcept { return _mm_getcsr(); }
  static void write(std::uint64_t bits) noexcept { _mm_setcsr(static_cast<unsigned>(bits)); }
#elif defined(__aarch64__)
  static constexpr std::uint64_t flush_bits = std::uint64_t{1} << 24;  // FZ
  static std::uint64_t read() noexcept {
    std::uint64_t bits;
    asm volatile("mrs %0, fpcr" : "=r"(bits));
    return bits;
  }
  static void write(std::uint64_t bits) noexcept { asm volatile("msr fpcr, %0" : : "r"(bits)); }
#else
  static constexpr std::uint64_t flush_bits = 0;
  static std::uint64_t read() noexcept { return 0; }
  static void write(std::uint64_t) noexcept {}
#endif

  std::uint64_t before_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_FLUSH_DENORMALS_HPP
