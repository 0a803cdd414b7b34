#include "eigenstream/core/stateless_layer.hpp"

#include "eigenstream/core/layer.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

// What is left to say of a layer without memory.
struct Twice : es::StatelessLayer<float> {
  es::FrameShape wanted() const noexcept { return es::FrameShape::any(); }
  es::Facts facts(const es::FrameShape& in) const noexcept { return {.out = in, .macs = static_cast<double>(in.size())}; }
  std::uint64_t fingerprint() const { return es::Fingerprint("Twice"); }
  Index steps(es::StateRef, es::Frames<const float> x, es::Frames<float> y) const noexcept {
    for (Index i = 0; i < x.scalars(); ++i) y.data[i] = 2 * x.data[i];
    return x.count;
  }
  static constexpr bool in_place() noexcept { return true; }
};
static_assert(es::Layer<Twice>);

}  // namespace

TEST_CASE("StatelessLayer: nothing to remember, a frame for each frame", "[core]") {
  const Twice layer;
  CHECK(layer.facts({.channels = 3, .batch = 2}).state_bytes == 0);
  CHECK(layer.max_outputs(7) == 7);
  CHECK(support::facts_of(layer).max_flush == 0);
  CHECK(layer.input_room({}, 4) == nullptr);
  CHECK(layer.timing().size() == 0);
  support::check_contract(layer, 2, {.channels = 3});
}
