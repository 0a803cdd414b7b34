#ifndef EIGENSTREAM_TOOLS_RUN_HPP
#define EIGENSTREAM_TOOLS_RUN_HPP

#include <algorithm>   // max, min
#include <charconv>    // from_chars
#include <chrono>      // real-time factor
#include <cmath>       // isfinite
#include <cstdint>     // int32_t
#include <filesystem>  // path
#include <limits>      // largest sample rate
#include <memory>      // files
#include <optional>    // sample rate
#include <string>      // string
#include <vector>      // frames

#include "audio_file.hpp"
#include "eigenstream/io/safetensors.hpp"
#include "eigenstream/io/state_file.hpp"
#include "eigenstream/kernel/flush_denormals.hpp"
#include "model.hpp"
#include "output_file.hpp"
#include "results.hpp"
#include "text.hpp"

namespace tool {

struct RunOptions {
  std::filesystem::path model, input, output;
  std::vector<std::filesystem::path> also;  ///< what comes beside the input, for a network of several inputs
  std::vector<std::string> outputs;  ///< NAME=FILE: where another output than the main one goes
  std::vector<std::string> controls;  ///< NAME=VALUE,VALUE..: what knobs are set to when it begins
  std::vector<Index> blocks;  ///< frames of each call; begins again at its end. Empty: one call
  bool trace = false;
  WavWriter::Format format = WavWriter::Format::float32;
  std::filesystem::path load_state, save_state;  ///< empty: the signal begins, or ends, with this file

  bool begins() const { return load_state.empty(); }
  bool ends() const { return save_state.empty(); }
  /// One part of a longer signal may be empty.
  bool is_part() const { return !begins() || !ends(); }
};

/// What comes beside the input: all of it, frame after frame.
struct FurtherInput {
  std::string name;
  std::vector<float> values;
  Index frames = 0;
};

struct RunTotals {
  Index in = 0;            // frames
  std::vector<Index> out;  // of each output
  Index calls = 0;
  double seconds = 0;  // within the network
};

/// Sends a signal of `frames` frames at most, or a part of one, through a stream: read(to, n) gives the next n of them,
/// fewer at the end; write(k, from, n) takes those of output k.
template <class Read, class Write>
RunTotals stream_through(es::Stream<Net>& stream, const RunOptions& options, Index frames,
                         const std::vector<FurtherInput>& also, Read&& read, Write&& write) {
  using Clock = std::chrono::steady_clock;
  const es::FlushDenormals guard;
  const es::FrameShape in = stream.in_shape();
  const std::vector<Index> blocks = options.blocks.empty() ? std::vector<Index>{frames} : options.blocks;
  const Index longest = std::min(frames, *std::max_element(blocks.begin(), blocks.end()));
  std::vector<float> x(static_cast<std::size_t>(longest * in.size()));
  Results results(stream);
  results.make_room([&](Index k) { return std::max(stream.max_outputs(longest, k), stream.max_flush(k)); });
  std::vector<es::Frames<const float>> inputs(1 + also.size());
  std::vector<Index> taken(also.size(), 0);  // frames of what comes beside the input

  RunTotals totals;
  totals.out.resize(results.written.size());
  Progress progress(frames, !options.trace);
  const auto timed = [&](auto&& call) {
    const auto start = Clock::now();
    call();
    totals.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    std::string counts;
    for (std::size_t k = 0; k < results.written.size(); ++k) {
      const Index n = results.written[k];
      write(k, results.frames[k].data, n);
      totals.out[k] += n;
      counts += (k == 0 ? "" : " ") + std::to_string(n);
    }
    return counts;
  };
  bool more = true;
  for (std::size_t next = 0; more && totals.in < frames; next = (next + 1) % blocks.size()) {
    const Index wanted = std::min(blocks[next], frames - totals.in);
    const Index n = wanted == 0 ? 0 : read(x.data(), wanted);
    more = n == wanted;
    if (!more && n == 0) break;
    inputs.front() = {x.data(), in, n};
    for (std::size_t k = 0; k < also.size(); ++k) {
      const Index input = static_cast<Index>(k) + 1, some = stream.frames_with(input, n);
      es::check(taken[k] + some <= also[k].frames, also[k].name, ": holds ", also[k].frames, " frames, fewer than belong to ",
                totals.in + n, " of the input");
      const es::FrameShape shape = stream.in_shape(input);
      inputs[k + 1] = {also[k].values.data() + taken[k] * shape.size(), shape, some};
      taken[k] += some;
    }
    const std::string given = timed([&] { stream.process(inputs, results.frames, results.written); });
    totals.in += n;
    ++totals.calls;
    if (options.trace) say(text("in ", n, " out ", given, "\n"));
    progress.reached(totals.in);
  }
  for (std::size_t k = 0; k < also.size(); ++k)
    es::check(taken[k] == also[k].frames, also[k].name, ": holds ", also[k].frames, " frames, but ", taken[k], " belong to ",
              totals.in, " of the input");
  if (!options.ends()) return totals;
  const std::string rest = timed([&] { stream.flush(results.frames, results.written); });
  if (options.trace) say(text("flush out ", rest, "\n"));
  return totals;
}

/// What `run` remembers of a signal between its parts: the stream's state, and as a note what the input was. There is
/// nothing else, for it neither drops nor adds frames of its own.
class StateFiles {
 public:
  /// Puts the stream where the part before this one left it, if there was one.
  StateFiles(const RunOptions& options, std::string note, es::Stream<Net>& stream) : note_(std::move(note)) {
    if (!options.begins()) load(options.load_state, stream);
    if (!options.ends()) file_.emplace(options.save_state);
  }
  /// Saves where the stream is now, if another part will follow.
  void write(const es::Stream<Net>& stream) {
    if (file_) file_->write(es::serialise_state(stream.get_state(), note_));
  }
  void keep() {
    if (file_) file_->keep();
  }

