#ifndef EIGENSTREAM_KERNEL_ATTENTION_HPP
#define EIGENSTREAM_KERNEL_ATTENTION_HPP

#include <algorithm>  // clamp, fill_n, min
#include <limits>     // infinity

#include "eigenstream/kernel/elementary.hpp"
#include "eigenstream/kernel/packet.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// Frames whose keys lie together, the same on every machine: [channel][frame], so that SIMD lanes run over frames. Their
/// values lie [frame][channel].
inline constexpr Index attention_block = 16;

/// One query, of one head. Lane 16 b + k is frame k of block b; which of them it attends to is two ranges of lanes.
template <class T>
struct AttentionRow {
  const T* query;  ///< of the head's channels, scaled
  T* weights;      ///< room for all lanes
  const T* bias;   ///< what is added to the logits, lane by lane; or null
  Index sinks, first, end;  ///< [0, sinks) and [first, end), which is not empty if the other one is
  T* out;          ///< the head's values
  Index key = 0, value = 0;  ///< where in the blocks the head's keys and values begin
};

/// Queries that go through the keys together: as many as keep their sums in registers.
template <class T>
inline constexpr int attention_rows = std::clamp(8 * simd::max_lanes<T> / static_cast<int>(attention_block), 1, 4);

namespace detail {

/// The products of Q queries of one head with the keys of B blocks, each a chain over the channels.
template <int Q, int B, class T>
EIGENSTREAM_ALWAYS_INLINE void attention_logits(const AttentionRow<T>* rows, const T* const* keys, Index size,
                                                Index lane) noexcept {
  using P = simd::Packet<T, std::min(simd::max_lanes<T>, static_cast<int>(attention_block))>;
  constexpr int parts = static_cast<int>(attention_block) / P::lanes;
  P sum[Q][B][parts];
  const T* query[Q];
#pragma GCC unroll 4
  for (int q = 0; q < Q; ++q) {
    query[q] = rows[q].query;
#pragma GCC unroll 16
    for (int k = 0; k < B * parts; ++k) sum[q][k / parts][k % parts] = P::broadcast(T(0));
  }
  for (Index i = 0; i < size; ++i) {
    P x[Q];
#pragma GCC unroll 4
    for (int q = 0; q < Q; ++q) x[q] = P::broadcast(query[q][i]);
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b)
#pragma GCC unroll 16
      for (int p = 0; p < parts; ++p) {
        const P key = P::load(keys[b] + rows->key + i * attention_block + p * P::lanes);
#pragma GCC unroll 4
        for (int q = 0; q < Q; ++q) sum[q][b][p] = multiply_add(x[q], key, sum[q][b][p]);
      }
  }
#pragma GCC unroll 4
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 16
    for (int k = 0; k < B * parts; ++k) sum[q][k / parts][k % parts].store(rows[q].weights + lane + k * P::lanes);
}

/// What lanes begin ... end - 1 of a block bring of V packets of channels, `values` those of lane 0, to Q rows with these weights: each
/// number two chains, over the even and over the odd lanes.
template <int Q, int V, class T, class P>
EIGENSTREAM_ALWAYS_INLINE void attention_sums(const T* const (&weights)[Q], const T* values, Index stride, Index begin, Index end,
                                              P (&both)[Q][V]) noexcept {
  P sum[2][Q][V];
#pragma GCC unroll 4
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sum[0][q][v] = sum[1][q][v] = P::broadcast(T(0));
  values += begin * stride;
  const auto add = [&](int odd, Index j) EIGENSTREAM_INLINE_LAMBDA {
    P value[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) value[v] = P::load(values + v * P::lanes);
#pragma GCC unroll 4
    for (int q = 0; q < Q; ++q) {
      const P weight = P::broadcast(weights[q][j]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[odd][q][v] = multiply_add(weight, value[v], sum[odd][q][v]);
    }
    values += stride;
  };
  Index j = begin;
  if (j % 2 != 0 && j < end) add(1, j++);
  for (; j + 2 <= end; j += 2) add(0, j), add(1, j + 1);
  if (j < end) add(0, j);
#pragma GCC unroll 4
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) both[q][v] = sum[0][q][v] + sum[1][q][v];
}

