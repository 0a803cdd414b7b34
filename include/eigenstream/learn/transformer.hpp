#ifndef EIGENSTREAM_LEARN_TRANSFORMER_HPP
#define EIGENSTREAM_LEARN_TRANSFORMER_HPP

#include <cmath>   // sqrt, exp
#include <string>  // to_string
#include <vector>  // blocks, heads

#include "eigenstream/learn/dense.hpp"
#include "eigenstream/learn/layer_norm.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace learn {

/// Every row looks at all rows, once for each head:
///   [Q K V] = x W_in^T + b_in,  A = softmax(Q K^T / sqrt(D/heads)) of the head's columns,  y = [A V of each head]
///   W_o^T + b_o
/// Only the rows that are wanted ask (they have a Q); all are looked at.
/// Shapes   x (N,D) -> y (Count,D) for rows First to First + Count; in_proj_weight (3D,D): those of Q, K, V; in_proj_bias
///          (3D)
/// Errors   constructor: Error if the heads do not divide D
/// Source   torch.nn.MultiheadAttention without dropout and mask; its initial values, but for out_proj.bias, which is uniform
///          like the weight
template <class T>
class SelfAttention {
 public:
  struct Cache {
    Index first = 0, count = 0;
    Matrix<T> query, key_value;        ///< (Count,D), (N,2D)
    std::vector<Matrix<T>> attention;  ///< of each head (Count,N): each row sums to 1
    Matrix<T> heads;                   ///< (Count,D): A V
  };

  SelfAttention() = default;
  SelfAttention(Index features, Index heads, Random& random) : heads_(heads) {
    check(features >= 1 && heads >= 1 && features % heads == 0, "SelfAttention: ", features,
          " features cannot be shared among ", heads, " heads");
    in_proj = Dense<T>(features, 3 * features, random);
    in_proj.weight.fill_uniform(random, std::sqrt(6 / (4 * static_cast<double>(features))));
    in_proj.bias.value.setZero();
    out_proj = Dense<T>(features, features, random);
  }

  Matrix<T> forward(const Matrix<T>& x, Index first, Index count, Cache& cache) const {
    const Index features = x.cols(), width = features / heads_;
    cache.first = first, cache.count = count;
    cache.query = in_proj.forward(x.middleRows(first, count), 0, features);
    cache.key_value = in_proj.forward(x, features, 2 * features);
    cache.attention.resize(static_cast<std::size_t>(heads_));
    cache.heads.setZero(count, features);
    const T scale = T(1) / std::sqrt(static_cast<T>(width));
    for (Index head = 0; head < heads_; ++head) {
      const auto key = cache.key_value.middleCols(head * width, width);
      const auto value = cache.key_value.middleCols(features + head * width, width);
      Matrix<T>& attention = cache.attention[static_cast<std::size_t>(head)];
      attention.setZero(count, x.rows());
      add_product_transposed<T>(cache.query.middleCols(head * width, width), key, attention);
      for (Index row = 0; row < count; ++row) {
        auto line = attention.row(row).array();
        line = ((line - line.maxCoeff()) * scale).exp();
        line /= line.sum();
      }
      add_product<T>(attention, value, cache.heads.middleCols(head * width, width));
    }
    return out_proj.forward(cache.heads);
  }
  Matrix<T> backward(const Matrix<T>& dy, const Matrix<T>& x, const Cache& cache) {
    const Index features = x.cols(), width = features / heads_;
    const T scale = T(1) / std::sqrt(static_cast<T>(width));
    const Matrix<T> dheads = out_proj.backward(dy, cache.heads);
    Matrix<T> dquery = Matrix<T>::Zero(cache.count, features), dattention;
    Matrix<T> dkey_value = Matrix<T>::Zero(x.rows(), 2 * features);
    for (Index head = 0; head < heads_; ++head) {
      const auto key = cache.key_value.middleCols(head * width, width);
      const auto value = cache.key_value.middleCols(features + head * width, width);
      const auto dhead = dheads.middleCols(head * width, width);
      const Matrix<T>& attention = cache.attention[static_cast<std::size_t>(head)];
      add_transposed_product<T>(attention, dhead, dkey_value.middleCols(features + head * width, width));
      dattention.setZero(cache.count, x.rows());
      add_product_transposed<T>(dhead, value, dattention);
      for (Index row = 0; row < cache.count; ++row) {
        const T mean = dattention.row(row).dot(attention.row(row));
        dattention.row(row).array() = attention.row(row).array() * (dattention.row(row).array() - mean) * scale;
      }
      add_product<T>(dattention, key, dquery.middleCols(head * width, width));
      add_transposed_product<T>(dattention, cache.query.middleCols(head * width, width),
                                dkey_value.middleCols(head * width, width));
    }
    Matrix<T> dx = in_proj.backward(dkey_value, x, features);
    dx.middleRows(cache.first, cache.count) += in_proj.backward(dquery, x.middleRows(cache.first, cache.count), 0);
    return dx;
  }
  void parameters(const std::string& prefix, Parameters<T>& out) {
    out.push_back({prefix + "in_proj_weight", &in_proj.weight});
    out.push_back({prefix + "in_proj_bias", &in_proj.bias});
    out_proj.parameters(prefix + "out_proj.", out);
  }
  Index heads() const noexcept { return heads_; }

