#include "eigenstream/compose/stages.hpp"

#include <vector>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

struct Part {
  int id;
  bool works_in_place;
  bool in_place() const noexcept { return works_in_place; }
};

// Both kinds answer alike.
template <class Stages>
void check_stages(const Stages& stages) {
  std::vector<std::pair<Index, int>> seen;
  stages.for_each([&](Index i, const Part& part) { seen.emplace_back(i, part.id); });
  CHECK(seen == std::vector<std::pair<Index, int>>{{0, 10}, {1, 11}, {2, 12}});
  CHECK(stages.size() == 3);
  int first = 0, visited = 0;
  stages.first([&](const Part& part) { first = part.id; });
  stages.visit(2, [&](const Part& part) { visited = part.id; });
  CHECK(first == 10);
  CHECK(visited == 12);
  int rest = 0, keeper = 0;
  stages.for_each_from(Stages::next(Stages::begin()), [&](Index, const Part& part) { rest += part.id; });
  CHECK(rest == 23);
  stages.next_keeper(Stages::begin(), [&](Index i, const Part& part) { keeper = part.id + static_cast<int>(100 * i); });
  CHECK(keeper == 111);  // the first works in place
}

}  // namespace

TEST_CASE("Stages: of known types and of one type, in order", "[compose]") {
  check_stages(es::detail::TupleStages<Part, Part, Part>{{Part{10, true}, Part{11, false}, Part{12, true}}});
  check_stages(es::detail::VectorStages<Part>{{Part{10, true}, Part{11, false}, Part{12, true}}});
  bool found = false;
  es::detail::VectorStages<Part>{{Part{1, true}}}.next_keeper(0, [&](Index, const Part&) { found = true; });
  CHECK_FALSE(found);
}
