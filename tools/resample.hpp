#ifndef EIGENSTREAM_TOOLS_RESAMPLE_HPP
#define EIGENSTREAM_TOOLS_RESAMPLE_HPP

#include <filesystem>  // path
#include <memory>      // shared_ptr
#include <string>      // string

#include "audio_file.hpp"
#include "eigenstream/audio/resample.hpp"
#include "output_file.hpp"
#include "run.hpp"
#include "text.hpp"

namespace tool {

struct ResampleFileOptions {
  std::filesystem::path input, output;
  Index rate_hz = 0;
  es::ResampleOptions filter;
  std::string filter_name;  ///< for the report
  Index block = 4096;       ///< frames of each call
  WavWriter::Format format = WavWriter::Format::float32;
};

/// An audio file of any number of channels to a WAV file at another sample rate.
inline void resample(const ResampleFileOptions& options) {
  check_wav_name(options.output);
  check_not_the_same(options.output, options.input, "input");
  AudioReader reader(options.input);
  const Index rate_hz = reader.sample_rate_hz();
  es::Stream<Net> stream(Net(es::Resample<float>(rate_hz, options.rate_hz, options.filter)),
                         {.channels = reader.channels()});

  OutputFile output(options.output);
  WavWriter writer(output, reader.channels(), options.rate_hz, stream.outputs_after(reader.frames(), true),
                   options.format);
  RunOptions run;
  run.blocks = {options.block};
  const RunTotals totals = stream_through(
      stream, run, reader.frames(), {}, [&](float* to, Index n) { return reader.read(to, n); },
      [&](std::size_t, const float* from, Index n) { writer.write(from, n); });
  writer.finish();

  std::string line = text(fixed(static_cast<double>(totals.in) / static_cast<double>(rate_hz), 3), " s, ",
                          reader.channels(), reader.channels() == 1 ? " channel" : " channels", ", from ", rate_hz,
                          " to ", options.rate_hz, " Hz (", options.filter_name, "): ",
                          summary(stream, totals, static_cast<double>(rate_hz)));
  line += faults(writer.clipped(), writer.not_numbers());
  warn(reader.shortfall());
  say(line + "\n");
  finish_saying();
  output.keep();
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_RESAMPLE_HPP
