#include "eigenstream/memory/copy.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("copy_forward: every length, to elsewhere or to before where it lies, and nothing beyond", "[memory][property]") {
  for (const Index bytes : {0, 1, 3, 64, 255, 1023, 1024, 1025, 1279, 1280, 1300, 4096, 5000})
    for (const Index back : {1, 7, 64, 200, 1000, 6000}) {
      std::vector<unsigned char> memory(static_cast<std::size_t>(bytes + back + 32));
      for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<unsigned char>(i * 31 + i / 251);
      std::vector<unsigned char> expected = memory;
      std::memmove(expected.data() + 16, memory.data() + 16 + back, static_cast<std::size_t>(bytes));
      es::detail::copy_forward(memory.data() + 16 + back, bytes, memory.data() + 16);
      REQUIRE(memory == expected);
    }
}
