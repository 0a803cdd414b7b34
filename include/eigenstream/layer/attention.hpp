#ifndef EIGENSTREAM_LAYER_ATTENTION_HPP
#define EIGENSTREAM_LAYER_ATTENTION_HPP

#include <algorithm>  // clamp, copy_n, fill_n, max, min
#include <cmath>      // pow, sqrt
#include <cstdint>    // uint64_t
#include <numbers>    // pi
#include <numeric>    // lcm
#include <span>       // queries, keys, values
#include <vector>     // tables

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/aligned_vector.hpp"
#include "eigenstream/kernel/attention.hpp"
#include "eigenstream/kernel/map.hpp"
#include "eigenstream/memory/history.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// Which frames a frame attends to: those from `past` before the begin of its chunk to `ahead` behind the end of it, chunks of
/// so many frames lying one after another from the signal's start on. In chunks of 1, frames i - past ... i + ahead.
struct AttentionSpan {
  Index past = 0, ahead = 0, chunk = 1;

  constexpr Time first(Time i) const noexcept { return i - i % chunk - past; }
  constexpr Time last(Time i) const noexcept { return i - i % chunk + chunk - 1 + ahead; }
  /// Frames that may have to wait until all that they attend to is there.
  constexpr Index wait() const noexcept { return chunk - 1 + ahead; }
  /// Places, relative to itself, at which a frame can find another: from -(past + chunk - 1) on.
  constexpr Index places() const noexcept { return past + ahead + 2 * chunk - 1; }
};

}  // namespace detail

struct AttentionOptions {
  Index lookahead = 0;   ///< of CausalAttention: frames behind its own that a frame sees, for which it waits
  Index heads = 1;       ///< of the queries
  Index kv_heads = 0;    ///< of keys and values, each for equally many of the queries' heads; 0: as many as those
  Index value_size = 0;  ///< channels of a head's values; 0: as many as of its keys
  Index inputs = 1;      ///< 1: queries, keys and values as channels of one signal; 3: three signals
  double scale = 0;      ///< of the logits; 0: 1 / sqrt(channels of a head)
  Index sinks = 0;       ///< frames at the signal's start that are seen for ever
  Index rotary_size = 0;       ///< channels of each head's queries and keys that are rotated; 0: none
  double rotary_base = 10000;  ///< pair p of r/2 turns by base^(-2 p / r) with every frame
  bool rotary_interleaved = false;  ///< whether pairs are channels 2 p and 2 p + 1, else p and p + r/2
  bool alibi = false;               ///< logits less slope * distance, slopes as of Press et al.
};

/// What logits depend on besides, by the place of a frame relative to the one that attends to it: the first row is that of the
/// place that lies furthest back, span().places() in all.
template <class T>
struct AttentionWeights {
  Weights<T> bias = {};           ///< (heads, places), added to the scaled logits; or empty
  Weights<T> keys = {};           ///< (places, heads, channels of a head), further keys, of the place; or empty
  Weights<T> content_bias = {};   ///< (heads, channels of a head), added to queries before the product with keys; or empty
  Weights<T> position_bias = {};  ///< the same before the product with `keys`; or empty
};

/// Attention over time: what CausalAttention and ChunkAttention share.
///   y[i] = sum_j w_ij v[j],  w_ij = softmax over the frames j that i sees of (q[i] + u) . k[j] * scale + bias[j - i] +
///          (q[i] + v) . keys[j - i] * scale
/// Each head by itself; frames outside of the signal are seen by none.
/// Shapes   x (heads d + kv_heads d + kv_heads e, T), queries, keys and values one after the other, or three signals of so many
///          channels each; with a batch or space, of which each column is a signal -> y (heads e, T)
/// Timing   reads first(i) ... last(i); with sinks, the receptive field is unbounded
/// Errors   constructor: Error on sizes that do not fit. steps/flush: noexcept, no allocation
/// Source   torch.nn.functional.scaled_dot_product_attention with the mask of what is seen. Rotary: Su et al. 2021, ALiBi: Press
///          et al. 2022, u, v and keys: Dai et al. 2019 (Transformer-XL), sinks: Xiao et al. 2023
/// A frame's number in the signal, from which rotations follow, has 64 bits and is multiplied modulo a turn, so that they are as
/// exact after years.
/// Layout   frames seen; of each column blocks with the sinks, then a ring of blocks (kernel::attention_block frames each);
///          queries that wait
template <class T>
class Attention {
 public:
  using Scalar = T;

