#ifndef EIGENSTREAM_ANALYSIS_VERIFY_STREAMING_HPP
#define EIGENSTREAM_ANALYSIS_VERIFY_STREAMING_HPP

#include <algorithm>    // generate, min, max
#include <cstdint>      // seed
#include <iterator>     // size
#include <random>       // inputs and chunks; the engine's numbers are the same everywhere
#include <sstream>      // messages
#include <string>       // string
#include <type_traits>  // is_same
#include <vector>       // frames

#include "eigenstream/analysis/callable.hpp"
#include "eigenstream/analysis/compare.hpp"
#include "eigenstream/stream/stream.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How a signal is cut.
struct Chunking {
  std::string name;
  std::vector<Index> chunks;
};

/// The first chunkings are the awkward ones, then come random ones of all scales.
inline Chunking make_chunking(Index trial, Index frames, std::mt19937_64& random) {
  const auto below = [&](Index n) { return static_cast<Index>(random() % static_cast<std::uint64_t>(n)); };
  Chunking made;
  const auto fill = [&](const std::string& name, auto&& next) {
    made.name = name;
    for (Index left = frames; left > 0; left -= made.chunks.back()) made.chunks.push_back(std::min(left, next()));
  };
  if (trial == 0) {
    fill("single frames", [] { return Index{1}; });
  } else if (trial == 1) {
    constexpr Index primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    fill("primes", [&, at = std::size_t{0}]() mutable { return primes[at++ % std::size(primes)]; });
  } else if (trial == 2) {
    fill("empty chunks in between", [&, at = Index{0}]() mutable { return at++ % 2 == 0 ? Index{0} : at % 9; });
  } else if (trial == 3) {
    fill("two parts", [&, at = 0]() mutable { return at++ == 0 ? below(frames + 1) : frames; });
  } else {
    Index most = 1;
    for (Index scale = below(16); scale > 0 && most < frames; --scale) most *= 2;
    fill("random, up to " + std::to_string(most), [&] { return below(8) == 0 ? Index{0} : 1 + below(most); });
  }
  return made;
}

/// Numbers in [-1, 1).
template <class T>
std::vector<T> random_signal(Index scalars, std::mt19937_64& random) {
  std::vector<T> x(static_cast<std::size_t>(scalars));
  std::generate(x.begin(), x.end(), [&] { return static_cast<T>(static_cast<double>(random() >> 11) * 0x1p-52 - 1); });
  return x;
}

struct VerifyOptions {
  Tolerance tolerance = {};
  Index trials = 20;  ///< ways to cut the signal: single frames, primes, empty chunks, two parts, then random ones
  std::uint64_t seed = 1;
};

/// What verify_streaming found.
struct StreamingVerdict {
  std::string message;  ///< what breaks the law; empty if it holds
  Chunking chunking;    ///< the first that breaks it
  Index output_frame = -1, batch_entry = -1, channel = -1;  ///< where its outputs first differ; -1 if only in number
  double largest_difference = 0;  ///< of all outputs compared, infinite for a number against NaN
  Index trials = 0, calls = 0;    ///< those made, the last trial included if it breaks the law

  bool holds() const noexcept { return message.empty(); }
  explicit operator bool() const noexcept { return holds(); }
};

namespace detail {

/// Tries ways to cut one signal. `call(chunk, last, use)` hands what a chunk gives to use(frames).
template <class T, class U, class Call>
class StreamingTrials {
 public:
  StreamingTrials(const Call& call, bool offline, SignalShape shape, const VerifyOptions& options)
      : call_(call), offline_(offline), shape_(shape), options_(options), random_(options.seed) {}

