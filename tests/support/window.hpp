#ifndef EIGENSTREAM_TESTS_SUPPORT_WINDOW_HPP
#define EIGENSTREAM_TESTS_SUPPORT_WINDOW_HPP

#include <cstddef>
#include <vector>

#include "eigenstream/window/windowed.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

namespace support {

/// A piece of memory as windows lie in: aligned, a packet longer than they are, all of it filled.
template <class T>
class WindowMemory {
 public:
  explicit WindowMemory(Index size, T fill = T(0))
      : memory_(static_cast<std::size_t>(size) + slack, fill), size_(size) {}
  T* data() noexcept { return memory_.data(); }
  /// Whether the numbers behind the window are what they were.
  bool untouched(T fill) const {
    for (std::size_t i = static_cast<std::size_t>(size_); i < memory_.size(); ++i)
      if (memory_[i] != fill) return false;
    return true;
  }

 private:
  static constexpr std::size_t slack = 64 / sizeof(T);
  std::vector<T> memory_;
  Index size_;
};

/// What a layer makes of one frame with a column for each frame of a window; nothing is allocated, written outside, or
/// changed in the window, whatever its memory holds; and what lies behind the window does not matter.
template <es::Layer L, class T>
Eigen::Tensor<T, 2> run_window(const L& layer, const Eigen::Tensor<T, 2>& x, T behind = T(0)) {
  const es::FrameShape in{x.dimension(0), x.dimension(1)};
  const es::Facts facts = layer.facts(in);
  REQUIRE(layer.timing().frame_by_frame());
  constexpr T mark = T(12345);
  WindowMemory<T> from(in.size(), behind), to(facts.out.size(), mark);
  std::copy_n(x.data(), x.size(), from.data());
  es::StateBlock block(facts.state_bytes, in, facts.scratch_bytes);
  if (block.bytes() > 0) std::memset(block.ref().data, 0xff, static_cast<std::size_t>(block.bytes()));
  layer.reset(block.ref());
  const NoAllocation guard;
  const Index given = layer.steps(block.ref(), es::Frames<const T>(from.data(), in, 1), es::Frames<T>(to.data(), facts.out, 1));
  CHECK(guard.count() == 0);
  CHECK(given == 1);
  CHECK(to.untouched(mark));
  CHECK(std::memcmp(x.data(), from.data(), sizeof(T) * static_cast<std::size_t>(x.size())) == 0);
  REQUIRE((facts.out.height == 1 && facts.out.batch == 1));
  Eigen::Tensor<T, 2> y(facts.out.channels, facts.out.width);
  std::copy_n(to.data(), y.size(), y.data());
  if (layer.in_place()) {
    REQUIRE(facts.out.size() == in.size());
    layer.steps(block.ref(), es::Frames<const T>(from.data(), in, 1), es::Frames<T>(from.data(), facts.out, 1));
    CHECK(std::memcmp(y.data(), from.data(), sizeof(T) * static_cast<std::size_t>(y.size())) == 0);
  }
  return y;
}

/// What a layer makes of a window is `expected`, whatever lies behind the window.
template <es::Layer L, class T>
void check_window(const L& layer, const Eigen::Tensor<T, 2>& x, const Eigen::Tensor<double, 2>& expected, double allowed) {
  INFO("a window of " << x.dimension(0) << " channels and " << x.dimension(1) << " frames");
  const Eigen::Tensor<T, 2> y = run_window(layer, x);
  REQUIRE(y.dimension(0) == expected.dimension(0));
  REQUIRE(y.dimension(1) == expected.dimension(1));
  Signal<T> given(y.dimension(0), 1, y.dimension(1));
  std::copy_n(y.data(), y.size(), given.data());
  Signal<double> wanted(y.dimension(0), 1, y.dimension(1));
  std::copy_n(expected.data(), expected.size(), wanted.data());
  CHECK(difference(given, wanted) < allowed);
  const Eigen::Tensor<T, 2> again = run_window(layer, x, std::numeric_limits<T>::quiet_NaN());
  CHECK(std::memcmp(y.data(), again.data(), sizeof(T) * static_cast<std::size_t>(y.size())) == 0);
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_WINDOW_HPP
