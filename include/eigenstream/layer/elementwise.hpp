#ifndef EIGENSTREAM_LAYER_ELEMENTWISE_HPP
#define EIGENSTREAM_LAYER_ELEMENTWISE_HPP

#include <cmath>    // log
#include <numbers>  // pi, sqrt2

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/activation.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What every pointwise layer has in common: any number of channels, y[i] = f(x[i]). A layer derives from it and gives
/// `name`, `apply(packet)`, the function on a packet of numbers, and `mix(fingerprint)`, its options.
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape; x and y may be the same memory
/// Timing   none: a frame in, a frame out
/// Errors   constructors: Error on options out of range. steps: noexcept, no allocation
template <class T, class Derived>
struct Pointwise : StatelessLayer<T> {
  Index in_channels() const noexcept { return Dynamic; }
  Index out_channels(Index in) const noexcept { return in; }
  Index parameters() const noexcept { return 0; }
  double macs(Index) const noexcept { return 0; }
  std::uint64_t fingerprint() const {
    Fingerprint f(Derived::name);
    static_cast<const Derived*>(this)->mix(f);
    return f;
  }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    map_pointwise(x.data, y.data, x.scalars(), [&](P v) EIGENSTREAM_INLINE_LAMBDA {
      return static_cast<const Derived*>(this)->apply(v);
    });
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }
  void mix(Fingerprint&) const {}

 protected:
  using P = simd::Packet<T, simd::max_lanes<T>>;
  static EIGENSTREAM_ALWAYS_INLINE P constant(T value) noexcept { return P::broadcast(value); }
};

/// max(x, 0)
template <class T>
struct Relu : Pointwise<T, Relu<T>> {
  static constexpr const char* name = "ReLU";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return max(x, P::broadcast(T(0)));
  }
};

/// x where x > 0, slope * x elsewhere
template <class T>
struct LeakyRelu : Pointwise<T, LeakyRelu<T>> {
  static constexpr const char* name = "LeakyReLU";
  explicit LeakyRelu(T negative_slope = T(0.01)) : slope(negative_slope) {}
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return select_greater(x, P::broadcast(T(0)), x, P::broadcast(slope) * x);
  }
  void mix(Fingerprint& f) const { f.add(slope); }
  T slope;
};

/// x where x > 0, alpha * (e^x - 1) elsewhere
template <class T>
struct Elu : Pointwise<T, Elu<T>> {
  static constexpr const char* name = "ELU";
  explicit Elu(T alpha_ = T(1)) : alpha(alpha_) {}
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return select_greater(x, P::broadcast(T(0)), x, P::broadcast(alpha) * simd::expm1(x));
  }
  void mix(Fingerprint& f) const { f.add(alpha); }
  T alpha;
};

/// scale * (x where x > 0, alpha * (e^x - 1) elsewhere), with the constants of Klambauer et al. 2017
template <class T>
struct Selu : Pointwise<T, Selu<T>> {
  static constexpr const char* name = "SELU";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    constexpr T scale = T(1.0507009873554804934193349852946), alpha = T(1.6732632423543772848170429916717);
    return select_greater(x, P::broadcast(T(0)), P::broadcast(scale) * x,
                          P::broadcast(scale * alpha) * simd::expm1(x));
  }
};

/// x * sigmoid(x)
template <class T>
struct Silu : Pointwise<T, Silu<T>> {
  static constexpr const char* name = "SiLU";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return x / (P::broadcast(T(1)) + simd::exp(P::broadcast(T(0)) - x));
  }
};

/// x * Phi(x), Phi the normal distribution: exactly by erf
template <class T>
struct Gelu : Pointwise<T, Gelu<T>> {
  static constexpr const char* name = "GELU";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    const P phi = P::broadcast(T(1)) + simd::erf(x * P::broadcast(T(1 / std::numbers::sqrt2)));
    return (P::broadcast(T(0.5)) * x) * phi;
  }
};

/// The tanh approximation of GELU: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
template <class T>
struct GeluTanh : Pointwise<T, GeluTanh<T>> {
  static constexpr const char* name = "GELU tanh";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    const P cubic = multiply_add(P::broadcast(T(0.044715)), x * x, P::broadcast(T(1)));
    const P inner = (P::broadcast(T(0.79788456080286535588)) * x) * cubic;
    return (P::broadcast(T(0.5)) * x) * (P::broadcast(T(1)) + simd::tanh(inner));
  }
};

