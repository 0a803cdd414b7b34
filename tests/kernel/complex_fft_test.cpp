#include "eigenstream/kernel/complex_fft.hpp"

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/spectrum.hpp"

namespace es = eigenstream;
using es::Index;
using es::kernel::ComplexFft;

TEST_CASE("unit_root: exact on the axes, on the unit circle elsewhere", "[kernel]") {
  using es::kernel::unit_root;
  for (const Index n : {1, 2, 3, 4, 7, 12, 1024, 1000003}) {
    CHECK(unit_root(0, n) == std::complex<double>(1, 0));
    CHECK(unit_root(n * 5, n) == std::complex<double>(1, 0));
    if (n % 2 == 0) CHECK(unit_root(n / 2, n) == std::complex<double>(-1, 0));
    if (n % 4 == 0) CHECK(unit_root(n / 4, n) == std::complex<double>(0, -1));
    if (n % 4 == 0) CHECK(unit_root(3 * n / 4, n) == std::complex<double>(0, 1));
    for (Index j = 0; j < n; j += n / 11 + 1) {
      const double angle = -2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(n);
      CHECK(std::abs(unit_root(j, n) - std::polar(1.0, angle)) < 1e-14);
    }
  }
}

TEMPLATE_TEST_CASE("ComplexFft: the definition, for every small length and some long ones", "[kernel]", float, double) {
  using T = TestType;
  std::vector<Index> lengths{127, 128, 160, 200, 240, 251, 256, 480, 512, 600, 720, 997, 1000, 1024};
  for (Index n = 1; n <= 66; ++n) lengths.push_back(n);
  for (const Index n : lengths) {
    INFO("n = " << n);
    support::Random random(static_cast<unsigned>(n));
    const auto re = support::random_values<T>(n, random), im = support::random_values<T>(n, random);
    const ComplexFft<T> fft(n);
    CHECK(fft.size() == n);
    auto y_re = std::vector<T>(static_cast<std::size_t>(n)), y_im = std::vector<T>(static_cast<std::size_t>(n)),
         scratch = std::vector<T>(static_cast<std::size_t>(fft.scratch() + 1));
    std::fill(scratch.begin(), scratch.end(), std::numeric_limits<T>::quiet_NaN());  // what was there counts for nothing
    scratch.back() = T(-7);
    {
      const support::NoAllocation nothing;
      fft({re.data(), im.data()}, {y_re.data(), y_im.data()}, scratch.data());
      CHECK(nothing.count() == 0);
    }
    CHECK(scratch.back() == T(-7));
    CHECK(support::relative_error(y_re, y_im, support::spectrum(re, im, n)) < support::spectrum_tolerance<T>);
    // In place, and of pairs: bit for bit the same.
    auto same_re = re, same_im = im;
    fft({same_re.data(), same_im.data()}, {same_re.data(), same_im.data()}, scratch.data());
    CHECK(same_re == y_re);
    CHECK(same_im == y_im);
    std::vector<T> pairs;
    for (std::size_t j = 0; j < re.size(); ++j) pairs.push_back(re[j]), pairs.push_back(im[j]);
    fft(es::kernel::detail::Pairs<T>{pairs.data()}, {same_re.data(), same_im.data()}, scratch.data());
    CHECK(same_re == y_re);
    CHECK(same_im == y_im);
  }
}
