#include <cmath>
#include <limits>

#include "eigenstream/names/continual.hpp"
#include "support/catch.hpp"
#include "support/reference.hpp"

// The worked tables of the specification.

namespace es = eigenstream;
namespace co = eigenstream::continual;
using es::Index;
using es::Weights;

namespace {

using Tensor1 = Eigen::Tensor<float, 1>;
using Tensor2 = Eigen::Tensor<float, 2>;

constexpr float nothing = std::numeric_limits<float>::quiet_NaN();
constexpr float o = nothing;

const std::vector<float> x8 = support::count_to(8), y8 = {3, -1, 4, -1, 5, -9, 2, 6};

Tensor2 row(const std::vector<float>& values) {
  Tensor2 x(1, static_cast<Index>(values.size()));
  std::copy(values.begin(), values.end(), x.data());
  return x;
}
bool close(float a, float b) { return std::abs(a - b) <= 1e-5f * std::max(1.0f, std::abs(b)); }
bool same(const std::vector<float>& a, const std::vector<float>& b) {
  bool all = a.size() == b.size();
  for (std::size_t i = 0; all && i < a.size(); ++i) all = std::isnan(b[i]) ? std::isnan(a[i]) : close(a[i], b[i]);
  if (!all) {
    for (const float v : a) UNSCOPED_INFO("got " << v);
  }
  return all;
}
std::vector<float> values(const Tensor2& y) { return {y.data(), y.data() + y.size()}; }

// What each step gives, what the end of the signal adds, and the whole of it, which is both together unless it is said.
void check_table(co::Module net, const std::vector<float>& x, const std::vector<float>& steps, const std::vector<float>& padded,
                 const std::vector<float>* whole = nullptr) {
  std::vector<float> given, some;
  for (const float value : x) {
    Tensor1 frame(1);
    frame(0) = value;
    const auto y = net.forward_step(frame);
    given.push_back(y ? (*y)(0) : nothing);
    if (y) some.push_back((*y)(0));
  }
  CHECK(same(given, steps));
  const auto end = net.forward_steps(row({}), true, false);
  CHECK(same(end ? values(*end) : std::vector<float>(), padded));
  some.insert(some.end(), padded.begin(), padded.end());
  CHECK(same(values(net.forward(row(x))), whole == nullptr ? some : *whole));
  net.clean_state();
  CHECK(same(values(*net.forward_steps(row(x), true)), some));
  for (std::size_t t = 0; t < steps.size(); ++t)
    if (!std::isnan(steps[t])) {
      CHECK(net.first_output() == static_cast<es::Time>(t));
      break;
    }
}

Weights<float> ones(Index taps) { return {{1, 1, taps}, std::vector<float>(static_cast<std::size_t>(taps), 1.0f)}; }
co::Module conv(Index taps, Index padding, Index stride) {
  return co::Conv1d(support::counting({1, 1, taps}), {}, {.stride = stride, .padding = padding});
}
co::Module plain_conv(Index taps, Index padding = 0, Index stride = 1) {
  return co::Conv1d(ones(taps), {}, {.stride = stride, .padding = padding});
}

// Every tensor from -0.6 to 0.8 in equal steps.
Weights<float> equidistant(std::vector<Index> shape) {
  Weights<float> w = support::counting(std::move(shape));
  const std::size_t n = w.values.size();
  for (std::size_t i = 0; i < n; ++i) w.values[i] = static_cast<float>(-0.6 + 1.4 * static_cast<double>(i) / static_cast<double>(n - 1));
  return w;
}
es::WeightMap recurrent_weights(Index gates) {
  return {{"weight_ih_l0", equidistant({2 * gates, 1})},
          {"weight_hh_l0", equidistant({2 * gates, 2})},
          {"bias_ih_l0", equidistant({2 * gates})},
          {"bias_hh_l0", equidistant({2 * gates})}};
}
void check_recurrent(co::Module net, const std::vector<float>& expected) {
  const Tensor2 x = row({1, -1, 0.5f, 2});
  CHECK(same(values(net.forward(x)), expected));
  CHECK(same(values(*net.forward_steps(x)), expected));
  CHECK(net.reach() == co::Reach());
}

}  // namespace

