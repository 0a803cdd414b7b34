#include "eigenstream/stream/block_adapter.hpp"

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/compose/parallel.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/conv_transpose.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/network/any_layer.hpp"
#include "eigenstream/window/overlap_add.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::BlockAdapter;
using es::Conv1d;
using es::Frames;
using es::Index;
using Any = es::AnyLayer<float>;

namespace {

auto down_and_up(Index in, Index by, Index out) {
  support::Random random(static_cast<std::uint64_t>(by));
  return es::sequential(support::random_conv<Conv1d<float>>(in, 3, 2 * by, {.stride = by, .padding = by / 2}),
                        es::Tanh<float>{},
                        es::ConvTranspose1d<float>(support::random_tensor<float>(random, 3, out, 2 * by), {},
                                                   {.stride = by, .padding = by / 2}));
}

/// Networks of rate 1: early and late ones, ones that work in steps, ones that are longer or shorter than their input.
std::vector<std::pair<std::string, Any>> networks(Index channels) {
  const auto conv = [&](Index taps, es::Conv1dOptions options) {
    return support::random_conv<Conv1d<float>>(channels, channels, taps, options);
  };
  return {
      {"a pointwise layer", Any(es::Tanh<float>{})},
      {"a causal convolution", Any(conv(5, {.padding = es::Padding::causal(5)}))},
      {"a padded convolution", Any(conv(5, {.padding = 2}))},
      {"a convolution that shortens", Any(conv(9, {.dilation = 3}))},
      {"other numbers of channels",
       Any(support::random_conv<Conv1d<float>>(channels, channels + 1, 3, {.padding = 1}))},
      {"a residual block", Any(es::residual(conv(7, {})))},
      {"down by 4 and up again", Any(down_and_up(channels, 4, channels))},
      {"down by 32 and up again", Any(down_and_up(channels, 32, channels))},
      {"down by 6, 4 and up again",
       Any(es::sequential(down_and_up(channels, 6, channels), down_and_up(channels, 4, 2)))},
      {"a branch that goes down",
       Any(es::parallel(es::Reduce::sum, es::Identity<float>{}, down_and_up(channels, 8, channels)))},
      {"frames in front", Any(es::Pad<float>(40, 3))},
      {"frames cut off", Any(es::Pad<float>(-3, -40))},
      {"frames in front of steps", Any(es::sequential(es::Pad<float>(21, 0), down_and_up(channels, 8, channels)))},
      {"resampled and back", Any(es::sequential(es::Resample<float>(3, 7), es::Resample<float>(7, 3)))},
      {"cut into windows and put back",
       Any(es::sequential(es::Snapshotter<float>(channels, 12, 5), es::OverlapAdd<float>(channels, 12, 5)))},
  };
}

std::vector<float> offline(const Any& net, Index channels, Index batch, const std::vector<float>& x) {
  es::Stream stream(net, {.channels = channels, .batch = batch});
  const Index n = static_cast<Index>(x.size()) / (channels * batch), count = stream.outputs_after(n, true);
  std::vector<float> y(static_cast<std::size_t>(count * stream.out_shape().size()));
  stream.process({x.data(), {.channels = channels, .batch = batch}, n}, Frames<float>(y.data(), stream.out_shape(), count), es::final);
  return y;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), sizeof(float) * a.size()) == 0);
}

/// max over n of n - outputs_after(n), one by one.
Index least_latency(const es::Timing& timing, Index multiple) {
  Index latency = 0;
  for (Index n = 0; n < 3000; n += multiple) latency = std::max(latency, n - timing.outputs_after(n));
  return latency;
}

/// Lengths of blocks that add up to n, all multiples but the last.
std::vector<Index> blocks_of(Index n, Index multiple, int way, support::Random& random) {
  std::vector<Index> blocks;
  for (Index at = 0; at < n;) {
    const Index most[] = {1, 7, 100 / multiple + 1, 700 / multiple + 1};
    const Index some = multiple * (way == 0 ? 1 : random.integer(0, most[way]));
    blocks.push_back(std::min(some, n - at));
    at += blocks.back();
  }
  return blocks;
}

