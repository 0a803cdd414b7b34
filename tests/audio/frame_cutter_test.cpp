#include "eigenstream/audio/frame_cutter.hpp"

#include <algorithm>
#include <vector>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::SignalPadding;
using Cutter = es::detail::FrameCutter<float>;

namespace {

// All windows of a signal 1, 2, ... n, given in chunks of some length.
std::vector<std::vector<float>> cut(const Cutter& cutter, Index n, Index chunk) {
  const es::FrameShape one{};
  es::StateBlock block(cutter.state_bytes(one), one);
  cutter.reset(block.ref());
  std::vector<float> x;
  for (Index i = 0; i < n; ++i) x.push_back(static_cast<float>(i + 1));
  std::vector<std::vector<float>> all;
  Index before = 0;
  const auto each = [&](const float* window, Index number) {
    CHECK(number == static_cast<Index>(all.size()) - before);
    all.emplace_back(window, window + cutter.size());
  };
  for (Index at = 0; at < n; at += chunk) {
    before = static_cast<Index>(all.size());
    const Index some = std::min(chunk, n - at);
    const Index done = cutter.advance(block.ref(), es::Frames<const float>(x.data() + at, one, some), each);
    CHECK(done == static_cast<Index>(all.size()) - before);
    CHECK(done <= cutter.max_windows(some));
  }
  before = static_cast<Index>(all.size());
  CHECK(cutter.flush(block.ref(), each) <= cutter.max_flush());
  return all;
}

}  // namespace

TEST_CASE("FrameCutter: windows of the padded signal, however it comes", "[audio]") {
  const auto sizes = GENERATE(table<Index, Index, Index, Index>(
      {{1, 1, 0, 0}, {4, 1, 2, 2}, {5, 2, 4, 4}, {6, 4, 0, 5}, {6, 9, 3, 3}, {8, 3, 7, 0}, {300, 70, 150, 150}}));
  const auto [size, hop, left, right] = sizes;
  const SignalPadding padding = GENERATE(SignalPadding::zeros, SignalPadding::reflect, SignalPadding::replicate);
  INFO("size " << size << ", hop " << hop << ", left " << left << ", right " << right << ", padding " << static_cast<int>(padding));
  const Cutter cutter("Test", size, hop, left, right, padding);
  for (const Index n : {0, 1, 2, 3, 5, 8, 9, 21, 400, 1000}) {
    INFO("n " << n);
    std::vector<std::vector<float>> expected;
    const bool enough = n > (padding == SignalPadding::reflect ? std::max(left, right) : 0);
    for (Index j = 0; enough && j * hop + size <= n + left + right; ++j) {
      expected.emplace_back();
      for (Index p = 0; p < size; ++p) {
        Index t = j * hop + p - left;
        if (padding == SignalPadding::reflect) t = t < 0 ? -t : t >= n ? 2 * (n - 1) - t : t;
        if (padding == SignalPadding::replicate) t = std::clamp<Index>(t, 0, n - 1);
        expected.back().push_back(t < 0 || t >= n ? 0.0f : static_cast<float>(t + 1));
      }
    }
    CHECK(cutter.timing().outputs_after(n, true) == static_cast<Index>(expected.size()));
    for (const Index chunk : {1, 7, 1000}) {
      INFO("chunks of " << chunk);
      CHECK(cut(cutter, n, chunk) == expected);
    }
  }
}

TEST_CASE("FrameCutter: impossible sizes are refused by the layer's name", "[audio][errors]") {
  const auto made = [](Index size, Index hop, Index left, Index right) {
    return support::error_of([=] { Cutter("Someone", size, hop, left, right, SignalPadding::zeros); });
  };
  CHECK_THAT(made(0, 1, 0, 0), Contains("Someone: windows of 0 samples"));
  CHECK_THAT(made(4, 0, 0, 0), Contains("Someone: a hop of 0 samples"));
  CHECK_THAT(made(4, 1, 4, 0), Contains("Someone: padding of 4 and 0 samples, must be less than a window"));
  CHECK_THAT(made(4, 1, 0, -1), Contains("Someone: padding of 0 and -1 samples"));
}
