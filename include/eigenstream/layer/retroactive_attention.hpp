#ifndef EIGENSTREAM_LAYER_RETROACTIVE_ATTENTION_HPP
#define EIGENSTREAM_LAYER_RETROACTIVE_ATTENTION_HPP

#include <algorithm>  // copy_n, fill_n, max, min
#include <cmath>      // sqrt
#include <cstdint>    // uint64_t

#include "eigenstream/core/layer.hpp"
#include "eigenstream/kernel/attention.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Attention of all of the last n frames to all of them, with every frame once there are n.
///   y[.,k,t] = sum_j softmax_j(q[i] . k[j] / sqrt(d)) v[j],  i = t - n + 1 + k, j = t - n + 1 ... t; each head by itself
/// Shapes   x (3 heads d, T), queries, keys and values one after the other, with a batch or without -> y (heads d, W = n, T - n + 1)
/// Timing   receptive field n, delay n - 1
/// Errors   constructor: Error on impossible sizes. facts: Error on frames with space. steps: noexcept, no allocation
/// Source   torch.nn.MultiheadAttention over each window, without its projections; continual.RetroactiveMultiheadAttention (Hedegaard
///          et al. 2022) keeps sums from which it takes away what leaves. Here those of blocks of keys are kept, of which with each
///          frame only the oldest and the newest block's are worked out again, so that nothing cancels and nothing remains
/// Layout   frames seen; of each signal a ring of blocks of frames: keys and values; queries; and for each of these blocks and each
///          frame of the ring greatest logits, sums of weights, and sums of values. Queries and what there is one of for each head
///          lie with the frames of a block side by side
template <class T>
class RetroactiveAttention {
 public:
  using Scalar = T;
  static constexpr Space space_of_type = Space::made;

  RetroactiveAttention(Index head_size, Index window, Index heads = 1) : size_(head_size), window_(window), heads_(heads) {
    check(size_ >= 1, "RetroactiveAttention: heads of ", size_, " channels, must be at least 1");
    check(heads_ >= 1, "RetroactiveAttention: heads = ", heads_, ", must be at least 1");
    check(window_ >= 1 && window_ <= 4096, "RetroactiveAttention: window = ", window_, ", must be from 1 to 4096");
    ring_ = 1 + (window_ - 1 + block - 1) / block;
    check(static_cast<double>(ring_ * block) * static_cast<double>(row_size()) <= 1 << 28, "RetroactiveAttention: sums for ",
          window_, " frames of ", heads_ * size_, " channels are more than can be kept");
  }