/// 1 / (1 + e^-x)
template <class T>
struct Sigmoid : Pointwise<T, Sigmoid<T>> {
  static constexpr const char* name = "Sigmoid";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return simd::sigmoid(x);
  }
};

template <class T>
struct Tanh : Pointwise<T, Tanh<T>> {
  static constexpr const char* name = "Tanh";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return simd::tanh(x);
  }
};

/// log(1 + e^(beta x)) / beta; x itself where beta * x > threshold
template <class T>
struct Softplus : Pointwise<T, Softplus<T>> {
  static constexpr const char* name = "Softplus";
  explicit Softplus(T beta_ = T(1), T threshold_ = T(20)) : beta(beta_), threshold(threshold_) {
    check(beta != T(0), "Softplus: beta = 0");
  }
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    const P zero = P::broadcast(T(0)), scaled = P::broadcast(beta) * x;
    const P soft = max(scaled, zero) + simd::log1p(simd::exp(zero - abs(scaled)));
    return select_greater(scaled, P::broadcast(threshold), x, soft / P::broadcast(beta));
  }
  void mix(Fingerprint& f) const { f.add(beta).add(threshold); }
  T beta, threshold;
};

/// x / (1 + |x|)
template <class T>
struct Softsign : Pointwise<T, Softsign<T>> {
  static constexpr const char* name = "Softsign";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return x / (P::broadcast(T(1)) + abs(x));
  }
};

/// x held within [least, most]; ReLU6 is Hardtanh(0, 6)
template <class T>
struct Hardtanh : Pointwise<T, Hardtanh<T>> {
  static constexpr const char* name = "Hardtanh";
  explicit Hardtanh(T least_ = T(-1), T most_ = T(1)) : least(least_), most(most_) {
    check(least <= most, "Hardtanh: min_val = ", least, " above max_val = ", most);
  }
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return min(max(x, P::broadcast(least)), P::broadcast(most));
  }
  void mix(Fingerprint& f) const { f.add(least).add(most); }
  T least, most;
};

/// (x + 3) / 6 held within [0, 1]
template <class T>
struct Hardsigmoid : Pointwise<T, Hardsigmoid<T>> {
  static constexpr const char* name = "Hardsigmoid";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return min(max(x + P::broadcast(T(3)), P::broadcast(T(0))), P::broadcast(T(6))) / P::broadcast(T(6));
  }
};

/// x * ((x + 3) / 6 held within [0, 1])
template <class T>
struct Hardswish : Pointwise<T, Hardswish<T>> {
  static constexpr const char* name = "Hardswish";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return (x * min(max(x + P::broadcast(T(3)), P::broadcast(T(0))), P::broadcast(T(6)))) / P::broadcast(T(6));
  }
};

/// x where x > 0, alpha * (e^(x/alpha) - 1) elsewhere
template <class T>
struct Celu : Pointwise<T, Celu<T>> {
  static constexpr const char* name = "CELU";
  explicit Celu(T alpha_ = T(1)) : alpha(alpha_) { check(alpha != T(0), "CELU: alpha = 0"); }
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    const P a = P::broadcast(alpha);
    return select_greater(x, P::broadcast(T(0)), x, a * simd::expm1(x / a));
  }
  void mix(Fingerprint& f) const { f.add(alpha); }
  T alpha;
};

/// x * tanh(log(1 + e^x)). With u = e^-|x| that is x (1 + 2u) / (1 + 2u + 2u^2) above 0 and x (u^2 + 2u) / (u^2 + 2u + 2)
/// below, where nothing overflows or cancels.
template <class T>
struct Mish : Pointwise<T, Mish<T>> {
  static constexpr const char* name = "Mish";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    const P zero = P::broadcast(T(0)), one = P::broadcast(T(1)), two = P::broadcast(T(2));
    const P u = simd::exp_whole_range(zero - abs(x));
    const P above = select_greater(x, zero, two * u + one, u * (u + two));
    return x * (above / (above + select_greater(x, zero, two * (u * u), two)));
  }
};

/// log(1 / (1 + e^-x))
template <class T>
struct LogSigmoid : Pointwise<T, LogSigmoid<T>> {
  static constexpr const char* name = "LogSigmoid";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    const P zero = P::broadcast(T(0));
    return min(x, zero) - simd::log1p(simd::exp(zero - abs(x)));
  }
};

