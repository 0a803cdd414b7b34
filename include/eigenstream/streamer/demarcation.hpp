#ifndef EIGENSTREAM_STREAMER_DEMARCATION_HPP
#define EIGENSTREAM_STREAMER_DEMARCATION_HPP

#include <cstdint>   // int64_t
#include <deque>     // window
#include <numeric>   // accumulate
#include <optional>  // threshold

#include "eigenstream/streamer/arguments.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// Says by a layer's signals where an event ends. Worse than the threshold is less in similarity, more in distance,
/// never equal.
///   fixed     worse than the threshold
///   accum     the distances since the last such end add up to more than the threshold; they begin again at 0
///   average   worse than the mean of the last window_size signals, times the modifier or plus it; the first has no
///   mean
/// Shapes   a number -> whether an event ends
/// Errors   constructor: Error for accum in similarity, or a window below 1
/// Source   STREAMER
class EventDemarcation {
 public:
  /// What it remembers.
  struct State {
    std::deque<double> window;
    double accumulated = 0;
  };

  EventDemarcation(DemarcationMode mode, DistanceMode dist_mode, double threshold, Index window_size = 50,
                   double modifier = 1, ModifierType modifier_type = ModifierType::multiply)
      : mode_(mode),
        dist_mode_(dist_mode),
        given_(threshold),
        window_size_(window_size),
        modifier_(modifier),
        modifier_type_(modifier_type) {
    check(mode != DemarcationMode::accum || dist_mode == DistanceMode::distance,
          "EventDemarcation: accum adds up distances; distance_mode is similarity");
    check(window_size >= 1, "EventDemarcation: window_size is ", window_size, ", less than 1");
  }

  bool operator()(double signal) {
    threshold_ = given_;
    if (mode_ == DemarcationMode::accum) {
      state.accumulated += signal;
      const bool ends = state.accumulated > given_;
      if (ends) state.accumulated = 0;
      return ends;
    }
    if (mode_ == DemarcationMode::average) {
      threshold_.reset();
      auto& window = state.window;
      if (!window.empty()) {
        const double mean = std::accumulate(window.begin(), window.end(), 0.) / static_cast<double>(window.size());
        threshold_ = modifier_type_ == ModifierType::add ? mean + modifier_ : mean * modifier_;
      }
      window.push_back(signal);
      if (static_cast<Index>(window.size()) > window_size_) window.pop_front();
      if (!threshold_) return false;
    }
    return dist_mode_ == DistanceMode::similarity ? signal < *threshold_ : signal > *threshold_;
  }
  void reset() { state = {}, threshold_.reset(); }
  /// What the last signal was compared with; in accum, what its sum was.
  std::optional<double> threshold() const noexcept { return threshold_; }

  State state;

 private:
  DemarcationMode mode_;
  DistanceMode dist_mode_;
  double given_;
  Index window_size_;
  double modifier_;
  ModifierType modifier_type_;
  std::optional<double> threshold_;
};

/// False until it was asked count + 1 times, then true for ever.
/// Shapes   none
/// Errors   none
/// Source   STREAMER
class CounterDetector {
 public:
  explicit CounterDetector(std::int64_t count) : count_(count) {}
  bool operator()() {
    if (counter > count_) return true;
    ++counter;
    return false;
  }

  std::int64_t counter = 0;

 private:
  std::int64_t count_;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_DEMARCATION_HPP
