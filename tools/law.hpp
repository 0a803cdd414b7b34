#ifndef EIGENSTREAM_TOOLS_LAW_HPP
#define EIGENSTREAM_TOOLS_LAW_HPP

#include <algorithm>  // min
#include <cstdint>    // seed
#include <map>        // one reference for each batch size
#include <memory>     // shared_ptr
#include <random>     // inputs and chunks; the engine's numbers are the same everywhere
#include <string>     // string
#include <vector>     // frames

#include "eigenstream/analysis/verify_streaming.hpp"
#include "eigenstream/kernel/flush_denormals.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "text.hpp"

namespace tool {

struct LawOptions {
  Index channels = 1;
  Index frames = 1000;  ///< of the signal
  Index trials = 20;    ///< ways to cut it
  std::uint64_t seed = 1;
};

struct LawResult {
  Index trials = 0, calls = 0;
  std::string broken;  ///< where, if it is
};

/// Tries the law on a network: however a signal is cut into chunks, also when the stream is saved and loaded on the way
/// or has run before, the outputs are, bit for bit and in number, those of one call, and come when they are due.
/// Signals are random, alone and in a batch of three. Stops at the first call that breaks it.
template <es::Layer Net>
LawResult try_law(std::shared_ptr<const Net> net, const LawOptions& options) {
  using T = typename Net::Scalar;
  struct Reference {
    es::Stream<Net> stream;  // has seen many signals, none of which may matter
    std::vector<T> x, y;
    es::State end;  // before the flush
  };
  const es::FlushDenormals guard;
  std::mt19937_64 random(options.seed);
  LawResult result;
  std::map<Index, Reference> references;

  const auto reference = [&](Index batch) -> Reference& {
    const auto found = references.find(batch);
    if (found != references.end()) return found->second;
    Reference made{es::Stream<Net>(net, {.channels = options.channels, .batch = batch}), {}, {}, {}};
    const es::FrameShape in = made.stream.in_shape(), out = made.stream.out_shape();
    made.x = es::random_signal<T>(options.frames * in.size(), random);
    const Index room = made.stream.max_outputs(options.frames) + made.stream.max_flush();
    made.y.resize(static_cast<std::size_t>(room * out.size()));
    const es::Frames<T> y(made.y.data(), out, room);
    Index written = made.stream.process(es::Frames<const T>(made.x.data(), in, options.frames), y);
    const Index due = made.stream.outputs_after(options.frames);
    if (written != due) result.broken = text("one call gives ", written, " frames, ", due, " are due");
    made.end = made.stream.get_state();
    written += made.stream.flush(y.from(written));
    const Index in_all = made.stream.outputs_after(options.frames, true);
    if (result.broken.empty() && written != in_all)
      result.broken = text("one call and the flush give ", written, " frames, ", in_all, " are due");
    made.y.resize(static_cast<std::size_t>(written * out.size()));
    return references.emplace(batch, std::move(made)).first->second;
  };

  for (Index trial = 0; trial < options.trials && result.broken.empty(); ++trial) {
    Reference& whole = reference(trial % 4 == 3 ? 3 : 1);
    if (!result.broken.empty()) break;
    es::Stream<Net>& stream = whole.stream;
    const es::FrameShape in = stream.in_shape(), out = stream.out_shape();
    const es::Chunking chunking = es::make_chunking(trial, options.frames, random);
    const std::size_t reload = random() % chunking.chunks.size();
    const Index expected = static_cast<Index>(whole.y.size()) / out.size();
    std::vector<T> y;
    Index seen = 0, given = 0;

    const auto broken = [&](const auto&... what) {
      result.broken =
          text("chunking ", trial + 1, " (", chunking.name, in.batch > 1 ? "; a batch of 3" : "", "), ", what...);
    };
    // Whether a call that took frames [begin, seen) and wrote `written` frames did right.
    const auto agrees = [&](const std::string& call, Index written, Index due) {
      if (written != due) {
        broken(call, ": gives ", written, " frames, ", due, " are due");
        return false;
      }
      const Index n = std::min(written, expected - given) * out.size();
      const T* const wanted = whole.y.data() + given * out.size();
      const Index at = es::first_difference(y.data(), wanted, n);
      given += written;
      if (at == n) return true;
      std::ostringstream shown;
      shown.precision(9);
      shown << "channel " << at % out.channels << " is " << y[static_cast<std::size_t>(at)] << ", in one call "
            << wanted[at];
      broken(call, ": output frame ", given - written + at / out.size(), ", ", shown.str());
      return false;
    };

    for (std::size_t c = 0; c < chunking.chunks.size(); ++c) {
      const Index n = chunking.chunks[c];
      if (c == reload) {
        const es::State saved = es::State::from_bytes(stream.get_state().bytes());
        es::Stream<Net> loaded(net, {.channels = options.channels, .batch = in.batch});
        loaded.set_state(saved);
        if (!(loaded.get_state() == saved)) {
          broken("saved and loaded at input frame ", seen, ": the state is another");
          return result;
        }
        stream = loaded;
      }
      const Index room = stream.max_outputs(n), due = stream.outputs_after(seen + n) - stream.outputs_after(seen);
      y.resize(static_cast<std::size_t>(room * out.size()));
      const es::Frames<const T> x(whole.x.data() + seen * in.size(), in, n);
      const Index written = stream.process(x, es::Frames<T>(y.data(), out, room));
      ++result.calls;
      const std::string call = text("the cut at input frame ", seen, ", next chunk of ", n);
      seen += n;
      if (!agrees(c <= reload ? call : call + ", after saving and loading", written, due)) return result;
    }
    if (!(stream.get_state() == whole.end)) {
      broken("after the last chunk: the state is another than after one call");
      return result;
    }
    y.resize(static_cast<std::size_t>(stream.max_flush() * out.size()));
    const Index written = stream.flush(es::Frames<T>(y.data(), out, stream.max_flush()));
    if (!agrees("the flush", written, expected - given)) return result;
    ++result.trials;
  }
  return result;
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_LAW_HPP
