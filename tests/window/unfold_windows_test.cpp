#include "eigenstream/window/unfold_windows.hpp"

#include <tuple>

#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using support::error_of;

TEST_CASE("unfold_windows: the worked table", "[window]") {
  using Row = std::tuple<Index, Index, Index, std::vector<int>, std::vector<int>>;
  const auto [n, window, stride, windows, rest] =
      GENERATE(Row{6, 3, 2, {0, 1, 2, 2, 3, 4}, {5}}, Row{7, 3, 2, {0, 1, 2, 2, 3, 4, 4, 5, 6}, {}},
               Row{8, 2, 3, {0, 1, 3, 4, 6, 7}, {}}, Row{9, 2, 4, {0, 1, 4, 5}, {6, 7, 8}}, Row{1, 1, 1, {0}, {}});
  Eigen::Tensor<int, 1> x(n);
  for (Index i = 0; i < n; ++i) x(i) = static_cast<int>(i);
  const auto unfolded = es::unfold_windows(x, window, stride);
  CHECK(unfolded.windows.dimension(0) == window);
  CHECK(std::vector<int>(unfolded.windows.data(), unfolded.windows.data() + unfolded.windows.size()) == windows);
  CHECK(std::vector<int>(unfolded.rest.data(), unfolded.rest.data() + unfolded.rest.size()) == rest);
}

TEST_CASE("unfold_windows: every rank and any element type", "[window]") {
  support::Random random(1);
  const auto x = support::random_tensor<double>(random, 2, 3, 20);
  const auto [windows, rest] = es::unfold_windows(x, 6, 5);
  REQUIRE(windows.dimensions() == Eigen::DSizes<Index, 4>(2, 3, 6, 3));
  REQUIRE(rest.dimensions() == Eigen::DSizes<Index, 3>(2, 3, 4));
  bool same = true;
  for (Index c = 0; c < 2; ++c)
    for (Index b = 0; b < 3; ++b) {
      for (Index i = 0; i < 3; ++i)
        for (Index j = 0; j < 6; ++j) same = same && windows(c, b, j, i) == x(c, b, i * 5 + j);
      for (Index r = 0; r < 4; ++r) same = same && rest(c, b, r) == x(c, b, 16 + r);
    }
  CHECK(same);
  Eigen::Tensor<char, 2> text(1, 5);
  text.setConstant('a');
  const Eigen::TensorMap<const Eigen::Tensor<char, 2>> view(text.data(), 1, 5);
  CHECK(es::unfold_windows(view, 5, 1).windows.size() == 5);
}

TEST_CASE("unfold_windows: what cannot be cut is an error", "[window]") {
  Eigen::Tensor<float, 1> x(2);
  CHECK_THAT(error_of([&] { es::unfold_windows(x, 3, 1); }),
             Contains("a signal of 2 samples is shorter than the window of 3"));
  CHECK_THAT(error_of([&] { es::unfold_windows(x, 0, 1); }), Contains("a window of 0 with stride 1"));
  CHECK_THAT(error_of([&] { es::unfold_windows(x, 1, 0); }), Contains("stride 0"));
}
