#include "eigenstream/kernel/recurrent.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;
using es::RecurrentCell;

namespace {

// A unit's result is the same wherever it stands, nothing is written behind the last one, and y may be `before`.
template <RecurrentCell Cell, class T>
void check_cell() {
  support::Random random(1);
  constexpr Index gates = es::gates_of(Cell);
  for (Index hidden = 1; hidden <= 35; ++hidden) {
    const auto values = [&](Index n) { return support::random_values<T>(n, random); };
    const std::vector<T> a = values(gates * hidden), b = values(gates * hidden), before = values(hidden), kept = values(hidden);
    const T mark = std::numeric_limits<T>::max();
    std::vector<T> y(static_cast<std::size_t>(hidden + 1), mark), cell = kept, in_place = before;
    cell.push_back(mark);
    es::kernel::recurrent_step<Cell>(a.data(), b.data(), hidden, before.data(), cell.data(), y.data());
    REQUIRE(y.back() == mark);
    REQUIRE(cell.back() == mark);
    std::vector<T> cell_again = kept;
    es::kernel::recurrent_step<Cell>(a.data(), b.data(), hidden, in_place.data(), cell_again.data(), in_place.data());
    for (Index u = 0; u < hidden; ++u) {
      const std::size_t i = static_cast<std::size_t>(u);
      REQUIRE(in_place[i] == y[i]);
      T a1[gates], b1[gates], y1 = 0, c1 = kept[i];
      for (Index g = 0; g < gates; ++g)
        a1[g] = a[static_cast<std::size_t>(g * hidden + u)], b1[g] = b[static_cast<std::size_t>(g * hidden + u)];
      es::kernel::recurrent_step<Cell>(a1, b1, Index{1}, &before[i], &c1, &y1);
      REQUIRE(y1 == y[i]);
      if (Cell == RecurrentCell::lstm) REQUIRE(c1 == cell[i]);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("recurrent_step: a unit by itself is a unit among others", "[kernel][property]", float, double) {
  check_cell<RecurrentCell::rnn_tanh, TestType>();
  check_cell<RecurrentCell::rnn_relu, TestType>();
  check_cell<RecurrentCell::gru, TestType>();
  check_cell<RecurrentCell::lstm, TestType>();
}