/// Adds them to what the rows have, `valid` numbers in the last packet.
template <int Q, int V, bool Whole, class T>
EIGENSTREAM_ALWAYS_INLINE void attention_values(const AttentionRow<T>* rows, const T* values, Index stride, Index lane,
                                                Index begin, Index end, Index channel, Index valid = 0) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  const T* weights[Q];
#pragma GCC unroll 4
  for (int q = 0; q < Q; ++q) weights[q] = rows[q].weights + lane;
  P both[Q][V];
  attention_sums(weights, values + channel, stride, begin, end, both);
#pragma GCC unroll 4
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      T* out = rows[q].out + channel + v * P::lanes;
      if constexpr (Whole)
        (P::load(out) + both[q][v]).store(out);
      else
        (P::load_first(out, valid) + both[q][v]).store_first(out, valid);
    }
}
template <int Q, class T>
EIGENSTREAM_ALWAYS_INLINE void attention_values(const AttentionRow<T>* rows, const T* values, Index stride, Index lane,
                                                Index begin, Index end, Index size) noexcept {
  constexpr Index lanes = simd::max_lanes<T>;
  constexpr int wide = Q == 1 ? 4 : simd::registers == 32 ? 2 : 1;
  Index c = 0;
  for (; c + wide * lanes <= size; c += wide * lanes)
    attention_values<Q, wide, true>(rows, values, stride, lane, begin, end, c);
  for (; c + lanes <= size; c += lanes) attention_values<Q, 1, true>(rows, values, stride, lane, begin, end, c);
  if (c < size) attention_values<Q, 1, false>(rows, values, stride, lane, begin, end, c, size - c);
}

/// Which lanes of a block from `lane` on a row attends to: it holds frames of one of the two ranges.
struct LaneRange {
  Index begin, end;
};
template <class T>
EIGENSTREAM_ALWAYS_INLINE LaneRange attended(const AttentionRow<T>& row, Index lane) noexcept {
  const bool sinks = lane < row.sinks;
  return {sinks ? 0 : std::clamp<Index>(row.first - lane, 0, attention_block),
          std::clamp<Index>((sinks ? row.sinks : row.end) - lane, 0, attention_block)};
}

/// What all blocks bring of V packets of channels, divided by the sum of weights: as attention_values, block by block.
template <int V, bool Whole, class T>
EIGENSTREAM_ALWAYS_INLINE void attention_output(const AttentionRow<T>& row, const T* const* values, Index blocks, Index stride,
                                                Index channel, T weights, Index valid = 0) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  P all[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) all[v] = P::broadcast(T(0));
  for (Index b = 0; b < blocks; ++b) {
    const auto [begin, end] = attended(row, b * attention_block);
    if (begin >= end) continue;
    const T* const weight[1] = {row.weights + b * attention_block};
    P both[1][V];
    attention_sums(weight, values[b] + row.value + channel, stride, begin, end, both);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) all[v] = all[v] + both[0][v];
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const P result = all[v] / P::broadcast(weights);
    if constexpr (Whole)
      result.store(row.out + channel + v * P::lanes);
    else
      result.store_first(row.out + channel, valid);
  }
}

