#include "eigenstream/kernel/activation.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/lanes.hpp"

namespace es = eigenstream;
using support::check_lanes;

namespace {

template <class F>
std::vector<float> options_of(const F& function) {
  std::vector<float> all;
  function.options([&](float value) { all.push_back(value); });
  return all;
}

}  // namespace

TEST_CASE("activation functions: on a packet as on a number", "[kernel][property]") {
  namespace k = es::kernel;
  check_lanes(k::Relu<float>{}), check_lanes(k::LeakyRelu<float>{}), check_lanes(k::Elu<float>{});
  check_lanes(k::Selu<float>{}), check_lanes(k::Silu<float>{}), check_lanes(k::Gelu<float>{});
  check_lanes(k::GeluTanh<float>{}), check_lanes(k::Sigmoid<float>{}), check_lanes(k::Tanh<float>{});
  check_lanes(k::Softplus<float>{}), check_lanes(k::Softsign<float>{}), check_lanes(k::Hardtanh<float>{});
  check_lanes(k::LeakyHardtanh<float>{}), check_lanes(k::FastTanh<float>{});
  check_lanes(k::Hardsigmoid<float>{}), check_lanes(k::Hardswish<float>{}), check_lanes(k::Celu<float>{});
  check_lanes(k::Mish<float>{}), check_lanes(k::LogSigmoid<float>{}), check_lanes(k::Tanhshrink<float>{});
  check_lanes(k::Softshrink<float>{}), check_lanes(k::Hardshrink<float>{}), check_lanes(k::Threshold<float>{});
  check_lanes(k::Abs<float>{}), check_lanes(k::Exp<float>{}), check_lanes(k::Log<float>{});
  check_lanes(k::Sqrt<float>{}), check_lanes(k::Square<float>{}), check_lanes(k::Sin<float>{});
  check_lanes(k::Cos<float>{}), check_lanes(k::Reciprocal<float>{});
}

TEST_CASE("activation functions: their options in order", "[kernel]") {
  CHECK(options_of(es::kernel::Hardtanh<float>{-2, 3}) == std::vector<float>{-2, 3});
  CHECK(options_of(es::kernel::Softplus<float>{}) == std::vector<float>{1, 20});
  CHECK(options_of(es::kernel::Elu<float>{0.5f}) == std::vector<float>{0.5f});
  CHECK(std::string(es::kernel::GeluTanh<float>::name) == "GELU tanh");
}
