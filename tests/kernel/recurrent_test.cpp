#include "eigenstream/kernel/recurrent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;
using es::RecurrentCell;

namespace {

constexpr RecurrentCell gru = RecurrentCell::gru, lstm = RecurrentCell::lstm;

// Steps by random weights, and what they are applied to.
template <RecurrentCell Cell, class T>
struct StepsCase {
  using Steps = es::kernel::RecurrentSteps<Cell, T>;
  static constexpr Index gates = es::gates_of(Cell), frames = 3;
  support::Random random{1};
  Index hidden, inputs, columns;
  std::vector<T> in, weight, bias, apart, x, before, cell;
  Steps steps;

  StepsCase(Index hidden_, Index inputs_, Index columns_) : hidden(hidden_), inputs(inputs_), columns(columns_) {
    const auto values = [&](Index n) { return support::random_values<T>(n, random); };
    in = values(gates * hidden * inputs), weight = values(gates * hidden * hidden);
    bias = values(gates * hidden), apart = values(gates * hidden);
    x = values(frames * columns * (fused() ? inputs : gates * hidden) + Steps::overrun);
    before = values(columns * hidden), cell = values(columns * hidden);
    steps = Steps(
        hidden, inputs, hidden, [&](Index o, Index i) { return at(in, o * inputs + i); },
        [&](Index o, Index i) { return at(weight, o * hidden + i); }, [&](Index o) { return at(bias, o); },
        [&](Index o) { return at(apart, o); });
  }
  static T at(const std::vector<T>& v, Index i) { return v[static_cast<std::size_t>(i)]; }
  bool fused() const { return Steps::fuses(hidden, inputs); }
  Index x_step() const { return fused() ? inputs : gates * hidden; }

  // The formula for all frames of a column.
  std::vector<double> naive(Index column) const {
    const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    std::vector<double> h, kept, next(static_cast<std::size_t>(hidden)), y;
    for (Index u = 0; u < hidden; ++u)
      h.push_back(static_cast<double>(at(before, column * hidden + u))),
          kept.push_back(static_cast<double>(at(cell, column * hidden + u)));
    for (Index t = 0; t < frames; ++t) {
      const Index from = (t * columns + column) * x_step();
      for (Index u = 0; u < hidden; ++u) {
        double a[4] = {}, b[4] = {};
        for (Index g = 0; g < gates; ++g) {
          const Index row = g * hidden + u;
          a[g] = static_cast<double>(fused() ? at(bias, row) : at(x, from + row));
          if (Cell == gru && g == 2) b[g] = static_cast<double>(at(apart, row));
          for (Index i = 0; fused() && i < inputs; ++i)
            a[g] += static_cast<double>(at(in, row * inputs + i)) * static_cast<double>(at(x, from + i));
          for (Index i = 0; i < hidden; ++i)
            b[g] += static_cast<double>(at(weight, row * hidden + i)) * h[static_cast<std::size_t>(i)];
        }
        const std::size_t own = static_cast<std::size_t>(u);
        if (Cell == RecurrentCell::rnn_tanh) next[own] = std::tanh(a[0] + b[0]);
        if (Cell == RecurrentCell::rnn_relu) next[own] = std::max(a[0] + b[0], 0.0);
        if (Cell == gru) {
          const double z = sigmoid(a[1] + b[1]);
          next[own] = (1 - z) * std::tanh(a[2] + sigmoid(a[0] + b[0]) * b[2]) + z * h[own];
        }
        if (Cell == lstm) {
          kept[own] = sigmoid(a[1] + b[1]) * kept[own] + sigmoid(a[0] + b[0]) * std::tanh(a[2] + b[2]);
          next[own] = sigmoid(a[3] + b[3]) * std::tanh(kept[own]);
        }
      }
      h = next;
      y.insert(y.end(), h.begin(), h.end());
    }
    return y;
  }
};

// All at once is the formula, and bit for bit one column and one frame after the other, with the state in place;
// nothing is written behind the last unit.
template <RecurrentCell Cell, class T>
void check_cell() {
  for (const Index hidden : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 65})
    for (const Index inputs : {1, 3, 8, 70})
      for (const Index columns : {1, 2, 5}) {
        INFO("hidden " << hidden << ", inputs " << inputs << ", columns " << columns);
        StepsCase<Cell, T> c(hidden, inputs, columns);
        const Index frame = hidden * columns;
        const T mark = std::numeric_limits<T>::max();
        const auto marked = [&](Index n) { return std::vector<T>(static_cast<std::size_t>(n + 1), mark); };
        std::vector<T> y = marked(3 * frame), last = marked(frame), cell = c.cell;
        cell.push_back(mark);
        c.steps(c.x.data(), 3, columns, c.before.data(), cell.data(), y.data(), last.data());
        REQUIRE((y.back() == mark && last.back() == mark && cell.back() == mark));
        REQUIRE(std::equal(last.begin(), last.end() - 1, y.begin() + 2 * frame));
        for (Index b = 0; b < columns; ++b) {
          const std::vector<double> expected = c.naive(b);
          std::vector<T> h(c.before.begin() + b * hidden, c.before.begin() + (b + 1) * hidden), own = marked(hidden);
          std::vector<T> kept(c.cell.begin() + b * hidden, c.cell.begin() + (b + 1) * hidden);
          for (Index t = 0; t < 3; ++t) {
            c.steps(c.x.data() + (t * columns + b) * c.x_step(), 1, 1, h.data(), kept.data(), own.data(), h.data());
            REQUIRE(own.back() == mark);
            REQUIRE(std::equal(h.begin(), h.end(), y.begin() + (t * columns + b) * hidden));
            double error = 0, most = 1;
            for (Index u = 0; u < hidden; ++u) {
              const double wanted = expected[static_cast<std::size_t>(t * hidden + u)];
              most = std::max(most, std::abs(wanted));
              error = std::max(error, std::abs(static_cast<double>(h[static_cast<std::size_t>(u)]) - wanted));
            }
            REQUIRE(error < (sizeof(T) == 4 ? 1e-4 : 1e-12) * most);
          }
          if (Cell == lstm) REQUIRE(std::equal(kept.begin(), kept.end(), cell.begin() + b * hidden));
        }
      }
}

}  // namespace

TEMPLATE_TEST_CASE("RecurrentSteps: the formula, the same for one column and frame and for many", "[kernel][property]",
                   float, double) {
  check_cell<RecurrentCell::rnn_tanh, TestType>();
  check_cell<RecurrentCell::rnn_relu, TestType>();
  check_cell<gru, TestType>();
  check_cell<lstm, TestType>();
}

TEST_CASE("RecurrentSteps: the gates' tanh is exact, and held in its range", "[kernel]") {
  using P = es::simd::Packet<float, es::simd::max_lanes<float>>;
  const auto value = [](P p) { return static_cast<double>(first(p)); };
  for (float x = -100; x <= 100; x += 0.001953125f) {
    const double v = static_cast<double>(x), t = value(es::kernel::gate_tanh(P::broadcast(x)));
    REQUIRE(std::abs(t - std::tanh(v)) <= 5e-7 * std::abs(std::tanh(v)));
    REQUIRE(std::abs(t) <= 1);
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(value(es::kernel::gate_tanh(P::broadcast(nan)))));
  CHECK(value(es::kernel::gate_tanh(P::broadcast(1e-30f))) == static_cast<double>(1e-30f));
}