 private:
  void load(const std::filesystem::path& path, es::Stream<Net>& stream) const {
    const es::StateFile loaded = es::read_state_file(path);
    const std::string name = in_quotes(path.string());
    // Other programs may leave no note.
    es::check(loaded.note.empty() || loaded.note == note_, name, ": the part before was ", loaded.note.substr(0, 100),
              ", this one is ", note_);
    try {
      stream.set_state(loaded.state);
    } catch (const es::Error& error) {
      es::fail(name, ": ", error.what());
    }
  }

  std::string note_;
  std::optional<OutputFile> file_;
};

inline std::string summary(const es::Stream<Net>& stream, const RunTotals& totals, std::optional<double> rate_hz) {
  std::string given = std::to_string(totals.out.front());
  for (std::size_t k = 1; k < totals.out.size(); ++k) given += " and " + std::to_string(totals.out[k]);
  std::string all = text(totals.in, " frames in, ", given, " out, ", totals.calls,
                         totals.calls == 1 ? " call; delay " : " calls; delay ", frames_text(stream.delay(), rate_hz),
                         "; ", fixed(totals.seconds, 3), " s");
  if (rate_hz && totals.in > 0)
    all += ", real-time factor " + fixed(totals.seconds * *rate_hz / static_cast<double>(totals.in), 4);
  else if (totals.seconds > 0 && totals.in > 0)
    all += ", " + short_number(static_cast<double>(totals.in) / totals.seconds) + " frames/s";
  return all;
}

/// Says so where a signal that has come to its end gave no output, though nothing failed.
inline void warn_if_empty(const es::Timing& timing, Index seen, const OutputFile& output) {
  if (timing.outputs_after(seen, true) > 0) return;
  const std::optional<Index> enough = frames_for_an_output(timing);
  warn(text(output.name(), ": holds no frames: ", frames_text(seen, {}), " went in",
            enough ? text(", the network needs ", frames_text(*enough, {}), " for its first output") : ""));
}

inline void check_wav_name(const std::filesystem::path& output) {
  const std::string ending = output.extension().string();
  if (ending != ".wav" && ending != ".WAV")
    throw UsageError(text("the output is a WAV file, so its name must end in .wav: ", in_quotes(output.string())));
}

inline es::Stream<Net> open_stream(const OpenedModel& model, es::StreamOptions options, const std::string& input) {
  try {
    return es::Stream<Net>(model.layer(), options);
  } catch (const es::Error& error) {  // a network of any number of channels may still mind
    es::fail(input, ": ", error.what());
  }
}

/// Sets the knobs of the network.
inline void set_controls(es::Stream<Net>& stream, const RunOptions& options) {
  std::vector<bool> given(static_cast<std::size_t>(stream.controls()), false);
  for (const std::string& written : options.controls) {
    Index k = 0;
    std::string names;
    for (; k < stream.controls(); ++k) {
      const std::string& name = stream.control_info(k).name;
      if (written.starts_with(name + "=")) break;
      names += (names.empty() ? "" : ", ") + in_quotes(name);
    }
    es::check(k < stream.controls(), "--control: ", in_quotes(written), " is not NAME=VALUE,.. for one of the network's knobs: ",
              names.empty() ? "there are none" : names);
    es::check(!given[static_cast<std::size_t>(k)], "--control: ", in_quotes(stream.control_info(k).name), " is given twice");
    given[static_cast<std::size_t>(k)] = true;
    std::vector<float> values;
    const char *at = written.data() + stream.control_info(k).name.size() + 1, *const end = written.data() + written.size();
    for (;;) {
      float value = 0;
      const auto [stop, error] = std::from_chars(at, end, value);
      es::check(error == std::errc() && std::isfinite(value) && (stop == end || *stop == ','), "--control: ", in_quotes(written),
                ": the values must be numbers such as 0.5,1");
      values.push_back(value);
      if (stop == end) break;
      at = stop + 1;
    }
    const Index channels = stream.control_info(k).channels();
    es::check(static_cast<Index>(values.size()) == channels, "--control: ", in_quotes(written), ": ", values.size(),
              values.size() == 1 ? " value, the knob has " : " values, the knob has ", channels);
    stream.set_control(k, values);
  }
}

/// Error unless there is a file for each input of the network.
inline void check_inputs(const es::Stream<Net>& stream, const RunOptions& options) {
  const std::size_t more = static_cast<std::size_t>(stream.inputs() - 1);
  es::check(options.also.size() == more, in_quotes(options.model.string()), ": takes ", more,
            more == 1 ? " signal" : " signals", " beside the input, ", options.also.size(), " given (--also FILE for each)");
}

/// What would keep a file from being written: it must not be one that is read, nor one that is written, too.
inline void check_output(const std::filesystem::path& output, const RunOptions& options) {
  check_not_the_same(output, options.input, "input");
  check_not_the_same(output, options.model, "model");
  for (const std::filesystem::path& path : options.also) check_not_the_same(output, path, "input");
  if (!options.load_state.empty()) check_not_the_same(output, options.load_state, "state to load");
  if (!options.save_state.empty()) check_not_the_same(options.save_state, output, "output");
}

/// A file for each output of the network: the main one's, and for each other the one that is named, or that of the main one
/// with the output's name in it.
inline std::vector<std::filesystem::path> output_files(const es::Stream<Net>& stream, const RunOptions& options) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files(static_cast<std::size_t>(stream.outputs()));
  files.front() = options.output;
  for (const std::string& given : options.outputs) {
    std::string names;
    bool found = false;
    for (Index k = 1; k < stream.outputs() && !found; ++k) {
      const std::string name = stream.output_name(k);
      found = given.starts_with(name + "=") && given.size() > name.size() + 1;
      fs::path& file = files[static_cast<std::size_t>(k)];
      es::check(!found || file.empty(), "--output: ", in_quotes(name), " is given twice");
      if (found) file = given.substr(name.size() + 1);
      names += (names.empty() ? "" : ", ") + in_quotes(name);
    }
    es::check(found, "--output: ", in_quotes(given), " is not NAME=FILE for one of the outputs beside the main one: ",
              names.empty() ? "there are none" : names);
  }
  for (Index k = 1; k < stream.outputs(); ++k) {
    fs::path& file = files[static_cast<std::size_t>(k)];
    if (file.empty()) {
      const std::string name = stream.output_name(k);
      es::check(name.find_first_of("/\\") == name.npos && printable(name) == name, in_quotes(options.model.string()),
                ": an output is called ", in_quotes(name), ", as no file can be; say where it goes: --output NAME=FILE");
      file = options.output;
      file.replace_filename(options.output.stem().string() + "." + name + options.output.extension().string());
    }
    if (file.extension() != ".safetensors") check_wav_name(file);
    check_output(file, options);
    for (Index other = 0; other < k; ++other) check_not_the_same(file, files[static_cast<std::size_t>(other)], "file of another output");
  }
  return files;
}

