#include "eigenstream/kernel/map.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
namespace simd = eigenstream::simd;
using es::Index;

TEMPLATE_TEST_CASE("map_pointwise: a number's result does not depend on where it stands", "[kernel][property]", float,
                   double) {
  using T = TestType;
  support::Random random(1);
  const std::vector<T> x = support::random_values<T>(100, random);
  const auto f = [](auto v) { return simd::tanh(v) * simd::exp(v) + simd::sigmoid(v); };
  std::vector<T> alone(100);
  for (Index i = 0; i < 100; ++i) es::kernel::map_pointwise(x.data() + i, alone.data() + i, 1, f);
  const T mark = T(-9);
  for (Index n = 0; n <= 50; ++n)
    for (const Index from : {0, 1, 3, 8}) {
      std::vector<T> y(120, mark);
      es::kernel::map_pointwise(x.data() + from, y.data() + 10, n, f);
      REQUIRE((n == 0 || std::memcmp(y.data() + 10, alone.data() + from, sizeof(T) * static_cast<std::size_t>(n)) == 0));
      for (Index i = 0; i < 120; ++i)
        if (i < 10 || i >= 10 + n) REQUIRE(y[static_cast<std::size_t>(i)] == mark);
      std::vector<T> in_place = x;
      es::kernel::map_pointwise(in_place.data() + from, in_place.data() + from, n, f);
      REQUIRE((n == 0 || std::memcmp(in_place.data() + from, alone.data() + from, sizeof(T) * static_cast<std::size_t>(n)) == 0));
      for (Index i = from + n; i < 100; ++i) REQUIRE(in_place[static_cast<std::size_t>(i)] == x[static_cast<std::size_t>(i)]);
    }
}

TEMPLATE_TEST_CASE("add_pointwise: adds n numbers and leaves the next alone", "[kernel]", float, double) {
  using T = TestType;
  support::Random random(2);
  const std::vector<T> x = support::random_values<T>(60, random), before = support::random_values<T>(60, random);
  for (Index n = 0; n <= 50; ++n) {
    std::vector<T> y = before;
    es::kernel::add_pointwise(x.data(), y.data(), n);
    for (Index i = 0; i < 60; ++i) {
      const std::size_t k = static_cast<std::size_t>(i);
      REQUIRE(y[k] == (i < n ? before[k] + x[k] : before[k]));
    }
  }
}

TEMPLATE_TEST_CASE("map_channels: each number meets its channel's parameters", "[kernel]", float, double) {
  using T = TestType;
  support::Random random(3);
  for (const Index channels : {1, 2, 3, 5, 7, 8, 12, 16, 17, 33}) {
    const std::vector<T> a = support::random_values<T>(channels, random), b = support::random_values<T>(channels, random);
    const es::kernel::ChannelPattern<T> pa(channels, [&](Index c) { return a[static_cast<std::size_t>(c)]; });
    const es::kernel::ChannelPattern<T> pb(channels, [&](Index c) { return b[static_cast<std::size_t>(c)]; });
    for (const Index frames : {0, 1, 2, 9, 40}) {
      INFO("channels " << channels << ", frames " << frames);
      const Index n = channels * frames;
      const T mark = T(-9);
      const std::vector<T> x = support::random_values<T>(n, random);
      std::vector<T> y(static_cast<std::size_t>(n + 16), mark);
      es::kernel::map_channels(x.data(), y.data(), n, pa, pb, [](auto v, auto p, auto q) { return v * p - q; });
      for (Index i = 0; i < n + 16; ++i) {
        const std::size_t k = static_cast<std::size_t>(i), c = static_cast<std::size_t>(i % channels);
        if (i < n)
          REQUIRE(std::abs(y[k] - (x[k] * a[c] - b[c])) < T(1e-6));
        else
          REQUIRE(y[k] == mark);
      }
    }
  }
}

TEMPLATE_TEST_CASE("column_sum: sums each column, in an order of its own", "[kernel]", float, double) {
  using T = TestType;
  support::Random random(4);
  for (Index n = 1; n <= 70; ++n) {
    const std::vector<T> x = support::random_values<T>(n, random);
    double sum = 0, squares = 0;
    for (const T v : x) {
      sum += static_cast<double>(v) + 1;
      squares += static_cast<double>(v) * static_cast<double>(v);
    }
    const double margin = static_cast<double>(n) * 1e-6;
    // f(0) is not 0: empty lanes of the last packet must not count.
    const T sum_of = es::kernel::column_sum(x.data(), n, [](auto v) { return v + decltype(v)::broadcast(T(1)); });
    const T squares_of = es::kernel::column_sum(x.data(), n, [](auto v) { return v * v; });
    CHECK(std::abs(static_cast<double>(sum_of) - sum) < margin);
    CHECK(std::abs(static_cast<double>(squares_of) - squares) < margin);
  }
}

TEMPLATE_TEST_CASE("dot, to_pairs, from_pairs: the plain loops, and nothing beyond", "[kernel]", float, double) {
  using T = TestType;
  support::Random random(5);
  for (Index n = 0; n <= 70; ++n) {
    const std::vector<T> a = support::random_values<T>(n, random), b = support::random_values<T>(n, random);
    const std::size_t size = static_cast<std::size_t>(n);
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    CHECK(std::abs(static_cast<double>(es::kernel::dot(a.data(), b.data(), n)) - sum) < 1e-5);

    std::vector<T> pairs(2 * size + 1, T(-7)), first(size + 1, T(-7)), second(first), products(first);
    es::kernel::to_pairs(a.data(), b.data(), pairs.data(), n);
    es::kernel::from_pairs(pairs.data(), first.data(), second.data(), n);
    es::kernel::multiply_pointwise(a.data(), b.data(), products.data(), n);
    std::vector<T> differences(size + 1, T(-7));
    es::kernel::map_pairs(pairs.data(), differences.data(), n, [](auto x, auto y) { return x - y; });
    for (std::size_t i = 0; i < size; ++i) CHECK(differences[i] == a[i] - b[i]);
    CHECK(differences.back() == T(-7));
    for (std::size_t i = 0; i < size; ++i) {
      CHECK((pairs[2 * i] == a[i] && pairs[2 * i + 1] == b[i]));
      CHECK((first[i] == a[i] && second[i] == b[i] && products[i] == a[i] * b[i]));
    }
    CHECK((pairs.back() == T(-7) && first.back() == T(-7) && second.back() == T(-7) && products.back() == T(-7)));
  }
}
