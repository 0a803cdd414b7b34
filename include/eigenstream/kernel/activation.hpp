#ifndef EIGENSTREAM_KERNEL_ACTIVATION_HPP
#define EIGENSTREAM_KERNEL_ACTIVATION_HPP

#include <numbers>  // pi, sqrt2

#include "eigenstream/kernel/elementary.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

// Functions of one number, on packets: what pointwise layers apply, and what kernels may apply before they store. Each has a
// name, and options(visit) that visits its parameters; `outlined` are those so long that a loop over them is a function by
// itself, with all they call inside, wherever it is used.

namespace kernel {

/// max(x, 0)
template <class T>
struct Relu {
  static constexpr const char* name = "ReLU";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return max(x, P::broadcast(T(0)));
  }
};

/// x where x > 0, slope * x elsewhere
template <class T>
struct LeakyRelu {
  static constexpr const char* name = "LeakyReLU";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return select_greater(x, P::broadcast(T(0)), x, P::broadcast(slope) * x);
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(slope);
  }
  T slope = T(0.01);
};

/// x where x > 0, alpha * (e^x - 1) elsewhere
template <class T>
struct Elu {
  static constexpr const char* name = "ELU";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return select_greater(x, P::broadcast(T(0)), x, P::broadcast(alpha) * simd::expm1(x));
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(alpha);
  }
  T alpha = T(1);
};

/// scale * (x where x > 0, alpha * (e^x - 1) elsewhere), with the constants of Klambauer et al. 2017
template <class T>
struct Selu {
  static constexpr const char* name = "SELU";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    constexpr T scale = T(1.0507009873554804934193349852946), alpha = T(1.6732632423543772848170429916717);
    return select_greater(x, P::broadcast(T(0)), P::broadcast(scale) * x,
                          P::broadcast(scale * alpha) * simd::expm1(x));
  }
};

/// x * sigmoid(x)
template <class T>
struct Silu {
  static constexpr const char* name = "SiLU";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return x * simd::sigmoid(x);
  }
};

/// x * Phi(x), Phi the normal distribution: exactly by erf
template <class T>
struct Gelu {
  static constexpr const char* name = "GELU";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    const P phi = P::broadcast(T(1)) + simd::erf(x * P::broadcast(T(1 / std::numbers::sqrt2)));
    return (P::broadcast(T(0.5)) * x) * phi;
  }
};

/// The tanh approximation of GELU: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
template <class T>
struct GeluTanh {
  static constexpr const char* name = "GELU tanh";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    const P cubic = multiply_add(P::broadcast(T(0.044715)), x * x, P::broadcast(T(1)));
    const P inner = (P::broadcast(T(0.79788456080286535588)) * x) * cubic;
    return (P::broadcast(T(0.5)) * x) * (P::broadcast(T(1)) + simd::tanh(inner));
  }
};

/// 1 / (1 + e^-x)
template <class T>
struct Sigmoid {
  static constexpr const char* name = "Sigmoid";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return simd::sigmoid(x);
  }
};

template <class T>
struct Tanh {
  static constexpr const char* name = "Tanh";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return simd::tanh(x);
  }
};

/// A quotient of polynomials near tanh, by which many players of amplifier models replace it: off by up to 0.012, and 1.008
/// far out. With s = |x|: x (a + a s + (b + c s) x^2) / (d + (d + x^2) |x + e x s|).
template <class T>
struct FastTanh {
  static constexpr const char* name = "Fasttanh";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return simd::fast_tanh(x);
  }
};

/// x between `least` and `most`, and lines of other slopes beyond
template <class T>
struct LeakyHardtanh {
  static constexpr const char* name = "LeakyHardtanh";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    const P low = P::broadcast(least), high = P::broadcast(most);
    const P above = multiply_add(P::broadcast(most_slope), x - high, high);
    const P below = multiply_add(P::broadcast(least_slope), x - low, low);
    return select_greater(x, high, above, select_greater(low, x, below, x));
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(least); visit(most); visit(least_slope); visit(most_slope);
  }
  T least = T(-1), most = T(1), least_slope = T(0.01), most_slope = T(0.01);
};

/// log(1 + e^(beta x)) / beta; x itself where beta * x > threshold
template <class T>
struct Softplus {
  static constexpr const char* name = "Softplus";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    const P zero = P::broadcast(T(0)), scaled = P::broadcast(beta) * x;
    const P soft = max(scaled, zero) + simd::log1p(simd::exp(zero - abs(scaled)));
    return select_greater(scaled, P::broadcast(threshold), x, soft / P::broadcast(beta));
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(beta); visit(threshold);
  }
  T beta = T(1), threshold = T(20);
};

/// x / (1 + |x|)
template <class T>
struct Softsign {
  static constexpr const char* name = "Softsign";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return x / (P::broadcast(T(1)) + abs(x));
  }
};

