#include "support/contract.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>
#include <type_traits>
#include <utility>

#include "eigenstream/analysis/dependency.hpp"
#include "eigenstream/stream/planar.hpp"
#include "support/allocation.hpp"
#include "support/apart.hpp"
#include "support/errors.hpp"

namespace support {
namespace {

using es::DependencyMatrix;
using es::Frames;
using es::FrameShape;
using es::Timing;

template <class... Parts>
void require(bool ok, const Parts&... parts) {
  if (ok) return;
  std::ostringstream message;
  (message << ... << parts);
  FAIL(message.str());
}

std::string text_of(const std::vector<Index>& cuts) {
  std::ostringstream text;
  for (std::size_t i = 0; i < cuts.size(); ++i) text << (i > 0 ? " " : "") << cuts[i];
  return text.str();
}

/// Frames between two margins of a known pattern: whoever writes there is found out, and whoever uses what it reads
/// there gets NaN.
template <class T>
class Guarded {
 public:
  Guarded(FrameShape shape, Index count)
      : shape_(shape), count_(count), all_(static_cast<std::size_t>(2 * margin + shape.size() * count), poison()) {}
  Guarded(FrameShape shape, Index count, const T* values) : Guarded(shape, count) {
    std::copy_n(values, shape.size() * count, data());
  }

  T* data() noexcept { return all_.data() + margin; }
  Frames<T> frames() noexcept { return {data(), shape_, count_}; }
  Frames<T> frames(Index count) noexcept { return {data(), shape_, count}; }
  /// Whether all that lies before the frames, and behind the first `count`, is as it was.
  bool intact(Index count) const noexcept {
    const Index used = shape_.size() * count;
    return clean(0, margin) && clean(margin + used, static_cast<Index>(all_.size()) - margin - used);
  }
  bool holds(const T* values) const noexcept {
    return count_ == 0 || std::memcmp(all_.data() + margin, values, bytes(shape_.size() * count_)) == 0;
  }

 private:
  static constexpr Index margin = 40;  // scalars, more than a packet
  static T poison() noexcept { return std::numeric_limits<T>::quiet_NaN(); }
  static std::size_t bytes(Index scalars) noexcept { return sizeof(T) * static_cast<std::size_t>(scalars); }
  bool clean(Index from, Index n) const noexcept {
    const T value = poison();
    for (Index i = 0; i < n; ++i)
      if (std::memcmp(&all_[static_cast<std::size_t>(from + i)], &value, sizeof(T)) != 0) return false;
    return true;
  }

  FrameShape shape_;
  Index count_;
  std::vector<T> all_;
};

/// Every awkward way to cut n frames.
std::vector<std::vector<Index>> cuts_of(Index n, Random& random, bool light) {
  const auto repeat = [&](std::initializer_list<Index> sizes) {
    std::vector<Index> cuts;
    for (Index at = 0, i = 0; at < n; ++i) {
      const Index some = std::min(n - at, sizes.begin()[i % static_cast<Index>(sizes.size())]);
      cuts.push_back(some);
      at += some;
    }
    return cuts;
  };
  const auto anything = [&](Index most) {
    std::vector<Index> cuts;
    for (Index at = 0; at < n;) {
      const Index some = std::min(n - at, random.chance(0.2) ? 0 : random.integer(1, most));
      cuts.push_back(some);
      at += some;
    }
    return cuts;
  };
  std::vector<std::vector<Index>> all{repeat({1}), repeat({0, 2, 3, 0, 5, 7, 11, 13}), anything(5)};
  if (light) return all;
  all.push_back({n});
  all.push_back({0, n, 0});
  all.push_back(repeat({0, 1, 0, 0, 2}));
  all.push_back(anything(40));
  all.push_back(repeat({64}));
  if (n > 1) {
    all.push_back({n - 1, 1});
    all.push_back({1, n - 1});
  } else if (n == 0) {
    all.push_back({});
  }
  return all;
}

/// How a signal is ended: with the last chunk, with an empty one after it, by flush.
enum class End { with_last, with_empty, by_flush };

template <class T>
class Contract {
 public:
  using Net = es::AnyLayer<T>;
  using Stream = es::Stream<Net>;

  Contract(const Net& layer, Index batch, const ContractOptions& options)
      : options_(options),
        random_(options.seed),
        net_(std::make_shared<const Net>(layer)),
        fresh_(net_, {.channels = options.channels,
                      .batch = batch,
                      .width = options.width > 1 ? options.width : es::Dynamic,
                      .height = options.height > 1 ? options.height : es::Dynamic}),
        in_(fresh_.in_shape()),
        out_(fresh_.out_shape()),
        timing_(fresh_.timing()) {}

  void check() {
    check_declarations();
    check_counts();
    for (const Index n : lengths()) {
      const std::vector<T> x = signal(n);
      check_chunks(n, x);
      if (options_.light) continue;
      check_tensors(n, x);
      check_planar(n, x);
    }
    check_states();
    check_forged();
    check_garbage();
    check_apart(*net_, in_, options_.seed);
    check_interleaved();
    check_refusals();
    if (!options_.light) {
      check_threads();
      check_warm_up();
    }
    check_releases();
    check_dependencies();
    SUCCEED();
  }

