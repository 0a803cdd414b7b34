#include "eigenstream/layer/recursive_filter.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::RecursiveFilter;
using es::Weights;
using support::error_of;

namespace {

// Filters that are stable: what comes back is a small part of what was.
Weights<double> numbers(Index sections, Index rows, Index taps, bool feedback, std::uint64_t seed) {
  support::Random random(seed);
  std::vector<double> values = support::random_values<double>(sections * rows * taps, random);
  for (std::size_t i = 0; feedback && i < values.size(); ++i)
    values[i] = i % static_cast<std::size_t>(taps) == 0 ? 2 : values[i] / static_cast<double>(taps);
  return {{sections, rows, taps}, values};
}

}  // namespace

TEMPLATE_TEST_CASE("RecursiveFilter: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  const auto sizes = GENERATE(table<Index, Index, Index>({{1, 1, 1}, {1, 1, 2}, {1, 3, 3}, {4, 1, 3}, {2, 3, 5}}));
  const auto [sections, rows, taps] = sizes;
  const Index batch = GENERATE(1, 2);
  INFO(sections << " sections, " << rows << " rows, " << taps << " taps");
  const RecursiveFilter<T> layer(numbers(sections, rows, taps, false, 1), numbers(sections, rows, taps, true, 2));
  CHECK(layer.sections() == sections);
  support::check_contract(layer, batch, {.channels = rows == 1 ? 2 : rows, .exact = false});
  support::check_contract(layer, batch, {.channels = rows == 1 ? 2 : rows, .exact = false, .light = true, .width = 3});
}

TEMPLATE_TEST_CASE("RecursiveFilter: the difference equation, section after section", "[layer]", float, double) {
  using T = TestType;
  const auto sizes = GENERATE(table<Index, Index, Index>({{1, 1, 1}, {1, 1, 2}, {1, 3, 3}, {4, 1, 3}, {3, 3, 3}, {2, 3, 6}}));
  const auto [sections, rows, taps] = sizes;
  const auto b = numbers(sections, rows, taps, false, 1), a = numbers(sections, rows, taps, true, 2);
  const bool clamp = GENERATE(false, true);
  support::Random random(3);
  auto x = support::random_tensor<T>(random, 3, 2, 80);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] *= T(3);  // some beyond 1
  const auto y = support::offline(RecursiveFilter<T>(b, a, {.clamp = clamp}), x);
  support::Signal<double> now(3, 2, 80);
  for (Index i = 0; i < x.size(); ++i) now.data()[i] = static_cast<double>(x.data()[i]);
  for (Index s = 0; s < sections; ++s) {
    support::Signal<double> next(3, 2, 80);
    for (Index c = 0; c < 3; ++c)
      for (Index batch = 0; batch < 2; ++batch)
        for (Index t = 0; t < 80; ++t) {
          const Index row = (s * rows + (rows == 1 ? 0 : c)) * taps;
          double sum = 0;
          for (Index k = 0; k < taps && k <= t; ++k) sum += b(row + k) * now(c, batch, t - k);
          for (Index k = 1; k < taps && k <= t; ++k) sum -= a(row + k) * next(c, batch, t - k);
          next(c, batch, t) = sum / a(row);
        }
    now = next;
  }
  if (clamp)
    for (Index i = 0; i < now.size(); ++i) now.data()[i] = std::clamp(now.data()[i], -1.0, 1.0);
  CHECK(support::difference(y, now) < support::tolerance<T>);
}

TEST_CASE("RecursiveFilter: poles near 1 do not drown in rounding", "[layer]") {
  // The steady state of a low-pass at a ten-thousandth of the rate, of a constant.
  constexpr double pole = 1 - 1e-5;
  const RecursiveFilter<float> layer(Weights<double>({2}, {1 - pole, 0}), Weights<double>({2}, {1, -pole}));
  support::Signal<float> x(1, 1, 2000000);
  x.setConstant(0.3f);
  const auto y = support::offline(layer, x);
  CHECK(y(0, 0, 1999999) == Approx(0.3).epsilon(1e-6));
}

TEST_CASE("RecursiveFilter: what is impossible is refused", "[layer][errors]") {
  using W = Weights<float>;
  const auto made = [](const W& b, const W& a) { return error_of([&] { RecursiveFilter<float>(b, a); }); };
  CHECK_THAT(made({}, {}), Contains("RecursiveFilter: b has shape"));
  CHECK_THAT(made(W({1, 1, 1, 1}, {1}), W({1}, {1})), Contains("expected (taps), (rows, taps) or (sections, rows, taps)"));
  CHECK_THAT(made(W({2}, {1, 0}), W({1}, {1})), Contains("b has shape (2) and a (1)"));
  CHECK_THAT(made(W({1}, {1}), W({1}, {0})), Contains("a[0] of filter 0 is 0"));
  CHECK_THAT(made(W({2, 1}, {1, std::numeric_limits<float>::quiet_NaN()}), W({2, 1}, {1, 1})),
             Contains("a number of filter 1 is not finite"));
  CHECK_THAT(error_of([] {
               RecursiveFilter<float>(W({2, 1}, {1, 1}), W({2, 1}, {1, 1})).facts({.channels = 3});
             }),
             Contains("RecursiveFilter: takes 2 channels, not 3"));
}
