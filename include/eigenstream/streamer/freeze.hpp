#ifndef EIGENSTREAM_STREAMER_FREEZE_HPP
#define EIGENSTREAM_STREAMER_FREEZE_HPP

// Needs nlohmann-json, as model_file.hpp does.

#include <initializer_list>  // fields
#include <string>            // names
#include <utility>           // move
#include <vector>            // layers

#include "eigenstream/io/model_file.hpp"
#include "eigenstream/streamer/networks.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What was learned, as ordinary networks: model files for `write_model`, or for `Registry::create` at once. They hold
/// a copy; learning goes on without them.
namespace streamer {

namespace detail {

using ModuleFields = std::map<std::string, ModuleSpec::Value>;

inline ModuleSpec module(std::string type, std::string path, ModuleFields fields = {}) {
  return {std::move(type), std::move(path), std::move(fields), {}};
}
inline ModuleSpec sequential(std::string path, std::vector<ModuleSpec> layers) {
  return {"Sequential", std::move(path), {}, {{"layers", std::move(layers)}}};
}
inline ModuleSpec residual(std::string path, std::vector<ModuleSpec> layers) {
  ModuleSpec net = sequential(path + ".net", std::move(layers));
  return {"Residual", std::move(path), {}, {{"net", {std::move(net)}}}};
}

/// Takes tensors over as it goes, under the paths of the modules that it makes.
template <class T>
class Freezer {
 public:
  ModuleSpec linear(const std::string& path, const learn::Dense<T>& dense) {
    return linear(path, dense, dense.weight.value, dense.bias.value);
  }
  ModuleSpec linear(const std::string& path, const learn::Dense<T>& dense, const learn::Matrix<T>& weight,
                    const learn::Matrix<T>& bias) {
    take(path + ".weight", weight, dense.weight.shape), take(path + ".bias", bias, dense.bias.shape);
    return module("Linear", path, {{"in_features", weight.cols()}, {"out_features", weight.rows()}});
  }
  // Over height and width of one frame at a time.
  ModuleSpec conv(const std::string& path, const learn::Conv3x3<T>& conv) {
    const Index in = conv.weight.shape[1], out = conv.weight.shape[0];
    take(path + ".weight", conv.weight.value, {out, in, 1, 3, 3}), take(path + ".bias", conv.bias.value, {out});
    return module(
        "Conv3d", path,
        {{"in_channels", in}, {"out_channels", out}, {"kernel_size", Numbers{1, 3, 3}}, {"padding", Numbers{0, 1, 1}}});
  }
  ModuleSpec upsample(const std::string& path, Index channels) {
    take(path + ".weight", learn::Matrix<T>::Ones(channels, 4), {channels, 1, 1, 2, 2});
    return module("ConvTranspose3d", path,
                  {{"in_channels", channels},
                   {"out_channels", channels},
                   {"kernel_size", Numbers{1, 2, 2}},
                   {"stride", Numbers{1, 2, 2}},
                   {"groups", channels},
                   {"bias", false}});
  }
  ModuleSpec layer_norm(const std::string& path, const learn::LayerNorm<T>& norm, Index features) {
    const bool affine = norm.weight.value.size() > 0;
    if (affine)
      take(path + ".weight", norm.weight.value, {features}), take(path + ".bias", norm.bias.value, {features});
    return module("LayerNorm", path, {{"normalized_shape", features}, {"elementwise_affine", affine}});
  }
  // All frames of a signal of so many attend to all of them.
  void transformer(std::vector<ModuleSpec>& layers, const learn::Transformer<T>& network, Index frames) {
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const learn::TransformerBlock<T>& block = network.layers[i];
      const Index features = block.self_attn.out_proj.bias.value.cols(), heads = block.self_attn.heads();
      const std::string path = "network.layers." + std::to_string(i) + ".";
      layers.push_back(
          residual(path + "attention", {linear(path + "self_attn.in_proj", block.self_attn.in_proj),
                                        module("ChunkAttention", path + "self_attn",
                                               {{"head_size", features / heads}, {"heads", heads}, {"chunk", frames}}),
                                        linear(path + "self_attn.out_proj", block.self_attn.out_proj)}));
      layers.push_back(layer_norm(path + "norm1", block.norm1, features));
      layers.push_back(
          residual(path + "feed_forward", {linear(path + "linear1", block.linear1), module("ReLU", path + "activation"),
                                           linear(path + "linear2", block.linear2)}));
      layers.push_back(layer_norm(path + "norm2", block.norm2, features));
    }
    layers.push_back(layer_norm("network.norm", network.norm, network.layers.front().norm1.weight.value.cols()));
  }
  // A row of the table for each frame of a window.
  ModuleSpec positions(const learn::Matrix<T>& table) {
    take("positions.weight", table, {table.rows(), table.cols()});
    return module("RecyclingPositionalEncoding", "positions",
                  {{"embed_dim", table.cols()}, {"num_embeds", table.rows()}});
  }
  /// Windows one after the other, of each of which the frame `row` counts.
  ModelFile windows(Index inputs, Index features, std::vector<ModuleSpec> layers, Index row) && {
    ModuleSpec windowed{"Windowed",
                        "windows",
                        {{"size", inputs}, {"stride", inputs}, {"channels", features}},
                        {{"net", {sequential("", std::move(layers))}}}};
    return std::move(*this).file(
        {std::move(windowed), module("ChannelSlice", "row", {{"start", row * features}, {"channels", features}})});
  }
  ModelFile file(std::vector<ModuleSpec> layers) && {
    return {sequential("", std::move(layers)), std::move(weights_), {}};
  }

