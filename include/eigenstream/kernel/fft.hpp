#ifndef EIGENSTREAM_KERNEL_FFT_HPP
#define EIGENSTREAM_KERNEL_FFT_HPP

#include <algorithm>  // copy_n, fill_n

#include "eigenstream/kernel/complex_fft.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// The discrete Fourier transform of n real numbers, and back, for any n. Of the spectrum only bins 0 ... n/2 are computed; the
/// others mirror them.
///   X[k] = sum over j of x[j] e^(-2 pi i j k / n)
///   x[j] = 1/n sum over all k of X[k] e^(2 pi i j k / n)
/// Shapes   x n numbers; X bins() = floor(n/2) + 1 numbers, real and imaginary parts in two arrays
/// Errors   none: n is at least 1, and what checks it is the layer
/// Source   as ComplexFft; two halves of a signal as one complex signal: W. Press et al., "Numerical Recipes", 12.3.
/// torch.fft.rfft, irfft Immutable; one may serve any number of threads, each with `scratch()` numbers of scratch memory of its
/// own.
template <class T>
class RealFft {
 public:
  RealFft() = default;
  explicit RealFft(Index n) : n_(n), half_(n % 2 == 0 ? n / 2 : n), complex_(half_) {
    if (n % 2 != 0) return;
    for (Index k = 0; k <= half_; ++k) {
      const std::complex<double> root = 0.5 * unit_root(k, n);
      roots_re_.push_back(static_cast<T>(root.real())), roots_im_.push_back(static_cast<T>(root.imag()));
    }
  }

  Index size() const noexcept { return n_; }
  Index bins() const noexcept { return n_ / 2 + 1; }
  Index scratch() const noexcept { return 4 * room() + complex_.scratch(); }

  void forward(const T* x, T* re, T* im, T* scratch) const noexcept {
    const Buffers all = cut(scratch);
    if (n_ % 2 != 0) {
      std::copy_n(x, n_, all.b.re), std::fill_n(all.b.im, n_, T(0));
      complex_(detail::Split<const T>{all.b.re, all.b.im}, all.a, all.rest);
      std::copy_n(all.a.re, bins(), re), std::copy_n(all.a.im, bins(), im);
      im[0] = 0;  // but for rounding
      return;
    }
    complex_(detail::Pairs<T>{x}, all.a, all.rest);
    all.a.re[half_] = all.a.re[0], all.a.im[half_] = all.a.im[0];
    // With E and O the transforms of the even and of the odd numbers, Z = E + i O:
    //   X[k] = E[k] + e^(-2 pi i k / n) O[k],  E[k] = (Z[k] + conj Z[n/2 - k]) / 2,  O[k] = -i (Z[k] - conj Z[n/2 - k]) / 2
    mirrored(all.a, half_ + 1, [&](Index k, Index count, C here, C there) {
      const P half = P::broadcast(T(0.5));
      const P o_re = here.im + there.im, o_im = there.re - here.re;
      const C root = roots(k, count);
      const P zero = P::broadcast(T(0));
      const P x_re = multiply_add(root.re, o_re, multiply_add(half, here.re + there.re, zero - root.im * o_im));
      const P x_im = multiply_add(root.re, o_im, multiply_add(half, here.im - there.im, root.im * o_re));
      detail::Split<T>{re, im}.store(k, C{x_re, x_im}, count);
    });
  }

  /// The imaginary parts of bin 0 and, of an even n, of bin n/2 count for nothing.
  void inverse(const T* re, const T* im, T* x, T* scratch) const noexcept {
    const Buffers all = cut(scratch);
    const T scale = T(1) / static_cast<T>(n_);
    std::copy_n(re, bins(), all.a.re), std::copy_n(im, bins(), all.a.im);
    all.a.im[0] = 0;
    if (n_ % 2 != 0) {
      for (Index k = 1; k < bins(); ++k) all.a.re[n_ - k] = all.a.re[k], all.a.im[n_ - k] = -all.a.im[k];
      complex_(detail::Split<const T>{all.a.im, all.a.re}, {all.b.im, all.b.re}, all.rest);
      for (Index j = 0; j < n_; ++j) x[j] = scale * all.b.re[j];
      return;
    }
    all.a.im[half_] = 0;
    // Z[k] = E[k] + i O[k] of which E[k] = (X[k] + conj X[n/2 - k]) / 2 and O[k] = e^(2 pi i k / n) (X[k] - conj X[n/2 - k]) / 2
    mirrored(all.a, half_, [&](Index k, Index count, C here, C there) {
      const P half = P::broadcast(scale), twice = P::broadcast(2 * scale);
      const P d_re = here.re - there.re, d_im = here.im + there.im;
      const C root = roots(k, count);
      const P zero = P::broadcast(T(0));
      const P o_re = multiply_add(root.re, d_re, root.im * d_im), o_im = multiply_add(root.re, d_im, zero - root.im * d_re);
      const P z_re = multiply_add(half, here.re + there.re, zero - twice * o_im);
      const P z_im = multiply_add(half, here.im - there.im, twice * o_re);
      all.b.store(k, C{z_re, z_im}, count);
    });
    complex_(detail::Split<const T>{all.b.im, all.b.re}, {all.a.im, all.a.re}, all.rest);
    Index j = 0;
    for (; j + lanes <= half_; j += lanes) store_pairs(x + 2 * j, P::load(all.a.re + j), P::load(all.a.im + j));
    for (; j < half_; ++j) x[2 * j] = all.a.re[j], x[2 * j + 1] = all.a.im[j];
  }

 private:
  static constexpr int lanes = simd::max_lanes<T>;
  using P = simd::Packet<T, lanes>;
  using C = detail::ComplexPacket<T, lanes>;

  struct Buffers {
    detail::Split<T> a, b;
    T* rest;
  };
  // Numbers of a buffer: one more than half_, with a packet before and behind, that reads may touch.
  Index room() const noexcept { return (half_ + 1 + 2 * lanes + 15) / 16 * 16; }
  Buffers cut(T* scratch) const noexcept {
    const Index size = room();
    T* const first = scratch + lanes;
    return {{first, first + size}, {first + 2 * size, first + 3 * size}, scratch + 4 * size};
  }
  C roots(Index k, Index count) const noexcept {
    if (count >= lanes) return {P::load(roots_re_.data() + k), P::load(roots_im_.data() + k)};
    return {P::load_first(roots_re_.data() + k, count), P::load_first(roots_im_.data() + k, count)};
  }
  // Calls f(k, how many, x[k] ..., x[half_ - k] ...) for bins 0 ... count - 1 of x.
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void mirrored(detail::Split<T> x, Index count, F&& f) const noexcept {
    for (Index k = 0; k < count; k += lanes) {
      const Index mirror = half_ - k - lanes + 1;
      f(k, count - k, x.template load<lanes>(k), C{reversed(P::load(x.re + mirror)), reversed(P::load(x.im + mirror))});
    }
  }

  Index n_ = 0, half_ = 0;  // half_: numbers of the complex transform
  ComplexFft<T> complex_;
  AlignedVector<T> roots_re_, roots_im_;  // half of e^(-2 pi i k / n)
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_FFT_HPP
