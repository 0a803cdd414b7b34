#ifndef EIGENSTREAM_LAYER_EMBEDDING_HPP
#define EIGENSTREAM_LAYER_EMBEDDING_HPP

#include <algorithm>  // copy_n, min, max

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/weights.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Rows of a table by their numbers: a signal of whole numbers becomes one of vectors.
///   y[c*E + e, t] = weight[x[c,t], e]
/// Shapes   x (C,T), with space, a batch or neither -> y (C*E,T); weight (N,E)
/// Timing   none: a frame in, a frame out
/// Errors   constructor: Error on another shape. steps: noexcept, no allocation; a number that is no row's gives the nearest
///          row, NaN the first (torch has an error for these, a running stream has none to give)
/// Source   torch.nn.Embedding
template <class T>
class Embedding : public StatelessLayer<T> {
 public:
  explicit Embedding(const Weights<T>& weight) : weight_(weight) {
    check(weight.shape.size() == 2 && weight.size() > 0, "Embedding: weight has shape ", weight.shape_text(),
          ", expected (num_embeddings,embedding_dim)");
  }

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    return {.out = in.with_channels(in.channels * width()), .parameters = weight_.size()};
  }
  std::uint64_t fingerprint() const {
    return Fingerprint("Embedding").add(rows()).add(weight_.span());
  }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    const T last = static_cast<T>(rows() - 1);
    T* to = y.data;
    for (Index i = 0; i < x.scalars(); ++i, to += width()) {
      const Index row = static_cast<Index>(std::min(std::max(T(0), x.data[i]), last));
      std::copy_n(weight_.values.data() + row * width(), width(), to);
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }

 private:
  Index rows() const noexcept { return weight_.shape[0]; }
  Index width() const noexcept { return weight_.shape[1]; }

  Weights<T> weight_;
};

static_assert(Layer<Embedding<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_EMBEDDING_HPP
