#include "eigenstream/core/state_block.hpp"

#include <cstdint>
#include <utility>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;
using es::StateBlock;

TEST_CASE("StateBlock: a regular value, aligned, zero at first", "[core]") {
  StateBlock a(100, {.channels = 3, .batch = 2});
  CHECK(a.bytes() == 128);
  CHECK(reinterpret_cast<std::uintptr_t>(a.ref().data) % static_cast<std::uintptr_t>(es::memory_alignment) == 0);
  CHECK(a.ref().shape == es::FrameShape{.channels = 3, .batch = 2});
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
  const StateBlock larger(1000, {});
  a = larger;
  CHECK(a.bytes() == 1024);
  CHECK(a.ref().shape == es::FrameShape{1});
  const StateBlock& self = a;
  a = self;
  CHECK(a.bytes() == 1024);

  StateBlock moved = std::move(b);
  CHECK(moved.ref().data[5] == std::byte{8});
  a = std::move(moved);
  CHECK(a.ref().data[5] == std::byte{8});
  CHECK(a.ref().shape == es::FrameShape{.channels = 3, .batch = 2});

  const StateBlock none(0, {}), copy = none;
  CHECK(copy.bytes() == 0);
  CHECK(es::aligned_bytes(0) == 0);
  CHECK(es::aligned_bytes(1) == es::memory_alignment);
  CHECK(es::aligned_bytes(es::memory_alignment) == es::memory_alignment);
}
