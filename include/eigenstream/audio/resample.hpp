#ifndef EIGENSTREAM_AUDIO_RESAMPLE_HPP
#define EIGENSTREAM_AUDIO_RESAMPLE_HPP

#include <algorithm>    // min, max, clamp
#include <cstring>      // memcpy
#include <numeric>      // gcd

#include "eigenstream/audio/resample_filter.hpp"
#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/polyphase.hpp"
#include "eigenstream/memory/history.hpp"
#include "eigenstream/memory/room.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Changes the sample rate by the ratio of two whole numbers, with a windowed-sinc low-pass filter.
///   y[j] = sum over i of K(i*U - j*S) * x[i],  S = source/gcd, U = target/gcd,  x = 0 outside of the signal
/// with K of ResampleFilter. Equal rates: y = x, and nothing is remembered.
/// Shapes   x (C,T) or (C,B,T) -> y (C,T') or (C,B,T'), T' = ceil(T*U/S); any number of channels
/// Timing   with w = ceil(Z*S / (min(S,U)*rolloff)): outputs come in blocks of U, block m after (m+1)*S + w inputs, so
///          delay S + w - 1; with low_delay each as soon as its last input, delay about w. Rate U/S, receptive_field
///          about 2w + 1; in input frames. Memory is constant: only taps that are not zero are stored
/// Errors   constructor: Error on any impossible rate or option, naming it. steps/flush: noexcept, no allocation
/// Source   torchaudio.functional.resample (options, alignment, length); J. O. Smith, "Digital Audio Resampling",
///          https://ccrma.stanford.edu/~jos/resample/
/// A low-pass filter cannot be had for nothing: what is above `rolloff` of the narrower rate's half fades out, and what
/// is just above that half folds back, the less the wider the filter. resample_options(ResampleQuality) gives filters
/// that suit; a pair of rates without a large common divisor (44100 to 44101) has a long block, hence low_delay.
template <class T>
class Resample {
 public:
  using Scalar = T;

  /// Errors   Error if a rate or lowpass_filter_width is below 1, rolloff not in (0,1], beta negative or not finite, or
  ///          the filter too big to be kept
  Resample(Index source_hz, Index target_hz, ResampleOptions options = {})
      : options_(options), source_hz_(source_hz), target_hz_(target_hz) {
    check(source_hz >= 1 && target_hz >= 1, "Resample: from ", source_hz, " Hz to ", target_hz,
          " Hz, both rates must be at least 1");
    check(options.method == ResampleMethod::hann || options.method == ResampleMethod::kaiser,
          "Resample: unknown method ", static_cast<int>(options.method));
    check(options.lowpass_filter_width >= 1, "Resample: lowpass_filter_width = ", options.lowpass_filter_width,
          ", must be at least 1");
    check(options.rolloff > 0 && options.rolloff <= 1, "Resample: rolloff = ", options.rolloff,
          ", must be greater than 0 and at most 1");
    check(options.beta >= 0 && options.beta <= most_beta, "Resample: beta = ", options.beta, ", must be from 0 to ",
          most_beta);
    const Index common = std::gcd(source_hz, target_hz);
    down_ = source_hz / common, up_ = target_hz / common;
    fingerprint_ = Fingerprint("Resample").add(down_).add(up_);
    if (is_identity()) return;

    const ResampleFilter filter(down_, up_, options);
    // In floating point first: what follows must not overflow, nor memory run out.
    check(static_cast<double>(down_) + filter.padding() <= static_cast<double>(most_frames) && up_ <= most_frames,
          "Resample: from ", source_hz, " Hz to ", target_hz, " Hz means ", up_, " frames for ", down_,
          " at a time, and a filter of ", filter.padding(), " on either side; more than ", most_frames,
          " frames cannot be kept");
    const double size = kernel::Polyphase<T>::size_of(static_cast<double>(up_), static_cast<double>(down_), filter.reach());
    check(size <= static_cast<double>(most_weights), "Resample: from ", source_hz, " Hz to ", target_hz,
          " Hz needs a table of ", static_cast<Index>(size), " weights, more than ", most_weights);
    padding_ = static_cast<Index>(filter.padding());
    reach_ = static_cast<Index>(filter.reach());
    kernel_ = kernel::Polyphase<T>(up_, down_, reach_, [&](Index d) { return static_cast<T>(filter(d)); });
    // Block after block, outputs that are still to come read from here on.
    keep_ = options.low_delay ? 2 * reach_ / up_ : reach_ / up_ + padding_ + down_ - 1;
    // Several groups of outputs at a time pay, while the history fits into the first-level cache.
    ahead_ = std::clamp<Index>(8 * kernel_.group_inputs(), 512, 2048);
    fingerprint_.add(static_cast<Index>(options.method)).add(options.lowpass_filter_width).add(options.rolloff);
    fingerprint_.add(options.method == ResampleMethod::kaiser ? options.beta : 0).add(options.low_delay);
  }

