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

/// What a window layer makes of a window is `expected`; nothing is allocated, nothing written outside; it gives the same in
/// place if it may, whatever its scratch memory holds; and what lies behind the window does not matter.
template <es::WindowLayer L, class T>
void check_window(const L& layer, const Eigen::Tensor<T, 2>& x, const Eigen::Tensor<double, 2>& expected, double allowed) {
  const es::WindowShape in{x.dimension(0), x.dimension(1)}, out = layer.out_window(in);
  INFO("a window of " << in.channels << " channels and " << in.frames << " frames");
  REQUIRE(out == es::WindowShape{expected.dimension(0), expected.dimension(1)});
  constexpr T mark = T(12345);
  std::vector<T> first;
  for (const T behind : {T(0), std::numeric_limits<T>::quiet_NaN()}) {
    WindowMemory<T> from(in.size(), behind), to(out.size(), mark);
    std::copy_n(x.data(), x.size(), from.data());
    es::StateBlock scratch(layer.scratch_bytes(in), {}, 0);
    if (scratch.bytes() > 0) std::memset(scratch.ref().data, 0xff, static_cast<std::size_t>(scratch.bytes()));
    const NoAllocation guard;
    layer.apply(in, from.data(), to.data(), scratch.ref().data);
    CHECK(guard.count() == 0);
    CHECK(to.untouched(mark));
    Signal<T> y(out.channels, 1, out.frames);
    std::copy_n(to.data(), out.size(), y.data());
    Signal<double> wanted(out.channels, 1, out.frames);
    std::copy_n(expected.data(), expected.size(), wanted.data());
    CHECK(difference(y, wanted) < allowed);
    if (first.empty()) first.assign(y.data(), y.data() + y.size());
    CHECK(std::memcmp(first.data(), y.data(), first.size() * sizeof(T)) == 0);
    if (layer.in_place()) {
      REQUIRE(in == out);
      layer.apply(in, from.data(), from.data(), scratch.ref().data);
      CHECK(std::memcmp(first.data(), from.data(), first.size() * sizeof(T)) == 0);
    }
  }
}

/// What a network makes of a window; nothing is allocated, written outside, or changed in the window, whatever the
/// scratch memory holds.
template <class T>
Eigen::Tensor<T, 2> run_window(const es::WindowNet<T>& net, const Eigen::Tensor<T, 2>& x) {
  const typename es::WindowNet<T>::Plan plan(net, {x.dimension(0), x.dimension(1)});
  constexpr T mark = T(77);
  WindowMemory<T> from(x.size()), to(plan.out().size(), mark);
  std::copy_n(x.data(), x.size(), from.data());
  es::StateBlock scratch(plan.scratch_bytes(), {}, 0);
  if (scratch.bytes() > 0) std::memset(scratch.ref().data, 0xff, static_cast<std::size_t>(scratch.bytes()));
  const NoAllocation guard;
  plan.apply(from.data(), to.data(), scratch.ref().data);
  CHECK(guard.count() == 0);
  CHECK(to.untouched(mark));
  CHECK(std::equal(x.data(), x.data() + x.size(), from.data()));
  Eigen::Tensor<T, 2> y(plan.out().channels, plan.out().frames);
  std::copy_n(to.data(), y.size(), y.data());
  return y;
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_WINDOW_HPP
