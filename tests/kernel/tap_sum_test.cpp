#include "eigenstream/kernel/tap_sum.hpp"

#include <cstring>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;
using es::kernel::TapOffsets;
using es::kernel::TapSum;

namespace {

template <class T>
struct SumCase {
  Index out, taps, len;
  std::vector<T> w, bias;
  std::vector<Index> lags;

  SumCase(Index out_, Index taps_, Index len_, support::Random& random)
      : out(out_), taps(taps_), len(len_), w(support::random_values<T>(out * taps * len, random)),
        bias(support::random_values<T>(out, random)) {
    for (Index t = 0; t < std::max<Index>(1, taps); ++t) lags.push_back(2 * t + t % 2);
  }
  T weight(Index o, Index t, Index i) const { return w[static_cast<std::size_t>((o * taps + t) * len + i)]; }
  template <class Kernel>
  Kernel kernel() const {
    return Kernel(
        out, taps, len, [&](Index o, Index t, Index i) { return weight(o, t, i); },
        [&](Index o) { return bias[static_cast<std::size_t>(o)]; });
  }
};

constexpr double unread = -1e9;  // no sum of numbers below 1 comes near

template <class T, class Kernel>
void check_sum(const SumCase<T>& c, const Kernel& kernel, Index columns, support::Random& random) {
  INFO("out " << c.out << ", taps " << c.taps << ", inputs " << c.len << ", columns " << columns);
  const Index x_step = c.len + 1, y_step = c.out + 2;
  const TapOffsets offsets{c.lags.data(), x_step};
  const std::vector<T> x = support::random_values<T>((columns + c.lags.back()) * x_step, random);
  std::vector<T> y(static_cast<std::size_t>(columns * y_step + 70), T(unread)), one = y;
  kernel(x.data(), x_step, offsets, columns, y.data(), y_step);
  for (Index m = 0; m < columns; ++m) kernel(x.data() + m * x_step, x_step, offsets, 1, one.data() + m * y_step, y_step);
  REQUIRE(std::memcmp(y.data(), one.data(), sizeof(T) * y.size()) == 0);  // one column at a time: bit for bit

  // With something to add, which may lie where the sums go.
  std::vector<T> addend = support::random_values<T>(static_cast<Index>(y.size()), random), expected = y, added = y, single = y;
  for (std::size_t i = 0; i < y.size(); ++i)
    if (y[i] != T(unread)) expected[i] = y[i] + addend[i];
  kernel(x.data(), x_step, offsets, columns, added.data(), y_step, addend.data());
  REQUIRE(std::memcmp(added.data(), expected.data(), sizeof(T) * y.size()) == 0);
  for (Index m = 0; m < columns; ++m) kernel.column(x.data() + m * x_step, offsets, single.data() + m * y_step, addend.data() + m * y_step);
  REQUIRE(std::memcmp(single.data(), expected.data(), sizeof(T) * y.size()) == 0);
  for (std::size_t i = 0; i < y.size(); ++i)
    if (y[i] == T(unread)) addend[i] = y[i];
  kernel(x.data(), x_step, offsets, columns, addend.data(), y_step, addend.data());
  REQUIRE(std::memcmp(addend.data(), expected.data(), sizeof(T) * y.size()) == 0);

  double worst = 0;
  for (Index m = 0; m < columns; ++m)
    for (Index o = 0; o < c.out; ++o) {
      double sum = static_cast<double>(c.bias[static_cast<std::size_t>(o)]);
      for (Index t = 0; t < c.taps; ++t)
        for (Index i = 0; i < c.len; ++i)
          sum += static_cast<double>(c.weight(o, t, i)) *
                 static_cast<double>(x[static_cast<std::size_t>(m * x_step + c.lags[static_cast<std::size_t>(t)] * x_step + i)]);
      worst = std::max(worst, std::abs(sum - static_cast<double>(y[static_cast<std::size_t>(m * y_step + o)])));
    }
  REQUIRE(worst <= 64 * static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(c.taps * c.len + 1));
  for (Index i = 0; i < static_cast<Index>(y.size()); ++i)
    if (i >= columns * y_step || i % y_step >= c.out) REQUIRE(y[static_cast<std::size_t>(i)] == T(unread));
}

template <Index Out, Index Taps, Index Len>
void check_static() {
  support::Random random(3);
  const SumCase<float> c(Out, Taps, Len, random);
  const auto dynamic = c.template kernel<TapSum<float>>();
  const auto fixed = c.template kernel<TapSum<float, Out, Taps, Len>>();
  const auto only_out = c.template kernel<TapSum<float, Out>>();
  for (Index columns : {1, 2, 5, 6, 7, 13, 25}) {
    INFO("out " << Out << ", taps " << Taps << ", inputs " << Len << ", columns " << columns);
    const std::vector<float> x = support::random_values<float>((columns + c.lags.back()) * Len, random);
    const std::size_t size = static_cast<std::size_t>(columns * Out);
    std::vector<float> a(size), b(size), d(size);
    dynamic(x.data(), Len, {c.lags.data(), Len}, columns, a.data(), Out);
    fixed(x.data(), Len, {c.lags.data(), Len}, columns, b.data(), Out);
    only_out(x.data(), Len, {c.lags.data(), Len}, columns, d.data(), Out);
    CHECK(std::memcmp(a.data(), b.data(), sizeof(float) * size) == 0);
    CHECK(std::memcmp(a.data(), d.data(), sizeof(float) * size) == 0);
    fixed.column(x.data(), {c.lags.data(), Len}, b.data());
    CHECK(std::memcmp(a.data(), b.data(), sizeof(float) * Out) == 0);
    fixed(x.data(), Len, {c.lags.data(), Len}, columns, b.data(), Out, d.data());
    for (std::size_t i = 0; i < size; ++i) CHECK(b[i] == a[i] + d[i]);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("TapSum: the sum of the definition, the same for one column and for many", "[kernel][property]",
                   float, double) {
  using T = TestType;
  support::Random random(1);
  for (const Index out : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 130})
    for (const Index taps : {0, 1, 2, 3, 4, 5})
      for (const Index len : {1, 2, 3, 4, 6, 8, 16}) {
        const SumCase<T> c(out, taps, len, random);
        check_sum(c, c.template kernel<TapSum<T>>(), 1 + (out + 3 * taps + 5 * len) % 29, random);
      }
}

TEST_CASE("TapSum: without lags, taps follow each other", "[kernel]") {
  support::Random random(5);
  const SumCase<float> c(9, 3, 5, random);
  const auto kernel = c.kernel<TapSum<float>>();
  const std::vector<float> x = support::random_values<float>(12 * 5, random);
  const std::vector<Index> lags{0, 1, 2};
  std::vector<float> y(10 * 9), other = y;
  kernel(x.data(), 5, {lags.data(), 5}, 10, y.data(), 9);
  kernel(x.data(), 5, {nullptr, 5}, 10, other.data(), 9);
  CHECK(std::memcmp(y.data(), other.data(), sizeof(float) * y.size()) == 0);
}

TEST_CASE("TapSum: every number of columns", "[kernel]") {
  support::Random random(2);
  for (const Index out : {3, 16, 24, 40}) {
    const SumCase<float> c(out, 3, out == 16 ? 4 : 5, random);
    const auto kernel = c.kernel<TapSum<float>>();
    for (Index columns = 0; columns <= 50; ++columns) check_sum(c, kernel, columns, random);
  }
}

TEST_CASE("TapSum: static sizes give the same bits", "[kernel][property]") {
  check_static<1, 1, 1>();
  check_static<5, 1, 2>();
  check_static<16, 3, 1>();
  check_static<40, 1, 3>();
  check_static<2, 3, 5>();
  check_static<4, 3, 4>();
  check_static<8, 5, 8>();
  check_static<16, 3, 16>();
  check_static<17, 2, 3>();
  check_static<32, 3, 32>();
  check_static<33, 4, 2>();
  check_static<64, 1, 64>();
  check_static<70, 3, 7>();
}

TEST_CASE("TapSum: a NaN in an input reaches all outputs of its column and no other", "[kernel]") {
  support::Random random(4);
  const SumCase<float> c(5, 2, 3, random);
  const auto kernel = c.kernel<TapSum<float>>();
  std::vector<float> x = support::random_values<float>(30, random);
  x[3 * 4 + 1] = std::numeric_limits<float>::quiet_NaN();  // frame 4, read by columns 4 (lag 0) and 1 (lag 3)
  std::vector<float> y(5 * 6);
  kernel(x.data(), 3, {c.lags.data(), 3}, 6, y.data(), 5);
  for (Index m = 0; m < 6; ++m)
    for (Index o = 0; o < 5; ++o) CHECK(std::isnan(y[static_cast<std::size_t>(m * 5 + o)]) == (m == 4 || m == 1));
}