void check_adapter(const Any& net, Index channels, Index batch, Index multiple) {
  support::Random random(static_cast<std::uint64_t>(7 * channels + batch + multiple));
  BlockAdapter adapter(net, {.channels = channels, .batch = batch, .multiple = multiple});
  const es::FrameShape in = adapter.in_shape(), out = adapter.out_shape();
  const Index latency = adapter.latency();
  REQUIRE(latency == least_latency(adapter.timing(), multiple));
  const es::State fresh = adapter.get_state();
  constexpr float mark = 1e30f;
  for (const Index n : {0, 1, 5, 333, 1700})
    for (int way = 0; way < 4; ++way) {
      INFO(n << " frames, cut in way " << way);
      const std::vector<float> x = support::random_values<float>(n * in.size(), random);
      std::vector<float> expected(static_cast<std::size_t>(latency * out.size()), 0.0f);
      const std::vector<float> whole = offline(net, channels, batch, x);
      expected.insert(expected.end(), whole.begin(), whole.end());
      REQUIRE(adapter.remaining(n) == static_cast<Index>(expected.size()) / out.size());

      std::vector<float> y;
      const std::vector<Index> blocks = blocks_of(n, multiple, way, random);
      Index at = 0;
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        const Index count = blocks[i];
        const bool last = i + 1 == blocks.size() && (way % 2 == 1 || count % multiple != 0);
        const Index given = last ? adapter.remaining(count) : count;
        // In place where frames are no longer than those of the input; one more frame shows what is written too far.
        std::vector<float> memory(static_cast<std::size_t>(std::max(count * in.size(), (given + 1) * out.size())),
                                  mark);
        std::vector<float> apart(static_cast<std::size_t>((given + 1) * out.size()), mark);
        std::copy_n(x.data() + at * in.size(), count * in.size(), memory.data());
        const bool in_place = out.size() <= in.size();
        std::vector<float>& to = in_place ? memory : apart;
        const float after = to[static_cast<std::size_t>(given * out.size())];
        const support::NoAllocation guard;
        const Frames<const float> from(memory.data(), in, count);
        const Frames<float> room(to.data(), out, given);
        const Index written = last ? adapter.process(from, room, es::final) : adapter.process(from, room);
        REQUIRE(guard.count() == 0);
        REQUIRE(written == given);
        REQUIRE(to[static_cast<std::size_t>(given * out.size())] == after);
        y.insert(y.end(), to.data(), to.data() + written * out.size());
        at += count;
        REQUIRE(adapter.frames_seen() == (last ? 0 : at));
        if (i % 3 == 0 && !last) {  // by way of a saved state
          const es::State state = adapter.get_state();
          adapter.reset();
          REQUIRE(adapter.get_state() == fresh);
          adapter.set_state(es::State::from_bytes(state.bytes()));
          REQUIRE(adapter.get_state() == state);
        }
      }
      if (adapter.frames_seen() > 0 || blocks.empty()) {
        std::vector<float> rest(static_cast<std::size_t>(adapter.remaining() * out.size()));
        const support::NoAllocation guard;
        const Index written = adapter.flush({rest.data(), out, adapter.remaining()});
        REQUIRE(guard.count() == 0);
        REQUIRE(written * out.size() == static_cast<Index>(rest.size()));
        y.insert(y.end(), rest.begin(), rest.end());
      }
      REQUIRE(same(y, expected));
      REQUIRE(adapter.get_state() == fresh);
    }
  SUCCEED();
}

