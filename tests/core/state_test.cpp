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

TEST_CASE("State: saved and loaded, compared, carried as bytes", "[core]") {
  const State state = state_of(42, {.channels = 3, .batch = 2}, 17, "remember");
  CHECK(state.fingerprint() == 42);
  CHECK(state.shape() == es::FrameShape{.channels = 3, .batch = 2});
  CHECK(state.frames_seen() == 17);
  CHECK(state.payload().size() == 8);
  CHECK_FALSE(state.empty());
  CHECK(State::from_bytes(bytes_of(state)) == state);
  CHECK(state == state_of(42, {.channels = 3, .batch = 2}, 17, "remember"));
  CHECK_FALSE(state == state_of(43, {.channels = 3, .batch = 2}, 17, "remember"));
  CHECK_FALSE(state == state_of(42, {.channels = 2, .batch = 3}, 17, "remember"));
  CHECK_FALSE(state == state_of(42, {.channels = 3, .batch = 2}, 18, "remember"));
  CHECK_FALSE(state == state_of(42, {.channels = 3, .batch = 2}, 17, "forgotten"));
  CHECK(State::from_bytes(bytes_of(state_of(1, {}, 0, ""))).payload().empty());
  CHECK(State().empty());
  CHECK(State().payload().empty());
  CHECK(State() == State());
}

TEST_CASE("State: damaged bytes are refused, whatever is damaged", "[core][error]") {
  const Bytes good = bytes_of(state_of(42, {.channels = 3, .batch = 2}, 17, "remember"));
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