/// From logits to weights that are not yet divided by their sum, which is given: 0 in lanes that are not attended to. `greatest` is
/// the logit that all were compared with.
template <class T>
EIGENSTREAM_ALWAYS_INLINE T attention_weights(const AttentionRow<T>& row, Index lanes, T& greatest) noexcept {
  using P = simd::Packet<T, std::min(simd::max_lanes<T>, static_cast<int>(attention_block))>;
  constexpr int parts = static_cast<int>(attention_block) / P::lanes;
  static constexpr T counted[attention_block] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  T* const w = row.weights;
  const P first = P::broadcast(static_cast<T>(row.first - 1)), end = P::broadcast(static_cast<T>(row.end)),
          sinks = P::broadcast(static_cast<T>(row.sinks));
  const auto masked = [&](Index i, P x, T otherwise) EIGENSTREAM_INLINE_LAMBDA {
    if (i >= row.first && i + P::lanes <= row.end) return x;
    const P out = P::broadcast(otherwise), lane = P::load(counted) + P::broadcast(static_cast<T>(i));
    return select_greater(sinks, lane, x, select_greater(end, lane, select_greater(lane, first, x, out), out));
  };
  P most = P::broadcast(std::numeric_limits<T>::lowest());
  for (Index i = 0; i < lanes; i += P::lanes) {
    P x = P::load(w + i);
    if (row.bias != nullptr) x = x + P::load(row.bias + i);
    x = masked(i, x, -std::numeric_limits<T>::infinity());
    most = max(most, x);
    x.store(w + i);
  }
  // NaN may get lost here, but the sum has it.
  greatest = simd::ei::predux_max(most.native);
  const P top = P::broadcast(greatest);
  P sum[parts];
#pragma GCC unroll 16
  for (int p = 0; p < parts; ++p) sum[p] = P::broadcast(T(0));
  for (Index i = 0; i < lanes; i += attention_block)
#pragma GCC unroll 16
    for (int p = 0; p < parts; ++p) {
      const Index at = i + p * P::lanes;
      const P weight = masked(at, simd::exp(P::load(w + at) - top), T(0));
      weight.store(w + at);
      sum[p] = sum[p] + weight;
    }
#pragma GCC unroll 16
  for (int p = 1; p < parts; ++p) sum[0] = sum[0] + sum[p];
  return simd::ei::predux(sum[0].native);
}

}  // namespace detail

/// What up to attention_rows queries attend to among the frames of some blocks, `key_size` channels in keys[b] and
/// `value_size` in values[b], whose frames are `stride` numbers apart. As many as that are quicker together if they have the same keys:
///   y = sum_j w_j v_j / sum_j w_j,  w_j = exp(q . k_j + bias_j - the greatest of these)
/// Order of operations, the same for every query, however many are given at once, and whatever else is in the blocks: a
/// logit is a chain over the channels; the sum of weights is that of each lane of the blocks and then of these; of the values
/// each block is two chains over its lanes, which are added, and these are added in their order. Frames that are not attended to
/// count for nothing, NaN or not. Loads run over the end of the values by up to a packet.
template <class T>
EIGENSTREAM_OUTLINED void attend(const AttentionRow<T>* rows, int count, const T* const* keys, const T* const* values,
                                 Index blocks, Index key_size, Index value_size, Index stride) noexcept {
  constexpr int most = attention_rows<T>;
  const bool together = count == most && rows[0].key == rows[most - 1].key && rows[0].value == rows[most - 1].value;
  if (together) {
    for (Index b = 0; b < blocks; ++b) detail::attention_logits<most, 1>(rows, keys + b, key_size, b * attention_block);
  } else {
    for (int q = 0; q < count; ++q) {
      Index b = 0;
      for (; b + most <= blocks; b += most)
        detail::attention_logits<1, most>(rows + q, keys + b, key_size, b * attention_block);
      for (; b < blocks; ++b) detail::attention_logits<1, 1>(rows + q, keys + b, key_size, b * attention_block);
    }
  }
  T sums[most];
  for (int q = 0; q < count; ++q) {
    T greatest;
    sums[q] = detail::attention_weights(rows[q], blocks * attention_block, greatest);
  }
  constexpr Index lanes = simd::max_lanes<T>;
  if (!together) {
    for (int q = 0; q < count; ++q) {
      Index c = 0;
      for (; c + 4 * lanes <= value_size; c += 4 * lanes)
        detail::attention_output<4, true>(rows[q], values, blocks, stride, c, sums[q]);
      for (; c + lanes <= value_size; c += lanes) detail::attention_output<1, true>(rows[q], values, blocks, stride, c, sums[q]);
      if (c < value_size) detail::attention_output<1, false>(rows[q], values, blocks, stride, c, sums[q], value_size - c);
    }
    return;
  }
  for (int q = 0; q < count; ++q) std::fill_n(rows[q].out, value_size, T(0));
  for (Index b = 0; b < blocks; ++b) {
    const Index lane = b * attention_block;
    Index begin[most], end[most];
    bool whole = true;
    for (int q = 0; q < count; ++q) {
      const detail::LaneRange range = detail::attended(rows[q], lane);
      begin[q] = range.begin, end[q] = range.end;
      whole = whole && begin[q] == 0 && end[q] == attention_block;
    }
    if (whole) {
      detail::attention_values<most>(rows, values[b] + rows->value, stride, lane, 0, attention_block, value_size);
    } else {
      for (int q = 0; q < count; ++q)
        if (begin[q] < end[q])
          detail::attention_values<1>(rows + q, values[b] + rows->value, stride, lane, begin[q], end[q], value_size);
    }
  }
  using P = simd::Packet<T, simd::max_lanes<T>>;
  for (int q = 0; q < count; ++q) {
    const P sum = P::broadcast(sums[q]);
    Index c = 0;
    for (; c + P::lanes <= value_size; c += P::lanes) (P::load(rows[q].out + c) / sum).store(rows[q].out + c);
    if (c < value_size)
      (P::load_first(rows[q].out + c, value_size - c) / sum).store_first(rows[q].out + c, value_size - c);
  }
}

