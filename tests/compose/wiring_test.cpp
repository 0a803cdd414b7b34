#include "eigenstream/compose/wiring.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using es::Wiring;
using support::error_of;

TEST_CASE("Wiring: values are numbered, several operands are aligned", "[compose]") {
  Wiring wiring;
  const es::Timing valid3 = es::TimingStage{.reach = 3};
  const Index a = wiring.add(valid3, {0}), b = wiring.add(es::Timing(), {0});
  const Index sum = wiring.add({}, {a, b});
  CHECK(a == 1);
  CHECK(sum == 3);
  CHECK(wiring.last() == 3);
  const auto operands = wiring.graph().operands(sum);
  REQUIRE(operands.size() == 2);
  CHECK((operands[0].value == 1 && operands[0].skip == 0));
  CHECK((operands[1].value == 2 && operands[1].skip == 1));
  CHECK(wiring.after(sum)(10) == 8);
  CHECK(wiring.ended(sum)(10) == 8);
  CHECK(wiring.timing().receptive_field() == 3);
}

TEST_CASE("Wiring: a layer with several inputs and a timing of its own", "[compose]") {
  Wiring wiring;
  const Index late = wiring.add(es::TimingStage{.reach = 3, .left = 1, .right = 1}, {0});
  const Index both = wiring.add(es::TimingStage{.reach = 4, .stride = 2}, {late, 0});
  CHECK(wiring.aligned_after(both)(10) == 9);
  CHECK(wiring.after(both)(10) == 3);
  CHECK(wiring.ended(both)(10) == 4);
  CHECK(wiring.timing().receptive_field() == 6);
}

TEST_CASE("Wiring: further inputs come at their own rates", "[compose]") {
  Wiring wiring({{.shape = {3}, .rate = {1, 4}}, {.shape = {2}}});
  CHECK(wiring.graph().inputs() == 3);
  for (Index n = 0; n < 20; ++n) {
    CHECK(wiring.after(1)(n) == wiring.more_inputs()[0].frames_for(n));
    CHECK(wiring.ended(1)(n) == wiring.more_inputs()[0].frames_for(n));
    CHECK(wiring.after(2)(n) == n);
  }
  const Index up = wiring.add(es::TimingStage{.kind = es::TimingStage::Kind::scatter, .reach = 4, .stride = 4}, {1});
  const Index sum = wiring.add({}, {0, up, 2});
  CHECK(wiring.after(sum)(5) == 5);
  CHECK(error_of([&] { wiring.add({}, {0, 1}); }).starts_with("the branches cannot be aligned"));
  CHECK(error_of([] { Wiring({{.rate = {1, 0}}}); }) == "Graph: input 1 comes 1 times for 0 frames of the main one; both must be at least 1");
}

TEST_CASE("Wiring: what cannot be joined is refused", "[compose][error]") {
  Wiring wiring;
  CHECK(error_of([&] { wiring.add(es::Timing(), {1}); }) == "no value 1 yet; there are 1");
  const Index half = wiring.add(es::TimingStage{.stride = 2}, {0});
  CHECK(error_of([&] { wiring.add({}, {0, half}); }).starts_with("the branches cannot be aligned"));
}

TEST_CASE("Wiring: any values may be the outputs", "[compose]") {
  Wiring wiring;
  const Index half = wiring.add(es::TimingStage{.stride = 2}, {0}), next = wiring.add(es::TimingStage{.reach = 3}, {half});
  CHECK(wiring.outputs().empty());
  CHECK(wiring.main_output() == next);
  wiring.choose_outputs({{half, ""}, {next, "next"}, {0, ""}});
  CHECK(wiring.main_output() == half);
  CHECK((wiring.outputs()[0].name == "0" && wiring.outputs()[1].name == "next" && wiring.outputs()[2].name == "2"));
  CHECK(wiring.timing().receptive_field() == 1);
  CHECK(wiring.timing(next).receptive_field() == 5);
  CHECK(error_of([&] { wiring.choose_outputs({}); }) == "Graph: no output is chosen");
  CHECK(error_of([&] { wiring.choose_outputs({{7, ""}}); }) == "no value 7 yet; there are 3");
  CHECK(error_of([&] { wiring.choose_outputs({{0, "a"}, {1, "a"}}); }) == "Graph: two outputs are called a");
}
