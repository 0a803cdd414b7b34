#ifndef EIGENSTREAM_TESTS_SUPPORT_RANDOM_HPP
#define EIGENSTREAM_TESTS_SUPPORT_RANDOM_HPP

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <unsupported/Eigen/CXX11/Tensor>
#include <vector>

#include "eigenstream/core/weights.hpp"
#include "eigenstream/layer/channel_pointwise.hpp"
#include "eigenstream/layer/conv.hpp"
#include "eigenstream/layer/conv_transpose.hpp"
#include "eigenstream/layer/glu.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/norm.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/layer/softmax.hpp"
#include "eigenstream/network/any_graph.hpp"

namespace support {

namespace es = eigenstream;
using es::Index;

/// A 32-bit target, which is mostly an emulated one: where a table of cases takes long, it is shortened there.
constexpr bool small_target = sizeof(void*) < 8;

/// How many of so many cases of a kind are tried: all; on a small target an eighth.
template <class N>
constexpr N cases(N all) {
  return small_target ? (all + 7) / 8 : all;
}

/// Numbers that are the same on every machine for the same seed (the distributions of the standard library are not).
class Random {
 public:
  explicit Random(std::uint64_t seed = 1) : engine_(seed) {}

  /// From least to most, both included.
  Index integer(Index least, Index most) {
    return least + static_cast<Index>(engine_() % static_cast<std::uint64_t>(most - least + 1));
  }
  /// In [least, most).
  double real(double least = -1, double most = 1) {
    return least + (most - least) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  bool chance(double probability) { return real(0, 1) < probability; }
  Index pick(std::initializer_list<Index> from) {
    return from.begin()[integer(0, static_cast<Index>(from.size()) - 1)];
  }

 private:
  std::mt19937_64 engine_;
};

/// Numbers in [-1, 1).
template <class T>
std::vector<T> random_values(Index n, Random& random) {
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) values.push_back(static_cast<T>(random.real()));
  return values;
}

/// A tensor (C,T) or (C,B,T) of numbers in [-1, 1).
template <class T, class... Extents>
auto random_tensor(Random& random, Extents... extents) {
  Eigen::Tensor<T, static_cast<int>(sizeof...(Extents))> tensor(static_cast<Index>(extents)...);
  for (Index i = 0; i < tensor.size(); ++i) tensor.data()[i] = static_cast<T>(random.real());
  return tensor;
}

/// Weights of the size that PyTorch starts with: within 1/sqrt(inputs per output).
template <class T>
es::Weights<T> random_weights(std::vector<Index> shape, Random& random, Index inputs = 1) {
  Index size = 1;
  for (const Index extent : shape) size *= extent;
  std::vector<T> values = random_values<T>(size, random);
  for (T& value : values) value /= std::sqrt(static_cast<T>(inputs));
  return es::Weights<T>(std::move(shape), std::move(values));
}

/// A Conv1d of the given type, of static or dynamic sizes.
template <class Conv>
Conv random_conv(Index in, Index out, Index taps, es::Conv1dOptions options = {}, bool bias = true,
                 std::uint64_t seed = 1) {
  using T = typename Conv::Scalar;
  Random random(seed);
  const Index inputs = in / options.groups * taps;
  const es::Weights<T> weight = random_weights<T>({out, in / options.groups, taps}, random, inputs);
  return Conv(weight, bias ? random_weights<T>({out}, random, inputs) : es::Weights<T>(), options);
}

template <class T>
es::ConvTranspose1d<T> random_conv_transpose(Index in, Index out, Index taps, es::ConvTranspose1dOptions options = {},
                                             bool bias = true, std::uint64_t seed = 1) {
  Random random(seed);
  const Index inputs = out / options.groups * taps;
  const es::Weights<T> weight = random_weights<T>({in, out / options.groups, taps}, random, inputs);
  return es::ConvTranspose1d<T>(weight, bias ? random_weights<T>({out}, random, inputs) : es::Weights<T>(), options);
}

template <class T>
es::Linear<T> random_linear(Index in, Index out, bool bias = true, std::uint64_t seed = 1) {
  Random random(seed);
  const es::Weights<T> weight = random_weights<T>({out, in}, random, in);
  return es::Linear<T>(weight, bias ? random_weights<T>({out}, random, in) : es::Weights<T>());
}

template <class T>
es::BatchNorm1d<T> random_batch_norm(Index channels, bool affine = true, std::uint64_t seed = 1) {
  Random random(seed);
  const es::Weights<T> mean = random_weights<T>({channels}, random);
  es::Weights<T> var = random_weights<T>({channels}, random);
  for (T& value : var.values) value = T(0.1) + std::abs(value);
  if (!affine) return es::BatchNorm1d<T>(mean, var);
  const es::Weights<T> weight = random_weights<T>({channels}, random);
  return es::BatchNorm1d<T>(mean, var, weight, random_weights<T>({channels}, random));
}

template <class T>
es::LayerNorm<T> random_layer_norm(Index channels, std::uint64_t seed = 1) {
  Random random(seed);
  const es::Weights<T> weight = random_weights<T>({channels}, random);
  return es::LayerNorm<T>(weight, random_weights<T>({channels}, random));
}

template <class T>
es::Prelu<T> random_prelu(Index channels, std::uint64_t seed = 1) {
  Random random(seed);
  return es::Prelu<T>(random_weights<T>({channels}, random));
}

template <class T>
es::Snake<T> random_snake(Index channels, std::uint64_t seed = 1) {
  Random random(seed);
  es::Weights<T> alpha = random_weights<T>({channels}, random);
  for (T& value : alpha.values) value = T(0.5) + std::abs(value);
  return es::Snake<T>(alpha);
}

struct RandomNetwork {
  es::AnySequential<float> net;
  Index channels;  ///< of the input
  std::string text;  ///< its layers, for messages
};

/// 1 to 8 layers of any kind with any options: strides, dilations, paddings, groups, transposed convolutions, pools,
/// norms, activations, residuals, nested sequences. Rates stay between 1/12 and 6, receptive fields below 100.
RandomNetwork random_network(std::uint64_t seed);

/// A network with branches, with what it was made from.
struct RandomGraph {
  struct Node {
    std::vector<es::AnyLayer<float>> layer;  ///< one, or none: a join
    es::Reduce op = es::Reduce::sum;
    std::vector<std::size_t> from;  ///< 0 is the input, k what node k - 1 gives
  };
  es::AnyGraph<float> net;
  std::vector<Node> nodes;
  Index channels;    ///< of the input
  std::string text;  ///< its nodes, for messages
};

/// Up to about 20 nodes: layers of any kind on any earlier value, joins of all kinds, also of values that come late, go
/// down and up in rate by different ways, or were cut short by missing padding. Every value is used.
RandomGraph random_graph(std::uint64_t seed);

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_RANDOM_HPP
