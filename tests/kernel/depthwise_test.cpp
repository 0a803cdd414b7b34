#include "eigenstream/kernel/depthwise.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;

TEMPLATE_TEST_CASE("Depthwise: each channel by itself, the same for one column and for many", "[kernel][property]",
                   float, double) {
  using T = TestType;
  support::Random random(1);
  const T mark = T(-1e9);
  for (const Index channels : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65})
    for (const Index taps : {1, 2, 3, 5})
      for (const Index columns : {0, 1, 2, 7, 8, 9, 19}) {
        INFO("channels " << channels << ", taps " << taps << ", columns " << columns);
        const std::vector<T> w = support::random_values<T>(channels * taps, random);
        const std::vector<T> bias = support::random_values<T>(channels, random);
        const es::kernel::Depthwise<T> kernel(
            channels, taps, [&](Index c, Index t) { return w[static_cast<std::size_t>(c * taps + t)]; },
            [&](Index c) { return bias[static_cast<std::size_t>(c)]; });
        std::vector<Index> lags;
        for (Index t = 0; t < taps; ++t) lags.push_back(3 * t);
        const es::kernel::TapOffsets offsets{lags.data(), channels};
        const std::vector<T> x = support::random_values<T>((columns + lags.back()) * channels, random);
        const Index y_step = channels + 3;
        std::vector<T> y(static_cast<std::size_t>(columns * y_step + 40), mark), one = y;
        kernel(x.data(), channels, offsets, columns, y.data(), y_step);
        for (Index m = 0; m < columns; ++m)
          kernel(x.data() + m * channels, channels, offsets, 1, one.data() + m * y_step, y_step);
        REQUIRE(std::memcmp(y.data(), one.data(), sizeof(T) * y.size()) == 0);
        for (Index i = 0; i < static_cast<Index>(y.size()); ++i) {
          const Index m = i / y_step, c = i % y_step;
          if (m >= columns || c >= channels) {
            REQUIRE(y[static_cast<std::size_t>(i)] == mark);
            continue;
          }
          double sum = static_cast<double>(bias[static_cast<std::size_t>(c)]);
          for (Index t = 0; t < taps; ++t)
            sum += static_cast<double>(w[static_cast<std::size_t>(c * taps + t)]) *
                   static_cast<double>(x[static_cast<std::size_t>((m + lags[static_cast<std::size_t>(t)]) * channels + c)]);
          REQUIRE(std::abs(static_cast<double>(y[static_cast<std::size_t>(i)]) - sum) < (sizeof(T) == 4 ? 1e-6 : 1e-14));
        }
      }
}

namespace {

template <class T, Index Channels, Index Taps>
void check_static(support::Random& random) {
  INFO("channels " << Channels << ", taps " << Taps);
  const std::vector<T> w = support::random_values<T>(Channels * Taps, random), bias = support::random_values<T>(Channels, random);
  const auto make = [&]<class Kernel>(Kernel*) {
    return Kernel(
        Channels, Taps, [&](Index c, Index t) { return w[static_cast<std::size_t>(c * Taps + t)]; },
        [&](Index c) { return bias[static_cast<std::size_t>(c)]; });
  };
  const auto fixed = make(static_cast<es::kernel::Depthwise<T, Channels, Taps>*>(nullptr));
  const auto dynamic = make(static_cast<es::kernel::Depthwise<T>*>(nullptr));
  CHECK(fixed.weight(Channels - 1, Taps - 1) == w.back());
  CHECK(fixed.bias(0) == bias.front());
  const T mark = T(-1e9);
  for (const Index dilation : {1, 2})
    for (Index columns = 0; columns < 70; ++columns) {
      INFO("dilation " << dilation << ", columns " << columns);
      std::vector<Index> lags;
      for (Index t = 0; t < Taps; ++t) lags.push_back(t * dilation);
      const es::kernel::TapOffsets offsets{lags.data(), Channels};
      const std::vector<T> x = support::random_values<T>((columns + lags.back()) * Channels, random);
      const auto size = static_cast<std::size_t>(columns * Channels);
      std::vector<T> run(size + 16, mark), same = run, one = run;
      fixed(x.data(), Channels, offsets, columns, run.data(), Channels);
      dynamic(x.data(), Channels, offsets, columns, same.data(), Channels);
      for (Index m = 0; m < columns; ++m) {
        // The newest frame comes from elsewhere, and is put behind the others.
        std::vector<T> kept(x.begin() + m * Channels, x.begin() + (m + lags.back()) * Channels);
        const T* newest = x.data() + (m + lags.back()) * Channels;
        kept.resize(kept.size() + static_cast<std::size_t>(Channels), mark);
        fixed.append(kept.data(), dilation * Channels, newest, one.data() + m * Channels);
        REQUIRE(std::equal(kept.end() - Channels, kept.end(), newest));
      }
      REQUIRE(std::memcmp(run.data(), same.data(), sizeof(T) * run.size()) == 0);
      REQUIRE(std::memcmp(run.data(), one.data(), sizeof(T) * run.size()) == 0);
    }
}

}  // namespace

TEMPLATE_TEST_CASE("Depthwise: sizes fixed at compile time change nothing", "[kernel][property]", float, double) {
  support::Random random(2);
  check_static<TestType, 1, 2>(random), check_static<TestType, 2, 3>(random), check_static<TestType, 3, 3>(random);
  check_static<TestType, 4, 5>(random), check_static<TestType, 5, 9>(random), check_static<TestType, 8, 3>(random);
  check_static<TestType, 12, 1>(random), check_static<TestType, 16, 4>(random), check_static<TestType, 20, 3>(random);
  check_static<TestType, 32, 9>(random), check_static<TestType, 33, 2>(random), check_static<TestType, 8, 11>(random);
}
