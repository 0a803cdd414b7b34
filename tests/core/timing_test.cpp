#include "eigenstream/core/timing.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "eigenstream/core/timing_builder.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"
#include "support/timing.hpp"

namespace es = eigenstream;
using es::Index;
using es::Rate;
using es::Timing;
using es::TimingStage;
using support::for_all_stages;
using support::inputs;
using support::text;
using Kind = es::TimingStage::Kind;

TEST_CASE("Timing: stages compose one after another", "[core][property]") {
  std::vector<TimingStage> stages;
  for_all_stages([&](const TimingStage& s) { stages.push_back(s); });
  support::Random random(1);
  for (int trial = 0; trial < 1000; ++trial) {
    Timing timing;
    std::vector<TimingStage> chain;
    for (Index n = random.integer(0, 4); n > 0; --n) {
      chain.push_back(stages[static_cast<std::size_t>(random.integer(0, static_cast<Index>(stages.size()) - 1))]);
      timing = timing.then(chain.back());
    }
    std::string description;
    for (const TimingStage& s : chain) description += text(s) + "; ";
    INFO(description);
    REQUIRE(timing.size() == static_cast<Index>(chain.size()));
    for (Index n = 0; n < 60; n += 7) {
      Index now = n, all = n;
      for (const TimingStage& s : chain) now = s.outputs_after(now), all = s.outputs_in_all(all);
      REQUIRE(timing.outputs_after(n) == now);
      REQUIRE(timing.outputs_after(n, true) == all);
    }
    Index reach = 1;
    for (Index j = 0; j < 12; ++j) {
      // Every path from output j to the inputs.
      std::vector<Index> now{j};
      for (auto s = chain.rbegin(); s != chain.rend(); ++s) {
        std::vector<Index> before;
        for (const Index k : now)
          for (const Index input : inputs(*s, k)) before.push_back(input);
        std::sort(before.begin(), before.end());
        before.erase(std::unique(before.begin(), before.end()), before.end());
        now = before;
      }
      if (now.empty()) continue;
      REQUIRE(timing.first_input(j) <= now.front());
      reach = std::max(reach, now.back() - now.front() + 1);
    }
    REQUIRE(timing.receptive_field() >= reach);
    for (Index j = 0; j < 20; ++j) {
      Index release = 1;
      while (timing.outputs_after(release) <= j) ++release;
      REQUIRE(timing.last_input(j) == release - 1);
    }
    REQUIRE(timing.first_output() == timing.last_input(0));
  }
}

TEST_CASE("Timing: worked examples", "[core]") {
  const Timing identity;
  CHECK(identity.outputs_after(7) == 7);
  CHECK(identity.receptive_field() == 1);
  CHECK(identity.delay() == 0);
  CHECK(identity.padding() == 0);
  CHECK(identity.stride() == 1);
  CHECK(identity.first_output() == 0);

  const TimingStage valid3{.reach = 3};
  const TimingStage same3{.reach = 3, .left = 1, .right = 1};
  const TimingStage causal3{.reach = 3, .left = 2};
  CHECK(Timing(valid3).delay() == 2);
  CHECK(Timing(same3).delay() == 1);
  CHECK(Timing(causal3).delay() == 0);
  CHECK(Timing(valid3).then(same3).receptive_field() == 5);
  CHECK(Timing(valid3).then(same3).delay() == 3);
  CHECK(Timing(same3).then(same3).padding() == 2);

  // Down by 2 and up by 2, as in an encoder with its decoder.
  const TimingStage down{.reach = 4, .stride = 2, .left = 1, .right = 1};
  const TimingStage up{.kind = Kind::scatter, .reach = 4, .stride = 2, .left = 1, .right = 1};
  const Timing both = Timing(down).then(up);
  CHECK(both.rate() == Rate{1, 1});
  CHECK(both.stride() == 1);
  CHECK(both.receptive_field() == 6);
  CHECK(both.outputs_after(20, true) == 20);
  CHECK(Timing(down).stride() == 2);
  CHECK(Timing(up).stride() == 1);
  CHECK(Timing(up).rate() == Rate{2, 1});

  // 44.1 to 48 kHz with torchaudio's filter: blocks of 160 for 147, or each output by itself.
  const TimingStage blocks{.kind = Kind::resample, .reach = 969, .stride = 147, .left = 7, .up = 160};
  CHECK(blocks.outputs_after(153) == 0);
  CHECK(blocks.outputs_after(154) == 160);
  CHECK(blocks.outputs_in_all(154) == 168);
  CHECK(Timing(blocks).delay() == 153);
  CHECK(Timing(blocks).receptive_field() == 13);
  CHECK(Timing(blocks).rate() == Rate{160, 147});
  CHECK(Timing(blocks).period() == 160);
  CHECK(Timing(blocks).padding() == 6);
  TimingStage soon = blocks;
  soon.soon = true;
  CHECK(soon.outputs_after(6) == 0);
  CHECK(soon.outputs_after(7) == 2);
  CHECK(Timing(soon).delay() == 7);
  // There and back again.
  const TimingStage back{.kind = Kind::resample, .reach = 969, .stride = 160, .left = 7, .up = 147};
  CHECK(Timing(blocks).then(back).rate() == Rate{1, 1});
  CHECK(Timing(blocks).then(back).period() == 147);

  // Of the positions 4 and 5 the later one reads the earlier input: both count.
  const TimingStage spread{.kind = Kind::scatter, .reach = 4, .stride = 2, .dilation = 3};
  CHECK(Timing(spread).then(TimingStage{.reach = 2, .stride = 2}).receptive_field() == 2);
  // Padding within a network comes with the first real frame.
  CHECK(Timing(valid3).then(TimingStage{.reach = 1, .left = 2}).first_output() == 2);
  CHECK(Timing(valid3).then(TimingStage{.reach = 1, .left = 2}).delay() == 0);
}

