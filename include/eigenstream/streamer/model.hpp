#ifndef EIGENSTREAM_STREAMER_MODEL_HPP
#define EIGENSTREAM_STREAMER_MODEL_HPP

#include <cmath>    // isfinite
#include <memory>   // unique_ptr
#include <span>     // inputs
#include <string>   // names
#include <utility>  // move
#include <vector>   // hierarchy

#include "eigenstream/streamer/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// A layer's arguments are the model's.
template <class T>
StreamerLayerArguments<T> layer_arguments(const StreamerModelArguments& args) {
  return {.max_layers = args.max_layers,
          .feature_dim = args.feature_dim,
          .evolve_every = args.evolve_every,
          .buffer_size = args.buffer_size,
          .loss_threshold = args.loss_threshold,
          .lr = args.lr,
          .snippet_size = args.snippet_size,
          .demarcation_mode = args.demarcation_mode,
          .distance_mode = args.distance_mode,
          .force_base_dist = args.force_base_dist,
          .window_size = args.window_size,
          .modifier_type = args.modifier_type,
          .modifier = args.modifier,
          .force_fixed_buffer = args.force_fixed_buffer,
          .seed = args.seed};
}

/// Called once for every layer that is built, before it is used; may change its parameters.
template <class T>
using LayerBuilt = std::function<void(StreamerLayer<T>&)>;

/// The whole stack: give it the inputs of a video one after another, each time followed by the optimiser's step, and
/// read the hierarchy at the video's end.
/// Shapes   x (D), or (3,H,W) row by row with the modality video
/// Errors   constructor: those of check_arguments. forward: Error, before anything changes, if x has another size or a
///          number in it is not finite
/// Source   STREAMER
template <class T>
class StreamerModel {
 public:
  explicit StreamerModel(StreamerModelArguments args, LayerBuilt<T> layer_built = {})
      : args_(checked(std::move(args))) {
    std::unique_ptr<FrameNetwork<T>> encoder, decoder;
    if (args_.modality == "video") {
      learn::Random random(args_.seed + 0x9e3779b97f4a7c15);
      encoder = std::make_unique<CNNEncoder<T>>(args_.feature_dim, args_.height, args_.width, random);
      decoder = std::make_unique<CNNDecoder<T>>(args_.feature_dim, args_.height, args_.width, random);
    }
    build(std::move(encoder), std::move(decoder), std::move(layer_built));
  }
  /// With networks of the user's own at the lowest layer.
  /// Errors   also: if what the one takes is not what the other gives
  StreamerModel(StreamerModelArguments args, std::unique_ptr<FrameNetwork<T>> encoder,
                std::unique_ptr<FrameNetwork<T>> decoder, LayerBuilt<T> layer_built = {})
      : args_(checked(std::move(args))) {
    check((encoder == nullptr) == (decoder == nullptr), "StreamerModel: an encoder and a decoder only go together");
    check(encoder == nullptr || encoder->inputs() == decoder->outputs(), "StreamerModel: the encoder takes ",
          encoder == nullptr ? 0 : encoder->inputs(), " numbers, the decoder gives ",
          decoder == nullptr ? 0 : decoder->outputs());
    build(std::move(encoder), std::move(decoder), std::move(layer_built));
  }
  StreamerModel(const StreamerModel&) = delete;  // the layers know it
  StreamerModel& operator=(const StreamerModel&) = delete;

  void forward(std::span<const T> x) {
    check(static_cast<Index>(x.size()) == input_size(), "streamer: input ", base_counter, " has ", x.size(),
          " numbers, not ", input_size());
    for (std::size_t i = 0; i < x.size(); ++i)
      check(std::isfinite(x[i]), "streamer: input ", base_counter, " holds ", x[i], " at ", i);
    auto frame = std::make_shared<Frame<T>>();
    frame->x = Eigen::Map<const learn::RowVector<T>>(x.data(), input_size());
    layers->forward(frame, base_counter);
    ++base_counter;
  }
  void forward(const learn::RowVector<T>& x) {
    forward(std::span<const T>(x.data(), static_cast<std::size_t>(x.size())));
  }
  /// How many numbers an input has.
  Index input_size() const { return layers->f.encoder == nullptr ? args_.feature_dim : layers->f.encoder->inputs(); }
  /// The summaries from the lowest layer up to the first that has none.
  Representations<T> getReps(Index = 0) const {
    Representations<T> all;
    for (const StreamerLayer<T>* at = layers.get(); at != nullptr && at->representation != nullptr;
         at = at->above.get())
      all.push_back(at->representation);
    return all;
  }
  /// Each layer's boundaries in seconds, from 0 on. Those above the lowest end where that does.
  std::vector<std::vector<double>> extract_rep() const {
    std::vector<std::vector<double>> hierarchy;
    layers->extract_rep(hierarchy);
    for (auto& each : hierarchy)
      if (each.back() != hierarchy.front().back()) each.push_back(hierarchy.front().back());
    return hierarchy;
  }
  void reset_model() {
    layers->reset_layer();
    base_counter = 0;
  }
  Index get_num_layers() const { return layers->get_num_layers(0); }
  void optimize_model() { layers->optimize_layer(); }
  void train(bool on = true) { layers->train(on); }
  /// No layer is built, nothing is kept for learning.
  void eval() { train(false); }

  StreamerLayer<T>& layer(Index k) const {
    StreamerLayer<T>* at = layers.get();
    for (Index i = 0; i < k && at != nullptr; ++i) at = at->above.get();
    check(k >= 0 && at != nullptr, "streamer: layer ", k, " of ", get_num_layers());
    return *at;
  }
  /// Of all layers under the original's names: "above." once for each layer below.
  learn::Parameters<T> parameters() const {
    learn::Parameters<T> all;
    std::string prefix;
    for (const StreamerLayer<T>* at = layers.get(); at != nullptr; at = at->above.get(), prefix += "above.")
      for (const auto& [name, parameter] : at->parameters()) all.push_back({prefix + name, parameter});
    return all;
  }
  /// Brings the gathered gradients to the parameters, where they can be read.
  void flush_gradients() {
    for (StreamerLayer<T>* at = layers.get(); at != nullptr; at = at->above.get()) at->flush_gradients();
  }
  const StreamerModelArguments& arguments() const noexcept { return args_; }

  std::unique_ptr<StreamerLayer<T>> layers;  ///< the lowest, which owns those above
  std::int64_t base_counter = 0;             ///< the next input's place in the video
  std::int64_t checkpoints = 0;              ///< written so far
  std::function<void(const StreamerEvent<T>&)> logger;

 private:
  static StreamerModelArguments checked(StreamerModelArguments args) {
    check_arguments(args);
    check(args.init_ckpt.empty(), "streamer: init_ckpt is for open_model, in streamer/checkpoint.hpp");
    return args;
  }
  void build(std::unique_ptr<FrameNetwork<T>> encoder, std::unique_ptr<FrameNetwork<T>> decoder,
             LayerBuilt<T> layer_built) {
    auto args = layer_arguments<T>(args_);
    args.reps_fn = [this](Index layer) { return getReps(layer); };
    args.layer_built = std::move(layer_built);
    args.logger = [this](const StreamerEvent<T>& event) {
      if (logger) logger(event);
    };
    layers = std::make_unique<StreamerLayer<T>>(std::move(args), 0, args_.init_layers, std::move(encoder),
                                                std::move(decoder));
  }

  StreamerModelArguments args_;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_MODEL_HPP