/// x held within [least, most]; ReLU6 is Hardtanh(0, 6)
template <class T>
struct Hardtanh {
  static constexpr const char* name = "Hardtanh";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return min(max(x, P::broadcast(least)), P::broadcast(most));
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(least); visit(most);
  }
  T least = T(-1), most = T(1);
};

/// (x + 3) / 6 held within [0, 1]
template <class T>
struct Hardsigmoid {
  static constexpr const char* name = "Hardsigmoid";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return min(max(x + P::broadcast(T(3)), P::broadcast(T(0))), P::broadcast(T(6))) / P::broadcast(T(6));
  }
};

/// x * ((x + 3) / 6 held within [0, 1])
template <class T>
struct Hardswish {
  static constexpr const char* name = "Hardswish";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return (x * min(max(x + P::broadcast(T(3)), P::broadcast(T(0))), P::broadcast(T(6)))) / P::broadcast(T(6));
  }
};

/// x where x > 0, alpha * (e^(x/alpha) - 1) elsewhere
template <class T>
struct Celu {
  static constexpr const char* name = "CELU";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    const P a = P::broadcast(alpha);
    return select_greater(x, P::broadcast(T(0)), x, a * simd::expm1(x / a));
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(alpha);
  }
  T alpha = T(1);
};

/// x * tanh(log(1 + e^x)). With u = e^-|x| that is x (1 + 2u) / (1 + 2u + 2u^2) above 0 and x (u^2 + 2u) / (u^2 + 2u + 2)
/// below, where nothing overflows or cancels.
template <class T>
struct Mish {
  static constexpr const char* name = "Mish";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    const P zero = P::broadcast(T(0)), one = P::broadcast(T(1)), two = P::broadcast(T(2));
    const P u = simd::exp_whole_range(zero - abs(x));
    const P above = select_greater(x, zero, two * u + one, u * (u + two));
    return x * (above / (above + select_greater(x, zero, two * (u * u), two)));
  }
};

/// log(1 / (1 + e^-x))
template <class T>
struct LogSigmoid {
  static constexpr const char* name = "LogSigmoid";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    const P zero = P::broadcast(T(0));
    return min(x, zero) - simd::log1p(simd::exp(zero - abs(x)));
  }
};

/// x - tanh(x)
template <class T>
struct Tanhshrink {
  static constexpr const char* name = "Tanhshrink";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return x - simd::tanh(x);
  }
};

/// x moved towards 0 by lambd, at most to 0; NaN stays NaN (in PyTorch since 2.6)
template <class T>
struct Softshrink {
  static constexpr const char* name = "Softshrink";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return x - min(max(x, P::broadcast(-lambd)), P::broadcast(lambd));
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(lambd);
  }
  T lambd = T(0.5);
};

/// x where |x| > lambd, 0 elsewhere
template <class T>
struct Hardshrink {
  static constexpr const char* name = "Hardshrink";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return keep_nan(x, select_greater(abs(x), P::broadcast(lambd), x, P::broadcast(T(0))));
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(lambd);
  }
  T lambd = T(0.5);
};

/// x where x > threshold, value elsewhere
template <class T>
struct Threshold {
  static constexpr const char* name = "Threshold";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return keep_nan(x, select_greater(x, P::broadcast(threshold), x, P::broadcast(value)));
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit(threshold); visit(value);
  }
  T threshold = T(0), value = T(0);
};

/// |x|
template <class T>
struct Abs {
  static constexpr const char* name = "Abs";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return abs(x);
  }
};

/// e^x
template <class T>
struct Exp {
  static constexpr const char* name = "Exp";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return simd::exp_whole_range(x);
  }
};

/// The natural logarithm; of 0 minus infinity, of negative numbers NaN
template <class T>
struct Log {
  static constexpr const char* name = "Log";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return simd::log(x);
  }
};

/// The square root; of negative numbers NaN
template <class T>
struct Sqrt {
  static constexpr const char* name = "Sqrt";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return simd::sqrt(x);
  }
};

/// x * x
template <class T>
struct Square {
  static constexpr const char* name = "Square";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return x * x;
  }
};

template <class T>
struct Sin {
  static constexpr const char* name = "Sin";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return simd::sin(x);
  }
};

template <class T>
struct Cos {
  static constexpr const char* name = "Cos";
  static constexpr bool outlined = true;
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return simd::cos(x);
  }
};

/// 1 / x
template <class T>
struct Reciprocal {
  static constexpr const char* name = "Reciprocal";
  template <class P>
  EIGENSTREAM_ALWAYS_INLINE P operator()(P x) const noexcept {
    return P::broadcast(T(1)) / x;
  }
};

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_ACTIVATION_HPP
