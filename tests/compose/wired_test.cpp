#include "eigenstream/compose/wired.hpp"

#include <limits>
#include <map>
#include <numeric>

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using es::Reduce;
using support::RandomGraph;
using support::Signal;

namespace {

// A graph by the definitions: each layer over the whole signal, each join after cutting off what is too long.
class Naive {
 public:
  explicit Naive(const RandomGraph& graph) : graph_(graph) {
    // Excess lengths: the least over many lengths at which all windows are whole.
    std::map<std::size_t, std::vector<Index>> least;
    for (Index n = 2000; n < 2000 + 2520; n += 1) {
      std::vector<Index> lengths{n};
      for (std::size_t v = 1; v <= graph.nodes.size(); ++v) {
        const RandomGraph::Node& node = graph.nodes[v - 1];
        if (!node.layer.empty()) {
          lengths.push_back(node.layer.front().timing().outputs_after(lengths[node.from.front()], true));
          continue;
        }
        Index shortest = lengths[node.from.front()];
        for (const std::size_t from : node.from) shortest = std::min(shortest, lengths[from]);
        std::vector<Index>& excess = least.try_emplace(v, node.from.size(), std::numeric_limits<Index>::max()).first->second;
        Index end = std::numeric_limits<Index>::max();
        for (std::size_t k = 0; k < node.from.size(); ++k) {
          excess[k] = std::min(excess[k], lengths[node.from[k]] - shortest);
          end = std::min(end, lengths[node.from[k]] - (n == 2000 ? 0 : excess[k] / 2));
        }
        lengths.push_back(end);
      }
    }
    for (const auto& [v, excess] : least)
      for (const Index q : excess) skips_[v].push_back(q / 2);
  }

  Signal<float> operator()(const Signal<float>& x) const {
    std::vector<Signal<float>> values{x};
    for (std::size_t v = 1; v <= graph_.nodes.size(); ++v) {
      const RandomGraph::Node& node = graph_.nodes[v - 1];
      values.push_back(node.layer.empty() ? join(node, skips_.at(v), values)
                                          : support::offline(node.layer.front(), values[node.from.front()]));
    }
    return values.back();
  }

 private:
  static Signal<float> join(const RandomGraph::Node& node, const std::vector<Index>& skips,
                            const std::vector<Signal<float>>& values) {
    Index frames = std::numeric_limits<Index>::max(), channels = 0;
    const Index batch = values.front().dimension(1);
    for (std::size_t k = 0; k < node.from.size(); ++k) {
      const Signal<float>& x = values[node.from[k]];
      frames = std::max<Index>(0, std::min(frames, x.dimension(2) - skips[k]));
      channels = node.op == Reduce::concat ? channels + x.dimension(0) : std::max(channels, x.dimension(0));
    }
    Signal<float> y(channels, batch, frames);
    for (Index t = 0; t < frames; ++t)
      for (Index b = 0; b < batch; ++b) {
        Index done = 0;
        for (std::size_t k = 0; k < node.from.size(); ++k) {
          const Signal<float>& x = values[node.from[k]];
          const Index own = x.dimension(0);
          if (node.op == Reduce::concat) {
            for (Index c = 0; c < own; ++c) y(done + c, b, t) = x(c, b, t + skips[k]);
            done += own;
            continue;
          }
          for (Index c = 0; c < channels; ++c) {
            float& sum = y(c, b, t);
            const float next = x(own == 1 ? 0 : c, b, t + skips[k]);
            if (k == 0) {
              sum = next;
            } else {
              switch (node.op) {
                case Reduce::product: sum *= next; break;
                case Reduce::max: sum = std::isnan(sum) || std::isnan(next) ? sum + next : std::max(sum, next); break;
                case Reduce::min: sum = std::isnan(sum) || std::isnan(next) ? sum + next : std::min(sum, next); break;
                case Reduce::difference: sum -= next; break;
                case Reduce::quotient: sum /= next; break;
                default: sum += next;
              }
            }
          }
        }
        if (node.op == Reduce::mean)
          for (Index c = 0; c < channels; ++c) y(c, b, t) /= static_cast<float>(node.from.size());
      }
    return y;
  }

  const RandomGraph& graph_;
  std::map<std::size_t, std::vector<Index>> skips_;
};

}  // namespace

TEST_CASE("Wired: 400 random graphs obey the law and give what their parts give", "[compose][property]") {
  const std::uint64_t first = 20 * static_cast<std::uint64_t>(GENERATE(range(0, 20)));
  for (std::uint64_t seed = first; seed < first + support::cases<std::uint64_t>(20); ++seed) {
    const RandomGraph graph = support::random_graph(seed);
    INFO("seed " << seed << graph.text);
    const Index batch = 1 + static_cast<Index>(seed % 3);
    support::check_contract(graph.net, batch,
                            {.channels = graph.channels,
                             .exact = false,
                             .carries = graph.text.find("ChannelSlice") == graph.text.npos,
                             .light = true,
                             .seed = seed,
                             .name = "random graph"});
    support::Random random(seed);
    const auto x = support::random_tensor<float>(random, graph.channels, batch, 211);
    const Signal<float> expected = Naive(graph)(x);
    const Signal<float> y = support::offline(graph.net, x);
    REQUIRE(support::difference(y, Signal<double>(expected.cast<double>())) == 0);
  }
}

TEST_CASE("Wired: a queue holds what waits and no more", "[compose]") {
  // The skip waits for the lookahead of the branch.
  es::GraphBuilder<float> graph;
  const auto x = graph.input();
  const auto deep = graph.add(support::random_conv<es::Conv1d<float>>(2, 2, 9, {.padding = 4}), x);
  es::Stream stream(graph.build(graph.reduce(Reduce::sum, {x, deep})));
  const Index conv = 2 * 8 + 8 * 2 * 4, queue = 8 + 4 * 2 * 4;  // counters and frames; what comes last needs no queue
  CHECK(stream.state_bytes() == conv + queue);
  CHECK(stream.delay() == 4);
}

TEST_CASE("Wired: what is wired wrongly is refused", "[compose][error]") {
  const es::Conv1d<float> conv = support::random_conv<es::Conv1d<float>>(2, 2, 3);
  const auto with = [&](auto&& make) {
    return support::error_of([&] {
      es::Wiring wiring;
      make(wiring);
      es::AnyGraph<float>(std::vector<es::AnyLayer<float>>(static_cast<std::size_t>(wiring.last()), conv), wiring);
    });
  };
  CHECK(with([&](es::Wiring& w) { w.add(conv.timing(), {1}); }) == "no value 1 yet; there are 1");
  CHECK(with([&](es::Wiring& w) { w.add(conv.timing(), {-1}); }) == "no value -1 yet; there are 1");
  CHECK(with([&](es::Wiring& w) {
          w.add(conv.timing(), {0});
          w.add(conv.timing(), {0});
        }) == "Graph: value 1 is not used");
  CHECK(with([&](es::Wiring& w) { w.add(conv.timing(), {0, 0}); }) == "Graph: value 1 has 2 operands, its layer takes 1");
}
