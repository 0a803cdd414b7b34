#include "eigenstream/layer/pointwise.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "eigenstream/layer/channel_pointwise.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::AnyLayer;
using es::Index;

namespace {

/// A pointwise layer and what PyTorch computes, in double.
template <class T>
struct Function {
  std::string name;
  AnyLayer<T> layer;
  std::function<double(double)> exact;
};

double clamp(double x, double least, double most) { return std::isnan(x) ? x : std::min(std::max(x, least), most); }

template <class T>
std::vector<Function<T>> functions() {
  using F = es::Function;
  const auto leaky = [](double slope) { return [slope](double x) { return x > 0 ? x : slope * x; }; };
  const auto elu = [](double alpha) { return [alpha](double x) { return x > 0 ? x : alpha * std::expm1(x); }; };
  return {
      {"ReLU", es::Relu<T>(), [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); }},
      {"LeakyReLU", es::LeakyRelu<T>(), leaky(0.01)},
      {"LeakyReLU 0.3", es::LeakyRelu<T>(T(0.3)), leaky(0.3)},
      {"PReLU", es::Prelu<T>(es::Weights<T>({1}, {T(-0.25)})), leaky(-0.25)},
      {"ELU", es::Elu<T>(), elu(1)},
      {"ELU 1.7", es::Elu<T>(T(1.7)), elu(1.7)},
      {"SELU", es::Selu<T>(),
       [](double x) { return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x)); }},
      {"SiLU", es::Silu<T>(), [](double x) { return x / (1 + std::exp(-x)); }},
      {"GELU", es::Gelu<T>(), [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
      {"GELU tanh", es::GeluTanh<T>(),
       [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))); }},
      {"Sigmoid", es::Sigmoid<T>(), [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Tanh", es::Tanh<T>(), [](double x) { return std::tanh(x); }},
      {"Softplus", es::Softplus<T>(), [](double x) { return x > 20 ? x : std::log1p(std::exp(x)); }},
      {"Softplus 3, 2", es::Softplus<T>(T(3), T(2)),
       [](double x) { return 3 * x > 2 ? x : std::log1p(std::exp(3 * x)) / 3; }},
      {"Softplus -2", es::Softplus<T>(T(-2)),
       [](double x) { return -2 * x > 20 ? x : std::log1p(std::exp(-2 * x)) / -2; }},
      {"Softsign", es::Softsign<T>(), [](double x) { return x / (1 + std::abs(x)); }},
      {"Hardtanh", es::Hardtanh<T>(), [](double x) { return clamp(x, -1, 1); }},
      {"ReLU6", es::Hardtanh<T>(T(0), T(6)), [](double x) { return clamp(x, 0, 6); }},
      {"LeakyHardtanh", es::LeakyHardtanh<T>(),
       [](double x) { return x > 1 ? 1 + 0.01 * (x - 1) : x < -1 ? -1 + 0.01 * (x + 1) : x; }},
      {"LeakyHardtanh -0.5, 2, 0.25, -0.125", es::LeakyHardtanh<T>(T(-0.5), T(2), T(0.25), T(-0.125)),
       [](double x) { return x > 2 ? 2 - 0.125 * (x - 2) : x < -0.5 ? -0.5 + 0.25 * (x + 0.5) : x; }},
      {"Fasttanh", es::FastTanh<T>(),
       [](double given) {
         const double x = clamp(given, -1e9, 1e9), s = std::abs(x), q = x * x;
         return x * (2.45550750702956 + 2.45550750702956 * s + (0.893229853513558 + 0.821226666969744 * s) * q) /
                (2.44506634652299 + (2.44506634652299 + q) * std::abs(x + 0.814642734961073 * x * s));
       }},
      {"Hardsigmoid", es::Hardsigmoid<T>(), [](double x) { return clamp(x + 3, 0, 6) / 6; }},
      {"Hardswish", es::Hardswish<T>(), [](double x) { return x * clamp(x + 3, 0, 6) / 6; }},
      {"CELU", es::Celu<T>(), elu(1)},
      {"CELU 2.5", es::Celu<T>(T(2.5)), [](double x) { return x > 0 ? x : 2.5 * std::expm1(x / 2.5); }},
      {"Mish", es::Mish<T>(), [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {"LogSigmoid", es::LogSigmoid<T>(),
       [](double x) { return std::isnan(x) ? x : std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))); }},
      {"Tanhshrink", es::Tanhshrink<T>(), [](double x) { return x - std::tanh(x); }},
      {"Softshrink", es::Softshrink<T>(), [](double x) { return x - clamp(x, -0.5, 0.5); }},
      {"Softshrink 2", es::Softshrink<T>(T(2)), [](double x) { return x - clamp(x, -2, 2); }},
      {"Hardshrink", es::Hardshrink<T>(), [](double x) { return std::abs(x) <= 0.5 ? 0 : x; }},
      {"Hardshrink 0.25", es::Hardshrink<T>(T(0.25)), [](double x) { return std::abs(x) <= 0.25 ? 0 : x; }},
      {"Threshold", es::Threshold<T>(T(0.25), T(-7)), [](double x) { return x <= 0.25 ? -7 : x; }},
      {"Abs", es::Abs<T>(), [](double x) { return std::abs(x); }},
      {"Exp", es::Exp<T>(), [](double x) { return std::exp(x); }},
      {"Log", es::Log<T>(), [](double x) { return std::log(x); }},
      {"Sqrt", es::Sqrt<T>(), [](double x) { return std::sqrt(x); }},
      {"Square", es::Square<T>(), [](double x) { return x * x; }},
      {"Sin", es::Sin<T>(), [](double x) { return std::sin(x); }},
      {"Cos", es::Cos<T>(), [](double x) { return std::cos(x); }},
      {"Reciprocal", es::Reciprocal<T>(), [](double x) { return 1 / x; }},
      {"Expm1", es::Elementary<T, F::expm1>(), [](double x) { return std::expm1(x); }},
      {"Log1p", es::Elementary<T, F::log1p>(), [](double x) { return std::log1p(x); }},
      {"Erf", es::Elementary<T, F::erf>(), [](double x) { return std::erf(x); }},
      {"Tan", es::Elementary<T, F::tan>(), [](double x) { return std::tan(x); }},
      {"Asin", es::Elementary<T, F::asin>(), [](double x) { return std::asin(x); }},
      {"Acos", es::Elementary<T, F::acos>(), [](double x) { return std::acos(x); }},
      {"Atan", es::Elementary<T, F::atan>(), [](double x) { return std::atan(x); }},
      {"Sinh", es::Elementary<T, F::sinh>(), [](double x) { return std::sinh(x); }},
      {"Cosh", es::Elementary<T, F::cosh>(), [](double x) { return std::cosh(x); }},
      {"Asinh", es::Elementary<T, F::asinh>(), [](double x) { return std::asinh(x); }},
      {"Acosh", es::Elementary<T, F::acosh>(), [](double x) { return std::acosh(x); }},
      {"Atanh", es::Elementary<T, F::atanh>(), [](double x) { return std::atanh(x); }},
      {"Floor", es::Elementary<T, F::floor>(), [](double x) { return std::floor(x); }},
      {"Ceil", es::Elementary<T, F::ceil>(), [](double x) { return std::ceil(x); }},
      {"Round", es::Elementary<T, F::round>(), [](double x) { return std::nearbyint(x); }},
      {"Trunc", es::Elementary<T, F::trunc>(), [](double x) { return std::trunc(x); }},
      {"Power 3", es::Power<T>(T(3)), [](double x) { return std::pow(x, 3); }},
      {"Power -0.5", es::Power<T>(T(-0.5)), [](double x) { return std::pow(x, -0.5); }},
      {"Snake", es::Snake<T>(es::Weights<T>({1}, {T(1.5)})),
       [](double x) { return x + std::sin(1.5 * x) * std::sin(1.5 * x) / 1.5; }},
  };
}