  using Numbers = std::vector<std::int64_t>;

 private:
  void take(const std::string& name, const learn::Matrix<T>& values, std::vector<Index> shape) {
    const learn::Matrix<float> own = values.template cast<float>();
    weights_[name] = {std::move(shape), {own.data(), own.data() + own.size()}};
  }

  WeightMap weights_;
};

// Ordinary frames hold the channels of a pixel side by side, those of STREAMER a channel's pixels.
template <class T>
learn::Matrix<T> pixels_outside(const learn::Matrix<T>& rows, Index channels) {
  learn::Matrix<T> turned(rows.rows(), rows.cols());
  const Index pixels = rows.rows() / channels;
  for (Index c = 0; c < channels; ++c)
    for (Index at = 0; at < pixels; ++at) turned.row(at * channels + c) = rows.row(c * pixels + at);
  return turned;
}

}  // namespace detail

/// Shapes   frames (3,W,H) -> (D)
template <class T>
ModelFile freeze(const CNNEncoder<T>& encoder) {
  const learn::ImageSize end = encoder.end();
  detail::Freezer<T> freezer;
  std::vector<ModuleSpec> layers{detail::module(
      "Input", "input", {{"channels", Index{3}}, {"width", 16 * end.width}, {"height", 16 * end.height}})};
  for (std::size_t i = 0; i < encoder.conv.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    layers.push_back(freezer.conv("conv" + number, encoder.conv[i]));
    layers.push_back(detail::module("ReLU", "relu" + number));
    layers.push_back(
        detail::module("MaxPool3d", "pool" + number, {{"kernel_size", typename detail::Freezer<T>::Numbers{1, 2, 2}}}));
  }
  layers.push_back(detail::module("Reshape", "flatten", {{"channels", 1024 * end.pixels()}}));
  const learn::Matrix<T> columns = encoder.fc1.weight.value.transpose();
  layers.push_back(
      freezer.linear("fc1", encoder.fc1, detail::pixels_outside<T>(columns, 1024).transpose(), encoder.fc1.bias.value));
  return std::move(freezer).file(std::move(layers));
}

/// Shapes   (D) -> frames (3,W,H)
template <class T>
ModelFile freeze(const CNNDecoder<T>& decoder) {
  const learn::ImageSize end = decoder.end();
  detail::Freezer<T> freezer;
  std::vector<ModuleSpec> layers{
      freezer.linear("fc1", decoder.fc1, detail::pixels_outside<T>(decoder.fc1.weight.value, 1024),
                     detail::pixels_outside<T>(decoder.fc1.bias.value.transpose(), 1024).transpose()),
      detail::module("Reshape", "image", {{"channels", Index{1024}}, {"width", end.width}, {"height", end.height}})};
  for (std::size_t i = 0; i < decoder.conv.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    layers.push_back(freezer.upsample("upsample" + number, decoder.conv[i].weight.shape[1]));
    layers.push_back(freezer.conv("conv" + number, decoder.conv[i]));
    if (i < 3) layers.push_back(detail::module("ReLU", "relu" + number));
  }
  return std::move(freezer).file(std::move(layers));
}

/// F for events of a fixed number of inputs, one after the other: what forward gives, which a layer that goes by
/// similarity then brings to length 1. Without the encoder, which is a network of its own.
/// Shapes   (D), `inputs` frames of an event -> (D), one frame
/// Errors   Error if no event has so many inputs
template <class T>
ModelFile freeze(const TemporalEncoding<T>& f, Index inputs) {
  const Index features = f.pos_enc.weight.value.cols();
  learn::Embedding<T> token = f.cls_token, positions = f.pos_enc;
  check(inputs >= 1, "freeze: events of ", inputs, " inputs");
  learn::Matrix<T> table(inputs + 1, features);
  table.topRows(1) = token.forward(1), table.bottomRows(inputs) = positions.forward(inputs);
  detail::Freezer<T> freezer;
  // The token is what its position makes of zeros in front of the event.
  std::vector<ModuleSpec> layers{detail::module("Pad", "token", {{"left", Index{1}}}), freezer.positions(table)};
  freezer.transformer(layers, f.network, inputs + 1);
  return std::move(freezer).windows(inputs, features, std::move(layers), 0);
}

/// P for a fixed number of layers' summaries, the lowest layer's first. Without the decoder, a network of its own.
/// Shapes   (D), `summaries` frames -> (D), one frame
/// Errors   Error if P's layer is not among them, or there are not so many
template <class T>
ModelFile freeze(const HierarchicalPrediction<T>& p, Index summaries) {
  check(summaries > p.layer_num(), "freeze: ", summaries, " summaries without that of layer ", p.layer_num());
  learn::Embedding<T> positions = p.pos_enc;
  detail::Freezer<T> freezer;
  std::vector<ModuleSpec> layers{freezer.positions(positions.forward(summaries))};
  freezer.transformer(layers, p.network, summaries);
  return std::move(freezer).windows(summaries, positions.weight.value.cols(), std::move(layers), p.layer_num());
}

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_FREEZE_HPP
