#include "eigenstream/core/timing_builder.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using es::Rate;
using es::Timing;
using es::TimingStage;
using Kind = es::TimingStage::Kind;

TEST_CASE("TimingBuilder: what is appended value by value is what then and parallel give", "[core]") {
  const Timing a = TimingStage{.reach = 5, .stride = 2, .left = 1}, b = TimingStage{.reach = 3, .right = 2};
  Timing::Builder builder;
  const Index first = builder.append(a, 0), second = builder.append(b, first);
  CHECK(builder.rate(second) == Rate{1, 2});
  CHECK(builder.append(Timing(), second) == second);  // the identity is no value of its own
  const Timing chained = a.then(b), built = builder.finish(), part = builder.up_to(first);
  for (Index n = 0; n < 40; ++n)
    for (const bool ended : {false, true}) {
      CHECK(built.outputs_after(n, ended) == chained.outputs_after(n, ended));
      CHECK(part.outputs_after(n, ended) == a.outputs_after(n, ended));
      CHECK((ended ? builder.ended(second) : builder.after(second))(n) == chained.outputs_after(n, ended));
    }
  CHECK(built.receptive_field() == chained.receptive_field());
  CHECK(builder.up_to(0).size() == 0);
}

TEST_CASE("TimingBuilder: what is left out of the operands of a join, by alignment", "[core]") {
  const TimingStage shorter{.reach = 6};  // by 5 frames
  for (const auto& [alignment, skip] : {std::pair(es::Alignment::centred, 2), std::pair(es::Alignment::lagging, 0),
                                        std::pair(es::Alignment::leading, 5)}) {
    Timing::Builder builder;
    const Index branch = builder.append(shorter, 0), both = builder.join({0, branch}, alignment);
    CHECK(builder.skip(both, 0) == skip);
    CHECK(builder.skip(both, 1) == 0);
  }
}

TEST_CASE("TimingBuilder: shared values are counted once, however many paths lead through them", "[core]") {
  Timing::Builder builder;
  Index value = 0;
  for (int i = 0; i < 60; ++i) {
    const Index branch = builder.append(TimingStage{.reach = 3, .left = 1, .right = 1}, value);
    value = builder.join({value, branch});
  }
  const Timing deep = builder.finish();
  CHECK(deep.receptive_field() == 121);
  CHECK(deep.delay() == 60);
  CHECK(deep.outputs_after(100) == 40);
  CHECK(deep.outputs_after(100, true) == 100);
}

TEST_CASE("TimingBuilder: a front end with a large stride, and what follows it, stay within bounds", "[core]") {
  // A spectrum every 480 samples, its channels joined again, and so on for a while: nothing is played through.
  Timing::Builder builder;
  Index value = builder.append(TimingStage{.reach = 1024, .stride = 480}, 0);
  for (int i = 0; i < 40; ++i) {
    const Index branch = builder.append(TimingStage{.reach = 3, .left = 1, .right = 1}, value);
    value = builder.join({value, branch});
  }
  value = builder.append(TimingStage{.kind = Kind::scatter, .reach = 480, .stride = 480}, value);
  const Timing deep = builder.finish();
  deep.check_bounds();
  CHECK(deep.rate() == Rate{1, 1});
  CHECK(deep.receptive_field() == 1024 + 80 * 480);
  CHECK(deep.delay() == 1023 + 40 * 480);

  // From 48 kHz to a control rate: 4800 inputs for each output, and taps over 58 182 of them.
  Timing control = TimingStage{.kind = Kind::resample, .reach = 29090, .stride = 4800, .left = 29091, .up = 1};
  control.check_bounds();
  control.then(TimingStage{.reach = 3}).check_bounds();
  CHECK(support::error_of([] {
          Timing far;
          for (int i = 0; i < 3; ++i) far = far.then(TimingStage{.reach = Index{1} << 20, .stride = Index{1} << 13});
          far.check_bounds();
        }) == "timing: the layers reach over more than 2^40 frames");
}
