#include "eigenstream/audio/window_function.hpp"

#include <cmath>
#include <iterator>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using es::WindowFunction;

TEST_CASE("window_values: symmetric ones mirror, periodic ones are the symmetric ones without the last", "[audio]") {
  for (int function = 0; function < static_cast<int>(std::size(es::window_function_names)); ++function)
    for (const Index n : {2, 3, 8, 15, 400}) {
      INFO(es::window_function_names[function] << ", n " << n);
      const auto symmetric = es::window_values(static_cast<WindowFunction>(function), n, false);
      const auto periodic = es::window_values(static_cast<WindowFunction>(function), n - 1, true);
      REQUIRE(static_cast<Index>(symmetric.size()) == n);
      for (std::size_t j = 0; j < symmetric.size(); ++j) {
        CHECK(symmetric[j] >= 0);
        CHECK(symmetric[j] <= 1);
        CHECK(symmetric[j] == Approx(symmetric[symmetric.size() - 1 - j]).margin(1e-12));
        if (n > 2 && j < periodic.size()) CHECK(periodic[j] == Approx(symmetric[j]).margin(1e-12));
      }
    }
}

TEST_CASE("window_values: what is known of them", "[audio]") {
  const auto middle = [](WindowFunction function) { return es::window_values(function, 9, false)[4]; };
  const auto edge = [](WindowFunction function) { return es::window_values(function, 9, false)[0]; };
  const auto quarter = [](WindowFunction function) { return es::window_values(function, 9, false)[2]; };
  for (const WindowFunction each : {WindowFunction::hann, WindowFunction::sqrt_hann, WindowFunction::hamming,
                                    WindowFunction::blackman, WindowFunction::bartlett, WindowFunction::povey})
    CHECK(middle(each) == Approx(1));
  CHECK(edge(WindowFunction::hann) == 0);
  CHECK(edge(WindowFunction::povey) == 0);
  CHECK(edge(WindowFunction::bartlett) == 0);
  CHECK(edge(WindowFunction::blackman) == Approx(0).margin(1e-15));
  CHECK(edge(WindowFunction::hamming) == Approx(0.08));
  CHECK(quarter(WindowFunction::hann) == Approx(0.5));
  CHECK(quarter(WindowFunction::sqrt_hann) == Approx(std::sqrt(0.5)));
  CHECK(quarter(WindowFunction::povey) == Approx(std::pow(0.5, 0.85)));
  CHECK(quarter(WindowFunction::hamming) == Approx(0.54));
  CHECK(quarter(WindowFunction::blackman) == Approx(0.34));
  CHECK(quarter(WindowFunction::bartlett) == Approx(0.5));
  CHECK(es::window_values(WindowFunction::hann, 1) == std::vector<double>{1});
  CHECK_THAT(support::error_of([] { es::window_values(WindowFunction::hann, 0); }),
             Catch::Matchers::Contains("must be at least 1"));
}
