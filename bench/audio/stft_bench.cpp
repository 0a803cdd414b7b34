#include "eigenstream/audio/stft.hpp"

#include "eigenstream/audio/istft.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/run.hpp"

// One item is one spectrum; parameters: n_fft, hop, samples a call. Beside them the transform alone.

namespace bench {
namespace {

namespace es = eigenstream;

struct Sizes {
  Index n_fft, hop, chunk;
};

es::StftOptions options(const Sizes& s) {
  return {.hop_length = s.hop, .window = es::window_values(es::WindowFunction::hann, s.n_fft)};
}

void transform(benchmark::State& state, const Sizes& s) {
  const es::kernel::RealFft<float> fft(s.n_fft);
  const Signal x = Noise(1).signal(1, s.n_fft);
  std::vector<float> re(static_cast<std::size_t>(fft.bins())), im(re);
  es::kernel::AlignedVector<float> scratch(static_cast<std::size_t>(fft.scratch()));
  for (auto _ : state) {
    benchmark::DoNotOptimize(x.data());
    fft.forward(x.data(), re.data(), im.data(), scratch.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
void inverse_transform(benchmark::State& state, const Sizes& s) {
  const es::kernel::RealFft<float> fft(s.n_fft);
  Signal x = Noise(1).signal(1, s.n_fft);
  std::vector<float> re(static_cast<std::size_t>(fft.bins()), 0.5f), im(re);
  es::kernel::AlignedVector<float> scratch(static_cast<std::size_t>(fft.scratch()));
  for (auto _ : state) {
    benchmark::DoNotOptimize(re.data());
    fft.inverse(re.data(), im.data(), x.data(), scratch.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

void analysis(benchmark::State& state, const Sizes& s) {
  es::Stream stream(es::Stft<float>(s.n_fft, options(s)), {.channels = 1});
  const Signal x = Noise(1).signal(1, s.chunk);
  const es::FrameShape out = stream.out_shape();
  const Index room = stream.max_outputs(s.chunk);
  std::vector<float> y(static_cast<std::size_t>(room * out.size()));
  Index spectra = 0;
  for (auto _ : state) {
    spectra += stream.process(In(x.data(), 1, s.chunk), es::Frames<float>(y.data(), out, room));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(spectra);
}
void synthesis(benchmark::State& state, const Sizes& s) {
  const es::Istft<float> istft(s.n_fft, {.hop_length = s.hop, .window = options(s).window});
  es::Stream stream(istft, {.channels = 2, .width = istft.bins()});
  const Index spectra = std::max<Index>(1, s.chunk / s.hop);
  const Signal x = Noise(1).signal(2 * istft.bins(), spectra);
  std::vector<float> y(static_cast<std::size_t>(stream.max_outputs(spectra)));
  const es::FrameShape in{2, istft.bins(), 1, 1};
  for (auto _ : state) {
    stream.process(es::Frames<const float>(x.data(), in, spectra),
                   es::Frames<float>(y.data(), stream.out_shape(), static_cast<Index>(y.size())));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(spectra * state.iterations());
}

const bool registered = [] {
  for (const auto& [n_fft, hop] : {std::pair<Index, Index>{512, 128}, {512, 256}, {400, 160}, {1024, 256}, {960, 480}}) {
    benchmark::RegisterBenchmark(name("Stft", "transform", {n_fft, hop}).c_str(), transform, Sizes{n_fft, hop, hop});
    benchmark::RegisterBenchmark(name("Stft", "inverse_transform", {n_fft, hop}).c_str(), inverse_transform,
                                 Sizes{n_fft, hop, hop});
    for (const Index chunk : {Index{64}, hop, 4096 / hop * hop}) {
      const Sizes sizes{n_fft, hop, chunk};
      benchmark::RegisterBenchmark(name("Stft", "stft", {n_fft, hop, chunk}).c_str(), analysis, sizes);
      if (chunk >= hop) benchmark::RegisterBenchmark(name("Stft", "istft", {n_fft, hop, chunk}).c_str(), synthesis, sizes);
    }
  }
  return true;
}();

}  // namespace
}  // namespace bench
