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
#include "results.hpp"
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
    std::vector<T> x;
    std::vector<std::vector<T>> y;  // of each output
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
    const es::FrameShape in = made.stream.in_shape();
    made.x = es::random_signal<T>(options.frames * in.size(), random);
    Results results(made.stream);
    results.make_room([&](Index k) { return made.stream.max_outputs(options.frames, k); });
    made.stream.process(es::Frames<const T>(made.x.data(), in, options.frames), results.frames, results.written);
    results.append_to(made.y);
    for (Index k = 0; k < made.stream.outputs(); ++k) {
      const Index written = results.written[static_cast<std::size_t>(k)], due = made.stream.timing(k).outputs_after(options.frames);
      if (result.broken.empty() && written != due)
        result.broken = text(results.name(k), "one call gives ", written, " frames, ", due, " are due");
    }
    made.end = made.stream.get_state();
    results.make_room([&](Index k) { return made.stream.max_flush(k); });
    made.stream.flush(results.frames, results.written);
    results.append_to(made.y);
    for (Index k = 0; k < made.stream.outputs(); ++k) {
      const Index in_all = made.stream.timing(k).outputs_after(options.frames, true);
      const Index written = static_cast<Index>(made.y[static_cast<std::size_t>(k)].size()) / made.stream.out_shape(k).size();
      if (result.broken.empty() && written != in_all)
        result.broken = text(results.name(k), "one call and the flush give ", written, " frames, ", in_all, " are due");
    }
    return references.emplace(batch, std::move(made)).first->second;
  };

  for (Index trial = 0; trial < options.trials && result.broken.empty(); ++trial) {
    Reference& whole = reference(trial % 4 == 3 ? 3 : 1);
    if (!result.broken.empty()) break;
    es::Stream<Net>& stream = whole.stream;
    const es::FrameShape in = stream.in_shape();
    const es::Chunking chunking = es::make_chunking(trial, options.frames, random);
    const std::size_t reload = random() % chunking.chunks.size();
    Results results(stream);
    std::vector<Index> given(results.written.size(), 0);  // frames of each output
    Index seen = 0;

    const auto broken = [&](const auto&... what) {
      result.broken =
          text("chunking ", trial + 1, " (", chunking.name, in.batch > 1 ? "; a batch of 3" : "", "), ", what...);
    };
    // Whether a call that took frames [begin, seen) and wrote what is in the results did right.
    const auto agrees = [&](const std::string& call, const std::vector<Index>& all_due) {
      for (Index k = 0; k < stream.outputs(); ++k) {
        const std::size_t i = static_cast<std::size_t>(k);
        const es::FrameShape out = stream.out_shape(k);
        const Index written = results.written[i], due = all_due[i];
        const Index expected = static_cast<Index>(whole.y[i].size()) / out.size();
        if (written != due) {
          broken(call, ": ", results.name(k), "gives ", written, " frames, ", due, " are due");
          return false;
        }
        const Index n = std::min(written, expected - given[i]) * out.size();
        const T* const wanted = whole.y[i].data() + given[i] * out.size();
        const Index at = es::first_difference(results.frames[i].data, wanted, n);
        given[i] += written;
        if (at == n) continue;
        std::ostringstream shown;
        shown.precision(9);
        shown << "channel " << at % out.channels << " is " << results.frames[i].data[at] << ", in one call " << wanted[at];
        broken(call, ": ", results.name(k), "output frame ", given[i] - written + at / out.size(), ", ", shown.str());
        return false;
      }
      return true;
    };
    const auto due_after = [&](Index n) {
      std::vector<Index> due;
      for (Index k = 0; k < stream.outputs(); ++k)
        due.push_back(stream.timing(k).outputs_after(seen + n) - stream.timing(k).outputs_after(seen));
      return due;
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
      const std::vector<Index> due = due_after(n);
      results.make_room([&](Index k) { return stream.max_outputs(n, k); });
      const es::Frames<const T> x(whole.x.data() + seen * in.size(), in, n);
      stream.process(x, results.frames, results.written);
      ++result.calls;
      const std::string call = text("the cut at input frame ", seen, ", next chunk of ", n);
      seen += n;
      if (!agrees(c <= reload ? call : call + ", after saving and loading", due)) return result;
    }
    if (!(stream.get_state() == whole.end)) {
      broken("after the last chunk: the state is another than after one call");
      return result;
    }
    results.make_room([&](Index k) { return stream.max_flush(k); });
    stream.flush(results.frames, results.written);
    std::vector<Index> rest;
    for (Index k = 0; k < stream.outputs(); ++k) {
      const std::size_t i = static_cast<std::size_t>(k);
      rest.push_back(static_cast<Index>(whole.y[i].size()) / stream.out_shape(k).size() - given[i]);
    }
    if (!agrees("the flush", rest)) return result;
    ++result.trials;
  }
  return result;
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_LAW_HPP