// Planar, in place, against the interleaved calls.
void check_planar(const Any& net, Index channels) {
  support::Random random(11);
  BlockAdapter planar(net, {.channels = channels}), mixed(net, {.channels = channels});
  const Index out = planar.out_shape().channels, both = std::max(channels, out);
  for (const Index n : {100, 1, 0, 1000, 37, 612}) {
    const bool last = n == 612;
    const Index given = last ? mixed.remaining(n) : n;
    const std::vector<float> x = support::random_values<float>(n * channels, random);
    std::vector<float> expected(static_cast<std::size_t>(given * out));
    const Frames<float> y(expected.data(), {out}, given);
    if (last)
      mixed.process({x.data(), {channels}, n}, y, es::final);
    else
      mixed.process({x.data(), {channels}, n}, y);
    std::vector<std::vector<float>> buffers(
        static_cast<std::size_t>(both), std::vector<float>(static_cast<std::size_t>(std::max(n, given) + 1), -7.0f));
    std::vector<float*> to;
    for (std::vector<float>& buffer : buffers) to.push_back(buffer.data());
    for (Index c = 0; c < channels; ++c)
      for (Index t = 0; t < n; ++t) to[static_cast<std::size_t>(c)][t] = x[static_cast<std::size_t>(t * channels + c)];
    const support::NoAllocation guard;
    const Index written = last ? planar.process_planar(to.data(), n, to.data(), given, es::final)
                               : planar.process_planar(to.data(), n, to.data());
    REQUIRE(guard.count() == 0);
    REQUIRE(written == given);
    for (Index c = 0; c < out; ++c) {
      for (Index t = 0; t < given; ++t)
        REQUIRE(to[static_cast<std::size_t>(c)][t] == expected[static_cast<std::size_t>(t * out + c)]);
      if (given >= n) REQUIRE(to[static_cast<std::size_t>(c)][given] == -7.0f);
    }
    REQUIRE(planar.get_state() == mixed.get_state());
  }
}

}  // namespace

TEST_CASE("BlockAdapter: as many frames out as in, the one-call output behind zeros, however it is cut", "[stream]") {
  const Index batch = GENERATE(1, 2);
  for (const auto& [name, net] : networks(2)) {
    INFO(name);
    check_adapter(net, 2, batch, 1);
    if (batch == 1) check_planar(net, 2);
  }
}

TEST_CASE("BlockAdapter: blocks of a multiple need less latency", "[stream]") {
  for (const auto& [name, net] : networks(1)) {
    INFO(name);
    const Index any = BlockAdapter(net, {.channels = 1}).latency();
    for (const Index multiple : {2, 5, 32, 300}) {
      check_adapter(net, 1, 1, multiple);
      CHECK(BlockAdapter(net, {.channels = 1, .multiple = multiple}).latency() <= any);
    }
  }
  const auto steps = es::sequential(support::random_conv<Conv1d<float>>(1, 4, 32, {.stride = 32}),
                                    support::random_conv_transpose<float>(4, 1, 32, {.stride = 32}));
  CHECK(BlockAdapter(steps).latency() == 31);
  CHECK(BlockAdapter(steps, {.multiple = 8}).latency() == 24);
  CHECK(BlockAdapter(steps, {.multiple = 32}).latency() == 0);
}

TEST_CASE("BlockAdapter: the latency of the usual networks", "[stream]") {
  CHECK(BlockAdapter(es::Tanh<float>{}, {.channels = 3}).latency() == 0);
  CHECK(BlockAdapter(support::random_conv<Conv1d<float>>(1, 1, 5, {.padding = es::Padding::causal(5)})).latency() == 0);
  CHECK(BlockAdapter(support::random_conv<Conv1d<float>>(1, 1, 5, {.padding = 2})).latency() == 2);
  CHECK(BlockAdapter(support::random_conv<Conv1d<float>>(1, 1, 5)).latency() == 4);
  CHECK(BlockAdapter(es::Pad<float>(5, 0), {.channels = 1}).latency() == 0);
  CHECK(BlockAdapter(es::Pad<float>(0, -5), {.channels = 1}).latency() == 5);
}

TEST_CASE("BlockAdapter: a copy goes on by itself", "[stream]") {
  BlockAdapter one(down_and_up(1, 8, 1));
  std::vector<float> x(50, 1.0f), y(50), z(50);
  one.process({x.data(), {1}, 50}, {y.data(), {1}, 50});
  BlockAdapter two = one;
  BlockAdapter three(down_and_up(1, 8, 1));
  three = one;
  CHECK(&two.net() == &one.net());
  one.process({x.data(), {1}, 50}, {y.data(), {1}, 50});
  two.process({x.data(), {1}, 50}, {z.data(), {1}, 50});
  CHECK(same(y, z));
  three.process({x.data(), {1}, 50}, {z.data(), {1}, 50});
  CHECK(same(y, z));
  CHECK(one.memory_bytes() > one.state_bytes());
}

