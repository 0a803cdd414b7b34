#include "eigenstream/kernel/function.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "eigenstream/kernel/map.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

template <class F>
void check_lanes(const F& function) {
  using T = float;
  INFO(F::name);
  support::Random random(1);
  const std::vector<T> x = support::random_values<T>(67, random);
  std::vector<T> whole(x.size()), one(x.size());
  es::kernel::map_pointwise(x.data(), whole.data(), 67, function);
  for (std::size_t i = 0; i < x.size(); ++i) es::kernel::map_pointwise(&x[i], &one[i], 1, function);
  CHECK(std::memcmp(whole.data(), one.data(), whole.size() * sizeof(T)) == 0);
}

}  // namespace

TEST_CASE("functions of mathematics: on a packet as on a number", "[kernel][property]") {
  [&]<int... each>(std::integer_sequence<int, each...>) {
    (check_lanes(es::kernel::Elementary<float, static_cast<es::Function>(each)>()), ...);
  }(std::make_integer_sequence<int, static_cast<int>(std::size(es::function_names))>());
  for (const float exponent : {-1.5f, 0.0f, 0.3f, 3.0f}) check_lanes(es::kernel::Power<float>{exponent});
  for (int op = 0; op < static_cast<int>(std::size(es::comparison_names)); ++op)
    check_lanes(es::kernel::Compare<float>{static_cast<es::Comparison>(op), 0.25f});
}