 private:
  es::StreamOptions stream_options() const {
    return {.channels = in_.channels, .batch = in_.batch, .width = in_.width, .height = in_.height};
  }
  std::vector<T> signal(Index n) { return random_values<T>(n * in_.size(), random_); }
  Frames<const T> view(const std::vector<T>& x, Index from, Index n) const {
    return {x.data() + from * in_.size(), in_, n};
  }
  // Of what never forgets, a while is looked at.
  Index field() const { return timing_.recursive() ? 24 : timing_.receptive_field(); }
  Index scale() const { return std::min<Index>(field() + timing_.stride(), 120); }
  Index middle() const { return 2 * scale() + 23; }
  std::vector<Index> lengths() const {
    if (options_.light) return {0, middle()};
    const Index reach = field();
    std::vector<Index> all{0, 1, 2, reach - 1, reach, reach + 1, middle(), 3 * scale() + 100};
    std::erase_if(all, [](Index n) { return n < 0 || n > 600; });
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  /// One call on the whole signal: what every partition must give.
  std::vector<T> whole(const std::vector<T>& x) const {
    const Index n = static_cast<Index>(x.size()) / in_.size();
    Stream stream(net_, stream_options());
    const Index count = timing_.outputs_after(n, true);
    std::vector<T> y(static_cast<std::size_t>(count * out_.size()));
    const Index written = stream.process(view(x, 0, n), Frames<T>(y.data(), out_, count), es::final);
    require(written == count, "one call on ", n, " frames gives ", written, " outputs, outputs_after says ", count);
    return y;
  }
  void require_same(const std::vector<T>& y, const std::vector<T>& expected, const std::string& how) const {
    require(y.size() == expected.size(), how, ": ", static_cast<Index>(y.size()) / out_.size(),
            " outputs, one call gives ", static_cast<Index>(expected.size()) / out_.size());
    if (y.empty() || std::memcmp(y.data(), expected.data(), sizeof(T) * y.size()) == 0) return;
    std::size_t i = 0;
    while (std::memcmp(&y[i], &expected[i], sizeof(T)) == 0) ++i;
    require(false, how, ": output ", static_cast<Index>(i) / out_.size(), ", channel ",
            static_cast<Index>(i) % out_.channels, " is ", y[i], ", one call gives ", expected[i]);
  }

  /// One process or flush, guarded from all sides; appends to y.
  void feed(Stream& stream, const std::vector<T>& x, Index from, Index n, bool last, bool exact_room,
            std::vector<T>& y) const {
    const Index seen = stream.frames_seen();
    const Index expected = stream.outputs_after(seen + n, last) - stream.outputs_after(seen);
    const Index most = stream.max_outputs(n) + (last ? stream.max_flush() : 0);
    require(expected <= most, "a chunk of ", n, " frames after ", seen, " gives ", expected,
            " outputs, more than the ", most, " of max_outputs and max_flush");
    Guarded<T> input(in_, n, x.data() + from * in_.size());
    Guarded<T> output(out_, exact_room ? expected : most + 3);
    Index written = 0;
    std::int64_t allocations = 0;
    {
      const NoAllocation guard;
      written = last ? stream.process(input.frames(), output.frames(), es::final)
                     : stream.process(input.frames(), output.frames());
      allocations = guard.count();
    }
    require(written == expected, "a chunk of ", n, " frames after ", seen, (last ? ", the last," : ""), " gives ",
            written, " outputs instead of ", expected);
    require(allocations == 0, "process allocates");
    require(output.intact(written), "process writes outside of its outputs");
    require(input.holds(x.data() + from * in_.size()) && input.intact(n), "process changes its input");
    y.insert(y.end(), output.data(), output.data() + written * out_.size());
  }
  void flush(Stream& stream, std::vector<T>& y) const {
    const Index seen = stream.frames_seen();
    const Index expected = stream.outputs_after(seen, true) - stream.outputs_after(seen);
    require(expected <= stream.max_flush(), "the flush after ", seen, " frames gives ", expected,
            " outputs, more than max_flush = ", stream.max_flush());
    Guarded<T> output(out_, expected);
    Index written = 0;
    std::int64_t allocations = 0;
    {
      const NoAllocation guard;
      written = stream.flush(output.frames());
      allocations = guard.count();
    }
    require(written == expected, "the flush after ", seen, " frames gives ", written, " outputs instead of ", expected);
    require(allocations == 0, "flush allocates");
    require(output.intact(written), "flush writes outside of its outputs");
    y.insert(y.end(), output.data(), output.data() + written * out_.size());
  }
  std::vector<T> in_chunks(Stream& stream, const std::vector<T>& x, const std::vector<Index>& cuts, End end) const {
    std::vector<T> y;
    Index at = stream.frames_seen();
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      feed(stream, x, at, cuts[i], end == End::with_last && i + 1 == cuts.size(), i % 2 == 0, y);
      at += cuts[i];
    }
    if (end == End::with_empty) feed(stream, x, at, 0, true, true, y);
    if (end == End::by_flush || cuts.empty()) flush(stream, y);
    return y;
  }

