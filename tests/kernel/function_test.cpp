#include "eigenstream/kernel/function.hpp"

#include <iterator>
#include <utility>

#include "support/catch.hpp"
#include "support/lanes.hpp"

namespace es = eigenstream;
using support::check_lanes;

TEST_CASE("functions of mathematics: on a packet as on a number", "[kernel][property]") {
  [&]<int... each>(std::integer_sequence<int, each...>) {
    (check_lanes(es::kernel::Elementary<float, static_cast<es::Function>(each)>()), ...);
  }(std::make_integer_sequence<int, static_cast<int>(std::size(es::function_names))>());
  for (const float exponent : {-1.5f, 0.0f, 0.3f, 3.0f}) check_lanes(es::kernel::Power<float>{exponent});
  for (int op = 0; op < static_cast<int>(std::size(es::comparison_names)); ++op)
    check_lanes(es::kernel::Compare<float>{static_cast<es::Comparison>(op), 0.25f});
}
