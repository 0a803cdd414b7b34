#include "support/allocation.hpp"

#include <Eigen/Core>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <unsupported/Eigen/CXX11/Tensor>
#include <vector>

#include "support/catch.hpp"

namespace {

// Keeps the compiler from leaving out an allocation that nobody looks at.
void look_at(const void* block) {
  static const void* volatile sink;
  sink = block;
  (void)sink;
}

template <class F>
std::int64_t counted(F&& f) {
  const support::NoAllocation guard;
  f();
  return guard.count();
}

}  // namespace

TEST_CASE("Allocation tracker: fires on every way to the heap, and counts nothing else", "[support]") {
  if (!support::allocations_are_seen()) {
    WARN("a sanitizer owns malloc in this build: allocations are not seen, and the contract does not check them");
    return;
  }
  CHECK(counted([] { look_at(std::make_unique<int>(3).get()); }) == 2);
  CHECK(counted([] { look_at(std::vector<float>(100).data()); }) == 2);
  CHECK(counted([] { look_at(std::string(100, 'x').data()); }) == 2);
  CHECK(counted([] { look_at(Eigen::MatrixXf(3, 4).data()); }) == 2);
  CHECK(counted([] {
          Eigen::Tensor<float, 2> a(3, 4);
          a.setZero();
          look_at(a.data());
        }) == 2);
  int number = 0;
  CHECK(counted([&] {
          double on_the_stack[100];
          look_at(on_the_stack);
          look_at(&number);
        }) == 0);

#if defined(__GLIBC__)
  CHECK(counted([] {
          void* block = std::malloc(10);
          look_at(block);
          block = std::realloc(block, 1000);
          look_at(block);
          std::free(block);
        }) == 3);
  CHECK(counted([] {
          void* block = std::calloc(10, 10);
          look_at(block);
          std::free(block);
        }) == 2);
  struct alignas(64) Line {
    char bytes[64];
  };
  CHECK(counted([] { look_at(std::make_unique<Line>().get()); }) == 2);
#endif
}

TEST_CASE("Allocation tracker: sees its own thread, while the guard lives", "[support]") {
  if (!support::allocations_are_seen()) return;
  std::unique_ptr<int> kept;
  {
    const support::NoAllocation outer;
    CHECK(counted([&] { kept = std::make_unique<int>(1); }) == 1);
    CHECK(outer.count() >= 1);  // guards nest
  }
  std::int64_t here = -1;
  std::thread other([&] {
    const support::NoAllocation guard;
    here = guard.count();
  });
  other.join();
  CHECK(here == 0);

  std::thread busy;
  std::int64_t mine = -1;
  {
    std::vector<std::unique_ptr<int>> blocks;
    busy = std::thread([&] {
      for (int i = 0; i < 1000; ++i) blocks.push_back(std::make_unique<int>(i));
    });
    const support::NoAllocation guard;
    busy.join();
    mine = guard.count();
  }
  CHECK(mine == 0);
}

TEST_CASE("Allocation tracker: bytes that are held", "[support]") {
#if defined(__GLIBC__)
  if (!support::allocations_are_seen()) return;
  const support::NoAllocation guard;
  auto block = std::make_unique<std::vector<float>>(1000);
  look_at(block->data());
  const std::int64_t held = guard.bytes();
  block->resize(100);
  block->shrink_to_fit();
  const std::int64_t less = guard.bytes();
  block.reset();
  const std::int64_t none = guard.bytes();
  CHECK(held >= 4000);
  CHECK(held < 5000);
  CHECK(less >= 400);
  CHECK(less < 1000);
  CHECK(none == 0);
#endif
}