  void check_declarations() const {
    const es::Facts facts = net_->facts(in_);
    require(facts.out == out_, "the facts and the stream differ in the output's shape");
    const FrameShape wanted = net_->wanted();
    require(wanted.channels == in_.channels || wanted.channels == 0, "it wants other channels than it takes");
    require((wanted.width == in_.width || wanted.width == 0) && (wanted.height == in_.height || wanted.height == 0) &&
                wanted.batch == 0,
            "it wants frames of another shape than it takes");
    require(facts.parameters >= 0 && facts.macs >= 0 && facts.max_flush >= 0 && facts.scratch_bytes >= 0,
            "negative facts");
    const Index bytes = facts.state_bytes;
    require(bytes >= 0, "state_bytes = ", bytes);
    require(net_->fingerprint() == Net(*net_).fingerprint(), "the fingerprint of a copy differs");
  }

  void check_counts() const {
    require(timing_.outputs_after(0) == 0 && timing_.outputs_after(0, true) == 0, "outputs without input");
    Index before = 0;
    for (Index n = 1; n <= middle(); ++n) {
      const Index now = timing_.outputs_after(n);
      require(now >= before && now <= timing_.outputs_after(n, true), "outputs_after(", n, ") goes back, or beyond ",
              "what a signal of that length gives");
      before = now;
    }
    const es::Rate rate = timing_.rate();
    const Index n = timing_.first_output() + 1, outputs = 3 * timing_.period();
    const Index inputs = outputs * rate.inputs / rate.outputs;
    require(timing_.outputs_after(n + inputs) - timing_.outputs_after(n) == outputs, "the rate is not ", rate.outputs,
            " outputs for ", rate.inputs, " inputs");
  }

  void check_chunks(Index n, const std::vector<T>& x) {
    const std::vector<T> expected = whole(x);
    Stream stream(net_, stream_options());
    const es::State initial = stream.get_state();
    int round = static_cast<int>(n);
    for (const std::vector<Index>& cuts : cuts_of(n, random_, options_.light)) {
      for (const End end : {End::with_last, End::with_empty, End::by_flush}) {
        if (options_.light && round++ % 3 != static_cast<int>(end)) continue;
        INFO("cut into " << text_of(cuts) << ", ended in way " << static_cast<int>(end));
        require_same(in_chunks(stream, x, cuts, end), expected, "in chunks");
        require(stream.frames_seen() == 0 && stream.get_state() == initial, "the stream is not fresh after its end");
      }
    }
  }

  /// The calls that take and give tensors.
  void check_tensors(Index n, const std::vector<T>& x) {
    if (in_.has_space())
      check_tensors_of<5>(n, x);
    else
      check_tensors_of<3>(n, x);
  }
  template <int Rank>
  void check_tensors_of(Index n, const std::vector<T>& x) {
    using Tensor = Eigen::Tensor<T, Rank>;
    const std::vector<T> expected = whole(x);
    const auto part = [&](Index from, Index count) {
      const T* first = x.data() + from * in_.size();
      if constexpr (Rank == 3)
        return Eigen::TensorMap<const Tensor>(first, in_.channels, in_.batch, count);
      else
        return Eigen::TensorMap<const Tensor>(first, in_.channels, in_.width, in_.height, in_.batch, count);
    };
    const auto append = [&](std::vector<T>& y, const auto& more) {
      y.insert(y.end(), more.data(), more.data() + more.size());
    };
    Stream stream(net_, stream_options());
    const es::State initial = stream.get_state();

    const Tensor offline = stream.forward(part(0, n));
    require(offline.dimension(Rank - 2) == out_.batch, "forward: wrong batch");
    if (Rank == 3) require(offline.dimension(0) == out_.channels * out_.width * out_.height, "forward: wrong shape");
    if (Rank == 5)
      require(offline.dimension(0) == out_.channels && offline.dimension(1) == out_.width &&
                  offline.dimension(2 % Rank) == out_.height,
              "forward: wrong shape");
    require_same({offline.data(), offline.data() + offline.size()}, expected, "forward");
    require(stream.get_state() == initial, "forward touches the stream");

    std::vector<T> called, stepped, one_by_one;
    const std::vector<Index> cuts = cuts_of(n, random_, true).back();
    Index at = 0;
    for (const Index count : cuts) {
      append(called, stream(part(at, count)));
      at += count;
    }
    append(called, stream(part(at, 0), es::final));
    require_same(called, expected, "operator()");

    at = 0;
    for (const Index count : cuts) {
      // What forward_steps would give if the signal ended here, and the state as it was.
      const es::State before = stream.get_state();
      const std::optional<Tensor> padded = stream.forward_steps(part(at, count), true, false);
      require(stream.get_state() == before, "forward_steps without update_state changes the state");
      std::vector<T> ended = stepped;
      if (padded) append(ended, *padded);
      require_same(ended, whole({x.data(), x.data() + (at + count) * in_.size()}), "forward_steps with pad_end");
      const std::optional<Tensor> given =
          at % 2 == 0 ? stream.forward_steps(part(at, count)) : stream.forward_steps(part(at, count), true);
      at += count;
      require(stream.frames_seen() == at, "forward_steps loses count");
      if (!given) continue;
      const Index regular = timing_.outputs_after(at) * out_.size() - static_cast<Index>(stepped.size());
      require(given->size() >= regular, "forward_steps: too few outputs");
      stepped.insert(stepped.end(), given->data(), given->data() + regular);
    }
    flush(stream, stepped);
    require_same(stepped, expected, "forward_steps");

    for (at = 0; at < n; ++at) {
      const Eigen::TensorMap<const Eigen::Tensor<T, 2>> frame(x.data() + at * in_.size(), in_.channels, in_.columns());
      const es::State before = stream.get_state();
      const auto peek = stream.forward_step(frame, false);
      require(stream.get_state() == before, "forward_step without update_state changes the state");
      const auto y = stream.forward_step(frame);
      require(peek.has_value() == y.has_value(), "forward_step without update_state gives something else");
      require(y.has_value() == (timing_.outputs_after(at + 1) > timing_.outputs_after(at)), "forward_step: no output");
      if (!y) continue;
      require(peek->size() == y->size() && std::equal(y->data(), y->data() + y->size(), peek->data(),
                                                      [](T a, T b) { return std::memcmp(&a, &b, sizeof a) == 0; }),
              "forward_step without update_state gives something else");
      append(one_by_one, *y);
    }
    flush(stream, one_by_one);
    require_same(one_by_one, expected, "forward_step");
  }

