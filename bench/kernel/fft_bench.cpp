#include <benchmark/benchmark.h>

#include <complex>
#include <string>
#include <unsupported/Eigen/FFT>
#include <vector>

#include "eigenstream/kernel/fft.hpp"
#include "support/run.hpp"

#if EIGENSTREAM_BENCH_FFTW3F
#include <fftw3.h>
#endif

namespace bench {
namespace {

// One real transform a turn, of lengths that audio uses, beside what Eigen brings, and FFTW where it is installed.
constexpr Index lengths[] = {256, 320, 400, 441, 512, 960, 1009, 1024, 2048};

std::vector<float> noise(Index n) {
  Noise next(3);
  std::vector<float> x;
  for (Index j = 0; j < n; ++j) x.push_back(next());
  return x;
}

struct Ours {
  explicit Ours(Index n)
      : fft(n), x(noise(n)), re(static_cast<std::size_t>(fft.bins())), im(re), scratch(static_cast<std::size_t>(fft.scratch())) {}
  eigenstream::kernel::RealFft<float> fft;
  std::vector<float> x, re, im;
  eigenstream::kernel::AlignedVector<float> scratch;
};

void forward(benchmark::State& state, Index n) {
  Ours ours(n);
  for (auto _ : state) {
    benchmark::DoNotOptimize(ours.x.data());
    ours.fft.forward(ours.x.data(), ours.re.data(), ours.im.data(), ours.scratch.data());
    benchmark::ClobberMemory();
  }
}
void inverse(benchmark::State& state, Index n) {
  Ours ours(n);
  ours.fft.forward(ours.x.data(), ours.re.data(), ours.im.data(), ours.scratch.data());
  for (auto _ : state) {
    benchmark::DoNotOptimize(ours.re.data());
    ours.fft.inverse(ours.re.data(), ours.im.data(), ours.x.data(), ours.scratch.data());
    benchmark::ClobberMemory();
  }
}
void eigen_forward(benchmark::State& state, Index n) {
  Eigen::FFT<float> fft;
  fft.SetFlag(Eigen::FFT<float>::HalfSpectrum);
  const std::vector<float> x = noise(n);
  std::vector<std::complex<float>> y(static_cast<std::size_t>(n));
  for (auto _ : state) {
    benchmark::DoNotOptimize(x.data());
    fft.fwd(y.data(), x.data(), n);
    benchmark::ClobberMemory();
  }
}
void eigen_inverse(benchmark::State& state, Index n) {
  Eigen::FFT<float> fft;
  fft.SetFlag(Eigen::FFT<float>::HalfSpectrum);
  std::vector<float> x = noise(n);
  std::vector<std::complex<float>> y(static_cast<std::size_t>(n));
  fft.fwd(y.data(), x.data(), n);
  for (auto _ : state) {
    benchmark::DoNotOptimize(y.data());
    fft.inv(x.data(), y.data(), n);
    benchmark::ClobberMemory();
  }
}
#if EIGENSTREAM_BENCH_FFTW3F
void fftw_forward(benchmark::State& state, Index n) {
  std::vector<float> x = noise(n);
  std::vector<std::complex<float>> y(static_cast<std::size_t>(n));
  const fftwf_plan plan =
      fftwf_plan_dft_r2c_1d(static_cast<int>(n), x.data(), reinterpret_cast<fftwf_complex*>(y.data()), FFTW_MEASURE);
  for (auto _ : state) {
    benchmark::DoNotOptimize(x.data());
    fftwf_execute(plan);
    benchmark::ClobberMemory();
  }
  fftwf_destroy_plan(plan);
}
#endif

const bool registered = [] {
  for (const Index n : lengths) {
    benchmark::RegisterBenchmark(name("Fft", "forward", {n}).c_str(), forward, n);
    benchmark::RegisterBenchmark(name("Fft", "eigen_forward", {n}).c_str(), eigen_forward, n);
#if EIGENSTREAM_BENCH_FFTW3F
    benchmark::RegisterBenchmark(name("Fft", "fftw_forward", {n}).c_str(), fftw_forward, n);
#endif
    benchmark::RegisterBenchmark(name("Fft", "inverse", {n}).c_str(), inverse, n);
    benchmark::RegisterBenchmark(name("Fft", "eigen_inverse", {n}).c_str(), eigen_inverse, n);
  }
  return true;
}();

}  // namespace
}  // namespace bench
