#ifndef EIGENSTREAM_AUDIO_ISTFT_HPP
#define EIGENSTREAM_AUDIO_ISTFT_HPP

#include <algorithm>  // clamp, copy_n, fill_n, max, min
#include <cmath>      // abs
#include <vector>     // windows

#include "eigenstream/audio/stft.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// As torch.istft has them.
struct IstftOptions {
  Index hop_length = 0;             ///< from window to window; 0: a quarter of n_fft
  std::vector<double> window = {};  ///< what is multiplied by behind the transform, in the middle of n_fft; empty: n_fft times 1
  std::vector<double> analysis_window = {};   ///< what was multiplied by before the Stft, if it was another
  bool center = true;                         ///< the first n_fft / 2 samples are left out, and as many at the end
  Index right = -1;                           ///< samples left out at the end, if it shall be others; -1: as center says
  SpectrumScale scale = SpectrumScale::none;  ///< by which the spectra were multiplied, of the analysis window
};

/// The signal whose short-time Fourier transform is nearest to some spectra: their inverses, weighted and added.
///   y[c, t] = sum over j of w[p] X_j[p] / sum over j of w[p] a[p],  p = t + left - j * hop_length, 0 <= p < n_fft
/// with X_j the inverse transform of the complex numbers x[2c, k, j] + i x[2c + 1, k, j] divided by the scale, w the window and a
/// the analysis window, both sums over the windows that there are; left = n_fft / 2 (rounded down) if centred, else 0.
/// Shapes   x (2C, bins, T) or (2C, bins, B, T), as Stft gives them -> y (C,T') or (C,B,T'),
///          T' = (T - 1) hop_length + n_fft - left - right
/// Timing   a spectrum completes `hop_length` samples; the end gives the rest. rate hop_length/1. Behind an Stft of the same
///          options, y is the signal, up to the last whole hop. The imaginary parts of bin 0 and, of even n_fft, of the last bin
///          count for nothing
/// Errors   constructor: Error on any impossible size, naming it, and where the windows do not add up: where their sum is nearly 0,
///          no signal can be found. steps/flush: noexcept, no allocation
/// Source   torch.istft, torchaudio.transforms.InverseSpectrogram; D. Griffin, J. Lim, "Signal estimation from modified short-time
///          Fourier transform"
/// Layout   spectra so far, then n_fft - hop_length open sums, oldest first
template <class T>
class Istft {
 public:
  using Scalar = T;
  static constexpr Space space_of_type = Space::used;

  explicit Istft(Index n_fft, const IstftOptions& options = {})
      : fft_(detail::checked_fft_size("Istft", n_fft)), hop_(detail::checked_hop("Istft", options.hop_length, n_fft)) {
    left_ = options.center ? n_fft / 2 : 0;
    right_ = options.right < 0 ? left_ : options.right;
    check(hop_ <= n_fft, "Istft: hop_length = ", hop_, " is beyond n_fft = ", n_fft, " (there would be gaps)");
    check(std::max(left_, right_) <= keep(), "Istft: leaves out ", left_, " samples at the start and ", right_,
          " at the end; with hop_length = ", hop_, " and n_fft = ", n_fft, " it can be at most ", keep());
    const std::vector<double> window = detail::centred_window("Istft", options.window, n_fft);
    const std::vector<double> analysis =
        options.analysis_window.empty() ? window : detail::centred_window("Istft", options.analysis_window, n_fft);
    const double scale = detail::scale_of("Istft", options.scale, analysis);
    for (std::size_t p = 0; p < window.size(); ++p) {
      window_.push_back(static_cast<T>(window[p] / scale));
      products_.push_back(window[p] * analysis[p]);
    }
    check_sums();
    for (Index p = 0; p < hop_; ++p) steady_.push_back(inverse_sum(Time{n_fft} * hop_ + p, n_fft));
    fingerprint_ = Fingerprint("Istft").add(n_fft).add(hop_).add(left_).add(right_);
    fingerprint_.add(std::span<const T>(window_)).add(std::span<const double>(products_));
  }

