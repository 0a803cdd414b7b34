#include "eigenstream/window/recurrent.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Recurrent;
using es::RecurrentCell;
using es::RecurrentWeights;
using support::error_of;

namespace {

template <class T>
RecurrentWeights<T> random_recurrent(RecurrentCell cell, Index in, Index hidden, bool bias = true,
                                     std::uint64_t seed = 1) {
  support::Random random(seed);
  const Index rows = Recurrent<T>::gates_of(cell) * hidden;
  const auto weights = [&](std::vector<Index> shape) {
    return support::random_weights<T>(std::move(shape), random, hidden);
  };
  RecurrentWeights<T> all{weights({rows, in}), weights({rows, hidden}), {}, {}};
  if (bias) all.input_bias = weights({rows}), all.hidden_bias = weights({rows});
  return all;
}

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

// The formulas, unit by unit.
template <class T>
Eigen::Tensor<double, 2> naive(RecurrentCell cell, const RecurrentWeights<T>& w, const Eigen::Tensor<T, 2>& x) {
  const Index hidden = w.hidden.shape[1], in = x.dimension(0), frames = x.dimension(1);
  Eigen::Tensor<double, 2> y(hidden, frames);
  std::vector<double> h(static_cast<std::size_t>(hidden), 0.0), c(h);
  for (Index t = 0; t < frames; ++t) {
    const auto from_input = [&](Index row) {
      double sum = w.input_bias.empty() ? 0 : static_cast<double>(w.input_bias(row));
      for (Index i = 0; i < in; ++i) sum += static_cast<double>(w.input(row, i)) * static_cast<double>(x(i, t));
      return sum;
    };
    const auto from_hidden = [&](Index row) {
      double sum = w.hidden_bias.empty() ? 0 : static_cast<double>(w.hidden_bias(row));
      for (Index i = 0; i < hidden; ++i) sum += static_cast<double>(w.hidden(row, i)) * h[static_cast<std::size_t>(i)];
      return sum;
    };
    std::vector<double> next(h);
    for (Index u = 0; u < hidden; ++u) {
      const auto gate = [&](Index g) { return from_input(g * hidden + u) + from_hidden(g * hidden + u); };
      double& own = next[static_cast<std::size_t>(u)];
      if (cell == RecurrentCell::rnn_tanh) own = std::tanh(gate(0));
      if (cell == RecurrentCell::rnn_relu) own = std::max(gate(0), 0.0);
      if (cell == RecurrentCell::gru) {
        const double z = sigmoid(gate(1));
        const double fresh = std::tanh(from_input(2 * hidden + u) + sigmoid(gate(0)) * from_hidden(2 * hidden + u));
        own = (1 - z) * fresh + z * own;
      }
      if (cell == RecurrentCell::lstm) {
        double& kept = c[static_cast<std::size_t>(u)];
        kept = sigmoid(gate(1)) * kept + sigmoid(gate(0)) * std::tanh(gate(2));
        own = sigmoid(gate(3)) * std::tanh(kept);
      }
      y(u, t) = own;
    }
    h = next;
  }
  return y;
}

constexpr RecurrentCell cells[] = {RecurrentCell::rnn_tanh, RecurrentCell::rnn_relu, RecurrentCell::gru,
                                   RecurrentCell::lstm};

}  // namespace

TEMPLATE_TEST_CASE("Recurrent: the definition", "[window]", float, double) {
  using T = TestType;
  const RecurrentCell cell = cells[GENERATE(0, 1, 2, 3)];
  const auto [in, hidden] = GENERATE(table<Index, Index>({{1, 1}, {3, 5}, {2, 16}, {20, 33}}));
  const bool bias = GENERATE(true, false);
  INFO("cell " << static_cast<int>(cell) << ", " << in << " channels to " << hidden);
  const auto weights = random_recurrent<T>(cell, in, hidden, bias);
  support::Random random(3);
  for (const Index frames : {1, 2, 40}) {
    const auto x = support::random_tensor<T>(random, in, frames);
    support::check_window(Recurrent<T>(cell, weights), x, naive(cell, weights, x), support::tolerance<T>);
  }
}

TEST_CASE("Recurrent: both directions, several layers, in a stream of windows", "[window][property]") {
  for (const RecurrentCell cell : cells) {
    const Recurrent<float> forwards(cell, random_recurrent<float>(cell, 3, 4)),
        backwards(cell, random_recurrent<float>(cell, 3, 4, true, 2)),
        second(cell, random_recurrent<float>(cell, 8, 5));
    const es::Windowed<float> layer({es::bidirectional<float>(forwards, backwards), second}, 9, 4);
    CHECK(layer.out_channels(3) == 45);
    support::check_contract(layer, 2, {.exact = false});
  }
}

TEST_CASE("Recurrent: backwards is forwards of the window reversed", "[window]") {
  const auto ahead = random_recurrent<float>(RecurrentCell::gru, 2, 3),
             back = random_recurrent<float>(RecurrentCell::gru, 2, 3, true, 9);
  support::Random random(3);
  const auto x = support::random_tensor<float>(random, 2, 11);
  const auto y = support::run_window(
      es::bidirectional<float>(Recurrent<float>(RecurrentCell::gru, ahead), Recurrent<float>(RecurrentCell::gru, back)),
      x);
  REQUIRE((y.dimension(0) == 6 && y.dimension(1) == 11));
  const Eigen::Tensor<float, 2> reversed = x.reverse(Eigen::array<bool, 2>{false, true});
  const auto a = naive(RecurrentCell::gru, ahead, x), b = naive(RecurrentCell::gru, back, reversed);
  for (Index t = 0; t < 11; ++t)
    for (Index u = 0; u < 3; ++u) {
      CHECK(std::abs(static_cast<double>(y(u, t)) - a(u, t)) < 1e-5);
      CHECK(std::abs(static_cast<double>(y(3 + u, t)) - b(u, 10 - t)) < 1e-5);
    }
}

TEST_CASE("Recurrent: what does not add up is an error that names it", "[window]") {
  const auto build = [](auto&& change) {
    auto weights = random_recurrent<float>(RecurrentCell::gru, 2, 3);
    change(weights);
    return error_of([&] { Recurrent<float>(RecurrentCell::gru, weights); });
  };
  CHECK(build([](auto&) {}).empty());
  CHECK_THAT(build([](auto& w) {
               w.hidden.shape = {3, 9};
             }),
             Contains("weight_hh has shape (3,9), expected (3*hidden,hidden)"));
  CHECK_THAT(build([](auto& w) {
               w.input.shape = {6, 3};
             }),
             Contains("weight_ih has shape (6,3), expected (9,channels)"));
  CHECK_THAT(build([](auto& w) { w.hidden_bias = {}; }), Contains("come together"));
  CHECK_THAT(build([](auto& w) { w.input_bias.shape = {3, 3}; }), Contains("bias_ih has shape (3,3), expected (9)"));
  const Recurrent<float> layer(RecurrentCell::gru, random_recurrent<float>(RecurrentCell::gru, 2, 3));
  CHECK_THAT(error_of([&] { return layer.out_window({3, 4}); }), Contains("takes 2 channels, not 3"));
}