TEST_CASE("Timing: branches are aligned where they join", "[core]") {
  const Timing identity;
  const Timing valid3 = TimingStage{.reach = 3}, valid6 = TimingStage{.reach = 6};
  const Timing same5 = TimingStage{.reach = 5, .left = 2, .right = 2}, causal5 = TimingStage{.reach = 5, .left = 4};

  SECTION("a padded branch keeps its place, and the others wait for it") {
    const Timing both = Timing::parallel({identity, same5});
    CHECK(both.operands(both.size())[0].skip == 0);
    CHECK(both.delay() == 2);
    CHECK(both.receptive_field() == 5);
    CHECK(both.outputs_after(10) == 8);
    CHECK(both.outputs_after(10, true) == 10);
    const Timing three = Timing::parallel({same5, causal5, identity});
    CHECK(three.receptive_field() == 7);
    CHECK(three.first_input(10) == 6);
    CHECK(three.last_input(10) == 12);
  }
  SECTION("what a branch without padding loses is cut off the others, the smaller half in front") {
    const Timing both = Timing::parallel({valid3, identity, valid6});
    CHECK(both.operands(both.size())[0].skip == 1);
    CHECK(both.operands(both.size())[1].skip == 2);
    CHECK(both.operands(both.size())[2].skip == 0);
    CHECK(both.receptive_field() == 6);
    CHECK(both.outputs_after(10) == 5);
    CHECK(both.outputs_after(10, true) == 5);
  }
  SECTION("a branch that goes down and up again meets the one that stays") {
    const Timing down = TimingStage{.reach = 4, .stride = 2, .left = 1, .right = 1};
    const Timing up =
        TimingStage{.kind = Kind::scatter, .reach = 4, .stride = 2, .left = 1, .right = 1};
    const Timing both = Timing::parallel({identity, down.then(up)});
    CHECK(both.rate() == Rate{1, 1});
    CHECK(both.outputs_after(20, true) == 20);
    CHECK(both.outputs_after(21, true) == 20);  // the shorter one ends the join
    CHECK(both.receptive_field() == 6);
    CHECK(both.period() == 2);
    // Rounding makes one branch longer for some lengths only: nothing to leave out.
    const Timing floor2 = TimingStage{.reach = 2, .stride = 2}, ceil2 = TimingStage{.reach = 1, .stride = 2};
    const Timing mixed = Timing::parallel({floor2, ceil2});
    CHECK(mixed.operands(mixed.size())[1].skip == 0);
    CHECK(mixed.outputs_after(7, true) == 3);
  }
  SECTION("branches that do not come equally often are refused with their rates and delays") {
    const Timing down = TimingStage{.reach = 3, .stride = 2};
    CHECK(support::error_of([&] { Timing::parallel({identity, down}); }) ==
          "the branches cannot be aligned: one has rate 1/1 and delay 0, another rate 1/2 and delay 2 (outputs per "
          "input, input frames)");
  }
}
