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
  FrameShape wanted() const noexcept { return FrameShape::any(channels_); }
  Facts facts(const FrameShape& in) const {
    check_channels(Derived::name, channels_, in);
    return {.out = in, .parameters = parameters_, .macs = Derived::macs_each * static_cast<double>(in.size())};
  }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    map(x.data, y.data, x.scalars());
    return x.count;
  }
  /// The same for n numbers that begin with channel 0.
  EIGENSTREAM_ALWAYS_INLINE void map(const T* x, T* y, Index n) const noexcept {
    kernel::map_channels(x, y, n, a_, b_,
                         [](auto v, auto a, auto b) EIGENSTREAM_INLINE_LAMBDA { return Derived::apply(v, a, b); });
  }
  static constexpr bool in_place() noexcept { return true; }

 protected:
  // `parameters` one for each channel, or one for any number of them.
  template <class A, class B>
  ChannelPointwise(Index parameters, bool one_for_all, A&& a, B&& b)
      : channels_(one_for_all ? 0 : parameters), parameters_(parameters), a_(parameters, a), b_(parameters, b) {
    fingerprint_ = Fingerprint(Derived::name).add(one_for_all ? Dynamic : parameters);
    for (Index c = 0; c < parameters; ++c) fingerprint_.add(a(c)).add(b(c));
  }

 private:
  Index channels_, parameters_;
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
  static constexpr double macs_each = 1;
  explicit Prelu(const Weights<T>& weight)
      : ChannelPointwise<T, Prelu>(count(weight), weight.size() == 1, [&](Index c) { return weight(c); },
                                   [](Index) { return T(0); }) {}
  template <class P>
  static EIGENSTREAM_ALWAYS_INLINE P apply(P x, P weight, P) noexcept {
    return select_greater(x, P::broadcast(T(0)), x, weight * x);
  }

 private:
  static Index count(const Weights<T>& weight) {
    check(weight.shape.size() == 1 && !weight.empty(), "PReLU: weight has shape ", weight.shape_text(),
          ", expected (1) or (channels)");
    return weight.size();
  }
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
  static constexpr double macs_each = 3;
  explicit Snake(const Weights<T>& alpha)
      : ChannelPointwise<T, Snake>(channels(alpha), false, [&](Index c) { return alpha(c); },
                                   [&](Index c) { return T(1) / alpha(c); }) {}
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

static_assert(Layer<Prelu<float>> && Layer<Snake<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_CHANNEL_POINTWISE_HPP