/// What is beyond the numbers of T is infinite.
template <class T>
double within(double x) {
  if (std::abs(x) <= static_cast<double>(std::numeric_limits<T>::max()) || std::isnan(x)) return x;
  return std::copysign(std::numeric_limits<double>::infinity(), x);
}

template <class T>
T apply(const AnyLayer<T>& layer, T x) {
  support::Signal<T> signal(1, 1, 1);
  signal(0, 0, 0) = x;
  return support::offline(layer, signal)(0, 0, 0);
}

}  // namespace

TEMPLATE_TEST_CASE("Pointwise layers: any chunking gives the offline output", "[layer][property]", float, double) {
  for (const Function<TestType>& f : functions<TestType>()) {
    if (f.layer.wanted().channels != 0) continue;  // Snake: below
    support::check_contract(f.layer, 1, {.channels = 3, .name = f.name});
    for (const Index channels : {1, 2, 5, 8, 17, 33, 65})
      support::check_contract(f.layer, channels == 2 ? 3 : 1, {.channels = channels, .light = true, .name = f.name});
  }
}

TEMPLATE_TEST_CASE("Pointwise layers: the function in double", "[layer]", float, double) {
  using T = TestType;
  for (const Function<T>& f : functions<T>()) {
    INFO(f.name);
    support::Signal<T> x(1, 1, 2001);
    support::Signal<double> expected(1, 1, 2001);
    for (const double range : {1.0, 12.0, 200.0}) {
      for (Index t = 0; t < 2001; ++t) {
        x(0, 0, t) = static_cast<T>(range * (static_cast<double>(t) / 1000 - 1));
        expected(0, 0, t) = within<T>(f.exact(static_cast<double>(x(0, 0, t))));
      }
      const bool wide = f.name == "Snake" && range > 100;  // its argument is rounded before the sine
      CHECK(support::difference(support::offline(f.layer, x), expected) < (wide ? 10 : 1) * support::tolerance<T> / 3);
    }
  }
}