  Attention(const char* name, Index head_size, detail::AttentionSpan span, const AttentionOptions& options,
            const AttentionWeights<T>& places = {})
      : name_(name), options_(options), span_(span), size_(head_size), heads_(options.heads) {
    check(size_ >= 1, name, ": heads of ", size_, " channels, must be at least 1");
    check(heads_ >= 1, name, ": heads = ", heads_, ", must be at least 1");
    kv_heads_ = options.kv_heads == 0 ? heads_ : options.kv_heads;
    check(kv_heads_ >= 1 && heads_ % kv_heads_ == 0, name, ": ", heads_, " heads cannot share ", kv_heads_,
          " heads of keys and values");
    value_size_ = options.value_size == 0 ? size_ : options.value_size;
    check(value_size_ >= 1, name, ": value_size = ", value_size_, ", must be at least 1");
    check(options.inputs == 1 || options.inputs == 3, name, ": inputs = ", options.inputs, ", must be 1 or 3");
    check(options.sinks >= 0 && options.sinks <= most_frames, name, ": sinks = ", options.sinks, ", must be from 0 to ",
          most_frames);
    check(std::isfinite(options.scale), name, ": scale = ", options.scale, ", must be finite");
    scale_ = static_cast<T>(options.scale == 0 ? 1 / std::sqrt(static_cast<double>(size_)) : options.scale);
    sink_blocks_ = blocks_for(options.sinks), ring_blocks_ = 1 + blocks_for(span.past + span.wait());
    check(static_cast<double>(blocks()) * static_cast<double>(block_size()) <= 1 << 28, name, ": keys and values of ",
          blocks() * block, " frames are more than can be kept");
    prepare_rotation();
    prepare_places(places);
    fingerprint_ = Fingerprint("Attention").add(size_).add(heads_).add(kv_heads_).add(value_size_).add(options.inputs);
    fingerprint_.add(span.past).add(span.ahead).add(span.chunk).add(options.sinks).add(scale_).add(options.rotary_size);
    fingerprint_.add(options.rotary_base).add(Index{options.rotary_interleaved}).add(std::span<const T>(bias_));
    for (const Weights<T>* each : {&places.keys, &places.content_bias, &places.position_bias}) fingerprint_.add(each->span());
  }

  /// Only where all that a frame could see is there.
  Attention without_padding() const {
    Attention other = *this;
    other.padded_ = false;
    other.fingerprint_.bytes("whole", 5);
    return other;
  }

  const detail::AttentionSpan& span() const noexcept { return span_; }
  const AttentionOptions& options() const noexcept { return options_; }
  Index inputs() const noexcept { return options_.inputs; }
  FrameShape wanted() const noexcept {
    return FrameShape::any(inputs() == 1 ? query_size() + key_size() + values_size() : query_size());
  }
  Facts facts(const FrameShape& in) const {
    check_channels(name_, query_size() + key_size() + values_size(), in);
    return facts_of(in);
  }
  Facts facts(std::span<const FrameShape> in) const {
    if (in.size() == 1) return facts(in.front());
    const Index wanted[] = {query_size(), key_size(), values_size()};
    constexpr const char* names[] = {"queries", "keys", "values"};
    for (std::size_t k = 0; k < 3; ++k) {
      check(in[k].channels == wanted[k], name_, ": takes ", names[k], " of ", wanted[k], " channels, not ", Index{in[k].channels});
      check(in[k].with_channels(1) == in[0].with_channels(1), name_, ": queries are frames of ", in[0], ", ", names[k], " of ",
            in[k]);
    }
    return facts_of(in.front());
  }
  Timing timing() const {
    const Time reach = span_.past + span_.chunk + span_.ahead;
    if (span_.chunk == 1)
      return TimingStage{.reach = reach,
                         .left = padded_ ? span_.past : 0,
                         .right = padded_ ? span_.ahead : 0,
                         .recursive = options_.sinks > 0};
    // A window for each chunk, which gives the outputs of all its frames; those behind the signal's end are left out.
    Timing::Builder builder;
    Index value = builder.append({.reach = reach, .stride = span_.chunk, .left = padded_ ? span_.past : 0, .ceil = padded_}, 0);
    value = builder.append({.kind = TimingStage::Kind::scatter, .reach = span_.chunk, .stride = span_.chunk}, value);
    if (padded_) builder.join({0, value}, Alignment::lagging);
    return builder.finish();
  }
  Index max_outputs(Index n) const noexcept { return (n + span_.chunk - 1) / span_.chunk * span_.chunk; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    seen(state) = 0;
    std::fill_n(stored(state), state.shape.columns() * blocks() * block_size(), T(0));
    if (waits()) waiting(state).reset(block);
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    return take(state, {x.data, x.channels}, {x.data + query_size(), x.channels},
                {x.data + query_size() + key_size(), x.channels}, x.count, y.data);
  }
  Index steps(StateRef state, std::span<const Frames<const T>> x, Frames<T> y) const noexcept {
    if (x.size() == 1) return steps(state, x[0], y);
    return take(state, {x[0].data, x[0].channels}, {x[1].data, x[1].channels}, {x[2].data, x[2].channels}, x[0].count, y.data);
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    Index written = 0;
    if (waits() && padded_) written = emit(state, {nullptr, 0}, released(seen(state)), seen(state), y.data);
    reset(state);
    return written;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(seen(state), codec.frames(), rotates() ? Recurrence() : recurrence());
    codec.values(stored(state), state.shape.columns() * blocks() * block_size());
    if (waits()) waiting(state).exchange(codec);
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }

