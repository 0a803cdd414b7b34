#include "eigenstream/kernel/fft.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/spectrum.hpp"

namespace es = eigenstream;
using es::Index;
using es::kernel::RealFft;

TEMPLATE_TEST_CASE("RealFft: the definition, and back, for every small length and the usual ones", "[kernel]", float, double) {
  using T = TestType;
  std::vector<Index> lengths{128, 256, 320, 400, 441, 480, 509, 512, 600, 640, 882, 960, 1009, 1023, 1024, 1920, 2003, 2048};
  for (Index n = 1; n <= 100; ++n) lengths.push_back(n);
  for (const Index n : lengths) {
    INFO("n = " << n);
    support::Random random(static_cast<unsigned>(n));
    const auto x = support::random_values<T>(n, random);
    const RealFft<T> fft(n);
    CHECK(fft.size() == n);
    CHECK(fft.bins() == n / 2 + 1);
    const std::size_t bins = static_cast<std::size_t>(fft.bins()), length = static_cast<std::size_t>(n);
    auto re = std::vector<T>(static_cast<std::size_t>(fft.bins() + 1)), im = re,
         back = std::vector<T>(static_cast<std::size_t>(n + 1)),
         scratch = std::vector<T>(static_cast<std::size_t>(fft.scratch() + 1));
    std::fill(scratch.begin(), scratch.end(), std::numeric_limits<T>::quiet_NaN());
    re.back() = im.back() = back.back() = scratch.back() = T(-7);
    {
      const support::NoAllocation nothing;
      fft.forward(x.data(), re.data(), im.data(), scratch.data());
      CHECK(nothing.count() == 0);
    }
    CHECK(support::relative_error(re, im, support::spectrum(x, std::vector<T>(length), fft.bins())) <
          support::spectrum_tolerance<T>);
    CHECK(im[0] == T(0));
    if (n % 2 == 0) CHECK(im[bins - 1] == T(0));

    im[0] = T(3);  // counts for nothing
    if (n % 2 == 0) im[bins - 1] = T(-2);
    {
      const support::NoAllocation nothing;
      fft.inverse(re.data(), im.data(), back.data(), scratch.data());
      CHECK(nothing.count() == 0);
    }
    double squares = 0, all = 0;
    for (std::size_t j = 0; j < length; ++j) {
      squares += std::pow(static_cast<double>(back[j] - x[j]), 2);
      all += std::pow(static_cast<double>(x[j]), 2);
    }
    CHECK(std::sqrt(squares / all) < 2 * support::spectrum_tolerance<T>);
    CHECK((re.back() == T(-7) && im.back() == T(-7) && back.back() == T(-7) && scratch.back() == T(-7)));
  }
}