  void check_planar(Index n, const std::vector<T>& x) {
    if (in_.batch != 1) return;
    const std::vector<T> expected = whole(x);
    const Index total = static_cast<Index>(expected.size()) / out_.size();
    std::vector<std::vector<T>> in, out;
    for (Index c = 0; c < in_.size(); ++c) {
      in.emplace_back();
      for (Index t = 0; t < n; ++t) in.back().push_back(x[static_cast<std::size_t>(t * in_.size() + c)]);
    }
    // One more frame than needed, to see whether it is left alone.
    const T mark = std::numeric_limits<T>::max();
    out.assign(static_cast<std::size_t>(out_.size()), std::vector<T>(static_cast<std::size_t>(total + 1), mark));
    const std::vector<std::vector<T>> given = in;

    es::PlanarStream<Net> stream(net_, stream_options());
    std::vector<const T*> from(in.size());
    std::vector<T*> to(out.size());
    Index at = 0, written = 0;
    const auto aim = [&] {
      for (std::size_t c = 0; c < in.size(); ++c) from[c] = in[c].data() + at;
      for (std::size_t c = 0; c < out.size(); ++c) to[c] = out[c].data() + written;
    };
    const std::vector<Index> cuts = cuts_of(n, random_, true).back();
    for (const Index count : cuts) {
      aim();
      const NoAllocation guard;
      written += stream.process_planar(from.data(), count, to.data(), total - written);
      require(guard.count() == 0, "process_planar allocates");
      at += count;
      require(written == timing_.outputs_after(at), "process_planar: ", written, " outputs after ", at, " frames");
    }
    aim();
    {
      const NoAllocation guard;
      written += stream.flush_planar(to.data(), total - written);
      require(guard.count() == 0, "flush_planar allocates");
    }
    require(written == total, "process_planar: ", written, " outputs in all instead of ", total);
    std::vector<T> y;
    for (Index t = 0; t < total; ++t)
      for (const std::vector<T>& channel : out) y.push_back(channel[static_cast<std::size_t>(t)]);
    require_same(y, expected, "process_planar");
    for (const std::vector<T>& channel : out) require(channel.back() == mark, "process_planar writes too far");

    // The last chunk with what it releases and the rest, in one call.
    const Index last = cuts.empty() ? 0 : cuts.back();
    for (std::vector<T>& channel : out) std::fill(channel.begin(), channel.end(), mark);
    at = written = 0;
    aim();
    written += stream.process_planar(from.data(), n - last, to.data(), total);
    at = n - last;
    aim();
    {
      const NoAllocation guard;
      written += stream.process_planar(from.data(), last, to.data(), total - written, es::final);
      require(guard.count() == 0, "process_planar with final allocates");
    }
    require(written == total, "process_planar with final: ", written, " outputs in all instead of ", total);
    y.clear();
    for (Index t = 0; t < total; ++t)
      for (const std::vector<T>& channel : out) y.push_back(channel[static_cast<std::size_t>(t)]);
    require_same(y, expected, "process_planar with final");
    for (const std::vector<T>& channel : out) require(channel.back() == mark, "process_planar with final writes too far");
    require(stream.frames_seen() == 0 && stream.get_state() == fresh_.get_state(), "not fresh after the last planar chunk");
    require(in == given, "process_planar changes its input");
  }