TEMPLATE_TEST_CASE("Pointwise layers: NaN, infinities, zeros and great numbers", "[layer]", float, double) {
  using T = TestType;
  const T inf = std::numeric_limits<T>::infinity();
  for (const Function<T>& f : functions<T>()) {
    CHECK(std::isnan(apply(f.layer, std::numeric_limits<T>::quiet_NaN())));
    for (const T x : {T(0), T(-0.0), std::numeric_limits<T>::denorm_min(), T(1e-30), T(-1e-30), T(89), T(-89), T(110),
                      T(-110), T(1e4), T(-1e4), T(1e12), T(-1e12), T(1e30), T(-1e30), inf, -inf}) {
      if (f.name == "Snake" && std::abs(x) > 100) continue;
      const double expected = within<T>(f.exact(static_cast<double>(x))), y = static_cast<double>(apply(f.layer, x));
      INFO(f.name << " of " << x << " gives " << y << ", expected " << expected);
      if (std::isnan(expected))
        CHECK(std::isnan(y));
      else if (std::isinf(expected))
        CHECK(y == expected);
      else
        CHECK(std::abs(y - expected) <= support::tolerance<T> * std::max(1.0, std::abs(expected)));
    }
  }
}

TEMPLATE_TEST_CASE("Pointwise layers: signs and comparisons", "[layer]", float, double) {
  using T = TestType;
  using C = es::Comparison;
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  const T x[] = {T(-2), T(0.5), T(0.5) + std::numeric_limits<T>::epsilon(), T(3), -inf, inf, nan};
  const T v = T(0.5);
  for (const T a : x) {
    CHECK(apply<T>(es::Compare<T>(C::greater, v), a) == T(a > v));
    CHECK(apply<T>(es::Compare<T>(C::greater_equal, v), a) == T(a >= v));
    CHECK(apply<T>(es::Compare<T>(C::less, v), a) == T(a < v));
    CHECK(apply<T>(es::Compare<T>(C::less_equal, v), a) == T(a <= v));
    CHECK(apply<T>(es::Compare<T>(C::equal, v), a) == T(a == v));
    CHECK(apply<T>(es::Compare<T>(C::not_equal, v), a) == T(a != v));
    CHECK(apply<T>(es::Elementary<T, es::Function::sign>(), a) == T((a > 0) - (a < 0)));
  }
  CHECK(es::Compare<T>(C::less, v).fingerprint() != es::Compare<T>(C::equal, v).fingerprint());
  CHECK(es::Compare<T>(C::less, v).fingerprint() != es::Compare<T>(C::less, T(0)).fingerprint());
  support::check_contract(es::Compare<T>(C::greater, v), 2, {.channels = 3, .exact = false, .carries = false});
  support::check_contract(es::Elementary<T, es::Function::sign>(), 2, {.channels = 3, .exact = false, .carries = false});
}

TEST_CASE("Pointwise layers: fingerprints tell layers and options apart", "[layer]") {
  const auto all = functions<float>();
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < all.size(); ++j) {
      INFO(all[i].name << " and " << all[j].name);
      CHECK((all[i].layer.fingerprint() == all[j].layer.fingerprint()) == (i == j));
    }
}

TEST_CASE("Pointwise layers: options out of range are refused by name", "[layer][error]") {
  using support::counting;
  using support::refuses;
  CHECK(refuses([] { es::Softplus<float>(0.0f); }, {"Softplus", "beta = 0"}));
  CHECK(refuses([] { es::Celu<float>(0.0f); }, {"CELU", "alpha = 0"}));
  CHECK(refuses([] { es::Softshrink<float>(-1.0f); }, {"Softshrink", "lambd = -1"}));
  CHECK(refuses([] { es::Hardtanh<float>(2.0f, 1.0f); }, {"Hardtanh", "min_val = 2", "max_val = 1"}));
  CHECK(refuses([] { es::Prelu<float>(counting({2, 1})); }, {"PReLU", "(2,1)"}));
  CHECK(refuses([] { es::Prelu<float>({}); }, {"PReLU", "weight"}));
  CHECK(refuses([] { es::Prelu<float>(counting({3})).facts({2}); }, {"PReLU", "3 channels", "not 2"}));
  CHECK(refuses([] { es::Snake<float>(counting({2, 1})); }, {"Snake", "(2,1)"}));
  CHECK(refuses([] { es::Snake<float>(es::Weights<float>({2}, {1, 0})); }, {"Snake", "channel 1"}));
  CHECK(refuses([] { es::Snake<float>(counting({3})).facts({2}); }, {"Snake", "3 channels", "not 2"}));
  CHECK(refuses([] { es::Glu<float>().facts({3}); }, {"GLU", "3"}));
  CHECK(es::Prelu<float>(counting({1})).facts({7}).out.channels == 7);
}
