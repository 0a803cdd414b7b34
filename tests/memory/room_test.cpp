#include "eigenstream/memory/room.hpp"

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("room_for: some frames at least, a tile at most", "[memory]") {
  CHECK(es::room_for(1, 4) == es::max_room);
  CHECK(es::room_for(64, 4) == 64);
  CHECK(es::room_for(1024, 4) == 16);
  CHECK(es::room_for(4096, 4) == 4);  // a frame with space
  CHECK(es::room_for(100000, 4) == 2);
  CHECK(es::room_for(0, 4) == es::max_room);
}