 protected:
  static constexpr Index most_frames = Index{1} << 20;

 private:
  static constexpr Index block = kernel::attention_block, most_rows = kernel::attention_rows<T>;
  static constexpr Index size_of = static_cast<Index>(sizeof(T));
  // The columns of frames in one of the inputs: channels of it, and numbers from column to column.
  struct Columns {
    const T* data;
    Index stride;
    Time begin = 0;  // the frame of the first one
    const T* column(Index i) const noexcept { return data + i * stride; }
  };
  struct Scratch {
    T *queries, *placed, *turned, *cosines, *weights, *bias;
    const T **keys, **values;
  };

  static constexpr Index blocks_for(Index frames) noexcept { return (frames + block - 1) / block; }
  Index query_size() const noexcept { return heads_ * size_; }
  Index key_size() const noexcept { return kv_heads_ * size_; }
  Index values_size() const noexcept { return kv_heads_ * value_size_; }
  Index blocks() const noexcept { return sink_blocks_ + ring_blocks_; }
  Index block_size() const noexcept { return block * (key_size() + values_size()); }
  bool waits() const noexcept { return span_.wait() > 0; }
  // Queries that have been answered when so many frames have come, as if none were skipped.
  Time released(Time seen) const noexcept {
    return span_.chunk == 1 ? std::max<Time>(0, seen - span_.ahead) : seen / span_.chunk * span_.chunk;
  }