  /// Mid-stream, a state goes everywhere, and the rest is what it would have been.
  void check_states() {
    const Index n = middle();
    const std::vector<T> x = signal(n);
    const std::vector<T> expected = whole(x);
    const std::vector<Index> splits = options_.light
                                          ? std::vector<Index>{random_.integer(1, n - 1)}
                                          : std::vector<Index>{0, 1, n / 3, random_.integer(1, n - 1), n - 1, n};
    for (const Index split : splits) {
      INFO("state after " << split << " of " << n << " frames");
      Stream stream(net_, stream_options());
      const es::State initial = stream.get_state();
      require(static_cast<Index>(initial.payload().size()) == stream.state_bytes(), "state_bytes differs");
      std::vector<T> head;
      if (split > 0) feed(stream, x, 0, split, false, true, head);
      const es::State state = stream.get_state();
      require(stream.get_state() == state, "get_state changes the state");

      // Equal inputs, equal states, however they were cut.
      for (const std::vector<Index>& cuts : cuts_of(split, random_, options_.light)) {
        Stream other(net_, stream_options());
        std::vector<T> y;
        for (Index at = 0, i = 0; i < static_cast<Index>(cuts.size()); ++i) {
          feed(other, x, at, cuts[static_cast<std::size_t>(i)], false, false, y);
          at += cuts[static_cast<std::size_t>(i)];
        }
        INFO("cut into " << text_of(cuts));
        require(other.get_state() == state, "the state depends on how the frames were cut");
        require_same(y, head, "in chunks");
      }

      const auto finish = [&](Stream& other, const std::string& how) {
        std::vector<T> y = head;
        const std::vector<T> tail = in_chunks(other, x, cuts_of(n - split, random_, true).back(), End::by_flush);
        y.insert(y.end(), tail.begin(), tail.end());
        require_same(y, expected, how);
        require(other.get_state() == initial, how, ": not fresh after the end");
      };
      Stream copy = stream;
      Stream assigned(net_, stream_options());
      assigned = stream;
      Stream loaded(net_, stream_options());
      std::vector<T> ignored;
      feed(loaded, x, 0, std::min<Index>(n, 7), false, true, ignored);  // something else to forget
      loaded.set_state(state);
      require(loaded.get_state() == state && loaded.frames_seen() == split, "a loaded state is another one");
      Stream sent(net_, stream_options());
      const std::vector<std::byte> bytes(state.bytes().begin(), state.bytes().end());
      sent.set_state(es::State::from_bytes(bytes));
      finish(copy, "a copy");
      require(stream.get_state() == state, "a copy shares its state");
      finish(assigned, "an assigned copy");
      finish(loaded, "a loaded state");
      finish(sent, "a state from bytes");
      Stream moved = std::move(copy);
      moved.set_state(state);
      finish(moved, "a moved stream");
      finish(stream, "the stream itself");

      // Reset in the middle is a fresh start.
      stream.set_state(state);
      stream.reset();
      require(stream.frames_seen() == 0 && stream.get_state() == initial, "reset is not fresh");
      require_same(in_chunks(stream, x, {n}, End::with_last), expected, "after reset");
    }
  }

  /// Whichever number of a saved state is made another one: the state is refused, or what it gives is announced.
  void check_forged() {
    const Index n = middle();
    const std::vector<T> x = signal(n);
    for (const Index split : options_.light ? std::vector<Index>{n / 2} : std::vector<Index>{0, n / 2}) {
      Stream stream(net_, stream_options());
      std::vector<T> ignored;
      feed(stream, x, 0, split, false, true, ignored);
      const es::State good = stream.get_state();
      const std::vector<std::byte> payload(good.payload().begin(), good.payload().end());
      Stream target = stream;
      feed(target, x, 0, 7, false, true, ignored);
      const es::State before = target.get_state();
      const auto load = [&](es::Time seen, const std::vector<std::byte>& forged) {
        es::State state;
        state.assign(good.fingerprint(), good.shape(), seen, forged.size(),
                     [&](std::span<std::byte> out) { std::copy(forged.begin(), forged.end(), out.begin()); });
        Stream other = target;
        if (caught([&] { other.set_state(es::State::from_bytes(state.bytes())); })) {
          require(other.get_state() == before, "a state that is refused changes the stream");
          return;
        }
        std::vector<T> y;
        feed(other, x, 0, n / 2, false, true, y);
        flush(other, y);
      };

      constexpr es::Time most = std::numeric_limits<es::Time>::max(), one = 1, far = one << 40, none = 0;
      const es::Time stride = timing_.stride();
      const es::Time right = split;
      for (const es::Time seen : {none, right - 1, right + 1, right + stride, 2 * right, far, most, -one}) {
        INFO("a state after " << split << " frames that says " << seen);
        load(seen, payload);
      }
      // All numbers that may be counts; what the frames held seldom looks like one.
      std::vector<std::size_t> counts;
      for (std::size_t at = 0; at + sizeof(es::Time) <= payload.size(); at += sizeof(T)) {
        es::Time value = 0;
        std::memcpy(&value, payload.data() + at, sizeof value);
        if (value > -far && value < far) counts.push_back(at);
      }
      const std::size_t enough = options_.light ? 4 : 60;
      while (counts.size() > enough)
        counts.erase(counts.begin() + random_.integer(0, static_cast<Index>(counts.size()) - 1));
      for (const std::size_t at : counts) {
        es::Time value = 0;
        std::memcpy(&value, payload.data() + at, sizeof value);
        for (const es::Time other : {value - 1, value + 1, none, 2 * value + 3, -value - 100, far, most, -most}) {
          INFO("a state after " << split << " frames with " << other << " instead of " << value << " at byte " << at);
          std::vector<std::byte> forged = payload;
          std::memcpy(forged.data() + at, &other, sizeof other);
          load(split, forged);
        }
      }
    }
  }

