#include "eigenstream/layer/recurrent.hpp"

#include <cmath>

#include "eigenstream/compose/bidirectional.hpp"
#include "eigenstream/window/windowed.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"
#include "support/window.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::RecurrentCell;
using es::RecurrentWeights;
using support::error_of;

namespace {

struct RecurrentOptions {
  bool bias = true;
  Index projection = 0;
  bool initial = false;
  std::uint64_t seed = 1;
};

template <class T>
RecurrentWeights<T> random_recurrent(RecurrentCell cell, Index in, Index hidden, RecurrentOptions options = {}) {
  support::Random random(options.seed);
  const Index rows = es::gates_of(cell) * hidden, out = options.projection > 0 ? options.projection : hidden;
  const auto weights = [&](std::vector<Index> shape) {
    return support::random_weights<T>(std::move(shape), random, hidden);
  };
  RecurrentWeights<T> all{weights({rows, in}), weights({rows, out})};
  if (options.bias) all.input_bias = weights({rows}), all.hidden_bias = weights({rows});
  if (options.projection > 0) all.projection = weights({out, hidden});
  if (options.initial) all.h0 = weights({out});
  if (options.initial && es::is_lstm_cell(cell)) all.c0 = weights({hidden});
  return all;
}

// Calls f with the layer's type for a cell.
template <class T, class F>
void with_cell(RecurrentCell cell, F&& f) {
  if (cell == RecurrentCell::rnn_tanh) f.template operator()<es::Rnn<T>>();
  if (cell == RecurrentCell::rnn_relu) f.template operator()<es::RnnRelu<T>>();
  if (cell == RecurrentCell::gru) f.template operator()<es::Gru<T>>();
  if (cell == RecurrentCell::lstm) f.template operator()<es::Lstm<T>>();
  if (cell == RecurrentCell::lstm_fast) f.template operator()<es::FastLstm<T>>();
}

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }
double fast_tanh(double x) {
  const double s = std::abs(x), q = x * x;
  return x * (2.45550750702956 * (1 + s) + (0.893229853513558 + 0.821226666969744 * s) * q) /
         (2.44506634652299 + (2.44506634652299 + q) * std::abs(x + 0.814642734961073 * x * s));
}

// The formulas, unit by unit, of each signal of a batch.
template <class T>
Eigen::Tensor<double, 3> naive(RecurrentCell cell, const RecurrentWeights<T>& w, const Eigen::Tensor<T, 3>& x) {
  const Index hidden = w.hidden.shape[0] / es::gates_of(cell), out = w.hidden.shape[1], in = x.dimension(0);
  Eigen::Tensor<double, 3> y(out, x.dimension(1), x.dimension(2));
  for (Index b = 0; b < x.dimension(1); ++b) {
    std::vector<double> h(static_cast<std::size_t>(out), 0.0), c(static_cast<std::size_t>(hidden), 0.0), next(c);
    if (!w.h0.empty()) std::copy(w.h0.values.begin(), w.h0.values.end(), h.begin());
    if (!w.c0.empty()) std::copy(w.c0.values.begin(), w.c0.values.end(), c.begin());
    for (Index t = 0; t < x.dimension(2); ++t) {
      const auto from_input = [&](Index row) {
        double sum = w.input_bias.empty() ? 0 : static_cast<double>(w.input_bias(row));
        for (Index i = 0; i < in; ++i) sum += static_cast<double>(w.input(row, i)) * static_cast<double>(x(i, b, t));
        return sum;
      };
      const auto from_hidden = [&](Index row) {
        double sum = w.hidden_bias.empty() ? 0 : static_cast<double>(w.hidden_bias(row));
        for (Index i = 0; i < out; ++i) sum += static_cast<double>(w.hidden(row, i)) * h[static_cast<std::size_t>(i)];
        return sum;
      };
      for (Index u = 0; u < hidden; ++u) {
        const auto gate = [&](Index g) { return from_input(g * hidden + u) + from_hidden(g * hidden + u); };
        double& own = next[static_cast<std::size_t>(u)];
        if (cell == RecurrentCell::rnn_tanh) own = std::tanh(gate(0));
        if (cell == RecurrentCell::rnn_relu) own = std::max(gate(0), 0.0);
        if (cell == RecurrentCell::gru) {
          const double z = sigmoid(gate(1));
          const double fresh = std::tanh(from_input(2 * hidden + u) + sigmoid(gate(0)) * from_hidden(2 * hidden + u));
          own = (1 - z) * fresh + z * h[static_cast<std::size_t>(u)];
        }
        if (es::is_lstm_cell(cell)) {
          const bool fast = cell == RecurrentCell::lstm_fast;
          const auto opened = [&](Index g) { return fast ? (fast_tanh(gate(g) / 2) + 1) / 2 : sigmoid(gate(g)); };
          const auto bent = [&](double v) { return fast ? fast_tanh(v) : std::tanh(v); };
          double& kept = c[static_cast<std::size_t>(u)];
          kept = opened(1) * kept + opened(0) * bent(gate(2));
          own = opened(3) * bent(kept);
        }
      }
      for (Index o = 0; o < out; ++o) {
        double& value = h[static_cast<std::size_t>(o)];
        if (w.projection.empty()) {
          value = next[static_cast<std::size_t>(o)];
        } else {
          value = 0;
          for (Index u = 0; u < hidden; ++u)
            value += static_cast<double>(w.projection(o, u)) * next[static_cast<std::size_t>(u)];
        }
        y(o, b, t) = value;
      }
    }
  }
  return y;
}