  // The lengths of what is in scratch memory, one after the other.
  Index query_room() const noexcept { return aligned(block * query_size()); }
  Index lanes() const noexcept { return blocks() * block; }
  Index place_blocks() const noexcept { return blocks_for(span_.places()); }
  Index bias_room() const noexcept { return 2 * lanes() + place_blocks() * block; }
  static constexpr Index aligned(Index numbers) noexcept { return aligned_bytes(numbers * size_of) / size_of; }
  Index scratch_numbers() const noexcept {
    return query_room() * (has_keys() ? 2 : 1) + aligned(query_size()) + aligned(options_.rotary_size) +
           aligned(most_rows * lanes()) + (has_keys() ? aligned(most_rows * bias_room()) : 0);
  }
  Scratch scratch(StateRef state) const noexcept {
    Scratch all;
    all.queries = reinterpret_cast<T*>(state.scratch);
    all.placed = all.queries + query_room();
    all.turned = all.queries + query_room() * (has_keys() ? 2 : 1);
    all.cosines = all.turned + aligned(query_size());
    all.weights = all.cosines + aligned(options_.rotary_size);
    all.bias = all.weights + aligned(most_rows * lanes());
    all.keys = reinterpret_cast<const T**>(all.queries + scratch_numbers());
    all.values = all.keys + blocks();
    return all;
  }
  Facts facts_of(const FrameShape& in) const {
    const Index columns = in.columns(), reach = span_.past + span_.ahead + span_.chunk + options_.sinks;
    return {.out = in.with_channels(heads_ * value_size_),
            .state_bytes = memory_alignment + stored_bytes(columns) +
                           (waits() ? History<T>::bytes(query_size() * columns, span_.wait(), block) : 0),
            .scratch_bytes = scratch_numbers() * size_of + aligned_bytes(2 * blocks() * static_cast<Index>(sizeof(T*))),
            .max_flush = padded_ ? span_.wait() : 0,
            .parameters = parameters_,
            .macs = static_cast<double>(heads_ * columns) * static_cast<double>(reach * (size_ * (has_keys() ? 2 : 1) + value_size_))};
  }
  // Packets may run over the end.
  Index stored_bytes(Index columns) const noexcept {
    return aligned_bytes(columns * blocks() * block_size() * size_of) + memory_alignment;
  }
  static Time& seen(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  static T* stored(StateRef state) noexcept { return reinterpret_cast<T*>(state.data + memory_alignment); }
  History<T> waiting(StateRef state) const noexcept {
    const Index columns = state.shape.columns();
    return History<T>(state.data + memory_alignment + stored_bytes(columns), query_size() * columns, span_.wait());
  }
  T* block_at(StateRef state, Index column, Index number) const noexcept {
    return stored(state) + (column * blocks() + number) * block_size();
  }
  Index ring_block(Time position) const noexcept { return sink_blocks_ + static_cast<Index>(position / block % ring_blocks_); }

  // A tile lies within one block, so that the ring holds all that its first query sees when its last key is there.
  Index take(StateRef state, Columns q, Columns k, Columns v, Index n, T* y) const noexcept {
    const Index columns = state.shape.columns();
    Index written = 0;
    for (Index at = 0; at < n;) {
      const Time before = seen(state);
      const Index some = std::min<Index>(n - at, block - static_cast<Index>(before % block));
      for (Index f = 0; f < some; ++f) {
        if (rotates()) turn(state, before + f);
        for (Index c = 0; c < columns; ++c)
          store(state, before + f, c, k.column((at + f) * columns + c), v.column((at + f) * columns + c));
      }
      Columns queries{q.column(at * columns), q.stride, before};
      if (waits()) {
        History<T> all = waiting(state);
        T* room = all.room(some);
        for (Index c = 0; c < some * columns; ++c) std::copy_n(queries.column(c), query_size(), room + c * query_size());
        all.append(room, some);
      }
      seen(state) = before + some, at += some;
      written += emit(state, queries, released(before), released(before + some), y + written * columns * heads_ * value_size_);
    }
    return written;
  }

  // Keys and values of a frame to where they belong.
  void store(StateRef state, Time position, Index column, const T* k, const T* v) const noexcept {
    if (rotates()) rotate(state, k, kv_heads_, T(1), scratch(state).turned), k = scratch(state).turned;
    const Index lane = static_cast<Index>(position % block);
    const auto to = [&](Index number) {
      T* place = block_at(state, column, number);
      for (Index i = 0; i < key_size(); ++i) place[i * block + lane] = k[i];
      std::copy_n(v, values_size(), place + key_size() * block + lane * values_size());
    };
    to(ring_block(position));
    if (position < options_.sinks) to(static_cast<Index>(position / block));
  }

  // Outputs of frames from ... to - 1, whose queries wait or are given. Returns how many.
  Index emit(StateRef state, Columns queries, Time from, Time to, T* y) const noexcept {
    if (!padded_) from = std::max<Time>(from, span_.past);
    if (from >= to) return 0;
    const Index columns = state.shape.columns(), out = heads_ * value_size_;
    if (waits())
      queries = {waiting(state).newest_end() - static_cast<Index>(seen(state) - from) * columns * query_size(), query_size(), from};
    for (Time at = from; at < to; at += block) {
      const Index n = static_cast<Index>(std::min<Time>(block, to - at)), begin = static_cast<Index>(at - queries.begin);
      for (Index c = 0; c < columns; ++c) {
        for (Index f = 0; f < n; ++f) prepare(state, at + f, f, queries.column((begin + f) * columns + c));
        answer(state, c, at, n, y + static_cast<Index>(at - from) * columns * out + c * out, columns * out);
      }
    }
    return static_cast<Index>(to - from);
  }

  // A query as the products want it, to place f.
  void prepare(StateRef state, Time position, Index f, const T* q) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const Index n = query_size();
    const P scale = P::broadcast(scale_);
    const auto scaled = [&](const kernel::AlignedVector<T>& more, T* to) {
      if (more.empty()) return kernel::map_pointwise(q, to, n, [&](P x) { return x * scale; });
      kernel::map_two(q, more.data(), to, n, [&](P x, P y) { return multiply_add(x, scale, y); });
    };
    T* to = scratch(state).queries + f * n;
    if (rotates()) {
      turn(state, position);
      rotate(state, q, heads_, scale_, to);
    } else {
      scaled(content_bias_, to);
    }
    if (has_keys()) scaled(position_bias_, scratch(state).placed + f * n);
  }