  /// A block that holds anything at all is fresh after reset.
  void check_garbage() {
    const Index n = middle();
    const std::vector<T> x = signal(n);
    const std::vector<T> expected = whole(x);
    for (const int garbage : {0xff, 0x5a}) {
      INFO("block filled with " << garbage);
      const es::Facts facts = net_->facts(in_);
      es::StateBlock block(facts.state_bytes, in_, facts.scratch_bytes);
      if (block.bytes() > 0) std::memset(block.ref().data, garbage, static_cast<std::size_t>(block.bytes()));
      net_->reset(block.ref());
      std::vector<std::byte> remembered(static_cast<std::size_t>(fresh_.state_bytes()));
      es::StateCodec writer = es::StateCodec::writer(remembered, 0);
      net_->exchange(block.ref(), writer);
      const es::State initial = fresh_.get_state();
      require(writer.good() && std::equal(remembered.begin(), remembered.end(), initial.payload().begin(),
                                          initial.payload().end()),
              "reset leaves something of what the block held");
      std::vector<T> y(static_cast<std::size_t>((net_->max_outputs(n) + fresh_.max_flush()) * out_.size()));
      const Frames<T> room(y.data(), out_, net_->max_outputs(n) + fresh_.max_flush());
      Index written = net_->steps(block.ref(), view(x, 0, n), room);
      written += net_->flush(block.ref(), room.from(written));
      y.resize(static_cast<std::size_t>(written * out_.size()));
      require_same(y, expected, "from a block of garbage");
    }
  }

  void check_interleaved() {
    const Index n = middle();
    const std::vector<T> x1 = signal(n), x2 = signal(n);
    Stream one(net_, stream_options());
    Stream two(net_, stream_options());
    std::vector<T> y1, y2;
    Index at1 = 0, at2 = 0;
    while (at1 < n || at2 < n) {
      const Index some1 = std::min(n - at1, random_.integer(0, 6)), some2 = std::min(n - at2, random_.integer(0, 9));
      feed(one, x1, at1, some1, false, true, y1);
      feed(two, x2, at2, some2, false, true, y2);
      at1 += some1, at2 += some2;
    }
    flush(one, y1);
    flush(two, y2);
    require_same(y1, whole(x1), "interleaved with another stream");
    require_same(y2, whole(x2), "interleaved with another stream");
  }

  void check_threads() {
    const Index n = middle();
    constexpr int threads = 3, rounds = 3;
    std::vector<std::vector<T>> signals, expected, given(threads * rounds);
    for (int i = 0; i < threads * rounds; ++i) {
      signals.push_back(signal(n));
      expected.push_back(whole(signals.back()));
    }
    std::vector<std::thread> running;
    for (int id = 0; id < threads; ++id)
      running.emplace_back([&, id] {  // no assertions in here: Catch2 wants them in one thread
        Stream stream(net_, stream_options());
        for (int round = 0; round < rounds; ++round) {
          const std::size_t which = static_cast<std::size_t>(id * rounds + round);
          std::vector<T>& y = given[which];
          y.resize(expected[which].size());
          const Frames<T> room(y.data(), out_, static_cast<Index>(y.size()) / out_.size());
          Index written = 0;
          for (Index at = 0, some = 0; at < n; at += some) {
            some = std::min<Index>(n - at, 1 + (at + id) % 5);
            written += stream.process(view(signals[which], at, some), room.from(written));
          }
          written += stream.flush(room.from(written));
          y.resize(static_cast<std::size_t>(written * out_.size()));
        }
      });
    for (std::thread& thread : running) thread.join();
    for (std::size_t i = 0; i < given.size(); ++i) require_same(given[i], expected[i], "several threads on one network");
  }

  void check_warm_up() {
    Stream stream(net_, stream_options());
    stream.warm_up();
    const Index fed = stream.frames_seen();
    require(fed == timing_.first_output(), "warm_up feeds ", fed, " frames instead of ", timing_.first_output());
    require(stream.outputs_after(fed) == 0 && stream.outputs_after(fed + 1) > 0,
            "the frame after warm_up does not yield the first output");
    Stream by_hand(net_, stream_options());
    std::vector<T> ignored;
    feed(by_hand, std::vector<T>(static_cast<std::size_t>(fed * in_.size())), 0, fed, false, true, ignored);
    require(by_hand.get_state() == stream.get_state(), "warm_up is not a run of zeros");
    // Wherever the stream is, what is warm stays so, and the next frame yields something.
    for (int more = 0; more < 4; ++more) {
      const Index seen = stream.frames_seen();
      const bool warm = stream.outputs_after(seen + 1) > stream.outputs_after(seen);
      stream.warm_up();
      const Index now = stream.frames_seen();
      require(warm == (now == seen), "warm_up of a stream that is ", warm ? "" : "not ", "warm feeds ", now - seen);
      require(stream.outputs_after(now + 1) > stream.outputs_after(now) &&
                  stream.outputs_after(now) == stream.outputs_after(seen),
              "the frame after warm_up does not yield the next output");
      feed(stream, std::vector<T>(static_cast<std::size_t>(in_.size())), 0, 1, false, true, ignored);
    }
  }

  template <class F>
  void refuse(Stream& stream, const char* what, F&& call) const {
    const es::State before = stream.get_state();
    require(caught(call).has_value(), what, " is not refused");
    require(stream.get_state() == before, what, " changes the stream");
  }