TEST_CASE("continual: worked table of convolutions", "[names]") {
  check_table(conv(3, 1, 1), x8, {o, 8, 14, 20, 26, 32, 38, 44}, {23});
  check_table(conv(3, 1, 2), x8, {o, 8, o, 20, o, 32, o, 44}, {});
  check_table(conv(3, 0, 2), x8, {o, o, 14, o, 26, o, 38, o}, {});
  check_table(conv(3, 2, 1), x8, {3, 8, 14, 20, 26, 32, 38, 44}, {23, 8});
  check_table(conv(3, 2, 2), x8, {3, o, 14, o, 26, o, 38, o}, {23});
  check_table(conv(3, 1, 3), x8, {o, 8, o, o, 26, o, o, 44}, {});
  check_table(conv(2, 1, 2), x8, {2, o, 8, o, 14, o, 20, o}, {8});
  check_table(conv(4, 1, 2), x8, {o, o, 20, o, 40, o, 60, o}, {44});
  check_table(conv(5, 2, 2), x8, {o, o, 26, o, 55, o, 85, o}, {70});
  check_table(conv(5, 2, 3), x8, {o, o, 26, o, o, 70, o, o}, {70});
  check_table(conv(1, 0, 2), x8, {1, o, 3, o, 5, o, 7, o}, {});
  const std::vector<float> whole{8, 14, 20, 26, 32, 38, 44, 23};
  check_table(co::Conv1d(support::counting({1, 1, 3}), {}, {.padding = 1}, co::TemporalFill::replicate), x8,
              {o, 9, 14, 20, 26, 32, 38, 44}, {47}, &whole);
  check_table(co::Sequential({conv(3, 1, 1), conv(3, 1, 2)}), x8, {o, o, 58, o, 132, o, 204, o}, {195});
  const co::Module branches = co::BroadcastReduce({conv(3, 1, 1), conv(5, 2, 1), conv(1, 0, 1)});
  check_table(branches, x8, {o, o, 35, 56, 78, 100, 122, 144}, {121, 75});
  CHECK(branches.reach() == co::Reach{5, 1, 2, 2, 2});
  check_table(co::Residual(conv(3, 1, 1)), x8, {o, 9, 16, 23, 30, 37, 44, 51}, {31});
  check_table(co::BroadcastReduce({plain_conv(3, 1, 2), plain_conv(5, 2, 2)}), support::count_to(12),
              {o, o, 9, o, 24, o, 40, o, 56, o, 72, o}, {75});
}

TEST_CASE("continual: worked table of pools", "[names]") {
  const auto third = [](float n) { return n / 3; };
  check_table(co::AvgPool1d(3, {.stride = 1, .padding = 1}), y8,
              {o, third(2), 2, third(2), third(8), third(-5), third(-2), third(-1)}, {third(8)});
  check_table(co::AvgPool1d(3, {.stride = 1, .padding = 1, .count_include_pad = false}), y8,
              {o, 1, 2, third(2), third(8), third(-5), third(-2), third(-1)}, {4});
  check_table(co::AvgPool1d(3, {.stride = 2, .ceil_mode = true}), y8, {o, o, 2, o, third(8), o, third(-2), o}, {4});
  check_table(co::MaxPool1d(3, {.stride = 1, .padding = 1}), y8, {o, 3, 4, 4, 5, 5, 5, 6}, {6});
  check_table(co::MaxPool1d(3, {.stride = 2, .padding = 1}), y8, {o, 3, o, 4, o, 5, o, 6}, {});
  const co::Module dilated = co::MaxPool1d(3, {.stride = 1, .dilation = 2});
  check_table(dilated, y8, {o, o, o, o, 5, -1, 5, 6}, {});
  CHECK(dilated.reach() == co::Reach{5, 1, 0, 4, 4});
}

