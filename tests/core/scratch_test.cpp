#include "eigenstream/core/scratch.hpp"

#include <cstdint>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("Scratch: grows to the most that was asked for, aligned", "[core]") {
  es::Scratch scratch;
  CHECK(scratch.bytes() == 0);
  scratch.reserve(1000);
  CHECK(scratch.bytes() == 1024);
  CHECK(reinterpret_cast<std::uintptr_t>(scratch.data()) % static_cast<std::uintptr_t>(es::memory_alignment) == 0);
  const std::byte* place = scratch.data();
  scratch.reserve(500);
  CHECK((scratch.bytes() == 1024 && scratch.data() == place));
  scratch.reserve(2000);
  CHECK(scratch.bytes() == 2048);
}