  void check_refusals() {
    const Index n = middle();
    const std::vector<T> x = signal(n);
    Stream stream(net_, stream_options());
    std::vector<T> y;
    feed(stream, x, 0, n / 2, false, true, y);
    const Index seen = stream.frames_seen(), rest = n - seen;
    const auto room_of = [&](Index more, bool ended) {
      return stream.outputs_after(seen + more, ended) - stream.outputs_after(seen);
    };
    Guarded<T> output(out_, room_of(rest, true));
    if (const Index room = room_of(rest, false); room > 0)
      refuse(stream, "a room one frame too small",
             [&] { stream.process(view(x, seen, rest), output.frames(room - 1)); });
    if (const Index room = room_of(rest, true); room > 0)
      refuse(stream, "a room one frame too small for the last chunk",
             [&] { stream.process(view(x, seen, rest), output.frames(room - 1), es::final); });
    if (const Index room = room_of(0, true); room > 0)
      refuse(stream, "a room one frame too small for the flush", [&] { stream.flush(output.frames(room - 1)); });
    refuse(stream, "a negative count", [&] { stream.process(view(x, seen, -1), output.frames()); });
    refuse(stream, "a negative last count", [&] { stream.process(view(x, seen, -1), output.frames(), es::final); });
    refuse(stream, "a negative count as a tensor", [&] { stream(view(x, seen, -1)); });
    refuse(stream, "a negative count of steps", [&] { stream.forward_steps(view(x, seen, -1), true, false); });
    if (in_.batch == 1) {
      // All channels of all buffers at one place: refused calls neither read nor write.
      const std::vector<const T*> from(static_cast<std::size_t>(in_.size()), x.data());
      const std::vector<T*> to(static_cast<std::size_t>(out_.size()), output.data());
      es::PlanarStream<Net> planar(stream);
      if (const Index room = room_of(rest, false); room > 0)
        refuse(planar, "planar buffers one frame too short",
               [&] { planar.process_planar(from.data(), rest, to.data(), room - 1); });
      if (const Index room = room_of(rest, true); room > 0)
        refuse(planar, "planar buffers one frame too short for the last chunk",
               [&] { planar.process_planar(from.data(), rest, to.data(), room - 1, es::final); });
      if (const Index room = room_of(0, true); room > 0)
        refuse(planar, "planar buffers one frame too short for the flush",
               [&] { planar.flush_planar(to.data(), room - 1); });
      if (room_of(rest, false) > rest)
        refuse(planar, "planar buffers shorter than what comes",
               [&] { planar.process_planar(from.data(), rest, to.data()); });
      refuse(planar, "a negative planar count",
             [&] { planar.process_planar(from.data(), -1, to.data(), output.frames().count); });
    }
    require(output.intact(0), "a refused call writes");

    FrameShape wider = in_, more = in_, broader = in_;
    wider.channels = in_.channels + 1, more.batch = in_.batch + 1, broader.width = in_.width + 1;
    const std::vector<T> other(static_cast<std::size_t>(std::max({wider.size(), more.size(), broader.size()})));
    refuse(stream, "another number of channels",
           [&] { stream.process(Frames<const T>(other.data(), wider, 1), output.frames()); });
    refuse(stream, "another batch", [&] { stream.process(Frames<const T>(other.data(), more, 1), output.frames()); });
    if (in_.columns() > 1)
      refuse(stream, "another width", [&] { stream.process(Frames<const T>(other.data(), broader, 1), output.frames()); });
    refuse(stream, "another number of channels as a tensor", [&] {
      stream(Eigen::TensorMap<const Eigen::Tensor<T, 3>>(other.data(), wider.channels, wider.columns(), 1));
    });
    refuse(stream, "an output of another shape",
           [&] { stream.process(view(x, seen, 1), Frames<T>(output.data(), out_.with_channels(out_.channels + 1), 0)); });
    require_same((in_chunks(stream, x, {rest}, End::with_last)), tail_of(whole(x), y), "after refused calls");
  }
  static std::vector<T> tail_of(const std::vector<T>& all, const std::vector<T>& head) {
    return {all.begin() + static_cast<std::ptrdiff_t>(head.size()), all.end()};
  }

