#include <benchmark/benchmark.h>

#include <Eigen/Core>  // versions, SimdInstructionSetsInUse
#include <fstream>     // /proc/cpuinfo
#include <string>      // string, getline

namespace {

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string compiler_name() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "gcc " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

// Results say by themselves where they come from.
int main(int argc, char** argv) {
  benchmark::AddCustomContext("cpu", cpu_name());
  benchmark::AddCustomContext("compiler", compiler_name());
  benchmark::AddCustomContext("flags", EIGENSTREAM_BENCH_FLAGS);
  benchmark::AddCustomContext("simd", Eigen::SimdInstructionSetsInUse());
  benchmark::AddCustomContext("eigen", std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) +
                                           "." + std::to_string(EIGEN_MINOR_VERSION));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
