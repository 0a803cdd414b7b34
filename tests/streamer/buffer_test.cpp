#include "eigenstream/streamer/buffer.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace streamer = eigenstream::streamer;
using streamer::DistanceMode;
using streamer::MemBuffer;

namespace {
struct Step {
  char input;
  double err;
  std::string order;
  std::vector<double> errs;
};
void check_steps(DistanceMode mode, const std::vector<Step>& steps) {
  MemBuffer<char> buffer(3, mode);
  for (const bool again : {false, true}) {
    std::string before;
    for (const Step& step : steps) {
      CAPTURE(step.input, again);
      CHECK(buffer.add(step.input, step.err) == (step.order != before));
      before = step.order;
      const auto inputs = buffer.get_inputs();
      CHECK(std::string(inputs.begin(), inputs.end()) == step.order);
      std::vector<double> errs;
      for (const auto& slot : buffer.state.slots) errs.push_back(slot.err);
      CHECK(errs == step.errs);
    }
    CHECK(buffer.counter() == 7);
    buffer.reset();
    CHECK(buffer.counter() == 0);
  }
}
}  // namespace

TEST_CASE("MemBuffer: keeps what was predicted worst", "[streamer]") {
  check_steps(DistanceMode::similarity, {{'a', 0, "a", {0}},
                                         {'b', .62, "ab", {0, .62}},
                                         {'c', .35, "abc", {0, .62, .35}},
                                         {'d', .80, "abc", {0, .62, .35}},
                                         {'e', .40, "ace", {0, .40, .35}},
                                         {'f', .80, "ace", {0, .40, .35}},
                                         {'g', .10, "acg", {0, .10, .35}}});
  check_steps(DistanceMode::distance, {{'a', 0, "a", {0}},
                                       {'b', .62, "ab", {0, .62}},
                                       {'c', .35, "abc", {0, .62, .35}},
                                       {'d', .80, "bcd", {.80, .62, .35}},
                                       {'e', .40, "bde", {.80, .62, .40}},
                                       {'f', .20, "bde", {.80, .62, .40}},
                                       {'g', .90, "bdg", {.80, .62, .90}}});
}

TEST_CASE("MemBuffer: of equal ones the first slot, and only for what is worse", "[streamer]") {
  MemBuffer<char> buffer(2, DistanceMode::distance);
  buffer.add('a', 1), buffer.add('b', 1);
  CHECK(!buffer.add('c', 1));
  CHECK(buffer.add('d', 2));
  CHECK(buffer.get_inputs() == std::vector<char>{'b', 'd'});
  CHECK(buffer.state.slots[0].input == 'd');
}

TEST_CASE("MemBuffer: impossible sizes", "[streamer][error]") {
  CHECK(support::error_of([] { MemBuffer<int>(0); }) == "MemBuffer: buffer_size is 0, less than 1");
}
