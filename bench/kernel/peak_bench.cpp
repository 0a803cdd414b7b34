#include <cstddef>  // size_t
#include <utility>  // index_sequence

#include "eigenstream/kernel/packet.hpp"
#include "support/run.hpp"

namespace bench {
namespace {

namespace simd = eigenstream::simd;

// What the core can do at most: chains of multiply-adds that all stay in registers, more of them than its latency and
// units need. Other benchmarks report GFLOP/s too; the quotient is the fraction of peak.
template <int Lanes>
void fma(benchmark::State& state) {
  using P = simd::Packet<float, Lanes>;
  constexpr int chains = simd::registers == 32 ? 24 : 12;
  constexpr int steps = 1000;
  P sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = P::broadcast(static_cast<float>(i));
  float factor = 0.5f, term = 0.25f;
  for (auto _ : state) {
    benchmark::DoNotOptimize(factor);
    benchmark::DoNotOptimize(term);
    const P a = P::broadcast(factor), b = P::broadcast(term);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      P local[] = {sums[I]...};
      for (int step = 0; step < steps; ++step) ((local[I] = simd::multiply_add(local[I], a, b)), ...);
      ((sums[I] = local[I]), ...);
    }(std::make_index_sequence<chains>());
    benchmark::DoNotOptimize(sums);
  }
  const double flops = 2.0 * Lanes * chains * steps * static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(1e-9 * flops, benchmark::Counter::kIsRate);
}

// The clock: additions that wait for each other take one cycle each, what else the loop does runs beside them.
void clock_rate(benchmark::State& state) {
  constexpr int steps = 128, unrolled = 64;
  std::uint64_t sum = 1, term = 3;
  benchmark::DoNotOptimize(term);
  for (auto _ : state) {
    for (int step = 0; step < steps; ++step)
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        ((sum += term, benchmark::DoNotOptimize(sum), static_cast<void>(I)), ...);
      }(std::make_index_sequence<unrolled>());
  }
  state.counters["GHz"] = benchmark::Counter(1e-9 * steps * unrolled * static_cast<double>(state.iterations()),
                                             benchmark::Counter::kIsRate);
}

template <int Lanes>
void register_fma() {
  benchmark::RegisterBenchmark(name("Peak", "fma", {Lanes}).c_str(), fma<Lanes>);
  if constexpr (Lanes > simd::min_lanes<float>) register_fma<Lanes / 2>();
}

const bool registered = [] {
  register_fma<simd::max_lanes<float>>();
  benchmark::RegisterBenchmark("Peak/clock", clock_rate);
  return true;
}();

}  // namespace
}  // namespace bench