TEST_CASE("BlockAdapter: what cannot be is refused before anything changes", "[stream][error]") {
  const auto half = support::random_conv<Conv1d<float>>(1, 1, 4, {.stride = 2});
  CHECK(support::refuses([&] { BlockAdapter{half}; }, {"1 outputs for 2 inputs", "rate of 1"}));
  CHECK(
      support::refuses([&] { BlockAdapter(es::Resample<float>(2, 3), {.channels = 1}); }, {"3 outputs for 2 inputs"}));
  CHECK(support::refuses([&] { BlockAdapter(es::Tanh<float>{}); }, {"any number of channels"}));
  CHECK(support::refuses([&] { BlockAdapter(es::Tanh<float>{}, {.channels = 1, .multiple = 0}); }, {"multiple = 0"}));

  BlockAdapter adapter(down_and_up(1, 8, 1), {.multiple = 4});
  std::vector<float> x(3000, 1.0f), y(3000, 5.0f);
  const auto in = [&](Index n, Index channels = 1) { return Frames<const float>(x.data(), {channels}, n); };
  const auto out = [&](Index n, Index channels = 1) { return Frames<float>(y.data(), {channels}, n); };
  adapter.process(in(20), out(20));
  std::fill(y.begin(), y.end(), 5.0f);
  const es::State before = adapter.get_state();
  const float* from[] = {x.data()};
  float *to[] = {y.data()}, *behind[] = {x.data() + 8};
  CHECK(support::refuses([&] { adapter.process(in(-4), out(20)); }, {"-4 frames"}));
  CHECK(support::refuses([&] { adapter.process(in(-4), out(20), es::final); }, {"-4 frames"}));
  CHECK(support::refuses([&] { adapter.process_planar(from, -4, to); }, {"-4 frames"}));
  CHECK(support::refuses([&] { adapter.process_planar(from, -4, to, 100, es::final); }, {"-4 frames"}));
  CHECK(support::refuses([&] { adapter.process(in(6), out(20)); }, {"6 frames", "multiple of 4"}));
  CHECK(support::refuses([&] { adapter.process_planar(from, 6, to); }, {"6 frames", "multiple of 4"}));
  CHECK(support::refuses([&] { adapter.process(in(8), out(7)); }, {"room for 7", "8 will come"}));
  CHECK(support::refuses([&] { adapter.process(in(8, 2), out(8)); }, {"input", "2 channels"}));
  CHECK(support::refuses([&] { adapter.process(in(8), out(8, 2)); }, {"output", "2 channels"}));
  const Index rest = adapter.remaining(8);
  CHECK(support::refuses([&] { adapter.process(in(8), out(rest - 1), es::final); }, {"will come"}));
  CHECK(support::refuses([&] { adapter.process_planar(from, 8, to, rest - 1, es::final); }, {"will come"}));
  CHECK(support::refuses([&] { adapter.flush(out(adapter.remaining() - 1)); }, {"will come"}));
  CHECK(support::refuses([&] { adapter.flush_planar(to, adapter.remaining() - 1); }, {"will come"}));
  CHECK(support::refuses([&] { adapter.process(in(2000), Frames<float>(x.data() + 8, {1, 1}, 2000)); }, {"overwrite"}));
  CHECK(support::refuses([&] { adapter.process_planar(from, 2000, behind); }, {"overwrite"}));
  CHECK(adapter.get_state() == before);
  CHECK(std::count(y.begin(), y.end(), 5.0f) == 3000);

  // States of others, and forged ones.
  CHECK(
      support::refuses([&] { adapter.set_state(es::Stream(down_and_up(1, 8, 1)).get_state()); }, {"another network"}));
  CHECK(support::refuses([&] { adapter.set_state(BlockAdapter(down_and_up(1, 8, 1)).get_state()); },
                         {"another network"}));
  for (const Index seen : {Index{0}, Index{21}, Index{24}, Index{-4}, std::numeric_limits<Index>::max() - 3}) {
    es::State forged;
    forged.assign(before.fingerprint(), before.shape(), seen, before.payload().size(), [&](std::span<std::byte> bytes) {
      std::copy(before.payload().begin(), before.payload().end(), bytes.begin());
    });
    CHECK(support::refuses([&] { adapter.set_state(forged); }, {"damaged"}));
  }
  CHECK(adapter.get_state() == before);

  BlockAdapter pair(es::Tanh<float>{}, {.channels = 1, .batch = 2});
  CHECK(support::refuses([&] { pair.process_planar(from, 4, to); }, {"batch of 1", "has 2"}));
}