/// Calls f(place in torch's order (B,C,H,W), place within a frame) for each number of a frame.
template <class F>
void for_each_number(const es::FrameShape& shape, F&& f) {
  Index place = 0;
  for (Index b = 0; b < shape.batch; ++b)
    for (Index h = 0; h < shape.height; ++h)
      for (Index w = 0; w < shape.width; ++w)
        for (Index c = 0; c < shape.channels; ++c) f(((b * shape.channels + c) * shape.height + h) * shape.width + w, place++);
}

/// Frames of an output, from the order within a frame to torch's: (B,C,H,W,T), without what is not there.
inline es::Weights<float> as_tensor(const std::vector<float>& frames, const es::FrameShape& shape, bool batched) {
  const Index count = static_cast<Index>(frames.size()) / shape.size();
  std::vector<float> y(frames.size());
  for (Index t = 0; t < count; ++t)
    for_each_number(shape, [&](Index lane, Index place) {
      y[static_cast<std::size_t>(lane * count + t)] = frames[static_cast<std::size_t>(t * shape.size() + place)];
    });
  std::vector<Index> sizes{shape.channels};
  if (batched) sizes.insert(sizes.begin(), shape.batch);
  if (shape.height != 1) sizes.push_back(shape.height);
  if (shape.has_space()) sizes.push_back(shape.width);
  sizes.push_back(count);
  return {std::move(sizes), std::move(y)};
}

