#ifndef EIGENSTREAM_LAYER_CHANNEL_POINTWISE_HPP
#define EIGENSTREAM_LAYER_CHANNEL_POINTWISE_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/elementary.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What the pointwise layers with a parameter for each channel have in common; y[c,t] = f(x[c,t], a[c], b[c]).
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape; x and y may be the same memory
/// Timing   none: a frame in, a frame out
/// Errors   constructors: Error on parameters of another shape. steps: noexcept, no allocation
/// Source   as the layer says
template <class T, class Derived>
class ChannelPointwise : public StatelessLayer<T> {
 public:
  Index in_channels() const noexcept { return channels_; }
  Index out_channels(Index in) const {
    check(in == channels_ || channels_ == Dynamic, Derived::name, ": takes ", channels_, " channels, not ", in);
    return in;
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    kernel::map_channels(x.data, y.data, x.scalars(), a_, b_,
                 [](auto v, auto a, auto b) EIGENSTREAM_INLINE_LAMBDA { return Derived::apply(v, a, b); });
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }

 protected:
  // `channels` Dynamic: one parameter for all.
  template <class A, class B>
  ChannelPointwise(Index channels, A&& a, B&& b)
      : channels_(channels), a_(channels == Dynamic ? 1 : channels, a), b_(channels == Dynamic ? 1 : channels, b) {
    fingerprint_ = Fingerprint(Derived::name).add(channels);
    for (Index c = 0; c < (channels == Dynamic ? 1 : channels); ++c) fingerprint_.add(a(c)).add(b(c));
  }

 private:
  Index channels_;
  kernel::ChannelPattern<T> a_, b_;
  Fingerprint fingerprint_{""};
};

/// x where x > 0, weight * x elsewhere; one weight for all channels, or one for each.
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape; weight (1) or (C)
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on another shape. steps: noexcept, no allocation
/// Source   torch.nn.PReLU
template <class T>
class Prelu : public ChannelPointwise<T, Prelu<T>> {
 public:
  static constexpr const char* name = "PReLU";
  explicit Prelu(const Weights<T>& weight)
      : ChannelPointwise<T, Prelu>(channels(weight), [&](Index c) { return weight(c); }, [](Index) { return T(0); }),
        count_(weight.size()) {}
  Index parameters() const noexcept { return count_; }
  double macs(Index in) const noexcept { return static_cast<double>(in); }
  template <class P>
  static EIGENSTREAM_ALWAYS_INLINE P apply(P x, P weight, P) noexcept {
    return select_greater(x, P::broadcast(T(0)), x, weight * x);
  }

 private:
  static Index channels(const Weights<T>& weight) {
    check(weight.shape.size() == 1 && !weight.empty(), "PReLU: weight has shape ", weight.shape_text(),
          ", expected (1) or (channels)");
    return weight.size() == 1 ? Dynamic : weight.size();
  }
  Index count_;
};

/// x + sin(alpha x)^2 / alpha, with an alpha for each channel.
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape; alpha (C)
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on another shape, or an alpha of 0. steps: noexcept, no allocation
/// Source   Ziyin, Hartwig, Ueda 2020, "Neural networks fail to learn periodic functions and how to fix it"
template <class T>
class Snake : public ChannelPointwise<T, Snake<T>> {
 public:
  static constexpr const char* name = "Snake";
  explicit Snake(const Weights<T>& alpha)
      : ChannelPointwise<T, Snake>(channels(alpha), [&](Index c) { return alpha(c); },
                                   [&](Index c) { return T(1) / alpha(c); }) {}
  Index parameters() const noexcept { return this->in_channels(); }
  double macs(Index in) const noexcept { return 3.0 * static_cast<double>(in); }
  template <class P>
  static EIGENSTREAM_ALWAYS_INLINE P apply(P x, P alpha, P inverse) noexcept {
    const P wave = simd::sin(alpha * x);
    return multiply_add(wave * wave, inverse, x);
  }

 private:
  static Index channels(const Weights<T>& alpha) {
    check(alpha.shape.size() == 1 && !alpha.empty(), "Snake: alpha has shape ", alpha.shape_text(),
          ", expected (channels)");
    for (Index c = 0; c < alpha.size(); ++c) check(alpha(c) != T(0), "Snake: alpha of channel ", c, " is 0");
    return alpha.size();
  }
};

static_assert(Layer<Prelu<float>> && Layer<Snake<float>> && Layer<Snake<double>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CHANNEL_POINTWISE_HPP