  // What n frames of a column from `at` on, whose queries are prepared, make of what they see.
  void answer(StateRef state, Index column, Time at, Index n, T* y, Index y_step) const noexcept {
    const Scratch room = scratch(state);
    const Index group = heads_ / kv_heads_, with_same_keys = n * group, all = kv_heads_ * with_same_keys;
    const Time end = seen(state);
    Index count = 0;
    for (Index r0 = 0; r0 < all; r0 += count) {
      // Queries with the same keys; but where these are few, those of several heads: none waits for what another does.
      const bool several = with_same_keys < most_rows;
      count = std::min(most_rows, several ? all - r0 : with_same_keys - r0 % with_same_keys);
      // The frames seen by any of them lie in these blocks, all of which are still there.
      const Index f_low = several ? 0 : r0 % with_same_keys / group, f_high = several ? n - 1 : (r0 + count - 1) % with_same_keys / group;
      const Time low = std::max<Time>(0, std::max<Time>(span_.first(at + f_low), options_.sinks));
      const Time high = std::min(span_.last(at + f_high), end - 1);
      const Time first_block = low / block;
      Index used = 0;
      const auto use = [&](Index number) {
        room.keys[used] = block_at(state, column, number);
        room.values[used] = room.keys[used] + key_size() * block, ++used;
      };
      for (Index b = 0; b < sink_blocks_; ++b) use(b);
      for (Time b = first_block; b * block <= high; ++b) use(ring_block(b * block));
      kernel::AttentionRow<T> rows[most_rows];
      for (Index r = 0; r < count; ++r) {
        const Index g = (r0 + r) / with_same_keys, f = (r0 + r) % with_same_keys / group, head = g * group + (r0 + r) % group;
        const Time own = at + f, last = std::min(span_.last(own), end - 1);
        const Time first = std::max<Time>(0, std::max<Time>(span_.first(own), options_.sinks));
        const auto lane = [&](Time position) { return static_cast<Index>(position - first_block * block) + sink_blocks_ * block; };
        kernel::AttentionRow<T>& row = rows[r];
        row = {.query = room.queries + f * query_size() + head * size_,
               .weights = room.weights + r * lanes(),
               .bias = nullptr,
               .sinks = static_cast<Index>(std::min<Time>(options_.sinks, last + 1)),
               .first = sink_blocks_ * block,
               .end = sink_blocks_ * block,
               .out = y + f * y_step + head * value_size_,
               .key = g * size_ * block,
               .value = g * value_size_};
        if (first <= last) row.first = lane(first), row.end = lane(last + 1);
        // Where lane 0 stands in a table of places.
        const Index place = static_cast<Index>(first_block * block - own) + span_.past + span_.chunk - 1 + lanes();
        const Index padded = 2 * lanes() + span_.places();
        if (has_keys()) {
          T* logits = room.bias + r * bias_room();
          kernel::attention_products(room.placed + f * query_size() + head * size_,
                                     keys_.data() + head * place_blocks() * size_ * block, place_blocks(), size_,
                                     logits + lanes());
          if (!bias_.empty()) kernel::add_pointwise(bias_.data() + head * padded + lanes(), logits + lanes(), span_.places());
          row.bias = logits + place;
        } else if (!bias_.empty()) {
          row.bias = bias_.data() + head * padded + place;
        }
      }
      kernel::attend(rows, static_cast<int>(count), room.keys, room.values, used, size_, value_size_, values_size());
    }
  }