  /// `reference(x, use)` does so for a whole signal; what it gives is what the chunks must give.
  template <class Reference>
  StreamingVerdict run(const Reference& reference) {
    const char* const who = "verify_streaming";
    shape_.check_positive(who);
    check(options_.trials >= 1, who, ": trials = ", options_.trials, ", must be at least 1");
    check(options_.tolerance.relative >= 0 && options_.tolerance.absolute >= 0, who, ": the tolerance is ",
          options_.tolerance.relative, " and ", options_.tolerance.absolute, ", must not be negative");
    x_ = random_signal<T>(shape_.frames * shape_.frame().size(), random_);
    const auto keep = [&](Frames<const U> y) {
      out_ = y.shape(), outputs_ = y.count;
      expected_.assign(y.data, y.data + y.scalars());
    };
    reference(Frames<const T>(x_.data(), shape_.frame(), shape_.frames), keep);
    if (!offline_) ++verdict_.calls;
    check(outputs_ > 0, who, ": one call on the whole signal of ", shape_.frames,
          " frames gives no output, so there is nothing to compare; a longer signal might");
    check(out_.batch == shape_.batch, who, ": one call gives a batch of ", out_.batch, " for one of ", shape_.batch);

    const Chunking whole{"one call", {shape_.frames}};
    if (offline_ && !agrees(whole, "")) return verdict_;
    if (!agrees(whole, "the same signal once more, after its last call: ")) {
      std::vector<U> before = std::move(given_);
      StreamingVerdict verdict = verdict_;
      agrees(whole, "");
      const bool repeats = before.size() == given_.size() &&
                           first_difference(before.data(), given_.data(), static_cast<Index>(before.size())) ==
                               static_cast<Index>(before.size());
      verdict.message += repeats ? " (it is not fresh after the last call)"
                                 : " (each time another output: it is not deterministic, or not fresh after the last "
                                   "call)";
      verdict.calls = verdict_.calls;
      return verdict;
    }
    for (Index trial = 0; trial < options_.trials; ++trial) {
      Chunking chunking = make_chunking(trial, shape_.frames, random_);
      if (trial % 2 == 1) {  // the end comes when there is no more input
        chunking.chunks.push_back(0);
        chunking.name += ", the last one empty";
      }
      ++verdict_.trials;
      std::ostringstream where;
      where << "chunking " << trial + 1 << " (" << chunking.name << "), ";
      if (!agrees(chunking, where.str())) return verdict_;
    }
    return verdict_;
  }

 private:
  struct Made {
    Index input, frames;  // the chunk
    Index output, given;  // what it gave
  };

  /// Whether a signal that is cut like this gives what is expected; otherwise the verdict says where it does not.
  bool agrees(const Chunking& chunking, const std::string& where) {
    given_.clear();
    std::vector<Made> made;
    Index seen = 0, given = 0;
    std::ostringstream message;
    message.precision(9);
    const auto broken = [&](const Made& call) -> std::ostringstream& {
      message << where;
      if (chunking.chunks.size() > 1)
        message << "the cut at input frame " << call.input << ", next chunk of " << call.frames << ": ";
      return message;
    };
    for (std::size_t c = 0; c < chunking.chunks.size() && message.str().empty(); ++c) {
      const Index n = chunking.chunks[c];
      const bool last = c + 1 == chunking.chunks.size();
      const Frames<const T> x(x_.data() + seen * shape_.frame().size(), shape_.frame(), n);
      ++verdict_.calls;
      call_(x, last, [&](Frames<const U> y) {
        made.push_back({seen, n, given, y.count});
        if (y.count > 0 && y.shape() != out_) {
          broken(made.back()) << "gives " << y.channels << " channels";
          if (y.batch != out_.batch) message << " and a batch of " << y.batch;
          message << ", " << source() << " " << out_.channels;
          if (y.batch != out_.batch) message << " and " << out_.batch;
          return;
        }
        given_.insert(given_.end(), y.data, y.data + y.scalars());
        given += y.count;
        if (given > outputs_)
          broken(made.back()) << "gives " << y.count << " frames, " << given << " in all, " << source() << " "
                              << outputs_;
      });
      seen += n;
    }
    const Index frame = out_.size();
    const Index common = std::min(given, outputs_) * frame;
    for (Index i = 0; i < common; ++i) {
      const std::size_t k = static_cast<std::size_t>(i);
      verdict_.largest_difference = std::max(verdict_.largest_difference, distance(given_[k], expected_[k]));
    }
    const Index at = first_difference(given_.data(), expected_.data(), common, options_.tolerance);
    if (at < common) {  // says more than a number of frames
      message.str("");
      const Index output = at / frame;
      const auto call = std::find_if(made.begin(), made.end(),
                                     [&](const Made& m) { return output < m.output + m.given; });
      verdict_.output_frame = output;
      verdict_.batch_entry = at % frame / out_.channels;
      verdict_.channel = at % out_.channels;
      broken(*call) << "output frame " << output << ", ";
      if (out_.batch > 1) message << "batch entry " << verdict_.batch_entry << ", ";
      message << "channel " << verdict_.channel << " is " << given_[static_cast<std::size_t>(at)] << ", " << source()
              << " " << expected_[static_cast<std::size_t>(at)];
    } else if (message.str().empty() && given != outputs_) {
      message << where << "gives " << given << " frames in all, " << source() << " " << outputs_;
    }
    verdict_.message = message.str();
    if (verdict_.holds()) return true;
    verdict_.chunking = chunking;
    return false;
  }
  const char* source() const noexcept { return offline_ ? "offline" : "in one call"; }

  const Call& call_;
  bool offline_;
  SignalShape shape_;
  VerifyOptions options_;
  std::mt19937_64 random_;
  StreamingVerdict verdict_;
  FrameShape out_;
  Index outputs_ = 0;
  std::vector<T> x_;
  std::vector<U> expected_, given_;
};

/// The user's streaming callable on frames, handing what it gives to use(frames).
template <class X, class Call>
auto chunk_call(Call& call) {
  return [&call](Frames<const typename ScalarOf<X>::type> x, bool last, auto&& use) {
    auto signal = as_signal<X>(x);
    const auto y = call(signal, last);
    use(as_frames(y));
  };
}

}  // namespace detail

