#ifndef EIGENSTREAM_LAYER_POINTWISE_HPP
#define EIGENSTREAM_LAYER_POINTWISE_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/activation.hpp"
#include "eigenstream/kernel/function.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A layer that does the same to every number: y[i] = f(x[i]), with any number of channels. F is a function of
/// kernel/activation.hpp, whose parameters are the layer's.
/// Shapes   x (C,T) or (C,B,T) -> y of the same shape; x and y may be the same memory
/// Timing   none: a frame in, a frame out
/// Errors   constructors: Error on options out of range. steps: noexcept, no allocation
/// Source   the activations of torch.nn, and functions of torch
template <class T, class F>
class Pointwise : public StatelessLayer<T>, public F {
 public:
  Pointwise() = default;
  explicit Pointwise(F function) : F(function) {}

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const noexcept { return {.out = in}; }
  std::uint64_t fingerprint() const {
    Fingerprint all(F::name);
    if constexpr (requires { this->options([](T) {}); }) this->options([&](T option) { all.add(option); });
    return all;
  }
  EIGENSTREAM_ALWAYS_INLINE Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    map(x.data, y.data, x.scalars());
    return x.count;
  }
  /// The same for n numbers of any frames.
  EIGENSTREAM_ALWAYS_INLINE void map(const T* x, T* y, Index n) const noexcept {
    if constexpr (requires { F::outlined; })
      map_outlined(x, y, n);
    else
      map_inlined<1>(x, y, n);
  }
  static constexpr bool in_place() noexcept { return true; }

 private:
  template <int Together>
  EIGENSTREAM_ALWAYS_INLINE void map_inlined(const T* x, T* y, Index n) const noexcept {
    const F& function = *this;
    kernel::map_pointwise<Together>(x, y, n, [&](auto v) EIGENSTREAM_INLINE_LAMBDA { return function(v); });
  }
  EIGENSTREAM_OUTLINED_WHOLE void map_outlined(const T* x, T* y, Index n) const noexcept { map_inlined<2>(x, y, n); }
};

/// max(x, 0)
template <class T>
using Relu = Pointwise<T, kernel::Relu<T>>;

/// x where x > 0, slope * x elsewhere
template <class T>
struct LeakyRelu : Pointwise<T, kernel::LeakyRelu<T>> {
  explicit LeakyRelu(T negative_slope = T(0.01)) : Pointwise<T, kernel::LeakyRelu<T>>({negative_slope}) {}
};

/// x where x > 0, alpha * (e^x - 1) elsewhere
template <class T>
struct Elu : Pointwise<T, kernel::Elu<T>> {
  explicit Elu(T alpha_ = T(1)) : Pointwise<T, kernel::Elu<T>>({alpha_}) {}
};

/// scale * (x where x > 0, alpha * (e^x - 1) elsewhere), with the constants of Klambauer et al. 2017
template <class T>
using Selu = Pointwise<T, kernel::Selu<T>>;

/// x * sigmoid(x)
template <class T>
using Silu = Pointwise<T, kernel::Silu<T>>;

/// x * Phi(x), Phi the normal distribution: exactly by erf
template <class T>
using Gelu = Pointwise<T, kernel::Gelu<T>>;

/// The tanh approximation of GELU: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
template <class T>
using GeluTanh = Pointwise<T, kernel::GeluTanh<T>>;

/// 1 / (1 + e^-x)
template <class T>
using Sigmoid = Pointwise<T, kernel::Sigmoid<T>>;

template <class T>
using Tanh = Pointwise<T, kernel::Tanh<T>>;

/// log(1 + e^(beta x)) / beta; x itself where beta * x > threshold
template <class T>
struct Softplus : Pointwise<T, kernel::Softplus<T>> {
  explicit Softplus(T beta_ = T(1), T threshold_ = T(20)) : Pointwise<T, kernel::Softplus<T>>({beta_, threshold_}) {
    check(beta_ != T(0), "Softplus: beta = 0");
  }
};

/// x / (1 + |x|)
template <class T>
using Softsign = Pointwise<T, kernel::Softsign<T>>;

/// x held within [least, most]; ReLU6 is Hardtanh(0, 6)
template <class T>
struct Hardtanh : Pointwise<T, kernel::Hardtanh<T>> {
  explicit Hardtanh(T least_ = T(-1), T most_ = T(1)) : Pointwise<T, kernel::Hardtanh<T>>({least_, most_}) {
    check(least_ <= most_, "Hardtanh: min_val = ", least_, " above max_val = ", most_);
  }
};

/// x held within [least, most], but beyond it goes on with a slope
template <class T>
struct LeakyHardtanh : Pointwise<T, kernel::LeakyHardtanh<T>> {
  explicit LeakyHardtanh(T least_ = T(-1), T most_ = T(1), T least_slope_ = T(0.01), T most_slope_ = T(0.01))
      : Pointwise<T, kernel::LeakyHardtanh<T>>({least_, most_, least_slope_, most_slope_}) {
    check(least_ <= most_, "LeakyHardtanh: min_val = ", least_, " above max_val = ", most_);
  }
};

/// A quotient of polynomials near tanh, see kernel/activation.hpp: what players of amplifier models have in its place
template <class T>
using FastTanh = Pointwise<T, kernel::FastTanh<T>>;