  // How far the pairs of channels are turned in a frame: cosines and sines, of fractions of a turn that have 64 bits.
  void turn(StateRef state, Time position) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const Index half = options_.rotary_size / 2;
    T *cosines = scratch(state).cosines, *sines = cosines + half;
    for (Index p = 0; p < half; ++p) {
      const std::uint64_t turns = static_cast<std::uint64_t>(position) * turns_[static_cast<std::size_t>(p)];
      sines[p] = static_cast<T>(static_cast<double>(static_cast<std::int64_t>(turns)) * (std::numbers::pi / 9223372036854775808.0));
    }
    kernel::map_pointwise(sines, cosines, half, [](P x) { return cos(x); });
    kernel::map_pointwise(sines, sines, half, [](P x) { return sin(x); });
  }
  // Heads turned like that and scaled, with the first and the second channels of pairs one behind the other.
  void rotate(StateRef state, const T* x, Index heads, T scale, T* to) const noexcept {
    const Index half = options_.rotary_size / 2;
    const T *cosines = scratch(state).cosines, *sines = cosines + half;
    for (Index h = 0; h < heads; ++h, x += size_, to += size_) {
      for (Index i = 0; i < size_; ++i) to[i] = x[order_[static_cast<std::size_t>(i)]] * scale;
      kernel::turn_pairs(to, cosines, sines, half);
    }
  }

  // Frames are in the same lanes and blocks of the ring again, and all that is seen has come. Rotations tell how many came.
  Recurrence recurrence() const noexcept {
    return {.from = span_.past + span_.ahead + 2 * span_.chunk + options_.sinks + block,
            .period = std::lcm<Time, Time>(ring_blocks_ * block, span_.chunk)};
  }
  bool rotates() const noexcept { return options_.rotary_size > 0; }
  bool has_keys() const noexcept { return !keys_.empty(); }

  void prepare_rotation() {
    const Index size = options_.rotary_size;
    check(size >= 0 && size <= size_ && size % 2 == 0, name_, ": rotary_size = ", size, ", must be even and at most the ", size_,
          " channels of a head");
    if (size == 0) return;
    check(options_.rotary_base > 1 && std::isfinite(options_.rotary_base), name_, ": rotary_base = ", options_.rotary_base,
          ", must be greater than 1");
    for (Index p = 0; p < size / 2; ++p) {
      const double angle = std::pow(options_.rotary_base, -2 * static_cast<double>(p) / static_cast<double>(size));
      turns_.push_back(static_cast<std::uint64_t>(std::ldexp(angle / (2 * std::numbers::pi), 64)));
    }
    for (Index i = 0; i < size_; ++i)
      order_.push_back(!options_.rotary_interleaved || i >= size ? i : i < size / 2 ? 2 * i : 2 * (i - size / 2) + 1);
  }

  void prepare_places(const AttentionWeights<T>& given) {
    const Index places = span_.places();
    parameters_ = given.bias.size() + given.keys.size() + given.content_bias.size() + given.position_bias.size();
    check(options_.sinks == 0 || (parameters_ == 0 && !options_.alibi), name_,
          ": sinks lie at no place relative to a frame, so they cannot go with relative places or alibi");
    check(!options_.alibi || given.bias.empty(), name_, ": either alibi or a bias");
    if (!given.bias.empty()) given.bias.expect(name_, "bias", {heads_, places});
    if (!given.keys.empty()) {
      check(!rotates(), name_, ": either rotary_size or keys of places");
      given.keys.expect(name_, "keys", {places, heads_, size_});
    }
    check(given.position_bias.empty() || !given.keys.empty(), name_, ": position_bias is for keys of places");
    check(given.content_bias.empty() || !rotates(), name_, ": either rotary_size or content_bias");
    const auto scaled = [&](const Weights<T>& bias, const char* what, kernel::AlignedVector<T>& to) {
      if (bias.empty()) return;
      bias.expect(name_, what, {heads_, size_});
      for (const T each : bias.values) to.push_back(each * scale_);
    };
    scaled(given.content_bias, "content_bias", content_bias_);
    scaled(given.position_bias, "position_bias", position_bias_);
    if (options_.alibi || !given.bias.empty()) {
      // As many zeros on either side as there are lanes, for those that no frame sees.
      for (Index h = 0; h < heads_; ++h) {
        bias_.resize(bias_.size() + static_cast<std::size_t>(lanes()), T(0));
        for (Index k = 0; k < places; ++k) {
          const double distance = std::abs(static_cast<double>(k - (span_.past + span_.chunk - 1)));
          bias_.push_back(options_.alibi ? static_cast<T>(-slope(h) * distance) : given.bias(h, k));
        }
        bias_.resize(bias_.size() + static_cast<std::size_t>(lanes()), T(0));
      }
    }
    if (given.keys.empty()) return;
    keys_.resize(static_cast<std::size_t>(heads_ * place_blocks() * size_ * block), T(0));
    for (Index h = 0; h < heads_; ++h)
      for (Index k = 0; k < places; ++k)
        for (Index i = 0; i < size_; ++i)
          keys_[static_cast<std::size_t>(((h * place_blocks() + k / block) * size_ + i) * block + k % block)] = given.keys(k, h, i);
  }
  // Those of a power of two of heads, then every second one of twice as many.
  double slope(Index head) const noexcept {
    Index power = 1;
    while (2 * power <= heads_) power *= 2;
    if (head < power) return std::exp2(-8 * static_cast<double>(head + 1) / static_cast<double>(power));
    return std::exp2(-8 * static_cast<double>(2 * (head - power) + 1) / static_cast<double>(2 * power));
  }

  const char* name_;
  AttentionOptions options_;
  detail::AttentionSpan span_;
  Index size_, heads_, kv_heads_ = 1, value_size_ = 1;
  Index sink_blocks_ = 0, ring_blocks_ = 1;
  bool padded_ = true;  // else the first and the last frames, which do not see a whole context, give nothing
  T scale_ = T(1);
  Index parameters_ = 0;
  std::vector<std::uint64_t> turns_;  // of each pair with each frame, of 2^64
  std::vector<Index> order_;          // the channels of a head, the first ones of pairs first
  kernel::AlignedVector<T> bias_;             // [head][zeros, places, zeros]
  kernel::AlignedVector<T> keys_;             // [head], blocks as kernel::attend has them
  kernel::AlignedVector<T> content_bias_, position_bias_;  // scaled
  Fingerprint fingerprint_{""};
};