constexpr RecurrentCell cells[] = {RecurrentCell::rnn_tanh, RecurrentCell::rnn_relu, RecurrentCell::gru,
                                   RecurrentCell::lstm, RecurrentCell::lstm_fast};

}  // namespace

TEMPLATE_TEST_CASE("Recurrent: the definition", "[layer]", float, double) {
  using T = TestType;
  const RecurrentCell cell = cells[GENERATE(0, 1, 2, 3, 4)];
  const auto [in, hidden] = GENERATE(table<Index, Index>({{1, 1}, {3, 5}, {2, 16}, {20, 33}}));
  const bool bias = GENERATE(true, false), initial = GENERATE(false, true);
  for (const Index projection : {Index{0}, hidden / 2}) {
    if (projection > 0 && !es::is_lstm_cell(cell)) continue;
    INFO("cell " << static_cast<int>(cell) << ", " << in << " channels to " << hidden << ", projection " << projection);
    const auto weights = random_recurrent<T>(cell, in, hidden, {bias, projection, initial});
    support::Random random(3);
    for (const Index batch : {1, 3})
      for (const Index frames : {0, 1, 2, 40}) {
        const auto x = support::random_tensor<T>(random, in, batch, frames);
        with_cell<T>(cell, [&]<class L>() {
          CHECK(support::difference(support::offline(L(weights), x), naive(cell, weights, x)) < support::tolerance<T>);
        });
      }
  }
}

TEMPLATE_TEST_CASE("Recurrent: any chunking gives the offline output", "[layer][property]", float, double) {
  using T = TestType;
  const RecurrentCell cell = cells[GENERATE(0, 1, 2, 3, 4)];
  for (const auto& [in, hidden, batch] : {std::tuple<Index, Index, Index>(1, 1, 1), {3, 5, 2}, {2, 16, 1}, {8, support::cases<Index>(70), 3}})
    with_cell<T>(cell, [&]<class L>() {
      support::check_contract(L(random_recurrent<T>(cell, in, hidden, {.initial = hidden == 5})), batch,
                              {.exact = false, .light = support::small_target && batch != 2});
    });
  support::check_contract(es::Lstm<T>(random_recurrent<T>(RecurrentCell::lstm, 3, 9, {.projection = 4, .initial = true})),
                          2, {.exact = false});
}

TEST_CASE("Recurrent: sizes fixed at compile time give the same", "[layer][property]") {
  support::check_equal(es::Gru<float, 3, 8>(random_recurrent<float>(RecurrentCell::gru, 3, 8)),
                       es::Gru<float>(random_recurrent<float>(RecurrentCell::gru, 3, 8)), 2);
  support::check_equal(es::Lstm<float, 1, 20>(random_recurrent<float>(RecurrentCell::lstm, 1, 20)),
                       es::Lstm<float>(random_recurrent<float>(RecurrentCell::lstm, 1, 20)));
  support::check_equal(es::Rnn<double, 2, 4>(random_recurrent<double>(RecurrentCell::rnn_tanh, 2, 4)),
                       es::Rnn<double>(random_recurrent<double>(RecurrentCell::rnn_tanh, 2, 4)));
  CHECK_THAT(error_of([] { es::Gru<float, 3, 8>(random_recurrent<float>(RecurrentCell::gru, 3, 9)); }),
             Contains("GRU: the weight has 9 hidden units, the type 8"));
}

