#ifndef EIGENSTREAM_STREAMER_LAYER_HPP
#define EIGENSTREAM_STREAMER_LAYER_HPP

#include <cmath>       // isfinite
#include <functional>  // callbacks
#include <memory>      // shared_ptr
#include <optional>    // last signal
#include <string>      // prefix
#include <vector>      // boundaries

#include "eigenstream/streamer/buffer.hpp"
#include "eigenstream/streamer/demarcation.hpp"
#include "eigenstream/streamer/loss.hpp"
#include "eigenstream/streamer/networks.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// One input of a layer, with its features if an encoder gives them, and what of their gradient has been gathered.
template <class T>
struct Frame {
  learn::RowVector<T> x, features, gradient;
  Tape<T> tape;
};

/// A summary z, with what its backward needs. It is a row of many predictions: they gather its gradient, and the
/// backward runs once, when nothing holds the summary any more or the gradients are wanted.
template <class T>
struct Representation {
  learn::RowVector<T> value, gradient;
  T norm = 1;  ///< that it was divided by
  std::vector<std::shared_ptr<Frame<T>>> frames;
  typename TemporalEncoding<T>::Cache cache;

  void add_gradient(const learn::RowVector<T>& more, T weight) {
    if (gradient.size() == 0) gradient = learn::RowVector<T>::Zero(value.size());
    gradient += weight * more;
  }
};

template <class T>
using Representations = std::vector<std::shared_ptr<Representation<T>>>;

/// A prediction of a layer's next input, with the summaries it was made of.
template <class T>
struct Prediction {
  learn::RowVector<T> value;
  Representations<T> made_of;
  typename HierarchicalPrediction<T>::Cache cache;
};

/// A prediction that has been compared, until the optimiser takes it.
template <class T>
struct Objective {
  bool ready = false;
  std::shared_ptr<Prediction<T>> prediction;
  learn::Matrix<T> gradient;  ///< of the loss to the prediction
  double loss = 0;            ///< to be made small
  std::int64_t x_size = 0;    ///< inputs of the lowest layer since this one's last
};

template <class T>
class StreamerLayer;

/// What a layer tells of each signal.
template <class T>
struct StreamerEvent {
  Index layer;
  bool boundary;
  double signal;
  std::optional<double> threshold;
  std::int64_t buffer_counter;
  const learn::RowVector<T>& representation;
};

template <class T>
struct StreamerLayerArguments {
  Index max_layers = 0, feature_dim = 0;
  std::int64_t evolve_every = 0;
  Index buffer_size = 0;
  double loss_threshold = 0, lr = 0;
  std::function<Representations<T>(Index)> reps_fn = {};  ///< the summaries of all layers, upwards
  double snippet_size = 0;                                ///< seconds per input
  DemarcationMode demarcation_mode = DemarcationMode::average;
  DistanceMode distance_mode = DistanceMode::similarity;
  bool force_base_dist = false;
  Index window_size = 50;
  ModifierType modifier_type = ModifierType::multiply;
  double modifier = 1;
  bool force_fixed_buffer = false;
  std::uint64_t seed = 0;
  std::function<void(StreamerLayer<T>&)> layer_built = {};  ///< before it is used: may change its parameters
  std::function<void(const StreamerEvent<T>&)> logger = {};
};

/// One layer of the stack, which owns the one above.
/// Shapes   x (1,D) in a frame; with an encoder, what that takes
/// Errors   constructor: Error on impossible arguments
/// Source   STREAMER
template <class T>
class StreamerLayer {
 public:
  StreamerLayer(StreamerLayerArguments<T> args, Index layer, Index init_count,
                std::unique_ptr<FrameNetwork<T>> encoder = nullptr, std::unique_ptr<FrameNetwork<T>> decoder = nullptr)
      : StreamerLayer(std::move(args), layer, init_count, std::move(encoder), std::move(decoder),
                      Drawn(args.seed, layer)) {}
  StreamerLayer(const StreamerLayer&) = delete;
  StreamerLayer& operator=(const StreamerLayer&) = delete;

