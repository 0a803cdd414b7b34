#ifndef EIGENSTREAM_AUDIO_STFT_HPP
#define EIGENSTREAM_AUDIO_STFT_HPP

#include <cmath>   // isfinite, log2, sqrt
#include <vector>  // windows

#include "eigenstream/audio/frame_cutter.hpp"
#include "eigenstream/audio/window_function.hpp"
#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/fft.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What the numbers of a spectrum are multiplied by: nothing, 1 / sqrt(n_fft) (torch's normalized, torchaudio's "frame_length"), or
/// 1 / sqrt(sum of the window's squares) (torchaudio's "window").
enum class SpectrumScale { none, frame_length, window };
inline constexpr std::string_view spectrum_scale_names[] = {"none", "frame_length", "window"};

/// As torch.stft and torch.istft have them.
struct StftOptions {
  Index hop_length = 0;             ///< from window to window; 0: a quarter of n_fft
  std::vector<double> window = {};  ///< win_length values, in the middle of n_fft; empty: n_fft times 1
  bool center = true;               ///< window j lies around sample j * hop_length, with n_fft / 2 samples of padding at either end
  SignalPadding pad_mode = SignalPadding::reflect;  ///< with center
  SpectrumScale scale = SpectrumScale::none;
};

namespace detail {

/// Errors   Error naming the layer
inline Index checked_fft_size(const char* who, Index n_fft) {
  constexpr Index most = Index{1} << 22;
  check(n_fft >= 1 && n_fft <= most, who, ": n_fft = ", n_fft, ", must be from 1 to 2^22");
  return n_fft;
}
inline Index checked_hop(const char* who, Index hop_length, Index n_fft) {
  const Index hop = hop_length == 0 ? std::max<Index>(1, n_fft / 4) : hop_length;
  check(hop >= 1, who, ": hop_length = ", hop_length, ", must be at least 1");
  return hop;
}
/// A window in the middle of n_fft values.
inline std::vector<double> centred_window(const char* who, const std::vector<double>& window, Index n_fft) {
  const Index length = static_cast<Index>(window.size());
  if (window.empty()) return std::vector<double>(static_cast<std::size_t>(n_fft), 1.0);
  check(length <= n_fft, who, ": a window of ", length, " values for n_fft = ", n_fft);
  for (const double value : window) check(std::isfinite(value), who, ": the window holds a value that is not finite");
  std::vector<double> all(static_cast<std::size_t>(n_fft), 0.0);
  std::copy(window.begin(), window.end(), all.begin() + (n_fft - length) / 2);
  return all;
}
/// Multiply-adds of a transform and its window, about.
inline double transform_macs(Index n_fft) noexcept {
  return static_cast<double>(n_fft) * (1 + std::log2(static_cast<double>(n_fft)));
}
inline double scale_of(const char* who, SpectrumScale scale, const std::vector<double>& window) {
  if (scale == SpectrumScale::none) return 1;
  if (scale == SpectrumScale::frame_length) return 1 / std::sqrt(static_cast<double>(window.size()));
  double squares = 0;
  for (const double value : window) squares += value * value;
  check(squares > 0, who, ": the window is zero, so that a spectrum cannot be scaled by its squares");
  return 1 / std::sqrt(squares);
}

/// The spectra of a signal's windows, of each of its columns: what the layers that begin with them have in common. Scratch memory:
/// a window, its spectrum, and what the transform takes.
template <class T>
class SpectralFrames {
 public:
  using Scalar = T;

  Index n_fft() const noexcept { return fft_.size(); }
  Index hop_length() const noexcept { return cutter_.hop(); }
  Index bins() const noexcept { return fft_.bins(); }

  FrameShape wanted() const noexcept { return {0, 1, 1, 0}; }
  Timing timing() const { return cutter_.timing(); }
  Index max_outputs(Index n) const noexcept { return cutter_.max_windows(n); }
  void reset(StateRef state) const noexcept { cutter_.reset(state); }
  void exchange(StateRef state, StateCodec& codec) const { cutter_.exchange(state, codec); }
  T* input_room(StateRef state, Index n) const noexcept { return cutter_.input_room(state, n); }
  static constexpr bool in_place() noexcept { return false; }
  static constexpr Space space_of_type = Space::made;

 protected:
  SpectralFrames(const char* who, Index n_fft, const StftOptions& options)
      : cutter_(who, checked_fft_size(who, n_fft), checked_hop(who, options.hop_length, n_fft), options.center ? n_fft / 2 : 0,
                options.center ? n_fft / 2 : 0, options.pad_mode),
        fft_(n_fft) {
    const std::vector<double> window = centred_window(who, options.window, n_fft);
    const double scale = scale_of(who, options.scale, window);
    for (const double value : window) window_.push_back(static_cast<T>(scale * value));
  }