TEST_CASE("Recurrent: never forgets, and says so", "[layer]") {
  const es::Gru<float> gru(random_recurrent<float>(RecurrentCell::gru, 2, 3));
  const es::Timing timing = gru.timing();
  CHECK(timing.recursive());
  CHECK(timing.receptive_field() == es::unbounded);
  CHECK(timing.delay() == 0);
  CHECK(timing.first_input(7) == 0);
  CHECK(timing.outputs_after(9) == 9);
  es::Stream stream(gru);
  CHECK(stream.state_bytes() == 3 * 4);
  CHECK(es::Stream(es::Lstm<float>(random_recurrent<float>(RecurrentCell::lstm, 2, 3)), {.batch = 2}).state_bytes() ==
        2 * 2 * 3 * 4);
}

TEST_CASE("Recurrent: extreme inputs saturate, and NaN stays where it came in", "[layer]") {
  for (const RecurrentCell cell : cells) {
    if (cell == RecurrentCell::rnn_relu) continue;
    with_cell<float>(cell, [&]<class L>() {
      es::Stream stream(L(random_recurrent<float>(cell, 1, 5)), {.batch = 2});
      Eigen::Tensor<float, 3> x(1, 2, 1);
      for (const float value : {1e4f, -1e4f, 3e38f, -3e38f}) {
        x.setConstant(value);
        const Eigen::Tensor<float, 3> y = stream(x);
        for (Index i = 0; i < y.size(); ++i) {
          CHECK(std::isfinite(y.data()[i]));
          CHECK(std::abs(y.data()[i]) <= 1.0f);
        }
      }
      x(0, 1, 0) = std::numeric_limits<float>::quiet_NaN();
      const Eigen::Tensor<float, 3> y = stream(x);
      for (Index u = 0; u < 5; ++u) {
        CHECK(std::isfinite(y(u, 0, 0)));
        CHECK(std::isnan(y(u, 1, 0)));
      }
    });
  }
}

TEST_CASE("Recurrent: both directions, several layers, in a stream of windows", "[layer][property]") {
  for (const RecurrentCell cell : cells)
    with_cell<float>(cell, [&]<class L>() {
      const L forwards(random_recurrent<float>(cell, 3, 4)), backwards(random_recurrent<float>(cell, 3, 4, {.seed = 2})),
          second(random_recurrent<float>(cell, 8, 5));
      const es::Windowed layer(es::sequential(es::bidirectional(forwards, backwards), es::along(second)), 9, 4);
      CHECK(layer.facts({3}).out == es::FrameShape{5, 9});
      support::check_contract(layer, 2, {.exact = false});
    });
}

TEST_CASE("Recurrent: what does not add up is an error that names it", "[layer][error]") {
  const auto build = [](auto&& change, RecurrentCell cell = RecurrentCell::gru) {
    auto weights = random_recurrent<float>(cell, 2, 3);
    change(weights);
    return error_of([&] { with_cell<float>(cell, [&]<class L>() { L{weights}; }); });
  };
  CHECK(build([](auto&) {}).empty());
  CHECK_THAT(build([](auto& w) { w.hidden.shape = {3, 9}; }),
             Contains("GRU: weight_hh has shape (3,9), expected (3*hidden,hidden)"));
  CHECK_THAT(build([](auto& w) { w.hidden.shape = {27}; }), Contains("weight_hh has shape (27)"));
  CHECK_THAT(build([](auto& w) { w.input.shape = {6, 3}; }), Contains("weight_ih has shape (6,3), expected (9,channels)"));
  CHECK_THAT(build([](auto& w) { w.hidden_bias = {}; }), Contains("come together"));
  CHECK_THAT(build([](auto& w) { w.input_bias.shape = {3, 3}; }), Contains("bias_ih has shape (3,3), expected (9)"));
  CHECK_THAT(build([](auto& w) { w.h0 = support::counting({4}); }), Contains("h0 has shape (4), expected (3)"));
  CHECK_THAT(build([](auto& w) { w.c0 = support::counting({3}); }), Contains("c0 belongs to an LSTM only"));
  CHECK_THAT(build([](auto& w) { w.projection = support::counting({3, 3}); }), Contains("belongs to an LSTM only"));
  CHECK_THAT(build([](auto& w) { w.projection = support::counting({2, 3}); }, RecurrentCell::lstm),
             Contains("LSTM: weight_hr has shape (2,3), expected (3,3)"));
  const es::Gru<float> layer(random_recurrent<float>(RecurrentCell::gru, 2, 3));
  CHECK_THAT(error_of([&] { layer.facts({3}); }), Contains("GRU: takes 2 channels, not 3"));
}
