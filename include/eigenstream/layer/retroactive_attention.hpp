#ifndef EIGENSTREAM_LAYER_RETROACTIVE_ATTENTION_HPP
#define EIGENSTREAM_LAYER_RETROACTIVE_ATTENTION_HPP

#include <algorithm>  // copy_n, fill_n, max, min
#include <cmath>      // sqrt
#include <cstdint>    // uint64_t
#include <limits>     // lowest

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
/// Layout   frames seen; of each signal a ring of blocks with keys and values, then for as many frames the query, and for each of
///          the blocks greatest logits, sums of weights, and sums of values
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
    codec.count(seen(state), codec.frames());
    codec.values(column(state, 0), state.shape.batch * column_size());
  }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return false; }

 private:
  static constexpr Index block = kernel::attention_block, rows = kernel::attention_rows<T>, size_of = static_cast<Index>(sizeof(T));

  Index channels() const noexcept { return heads_ * size_; }
  // Of a frame: its query; for each block and head the greatest logit, then the sum; then the sums of values.
  Index row_size() const noexcept { return channels() + 2 * heads_ * ring_ + ring_ * channels(); }
  Index block_size() const noexcept { return 2 * block * channels(); }
  Index column_size() const noexcept { return ring_ * block_size() + ring_ * block * row_size(); }
  static Time& seen(StateRef state) noexcept { return *reinterpret_cast<Time*>(state.data); }
  T* column(StateRef state, Index b) const noexcept {
    return reinterpret_cast<T*>(state.data + memory_alignment) + b * column_size();
  }
  Index slot(Time number) const noexcept { return static_cast<Index>(number % ring_); }
  T* keys(T* column, Time number) const noexcept { return column + slot(number) * block_size(); }
  T* row(T* column, Time i) const noexcept {
    return column + ring_ * block_size() + static_cast<Index>(i % (ring_ * block)) * row_size();
  }
  kernel::AttentionParts<T> parts(T* row) const noexcept {
    T* const greatest = row + channels();
    return {greatest, greatest + ring_ * heads_, greatest + 2 * ring_ * heads_, heads_, size_};
  }
  // The lengths of what is in scratch memory: logits; a number or two for each head and block.
  static constexpr Index logits() noexcept { return rows * block; }
  Index scratch_bytes() const noexcept {
    return aligned_bytes((logits() + (ring_ + 2) * kernel::head_room(heads_)) * size_of) + ring_ * static_cast<Index>(sizeof(Index));
  }

  void step(StateRef state, T* column, Time now, const T* x, T* y) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const Index lane = static_cast<Index>(now % block);
    const Time newest = now / block, low = std::max<Time>(0, now - window_ + 1), oldest = low / block;
    T* const own = row(column, now);
    const P scale = P::broadcast(static_cast<T>(1 / std::sqrt(static_cast<double>(size_))));
    kernel::map_pointwise(x, own, channels(), [&](P q) { return q * scale; });
    T* const place = keys(column, newest);
    for (Index i = 0; i < channels(); ++i) place[i * block + lane] = x[channels() + i];
    std::copy_n(x + 2 * channels(), channels(), place + channels() * block + lane * channels());

    T* const factors = reinterpret_cast<T*>(state.scratch) + logits();
    // Of the oldest block a key has gone, of the newest one has come.
    if (now >= window_ && (low % block != 0 || oldest == newest)) work_out(state, column, oldest, low, now, low, now - 1);
    if (now < window_ || oldest != newest)
      for (Time i = low; i < now; ++i) {
        T* const of = row(column, i);
        if (lane == 0) begin(of, slot(newest));
        kernel::attend_more(parts(of), slot(newest), of, x + channels(), x + 2 * channels(), factors);
      }
    for (Time b = oldest; b <= newest; ++b) work_out(state, column, b, low, now, now, now);
    if (y == nullptr) return;
    Index* const used = reinterpret_cast<Index*>(state.scratch + scratch_bytes()) - ring_;
    for (Time b = oldest; b <= newest; ++b) used[b - oldest] = slot(b);
    for (Time i = low; i <= now; ++i, y += channels())
      kernel::attend_parts(parts(row(column, i)), used, static_cast<Index>(newest - oldest + 1), factors, y);
  }
  // A block without any key yet.
  void begin(T* row, Index slot) const noexcept {
    const kernel::AttentionParts<T> own = parts(row);
    std::fill_n(own.greatest + slot * heads_, heads_, std::numeric_limits<T>::lowest());
    std::fill_n(own.sums + slot * heads_, heads_, T(0));
    std::fill_n(own.values + slot * channels(), channels(), T(0));
  }
  // What frames from ... to make of the keys of a block, those of frames low ... now among them.
  void work_out(StateRef state, T* column, Time number, Time low, Time now, Time from, Time to) const noexcept {
    const Index first = static_cast<Index>(std::max<Time>(low - number * block, 0)),
                end = static_cast<Index>(std::min<Time>(now - number * block + 1, block)), at = slot(number);
    const T* const place = keys(column, number);
    for (Index h = 0; h < heads_; ++h)
      for (Time i = from; i <= to; i += rows) {
        const int count = static_cast<int>(std::min<Time>(rows, to - i + 1));
        kernel::AttentionRow<T> all[rows];
        T *tops[rows], *sums[rows];
        for (int r = 0; r < count; ++r) {
          T* const of = row(column, i + r);
          const kernel::AttentionParts<T> own = parts(of);
          all[r] = {.query = of + h * size_, .weights = reinterpret_cast<T*>(state.scratch) + r * block, .bias = nullptr,
                    .sinks = 0, .first = first, .end = end, .out = own.values + at * channels() + h * size_};
          tops[r] = own.greatest + at * heads_ + h, sums[r] = own.sums + at * heads_ + h;
        }
        kernel::attend_block(all, count, place + h * size_ * block, place + channels() * block + h * size_, size_, size_, channels(),
                             tops, sums);
      }
  }

  Index size_, window_, heads_;
  Index ring_ = 1;  // blocks
};

static_assert(Layer<RetroactiveAttention<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_RETROACTIVE_ATTENTION_HPP
