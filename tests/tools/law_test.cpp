#include "../../tools/law.hpp"

#include <memory>
#include <vector>

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv.hpp"
#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;

namespace {

// The ways to break the law. Each layer is right in one call with the whole signal.
enum class Fault { none, value, early, lost, memory };

// y = x, with a fault; remembers how many frames it has seen.
template <Fault fault>
class Faulty {
 public:
  using Scalar = float;
  es::FrameShape wanted() const { return es::FrameShape::any(); }
  es::Facts facts(const es::FrameShape& in) const { return {.out = in, .state_bytes = es::memory_alignment}; }
  es::Timing timing() const { return {}; }
  Index max_outputs(Index n) const noexcept { return n; }
  std::uint64_t fingerprint() const { return 1; }
  void reset(es::StateRef state) const noexcept { seen(state) = 0; }
  Index steps(es::StateRef state, es::Frames<const float> x, es::Frames<float> y) const noexcept {
    const Index before = seen(state);
    seen(state) += x.count;
    if (x.count == 0) return 0;
    std::copy_n(x.data, x.scalars(), y.data);
    if (fault == Fault::value && before == 100) y.data[0] = std::nextafter(y.data[0], 2.0f);
    if (fault == Fault::early && before == 100) return x.count - 1;
    if (fault == Fault::lost && before == 100) seen(state) = 5;
    return x.count;
  }
  Index flush(es::StateRef state, es::Frames<float>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(es::StateRef state, es::StateCodec& codec) const {
    Index forgotten = 0;
    if (fault == Fault::memory && codec.reading())
      codec.counter(forgotten, 0, 1 << 20);
    else
      codec.counter(seen(state), 0, 1 << 20);
  }
  float* input_room(es::StateRef, Index) const noexcept { return nullptr; }
  bool in_place() const noexcept { return false; }

 private:
  static Index& seen(es::StateRef state) noexcept { return *reinterpret_cast<Index*>(state.data); }
};
static_assert(es::Layer<Faulty<Fault::none>>);

template <Fault fault>
std::string verdict(const tool::LawOptions& options = {.channels = 2, .frames = 300, .trials = 12}) {
  const tool::LawResult result = tool::try_law(std::make_shared<const Faulty<fault>>(), options);
  CHECK((result.broken.empty() ? result.trials == options.trials : result.trials < options.trials));
  return result.broken;
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("The tool's check passes a network that obeys the law", "[tools]") {
  CHECK(verdict<Fault::none>() == "");
  const es::Conv1d<float> conv(es::Weights<float>({2, 1, 3}, {1, 2, 3, 4, 5, 6}), es::Weights<float>({2}, {1, 2}),
                               {.stride = 2, .padding = 1});
  const auto net = es::sequential(conv);
  const tool::LawResult result = tool::try_law(std::make_shared<const std::remove_const_t<decltype(net)>>(net), {});
  CHECK(result.broken == "");
  CHECK(result.trials == 20);
  CHECK(result.calls > 1000);
}

TEST_CASE("The tool's check names the first cut that breaks the law", "[tools]") {
  CHECK(contains(verdict<Fault::value>(), "chunking 1 (single frames), the cut at input frame 100, next chunk of 1"));
  CHECK(contains(verdict<Fault::value>(), "output frame 100, channel 0 is "));
  CHECK(contains(verdict<Fault::early>(), "the cut at input frame 100, next chunk of 1"));
  CHECK(contains(verdict<Fault::early>(), "gives 0 frames, 1 are due"));
  CHECK(contains(verdict<Fault::lost>(), "the state is another than after one call"));
  CHECK(contains(verdict<Fault::memory>(), "the state is another"));
}
