#include "eigenstream/core/timing.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;
using es::Rate;
using es::Timing;
using es::TimingStage;
using Kind = es::TimingStage::Kind;

namespace {

// What a signal of n frames gives, and which of its inputs output j reads, from the definitions.
Index whole(const TimingStage& s, Index n) {
  if (n <= 0) return 0;
  if (s.kind == Kind::resample) {
    Index count = 0;
    while (count * s.stride < n * s.up) ++count;  // those that begin before the signal's end
    return count;
  }
  if (s.kind == Kind::scatter) return std::max<Index>(0, (n - 1) * s.stride + s.reach - s.left - s.right + s.extra);
  Index count = 0;
  while (s.ceil ? count * s.stride - s.left < n && (count - 1) * s.stride - s.left + s.reach < n + s.right
                : count * s.stride - s.left + s.reach <= n + s.right)
    ++count;
  return count;
}
std::vector<Index> inputs(const TimingStage& s, Index j) {
  std::vector<Index> all;
  if (s.kind == Kind::resample) {
    for (Index i = -60; i < 200; ++i)
      if (std::abs(i * s.up - j * s.stride) <= s.reach) all.push_back(i);
  } else if (s.kind == Kind::gather) {
    for (Index k = 0; k < s.reach; k += s.dilation) all.push_back(j * s.stride - s.left + k);
  } else {
    for (Index back = s.reach - 1; back >= 0; back -= s.dilation) {
      const Index position = j + s.left - back;
      if (es::floor_div(position, s.stride) * s.stride == position) all.push_back(es::floor_div(position, s.stride));
    }
  }
  return all;
}
// An output is determined once no later input can reach it, and it is there however the signal goes on. What lies
// behind the last tap of the last input waits, though output_padding may make it certain.
Index determined(const TimingStage& s, Index n) {
  if (n <= 0) return 0;
  Index count = 0;
  if (s.kind == Kind::resample) {
    if (!s.soon)  // whole blocks, once `left` further inputs are there
      while ((count / s.up + 1) * s.stride + s.left <= n) count += s.up;
    else
      while (inputs(s, count).back() < n) ++count;
    return count;
  }
  for (;; ++count) {
    for (Index longer = n; longer <= n + 40; ++longer)
      if (whole(s, longer) <= count) return count;
    const Index last = s.kind == Kind::gather ? count * s.stride - s.left + s.reach - 1
                                              : es::floor_div(count + s.left, s.stride);  // through the first tap
    if (last >= n) return count;
    if (s.kind == Kind::scatter && count + s.left >= (n - 1) * s.stride + s.reach) return count;
  }
}

template <class F>
void for_all_stages(F&& f) {
  for (const auto& [up, down] : {std::pair<Index, Index>(1, 2), {2, 1}, {1, 3}, {3, 1}, {2, 3}, {3, 2}, {5, 3}})
    for (const Index reach : {std::max(up, down) - 1, 2 * std::max(up, down), 7 * up + 1})
      for (const bool soon : {false, true})
        f(TimingStage{.kind = Kind::resample,
                      .reach = reach,
                      .stride = down,
                      .left = reach / up + 1,
                      .up = up,
                      .soon = soon});
  for (const Index taps : {1, 2, 3, 5})
    for (const Index stride : {1, 2, 3, 7})
      for (const Index dilation : {1, 2, 3}) {
        const Index reach = (taps - 1) * dilation + 1;
        for (const Index left : {0, 1, 2, 5})
          for (const Index right : {0, 1, 3})
            f(TimingStage{.reach = reach, .stride = stride, .left = left, .right = right, .dilation = dilation});
        for (const Index left : {0, -1, -4})
          for (const Index right : {-1, -3})
            f(TimingStage{.reach = reach, .stride = stride, .left = left, .right = right, .dilation = dilation});
        for (Index padding = 0; padding <= taps / 2; ++padding)
          f(TimingStage{.reach = reach,
                        .stride = stride,
                        .left = padding,
                        .right = padding,
                        .dilation = dilation,
                        .ceil = true});
        for (const Index padding : {0, 1, 2, 6})
          for (Index extra = 0; extra < std::max(stride, dilation); ++extra)
            f(TimingStage{.kind = Kind::scatter,
                          .reach = reach,
                          .stride = stride,
                          .left = padding,
                          .right = padding,
                          .extra = extra,
                          .dilation = dilation});
      }
}

std::string text(const TimingStage& s) {
  const char* const kinds[] = {"gather", "scatter", "resample"};
  return std::string(kinds[static_cast<int>(s.kind)]) + " up " + std::to_string(s.up) + (s.soon ? " soon" : "") + " reach " +
         std::to_string(s.reach) + " stride " +
         std::to_string(s.stride) + " left " + std::to_string(s.left) + " right " + std::to_string(s.right) + " extra " +
         std::to_string(s.extra) + " dilation " + std::to_string(s.dilation) + " ceil " + std::to_string(s.ceil);
}

}  // namespace

TEST_CASE("floor_div and ceil_div round as they say", "[core]") {
  for (Index a = -20; a <= 20; ++a)
    for (Index b = 1; b <= 7; ++b) {
      CHECK(es::floor_div(a, b) == static_cast<Index>(std::floor(static_cast<double>(a) / static_cast<double>(b))));
      CHECK(es::ceil_div(a, b) == static_cast<Index>(std::ceil(static_cast<double>(a) / static_cast<double>(b))));
    }
}

TEST_CASE("Rate: in lowest terms", "[core]") {
  CHECK(Rate::of(4, 6) == Rate{2, 3});
  CHECK(Rate::of(4, 6) * Rate::of(3, 2) == Rate{1, 1});
  CHECK(Rate::of(3, 2).value() == 1.5);
}

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
      Index release = 1;
      while (s.outputs_after(release) <= j) ++release;
      REQUIRE(std::max<Index>(0, s.last_input(j)) == release - 1);
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
  SECTION("shared values are counted once, however many paths lead through them") {
    Timing::Builder builder;
    Index value = 0;
    for (int i = 0; i < 60; ++i) {
      const Index branch = builder.append(TimingStage{.reach = 3, .left = 1, .right = 1}, value);
      value = builder.join({value, branch});
    }
    const Timing deep = std::move(builder).finish();
    CHECK(deep.receptive_field() == 121);
    CHECK(deep.delay() == 60);
    CHECK(deep.outputs_after(100) == 40);
    CHECK(deep.outputs_after(100, true) == 100);
  }
}
