#include "eigenstream/kernel/packet.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
namespace simd = eigenstream::simd;
using es::Index;

namespace {

/// Calls f.operator()<N>() for every packet width of T.
template <class T, int N = simd::min_lanes<T>, class F>
void for_each_width(F&& f) {
  f.template operator()<N>();
  if constexpr (N < simd::max_lanes<T>) for_each_width<T, 2 * N>(f);
}

template <class T, int N>
simd::Packet<T, N> packet_of(const std::vector<T>& values) {
  return simd::Packet<T, N>::load(values.data());
}
template <class T, int N>
std::vector<T> lanes_of(simd::Packet<T, N> packet) {
  std::vector<T> values(N);
  packet.store(values.data());
  return values;
}
// NaN equals NaN, for comparisons lane by lane.
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](T x, T y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

}  // namespace

TEMPLATE_TEST_CASE("Packet: loads and stores touch the lanes they name and nothing else", "[kernel]", float, double) {
  using T = TestType;
  for_each_width<T>([]<int N>() {
    using P = simd::Packet<T, N>;
    INFO("lanes " << N);
    support::Random random;
    const T mark = T(-7);
    const std::vector<T> x = support::random_values<T>(4 * N, random);
    for (Index shift = 0; shift < N; ++shift) {
      std::vector<T> y(static_cast<std::size_t>(4 * N), mark);
      P::load(x.data() + shift).store(y.data() + N + shift);
      for (Index i = 0; i < 4 * N; ++i) {
        const bool inside = i >= N + shift && i < 2 * N + shift;
        CHECK(y[static_cast<std::size_t>(i)] == (inside ? x[static_cast<std::size_t>(i - N)] : mark));
      }
    }
    for (Index n = 0; n < N; ++n) {
      std::vector<T> expected(static_cast<std::size_t>(N), T(0)), y(static_cast<std::size_t>(2 * N), mark);
      std::copy_n(x.begin(), n, expected.begin());
      CHECK(lanes_of(P::load_first(x.data(), n)) == expected);
      P::load(x.data()).store_first(y.data(), n);
      expected.assign(static_cast<std::size_t>(2 * N), mark);
      std::copy_n(x.begin(), n, expected.begin());
      CHECK(y == expected);
    }
    CHECK(first(P::load(x.data() + 1)) == x[1]);
    CHECK(lanes_of(P::broadcast(T(3))) == std::vector<T>(static_cast<std::size_t>(N), T(3)));
  });
}

TEMPLATE_TEST_CASE("Packet: every lane computes what the scalar operation does", "[kernel]", float, double) {
  using T = TestType;
  for_each_width<T>([]<int N>() {
    INFO("lanes " << N);
    const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    const std::vector<T> special{T(0), T(-0.0), T(1), T(-1), T(2.5), inf, -inf, nan, T(1e30), T(-1e-30)};
    for (std::size_t turn = 0; turn < special.size(); ++turn) {
      std::vector<T> a, b, c;
      for (std::size_t i = 0; i < static_cast<std::size_t>(N); ++i) {
        a.push_back(special[i % special.size()]);
        b.push_back(special[(i + turn) % special.size()]);
        c.push_back(static_cast<T>(i));
      }
      const auto pa = packet_of<T, N>(a), pb = packet_of<T, N>(b), pc = packet_of<T, N>(c);
      const auto lanewise = [&](auto f) {
        std::vector<T> expected;
        for (std::size_t i = 0; i < a.size(); ++i) expected.push_back(f(a[i], b[i], c[i]));
        return expected;
      };
      CHECK(same(lanes_of(pa + pb), lanewise([](T x, T y, T) { return x + y; })));
      CHECK(same(lanes_of(pa - pb), lanewise([](T x, T y, T) { return x - y; })));
      CHECK(same(lanes_of(pa * pb), lanewise([](T x, T y, T) { return x * y; })));
      CHECK(same(lanes_of(pa / pb), lanewise([](T x, T y, T) { return x / y; })));
      CHECK(same(lanes_of(abs(pa)), lanewise([](T x, T, T) { return std::abs(x); })));
      CHECK(same(lanes_of(max(pa, pb)),
                 lanewise([&](T x, T y, T) { return std::isnan(x) || std::isnan(y) ? nan : std::max(x, y); })));
      CHECK(same(lanes_of(min(pa, pb)),
                 lanewise([&](T x, T y, T) { return std::isnan(x) || std::isnan(y) ? nan : std::min(x, y); })));
      CHECK(same(lanes_of(select_greater(pa, pb, pc, simd::Packet<T, N>::broadcast(T(-1)))),
                 lanewise([](T x, T y, T z) { return x > y ? z : T(-1); })));
      CHECK(same(lanes_of(simd::lanewise(pa, [](T x) { return x + 1; })), lanewise([](T x, T, T) { return x + 1; })));
      // Fused or not, small whole numbers are exact.
      CHECK(same(lanes_of(multiply_add(pc, pc, pc)), lanewise([](T, T, T z) { return z * z + z; })));
    }
  });
}

TEMPLATE_TEST_CASE("Packet: powers of two go to the exponent", "[kernel]", float, double) {
  using T = TestType;
  for_each_width<T>([]<int N>() {
    INFO("lanes " << N);
    if constexpr (simd::HasPowersOfTwo<T, N>) {
      constexpr T shift = sizeof(T) == 4 ? T(12582912) : T(6755399441055744);
      std::vector<T> x, k, up, down;
      for (int i = 0; i < N; ++i) {
        const int power = 9 * i - 41;
        x.push_back(T(1) + T(i) / T(N)), k.push_back(shift + T(power));
        up.push_back(std::ldexp(x.back(), power)), down.push_back(std::ldexp(x.back(), -power));
      }
      CHECK(lanes_of(raised(packet_of<T, N>(x), packet_of<T, N>(k))) == up);
      CHECK(lanes_of(lowered(packet_of<T, N>(x), packet_of<T, N>(k))) == down);
    }
  });
}

TEMPLATE_TEST_CASE("Packet: lanes in another order", "[kernel]", float, double) {
  using T = TestType;
  for_each_width<T>([]<int N>() {
    using P = simd::Packet<T, N>;
    INFO("lanes " << N);
    support::Random random;
    const std::vector<T> x = support::random_values<T>(N * N + 2 * N, random);
    const std::vector<T> turned = lanes_of(simd::reversed(P::load(x.data())));
    for (std::size_t k = 0; k < N; ++k) CHECK(turned[k] == x[N - 1 - k]);

    P even, odd;
    simd::load_pairs(x.data(), even, odd);
    for (std::size_t k = 0; k < N; ++k) {
      CHECK(lanes_of(even)[k] == x[2 * k]);
      CHECK(lanes_of(odd)[k] == x[2 * k + 1]);
    }
    std::vector<T> y(2 * N + 1, T(-7));
    simd::store_pairs(y.data(), even, odd);
    for (std::size_t k = 0; k < 2 * N; ++k) CHECK(y[k] == x[k]);
    CHECK(y.back() == T(-7));

    P rows[N];
    for (int i = 0; i < N; ++i) rows[i] = P::load(x.data() + i * N);
    simd::transpose(rows);
    for (std::size_t i = 0; i < N; ++i)
      for (std::size_t k = 0; k < N; ++k) CHECK(lanes_of(rows[i])[k] == x[k * N + i]);
  });
}