/// A part of what `attend` gives, of one query and one block: sum_j w_j v_j to its `out`, and the logit that w_j is less by to
/// `greatest`. Gives sum_j w_j.
template <class T>
EIGENSTREAM_OUTLINED T attend_block(const AttentionRow<T>& row, const T* keys, const T* values, Index key_size, Index value_size,
                                    Index stride, T& greatest) noexcept {
  detail::attention_logits<1, 1>(&row, &keys, key_size, 0);
  const T sum = detail::attention_weights(row, attention_block, greatest);
  std::fill_n(row.out, value_size, T(0));
  detail::attention_values<1>(&row, values, stride, 0, row.first, row.end, value_size);
  return sum;
}

/// Queries of one head that lie together like keys, [channel][query], and what a part of the frames brings each of them, a query in each
/// lane: the greatest logit, the sum of weights, and sum_j w_j v_j, [query][channel] `stride` numbers apart.
template <class T>
struct AttentionPart {
  const T* queries;
  T *greatest, *sums, *values;
  Index size, stride;
};

namespace detail {

/// The products of J keys from key j on with the queries, each a chain over the channels.
template <int J, class P, class T>
EIGENSTREAM_ALWAYS_INLINE void attention_cross(const T* queries, const T* keys, Index size, P (&sum)[J]) noexcept {
#pragma GCC unroll 8
  for (int j = 0; j < J; ++j) sum[j] = P::broadcast(T(0));
  for (Index i = 0; i < size; ++i) {
    const P query = P::load(queries + i * attention_block);
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) sum[j] = multiply_add(P::broadcast(keys[i * attention_block + j]), query, sum[j]);
  }
}

/// f(load, store, i) for n numbers in packets from i on: only those that are left of the last one.
template <class T, class F>
EIGENSTREAM_ALWAYS_INLINE void for_packets(Index n, F&& f) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes)
    f([i](const T* from) EIGENSTREAM_INLINE_LAMBDA { return P::load(from + i); },
      [i](P x, T* to) EIGENSTREAM_INLINE_LAMBDA { x.store(to + i); }, i);
  if (const Index rest = n - i; rest > 0)
    f([i, rest](const T* from) EIGENSTREAM_INLINE_LAMBDA { return P::load_first(from + i, rest); },
      [i, rest](P x, T* to) EIGENSTREAM_INLINE_LAMBDA { x.store_first(to + i, rest); }, i);
}

