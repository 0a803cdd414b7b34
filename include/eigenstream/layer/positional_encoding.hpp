#ifndef EIGENSTREAM_LAYER_POSITIONAL_ENCODING_HPP
#define EIGENSTREAM_LAYER_POSITIONAL_ENCODING_HPP

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"
#include "eigenstream/kernel/map.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Adds to each frame a row of a table, which begins anew when it is at its end.
///   y[c,t] = x[c,t] + weight[t mod N, c]
/// Shapes   x (E,T), with space, a batch or neither, each column alike -> y of the same; weight (N,E)
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on another shape. steps: noexcept, no allocation
/// Source   continual.RecyclingPositionalEncoding; its static table is made by names/continual.hpp
/// Layout   the row that comes next
template <class T>
class RecyclingPositionalEncoding {
 public:
  using Scalar = T;

  explicit RecyclingPositionalEncoding(const Weights<T>& weight) : weight_(weight) {
    check(weight.shape.size() == 2 && weight.size() > 0, "RecyclingPositionalEncoding: weight has shape ", weight.shape_text(),
          ", expected (num_embeds,embed_dim)");
  }

  FrameShape wanted() const noexcept { return FrameShape::any(width()); }
  Facts facts(const FrameShape& in) const {
    check_channels("RecyclingPositionalEncoding", width(), in);
    return {.out = in, .state_bytes = memory_alignment, .parameters = weight_.size()};
  }
  Timing timing() const { return {}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const {
    return Fingerprint("RecyclingPositionalEncoding").add(rows()).add(weight_.span());
  }
  void reset(StateRef state) const noexcept { next(state) = 0; }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    Index& row = next(state);
    const T* from = x.data;
    T* to = y.data;
    for (Index t = 0; t < x.count; ++t) {
      for (Index c = 0; c < x.columns(); ++c, from += width(), to += width())
        kernel::map_two(from, weight_.values.data() + row * width(), to, width(), [](auto a, auto b) { return a + b; });
      row = row + 1 == rows() ? 0 : row + 1;
    }
    return x.count;
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const { codec.count(next(state), codec.frames() % rows()); }
  T* input_room(StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return true; }

 private:
  Index rows() const noexcept { return weight_.shape[0]; }
  Index width() const noexcept { return weight_.shape[1]; }
  static Index& next(StateRef state) noexcept { return *reinterpret_cast<Index*>(state.data); }

  Weights<T> weight_;
};

static_assert(Layer<RecyclingPositionalEncoding<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_POSITIONAL_ENCODING_HPP
