#include "eigenstream/streamer/demarcation.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace streamer = eigenstream::streamer;
using streamer::DemarcationMode;
using streamer::DistanceMode;
using streamer::EventDemarcation;
using streamer::ModifierType;

namespace {
struct Observed {
  double signal, threshold;
  bool ends;
};
void check_steps(EventDemarcation demarcation, const std::vector<Observed>& steps) {
  for (const bool again : {false, true}) {
    for (const Observed& step : steps) {
      CAPTURE(step.signal, again);
      CHECK(demarcation(step.signal) == step.ends);
      if (step.threshold == 0)
        CHECK(!demarcation.threshold());
      else
        CHECK(*demarcation.threshold() == Approx(step.threshold).epsilon(1e-4));
    }
    demarcation.reset();
  }
}
}  // namespace

TEST_CASE("EventDemarcation: by the mean of a window", "[streamer]") {
  check_steps(
      {DemarcationMode::average, DistanceMode::similarity, 0, 3},
      {{.5, 0, false}, {.4, .5, true}, {.6, .45, false}, {.45, .5, true}, {.2, .48333, true}, {.5, .41667, false}});
  check_steps({DemarcationMode::average, DistanceMode::distance, 0, 3, 1.1}, {{.5, 0, false},
                                                                              {.6, .55, true},
                                                                              {.6, .605, false},
                                                                              {.45, .62333, false},
                                                                              {.7, .605, true},
                                                                              {.5, .64167, false}});
  check_steps(
      {DemarcationMode::average, DistanceMode::distance, 0, 3, 0.1, ModifierType::add},
      {{.5, 0, false}, {.6, .6, false}, {.66, .65, true}, {.45, .68667, false}, {.7, .67, true}, {.5, .70333, false}});
}

TEST_CASE("EventDemarcation: by a sum", "[streamer]") {
  check_steps({DemarcationMode::accum, DistanceMode::distance, 1},
              {{.4, 1, false}, {.5, 1, false}, {.2, 1, true}, {.9, 1, false}, {.1, 1, false}, {.05, 1, true}});
}

TEST_CASE("EventDemarcation: by a threshold", "[streamer]") {
  check_steps({DemarcationMode::fixed, DistanceMode::similarity, .5}, {{.5, .5, false}, {.49, .5, true}});
  check_steps({DemarcationMode::fixed, DistanceMode::distance, .5}, {{.5, .5, false}, {.51, .5, true}});
}

TEST_CASE("EventDemarcation: what does not go together", "[streamer][error]") {
  CHECK(support::error_of([] { EventDemarcation(DemarcationMode::accum, DistanceMode::similarity, 1); }) ==
        "EventDemarcation: accum adds up distances; distance_mode is similarity");
  CHECK(support::error_of([] { EventDemarcation(DemarcationMode::average, DistanceMode::similarity, 1, 0); }) ==
        "EventDemarcation: window_size is 0, less than 1");
}

TEST_CASE("CounterDetector: true from call count + 2 on", "[streamer]") {
  streamer::CounterDetector detector(3);
  for (int call = 1; call <= 10; ++call) CHECK(detector() == (call >= 5));
}