  /// With room for `more` numbers of scratch memory.
  Facts facts_for(const char* who, const FrameShape& in, const FrameShape& out, Index more = 0) const {
    check(!in.has_space(), who, ": takes a plain signal, not frames with space (", in.text(), ")");
    return {.out = out,
            .state_bytes = cutter_.state_bytes(in),
            .scratch_bytes = (3 * buffer() + fft_.scratch() + more) * static_cast<Index>(sizeof(T)),
            .max_flush = cutter_.max_flush(),
            .macs = static_cast<double>(in.size()) * transform_macs(n_fft()) / static_cast<double>(hop_length())};
  }
  /// Scratch memory behind that of the transform.
  T* more_scratch(StateRef state) const noexcept { return scratch(state) + 3 * buffer() + fft_.scratch(); }
  void add_to(Fingerprint& print) const noexcept {
    cutter_.add_to(print);
    print.add(std::span<const T>(window_));
  }

  /// each(batch entry, channel, re, im, frame of the output) for every spectrum.
  template <class Each>
  Index advance(StateRef state, Frames<const T> x, Each&& each) const noexcept {
    return cutter_.advance(state, x, [&](const T* window, Index number) { transform(state, window, number, each); });
  }
  template <class Each>
  Index finish(StateRef state, Each&& each) const noexcept {
    return cutter_.flush(state, [&](const T* window, Index number) { transform(state, window, number, each); });
  }

  FrameCutter<T> cutter_;
  kernel::RealFft<T> fft_;
  kernel::AlignedVector<T> window_;

 private:
  T* scratch(StateRef state) const noexcept { return reinterpret_cast<T*>(state.scratch); }
  Index buffer() const noexcept { return (n_fft() + 15) / 16 * 16; }
  template <class Each>
  void transform(StateRef state, const T* window, Index number, Each& each) const noexcept {
    const FrameLayout& in = state.shape;
    T *const cut = scratch(state), *const re = cut + buffer(), *const im = re + buffer();
    for (Index b = 0; b < in.batch; ++b)
      for (Index c = 0; c < in.channels; ++c) {
        weigh(window + b * in.channels + c, in.size(), cut);
        fft_.forward(cut, re, im, im + buffer());
        each(b, c, re, im, number);
      }
  }
  // The samples of one column, which lie `step` apart, times the window.
  void weigh(const T* x, Index step, T* y) const noexcept {
    const Index n = n_fft();
    if (step == 1) return kernel::multiply_pointwise(x, window_.data(), y, n);
    for (Index j = 0; j < n; ++j) y[j] = x[j * step] * window_[static_cast<std::size_t>(j)];
  }
};

}  // namespace detail

/// The short-time Fourier transform: the spectra of overlapping windows.
///   y[2c, k, j] + i y[2c + 1, k, j] = scale * sum over p < n_fft of window[p] x[c, j * hop_length + p - left] e^(-2 pi i k p /
///   n_fft)
/// with left = n_fft / 2 (rounded down) if centred, else 0. Only bins k = 0 ... n_fft / 2; the others mirror them.
/// Shapes   x (C,T) or (C,B,T) -> y (2C, bins, T') or (2C, bins, B, T'): a spectrum is a frame with a column for each bin, real and
///          imaginary parts are channels. T' = floor((T + 2 left - n_fft) / hop_length) + 1
/// Timing   receptive field n_fft, delay n_fft - 1 - left, rate 1/hop_length. Centred, the windows at the end come with the flush.
/// With
///          reflect, a signal of n_fft / 2 samples or fewer gives nothing (torch refuses it)
/// Errors   constructor: Error on any impossible size, naming it. steps/flush: noexcept, no allocation
/// Source   torch.stft(onesided=True, return_complex=True), torchaudio.transforms.Spectrogram(power=None)
template <class T>
class Stft : public detail::SpectralFrames<T> {
  using Base = detail::SpectralFrames<T>;

 public:
  explicit Stft(Index n_fft, const StftOptions& options = {}) : Base("Stft", n_fft, options) {
    fingerprint_ = Fingerprint("Stft");
    this->add_to(fingerprint_);
  }

  Facts facts(const FrameShape& in) const { return this->facts_for("Stft", in, {2 * in.channels, this->bins(), 1, in.batch}); }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept { return this->advance(state, x, writer(y)); }
  Index flush(StateRef state, Frames<T> y) const noexcept { return this->finish(state, writer(y)); }

 private:
  auto writer(Frames<T> y) const noexcept {
    return [bins = this->bins(), y](Index b, Index c, const T* re, const T* im, Index number) {
      T* to = y.frame(number) + b * bins * y.channels + 2 * c;
      if (y.channels == 2) return kernel::to_pairs(re, im, to, bins);
      for (Index k = 0; k < bins; ++k) to[k * y.channels] = re[k], to[k * y.channels + 1] = im[k];
    };
  }

  Fingerprint fingerprint_{""};
};

static_assert(Layer<Stft<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_STFT_HPP