/// Where the frames of one output go: a WAV file, or a tensor y.
class Result {
 public:
  Result(const std::filesystem::path& path, const es::Stream<Net>& stream, Index output, Index in_hz, Index frames,
         const RunOptions& options, const std::string& input)
      : file(path), shape_(stream.out_shape(output)), timing_(stream.timing(output)) {
    if (path.extension() == ".safetensors") return;
    const std::string which = stream.outputs() == 1 ? "the output" : "output " + in_quotes(stream.output_name(output));
    const std::string cure = output == 0 ? "" : "; or write tensors: --output NAME=FILE.safetensors";
    const es::Rate rate = timing_.rate();
    const double out_hz = static_cast<double>(in_hz) * rate.value();
    es::check(in_hz % rate.inputs == 0, input, ": ", which, " would be sampled at ", fixed(out_hz, 3), " Hz (", in_hz,
              " Hz times ", rate.outputs, "/", rate.inputs, "), but a WAV file needs a whole number", cure);
    es::check(out_hz <= std::numeric_limits<int>::max(), input, ": ", which, " would be sampled at ", fixed(out_hz, 0),
              " Hz, more than a WAV file can say", cure);
    const Index seen = stream.frames_seen();
    writer_.emplace(file, shape_.size(), static_cast<Index>(out_hz),
                    timing_.outputs_after(seen + frames, options.ends()) - timing_.outputs_after(seen), options.format);
  }

