#include "eigenstream/compose/wiring.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using es::Reduce;
using es::Wiring;
using support::error_of;

TEST_CASE("Wiring: values are numbered, joins are aligned", "[compose]") {
  Wiring wiring;
  const es::Timing valid3 = es::TimingStage{.reach = 3};
  const Index a = wiring.add_layer(valid3, 0), b = wiring.add_layer(es::Timing(), 0);
  const Index sum = wiring.add_join(Reduce::sum, {a, b});
  CHECK(a == 1);
  CHECK(sum == 3);
  CHECK(wiring.size() == 3);
  CHECK(wiring.nodes()[2].skip == std::vector<Index>{0, 1});
  CHECK(wiring.nodes()[2].from == std::vector<Index>{1, 2});
  CHECK(wiring.after(sum)(10) == 8);
  CHECK(wiring.ended(sum)(10) == 8);
  CHECK(wiring.timing().receptive_field() == 3);
}

TEST_CASE("Wiring: what cannot be joined is refused", "[compose][error]") {
  Wiring wiring;
  CHECK(error_of([&] { wiring.add_layer(es::Timing(), 1); }) == "no value 1 yet; there are 1");
  CHECK(error_of([&] { wiring.add_join(Reduce::sum, {0}); }) == "Reduce: 1 operands, must be at least 2");
  CHECK(error_of([&] { wiring.add_join(Reduce::difference, {0, 0, 0}); }) == "Reduce: 3 operands for a difference, must be 2");
  const Index half = wiring.add_layer(es::TimingStage{.stride = 2}, 0);
  CHECK(error_of([&] { wiring.add_join(Reduce::sum, {0, half}); }).starts_with("the branches cannot be aligned"));
}