/// Whether a streaming callable obeys the law: however a signal is cut into chunks, it gives the same outputs in the
/// same number and order, and is fresh after the last chunk. The verdict names the first chunking that breaks the law,
/// where its outputs go wrong, and by how much.
///   call(chunk, last) -> y   the frames that are ready, or an optional of them; `last` is true with the last chunk,
///                            which may be empty. Chunks are tensors (T), (C,T) or (C,B,T), matrices (C,T), or
///                            Frames<const T>, as the first parameter says; for a generic lambda Tensor<float,3>, or
///                            what is given: verify_streaming<Eigen::MatrixXf>(call, shape)
///   offline(x) -> y          what to expect for a whole signal; without it, what one call with `last` gives
///   if (const auto verdict = es::verify_streaming(model, {.channels = 2, .frames = 1000}); !verdict)
///     std::cerr << verdict.message;
/// A layer, network or Stream is verified on a fresh stream, and against its timing(), too.
/// Errors   Error if a number of the shape or trials is below 1, or one call gives no output to compare
template <class Signal = void, class Call>
  requires(!detail::Timed<Call>)
StreamingVerdict verify_streaming(Call&& call, SignalShape shape, const VerifyOptions& options = {}) {
  using X = detail::SignalOf<Signal, Call>;
  using T = typename detail::ScalarOf<X>::type;
  const auto chunk = detail::chunk_call<X>(call);
  using Y = decltype(call(std::declval<detail::AsSignal<X>&>(), true));
  detail::StreamingTrials<T, detail::GivenScalar<Y>, decltype(chunk)> trials(chunk, false, shape, options);
  return trials.run([&](Frames<const T> x, auto&& use) { chunk(x, true, use); });
}
template <class Signal = void, class Call, class Offline>
  requires(!detail::Timed<Call> && !std::is_convertible_v<Offline, SignalShape>)
StreamingVerdict verify_streaming(Call&& call, Offline&& offline, SignalShape shape,
                                  const VerifyOptions& options = {}) {
  using X = detail::SignalOf<Signal, Call>;
  using T = typename detail::ScalarOf<X>::type;
  const auto chunk = detail::chunk_call<X>(call);
  using W = detail::SignalOf<Signal, Offline>;
  const auto whole = [&](Frames<const T> x, auto&& use) {
    auto signal = detail::as_signal<W>(x);
    const auto y = offline(signal);
    use(detail::as_frames(y));
  };
  using U = detail::GivenScalar<decltype(call(std::declval<detail::AsSignal<X>&>(), true))>;
  static_assert(std::is_same_v<T, typename detail::ScalarOf<W>::type> &&
                    std::is_same_v<U, detail::GivenScalar<decltype(offline(std::declval<detail::AsSignal<W>&>()))>>,
                "eigenstream: the streaming and the offline callable take and give the same type of number");
  return detail::StreamingTrials<T, U, decltype(chunk)>(chunk, true, shape, options).run(whole);
}
template <Layer L>
StreamingVerdict verify_streaming(const L& layer, SignalShape shape, const VerifyOptions& options = {}) {
  using T = typename L::Scalar;
  shape.check_positive("verify_streaming");
  Stream<L> stream(layer, {.channels = shape.channels, .batch = shape.batch, .width = shape.width, .height = shape.height});
  std::vector<T> room;
  Index seen = 0, given = 0;
  std::string late;
  const auto call = [&](Frames<const T> x, bool last) {
    const Index most = stream.max_outputs(x.count) + (last ? stream.max_flush() : 0);
    room.resize(static_cast<std::size_t>(most * stream.out_shape().size()));
    const Frames<T> y(room.data(), stream.out_shape(), most);
    const Index written = last ? stream.process(x, y, final) : stream.process(x, y);
    seen += x.count, given += written;
    if (const Index due = stream.outputs_after(seen, last); late.empty() && given != due) {
      std::ostringstream message;
      message << (last ? "a signal of " : "the first ") << seen << " frames " << (last ? "gives " : "give ") << given
              << " frames, timing() says " << due;
      late = message.str();
    }
    if (last) seen = given = 0;
    return Frames<const T>(y.first(written));
  };
  StreamingVerdict verdict = verify_streaming(call, shape, options);
  if (verdict.holds()) verdict.message = late;
  return verdict;
}
template <Layer L>
StreamingVerdict verify_streaming(const Stream<L>& stream, SignalShape shape, const VerifyOptions& options = {}) {
  return verify_streaming(stream.net(), shape, options);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_ANALYSIS_VERIFY_STREAMING_HPP