template <class T>
using AttentionLanes = simd::Packet<T, std::min(simd::max_lanes<T>, static_cast<int>(attention_block))>;

}  // namespace detail

/// What queries begin ... end - 1 make of keys first ... last - 1 of a block. `weights`: room for a block of them for each key.
template <class T>
EIGENSTREAM_OUTLINED void attend_rows(const AttentionPart<T>& part, Index begin, Index end, const T* keys, const T* values, Index first,
                                      Index last, T* weights) noexcept {
  using P = detail::AttentionLanes<T>;
  constexpr int together = 4;
  for (Index r = 0; r < attention_block; r += P::lanes) {
    P top = P::broadcast(std::numeric_limits<T>::lowest());
    for (Index j = first / together * together; j < last; j += together) {
      P sum[together];
      detail::attention_cross(part.queries + r, keys + j, part.size, sum);
#pragma GCC unroll 4
      for (int k = 0; k < together; ++k) {
        sum[k].store(weights + (j + k) * attention_block + r);
        if (j + k >= first && j + k < last) top = max(top, sum[k]);
      }
    }
    P sum = P::broadcast(T(0));
    for (Index j = first; j < last; ++j) {
      T* const at = weights + j * attention_block + r;
      const P weight = simd::exp(P::load(at) - top);
      weight.store(at);
      sum = sum + weight;
    }
    top.store(part.greatest + r), sum.store(part.sums + r);
  }
  using V = simd::Packet<T, simd::max_lanes<T>>;
  detail::for_packets<T>(part.size, [&](auto&& load, auto&& store, Index) EIGENSTREAM_INLINE_LAMBDA {
    for (Index r = begin / together * together; r < end; r += together) {
      V sum[together];
#pragma GCC unroll 4
      for (int k = 0; k < together; ++k) sum[k] = V::broadcast(T(0));
      for (Index j = first; j < last; ++j) {
        const V value = load(values + j * part.stride);
#pragma GCC unroll 4
        for (int k = 0; k < together; ++k)
          sum[k] = multiply_add(V::broadcast(weights[j * attention_block + r + k]), value, sum[k]);
      }
#pragma GCC unroll 4
      for (int k = 0; k < together; ++k) store(sum[k], part.values + (r + k) * part.stride);
    }
  });
}

/// Adds one more frame to what queries begin ... end - 1 have of a part, its key and value; `fresh`: it is the part's first one.
template <class T>
EIGENSTREAM_ALWAYS_INLINE void attend_more(const AttentionPart<T>& part, Index begin, Index end, bool fresh, const T* key,
                                           const T* value) noexcept {
  using P = detail::AttentionLanes<T>;
  alignas(P) T weights[attention_block], scales[attention_block];
  for (Index r = 0; r < attention_block; r += P::lanes) {
    P logit = P::broadcast(T(0));
    for (Index i = 0; i < part.size; ++i)
      logit = multiply_add(P::broadcast(key[i]), P::load(part.queries + i * attention_block + r), logit);
    const P before = fresh ? P::broadcast(std::numeric_limits<T>::lowest()) : P::load(part.greatest + r), top = max(before, logit);
    const P scale = simd::exp(before - top), weight = simd::exp(logit - top);
    const P sum = fresh ? weight : multiply_add(P::load(part.sums + r), scale, weight);
    top.store(part.greatest + r), sum.store(part.sums + r);
    weight.store(weights + r), scale.store(scales + r);
  }
  using V = simd::Packet<T, simd::max_lanes<T>>;
  detail::for_packets<T>(part.size, [&](auto&& load, auto&& store, Index) EIGENSTREAM_INLINE_LAMBDA {
    const V added = load(value);
    for (Index r = begin; r < end; ++r) {
      T* const all = part.values + r * part.stride;
      const V more = V::broadcast(weights[r]) * added;
      store(fresh ? more : multiply_add(load(all), V::broadcast(scales[r]), more), all);
    }
  });
}