  void write(const float* from, Index n) {
    if (writer_) return writer_->write(from, n);
    frames_.insert(frames_.end(), from, from + n * shape_.size());
  }
  void finish() {
    if (writer_) return writer_->finish();
    es::Safetensors out;
    out.tensors["y"] = as_tensor(frames_, shape_, shape_.batch > 1);
    file.write(es::serialise_safetensors(out));
  }
  void warn_if_empty(Index seen) const { tool::warn_if_empty(timing_, seen, file); }
  /// What had to be changed to fit into the file.
  Index clipped() const { return writer_ ? writer_->clipped() : 0; }
  Index not_numbers() const { return writer_ ? writer_->not_numbers() : 0; }

  OutputFile file;

 private:
  es::FrameShape shape_;
  es::Timing timing_;
  std::optional<WavWriter> writer_;
  std::vector<float> frames_;
};

/// What had to be changed to fit into the files: "; 3 samples clipped", or nothing.
inline std::string faults(Index clipped, Index not_numbers) {
  std::string all;
  if (clipped > 0) all += text("; ", clipped, " samples clipped");
  if (not_numbers > 0) all += text("; ", not_numbers, " samples were not numbers, now 0");
  return all;
}

/// An audio file through the network into a WAV file for each output.
inline void run_audio(const OpenedModel& model, const RunOptions& options) {
  AudioReader reader(options.input, options.is_part());
  const std::string input = in_quotes(options.input.string());
  const std::optional<double> wanted_hz = model.sample_rate_hz();
  es::check(!wanted_hz || *wanted_hz == static_cast<double>(reader.sample_rate_hz()), input, ": sampled at ",
            reader.sample_rate_hz(), " Hz, the model is for ", wanted_hz.value_or(0), " Hz; resample the file first");

  const Index wanted = model.layer().wanted().channels;
  const bool each_alone = wanted == 1 && reader.channels() > 1;
  es::check(wanted == 0 || wanted == reader.channels() || each_alone, input, ": ", reader.channels(),
            reader.channels() == 1 ? " channel" : " channels", ", the network takes ", wanted);
  es::StreamOptions shape{.channels = reader.channels()};
  if (each_alone) shape = {.channels = 1, .batch = reader.channels()};
  es::Stream<Net> stream = open_stream(model, shape, input);
  es::check(!stream.in_shape().has_space(), input, ": audio, but the network takes frames of ", stream.in_shape(),
            "; give it a tensor");

  check_inputs(stream, options);
  std::vector<FurtherInput> also;
  for (std::size_t k = 0; k < options.also.size(); ++k) {
    AudioReader file(options.also[k], true);
    const std::string name = in_quotes(options.also[k].string());
    const es::Rate own = model.layer().more_inputs()[k].rate;
    es::check(file.sample_rate_hz() * own.inputs == reader.sample_rate_hz() * own.outputs, name, ": sampled at ",
              file.sample_rate_hz(), " Hz, the network takes ", own.outputs, " frames for every ", own.inputs,
              " of the input, which is sampled at ", reader.sample_rate_hz(), " Hz");
    es::check(!each_alone, input, ": ", reader.channels(), " channels, the network takes 1");
    const Index channels = stream.in_shape(static_cast<Index>(k) + 1).size();
    es::check(file.channels() == channels, name, ": ", file.channels(), " channels, the network takes ", channels);
    FurtherInput given{name, {}, 0};
    constexpr Index piece = 65536;
    for (Index n = piece; n == piece; given.frames += n) {
      given.values.resize(static_cast<std::size_t>((given.frames + piece) * channels));
      n = file.read(given.values.data() + given.frames * channels, piece);
    }
    also.push_back(std::move(given));
  }

  Index frames = reader.frames();
  std::vector<float> all;
  if (options.blocks.empty()) {
    // What a file says of its length need not be true: grow with what is really there.
    constexpr Index piece = 65536;
    const Index channels = reader.channels();
    Index got = 0;
    for (Index n = piece; n == piece && got < frames; got += n) {
      all.resize(static_cast<std::size_t>((got + piece) * channels));
      n = reader.read(all.data() + got * channels, std::min(piece, frames - got));
    }
    frames = got;
  }
  const auto read = [&](float* to, Index n) {
    if (all.empty()) return reader.read(to, n);
    std::copy_n(all.data(), n * reader.channels(), to);
    return n;
  };

  StateFiles states(options, text("audio at ", reader.sample_rate_hz(), " Hz"), stream);
  set_controls(stream, options);
  const Index seen = stream.frames_seen();
  std::vector<std::unique_ptr<Result>> results;
  for (const std::filesystem::path& path : output_files(stream, options))
    results.push_back(std::make_unique<Result>(path, stream, static_cast<Index>(results.size()), reader.sample_rate_hz(),
                                               frames, options, input));
  const RunTotals totals = stream_through(stream, options, frames, also, read,
                                          [&](std::size_t k, const float* from, Index n) { results[k]->write(from, n); });
  for (const auto& result : results) result->finish();
  states.write(stream);

  warn(reader.shortfall());
  Index clipped = 0, not_numbers = 0;
  for (const auto& result : results) {
    if (options.ends()) result->warn_if_empty(seen + totals.in);
    clipped += result->clipped(), not_numbers += result->not_numbers();
  }
  say(summary(stream, totals, static_cast<double>(reader.sample_rate_hz())) + faults(clipped, not_numbers) + "\n");
  finish_saying();
  for (const auto& result : results) result->file.keep();
  states.keep();
}

