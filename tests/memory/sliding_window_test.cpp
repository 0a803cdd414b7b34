#include "eigenstream/memory/sliding_window.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;
using es::SlidingWindow;
using es::StateBlock;

namespace {

StateBlock garbage(Index bytes, es::FrameShape shape) {
  StateBlock block(bytes, shape);
  if (block.bytes() > 0) std::memset(block.ref().data, 0x5a, static_cast<std::size_t>(block.bytes()));
  return block;
}

}  // namespace

TEST_CASE("SlidingWindow: every window once, complete, in order, however the frames come", "[memory][property]") {
  support::Random random(3);
  const auto from = GENERATE(0, 1, 2, 3);
  const bool roomy = from % 2 == 1, exact = from >= 2;
  for (const Index reach : {1, 2, 3, 7, 40, 300})
    for (const Index stride : {1, 2, 3, 11})
      for (const Index left : {Index{0}, Index{1}, Index{2}, reach - 1, reach, reach + 3})
        for (const Index most : {1, 5, 60, 700}) {
          INFO("reach " << reach << ", stride " << stride << ", left " << left << ", chunks up to " << most << ", roomy " << roomy
                        << ", exact reads " << exact);
          const SlidingWindow window = roomy ? SlidingWindow(reach, stride, left).roomy() : SlidingWindow(reach, stride, left);
          const es::FrameShape shape{2};
          const StateBlock block = garbage(window.state_bytes<float>(shape), shape);
          const StateBlock scratch = garbage(window.scratch_bytes<float>(shape), shape);
          CHECK((scratch.bytes() == 0) == (roomy || reach == 300));
          window.reset<float>(block.ref(), -1.0f);
          Index fed = 0, windows = 0, computed = 0;
          const auto kernel = [&](const float* first, Index count, Index before) {
            CHECK(before >= 0);
            bool right = true;
            computed += count;
            for (Index m = 0; m < count; ++m)
              for (Index k = 0; k < reach; ++k) {
                const Index frame = (windows + before + m) * stride - left + k;
                const float* at = first + (m * stride + k) * 2;
                right = right && at[0] == static_cast<float>(frame < 0 ? -1 : frame);
                right = right && at[1] == static_cast<float>(frame < 0 ? -1 : -frame);
              }
            REQUIRE(right);
          };
          const Index total = most >= 60 ? 1500 : 400;
          while (fed < total) {
            const Index n = std::min(total - fed, random.integer(0, most));
            std::vector<float> x;
            for (Index t = fed; t < fed + n; ++t) x.insert(x.end(), {static_cast<float>(t), static_cast<float>(-t)});
            const Index completes = window.completes(block.ref(), n);
            Index done = 1;
            if (from == 3 && n == 1 && window.one_is_due(block.ref()))
              window.advance_due<float>(block.ref(), [&](float* first) {
                std::copy_n(x.data(), 2, first + (reach - 1) * 2);
                kernel(first, 1, 0);
              });
            else if (exact && window.is_beside(block.ref(), x.data(), n))
              done = window.advance_beside(block.ref(), x.data(), n, kernel);
            else
              done = window.advance<float>(block.ref(), {x.data(), shape, n}, scratch.ref().data, kernel, exact);
            fed += n, windows += done;
            REQUIRE(windows == computed);
            REQUIRE(done <= window.max_windows(n));
            if (n > 0) REQUIRE(done == completes);
            REQUIRE(windows == (fed + left < reach || fed == 0 ? 0 : (fed + left - reach) / stride + 1));
            REQUIRE(window.seen(block.ref()) == fed);
          }
          // Virtual frames behind the signal.
          const Index before = windows;
          Index filled = 0;
          window.advance_fill<float>(block.ref(), 9.0f, 5, [&](const float*, Index count, Index) { filled += count; });
          REQUIRE(before + filled == (total + 5 + left - reach) / stride + 1);
          REQUIRE(window.seen(block.ref()) == total);
        }
}

TEST_CASE("SlidingWindow: a stream's block holds what is kept and little more", "[memory]") {
  // What convolutions over 96 channels remember, dilated by 1 ... 81: all of them together at most half as much again.
  Index kept = 0, occupied = 0;
  for (const Index dilation : {1, 3, 9, 27, 81, 1, 3, 9}) {
    const SlidingWindow window{2 * dilation + 1, 1, 2 * dilation};
    kept += window.keep() * 96 * 4;
    occupied += window.state_bytes<float>(es::FrameShape{96});
    CHECK(window.roomy().state_bytes<float>(es::FrameShape{96}) >= window.state_bytes<float>(es::FrameShape{96}));
  }
  CHECK(10 * occupied <= 15 * kept);
}

TEST_CASE("SlidingWindow: counts that do not follow from the frames that came are not taken", "[memory][error]") {
  const SlidingWindow window{3, 2, 0};
  const StateBlock block = garbage(window.state_bytes<float>({}), {});
  window.reset<float>(block.ref(), 0.0f);
  Index seen = 0;
  es::StateCodec count;
  window.exchange<float>(block.ref(), count);
  std::vector<std::byte> bytes(count.position());
  es::StateCodec writer = es::StateCodec::writer(bytes, 0);
  window.exchange<float>(block.ref(), writer);
  const auto load = [&](std::size_t at, std::int64_t value) {
    std::vector<std::byte> other = bytes;
    std::memcpy(other.data() + at, &value, sizeof value);
    const StateBlock target = garbage(window.state_bytes<float>({}), {});
    window.reset<float>(target.ref(), 0.0f);
    es::StateCodec reader = es::StateCodec::reader(other, seen);
    window.exchange<float>(target.ref(), reader);
    return reader.good();
  };
  CHECK(load(0, 3));
  for (const std::int64_t due : {0, 1, 2, 4, -100}) CHECK_FALSE(load(0, due));
  CHECK(load(8, 0));
  for (const std::int64_t frames : {-1, 1, 100}) CHECK_FALSE(load(8, frames));
  seen = 1;
  CHECK_FALSE(load(0, 2));  // right by itself, but the other count says that none came
}

TEST_CASE("SlidingWindow: the first frame repeated before the signal, the last one behind it", "[memory]") {
  for (const Index reach : {1, 3})
    for (const Index left : {0, 2, 5})
      for (const Index n : {1, 2, 900})
        for (const Index after : {1, 4, 20000}) {
          INFO("reach " << reach << ", left " << left << ", " << n << " frames, then " << after);
          const SlidingWindow window{reach, 1, left, true};
          const es::FrameShape shape{3};
          const StateBlock block = garbage(window.state_bytes<float>(shape), shape);
          window.reset<float>(block.ref(), -1.0f);
          Index windows = 0;
          const auto kernel = [&](const float* first, Index count, Index) {
            for (Index m = 0; m < count; ++m, ++windows)
              for (Index k = 0; k < reach; ++k) {
                const Index frame = std::clamp<Index>(windows - left + k, 0, n - 1);
                REQUIRE(first[(m + k) * 3] == static_cast<float>(frame));
                REQUIRE(first[(m + k) * 3 + 2] == static_cast<float>(-frame));
              }
          };
          for (Index t = 0; t < n; ++t) {
            const std::vector<float> x{static_cast<float>(t), 0, static_cast<float>(-t)};
            if (t == 0) window.repeat_before<float>(block.ref(), x.data());
            window.advance<float>(block.ref(), {x.data(), shape, 1}, nullptr, kernel);
          }
          window.advance_repeat<float>(block.ref(), after, kernel);
          REQUIRE(windows == std::max<Index>(0, left + n + after - reach + 1));
          REQUIRE(window.seen(block.ref()) == n);
        }
}
