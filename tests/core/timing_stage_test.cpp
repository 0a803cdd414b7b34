#include "eigenstream/core/timing_stage.hpp"

#include <algorithm>
#include <vector>

#include "support/catch.hpp"
#include "support/timing.hpp"

namespace es = eigenstream;
using es::Index;
using es::TimingStage;
using support::determined;
using support::for_all_stages;
using support::inputs;
using support::text;
using support::whole;
using Kind = es::TimingStage::Kind;

TEST_CASE("TimingStage: counts and spans follow from the definitions", "[core][property]") {
  for_all_stages([](const TimingStage& s) {
    INFO(text(s));
    for (Index n = 0; n <= 25; ++n) {
      INFO("n " << n);
      REQUIRE(s.outputs_in_all(n) == whole(s, n));
      REQUIRE(s.outputs_after(n) == determined(s, n));
    }
    for (Index j = 0; j < 20; ++j) {
      INFO("output " << j);
      Index release = 1, in_all = 1;
      while (s.outputs_after(release) <= j) ++release;
      while (s.outputs_in_all(in_all) <= j) ++in_all;
      REQUIRE(std::max(s.wanted_first() - 1, s.last_input(j)) == release - 1);
      REQUIRE(std::max(s.wanted_first(), s.inputs_for(j)) == release);
      REQUIRE(std::max(s.wanted_first(), s.inputs_in_all_for(j)) == in_all);
      REQUIRE(s.inputs_for(j + s.cycle_outputs()) == s.inputs_for(j) + s.cycle_inputs());
      REQUIRE(s.inputs_in_all_for(j + s.cycle_outputs()) == s.inputs_in_all_for(j) + s.cycle_inputs());
      for (const Index more : {0, 1, 4}) {
        Index first = 1 << 20, last = -(1 << 20);
        for (Index k = j; k <= j + more; ++k)
          for (const Index input : inputs(s, k)) first = std::min(first, input), last = std::max(last, input);
        const TimingStage::Span span = s.reads({j, j + more});
        if (first > last) {
          REQUIRE(span.first > span.last);
        } else {
          REQUIRE(span.first == first);
          REQUIRE(span.last == last);
        }
      }
    }
  });
}

TEST_CASE("TimingStage: the frames that an output reads of a signal that has ended", "[core][property]") {
  const auto reads = [](const TimingStage& s, Index j, Index n) {
    std::vector<Index> all;
    s.for_each_read(j, n, [&](Index i) { all.push_back(i); });
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  };
  for_all_stages([&](const TimingStage& stage) {
    INFO(text(stage));
    for (const bool replicates : {false, true}) {
      if (replicates && stage.kind != Kind::gather) continue;
      TimingStage s = stage;
      s.replicates = replicates;
      for (const Index n : {1, 2, 7, 20})
        for (Index j = 0; j < s.outputs_in_all(n); ++j) {
          std::vector<Index> expected;
          for (const Index i : inputs(s, j)) {
            if (i >= 0 && i < n) expected.push_back(i);
            else if (s.reflects && n > 1) expected.push_back(i < 0 ? -i : 2 * (n - 1) - i);
            else if (replicates) expected.push_back(std::clamp<Index>(i, 0, n - 1));
          }
          std::sort(expected.begin(), expected.end());
          expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
          REQUIRE(reads(s, j, n) == expected);
        }
    }
  });
  CHECK(reads(TimingStage{.left = 2, .replicates = true}, 0, 0).empty());
}