  /// Output j comes with input last_input(j), and the delay is the most that outputs come behind their place.
  void check_releases() const {
    const es::Rate rate = timing_.rate();
    const es::Time padding = std::max<es::Time>(0, timing_.padding()) + std::max<es::Time>(0, timing_.first_output());
    const es::Time start = timing_.period() * (padding + 30);  // what padding does is over
    es::Time most = std::numeric_limits<es::Time>::min(), input = 0;
    for (es::Time j = 0; j < start + timing_.period(); ++j) {
      while (timing_.outputs_after(input + 1) <= j) ++input;
      require(input == timing_.last_input(j), "output ", j, " comes with input ", input,
              ", last_input says ", timing_.last_input(j));
      if (j >= start) most = std::max(most, input - es::floor_div(j * rate.inputs, rate.outputs));
    }
    require(most == timing_.delay(), "outputs come up to ", most, " frames behind their place, delay says ",
            timing_.delay());
  }
  /// Which outputs change when one input frame does, compared with what the structure says: no others; and with NaN,
  /// which no maximum or saturated unit hides, all of them. A single layer shows them all by numbers, too.
  void check_dependencies() {
    const es::Rate rate = timing_.rate();
    const Index declared = field();
    const Index late = std::max<Index>(0, timing_.delay() - declared);  // as far as a crop at the end holds outputs back
    const Index n = std::min<Index>(2 * declared + late + std::max<Index>(0, timing_.padding()) + 3 * rate.inputs + 4, 400);
    const DependencyMatrix matrix = es::dependency_matrix(timing_, n);
    require(matrix.outputs() == timing_.outputs_after(n, true), "the dependency matrix has ", matrix.outputs(),
            " outputs, outputs_after says ", timing_.outputs_after(n, true));
    if (matrix.outputs() == 0) return;
    const std::vector<T> x = signal(n), base = whole(x);

    DependencyMatrix seen(n, matrix.outputs());
    // A small change shows through what saturates, a large one through what picks the greatest.
    for (const double change : {0.75, 1000.0, -1000.0}) {
      perturb(x, base, static_cast<T>(change), seen);
      if (!options_.exact || seen == matrix) break;
    }
    require_within(seen, matrix, "changes when a frame does, not so in the dependency matrix");
    if (options_.exact) require_within(matrix, seen, "does not change, but should by the dependency matrix");
    DependencyMatrix carried(n, matrix.outputs());
    perturb(x, base, std::numeric_limits<T>::quiet_NaN(), carried);
    if (options_.carries) require_within(matrix, carried, "does not become NaN, but should by the dependency matrix");

    // The outputs after these may read what repeats the last frame, wherever that is.
    const Index regular = timing_.outputs_after(n);
    Index measured = 0;
    for (Index j = 0; j < matrix.outputs(); ++j) {
      const auto first = es::first_input(matrix, j), last = es::last_input(matrix, j);
      if (!first) continue;
      if (j < regular) measured = std::max(measured, *last - *first + 1);
      const Index least = timing_.first_input(j);
      require(j >= regular || *first >= least, "output ", j, " depends on input ", *first, ", first_input says ", least);
      // Where it is virtual, dilation may leap over the first real one.
      require(!options_.exact || j >= regular || least < 0 || *first == least, "output ", j, " first depends on input ",
              *first, ", first_input says ", least);
      require(*last <= timing_.last_input(j), "output ", j, " depends on input ", *last, ", last_input says ",
              timing_.last_input(j));
    }
    if (timing_.recursive()) return;
    require(measured <= declared, "an output depends on ", measured, " frames, receptive_field says ", declared);
    require(!options_.exact || measured == declared, "no output depends on more than ", measured,
            " frames, receptive_field says ", declared);
    require(timing_.padding() == -timing_.first_input(0), "padding and first_input differ");
  }
  /// Adds to `changed` which outputs are not what they were when one frame changes.
  void perturb(const std::vector<T>& x, const std::vector<T>& base, T change, DependencyMatrix& changed) const {
    Stream stream(net_, stream_options());
    const Index n = changed.inputs(), outputs = changed.outputs(), frame = out_.size();
    std::vector<T> y(base.size());
    for (Index i = 0; i < n; ++i) {
      std::vector<T> other = x;
      for (Index k = 0; k < in_.size(); ++k)
        other[static_cast<std::size_t>(i * in_.size() + k)] +=
            change * static_cast<T>(1 + 0.3 * static_cast<double>(k % in_.channels));
      stream.process(view(other, 0, n), Frames<T>(y.data(), out_, outputs), es::final);
      for (Index j = 0; j < outputs; ++j) {
        const std::size_t at = static_cast<std::size_t>(j * frame);
        // Of an output that is NaN anyway (0/0 in a random graph) nothing can be said.
        const bool unknown = std::isnan(change) && std::any_of(base.begin() + j * frame, base.begin() + (j + 1) * frame,
                                                               [](T value) { return std::isnan(value); });
        if (unknown || std::memcmp(&y[at], &base[at], sizeof(T) * static_cast<std::size_t>(frame)) != 0)
          changed.set(i, j);
      }
    }
  }
  void require_within(const DependencyMatrix& part, const DependencyMatrix& all, const char* what) const {
    for (Index j = 0; j < part.outputs(); ++j)
      for (std::size_t w = 0; w < part.of(j).size(); ++w)
        if (const std::uint64_t wrong = part.of(j)[w] & ~all.of(j)[w]; wrong != 0)
          require(false, "output ", j, " ", what, ": input ", static_cast<Index>(w) * 64 + std::countr_zero(wrong),
                  " of ", part.inputs());
  }

  ContractOptions options_;
  Random random_;
  std::shared_ptr<const Net> net_;
  Stream fresh_;
  FrameShape in_, out_;
  Timing timing_;
};

}  // namespace

template <class T>
void check_any_contract(const es::AnyLayer<T>& layer, Index batch, const ContractOptions& options) {
  INFO("contract of " << options.name << ", batch " << batch);
  ContractOptions own = options;
  own.light = own.light || !EIGENSTREAM_EXCEPTIONS;  // as for a small target, which may be emulated
  Contract<T>(layer, batch, own).check();
  if (options.light || !options.columns || options.width > 1 || options.height > 1 || layer.wanted().width != 0) return;
  if (small_target && std::is_same_v<T, double>) return;  // there over frames with space once, in float
  ContractOptions space = options;
  space.width = 3, space.height = 2, space.light = true;
  INFO("over frames of width 3 and height 2");
  Contract<T>(layer, batch, space).check();
}

template void check_any_contract(const es::AnyLayer<float>&, Index, const ContractOptions&);
template void check_any_contract(const es::AnyLayer<double>&, Index, const ContractOptions&);

}  // namespace support
