#ifndef EIGENSTREAM_KERNEL_COMPLEX_FFT_HPP
#define EIGENSTREAM_KERNEL_COMPLEX_FFT_HPP

#include <algorithm>  // fill, max
#include <cmath>      // sin, cos
#include <complex>    // tables, while they are made
#include <cstdint>    // int64_t
#include <memory>     // shared_ptr
#include <numbers>    // pi
#include <utility>    // index_sequence
#include <vector>     // tables

#include "eigenstream/kernel/aligned_vector.hpp"
#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// e^(-2 pi i j / n), exact where it is 1, -i, -1 or i; j at most 2^61.
inline std::complex<double> unit_root(std::int64_t j, std::int64_t n) noexcept {
  const std::int64_t place = j % n * 4, quarter = place / n, rest = place - quarter * n;
  const double angle = std::numbers::pi / 2 * (static_cast<double>(rest) / static_cast<double>(n));
  const double c = std::cos(angle), s = rest == 0 ? 0 : std::sin(angle);
  switch (quarter) {
    case 0:
      return {c, -s};
    case 1:
      return {-s, -c};
    case 2:
      return {-c, s};
    default:
      return {s, c};
  }
}

namespace detail {

/// Real and imaginary parts of as many numbers as a packet has lanes.
template <class T, int N>
struct ComplexPacket {
  using P = simd::Packet<T, N>;
  P re, im;
  friend EIGENSTREAM_ALWAYS_INLINE ComplexPacket operator+(ComplexPacket a, ComplexPacket b) noexcept {
    return {a.re + b.re, a.im + b.im};
  }
  friend EIGENSTREAM_ALWAYS_INLINE ComplexPacket operator-(ComplexPacket a, ComplexPacket b) noexcept {
    return {a.re - b.re, a.im - b.im};
  }
  friend EIGENSTREAM_ALWAYS_INLINE ComplexPacket operator*(ComplexPacket a, ComplexPacket b) noexcept {
    return {multiply_add(a.re, b.re, P::broadcast(T(0)) - a.im * b.im), multiply_add(a.re, b.im, a.im * b.re)};
  }
  /// a + s * b of a number s.
  static EIGENSTREAM_ALWAYS_INLINE ComplexPacket add(ComplexPacket a, P s, ComplexPacket b) noexcept {
    return {multiply_add(s, b.re, a.re), multiply_add(s, b.im, a.im)};
  }
  /// -i a
  EIGENSTREAM_ALWAYS_INLINE ComplexPacket turned() const noexcept { return {im, P::broadcast(T(0)) - re}; }
};

/// Complex numbers in two arrays.
template <class T>
struct Split {
  T* re;
  T* im;
  template <int N>
  EIGENSTREAM_ALWAYS_INLINE ComplexPacket<std::remove_const_t<T>, N> load(Index i) const noexcept {
    using P = simd::Packet<std::remove_const_t<T>, N>;
    return {P::load(re + i), P::load(im + i)};
  }
  template <int N>
  EIGENSTREAM_ALWAYS_INLINE void store(Index i, ComplexPacket<T, N> x, Index n = N) const noexcept {
    if (n >= N)
      x.re.store(re + i), x.im.store(im + i);
    else
      x.re.store_first(re + i, n), x.im.store_first(im + i, n);
  }
};
/// Complex numbers one after another, the real part first.
template <class T>
struct Pairs {
  const T* x;
  template <int N>
  EIGENSTREAM_ALWAYS_INLINE ComplexPacket<T, N> load(Index i) const noexcept {
    ComplexPacket<T, N> value;
    simd::load_pairs(x + 2 * i, value.re, value.im);
    return value;
  }
};

/// The transform of 2, 3, 4, 5 or 8 numbers, in place.
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void butterfly(ComplexPacket<T, N> (&)[1]) noexcept {}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void butterfly(ComplexPacket<T, N> (&x)[2]) noexcept {
  const auto a = x[0], b = x[1];
  x[0] = a + b, x[1] = a - b;
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void butterfly(ComplexPacket<T, N> (&x)[3]) noexcept {
  using C = ComplexPacket<T, N>;
  using P = simd::Packet<T, N>;
  const C sum = x[1] + x[2], difference = (x[1] - x[2]).turned();
  const C middle = C::add(x[0], P::broadcast(T(-0.5)), sum);
  const P sine = P::broadcast(T(0.86602540378443864676));
  x[0] = x[0] + sum;
  x[1] = C::add(middle, sine, difference);
  x[2] = C::add(middle, P::broadcast(T(-0.86602540378443864676)), difference);
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void butterfly(ComplexPacket<T, N> (&x)[4]) noexcept {
  const auto a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = x[1] - x[3];
  x[0] = a + c, x[2] = a - c;
  x[1] = {b.re + d.im, b.im - d.re};
  x[3] = {b.re - d.im, b.im + d.re};
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void butterfly(ComplexPacket<T, N> (&x)[8]) noexcept {
  using C = ComplexPacket<T, N>;
  const auto scale = simd::Packet<T, N>::broadcast(T(0.70710678118654752440));
  C even[] = {x[0] + x[4], x[1] + x[5], x[2] + x[6], x[3] + x[7]};
  const C b = x[1] - x[5], d = x[3] - x[7];
  C odd[] = {x[0] - x[4],
             {scale * (b.re + b.im), scale * (b.im - b.re)},
             (x[2] - x[6]).turned(),
             {scale * (d.im - d.re), simd::Packet<T, N>::broadcast(T(0)) - scale * (d.re + d.im)}};
  butterfly(even), butterfly(odd);
  x[0] = even[0], x[1] = odd[0], x[2] = even[1], x[3] = odd[1], x[4] = even[2], x[5] = odd[2], x[6] = even[3], x[7] = odd[3];
}
template <class T, int N>
EIGENSTREAM_ALWAYS_INLINE void butterfly(ComplexPacket<T, N> (&x)[5]) noexcept {
  using C = ComplexPacket<T, N>;
  using P = simd::Packet<T, N>;
  constexpr double cos1 = 0.30901699437494742410, cos2 = -0.80901699437494742410;
  constexpr double sin1 = 0.95105651629515357212, sin2 = 0.58778525229247312917;
  const C sum1 = x[1] + x[4], sum2 = x[2] + x[3];
  const C difference1 = (x[1] - x[4]).turned(), difference2 = (x[2] - x[3]).turned();
  const C zero{P::broadcast(T(0)), P::broadcast(T(0))};
  const C a = C::add(C::add(x[0], P::broadcast(T(cos1)), sum1), P::broadcast(T(cos2)), sum2);
  const C b = C::add(C::add(x[0], P::broadcast(T(cos2)), sum1), P::broadcast(T(cos1)), sum2);
  const C c = C::add(C::add(zero, P::broadcast(T(sin1)), difference1), P::broadcast(T(sin2)), difference2);
  const C d = C::add(C::add(zero, P::broadcast(T(sin2)), difference1), P::broadcast(T(-sin1)), difference2);
  x[0] = x[0] + sum1 + sum2;
  x[1] = a + c, x[4] = a - c, x[2] = b + d, x[3] = b - d;
}

/// A transform of n = 2^a 3^b 5^c numbers that are columns, so many that packets run over them: pass by pass, the order of
/// the numbers sorts itself. (The self-sorting method of Stockham; each pass takes one factor, with decimation in frequency.)
template <class T>
class FftPasses {
 public:
  FftPasses() = default;
  explicit FftPasses(Index n) {
    if (n == 1) passes_.push_back({.radix = 1, .rest = 1, .roots = 0});
    for (Index left = n; left > 1;) {
      const Index radix = left % 8 == 0 && left != 16 ? 8
                          : left % 4 == 0             ? 4
                          : left % 2 == 0             ? 2
                          : left % 3 == 0             ? 3
                                                      : 5,
                  rest = left / radix;
      passes_.push_back({.radix = radix, .rest = rest, .roots = static_cast<Index>(roots_.size())});
      for (Index p = 0; p < rest; ++p)
        for (Index k = 1; k < radix; ++k) {
          const std::complex<double> root = unit_root(p * k, left);
          roots_.push_back(static_cast<T>(root.real())), roots_.push_back(static_cast<T>(root.imag()));
        }
      left = rest;
    }
  }

  std::size_t count() const noexcept { return passes_.size(); }
  /// Whether n has no other factors.
  static constexpr bool takes(Index n) noexcept {
    for (const Index radix : {2, 3, 5})
      while (n % radix == 0) n /= radix;
    return n == 1;
  }

  /// x: n rows of `width` columns, a multiple of N -> y: the same, of which `kept` columns of each row are stored, with no gaps
  /// between the rows. `one` and `other`: room for x each, which nothing else overlaps.
  template <int N, class Source>
  EIGENSTREAM_ALWAYS_INLINE void run(const Source& x, Index width, Index kept, Split<T> one, Split<T> other,
                                     Split<T> y) const noexcept {
    const std::size_t count = passes_.size();
    Index rows = 1;
    for (std::size_t i = 0; i < count; ++i) {
      const Pass& pass = passes_[i];
      const bool last = i + 1 == count;
      const Split<T> to = last ? y : i % 2 == 0 ? one : other;
      if (i == 0)
        step<N>(x, pass, rows, width, last ? kept : width, to);
      else
        step<N>(Split<const T>{(i % 2 == 0 ? other : one).re, (i % 2 == 0 ? other : one).im}, pass, rows, width,
                last ? kept : width, to);
      rows *= pass.radix;
    }
  }

 private:
  struct Pass {
    Index radix, rest, roots;  // rest: what is left of n behind it; where its roots begin
  };

  template <int N, class Source>
  EIGENSTREAM_ALWAYS_INLINE void step(const Source& x, const Pass& pass, Index rows, Index width, Index kept,
                                      Split<T> y) const noexcept {
    switch (pass.radix) {
      case 1:
        return step_of<N, 1>(x, pass, rows, width, kept, y);
      case 2:
        return step_of<N, 2>(x, pass, rows, width, kept, y);
      case 3:
        return step_of<N, 3>(x, pass, rows, width, kept, y);
      case 4:
        return step_of<N, 4>(x, pass, rows, width, kept, y);
      case 8:
        return step_of<N, 8>(x, pass, rows, width, kept, y);
      default:
        return step_of<N, 5>(x, pass, rows, width, kept, y);
    }
  }
  template <int N, int Radix, class Source>
  EIGENSTREAM_NO_INLINE void step_of(Source x, const Pass& pass, Index rows, Index width, Index kept, Split<T> y) const noexcept {
    const Index from_next = rows * pass.rest * width;
    // As a pack, so that the numbers of a butterfly are in registers.
    const auto all_of = [&](auto&& each) EIGENSTREAM_INLINE_LAMBDA {
      [&]<std::size_t... K>(std::index_sequence<K...>) EIGENSTREAM_INLINE_LAMBDA { each(std::integral_constant<Index, K>()...); }
      (std::make_index_sequence<Radix>());
    };
    all_of([&](auto... k) EIGENSTREAM_INLINE_LAMBDA {
      if (pass.rest == 1) {
        for (Index row = 0; row < rows; ++row) {
          Index q = 0;
          const auto columns = [&](Index count) EIGENSTREAM_INLINE_LAMBDA {
            ComplexPacket<T, N> a[] = {x.template load<N>(row * width + q + k * from_next)...};
            butterfly(a);
            (y.store((row + k * rows) * kept + q, a[k], count), ...);
          };
          for (; q + N <= kept; q += N) columns(N);
          if (q < kept) columns(kept - q);
        }
        return;
      }
      const Index columns = rows * width;
      const T* roots = roots_.data() + pass.roots;
      for (Index p = 0; p < pass.rest; ++p, roots += 2 * (Radix - 1)) {
        const Index from = p * columns, to = p * columns * Radix;
        for (Index q = 0; q < columns; q += N) {
          ComplexPacket<T, N> a[] = {x.template load<N>(from + q + k * from_next)...};
          butterfly(a);
          (y.store(to + q + k * columns, k == 0 ? a[0] : a[k] * root<N>(roots, k)), ...);
        }
      }
    });
  }
  template <int N>
  static EIGENSTREAM_ALWAYS_INLINE ComplexPacket<T, N> root(const T* roots, Index k) noexcept {
    using P = simd::Packet<T, N>;
    return {P::broadcast(roots[2 * k - 2]), P::broadcast(roots[2 * k - 1])};
  }

  std::vector<Pass> passes_;
  std::vector<T> roots_;
};

}  // namespace detail

/// The discrete Fourier transform of any number of complex numbers, forward and without a factor:
///   X[k] = sum over j of x[j] e^(-2 pi i j k / n)
/// (The inverse is the same with real and imaginary parts changed, of input and output.) Immutable; one may serve any number of
/// threads, each with scratch memory of its own.
///   n = N M with N lanes: N transforms of M numbers side by side, x[j N + lane]; what they give is turned over and, times
///   roots of unity, transformed once more, each packet over N neighbouring results. If n has other factors than 2, 3 and 5, or no
///   packet divides it: as a convolution with e^(pi i j j / n), by a transform of a power of two. Either way an output is the
///   same operations in the same order, whatever else is computed.
/// Source   C. Van Loan, "Computational Frameworks for the Fast Fourier Transform" (self-sorting passes, four steps); L. Bluestein,
///          "A linear filtering approach to the computation of the discrete Fourier transform"
template <class T>
class ComplexFft {
 public:
  ComplexFft() = default;
  explicit ComplexFft(Index n) : n_(n) {
    lanes_ = lanes_for(n);
    if (lanes_ == 0) {
      make_chirp();
      return;
    }
    rows_ = n / lanes_;
    width_ = (rows_ + lanes_ - 1) / lanes_ * lanes_;
    in_lanes_ = detail::FftPasses<T>(rows_);
    across_ = detail::FftPasses<T>(lanes_);
    for (Index row = 0; row < rows_; ++row)
      for (Index lane = 0; lane < lanes_; ++lane) {
        const std::complex<double> root = unit_root(row * lane, n);
        roots_re_.push_back(static_cast<T>(root.real())), roots_im_.push_back(static_cast<T>(root.imag()));
      }
  }

  Index size() const noexcept { return n_; }
  /// Numbers of scratch memory that a call needs.
  Index scratch() const noexcept {
    if (lanes_ != 0) return 4 * room();
    return 4 * length() + longer_->scratch();
  }

  /// x and y may be the same. `scratch`: aligned as memory of a state is, as all that it is cut into.
  void operator()(detail::Split<const T> x, detail::Split<T> y, T* scratch) const noexcept { transform(x, y, scratch); }
  /// The same of numbers in pairs.
  void operator()(detail::Pairs<T> x, detail::Split<T> y, T* scratch) const noexcept { transform(x, y, scratch); }

 private:
  // Lanes of the widest packet that divides n and leaves something to do in each lane; 0: none does.
  static Index lanes_for(Index n) noexcept {
    for (Index lanes = simd::max_lanes<T>; lanes >= simd::min_lanes<T>; lanes /= 2)
      if (n % lanes == 0 && n > lanes && detail::FftPasses<T>::takes(n / lanes)) return lanes;
    return 0;
  }
  // Numbers of a buffer, in whole cache lines.
  static Index in_lines(Index n) noexcept { return (n + 15) / 16 * 16; }
  Index room() const noexcept { return in_lines(lanes_ * width_); }
  Index length() const noexcept { return in_lines(longer_->size()); }

  template <class Source>
  EIGENSTREAM_ALWAYS_INLINE void transform(const Source& x, detail::Split<T> y, T* scratch) const noexcept {
    if (lanes_ == 0) return convolve(x, y, scratch);
    for_each_width<simd::max_lanes<T>>([&]<int N>() EIGENSTREAM_INLINE_LAMBDA { in_packets<N>(x, y, scratch); });
  }
  template <int N, class F>
  EIGENSTREAM_ALWAYS_INLINE void for_each_width(F&& f) const noexcept {
    if (lanes_ == N) return f.template operator()<N>();
    if constexpr (N > simd::min_lanes<T>) for_each_width<N / 2>(f);
  }

  template <int N, class Source>
  EIGENSTREAM_ALWAYS_INLINE void in_packets(const Source& x, detail::Split<T> y, T* scratch) const noexcept {
    const Index size = room();
    const detail::Split<T> one{scratch, scratch + size}, other{scratch + 2 * size, scratch + 3 * size};
    // An odd number of passes ends in `one`, so that what comes next is read from there.
    in_lanes_.template run<N>(x, N, N, one, other, one_or_other(one, other));
    turn<N>(one_or_other(one, other), one_or_other(other, one));
    const detail::Split<T> from = one_or_other(other, one), free = one_or_other(one, other);
    across_.template run<N>(detail::Split<const T>{from.re, from.im}, width_, rows_, free, from, y);
  }
  // What the passes in lanes may end in: the buffer that the last of them does not read.
  detail::Split<T> one_or_other(detail::Split<T> one, detail::Split<T> other) const noexcept {
    return in_lanes_.count() % 2 == 1 ? one : other;
  }

  // y(lane, row) = x(row, lane) e^(-2 pi i row lane / n); rows that fill the last packet up are zero.
  template <int N>
  EIGENSTREAM_NO_INLINE void turn(detail::Split<T> x, detail::Split<T> y) const noexcept {
    using P = simd::Packet<T, N>;
    for (Index row = 0; row < width_; row += N) {
      const auto product = [&](Index i) EIGENSTREAM_INLINE_LAMBDA {
        using C = detail::ComplexPacket<T, N>;
        if (row + i >= rows_) return C{P::broadcast(T(0)), P::broadcast(T(0))};
        const Index at = (row + i) * N;
        return x.template load<N>(at) * C{P::load(roots_re_.data() + at), P::load(roots_im_.data() + at)};
      };
      [&]<std::size_t... I>(std::index_sequence<I...>) EIGENSTREAM_INLINE_LAMBDA {
        const detail::ComplexPacket<T, N> products[] = {product(I)...};
        P re[] = {products[I].re...}, im[] = {products[I].im...};
        simd::transpose(re);
        (re[I].store(y.re + static_cast<Index>(I) * width_ + row), ...);
        simd::transpose(im);
        (im[I].store(y.im + static_cast<Index>(I) * width_ + row), ...);
      }
      (std::make_index_sequence<N>());
    }
  }

  // e^(-pi i j j / n)
  std::complex<double> chirp(Index j) const noexcept { return unit_root(static_cast<std::int64_t>(j) * j % (2 * n_), 2 * n_); }
  void make_chirp() {
    Index length = 1;
    while (length < 2 * n_ - 1 || lanes_for(length) == 0) length *= 2;
    longer_ = std::make_shared<const ComplexFft>(length);
    const ComplexFft<double> exact(length);
    std::vector<double> re(static_cast<std::size_t>(length)), im = re;
    for (Index j = 0; j < n_; ++j) {
      const std::complex<double> root = chirp(j);
      chirp_re_.push_back(static_cast<T>(root.real())), chirp_im_.push_back(static_cast<T>(root.imag()));
      for (const Index at : {j, (length - j) % length})
        re[static_cast<std::size_t>(at)] = root.real(), im[static_cast<std::size_t>(at)] = -root.imag();
    }
    AlignedVector<double> scratch(static_cast<std::size_t>(exact.scratch()));
    exact(detail::Split<const double>{re.data(), im.data()}, {re.data(), im.data()}, scratch.data());
    for (Index k = 0; k < length; ++k) {
      const double scale = 1 / static_cast<double>(length);
      roots_re_.push_back(static_cast<T>(re[static_cast<std::size_t>(k)] * scale));
      roots_im_.push_back(static_cast<T>(im[static_cast<std::size_t>(k)] * scale));
    }
  }
  template <class Source>
  EIGENSTREAM_NO_INLINE void convolve(Source x, detail::Split<T> y, T* scratch) const noexcept {
    const Index length = longer_->size(), room = this->length();
    const detail::Split<T> one{scratch, scratch + room}, other{scratch + 2 * room, scratch + 3 * room};
    T* const rest = scratch + 4 * room;
    const auto times = [](T re, T im, T by_re, T by_im, T& to_re, T& to_im) {
      to_re = re * by_re - im * by_im, to_im = re * by_im + im * by_re;
    };
    for (Index j = 0; j < n_; ++j) {
      const auto [re, im] = number(x, j);
      times(re, im, chirp_re_[place(j)], chirp_im_[place(j)], one.re[j], one.im[j]);
    }
    std::fill(one.re + n_, one.re + length, T(0)), std::fill(one.im + n_, one.im + length, T(0));
    (*longer_)(detail::Split<const T>{one.re, one.im}, other, rest);
    for (Index k = 0; k < length; ++k)
      times(other.re[k], other.im[k], roots_re_[place(k)], roots_im_[place(k)], other.re[k], other.im[k]);
    // Backwards: the parts change places.
    (*longer_)(detail::Split<const T>{other.im, other.re}, {one.im, one.re}, rest);
    for (Index k = 0; k < n_; ++k) times(one.re[k], one.im[k], chirp_re_[place(k)], chirp_im_[place(k)], y.re[k], y.im[k]);
  }
  static std::size_t place(Index j) noexcept { return static_cast<std::size_t>(j); }
  static std::pair<T, T> number(detail::Split<const T> x, Index j) noexcept { return {x.re[j], x.im[j]}; }
  static std::pair<T, T> number(detail::Pairs<T> x, Index j) noexcept { return {x.x[2 * j], x.x[2 * j + 1]}; }

  Index n_ = 0;
  Index lanes_ = 0;             // N; 0: by convolution
  Index rows_ = 0, width_ = 0;  // M, and in whole packets
  detail::FftPasses<T> in_lanes_, across_;
  AlignedVector<T> roots_re_, roots_im_;  // or what the convolution multiplies by
  std::shared_ptr<const ComplexFft> longer_;
  AlignedVector<T> chirp_re_, chirp_im_;
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_COMPLEX_FFT_HPP
