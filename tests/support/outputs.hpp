#ifndef EIGENSTREAM_TESTS_SUPPORT_OUTPUTS_HPP
#define EIGENSTREAM_TESTS_SUPPORT_OUTPUTS_HPP

#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "eigenstream/stream/stream.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace support {

/// The network of the nodes that lead to value `output` (all of it where the input does), its inputs being one signal.
inline es::AnyGraph<float> network_up_to(const RandomGraph& graph, std::size_t output) {
  std::set<std::size_t> wanted{output};
  for (std::size_t v = output; v > 0; --v)
    if (wanted.contains(v)) wanted.insert(graph.nodes[v - 1].from.begin(), graph.nodes[v - 1].from.end());
  es::GraphBuilder<float> builder(graph.channels);
  std::vector<es::GraphBuilder<float>::Value> values(graph.nodes.size() + 1);
  for (const std::size_t v : wanted) {
    if (v == 0) continue;
    const RandomGraph::Node& node = graph.nodes[v - 1];
    std::vector<es::GraphBuilder<float>::Value> from;
    for (const std::size_t each : node.from) from.push_back(values[each]);
    values[v] = node.layer.empty() ? builder.reduce(node.op, from) : builder.add(node.layer.front(), from.front());
  }
  return builder.build({values[output]}, std::vector<std::string>{});
}

/// Some signal of a network's, cut in many ways: every output of every call, put together, is bit for bit what one call on
/// the whole gives, whose numbers are `expected` where they are given; as many frames as its timing says, nothing is written
/// beside them, nothing is allocated; a state taken on the way goes on as the stream itself does.
template <es::Layer Net>
void check_outputs(const Net& layer, es::StreamOptions options, const std::vector<es::AnyGraph<float>>& singles = {},
                   std::uint64_t seed = 1) {
  using es::Frames;
  const auto net = std::make_shared<const Net>(layer);
  Random random(seed);
  es::Stream<Net> stream(net, options);
  const Index count = stream.outputs(), inputs = stream.inputs();
  const es::State initial = stream.get_state();
  constexpr Index margin = 40;
  const float poison = std::numeric_limits<float>::infinity();

  const auto run = [&](const std::vector<std::vector<float>>& x, Index length, auto&& chunk_of, bool through_states, int end) {
    std::vector<std::vector<float>> all(static_cast<std::size_t>(count));
    std::vector<Index> at(static_cast<std::size_t>(inputs), 0);
    Index seen = 0;
    const auto call = [&](Index n, bool last, bool flush) {
      std::vector<std::vector<float>> memory;
      std::vector<Frames<float>> y;
      std::vector<Index> due, written(static_cast<std::size_t>(count), -1);
      for (Index k = 0; k < count; ++k) {
        const es::FrameShape shape = stream.out_shape(k);
        const Index expected = stream.timing(k).outputs_after(seen + n, last) - stream.timing(k).outputs_after(seen);
        const Index most = stream.max_outputs(n, k) + (last ? stream.max_flush(k) : 0);
        if (expected > most) FAIL("output " << k << " gives " << expected << " frames, more than " << most);
        const Index room = (k + n) % 2 == 0 ? expected : most;
        memory.emplace_back(static_cast<std::size_t>(room * shape.size() + 2 * margin), poison);
        y.emplace_back(memory.back().data() + margin, shape, room);
        due.push_back(expected);
      }
      std::vector<Frames<const float>> given;
      for (Index k = 0; k < inputs; ++k) {
        const es::FrameShape shape = stream.in_shape(k);
        Index& from = at[static_cast<std::size_t>(k)];
        given.emplace_back(x[static_cast<std::size_t>(k)].data() + from * shape.size(), shape, stream.frames_with(k, n));
        from += given.back().count;
      }
      std::int64_t allocations = 0;
      {
        const NoAllocation guard;
        if (flush)
          stream.flush(y, written);
        else if (last && inputs == 1)
          stream.process(given.front(), y, written, es::final);
        else if (last)
          stream.process(given, y, written, es::final);
        else if (inputs == 1)
          stream.process(given.front(), y, written);
        else
          stream.process(given, y, written);
        allocations = guard.count();
      }
      if (allocations != 0) FAIL("a call allocates");
      for (Index k = 0; k < count; ++k) {
        const std::size_t i = static_cast<std::size_t>(k);
        if (written[i] != due[i]) FAIL("output " << k << " gives " << written[i] << " frames, " << due[i] << " are due");
        const std::size_t size = static_cast<std::size_t>(due[i] * stream.out_shape(k).size());
        for (std::size_t j = 0; j < memory[i].size(); ++j)
          if ((j < margin || j >= margin + size) && memory[i][j] != poison) FAIL("output " << k << " is written beside its room");
        all[i].insert(all[i].end(), y[i].data, y[i].data + size);
      }
      seen += n;
    };
    while (seen < length) {
      const Index n = std::min(length - seen, static_cast<Index>(chunk_of()));
      if (through_states && random.chance(0.3)) {
        const es::State saved = es::State::from_bytes(stream.get_state().bytes());
        es::Stream<Net> other(net, options);
        other.set_state(saved);
        if (!(other.get_state() == saved)) FAIL("a state changes when it is loaded");
        stream = other;
      }
      call(n, end == 0 && seen + n == length, false);
    }
    if (end == 1) call(0, true, false);
    if (end == 2 || length == 0) call(0, true, true);
    if (stream.frames_seen() != 0 || !(stream.get_state() == initial)) FAIL("the stream is not fresh after its end");
    return all;
  };
  const auto same = [&](const std::vector<float>& one, const std::vector<float>& other) {
    return one.size() == other.size() && (one.empty() || std::memcmp(one.data(), other.data(), sizeof(float) * one.size()) == 0);
  };

  for (const Index length : {Index{0}, Index{1}, Index{7}, Index{90}, Index{301}}) {
    std::vector<std::vector<float>> x;
    for (Index k = 0; k < inputs; ++k) x.push_back(random_values<float>(stream.frames_with(k, length) * stream.in_shape(k).size(), random));
    const auto whole = run(x, length, [&] { return length; }, false, 0);
    for (std::size_t k = 0; k < singles.size(); ++k) {
      es::Stream<es::AnyGraph<float>> single(singles[k], options);
      const Index room = single.outputs_after(length, true);
      std::vector<float> y(static_cast<std::size_t>(room * single.out_shape().size()));
      single.process(Frames<const float>(x[0].data(), single.in_shape(), length), Frames<float>(y.data(), single.out_shape(), room),
                     es::final);
      if (!same(y, whole[k])) FAIL("output " << k << " is not what the network of this output gives, of " << length << " frames");
    }
    for (int end = 0; end < 3; ++end) {
      if (run(x, length, [] { return 1; }, end == 1, end) != whole) FAIL("frame by frame is not as in one call");
      if (run(x, length, [&] { return random.integer(0, 6); }, true, end) != whole) FAIL("in small chunks is not as in one call");
      if (run(x, length, [&] { return random.integer(0, 90); }, end == 2, end) != whole) FAIL("in chunks is not as in one call");
    }
    // The main output is what the calls with one give.
    if (inputs > 1) continue;
    const Index room = stream.outputs_after(length, true);
    std::vector<float> y(static_cast<std::size_t>(room * stream.out_shape().size()));
    stream.process(Frames<const float>(x[0].data(), stream.in_shape(), length), Frames<float>(y.data(), stream.out_shape(), room),
                   es::final);
    if (!same(y, whole[0])) FAIL("a call with one output does not give the main one");
  }
  SUCCEED();
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_OUTPUTS_HPP
