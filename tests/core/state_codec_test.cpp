#include "eigenstream/core/state_codec.hpp"

#include <cstring>
#include <vector>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;
using es::StateCodec;
using Bytes = std::vector<std::byte>;

TEST_CASE("StateCodec: counts, writes and reads the same values", "[core]") {
  Index counter = 5;
  float values[3] = {1, 2, 3};
  const auto walk = [&](StateCodec& codec) {
    codec.counter(counter, 0, 10);
    codec.values(values, 3);
  };
  StateCodec count;
  walk(count);
  CHECK(count.position() == 8 + 12);
  Bytes bytes(count.position());
  StateCodec writer = StateCodec::writer(bytes, 0);
  CHECK_FALSE(writer.reading());
  walk(writer);
  CHECK(writer.good());

  counter = 0;
  std::fill_n(values, 3, 0.0f);
  StateCodec reader = StateCodec::reader(bytes, 0);
  CHECK(reader.reading());
  walk(reader);
  CHECK(reader.good());
  CHECK(counter == 5);
  CHECK(values[2] == 3);
}

TEST_CASE("StateCodec: what is out of range or too short is not read", "[core][error]") {
  Index counter = 11;
  Bytes bytes(8);
  StateCodec writer = StateCodec::writer(bytes, 0);
  writer.counter(counter, 0, 100);
  for (const auto& [least, most] : {std::pair<Index, Index>(0, 10), {12, 20}}) {
    Index value = 3;
    StateCodec reader = StateCodec::reader(bytes, 0);
    reader.counter(value, least, most);
    CHECK_FALSE(reader.good());
    CHECK(value == 3);
    float after = 4;
    reader.values(&after, 1);
    CHECK(after == 4);
    CHECK_FALSE(reader.good());
  }
  float more[3] = {7, 7, 7};
  StateCodec reader = StateCodec::reader(bytes, 0);
  reader.values(more, 3);
  CHECK_FALSE(reader.good());
  CHECK(more[0] == 7);
  StateCodec too_short = StateCodec::writer(std::span(bytes).first(4), 0);
  too_short.counter(counter, 0, 100);
  CHECK_FALSE(too_short.good());
}

TEST_CASE("StateCodec: a count is what follows from the frames that came, or it is refused", "[core]") {
  Index seen = 7, doubled = 14;
  const auto walk = [&](StateCodec& codec) {
    codec.count(seen, codec.frames());
    codec.count(doubled, 2 * codec.frames());
  };
  StateCodec count;
  walk(count);  // counts bytes, whatever the numbers are
  CHECK(count.good());
  Bytes bytes(count.position());
  StateCodec writer = StateCodec::writer(bytes, 7);
  walk(writer);
  CHECK(writer.good());

  seen = doubled = 1;
  StateCodec reader = StateCodec::reader(bytes, 7);
  walk(reader);
  CHECK(reader.good());
  CHECK(seen == 7);
  CHECK(doubled == 14);
  for (const Index frames : {0, 6, 8, -7}) {
    StateCodec other = StateCodec::reader(bytes, frames);
    walk(other);
    CHECK_FALSE(other.good());
  }
  // A layer that counts wrongly is found out when it is saved.
  doubled = 15;
  StateCodec wrong = StateCodec::writer(bytes, 7);
  walk(wrong);
  CHECK_FALSE(wrong.good());

  StateCodec container = StateCodec::reader(bytes, 3);
  container.set_frames(7);
  walk(container);
  CHECK(container.good());
  container.set_frames(3);
  CHECK(container.frames() == 3);
}

TEST_CASE("StateCodec: what one signal remembers, for each of a batch", "[core]") {
  struct Remembered {
    Index count = 0, end = 4;
    std::vector<float> frames, sliding;
    void walk(StateCodec& codec, Index batch) {
      codec.count(count, codec.frames());
      codec.frames(frames.data(), 2, 3 * batch);
      codec.last_frames(sliding.data(), end, 2, batch);
    }
  };
  Remembered one{.count = 7, .frames = {1, 2, 3, 4, 5, 6}, .sliding = {0, 0, 8, 9}};
  StateCodec count;
  one.walk(count, 1);
  Bytes bytes(count.position());
  StateCodec writer = StateCodec::writer(bytes, 7);
  one.walk(writer, 1);
  CHECK(writer.good());
  CHECK(writer.compares_frames());

  Remembered two{.end = 3, .frames = std::vector<float>(12), .sliding = std::vector<float>(8)};
  StateCodec spreader = StateCodec::spreader(bytes, 2);
  CHECK_FALSE(spreader.compares_frames());
  CHECK(spreader.reading());
  two.walk(spreader, 2);
  CHECK(spreader.good());
  CHECK(spreader.position() == bytes.size());
  CHECK(two.count == 7);  // taken as it is, though the codec knows of no frames
  CHECK(two.frames == std::vector<float>{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6});
  CHECK(two.sliding == std::vector<float>{0, 0, 8, 8, 9, 9, 0, 0});  // up to where the block's own frames end

  Remembered alone{.frames = std::vector<float>(6), .sliding = std::vector<float>(4)};
  StateCodec single = StateCodec::spreader(bytes, 1);
  alone.walk(single, 1);
  CHECK(single.good());
  CHECK(alone.frames == one.frames);
  CHECK(alone.sliding == one.sliding);

  StateCodec short_of_bytes = StateCodec::spreader(std::span(bytes).first(20), 2);
  two.walk(short_of_bytes, 2);
  CHECK_FALSE(short_of_bytes.good());
}