/// x - tanh(x)
template <class T>
struct Tanhshrink : Pointwise<T, Tanhshrink<T>> {
  static constexpr const char* name = "Tanhshrink";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return x - simd::tanh(x);
  }
};

/// x moved towards 0 by lambd, at most to 0; NaN stays NaN (in PyTorch since 2.6)
template <class T>
struct Softshrink : Pointwise<T, Softshrink<T>> {
  static constexpr const char* name = "Softshrink";
  explicit Softshrink(T lambd_ = T(0.5)) : lambd(lambd_) {
    check(lambd >= T(0), "Softshrink: lambd = ", lambd, ", must not be negative");
  }
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return x - min(max(x, P::broadcast(-lambd)), P::broadcast(lambd));
  }
  void mix(Fingerprint& f) const { f.add(lambd); }
  T lambd;
};

/// x where |x| > lambd, 0 elsewhere
template <class T>
struct Hardshrink : Pointwise<T, Hardshrink<T>> {
  static constexpr const char* name = "Hardshrink";
  explicit Hardshrink(T lambd_ = T(0.5)) : lambd(lambd_) {}
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return keep_nan(x, select_greater(abs(x), P::broadcast(lambd), x, P::broadcast(T(0))));
  }
  void mix(Fingerprint& f) const { f.add(lambd); }
  T lambd;
};

/// x where x > threshold, value elsewhere
template <class T>
struct Threshold : Pointwise<T, Threshold<T>> {
  static constexpr const char* name = "Threshold";
  Threshold(T threshold_, T value_) : threshold(threshold_), value(value_) {}
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return keep_nan(x, select_greater(x, P::broadcast(threshold), x, P::broadcast(value)));
  }
  void mix(Fingerprint& f) const { f.add(threshold).add(value); }
  T threshold, value;
};

/// |x|
template <class T>
struct Abs : Pointwise<T, Abs<T>> {
  static constexpr const char* name = "Abs";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return abs(x);
  }
};

/// e^x
template <class T>
struct Exp : Pointwise<T, Exp<T>> {
  static constexpr const char* name = "Exp";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return simd::exp_whole_range(x);
  }
};

/// The natural logarithm; of 0 minus infinity, of negative numbers NaN
template <class T>
struct Log : Pointwise<T, Log<T>> {
  static constexpr const char* name = "Log";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return simd::log(x);
  }
};

/// The square root; of negative numbers NaN
template <class T>
struct Sqrt : Pointwise<T, Sqrt<T>> {
  static constexpr const char* name = "Sqrt";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return simd::sqrt(x);
  }
};

/// x * x
template <class T>
struct Square : Pointwise<T, Square<T>> {
  static constexpr const char* name = "Square";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return x * x;
  }
};

template <class T>
struct Sin : Pointwise<T, Sin<T>> {
  static constexpr const char* name = "Sin";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return simd::sin(x);
  }
};

template <class T>
struct Cos : Pointwise<T, Cos<T>> {
  static constexpr const char* name = "Cos";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return simd::cos(x);
  }
};

/// 1 / x
template <class T>
struct Reciprocal : Pointwise<T, Reciprocal<T>> {
  static constexpr const char* name = "Reciprocal";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P apply(P x) const noexcept {
    return P::broadcast(T(1)) / x;
  }
};

/// What the pointwise layers with a parameter for each channel have in common; y[c,t] = f(x[c,t], a[c], b[c]).
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
    map_channels(x.data, y.data, x.scalars(), a_, b_,
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
  ChannelPattern<T> a_, b_;
  Fingerprint fingerprint_{""};
};

/// x where x > 0, weight * x elsewhere; one weight for all channels, or one for each.
/// Shapes   weight (1) or (C)
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
/// Shapes   alpha (C)
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

