#include "eigenstream/core/layer.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

/// A layer of a user's own, with memory: the sum of all frames so far.
struct RunningSum {
  using Scalar = float;
  es::FrameShape wanted() const noexcept { return es::FrameShape::any(); }
  es::Facts facts(const es::FrameShape& in) const noexcept {
    return {.out = in, .state_bytes = in.size() * static_cast<Index>(sizeof(float))};
  }
  es::Timing timing() const { return {}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const noexcept { return es::Fingerprint("RunningSum"); }
  void reset(es::StateRef state) const noexcept { std::fill_n(sums(state), state.shape.size(), 0.0f); }
  Index steps(es::StateRef state, es::Frames<const float> x, es::Frames<float> y) const noexcept {
    for (Index t = 0; t < x.count; ++t)
      for (Index i = 0; i < x.frame_size(); ++i) y.frame(t)[i] = sums(state)[i] += x.frame(t)[i];
    return x.count;
  }
  Index flush(es::StateRef state, es::Frames<float>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(es::StateRef state, es::StateCodec& codec) const { codec.values(sums(state), state.shape.size()); }
  float* input_room(es::StateRef, Index) const noexcept { return nullptr; }
  static constexpr bool in_place() noexcept { return true; }
  static float* sums(es::StateRef state) noexcept { return reinterpret_cast<float*>(state.data); }
};
static_assert(es::Layer<RunningSum>);

/// The same, but a stage short of the concept.
struct WithoutFlush : RunningSum {
  void flush(es::StateRef) const noexcept {}
};
static_assert(!es::Layer<WithoutFlush>);
static_assert(!es::Layer<int>);

struct Doubled : es::StatelessLayer<float> {
  es::FrameShape wanted() const noexcept { return es::FrameShape::any(); }
  es::Facts facts(const es::FrameShape& in) const noexcept { return {.out = in.with_channels(2 * in.channels)}; }
  std::uint64_t fingerprint() const noexcept { return es::Fingerprint("Doubled"); }
  Index steps(es::StateRef, es::Frames<const float> x, es::Frames<float> y) const noexcept {
    for (Index i = 0; i < x.scalars(); ++i) y.data[2 * i] = y.data[2 * i + 1] = x.data[i];
    return x.count;
  }
  static constexpr bool in_place() noexcept { return false; }
};
static_assert(es::Layer<Doubled>);

}  // namespace

TEST_CASE("Layer: a user's own layer keeps the contract, alone and in a network", "[core][property]") {
  // It remembers the whole signal, which no receptive field can say; so only the first outputs are asked about that.
  es::Stream stream(RunningSum{}, {.channels = 1});
  Eigen::Tensor<float, 2> x(1, 4);
  x.setConstant(1);
  CHECK(stream(x)(0, 3) == 4);
  CHECK(stream(x, es::final)(0, 3) == 8);
  CHECK(stream(x)(0, 3) == 4);

  support::check_contract(Doubled{}, 1, {.channels = 3});
  support::check_contract(Doubled{}, 2, {.channels = 1});
  support::check_equal(RunningSum{}, es::AnyLayer<float>(RunningSum{}), 2, {.channels = 3});
}

TEST_CASE("Layer: keeps_channels is what the layer says, or follows from in_place", "[core]") {
  CHECK(es::keeps_channels(RunningSum{}));
  CHECK_FALSE(es::keeps_channels(Doubled{}));
  struct Says : Doubled {
    static constexpr bool keeps_channels() noexcept { return true; }
  };
  CHECK(es::keeps_channels(Says{}));
}