  Dense<T> in_proj, out_proj;

 private:
  Index heads_ = 1;
};

/// One block: attention and a network of two layers (2D wide, ReLU), each added to what it takes and then normalised.
/// Shapes   x (N,D) -> y (Count,D) for rows First to First + Count
/// Errors   those of SelfAttention
/// Source   torch.nn.TransformerEncoderLayer(D, heads, 2 * D, dropout=0), norm_first=False
template <class T>
class TransformerBlock {
 public:
  struct Cache {
    Matrix<T> x;
    typename SelfAttention<T>::Cache attention;
    typename LayerNorm<T>::Cache norm1, norm2;
    Matrix<T> middle, hidden;  ///< behind norm1; behind the ReLU
  };

  TransformerBlock() = default;
  TransformerBlock(Index features, Index heads, Random& random)
      : self_attn(features, heads, random),
        linear1(features, 2 * features, random),
        linear2(2 * features, features, random),
        norm1(features),
        norm2(features) {}

  Matrix<T> forward(const Matrix<T>& x, Index first, Index count, Cache& cache) const {
    cache.x = x;
    Matrix<T> sum = self_attn.forward(x, first, count, cache.attention);
    sum += x.middleRows(first, count);
    cache.middle = norm1.forward(sum, cache.norm1);
    cache.hidden = linear1.forward(cache.middle);
    relu(cache.hidden);
    sum = linear2.forward(cache.hidden);
    sum += cache.middle;
    return norm2.forward(sum, cache.norm2);
  }
  Matrix<T> backward(const Matrix<T>& dy, const Cache& cache) {
    Matrix<T> dsum = norm2.backward(dy, cache.norm2);
    Matrix<T> dhidden = linear2.backward(dsum, cache.hidden);
    relu_backward(dhidden, cache.hidden);
    dsum += linear1.backward(dhidden, cache.middle);
    dsum = norm1.backward(dsum, cache.norm1);
    Matrix<T> dx = self_attn.backward(dsum, cache.x, cache.attention);
    dx.middleRows(cache.attention.first, cache.attention.count) += dsum;
    return dx;
  }
  void parameters(const std::string& prefix, Parameters<T>& out) {
    self_attn.parameters(prefix + "self_attn.", out);
    linear1.parameters(prefix + "linear1.", out);
    linear2.parameters(prefix + "linear2.", out);
    norm1.parameters(prefix + "norm1.", out);
    norm2.parameters(prefix + "norm2.", out);
  }

  SelfAttention<T> self_attn;
  Dense<T> linear1, linear2;
  LayerNorm<T> norm1, norm2;
};

/// Several blocks that begin as copies of each other, and a normalisation without parameters; then one row of what
/// comes out, which is all that the last block computes.
/// Shapes   x (N,D) -> y (1,D)
/// Errors   constructor: those of SelfAttention; Error without a block. forward: Error if there is no such row
/// Source   torch.nn.TransformerEncoder(norm=LayerNorm(D, elementwise_affine=False))
template <class T>
class Transformer {
 public:
  struct Cache {
    std::vector<typename TransformerBlock<T>::Cache> blocks;
    typename LayerNorm<T>::Cache norm;
  };

  Transformer() = default;
  Transformer(Index features, Index heads, Index blocks, Random& random) : norm(features, false) {
    check(blocks >= 1, "Transformer: ", blocks, " blocks");
    layers.assign(static_cast<std::size_t>(blocks), TransformerBlock<T>(features, heads, random));
  }

  Matrix<T> forward(Matrix<T> x, Index row, Cache& cache) const {
    check(row >= 0 && row < x.rows(), "Transformer: row ", row, " of ", x.rows());
    cache.blocks.resize(layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const bool last = i + 1 == layers.size();
      x = layers[i].forward(x, last ? row : 0, last ? 1 : x.rows(), cache.blocks[i]);
    }
    return norm.forward(x, cache.norm);
  }
  Matrix<T> backward(const Matrix<T>& dy, const Cache& cache) {
    Matrix<T> dx = norm.backward(dy, cache.norm);
    for (std::size_t i = layers.size(); i-- > 0;) dx = layers[i].backward(dx, cache.blocks[i]);
    return dx;
  }
  /// How much the row that was asked for looked at each row of x, through all blocks and averaged over the heads; sums
  /// to 1.
  Matrix<T> attention(const Cache& cache) const {
    Matrix<T> through;
    for (std::size_t i = layers.size(); i-- > 0;) {
      const auto& heads = cache.blocks[i].attention.attention;
      Matrix<T> mean = heads.front();
      for (std::size_t head = 1; head < heads.size(); ++head) mean += heads[head];
      mean /= static_cast<T>(heads.size());
      if (i + 1 == layers.size()) {
        through = mean;
        continue;
      }
      const Matrix<T> before = through;
      through.setZero(before.rows(), mean.cols());
      add_product<T>(before, mean, through);
    }
    return through;
  }
  void parameters(const std::string& prefix, Parameters<T>& out) {
    for (std::size_t i = 0; i < layers.size(); ++i)
      layers[i].parameters(prefix + "layers." + std::to_string(i) + ".", out);
  }

  std::vector<TransformerBlock<T>> layers;
  LayerNorm<T> norm;
};

}  // namespace learn

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LEARN_TRANSFORMER_HPP
