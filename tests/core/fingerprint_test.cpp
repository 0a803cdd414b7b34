#include "eigenstream/core/fingerprint.hpp"

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Fingerprint;
using es::Index;

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