/// The tensor x of a file, of torch's shape (C,T) or (B,C,T); with (C,W,T), (C,H,W,T) if the network takes frames with space.
struct TensorFile {
  TensorFile(const std::filesystem::path& path, const es::FrameShape& wanted) : name(in_quotes(path.string())) {
    es::Safetensors file = es::read_safetensors(path);
    const auto found = file.tensors.find("x");
    es::check(found != file.tensors.end(), name, ": holds no tensor \"x\"");
    x = std::move(found->second);
    const std::size_t space = wanted.height > 1 ? 2 : wanted.width > 1 ? 1 : 0, rank = x.shape.size();
    const std::string axes = space == 2 ? "C,H,W,T" : space == 1 ? "C,W,T" : "C,T";
    es::check(rank == space + 2 || rank == space + 3, name, ": x has shape ", x.shape_text(), ", must be (", axes, ") or (B,",
              axes, ")");
    for (const Index n : x.shape)
      es::check(n <= std::numeric_limits<std::int32_t>::max(), name, ": x has shape ", x.shape_text(), ", which is beyond 2^31");
    batched = rank == space + 3;
    const auto extent = [&](std::size_t axis) { return x.shape[axis + (batched ? 1 : 0)]; };
    frames = x.shape.back();
    shape = {extent(0), space > 0 ? extent(space) : 1, space == 2 ? extent(1) : 1, batched ? x.shape[0] : 1};
    es::check(space == 0 || (shape.width == std::max<Index>(1, wanted.width) && shape.height == std::max<Index>(1, wanted.height)),
              name, ": x of shape ", x.shape_text(), " has frames of width ", shape.width, " and height ", shape.height,
              ", the network takes ", std::max<Index>(1, wanted.width), " and ", std::max<Index>(1, wanted.height));
  }
  /// Frames at ... at + n - 1, frame after frame.
  void copy(Index at, Index n, float* to) const {
    for (Index t = at; t < at + n; ++t, to += shape.size())
      for_each_number(shape, [&](Index lane, Index place) { to[place] = x(lane * frames + t); });
  }
  std::string name;
  es::Weights<float> x;
  bool batched = false;
  es::FrameShape shape;
  Index frames = 0;
};

