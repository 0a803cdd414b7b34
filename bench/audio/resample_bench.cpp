#include <benchmark/benchmark.h>

#include <utility>  // pair

#include "audio/converters.hpp"
#include "support/run.hpp"  // Noise, name

// Sample-rate converters on blocks of 512 frames; ns per input sample and channel.
namespace bench {
namespace {

void convert(benchmark::State& state, const ConverterKind& kind, Index source_hz, Index target_hz, Index channels,
             Index frames) {
  const auto converter = kind.make(source_hz, target_hz, channels);
  const Signal x = Noise(1).signal(channels, frames);
  const Index room = 4 * frames * target_hz / source_hz + 4096;  // some give much at once
  std::vector<float> y(static_cast<std::size_t>(room * channels));
  for (Index fed = 0; fed < 65536; fed += frames) (*converter)(x.data(), frames, y.data(), room);
  Index written = 0;
  for (auto _ : state) {
    written += (*converter)(x.data(), frames, y.data(), room);
    benchmark::ClobberMemory();
  }
  const double wanted = static_cast<double>(state.iterations()) * static_cast<double>(frames) *
                        static_cast<double>(target_hz) / static_cast<double>(source_hz);
  if (std::abs(static_cast<double>(written) - wanted) > 0.001 * wanted + 65536) {
    state.SkipWithError("gives too few or too many frames");
    return;
  }
  state.SetItemsProcessed(state.iterations() * frames * channels);
}

const bool registered = [] {
  for (const ConverterKind& kind : converter_kinds())
    for (const auto& [source_hz, target_hz] :
         {std::pair<Index, Index>(48000, 16000), {16000, 48000}, {44100, 48000}, {48000, 44100}})
      for (const Index channels : {1, 2}) {
        const std::string pair = std::to_string(source_hz) + "to" + std::to_string(target_hz);
        const std::string full = "Resample/" + kind.name + "/" + pair + "/channels:" + std::to_string(channels);
        benchmark::RegisterBenchmark(full.c_str(), convert, kind, source_hz, target_hz, channels, 512);
      }
  return true;
}();

}  // namespace
}  // namespace bench