/// Gated linear unit: the first half of the channels times the sigmoid of the second.
/// Shapes   x (2C,T) or (2C,B,T) -> y (C,T) or (C,B,T)
/// Source   torch.nn.GLU over the channel axis
template <class T>
struct Glu : StatelessLayer<T> {
  Index in_channels() const noexcept { return Dynamic; }
  Index out_channels(Index in) const {
    check(in % 2 == 0, "GLU: takes an even number of channels, not ", in);
    return in / 2;
  }
  Index parameters() const noexcept { return 0; }
  double macs(Index in) const noexcept { return 0.5 * static_cast<double>(in); }
  std::uint64_t fingerprint() const { return Fingerprint("GLU"); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const Index half = x.channels / 2;
    for (Index column = 0; column < x.count * x.batch; ++column) {
      const T* from = x.data + column * x.channels;
      T* to = y.data + column * half;
      Index i = 0;
      for (; i + P::lanes <= half; i += P::lanes)
        (P::load(from + i) * simd::sigmoid(P::load(from + half + i))).store(to + i);
      if (i < half)
        (P::load_first(from + i, half - i) * simd::sigmoid(P::load_first(from + half + i, half - i)))
            .store_first(to + i, half - i);
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }
};

/// e^x over the sum of e^x of all channels of the frame.
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape
/// Source   torch.nn.Softmax over the channel axis (over time it needs the whole signal and cannot be streamed)
template <class T>
struct Softmax : StatelessLayer<T> {
  Index in_channels() const noexcept { return Dynamic; }
  Index out_channels(Index in) const noexcept { return in; }
  Index parameters() const noexcept { return 0; }
  double macs(Index in) const noexcept { return static_cast<double>(in); }
  std::uint64_t fingerprint() const { return Fingerprint("Softmax"); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    for (Index column = 0; column < x.count * x.batch; ++column) {
      const T* from = x.data + column * x.channels;
      T* to = y.data + column * x.channels;
      T most = from[0];
      for (Index c = 1; c < x.channels; ++c) most = from[c] > most ? from[c] : most;
      const P top = P::broadcast(most);
      map_pointwise(from, to, x.channels, [&](P v) { return simd::exp(v - top); });
      const P sum = P::broadcast(column_sum(to, x.channels, [](P v) { return v; }));
      map_pointwise(to, to, x.channels, [&](P v) { return v / sum; });
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }
};

/// The logarithm of Softmax: x - log(sum of e^x of all channels of the frame).
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape
/// Source   torch.nn.LogSoftmax over the channel axis
template <class T>
struct LogSoftmax : StatelessLayer<T> {
  Index in_channels() const noexcept { return Dynamic; }
  Index out_channels(Index in) const noexcept { return in; }
  Index parameters() const noexcept { return 0; }
  double macs(Index in) const noexcept { return static_cast<double>(in); }
  std::uint64_t fingerprint() const { return Fingerprint("LogSoftmax"); }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    for (Index column = 0; column < x.count * x.batch; ++column) {
      const T* from = x.data + column * x.channels;
      T most = from[0];
      for (Index c = 1; c < x.channels; ++c) most = from[c] > most ? from[c] : most;
      const P top = P::broadcast(most);
      const P rest = P::broadcast(std::log(column_sum(from, x.channels, [&](P v) { return simd::exp(v - top); })));
      map_pointwise(from, y.data + column * x.channels, x.channels, [&](P v) { return (v - top) - rest; });
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }
};

static_assert(Layer<Relu<float>> && Layer<LeakyRelu<float>> && Layer<Elu<float>> && Layer<Selu<float>> &&
              Layer<Silu<float>> && Layer<Gelu<float>> && Layer<GeluTanh<float>> && Layer<Sigmoid<float>> &&
              Layer<Tanh<float>> && Layer<Softplus<float>> && Layer<Softsign<float>> && Layer<Hardtanh<float>> &&
              Layer<Hardsigmoid<float>> && Layer<Hardswish<float>> && Layer<Prelu<float>> && Layer<Snake<float>> &&
              Layer<Glu<float>> && Layer<Softmax<float>> && Layer<Tanh<double>> && Layer<Snake<double>>);
static_assert(Layer<Celu<float>> && Layer<Mish<float>> && Layer<LogSigmoid<float>> && Layer<Tanhshrink<float>> &&
              Layer<Softshrink<float>> && Layer<Hardshrink<float>> && Layer<Threshold<float>> && Layer<Abs<float>> &&
              Layer<Exp<float>> && Layer<Log<float>> && Layer<Sqrt<float>> && Layer<Square<float>> &&
              Layer<Sin<float>> && Layer<Cos<float>> && Layer<Reciprocal<float>> && Layer<LogSoftmax<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_ELEMENTWISE_HPP