/// (x + 3) / 6 held within [0, 1]
template <class T>
using Hardsigmoid = Pointwise<T, kernel::Hardsigmoid<T>>;

/// x * ((x + 3) / 6 held within [0, 1])
template <class T>
using Hardswish = Pointwise<T, kernel::Hardswish<T>>;

/// x where x > 0, alpha * (e^(x/alpha) - 1) elsewhere
template <class T>
struct Celu : Pointwise<T, kernel::Celu<T>> {
  explicit Celu(T alpha_ = T(1)) : Pointwise<T, kernel::Celu<T>>({alpha_}) {
    check(alpha_ != T(0), "CELU: alpha = 0");
  }
};

/// x * tanh(log(1 + e^x)). With u = e^-|x| that is x (1 + 2u) / (1 + 2u + 2u^2) above 0 and x (u^2 + 2u) / (u^2 + 2u + 2)
/// below, where nothing overflows or cancels.
template <class T>
using Mish = Pointwise<T, kernel::Mish<T>>;

/// log(1 / (1 + e^-x))
template <class T>
using LogSigmoid = Pointwise<T, kernel::LogSigmoid<T>>;

/// x - tanh(x)
template <class T>
using Tanhshrink = Pointwise<T, kernel::Tanhshrink<T>>;

/// x moved towards 0 by lambd, at most to 0; NaN stays NaN (in PyTorch since 2.6)
template <class T>
struct Softshrink : Pointwise<T, kernel::Softshrink<T>> {
  explicit Softshrink(T lambd_ = T(0.5)) : Pointwise<T, kernel::Softshrink<T>>({lambd_}) {
    check(lambd_ >= T(0), "Softshrink: lambd = ", lambd_, ", must not be negative");
  }
};

/// x where |x| > lambd, 0 elsewhere
template <class T>
struct Hardshrink : Pointwise<T, kernel::Hardshrink<T>> {
  explicit Hardshrink(T lambd_ = T(0.5)) : Pointwise<T, kernel::Hardshrink<T>>({lambd_}) {}
};

/// x where x > threshold, value elsewhere
template <class T>
struct Threshold : Pointwise<T, kernel::Threshold<T>> {
  Threshold(T threshold_, T value_) : Pointwise<T, kernel::Threshold<T>>({threshold_, value_}) {}
};

/// |x|
template <class T>
using Abs = Pointwise<T, kernel::Abs<T>>;

/// e^x
template <class T>
using Exp = Pointwise<T, kernel::Exp<T>>;

/// The natural logarithm; of 0 minus infinity, of negative numbers NaN
template <class T>
using Log = Pointwise<T, kernel::Log<T>>;

/// The square root; of negative numbers NaN
template <class T>
using Sqrt = Pointwise<T, kernel::Sqrt<T>>;

/// x * x
template <class T>
using Square = Pointwise<T, kernel::Square<T>>;

template <class T>
using Sin = Pointwise<T, kernel::Sin<T>>;

template <class T>
using Cos = Pointwise<T, kernel::Cos<T>>;

/// 1 / x
template <class T>
using Reciprocal = Pointwise<T, kernel::Reciprocal<T>>;

/// x to the power of a number; of negative ones NaN, unless it is a whole number
template <class T>
struct Power : Pointwise<T, kernel::Power<T>> {
  explicit Power(T exponent_) : Pointwise<T, kernel::Power<T>>({exponent_}) {}
};

/// 1 where x compares with a value as said, else 0; with NaN only not_equal is true
template <class T>
struct Compare : Pointwise<T, kernel::Compare<T>> {
  explicit Compare(Comparison op_, T value_ = T(0)) : Pointwise<T, kernel::Compare<T>>({op_, value_}) {}
};

/// Functions of mathematics, each by its name: Elementary<float, Function::tan>
template <class T, Function f>
using Elementary = Pointwise<T, kernel::Elementary<T, f>>;

static_assert(Layer<Power<float>> && Layer<Compare<float>> && Layer<Elementary<float, Function::expm1>>);
static_assert(Layer<Relu<float>> && Layer<LeakyRelu<float>> && Layer<Elu<float>> && Layer<Selu<float>> && Layer<Silu<float>> &&
              Layer<Gelu<float>> && Layer<GeluTanh<float>> && Layer<Sigmoid<float>> && Layer<Tanh<float>> && Layer<Softplus<float>> &&
              Layer<Softsign<float>> && Layer<Hardtanh<float>> && Layer<LeakyHardtanh<float>> && Layer<FastTanh<float>> && Layer<Hardsigmoid<float>> && Layer<Hardswish<float>> && Layer<Celu<float>> &&
              Layer<Mish<float>> && Layer<LogSigmoid<float>> && Layer<Tanhshrink<float>> && Layer<Softshrink<float>> && Layer<Hardshrink<float>> &&
              Layer<Threshold<float>> && Layer<Abs<float>> && Layer<Exp<float>> && Layer<Log<float>> && Layer<Sqrt<float>> &&
              Layer<Square<float>> && Layer<Sin<float>> && Layer<Cos<float>> && Layer<Reciprocal<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_POINTWISE_HPP