  Index n_fft() const noexcept { return fft_.size(); }
  Index hop_length() const noexcept { return hop_; }
  Index bins() const noexcept { return fft_.bins(); }

  FrameShape wanted() const noexcept { return {0, bins(), 1, 0}; }
  Facts facts(const FrameShape& in) const {
    check(in.channels % 2 == 0 && in.width == bins() && in.height == 1, "Istft: takes frames of real and imaginary parts and ",
          bins(), " bins, not ", in.text());
    return {.out = out(in),
            .state_bytes = memory_alignment + aligned_bytes(keep() * out(in).size() * scalar_bytes),
            .scratch_bytes = (3 * buffer() + fft_.scratch() + n_fft() * out(in).size()) * scalar_bytes,
            .max_flush = keep() - right_,
            .macs = static_cast<double>(out(in).size()) * detail::transform_macs(n_fft())};
  }
  Timing timing() const {
    return TimingStage{.kind = TimingStage::Kind::scatter, .reach = n_fft(), .stride = hop_, .left = left_, .right = right_};
  }
  Index max_outputs(Index n) const noexcept { return n * hop_; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    spectra(state) = 0;
    std::fill_n(open(state), keep() * out(state.shape).size(), T(0));
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(spectra(state), codec.frames(), {.from = n_fft() / hop_ + 1});
    codec.frames(open(state), keep(), out(state.shape).size());
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }

  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const Index columns = y.size();
    Index written = 0;
    for (Index j = 0; j < x.count; ++j) {
      const T* window = synthesise(state, x.frame(j), columns);
      const Time newest = spectra(state)++, at = newest * hop_;
      const Index skip = skipped(at, hop_);
      T* const sums = open(state);
      // What is complete, then what stays open: each sum is the older windows first.
      const Frames<T> to = y.slice(written, hop_ - skip);
      add(sums, window, skip, hop_, columns, to.data);
      const Index both = std::max<Index>(0, keep() - hop_);
      kernel::map_two(sums + hop_ * columns, window + hop_ * columns, sums, both * columns, [](auto a, auto b) { return a + b; });
      std::copy_n(window + (hop_ + both) * columns, (keep() - both) * columns, sums + both * columns);
      normalise(to, at + skip, newest);
      written += to.count;
    }
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const Time came = spectra(state);
    if (came == 0) return 0;
    const Index columns = out(state.shape).size(), count = keep() - right_, skip = skipped(came * hop_, count);
    const Frames<T> to = y.first(count - skip);
    std::copy_n(open(state) + skip * columns, to.count * columns, to.data);
    normalise(to, came * hop_ + skip, came - 1);
    reset(state);
    return to.count;
  }

 private:
  static constexpr Index scalar_bytes = static_cast<Index>(sizeof(T));

  static FrameShape out(const FrameShape& in) noexcept { return {in.channels / 2, 1, 1, in.batch}; }
  Index keep() const noexcept { return n_fft() - hop_; }
  Index buffer() const noexcept { return (n_fft() + 15) / 16 * 16; }
  static Time& spectra(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  static T* open(StateRef state) noexcept { return reinterpret_cast<T*>(state.data + memory_alignment); }
  // How many of the `count` samples from position `at` on are left out at the start.
  Index skipped(Time at, Index count) const noexcept { return static_cast<Index>(std::clamp<Time>(left_ - at, 0, count)); }

  // The weighted windows of all columns of a frame, side by side.
  const T* synthesise(StateRef state, const T* x, Index columns) const noexcept {
    const Index channels = state.shape.channels, batch = state.shape.batch;
    T* const re = reinterpret_cast<T*>(state.scratch);
    T *const im = re + buffer(), *const one = im + buffer(), *const all = one + buffer() + fft_.scratch();
    for (Index b = 0; b < batch; ++b, x += bins() * channels)
      for (Index c = 0; c < channels / 2; ++c) {
        if (channels == 2)
          kernel::from_pairs(x, re, im, bins());
        else
          for (Index k = 0; k < bins(); ++k) re[k] = x[k * channels + 2 * c], im[k] = x[k * channels + 2 * c + 1];
        T* const to = columns == 1 ? all : one;
        fft_.inverse(re, im, to, one + buffer());
        kernel::multiply_pointwise(to, window_.data(), to, n_fft());
        if (columns == 1) continue;
        const Index column = b * (channels / 2) + c;
        for (Index p = 0; p < n_fft(); ++p) all[p * columns + column] = to[p];
      }
    return all;
  }
  // Samples begin ... end - 1 of a window, and what is open there.
  void add(const T* sums, const T* window, Index begin, Index end, Index columns, T* y) const noexcept {
    const Index both = std::clamp(keep(), begin, end);
    kernel::map_two(sums + begin * columns, window + begin * columns, y, (both - begin) * columns,
                    [](auto a, auto b) { return a + b; });
    std::copy_n(window + both * columns, (end - both) * columns, y + (both - begin) * columns);
  }

  // 1 / sum of the products of windows 0 ... newest that reach position t; 0 where nothing does.
  T inverse_sum(Time t, Time newest) const noexcept {
    const double sum = sum_at(t, newest);
    return sum == 0 ? T(0) : static_cast<T>(1 / sum);
  }
  double sum_at(Time t, Time newest) const noexcept {
    const Time first = std::max<Time>(0, ceil_div(t - n_fft() + 1, hop_)), last = std::min(newest, floor_div(t, hop_));
    double sum = 0;
    for (Time j = first; j <= last; ++j) sum += products_[static_cast<std::size_t>(t - j * hop_)];
    return sum;
  }
  // Of one spectrum and of two, and far from the ends: every position of a longer signal has at least the windows of one of these.
  void check_sums() const {
    constexpr double least = 1e-11;  // torch's
    const auto check_at = [&](Time t, Time newest) {
      check(std::abs(sum_at(t, newest)) > least, "Istft: the windows do not add up: where sample ", t - left_, " of the signal of ",
            newest + 1, " spectra is, their products sum up to ", sum_at(t, newest),
            "; another window, hop_length or center is needed");
    };
    for (Time spectra = 1; spectra <= 2; ++spectra)
      for (Time t = left_; t < (spectra - 1) * hop_ + n_fft() - right_; ++t) check_at(t, spectra - 1);
    for (Time p = 0; p < hop_; ++p) check_at(Time{n_fft()} * hop_ + p, n_fft());
  }
  // Divides samples, the first of them at position t.
  void normalise(Frames<T> y, Time t, Time newest) const noexcept {
    if (t >= n_fft() - 1 && t == newest * hop_ && y.count == hop_) {  // a whole hop, with all windows that can reach it
      if (y.size() == 1) return kernel::multiply_pointwise(y.data, steady_.data(), y.data, hop_);
      for (Index i = 0; i < hop_; ++i) scale(y.frame(i), y.size(), steady_[static_cast<std::size_t>(i)]);
      return;
    }
    for (Index i = 0; i < y.count; ++i) scale(y.frame(i), y.size(), inverse_sum(t + i, newest));
  }
  static void scale(T* y, Index n, T factor) noexcept {
    kernel::map_pointwise(y, y, n, [&](auto v) { return v * decltype(v)::broadcast(factor); });
  }

  kernel::RealFft<T> fft_;
  Index hop_, left_ = 0, right_ = 0;
  kernel::AlignedVector<T> window_;
  std::vector<double> products_;
  kernel::AlignedVector<T> steady_;  // 1 / sum for each sample of a hop, far from the ends
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Istft<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_ISTFT_HPP
