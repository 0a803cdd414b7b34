#ifndef EIGENSTREAM_BENCH_AUDIO_CONVERTERS_HPP
#define EIGENSTREAM_BENCH_AUDIO_CONVERTERS_HPP

#if EIGENSTREAM_BENCH_SOXR
#include <soxr.h>
#endif
#if EIGENSTREAM_BENCH_SAMPLERATE
#include <samplerate.h>
#endif
#if EIGENSTREAM_BENCH_SPEEXDSP
#include <speex/speex_resampler.h>
#endif

#include <Eigen/Core>  // Index
#include <functional>  // factories
#include <memory>      // unique_ptr
#include <stdexcept>   // runtime_error
#include <string>      // names
#include <utility>     // pair
#include <vector>      // lists

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/stream/tensor_calls.hpp"

// Sample-rate converters of several libraries behind one call, ours among them.
namespace bench {

using Index = Eigen::Index;

class Converter {
 public:
  Converter() = default;
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  virtual ~Converter() = default;
  /// Takes n interleaved frames, writes what is ready to y, which has room for `room` frames; returns how many.
  virtual Index operator()(const float* x, Index n, float* y, Index room) = 0;
};

struct ConverterKind {
  std::string name;
  std::function<std::unique_ptr<Converter>(Index source_hz, Index target_hz, Index channels)> make;
};

class OurConverter : public Converter {
 public:
  OurConverter(Index source_hz, Index target_hz, Index channels, const eigenstream::ResampleOptions& options)
      : stream_(eigenstream::Resample<float>(source_hz, target_hz, options), {.channels = channels}) {}
  Index operator()(const float* x, Index n, float* y, Index room) override {
    const eigenstream::FrameShape shape = stream_.in_shape();
    return stream_.process({x, shape, n}, {y, shape, room});
  }

 private:
  eigenstream::Stream<eigenstream::Resample<float>> stream_;
};

#if EIGENSTREAM_BENCH_SOXR
class Soxr : public Converter {
 public:
  Soxr(Index source_hz, Index target_hz, Index channels, unsigned long recipe) {
    const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const soxr_quality_spec_t quality = soxr_quality_spec(recipe, 0);
    const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    soxr_error_t error = nullptr;
    soxr_ = soxr_create(static_cast<double>(source_hz), static_cast<double>(target_hz),
                        static_cast<unsigned>(channels), &error, &io, &quality, &runtime);
    if (error != nullptr) throw std::runtime_error(error);
  }
  ~Soxr() override { soxr_delete(soxr_); }
  Index operator()(const float* x, Index n, float* y, Index room) override {
    std::size_t taken = 0, written = 0;
    const auto frames = static_cast<std::size_t>(n);
    if (soxr_process(soxr_, x, frames, &taken, y, static_cast<std::size_t>(room), &written) != nullptr ||
        taken != frames)
      throw std::runtime_error("soxr_process");
    return static_cast<Index>(written);
  }

 private:
  soxr_t soxr_ = nullptr;
};
#endif

#if EIGENSTREAM_BENCH_SAMPLERATE
class Samplerate : public Converter {
 public:
  Samplerate(Index source_hz, Index target_hz, Index channels, int type)
      : ratio_(static_cast<double>(target_hz) / static_cast<double>(source_hz)) {
    int error = 0;
    state_ = src_new(type, static_cast<int>(channels), &error);
    if (state_ == nullptr) throw std::runtime_error(src_strerror(error));
  }
  ~Samplerate() override { src_delete(state_); }
  Index operator()(const float* x, Index n, float* y, Index room) override {
    SRC_DATA data = {};
    data.data_in = x;
    data.input_frames = n;
    data.data_out = y;
    data.output_frames = room;
    data.src_ratio = ratio_;
    if (src_process(state_, &data) != 0 || data.input_frames_used != n) throw std::runtime_error("src_process");
    return data.output_frames_gen;
  }

 private:
  SRC_STATE* state_ = nullptr;
  double ratio_;
};
#endif

#if EIGENSTREAM_BENCH_SPEEXDSP
class Speexdsp : public Converter {
 public:
  Speexdsp(Index source_hz, Index target_hz, Index channels, int quality) {
    int error = 0;
    state_ = speex_resampler_init(static_cast<spx_uint32_t>(channels), static_cast<spx_uint32_t>(source_hz),
                                  static_cast<spx_uint32_t>(target_hz), quality, &error);
    if (state_ == nullptr) throw std::runtime_error("speex_resampler_init");
  }
  ~Speexdsp() override { speex_resampler_destroy(state_); }
  Index operator()(const float* x, Index n, float* y, Index room) override {
    auto taken = static_cast<spx_uint32_t>(n), written = static_cast<spx_uint32_t>(room);
    if (speex_resampler_process_interleaved_float(state_, x, &taken, y, &written) != 0 ||
        taken != static_cast<spx_uint32_t>(n))
      throw std::runtime_error("speex_resampler_process_interleaved_float");
    return static_cast<Index>(written);
  }

 private:
  SpeexResamplerState* state_ = nullptr;
};
#endif

template <class C, class Setting>
ConverterKind converter_kind(const char* name, Setting setting) {
  return {name, [=](Index source_hz, Index target_hz, Index channels) {
            return std::make_unique<C>(source_hz, target_hz, channels, setting);
          }};
}

inline std::vector<ConverterKind> converter_kinds() {
  using eigenstream::ResampleQuality;
  std::vector<ConverterKind> all;
  for (const ResampleQuality quality : {ResampleQuality::standard, ResampleQuality::low, ResampleQuality::medium,
                                        ResampleQuality::high, ResampleQuality::very_high})
    all.push_back(converter_kind<OurConverter>((std::string("ours-") + name_of(quality)).c_str(),
                                               eigenstream::resample_options(quality)));
#if EIGENSTREAM_BENCH_SOXR
  for (const auto& [name, recipe] :
       {std::pair("soxr-LQ", SOXR_LQ), {"soxr-MQ", SOXR_MQ}, {"soxr-HQ", SOXR_HQ}, {"soxr-VHQ", SOXR_VHQ}})
    all.push_back(converter_kind<Soxr>(name, static_cast<unsigned long>(recipe)));
#endif
#if EIGENSTREAM_BENCH_SAMPLERATE
  for (const auto& [name, type] :
       {std::pair("samplerate-linear", SRC_LINEAR), {"samplerate-fastest", SRC_SINC_FASTEST},
        {"samplerate-medium", SRC_SINC_MEDIUM_QUALITY}, {"samplerate-best", SRC_SINC_BEST_QUALITY}})
    all.push_back(converter_kind<Samplerate>(name, static_cast<int>(type)));
#endif
#if EIGENSTREAM_BENCH_SPEEXDSP
  for (const auto& [name, quality] : {std::pair("speexdsp-3", 3), {"speexdsp-5", 5}, {"speexdsp-10", 10}})
    all.push_back(converter_kind<Speexdsp>(name, quality));
#endif
  return all;
}

}  // namespace bench

#endif  // EIGENSTREAM_BENCH_AUDIO_CONVERTERS_HPP