  Index source_hz() const noexcept { return source_hz_; }
  Index target_hz() const noexcept { return target_hz_; }
  const ResampleOptions& options() const noexcept { return options_; }
  /// Input frames that must arrive after the one that an output belongs to before it comes out.
  Index delay() const noexcept {
    if (is_identity()) return 0;
    return options_.low_delay ? ceil_div(reach_, up_) : down_ + padding_ - 1;
  }
  double delay_seconds() const noexcept { return static_cast<double>(delay()) / static_cast<double>(source_hz_); }
  /// Most inputs that an output is computed from.
  Index taps() const noexcept { return is_identity() ? 1 : 2 * reach_ / up_ + 1; }

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept {
    if (is_identity()) return {.out = in};
    return {.out = in,
            .state_bytes = memory_alignment + History<T>::bytes(in.size(), keep_, slack(in)),
            .max_flush = options_.low_delay ? ceil_div(reach_, down_) : ceil_div((padding_ + down_ - 1) * up_, down_),
            .macs = static_cast<double>(2 * reach_ + 1) / static_cast<double>(down_) * static_cast<double>(in.size())};
  }
  bool keeps_channels() const noexcept { return true; }
  Timing timing() const { return is_identity() ? Timing() : Timing(stage()); }
  Index max_outputs(Index n) const noexcept {
    if (n == 0 || is_identity()) return n;
    return options_.low_delay ? ceil_div(n * up_, down_) : ((n - 1) / down_ + 1) * up_;
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    if (is_identity()) return;
    seen(state) = 0;
    history(state).reset(slack(state.shape));
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    if (is_identity()) {
      if (y.data != x.data && x.count > 0)
        std::memcpy(y.data, x.data, static_cast<std::size_t>(x.scalars()) * sizeof(T));
      return x.count;
    }
    History<T> frames = history(state);
    const TimingStage timing = stage();
    Time before = timing.outputs_after(seen(state));
    Index written = 0;
    for (Index at = 0; at < x.count;) {
      const Index n = std::min(x.count - at, frames.max_frames());
      const T* place = frames.append(x.frame(at), n);
      const Time after = timing.outputs_after(seen(state) + n);
      compute(place, seen(state), state.shape.size(), before, after, y.frame(written));
      written += after - before;
      before = after;
      seen(state) += n;
      at += n;
    }
    return written;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    if (is_identity()) return 0;
    const TimingStage timing = stage();
    const Time n = seen(state), before = timing.outputs_after(n), after = timing.outputs_in_all(n);
    // The last outputs read this far behind the end, where the signal is zero.
    if (after > before)
      compute(history(state).append_fill(T(0), reach_ / up_ + 1), n, state.shape.size(), before, after, y.data);
    reset(state);
    return after - before;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    if (is_identity()) return;
    codec.count(seen(state), codec.frames(), {.from = padding_ + down_ + reach_ / up_ + 1, .period = down_});
    history(state).exchange(codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    if (is_identity()) return nullptr;
    History<T> frames = history(state);
    return n <= frames.max_frames() ? frames.room(n) : nullptr;
  }
  bool in_place() const noexcept { return is_identity(); }

 private:
  static constexpr Index most_frames = 1 << 24;
  static constexpr Index most_weights = 1 << 26;
  static constexpr double most_beta = 500;  // beyond, the window's Bessel functions leave the range of double

  bool is_identity() const noexcept { return up_ == down_; }
  TimingStage stage() const noexcept {
    return {.kind = TimingStage::Kind::resample,
            .reach = reach_,
            .stride = down_,
            .left = padding_,
            .up = up_,
            .soon = options_.low_delay};
  }
  static Time& seen(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  Index slack(const FrameShape& shape) const noexcept {
    return slack_for<T>(shape.size(), keep_, std::min<Index>(ahead_, 65536 / shape.size()));
  }
  History<T> history(StateRef state) const noexcept {
    return History<T>(state.data + memory_alignment, state.shape.size(), keep_);
  }
  // Outputs first ... end - 1. Input `number` lies at `place`.
  void compute(const T* place, Time number, Index frame_size, Time first, Time end, T* y) const noexcept {
    if (first == end) return;
    const Time block = first / up_;
    kernel_(place, block * down_ - number, frame_size, first - block * up_, end - first, y);
  }

  ResampleOptions options_;
  Index source_hz_, target_hz_;
  Index down_ = 1, up_ = 1;  // S and U
  Index padding_ = 0;        // w
  Index reach_ = 0;          // of the filter, in 1/up input frames
  Index keep_ = 0, ahead_ = 0;
  kernel::Polyphase<T> kernel_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Resample<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_AUDIO_RESAMPLE_HPP
