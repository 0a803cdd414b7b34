#ifndef EIGENSTREAM_LAYER_RECURSIVE_FILTER_HPP
#define EIGENSTREAM_LAYER_RECURSIVE_FILTER_HPP

#include <algorithm>  // clamp, fill_n
#include <cmath>      // isfinite
#include <vector>     // numbers

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

struct RecursiveFilterOptions {
  bool clamp = false;  ///< whether outputs are held within -1 and 1; what the filter remembers is not
};

/// A linear filter with feedback, or several one behind the other, such as biquads, of each number of a frame by itself.
///   y[t] = (sum over k of b[k] x[t-k] - sum over k > 0 of a[k] y[t-k]) / a[0],  zeros before the signal
/// Shapes   x (C,T), with space, a batch or neither -> y of the same; x and y may be the same memory. b and a (K), the same filter for
///          all channels; (R,K) with R = 1 or C: one for each channel; (S,R,K): S filters one behind the other
/// Timing   a frame in, a frame out, at once; the receptive field is unbounded
/// Errors   constructor: Error on shapes that differ, numbers that are not finite, or an a[0] of 0. Whether the filter is stable is
///          not asked. steps/flush: noexcept, no allocation
/// Source   torchaudio.functional.lfilter(x, a, b, clamp=...), scipy.signal.lfilter, sosfilt; direct form II transposed: J. O. Smith,
///          "Introduction to Digital Filters"
/// The state is what each filter remembers, K - 1 numbers in double, whatever T is: with poles near 1 single precision does not do.
template <class T>
class RecursiveFilter {
 public:
  using Scalar = T;

  /// The numbers may be of higher precision than the signal.
  template <class N>
  RecursiveFilter(const Weights<N>& b, const Weights<N>& a, RecursiveFilterOptions options = {}) : options_(options) {
    const std::vector<Index>& shape = b.shape;
    check(!b.empty() && shape.size() >= 1 && shape.size() <= 3, "RecursiveFilter: b has shape ", b.shape_text(),
          ", expected (taps), (rows, taps) or (sections, rows, taps)");
    check(a.shape == shape, "RecursiveFilter: b has shape ", b.shape_text(), " and a ", a.shape_text(),
          "; they must have the same");
    taps_ = shape.back();
    rows_ = shape.size() > 1 ? shape[shape.size() - 2] : 1;
    sections_ = shape.size() > 2 ? shape.front() : 1;
    for (Index filter = 0; filter < sections_ * rows_; ++filter) {
      const double first = static_cast<double>(a(filter * taps_));
      check(std::isfinite(first) && first != 0, "RecursiveFilter: a[0] of filter ", filter, " is ", first);
      for (const Weights<N>* part : {&b, &a})
        for (Index k = 0; k < taps_; ++k) {
          const double value = static_cast<double>((*part)(filter * taps_ + k));
          check(std::isfinite(value), "RecursiveFilter: a number of filter ", filter, " is not finite");
          numbers_.push_back(value / first);
        }
    }
    fingerprint_ = Fingerprint("RecursiveFilter").add(sections_).add(rows_).add(taps_).add(options.clamp);
    fingerprint_.add(std::span<const double>(numbers_));
  }

  Index sections() const noexcept { return sections_; }
  FrameShape wanted() const noexcept { return FrameShape::any(rows_ == 1 ? 0 : rows_); }
  Facts facts(const FrameShape& in) const {
    check_channels("RecursiveFilter", wanted().channels, in);
    return {.out = in,
            .state_bytes = aligned_bytes(remembered() * in.size() * static_cast<Index>(sizeof(double))),
            .parameters = static_cast<Index>(numbers_.size()),
            .macs = static_cast<double>((2 * taps_ - 1) * sections_) * static_cast<double>(in.size())};
  }
  Timing timing() const { return taps_ == 1 ? Timing() : Timing(TimingStage{.recursive = true}); }
  Index max_outputs(Index n) const noexcept { return n; }
  bool keeps_channels() const noexcept { return true; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept { std::fill_n(past(state), remembered() * state.shape.size(), 0.0); }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    switch (taps_) {
      case 2:
        run<2>(state, x, y);
        break;
      case 3:
        run<3>(state, x, y);
        break;
      default:
        run<0>(state, x, y);
    }
    return x.count;
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const { codec.frames(past(state), remembered(), state.shape.size()); }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return true; }

 private:
  static double* past(StateRef state) noexcept { return reinterpret_cast<double*>(state.data); }
  // Numbers that are remembered for each number of a frame.
  Index remembered() const noexcept { return sections_ * (taps_ - 1); }

  // Every number of a frame goes through all sections at once: they do not wait for each other.
  template <Index Taps>
  void run(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index taps = Taps == 0 ? taps_ : Taps, size = x.size(), section = 2 * taps * rows_;
    for (Index t = 0; t < x.count; ++t) {
      const T* from = x.frame(t);
      T* to = y.frame(t);
      for (Index i = 0, row = 0; i < size; ++i, row = row + 1 == rows_ ? 0 : row + 1) {
        const double* b = numbers_.data() + 2 * taps * row;
        double* kept = past(state) + i;
        double value = static_cast<double>(from[i]);
        for (Index s = 0; s < sections_; ++s, b += section, kept += (taps - 1) * size) {
          const double* a = b + taps;
          const double in = value;
          value = taps == 1 ? b[0] * in : b[0] * in + kept[0];
          for (Index k = 1; k < taps; ++k) {
            const double later = k + 1 < taps ? kept[k * size] : 0.0;
            kept[(k - 1) * size] = b[k] * in - a[k] * value + later;
          }
        }
        to[i] = static_cast<T>(options_.clamp ? (value < -1 ? -1.0 : value > 1 ? 1.0 : value) : value);
      }
    }
  }

  RecursiveFilterOptions options_;
  Index taps_ = 1, rows_ = 1, sections_ = 1;
  std::vector<double> numbers_;  // of each section and row b, then a, divided by a[0]
  Fingerprint fingerprint_{""};
};

static_assert(Layer<RecursiveFilter<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_RECURSIVE_FILTER_HPP
