#ifndef EIGENSTREAM_TESTS_SUPPORT_LANES_HPP
#define EIGENSTREAM_TESTS_SUPPORT_LANES_HPP

#include <cstring>
#include <vector>

#include "eigenstream/kernel/map.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace support {

/// A number's result does not depend on the lane or the packet that it is in.
template <class F>
void check_lanes(const F& function) {
  using T = float;
  INFO(F::name);
  Random random(1);
  const std::vector<T> x = random_values<T>(67, random);
  std::vector<T> whole(x.size()), one(x.size());
  es::kernel::map_pointwise(x.data(), whole.data(), 67, function);
  for (std::size_t i = 0; i < x.size(); ++i) es::kernel::map_pointwise(&x[i], &one[i], 1, function);
  CHECK(std::memcmp(whole.data(), one.data(), whole.size() * sizeof(T)) == 0);
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_LANES_HPP