  /// `base_counter` is the place of this input in the video.
  void forward(const std::shared_ptr<Frame<T>>& x, std::int64_t base_counter) {
    create_parent(layer_creator());
    const std::int64_t x_size = base_counter - last_base_counter;
    last_base_counter = base_counter;
    signal.reset(), is_boundary = false;
    double err = 0;
    if (context == nullptr) {  // nothing was expected: it only gets the layer going
      buffer.reset();
    } else {
      err = compare(*x, x_size);
      if (is_boundary) {
        hierarchy_boundaries.push_back(static_cast<double>(base_counter) * args_.snippet_size);
        if (above != nullptr) {
          auto summary = std::make_shared<Frame<T>>();
          summary->x = representation->value;
          above->forward(summary, base_counter);
        }
        buffer.reset();
      }
    }
    if (f.encoder != nullptr) encode(x);
    if (buffer.add(x, err) || representation == nullptr) summarise();
    predict();
    if (args_.logger && signal)
      args_.logger({layer_num, is_boundary, *signal, demarcation.threshold(), buffer.counter(), representation->value});
    sweep();
  }
  /// A new prediction from all layers' present summaries, or from those given.
  void predict() { predict(args_.reps_fn(layer_num)); }
  void predict(Representations<T> summaries) {
    auto next = std::make_shared<Prediction<T>>();
    next->made_of = std::move(summaries);
    learn::Matrix<T> rows(static_cast<Index>(next->made_of.size()), args_.feature_dim);
    for (Index j = 0; j < rows.rows(); ++j) rows.row(j) = next->made_of[static_cast<std::size_t>(j)]->value;
    next->value = p.forward(rows, next->cache);
    context = std::move(next);
  }
  /// Puts a layer above, if it is asked for, there is none and there may be one.
  void create_parent(bool create) {
    if (!create || above != nullptr || layer_num + 1 >= args_.max_layers || !training_) return;
    above = std::make_unique<StreamerLayer>(args_, layer_num + 1, 1);
  }
  /// At the end of a video: forgets what it saw, not what it learned. Then those above.
  void reset_layer() {
    flush_gradients();
    drop();
    buffer.reset();
    demarcation.reset();
    hierarchy_boundaries.assign(1, 0);
    objective = {};
    signal.reset(), is_boundary = false;
    last_base_counter = -1;
    if (above != nullptr) above->reset_layer();
  }
  /// A step of F's and P's Adam; what was computed by the old parameters goes. Then those above.
  void optimize_layer() {
    flush_gradients();
    f.step_params(), p.step_params();
    f.zero_params(), p.zero_params();
    drop();
    if (above != nullptr) above->optimize_layer();
  }
  /// Brings the gathered gradients to the parameters.
  void flush_gradients() {
    for (const auto& each : summaries_) backward(*each);
    for (const auto& each : frames_) backward(*each);
  }
  /// Summary and prediction; the next input only gets the layer going.
  void drop() {
    representation.reset(), context.reset();
    summaries_.clear(), frames_.clear();
  }
  Index get_num_layers(Index num) const { return above == nullptr ? num + 1 : above->get_num_layers(num + 1); }
  void train(bool on) {
    if (!on) flush_gradients();
    training_ = on;
    if (above != nullptr) above->train(on);
  }
  bool is_training() const noexcept { return training_; }
  /// Of F, then of P: names within this layer.
  learn::Parameters<T> parameters() const {
    learn::Parameters<T> all;
    for (const auto& [name, parameter] : f.get_params()) all.push_back({"f." + name, parameter});
    for (const auto& [name, parameter] : p.get_params()) all.push_back({"p." + name, parameter});
    return all;
  }
  void extract_rep(std::vector<std::vector<double>>& hierarchy) const {
    hierarchy.push_back(hierarchy_boundaries);
    if (above != nullptr) above->extract_rep(hierarchy);
  }

  /// What is held besides summary, prediction and buffer: for checkpoints.
  const Representations<T>& summaries() const noexcept { return summaries_; }
  const std::vector<std::shared_ptr<Frame<T>>>& encoded_frames() const noexcept { return frames_; }
  /// Takes the place of what is held; the summaries are computed anew from their frames.
  void restore(const Representations<T>& summaries, const std::vector<std::shared_ptr<Frame<T>>>& frames) {
    drop();
    for (const auto& frame : frames) {
      if (f.encoder == nullptr) continue;
      frame->features = f.encoder->forward(frame->x, frame->tape);
      frames_.push_back(frame);
    }
    for (const auto& each : summaries) {
      compute(*each);
      summaries_.push_back(each);
    }
  }

  const Index layer_num;
  TemporalEncoding<T> f;
  HierarchicalPrediction<T> p;
  StreamerLoss<T> loss;
  EventDemarcation demarcation;
  MemBuffer<std::shared_ptr<Frame<T>>> buffer;
  CounterDetector layer_creator;
  std::unique_ptr<StreamerLayer> above;

  std::shared_ptr<Representation<T>> representation;
  std::shared_ptr<Prediction<T>> context;
  Objective<T> objective;
  std::vector<double> hierarchy_boundaries{0};  ///< in seconds
  std::int64_t last_base_counter = -1;
  std::optional<double> signal;  ///< of the last input, if it was compared
  bool is_boundary = false;      ///< whether that ended an event

