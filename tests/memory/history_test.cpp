#include "eigenstream/memory/history.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "eigenstream/memory/room.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::History;
using es::Index;
using es::SlidingWindow;
using es::StateBlock;

namespace {

StateBlock garbage(Index bytes, es::FrameShape shape) {
  StateBlock block(bytes, shape);
  std::memset(block.ref().data, 0x5a, static_cast<std::size_t>(block.bytes()));
  return block;
}

template <class T>
std::vector<std::byte> saved(History<T>& history) {
  es::StateCodec count;
  history.exchange(count);
  std::vector<std::byte> bytes(count.position());
  es::StateCodec writer = es::StateCodec::writer(bytes, 0);
  history.exchange(writer);
  return bytes;
}

}  // namespace

TEST_CASE("History: what was kept lies in front of what comes, for any run of appends", "[memory][property]") {
  support::Random random(1);
  const bool roomy = GENERATE(false, true);
  for (const Index frame : {1, 3, 16, 700})
    for (const Index keep : {0, 1, 2, 9, 600}) {
      const Index slack = roomy ? es::slack_for<float>(frame, keep) : random.integer(1, 20);
      INFO("frame of " << frame << ", keep " << keep << ", slack " << slack);
      const StateBlock block = garbage(History<float>::bytes(frame, keep, slack), {frame});
      History<float> history(block.ref().data, frame, keep);
      history.reset(slack, 2.5f);
      std::vector<float> all(static_cast<std::size_t>(keep * frame), 2.5f);  // everything since the virtual frames
      CHECK(history.max_frames() == slack);
      if (roomy) CHECK(slack >= std::max<Index>(keep, 1));
      for (int turn = 0; turn < 60; ++turn) {
        const Index n = turn % 10 == 0 ? history.max_frames() : random.integer(0, std::min<Index>(20, history.max_frames()));
        const std::vector<float> x = support::random_values<float>(n * frame, random);
        all.insert(all.end(), x.begin(), x.end());
        float* place = nullptr;
        if (turn % 3 == 0) {  // the producer writes straight into the history; it may write fewer than it asked for
          float* const room = history.room(std::min(n + 3, history.max_frames()));
          std::copy(x.begin(), x.end(), room);
          place = history.append(room, n);
          CHECK(place == room);
        } else {
          place = history.append(x.data(), n);
        }
        const float* window = place - keep * frame;
        REQUIRE(window >= reinterpret_cast<const float*>(block.ref().data));
        REQUIRE(reinterpret_cast<const std::byte*>(place + n * frame) + es::memory_alignment <=
                block.ref().data + block.bytes());  // room for a packet behind
        REQUIRE(std::equal(all.end() - (keep + n) * frame, all.end(), window));
        REQUIRE(history.newest_end() == place + n * frame);
      }
    }
}

TEST_CASE("History: virtual frames, and a state that does not depend on where things lie", "[memory]") {
  const Index frame = 2, keep = 3, slack = 30;
  const StateBlock a = garbage(History<float>::bytes(frame, keep, slack), {frame});
  const StateBlock b = garbage(History<float>::bytes(frame, keep, slack), {frame});
  History<float> one(a.ref().data, frame, keep), many(b.ref().data, frame, keep);
  one.reset(slack);
  many.reset(slack);
  CHECK(saved(one) == saved(many));
  support::Random random(2);
  const Index n = one.max_frames();
  const std::vector<float> x = support::random_values<float>(n * frame, random);
  one.append(x.data(), n);
  for (Index t = 0; t < n; ++t) many.append(x.data() + t * frame, 1);
  CHECK(saved(one) == saved(many));
  one.append_fill(7, 2);
  CHECK(one.newest_end()[-1] == 7);
  CHECK(one.newest_end()[-4] == 7);
  CHECK(one.newest_end()[-5] == x.back());
  CHECK(saved(one) != saved(many));

  const std::vector<std::byte> bytes = saved(one);
  es::StateCodec reader = es::StateCodec::reader(bytes, 0);
  many.exchange(reader);
  CHECK(saved(many) == bytes);
  CHECK(many.newest_end()[-1] == 7);
}