TEST_CASE("continual: worked table of delays and residuals", "[names]") {
  check_table(co::Delay(2), x8, {o, o, 1, 2, 3, 4, 5, 6}, {7, 8});
  CHECK(co::Delay(2).reach() == co::Reach{3, 1, 0, 2, 2});
  check_table(co::Delay(2, co::Shrink::centered), x8, {o, o, o, o, 3, 4, 5, 6}, {});
  CHECK(co::Delay(2, co::Shrink::centered).reach() == co::Reach{3, 1, 0, 2, 4});
  check_table(co::Delay(2, co::Shrink::lagging), x8, {o, o, 1, 2, 3, 4, 5, 6}, {});
  check_table(co::Skip(2), x8, {o, o, 3, 4, 5, 6, 7, 8}, {});
  CHECK(co::Skip(2).reach() == co::Reach{1, 1, 0, 0, 2});
  const auto residual = [](co::Shrink shrink) { return co::Residual(plain_conv(3), "sum", shrink); };
  check_table(residual(co::Shrink::lagging), x8, {o, o, 7, 11, 15, 19, 23, 27}, {});
  check_table(residual(co::Shrink::centered), x8, {o, o, 8, 12, 16, 20, 24, 28}, {});
  check_table(residual(co::Shrink::leading), x8, {o, o, 9, 13, 17, 21, 25, 29}, {});
}

TEST_CASE("continual: worked table of recurrent layers", "[names]") {
  check_recurrent(co::GRU(recurrent_weights(3)), {0.426827f, 0.310692f, 0.324473f, 0.369321f, 0.530329f, 0.543022f, 0.745233f, 0.646220f});
  check_recurrent(co::RNN(recurrent_weights(1)), {-0.946806f, 0.983675f, -0.161643f, 0.854160f, -0.908156f, 0.989652f, -0.963102f, 0.998751f});
  co::Module lstm = co::LSTM(recurrent_weights(4));
  check_recurrent(lstm, {0.065248f, 0.174757f, 0.076746f, 0.193368f, 0.103460f, 0.293552f, 0.079379f, 0.292712f});
  // The state is h, then c.
  lstm.forward_steps(row({1, -1, 0.5f, 2}));
  const es::State state = *lstm.get_state();
  float cells[2];
  std::memcpy(cells, state.payload().data() + 2 * sizeof(float), sizeof cells);
  CHECK(close(cells[0], 0.085284f));
  CHECK(close(cells[1], 0.311148f));
}

TEST_CASE("continual: what modules in sequence say of themselves", "[names]") {
  const auto pool = [](Index taps, Index stride) { return co::MaxPool1d(taps, {.stride = stride}); };
  struct Row {
    co::Module net;
    co::Reach reach;
    std::vector<Index> steps;
    Index whole;
  };
  std::vector<Index> from2, from4;
  for (Index t = 2; t < 30; ++t) from2.push_back(t);
  for (Index t = 4; t < 30; ++t) from4.push_back(t);
  const std::vector<Index> even{4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28};
  es::WeightMap gru = recurrent_weights(3);
  const Row rows[] = {
      {co::Sequential({conv(3, 1, 1), conv(3, 1, 1)}), {5, 1, 2, 2, 2}, from2, 30},
      {co::Sequential({conv(3, 0, 1), conv(3, 0, 1)}), {5, 1, 0, 4, 4}, from4, 26},
      {co::Sequential({conv(3, 1, 1), pool(2, 2), conv(3, 1, 2)}), {8, 4, 3, 4, 4}, {4, 8, 12, 16, 20, 24, 28}, 8},
      {co::Sequential({conv(3, 0, 1), conv(3, 0, 2), conv(3, 0, 3), conv(3, 0, 1)}), {21, 6, 0, 20, 20}, {20, 26}, 2},
      {co::Sequential({conv(3, 1, 1), conv(3, 1, 2), conv(3, 1, 3), conv(3, 1, 1)}), {21, 6, 10, 10, 10}, {10, 16, 22, 28}, 5},
      {co::Sequential({conv(3, 2, 2), conv(3, 0, 1)}), {7, 2, 2, 4, 4}, even, 14},
      {co::Sequential({conv(5, 2, 2), co::GRU(gru), co::AvgPool1d(2, {.stride = 1})}), {7, 2, 2, 4, 4}, even, 14},
  };
  for (const Row& row_of : rows) {
    CAPTURE(&row_of - rows);
    co::Module net = row_of.net;
    CHECK(net.reach() == row_of.reach);
    std::vector<Index> steps;
    for (Index t = 0; t < 30; ++t) {
      Tensor1 frame(1);
      frame(0) = static_cast<float>(t);
      if (net.forward_step(frame)) steps.push_back(t);
    }
    CHECK(steps == row_of.steps);
    CHECK(net.forward(row(support::count_to(30))).dimension(1) == row_of.whole);
  }
}