 private:
  // F's numbers are drawn before P's, whatever order the compiler likes.
  struct Drawn {
    Drawn(std::uint64_t seed, Index layer)
        : f(seed * 1000003 + 2 * static_cast<std::uint64_t>(layer)),
          p(seed * 1000003 + 2 * static_cast<std::uint64_t>(layer) + 1) {}
    learn::Random f, p;
  };
  StreamerLayer(StreamerLayerArguments<T> args, Index layer, Index init_count, std::unique_ptr<FrameNetwork<T>> encoder,
                std::unique_ptr<FrameNetwork<T>> decoder, Drawn random)
      : layer_num(layer),
        f(args.feature_dim, args.buffer_size, args.lr, random.f, 8, 2, std::move(encoder)),
        p(args.feature_dim, args.max_layers, args.lr, layer, random.p, 4, 2, std::move(decoder)),
        loss(mode(args, layer), p.decoder == nullptr ? 0 : 3),
        demarcation(args.demarcation_mode, mode(args, layer), args.loss_threshold, args.window_size, args.modifier,
                    args.modifier_type),
        buffer(args.buffer_size, mode(args, layer)),
        layer_creator(args.evolve_every),
        args_(std::move(args)) {
    check(args_.reps_fn != nullptr, "StreamerLayer: there is no reps_fn");
    if (args_.layer_built) args_.layer_built(*this);
    if (init_count <= 1) return;
    check(layer + init_count <= args_.max_layers, "StreamerLayer: ", init_count, " layers from layer ", layer,
          " on, of ", args_.max_layers);
    above = std::make_unique<StreamerLayer>(args_, layer + 1, init_count - 1);
  }
  static DistanceMode mode(const StreamerLayerArguments<T>& args, Index layer) {
    return mode_of_layer(args.distance_mode, args.force_base_dist, layer);
  }

  // The signal of what came against what was expected, and whether an event ends there.
  double compare(const Frame<T>& x, std::int64_t x_size) {
    const double v = loss.forward(context->value, x.x, training_ ? &objective.gradient : nullptr);
    if (training_) {
      objective.ready = true, objective.prediction = context;
      objective.loss = loss.summarize_loss(v), objective.x_size = x_size;
    }
    const bool surprising = demarcation(v);
    is_boundary = surprising || (args_.force_fixed_buffer && buffer.counter() >= args_.buffer_size);
    signal = v;
    return v;
  }
  void encode(const std::shared_ptr<Frame<T>>& x) {
    x->features = f.encoder->forward(x->x, x->tape);
    if (training_) frames_.push_back(x);
  }
  void summarise() {
    auto next = std::make_shared<Representation<T>>();
    next->frames = buffer.get_inputs();
    compute(*next);
    if (training_) summaries_.push_back(next);
    representation = std::move(next);
  }
  void compute(Representation<T>& z) {
    learn::Matrix<T> rows(static_cast<Index>(z.frames.size()), args_.feature_dim);
    for (Index i = 0; i < rows.rows(); ++i) {
      const Frame<T>& frame = *z.frames[static_cast<std::size_t>(i)];
      rows.row(i) = f.encoder == nullptr ? frame.x : frame.features;
    }
    z.value = f.forward(rows, z.cache);
    if (mode(args_, layer_num) == DistanceMode::similarity) z.norm = learn::normalise(z.value);
  }
  void backward(Representation<T>& z) {
    if (z.gradient.size() == 0) return;
    if (mode(args_, layer_num) == DistanceMode::similarity) learn::normalise_backward(z.gradient, z.value, z.norm);
    const learn::Matrix<T> rows = f.backward(z.gradient, z.cache);
    z.gradient.resize(0);
    if (f.encoder == nullptr) return;  // the inputs are what they are
    for (Index i = 0; i < rows.rows(); ++i) {
      learn::RowVector<T>& gradient = z.frames[static_cast<std::size_t>(i)]->gradient;
      if (gradient.size() == 0) gradient = learn::RowVector<T>::Zero(rows.cols());
      gradient += rows.row(i);
    }
  }
  void backward(Frame<T>& frame) {
    if (frame.gradient.size() == 0) return;
    f.encoder->backward(frame.gradient, frame.tape, false);
    frame.gradient.resize(0);
  }
  // Lets go of what only this layer holds; no gradient can come to it any more.
  void sweep() {
    sweep(summaries_);
    sweep(frames_);
  }
  template <class Held>
  void sweep(std::vector<std::shared_ptr<Held>>& held) {
    std::erase_if(held, [&](const std::shared_ptr<Held>& each) {
      if (each.use_count() > 1) return false;
      backward(*each);
      return true;
    });
  }

  StreamerLayerArguments<T> args_;
  Representations<T> summaries_;
  std::vector<std::shared_ptr<Frame<T>>> frames_;
  bool training_ = true;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_LAYER_HPP