/// Attention of each frame to the last `context` ones, its own among them, and to `lookahead` later ones, from the first frame
/// on with what is there. See Attention.
/// Shapes   as Attention
/// Timing   receptive field context + lookahead, delay lookahead
/// Errors   constructor: Error on sizes that do not fit, or if nothing is seen
/// Source   torch.nn.functional.scaled_dot_product_attention with a banded mask
template <class T>
struct CausalAttention : Attention<T> {
  CausalAttention(Index head_size, Index context, const AttentionOptions& options = {}, const AttentionWeights<T>& places = {})
      : Attention<T>("CausalAttention", head_size, frames_seen(context, options.lookahead), options, places) {}

 private:
  static detail::AttentionSpan frames_seen(Index context, Index lookahead) {
    constexpr Index most = Attention<T>::most_frames;
    check(context >= 1 && context <= most, "CausalAttention: context = ", context, ", must be from 1 to ", most);
    check(lookahead >= 0 && lookahead <= most, "CausalAttention: lookahead = ", lookahead, ", must be from 0 to ", most);
    return {context - 1, lookahead, 1};
  }
};

/// Attention of each frame to all of its chunk of `chunk` frames and to `before` chunks before it, for which it waits until the
/// chunk is complete, or the signal ends. See Attention.
/// Shapes   as Attention
/// Timing   receptive field (before + 1) chunk, delay up to chunk - 1
/// Errors   constructor: Error on sizes that do not fit
/// Source   the chunk-wise masks of streaming Conformers (Zhang et al. 2020, "Unified streaming and non-streaming ...")
template <class T>
struct ChunkAttention : Attention<T> {
  ChunkAttention(Index head_size, Index chunk, Index before, const AttentionOptions& options = {},
                 const AttentionWeights<T>& places = {})
      : Attention<T>("ChunkAttention", head_size, frames_seen(chunk, before, options), options, places) {}

 private:
  static detail::AttentionSpan frames_seen(Index chunk, Index before, const AttentionOptions& options) {
    constexpr Index most = Attention<T>::most_frames;
    check(chunk >= 1 && chunk <= most, "ChunkAttention: chunk = ", chunk, ", must be from 1 to ", most);
    check(before >= 0 && before <= most / chunk, "ChunkAttention: chunks before = ", before, ", must be from 0 to ", most / chunk);
    check(options.lookahead == 0, "ChunkAttention: a frame sees its chunk, no lookahead");
    check(options.sinks == 0, "ChunkAttention: has no sinks");
    return {before * chunk, 0, chunk};
  }
};

static_assert(Layer<CausalAttention<float>> && JoinLayer<CausalAttention<float>> && Layer<ChunkAttention<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_ATTENTION_HPP