/// A tensor x through the network into a tensor y, or one for each output by its name; where its frames have space, that comes
/// behind the channels.
inline void run_tensors(const OpenedModel& model, const RunOptions& options) {
  const TensorFile x(options.input, model.layer().wanted());
  const bool nothing = x.shape.size() == 0 || (x.frames == 0 && !options.is_part());
  es::check(!nothing, x.name, ": x has shape ", x.x.shape_text(), ", it is empty");
  const Index wanted = model.layer().wanted().channels, channels = x.shape.channels;
  es::check(wanted == 0 || wanted == channels, x.name, ": x of shape ", x.x.shape_text(), " has ", channels,
            channels == 1 ? " channel" : " channels", ", the network takes ", wanted);
  es::Stream<Net> stream = open_stream(model, {.channels = channels, .batch = x.shape.batch}, x.name);
  check_inputs(stream, options);
  std::vector<FurtherInput> also;
  for (std::size_t k = 0; k < options.also.size(); ++k) {
    const es::FrameShape shape = stream.in_shape(static_cast<Index>(k) + 1);
    const TensorFile file(options.also[k], shape);
    es::check(file.shape == shape, file.name, ": x of shape ", file.x.shape_text(), " has ", file.shape.channels,
              " channels in a batch of ", file.shape.batch, ", the network takes ", shape);
    FurtherInput given{file.name, std::vector<float>(static_cast<std::size_t>(file.frames * shape.size())), file.frames};
    file.copy(0, file.frames, given.values.data());
    also.push_back(std::move(given));
  }

  StateFiles states(options, "tensors", stream);
  set_controls(stream, options);
  OutputFile output(options.output);
  const Index seen = stream.frames_seen();
  Index at = 0;
  const auto read = [&](float* to, Index n) {
    x.copy(at, n, to);
    at += n;
    return n;
  };
  std::vector<std::vector<float>> results(static_cast<std::size_t>(stream.outputs()));  // frame after frame
  const auto write = [&](std::size_t k, const float* from, Index n) {
    results[k].insert(results[k].end(), from, from + n * stream.out_shape(static_cast<Index>(k)).size());
  };
  const RunTotals totals = stream_through(stream, options, x.frames, also, read, write);

  es::Safetensors out;
  for (Index k = 0; k < stream.outputs(); ++k)
    out.tensors[stream.outputs() == 1 ? "y" : stream.output_name(k)] =
        as_tensor(results[static_cast<std::size_t>(k)], stream.out_shape(k), x.batched);
  output.write(es::serialise_safetensors(out));
  states.write(stream);

  if (options.ends())
    for (Index k = 0; k < stream.outputs(); ++k) warn_if_empty(stream.timing(k), seen + totals.in, output);
  say(summary(stream, totals, model.sample_rate_hz()) + "\n");
  finish_saying();
  output.keep();
  states.keep();
}

inline void run(const RunOptions& options) {
  namespace fs = std::filesystem;
  const auto is_tensors = [](const fs::path& path) { return path.extension() == ".safetensors"; };
  const bool tensors = is_tensors(options.input);
  if (tensors != is_tensors(options.output))
    throw UsageError("input and output must both be audio files or both be .safetensors files");
  if (tensors && options.format != WavWriter::Format::float32)
    throw UsageError("--format is for audio files; tensors are written as float32");
  if (!tensors) check_wav_name(options.output);
  for (const fs::path& path : options.also)
    if (is_tensors(path) != tensors)
      throw UsageError("the input and what comes beside it must all be audio files or all be .safetensors files");
  if (tensors && !options.outputs.empty())
    throw UsageError("--output is for audio files; of tensors, all outputs go to one file");
  check_output(options.output, options);
  if (!options.save_state.empty()) {
    check_not_the_same(options.save_state, options.input, "input");
    check_not_the_same(options.save_state, options.model, "model");
  }
  const OpenedModel model = open_model(options.model);
  tensors ? run_tensors(model, options) : run_audio(model, options);
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_RUN_HPP
