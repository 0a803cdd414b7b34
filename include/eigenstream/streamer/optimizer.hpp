#ifndef EIGENSTREAM_STREAMER_OPTIMIZER_HPP
#define EIGENSTREAM_STREAMER_OPTIMIZER_HPP

#include <algorithm>   // max
#include <cmath>       // pow
#include <cstdlib>     // abs
#include <functional>  // before_step
#include <span>        // tensors
#include <vector>      // counters

#include "eigenstream/streamer/model.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// Several processes that learn from different videos in lock step. This one is alone.
/// Shapes   none
/// Errors   none of this one; others fail by exceptions
/// Source   STREAMER, whose processes are torch.distributed's
template <class T>
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int world_size() const { return 1; }
  virtual Index least(Index own) { return own; }  ///< over all processes
  virtual Index most(Index own) { return own; }
  virtual void sum(std::span<T>) {}  ///< each element over all processes
};

/// Gathers the gradients of what each input was predicted like, and steps when the top layer has seen enough.
/// Hierarchical gradient normalisation: a loss counts with the time it spans, less for layers further away, and the sum
/// of the times divides.
/// Shapes   none
/// Errors   constructor: Error if an argument is impossible
/// Source   STREAMER
template <class T>
class StreamerOptimizer {
 public:
  /// What it counts, for each layer.
  struct Counters {
    std::vector<std::int64_t> f, p;   ///< time that the gradients span
    std::vector<std::int64_t> steps;  ///< losses since the last step
    std::int64_t since_average = 0;
    bool operator==(const Counters&) const = default;
  };

  explicit StreamerOptimizer(StreamerModel<T>& model, StreamerOptimizerArguments args = {},
                             Communicator<T>* others = nullptr)
      : model_(model), args_(args), others_(others) {
    check(args.alpha > 0 && std::isfinite(args.alpha), "StreamerOptimizer: alpha is ", args.alpha);
    check(args.optimize_every >= 1, "StreamerOptimizer: optimize_every is ", args.optimize_every, ", less than 1");
    check(args.average_every >= 1, "StreamerOptimizer: average_every is ", args.average_every, ", less than 1");
    clear();
  }

  /// Once for each input of the model. Returns whether the parameters made a step.
  bool step() {
    const Index n = model_.get_num_layers();
    for (Index k = 0; k < n; ++k)
      if (Objective<T>& objective = model_.layer(k).objective; objective.ready) take(objective, k, n);
    const bool steps = counters.steps[static_cast<std::size_t>(n - 1)] >= args_.optimize_every;
    if (steps) optimize(n);
    average(n);
    return steps;
  }
  /// w for layers whose distance from layer k is 0, 1, ...: the weights of the classes add up to 1.
  std::vector<double> reach_weights(Index k, Index n) const {
    std::vector<double> weights(static_cast<std::size_t>(std::max(k, n - 1 - k)) + 1);
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] = std::pow(args_.alpha, -static_cast<double>(i));
    for (double& each : weights) each = args_.hgn_reach ? each / sum : 1;
    return weights;
  }
  /// The layers by their distance from layer k.
  std::vector<std::vector<Index>> get_param_groups(Index k) const {
    const Index n = model_.get_num_layers();
    std::vector<std::vector<Index>> groups(static_cast<std::size_t>(std::max(k, n - 1 - k)) + 1);
    for (Index j = 0; j < n; ++j) groups[static_cast<std::size_t>(std::abs(j - k))].push_back(j);
    return groups;
  }
  const StreamerOptimizerArguments& arguments() const noexcept { return args_; }

  Counters counters;
  std::function<void()> before_step;  ///< called when the gradients are divided and nothing has changed yet

 private:
  void clear() {
    const auto most = static_cast<std::size_t>(model_.arguments().max_layers);
    for (auto* each : {&counters.f, &counters.p, &counters.steps}) each->assign(most, 0);
  }
  void take(Objective<T>& objective, Index k, Index n) {
    const std::int64_t tau = args_.hgn_timescale ? objective.x_size : 1;
    const std::vector<double> weights = reach_weights(k, n);
    const Prediction<T>& prediction = *objective.prediction;
    const learn::Matrix<T> rows =
        model_.layer(k).p.backward(objective.gradient * static_cast<T>(tau), prediction.cache);
    for (Index j = 0; j < rows.rows(); ++j)
      prediction.made_of[static_cast<std::size_t>(j)]->add_gradient(
          rows.row(j), static_cast<T>(weights[static_cast<std::size_t>(std::abs(j - k))]));
    for (Index j = 0; j < n; ++j) counters.f[static_cast<std::size_t>(j)] += tau;
    counters.p[static_cast<std::size_t>(k)] += tau;
    counters.steps[static_cast<std::size_t>(k)] += 1;
    objective.ready = false;
    objective.prediction.reset();
  }
  void optimize(Index n) {
    model_.flush_gradients();
    for (Index j = 0; j < n; ++j) {
      const auto divide = [](const learn::Parameters<T>& parameters, std::int64_t by) {
        if (by == 0) return;
        for (const auto& each : parameters) each.parameter->gradient /= static_cast<T>(by);
      };
      divide(model_.layer(j).f.get_params(), counters.f[static_cast<std::size_t>(j)]);
      divide(model_.layer(j).p.get_params(), counters.p[static_cast<std::size_t>(j)]);
    }
    if (before_step) before_step();
    model_.optimize_model();
    clear();
  }
  // All processes decide alike: what they compare is the same everywhere.
  void average(Index n) {
    if (others_ == nullptr || others_->world_size() == 1) return;
    if (++counters.since_average < args_.average_every) return;
    if (others_->least(n) != others_->most(n)) return;
    counters.since_average = 0;
    model_.flush_gradients();
    for (const auto& each : model_.parameters()) {
      learn::Matrix<T>& value = each.parameter->value;
      others_->sum({value.data(), static_cast<std::size_t>(value.size())});
      value /= static_cast<T>(others_->world_size());
    }
    for (Index k = 0; k < n; ++k) model_.layer(k).drop();
  }

  StreamerModel<T>& model_;
  StreamerOptimizerArguments args_;
  Communicator<T>* others_;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_OPTIMIZER_HPP
