#ifndef EIGENSTREAM_STREAMER_NETWORKS_HPP
#define EIGENSTREAM_STREAMER_NETWORKS_HPP

#include <memory>   // unique_ptr
#include <utility>  // move

#include "eigenstream/learn/adam.hpp"
#include "eigenstream/learn/embedding.hpp"
#include "eigenstream/learn/transformer.hpp"
#include "eigenstream/streamer/cnn.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// What TemporalEncoding and HierarchicalPrediction share: a transformer with its Adam. An Adam holds on to the
/// parameters, so neither can be copied.
/// Shapes   those of its own
/// Errors   constructor: those of Transformer
/// Source   STREAMER
template <class T>
class Module {
 public:
  Module(Index feature_dim, Index n_heads, Index num_layers, learn::Random& random)
      : network(feature_dim, n_heads, num_layers, random) {}
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const learn::Parameters<T>& get_params() const noexcept { return adam.parameters(); }
  void step_params() { adam.step(); }
  void zero_params() { learn::zero_gradients(adam.parameters()); }

  learn::Transformer<T> network;
  learn::Adam<T> adam;
};

/// F: a sequence of feature vectors becomes one vector, its summary. A transformer over a token of its own and the
/// sequence, which has its positions added; what the own token became is the result.
/// Shapes   x (S,D), S at most buffer_size -> z (1,D). With an encoder, each x comes from encode(frame)
/// Errors   constructor: Error if the heads do not divide D. forward: Error if S is 0 or too large
/// Source   STREAMER
template <class T>
class TemporalEncoding : public Module<T> {
 public:
  using Cache = typename learn::Transformer<T>::Cache;

  TemporalEncoding(Index feature_dim, Index buffer_size, double lr, learn::Random& random, Index n_heads = 4,
                   Index num_layers = 2, std::unique_ptr<FrameNetwork<T>> encoder_ = nullptr)
      : Module<T>(feature_dim, n_heads, num_layers, random),
        encoder(std::move(encoder_)),
        cls_token(1, feature_dim, random),
        pos_enc(buffer_size, feature_dim, random) {
    check(encoder == nullptr || encoder->outputs() == feature_dim, "TemporalEncoding: the encoder gives ",
          encoder == nullptr ? 0 : encoder->outputs(), " features, not ", feature_dim);
    learn::Parameters<T> all;
    if (encoder != nullptr) encoder->parameters("encoder.", all);
    cls_token.parameters("cls_token.", all);
    pos_enc.parameters("pos_enc.", all);
    this->network.parameters("network.", all);
    this->adam = learn::Adam<T>(std::move(all), {.lr = lr});
  }

  learn::RowVector<T> forward(const learn::Matrix<T>& x, Cache& cache) {
    check(x.rows() >= 1 && x.rows() <= pos_enc.weight.value.rows(), "TemporalEncoding: ", x.rows(),
          " inputs, from 1 to ", pos_enc.weight.value.rows(), " are possible");
    check(x.cols() == pos_enc.weight.value.cols(), "TemporalEncoding: ", x.cols(), " features, not ",
          pos_enc.weight.value.cols());
    learn::Matrix<T> tokens(x.rows() + 1, x.cols());
    tokens.row(0) = cls_token.forward(1);
    tokens.bottomRows(x.rows()) = x + pos_enc.forward(x.rows());
    return this->network.forward(std::move(tokens), 0, cache);
  }
  /// Gives the gradient of x.
  learn::Matrix<T> backward(const learn::RowVector<T>& dz, const Cache& cache) {
    const learn::Matrix<T> dtokens = this->network.backward(dz, cache);
    cls_token.backward(dtokens.topRows(1));
    pos_enc.backward(dtokens.bottomRows(dtokens.rows() - 1));
    return dtokens.bottomRows(dtokens.rows() - 1);
  }
  /// How much the summary looked at each input, through all blocks; sums to 1. (The original's `patch`.)
  learn::RowVector<T> attention(const Cache& cache) const {
    const learn::Matrix<T> all = this->network.attention(cache);
    const learn::RowVector<T> inputs = all.rightCols(all.cols() - 1);
    return inputs / inputs.sum();
  }

  std::unique_ptr<FrameNetwork<T>> encoder;
  learn::Embedding<T> cls_token, pos_enc;
};

/// P: the summaries of all layers become a prediction of this layer's next input. A transformer over them, with the
/// positions of their layers added; what this layer's row became, and the decoder made of it, is the result.
/// Shapes   x (L,D), L from layer_num + 1 to max_layers -> y (1,D), or (1,3HW) with a decoder
/// Errors   constructor: Error if the heads do not divide D. forward: Error if L is out of range
/// Source   STREAMER
template <class T>
class HierarchicalPrediction : public Module<T> {
 public:
  struct Cache {
    typename learn::Transformer<T>::Cache network;
    Tape<T> decoder;
  };

  HierarchicalPrediction(Index feature_dim, Index max_layers, double lr, Index layer_num, learn::Random& random,
                         Index n_heads = 4, Index num_layers = 2, std::unique_ptr<FrameNetwork<T>> decoder_ = nullptr)
      : Module<T>(feature_dim, n_heads, num_layers, random),
        decoder(std::move(decoder_)),
        pos_enc(max_layers, feature_dim, random),
        layer_num_(layer_num) {
    check(decoder == nullptr || decoder->inputs() == feature_dim, "HierarchicalPrediction: the decoder takes ",
          decoder == nullptr ? 0 : decoder->inputs(), " features, not ", feature_dim);
    check(layer_num >= 0 && layer_num < max_layers, "HierarchicalPrediction: layer ", layer_num, " of ", max_layers);
    learn::Parameters<T> all;
    pos_enc.parameters("pos_enc.", all);
    this->network.parameters("network.", all);
    if (decoder != nullptr) decoder->parameters("decoder.", all);
    this->adam = learn::Adam<T>(std::move(all), {.lr = lr});
  }

  learn::RowVector<T> forward(const learn::Matrix<T>& x, Cache& cache) {
    check(x.rows() > layer_num_ && x.rows() <= pos_enc.weight.value.rows(), "HierarchicalPrediction: ", x.rows(),
          " layers' summaries, from ", layer_num_ + 1, " to ", pos_enc.weight.value.rows(), " are possible");
    learn::RowVector<T> y = this->network.forward(x + pos_enc.forward(x.rows()), layer_num_, cache.network);
    return decoder == nullptr ? y : decoder->forward(y, cache.decoder);
  }
  /// Gives the gradient of x.
  learn::Matrix<T> backward(const learn::RowVector<T>& dy, const Cache& cache) {
    const learn::Matrix<T> dx =
        this->network.backward(decoder == nullptr ? dy : decoder->backward(dy, cache.decoder, true), cache.network);
    pos_enc.backward(dx);
    return dx;
  }
  Index layer_num() const noexcept { return layer_num_; }
  /// How much the prediction looked at each layer's summary; sums to 1. (The original's `patch`.)
  learn::RowVector<T> attention(const Cache& cache) const { return this->network.attention(cache.network); }

  std::unique_ptr<FrameNetwork<T>> decoder;
  learn::Embedding<T> pos_enc;

 private:
  Index layer_num_;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_NETWORKS_HPP