/// The parts of queries begin ... end - 1 put together, in the order in which they are given: what `attend` would give of all that is
/// in them, to y, [query][channel] `stride` numbers apart from query `begin` on. `factors`: room for a block for each part.
template <class T>
EIGENSTREAM_ALWAYS_INLINE void attend_parts(const AttentionPart<T>* parts, Index count, Index begin, Index end, T* factors,
                                            T* y) noexcept {
  using P = detail::AttentionLanes<T>;
  alignas(P) T inverse[attention_block];
  for (Index r = 0; r < attention_block; r += P::lanes) {
    P top = P::load(parts[0].greatest + r), sum = P::broadcast(T(0));
    for (Index b = 1; b < count; ++b) top = max(top, P::load(parts[b].greatest + r));
    for (Index b = 0; b < count; ++b) {
      const P factor = simd::exp(P::load(parts[b].greatest + r) - top);
      factor.store(factors + b * attention_block + r);
      sum = multiply_add(factor, P::load(parts[b].sums + r), sum);
    }
    (P::broadcast(T(1)) / sum).store(inverse + r);
  }
  using V = simd::Packet<T, simd::max_lanes<T>>;
  const Index stride = parts[0].stride;
  detail::for_packets<T>(parts[0].size, [&](auto&& load, auto&& store, Index) EIGENSTREAM_INLINE_LAMBDA {
    for (Index r = begin; r < end; ++r) {
      V sum = V::broadcast(T(0));
      for (Index b = 0; b < count; ++b)
        sum = multiply_add(V::broadcast(factors[b * attention_block + r]), load(parts[b].values + r * stride), sum);
      store(sum * V::broadcast(inverse[r]), y + (r - begin) * stride);
    }
  });
}

/// The products of a query with the keys of some blocks, to `logits`, a lane each: as in `attend`.
template <class T>
EIGENSTREAM_OUTLINED void attention_products(const T* query, const T* keys, Index blocks, Index key_size,
                                             T* logits) noexcept {
  const AttentionRow<T> row{.query = query, .weights = logits, .bias = nullptr, .sinks = 0, .first = 0, .end = 0, .out = nullptr};
  for (Index b = 0; b < blocks; ++b) {
    const T* block = keys + b * key_size * attention_block;
    detail::attention_logits<1, 1>(&row, &block, key_size, b * attention_block);
  }
}

/// Turns n pairs of numbers: (x[i], x[n + i]) to (x[i] c[i] - x[n + i] s[i], x[n + i] c[i] + x[i] s[i]).
template <class T>
EIGENSTREAM_ALWAYS_INLINE void turn_pairs(T* x, const T* c, const T* s, Index n) noexcept {
  using P = simd::Packet<T, simd::max_lanes<T>>;
  const auto turn = [](P a, P b, P cosine, P sine, auto&& store) EIGENSTREAM_INLINE_LAMBDA {
    store(multiply_add(a, cosine, P::broadcast(T(0)) - b * sine), 0), store(multiply_add(b, cosine, a * sine), 1);
  };
  Index i = 0;
  for (; i + P::lanes <= n; i += P::lanes)
    turn(P::load(x + i), P::load(x + n + i), P::load(c + i), P::load(s + i),
         [&](P y, Index second) EIGENSTREAM_INLINE_LAMBDA { y.store(x + second * n + i); });
  if (const Index rest = n - i; rest > 0)
    turn(P::load_first(x + i, rest), P::load_first(x + n + i, rest), P::load_first(c + i, rest), P::load_first(s + i, rest),
         [&](P y, Index second) EIGENSTREAM_INLINE_LAMBDA { y.store_first(x + second * n + i, rest); });
}

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_ATTENTION_HPP
