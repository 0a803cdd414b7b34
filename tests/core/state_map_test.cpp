#include "eigenstream/core/state_map.hpp"

#include <array>
#include <cstring>
#include <limits>
#include <vector>

#include "eigenstream/core/state_codec.hpp"
#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;
using es::StateMap;

namespace {

// What a layer might remember of `batch` signals: a count, a sum each, two frames of two numbers of four that there is room for,
// and what follows from the sums.
struct Block {
  es::Time seen = 0;
  Index end = 2;
  std::int32_t place = 0;
  std::array<float, 3> sums{}, doubled{};
  std::array<float, 2 * 3 * 4> frames{};

  void exchange(es::StateCodec& codec, Index batch) {
    codec.count(seen, codec.frames(), {.from = 10, .period = 4});
    codec.values(sums.data(), batch);
    codec.derived(doubled.data(), batch);
    codec.last_frames(frames.data(), end, 2, 2 * batch);
    codec.count(place, codec.frames() % 3);
    if (codec.reading())
      for (std::size_t b = 0; b < 3; ++b) doubled[b] = 2 * sums[b];
  }
  std::byte* data() { return reinterpret_cast<std::byte*>(this); }
  StateMap map(Index batch) {
    StateMap map(batch);
    es::StateCodec mapper = es::StateCodec::mapper(map, data());
    exchange(mapper, batch);
    map.finish();
    return map;
  }
};
using Packed = std::vector<std::byte>;

Block after(Index frames, Index batch) {
  Block block;
  block.seen = frames, block.place = static_cast<std::int32_t>(frames % 3), block.end = 2 + frames % 3;
  for (std::size_t b = 0; b < static_cast<std::size_t>(batch); ++b) {
    block.sums[b] = static_cast<float>(10 * static_cast<Index>(b) + frames), block.doubled[b] = 2 * block.sums[b];
    for (Index f = 0; f < 2; ++f)
      for (Index c = 0; c < 2; ++c)
        block.frames[static_cast<std::size_t>((block.end - 2 + f) * 2 * batch + 2 * static_cast<Index>(b) + c)] =
            static_cast<float>(100 * static_cast<Index>(b) + 10 * f + c + frames);
  }
  return block;
}
Packed saved(Block block) {
  Packed bytes(8 + 4 + 16 + 8);
  es::StateCodec writer = es::StateCodec::writer(bytes, block.seen);
  block.exchange(writer, 1);
  REQUIRE(writer.good());
  return bytes;
}

}  // namespace

TEST_CASE("StateMap: a packed state is the saved one, and what follows from it", "[core]") {
  Block block = after(7, 1);
  const StateMap map = block.map(1);
  CHECK(map.saved_bytes() == 36);
  CHECK(map.packed_bytes() == 40);
  CHECK(map.separable());
  Packed packed(40);
  map.lift(block.data(), packed.data());
  const Packed expected = saved(block);
  CHECK(std::equal(expected.begin(), expected.end(), packed.begin()));

  Block other = after(2, 1);
  map.put(packed.data(), other.data());
  CHECK(saved(other) == expected);
  CHECK(other.end == 2);  // at the front
  CHECK(other.doubled[0] == 14);
}

TEST_CASE("StateMap: a signal goes from a batch to another one", "[core]") {
  Block three = after(7, 3), other = after(4, 3);
  const StateMap map = three.map(3), one = after(0, 1).map(1);
  REQUIRE(map.packed_bytes() == one.packed_bytes());
  Packed packed(40);
  map.lift_entry(three.data(), 1, packed.data());
  CHECK(StateMap::get_packed(map.counts()[0], packed.data()) == 0);  // the batch's own
  for (const StateMap::Count& count : map.counts()) StateMap::set_packed(count, packed.data(), StateMap::get(count, three.data()));
  Block alone;
  one.put(packed.data(), alone.data());
  CHECK(alone.seen == 7);
  CHECK(alone.place == 1);
  CHECK(alone.sums[0] == 17);
  CHECK(alone.doubled[0] == 34);
  CHECK(alone.frames[0] == 107);
  CHECK(alone.frames[3] == 118);

  const Block before = other;
  map.put_entry(packed.data(), other.data(), 2);
  CHECK(other.seen == 4);
  CHECK(other.end == before.end);
  CHECK(other.sums == std::array<float, 3>{before.sums[0], before.sums[1], 17});
  for (std::size_t i = 0; i < other.frames.size(); ++i) {
    const std::size_t first = static_cast<std::size_t>(other.end - 2) * 6, at = i - first;
    const bool ours = i >= first && at < 12 && at % 6 >= 4;
    CHECK(other.frames[i] == (ours ? static_cast<float>(107 + 10 * (at / 6) + at % 2) : before.frames[i]));
  }
}

TEST_CASE("StateMap: counts are alike when they are equal, or recur", "[core]") {
  const StateMap map = after(0, 1).map(1);
  REQUIRE(map.counts().size() == 2);
  const StateMap::Count recurs = map.counts()[0], strict = map.counts()[1];
  CHECK(recurs.wide);
  CHECK_FALSE(strict.wide);
  CHECK(recurs.alike(3, 3));
  CHECK_FALSE(recurs.alike(3, 7));
  CHECK_FALSE(recurs.alike(9, 13));
  CHECK(recurs.alike(10, 14));
  CHECK(recurs.alike(30, 14));
  CHECK_FALSE(recurs.alike(30, 15));
  CHECK(strict.alike(1, 1));
  CHECK_FALSE(strict.alike(1, 4));
  CHECK_FALSE(strict.alike(std::numeric_limits<es::Time>::max() - 1, 4));
}

TEST_CASE("StateMap: what belongs to nobody in a batch, or decides by itself, cannot be told apart", "[core]") {
  std::array<double, 4> values{};
  StateMap odd(3), fine(2);
  const auto map = [&](StateMap& to, auto f) {
    es::StateCodec mapper = es::StateCodec::mapper(to, reinterpret_cast<std::byte*>(values.data()));
    f(mapper);
    to.finish();
  };
  map(odd, [&](es::StateCodec& codec) { codec.values(values.data(), 4); });
  CHECK_FALSE(odd.separable());
  std::int64_t number = 0;
  StateMap chosen(1);
  es::StateCodec mapper = es::StateCodec::mapper(chosen, reinterpret_cast<std::byte*>(&number));
  mapper.counter(number, 0, 5);
  CHECK_FALSE(chosen.separable());
  map(fine, [&](es::StateCodec& codec) { codec.frames(values.data(), 1, 4); });
  CHECK(fine.separable());
  CHECK(fine.packed_bytes() == 16);
}
