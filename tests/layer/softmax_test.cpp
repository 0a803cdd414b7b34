#include "eigenstream/layer/softmax.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("Softmax: great numbers do not overflow, NaN takes its frame only", "[layer]") {
  support::Signal<float> x(3, 1, 3);
  x.setValues({{{1000, 0, 1}}, {{1001, -1000, 2}}, {{-1000, 0, 3}}});
  x(1, 0, 2) = std::numeric_limits<float>::quiet_NaN();
  const auto y = support::offline(es::Softmax<float>(), x);
  CHECK(std::abs(y(0, 0, 0) - 0.26894142f) < 1e-6f);
  CHECK(std::abs(y(1, 0, 0) - 0.73105858f) < 1e-6f);
  CHECK(y(2, 0, 0) < 1e-30f);
  CHECK(std::abs(y(0, 0, 1) - 0.5f) < 1e-6f);
  for (Index c = 0; c < 3; ++c) CHECK(std::isnan(y(c, 0, 2)));
}

TEST_CASE("LogSoftmax: great numbers do not overflow, infinities and NaN as in PyTorch", "[layer]") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  support::Signal<float> x(3, 1, 5);
  x.setValues({{{1000, 0, 1, -inf, inf}}, {{1001, -1000, 2, 0, 1}}, {{-1000, -inf, nan, 0, 0}}});
  const auto y = support::offline(es::LogSoftmax<float>(), x);
  CHECK(std::abs(y(0, 0, 0) + 1.3132617f) < 1e-6f);
  CHECK(std::abs(y(1, 0, 0) + 0.31326166f) < 1e-6f);
  CHECK(std::abs(y(2, 0, 0) + 2001.3132617f) < 1e-3f);
  CHECK(y(0, 0, 1) == 0);
  CHECK(y(1, 0, 1) == -1000);
  CHECK(y(2, 0, 1) == -inf);
  CHECK(y(0, 0, 3) == -inf);
  CHECK(std::abs(y(1, 0, 3) + 0.6931472f) < 1e-6f);
  for (Index c = 0; c < 3; ++c) {
    CHECK(std::isnan(y(c, 0, 2)));
    CHECK(std::isnan(y(c, 0, 4)));
  }
}
