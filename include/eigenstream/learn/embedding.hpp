#ifndef EIGENSTREAM_LEARN_EMBEDDING_HPP
#define EIGENSTREAM_LEARN_EMBEDDING_HPP

#include "eigenstream/learn/parameter.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace learn {

/// A table of vectors none of which is longer than 1. What is looked up and longer is shortened in the table itself, to
/// w / (|w| + 1e-7); no gradient goes through that, and rows that nobody looks up stay as they are.
/// Shapes   weight (Rows,D)
/// Errors   constructor: Error if a size is below 1. forward, backward: Error if there are not so many rows
/// Source   torch.nn.Embedding(max_norm=1), with its initial values: normal
template <class T>
class Embedding {
 public:
  Embedding() = default;
  Embedding(Index rows, Index features, Random& random) {
    check(rows >= 1 && features >= 1, "Embedding: ", rows, " rows of ", features, " features, neither may be below 1");
    weight = Parameter<T>({rows, features});
    weight.fill_normal(random);
  }

  /// The first `count` rows.
  auto forward(Index count) {
    check(count >= 0 && count <= weight.value.rows(), "Embedding: ", count, " rows of a table that has ",
          weight.value.rows());
    for (Index row = 0; row < count; ++row) {
      auto entry = weight.value.row(row);
      // Once, but for rounding: what has been looked up does not change when it is looked up again.
      for (T norm = entry.norm(); norm > T(1); norm = entry.norm()) entry /= norm + T(1e-7);
    }
    return weight.value.topRows(count);
  }
  /// dy belongs to the first rows.
  template <class Gradient>
  void backward(const Gradient& dy) {
    check(dy.rows() <= weight.value.rows(), "Embedding: ", dy.rows(), " rows of a table that has ",
          weight.value.rows());
    weight.gradient.topRows(dy.rows()) += dy;
  }
  void parameters(const std::string& prefix, Parameters<T>& out) { out.push_back({prefix + "weight", &weight}); }

  Parameter<T> weight;
};

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_EMBEDDING_HPP
