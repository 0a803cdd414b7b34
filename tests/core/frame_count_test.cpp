#include "eigenstream/core/frame_count.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"
#include "support/timing.hpp"

namespace es = eigenstream;
using es::FrameCount;
using es::Index;
using es::Rate;
using es::TimingStage;
using Kind = es::TimingStage::Kind;

namespace {

// A value of a random network: its closed form, and its frames after 0, 1, 2 ... inputs, played through.
struct Played {
  FrameCount count;
  std::vector<Index> frames;
  Rate rate;
};

TimingStage random_stage(support::Random& random) {
  const auto pick = [&](Index least, Index most) { return random.integer(least, most); };
  switch (pick(0, 4)) {
    case 0:
      return {.reach = pick(1, 9), .left = -pick(0, 3), .right = -pick(0, 3)};
    case 1:
      return {.reach = 4, .stride = pick(1, 4), .left = pick(0, 2), .right = pick(0, 2), .ceil = true};
    case 2:
      return {.kind = Kind::scatter, .reach = pick(1, 9), .stride = pick(1, 4), .left = pick(0, 6), .right = pick(0, 6),
              .extra = pick(0, 3)};
    case 3: {
      const auto [up, down] = std::array{es::Rate{2, 1}, es::Rate{1, 3}, es::Rate{3, 2}, es::Rate{2, 3}}[
          static_cast<std::size_t>(pick(0, 3))];
      const Index reach = pick(1, 20);
      return {.kind = Kind::resample, .reach = reach, .stride = down, .left = reach / up + 1, .up = up,
              .soon = pick(0, 1) == 1};
    }
    default:
      return {.reach = pick(1, 9), .stride = random.pick({1, 1, 2, 3}), .left = pick(0, 9), .right = pick(0, 9)};
  }
}

constexpr Index played = 1200, settled = 700;

Played through(const Played& from, const TimingStage& stage, bool ended) {
  Played value{from.count.through(stage, ended), {}, from.rate * stage.rate()};
  for (const Index n : from.frames) value.frames.push_back(ended ? stage.outputs_in_all(n) : stage.outputs_after(n));
  return value;
}

Played joined(const Played& a, Index skip_a, const Played& b, Index skip_b) {
  Played value{FrameCount::shortest({{&a.count, skip_a}, {&b.count, skip_b}}), {}, a.rate};
  for (std::size_t n = 0; n < a.frames.size(); ++n)
    value.frames.push_back(std::max<Index>(0, std::min(a.frames[n] - skip_a, b.frames[n] - skip_b)));
  return value;
}

}  // namespace

TEST_CASE("FrameCount: as many frames as a network played through gives", "[core][property]") {
  support::Random random(1);
  for (int trial = 0; trial < 400; ++trial) {
    std::vector<Played> values(1);
    values[0].frames.resize(static_cast<std::size_t>(played));
    std::iota(values[0].frames.begin(), values[0].frames.end(), Index{0});
    const bool ended = random.integer(0, 1) == 1;
    for (Index nodes = random.integer(1, 7); nodes > 0; --nodes) {
      const auto any = [&] { return random.integer(0, static_cast<Index>(values.size()) - 1); };
      const Played& a = values[static_cast<std::size_t>(any())];
      const Played& b = values[static_cast<std::size_t>(any())];
      values.push_back(a.rate == b.rate && random.integer(0, 2) == 0
                           ? joined(a, random.integer(0, 2), b, random.integer(0, 2))
                           : through(a, random_stage(random), ended));
    }
    for (const Played& value : values) {
      const auto& frames = value.frames;
      for (Index n = 0; n < played; ++n) REQUIRE(value.count(n) == frames[static_cast<std::size_t>(n)]);
      for (Index j = 0; j < frames.back(); ++j)
        REQUIRE(value.count.inputs_for(j) == std::upper_bound(frames.begin(), frames.end(), j) - frames.begin());
      Index low = 0, rise = 0;
      for (Index n = 0; n < played; ++n) {
        const Index lead = frames[static_cast<std::size_t>(n)] * value.rate.inputs - n * value.rate.outputs;
        rise = std::max(rise, lead - low);
        low = std::min(low, lead);
      }
      REQUIRE(value.count.most_rise(value.rate) == rise);
      for (const Played& other : values) {
        if (other.rate != value.rate) continue;
        Index most = 0, least = std::numeric_limits<Index>::max();
        for (Index n = 0; n < played; ++n) {
          const Index lead = frames[static_cast<std::size_t>(n)] - other.frames[static_cast<std::size_t>(n)];
          most = std::max(most, lead);
          if (n >= settled) least = std::min(least, lead);
        }
        REQUIRE(value.count.most_lead(other.count) == most);
        REQUIRE(value.count.least_lead(other.count) == least);
      }
    }
  }
}

TEST_CASE("FrameCount: large strides and far reaches take no more room", "[core]") {
  const FrameCount hop = FrameCount().through({.reach = 1 << 20, .stride = 1 << 18}, false);
  CHECK(hop.step() == 1);
  CHECK(hop.period() == 1 << 18);
  CHECK(hop((1 << 20) - 1) == 0);
  CHECK(hop(1 << 20) == 1);
  CHECK(hop((es::Time{1} << 40) + (1 << 20)) == (es::Time{1} << 22) + 1);
  CHECK(hop.without_first(2).inputs_for(0) == (1 << 20) + (1 << 19));
  // Up again by the same factor, and down: the pattern is no longer than it must be.
  const FrameCount again = hop.through({.kind = Kind::scatter, .reach = 1 << 18, .stride = 1 << 18}, false);
  CHECK(again.step() == 1 << 18);
  CHECK(again.through({.stride = 1 << 18}, false).step() == 1);
}

TEST_CASE("FrameCount: refuses patterns that no stream could wait for", "[core][error]") {
  const TimingStage up{.kind = Kind::scatter, .reach = 1 << 11, .stride = 1 << 11};
  CHECK(support::error_of([&] { FrameCount().through(up, false).through(up, false); }) ==
        "timing: the strides up and down repeat only after more than 2^20 outputs");
}
