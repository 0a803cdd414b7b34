#include "eigenstream/core/scratch.hpp"

#include <cstdint>

#include "support/catch.hpp"

namespace es = eigenstream;

TEST_CASE("Scratch: grows to the most that is asked for, aligned, and nothing moves", "[core]") {
  es::Scratch scratch;
  CHECK(scratch.bytes() == 0);
  std::byte* first = scratch.reserve(1000);
  CHECK(scratch.bytes() == 1024);
  CHECK(reinterpret_cast<std::uintptr_t>(first) % static_cast<std::uintptr_t>(es::memory_alignment) == 0);
  CHECK(scratch.reserve(500) == first);
  first[999] = std::byte{7};
  std::byte* second = scratch.reserve(2000);
  CHECK(second != first);
  CHECK(scratch.reserve(1024) == second);
  CHECK(first[999] == std::byte{7});
  CHECK(scratch.bytes() == 3072);
}

TEST_CASE("StateBlock: with scratch memory of somebody else's", "[core]") {
  es::Scratch scratch;
  std::byte* shared = scratch.reserve(64);
  const es::StateBlock block(128, {3}, shared);
  CHECK(block.bytes() == 128);
  CHECK(block.ref().scratch == shared);
  es::StateBlock copy = block, own(128, {3}, es::Index{64});
  CHECK(copy.ref().scratch == shared);
  CHECK(copy.ref().data != block.ref().data);
  const std::byte* before = own.ref().scratch;
  own = copy;
  CHECK(own.ref().scratch == shared);
  CHECK(own.ref().scratch != before);
}
