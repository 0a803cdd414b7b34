#include "eigenstream/core/state.hpp"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Fingerprint;
using es::Index;
using es::State;
using es::StateBlock;
using es::StateCodec;
using Bytes = std::vector<std::byte>;

namespace {

State state_of(std::uint64_t fingerprint, es::FrameShape shape, Index seen, const std::string& payload) {
  State state;
  state.assign(fingerprint, shape, seen, payload.size(),
               [&](std::span<std::byte> out) { std::memcpy(out.data(), payload.data(), payload.size()); });
  return state;
}
Bytes bytes_of(const State& state) { return {state.bytes().begin(), state.bytes().end()}; }

}  // namespace

TEST_CASE("StateBlock: a regular value, aligned, zero at first", "[core]") {
  StateBlock a(100, {3, 2});
  CHECK(a.bytes() == 128);
  CHECK(reinterpret_cast<std::uintptr_t>(a.ref().data) % static_cast<std::uintptr_t>(es::memory_alignment) == 0);
  CHECK(a.ref().shape == es::FrameShape{3, 2});
  for (Index i = 0; i < a.bytes(); ++i) REQUIRE(a.ref().data[i] == std::byte{0});
  a.ref().data[5] = std::byte{7};

  StateBlock b = a;
  CHECK(b.ref().data != a.ref().data);
  CHECK(b.ref().data[5] == std::byte{7});
  b.ref().data[5] = std::byte{8};
  CHECK(a.ref().data[5] == std::byte{7});

  std::byte* const place = a.ref().data;
  a = b;  // of equal size: in place
  CHECK(a.ref().data == place);
  CHECK(a.ref().data[5] == std::byte{8});
  const StateBlock larger(1000, {1, 1});
  a = larger;
  CHECK(a.bytes() == 1024);
  CHECK(a.ref().shape == es::FrameShape{1, 1});
  const StateBlock& self = a;
  a = self;
  CHECK(a.bytes() == 1024);

  StateBlock moved = std::move(b);
  CHECK(moved.ref().data[5] == std::byte{8});
  a = std::move(moved);
  CHECK(a.ref().data[5] == std::byte{8});
  CHECK(a.ref().shape == es::FrameShape{3, 2});

  const StateBlock none(0, {1, 1}), copy = none;
  CHECK(copy.bytes() == 0);
  CHECK(es::aligned_bytes(0) == 0);
  CHECK(es::aligned_bytes(1) == es::memory_alignment);
  CHECK(es::aligned_bytes(es::memory_alignment) == es::memory_alignment);
}

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

TEST_CASE("Fingerprint: every part and its order count", "[core]") {
  const auto print = [](auto... parts) {
    Fingerprint f("Layer");
    (f.add(parts), ...);
    return std::uint64_t{f};
  };
  CHECK(print(1, 2) == print(1, 2));
  CHECK(print(1, 2) != print(2, 1));
  CHECK(print(1) != print(1, 0));
  CHECK(print(1.0f) != print(2.0f));
  CHECK(print(0.0f) != print(-0.0f));
  CHECK(print(Index{3}) == print(std::int16_t{3}));  // the width of an integer does not
  CHECK(std::uint64_t{Fingerprint("a")} != std::uint64_t{Fingerprint("b")});
  const std::vector<float> two{1, 2}, one{1};
  CHECK(print(std::span<const float>(two)) != print(std::span<const float>(one), 2.0f));
}

TEST_CASE("State: saved and loaded, compared, carried as bytes", "[core]") {
  const State state = state_of(42, {3, 2}, 17, "remember");
  CHECK(state.fingerprint() == 42);
  CHECK(state.shape() == es::FrameShape{3, 2});
  CHECK(state.frames_seen() == 17);
  CHECK(state.payload().size() == 8);
  CHECK_FALSE(state.empty());
  CHECK(State::from_bytes(bytes_of(state)) == state);
  CHECK(state == state_of(42, {3, 2}, 17, "remember"));
  CHECK_FALSE(state == state_of(43, {3, 2}, 17, "remember"));
  CHECK_FALSE(state == state_of(42, {2, 3}, 17, "remember"));
  CHECK_FALSE(state == state_of(42, {3, 2}, 18, "remember"));
  CHECK_FALSE(state == state_of(42, {3, 2}, 17, "forgotten"));
  CHECK(State::from_bytes(bytes_of(state_of(1, {1, 1}, 0, ""))).payload().empty());
  CHECK(State().empty());
  CHECK(State().payload().empty());
  CHECK(State() == State());
}

TEST_CASE("State: damaged bytes are refused, whatever is damaged", "[core][error]") {
  const Bytes good = bytes_of(state_of(42, {3, 2}, 17, "remember"));
  for (std::size_t n = 0; n < good.size(); ++n) {
    INFO("cut off after " << n << " bytes");
    CHECK(support::refuses([&] { State::from_bytes(std::span(good).first(n)); }, {"state"}));
  }
  for (std::size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      INFO("byte " << i << ", bit " << bit);
      Bytes bad = good;
      bad[i] ^= static_cast<std::byte>(1 << bit);
      CHECK(support::refuses([&] { State::from_bytes(bad); }, {"state"}));
    }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  CHECK(support::refuses([&] { State::from_bytes(longer); }, {"state", "payload"}));
  CHECK(support::refuses([] { State::from_bytes({}); }, {"state", "0 bytes"}));
  CHECK(support::refuses([] { State().fingerprint(); }, {"state", "empty"}));
}