  Index window() const noexcept { return window_; }
  FrameShape wanted() const noexcept { return FrameShape::any(3 * channels()); }
  Facts facts(const FrameShape& in) const {
    check_channels("RetroactiveAttention", 3 * channels(), in);
    check(!in.has_space(), "RetroactiveAttention: takes frames without space, not ", in);
    return {.out = {channels(), window_, 1, in.batch},
            .state_bytes = memory_alignment + aligned_bytes(in.batch * column_size() * size_of) + memory_alignment,
            .scratch_bytes = scratch_bytes(),
            .macs = static_cast<double>(in.batch * channels()) * static_cast<double>(window_ * (2 * block + ring_ + 2) + 2 * window_)};
  }
  Timing timing() const { return TimingStage{.reach = window_}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const { return Fingerprint("RetroactiveAttention").add(size_).add(window_).add(heads_); }

  void reset(StateRef state) const noexcept {
    seen(state) = 0;
    std::fill_n(column(state, 0), state.shape.batch * column_size(), T(0));
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    Index written = 0;
    for (Index t = 0; t < x.count; ++t) {
      const Time now = seen(state)++;
      const bool ready = now + 1 >= window_;
      for (Index b = 0; b < x.batch; ++b)
        step(state, column(state, b), now, x.frame(t) + b * x.channels,
             ready ? y.frame(written) + b * channels() * window_ : nullptr);
      written += ready;
    }
    return written;
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    codec.count(seen(state), codec.frames(), {.from = window_ + block, .period = ring_ * block});
    codec.values(column(state, 0), state.shape.batch * column_size());
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }

 private:
  static constexpr Index block = kernel::attention_block, size_of = static_cast<Index>(sizeof(T));

  Index channels() const noexcept { return heads_ * size_; }
  // Of each frame: its query; for each block of keys and each head the greatest logit and the sum; the sums of values.
  Index row_size() const noexcept { return channels() + 2 * heads_ * ring_ + ring_ * channels(); }
  Index block_size() const noexcept { return 2 * block * channels(); }
  Index column_size() const noexcept { return ring_ * block_size() + ring_ * block * row_size(); }
  static Time& seen(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  T* column(StateRef state, Index b) const noexcept {
    return reinterpret_cast<T*>(state.data + memory_alignment) + b * column_size();
  }
  Index slot(Time number) const noexcept { return static_cast<Index>(number % ring_); }
  T* keys(T* column, Time number) const noexcept { return column + slot(number) * block_size(); }
  T* queries(T* column, Time number) const noexcept {
    return column + ring_ * block_size() + slot(number) * block * channels();
  }
  // What head h of the frames of block `rows` has of the keys of block `part`.
  kernel::AttentionPart<T> part(T* column, Time part, Time rows, Index h) const noexcept {
    T* const greatest = column + ring_ * (block_size() + block * channels());
    T* const sums = greatest + ring_ * ring_ * heads_ * block;
    T* const values = sums + ring_ * ring_ * heads_ * block;
    const Index pair = slot(part) * ring_ + slot(rows), at = (pair * heads_ + h) * block;
    return {.queries = queries(column, rows) + h * size_ * block, .greatest = greatest + at, .sums = sums + at,
            .values = values + pair * block * channels() + h * size_, .size = size_, .stride = channels()};
  }
  // Scratch memory holds the new query, and weights of a block of frames for each key of a block, or for each block; then parts.
  Index weights_size() const noexcept { return std::max(ring_, block) * block; }
  Index query_bytes() const noexcept { return aligned_bytes(channels() * size_of); }
  Index scratch_bytes() const noexcept {
    return query_bytes() + weights_size() * size_of + ring_ * static_cast<Index>(sizeof(kernel::AttentionPart<T>));
  }

  void step(StateRef state, T* column, Time now, const T* x, T* y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const Index lane = static_cast<Index>(now % block);
    const Time newest = now / block, low = std::max<Time>(0, now - window_ + 1), oldest = low / block;
    T* const query = reinterpret_cast<T*>(state.scratch);
    T* const weights = reinterpret_cast<T*>(state.scratch + query_bytes());
    const P scale = P::broadcast(static_cast<T>(1 / std::sqrt(static_cast<double>(size_))));
    kernel::map_pointwise(x, query, channels(), [&](P q) { return q * scale; });
    T *const new_queries = queries(column, newest), *const new_keys = keys(column, newest);
    for (Index i = 0; i < channels(); ++i) new_queries[i * block + lane] = query[i];
    for (Index i = 0; i < channels(); ++i) new_keys[i * block + lane] = x[channels() + i];
    std::copy_n(x + 2 * channels(), channels(), new_keys + channels() * block + lane * channels());

    // Which of the frames of a block are in the window, and how many that are not the newest one.
    const auto first_of = [&](Time rows) { return static_cast<Index>(std::max<Time>(low - rows * block, 0)); };
    const auto end_of = [&](Time rows, Time end) { return static_cast<Index>(std::min<Time>(end - rows * block, block)); };
    // Of the oldest block a key has gone, of the newest one has come.
    const bool gone = now >= window_ && (low % block != 0 || oldest == newest), more = now < window_ || oldest != newest;
    for (Index h = 0; h < heads_; ++h) {
      for (Time rows = oldest; rows <= newest; ++rows) {
        const Index begin = first_of(rows), end = end_of(rows, now);
        if (gone) {
          const T* const of = keys(column, oldest);
          kernel::attend_rows(part(column, oldest, rows, h), begin, end, of + h * size_ * block, of + channels() * block + h * size_,
                              first_of(oldest), end_of(oldest, now + 1), weights);
        }
        if (more)
          kernel::attend_more(part(column, newest, rows, h), begin, end, lane == 0, x + channels() + h * size_,
                              x + 2 * channels() + h * size_);
      }
      for (Time b = oldest; b <= newest; ++b) {
        const T* const of = keys(column, b);
        const kernel::AttentionPart<T> own = part(column, b, newest, h);
        own.sums[lane] = kernel::attend_block({.query = query + h * size_, .weights = weights, .bias = nullptr, .sinks = 0,
                                               .first = first_of(b), .end = end_of(b, now + 1), .out = own.values + lane * own.stride},
                                              of + h * size_ * block, of + channels() * block + h * size_, size_, size_, channels(),
                                              own.greatest[lane]);
      }
    }
    if (y == nullptr) return;
    auto* const parts = reinterpret_cast<kernel::AttentionPart<T>*>(weights + weights_size());
    for (Time rows = oldest; rows <= newest; ++rows) {
      const Index begin = first_of(rows), end = end_of(rows, now + 1);
      for (Index h = 0; h < heads_; ++h) {
        for (Time b = oldest; b <= newest; ++b) parts[b - oldest] = part(column, b, rows, h);
        kernel::attend_parts(parts, static_cast<Index>(newest - oldest + 1), begin, end, weights, y + h * size_);
      }
      y += (end - begin) * channels();
    }
  }

  Index size_, window_, heads_;
  Index ring_ = 1;  // blocks
};

static_assert(Layer<RetroactiveAttention<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_RETROACTIVE_ATTENTION_HPP
