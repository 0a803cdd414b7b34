#include "eigenstream/kernel/aligned_vector.hpp"

#include <cstdint>

#include "eigenstream/kernel/packet.hpp"
#include "support/catch.hpp"

namespace es = eigenstream;

TEST_CASE("AlignedVector: begins where a packet may be loaded", "[kernel]") {
  constexpr std::uintptr_t bytes = sizeof(float) * es::simd::max_lanes<float>;
  for (std::size_t n = 1; n < 40; ++n) {
    const es::kernel::AlignedVector<float> values(n, 1.0f);
    CHECK(reinterpret_cast<std::uintptr_t>(values.data()) % bytes == 0);
  }
}
